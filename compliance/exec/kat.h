/* SPDX-License-Identifier: Apache-2.0
 *
 * Tests of known answers, and the ladder by which their keys get in.
 */
#ifndef COMPLIANCE_KAT_H
#define COMPLIANCE_KAT_H

#include "exec/run.h"

void kat_run(struct runner *runner, const struct test *test, struct result *ret_result);

/*
 * A secret key of this value as a session object: by C_CreateObject; unwrapped with a private RSA
 * key that the token made; unwrapped with a key that the token agreed on with the suite. rung 0 is
 * the first of these that works. CK_INVALID_HANDLE when none does.
 */
CK_OBJECT_HANDLE ladder_climb(struct runner *runner, uint32_t rung, CK_KEY_TYPE type,
                              const uint8_t *value, size_t len);

#endif /* COMPLIANCE_KAT_H */
