/* SPDX-License-Identifier: Apache-2.0
 *
 * CKM_ECDH_AES_KEY_WRAP (PKCS #11 v3.1, 6.3.20): what is wrapped, by AES key wrap with padding
 * (RFC 5649) under a key that a pair drawn for it agrees on with the wrapping key. The drawn
 * pair's point, uncompressed and bare, stands before it.
 */
#include "crypto/driver.h"
#include "crypto/library.h"
#include "rules/kdf.h"

#include <openssl/core_names.h>
#include <openssl/rand.h>
#include <string.h>

#define POINT_MAX 133u /* P-521 */
#define AES_LEN_MAX 32u

/* The public half of either key. */
static CK_RV
point_of(const struct algo_key *key, uint8_t room[POINT_MAX], view *ret_point)
{
    size_t len = 0;

    if (EVP_PKEY_get_octet_string_param(key->pkey, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, room,
                                        POINT_MAX, &len) != 1) {
        return library_failed("read a point");
    }
    *ret_point = view_of(room, len);
    return CKR_OK;
}

static bool
source_fill(void *arg, void *bytes, size_t len)
{
    UNUSED(arg);
    return RAND_priv_bytes(bytes, (int)len) == 1;
}

/* A private key of the same curve. */
static CK_RV
pair_draw(const struct algo_call *call, struct algo_key **ret_key)
{
    const struct algo_source source = { .fill = source_fill };
    struct writer template, public_part, private_part, secrets;
    CK_RV rv;

    writer_init(&template, 256);
    writer_init(&public_part, ATTRIBUTES_BYTES_MAX);
    writer_init(&private_part, ATTRIBUTES_BYTES_MAX);
    writer_init(&secrets, ATTRIBUTES_BYTES_MAX);
    attribute_write(&template, CKA_EC_PARAMS,
                    view_of(call->key->curve->oid, call->key->curve->oid_len));
    rv = algo_generate(call->rules, mechanism_row(CKM_EC_KEY_PAIR_GEN), writer_view(&template),
                       source, &public_part, &private_part, &secrets);
    if (rv == CKR_OK) {
        rv = algo_key_new(KIND_EC_PRIVATE, writer_view(&private_part), writer_view(&secrets),
                          ret_key);
    }
    writer_clear(&template);
    writer_clear(&public_part);
    writer_clear(&private_part);
    writer_clear(&secrets);
    return rv;
}

/* PKCS #11 v3.1: "the first ulAESKeyBits bits of the derived key". */
static CK_RV
agree(const struct algo_call *call, const struct algo_key *own, view point,
      uint8_t aes[AES_LEN_MAX])
{
    const struct params_ecdh_aes *params = &call->mechanism->params.ecdh_aes;
    const struct kdf_row *kdf = kdf_for(call->rules, params->kdf);
    const size_t aes_len = params->aes_bits / 8;
    const struct mechanism ecdh = {
        .type = CKM_ECDH1_DERIVE,
        .shape = PARAMS_ecdh,
        .params.ecdh = { .kdf = params->kdf, .shared = params->shared, .point = point },
    };
    const struct algo_derivation derivation = {
        .row = mechanism_row(ecdh.type),
        .mechanism = &ecdh,
        .base = own,
        .count = 1,
        .lens = { kdf != NULL && kdf->form != KDF_plain ? aes_len : 0 },
    };
    struct writer value;
    CK_RV rv;

    if (aes_len != 16 && aes_len != 24 && aes_len != 32) {
        return CKR_MECHANISM_PARAM_INVALID;
    }
    writer_init(&value, 256);
    rv = algo_derive(call->rules, &derivation, &value);
    if (rv == CKR_OK && value.len < aes_len) {
        rv = CKR_MECHANISM_PARAM_INVALID;
    }
    if (rv == CKR_OK) {
        memcpy(aes, value.data, aes_len);
    }
    writer_clear(&value);
    return rv;
}

static CK_RV
both_wrap(const struct algo_call *call, view in, struct writer *out)
{
    const size_t aes_len = call->mechanism->params.ecdh_aes.aes_bits / 8;
    uint8_t room[2][POINT_MAX], aes[AES_LEN_MAX];
    struct algo_key *drawn = NULL;
    view theirs = VIEW_EMPTY, ours = VIEW_EMPTY;
    CK_RV rv;

    if ((rv = pair_draw(call, &drawn)) == CKR_OK &&
        (rv = point_of(call->key, room[0], &theirs)) == CKR_OK &&
        (rv = point_of(drawn, room[1], &ours)) == CKR_OK &&
        (rv = agree(call, drawn, theirs, aes)) == CKR_OK) {
        write_raw(out, ours);
        rv = kwp_run(call, view_of(aes, aes_len), in, out);
    }
    wipe(aes, sizeof aes);
    algo_key_free(drawn);
    return rv;
}

/* A point that is none is a blob that is none. */
static CK_RV
both_unwrap(const struct algo_call *call, view in, struct writer *out)
{
    const size_t aes_len = call->mechanism->params.ecdh_aes.aes_bits / 8;
    uint8_t room[POINT_MAX], aes[AES_LEN_MAX];
    view own = VIEW_EMPTY;
    CK_RV rv = point_of(call->key, room, &own);

    if (rv != CKR_OK) {
        return rv;
    }
    if (in.len <= own.len) {
        return CKR_ENCRYPTED_DATA_LEN_RANGE;
    }
    rv = agree(call, call->key, view_slice(in, 0, own.len), aes);
    if (rv == CKR_OK) {
        rv = kwp_run(call, view_of(aes, aes_len), view_slice(in, own.len, in.len), out);
    } else if (rv == CKR_PUBLIC_KEY_INVALID) {
        rv = CKR_ENCRYPTED_DATA_INVALID;
    }
    wipe(aes, sizeof aes);
    return rv;
}

static CK_RV
ecdh_aes_once(const struct algo_call *call, view in, view signature, struct writer *out)
{
    UNUSED(signature);
    return call->function == CKF_ENCRYPT ? both_wrap(call, in, out) : both_unwrap(call, in, out);
}

const struct algo algo_ecdh_aes = {
    .kinds = 1u << KIND_EC_PUBLIC | 1u << KIND_EC_PRIVATE,
    .once = ecdh_aes_once,
    .start = refuse_start,
    .update = refuse_update,
    .final = refuse_final,
    .generate = refuse_generate,
};
