/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages: one small pair of functions per form of field, and the writers and readers of
 * all messages expanded from messages.def.
 */
#include "wire/message.h"

#include <string.h>

#define KEY_INFO_LEN 24u
#define NUMBER_LEN 4u

#define SAID_no false
#define SAID_yes true

/* { OPERATION_SIGN, "SIGN", ACCESS_cu, PORTS_client, REPEAT_repeat, OPERATION_WORK_key, true,
 *   CHANGES_none, NAMES_none, TIE_none, false, PORTS_none } */
#define OPERATION(name, number, access, ports, repeat, work, audit, changes, names, tie, revokes, \
                  unowned)                                                                        \
    { OPERATION_##name, #name, ACCESS_##access, PORTS_##ports, REPEAT_##repeat,                   \
      OPERATION_WORK_##work, SAID_##audit, CHANGES_##changes, NAMES_##names, TIE_##tie,           \
      SAID_##revokes, PORTS_##unowned },
static const struct operation_row rows[] = {
#include "wire/operations.def"
};
#undef OPERATION

/* Where the row of a number is: [52] = ROW_SIGN, which counts from 1. */
enum {
    ROW_NONE,
#define OPERATION(name, ...) ROW_##name,
#include "wire/operations.def"
#undef OPERATION
};
static const uint8_t row_of[] = {
#define OPERATION(name, number, ...) [number] = ROW_##name,
#include "wire/operations.def"
#undef OPERATION
};

const struct operation_row *
operation_row(uint16_t operation)
{
    if (operation >= ARRAY_COUNT(row_of) || row_of[operation] == ROW_NONE) {
        return NULL;
    }
    return &rows[row_of[operation] - 1];
}

const struct operation_row *
operation_rows(size_t *ret_count)
{
    *ret_count = ARRAY_COUNT(rows);
    return rows;
}

/* How many bytes the UTF-8 character at the start takes; 0 when it is none (RFC 3629), or
 * NUL, at which C strings would end. */
static size_t
utf8_len(view text)
{
    static const struct {
        uint8_t mask, mark;
        uint32_t min; /* shorter forms are the only ones */
    } lengths[] = { { 0x80, 0x00, 1 }, { 0xe0, 0xc0, 0x80 }, { 0xf0, 0xe0, 0x800 },
                    { 0xf8, 0xf0, 0x10000 } };

    for (size_t i = 0; i < ARRAY_COUNT(lengths) && i < text.len; i++) {
        uint32_t character = text.data[0] & (uint8_t)~lengths[i].mask;

        if ((text.data[0] & lengths[i].mask) != lengths[i].mark) {
            continue;
        }
        for (size_t k = 1; k <= i; k++) {
            if ((text.data[k] & 0xc0) != 0x80) {
                return 0;
            }
            character = character << 6 | (text.data[k] & 0x3f);
        }
        if (character < lengths[i].min || character > 0x10ffff ||
            (character >= 0xd800 && character <= 0xdfff)) {
            return 0;
        }
        return i + 1;
    }
    return 0;
}

static bool
text_valid(view text)
{
    if (text.len > TEXT_MAX) {
        return false;
    }
    while (text.len > 0) {
        size_t len = utf8_len(text);

        if (len == 0) {
            return false;
        }
        text = view_slice(text, len, text.len);
    }
    return true;
}

/* Forms of fields. */

static void
write_form_u8(struct writer *w, const uint8_t *value)
{
    write_u8(w, *value);
}

static bool
read_form_u8(struct reader *r, uint8_t *ret_value)
{
    return read_u8(r, ret_value);
}

static void
write_form_u32(struct writer *w, const uint32_t *value)
{
    write_u32(w, *value);
}

static bool
read_form_u32(struct reader *r, uint32_t *ret_value)
{
    return read_u32(r, ret_value);
}

static void
write_form_u64(struct writer *w, const uint64_t *value)
{
    write_u64(w, *value);
}

static bool
read_form_u64(struct reader *r, uint64_t *ret_value)
{
    return read_u64(r, ret_value);
}

static void
write_form_flag(struct writer *w, const bool *value)
{
    write_u8(w, *value ? 1 : 0);
}

static bool
read_form_flag(struct reader *r, bool *ret_value)
{
    uint8_t value;

    if (!read_u8(r, &value) || value > 1) {
        return false;
    }
    *ret_value = value == 1;
    return true;
}

static void
write_form_bytes(struct writer *w, const view *value)
{
    write_bytes(w, *value);
}

static bool
read_form_bytes(struct reader *r, view *ret_value)
{
    return read_bytes(r, FRAME_BODY_MAX, ret_value);
}

/* Whoever receives the frame wipes it; to the codec a secret is bytes. */
#define write_form_secret write_form_bytes
#define read_form_secret read_form_bytes

static void
write_form_text(struct writer *w, const view *value)
{
    if (!text_valid(*value)) {
        w->failed = true;
        return;
    }
    write_bytes(w, *value);
}

static bool
read_form_text(struct reader *r, view *ret_value)
{
    return read_bytes(r, TEXT_MAX, ret_value) && text_valid(*ret_value);
}

#define write_form_list write_form_bytes

static bool
read_form_list(struct reader *r, view *ret_value)
{
    return read_bytes(r, ATTRIBUTES_BYTES_MAX, ret_value) && attributes_valid(*ret_value);
}

#define write_form_mech mechanism_write
#define read_form_mech mechanism_read

static void
write_form_infos(struct writer *w, const struct info_array *value)
{
    write_bytes(w, value->bytes);
}

static bool
read_form_infos(struct reader *r, struct info_array *ret_value)
{
    return read_bytes(r, FRAME_BODY_MAX, &ret_value->bytes) &&
           ret_value->bytes.len % KEY_INFO_LEN == 0;
}

static void
write_form_numbers(struct writer *w, const struct number_array *value)
{
    write_bytes(w, value->bytes);
}

static bool
read_form_numbers(struct reader *r, struct number_array *ret_value)
{
    return read_bytes(r, FRAME_BODY_MAX, &ret_value->bytes) &&
           ret_value->bytes.len % NUMBER_LEN == 0;
}

static void
write_form_users(struct writer *w, const struct user_array *value)
{
    write_bytes(w, value->bytes);
}

static bool
read_form_users(struct reader *r, struct user_array *ret_value)
{
    if (!read_bytes(r, FRAME_BODY_MAX, &ret_value->bytes)) {
        return false;
    }

    struct reader users = reader_of(ret_value->bytes);
    struct user_info user;

    while (user_array_next(&users, &user)) {
    }
    return reader_done(&users);
}

static void
write_form_nodes(struct writer *w, const struct node_array *value)
{
    write_bytes(w, value->bytes);
}

static bool
read_form_nodes(struct reader *r, struct node_array *ret_value)
{
    if (!read_bytes(r, FRAME_BODY_MAX, &ret_value->bytes)) {
        return false;
    }

    struct reader nodes = reader_of(ret_value->bytes);
    struct node_info node;

    while (node_array_next(&nodes, &node)) {
    }
    return reader_done(&nodes);
}

static void
write_form_copies(struct writer *w, const struct copy_array *value)
{
    write_bytes(w, value->bytes);
}

static bool
read_form_copies(struct reader *r, struct copy_array *ret_value)
{
    if (!read_bytes(r, FRAME_BODY_MAX, &ret_value->bytes)) {
        return false;
    }

    struct reader copies = reader_of(ret_value->bytes);
    struct copy_info copy;

    while (copy_array_next(&copies, &copy)) {
    }
    return reader_done(&copies);
}

/*
 * void
 * find_reply_write(struct writer *w, const struct find_reply *m)
 * {
 *     UNUSED(w);
 *     UNUSED(m);
 *     write_form_infos(w, &m->found);
 *     write_form_flag(w, &m->more);
 * }
 */
#define MESSAGE(name)                                         \
    void name##_write(struct writer *w, const struct name *m) \
    {                                                         \
        UNUSED(w);                                            \
        UNUSED(m);
#define FIELD(form, name) write_form_##form(w, &m->name);
#define MESSAGE_END(name) }
#include "wire/messages.def"
#undef MESSAGE
#undef FIELD
#undef MESSAGE_END

/*
 * bool
 * find_reply_read(view body, struct find_reply *ret_m)
 * {
 *     struct reader r = reader_of(body);
 *     struct find_reply m;
 *
 *     memset(&m, 0, sizeof m);
 *     if (true && read_form_infos(&r, &m.found) && read_form_flag(&r, &m.more) &&
 *         reader_done(&r)) {
 *         *ret_m = m;
 *         return true;
 *     }
 *     return false;
 * }
 */
#define MESSAGE(name)                              \
    bool name##_read(view body, struct name *ret_m) \
    {                                              \
        struct reader r = reader_of(body);         \
        struct name m;                             \
                                                   \
        memset(&m, 0, sizeof m);                   \
        if (true
#define FIELD(form, name) && read_form_##form(&r, &m.name)
#define MESSAGE_END(name)      \
            && reader_done(&r)) { \
            *ret_m = m;        \
            return true;       \
        }                      \
        return false;          \
    }
#include "wire/messages.def"
#undef MESSAGE
#undef FIELD
#undef MESSAGE_END

void
key_info_write(struct writer *w, const struct key_info *info)
{
    write_u32(w, info->handle);
    write_u32(w, info->class);
    write_u32(w, info->key_type);
    write_u32(w, info->flags);
    write_u32(w, info->bits);
    write_u32(w, info->curve);
}

size_t
info_array_count(struct info_array array)
{
    return array.bytes.len / KEY_INFO_LEN;
}

struct key_info
info_array_get(struct info_array array, size_t i)
{
    const uint8_t *p = array.bytes.data + i * KEY_INFO_LEN;

    return (struct key_info){
        .handle = load_u32(p),
        .class = load_u32(p + 4),
        .key_type = load_u32(p + 8),
        .flags = load_u32(p + 12),
        .bits = load_u32(p + 16),
        .curve = load_u32(p + 20),
    };
}

void
number_write(struct writer *w, uint32_t number)
{
    write_u32(w, number);
}

size_t
number_array_count(struct number_array array)
{
    return array.bytes.len / NUMBER_LEN;
}

uint32_t
number_array_get(struct number_array array, size_t i)
{
    return load_u32(array.bytes.data + i * NUMBER_LEN);
}

void
user_info_write(struct writer *w, const struct user_info *user)
{
    write_u32(w, user->id);
    write_u32(w, user->role);
    write_form_text(w, &user->name);
    write_u32(w, user->failures);
    write_form_flag(w, &user->quorum_key);
    write_form_flag(w, &user->second_factor);
}

bool
user_array_next(struct reader *r, struct user_info *ret_user)
{
    struct reader next = *r;
    struct user_info user;

    if (!read_u32(&next, &user.id) || !read_u32(&next, &user.role) ||
        !read_form_text(&next, &user.name) || !read_u32(&next, &user.failures) ||
        !read_form_flag(&next, &user.quorum_key) || !read_form_flag(&next, &user.second_factor)) {
        return false;
    }
    *r = next;
    *ret_user = user;
    return true;
}

void
node_info_write(struct writer *w, const struct node_info *node)
{
    write_u32(w, node->id);
    write_form_flag(w, &node->present);
    write_form_text(w, &node->serial);
    write_raw(w, node->print);
    write_form_text(w, &node->hostname);
    write_u16(w, node->client_port);
    write_u16(w, node->manage_port);
}

bool
node_array_next(struct reader *r, struct node_info *ret_node)
{
    struct reader next = *r;
    struct node_info node;

    if (!read_u32(&next, &node.id) || !read_form_flag(&next, &node.present) ||
        !read_form_text(&next, &node.serial) || !read_raw(&next, NODE_PRINT_LEN, &node.print) ||
        !read_form_text(&next, &node.hostname) || !read_u16(&next, &node.client_port) ||
        !read_u16(&next, &node.manage_port)) {
        return false;
    }
    *r = next;
    *ret_node = node;
    return true;
}

void
copy_info_write(struct writer *w, const struct copy_info *copy)
{
    write_u32(w, copy->handle);
    write_u32(w, copy->session);
    write_u64(w, copy->version);
    write_bytes(w, copy->sealed);
}

bool
copy_array_next(struct reader *r, struct copy_info *ret_copy)
{
    struct reader next = *r;
    struct copy_info copy;

    if (!read_u32(&next, &copy.handle) || !read_u32(&next, &copy.session) ||
        !read_u64(&next, &copy.version) || !read_bytes(&next, COPY_MAX, &copy.sealed)) {
        return false;
    }
    *r = next;
    *ret_copy = copy;
    return true;
}
