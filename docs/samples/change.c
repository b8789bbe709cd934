/* SPDX-License-Identifier: Apache-2.0
 *
 * change HANDLE LABEL: gives a certificate another label.
 */
#include "sample.h"

int
main(int argc, char *argv[])
{
    CK_OBJECT_HANDLE handle = handle_of(argc, argv);
    char *label = argc > 2 ? argv[2] : "changed";
    CK_ATTRIBUTE template[] = { { CKA_LABEL, label, strlen(label) } };
    CK_SESSION_HANDLE session = session_open();

    must("C_SetAttributeValue", p11->C_SetAttributeValue(session, handle, template, 1));
    return 0;
}
