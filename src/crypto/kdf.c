/* SPDX-License-Identifier: Apache-2.0
 *
 * Hashing and key derivation that the core needs for itself: names of records to keys, and
 * passwords to verifiers.
 */
#include "crypto/digest.h"
#include "crypto/library.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

static const char digest_name[] = "SHA2-256";

/* The library's parameters take no const; it only reads what these point at. */
static OSSL_PARAM
text_param(const char *key, const char *text)
{
    return OSSL_PARAM_construct_utf8_string(key, (char *)(uintptr_t)text, 0);
}

static OSSL_PARAM
bytes_param(const char *key, view bytes)
{
    static const uint8_t none;
    const uint8_t *data = bytes.len == 0 ? &none : bytes.data;

    return OSSL_PARAM_construct_octet_string(key, (void *)(uintptr_t)data, bytes.len);
}

static bool
reported(bool done, const char *doing)
{
    if (!done) {
        library_report(doing);
    }
    return done;
}

bool
algo_sha256(view in, uint8_t out[32])
{
    return reported(EVP_Digest(in.data, in.len, out, NULL, library_hash(HASH_SHA256), NULL) == 1,
                    "compute SHA-256");
}

bool
algo_hmac_sha256(view key, view in, uint8_t out[32])
{
    static const uint8_t none;
    const OSSL_PARAM params[] = {
        text_param(OSSL_MAC_PARAM_DIGEST, digest_name),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(library_hmac());
    size_t len = 0;
    bool done = ctx != NULL &&
                EVP_MAC_init(ctx, key.len == 0 ? &none : key.data, key.len, params) == 1 &&
                (in.len == 0 || EVP_MAC_update(ctx, in.data, in.len) == 1) &&
                EVP_MAC_final(ctx, out, &len, 32) == 1 && len == 32;

    EVP_MAC_CTX_free(ctx);
    return reported(done, "compute HMAC-SHA-256");
}

bool
algo_hkdf(view key, view salt, view info, uint8_t *out, size_t len)
{
    const OSSL_PARAM params[] = {
        text_param(OSSL_KDF_PARAM_DIGEST, digest_name),
        bytes_param(OSSL_KDF_PARAM_KEY, key),
        bytes_param(OSSL_KDF_PARAM_SALT, salt),
        bytes_param(OSSL_KDF_PARAM_INFO, info),
        OSSL_PARAM_construct_end(),
    };
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(library_hkdf());
    bool done = ctx != NULL && EVP_KDF_derive(ctx, out, len, params) == 1;

    EVP_KDF_CTX_free(ctx);
    return reported(done, "derive a key with HKDF");
}

bool
algo_scrypt(view password, view salt, uint64_t n, uint32_t r, uint32_t p, uint8_t *out, size_t len)
{
    static const uint8_t none;
    const uint8_t *text = password.len == 0 ? &none : password.data;
    const uint8_t *grains = salt.len == 0 ? &none : salt.data;

    /* RFC 7914, 2: what it needs is 128 r (N + p + 2) bytes; the library's own cap is lower. */
    if (n > UINT32_MAX || r > UINT16_MAX || p > UINT16_MAX) {
        return false;
    }
    return reported(EVP_PBE_scrypt((const char *)text, password.len, grains, salt.len, n, r, p,
                                   128 * (uint64_t)r * (n + p + 2), out, len) == 1,
                    "derive a key with scrypt");
}
