/* SPDX-License-Identifier: Apache-2.0
 *
 * The outside world of the core, as tests want it: a store in memory, a clock that stands
 * still until it is moved, the kernel's entropy, an audit that keeps its lines. Any call to
 * them can be made to fail.
 */
#ifndef TESTS_LIB_OUTSIDE_H
#define TESTS_LIB_OUTSIDE_H

#include "core/ports.h"

#include <pthread.h>
#include <stdatomic.h>

/* The calls that can fail. */
enum outside_call {
    CALL_SUBMIT = 1 << 0,
    CALL_NUMBERS = 1 << 1,
    CALL_LOAD = 1 << 2,
    CALL_ENTROPY = 1 << 3,
    CALL_AUDIT = 1 << 4,
    CALL_ANY = (1 << 5) - 1,
    CALL_MEMORY = 1 << 5 /* an allocation within the HSM; see lib/memory.c */
};

#define OUTSIDE_COUNTERS 4
#define OUTSIDE_START_MS 1700000000000u /* where the wall clock begins */

struct outside {
    struct hsm_ports ports; /* what the HSM is given */

    /* Ports, each with the way back to this struct. */
    struct outside_store {
        struct store store;
        struct outside *outside;
    } store;
    struct outside_clock {
        struct clock clock;
        struct outside *outside;
    } clock;
    struct outside_entropy {
        struct entropy entropy;
        struct outside *outside;
    } entropy;
    struct outside_audit {
        struct audit audit;
        struct outside *outside;
    } audit;

    struct store *inner;
    struct store_watcher watcher; /* the HSM's */
    _Atomic uint64_t wall;
    _Atomic uint64_t monotonic;
    _Atomic uint64_t jump;     /* ms, see outside_jump() */
    _Atomic int jump_in;
    _Atomic unsigned fail_calls; /* enum outside_call bits */
    _Atomic int fail_in;
    _Atomic bool failed;
    _Atomic bool fail_applied; /* a failing submit is carried out all the same */
    _Atomic int reserved;      /* places in the audit that were not filled or given back */
    _Atomic bool spoiled;      /* the store's guard finds its records changed */
    store_entry *journal_entry; /* as the HSM gave them at its last start */
    void *journal_arg;
    uint8_t guard_key[32];     /* as the HSM gave it at its last start */

    pthread_mutex_t lock; /* guards what follows */
    struct writer lines;  /* of the audit, as audit_record_text(), each with a newline */
    size_t line_count;
    struct outside_counter {
        char name[32];
        uint64_t next;
    } counters[OUTSIDE_COUNTERS];
};

/* An empty store. Never fails: without memory the process ends. */
void outside_init(struct outside *outside);
/* Its own store with the same id, records and counters; nothing fails, no audit lines. */
void outside_init_copy(struct outside *outside, struct outside *from);
/* The same store for another node. */
void outside_init_share(struct outside *outside, struct outside *from);
/* From the next start on the HSM hears of what others write, and is the node of that serial. */
void outside_follow(struct outside *outside, const char *node);
void outside_clear(struct outside *outside);

/* Somebody sets the wall clock. */
void outside_set_clock(struct outside *outside, uint64_t wall);
/* The n-th call (from 1) of these kinds fails, once. */
void outside_fail(struct outside *outside, unsigned calls, int n);
/* Nothing fails any more. Whether something did since outside_fail(). */
bool outside_mend(struct outside *outside);

/* Whose allocations those of this thread are from now on; NULL: nobody's. */
void outside_enter(struct outside *outside);
/* Does this allocation fail? */
bool outside_memory_fails(void);

void outside_move_clock(struct outside *outside, uint64_t ms);
/* The clock moves by itself when it is looked at the n-th time from now (from 1); 0: when random bytes
 * are asked for. */
void outside_jump(struct outside *outside, int n, uint64_t ms);

/* Puts (or with an empty view removes) a record behind the HSM's back. */
void outside_put(struct outside *outside, const char *key, view value);
/* A copy of the value into out; false when there is no such record. */
bool outside_record(struct outside *outside, const char *key, struct writer *out);
/* Records whose key begins so. */
size_t outside_count(struct outside *outside, const char *prefix);
/* A hash over keys and values of all records that do not begin with a letter of but. */
uint64_t outside_hash(struct outside *outside, const char *but);

size_t outside_audit_count(struct outside *outside);
/* Is there a line that holds all of text? */
bool outside_audit_has(struct outside *outside, const char *text);

/* Reserves a place and fills it. False: there is none. */
MUST_USE bool audit_append_text(struct audit *audit, const char *text);

/* In real time. */
void pause_ms(long ms);
/* Joins the thread when it ends in that time. */
MUST_USE bool thread_ends_within(pthread_t thread, long ms);

/* What tests/lib itself relies on; ends the process when it does not hold. */
#define LIB_HOLDS(claim)                                                                \
    do {                                                                                \
        if (!(claim)) {                                                                 \
            lib_does_not_hold(__FILE__, __LINE__, #claim);                              \
        }                                                                               \
    } while (0)
void lib_does_not_hold(const char *file, int line, const char *claim) __attribute__((noreturn));

#endif
