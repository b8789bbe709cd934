/* SPDX-License-Identifier: Apache-2.0
 *
 * Tests of single calls on objects and their attributes.
 */
#ifndef COMPLIANCE_ATTR_H
#define COMPLIANCE_ATTR_H

#include "exec/run.h"

void attr_run(struct runner *runner, const struct test *test, struct result *ret_result);

/* Whether the token takes an object of a kind as these tests make it. */
bool attr_takes(struct fixture *fixture, enum object_kind kind);

#endif /* COMPLIANCE_ATTR_H */
