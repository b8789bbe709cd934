/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of return codes. In a file of its own: the memory of a thread that an unknown code's
 * name takes would have the PKCS#11 library, which prints no names, need more than libc.
 */
#include "rules/rules.h"

#include <stdio.h>

const char *
return_name(CK_RV rv)
{
    /* { CKR_HOST_MEMORY, "CKR_HOST_MEMORY" } */
    static const struct {
        CK_RV rv;
        const char *name;
    } names[] = {
#define RETURN(name, rank) { CKR_##name, "CKR_" #name },
#include "rules/returns.def"
#undef RETURN
    };
    static _Thread_local char number[sizeof "CKR_0x" + 2 * sizeof(CK_RV)];

    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        if (names[i].rv == rv) {
            return names[i].name;
        }
    }
    snprintf(number, sizeof number, "CKR_0x%08lx", rv);
    return number;
}
