/* SPDX-License-Identifier: Apache-2.0
 *
 * The decoder of SoftHSM2's token files. Lengths are looked at before anything is read by them.
 */
#include "tools/softhsm.h"

#include "tools/host.h"

/* In token.object: CKA_VENDOR_DEFINED + 0x5348, counted on. */
#define TYPE_LABEL 0x80005349u
#define TYPE_USER_PIN 0x8000534du

#define SALT_LEN 8u
#define KEY_LEN 32u
#define MAGIC VIEW_TEXT("RJR")

enum form { IS_BOOL = 1, IS_NUMBER, IS_BYTES, IS_LIST, IS_MECHANISMS };

struct entry {
    uint64_t type;
    uint64_t form;
    uint64_t number; /* of IS_BOOL and IS_NUMBER */
    view bytes;      /* of the others */
};

static bool
read_number(struct reader *r, uint64_t *ret_value)
{
    uint64_t value = 0;
    view bytes;

    if (!read_raw(r, 8, &bytes)) {
        return false;
    }
    for (size_t i = 0; i < 8; i++) {
        value = value << 8 | bytes.data[i];
    }
    *ret_value = value;
    return true;
}

/* The bytes that an entry of that form has after its length or count. */
static bool
read_part(struct reader *r, uint64_t unit, view *ret_bytes)
{
    uint64_t count;

    return read_number(r, &count) && count <= r->left / unit &&
           read_raw(r, (size_t)(count * unit), ret_bytes);
}

static bool
entry_read(struct reader *r, struct entry *ret_entry)
{
    struct entry entry = { .number = 0 };
    uint8_t flag;

    if (!read_number(r, &entry.type) || !read_number(r, &entry.form)) {
        return false;
    }
    switch (entry.form) {
    case IS_BOOL:
        if (!read_u8(r, &flag)) {
            return false;
        }
        entry.number = flag != 0;
        break;
    case IS_NUMBER:
        if (!read_number(r, &entry.number)) {
            return false;
        }
        break;
    case IS_BYTES:
    case IS_LIST:
        if (!read_part(r, 1, &entry.bytes)) {
            return false;
        }
        break;
    case IS_MECHANISMS:
        if (!read_part(r, 8, &entry.bytes)) {
            return false;
        }
        break;
    default:
        return false;
    }
    *ret_entry = entry;
    return true;
}

/* The first entry of that type, in a file that reads as one to its end. */
static bool
file_find(view file, uint64_t type, struct entry *ret_entry)
{
    struct reader r = reader_of(file);
    struct entry entry;
    uint64_t generation;
    bool found = false;

    if (!read_number(&r, &generation)) {
        return false;
    }
    while (!reader_done(&r)) {
        if (!entry_read(&r, &entry)) {
            return false;
        }
        if (entry.type == type && !found) {
            *ret_entry = entry;
            found = true;
        }
    }
    return found;
}

bool
softhsm_label(view token_object, view *ret_label)
{
    struct entry entry;

    if (!file_find(token_object, TYPE_LABEL, &entry) || entry.form != IS_BYTES) {
        return false;
    }
    while (entry.bytes.len > 0 && entry.bytes.data[entry.bytes.len - 1] == ' ') {
        entry.bytes.len--;
    }
    *ret_label = entry.bytes;
    return true;
}

/* ---- what is encrypted ---- */

struct secret *
softhsm_key(view token_object, view pin)
{
    struct secret *key = NULL;
    struct writer plain;
    struct entry entry;
    uint8_t derived[KEY_LEN];

    if (!file_find(token_object, TYPE_USER_PIN, &entry) || entry.form != IS_BYTES ||
        entry.bytes.len <= SALT_LEN || pin.len == 0) {
        return NULL;
    }
    writer_init(&plain, SOFTHSM_FILE_MAX);
    if (host_softhsm_key(view_slice(entry.bytes, 0, SALT_LEN), pin, derived) &&
        host_softhsm_open(view_of(derived, sizeof derived),
                 view_slice(entry.bytes, SALT_LEN, entry.bytes.len), &plain) &&
        plain.len == MAGIC.len + KEY_LEN &&
        view_equal(view_slice(writer_view(&plain), 0, MAGIC.len), MAGIC)) {
        key = secret_dup(view_slice(writer_view(&plain), MAGIC.len, KEY_LEN));
    }
    wipe(derived, sizeof derived);
    writer_clear(&plain);
    return key;
}

/* ---- objects ---- */

/* Numbers that stand for "not known" are of the platform's width there. */
static bool
number_is_known(uint64_t number)
{
    return number != UINT64_MAX && number != UINT32_MAX;
}

static void
mechanisms_write(struct writer *out, CK_ATTRIBUTE_TYPE type, view bytes)
{
    struct reader r = reader_of(bytes);
    struct writer list;
    uint64_t mechanism;

    writer_init(&list, ATTRIBUTES_BYTES_MAX);
    while (read_number(&r, &mechanism)) {
        write_u64(&list, mechanism);
    }
    attribute_write(out, type, writer_view(&list));
    out->failed = out->failed || !writer_ok(&list);
    writer_clear(&list);
}

