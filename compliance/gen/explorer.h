/* SPDX-License-Identifier: Apache-2.0
 *
 * What the two halves of the generator share: suite.c finds states and tries calls in them, listed.c
 * writes down the tests of tables.
 */
#ifndef COMPLIANCE_EXPLORER_H
#define COMPLIANCE_EXPLORER_H

#include "gen/test.h"

#define STATES_MAX 128

struct place {
    struct mstate state;
    struct step path[STEPS_MAX];
    size_t count;
};

struct explorer {
    const struct world *world;
    struct suite *suite;
    enum area area;
    enum depth depth;
    struct object object;
    uint8_t fn[FN_COUNT];
    size_t fn_count;
    struct place place[STATES_MAX];
    size_t place_count;
    bool full;              /* memory was short */
};

/* A new test of the area; NULL when memory is short. */
struct test *explorer_test(struct explorer *x);

/* A test: the way to a place, a call there, and one that tells where it led to. */
void explorer_write(struct explorer *x, const struct place *from, const struct step *step);

/* Of listed.c: attributes, keys that travel, cases, known answers, and attacks. */
void write_attributes(struct explorer *x);
void write_keys(struct explorer *x);
void write_cases(struct explorer *x);
void write_vectors(struct explorer *x);
void write_attacks(struct explorer *x);

/* A call with nothing but the usual arguments. */
struct step step_usual(enum fn fn);

/* Of series.c: data in parts. The tests of the object from this one on are not written again. */
void write_arrays(struct explorer *x, size_t first);

/* Of plans.c: ways of the planner. */
void write_plans(struct explorer *x);

#endif /* COMPLIANCE_EXPLORER_H */
