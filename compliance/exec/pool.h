/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs tests in processes that may die: each has loaded the module for itself, and is watched.
 */
#ifndef COMPLIANCE_POOL_H
#define COMPLIANCE_POOL_H

#include "exec/run.h"
#include "exec/sheet.h"

struct pool {
    const struct target *target;
    const struct sheet *sheet;
    const struct suite *suite;
    struct result *result;      /* one for each test, shared with the workers */
    size_t jobs;
    unsigned patience;          /* seconds that a test may take */
    size_t enough;              /* deviations after which no more tests are run; 0 for all tests */
    bool progress;              /* a line on the terminal */
    size_t again;               /* tests that were run twice: the machine may have been at fault */
};

/* Runs a function in a process of its own. False when it did not come to its end. */
bool apart(void (*function)(void *), void *context, unsigned seconds);

/* Memory that processes made from this one share. NULL when there is none. */
void *shared_new(size_t size);

/* All tests of the suite. False when no worker could be started. */
bool pool_run(struct pool *pool);

#endif /* COMPLIANCE_POOL_H */
