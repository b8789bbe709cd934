/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes the tests down: the shortest way to every state of the model, and there every call with
 * one argument that is not the usual one, or two of them; then a call that tells where it led to.
 */
#include "gen/explorer.h"

#include <stdlib.h>
#include <string.h>

typedef void (*step_seen)(struct explorer *x, const struct place *from, const struct step *step);

struct step
step_usual(enum fn fn)
{
    struct step step = { .fn = (uint8_t)fn };

    for (size_t i = 0; i < ROLES_MAX && functions[fn].roles[i] != ROLE_NONE; i++) {
        step.value[i] = (uint16_t)role_default(functions[fn].roles[i]);
    }
    return step;
}

/* All calls of a function with up to `most` arguments that are not the usual ones. */
static void
calls(struct explorer *x, const struct place *from, enum fn fn, size_t most, step_seen seen)
{
    struct step usual = step_usual(fn);

    if (step_enabled(x->world, &x->object, &from->state, &usual)) {
        seen(x, from, &usual);
    }
    for (int v = 1; v < V_COUNT && most >= 1; v++) {
        for (size_t i = 0; i < ROLES_MAX; i++) {
            struct step one = usual;

            if (functions[fn].roles[i] != values[v].role || usual.value[i] == v) {
                continue;
            }
            one.value[i] = (uint16_t)v;
            if (!step_enabled(x->world, &x->object, &from->state, &one)) {
                continue;
            }
            seen(x, from, &one);
            for (int w = v + 1; w < V_COUNT && most >= 2; w++) {
                for (size_t k = i + 1; k < ROLES_MAX; k++) {
                    struct step two = one;

                    if (functions[fn].roles[k] != values[w].role || usual.value[k] == w) {
                        continue;
                    }
                    two.value[k] = (uint16_t)w;
                    if (step_enabled(x->world, &x->object, &from->state, &two)) {
                        seen(x, from, &two);
                    }
                }
            }
        }
    }
}

/* The state that a call leads to, if the text leaves but one. */
static bool
one_way(const struct explorer *x, const struct place *from, const struct step *step,
        struct mstate *ret_state)
{
    struct expect expect;

    oracle(x->world, &x->object, &from->state, step, &expect);
    if (expect.count != 1 || expect.outcome[0].level != LEVEL_STRICT) {
        return false;
    }
    *ret_state = expect.outcome[0].post;
    return true;
}

static void
visit(struct explorer *x, const struct place *from, const struct step *step)
{
    struct mstate state;
    struct place *place = &x->place[x->place_count];

    if (x->place_count == STATES_MAX || from->count + 4 > STEPS_MAX ||
        !one_way(x, from, step, &state)) {
        return;
    }
    for (size_t i = 0; i < x->place_count; i++) {
        if (state_key(&x->place[i].state) == state_key(&state)) {
            return;
        }
    }
    *place = *from;
    place->state = state;
    place->path[place->count++] = *step;
    x->place_count++;
}

static void
explore(struct explorer *x)
{
    x->place_count = 1;
    memset(&x->place[0], 0, sizeof x->place[0]);
    x->place[0].state = base_state(areas[x->area].base);
    for (size_t i = 0; i < x->place_count; i++) {
        for (size_t f = 0; f < x->fn_count; f++) {
            calls(x, &x->place[i], (enum fn)x->fn[f], 1, visit);
        }
    }
}

/* The call that ends a test: what it answers tells where the test led to. */
static bool
probe(const struct explorer *x, struct step *ret_step)
{
    struct work work = object_work(&x->object, areas[x->area].kind);
    enum part part = work.mech == NULL || work.mech->parts ? PART_FINAL : PART_ONE;

    if (x->area == AREA_MSG) {
        for (size_t f = 0; f < x->fn_count; f++) {
            if (functions[x->fn[f]].part == PART_MFINAL) {
                *ret_step = step_usual((enum fn)x->fn[f]);
                return true;
            }
        }
        return false;
    }

    for (int fn = 0; fn < FN_COUNT; fn++) {
        if (functions[fn].kind == areas[x->area].kind && functions[fn].kind != KIND_NONE &&
            functions[fn].part == part && x->world->has_fn[fn]) {
            *ret_step = step_usual((enum fn)fn);
            return true;
        }
    }
    return false;
}

