/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_util: finding keys, telling whose they are, deleting them.
 */
#include "tools/util.h"

#include "tools/file.h"
#include "tools/host.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define TEMPLATE_MAX 4096u
#define HANDLES_MAX (16u * 1024u * 1024u) /* bytes */
#define LOOKERS 8u /* requests under way at a time, where each key is asked for */

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
details_read(struct util *util, uint32_t key, struct call *call,
             struct key_details_reply *ret_reply)
{
    const struct key_details_request request = { .object = key };
    CK_RV rv = call_begin(util->client, call);

    if (rv == CKR_OK) {
        key_details_request_write(call->body, &request);
        rv = call_send(call, OPERATION_KEY_DETAILS, UTIL_SESSION, 0);
    }
    return rv == CKR_OK && !key_details_reply_read(call->reply, ret_reply) ? CKR_DEVICE_ERROR : rv;
}

/* ---- those of many keys that fit, each asked for ---- */

struct look {
    struct util *util;
    CK_RV (*fits)(struct util *util, uint32_t key, const void *arg, bool *ret_fits);
    const void *arg;
    struct writer *handles; /* 0 takes the place of one that does not fit */
    _Atomic size_t next;
    _Atomic CK_RV failed;
};

/* What a key is not to blame for. */
static bool
is_failure(CK_RV rv)
{
    return rv == CKR_DEVICE_ERROR || rv == CKR_DEVICE_MEMORY || rv == CKR_HOST_MEMORY ||
           rv == CKR_USER_NOT_LOGGED_IN;
}

static void *
look_run(void *arg)
{
    struct look *look = arg;
    const size_t count = look->handles->len / 4;

    for (;;) {
        const size_t at = atomic_fetch_add(&look->next, 1);
        bool fits = false;
        CK_RV rv;

        if (at >= count || atomic_load(&look->failed) != CKR_OK) {
            return NULL;
        }
        uint8_t *handle = look->handles->data + 4 * at;

        rv = look->fits(look->util, load_u32(handle), look->arg, &fits);
        if (is_failure(rv)) {
            atomic_store(&look->failed, rv);
        } else if (rv != CKR_OK || !fits) {
            store_u32(handle, 0);
        }
    }
}

/* Keeps those that fit. */
static CK_RV
keys_keep(struct look *look)
{
    struct writer *handles = look->handles;
    const size_t count = handles->len / 4;
    pthread_t threads[LOOKERS - 1];
    size_t started = 0, kept = 0;

    while (started < ARRAY_COUNT(threads) && count > 2 * LOOKERS &&
           pthread_create(&threads[started], NULL, look_run, look) == 0) {
        started++;
    }
    (void)look_run(look);
    for (size_t i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
    }
    for (size_t i = 0; i < count; i++) {
        const uint32_t handle = load_u32(handles->data + 4 * i);

        if (handle != 0) {
            store_u32(handles->data + 4 * kept++, handle);
        }
    }
    writer_truncate(handles, 4 * kept);
    return atomic_load(&look->failed);
}

/* Is the key shared with each user of the list "3,5"? */
static CK_RV
is_shared(struct util *util, uint32_t key, const void *arg, bool *ret_fits)
{
    const char *users = arg;
    struct key_details_reply reply;
    struct call call;
    const CK_RV rv = details_read(util, key, &call, &reply);
    bool all = rv == CKR_OK;

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
    *ret_fits = all;
    return rv;
}

/* Certificates and data are no keys; halves: nor are those of one value. */
static bool
is_wanted(const struct key_info *info, bool halves)
{
    return info->class == CKO_PUBLIC_KEY || info->class == CKO_PRIVATE_KEY ||
           (info->class == CKO_SECRET_KEY && !halves);
}

/* Adds a page of handles. */
static CK_RV
page_read(struct util *util, view template, bool halves, struct writer *handles, uint32_t *after,
          bool *ret_more)
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
            if (is_wanted(&info, halves)) {
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

/* All pages. halves: of pairs alone. */
static CK_RV
keys_find(struct util *util, view template, bool halves, struct writer *handles)
{
    uint32_t after = 0;
    bool more = true;
    CK_RV rv = CKR_OK;

    while (rv == CKR_OK && more) {
        rv = page_read(util, template, halves, handles, &after, &more);
        if (rv == CKR_OK && !writer_ok(handles)) {
            rv = CKR_HOST_MEMORY;
        }
    }
    return rv;
}

/* Is this the check value of the pair that the key is a half of? Secret keys
 * have none of that kind. */
static CK_RV
is_of_pair(struct util *util, uint32_t key, const void *arg, bool *ret_fits)
{
    static const CK_ATTRIBUTE_TYPE types[] = { CKA_PUBLIC_KEY_INFO };
    const view *check = arg;
    struct writer list;
    uint8_t own[3];
    view info = VIEW_EMPTY;
    CK_RV rv;

    writer_init(&list, TEMPLATE_MAX);
    rv = util_get(util, key, types, ARRAY_COUNT(types), &list);
    *ret_fits = rv == CKR_OK &&
                attributes_find(writer_view(&list), CKA_PUBLIC_KEY_INFO, &info) && info.len > 0 &&
                host_public_check(info, own) && view_equal(view_of(own, sizeof own), *check);
    writer_clear(&list);
    return rv;
}

/* Adds the halves of pairs with that check value: the HSM itself has one of secret keys alone. No
 * secret key is asked for. */
static CK_RV
pairs_add(struct util *util, const struct values *values, view check, struct writer *handles)
{
    struct writer template;
    struct writer all;
    struct look look = { .util = util, .fits = is_of_pair, .arg = &check, .handles = &all };
    CK_RV rv;

    writer_init(&template, TEMPLATE_MAX);
    writer_init(&all, HANDLES_MAX);
    template_write(&template, values);
    rv = keys_find(util, writer_view(&template), true, &all);
    if (rv == CKR_OK && (rv = keys_keep(&look)) == CKR_OK) {
        write_raw(handles, writer_view(&all));
        rv = writer_ok(handles) ? CKR_OK : CKR_HOST_MEMORY;
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
    rv = keys_find(util, writer_view(&template), false, &handles);
    if (rv == CKR_OK && attributes_find(writer_view(&template), CKA_CHECK_VALUE, &check)) {
        rv = pairs_add(util, values, check, &handles);
    }
    if (rv == CKR_OK && values_given(values, "-u")) {
        struct look look = { .util = util,
                             .fits = is_shared,
                             .arg = values_text(values, "-u"),
                             .handles = &handles };

        rv = keys_keep(&look);
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
