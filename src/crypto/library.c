/* SPDX-License-Identifier: Apache-2.0
 *
 * Fetching goes through locks and string comparisons inside the library, about a microsecond
 * each; so everything is fetched at first use and kept for the life of the process.
 */
#include "crypto/library.h"

#include "base/log.h"

#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include <pthread.h>
#include <stdio.h>

#define KEY_SIZES 3u /* AES-128, 192, 256 */

static pthread_once_t fetched = PTHREAD_ONCE_INIT;
static EVP_MD *hashes[HASH_COUNT];
static EVP_CIPHER *ciphers[MODE_COUNT][KEY_SIZES];
static EVP_MAC *hmac;
static EVP_MAC *cmac;
static EVP_MAC *poly1305;
static EVP_KDF *hkdf;
static EVP_KDF *tls_prf;

static const char *const names[MODE_COUNT] = {
    [MODE_ECB] = "ECB",
    [MODE_CBC] = "CBC",
    [MODE_CTR] = "CTR",
    [MODE_GCM] = "GCM",
    [MODE_KW] = "WRAP",
    [MODE_KWP] = "WRAP-PAD",
    [MODE_OFB] = "OFB",
    [MODE_CFB1] = "CFB1",
    [MODE_CFB8] = "CFB8",
    [MODE_CFB128] = "CFB",
    [MODE_CTS] = "CBC-CTS",
    [MODE_XTS] = "XTS",
    [MODE_DES3_ECB] = "DES-EDE3-ECB",
    [MODE_DES3_CBC] = "DES-EDE3-CBC",
    [MODE_CHACHA20] = "ChaCha20",
    [MODE_CHACHA20_POLY1305] = "ChaCha20-Poly1305",
};

/*
 * What the library has only for the sake of old data. Its provider has a context of its own: in
 * the default one, naming a provider would keep the others from being there by themselves.
 */
static EVP_CIPHER *
legacy_fetch(const char *name)
{
    OSSL_LIB_CTX *context = OSSL_LIB_CTX_new();

    return context != NULL && OSSL_PROVIDER_load(context, "legacy") != NULL
               ? EVP_CIPHER_fetch(context, name, NULL)
               : NULL;
}

static void
fetch(void)
{
    for (enum hash hash = HASH_NONE + 1; hash < HASH_COUNT; hash++) {
        hashes[hash] = EVP_MD_fetch(NULL, hash_row(hash)->library_name, NULL);
    }
    for (size_t mode = 0; mode < MODE_AES_COUNT; mode++) {
        for (size_t size = 0; size < KEY_SIZES; size++) {
            char name[sizeof "AES-256-WRAP-PAD"];

            snprintf(name, sizeof name, "AES-%u-%.8s", (unsigned)(128 + 64 * size), names[mode]);
            ciphers[mode][size] = EVP_CIPHER_fetch(NULL, name, NULL);
        }
    }
    for (size_t mode = MODE_AES_COUNT; mode < MODE_COUNT; mode++) {
        ciphers[mode][0] = names[mode] == NULL ? NULL : EVP_CIPHER_fetch(NULL, names[mode], NULL);
    }
    ciphers[MODE_RC4][0] = legacy_fetch("RC4");
    hmac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
    cmac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_CMAC, NULL);
    poly1305 = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_POLY1305, NULL);
    hkdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_HKDF, NULL);
    tls_prf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_TLS1_PRF, NULL);
    library_forget();
}

const EVP_MD *
library_hash(enum hash hash)
{
    assert(hash > HASH_NONE && hash < HASH_COUNT);
    pthread_once(&fetched, fetch);
    return hashes[hash];
}

const EVP_CIPHER *
library_cipher(enum cipher_mode mode, size_t key_len)
{
    pthread_once(&fetched, fetch);
    if (mode >= MODE_AES_COUNT) {
        return ciphers[mode][0];
    }
    if (mode == MODE_XTS) {
        key_len /= 2;
    }
    assert(key_len == 16 || key_len == 24 || key_len == 32);
    return ciphers[mode][key_len / 8 - 2];
}

EVP_MAC *
library_hmac(void)
{
    pthread_once(&fetched, fetch);
    return hmac;
}

EVP_MAC *
library_cmac(void)
{
    pthread_once(&fetched, fetch);
    return cmac;
}

EVP_MAC *
library_poly1305(void)
{
    pthread_once(&fetched, fetch);
    return poly1305;
}

EVP_KDF *
library_hkdf(void)
{
    pthread_once(&fetched, fetch);
    return hkdf;
}

EVP_KDF *
library_tls_prf(void)
{
    pthread_once(&fetched, fetch);
    return tls_prf;
}

CK_RV
library_failed(const char *doing)
{
    unsigned long code = ERR_peek_last_error();

    library_report(doing);
    return ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE ? CKR_DEVICE_MEMORY : CKR_FUNCTION_FAILED;
}

void
library_report(const char *doing)
{
    unsigned long code = ERR_peek_last_error();
    char text[256] = "it gives no reason";

    if (code != 0) {
        ERR_error_string_n(code, text, sizeof text);
    }
    log_err("crypto library: cannot %s: %s", doing, text);
    library_forget();
}

void
library_forget(void)
{
    /* Looking is far cheaper than clearing, and mostly there is nothing. */
    if (ERR_peek_error() != 0) {
        ERR_clear_error();
    }
}
