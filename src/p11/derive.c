/* SPDX-License-Identifier: Apache-2.0
 *
 * C_DeriveKey.
 */
#include "p11/object.h"
#include "p11/template.h"
#include "p11/trip.h"

#include <string.h>

#define DERIVED_MAX 4u /* keys that one call makes */

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

/* Keys beside the first that the parameter asks for, and where their handles go. */
struct further {
    size_t count;
    CK_OBJECT_HANDLE *handles[DERIVED_MAX];
};

/* PKCS #11 v3.1, 6.42.2: CK_DERIVED_KEY structures of the application, anywhere in memory. */
static CK_RV
further_take(const void *array, CK_ULONG count, struct further *further, struct writer *more)
{
    if (count == 0) {
        return CKR_OK;
    }
    if (array == NULL || count > DERIVED_MAX - 1) {
        return CKR_MECHANISM_PARAM_INVALID;
    }
    for (; further->count < count; further->count++) {
        struct writer template;
        CK_DERIVED_KEY key;
        CK_RV rv;

        memcpy(&key, (const uint8_t *)array + further->count * sizeof key, sizeof key);
        if (key.phKey == NULL) {
            return CKR_MECHANISM_PARAM_INVALID;
        }
        further->handles[further->count] = key.phKey;
        writer_init(&template, ATTRIBUTES_BYTES_MAX);
        rv = template_take(key.pTemplate, key.ulAttributeCount, &template);
        attribute_write(more, CKA_DERIVE_TEMPLATE, writer_view(&template));
        writer_clear(&template);
        if (rv != CKR_OK) {
            return rv;
        }
    }
    return writer_ok(more) ? CKR_OK : CKR_HOST_MEMORY;
}

/* The vendor's layout, which is shorter, has none. */
static CK_RV
further_find(const CK_MECHANISM *given, enum params_shape shape, struct further *further,
             struct writer *more)
{
    CK_SP800_108_KDF_PARAMS kdf;
    CK_SP800_108_FEEDBACK_KDF_PARAMS feedback;

    if (shape == PARAMS_kbkdf && given->ulParameterLen == sizeof kdf) {
        memcpy(&kdf, given->pParameter, sizeof kdf);
        return further_take(kdf.pAdditionalDerivedKeys, kdf.ulAdditionalDerivedKeys, further,
                            more);
    }
    if (shape == PARAMS_feedback) {
        memcpy(&feedback, given->pParameter, sizeof feedback);
        return further_take(feedback.pAdditionalDerivedKeys, feedback.ulAdditionalDerivedKeys,
                            further, more);
    }
    return CKR_OK;
}

/* A number for each key, in the order of the templates. */
static CK_RV
handles_place(struct session *session, const struct derive_request *request,
              struct writer *handles)
{
    struct reader more = reader_of(request->more);
    struct attribute attribute = { .value = request->template };
    CK_RV rv;

    do {
        uint32_t handle;

        rv = object_place(session, template_is_token(attribute.value), &handle);
        if (rv != CKR_OK) {
            return rv;
        }
        number_write(handles, handle);
    } while (attributes_next(&more, &attribute));
    return CKR_OK;
}

static CK_RV
keys_derive(struct session *session, struct derive_request *request,
            const struct further *further, CK_OBJECT_HANDLE *ret_key)
{
    const struct moment before = trip_moment(session->library);
    struct derive_reply reply;
    struct writer handles;
    struct call call;
    CK_RV rv;

    writer_init(&handles, DERIVED_MAX * sizeof(uint32_t));
    rv = handles_place(session, request, &handles);
    if (rv != CKR_OK) {
        writer_clear(&handles);
        return rv;
    }
    request->handles.bytes = writer_view(&handles);
    if ((rv = trip_begin(session->library, &call)) != CKR_OK) {
        goto out;
    }
    derive_request_write(call.body, request);
    if ((rv = trip_send(session->library, session, &call, OPERATION_DERIVE)) != CKR_OK) {
        goto out;
    }
    rv = derive_reply_read(call.reply, &reply)
             ? object_made(session, before, reply.made, 1 + further->count)
             : CKR_DEVICE_ERROR;
    if (rv == CKR_OK) {
        *ret_key = info_array_get(reply.made, 0).handle;
        for (size_t i = 0; i < further->count; i++) {
            CK_OBJECT_HANDLE handle = info_array_get(reply.made, 1 + i).handle;

            memcpy(further->handles[i], &handle, sizeof handle);
        }
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
    struct further further = { .count = 0 };
    struct session *session;
    struct writer template, more;
    CK_RV rv = session_begin(hSession, &session);

    if (rv != CKR_OK) {
        return rv;
    }
    writer_init(&template, ATTRIBUTES_BYTES_MAX);
    writer_init(&more, ATTRIBUTES_BYTES_MAX);
    if (pMechanism == NULL || phKey == NULL) {
        rv = CKR_ARGUMENTS_BAD;
    } else if ((rv = derivation_take(session, pMechanism, hBaseKey, &request)) == CKR_OK &&
               (rv = template_take(pTemplate, ulAttributeCount, &template)) == CKR_OK &&
               (rv = further_find(pMechanism, request.mechanism.shape, &further, &more)) ==
                   CKR_OK) {
        request.template = writer_view(&template);
        request.more = writer_view(&more);
        rv = keys_derive(session, &request, &further, phKey);
    }
    writer_clear(&template);
    writer_clear(&more);
    session_end(session);
    return rv;
}
