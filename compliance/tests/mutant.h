/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parts of the module that errs share: see mutant.c.
 */
#ifndef COMPLIANCE_MUTANT_H
#define COMPLIANCE_MUTANT_H

#include "pkcs11_headers/include/cryptoki.h"

#include <stdbool.h>

/* The module behind; members since 3.0 are NULL where it has none. */
extern CK_FUNCTION_LIST_3_0 mutant_behind;

/* A variable of the environment, or "". */
const char *mutant_told(const char *name);

/* Whether this is the function that errs, and the way in which it does. */
bool mutant_errs(const char *function);
bool mutant_does(const char *what);

/* True when the call is not to be passed on; *ret_rv is its answer then. */
bool mutant_stops(const char *function, CK_RV *ret_rv);
/* The code that is told for one. */
CK_RV mutant_after(const char *function, CK_RV rv);

/* What is done to output after a call; out_len holds its length and room was there. */
void mutant_distort(const char *function, CK_SESSION_HANDLE session, CK_RV rv, CK_BYTE *out,
                    CK_ULONG room, CK_ULONG *out_len);

/* The IV that was asked for is not the one that is used; in memory that stays. */
CK_MECHANISM *mutant_other_iv(CK_MECHANISM *mech);

/* Each puts its functions into the list. */
void mutant_operations(CK_FUNCTION_LIST_3_0 *list);
void mutant_objects(CK_FUNCTION_LIST_3_0 *list);
void mutant_messages(CK_FUNCTION_LIST_3_0 *list);

#define SPECIAL(name) list->name = special_##name;

#endif /* COMPLIANCE_MUTANT_H */
