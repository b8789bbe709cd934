/* SPDX-License-Identifier: Apache-2.0
 *
 * The jobs: what the HSM does for objects of its own (core/objects.c, core/find.c), done for
 * certificates in a container. The HSM signs and checks; rules and order are the same as there.
 */
#include "daemon/storage_work.h"

#include "base/log.h"
#include "crypto/algo.h"

#include <stdlib.h>
#include <string.h>

static bool
is_rw(const struct storage_job *job)
{
    return (job->frame.flags & FRAME_READ_WRITE) != 0;
}

static void
info_reply(struct storage_job *job, view list, uint32_t handle)
{
    struct key_info info = key_info_of(list, handle);

    write_u32(&job->reply, KEY_INFO_LEN);
    key_info_write(&job->reply, &info);
}

/*
 * The request as it came, by the HSM; its answer is the job's. Only for a certificate of a session:
 * those in the HSM's own store have the same handles as the container's, and are not seen beside
 * it.
 */
static CK_RV
pass(struct storage_job *job)
{
    const uint32_t handle = load_u32(job->body.data);
    const struct find_request m = { .after = handle - 1, .max = 1 };
    struct find_reply answer;
    struct key_info info;
    struct writer reply;
    CK_RV rv;

    writer_init(&reply, FRAME_BODY_MAX);
    rv = storage_hsm_find(job, &m, &reply, &answer);
    if (rv == CKR_OK && info_array_count(answer.found) == 1) {
        info = info_array_get(answer.found, 0);
    } else {
        info = (struct key_info){ 0 };
    }
    writer_clear(&reply);
    if (rv == CKR_OK && (info.handle != handle || (info.flags & KEY_FLAG_TOKEN) != 0)) {
        rv = CKR_OBJECT_HANDLE_INVALID;
    }
    return rv == CKR_OK
               ? storage_call(job, job->row->operation, writer_view(&job->body), &job->reply)
               : rv;
}

/* ---- create ---- */

static CK_RV
check_value_add(struct writer *list)
{
    struct writer made, secrets, others;
    struct reader r = reader_of(writer_view(list));
    struct attribute attribute;
    CK_RV rv;

    writer_init(&made, ATTRIBUTES_BYTES_MAX);
    writer_init(&secrets, ATTRIBUTES_BYTES_MAX);
    writer_init(&others, ATTRIBUTES_BYTES_MAX);
    while (attributes_next(&r, &attribute)) {
        if (attribute.type != CKA_CHECK_VALUE || attribute.value.len > 0) {
            attribute_write(&others, attribute.type, attribute.value);
        }
    }
    rv = algo_key_made(KIND_X509, NULL, writer_view(&others), &made, &secrets);
    if (rv == CKR_OK) {
        writer_truncate(list, 0);
        write_raw(list, writer_view(&others));
        write_raw(list, writer_view(&made));
        rv = writer_ok(list) && writer_ok(&made) && writer_ok(&others) ? CKR_OK : CKR_DEVICE_MEMORY;
    }
    writer_clear(&made);
    writer_clear(&secrets);
    writer_clear(&others);
    return rv;
}

static CK_RV
may_write(const struct storage_job *job, view list)
{
    if (!is_rw(job)) {
        return CKR_SESSION_READ_ONLY;
    }
    /* The pair that signs is a crypto user's. */
    UNUSED(list);
    return job->role == ROLE_CU ? CKR_OK : CKR_USER_NOT_LOGGED_IN;
}

static CK_RV
work_create(struct storage_job *job)
{
    struct object_create_request m;
    struct writer list;
    enum object_kind kind;
    uint64_t type;
    view value;
    uint32_t handle = 0;
    CK_RV rv;

    if (!object_create_request_read(writer_view(&job->body), &m)) {
        return CKR_DEVICE_ERROR;
    }
    if (!attributes_find(m.template, CKA_CERTIFICATE_TYPE, &value)) {
        return CKR_TEMPLATE_INCOMPLETE;
    }
    if (!attributes_ulong(m.template, CKA_CERTIFICATE_TYPE, &type) ||
        !kind_of(CKO_CERTIFICATE, type, &kind)) {
        return CKR_ATTRIBUTE_VALUE_INVALID;
    }
    rv = template_check(job->storage->rules, kind, ORIGIN_CREATE, false, m.template);
    if (rv != CKR_OK) {
        return rv;
    }
    writer_init(&list, ATTRIBUTES_BYTES_MAX);
    template_complete(job->storage->rules, kind, ORIGIN_CREATE, m.template, &list);
    rv = writer_ok(&list) ? may_write(job, writer_view(&list)) : CKR_DEVICE_MEMORY;
    if (rv == CKR_OK &&
        (rv = check_value_add(&list)) == CKR_OK &&
        (rv = storage_write_new(job, 0, writer_view(&list), &handle)) == CKR_OK) {
        info_reply(job, writer_view(&list), handle);
    }
    writer_clear(&list);
    return rv;
}

