/* SPDX-License-Identifier: Apache-2.0
 *
 * copy HANDLE: copies a certificate and prints the copy's handle.
 */
#include "sample.h"

int
main(int argc, char *argv[])
{
    CK_OBJECT_HANDLE handle = handle_of(argc, argv), copy;
    CK_SESSION_HANDLE session = session_open();

    must("C_CopyObject", p11->C_CopyObject(session, handle, NULL, 0, &copy));
    printf("%lu\n", copy);
    return 0;
}
