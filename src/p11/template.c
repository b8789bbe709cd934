/* SPDX-License-Identifier: Apache-2.0
 *
 * Conversions by the form that attributes.def gives each attribute. Values may lie anywhere:
 * they are copied, never cast.
 */
#include "p11/template.h"

#include <string.h>

#define HEAD_LEN 8u /* of an attribute in a list */

/* ---- to lists ---- */

static CK_RV take_list(const void *attributes, CK_ULONG count, unsigned depth, struct writer *w);

/* An array of CK_ULONG as numbers of eight bytes. */
static CK_RV
take_numbers(const CK_ATTRIBUTE *attribute, struct writer *w)
{
    const uint8_t *from = attribute->pValue;
    CK_ULONG number;

    if (attribute->ulValueLen % sizeof number != 0) {
        return CKR_ATTRIBUTE_VALUE_INVALID;
    }
    for (size_t at = 0; at < attribute->ulValueLen; at += sizeof number) {
        memcpy(&number, from + at, sizeof number);
        write_u64(w, number);
    }
    return CKR_OK;
}

static CK_RV
take_value(enum attribute_form form, const CK_ATTRIBUTE *attribute, unsigned depth,
           struct writer *w)
{
    CK_ULONG len = attribute->ulValueLen;

    switch (form) {
    case FORM_BOOL:
        if (len != sizeof(CK_BBOOL)) {
            return CKR_ATTRIBUTE_VALUE_INVALID;
        }
        break;
    case FORM_ULONG:
        return len == sizeof(CK_ULONG) ? take_numbers(attribute, w) : CKR_ATTRIBUTE_VALUE_INVALID;
    case FORM_MECHANISMS:
        return take_numbers(attribute, w);
    case FORM_TEMPLATE:
        if (len % sizeof(CK_ATTRIBUTE) != 0) {
            return CKR_ATTRIBUTE_VALUE_INVALID;
        }
        return take_list(attribute->pValue, len / sizeof(CK_ATTRIBUTE), depth + 1, w);
    default:
        break;
    }
    write_raw(w, view_of(attribute->pValue, len));
    return CKR_OK;
}

static CK_RV
take_attribute(const CK_ATTRIBUTE *attribute, unsigned depth, struct writer *w)
{
    const struct attribute_row *row = attribute_row(attribute->type);
    size_t start = w->len;
    CK_RV rv;

    if (attribute->type > UINT32_MAX) {
        return CKR_ATTRIBUTE_TYPE_INVALID;
    }
    if (attribute->ulValueLen > ATTRIBUTES_BYTES_MAX - HEAD_LEN ||
        start > ATTRIBUTES_BYTES_MAX - HEAD_LEN - attribute->ulValueLen ||
        (attribute->pValue == NULL && attribute->ulValueLen > 0)) {
        return CKR_ATTRIBUTE_VALUE_INVALID;
    }
    write_u32(w, (uint32_t)attribute->type);
    write_u32(w, 0);
    rv = take_value(row == NULL ? FORM_BYTES : row->form, attribute, depth, w);
    if (rv == CKR_OK && writer_ok(w)) {
        writer_patch_u32(w, start + 4, (uint32_t)(w->len - start - HEAD_LEN));
    }
    return rv;
}

static CK_RV
take_list(const void *attributes, CK_ULONG count, unsigned depth, struct writer *w)
{
    const uint8_t *from = attributes;
    CK_RV rv = CKR_OK;

    if (depth > ATTRIBUTES_DEPTH_MAX || count > ATTRIBUTES_MAX) {
        return depth == 0 ? CKR_ARGUMENTS_BAD : CKR_ATTRIBUTE_VALUE_INVALID;
    }
    for (CK_ULONG i = 0; i < count && rv == CKR_OK; i++) {
        CK_ATTRIBUTE attribute;

        memcpy(&attribute, from + i * sizeof attribute, sizeof attribute);
        rv = take_attribute(&attribute, depth, w);
    }
    return rv;
}

