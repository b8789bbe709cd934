/* SPDX-License-Identifier: Apache-2.0
 *
 * Return codes as the tools show them: the original's number, its class and its text.
 */
#ifndef TOOLS_CODE_H
#define TOOLS_CODE_H

#include "rules/rules.h"

struct code {
    CK_RV rv;
    uint32_t shown;
    const char *class; /* "HSM Error" */
    const char *text;  /* "RET_USER_LOGIN_FAILURE" */
};

/* Never NULL. A code without a row is shown by its PKCS #11 name. Valid until the next call
 * in the thread. */
const struct code *code_of(CK_RV rv);
/* By the number that is shown; NULL when there is none. Valid as that of code_of(). */
const struct code *code_by_shown(uint32_t shown);
const struct code *code_rows(size_t *ret_count);

#endif
