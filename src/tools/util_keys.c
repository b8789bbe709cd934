/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_util: finding keys, telling whose they are, deleting them.
 */
#include "tools/util.h"

#include <stdlib.h>

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

enum status
util_find_key(void *tool, const struct values *values)
{
    struct util *util = tool;
    struct writer template;
    struct writer handles;
    uint32_t after = 0;
    bool more = true;
    CK_RV rv = CKR_OK;

    writer_init(&template, TEMPLATE_MAX);
    writer_init(&handles, HANDLES_MAX);
    template_write(&template, values);
    if (!writer_ok(&template)) {
        fputs("findKey: the label or the id is too long\n", stderr);
        writer_clear(&template);
        return STATUS_MISUSED;
    }
    while (rv == CKR_OK && more) {
        rv = page_read(util, writer_view(&template), &handles, &after, &more);
        if (rv == CKR_OK && !writer_ok(&handles)) {
            rv = CKR_HOST_MEMORY;
        }
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
util_key_info(void *tool, const struct values *values)
{
    struct util *util = tool;
    const struct key_details_request request = { .object = values_number(values, "-k", 0) };
    struct key_details_reply reply;
    struct call call;
    CK_RV rv = call_begin(util->client, &call);

    if (rv == CKR_OK) {
        key_details_request_write(call.body, &request);
        rv = call_send(&call, OPERATION_KEY_DETAILS, UTIL_SESSION, 0);
    }
    if (rv == CKR_OK && !key_details_reply_read(call.reply, &reply)) {
        rv = CKR_DEVICE_ERROR;
    }

    enum status status = util_returned("Cfm3GetKey", rv);

    if (rv == CKR_OK) {
        const size_t count = number_array_count(reply.shared);

        printf("\n\tOwned by user %u\n", (unsigned)reply.owner);
        if (count > 0) {
            printf("\n\talso, shared to following %zu user(s):\n\n", count);
        }
        for (size_t i = 0; i < count; i++) {
            printf("\t\t%u\n", (unsigned)number_array_get(reply.shared, i));
        }
    }
    call_end(&call);
    return status;
}

enum status
util_delete_key(void *tool, const struct values *values)
{
    struct util *util = tool;
    const struct object_destroy_request request = { .object = values_number(values, "-k", 0) };
    struct call call;
    CK_RV rv = call_begin(util->client, &call);

    if (rv == CKR_OK) {
        object_destroy_request_write(call.body, &request);
        rv = call_send(&call, OPERATION_OBJECT_DESTROY, UTIL_SESSION, FRAME_READ_WRITE);
    }
    call_end(&call);

    enum status status = util_returned("Cfm3DeleteKey", rv);

    util_cluster(util, rv);
    return status;
}
