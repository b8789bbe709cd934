/* SPDX-License-Identifier: Apache-2.0
 *
 * Key derivation in the three modes of NIST SP 800-108 rev. 1, section 4, with the input of the
 * PRF put together from the pieces that the application names (PKCS #11 v3.1, 6.42). Each key
 * begins with a block of its own.
 */
#include "crypto/derive.h"
#include "crypto/digest.h"
#include "crypto/library.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

enum mode { COUNTER, FEEDBACK, PIPELINE };

struct kbkdf {
    enum mode mode;
    const struct params_items *items;
    const struct algo_derivation *d; /* for the keys among them */
    EVP_MAC_CTX *keyed;   /* knows the key; each use is a copy */
    size_t block_len;     /* of the PRF */
    uint64_t length_bits; /* of what is derived, as the pieces want to have it */
    uint32_t counter;
    uint8_t iteration[DIGEST_MAX]; /* K(i - 1), or A(i) */
    view iv;                       /* instead, before the first */
};

static const struct mechanism_row *
prf_of(const struct algo_derivation *d, const struct params_items **ret_items, view *ret_iv)
{
    const struct mechanism *m = d->mechanism;
    bool feedback = m->shape == PARAMS_feedback;

    *ret_items = feedback ? &m->params.feedback.items : &m->params.kbkdf.items;
    *ret_iv = feedback ? m->params.feedback.iv : VIEW_EMPTY;
    return mechanism_row(feedback ? m->params.feedback.prf : m->params.kbkdf.prf);
}

/* HMAC with the hash of the row, or CMAC with the key's AES. */
static bool
prf_key(struct kbkdf *k, const struct algo_key *key, const struct mechanism_row *prf)
{
    bool cmac = prf->driver == DRIVER_cmac;
    view value = secret_view(key->value);
    const char *name = cmac ? EVP_CIPHER_get0_name(library_cipher(cipher_row(prf)->mode, value.len))
                            : hash_row(prf->hash)->library_name;
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(cmac ? OSSL_MAC_PARAM_CIPHER : OSSL_MAC_PARAM_DIGEST,
                                         (char *)(uintptr_t)name, 0), /* only read */
        OSSL_PARAM_construct_end(),
    };

    k->block_len = mechanism_mac_len(prf);
    k->keyed = EVP_MAC_CTX_new(cmac ? library_cmac() : library_hmac());
    return k->keyed != NULL && EVP_MAC_init(k->keyed, value.data, value.len, params) == 1;
}

/* A number of so many bits, either end first. */
static view
number_view(uint64_t number, const struct params_item *item, uint8_t room[8])
{
    size_t len = item->width / 8u;

    for (size_t i = 0; i < len; i++) {
        room[item->little_endian ? i : len - 1 - i] = (uint8_t)(number >> 8 * i);
    }
    return view_of(room, len);
}

/* The value of the key that this piece is. */
static view
item_key(const struct kbkdf *k, const struct params_item *item)
{
    size_t place = 0;

    for (uint32_t i = 0; &k->items->item[i] != item; i++) {
        place += k->items->item[i].type == CK_SP800_108_KEY_HANDLE;
    }
    return secret_view(k->d->others[place]->value);
}

/* What a piece stands for now. variable: the iteration variable and the counter count. */
static view
item_view(const struct kbkdf *k, const struct params_item *item, bool variable, uint8_t room[8])
{
    switch (item->type) {
    case CK_SP800_108_ITERATION_VARIABLE:
        if (!variable) {
            return VIEW_EMPTY;
        }
        if (k->mode == COUNTER) {
            return number_view(k->counter, item, room);
        }
        return k->mode == FEEDBACK && k->counter == 1 ? k->iv
                                                      : view_of(k->iteration, k->block_len);
    case CK_SP800_108_COUNTER:
        return variable ? number_view(k->counter, item, room) : VIEW_EMPTY;
    case CK_SP800_108_DKM_LENGTH:
        return number_view(k->length_bits, item, room);
    case CK_SP800_108_KEY_HANDLE:
        return item_key(k, item);
    default:
        return item->bytes;
    }
}

static bool
prf_items(struct kbkdf *k, bool variable, uint8_t out[DIGEST_MAX])
{
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_dup(k->keyed);
    uint8_t room[8];
    size_t len = 0;
    bool done = ctx != NULL;

    for (uint32_t i = 0; done && i < k->items->count; i++) {
        view v = item_view(k, &k->items->item[i], variable, room);

        done = v.len == 0 || EVP_MAC_update(ctx, v.data, v.len) == 1;
    }
    done = done && EVP_MAC_final(ctx, out, &len, DIGEST_MAX) == 1 && len == k->block_len;
    EVP_MAC_CTX_free(ctx);
    return done;
}

