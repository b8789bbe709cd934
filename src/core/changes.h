/* SPDX-License-Identifier: Apache-2.0
 *
 * Which objects were changed or removed lately, for daemons whose libraries remember what they
 * were told about objects. A change is entered after it can be seen: who reads the numbers first
 * and the object then has the object as it is, or hears of the change later. Any thread may call.
 */
#ifndef CORE_CHANGES_H
#define CORE_CHANGES_H

#include "base/bytes.h"

#include <pthread.h>

#define CHANGES_KEPT 4096u
/* Stands for what is about every object: users, logins, the policy. */
#define CHANGE_OF_ALL 0u

struct changes {
    pthread_mutex_t lock;
    uint64_t boot;     /* numbers of another boot say nothing here */
    uint64_t sequence; /* of the last one, counted from 1 */
    uint32_t handles[CHANGES_KEPT]; /* by sequence modulo the size */
};

/* None yet. The owner sets boot, drawn anew at each start. False: there is no lock. */
MUST_USE bool changes_init(struct changes *changes);
void changes_clear(struct changes *changes);
/* The object of that handle was changed or removed; or CHANGE_OF_ALL. */
void changes_add(struct changes *changes, uint32_t handle);
/*
 * The handles changed after number `since` of that boot, each as a u32, appended to out; gives
 * the number of the last one. *ret_all: too many, too long ago, or of another boot; then nothing
 * is appended, and whatever is remembered may be wrong.
 */
uint64_t changes_since(struct changes *changes, uint64_t boot, uint64_t since, struct writer *out,
                       bool *ret_all);

#endif