struct test *
explorer_test(struct explorer *x)
{
    struct suite *suite = x->suite;

    if (suite->count == suite->room) {
        size_t room = suite->room == 0 ? 4096 : 2 * suite->room;
        struct test *grown = realloc(suite->test, room * sizeof *grown);

        if (grown == NULL) {
            x->full = true;
            return NULL;
        }
        suite->test = grown;
        suite->room = room;
    }
    suite->of_area[x->area]++;
    suite->test[suite->count] = (struct test){ .area = (uint8_t)x->area, .object = x->object };
    return &suite->test[suite->count++];
}

void
explorer_write(struct explorer *x, const struct place *from, const struct step *step)
{
    struct test *test = explorer_test(x);
    struct step last;

    if (test == NULL) {
        return;
    }
    memcpy(test->step, from->path, sizeof test->step);
    test->setup = (uint8_t)from->count;
    test->count = test->setup;
    test->step[test->count++] = *step;
    if (probe(x, &last)) {
        test->step[test->count++] = last;
    }
}

/* Every call after every call, where the first leads to one state. */
static void
write_two(struct explorer *x, const struct place *from, const struct step *step)
{
    struct place next = *from;

    if (!one_way(x, from, step, &next.state)) {
        return;
    }
    next.path[next.count++] = *step;
    for (size_t f = 0; f < x->fn_count; f++) {
        calls(x, &next, (enum fn)x->fn[f], 1, explorer_write);
    }
}

/* Mechanisms that stand for others: one for each way to behave. */
static bool
is_representative(enum mech mech)
{
    static const enum mech chosen[] = { MECH_AES_CBC_PAD,  MECH_AES_GCM,     MECH_AES_CTR,
                                        MECH_AES_CCM,      MECH_CHACHA20_POLY1305,
                                        MECH_SHA256,       MECH_SHA256_HMAC, MECH_ECDSA,
                                        MECH_ECDSA_SHA256, MECH_RSA_PKCS,    MECH_RSA_PKCS_OAEP };

    for (size_t i = 0; i < COUNT(chosen); i++) {
        if (chosen[i] == mech) {
            return true;
        }
    }
    return false;
}

static bool
is_message_example(enum mech mech)
{
    return mech == MECH_AES_GCM || mech == MECH_SHA256_HMAC;
}

/* And those whose calls are tried two after each other. */
static bool
is_tried_twice(enum mech mech)
{
    return mech == MECH_AES_CBC_PAD || mech == MECH_SHA256 || mech == MECH_SHA256_HMAC;
}

static void
write_object(struct explorer *x, bool first_key)
{
    enum kind kind = areas[x->area].kind;
    bool crypto = kind < KINDS && kind != KIND_FND;
    size_t first = x->suite->count;
    bool two = x->depth >= DEPTH_FULL &&
               (!crypto || (first_key && is_tried_twice((enum mech)x->object.mech[kind])));

    if (x->area == AREA_DUAL || x->area == AREA_SESS) {
        two = x->depth == DEPTH_DEEP;
    }
    explore(x);
    for (size_t i = 0; i < x->place_count; i++) {
        for (size_t f = 0; f < x->fn_count; f++) {
            enum fn fn = (enum fn)x->fn[f];
            bool small = x->area == AREA_FIND || x->area == AREA_RAND || x->area == AREA_DIG;
            bool pairs = x->depth >= (small ? DEPTH_DEFAULT : DEPTH_FULL) ||
                         (functions[fn].part == PART_INIT &&
                          (!crypto || is_representative((enum mech)x->object.mech[kind])));

            calls(x, &x->place[i], fn, x->area == AREA_DUAL || !pairs ? 1 : 2, explorer_write);
            if (two) {
                calls(x, &x->place[i], fn, 1, write_two);
            }
        }
    }
    if (crypto && x->depth >= (first_key ? DEPTH_DEFAULT : DEPTH_FULL)) {
        write_arrays(x, first);
    }
}

static bool
add_functions(struct explorer *x)
{
    x->fn_count = 0;
    for (int fn = 0; fn < FN_COUNT; fn++) {
        if (area_has(&areas[x->area], (enum fn)fn) && x->world->has_fn[fn]) {
            x->fn[x->fn_count++] = (uint8_t)fn;
        }
    }
    return x->fn_count > 0;
}

