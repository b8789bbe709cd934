/* SPDX-License-Identifier: Apache-2.0
 *
 * HChaCha20 is the block function of ChaCha20 without its last step, which adds the state that it
 * began with. The library does that step, so it is undone here for the words that count: the
 * constants and the nonce are known.
 */
#include "crypto/xchacha.h"

#include "crypto/library.h"

#include "base/secret.h"

#define BLOCK_BYTES 64u
#define WORDS 4u /* of the constants, and of counter and nonce */

static uint32_t
word(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

static void
word_put(uint8_t *bytes, uint32_t value)
{
    for (size_t i = 0; i < 4; i++) {
        bytes[i] = (uint8_t)(value >> 8 * i);
    }
}

bool
xchacha_key(view key, const uint8_t *nonce, uint8_t out[32])
{
    static const uint8_t zeros[BLOCK_BYTES];
    const uint8_t *constants = (const uint8_t *)"expand 32-byte k";
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t block[BLOCK_BYTES];
    int len = 0;
    bool done = ctx != NULL &&
                EVP_EncryptInit_ex2(ctx, library_cipher(MODE_CHACHA20, key.len), key.data, nonce,
                                    NULL) == 1 &&
                EVP_EncryptUpdate(ctx, block, &len, zeros, BLOCK_BYTES) == 1;

    for (size_t i = 0; i < WORDS && done; i++) {
        const uint8_t *last = block + BLOCK_BYTES - 4 * WORDS;

        word_put(out + 4 * i, word(block + 4 * i) - word(constants + 4 * i));
        word_put(out + 4 * (WORDS + i), word(last + 4 * i) - word(nonce + 4 * i));
    }
    EVP_CIPHER_CTX_free(ctx);
    wipe(block, sizeof block);
    return done;
}
