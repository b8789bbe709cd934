/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers of certificates: handles 0xFFF00000 to 0xFFFFFFFE, given in turn. One whose record has
 * gone rests for 24 hours before it may be given again, so that who still has the handle does not
 * find another's certificate under it; the rest is stored as "d/" and the number, and outlives a
 * restart. Any thread may call.
 */
#ifndef CORE_NUMBERS_H
#define CORE_NUMBERS_H

#include "core/record.h"

#include <pthread.h>

#define HANDLE_CERTIFICATE_FIRST 0xfff00000u
#define HANDLE_CERTIFICATE_LAST 0xfffffffeu
#define NUMBERS_COUNT (HANDLE_CERTIFICATE_LAST - HANDLE_CERTIFICATE_FIRST + 1)
#define NUMBERS_REST_S (24u * 3600u)

bool handle_is_certificate(uint32_t handle);

struct numbers {
    pthread_mutex_t lock;
    uint32_t *states; /* under lock: free, used, or the second from which it rests */
    uint32_t next;    /* under lock: the first to look at */
    size_t resting;   /* under lock */
};

MUST_USE bool numbers_init(struct numbers *numbers);
void numbers_clear(struct numbers *numbers);

/* At the start: what the store has. resting_since in seconds; 0: it is used. The next number is the
 * one after the highest of these. */
void numbers_load(struct numbers *numbers, uint32_t handle, uint32_t resting_since);
/* The next number that is free at `now`, in seconds as everywhere here; it is used from then on.
 * False: there is none. */
MUST_USE bool numbers_take(struct numbers *numbers, uint32_t now, uint32_t *ret_handle);
/* The next number is above this one. */
void numbers_pass(struct numbers *numbers, uint32_t handle);
/* Used again by who had it (a certificate that was a session object for a while). False: it
 * is another's by now. */
MUST_USE bool numbers_take_back(struct numbers *numbers, uint32_t handle);
/* One that was taken and never stored. */
void numbers_give_back(struct numbers *numbers, uint32_t handle);
void numbers_rest(struct numbers *numbers, uint32_t handle, uint32_t now);
/* Ends the rest of those whose time is over, at most max of them; done is called for each. */
void numbers_sweep(struct numbers *numbers, uint32_t now, size_t max,
                   void (*done)(void *arg, uint32_t handle), void *arg);

/* Is it used, or does it rest? */
bool numbers_knows(struct numbers *numbers, uint32_t handle);

/* The sealed record of a rest that began at second `since`. CKR_GENERAL_ERROR: it does not open. */
MUST_USE CK_RV rest_record(const struct sealer *sealer, uint32_t handle, uint32_t since,
                           struct writer *out);
MUST_USE CK_RV rest_from_record(const struct sealer *sealer, uint32_t handle, view record,
                                uint32_t *ret_since);

#endif
