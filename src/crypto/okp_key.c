/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys that are strings of bytes, little-endian, as RFC 8032 and RFC 7748 have them: parsed,
 * completed, generated. A point is checked to be one, which the library leaves to the first use.
 */
#include "crypto/edwards.h"
#include "crypto/library.h"
#include "crypto/pkcs8.h"

#define OKP_LEN_MAX 57u /* Ed448 */

/* PKCS #11 v3.1, 6.3.5: raw; the text of 3.0 and most tools have an OCTET STRING around. */
static CK_RV
okp_public_parse(struct algo_key *key, view attributes, view secrets)
{
    view point;
    CK_RV rv = key_curve(key, attributes);

    UNUSED(secrets);
    if (rv != CKR_OK) {
        return rv;
    }
    if (!key_point(attributes, key->len, key->len, &point)) {
        return CKR_ATTRIBUTE_VALUE_INVALID;
    }
    if ((rv = edwards_point_check(key->curve, point)) != CKR_OK) {
        return rv;
    }
    key->pkey = EVP_PKEY_new_raw_public_key_ex(NULL, key->curve->name, NULL, point.data, point.len);
    return key->pkey == NULL ? library_failed("build a public key") : CKR_OK;
}

static CK_RV
okp_private_parse(struct algo_key *key, view attributes, view secrets)
{
    view value;
    CK_RV rv = key_curve(key, attributes);

    if (rv != CKR_OK) {
        return rv;
    }
    if (!attributes_find(secrets, CKA_VALUE, &value) || value.len != key->len) {
        return CKR_ATTRIBUTE_VALUE_INVALID;
    }
    key->pkey = EVP_PKEY_new_raw_private_key_ex(NULL, key->curve->name, NULL, value.data,
                                                value.len);
    return key->pkey == NULL ? library_failed("build a private key") : CKR_OK;
}

static CK_RV
okp_made(const struct algo_key *key, view given, struct writer *attributes,
         struct writer *secrets)
{
    UNUSED(secrets);
    return made_public_key_info(key, given, attributes);
}

const struct key_parser okp_public_parser = { okp_public_parse, okp_made };
const struct key_parser okp_private_parser = { okp_private_parse, okp_made };

static CK_RV
okp_pair_write(EVP_PKEY *pkey, struct writer *public_part, struct writer *secrets)
{
    uint8_t bytes[OKP_LEN_MAX];
    size_t len = sizeof bytes;
    CK_RV rv = CKR_OK;

    if (EVP_PKEY_get_raw_public_key(pkey, bytes, &len) != 1) {
        return library_failed("read a public key");
    }
    key_point_write(public_part, view_of(bytes, len));
    len = sizeof bytes;
    if (EVP_PKEY_get_raw_private_key(pkey, bytes, &len) != 1) {
        rv = library_failed("read a private key");
    } else {
        attribute_write(secrets, CKA_VALUE, view_of(bytes, len));
    }
    wipe(bytes, sizeof bytes);
    return rv;
}

CK_RV
okp_generate(const struct curve_row *curve, struct writer *public_part, struct writer *secrets)
{
    EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, curve->name);
    CK_RV rv = pkey == NULL ? library_failed("generate a key pair")
                            : okp_pair_write(pkey, public_part, secrets);

    EVP_PKEY_free(pkey);
    return rv;
}
