/* SPDX-License-Identifier: Apache-2.0
 *
 * Hashing and key derivation that the core needs for itself: names of records to keys, and
 * passwords to verifiers.
 */
#include "crypto/digest.h"
#include "crypto/library.h"

#include "base/secret.h"

#include <openssl/evp.h>
#include <string.h>

#define HMAC_BLOCK_LEN 64u
#define HKDF_INFO_MAX 512u
#define HKDF_LEN_MAX (255u * 32u)

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

/* RFC 2104 on the fetched hash: the library's own HMAC looks its hash up by name each time, which
 * takes longer than the hashing of a record's name. */
static bool
hmac_half(EVP_MD_CTX *ctx, const uint8_t pad[HMAC_BLOCK_LEN], view in, uint8_t out[32])
{
    return EVP_DigestInit_ex2(ctx, library_hash(HASH_SHA256), NULL) == 1 &&
           EVP_DigestUpdate(ctx, pad, HMAC_BLOCK_LEN) == 1 &&
           EVP_DigestUpdate(ctx, in.data, in.len) == 1 && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
}

bool
algo_hmac_sha256(view key, view in, uint8_t out[32])
{
    uint8_t block[HMAC_BLOCK_LEN] = { 0 };
    uint8_t inner[32];
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool done = ctx != NULL;

    if (key.len > sizeof block) {
        done = done && algo_sha256(key, block);
    } else if (key.len > 0) {
        memcpy(block, key.data, key.len);
    }
    for (size_t i = 0; i < sizeof block; i++) {
        block[i] ^= 0x36;
    }
    done = done && hmac_half(ctx, block, in, inner);
    for (size_t i = 0; i < sizeof block; i++) {
        block[i] ^= 0x36 ^ 0x5c;
    }
    done = done && hmac_half(ctx, block, view_of(inner, sizeof inner), out);
    EVP_MD_CTX_free(ctx); /* wipes its state */
    wipe(block, sizeof block);
    wipe(inner, sizeof inner);
    return reported(done, "compute HMAC-SHA-256");
}

/* RFC 5869, 2.3: T(i) is the HMAC of T(i-1), the info and i. */
static bool
hkdf_expand(const uint8_t secret[32], view info, uint8_t *out, size_t len)
{
    uint8_t bytes[32 + HKDF_INFO_MAX + 1];
    uint8_t block[32];
    size_t before = 0; /* the first block has none before it */
    bool done = true;

    for (size_t at = 0; done && at < len; at += sizeof block) {
        memcpy(bytes, block, before);
        if (info.len > 0) {
            memcpy(bytes + before, info.data, info.len);
        }
        bytes[before + info.len] = (uint8_t)(at / sizeof block + 1);
        done = algo_hmac_sha256(view_of(secret, 32), view_of(bytes, before + info.len + 1), block);
        memcpy(out + at, block, size_min(len - at, sizeof block));
        before = sizeof block;
    }
    wipe(bytes, sizeof bytes);
    wipe(block, sizeof block);
    return done;
}

bool
algo_hkdf(view key, view salt, view info, uint8_t *out, size_t len)
{
    uint8_t secret[32];
    bool done = info.len <= HKDF_INFO_MAX && len <= HKDF_LEN_MAX &&
                algo_hmac_sha256(salt, key, secret) && hkdf_expand(secret, info, out, len);

    wipe(secret, sizeof secret);
    return done;
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