/* ---- read ---- */

static CK_RV
work_get(struct storage_job *job, const struct entry *entry)
{
    struct object_get_request m;
    size_t start = job->reply.len;

    if (!object_get_request_read(writer_view(&job->body), &m)) {
        return CKR_DEVICE_ERROR;
    }
    write_u32(&job->reply, 0);
    for (size_t i = 0; i < number_array_count(m.types); i++) {
        uint32_t type = number_array_get(m.types, i);
        view value;

        if (attributes_find(writer_view(&entry->list), type, &value)) {
            attribute_write(&job->reply, type, value);
        } else if (type == CKA_UNIQUE_ID) {
            char text[BLOB_NAME_MAX + 2 * CONTAINER_ID + 2];

            hex_encode(view_of(job->storage->id, CONTAINER_ID), text);
            text[2 * CONTAINER_ID] = '-';
            blob_name(entry->handle, text + 2 * CONTAINER_ID + 1);
            attribute_write(&job->reply, type, view_str(text));
        } else {
            attribute_write_status(&job->reply, type, ATTRIBUTE_UNKNOWN);
        }
    }
    if (!writer_ok(&job->reply)) {
        return CKR_DEVICE_MEMORY;
    }
    writer_patch_u32(&job->reply, start, (uint32_t)(job->reply.len - start - 4));
    return CKR_OK;
}

/* ---- change ---- */

/* A check value that is not said follows the value: it is taken out, and made anew. */
static CK_RV
check_value_renew(view current, view changes, struct writer *list)
{
    view value, now;
    struct writer next;
    struct reader r;
    struct attribute attribute;

    if (!attributes_find(changes, CKA_VALUE, &value) ||
        attributes_find(changes, CKA_CHECK_VALUE, &now) ||
        (attributes_find(current, CKA_VALUE, &now) && view_equal(value, now))) {
        return CKR_OK;
    }
    writer_init(&next, ATTRIBUTES_BYTES_MAX);
    r = reader_of(writer_view(list));
    while (attributes_next(&r, &attribute)) {
        if (attribute.type != CKA_CHECK_VALUE) {
            attribute_write(&next, attribute.type, attribute.value);
        }
    }
    writer_truncate(list, 0);
    write_raw(list, writer_view(&next));
    writer_clear(&next);
    return check_value_add(list);
}

static void
session_object_drop(struct storage_job *job, uint32_t handle)
{
    const struct object_destroy_request m = { .object = handle };
    struct writer body, reply;
    CK_RV rv;

    writer_init(&body, 64);
    writer_init(&reply, FRAME_BODY_MAX);
    object_destroy_request_write(&body, &m);
    rv = storage_call(job, OPERATION_OBJECT_DESTROY, writer_view(&body), &reply);
    if (rv != CKR_OK) {
        log_wrn("certificate %u stays an object of its session, too: %s", (unsigned)handle,
                return_name(rv));
    }
    writer_clear(&body);
    writer_clear(&reply);
}

/* CKA_TOKEN became FALSE: an object of the session at the HSM, under the same handle. */
static CK_RV
leave(struct storage_job *job, const struct entry *entry, view list)
{
    const struct object_create_request m = { .handle = entry->handle, .template = list };
    struct writer body, reply;
    CK_RV rv;

    writer_init(&body, FRAME_BODY_MAX);
    writer_init(&reply, FRAME_BODY_MAX);
    object_create_request_write(&body, &m);
    rv = storage_call(job, OPERATION_OBJECT_CREATE, writer_view(&body), &reply);
    if (rv == CKR_OK && (rv = storage_erase(job, entry)) != CKR_OK) {
        session_object_drop(job, entry->handle);
    }
    writer_clear(&body);
    writer_clear(&reply);
    return rv;
}

