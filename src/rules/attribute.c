/* SPDX-License-Identifier: Apache-2.0
 *
 * The rows of attributes, and attribute lists as bytes. A list that came from a peer is
 * judged once, by attributes_valid(); after that stepping through it cannot go wrong.
 */
#include "rules/attribute.h"

#include "rules/key.h"

/* Lengths that stand for "no value" in replies to a read; over every cap, so never lengths. */
#define LENGTH_SENSITIVE 0xfffffffeu
#define LENGTH_UNKNOWN 0xffffffffu
#define HEAD_LEN (2 * sizeof(uint32_t)) /* type and length */

/* { CKA_TOKEN, "CKA_TOKEN", FORM_BOOL, KEY_FLAG_TOKEN } */
#define ATTRIBUTE(name, form, flag) { CKA_##name, "CKA_" #name, FORM_##form, flag },
#define USE(name, kinds, create, generate, unwrap, secret, standard, azure)
static const struct attribute_row rows[] = {
#include "rules/attributes.def"
};
#undef ATTRIBUTE
#undef USE

const struct attribute_row *
attribute_row(CK_ATTRIBUTE_TYPE type)
{
    size_t low = 0;
    size_t high = ARRAY_COUNT(rows);

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (rows[middle].type == type) {
            return &rows[middle];
        }
        if (rows[middle].type < type) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

const struct attribute_row *
attribute_rows(size_t *ret_count)
{
    *ret_count = ARRAY_COUNT(rows);
    return rows;
}

/* What every request with a template spends its time on: without a call for each number. */
bool
attributes_next(struct reader *r, struct attribute *ret_attribute)
{
    struct attribute attribute = { .value = VIEW_EMPTY, .status = ATTRIBUTE_PRESENT };
    uint32_t len;

    if (r->left < HEAD_LEN) {
        return false;
    }
    attribute.type = load_u32(r->next);
    len = load_u32(r->next + sizeof attribute.type);
    if (len == LENGTH_SENSITIVE) {
        attribute.status = ATTRIBUTE_SENSITIVE;
    } else if (len == LENGTH_UNKNOWN) {
        attribute.status = ATTRIBUTE_UNKNOWN;
    } else if (len > r->left - HEAD_LEN) {
        return false;
    } else {
        attribute.value = view_of(r->next + HEAD_LEN, len);
    }
    r->next += HEAD_LEN + attribute.value.len;
    r->left -= HEAD_LEN + attribute.value.len;
    *ret_attribute = attribute;
    return true;
}

static bool
list_valid(view list, unsigned depth)
{
    struct reader r = reader_of(list);
    struct attribute attribute;
    size_t count = 0;

    if (depth > ATTRIBUTES_DEPTH_MAX || list.len > ATTRIBUTES_BYTES_MAX) {
        return false;
    }
    while (attributes_next(&r, &attribute)) {
        const struct attribute_row *row = attribute_row(attribute.type);

        if (++count > ATTRIBUTES_MAX) {
            return false;
        }
        if (row != NULL && row->form == FORM_TEMPLATE && !list_valid(attribute.value, depth + 1)) {
            return false;
        }
    }
    return reader_done(&r);
}

bool
attributes_valid(view list)
{
    return list_valid(list, 0);
}

bool
attributes_find(view list, CK_ATTRIBUTE_TYPE type, view *ret_value)
{
    struct reader r = reader_of(list);
    struct attribute attribute;

    while (attributes_next(&r, &attribute)) {
        if (attribute.type == type && attribute.status == ATTRIBUTE_PRESENT) {
            *ret_value = attribute.value;
            return true;
        }
    }
    return false;
}

bool
attributes_bool(view list, CK_ATTRIBUTE_TYPE type, bool *ret_value)
{
    view value;

    if (!attributes_find(list, type, &value) || value.len != 1) {
        return false;
    }
    *ret_value = value.data[0] != 0;
    return true;
}

bool
attributes_ulong(view list, CK_ATTRIBUTE_TYPE type, uint64_t *ret_value)
{
    view value;

    if (!attributes_find(list, type, &value) || value.len != sizeof *ret_value) {
        return false;
    }
    *ret_value = load_u64(value.data);
    return true;
}

size_t
attributes_count(view list)
{
    struct reader r = reader_of(list);
    struct attribute attribute;
    size_t count = 0;

    while (attributes_next(&r, &attribute)) {
        count++;
    }
    return count;
}

/* Type and length; a type or length that the list cannot hold fails the writer. */
static void
head_write(struct writer *w, CK_ATTRIBUTE_TYPE type, uint32_t len)
{
    if (type > UINT32_MAX) {
        w->failed = true;
        return;
    }
    write_u32(w, (uint32_t)type);
    write_u32(w, len);
}

void
attribute_write(struct writer *w, CK_ATTRIBUTE_TYPE type, view value)
{
    if (value.len > ATTRIBUTES_BYTES_MAX) {
        w->failed = true;
        return;
    }
    head_write(w, type, (uint32_t)value.len);
    write_raw(w, value);
}

void
attribute_write_bool(struct writer *w, CK_ATTRIBUTE_TYPE type, bool value)
{
    head_write(w, type, 1);
    write_u8(w, value ? CK_TRUE : CK_FALSE);
}

void
attribute_write_ulong(struct writer *w, CK_ATTRIBUTE_TYPE type, uint64_t value)
{
    head_write(w, type, sizeof value);
    write_u64(w, value);
}

void
attribute_write_status(struct writer *w, CK_ATTRIBUTE_TYPE type, int status)
{
    head_write(w, type, status == ATTRIBUTE_SENSITIVE ? LENGTH_SENSITIVE : LENGTH_UNKNOWN);
}

void
attributes_merge(view current, view changes, struct writer *out)
{
    struct reader r = reader_of(current);
    struct attribute attribute;
    view value;

    while (attributes_next(&r, &attribute)) {
        bool changed = attributes_find(changes, attribute.type, &value);

        attribute_write(out, attribute.type, changed ? value : attribute.value);
    }
    r = reader_of(changes);
    while (attributes_next(&r, &attribute)) {
        if (!attributes_find(writer_view(out), attribute.type, &value)) {
            attribute_write(out, attribute.type, attribute.value);
        }
    }
}
