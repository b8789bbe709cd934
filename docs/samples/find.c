/* SPDX-License-Identifier: Apache-2.0
 *
 * find [LABEL]: prints the handles of all certificates, or of those with that label.
 */
#include "sample.h"

int
main(int argc, char *argv[])
{
    CK_OBJECT_CLASS class = CKO_CERTIFICATE;
    CK_ATTRIBUTE template[] = {
        { CKA_CLASS, &class, sizeof class },
        { CKA_LABEL, argv[1], argc > 1 ? strlen(argv[1]) : 0 },
    };
    CK_SESSION_HANDLE session = session_open();
    CK_OBJECT_HANDLE found[50];
    CK_ULONG count;

    must("C_FindObjectsInit", p11->C_FindObjectsInit(session, template, argc > 1 ? 2 : 1));
    do {
        must("C_FindObjects", p11->C_FindObjects(session, found, 50, &count));
        for (CK_ULONG i = 0; i < count; i++) {
            printf("%lu\n", found[i]);
        }
    } while (count > 0);
    must("C_FindObjectsFinal", p11->C_FindObjectsFinal(session));
    return 0;
}
