/* SPDX-License-Identifier: Apache-2.0
 *
 * Logins that were ended by a logout. A ticket outlives its login; so the login's number is
 * stored until the last of its tickets has expired, under "t/" and sixteen hexadecimal digits, and
 * no ticket of it is taken up any more, also not after a restart.
 */
#ifndef CORE_LOGOUT_H
#define CORE_LOGOUT_H

#include "core/record.h"

#include <pthread.h>

#define LOGOUT_NAME_LEN 18u

struct logout_name {
    char text[LOGOUT_NAME_LEN + 1];
};
struct logout_name logout_name(uint64_t login);
view logout_name_view(const struct logout_name *name);
MUST_USE bool logout_name_parse(view key, uint64_t *ret_login);

/* The sealed record: until is clock.wall. */
MUST_USE CK_RV logout_record(const struct sealer *sealer, uint64_t login, uint64_t until,
                             struct writer *out);
MUST_USE CK_RV logout_from_record(const struct sealer *sealer, uint64_t login, view record,
                                  uint64_t *ret_until);

struct ended_login;

struct logouts {
    pthread_mutex_t lock;
    struct ended_login **buckets; /* under lock */
};

MUST_USE bool logouts_init(struct logouts *logouts);
void logouts_clear(struct logouts *logouts);

/* In two steps, as the second must not fail: NULL when memory is short. */
struct ended_login *ended_login_new(uint64_t login, uint64_t until);
void logouts_take(struct logouts *logouts, struct ended_login *ended);
void ended_login_free(struct ended_login *ended);

bool logouts_has(struct logouts *logouts, uint64_t login);
/* Forgets those whose time is over; gone is called for each. */
void logouts_sweep(struct logouts *logouts, uint64_t now,
                   void (*gone)(void *arg, uint64_t login), void *arg);

#endif
