/* SPDX-License-Identifier: Apache-2.0
 *
 * C_WrapKey and C_UnwrapKey.
 */
#include "p11/object.h"
#include "p11/template.h"
#include "p11/trip.h"

#include "rules/wrapping.h"

#include <string.h>

/* PKCS #11 v3.1, 5.18.3: the mechanism for this, the key that does it, and whether they go
 * together. */
static CK_RV
wrapper_take(struct session *session, CK_FLAGS function, const CK_MECHANISM *given,
             CK_OBJECT_HANDLE handle, struct rules *rules, struct key_info *key,
             struct mechanism *mechanism)
{
    const CK_FLAGS as = function == CKF_WRAP ? CKF_ENCRYPT : CKF_DECRYPT;
    const struct mechanism_row *row;
    CK_RV rv = library_rules(session->library, rules);

    if (rv != CKR_OK) {
        return rv;
    }
    row = mechanism_for(*rules, given->mechanism, function);
    if (row == NULL) {
        return CKR_MECHANISM_INVALID;
    }
    rv = trip_object(session, handle, true, key);
    if (rv == CKR_OBJECT_HANDLE_INVALID || (rv == CKR_OK && key->key_type == UINT32_MAX)) {
        return wrapping_code(function, CKR_KEY_HANDLE_INVALID);
    }
    if (rv != CKR_OK || (rv = params_take(row, given, mechanism)) != CKR_OK ||
        (rv = wrapping_key_check(*rules, row, function, key)) != CKR_OK) {
        return rv;
    }
    return params_check(*rules, row, as, key, mechanism);
}

/* ---- wrap ---- */

static CK_RV
wrapped_take(struct session *session, const struct mechanism *mechanism,
             const struct key_info *wrapping, CK_OBJECT_HANDLE handle, struct key_info *key)
{
    CK_RV rv = trip_object(session, handle, true, key);

    if (rv == CKR_OBJECT_HANDLE_INVALID || (rv == CKR_OK && key->key_type == UINT32_MAX)) {
        return CKR_KEY_HANDLE_INVALID;
    }
    return rv == CKR_OK ? wrapped_key_check(wrapping_row(mechanism->type), wrapping, key) : rv;
}

/* An IV that the HSM made goes where the application's parameter has room for it. */
static void
iv_give(struct rules rules, const struct mechanism *mechanism, view iv)
{
    const view place = mechanism->params.gcm.iv;

    if (params_wants_iv(rules, CKF_WRAP, mechanism) && place.len == iv.len) {
        memcpy((uint8_t *)(uintptr_t)place.data, iv.data, iv.len);
    }
}

/* The blob's length is the HSM's to say, as it knows how the key is encoded. */
static CK_RV
blob_take(struct session *session, const struct wrap_request *request, bool query,
          struct rules rules, CK_BYTE *out, CK_ULONG *len)
{
    struct wrap_reply reply;
    struct call call;
    uint32_t needed;
    CK_RV rv = trip_begin(session->library, &call);

    if (rv != CKR_OK) {
        goto out;
    }
    wrap_request_write(call.body, request);
    rv = trip_send(session->library, session, &call, OPERATION_WRAP);
    if (rv == CKR_BUFFER_TOO_SMALL) {
        struct reader r = reader_of(call.reply);

        if (!read_u32(&r, &needed) || !reader_done(&r) || needed <= request->max) {
            rv = CKR_DEVICE_ERROR;
        } else {
            *len = needed;
            rv = query ? CKR_OK : CKR_BUFFER_TOO_SMALL;
        }
    } else if (rv == CKR_OK) {
        if (!wrap_reply_read(call.reply, &reply) || reply.data.len > request->max ||
            reply.data.len == 0) {
            rv = CKR_DEVICE_ERROR;
        } else {
            memcpy(out, reply.data.data, reply.data.len);
            *len = reply.data.len;
            iv_give(rules, &request->mechanism, reply.iv);
        }
    }
out:
    call_end(&call);
    return rv;
}

