/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_util: finding keys, telling whose they are, deleting them.
 */
#include "tools/util.h"

#include "tools/file.h"
#include "tools/host.h"

#include <stdlib.h>
#include <string.h>

#define TEMPLATE_MAX 4096u
#define HANDLES_MAX (16u * 1024u * 1024u) /* bytes */

static void
template_write(struct writer *w, const struct values *values)
{
    const char *label = values_text(values, "-l");
    const char *id = values_text(values, "-id");

    if (values_given(values, "-c")) {
        attribute_write_ulong(w, CKA_CLASS, values_number(values, "-c", 0));
    }
    if (values_given(values, "-t")) {
        attribute_write_ulong(w, CKA_KEY_TYPE, values_number(values, "-t", 0));
    }
    if (label != NULL) {
        attribute_write(w, CKA_LABEL, view_str(label));
    }
    if (id != NULL) {
        attribute_write(w, CKA_ID, view_str(id));
    }
    if (values_given(values, "-sess")) {
        attribute_write_bool(w, CKA_TOKEN, values_number(values, "-sess", 0) == 0);
    }
}

/* A file with hexadecimal digits, or with the bytes themselves, becomes an attribute. */
static bool
file_add(struct writer *w, CK_ATTRIBUTE_TYPE type, const char *path)
{
    struct secret *file;
    char text[4097];
    uint8_t bytes[2048];
    view value;
    size_t len;

    if (path == NULL) {
        return true;
    }
    if ((file = file_read(path, sizeof text - 1)) == NULL) {
        return false;
    }
    value = secret_view(file);
    len = 0;
    for (size_t i = 0; i < value.len; i++) {
        if (strchr(" \t\r\n:", value.data[i]) == NULL || value.data[i] == '\0') {
            text[len++] = (char)value.data[i];
        }
    }
    text[len] = '\0';
    if (strlen(text) == len && hex_decode(strncmp(text, "0x", 2) == 0 ? text + 2 : text, bytes,
                                          sizeof bytes, &len)) {
        value = view_of(bytes, len);
    }
    attribute_write(w, type, value);
    secret_free(file);
    return true;
}

/* ---- owner and sharing ---- */

/* Of the reply, which is borrowed until the call ends. */
static CK_RV
details_read(struct util *util, uint32_t key, struct call *call, struct key_details_reply *ret_reply)
{
    const struct key_details_request request = { .object = key };
    CK_RV rv = call_begin(util->client, call);

    if (rv == CKR_OK) {
        key_details_request_write(call->body, &request);
        rv = call_send(call, OPERATION_KEY_DETAILS, UTIL_SESSION, 0);
    }
    return rv == CKR_OK && !key_details_reply_read(call->reply, ret_reply) ? CKR_DEVICE_ERROR : rv;
}

/* Is the key shared with each user of the list "3,5"? */
static bool
is_shared(struct util *util, uint32_t key, const char *users)
{
    struct key_details_reply reply;
    struct call call;
    bool all = details_read(util, key, &call, &reply) == CKR_OK;

    while (all && *users != '\0') {
        char *end = NULL;
        const unsigned long user = strtoul(users, &end, 10);
        bool found = false;

        for (size_t i = 0; i < number_array_count(reply.shared); i++) {
            found = found || number_array_get(reply.shared, i) == user;
        }
        all = found && (*end == ',' || *end == '\0');
        users = *end == ',' ? end + 1 : end;
    }
    call_end(&call);
    return all;
}

/* Keeps the keys that are shared with all of these users. */
static void
shared_keep(struct util *util, struct writer *handles, const char *users)
{
    size_t kept = 0;

    for (size_t i = 0; i < handles->len / 4; i++) {
        const uint32_t key = load_u32(handles->data + 4 * i);

        if (is_shared(util, key, users)) {
            store_u32(handles->data + 4 * kept++, key);
        }
    }
    writer_truncate(handles, 4 * kept);
}

/* Adds a page of handles. Certificates and data are no keys. */
static CK_RV
page_read(struct util *util, view template, struct writer *handles, uint32_t *after, bool *ret_more)
{
    const struct find_request request = { template, *after, FIND_MAX };
    struct find_reply reply;
    struct call call;
    CK_RV rv = call_begin(util->client, &call);

    if (rv == CKR_OK) {
        find_request_write(call.body, &request);
        rv = call_send(&call, OPERATION_FIND, UTIL_SESSION, FRAME_READ_WRITE);
    }
    if (rv == CKR_OK && !find_reply_read(call.reply, &reply)) {
        rv = CKR_DEVICE_ERROR;
    }
    if (rv == CKR_OK) {
        const size_t count = info_array_count(reply.found);

        for (size_t i = 0; i < count; i++) {
            const struct key_info info = info_array_get(reply.found, i);

            *after = info.handle;
            if (info.class == CKO_PUBLIC_KEY || info.class == CKO_PRIVATE_KEY ||
                info.class == CKO_SECRET_KEY) {
                write_u32(handles, info.handle);
            }
        }
        *ret_more = reply.more && count > 0;
    }
    call_end(&call);
    return rv;
}

static void
handles_print(const struct util *util, const struct writer *handles)
{
    const size_t count = handles->len / 4;
    const char *separator = "";
    json_t *json = json_array();

    for (size_t i = 0; i < count; i++) {
        json_array_append_new(json, json_integer(load_u32(handles->data + 4 * i)));
    }
    util_json(util, json_pack("{s:I, s:o}", "count", (json_int_t)count, "handles", json));

    printf(util->aws ? "\n\tTotal number of keys present %zu\n"
                     : "\n\tTotal number of keys present: %zu\n",
           count);
    if (count == 0) {
        return;
    }
    printf(util->aws ? "\n\t number of keys matched from start index 0::%zu\n\t"
                     : "\n\tNumber of matching keys from start index 0::%zu\n"
                       "\n\tHandles of matching keys:\n\t",
           count - 1);
    for (size_t i = 0; i < count; i++) {
        printf("%s%u", separator, (unsigned)load_u32(handles->data + 4 * i));
        separator = ", ";
    }
    putchar('\n');
}