static CK_RV
set_once(struct storage_job *job, const struct object_set_request *m)
{
    struct storage *storage = job->storage;
    struct entry *entry = NULL;
    struct writer list;
    CK_RV rv;

    writer_init(&list, ATTRIBUTES_BYTES_MAX);
    rv = storage_current(job, m->object, &entry);
    if (rv == CKR_OK && !storage_sees(job, writer_view(&entry->list))) {
        rv = CKR_OBJECT_HANDLE_INVALID;
    }
    if (rv == CKR_OK && !storage_flag_of(writer_view(&entry->list), CKA_MODIFIABLE)) {
        rv = CKR_ACTION_PROHIBITED;
    }
    if (rv != CKR_OK || (rv = may_write(job, writer_view(&entry->list))) != CKR_OK ||
        (rv = template_check_change(storage->rules, KIND_X509, false, false,
                                    writer_view(&entry->list), m->changes)) != CKR_OK) {
        goto out;
    }
    attributes_merge(writer_view(&entry->list), m->changes, &list);
    if (!writer_ok(&list)) {
        rv = CKR_DEVICE_MEMORY;
        goto out;
    }
    if ((rv = check_value_renew(writer_view(&entry->list), m->changes, &list)) == CKR_OK) {
        rv = storage_flag_of(writer_view(&list), CKA_TOKEN)
                 ? storage_write_next(job, entry, writer_view(&list))
                 : leave(job, entry, writer_view(&list));
    }
    if (rv == CKR_OK) {
        info_reply(job, writer_view(&list), m->object);
    }
out:
    entry_free(entry);
    writer_clear(&list);
    return rv;
}

/* One that is an object of this process's session: CKA_TOKEN TRUE brings it back. */
static CK_RV
set_of_session(struct storage_job *job, const struct object_set_request *m)
{
    static const CK_ATTRIBUTE_TYPE types[] = {
        CKA_CLASS, CKA_TOKEN, CKA_PRIVATE, CKA_MODIFIABLE, CKA_LABEL, CKA_COPYABLE,
        CKA_DESTROYABLE, CKA_CERTIFICATE_TYPE, CKA_TRUSTED, CKA_CERTIFICATE_CATEGORY,
        CKA_CHECK_VALUE, CKA_START_DATE, CKA_END_DATE, CKA_PUBLIC_KEY_INFO, CKA_SUBJECT, CKA_ID,
        CKA_ISSUER, CKA_SERIAL_NUMBER, CKA_VALUE, CKA_URL, CKA_HASH_OF_SUBJECT_PUBLIC_KEY,
        CKA_HASH_OF_ISSUER_PUBLIC_KEY, CKA_JAVA_MIDP_SECURITY_DOMAIN, CKA_NAME_HASH_ALGORITHM,
    };
    struct object_get_request get = { .object = m->object };
    struct object_get_reply answer;
    struct writer numbers, body, reply, list;
    uint32_t handle;
    CK_RV rv;

    if (!storage_flag_of(m->changes, CKA_TOKEN)) {
        return pass(job);
    }
    writer_init(&numbers, sizeof types);
    writer_init(&body, FRAME_BODY_MAX);
    writer_init(&reply, FRAME_BODY_MAX);
    writer_init(&list, ATTRIBUTES_BYTES_MAX);
    for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
        number_write(&numbers, (uint32_t)types[i]);
    }
    get.types.bytes = writer_view(&numbers);
    object_get_request_write(&body, &get);
    rv = storage_call(job, OPERATION_OBJECT_GET, writer_view(&body), &reply);
    if (rv == CKR_OK && !object_get_reply_read(writer_view(&reply), &answer)) {
        rv = CKR_DEVICE_ERROR;
    }
    if (rv != CKR_OK) {
        goto out;
    }
    if (!storage_flag_of(answer.attributes, CKA_MODIFIABLE)) {
        rv = CKR_ACTION_PROHIBITED;
        goto out;
    }
    if ((rv = may_write(job, answer.attributes)) != CKR_OK ||
        (rv = template_check_change(job->storage->rules, KIND_X509, false, false, answer.attributes,
                                    m->changes)) != CKR_OK) {
        goto out;
    }
    attributes_merge(answer.attributes, m->changes, &list);
    if ((rv = check_value_renew(answer.attributes, m->changes, &list)) != CKR_OK ||
        (rv = storage_write_new(job, m->object, writer_view(&list), &handle)) != CKR_OK) {
        goto out;
    }
    session_object_drop(job, m->object);
    info_reply(job, writer_view(&list), m->object);
out:
    writer_clear(&numbers);
    writer_clear(&body);
    writer_clear(&reply);
    writer_clear(&list);
    return rv;
}

static CK_RV
work_set(struct storage_job *job)
{
    struct object_set_request m;
    unsigned tries = 0;
    CK_RV rv;

    if (!object_set_request_read(writer_view(&job->body), &m)) {
        return CKR_DEVICE_ERROR;
    }
    do {
        rv = set_once(job, &m);
        if (rv == CKR_DATA_INVALID || rv == CKR_OPERATION_ACTIVE) {
            (void)storage_forget_seen(job->storage, m.object, rv);
        }
    } while (storage_may_try_again(job, rv, &tries));
    if (rv == CKR_OBJECT_HANDLE_INVALID) {
        return set_of_session(job, &m);
    }
    return storage_forget_seen(job->storage, m.object, rv);
}

