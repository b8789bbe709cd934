/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys on elliptic curves: parsed, completed, generated. Curves are those of curves.def, by
 * name only; one that this build of the library lacks is CKR_CURVE_NOT_SUPPORTED.
 */
#include "crypto/driver.h"
#include "crypto/library.h"
#include "crypto/pkcs8.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/objects.h>
#include <openssl/param_build.h>

#define POINT_MAX (1 + 2 * 66u) /* P-521, uncompressed */
#define SCALAR_MAX 128u         /* leading zeros are let pass, within reason */

/* The curve of the key, as the library has it. */
static CK_RV
group_find(struct algo_key *key, view attributes, EC_GROUP **ret_group)
{
    CK_RV rv = key_curve(key, attributes);

    if (rv != CKR_OK) {
        return rv;
    }
    *ret_group = EC_GROUP_new_by_curve_name(OBJ_sn2nid(key->curve->name));
    return *ret_group == NULL ? CKR_CURVE_NOT_SUPPORTED : CKR_OK;
}

static size_t
point_len(const EC_GROUP *group)
{
    return 1 + 2 * (((size_t)EC_GROUP_get_degree(group) + 7) / 8);
}

/* point is uncompressed and on the curve; scalar is NULL for a public key. */
static CK_RV
key_build(struct algo_key *key, view point, const BIGNUM *scalar)
{
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    OSSL_PARAM *params = NULL;
    CK_RV rv = CKR_OK;

    if (build == NULL || ctx == NULL ||
        OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, key->curve->name, 0) !=
            1 ||
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point.data, point.len) !=
            1 ||
        (scalar != NULL &&
         OSSL_PARAM_BLD_push_BN_pad(build, OSSL_PKEY_PARAM_PRIV_KEY, scalar, key->len) != 1) ||
        (params = OSSL_PARAM_BLD_to_param(build)) == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key->pkey,
                          scalar == NULL ? EVP_PKEY_PUBLIC_KEY : EVP_PKEY_KEYPAIR, params) != 1) {
        rv = library_failed("build an EC key");
    }
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    EVP_PKEY_CTX_free(ctx);
    return rv;
}

/* On the curve, uncompressed or compressed, and not the point at infinity; written to out
 * uncompressed. All our curves have cofactor 1. */
static bool
point_parse(const EC_GROUP *group, view point, uint8_t out[POINT_MAX])
{
    EC_POINT *parsed = EC_POINT_new(group);
    size_t len = point_len(group);
    bool compressed = point.len != len;
    bool good = parsed != NULL &&
                (compressed ? (point.data[0] & ~1u) == POINT_CONVERSION_COMPRESSED
                            : point.data[0] == POINT_CONVERSION_UNCOMPRESSED) &&
                EC_POINT_oct2point(group, parsed, point.data, point.len, NULL) == 1 &&
                EC_POINT_is_at_infinity(group, parsed) == 0 &&
                EC_POINT_point2oct(group, parsed, POINT_CONVERSION_UNCOMPRESSED, out, POINT_MAX,
                                   NULL) == len;

    EC_POINT_free(parsed);
    return good;
}

static CK_RV
ec_public_parse(struct algo_key *key, view attributes, view secrets)
{
    EC_GROUP *group = NULL;
    uint8_t point[POINT_MAX];
    size_t len;
    view given;
    CK_RV rv = group_find(key, attributes, &group);

    UNUSED(secrets);
    if (rv != CKR_OK) {
        return rv;
    }
    rv = CKR_ATTRIBUTE_VALUE_INVALID;
    len = point_len(group);
    if (key_point(attributes, len, len / 2 + 1, &given) && point_parse(group, given, point)) {
        rv = key_build(key, view_of(point, len), NULL);
    }
    EC_GROUP_free(group);
    return rv;
}

/* 1 <= scalar < order, else NULL. */
static BIGNUM *
scalar_parse(const EC_GROUP *group, view value)
{
    BIGNUM *scalar = value.len > SCALAR_MAX ? NULL : BN_secure_new();

    if (scalar == NULL || BN_bin2bn(value.data, (int)value.len, scalar) == NULL ||
        BN_is_zero(scalar) || BN_cmp(scalar, EC_GROUP_get0_order(group)) >= 0) {
        BN_clear_free(scalar);
        return NULL;
    }
    BN_set_flags(scalar, BN_FLG_CONSTTIME);
    return scalar;
}

