/* SPDX-License-Identifier: Apache-2.0
 *
 * Mechanism parameters, three times from the rows of params.def: taken from the application's
 * structure, written, read.
 */
#include "wire/params.h"

#include "wire/frame.h"

#include <stddef.h>
#include <string.h>

#define ITEM_BYTES_MAX 4096u

struct gcm_text_params {
    CK_BYTE_PTR pIv;
    CK_ULONG ulIvLen;
    CK_BYTE_PTR pAAD;
    CK_ULONG ulAADLen;
    CK_ULONG ulTagBits;
};

struct number_params {
    CK_ULONG number;
};

/* From the application's memory. */

static bool
take_bytes(const void *pointer, CK_ULONG len, size_t max, view *ret_bytes)
{
    if (len > max || (len > 0 && pointer == NULL)) {
        return false;
    }
    *ret_bytes = len == 0 ? VIEW_EMPTY : view_of(pointer, len);
    return true;
}

size_t
params_bits_len(CK_ULONG told, size_t max)
{
    return told > max && told % 8 == 0 ? told / 8 : told;
}

static bool
take_u32(CK_ULONG number, uint32_t *ret_number)
{
    if (number > UINT32_MAX) {
        return false;
    }
    *ret_number = (uint32_t)number;
    return true;
}

static bool
take_handle(const void *pointer, CK_ULONG len, uint32_t *ret_handle)
{
    CK_OBJECT_HANDLE handle;

    if (pointer == NULL || len != sizeof handle) {
        return false;
    }
    memcpy(&handle, pointer, sizeof handle);
    return take_u32(handle, ret_handle);
}

/* A number's form, where the application gives one: pointer and length of its structure. */
static bool
take_counter(const CK_PRF_DATA_PARAM *from, struct params_item *item)
{
    CK_SP800_108_COUNTER_FORMAT format;

    if (from->pValue == NULL && from->ulValueLen == 0) {
        return true;
    }
    if (from->pValue == NULL || from->ulValueLen != sizeof format) {
        return false;
    }
    memcpy(&format, from->pValue, sizeof format);
    item->little_endian = format.bLittleEndian != CK_FALSE;
    item->width = (uint8_t)format.ulWidthInBits;
    return format.ulWidthInBits > 0 && format.ulWidthInBits <= UINT8_MAX;
}

static bool
take_length(const CK_PRF_DATA_PARAM *from, struct params_item *item)
{
    CK_SP800_108_DKM_LENGTH_FORMAT format;

    if (from->pValue == NULL || from->ulValueLen != sizeof format) {
        return false;
    }
    memcpy(&format, from->pValue, sizeof format);
    item->method = (uint8_t)format.dkmLengthMethod;
    item->little_endian = format.bLittleEndian != CK_FALSE;
    item->width = (uint8_t)format.ulWidthInBits;
    return format.dkmLengthMethod <= UINT8_MAX && format.ulWidthInBits <= UINT8_MAX;
}

static bool
take_item_standard(const CK_PRF_DATA_PARAM *from, struct params_item *item)
{
    item->type = (uint32_t)from->type;
    switch (from->type) {
    case CK_SP800_108_ITERATION_VARIABLE:
    case CK_SP800_108_COUNTER:
        return take_counter(from, item);
    case CK_SP800_108_DKM_LENGTH:
        return take_length(from, item);
    case CK_SP800_108_BYTE_ARRAY:
        return take_bytes(from->pValue, from->ulValueLen, ITEM_BYTES_MAX, &item->bytes);
    case CK_SP800_108_KEY_HANDLE:
        return take_handle(from->pValue, from->ulValueLen, &item->key);
    default:
        return false;
    }
}

