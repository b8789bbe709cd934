/* SPDX-License-Identifier: Apache-2.0
 *
 * One word for each number: 4 MiB of memory that the system gives as it is touched. Numbers go
 * round, so one is given again as late as can be.
 */
#include "core/numbers.h"

#include <stdlib.h>

#define STATE_FREE 0u
#define STATE_USED UINT32_MAX /* else: the second from which it rests */

bool
handle_is_certificate(uint32_t handle)
{
    return handle >= HANDLE_CERTIFICATE_FIRST && handle <= HANDLE_CERTIFICATE_LAST;
}

bool
numbers_init(struct numbers *numbers)
{
    *numbers = (struct numbers){ .states = calloc(NUMBERS_COUNT, sizeof *numbers->states) };
    return pthread_mutex_init(&numbers->lock, NULL) == 0 && numbers->states != NULL;
}

void
numbers_clear(struct numbers *numbers)
{
    free(numbers->states);
    pthread_mutex_destroy(&numbers->lock);
}

static bool
is_resting(uint32_t state)
{
    return state != STATE_FREE && state != STATE_USED;
}

/* Under the lock. */
static void
state_set(struct numbers *numbers, uint32_t index, uint32_t state)
{
    numbers->resting -= is_resting(numbers->states[index]);
    numbers->resting += is_resting(state);
    numbers->states[index] = state;
}

static uint32_t
resting_state(uint32_t since)
{
    return since == STATE_FREE ? 1 : since == STATE_USED ? STATE_USED - 1 : since;
}

static bool
may_be_given(uint32_t state, uint32_t now)
{
    return state == STATE_FREE ||
           (is_resting(state) && now >= state && now - state >= NUMBERS_REST_S);
}

void
numbers_load(struct numbers *numbers, uint32_t handle, uint32_t resting_since)
{
    uint32_t index = handle - HANDLE_CERTIFICATE_FIRST;

    pthread_mutex_lock(&numbers->lock);
    state_set(numbers, index, resting_since == 0 ? STATE_USED : resting_state(resting_since));
    if (index >= numbers->next) {
        numbers->next = index + 1; /* NUMBERS_COUNT: round to the first */
    }
    pthread_mutex_unlock(&numbers->lock);
}

bool
numbers_knows(struct numbers *numbers, uint32_t handle)
{
    bool known;

    pthread_mutex_lock(&numbers->lock);
    known = numbers->states[handle - HANDLE_CERTIFICATE_FIRST] != STATE_FREE;
    pthread_mutex_unlock(&numbers->lock);
    return known;
}

bool
numbers_take(struct numbers *numbers, uint32_t now, uint32_t *ret_handle)
{
    bool taken = false;

    pthread_mutex_lock(&numbers->lock);
    for (uint32_t i = 0; i < NUMBERS_COUNT && !taken; i++) {
        uint32_t index = (numbers->next + i) % NUMBERS_COUNT;

        if (may_be_given(numbers->states[index], now)) {
            state_set(numbers, index, STATE_USED);
            numbers->next = index + 1;
            *ret_handle = HANDLE_CERTIFICATE_FIRST + index;
            taken = true;
        }
    }
    pthread_mutex_unlock(&numbers->lock);
    return taken;
}

void
numbers_pass(struct numbers *numbers, uint32_t handle)
{
    uint32_t index = handle - HANDLE_CERTIFICATE_FIRST;

    pthread_mutex_lock(&numbers->lock);
    if (index >= numbers->next) {
        numbers->next = index + 1;
    }
    pthread_mutex_unlock(&numbers->lock);
}

bool
numbers_take_back(struct numbers *numbers, uint32_t handle)
{
    uint32_t index = handle - HANDLE_CERTIFICATE_FIRST;
    bool there;

    pthread_mutex_lock(&numbers->lock);
    there = numbers->states[index] != STATE_USED;
    if (there) {
        state_set(numbers, index, STATE_USED);
    }
    pthread_mutex_unlock(&numbers->lock);
    return there;
}

void
numbers_give_back(struct numbers *numbers, uint32_t handle)
{
    uint32_t index = handle - HANDLE_CERTIFICATE_FIRST;

    pthread_mutex_lock(&numbers->lock);
    state_set(numbers, index, STATE_FREE);
    if (numbers->next == index + 1) {
        numbers->next = index;
    }
    pthread_mutex_unlock(&numbers->lock);
}

void
numbers_rest(struct numbers *numbers, uint32_t handle, uint32_t now)
{
    pthread_mutex_lock(&numbers->lock);
    state_set(numbers, handle - HANDLE_CERTIFICATE_FIRST, resting_state(now));
    pthread_mutex_unlock(&numbers->lock);
}

void
numbers_sweep(struct numbers *numbers, uint32_t now, size_t max,
              void (*done)(void *arg, uint32_t handle), void *arg)
{
    pthread_mutex_lock(&numbers->lock);
    for (uint32_t i = 0; i < NUMBERS_COUNT && numbers->resting > 0 && max > 0; i++) {
        if (is_resting(numbers->states[i]) && may_be_given(numbers->states[i], now)) {
            state_set(numbers, i, STATE_FREE);
            done(arg, HANDLE_CERTIFICATE_FIRST + i);
            max--;
        }
    }
    pthread_mutex_unlock(&numbers->lock);
}

CK_RV
rest_record(const struct sealer *sealer, uint32_t handle, uint32_t since, struct writer *out)
{
    struct record_name name = record_name('d', handle);
    uint8_t plain[sizeof since];

    store_u32(plain, since);
    return record_seal(sealer, record_name_view(&name), 0, 1, view_of(plain, sizeof plain), out);
}

CK_RV
rest_from_record(const struct sealer *sealer, uint32_t handle, view record, uint32_t *ret_since)
{
    struct record_name name = record_name('d', handle);
    struct writer plain;
    uint64_t version;
    CK_RV rv;

    writer_init(&plain, 64);
    rv = record_open(sealer, record_name_view(&name), 0, record, &version, &plain);
    if (rv == CKR_OK && (plain.len != sizeof *ret_since || !handle_is_certificate(handle))) {
        rv = CKR_GENERAL_ERROR;
    }
    if (rv == CKR_OK) {
        *ret_since = load_u32(plain.data);
    }
    writer_clear(&plain);
    return rv;
}
