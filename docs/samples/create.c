/* SPDX-License-Identifier: Apache-2.0
 *
 * create FILE [LABEL]: stores a certificate (DER) and prints its handle.
 */
#include "sample.h"

int
main(int argc, char *argv[])
{
    static CK_BYTE value[65536];
    CK_OBJECT_CLASS class = CKO_CERTIFICATE;
    CK_CERTIFICATE_TYPE type = CKC_X_509;
    CK_BBOOL yes = CK_TRUE;
    char *label = argc > 2 ? argv[2] : "sample";
    FILE *file = argc > 1 ? fopen(argv[1], "rb") : NULL;
    size_t len = file == NULL ? 0 : fread(value, 1, sizeof value, file);
    CK_OBJECT_HANDLE handle;

    if (len == 0) {
        fprintf(stderr, "usage: %s FILE [LABEL]\n", argv[0]);
        return 2;
    }
    fclose(file);

    CK_ATTRIBUTE template[] = {
        { CKA_CLASS, &class, sizeof class },
        { CKA_CERTIFICATE_TYPE, &type, sizeof type },
        { CKA_TOKEN, &yes, sizeof yes },
        { CKA_LABEL, label, strlen(label) },
        { CKA_ID, label, strlen(label) },
        { CKA_SUBJECT, "subject", 7 }, /* its DER, in a real one */
        { CKA_VALUE, value, len },
    };
    CK_SESSION_HANDLE session = session_open();

    must("C_CreateObject", p11->C_CreateObject(session, template, sizeof template / sizeof *template, &handle));
    printf("%lu\n", handle);
    return 0;
}