/* A(i) = PRF(A(i - 1)); A(0) is the input without what changes. SP 800-108, 4.3. */
static bool
pipeline_step(struct kbkdf *k)
{
    EVP_MAC_CTX *ctx;
    size_t len = 0;
    bool done;

    if (k->counter == 1) {
        return prf_items(k, false, k->iteration);
    }
    ctx = EVP_MAC_CTX_dup(k->keyed);
    done = ctx != NULL && EVP_MAC_update(ctx, k->iteration, k->block_len) == 1 &&
           EVP_MAC_final(ctx, k->iteration, &len, sizeof k->iteration) == 1;
    EVP_MAC_CTX_free(ctx);
    return done;
}

static bool
block_next(struct kbkdf *k, uint8_t out[DIGEST_MAX])
{
    k->counter++;
    if (k->mode == PIPELINE && !pipeline_step(k)) {
        return false;
    }
    if (!prf_items(k, true, out)) {
        return false;
    }
    if (k->mode == FEEDBACK) {
        for (size_t i = 0; i < k->block_len; i++) {
            k->iteration[i] = out[i];
        }
    }
    return true;
}

static size_t
blocks_of(size_t len, size_t block_len)
{
    return (len + block_len - 1) / block_len;
}

/* How long it all is, by the method of the length's piece, and whether the counter goes so far. */
static CK_RV
length_find(struct kbkdf *k, const struct algo_derivation *d)
{
    uint64_t keys = 0, blocks = 0;

    for (size_t i = 0; i < d->count; i++) {
        if (d->lens[i] == 0) {
            return CKR_TEMPLATE_INCOMPLETE;
        }
        keys += d->lens[i];
        blocks += blocks_of(d->lens[i], k->block_len);
    }
    k->length_bits = 8 * keys;
    for (uint32_t i = 0; i < k->items->count; i++) {
        const struct params_item *item = &k->items->item[i];
        bool counts = item->type == CK_SP800_108_COUNTER || k->mode == COUNTER;

        if (item->type == CK_SP800_108_DKM_LENGTH &&
            item->method == CK_SP800_108_DKM_LENGTH_SUM_OF_SEGMENTS) {
            k->length_bits = 8 * blocks * k->block_len;
        }
        if (item->type <= CK_SP800_108_COUNTER && counts && blocks >> item->width != 0) {
            return CKR_KEY_SIZE_RANGE;
        }
    }
    return CKR_OK;
}

static CK_RV
blocks_write(struct kbkdf *k, const struct algo_derivation *d, struct writer *out)
{
    uint8_t block[DIGEST_MAX];
    CK_RV rv = CKR_OK;

    for (size_t i = 0; i < d->count; i++) {
        for (size_t left = d->lens[i]; rv == CKR_OK && left > 0;) {
            size_t part = size_min(left, k->block_len);

            if (!block_next(k, block)) {
                rv = library_failed("derive a key with a PRF");
            }
            write_raw(out, view_of(block, part));
            left -= part;
        }
    }
    wipe(block, sizeof block);
    return rv;
}

static CK_RV
kbkdf_derive(struct rules rules, const struct algo_derivation *d, struct writer *out)
{
    struct kbkdf k = { .mode = d->mechanism->shape == PARAMS_feedback ? FEEDBACK : COUNTER,
                       .d = d };
    const struct mechanism_row *prf = prf_of(d, &k.items, &k.iv);
    enum object_kind kind = KIND_GENERIC;
    CK_RV rv;

    UNUSED(rules);
    if (prf == NULL || (prf->driver != DRIVER_cmac && prf->hash == HASH_NONE) ||
        !kind_of(CKO_SECRET_KEY, prf->key_type, &kind)) {
        return CKR_MECHANISM_PARAM_INVALID;
    }
    if (d->base->kind != kind) {
        return CKR_KEY_TYPE_INCONSISTENT;
    }
    for (size_t i = 0; params_other_key(d->mechanism, i) != 0; i++) {
        if (i == PARAMS_KEYS_MAX || d->others[i] == NULL) {
            return CKR_MECHANISM_PARAM_INVALID;
        }
    }
    if (d->row->type == CKM_SP800_108_DOUBLE_PIPELINE_KDF) {
        k.mode = PIPELINE;
    }
    if (!prf_key(&k, d->base, prf)) {
        rv = library_failed("start a PRF");
    } else if ((rv = length_find(&k, d)) == CKR_OK) {
        rv = blocks_write(&k, d, out);
    }
    EVP_MAC_CTX_free(k.keyed);
    wipe(&k, sizeof k);
    return rv;
}

const struct deriver kbkdf_deriver = { 1u << KIND_GENERIC | 1u << KIND_AES | 1u << KIND_DES,
                                       kbkdf_derive };
