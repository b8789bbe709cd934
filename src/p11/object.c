/* SPDX-License-Identifier: Apache-2.0
 *
 * C_CreateObject, C_CopyObject, C_DestroyObject, C_GetObjectSize, C_GetAttributeValue,
 * C_SetAttributeValue.
 * The HSM judges templates; here they change their form and the replies are remembered.
 */
#include "p11/object.h"

#include "p11/template.h"
#include "p11/trip.h"
#include "wire/page.h"

#include <string.h>

#define GET_MAX (64u * ATTRIBUTES_MAX) /* attributes that one call asks for */

CK_RV
object_place(struct session *session, bool token, uint32_t *ret_handle)
{
    if (!token) {
        *ret_handle = library_new_handle(session->library);
        return CKR_OK;
    }
    /* PKCS #11 v3.1, 5.7.1: token objects are made in read-write sessions only. */
    if (!session->read_write) {
        return CKR_SESSION_READ_ONLY;
    }
    *ret_handle = 0;
    return CKR_OK;
}

CK_RV
object_made(struct session *session, struct moment before, struct info_array made, size_t count)
{
    if (info_array_count(made) != count) {
        return CKR_DEVICE_ERROR;
    }
    for (size_t i = 0; i < count; i++) {
        struct key_info info = info_array_get(made, i);

        if (info.handle == CK_INVALID_HANDLE) {
            return CKR_DEVICE_ERROR;
        }
        if ((info.flags & KEY_FLAG_TOKEN) == 0) {
            session->remote = true;
        }
    }
    return trip_learn(session->library, before, made, session->number);
}

static CK_RV
create(struct session *session, view template, CK_OBJECT_HANDLE *ret_handle)
{
    struct object_create_request request = { .template = template };
    const struct moment before = trip_moment(session->library);
    struct object_create_reply reply;
    struct call call;
    CK_RV rv = object_place(session, template_is_token(template), &request.handle);

    if (rv != CKR_OK) {
        return rv;
    }
    if ((rv = trip_begin(session->library, &call)) != CKR_OK) {
        goto out;
    }
    object_create_request_write(call.body, &request);
    if ((rv = trip_send(session->library, session, &call, OPERATION_OBJECT_CREATE)) !=
        CKR_OK) {
        goto out;
    }
    rv = object_create_reply_read(call.reply, &reply)
             ? object_made(session, before, reply.made, 1)
             : CKR_DEVICE_ERROR;
    if (rv == CKR_OK) {
        *ret_handle = info_array_get(reply.made, 0).handle;
    }
out:
    call_end(&call);
    return rv;
}

PUBLIC CK_RV
C_CreateObject(CK_SESSION_HANDLE hSession, CK_ATTRIBUTE_PTR pTemplate, CK_ULONG ulCount,
               CK_OBJECT_HANDLE_PTR phObject)
{
    struct session *session;
    struct writer template;
    CK_RV rv = session_begin(hSession, &session);

    if (rv != CKR_OK) {
        return rv;
    }
    writer_init(&template, ATTRIBUTES_BYTES_MAX);
    if (phObject == NULL || pTemplate == NULL) {
        rv = CKR_ARGUMENTS_BAD;
    } else if ((rv = template_take(pTemplate, ulCount, &template)) == CKR_OK) {
        rv = create(session, writer_view(&template), phObject);
    }
    writer_clear(&template);
    session_end(session);
    return rv;
}

