/* SPDX-License-Identifier: Apache-2.0
 *
 * One call of the library.
 */
#include "crypto/tls_prf.h"

#include "crypto/library.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

static OSSL_PARAM
seed_param(view seed)
{
    return OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, (void *)(uintptr_t)seed.data,
                                             seed.len);
}

/* The hash of the PRF by the library's name. */
static char *
prf_name(uint32_t mechanism)
{
    static char both[] = "MD5-SHA1";
    enum hash hash = hash_by_mechanism(mechanism);

    if (mechanism == CKM_TLS_PRF) {
        return both;
    }
    return hash == HASH_NONE ? NULL : (char *)(uintptr_t)hash_row(hash)->library_name;
}

CK_RV
tls_prf(view secret, uint32_t hash, const view seeds[TLS_SEEDS], size_t len, struct writer *out)
{
    char *name = prf_name(hash);
    OSSL_PARAM params[TLS_SEEDS + 3];
    uint8_t *space = write_space(out, len);
    EVP_KDF_CTX *ctx;
    size_t n = 0;
    CK_RV rv = CKR_OK;

    if (space == NULL) {
        return CKR_DEVICE_MEMORY;
    }
    if (name == NULL) {
        return CKR_MECHANISM_PARAM_INVALID;
    }
    params[n++] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, name, 0);
    params[n++] = OSSL_PARAM_construct_octet_string(
        OSSL_KDF_PARAM_SECRET, (void *)(uintptr_t)secret.data, secret.len);
    for (size_t i = 0; i < TLS_SEEDS; i++) {
        if (seeds[i].len > 0) {
            params[n++] = seed_param(seeds[i]);
        }
    }
    params[n] = OSSL_PARAM_construct_end();
    ctx = EVP_KDF_CTX_new(library_tls_prf());
    if (ctx == NULL || EVP_KDF_derive(ctx, space, len, params) != 1) {
        rv = library_failed("run the PRF of TLS");
    }
    EVP_KDF_CTX_free(ctx);
    return rv;
}
