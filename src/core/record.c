/* SPDX-License-Identifier: Apache-2.0
 *
 * Sealing and opening. The nonce is random: a record's key seals few messages (one per
 * change of that record), far from the bound of random 96-bit nonces.
 */
#include "core/record.h"

#include "crypto/algo.h"

#include <stdio.h>
#include <string.h>

#define RECORD_FORMAT 1u
#define RECORD_HEADER_LEN (1u + 8u)
#define NONCE_LEN 12u
#define TAG_LEN 16u
#define KEY_LEN 32u

static bool
record_key(const struct sealer *sealer, view name, uint8_t key[KEY_LEN])
{
    return algo_hkdf(secret_view(sealer->key), view_of(sealer->store_id, 16), name, key, KEY_LEN);
}

/* What is authenticated beside the plaintext. */
static void
record_aad(const struct sealer *sealer, view name, unsigned part, view header, struct writer *aad)
{
    write_raw(aad, header);
    write_u8(aad, (uint8_t)part);
    write_raw(aad, view_of(sealer->store_id, 16));
    write_bytes(aad, name);
}

CK_RV
record_seal(const struct sealer *sealer, view name, unsigned part, uint64_t version, view plain,
            struct writer *out)
{
    uint8_t key[KEY_LEN];
    uint8_t nonce[NONCE_LEN];
    uint8_t aad_bytes[STORE_KEY_MAX + 64];
    struct writer aad;
    size_t start = out->len;
    CK_RV rv = CKR_FUNCTION_FAILED;

    write_u8(out, RECORD_FORMAT);
    write_u64(out, version);
    if (!writer_ok(out)) {
        rv = CKR_HOST_MEMORY;
        goto out;
    }
    writer_init_fixed(&aad, aad_bytes, sizeof aad_bytes);
    record_aad(sealer, name, part, view_of(out->data + start, RECORD_HEADER_LEN), &aad);
    if (!writer_ok(&aad) || !sealer->entropy->fill(sealer->entropy, nonce, sizeof nonce) ||
        !record_key(sealer, name, key)) {
        goto out;
    }
    write_raw(out, view_of(nonce, sizeof nonce));
    if (!algo_seal(key, nonce, writer_view(&aad), plain, out)) {
        goto out;
    }
    rv = writer_ok(out) ? CKR_OK : CKR_HOST_MEMORY;
out:
    wipe(key, sizeof key);
    if (rv != CKR_OK) {
        writer_truncate(out, start);
    }
    return rv;
}

bool
record_is_known(view sealed)
{
    return sealed.len > 0 && sealed.data[0] == RECORD_FORMAT;
}

CK_RV
record_open(const struct sealer *sealer, view name, unsigned part, view sealed,
            uint64_t *ret_version, struct writer *out)
{
    struct reader r = reader_of(sealed);
    uint8_t key[KEY_LEN];
    uint8_t aad_bytes[STORE_KEY_MAX + 64];
    struct writer aad;
    uint8_t format;
    uint64_t version;
    view nonce;
    CK_RV rv = CKR_GENERAL_ERROR;

    if (!read_u8(&r, &format) || format != RECORD_FORMAT || !read_u64(&r, &version) ||
        !read_raw(&r, NONCE_LEN, &nonce) || r.left > out->max - out->len + TAG_LEN) {
        return CKR_GENERAL_ERROR;
    }
    writer_init_fixed(&aad, aad_bytes, sizeof aad_bytes);
    record_aad(sealer, name, part, view_slice(sealed, 0, RECORD_HEADER_LEN), &aad);
    if (writer_ok(&aad) && record_key(sealer, name, key) &&
        algo_unseal(key, nonce.data, writer_view(&aad), view_of(r.next, r.left), out)) {
        *ret_version = version;
        rv = CKR_OK;
    } else if (!writer_ok(out)) {
        rv = CKR_HOST_MEMORY;
    }
    wipe(key, sizeof key);
    return rv;
}

struct record_name
record_name(char prefix, uint32_t number)
{
    struct record_name name;

    snprintf(name.text, sizeof name.text, "%c/%08x", prefix, (unsigned)number);
    return name;
}

view
record_name_view(const struct record_name *name)
{
    return view_of(name->text, RECORD_NAME_LEN);
}

bool
sealer_derive(const struct sealer *sealer, view use, uint8_t ret_key[32])
{
    return record_key(sealer, use, ret_key);
}

bool
record_name_parse(view key, char *ret_prefix, uint32_t *ret_number)
{
    char text[9] = { 0 };
    uint8_t bytes[4];
    uint32_t number;
    struct record_name name;
    size_t len;

    if (key.len != RECORD_NAME_LEN) {
        return false;
    }
    memcpy(text, key.data + 2, 8);
    if (!hex_decode(text, bytes, sizeof bytes, &len) || len != sizeof bytes) {
        return false;
    }
    number = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
             bytes[3];
    name = record_name((char)key.data[0], number);
    if (!view_equal(record_name_view(&name), key)) {
        return false;
    }
    *ret_prefix = (char)key.data[0];
    *ret_number = number;
    return true;
}
