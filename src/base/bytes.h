/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes: views, the reader that never runs past its end, and the writer that remembers
 * that it failed. Everything that parses or builds goes through here. Integers are
 * little-endian and of fixed width.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include "base/base.h"

/* Borrowed bytes. data may be NULL when len is 0. */
typedef struct view {
    const uint8_t *data;
    size_t len;
} view;

static inline view
view_of(const void *data, size_t len)
{
    return (view){ data, len };
}

#define VIEW_EMPTY ((view){ NULL, 0 })
/* The bytes of a string literal, without its NUL. */
#define VIEW_TEXT(literal) ((view){ (const uint8_t *)(literal), sizeof(literal) - 1 })

/* The bytes of a C string, without its NUL; NULL gives an empty view. */
view view_str(const char *text);
bool view_equal(view a, view b);
/* Lengths are compared in the open, contents in constant time. */
bool view_equal_secret(view a, view b);
/* The part from offset on, at most len bytes, clipped to what is there. */
view view_slice(view v, size_t offset, size_t len);

/*
 * Reading. Each read_ returns false, and leaves its result and the reader untouched, when
 * fewer bytes are left than it needs. Views that come out are borrowed from the input.
 */
struct reader {
    const uint8_t *next;
    size_t left;
};

struct reader reader_of(view v);
MUST_USE bool read_u8(struct reader *r, uint8_t *ret_value);
MUST_USE bool read_u16(struct reader *r, uint16_t *ret_value);
MUST_USE bool read_u32(struct reader *r, uint32_t *ret_value);
MUST_USE bool read_u64(struct reader *r, uint64_t *ret_value);
/* Exactly len bytes. */
MUST_USE bool read_raw(struct reader *r, size_t len, view *ret_bytes);
/* A u32 length, at most max, then that many bytes. */
MUST_USE bool read_bytes(struct reader *r, size_t max, view *ret_bytes);
bool reader_done(const struct reader *r);

/*
 * Writing. A writer grows up to the largest size it was born with, or fills memory of the
 * caller's. After the first write that does not fit, or an allocation that fails,
 * writer_ok() is false and stays so, and nothing more is written. Memory that a growing
 * writer leaves behind is wiped, so it may hold secrets.
 */
struct writer {
    uint8_t *data;
    size_t len;
    size_t size;
    size_t max;
    bool fixed;
    bool failed;
};

void writer_init(struct writer *w, size_t max);
/* Fills buffer[0..size); never allocates. */
void writer_init_fixed(struct writer *w, void *buffer, size_t size);
/* Wipes and releases what the writer allocated; a fixed one is only forgotten. */
void writer_clear(struct writer *w);
/* Wipes what was written and starts again at 0 with the memory kept. */
void writer_reset(struct writer *w);
bool writer_ok(const struct writer *w);
view writer_view(const struct writer *w);

void write_u8(struct writer *w, uint8_t value);
void write_u16(struct writer *w, uint16_t value);
void write_u32(struct writer *w, uint32_t value);
void write_u64(struct writer *w, uint64_t value);
void write_raw(struct writer *w, view bytes);
/* A u32 length, then the bytes. */
void write_bytes(struct writer *w, view bytes);
/* Room for len bytes at the end, NULL when it does not fit; counted as written. */
MUST_USE uint8_t *write_space(struct writer *w, size_t len);
/* Forgets (and wipes) everything from len on. */
void writer_truncate(struct writer *w, size_t len);
/* Writes a u32 over four bytes written before, at offset. */
void writer_patch_u32(struct writer *w, size_t offset, uint32_t value);

/* Little-endian, byte by byte: a compiler makes one access of it where the processor is so, too. */
static inline uint32_t
load_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t
load_u64(const uint8_t *p)
{
    return load_u32(p) | (uint64_t)load_u32(p + 4) << 32;
}

static inline uint16_t
load_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline void
store_u16(uint8_t *p, uint16_t value)
{
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
}

static inline void
store_u32(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
    p[2] = (uint8_t)(value >> 16);
    p[3] = (uint8_t)(value >> 24);
}

static inline void
store_u64(uint8_t *p, uint64_t value)
{
    store_u32(p, (uint32_t)value);
    store_u32(p + 4, (uint32_t)(value >> 32));
}

/* Lower-case hexadecimal; out has room for 2 * v.len + 1 characters. */
void hex_encode(view v, char *out);
/* Reads text as hexadecimal into out[0..size); false when it is odd, too long or not hex. */
MUST_USE bool hex_decode(const char *text, uint8_t *out, size_t size, size_t *ret_len);

#endif
