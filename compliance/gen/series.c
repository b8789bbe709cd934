/* SPDX-License-Identifier: Apache-2.0
 *
 * Data in three parts of any lengths into any buffers: a search for states does not find these, for
 * they lead where shorter ways lead. A covering array has every length and buffer of a part meet
 * every one of the others.
 */
#include "gen/cover.h"
#include "gen/explorer.h"

#define PARTS 3

static const enum value lengths[] = { V_IN_ONE,  V_IN_NONE, V_IN_LESS,
                                      V_IN_BLOCK, V_IN_MORE, V_IN_MESSAGE };
static const enum value rooms[] = { V_OUT_ROOM, V_OUT_EXACT, V_OUT_ASK, V_OUT_SHORT, V_OUT_ZERO };
static const enum value signatures[] = { V_SIG_OK,   V_SIG_FLIPPED, V_SIG_SHORT,
                                         V_SIG_LONG, V_SIG_EMPTY,   V_SIG_NULL };

struct dimension {
    size_t step;                /* of the test, from its first */
    enum role role;
    const enum value *value;
    uint8_t count;
};

/* A function of the area of a kind of part; FN_COUNT when it has none. */
static enum fn
part_fn(const struct explorer *x, enum part part)
{
    for (size_t f = 0; f < x->fn_count; f++) {
        if (functions[x->fn[f]].part == part && functions[x->fn[f]].kind == areas[x->area].kind) {
            return (enum fn)x->fn[f];
        }
    }
    return FN_COUNT;
}

static void
set_value(struct step *step, enum role role, enum value value)
{
    for (size_t i = 0; i < ROLES_MAX; i++) {
        if (functions[step->fn].roles[i] == role) {
            step->value[i] = (uint16_t)value;
        }
    }
}

static size_t
list_dimensions(const struct step *steps, size_t count, struct dimension ret_dims[COVER_DIMS])
{
    static const struct dimension known[] = {
        { 0, ROLE_IN, lengths, COUNT(lengths) },
        { 0, ROLE_OUT, rooms, COUNT(rooms) },
        { 0, ROLE_SIG, signatures, COUNT(signatures) },
    };
    size_t dims = 0;

    for (size_t s = 1; s < count; s++) {
        for (size_t k = 0; k < COUNT(known); k++) {
            if (has_role((enum fn)steps[s].fn, known[k].role)) {
                ret_dims[dims] = known[k];
                ret_dims[dims++].step = s;
            }
        }
    }
    return dims;
}

static bool
is_there(const struct suite *suite, size_t first, const struct test *test)
{
    for (size_t i = first; i < suite->count; i++) {
        const struct test *other = &suite->test[i];
        bool same = other->count == test->count;

        for (size_t k = 0; same && k < test->count; k++) {
            same = step_is(&other->step[k], &test->step[k]);
        }
        if (same) {
            return true;
        }
    }
    return false;
}

/* The steps that mean something to the model, up to the first that fails; then the last ones. */
static void
write_series(struct explorer *x, size_t first, const struct step *steps, size_t count)
{
    struct test test = { .area = (uint8_t)x->area, .object = x->object, .setup = 1 };
    struct mstate state = base_state(areas[x->area].base);
    struct test *written;
    bool fails = false;

    for (size_t i = 0; i < count; i++) {
        struct expect expect;

        if ((fails && i + 2 < count) || !step_enabled(x->world, &x->object, &state, &steps[i])) {
            continue;
        }
        oracle(x->world, &x->object, &state, &steps[i], &expect);
        fails = fails || (expect.first != COND_NOTHING && expect.first != COND_SMALL);
        state = expect.outcome[0].post;
        test.step[test.count++] = steps[i];
    }
    if (test.count < 3 || is_there(x->suite, first, &test)) {
        return;
    }
    written = explorer_test(x);
    if (written != NULL) {
        *written = test;
    }
}

void
write_arrays(struct explorer *x, size_t first)
{
    static uint8_t rows[COVER_ROWS][COVER_DIMS];
    const enum fn init = part_fn(x, PART_INIT), update = part_fn(x, PART_UPDATE);
    const enum fn final = part_fn(x, PART_FINAL);
    struct step steps[PARTS + 3];
    struct dimension dims[COVER_DIMS];
    uint8_t sizes[COVER_DIMS];
    size_t dim_count, row_count;

    if (init == FN_COUNT || update == FN_COUNT || final == FN_COUNT) {
        return;
    }
    steps[0] = step_usual(init);
    for (size_t i = 1; i <= PARTS; i++) {
        steps[i] = step_usual(update);
    }
    steps[PARTS + 1] = steps[PARTS + 2] = step_usual(final);
    dim_count = list_dimensions(steps, PARTS + 2, dims);
    for (size_t d = 0; d < dim_count; d++) {
        sizes[d] = dims[d].count;
    }
    row_count = cover_pairs(sizes, dim_count, rows);
    for (size_t r = 0; r < row_count; r++) {
        for (size_t d = 0; d < dim_count; d++) {
            set_value(&steps[dims[d].step], dims[d].role, dims[d].value[rows[r][d]]);
        }
        write_series(x, first, steps, PARTS + 3);
    }
}
