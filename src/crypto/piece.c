/* SPDX-License-Identifier: Apache-2.0
 *
 * Pieces are told apart by GMAC under a key of their own. The two messages of one number share a
 * nonce, which would give the hash key away to who sees both tags: nobody does, they are compared
 * here and in no other place.
 */
#include "crypto/library.h"

#include "base/secret.h"
#include "crypto/algo.h"

#include <limits.h>
#include <stdlib.h>

struct algo_pieces {
    EVP_CIPHER_CTX *ctx;
};

struct algo_pieces *
algo_pieces_new(const uint8_t key[32])
{
    struct algo_pieces *pieces = calloc(1, sizeof *pieces);

    if (pieces == NULL) {
        return NULL;
    }
    pieces->ctx = EVP_CIPHER_CTX_new();
    if (pieces->ctx == NULL ||
        EVP_EncryptInit_ex2(pieces->ctx, library_cipher(MODE_GCM, 32), key, NULL, NULL) != 1) {
        library_report("tell pieces apart");
        algo_pieces_free(pieces);
        return NULL;
    }
    return pieces;
}

void
algo_pieces_free(struct algo_pieces *pieces)
{
    if (pieces != NULL) {
        EVP_CIPHER_CTX_free(pieces->ctx);
        free(pieces);
    }
}

bool
algo_pieces_mark(struct algo_pieces *pieces, uint32_t number, view piece,
                 uint8_t out[ALGO_PIECE_LEN])
{
    uint8_t nonce[12] = { 0 }, none[16];
    int unused;

    store_u32(nonce, number);
    if (piece.len > INT_MAX ||
        EVP_EncryptInit_ex2(pieces->ctx, NULL, NULL, nonce, NULL) != 1 ||
        (piece.len > 0 &&
         EVP_EncryptUpdate(pieces->ctx, NULL, &unused, piece.data, (int)piece.len) != 1) ||
        EVP_EncryptFinal_ex(pieces->ctx, none, &unused) != 1 ||
        EVP_CIPHER_CTX_ctrl(pieces->ctx, EVP_CTRL_AEAD_GET_TAG, ALGO_PIECE_LEN, out) != 1) {
        library_report("tell pieces apart");
        return false;
    }
    return true;
}