PUBLIC CK_RV
C_WrapKey(CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism, CK_OBJECT_HANDLE hWrappingKey,
          CK_OBJECT_HANDLE hKey, CK_BYTE_PTR pWrappedKey, CK_ULONG_PTR pulWrappedKeyLen)
{
    struct wrap_request request = { .max = 0 };
    struct key_info wrapping, key;
    struct session *session;
    struct rules rules;
    CK_RV rv = session_begin(hSession, &session);

    if (rv != CKR_OK) {
        return rv;
    }
    if (pMechanism == NULL || pulWrappedKeyLen == NULL) {
        rv = CKR_ARGUMENTS_BAD;
        goto out;
    }
    if ((rv = wrapper_take(session, CKF_WRAP, pMechanism, hWrappingKey, &rules, &wrapping,
                           &request.mechanism)) != CKR_OK ||
        (rv = wrapped_take(session, &request.mechanism, &wrapping, hKey, &key)) != CKR_OK) {
        goto out;
    }
    request.wrapping = wrapping.handle;
    request.key = key.handle;
    if (pWrappedKey != NULL) {
        request.max = (uint32_t)size_min(*pulWrappedKeyLen, UINT32_MAX);
    }
    rv = blob_take(session, &request, pWrappedKey == NULL, rules, pWrappedKey,
                   pulWrappedKeyLen);
out:
    session_end(session);
    return rv;
}

/* ---- unwrap ---- */

static CK_RV
unwrap(struct session *session, struct unwrap_request *request, CK_OBJECT_HANDLE *ret_key)
{
    const struct moment before = trip_moment(session->library);
    struct unwrap_reply reply;
    struct call call;
    CK_RV rv = object_place(session, template_is_token(request->template), &request->handle);

    if (rv != CKR_OK) {
        return rv;
    }
    if ((rv = trip_begin(session->library, &call)) != CKR_OK) {
        goto out;
    }
    unwrap_request_write(call.body, request);
    if ((rv = trip_send(session->library, session, &call, OPERATION_UNWRAP)) == CKR_OK) {
        rv = unwrap_reply_read(call.reply, &reply)
                 ? object_made(session, before, reply.made, 1)
                 : CKR_DEVICE_ERROR;
    }
    if (rv == CKR_OK) {
        *ret_key = info_array_get(reply.made, 0).handle;
    }
out:
    call_end(&call);
    return rv;
}

PUBLIC CK_RV
C_UnwrapKey(CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism,
            CK_OBJECT_HANDLE hUnwrappingKey, CK_BYTE_PTR pWrappedKey, CK_ULONG ulWrappedKeyLen,
            CK_ATTRIBUTE_PTR pTemplate, CK_ULONG ulAttributeCount, CK_OBJECT_HANDLE_PTR phKey)
{
    struct unwrap_request request = { .handle = 0 };
    struct key_info key;
    struct session *session;
    struct writer template;
    struct rules rules;
    CK_RV rv = session_begin(hSession, &session);

    if (rv != CKR_OK) {
        return rv;
    }
    writer_init(&template, ATTRIBUTES_BYTES_MAX);
    if (pMechanism == NULL || phKey == NULL || pWrappedKey == NULL) {
        rv = CKR_ARGUMENTS_BAD;
        goto out;
    }
    if ((rv = wrapper_take(session, CKF_UNWRAP, pMechanism, hUnwrappingKey, &rules, &key,
                           &request.mechanism)) != CKR_OK) {
        goto out;
    }
    if (ulWrappedKeyLen == 0 || ulWrappedKeyLen > FRAME_DATA_MAX) {
        rv = CKR_WRAPPED_KEY_LEN_RANGE;
        goto out;
    }
    if ((rv = template_take(pTemplate, ulAttributeCount, &template)) != CKR_OK) {
        goto out;
    }
    request.unwrapping = key.handle;
    request.wrapped = view_of(pWrappedKey, ulWrappedKeyLen);
    request.template = writer_view(&template);
    rv = unwrap(session, &request, phKey);
out:
    writer_clear(&template);
    session_end(session);
    return rv;
}