/* ---- destroy, copy, size ---- */

static CK_RV
work_destroy(struct storage_job *job, uint32_t handle)
{
    unsigned tries = 0;
    CK_RV rv;

    do {
        struct entry *entry = NULL;

        rv = storage_current(job, handle, &entry);
        if (rv == CKR_OK && !storage_sees(job, writer_view(&entry->list))) {
            rv = CKR_OBJECT_HANDLE_INVALID;
        }
        if (rv == CKR_OK && !storage_flag_of(writer_view(&entry->list), CKA_DESTROYABLE)) {
            rv = CKR_ACTION_PROHIBITED;
        }
        if (rv == CKR_OK && (rv = may_write(job, writer_view(&entry->list))) == CKR_OK) {
            rv = storage_erase(job, entry);
        }
        entry_free(entry);
        if (rv == CKR_DATA_INVALID) {
            (void)storage_forget_seen(job->storage, handle, rv);
        }
    } while (storage_may_try_again(job, rv, &tries));
    return rv == CKR_OBJECT_HANDLE_INVALID ? pass(job)
                                           : storage_forget_seen(job->storage, handle, rv);
}

static CK_RV
work_copy(struct storage_job *job, const struct entry *source)
{
    struct object_copy_request m;
    struct writer list;
    uint32_t handle;
    CK_RV rv;

    if (!object_copy_request_read(writer_view(&job->body), &m)) {
        return CKR_DEVICE_ERROR;
    }
    if (!storage_flag_of(writer_view(&source->list), CKA_COPYABLE)) {
        return CKR_ACTION_PROHIBITED;
    }
    if (m.template.len > 0 && !rules_switch_on(job->storage->rules, SWITCH_copy_with_template)) {
        return CKR_TEMPLATE_INCONSISTENT;
    }
    rv = template_check_change(job->storage->rules, KIND_X509, true, false,
                               writer_view(&source->list), m.template);
    writer_init(&list, ATTRIBUTES_BYTES_MAX);
    attributes_merge(writer_view(&source->list), m.template, &list);
    if (rv == CKR_OK && !storage_flag_of(writer_view(&list), CKA_TOKEN)) {
        const struct object_create_request create = { .handle = m.handle,
                                                      .template = writer_view(&list) };

        writer_reset(&job->body);
        object_create_request_write(&job->body, &create);
        rv = storage_call(job, OPERATION_OBJECT_CREATE, writer_view(&job->body), &job->reply);
    } else if (rv == CKR_OK && (rv = may_write(job, writer_view(&list))) == CKR_OK &&
               (rv = storage_write_new(job, 0, writer_view(&list), &handle)) == CKR_OK) {
        info_reply(job, writer_view(&list), handle);
    }
    writer_clear(&list);
    return rv;
}

/* Those that look at one certificate and change it not. */
static CK_RV
work_on_one(struct storage_job *job, uint32_t handle)
{
    struct entry *entry = NULL;
    CK_RV rv = storage_current(job, handle, &entry);

    if (rv == CKR_OK && !storage_sees(job, writer_view(&entry->list))) {
        rv = CKR_OBJECT_HANDLE_INVALID;
    }
    if (rv == CKR_OBJECT_HANDLE_INVALID) {
        entry_free(entry);
        return pass(job); /* it may be a session's, or not there at all: the HSM says so */
    }
    if (rv == CKR_OK) {
        switch (job->row->operation) {
        case OPERATION_OBJECT_GET:
            rv = work_get(job, entry);
            break;
        case OPERATION_OBJECT_COPY:
            rv = work_copy(job, entry);
            break;
        default:
            write_u32(&job->reply, (uint32_t)entry->list.len);
            break;
        }
    }
    entry_free(entry);
    return rv;
}

CK_RV
storage_work(struct storage_job *job)
{
    const uint32_t handle = job->body.len >= 4 ? load_u32(job->body.data) : 0;
    CK_RV rv;

    if (job->row->operation == OPERATION_FIND) {
        return storage_work_find(job);
    }
    rv = storage_begin(job);
    if (rv != CKR_OK) {
        return rv;
    }
    switch (job->row->operation) {
    case OPERATION_PING:
        return storage_refresh(job);
    case OPERATION_OBJECT_CREATE:
        return work_create(job);
    case OPERATION_OBJECT_SET:
        return work_set(job);
    case OPERATION_OBJECT_DESTROY:
        return work_destroy(job, handle);
    default:
        return work_on_one(job, handle);
    }
}
