/* SPDX-License-Identifier: Apache-2.0
 *
 * A few lines instead of the library's templates, which build a tree of numbers on the heap
 * for every signature.
 */
#include "crypto/der.h"

#include <string.h>

static bool
read_len(struct reader *r, size_t *ret_len)
{
    uint8_t first, high = 0, low;

    if (!read_u8(r, &first)) {
        return false;
    }
    if (first < 0x80) {
        *ret_len = first;
        return true;
    }
    if ((first != 0x81 && first != 0x82) || (first == 0x82 && !read_u8(r, &high)) ||
        !read_u8(r, &low)) {
        return false;
    }
    *ret_len = (size_t)high << 8 | low;
    return *ret_len >= (first == 0x81 ? 0x80u : 0x100u);
}

bool
der_read(struct reader *r, uint8_t tag, view *ret_contents)
{
    uint8_t found;
    size_t len;

    return read_u8(r, &found) && found == tag && read_len(r, &len) &&
           read_raw(r, len, ret_contents);
}

bool
der_is_oid(view v)
{
    struct reader r = reader_of(v);
    bool starts = true; /* of an arc */
    view arcs;

    if (!der_read(&r, DER_OID, &arcs) || !reader_done(&r) || arcs.len == 0) {
        return false;
    }
    for (size_t i = 0; i < arcs.len; i++) {
        if (starts && arcs.data[i] == 0x80) {
            return false;
        }
        starts = (arcs.data[i] & 0x80) == 0;
    }
    return starts;
}

bool
der_is_name(view v)
{
    static const char marks[] = " '()+,-./:=?";
    struct reader r = reader_of(v);
    view text;

    if (!der_read(&r, DER_PRINTABLE_STRING, &text) || !reader_done(&r) || text.len == 0) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.data[i];

        if (!(c >= '0' && c <= '9') && !(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z') &&
            (c == 0 || strchr(marks, c) == NULL)) {
            return false;
        }
    }
    return true;
}

void
der_write_head(struct writer *w, uint8_t tag, size_t len)
{
    write_u8(w, tag);
    if (len >= 0x100) {
        write_u8(w, 0x82);
        write_u8(w, (uint8_t)(len >> 8));
    } else if (len >= 0x80) {
        write_u8(w, 0x81);
    }
    write_u8(w, (uint8_t)len);
}

/* Without leading zeros, but with one where the number would look negative. */
static view
number_trim(view number)
{
    while (number.len > 1 && number.data[0] == 0) {
        number = view_slice(number, 1, number.len);
    }
    return number;
}

static size_t
number_len(view trimmed)
{
    return trimmed.len + (trimmed.data[0] >> 7);
}

static void
integer_write(struct writer *w, view trimmed)
{
    der_write_head(w, DER_INTEGER, number_len(trimmed));
    if (trimmed.data[0] >> 7 != 0) {
        write_u8(w, 0);
    }
    write_raw(w, trimmed);
}

/* r and s are below 128 bytes each. */
void
der_signature_write(struct writer *w, view r_and_s)
{
    size_t half = r_and_s.len / 2;
    view r = number_trim(view_slice(r_and_s, 0, half));
    view s = number_trim(view_slice(r_and_s, half, half));

    der_write_head(w, DER_SEQUENCE, 2 + number_len(r) + 2 + number_len(s));
    integer_write(w, r);
    integer_write(w, s);
}

static bool
number_read(struct reader *r, uint8_t *out, size_t len)
{
    view number;

    if (!der_read(r, DER_INTEGER, &number) || number.len == 0) {
        return false;
    }
    number = number_trim(number);
    if (number.len > len) {
        return false;
    }
    memset(out, 0, len - number.len);
    memcpy(out + len - number.len, number.data, number.len);
    return true;
}

bool
der_signature_read(view der, uint8_t *r_and_s, size_t len)
{
    struct reader outer = reader_of(der);
    view both;

    if (!der_read(&outer, DER_SEQUENCE, &both) || !reader_done(&outer)) {
        return false;
    }

    struct reader inner = reader_of(both);

    return number_read(&inner, r_and_s, len) && number_read(&inner, r_and_s + len, len) &&
           reader_done(&inner);
}