static CK_RV
copy(struct session *session, const struct key_info *source, view template,
     CK_OBJECT_HANDLE *ret_handle)
{
    struct object_copy_request request = { .object = source->handle, .template = template };
    const struct moment before = trip_moment(session->library);
    bool token = (source->flags & KEY_FLAG_TOKEN) != 0;
    struct object_copy_reply reply;
    struct call call;
    CK_RV rv;

    /* PKCS #11 v3.1, 5.7.2: the copy is what the template says, else what the source is. */
    (void)attributes_bool(template, CKA_TOKEN, &token);
    rv = object_place(session, token, &request.handle);
    if (rv != CKR_OK) {
        return rv;
    }
    if ((rv = trip_begin(session->library, &call)) != CKR_OK) {
        goto out;
    }
    object_copy_request_write(call.body, &request);
    if ((rv = trip_send(session->library, session, &call, OPERATION_OBJECT_COPY)) != CKR_OK) {
        goto out;
    }
    rv = object_copy_reply_read(call.reply, &reply) ? object_made(session, before, reply.made, 1)
                                                    : CKR_DEVICE_ERROR;
    if (rv == CKR_OK) {
        *ret_handle = info_array_get(reply.made, 0).handle;
    }
out:
    call_end(&call);
    return rv;
}

PUBLIC CK_RV
C_CopyObject(CK_SESSION_HANDLE hSession, CK_OBJECT_HANDLE hObject, CK_ATTRIBUTE_PTR pTemplate,
             CK_ULONG ulCount, CK_OBJECT_HANDLE_PTR phNewObject)
{
    struct key_info source;
    struct session *session;
    struct writer template;
    CK_RV rv = session_begin(hSession, &session);

    if (rv != CKR_OK) {
        return rv;
    }
    writer_init(&template, ATTRIBUTES_BYTES_MAX);
    if (phNewObject == NULL) {
        rv = CKR_ARGUMENTS_BAD;
    } else if ((rv = trip_object(session, hObject, false, &source)) == CKR_OK &&
               (rv = template_take(pTemplate, ulCount, &template)) == CKR_OK) {
        rv = copy(session, &source, writer_view(&template), phNewObject);
    }
    writer_clear(&template);
    session_end(session);
    return rv;
}

static CK_RV
destroy(struct session *session, uint32_t handle)
{
    const struct object_destroy_request request = { .object = handle };
    struct call call;
    CK_RV rv = trip_begin(session->library, &call);

    if (rv == CKR_OK) {
        object_destroy_request_write(call.body, &request);
        rv = trip_send(session->library, session, &call, OPERATION_OBJECT_DESTROY);
    }
    call_end(&call);
    if (rv == CKR_OK || rv == CKR_OBJECT_HANDLE_INVALID) {
        cache_drop(session->library->cache, handle);
    }
    return rv;
}

PUBLIC CK_RV
C_DestroyObject(CK_SESSION_HANDLE hSession, CK_OBJECT_HANDLE hObject)
{
    struct key_info info;
    struct session *session;
    CK_RV rv = session_begin(hSession, &session);

    if (rv != CKR_OK) {
        return rv;
    }
    if ((rv = trip_object(session, hObject, false, &info)) == CKR_OK) {
        rv = destroy(session, info.handle);
    }
    session_end(session);
    return rv;
}

static CK_RV
object_size(struct session *session, uint32_t handle, CK_ULONG *ret_size)
{
    const struct object_size_request request = { .object = handle };
    struct object_size_reply reply;
    struct call call;
    CK_RV rv;

    if ((rv = trip_begin(session->library, &call)) != CKR_OK) {
        goto out;
    }
    object_size_request_write(call.body, &request);
    if ((rv = trip_send(session->library, session, &call, OPERATION_OBJECT_SIZE)) != CKR_OK) {
        goto out;
    }
    if (object_size_reply_read(call.reply, &reply)) {
        *ret_size = reply.size;
    } else {
        rv = CKR_DEVICE_ERROR;
    }
out:
    call_end(&call);
    return rv;
}

PUBLIC CK_RV
C_GetObjectSize(CK_SESSION_HANDLE hSession, CK_OBJECT_HANDLE hObject, CK_ULONG_PTR pulSize)
{
    struct key_info info;
    struct session *session;
    CK_RV rv = session_begin_offered(hSession, FUNCTION_GetObjectSize, &session);

    if (rv != CKR_OK) {
        return rv;
    }
    if (pulSize == NULL) {
        rv = CKR_ARGUMENTS_BAD;
    } else if ((rv = trip_object(session, hObject, false, &info)) == CKR_OK) {
        rv = object_size(session, info.handle, pulSize);
        if (rv == CKR_OBJECT_HANDLE_INVALID) {
            cache_drop(session->library->cache, info.handle);
        }
    }
    session_end(session);
    return rv;
}

