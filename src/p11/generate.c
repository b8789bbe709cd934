/* SPDX-License-Identifier: Apache-2.0
 *
 * C_GenerateKey and C_GenerateKeyPair.
 */
#include "p11/object.h"
#include "p11/template.h"
#include "p11/trip.h"

/* PKCS #11 v3.1, 5.18.1: the mechanism for this function, with its parameter. */
static CK_RV
generator_take(struct session *session, const CK_MECHANISM *given, CK_FLAGS function,
               struct mechanism *ret_mechanism)
{
    const struct mechanism_row *row;
    struct mechanism mechanism;
    struct rules rules;
    CK_RV rv = library_rules(session->library, &rules);

    if (rv != CKR_OK) {
        return rv;
    }
    row = mechanism_for(rules, given->mechanism, function);
    if (row == NULL) {
        return CKR_MECHANISM_INVALID;
    }
    if ((rv = params_take(row, given, &mechanism)) != CKR_OK ||
        (rv = params_check(rules, row, function, NULL, &mechanism)) != CKR_OK) {
        return rv;
    }
    *ret_mechanism = mechanism;
    return CKR_OK;
}

static CK_RV
key_make(struct session *session, const struct mechanism *mechanism, view template,
         CK_OBJECT_HANDLE *ret_key)
{
    struct generate_key_request request = { .mechanism = *mechanism, .template = template };
    const struct moment before = trip_moment(session->library);
    struct generate_key_reply reply;
    struct call call;
    CK_RV rv = object_place(session, template_is_token(template), &request.handle);

    if (rv != CKR_OK) {
        return rv;
    }
    if ((rv = trip_begin(session->library, &call)) != CKR_OK) {
        goto out;
    }
    generate_key_request_write(call.body, &request);
    if ((rv = trip_send(session->library, session, &call, OPERATION_GENERATE_KEY)) != CKR_OK) {
        goto out;
    }
    rv = generate_key_reply_read(call.reply, &reply) ? object_made(session, before, reply.made, 1)
                                                     : CKR_DEVICE_ERROR;
    if (rv == CKR_OK) {
        *ret_key = info_array_get(reply.made, 0).handle;
    }
out:
    call_end(&call);
    return rv;
}

PUBLIC CK_RV
C_GenerateKey(CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism, CK_ATTRIBUTE_PTR pTemplate,
              CK_ULONG ulCount, CK_OBJECT_HANDLE_PTR phKey)
{
    struct mechanism mechanism;
    struct session *session;
    struct writer template;
    CK_RV rv = session_begin(hSession, &session);

    if (rv != CKR_OK) {
        return rv;
    }
    writer_init(&template, ATTRIBUTES_BYTES_MAX);
    if (pMechanism == NULL || phKey == NULL) {
        rv = CKR_ARGUMENTS_BAD;
    } else if ((rv = generator_take(session, pMechanism, CKF_GENERATE, &mechanism)) == CKR_OK &&
               (rv = template_take(pTemplate, ulCount, &template)) == CKR_OK) {
        rv = key_make(session, &mechanism, writer_view(&template), phKey);
    }
    writer_clear(&template);
    session_end(session);
    return rv;
}

static CK_RV
pair_make(struct session *session, struct generate_pair_request *request,
          CK_OBJECT_HANDLE *ret_public, CK_OBJECT_HANDLE *ret_private)
{
    const struct moment before = trip_moment(session->library);
    struct generate_pair_reply reply;
    struct call call;
    CK_RV rv;

    if ((rv = object_place(session, template_is_token(request->public_template),
                           &request->public_handle)) != CKR_OK ||
        (rv = object_place(session, template_is_token(request->private_template),
                           &request->private_handle)) != CKR_OK) {
        return rv;
    }
    if ((rv = trip_begin(session->library, &call)) != CKR_OK) {
        goto out;
    }
    generate_pair_request_write(call.body, request);
    if ((rv = trip_send(session->library, session, &call, OPERATION_GENERATE_PAIR)) !=
        CKR_OK) {
        goto out;
    }
    rv = generate_pair_reply_read(call.reply, &reply)
             ? object_made(session, before, reply.made, 2)
             : CKR_DEVICE_ERROR;
    if (rv == CKR_OK) {
        *ret_public = info_array_get(reply.made, 0).handle;
        *ret_private = info_array_get(reply.made, 1).handle;
    }
out:
    call_end(&call);
    return rv;
}

PUBLIC CK_RV
C_GenerateKeyPair(CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism,
                  CK_ATTRIBUTE_PTR pPublicKeyTemplate, CK_ULONG ulPublicKeyAttributeCount,
                  CK_ATTRIBUTE_PTR pPrivateKeyTemplate, CK_ULONG ulPrivateKeyAttributeCount,
                  CK_OBJECT_HANDLE_PTR phPublicKey, CK_OBJECT_HANDLE_PTR phPrivateKey)
{
    struct generate_pair_request request = { 0 };
    struct session *session;
    struct writer public, private;
    CK_RV rv = session_begin(hSession, &session);

    if (rv != CKR_OK) {
        return rv;
    }
    writer_init(&public, ATTRIBUTES_BYTES_MAX);
    writer_init(&private, ATTRIBUTES_BYTES_MAX);
    if (pMechanism == NULL || phPublicKey == NULL || phPrivateKey == NULL) {
        rv = CKR_ARGUMENTS_BAD;
    } else if ((rv = generator_take(session, pMechanism, CKF_GENERATE_KEY_PAIR,
                                    &request.mechanism)) == CKR_OK &&
               (rv = template_take(pPublicKeyTemplate, ulPublicKeyAttributeCount, &public)) ==
                   CKR_OK &&
               (rv = template_take(pPrivateKeyTemplate, ulPrivateKeyAttributeCount, &private)) ==
                   CKR_OK) {
        request.public_template = writer_view(&public);
        request.private_template = writer_view(&private);
        rv = pair_make(session, &request, phPublicKey, phPrivateKey);
    }
    writer_clear(&public);
    writer_clear(&private);
    session_end(session);
    return rv;
}
