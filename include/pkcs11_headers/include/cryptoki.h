/* SPDX-License-Identifier: Apache-2.0
 *
 * What an application includes, with the directory above pkcs11_headers on its include path:
 *
 *     #include "pkcs11_headers/include/cryptoki.h"
 *     #include "pkcs11_headers/include/pkcs11t.h"
 *
 * The second line is there because the service's samples have it; it adds nothing to the first.
 * The application opens the library at run time, asks C_GetFunctionList for the list of functions
 * and calls through it, or it links with the library and calls the functions by name.
 */
#ifndef OPENCLOUDHSM_CRYPTOKI_H
#define OPENCLOUDHSM_CRYPTOKI_H

#include "pkcs11.h"

#endif /* OPENCLOUDHSM_CRYPTOKI_H */
