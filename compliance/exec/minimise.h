/* SPDX-License-Identifier: Apache-2.0
 *
 * The shortest test that fails as a given one does.
 */
#ifndef COMPLIANCE_MINIMISE_H
#define COMPLIANCE_MINIMISE_H

#include "exec/run.h"

/* Changes the test, and tells its result; a test that does not fail stays as it is. The module has
 * to survive the failure. */
void minimise(struct runner *runner, struct test *test, struct result *result);

#endif /* COMPLIANCE_MINIMISE_H */