/* All pages. */
static CK_RV
keys_find(struct util *util, view template, struct writer *handles)
{
    uint32_t after = 0;
    bool more = true;
    CK_RV rv = CKR_OK;

    while (rv == CKR_OK && more) {
        rv = page_read(util, template, handles, &after, &more);
        if (rv == CKR_OK && !writer_ok(handles)) {
            rv = CKR_HOST_MEMORY;
        }
    }
    return rv;
}

/* Is this the check value of the pair that the key is a half of? Secret keys have none of that kind. */
static bool
is_of_pair(struct util *util, uint32_t key, view check)
{
    static const CK_ATTRIBUTE_TYPE types[] = { CKA_PUBLIC_KEY_INFO };
    struct writer list;
    uint8_t own[3];
    view info = VIEW_EMPTY;
    bool is;

    writer_init(&list, TEMPLATE_MAX);
    is = util_get(util, key, types, ARRAY_COUNT(types), &list) == CKR_OK &&
         attributes_find(writer_view(&list), CKA_PUBLIC_KEY_INFO, &info) && info.len > 0 &&
         host_public_check(info, own) && view_equal(view_of(own, sizeof own), check);
    writer_clear(&list);
    return is;
}

/* Adds the halves of pairs with that check value: the HSM itself has one of secret keys alone. */
static CK_RV
pairs_add(struct util *util, const struct values *values, view check, struct writer *handles)
{
    struct writer template;
    struct writer all;
    CK_RV rv;

    writer_init(&template, TEMPLATE_MAX);
    writer_init(&all, HANDLES_MAX);
    template_write(&template, values);
    rv = keys_find(util, writer_view(&template), &all);
    for (size_t i = 0; rv == CKR_OK && i < all.len / 4; i++) {
        const uint32_t key = load_u32(all.data + 4 * i);

        if (is_of_pair(util, key, check)) {
            write_u32(handles, key);
        }
    }
    writer_clear(&template);
    writer_clear(&all);
    return rv;
}

enum status
util_find_key(void *tool, const struct values *values)
{
    struct util *util = tool;
    struct writer template;
    struct writer handles;
    view check;
    CK_RV rv;

    writer_init(&template, TEMPLATE_MAX);
    writer_init(&handles, HANDLES_MAX);
    template_write(&template, values);
    if (!file_add(&template, CKA_MODULUS, values_text(values, "-m")) ||
        !file_add(&template, CKA_CHECK_VALUE, values_text(values, "-kcv"))) {
        writer_clear(&template);
        return STATUS_MISUSED;
    }
    if (!writer_ok(&template)) {
        fputs("findKey: the label or the id is too long\n", stderr);
        writer_clear(&template);
        return STATUS_MISUSED;
    }
    rv = keys_find(util, writer_view(&template), &handles);
    if (rv == CKR_OK && attributes_find(writer_view(&template), CKA_CHECK_VALUE, &check)) {
        rv = pairs_add(util, values, check, &handles);
    }
    if (rv == CKR_OK && values_given(values, "-u")) {
        shared_keep(util, &handles, values_text(values, "-u"));
    }
    if (rv == CKR_OK) {
        handles_print(util, &handles);
    }
    util_cluster(util, rv);
    writer_clear(&template);
    writer_clear(&handles);
    return util_returned("Cfm3FindKey", rv);
}

enum status
util_find_single_key(void *tool, const struct values *values)
{
    static const CK_ATTRIBUTE_TYPE type = CKA_CLASS;
    struct util *util = tool;
    struct writer list;
    CK_RV rv;

    writer_init(&list, TEMPLATE_MAX);
    rv = util_get(util, values_number(values, "-k", 0), &type, 1, &list);
    writer_clear(&list);

    enum status status = util_returned("Cfm3FindKey", rv);

    util_cluster(util, rv);
    return status;
}

enum status
util_key_info(void *tool, const struct values *values)
{
    struct util *util = tool;
    const uint32_t key = values_number(values, "-k", 0);
    struct key_details_reply reply;
    struct call call;
    CK_RV rv = details_read(util, key, &call, &reply);
    enum status status = util_returned("Cfm3GetKey", rv);

    if (rv == CKR_OK) {
        const size_t count = number_array_count(reply.shared);
        json_t *json = json_array();

        printf("\n\tOwned by user %u\n", (unsigned)reply.owner);
        if (count > 0) {
            printf("\n\talso, shared to following %zu user(s):\n\n", count);
        }
        for (size_t i = 0; i < count; i++) {
            printf("\t\t%u\n", (unsigned)number_array_get(reply.shared, i));
            json_array_append_new(json, json_integer(number_array_get(reply.shared, i)));
        }
        util_json(util, json_pack("{s:I, s:I, s:o}", "handle", (json_int_t)key, "owner",
                                  (json_int_t)reply.owner, "shared", json));
    }
    call_end(&call);
    return status;
}

enum status
util_delete_key(void *tool, const struct values *values)
{
    struct util *util = tool;
    CK_RV rv = util_destroy(util, values_number(values, "-k", 0));
    enum status status = util_returned("Cfm3DeleteKey", rv);

    util_cluster(util, rv);
    return status;
}
