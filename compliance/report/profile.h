/* SPDX-License-Identifier: Apache-2.0
 *
 * The profile of a module: deviations that it declares. They stay failures of their tests, but are
 * counted apart. A file of lines:
 *
 *     [module]
 *     name = the module's
 *     [limits]
 *     login-required = yes        no cryptography at all without a login
 *     gcm-iv = internal           AES-GCM encrypts under no IV but the token's own
 *     no-function = C_SignRecover C_WaitForSlotEvent      which answer CKR_FUNCTION_NOT_SUPPORTED
 *     [deviation NAME]
 *     match = fn=C_Login cond=PIN_WRONG seen=CKR_PIN_EXPIRED     cond has to be there
 *     doc = where it is documented
 *     impact = what it means to an application
 */
#ifndef COMPLIANCE_PROFILE_H
#define COMPLIANCE_PROFILE_H

#include "exec/run.h"

#define PROFILE_MOST 64

struct deviation {
    char name[32], fn[40], cond[32], seen[48], attr[40];
    char doc[256], impact[256];
    size_t used;                /* failing tests that it names */
};

struct profile {
    char name[128];
    bool login_required;        /* [limits], login-required = yes */
    bool gcm_inside;            /* [limits], gcm-iv = internal */
    bool lacks[FN_COUNT];       /* [limits], no-function */
    struct deviation deviation[PROFILE_MOST];
    size_t count;
};

/* False, with a line of explanation, when the file is none. */
bool profile_read(struct profile *profile, const char *path);

/* What the limits change in the world. */
void profile_limit(const struct profile *profile, struct world *world);

/* The first function from `from` on that the module is said to lack and has; FN_COUNT for none. A
 * limit that is not one is a finding, too. */
enum fn profile_claim(const struct profile *profile, const struct world *world, enum fn from);

/* The deviation that names such a failure, or NULL. */
struct deviation *profile_find(struct profile *profile, const struct result *result);

#endif /* COMPLIANCE_PROFILE_H */