/* A private key has no attribute for its public point, so that is computed. */
static CK_RV
point_compute(const EC_GROUP *group, const BIGNUM *scalar, uint8_t out[POINT_MAX])
{
    BN_CTX *ctx = BN_CTX_secure_new();
    EC_POINT *point = EC_POINT_new(group);
    CK_RV rv = CKR_OK;

    if (ctx == NULL || point == NULL ||
        EC_POINT_mul(group, point, scalar, NULL, NULL, ctx) != 1 ||
        EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, out, POINT_MAX, ctx) !=
            point_len(group)) {
        rv = library_failed("compute a public key");
    }
    EC_POINT_free(point);
    BN_CTX_free(ctx);
    return rv;
}

static CK_RV
ec_private_parse(struct algo_key *key, view attributes, view secrets)
{
    EC_GROUP *group = NULL;
    BIGNUM *scalar = NULL;
    uint8_t point[POINT_MAX];
    view value;
    CK_RV rv = group_find(key, attributes, &group);

    if (rv != CKR_OK) {
        return rv;
    }
    rv = CKR_ATTRIBUTE_VALUE_INVALID;
    if (attributes_find(secrets, CKA_VALUE, &value) &&
        (scalar = scalar_parse(group, value)) != NULL &&
        (rv = point_compute(group, scalar, point)) == CKR_OK) {
        rv = key_build(key, view_of(point, point_len(group)), scalar);
    }
    BN_clear_free(scalar);
    EC_GROUP_free(group);
    return rv;
}

static CK_RV
ec_made(const struct algo_key *key, view given, struct writer *attributes,
        struct writer *secrets)
{
    UNUSED(secrets);
    return made_public_key_info(key, given, attributes);
}

const struct key_parser ec_public_parser = { ec_public_parse, ec_made };
const struct key_parser ec_private_parser = { ec_private_parse, ec_made };

/* ---- generation ---- */

CK_RV
ec_pair_write(EVP_PKEY *pkey, const struct curve_row *curve, struct writer *public_part,
              struct writer *secrets)
{
    uint8_t point[POINT_MAX];
    size_t len = 0;
    BIGNUM *scalar = NULL;
    CK_RV rv = CKR_OK;

    if (EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point,
                                        &len) != 1 ||
        EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_PRIV_KEY, &scalar) != 1 ||
        !key_number_write(secrets, CKA_VALUE, scalar, curve_len(curve))) {
        rv = library_failed("read a generated EC key");
    }
    BN_clear_free(scalar);
    if (rv == CKR_OK) {
        key_point_write(public_part, view_of(point, len));
    }
    return rv;
}

static CK_RV
pair_generate(const struct curve_row *curve, struct writer *public_part, struct writer *secrets)
{
    EC_GROUP *group = EC_GROUP_new_by_curve_name(OBJ_sn2nid(curve->name));
    EVP_PKEY *pkey;
    CK_RV rv;

    if (group == NULL) {
        return CKR_CURVE_NOT_SUPPORTED;
    }
    EC_GROUP_free(group);
    pkey = EVP_EC_gen(curve->name);
    if (pkey == NULL) {
        return library_failed("generate an EC key");
    }
    rv = ec_pair_write(pkey, curve, public_part, secrets);
    EVP_PKEY_free(pkey);
    return rv;
}

CK_RV
ec_generate(const struct mechanism_limit *limit, const struct mechanism_row *row, view template,
            struct algo_source source, struct writer *public_part, struct writer *private_part,
            struct writer *secrets)
{
    const struct curve_row *curve = NULL;
    view params;
    CK_RV rv = curve_find(template, &curve);

    UNUSED(source);
    if (rv != CKR_OK) {
        return rv;
    }
    /* What CKM_EC_KEY_PAIR_GEN makes besides its own is the policy's business. */
    if (curve->bits < limit->min || curve->bits > limit->max ||
        (curve->key_type != row->key_type && row->key_type != CKK_EC) ||
        !attributes_find(template, CKA_EC_PARAMS, &params)) {
        return CKR_CURVE_NOT_SUPPORTED;
    }
    rv = curve->key_type == CKK_EC ? pair_generate(curve, public_part, secrets)
                                   : okp_generate(curve, public_part, secrets);
    attribute_write(private_part, CKA_EC_PARAMS, params);
    return rv;
}
