/* SPDX-License-Identifier: Apache-2.0
 *
 * A test: what it works with and the calls it makes. Its id is the test written down,
 *
 *     AREA/object/step-step-step        ENC/AES_CBC.AES32/ei-eu.d17-ef.os
 *
 * with a step being the tag of a function and those of the arguments that are not the usual ones. A
 * case of cases.def has its tag for an object, and behind it what it is done for: IFACE/mech_info.1081/gmi.
 * Known answers are written in the same way: KAT/gcm_3.11/di.
 */
#ifndef COMPLIANCE_TEST_H
#define COMPLIANCE_TEST_H

#include "model/model.h"

#define STEPS_MAX 12
#define ID_MAX 256

enum area {
#define AREA(tag, title, kind, base, functions) AREA_##tag,
#include "gen/areas.def"
    AREA_COUNT
};

/* Where a test of an area begins. */
enum base { BASE_LIBRARY, BASE_LOGIN, BASE_OBJECTS, BASE_CASES, BASE_VECTORS };

struct area_row {
    const char *tag;
    const char *title;
    enum kind kind;
    enum base base;
    const char *functions;      /* tags of the functions that it is about */
};

struct test {
    uint8_t area;
    uint8_t count;
    uint8_t setup;              /* steps that lead to the state; what they show others judge */
    uint16_t row;               /* of cases, or of vectors */
    uint32_t arg;               /* what it is done for: see enum sweep, and struct vector_row */
    struct object object;
    struct step step[STEPS_MAX];
};

extern const struct area_row areas[AREA_COUNT];

/* Writes at most ID_MAX bytes with their end. */
void test_print(const struct test *test, char *ret_id);
void step_print(const struct step *step, char *ret_text, size_t size);

/* False when the id is none; mechanisms that the module lacks do not matter here. */
bool test_parse(const struct world *world, const char *id, struct test *ret_test);

/* The state in which tests of an area begin. */
struct mstate base_state(enum base base);

/* The object of an area: mechanism and key for its kind, and what other kinds use beside it. */
struct object object_make(const struct world *world, enum kind kind, enum mech mech, enum key key);

/* Of tests that need none. */
struct object object_none(void);

/* The kind of operation that a test is about: its area's, or of messages that of its first call. */
enum kind test_kind(const struct test *test);

/* Whether an area is about a function. */
bool area_has(const struct area_row *area, enum fn fn);

/* Whether the steps are a way that leads to the goal. */
bool plan_fits_test(const struct test *test);

enum depth { DEPTH_QUICK, DEPTH_DEFAULT, DEPTH_FULL, DEPTH_DEEP };

struct suite {
    struct test *test;
    size_t count, room;
    size_t of_area[AREA_COUNT];
    uint32_t wanted;            /* its areas, as bits */
    enum depth depth;
    bool kept;                  /* a part of it alone */
};

/* Writes all tests of the areas (bits) down; false when memory is short. */
bool suite_make(struct suite *suite, const struct world *world, uint32_t wanted, enum depth depth);
/* Leaves the tests whose id begins so, or is that when a $ follows. */
void suite_keep(struct suite *suite, const char *start);
void suite_clear(struct suite *suite);

#endif /* COMPLIANCE_TEST_H */