/* Messages of one kind with one mechanism and key. */
static void
write_process(struct explorer *x, enum kind kind, bool representative)
{
    struct step other = { .fn = FN_COUNT };

    x->fn_count = 0;
    for (int fn = 0; fn < FN_COUNT; fn++) {
        bool of_kind = functions[fn].kind == kind && functions[fn].part >= PART_MINIT;

        if (area_has(&areas[x->area], (enum fn)fn) && x->world->has_fn[fn] &&
            (of_kind || functions[fn].part == PART_CANCEL)) {
            x->fn[x->fn_count++] = (uint8_t)fn;
        }
        if (functions[fn].kind == kind && functions[fn].part == PART_INIT && x->world->has_fn[fn]) {
            other = step_usual((enum fn)fn);
        }
    }
    explore(x);
    for (size_t i = 0; i < x->place_count; i++) {
        const struct place *place = &x->place[i];

        for (size_t f = 0; f < x->fn_count; f++) {
            enum fn fn = (enum fn)x->fn[f];

            if (functions[fn].part == PART_CANCEL && place->count == 0) {
                continue;       /* ids want a first call that has a kind */
            }
            calls(x, place, fn, x->depth == DEPTH_DEEP || representative ? 2 : 1, explorer_write);
            if (representative && functions[fn].part != PART_CANCEL) {
                calls(x, place, fn, 1, write_two);
            }
        }
        if (place->count > 0 && other.fn != FN_COUNT) {
            explorer_write(x, place, &other);
        }
    }
}

static void
write_messages(struct explorer *x)
{
    static const struct {
        enum kind kind;
        CK_FLAGS flag;
    } kinds[] = { { KIND_ENC, CKF_MESSAGE_ENCRYPT },
                  { KIND_DEC, CKF_MESSAGE_DECRYPT },
                  { KIND_SIG, CKF_MESSAGE_SIGN },
                  { KIND_VER, CKF_MESSAGE_VERIFY } };

    for (size_t i = 0; i < COUNT(kinds); i++) {
        for (int m = 0; m < MECH_COUNT; m++) {
            bool first = true;

            if (!(x->world->mech_flags[m] & kinds[i].flag) ||
                (kinds[i].kind < KIND_DIG && !mech_has_tag(&mechanisms[m])) ||
                (x->depth == DEPTH_QUICK && !is_representative((enum mech)m))) {
                continue;
            }
            for (int k = 0; k < KEY_COUNT; k++) {
                if (keys[k].family != mechanisms[m].family || !x->world->has_key[k] ||
                    (x->depth == DEPTH_QUICK && !first)) {
                    continue;
                }
                x->object = object_make(x->world, kinds[i].kind, (enum mech)m, (enum key)k);
                write_process(x, kinds[i].kind,
                              first && x->depth >= DEPTH_FULL && is_message_example((enum mech)m));
                first = false;
            }
        }
    }
}

static void
write_area(struct explorer *x)
{
    static const CK_FLAGS flags[KINDS] = {
        [KIND_ENC] = CKF_ENCRYPT, [KIND_DEC] = CKF_DECRYPT, [KIND_DIG] = CKF_DIGEST,
        [KIND_SIG] = CKF_SIGN,    [KIND_VER] = CKF_VERIFY,  [KIND_SGR] = CKF_SIGN_RECOVER,
    };
    enum kind kind = areas[x->area].kind;

    if (!add_functions(x)) {
        return;
    }
    if (areas[x->area].base == BASE_VECTORS) {
        write_vectors(x);
        return;
    }
    if (areas[x->area].base == BASE_CASES) {
        write_cases(x);
        return;
    }
    if (x->area == AREA_MSG) {
        write_messages(x);
        return;
    }
    if (areas[x->area].base == BASE_OBJECTS) {
        x->object = object_make(x->world, kind, MECH_COUNT, KEY_COUNT);
        (x->area == AREA_ATTR  ? write_attributes
         : x->area == AREA_SEC ? write_attacks
                               : write_keys)(x);
        return;
    }
    if (kind == KIND_NONE || kind == KIND_FND) {
        x->object = object_make(x->world, kind, MECH_COUNT, KEY_COUNT);
        write_object(x, true);
        return;
    }
    for (int m = 0; m < MECH_COUNT; m++) {
        bool first = true;

        if (!(x->world->mech_flags[m] & flags[kind])) {
            continue;
        }
        for (int k = 0; k < KEY_COUNT; k++) {
            bool keyless = mechanisms[m].family == FAMILY_NONE;

            if (!keyless && (keys[k].family != mechanisms[m].family || !x->world->has_key[k])) {
                continue;
            }
            x->object = object_make(x->world, kind, (enum mech)m, (enum key)k);
            write_object(x, first);
            first = false;
            if (keyless || x->depth == DEPTH_QUICK) {
                break;
            }
        }
    }
}

