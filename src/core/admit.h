/* SPDX-License-Identifier: Apache-2.0
 *
 * A member's side of handing over the master key (core/join.h): what is kept between a newcomer's
 * two requests, and by what this node is known.
 */
#ifndef CORE_ADMIT_H
#define CORE_ADMIT_H

#include "core/join.h"
#include "wire/frame.h"

#include <pthread.h>

#define ADMISSIONS_MAX 8u
#define ADMISSION_LIFE_MS 30000u

struct admission {
    bool open;
    uint8_t context[FRAME_CONTEXT_LEN]; /* who asked; each has one */
    uint64_t until;                     /* clock.monotonic */
    struct join_talk talk;
    uint8_t private_key[JOIN_SHARE_LEN];
};

struct admissions {
    pthread_mutex_t lock;
    struct admission list[ADMISSIONS_MAX];
    struct secret *private_key; /* this node's; these three NULL until they were set */
    char *certificate;
    char *owner;
};

MUST_USE bool admissions_init(struct admissions *admissions);
void admissions_clear(struct admissions *admissions);

#endif
