/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_mgmt_util: keys, whose they are, and their attributes.
 */
#include "tools/mgmt.h"

#include "crypto/algo.h"
#include "rules/rules.h"
#include "tools/attribute_name.h"
#include "tools/console.h"
#include "tools/file.h"
#include "wire/role.h"

#include <stdarg.h>
#include <string.h>

#define PRINT_MAX (16u * 1024u * 1024u)
#define KIND_SHARED 2u

/* ---- attributes by number ---- */

/* NULL with a line on stderr. */
static const struct attribute_name *
name_wanted(uint32_t number)
{
    const struct attribute_name *row = attribute_name(number);

    if (row == NULL) {
        fprintf(stderr, "there is no attribute %u; listAttributes has the numbers\n",
                (unsigned)number);
    }
    return row;
}

enum status
mgmt_list_attributes(void *tool, const struct values *values)
{
    json_t *list = values_given(values, "--json") ? json_array() : NULL;

    UNUSED(tool);
    for (size_t i = 0; i < ATTRIBUTE_NAMES; i++) {
        if (list != NULL) {
            json_array_append_new(list, json_pack("{s:I,s:s}", "number",
                                                  (json_int_t)attribute_names[i].number, "name",
                                                  attribute_names[i].name));
        } else {
            printf("    %-28s = %u\n", attribute_names[i].name, (unsigned)attribute_names[i].number);
        }
    }
    if (list != NULL) {
        json_dumpf(list, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(list);
    }
    return STATUS_DONE;
}

static void PRINTF(2, 3)
text_add(struct writer *text, const char *format, ...)
{
    char line[512];
    va_list arguments;
    int len;

    va_start(arguments, format);
    len = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    write_raw(text, view_of(line, len < 0 ? 0 : size_min((size_t)len, sizeof line - 1)));
}

/* To standard output, and to a file that was named. */
static bool
text_put(const struct writer *text, const char *file)
{
    view bytes = writer_view(text);

    fwrite(bytes.data, 1, bytes.len, stdout);
    return writer_ok(text) && (file == NULL || file_write_shared(file, bytes));
}

/* ---- lists ---- */

static CK_RV
found_page(struct mgmt_server *server, struct key_list_request *request, struct mgmt_keys *found,
           bool *ret_more)
{
    struct key_list_reply reply;
    struct writer body;
    view bytes;
    size_t count;
    CK_RV rv;

    writer_init(&body, MGMT_BODY_MAX);
    key_list_request_write(&body, request);
    rv = mgmt_call(server, OPERATION_KEY_LIST, &body, &bytes);
    writer_clear(&body);
    if (rv != CKR_OK) {
        return rv;
    }
    if (!key_list_reply_read(bytes, &reply)) {
        return CKR_DEVICE_ERROR;
    }
    count = number_array_count(reply.handles);
    if (reply.kinds.len != count || number_array_count(reply.versions) != count ||
        (reply.more && count == 0)) {
        return CKR_DEVICE_ERROR;
    }
    for (size_t i = 0; i < count; i++) {
        const uint32_t handle = number_array_get(reply.handles, i);

        if (handle <= request->after) {
            return CKR_DEVICE_ERROR; /* they rise, or there is no end */
        }
        write_u32(&found->handles, handle);
        write_u32(&found->versions, number_array_get(reply.versions, i));
        request->after = handle;
    }
    write_raw(&found->kinds, reply.kinds);
    found->count += (uint32_t)count;
    *ret_more = reply.more;
    return CKR_OK;
}

static void
keys_begin(struct mgmt_keys *keys)
{
    *keys = (struct mgmt_keys){ .count = 0 };
    writer_init(&keys->handles, PRINT_MAX);
    writer_init(&keys->kinds, PRINT_MAX);
    writer_init(&keys->versions, PRINT_MAX);
}

static bool
keys_ok(const struct mgmt_keys *keys)
{
    return writer_ok(&keys->handles) && writer_ok(&keys->versions) && writer_ok(&keys->kinds);
}

CK_RV
mgmt_keys_fetch(struct mgmt_server *server, uint32_t user, struct mgmt_keys *keys)
{
    struct key_list_request request = { .user = user };
    bool more = true;
    CK_RV rv = CKR_OK;

    keys_begin(keys);
    while (rv == CKR_OK && more) {
        rv = found_page(server, &request, keys, &more);
    }
    return rv == CKR_OK && !keys_ok(keys) ? CKR_HOST_MEMORY : rv;
}

CK_RV
mgmt_key_version(struct mgmt_server *server, uint32_t handle, uint32_t *ret_version)
{
    struct key_list_request request = { .after = handle - 1, .max = 1 };
    struct mgmt_keys keys;
    bool more;
    CK_RV rv;

    keys_begin(&keys);
    rv = found_page(server, &request, &keys, &more);
    if (rv == CKR_OK && !keys_ok(&keys)) {
        rv = CKR_HOST_MEMORY;
    }
    if (rv == CKR_OK && (keys.count == 0 || load_u32(keys.handles.data) != handle)) {
        rv = CKR_OBJECT_HANDLE_INVALID;
    }
    if (rv == CKR_OK) {
        *ret_version = load_u32(keys.versions.data);
    }
    mgmt_keys_clear(&keys);
    return rv;
}

void
mgmt_keys_clear(struct mgmt_keys *keys)
{
    writer_clear(&keys->handles);
    writer_clear(&keys->kinds);
    writer_clear(&keys->versions);
}

/* Over handles and how often each was changed: the same on servers with the same keys. */
static void
found_hash(const struct mgmt_keys *found, char text[65])
{
    uint8_t both[64];

    if (!algo_sha256(writer_view(&found->handles), both) ||
        !algo_sha256(writer_view(&found->versions), both + 32) ||
        !algo_sha256(view_of(both, sizeof both), both)) {
        memset(both, 0, sizeof both);
    }
    hex_encode(view_of(both, 32), text);
}

static bool
found_print(const struct mgmt_server *server, const struct mgmt_keys *found, bool hash,
            const char *file)
{
    struct writer text;
    char hex[65];
    bool put;

    writer_init(&text, PRINT_MAX);
    text_add(&text,
             "Keys on server %u(%s):\nNumber of keys found %u\n"
             "number of keys matched from start index 0::%u\n",
             server->number, server->settings->hostname, (unsigned)found->count,
             (unsigned)found->count);
    for (uint32_t i = 0; i < found->count; i++) {
        text_add(&text, "%s%u(%c)", i == 0 ? "" : ", ",
                 (unsigned)load_u32(found->handles.data + 4 * (size_t)i),
                 found->kinds.data[i] == KIND_SHARED ? 's' : 'o');
    }
    text_add(&text, "\n");
    if (hash) {
        found_hash(found, hex);
        text_add(&text, "Key Hash:\n%s\n", hex);
    }
    put = text_put(&text, file);
    writer_clear(&text);
    return put;
}

static json_t *
found_json(const struct mgmt_server *server, const struct mgmt_keys *found)
{
    json_t *entry = mgmt_json_server(server);
    json_t *keys = json_array();
    char hex[65];

    for (uint32_t i = 0; i < found->count; i++) {
        json_array_append_new(
            keys, json_pack("{s:I,s:b}", "handle",
                            (json_int_t)load_u32(found->handles.data + 4 * (size_t)i), "shared",
                            found->kinds.data[i] == KIND_SHARED));
    }
    found_hash(found, hex);
    json_object_set_new(entry, "keys", keys);
    json_object_set_new(entry, "hash", json_string(hex));
    return entry;
}

enum status
mgmt_find_all_keys(void *tool, const struct values *values)
{
    struct mgmt *mgmt = tool;
    json_t *list = values_given(values, "--json") ? json_array() : NULL;
    enum status status = STATUS_DONE;

    for (struct mgmt_server *server = NULL; (server = mgmt_next(mgmt, server)) != NULL;) {
        struct mgmt_keys found;
        CK_RV rv = mgmt_keys_fetch(server, values_number(values, "user", 0), &found);

        if (rv != CKR_OK) {
            mgmt_failed("findAllKeys", "finding keys", server, rv);
            status = STATUS_REFUSED;
        } else if (list != NULL) {
            json_array_append_new(list, found_json(server, &found));
        } else if (!found_print(server, &found, values_number(values, "hash", 0) == 1,
                                values_text(values, "file"))) {
            status = STATUS_REFUSED;
        } else {
            printf("findAllKeys success on server %u(%s)\n", server->number,
                   server->settings->hostname);
        }
        mgmt_keys_clear(&found);
    }
    return list != NULL ? mgmt_json_print(list, status) : status;
}

/* ---- one key ---- */

/* The whole of it: body is kept by the connection until the next call. */
static CK_RV
key_look(struct mgmt_server *server, uint32_t handle, struct key_look_reply *ret_reply)
{
    struct key_look_request request = { .object = handle };
    struct writer types, body;
    view bytes;
    CK_RV rv;

    writer_init(&types, sizeof attribute_names);
    writer_init(&body, MGMT_BODY_MAX);
    for (size_t i = 0; i < ATTRIBUTE_NAMES; i++) {
        if (attribute_names[i].number != ATTRIBUTE_ALL) {
            number_write(&types, (uint32_t)attribute_names[i].type);
        }
    }
    request.types.bytes = writer_view(&types);
    key_look_request_write(&body, &request);
    rv = mgmt_call(server, OPERATION_KEY_LOOK, &body, &bytes);
    if (rv == CKR_OK && !key_look_reply_read(bytes, ret_reply)) {
        rv = CKR_DEVICE_ERROR;
    }
    writer_clear(&body);
    writer_clear(&types);
    return rv;
}

static bool
info_print(const struct key_look_reply *key, const char *file)
{
    const size_t count = number_array_count(key->shared);
    struct writer text;
    bool put;

    writer_init(&text, PRINT_MAX);
    text_add(&text, "Token/Flash Key,\n\nOwned by user %u\n", (unsigned)key->owner);
    if (count > 0) {
        text_add(&text, "\nalso, shared to following %zu user(s):\n\n\t", count);
        for (size_t i = 0; i < count; i++) {
            text_add(&text, "%s%u", i == 0 ? "" : ", ",
                     (unsigned)number_array_get(key->shared, i));
        }
        text_add(&text, "\n");
    }
    put = text_put(&text, file);
    writer_clear(&text);
    return put;
}

static json_t *
info_json(const struct mgmt_server *server, const struct key_look_reply *key)
{
    json_t *entry = mgmt_json_server(server);
    json_t *shared = json_array();

    for (size_t i = 0; i < number_array_count(key->shared); i++) {
        json_array_append_new(shared, json_integer(number_array_get(key->shared, i)));
    }
    json_object_set_new(entry, "owner", json_integer(key->owner));
    json_object_set_new(entry, "shared", shared);
    return entry;
}

enum status
mgmt_key_info(void *tool, const struct values *values)
{
    struct mgmt *mgmt = tool;
    json_t *list = values_given(values, "--json") ? json_array() : NULL;
    enum status status = STATUS_DONE;

    for (struct mgmt_server *server = NULL; (server = mgmt_next(mgmt, server)) != NULL;) {
        struct key_look_reply key;
        CK_RV rv = key_look(server, values_number(values, "handle", 0), &key);

        if (rv != CKR_OK) {
            mgmt_failed("getKeyInfo", "getting key info", server, rv);
            status = STATUS_REFUSED;
        } else if (list != NULL) {
            json_array_append_new(list, info_json(server, &key));
        } else if (!info_print(&key, values_text(values, "file"))) {
            status = STATUS_REFUSED;
        } else {
            printf("getKeyInfo success on server %u(%s)\n", server->number,
                   server->settings->hostname);
        }
    }
    return list != NULL ? mgmt_json_print(list, status) : status;
}

/* Those of the number, or all; *ret_any: was there one? */
static void
attributes_add(struct writer *text, uint32_t number, view list, bool *ret_any)
{
    for (size_t i = 0; i < ATTRIBUTE_NAMES; i++) {
        const struct attribute_name *row = &attribute_names[i];
        char hex[3];
        view value;

        if ((number != ATTRIBUTE_ALL && row->number != number) || row->number == ATTRIBUTE_ALL ||
            !attributes_find(list, row->type, &value)) {
            continue;
        }
        *ret_any = true;
        text_add(text, "%s\n", row->name);
        if (row->show == SHOW_TEXT) {
            write_raw(text, value);
        } else if (row->show == SHOW_BYTES) {
            text_add(text, "0x");
            for (size_t k = 0; k < value.len; k++) {
                hex_encode(view_slice(value, k, 1), hex);
                text_add(text, "%s", hex);
            }
        } else {
            text_add(text, "0x%08llx",
                     (unsigned long long)(value.len == 8   ? load_u64(value.data)
                                          : value.len == 1 ? value.data[0]
                                                           : 0));
        }
        text_add(text, "\n");
    }
}

enum status
mgmt_get_attribute(void *tool, const struct values *values)
{
    struct mgmt *mgmt = tool;
    const uint32_t number = values_number(values, "attribute", 0);
    enum status status = STATUS_DONE;

    if (name_wanted(number) == NULL) {
        return STATUS_MISUSED;
    }
    for (struct mgmt_server *server = NULL; (server = mgmt_next(mgmt, server)) != NULL;) {
        struct key_look_reply key;
        struct writer text;
        bool any = false;
        CK_RV rv = key_look(server, values_number(values, "handle", 0), &key);

        writer_init(&text, PRINT_MAX);
        if (rv == CKR_OK) {
            text_add(&text, "Attribute Value on server %u(%s):\n", server->number,
                     server->settings->hostname);
            attributes_add(&text, number, key.attributes, &any);
            rv = any ? CKR_OK : CKR_ATTRIBUTE_TYPE_INVALID;
        }
        if (rv != CKR_OK) {
            mgmt_failed("getAttribute", "getting attribute", server, rv);
            status = STATUS_REFUSED;
        } else if (!text_put(&text, values_text(values, "file"))) {
            status = STATUS_REFUSED;
        }
        writer_clear(&text);
    }
    return status;
}

/* ---- changes ---- */

enum status
mgmt_share_key(void *tool, const struct values *values)
{
    const struct key_share_request request = {
        .object = values_number(values, "handle", 0),
        .user = values_number(values, "user", 0),
        .share = values_number(values, "share", 0) == 1,
    };
    const struct mgmt_step step = { .command = "shareKey",
                                    .act = "sharing key",
                                    .operation = OPERATION_KEY_SHARE,
                                    .ask = ASK_ABORT };
    struct writer body;

    writer_init(&body, MGMT_BODY_MAX);
    key_share_request_write(&body, &request);
    return mgmt_change(tool, &step, &body);
}

enum status
mgmt_key_owner(void *tool, const struct values *values)
{
    const struct key_owner_request request = { .object = values_number(values, "handle", 0),
                                               .user = values_number(values, "user", 0) };
    const struct mgmt_step step = { .command = "modifyKeyOwner",
                                    .act = "changing the owner of the key",
                                    .operation = OPERATION_KEY_OWNER,
                                    .ask = ASK_ABORT };
    struct writer body;

    writer_init(&body, MGMT_BODY_MAX);
    key_owner_request_write(&body, &request);
    return mgmt_change(tool, &step, &body);
}

/* As the attribute's form wants it. */
static bool
change_write(struct writer *changes, const struct attribute_name *row, const char *text)
{
    switch (row->show) {
    case SHOW_TEXT:
        attribute_write(changes, row->type, view_str(text));
        return true;
    case SHOW_SHORT:
        if (strcmp(text, "0") != 0 && strcmp(text, "1") != 0) {
            fprintf(stderr, "setAttribute: %s is 0 or 1\n", row->name);
            return false;
        }
        attribute_write_bool(changes, row->type, text[0] == '1');
        return true;
    default:
        fprintf(stderr, "setAttribute: %s cannot be changed here\n", row->name);
        return false;
    }
}

enum status
mgmt_set_attribute(void *tool, const struct values *values)
{
    const struct attribute_name *row = name_wanted(values_number(values, "attribute", 0));
    struct key_set_request request = { .object = values_number(values, "handle", 0) };
    const struct mgmt_step step = { .command = "setAttribute",
                                    .act = "setting attribute",
                                    .operation = OPERATION_KEY_SET,
                                    .ask = ASK_ABORT };
    const char *given = values_text(values, "value");
    enum status status = STATUS_MISUSED;
    struct writer changes, body;
    char *asked = NULL;

    if (row == NULL || row->number == ATTRIBUTE_ALL) {
        return STATUS_MISUSED;
    }
    if (given == NULL && (given = asked = console_line("Enter the value: ")) == NULL) {
        return STATUS_MISUSED;
    }
    writer_init(&changes, ATTRIBUTES_BYTES_MAX);
    writer_init(&body, ATTRIBUTES_BYTES_MAX + 64);
    if (change_write(&changes, row, given)) {
        request.changes = writer_view(&changes);
        key_set_request_write(&body, &request);
        status = mgmt_change(tool, &step, &body);
    }
    writer_clear(&body);
    writer_clear(&changes);
    console_line_free(asked);
    return status;
}
