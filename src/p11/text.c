/* SPDX-License-Identifier: Apache-2.0
 *
 * Blank-padded text and versions for the structures that applications read.
 */
#include "p11/text.h"

#include <string.h>

void
text_pad(CK_UTF8CHAR *field, size_t size, view text)
{
    size_t len = size_min(text.len, size);

    /* Not in the middle of a character: bytes 10xxxxxx continue one. */
    while (len > 0 && len < text.len && (text.data[len] & 0xc0) == 0x80) {
        len--;
    }
    memset(field, ' ', size);
    if (len > 0) {
        memcpy(field, text.data, len);
    }
}

static CK_BYTE
number_take(view *text)
{
    unsigned number = 0;

    while (text->len > 0 && text->data[0] >= '0' && text->data[0] <= '9') {
        number = number * 10 + (unsigned)(text->data[0] - '0');
        number = number > 255 ? 255 : number;
        *text = view_slice(*text, 1, text->len);
    }
    return (CK_BYTE)number;
}

CK_VERSION
text_version(view text)
{
    CK_VERSION version;

    version.major = number_take(&text);
    text = view_slice(text, 1, text.len);
    version.minor = number_take(&text);
    return version;
}
