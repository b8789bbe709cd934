/* SPDX-License-Identifier: Apache-2.0
 *
 * read HANDLE: prints a certificate's label, and writes its value to stdout. Lengths first, then values.
 */
#include "sample.h"

int
main(int argc, char *argv[])
{
    CK_OBJECT_HANDLE handle = handle_of(argc, argv);
    CK_SESSION_HANDLE session = session_open();
    CK_ATTRIBUTE template[] = { { CKA_LABEL, NULL, 0 }, { CKA_VALUE, NULL, 0 } };

    must("C_GetAttributeValue", p11->C_GetAttributeValue(session, handle, template, 2));
    for (int i = 0; i < 2; i++) {
        template[i].pValue = malloc(template[i].ulValueLen + 1);
        if (template[i].pValue == NULL) {
            return 1;
        }
    }
    must("C_GetAttributeValue", p11->C_GetAttributeValue(session, handle, template, 2));
    fprintf(stderr, "%.*s\n", (int)template[0].ulValueLen, (char *)template[0].pValue);
    fwrite(template[1].pValue, 1, template[1].ulValueLen, stdout);
    return 0;
}
