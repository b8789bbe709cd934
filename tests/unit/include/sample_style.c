/* SPDX-License-Identifier: Apache-2.0
 *
 * An application in the style of the service's samples: both headers by the paths of the guide,
 * structures emptied with { }, TRUE and FALSE, calls through a list found at run time. It is only
 * compiled, as C11 and as C++17, and without a word from either compiler.
 */
#include <stdio.h>
#include <string.h>

#include "pkcs11_headers/include/cryptoki.h"
#include "pkcs11_headers/include/pkcs11t.h"

static CK_FUNCTION_LIST_PTR func_list;

CK_RV sample(CK_C_GetFunctionList get_function_list, char *pin);

CK_RV
sample(CK_C_GetFunctionList get_function_list, char *pin)
{
    CK_SESSION_HANDLE session = 0;
    CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
    CK_INFO info = { };
    CK_TOKEN_INFO token_info = { };
    CK_C_INITIALIZE_ARGS init_args = { };
    CK_OBJECT_CLASS key_class = CKO_SECRET_KEY;
    CK_ULONG value_len = 32;
    CK_BBOOL true_value = TRUE;
    CK_BBOOL false_value = FALSE;
    CK_ATTRIBUTE key_template[] = {
        { CKA_CLASS, &key_class, sizeof(key_class) },
        { CKA_TOKEN, &false_value, sizeof(false_value) },
        { CKA_ENCRYPT, &true_value, sizeof(true_value) },
        { CKA_VALUE_LEN, &value_len, sizeof(value_len) },
        { CKA_ID, NULL, 0 },
    };
    CK_MECHANISM mechanism = { CKM_AES_KEY_GEN, NULL_PTR, 0 };
    CK_RV rv = (get_function_list)(&func_list);

    if (rv != CKR_OK || !func_list) {
        printf("couldn't get function list: %d", (int)rv);
        return rv;
    }

    init_args.flags = CKF_OS_LOCKING_OK;
    rv = (func_list->C_Initialize)(&init_args);
    if (CKR_OK != rv) {
        printf("C_Initialize() failed with %08lx\n", rv);
        return rv;
    }
    rv = (func_list->C_GetInfo)(&info);
    if (CKR_OK == rv) {
        rv = (func_list->C_GetTokenInfo)(0, &token_info);
    }
    if (CKR_OK == rv) {
        rv = (func_list->C_OpenSession)(0, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL,
                                        &session);
    }
    if (CKR_OK == rv) {
        rv = (func_list->C_Login)(session, CKU_USER, (CK_UTF8CHAR_PTR)pin,
                                  (CK_ULONG)strlen(pin));
    }
    if (CKR_OK == rv) {
        rv = (func_list->C_GenerateKey)(session, &mechanism, key_template,
                                        sizeof(key_template) / sizeof(key_template[0]), &key);
    }
    (void)func_list->C_Finalize(NULL);
    return rv;
}