/* The vendor's layout: numbers are big-endian, label and context are bytes like others. */
static bool
take_item_vendor(const CK_PRF_DATA_PARAM *from, struct params_item *item)
{
    CK_CLOUDHSM_SP800_108_COUNTER_FORMAT counter;
    CK_CLOUDHSM_SP800_108_DKM_LENGTH_FORMAT length;

    switch (from->type) {
    case SP800_108_COUNTER_FORMAT:
        if (from->pValue == NULL || from->ulValueLen != sizeof counter) {
            return false;
        }
        memcpy(&counter, from->pValue, sizeof counter);
        item->type = CK_SP800_108_ITERATION_VARIABLE;
        item->width = (uint8_t)counter.ulWidthInBits;
        return counter.ulWidthInBits > 0 && counter.ulWidthInBits <= UINT8_MAX;
    case SP800_108_DKM_FORMAT:
        if (from->pValue == NULL || from->ulValueLen != sizeof length) {
            return false;
        }
        memcpy(&length, from->pValue, sizeof length);
        item->type = CK_SP800_108_DKM_LENGTH;
        item->method = (uint8_t)length.dkmLengthMethod;
        item->width = (uint8_t)length.ulWidthInBits;
        return length.dkmLengthMethod <= UINT8_MAX && length.ulWidthInBits <= UINT8_MAX;
    case SP800_108_PRF_LABEL:
    case SP800_108_PRF_CONTEXT:
    case SP800_108_BYTE_ARRAY:
        item->type = CK_SP800_108_BYTE_ARRAY;
        return take_bytes(from->pValue, from->ulValueLen, ITEM_BYTES_MAX, &item->bytes);
    default:
        return false;
    }
}

/* Both layouts have the array's elements alike. */
_Static_assert(sizeof(CK_PRF_DATA_PARAM) == sizeof(CK_CLOUDHSM_PRF_DATA_PARAM), "one element");

static bool
take_items(const void *array, CK_ULONG count,
           bool (*take_item)(const CK_PRF_DATA_PARAM *from, struct params_item *item),
           struct params_items *items)
{
    memset(items, 0, sizeof *items);
    if (count > PARAMS_ITEMS_MAX || (count > 0 && array == NULL)) {
        return false;
    }
    for (; items->count < count; items->count++) {
        CK_PRF_DATA_PARAM from;

        memcpy(&from, (const uint8_t *)array + items->count * sizeof from, sizeof from);
        if (!take_item(&from, &items->item[items->count])) {
            return false;
        }
    }
    return true;
}

/*
 * static bool
 * take_ctr(const CK_MECHANISM *m, struct params_ctr *p)
 * {
 *     typedef CK_AES_CTR_PARAMS layout;
 *     layout c;
 *
 *     if (m->pParameter == NULL || m->ulParameterLen != sizeof c) {
 *         return false;
 *     }
 *     memcpy(&c, m->pParameter, sizeof c);
 *     return true && take_u32(c.ulCounterBits, &p->bits) &&
 *            take_bytes((const uint8_t *)m->pParameter + offsetof(layout, cb), 16, 16, &p->block);
 * }
 */
#define PARAMS_PLAIN(shape, max)                                             \
    static bool take_##shape(const CK_MECHANISM *m, struct params_##shape *p) \
    {                                                                        \
        return take_bytes(m->pParameter, m->ulParameterLen, max, &p->bytes); \
    }
#define PARAMS_ALSO(shape, name, type)                                       \
    static bool take_##name(const CK_MECHANISM *m, struct params_##shape *p) \
    {                                                                        \
        typedef type layout;                                                 \
        layout c;                                                            \
                                                                             \
        if (m->pParameter == NULL || m->ulParameterLen != sizeof c) {        \
            return false;                                                    \
        }                                                                    \
        memcpy(&c, m->pParameter, sizeof c);                                 \
        return true
#define PARAMS(shape, type) PARAMS_ALSO(shape, shape, type)
#define PARAM_BYTES(field, pointer, length, max) \
    && take_bytes(c.pointer, c.length, max, &p->field)
#define PARAM_BITS(field, pointer, bits, max) \
    && take_bytes(c.pointer, params_bits_len(c.bits, max), max, &p->field)
#define PARAM_ARRAY(field, member, length)                                         \
    && take_bytes((const uint8_t *)m->pParameter + offsetof(layout, member), length, \
                  length, &p->field)
#define PARAM_U32(field, member) && take_u32(c.member, &p->field)
#define PARAM_GIVEN(field, member) && take_u32(c.member != NULL, &p->field)
#define PARAM_INNER(field, pointer, shape)                                             \
    && take_##shape(&(CK_MECHANISM){ .pParameter = c.pointer,                          \
                                     .ulParameterLen = sizeof *c.pointer }, &p->field)
