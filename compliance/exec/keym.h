/* SPDX-License-Identifier: Apache-2.0
 *
 * Tests of wrapping, unwrapping and deriving keys.
 */
#ifndef COMPLIANCE_KEYM_H
#define COMPLIANCE_KEYM_H

#include "exec/run.h"

void keym_run(struct runner *runner, const struct test *test, struct result *ret_result);

#endif /* COMPLIANCE_KEYM_H */
