/* SPDX-License-Identifier: Apache-2.0
 *
 * Three bytes are four letters of six bits.
 */
#include "base/base64.h"

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static const char *const alphabets[] = { [BASE64_PLAIN] = LETTERS "+/", [BASE64_URL] = LETTERS "-_" };

void
base64_write(struct writer *w, enum base64 kind, view bytes)
{
    const char *letters = alphabets[kind];

    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = size_min(bytes.len - i, 3);
        uint32_t bits = (uint32_t)bytes.data[i] << 16;

        bits |= left > 1 ? (uint32_t)bytes.data[i + 1] << 8 : 0;
        bits |= left > 2 ? bytes.data[i + 2] : 0;
        for (size_t k = 0; k < 4; k++) {
            if (k <= left) {
                write_u8(w, (uint8_t)letters[bits >> (18 - 6 * k) & 0x3f]);
            } else if (kind == BASE64_PLAIN) {
                write_u8(w, '=');
            }
        }
    }
}

static bool
letter_value(uint8_t letter, enum base64 kind, uint32_t *ret_value)
{
    const char *letters = alphabets[kind];

    for (uint32_t i = 0; i < 64; i++) {
        if ((uint8_t)letters[i] == letter) {
            *ret_value = i;
            return true;
        }
    }
    return false;
}

/* Two to four letters, which are one to three bytes. */
static bool
group_read(view group, enum base64 kind, struct writer *w)
{
    uint32_t bits = 0;
    uint32_t value;

    for (size_t k = 0; k < 4; k++) {
        value = 0;
        if (k < group.len && !letter_value(group.data[k], kind, &value)) {
            return false;
        }
        bits = bits << 6 | value;
    }
    if ((group.len == 2 && (bits & 0xffff) != 0) || (group.len == 3 && (bits & 0xff) != 0)) {
        return false;
    }
    for (size_t k = 0; k + 1 < group.len; k++) {
        write_u8(w, (uint8_t)(bits >> (16 - 8 * k)));
    }
    return true;
}

bool
base64_read(view text, enum base64 kind, struct writer *w)
{
    size_t start = w->len;

    if (kind == BASE64_PLAIN) {
        if (text.len % 4 != 0) {
            return false;
        }
        for (size_t k = 0; k < 2 && text.len > 0 && text.data[text.len - 1] == '='; k++) {
            text.len--;
        }
    }
    if (text.len % 4 == 1) {
        return false;
    }
    for (size_t i = 0; i < text.len; i += 4) {
        if (!group_read(view_slice(text, i, 4), kind, w)) {
            writer_truncate(w, start);
            return false;
        }
    }
    return true;
}