#define PARAM_THERE(field) && take_u32(1, &p->field)
#define PARAM_ITEMS(field, array, count, layout) \
    && take_items(c.array, c.count, take_item_##layout, &p->field)
#define PARAMS_END(shape) \
    ;                     \
    }
#include "wire/params.def"

/* To and from the wire: bytes with their length, arrays as they are, u32; items as u32 count,
 * then each u32 type, u8 method, u8 width, u8 little endian, bytes; of a key
 * these are its handle. */

static void
write_items(struct writer *w, const struct params_items *items)
{
    write_u32(w, items->count);
    for (uint32_t i = 0; i < items->count; i++) {
        const struct params_item *item = &items->item[i];

        write_u32(w, item->type);
        write_u8(w, item->method);
        write_u8(w, item->width);
        write_u8(w, item->little_endian ? 1 : 0);
        if (item->type == CK_SP800_108_KEY_HANDLE) {
            write_u32(w, sizeof item->key);
            write_u32(w, item->key);
        } else {
            write_bytes(w, item->bytes);
        }
    }
}

static bool
read_item(struct reader *r, struct params_item *item)
{
    uint8_t little_endian;

    if (!read_u32(r, &item->type) || !read_u8(r, &item->method) || !read_u8(r, &item->width) ||
        !read_u8(r, &little_endian) || little_endian > 1 ||
        !read_bytes(r, ITEM_BYTES_MAX, &item->bytes)) {
        return false;
    }
    item->little_endian = little_endian == 1;
    if (item->type != CK_SP800_108_KEY_HANDLE) {
        return true;
    }
    if (item->bytes.len != sizeof item->key) {
        return false;
    }
    item->key = load_u32(item->bytes.data);
    item->bytes = VIEW_EMPTY;
    return true;
}

static bool
read_items(struct reader *r, struct params_items *items)
{
    if (!read_u32(r, &items->count) || items->count > PARAMS_ITEMS_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < items->count; i++) {
        if (!read_item(r, &items->item[i])) {
            return false;
        }
    }
    return true;
}

/*
 * static void
 * write_pss(struct writer *w, const struct params_pss *p)
 * {
 *     write_u32(w, p->hash);
 *     write_u32(w, p->mgf);
 *     write_u32(w, p->salt_len);
 * }
 */
#define PARAMS_PLAIN(shape, max)                                              \
    static void write_##shape(struct writer *w, const struct params_##shape *p) \
    {                                                                         \
        write_raw(w, p->bytes);                                               \
    }