/* An application's array may lie anywhere. */
static CK_ATTRIBUTE
attribute_at(const uint8_t *attributes, size_t i)
{
    CK_ATTRIBUTE attribute;

    memcpy(&attribute, attributes + i * sizeof attribute, sizeof attribute);
    return attribute;
}

static uint32_t
wire_type_at(const uint8_t *attributes, size_t i)
{
    return (uint32_t)size_min(attribute_at(attributes, i).type, UINT32_MAX);
}

/* One value for each attribute, and of its type: what follows goes by it. */
static bool
list_answers(view list, const uint8_t *attributes, size_t count)
{
    struct reader r = reader_of(list);
    struct attribute attribute;
    size_t i = 0;

    while (attributes_next(&r, &attribute)) {
        if (i == count || attribute.type != wire_type_at(attributes, i)) {
            return false;
        }
        i++;
    }
    return i == count;
}

/* Asks for the types of these attributes and fills in what comes, in the same order. Types
 * that the wire cannot carry exist nowhere: number 0xffffffff stands for them. */
static CK_RV
attributes_get(struct session *session, uint32_t handle, uint8_t *attributes, size_t count)
{
    struct object_get_request request = { .object = handle };
    const struct moment before = trip_moment(session->library);
    const struct seen_key key = { handle, page_stamp(before.page, handle), before.epoch };
    struct object_get_reply reply;
    struct writer types;
    struct reader r;
    struct attribute attribute;
    struct call call;
    CK_RV rv, result = CKR_OK;

    writer_init(&types, ATTRIBUTES_MAX * sizeof(uint32_t));
    for (size_t i = 0; i < count; i++) {
        number_write(&types, wire_type_at(attributes, i));
    }
    request.types.bytes = writer_view(&types);
    if ((rv = trip_begin(session->library, &call)) != CKR_OK) {
        goto out;
    }
    if (!writer_ok(&types)) {
        rv = CKR_HOST_MEMORY;
        goto out;
    }
    object_get_request_write(call.body, &request);
    if ((rv = trip_send(session->library, session, &call, OPERATION_OBJECT_GET)) != CKR_OK) {
        goto out;
    }
    if (!object_get_reply_read(call.reply, &reply) ||
        !list_answers(reply.attributes, attributes, count)) {
        rv = CKR_DEVICE_ERROR;
        goto out;
    }
    r = reader_of(reply.attributes);
    for (size_t i = 0; i < count && attributes_next(&r, &attribute); i++) {
        CK_ATTRIBUTE to = attribute_at(attributes, i);

        result = return_first(result, template_give(&attribute, &to));
        memcpy(attributes + i * sizeof to, &to, sizeof to);
    }
    rv = result;
    seen_keep(session->library->seen, &key, reply.attributes);
out:
    call_end(&call);
    writer_clear(&types);
    return rv;
}

/* Attributes that the HSM has told and that are still so: no trip. */
static bool
attributes_remembered(struct session *session, CK_OBJECT_HANDLE handle, uint8_t *attributes,
                      size_t count, CK_RV *ret_rv)
{
    struct library *library = session->library;
    struct seen_key key = { .epoch = atomic_load(&library->epoch) };

    if (!trip_stamp(library, handle, &key.stamp)) {
        return false;
    }
    key.handle = (uint32_t)handle;
    return seen_give(library->seen, &key, attributes, count, ret_rv);
}

/* PKCS #11 v3.1, 5.7.5: one attribute's trouble does not keep the others from an answer. */
static bool
is_attribute_trouble(CK_RV rv)
{
    return rv == CKR_OK || rv == CKR_ATTRIBUTE_SENSITIVE || rv == CKR_ATTRIBUTE_TYPE_INVALID ||
           rv == CKR_BUFFER_TOO_SMALL;
}

