/* SPDX-License-Identifier: Apache-2.0
 *
 * Any text as the id of a test of the compliance suite, as --run takes it, for a module that has all
 * or nothing by the first byte. An id that is taken is written again as one that means the same
 * test, and the model has an answer to each of its calls.
 */
#include "fuzz/fuzz.h"

#include "gen/test.h"

#include <string.h>

static struct world worlds[2];

static void
fill(struct world *world)
{
    world->version = (CK_VERSION){ 3, 0 };
    world->so = true;
    memset(world->has_fn, 1, sizeof world->has_fn);
    memset(world->has_key, 1, sizeof world->has_key);
    memset(world->has_object, 1, sizeof world->has_object);
    memset(world->mech_flags, 0xff, sizeof world->mech_flags);
    memset(world->way_flags, 0xff, sizeof world->way_flags);
}

static void
walk(const struct world *world, const struct test *test)
{
    struct mstate state = base_state(areas[test->area].base);
    struct expect expect;

    for (size_t i = 0; i < test->count; i++) {
        (void)step_enabled(world, &test->object, &state, &test->step[i]);
        oracle(world, &test->object, &state, &test->step[i], &expect);
        HOLDS(expect.count > 0 && expect.count <= OUTCOMES_MAX);
        state = expect.outcome[0].post;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool filled;
    char id[2 * ID_MAX], first[ID_MAX], second[ID_MAX];
    struct test test, again;

    if (!filled) {
        fill(&worlds[0]);
        filled = true;
    }
    if (size == 0 || size > sizeof id) {
        return 0;
    }
    memcpy(id, data + 1, size - 1);
    id[size - 1] = '\0';

    const struct world *world = &worlds[data[0] % 2];

    if (!test_parse(world, id, &test)) {
        return 0;
    }
    HOLDS(test.area < AREA_COUNT && test.count > 0 && test.count <= STEPS_MAX);
    test_print(&test, first);
    if (strlen(first) < ID_MAX - 1) {
        HOLDS(test_parse(world, first, &again));
        HOLDS(memcmp(&test.object, &again.object, sizeof test.object) == 0);
        for (size_t i = 0; i < STEPS_MAX; i++) {
            HOLDS(test.step[i].fn == again.step[i].fn);
            HOLDS(memcmp(test.step[i].value, again.step[i].value, sizeof test.step[i].value) == 0);
        }
        HOLDS(test.row == again.row && test.arg == again.arg && test.count == again.count);
        test_print(&again, second);
        HOLDS(strcmp(first, second) == 0);
    }
    if (areas[test.area].base == BASE_LIBRARY || areas[test.area].base == BASE_LOGIN) {
        walk(world, &test);
    }
    return 0;
}