static uint64_t
test_hash(const struct test *test)
{
    uint64_t hash = test->row * UINT64_C(31) + test->arg;

    for (size_t k = 0; k < KINDS; k++) {
        hash = (hash ^ test->object.mech[k] ^ (uint64_t)test->object.key[k] << 8) *
               UINT64_C(0x9e3779b97f4a7c15);
    }
    for (size_t i = 0; i < test->count; i++) {
        hash = (hash ^ test->step[i].fn) * UINT64_C(0x9e3779b97f4a7c15);
        for (size_t k = 0; k < ROLES_MAX; k++) {
            hash = (hash ^ test->step[i].value[k]) * UINT64_C(0x9e3779b97f4a7c15);
            hash ^= hash >> 29;
        }
    }
    return hash;
}

static bool
is_same(const struct test *a, const struct test *b)
{
    bool same = a->count == b->count && a->row == b->row && a->arg == b->arg &&
                memcmp(&a->object, &b->object, sizeof a->object) == 0;

    for (size_t i = 0; same && i < a->count; i++) {
        same = step_is(&a->step[i], &b->step[i]);
    }
    return same;
}

/* Pairs of calls come by tests that were written already. The first of each stays. */
static bool
drop_repeats(struct suite *suite, size_t first)
{
    size_t size = 2 * (suite->count - first) + 1, count = first;
    size_t *slot = calloc(size, sizeof *slot);

    for (size_t i = first; slot != NULL && i < suite->count; i++) {
        size_t at = (size_t)(test_hash(&suite->test[i]) % size);

        while (slot[at] != 0 && !is_same(&suite->test[slot[at] - 1], &suite->test[i])) {
            at = (at + 1) % size;
        }
        if (slot[at] == 0) {
            suite->test[count] = suite->test[i];
            slot[at] = ++count;
        } else {
            suite->of_area[suite->test[i].area]--;
        }
    }
    if (slot == NULL) {
        return false;
    }
    free(slot);
    suite->count = count;
    return true;
}

bool
suite_make(struct suite *suite, const struct world *world, uint32_t wanted, enum depth depth)
{
    struct explorer *x = calloc(1, sizeof *x);
    bool good = x != NULL;

    *suite = (struct suite){ .wanted = wanted, .depth = depth };
    for (int area = 0; good && area < AREA_COUNT; area++) {
        size_t first = suite->count;

        if (wanted >> area & 1) {
            x->world = world;
            x->suite = suite;
            x->depth = depth;
            x->area = (enum area)area;
            write_area(x);
            good = !x->full && (depth < DEPTH_FULL || drop_repeats(suite, first));
        }
    }
    free(x);
    return good;
}

void
suite_clear(struct suite *suite)
{
    free(suite->test);
    memset(suite, 0, sizeof *suite);
}

void
suite_keep(struct suite *suite, const char *start)
{
    size_t count = 0, len = strlen(start);
    bool whole = len > 0 && start[len - 1] == '$';

    memset(suite->of_area, 0, sizeof suite->of_area);
    for (size_t i = 0; i < suite->count; i++) {
        char id[ID_MAX];

        test_print(&suite->test[i], id);
        if (strncmp(id, start, len - whole) == 0 && (!whole || id[len - 1] == '\0')) {
            suite->test[count] = suite->test[i];
            suite->of_area[suite->test[count++].area]++;
        }
    }
    suite->kept = true;
    suite->count = count;
}