#define PARAMS(shape, type)                                                   \
    static void write_##shape(struct writer *w, const struct params_##shape *p) \
    {
#define PARAM_BYTES(field, pointer, length, max) write_bytes(w, p->field);
#define PARAM_BITS(field, pointer, bits, max) write_bytes(w, p->field);
#define PARAM_ARRAY(field, member, length) write_raw(w, view_slice(p->field, 0, length));
#define PARAM_U32(field, member) write_u32(w, p->field);
#define PARAM_GIVEN(field, member) write_u32(w, p->field);
#define PARAM_INNER(field, pointer, shape) write_##shape(w, &p->field);
#define PARAM_THERE(field) write_u32(w, p->field);
#define PARAM_ITEMS(field, array, count, layout) write_items(w, &p->field);
#define PARAMS_END(shape) }
#include "wire/params.def"

/*
 * static bool
 * read_ctr(struct reader *r, struct params_ctr *p)
 * {
 *     return true && read_u32(r, &p->bits) && read_raw(r, 16, &p->block);
 * }
 */
#define PARAMS_PLAIN(shape, max)                                         \
    static bool read_##shape(struct reader *r, struct params_##shape *p) \
    {                                                                    \
        return r->left <= (max) && read_raw(r, r->left, &p->bytes);      \
    }
#define PARAMS(shape, type)                                              \
    static bool read_##shape(struct reader *r, struct params_##shape *p) \
    {                                                                    \
        return true
#define PARAM_BYTES(field, pointer, length, max) && read_bytes(r, max, &p->field)
#define PARAM_BITS(field, pointer, bits, max) && read_bytes(r, max, &p->field)
#define PARAM_ARRAY(field, member, length) && read_raw(r, length, &p->field)
#define PARAM_U32(field, member) && read_u32(r, &p->field)
#define PARAM_GIVEN(field, member) && read_u32(r, &p->field) && p->field <= 1
#define PARAM_INNER(field, pointer, shape) && read_##shape(r, &p->field)
#define PARAM_THERE(field) && read_u32(r, &p->field) && p->field <= 1
#define PARAM_ITEMS(field, array, count, layout) && read_items(r, &p->field)
#define PARAMS_END(shape) \
    ;                     \
    }
#include "wire/params.def"

/* if (shape == PARAMS_gcm && take_gcm_text(m, &taken->params.gcm)) { return true; } */
static bool
take(enum params_shape shape, const CK_MECHANISM *m, struct mechanism *taken)
{
#define PARAMS_ALSO(shape_, name, type)                                     \
    if (shape == PARAMS_##shape_ && take_##name(m, &taken->params.shape_)) { \
        return true;                                                        \
    }
#define PARAMS(shape_, type) PARAMS_ALSO(shape_, shape_, type)
#define PARAMS_PLAIN(shape_, max) PARAMS_ALSO(shape_, shape_, max)
#define PARAMS_ABSENT(shape_)                                                              \
    if (shape == PARAMS_##shape_ && m->pParameter == NULL && m->ulParameterLen == 0) {     \
        return true;                                                                       \
    }
#include "wire/params.def"
    return false;
}

/* case PARAMS_gcm: write_gcm(w, &mechanism->params.gcm); break; */
static void
shape_write(struct writer *w, const struct mechanism *mechanism)
{
    switch (mechanism->shape) {
#define PARAMS_PLAIN(shape, max) PARAMS(shape, max)
#define PARAMS(shape, type)                           \
    case PARAMS_##shape:                              \
        write_##shape(w, &mechanism->params.shape);   \
        break;
#include "wire/params.def"
    }
}

/* case PARAMS_gcm: return read_gcm(r, &mechanism->params.gcm); */
static bool
shape_read(struct reader *r, uint8_t shape, struct mechanism *mechanism)
{
    mechanism->shape = (enum params_shape)shape;
    switch (shape) {
#define PARAMS_PLAIN(shape, max) PARAMS(shape, max)
#define PARAMS(shape, type) \
    case PARAMS_##shape:    \
        return read_##shape(r, &mechanism->params.shape);
#include "wire/params.def"
    default:
        return false;
    }
}

CK_RV
params_take(const struct mechanism_row *row, const CK_MECHANISM *mechanism,
            struct mechanism *ret_mechanism)
{
    struct mechanism taken = { .type = (uint32_t)row->type, .shape = row->params };

    if (!take(row->params, mechanism, &taken)) {
        return CKR_MECHANISM_PARAM_INVALID;
    }
    *ret_mechanism = taken;
    return CKR_OK;
}

void
mechanism_write(struct writer *w, const struct mechanism *mechanism)
{
    write_u32(w, mechanism->type);
    write_u8(w, (uint8_t)mechanism->shape);

    size_t start = w->len;

    write_u32(w, 0);
    shape_write(w, mechanism);
    writer_patch_u32(w, start, (uint32_t)(w->len - start - sizeof(uint32_t)));
}

bool
mechanism_read(struct reader *r, struct mechanism *ret_mechanism)
{
    struct reader next = *r;
    struct mechanism mechanism;
    uint8_t shape;
    view bytes;

    memset(&mechanism, 0, sizeof mechanism);
    if (!read_u32(&next, &mechanism.type) || !read_u8(&next, &shape) ||
        !read_bytes(&next, FRAME_BODY_MAX, &bytes)) {
        return false;
    }

    struct reader inner = reader_of(bytes);

    if (!shape_read(&inner, shape, &mechanism) || !reader_done(&inner)) {
        return false;
    }
    *r = next;
    *ret_mechanism = mechanism;
    return true;
}