PUBLIC CK_RV
C_GetAttributeValue(CK_SESSION_HANDLE hSession, CK_OBJECT_HANDLE hObject,
                    CK_ATTRIBUTE_PTR pTemplate, CK_ULONG ulCount)
{
    struct key_info info;
    struct session *session;
    CK_ULONG at = 0;
    CK_RV rv = session_begin(hSession, &session);

    if (rv != CKR_OK) {
        return rv;
    }
    if (pTemplate == NULL || ulCount > GET_MAX) {
        rv = CKR_ARGUMENTS_BAD;
        goto out;
    }
    if (attributes_remembered(session, hObject, (uint8_t *)pTemplate, ulCount, &rv) ||
        (rv = trip_object(session, hObject, false, &info)) != CKR_OK) {
        goto out;
    }
    do {
        size_t count = size_min(ulCount - at, ATTRIBUTES_MAX);
        uint8_t *from = (uint8_t *)pTemplate + at * sizeof(CK_ATTRIBUTE);
        CK_RV part = attributes_get(session, info.handle, from, count);

        rv = is_attribute_trouble(part) ? return_first(rv, part) : part;
        at += count;
    } while (at < ulCount && is_attribute_trouble(rv));
    if (rv == CKR_OBJECT_HANDLE_INVALID) {
        cache_drop(session->library->cache, info.handle);
    }
out:
    session_end(session);
    return rv;
}

/* A certificate may have become an object of this session, or of the token. */
static CK_RV
object_changed(struct session *session, struct moment before, const struct key_info *old,
               struct info_array changed)
{
    struct key_info info;
    bool moved;

    if (info_array_count(changed) != 1) {
        return CKR_DEVICE_ERROR;
    }
    info = info_array_get(changed, 0);
    moved = ((info.flags ^ old->flags) & KEY_FLAG_TOKEN) != 0;
    if (moved) {
        cache_drop(session->library->cache, old->handle);
        session->remote = session->remote || (info.flags & KEY_FLAG_TOKEN) == 0;
    }
    return trip_learn(session->library, before, changed, moved ? session->number : 0);
}

static CK_RV
attributes_set(struct session *session, const struct key_info *old, view changes)
{
    const struct object_set_request request = { .object = old->handle, .changes = changes };
    const struct moment before = trip_moment(session->library);
    struct object_set_reply reply;
    struct call call;
    CK_RV rv;

    if ((rv = trip_begin(session->library, &call)) != CKR_OK) {
        goto out;
    }
    object_set_request_write(call.body, &request);
    if ((rv = trip_send(session->library, session, &call, OPERATION_OBJECT_SET)) != CKR_OK) {
        goto out;
    }
    rv = object_set_reply_read(call.reply, &reply)
             ? object_changed(session, before, old, reply.changed)
             : CKR_DEVICE_ERROR;
out:
    call_end(&call);
    return rv;
}

PUBLIC CK_RV
C_SetAttributeValue(CK_SESSION_HANDLE hSession, CK_OBJECT_HANDLE hObject,
                    CK_ATTRIBUTE_PTR pTemplate, CK_ULONG ulCount)
{
    struct key_info info;
    struct session *session;
    struct writer changes;
    CK_RV rv = session_begin(hSession, &session);

    if (rv != CKR_OK) {
        return rv;
    }
    writer_init(&changes, ATTRIBUTES_BYTES_MAX);
    if (pTemplate == NULL) {
        rv = CKR_ARGUMENTS_BAD;
    } else if ((rv = trip_object(session, hObject, false, &info)) == CKR_OK &&
               (rv = template_take(pTemplate, ulCount, &changes)) == CKR_OK) {
        rv = attributes_set(session, &info, writer_view(&changes));
        if (rv == CKR_OBJECT_HANDLE_INVALID) {
            cache_drop(session->library->cache, info.handle);
        }
    }
    writer_clear(&changes);
    session_end(session);
    return rv;
}
