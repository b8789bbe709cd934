/* SPDX-License-Identifier: Apache-2.0
 *
 * Functions that are there and do nothing yet: each answers with the code of its row in
 * functions.def. Written from the rows of pkcs11f.h: a name
 * below moves from here to a file of its own by deleting its line.
 */
#include "p11/library.h"

/* CODE_C_InitToken = CKR_FUNCTION_NOT_SUPPORTED */
enum {
#define FUNCTION(name, standard, azure, fips, code) CODE_C_##name = (code),
#include "rules/functions.def"
#undef FUNCTION
#define FUNCTION(name, standard, azure, fips, code) \
    OFFERED_C_##name = (standard) + (azure) + (fips),
#include "rules/functions.def"
#undef FUNCTION
};

#define ROW ~, BY_ROW
#define HERE_C_InitToken ROW

/* PKCS #11 v3.1, 5.4: before C_Initialize nothing else is worth saying. */
static CK_RV
answer(CK_RV code)
{
    struct library *library;
    CK_RV rv = library_enter(&library);

    if (rv == CKR_OK) {
        library_leave(library);
        rv = code;
    }
    return rv;
}

/*
 * A name with a line above becomes "~, BY_ROW" (two words), one without stays itself; SECOND
 * takes the second word, or LEAVE_OUT.
 */
#define SECOND(...) SECOND_OF(__VA_ARGS__, LEAVE_OUT, ~)
#define SECOND_OF(first, second, ...) second
#define LEAVE_OUT(name, params)
/* A row that some policy offers has to have a function: else this does not compile. */
#define BY_ROW(name, params)                                                      \
    _Static_assert(OFFERED_##name == 0, #name " is offered and not written");    \
    PUBLIC CK_RV name params { return answer(CODE_##name); }

#pragma GCC diagnostic ignored "-Wunused-parameter"
/* PUBLIC CK_RV C_SetPIN(CK_SESSION_HANDLE hSession, ...) { return answer(CODE_C_SetPIN); } */
#define CK_FUNCTION_ROW(name, params, args) SECOND(HERE_##name)(name, params)
#define CK_FUNCTION_ROWS_UNTIL 0x0300
#include "pkcs11_headers/include/pkcs11f.h"
