/* SPDX-License-Identifier: Apache-2.0
 *
 * C_DeriveKey.
 */
#include "p11/object.h"
#include "p11/template.h"
#include "p11/trip.h"

#include <stddef.h>
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

/* The keys that a call makes: where their handles go. */
struct made_keys {
    size_t count;
    void *handles[DERIVED_MAX];
};

/* PKCS #11 v3.1, 6.42.2: CK_DERIVED_KEY structures of the application, anywhere in memory. */
static CK_RV
more_take(const void *array, CK_ULONG count, struct made_keys *keys, struct writer *more)
{
    if (count > 0 && (array == NULL || count > DERIVED_MAX - 1)) {
        return CKR_MECHANISM_PARAM_INVALID;
    }
    for (CK_ULONG i = 0; i < count; i++) {
        struct writer template;
        CK_DERIVED_KEY key;
        CK_RV rv;

        memcpy(&key, (const uint8_t *)array + i * sizeof key, sizeof key);
        if (key.phKey == NULL) {
            return CKR_MECHANISM_PARAM_INVALID;
        }
        keys->handles[keys->count++] = key.phKey;
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

/* PKCS #11 v3.1, 6.40.7: MAC keys and keys of client and server, as far as they have a size. */
static CK_RV
tls_keys_find(const CK_MECHANISM *given, struct made_keys *keys)
{
    CK_TLS12_KEY_MAT_PARAMS params;
    CK_SSL3_KEY_MAT_OUT out;
    uint8_t *at;

    memcpy(&params, given->pParameter, sizeof params);
    at = (uint8_t *)params.pReturnedKeyMaterial;
    memcpy(&out, at, sizeof out);
    if (params.ulMacSizeInBits > 0) {
        keys->handles[keys->count++] = at + offsetof(CK_SSL3_KEY_MAT_OUT, hClientMacSecret);
        keys->handles[keys->count++] = at + offsetof(CK_SSL3_KEY_MAT_OUT, hServerMacSecret);
    }
    if (params.ulKeySizeInBits > 0) {
        keys->handles[keys->count++] = at + offsetof(CK_SSL3_KEY_MAT_OUT, hClientKey);
        keys->handles[keys->count++] = at + offsetof(CK_SSL3_KEY_MAT_OUT, hServerKey);
    }
    /* IVs have somewhere to go, or none are asked for. */
    return given->mechanism != CKM_TLS12_KEY_AND_MAC_DERIVE || params.ulIVSizeInBits == 0 ||
                   (out.pIVClient != NULL && out.pIVServer != NULL)
               ? CKR_OK
               : CKR_MECHANISM_PARAM_INVALID;
}

/* All keys: mostly one, whose handle goes to first; more where the parameter says so. Of
 * SP 800-108 the vendor's layout, which is shorter, has no more. */
static CK_RV
keys_find(const CK_MECHANISM *given, enum params_shape shape, CK_OBJECT_HANDLE *first,
          struct made_keys *keys, struct writer *more)
{
    CK_SP800_108_KDF_PARAMS kdf;
    CK_SP800_108_FEEDBACK_KDF_PARAMS feedback;

    if (shape == PARAMS_tls_keys) {
        return tls_keys_find(given, keys);
    }
    if (first == NULL) {
        return CKR_ARGUMENTS_BAD;
    }
    keys->handles[keys->count++] = first;
    if (shape == PARAMS_kbkdf && given->ulParameterLen == sizeof kdf) {
        memcpy(&kdf, given->pParameter, sizeof kdf);
        return more_take(kdf.pAdditionalDerivedKeys, kdf.ulAdditionalDerivedKeys, keys, more);
    }
    if (shape == PARAMS_feedback) {
        memcpy(&feedback, given->pParameter, sizeof feedback);
        return more_take(feedback.pAdditionalDerivedKeys, feedback.ulAdditionalDerivedKeys, keys,
                         more);
    }
    return CKR_OK;
}

/* Where a TLS version goes; NULL when nobody wants it. */
static void *
version_out(const CK_MECHANISM *given, const struct mechanism *mechanism)
{
    CK_TLS12_MASTER_KEY_DERIVE_PARAMS master;
    CK_TLS12_EXTENDED_MASTER_KEY_DERIVE_PARAMS extended;

    if (mechanism->shape == PARAMS_tls_master) {
        memcpy(&master, given->pParameter, sizeof master);
        return master.pVersion;
    }
    if (mechanism->shape == PARAMS_tls_extended) {
        memcpy(&extended, given->pParameter, sizeof extended);
        return extended.pVersion;
    }
    return NULL;
}

/* What came beside the keys, to where the parameter wants it. */
static CK_RV
data_give(const CK_MECHANISM *given, const struct mechanism *mechanism, view data)
{
    void *version = version_out(given, mechanism);
    bool ivs = mechanism->type == CKM_TLS12_KEY_AND_MAC_DERIVE;
    size_t len = ivs ? mechanism->params.tls_keys.iv_bits / 8 : 0;
    CK_TLS12_KEY_MAT_PARAMS keys;
    CK_SSL3_KEY_MAT_OUT out;

    if (data.len != (version != NULL ? 2 : 2 * len)) {
        return CKR_DEVICE_ERROR;
    }
    if (version != NULL) {
        const CK_VERSION found = { data.data[0], data.data[1] };

        memcpy(version, &found, sizeof found);
    } else if (len > 0) {
        memcpy(&keys, given->pParameter, sizeof keys);
        memcpy(&out, keys.pReturnedKeyMaterial, sizeof out);
        memcpy(out.pIVClient, data.data, len);
        memcpy(out.pIVServer, data.data + len, len);
    }
    return CKR_OK;
}

/* A number for each key; those without a template of their own have the first one's. */
static CK_RV
handles_place(struct session *session, const struct derive_request *request, size_t count,
              struct writer *handles)
{
    struct reader more = reader_of(request->more);
    struct attribute attribute = { .value = request->template };
    CK_RV rv = CKR_OK;

    for (size_t i = 0; i < count && rv == CKR_OK; i++) {
        uint32_t handle = 0;

        rv = object_place(session, template_is_token(attribute.value), &handle);
        number_write(handles, handle);
        if (!attributes_next(&more, &attribute)) {
            attribute.value = request->template;
        }
    }
    return rv;
}

static CK_RV
keys_derive(struct session *session, const CK_MECHANISM *given, struct derive_request *request,
            const struct made_keys *keys)
{
    const struct moment before = trip_moment(session->library);
    struct derive_reply reply;
    struct writer handles;
    struct call call;
    CK_RV rv;

    writer_init(&handles, DERIVED_MAX * sizeof(uint32_t));
    rv = handles_place(session, request, keys->count, &handles);
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
             ? object_made(session, before, reply.made, keys->count)
             : CKR_DEVICE_ERROR;
    if (rv == CKR_OK) {
        rv = data_give(given, &request->mechanism, reply.data);
    }
    for (size_t i = 0; i < keys->count && rv == CKR_OK; i++) {
        CK_OBJECT_HANDLE handle = info_array_get(reply.made, i).handle;

        memcpy(keys->handles[i], &handle, sizeof handle);
    }
out:
    call_end(&call);
    writer_clear(&handles);
    return rv;
}

/* phKey may be NULL where the handles go elsewhere (PKCS #11 v3.1, 6.40.7). */
PUBLIC CK_RV
C_DeriveKey(CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism, CK_OBJECT_HANDLE hBaseKey,
            CK_ATTRIBUTE_PTR pTemplate, CK_ULONG ulAttributeCount, CK_OBJECT_HANDLE_PTR phKey)
{
    struct derive_request request = { .key = 0 };
    struct made_keys keys = { .count = 0 };
    struct session *session;
    struct writer template, more;
    CK_RV rv = session_begin(hSession, &session);

    if (rv != CKR_OK) {
        return rv;
    }
    writer_init(&template, ATTRIBUTES_BYTES_MAX);
    writer_init(&more, ATTRIBUTES_BYTES_MAX);
    if (pMechanism == NULL) {
        rv = CKR_ARGUMENTS_BAD;
    } else if ((rv = derivation_take(session, pMechanism, hBaseKey, &request)) == CKR_OK &&
               (rv = template_take(pTemplate, ulAttributeCount, &template)) == CKR_OK &&
               (rv = keys_find(pMechanism, request.mechanism.shape, phKey, &keys, &more)) ==
                   CKR_OK) {
        request.template = writer_view(&template);
        request.more = writer_view(&more);
        rv = keys_derive(session, pMechanism, &request, &keys);
    }
    writer_clear(&template);
    writer_clear(&more);
    session_end(session);
    return rv;
}
