/* SPDX-License-Identifier: Apache-2.0
 *
 * Readers and writers. Lengths are compared against what is left or allowed before any
 * addition, so no sum here can wrap.
 */
#include "base/bytes.h"

#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

#define WRITER_FIRST_SIZE 256

view
view_str(const char *text)
{
    return text == NULL ? VIEW_EMPTY : view_of(text, strlen(text));
}

bool
view_equal(view a, view b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool
view_equal_secret(view a, view b)
{
    volatile uint8_t difference = 0;

    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        difference = (uint8_t)(difference | (a.data[i] ^ b.data[i]));
    }
    return difference == 0;
}

view
view_slice(view v, size_t offset, size_t len)
{
    if (offset >= v.len) {
        return VIEW_EMPTY;
    }
    return view_of(v.data + offset, size_min(len, v.len - offset));
}

struct reader
reader_of(view v)
{
    return (struct reader){ v.data, v.len };
}

/* The next bytes, which are behind it then; NULL, and nothing moved, when fewer are left. */
static const uint8_t *
read_space(struct reader *r, size_t len)
{
    const uint8_t *space = r->next;

    if (r->left < len) {
        return NULL;
    }
    r->next += len;
    r->left -= len;
    return space;
}

bool
read_u8(struct reader *r, uint8_t *ret_value)
{
    const uint8_t *space = read_space(r, sizeof *ret_value);

    if (space == NULL) {
        return false;
    }
    *ret_value = *space;
    return true;
}

bool
read_u16(struct reader *r, uint16_t *ret_value)
{
    const uint8_t *space = read_space(r, sizeof *ret_value);

    if (space == NULL) {
        return false;
    }
    *ret_value = load_u16(space);
    return true;
}

bool
read_u32(struct reader *r, uint32_t *ret_value)
{
    const uint8_t *space = read_space(r, sizeof *ret_value);

    if (space == NULL) {
        return false;
    }
    *ret_value = load_u32(space);
    return true;
}

bool
read_u64(struct reader *r, uint64_t *ret_value)
{
    const uint8_t *space = read_space(r, sizeof *ret_value);

    if (space == NULL) {
        return false;
    }
    *ret_value = load_u64(space);
    return true;
}

bool
read_raw(struct reader *r, size_t len, view *ret_bytes)
{
    if (r->left < len) {
        return false;
    }
    *ret_bytes = view_of(r->next, len);
    if (len > 0) {
        r->next += len;
    }
    r->left -= len;
    return true;
}

bool
read_bytes(struct reader *r, size_t max, view *ret_bytes)
{
    struct reader start = *r;
    uint32_t len;

    if (!read_u32(r, &len)) {
        return false;
    }
    if (len > max || !read_raw(r, len, ret_bytes)) {
        *r = start;
        return false;
    }
    return true;
}

bool
reader_done(const struct reader *r)
{
    return r->left == 0;
}

void
writer_init(struct writer *w, size_t max)
{
    *w = (struct writer){ .max = max };
}

void
writer_init_fixed(struct writer *w, void *buffer, size_t size)
{
    *w = (struct writer){ .data = buffer, .size = size, .max = size, .fixed = true };
}

void
writer_clear(struct writer *w)
{
    if (!w->fixed && w->data != NULL) {
        wipe(w->data, w->len);
        free(w->data);
    }
    *w = (struct writer){ .max = w->max };
}

void
writer_reset(struct writer *w)
{
    if (w->len > 0) {
        wipe(w->data, w->len);
    }
    w->len = 0;
    w->failed = false;
}

bool
writer_ok(const struct writer *w)
{
    return !w->failed;
}

view
writer_view(const struct writer *w)
{
    return view_of(w->data, w->len);
}

static bool
writer_grow(struct writer *w, size_t need)
{
    size_t size = w->size == 0 ? WRITER_FIRST_SIZE : w->size;

    if (w->fixed) {
        return false;
    }
    while (size < need) {
        size = size > w->max / 2 ? w->max : size * 2;
    }
    size = size_min(size, w->max);

    uint8_t *data = malloc(size);

    if (data == NULL) {
        return false;
    }
    if (w->len > 0) {
        memcpy(data, w->data, w->len);
        wipe(w->data, w->len);
    }
    free(w->data);
    w->data = data;
    w->size = size;
    return true;
}

uint8_t *
write_space(struct writer *w, size_t len)
{
    if (w->failed || len > w->max - w->len ||
        (len > w->size - w->len && !writer_grow(w, w->len + len))) {
        w->failed = true;
        return NULL;
    }

    uint8_t *space = w->data + w->len;

    w->len += len;
    return space;
}

void
write_u8(struct writer *w, uint8_t value)
{
    uint8_t *space = write_space(w, sizeof value);

    if (space != NULL) {
        *space = value;
    }
}

void
write_u16(struct writer *w, uint16_t value)
{
    uint8_t *space = write_space(w, sizeof value);

    if (space != NULL) {
        store_u16(space, value);
    }
}

void
write_u32(struct writer *w, uint32_t value)
{
    uint8_t *space = write_space(w, sizeof value);

    if (space != NULL) {
        store_u32(space, value);
    }
}

void
write_u64(struct writer *w, uint64_t value)
{
    uint8_t *space = write_space(w, sizeof value);

    if (space != NULL) {
        store_u64(space, value);
    }
}

void
write_raw(struct writer *w, view bytes)
{
    if (bytes.len == 0) {
        return;
    }

    uint8_t *space = write_space(w, bytes.len);

    if (space != NULL) {
        memcpy(space, bytes.data, bytes.len);
    }
}

void
write_bytes(struct writer *w, view bytes)
{
    if (bytes.len > UINT32_MAX) {
        w->failed = true;
        return;
    }
    write_u32(w, (uint32_t)bytes.len);
    write_raw(w, bytes);
}

void
writer_truncate(struct writer *w, size_t len)
{
    if (len < w->len) {
        wipe(w->data + len, w->len - len);
        w->len = len;
    }
}

void
writer_patch_u32(struct writer *w, size_t offset, uint32_t value)
{
    if (!w->failed && w->len >= 4 && offset <= w->len - 4) {
        store_u32(w->data + offset, value);
    }
}

void
hex_encode(view v, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < v.len; i++) {
        out[2 * i] = digits[v.data[i] >> 4];
        out[2 * i + 1] = digits[v.data[i] & 15];
    }
    out[2 * v.len] = '\0';
}

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

bool
hex_decode(const char *text, uint8_t *out, size_t size, size_t *ret_len)
{
    size_t len = strlen(text);

    if (len % 2 != 0 || len / 2 > size) {
        return false;
    }
    for (size_t i = 0; i < len / 2; i++) {
        int high = hex_digit(text[2 * i]);
        int low = hex_digit(text[2 * i + 1]);

        if (high < 0 || low < 0) {
            return false;
        }
        out[i] = (uint8_t)(high * 16 + low);
    }
    *ret_len = len / 2;
    return true;
}