static enum softhsm_result entries_convert(struct reader r, view key, unsigned depth,
                                           struct writer *out, struct softhsm_left *left);

static enum softhsm_result
list_convert(const struct entry *entry, unsigned depth, struct writer *out,
             struct softhsm_left *left)
{
    struct writer list;
    enum softhsm_result result = SOFTHSM_DAMAGED;

    if (depth == ATTRIBUTES_DEPTH_MAX) {
        return SOFTHSM_DAMAGED;
    }
    writer_init(&list, ATTRIBUTES_BYTES_MAX);
    result = entries_convert(reader_of(entry->bytes), VIEW_EMPTY, depth + 1, &list, left);
    if (result == SOFTHSM_READ && writer_ok(&list)) {
        attribute_write(out, entry->type, writer_view(&list));
    } else {
        result = result == SOFTHSM_READ ? SOFTHSM_DAMAGED : result;
    }
    writer_clear(&list);
    return result;
}

static enum softhsm_result
bytes_convert(const struct entry *entry, view key, struct writer *out)
{
    struct writer plain;
    bool opened;

    if (key.len == 0 || entry->bytes.len == 0) {
        attribute_write(out, entry->type, entry->bytes);
        return SOFTHSM_READ;
    }
    writer_init(&plain, SOFTHSM_FILE_MAX);
    opened = host_softhsm_open(key, entry->bytes, &plain);
    if (opened) {
        attribute_write(out, entry->type, writer_view(&plain));
    }
    writer_clear(&plain);
    return opened ? SOFTHSM_READ : SOFTHSM_LOCKED;
}

static bool
form_fits(enum attribute_form form, uint64_t entry)
{
    switch (form) {
    case FORM_BOOL:
        return entry == IS_BOOL;
    case FORM_ULONG:
        return entry == IS_NUMBER;
    case FORM_MECHANISMS:
        return entry == IS_MECHANISMS;
    case FORM_TEMPLATE:
        return entry == IS_LIST;
    default:
        return entry == IS_BYTES;
    }
}

static enum softhsm_result
entry_convert(const struct entry *entry, view key, unsigned depth, struct writer *out,
              struct softhsm_left *left)
{
    const struct attribute_row *row = attribute_row((CK_ATTRIBUTE_TYPE)entry->type);

    if (row == NULL || row->type != entry->type || !form_fits(row->form, entry->form)) {
        if (left->count < SOFTHSM_LEFT_MAX) {
            left->types[left->count] = entry->type;
        }
        left->count++;
        return SOFTHSM_READ;
    }
    switch (entry->form) {
    case IS_BOOL:
        attribute_write_bool(out, row->type, entry->number != 0);
        return SOFTHSM_READ;
    case IS_NUMBER:
        if (number_is_known(entry->number)) {
            attribute_write_ulong(out, row->type, entry->number);
        }
        return SOFTHSM_READ;
    case IS_MECHANISMS:
        if (entry->bytes.len > 0) { /* none stands for all, there */
            mechanisms_write(out, row->type, entry->bytes);
        }
        return SOFTHSM_READ;
    case IS_LIST:
        return entry->bytes.len == 0 ? SOFTHSM_READ : list_convert(entry, depth, out, left);
    default:
        return bytes_convert(entry, key, out);
    }
}

static enum softhsm_result
entries_convert(struct reader r, view key, unsigned depth, struct writer *out,
                struct softhsm_left *left)
{
    enum softhsm_result result = SOFTHSM_READ;
    struct entry entry;

    while (result == SOFTHSM_READ && !reader_done(&r)) {
        result = entry_read(&r, &entry) ? entry_convert(&entry, key, depth, out, left)
                                        : SOFTHSM_DAMAGED;
    }
    return result;
}

enum softhsm_result
softhsm_object(view file, view key, struct writer *out, struct softhsm_left *ret_left)
{
    struct reader r = reader_of(file);
    struct softhsm_left left = { .count = 0 };
    const size_t start = out->len;
    enum softhsm_result result;
    struct entry private;
    uint64_t generation;

    if (file.len > SOFTHSM_FILE_MAX || !file_find(file, CKA_PRIVATE, &private) ||
        private.form != IS_BOOL || !read_number(&r, &generation)) {
        return SOFTHSM_DAMAGED;
    }
    result = entries_convert(r, private.number != 0 ? key : VIEW_EMPTY, 0, out, &left);
    if (result == SOFTHSM_READ &&
        (!writer_ok(out) ||
         !attributes_valid(view_slice(writer_view(out), start, out->len - start)))) {
        result = SOFTHSM_DAMAGED;
    }
    if (result == SOFTHSM_READ) {
        *ret_left = left;
    } else {
        writer_truncate(out, start);
    }
    return result;
}
