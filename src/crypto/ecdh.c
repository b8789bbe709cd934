/* SPDX-License-Identifier: Apache-2.0
 *
 * Elliptic curve Diffie-Hellman, and the functions that make a key of the agreed value. The
 * peer's point is parsed like a public key that is imported, so it passes the same checks: a
 * point off the curve, at infinity or of another curve never meets the private key.
 */
#include "crypto/derive.h"
#include "crypto/library.h"
#include "crypto/digest.h"
#include "rules/kdf.h"

#define AGREED_MAX 66u /* P-521; X448 has 56 */

/* One block of the derivation function. ANSI X9.63, 3.6.1; NIST SP 800-56C rev. 2, 4.1. */
static bool
block_derive(EVP_MD_CTX *md, const struct kdf_row *kdf, view value, view shared,
             uint32_t counter, uint8_t out[DIGEST_MAX])
{
    const uint8_t number[4] = { (uint8_t)(counter >> 24), (uint8_t)(counter >> 16),
                                (uint8_t)(counter >> 8), (uint8_t)counter };
    const view numbered = view_of(number, sizeof number);
    const view first = kdf->form == KDF_x963 ? value : numbered;
    const view second = kdf->form == KDF_x963 ? numbered : value;

    return EVP_DigestInit_ex2(md, library_hash(kdf->hash), NULL) == 1 &&
           EVP_DigestUpdate(md, first.data, first.len) == 1 &&
           EVP_DigestUpdate(md, second.data, second.len) == 1 &&
           EVP_DigestUpdate(md, shared.data, shared.len) == 1 &&
           EVP_DigestFinal_ex(md, out, NULL) == 1;
}

static CK_RV
blocks_derive(const struct kdf_row *kdf, view value, view shared, size_t len, struct writer *out)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    uint8_t block[DIGEST_MAX];
    CK_RV rv = md == NULL ? CKR_DEVICE_MEMORY : CKR_OK;

    for (uint32_t counter = 1; rv == CKR_OK && len > 0; counter++) {
        size_t part = size_min(len, hash_row(kdf->hash)->length);

        if (!block_derive(md, kdf, value, shared, counter, block)) {
            rv = library_failed("derive a key with a hash");
            break;
        }
        write_raw(out, view_of(block, part));
        len -= part;
    }
    wipe(block, sizeof block);
    EVP_MD_CTX_free(md);
    return rv;
}

/*
 * The agreed value as a key of len bytes: through the row's function, or (plain) its end, all
 * of it with len 0. TEMPLATE_INCOMPLETE: a function needs a length. TEMPLATE_INCONSISTENT:
 * plain, and the value is shorter.
 */
static CK_RV
derive_agreed(const struct kdf_row *kdf, view value, view shared, size_t len, struct writer *out)
{
    if (kdf->form != KDF_plain) {
        return len == 0 ? CKR_TEMPLATE_INCOMPLETE : blocks_derive(kdf, value, shared, len, out);
    }
    if (len > value.len) {
        return CKR_TEMPLATE_INCONSISTENT;
    }
    /* PKCS #11 v3.1, 6.3.17: what is too much is taken from the leading end. */
    write_raw(out, len == 0 ? value : view_slice(value, value.len - len, len));
    return CKR_OK;
}

/* The peer's key, of the same curve as ours. */
static CK_RV
peer_parse(const struct algo_key *base, view point, struct algo_key **ret_peer)
{
    enum object_kind kind;
    struct writer w;
    CK_RV rv;

    if (!kind_of(CKO_PUBLIC_KEY, base->curve->key_type, &kind)) {
        return CKR_KEY_TYPE_INCONSISTENT;
    }
    writer_init(&w, ATTRIBUTES_BYTES_MAX);
    attribute_write(&w, CKA_EC_PARAMS, view_of(base->curve->oid, base->curve->oid_len));
    attribute_write(&w, CKA_EC_POINT, point);
    rv = writer_ok(&w) ? algo_key_new(kind, writer_view(&w), VIEW_EMPTY, ret_peer)
                       : CKR_DEVICE_MEMORY;
    writer_clear(&w);
    /* PKCS #11 v3.1, 5.1.6: the code for a peer's key that is none. */
    return rv == CKR_ATTRIBUTE_VALUE_INVALID ? CKR_PUBLIC_KEY_INVALID : rv;
}

/* All our curves of this kind have cofactor 1, so ECDH1_COFACTOR_DERIVE is the same. */
static CK_RV
agree(const struct algo_key *base, const struct algo_key *peer, uint8_t value[AGREED_MAX],
      size_t *ret_len)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, base->pkey, NULL);
    size_t len = AGREED_MAX;
    CK_RV rv = CKR_OK;

    if (ctx == NULL || EVP_PKEY_derive_init(ctx) != 1 ||
        EVP_PKEY_derive_set_peer_ex(ctx, peer->pkey, 0) != 1) {
        rv = library_failed("agree on a key");
    } else if (EVP_PKEY_derive(ctx, value, &len) != 1) {
        /* RFC 7748, 6: all zeros, of a point of small order, whoever's key it meets. */
        rv = base->kind == KIND_MONTGOMERY_PRIVATE ? CKR_PUBLIC_KEY_INVALID
                                                   : library_failed("agree on a key");
    }
    *ret_len = len;
    EVP_PKEY_CTX_free(ctx);
    return rv;
}

static CK_RV
ecdh_derive(struct rules rules, const struct algo_derivation *d, struct writer *out)
{
    const struct params_ecdh *params = &d->mechanism->params.ecdh;
    const struct kdf_row *kdf = kdf_for(rules, params->kdf);
    struct algo_key *peer = NULL;
    uint8_t value[AGREED_MAX];
    size_t value_len = 0;
    CK_RV rv;

    if (kdf == NULL) {
        return CKR_MECHANISM_PARAM_INVALID;
    }
    if ((rv = peer_parse(d->base, params->point, &peer)) == CKR_OK &&
        (rv = agree(d->base, peer, value, &value_len)) == CKR_OK) {
        rv = derive_agreed(kdf, view_of(value, value_len), params->shared, d->lens[0], out);
    }
    wipe(value, sizeof value);
    algo_key_free(peer);
    return rv;
}

const struct deriver ecdh_deriver = { 1u << KIND_EC_PRIVATE | 1u << KIND_MONTGOMERY_PRIVATE,
                                      ecdh_derive };
