/* SPDX-License-Identifier: Apache-2.0
 *
 * The simple derivations: a key joined with a key or with data, combined bit by bit, a part of
 * one, its hash, or what it encrypts (PKCS #11 v3.1, 6.15, 6.20 to 6.31, 6.43). What is too
 * much is left off at the end.
 */
#include "crypto/derive.h"
#include "crypto/digest.h"
#include "crypto/library.h"

static CK_RV
head_write(view value, size_t len, CK_RV too_short, struct writer *out)
{
    if (len > value.len) {
        return too_short;
    }
    write_raw(out, len == 0 ? value : view_slice(value, 0, len));
    return CKR_OK;
}

static CK_RV
join(view first, view second, size_t len, struct writer *out)
{
    size_t start = out->len;
    size_t all = first.len + second.len;

    if (len > all) {
        return CKR_TEMPLATE_INCONSISTENT;
    }
    write_raw(out, first);
    write_raw(out, second);
    if (writer_ok(out)) {
        writer_truncate(out, start + (len == 0 ? all : len));
    }
    return CKR_OK;
}

static CK_RV
combine(view value, view data, size_t len, struct writer *out)
{
    size_t all = size_min(value.len, data.len);
    uint8_t *space;

    if (len > all) {
        return CKR_TEMPLATE_INCONSISTENT;
    }
    len = len == 0 ? all : len;
    space = write_space(out, len);
    for (size_t i = 0; i < len && space != NULL; i++) {
        space[i] = value.data[i] ^ data.data[i];
    }
    return CKR_OK;
}

static unsigned
bit_at(view value, size_t at)
{
    at %= 8 * value.len;
    return (unsigned)value.data[at / 8] >> (7 - at % 8) & 1u;
}

/* PKCS #11 v3.1, 6.43.7: from that bit on, and around the end. */
static CK_RV
extract(view value, size_t first, size_t len, struct writer *out)
{
    uint8_t *space;

    if (len == 0) {
        return CKR_TEMPLATE_INCOMPLETE;
    }
    if (len > value.len) {
        return CKR_TEMPLATE_INCONSISTENT;
    }
    space = write_space(out, len);
    for (size_t i = 0; i < 8 * len && space != NULL; i++) {
        unsigned before = i % 8 == 0 ? 0 : space[i / 8];

        space[i / 8] = (uint8_t)(before << 1 | bit_at(value, first + i));
    }
    return CKR_OK;
}

static CK_RV
hash_write(view value, enum hash hash, size_t len, struct writer *out)
{
    uint8_t digest[DIGEST_MAX];
    CK_RV rv = digest_once(hash, value, digest);

    if (rv == CKR_OK) {
        rv = head_write(view_of(digest, hash_row(hash)->length), len, CKR_TEMPLATE_INCONSISTENT,
                        out);
    }
    wipe(digest, sizeof digest);
    return rv;
}

/* PKCS #11 v3.1, 6.15.3. */
static CK_RV
encrypt_write(view key, view iv, view data, size_t len, struct writer *out)
{
    enum cipher_mode mode = iv.len == 0 ? MODE_ECB : MODE_CBC;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    size_t start = out->len;
    uint8_t *space = write_space(out, data.len);
    int done = 0;
    CK_RV rv = CKR_OK;

    if (space == NULL || ctx == NULL) {
        rv = CKR_DEVICE_MEMORY;
    } else if (EVP_EncryptInit_ex2(ctx, library_cipher(mode, key.len), key.data,
                                   iv.len == 0 ? NULL : iv.data, NULL) != 1 ||
               EVP_CIPHER_CTX_set_padding(ctx, 0) != 1 ||
               EVP_EncryptUpdate(ctx, space, &done, data.data, (int)data.len) != 1) {
        rv = library_failed("encrypt data to a key");
    } else if (len > data.len) {
        rv = CKR_DATA_LEN_RANGE;
    } else if (len > 0) {
        writer_truncate(out, start + len);
    }
    EVP_CIPHER_CTX_free(ctx);
    return rv;
}

static CK_RV
mix_derive(struct rules rules, const struct algo_derivation *d, struct writer *out)
{
    const struct mechanism *m = d->mechanism;
    view value = secret_view(d->base->value);
    size_t len = d->lens[0];

    UNUSED(rules);
    if (value.len == 0 || (d->row->key_type == CKK_AES && d->base->kind != KIND_AES)) {
        return CKR_KEY_TYPE_INCONSISTENT;
    }
    switch (d->row->type) {
    case CKM_CONCATENATE_BASE_AND_KEY:
        return d->others[0] == NULL ? CKR_KEY_HANDLE_INVALID
                                    : join(value, secret_view(d->others[0]->value), len, out);
    case CKM_CONCATENATE_BASE_AND_DATA:
        return join(value, m->params.data.bytes, len, out);
    case CKM_CONCATENATE_DATA_AND_BASE:
        return join(m->params.data.bytes, value, len, out);
    case CKM_XOR_BASE_AND_DATA:
        return combine(value, m->params.data.bytes, len, out);
    case CKM_EXTRACT_KEY_FROM_KEY:
        return extract(value, m->params.number.number, len, out);
    case CKM_AES_ECB_ENCRYPT_DATA:
        return encrypt_write(value, VIEW_EMPTY, m->params.data.bytes, len, out);
    case CKM_AES_CBC_ENCRYPT_DATA:
        return encrypt_write(value, m->params.cbc_data.iv, m->params.cbc_data.bytes, len, out);
    default:
        return hash_write(value, d->row->hash, len, out);
    }
}

const struct deriver mix_deriver = { UINT32_MAX, mix_derive }; /* whatever has a value */
