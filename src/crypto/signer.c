/* SPDX-License-Identifier: Apache-2.0
 *
 * Ed25519 (RFC 8032) for what the core signs itself, X25519 (RFC 7748) for what it agrees on. It
 * does so seldom, so keys are not kept.
 */
#include "crypto/library.h"

#include "crypto/algo.h"

#define KEY_LEN 32u
#define SIGNATURE_LEN 64u

bool
algo_ed25519_public(const uint8_t seed[KEY_LEN], uint8_t out[KEY_LEN])
{
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, KEY_LEN);
    size_t len = KEY_LEN;
    bool done = key != NULL && EVP_PKEY_get_raw_public_key(key, out, &len) == 1 && len == KEY_LEN;

    EVP_PKEY_free(key);
    if (!done) {
        library_report("derive an Ed25519 public key");
    }
    return done;
}

bool
algo_ed25519_sign(const uint8_t seed[KEY_LEN], view in, uint8_t out[SIGNATURE_LEN])
{
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, KEY_LEN);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t len = SIGNATURE_LEN;
    bool done = key != NULL && ctx != NULL &&
                EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
                EVP_DigestSign(ctx, out, &len, in.data, in.len) == 1 && len == SIGNATURE_LEN;

    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    if (!done) {
        library_report("sign with Ed25519");
    }
    return done;
}

bool
algo_ed25519_verify(const uint8_t public_key[KEY_LEN], view in,
                    const uint8_t signature[SIGNATURE_LEN])
{
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, KEY_LEN);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = key != NULL && ctx != NULL &&
                EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
                EVP_DigestVerify(ctx, signature, SIGNATURE_LEN, in.data, in.len) == 1;

    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    library_forget();
    return good;
}

bool
algo_x25519_public(const uint8_t private_key[KEY_LEN], uint8_t out[KEY_LEN])
{
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, private_key, KEY_LEN);
    size_t len = KEY_LEN;
    bool done = key != NULL && EVP_PKEY_get_raw_public_key(key, out, &len) == 1 && len == KEY_LEN;

    EVP_PKEY_free(key);
    if (!done) {
        library_report("derive an X25519 public key");
    }
    return done;
}

bool
algo_x25519(const uint8_t private_key[KEY_LEN], const uint8_t public_key[KEY_LEN],
            uint8_t out[KEY_LEN])
{
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, private_key, KEY_LEN);
    EVP_PKEY *peer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, public_key, KEY_LEN);
    EVP_PKEY_CTX *ctx = key == NULL ? NULL : EVP_PKEY_CTX_new(key, NULL);
    size_t len = KEY_LEN;
    bool done = peer != NULL && ctx != NULL && EVP_PKEY_derive_init(ctx) == 1 &&
                EVP_PKEY_derive_set_peer(ctx, peer) == 1 &&
                EVP_PKEY_derive(ctx, out, &len) == 1 && len == KEY_LEN;

    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(peer);
    EVP_PKEY_free(key);
    library_forget();
    return done;
}
