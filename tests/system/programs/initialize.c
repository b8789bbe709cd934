/* SPDX-License-Identifier: Apache-2.0
 *
 * C_Initialize, and nothing more, as often as asked.
 *
 *   initialize MODULE [TIMES]
 *
 * Prints for each time what it returned; what it says itself goes to stderr.
 */
#include "p11.h"

int
main(int argc, char **argv)
{
    long times = argc > 2 ? strtol(argv[2], NULL, 10) : 1;

    if (argc < 2) {
        die("usage: initialize MODULE [TIMES]");
    }
    p11_load(argv[1]);
    for (long i = 0; i < times; i++) {
        uint64_t start = now_ms();
        CK_SESSION_HANDLE session = 0;
        CK_ULONG count = 0;
        CK_RV rv = p11->C_Initialize(NULL);

        printf("C_Initialize %08lx\n", rv);
        if (rv == CKR_OK) {
            MUST(p11->C_Finalize(NULL));
            continue;
        }
        check(now_ms() - start < 20000, "C_Initialize fails at once");
        check_code(p11->C_GetSlotList(CK_FALSE, NULL, &count), CKR_CRYPTOKI_NOT_INITIALIZED,
                   "C_GetSlotList after it");
        check_code(p11->C_OpenSession(SLOT, CKF_SERIAL_SESSION, NULL, NULL, &session),
                   CKR_CRYPTOKI_NOT_INITIALIZED, "C_OpenSession after it");
        check_code(p11_login(1, PIN), CKR_CRYPTOKI_NOT_INITIALIZED, "C_Login after it");
        check_code(p11->C_GenerateRandom(1, (CK_BYTE *)&count, sizeof count),
                   CKR_CRYPTOKI_NOT_INITIALIZED, "C_GenerateRandom after it");
        check_code(p11->C_Finalize(NULL), CKR_CRYPTOKI_NOT_INITIALIZED, "C_Finalize after it");
    }
    return checks_failed != 0;
}
