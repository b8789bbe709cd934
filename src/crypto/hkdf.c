/* SPDX-License-Identifier: Apache-2.0
 *
 * HKDF (RFC 5869) with both halves at will, and PBKDF2 (RFC 8018): the derivation functions
 * that applications ask for by these names.
 */
#include "crypto/derive.h"
#include "crypto/library.h"
#include "rules/kdf.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

static OSSL_PARAM
bytes_param(const char *name, view bytes)
{
    static const uint8_t none;
    const uint8_t *data = bytes.len == 0 ? &none : bytes.data;

    return OSSL_PARAM_construct_octet_string(name, (void *)(uintptr_t)data, bytes.len);
}

static view
salt_of(const struct algo_derivation *d)
{
    const struct params_hkdf *params = &d->mechanism->params.hkdf;

    switch (params->salt_type) {
    case CKF_HKDF_SALT_DATA:
        return params->salt;
    case CKF_HKDF_SALT_KEY:
        return d->others[0] == NULL ? VIEW_EMPTY : secret_view(d->others[0]->value);
    default:
        return VIEW_EMPTY; /* RFC 5869, 2.2: zeros, which an empty HMAC key is, too */
    }
}

static bool
hkdf_run(const struct algo_derivation *d, enum hash hash, uint8_t *out, size_t len)
{
    const struct params_hkdf *params = &d->mechanism->params.hkdf;
    char *name = (char *)(uintptr_t)hash_row(hash)->library_name; /* only read */
    int mode = params->extract == 0  ? EVP_KDF_HKDF_MODE_EXPAND_ONLY
               : params->expand == 0 ? EVP_KDF_HKDF_MODE_EXTRACT_ONLY
                                     : EVP_KDF_HKDF_MODE_EXTRACT_AND_EXPAND;
    const OSSL_PARAM settings[] = {
        OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, name, 0),
        bytes_param(OSSL_KDF_PARAM_KEY, secret_view(d->base->value)),
        bytes_param(OSSL_KDF_PARAM_SALT, salt_of(d)),
        bytes_param(OSSL_KDF_PARAM_INFO, params->info),
        OSSL_PARAM_construct_end(),
    };
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(library_hkdf());
    bool done = ctx != NULL && EVP_KDF_derive(ctx, out, len, settings) == 1;

    EVP_KDF_CTX_free(ctx);
    return done;
}

/* PKCS #11 v3.1, 6.62.3: an extraction alone gives as much as the hash does. */
static CK_RV
len_find(const struct algo_derivation *d, enum hash hash, size_t *ret_len)
{
    size_t hash_len = hash_row(hash)->length;
    size_t len = d->lens[0];

    if (d->mechanism->params.hkdf.expand == 0) {
        *ret_len = hash_len;
        return len == 0 || len == hash_len ? CKR_OK : CKR_TEMPLATE_INCONSISTENT;
    }
    if (len == 0) {
        return CKR_TEMPLATE_INCOMPLETE;
    }
    *ret_len = len;
    return len <= 255 * hash_len ? CKR_OK : CKR_KEY_SIZE_RANGE;
}

static CK_RV
hkdf_derive(struct rules rules, const struct algo_derivation *d, struct writer *out)
{
    enum hash hash = hash_by_mechanism(d->mechanism->params.hkdf.hash);
    uint8_t *space;
    size_t len;
    CK_RV rv;

    UNUSED(rules);
    if (hash == HASH_NONE) {
        return CKR_MECHANISM_PARAM_INVALID;
    }
    if ((rv = len_find(d, hash, &len)) != CKR_OK) {
        return rv;
    }
    space = write_space(out, len);
    if (space == NULL) {
        return CKR_DEVICE_MEMORY;
    }
    return hkdf_run(d, hash, space, len) ? CKR_OK : library_failed("derive a key with HKDF");
}

const struct deriver hkdf_deriver = { 1u << KIND_GENERIC, hkdf_derive };

CK_RV
algo_pbkdf2(const struct params_pbkd2 *params, size_t len, struct writer *out)
{
    const EVP_MD *hash = library_hash(hash_by_pbkd2(params->prf));
    uint8_t *space = write_space(out, len);
    bool done;

    if (space == NULL) {
        return CKR_DEVICE_MEMORY;
    }
    done = PKCS5_PBKDF2_HMAC(params->password.len == 0 ? "" : (const char *)params->password.data,
                             (int)params->password.len,
                             params->salt.len == 0 ? (const uint8_t *)"" : params->salt.data,
                             (int)params->salt.len, (int)params->iterations, hash, (int)len,
                             space) == 1;
    return done ? CKR_OK : library_failed("derive a key with PBKDF2");
}
