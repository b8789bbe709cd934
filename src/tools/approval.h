/* SPDX-License-Identifier: Apache-2.0
 *
 * Approval files: what approveToken reads. Lines KEY = VALUE; a value may stand in quotes, lines
 * may end with ';', '#' begins a comment. Keys: Multi Token File Path or Token File Path, Number
 * of Approvals, and for each approver Approver Type (2: CO, 1: CU), Approver Name, Approval File.
 */
#ifndef TOOLS_APPROVAL_H
#define TOOLS_APPROVAL_H

#include "base/bytes.h"

#define APPROVAL_FILE_MAX 65536u
#define APPROVERS_MAX 8u
#define APPROVAL_TEXT_MAX 512u

struct approver {
    uint32_t role;
    char name[64];
    char file[APPROVAL_TEXT_MAX];
};

struct approval {
    char token[APPROVAL_TEXT_MAX];
    struct approver approvers[APPROVERS_MAX];
    size_t count;
};

/* False: *ret_line and *ret_error say what is wrong where (line 0: with the whole). */
MUST_USE bool approval_parse(view text, struct approval *ret_approval, unsigned *ret_line,
                             const char **ret_error);

#endif
