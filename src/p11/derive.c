/* SPDX-License-Identifier: Apache-2.0
 *
 * C_DeriveKey.
 */
#include "p11/object.h"
#include "p11/template.h"
#include "p11/trip.h"

/* PKCS #11 v3.1, 5.18.5: the mechanism for this, the base key, and whether they go together. */
static CK_RV
derivation_take(struct session *session, const CK_MECHANISM *given, CK_OBJECT_HANDLE base,
                struct derive_request *request)
{
    const struct mechanism_row *row;
    struct key_info key;
    struct rules rules;
    CK_RV rv = library_rules(session->library, &rules);

    if (rv != CKR_OK) {
        return rv;
    }
    row = mechanism_for(rules, given->mechanism, CKF_DERIVE);
    if (row == NULL) {
        return CKR_MECHANISM_INVALID;
    }
    rv = trip_object(session, base, true, &key);
    if (rv == CKR_OBJECT_HANDLE_INVALID || (rv == CKR_OK && key.key_type == UINT32_MAX)) {
        return CKR_KEY_HANDLE_INVALID;
    }
    if (rv != CKR_OK || (rv = params_take(row, given, &request->mechanism)) != CKR_OK ||
        (rv = key_check(rules, row, CKF_DERIVE, &key)) != CKR_OK) {
        return rv;
    }
    request->key = key.handle;
    return params_check(rules, row, CKF_DERIVE, &key, &request->mechanism);
}

static CK_RV
key_derive(struct session *session, struct derive_request *request, CK_OBJECT_HANDLE *ret_key)
{
    const struct moment before = trip_moment(session->library);
    struct derive_reply reply;
    struct writer handles;
    struct call call;
    uint32_t handle;
    CK_RV rv = object_place(session, template_is_token(request->template), &handle);

    if (rv != CKR_OK) {
        return rv;
    }
    writer_init(&handles, sizeof handle);
    number_write(&handles, handle);
    request->handles.bytes = writer_view(&handles);
    if ((rv = trip_begin(session->library, &call)) != CKR_OK) {
        goto out;
    }
    derive_request_write(call.body, request);
    if ((rv = trip_send(session->library, session, &call, OPERATION_DERIVE)) != CKR_OK) {
        goto out;
    }
    rv = derive_reply_read(call.reply, &reply) ? object_made(session, before, reply.made, 1)
                                               : CKR_DEVICE_ERROR;
    if (rv == CKR_OK) {
        *ret_key = info_array_get(reply.made, 0).handle;
    }
out:
    call_end(&call);
    writer_clear(&handles);
    return rv;
}

PUBLIC CK_RV
C_DeriveKey(CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism, CK_OBJECT_HANDLE hBaseKey,
            CK_ATTRIBUTE_PTR pTemplate, CK_ULONG ulAttributeCount, CK_OBJECT_HANDLE_PTR phKey)
{
    struct derive_request request = { .key = 0 };
    struct session *session;
    struct writer template;
    CK_RV rv = session_begin(hSession, &session);

    if (rv != CKR_OK) {
        return rv;
    }
    writer_init(&template, ATTRIBUTES_BYTES_MAX);
    if (pMechanism == NULL || phKey == NULL) {
        rv = CKR_ARGUMENTS_BAD;
    } else if ((rv = derivation_take(session, pMechanism, hBaseKey, &request)) == CKR_OK &&
               (rv = template_take(pTemplate, ulAttributeCount, &template)) == CKR_OK) {
        request.template = writer_view(&template);
        rv = key_derive(session, &request, phKey);
    }
    writer_clear(&template);
    session_end(session);
    return rv;
}