CK_RV
template_take(const CK_ATTRIBUTE *attributes, CK_ULONG count, struct writer *w)
{
    CK_RV rv;

    if (attributes == NULL && count > 0) {
        return CKR_ARGUMENTS_BAD;
    }
    rv = take_list(attributes, count, 0, w);
    if (rv == CKR_OK && !writer_ok(w)) {
        /* The numbers of a platform with short longs grow; else memory is short. */
        rv = w->max - w->len < HEAD_LEN ? CKR_ATTRIBUTE_VALUE_INVALID : CKR_HOST_MEMORY;
    }
    return rv;
}

/* ---- from lists ---- */

static CK_RV
give_none(CK_ATTRIBUTE *to, CK_RV rv)
{
    to->ulValueLen = CK_UNAVAILABLE_INFORMATION;
    return rv;
}

/* True when there is room to write; else *ret_rv is the answer: a length, or none. */
static bool
give_room(CK_ATTRIBUTE *to, size_t len, CK_RV *ret_rv)
{
    if (to->pValue != NULL && to->ulValueLen < len) {
        *ret_rv = give_none(to, CKR_BUFFER_TOO_SMALL);
        return false;
    }
    to->ulValueLen = len;
    *ret_rv = CKR_OK;
    return to->pValue != NULL;
}

static CK_RV
give_bytes(view value, CK_ATTRIBUTE *to)
{
    CK_RV rv;

    if (give_room(to, value.len, &rv) && value.len > 0) {
        memcpy(to->pValue, value.data, value.len);
    }
    return rv;
}

static CK_RV
give_numbers(view value, CK_ATTRIBUTE *to)
{
    size_t count = value.len / sizeof(uint64_t);
    uint8_t *out = to->pValue;
    CK_RV rv;

    if (give_room(to, count * sizeof(CK_ULONG), &rv)) {
        for (size_t i = 0; i < count; i++) {
            CK_ULONG number = (CK_ULONG)load_u64(value.data + i * sizeof(uint64_t));

            memcpy(out + i * sizeof number, &number, sizeof number);
        }
    }
    return rv;
}

static bool
is_template(CK_ATTRIBUTE_TYPE type)
{
    const struct attribute_row *row = attribute_row(type);

    return row != NULL && row->form == FORM_TEMPLATE;
}

/* The outer buffer is an array of CK_ATTRIBUTE whose pointers are the application's; types
 * are output too. One that is too short anywhere makes BUFFER_TOO_SMALL. That a buffer holds
 * pointers again, the application has to have said itself, by its type: otherwise the HSM could
 * have us write to wherever bytes in it point. */
static CK_RV
give_list(view list, CK_ATTRIBUTE *to)
{
    struct reader r = reader_of(list);
    struct attribute attribute;
    uint8_t *out = to->pValue;
    CK_RV result;

    if (!give_room(to, attributes_count(list) * sizeof(CK_ATTRIBUTE), &result)) {
        return result;
    }
    while (attributes_next(&r, &attribute)) {
        CK_ATTRIBUTE inner;

        memcpy(&inner, out, sizeof inner);
        if (is_template(attribute.type) && inner.type != attribute.type && inner.pValue != NULL) {
            result = return_first(result, give_none(&inner, CKR_ATTRIBUTE_TYPE_INVALID));
        } else {
            result = return_first(result, template_give(&attribute, &inner));
        }
        inner.type = attribute.type;
        memcpy(out, &inner, sizeof inner);
        out += sizeof inner;
    }
    return result;
}

CK_RV
template_give(const struct attribute *from, CK_ATTRIBUTE *to)
{
    const struct attribute_row *row = attribute_row(from->type);

    if (from->status == ATTRIBUTE_SENSITIVE) {
        return give_none(to, CKR_ATTRIBUTE_SENSITIVE);
    }
    if (from->status == ATTRIBUTE_UNKNOWN || row == NULL) {
        return give_none(to, CKR_ATTRIBUTE_TYPE_INVALID);
    }
    switch (row->form) {
    case FORM_ULONG:
    case FORM_MECHANISMS:
        return give_numbers(from->value, to);
    case FORM_TEMPLATE:
        return give_list(from->value, to);
    default:
        return give_bytes(from->value, to);
    }
}

bool
template_is_token(view list)
{
    bool token = false;

    return attributes_bool(list, CKA_TOKEN, &token) && token;
}
