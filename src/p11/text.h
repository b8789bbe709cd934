/* SPDX-License-Identifier: Apache-2.0
 *
 * Text as PKCS#11 holds it in its structures: blank padded, without a NUL.
 */
#ifndef P11_TEXT_H
#define P11_TEXT_H

#include "base/bytes.h"
#include "pkcs11_headers/include/cryptoki.h"

#define MANUFACTURER VIEW_TEXT("OpenCloudHSM")
#define LIBRARY_VERSION { 0, 1 }

/* Fills field[0..size) with the text and blanks; cut at the end of a character if too long. */
void text_pad(CK_UTF8CHAR *field, size_t size, view text);
/* "0.1" as a version; what is no number counts as 0. */
CK_VERSION text_version(view text);

#endif
