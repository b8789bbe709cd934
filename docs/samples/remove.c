/* SPDX-License-Identifier: Apache-2.0
 *
 * remove HANDLE: removes a certificate.
 */
#include "sample.h"

int
main(int argc, char *argv[])
{
    CK_OBJECT_HANDLE handle = handle_of(argc, argv);
    CK_SESSION_HANDLE session = session_open();

    must("C_DestroyObject", p11->C_DestroyObject(session, handle));
    return 0;
}
