/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the time of a run went. Beside the reports, which do not depend on it.
 */
#include "report/report.h"

#define SLOWEST 10

static double
seconds(uint64_t us)
{
    return (double)us / 1e6;
}

static void
put_slowest(const struct pool *pool, FILE *file)
{
    size_t slowest[SLOWEST], count = 0;

    for (size_t i = 0; i < pool->suite->count; i++) {
        size_t at = count;

        for (; at > 0 && pool->result[slowest[at - 1]].took_us < pool->result[i].took_us; at--) {
            if (at < SLOWEST) {
                slowest[at] = slowest[at - 1];
            }
        }
        if (at < SLOWEST) {
            slowest[at] = i;
            count += count < SLOWEST;
        }
    }
    for (size_t k = 0; k < count; k++) {
        char id[ID_MAX];

        test_print(&pool->suite->test[slowest[k]], id);
        fprintf(file, "%9.3f s  %s\n", seconds(pool->result[slowest[k]].took_us), id);
    }
}

void
times_write(const struct pool *pool, FILE *file)
{
    for (int a = 0; a < AREA_COUNT; a++) {
        uint64_t us = 0;
        size_t tests = 0;

        for (size_t i = 0; i < pool->suite->count; i++) {
            if (pool->suite->test[i].area == a) {
                us += pool->result[i].took_us;
                tests++;
            }
        }
        if (tests > 0) {
            fprintf(file, "%9.3f s  %s, %zu tests\n", seconds(us), areas[a].tag, tests);
        }
    }
    put_slowest(pool, file);
}
