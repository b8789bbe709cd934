/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys on elliptic curves: parsed, completed, generated. Curves are those of curves.def, by
 * name only; one that this build of the library lacks is CKR_CURVE_NOT_SUPPORTED.
 */
#include "crypto/der.h"
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

/* PKCS #11 v3.1, 6.3.3: a name that is unknown, and what is no name of a curve at all. */
static CK_RV
curve_parse(view attributes, const struct curve_row **ret_curve, EC_GROUP **ret_group)
{
    const struct curve_row *curve;
    EC_GROUP *group;
    view params;

    if (!attributes_find(attributes, CKA_EC_PARAMS, &params)) {
        return CKR_TEMPLATE_INCOMPLETE;
    }
    curve = curve_by_oid(params.data, params.len);
    if (curve == NULL) {
        return der_is_oid(params) ? CKR_CURVE_NOT_SUPPORTED : CKR_DOMAIN_PARAMS_INVALID;
    }
    group = EC_GROUP_new_by_curve_name(OBJ_sn2nid(curve->name));
    if (group == NULL) {
        return CKR_CURVE_NOT_SUPPORTED;
    }
    *ret_curve = curve;
    *ret_group = group;
    return CKR_OK;
}

static size_t
order_len(const struct curve_row *curve)
{
    return (curve->bits + 7) / 8;
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

/* EC_POINT: an OCTET STRING around the point; the bare point is taken too. */
static bool
point_find(view attributes, size_t len, view *ret_point)
{
    struct reader r;
    view value;

    if (!attributes_find(attributes, CKA_EC_POINT, &value)) {
        return false;
    }
    if (value.len == len) {
        *ret_point = value;
        return true;
    }
    r = reader_of(value);
    return der_read(&r, DER_OCTET_STRING, ret_point) && reader_done(&r) && ret_point->len == len;
}

/* Uncompressed, on the curve, and not the point at infinity. All our curves have cofactor 1. */
static bool
point_is_good(const EC_GROUP *group, view point)
{
    EC_POINT *parsed = EC_POINT_new(group);
    bool good = parsed != NULL && point.data[0] == POINT_CONVERSION_UNCOMPRESSED &&
                EC_POINT_oct2point(group, parsed, point.data, point.len, NULL) == 1 &&
                EC_POINT_is_at_infinity(group, parsed) == 0;

    EC_POINT_free(parsed);
    return good;
}

static CK_RV
ec_public_parse(struct algo_key *key, view attributes, view secrets)
{
    EC_GROUP *group = NULL;
    view point;
    CK_RV rv = curve_parse(attributes, &key->curve, &group);

    UNUSED(secrets);
    if (rv != CKR_OK) {
        return rv;
    }
    key->len = order_len(key->curve);
    rv = CKR_ATTRIBUTE_VALUE_INVALID;
    if (point_find(attributes, point_len(group), &point) && point_is_good(group, point)) {
        rv = key_build(key, point, NULL);
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
    CK_RV rv = curve_parse(attributes, &key->curve, &group);

    if (rv != CKR_OK) {
        return rv;
    }
    key->len = order_len(key->curve);
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
           struct writer *private_part, struct writer *secrets)
{
    uint8_t point[POINT_MAX];
    uint8_t der[POINT_MAX + 3];
    struct writer w;
    size_t len = 0;
    BIGNUM *scalar = NULL;
    CK_RV rv = CKR_OK;

    if (EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point,
                                        &len) != 1 ||
        EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_PRIV_KEY, &scalar) != 1 ||
        !key_number_write(secrets, CKA_VALUE, scalar, order_len(curve))) {
        rv = library_failed("read a generated EC key");
    }
    BN_clear_free(scalar);
    if (rv != CKR_OK) {
        return rv;
    }
    writer_init_fixed(&w, der, sizeof der);
    der_write_head(&w, DER_OCTET_STRING, len);
    write_raw(&w, view_of(point, len));
    attribute_write(public_part, CKA_EC_POINT, writer_view(&w));
    attribute_write(private_part, CKA_EC_PARAMS, view_of(curve->oid, curve->oid_len));
    return CKR_OK;
}

CK_RV
ec_generate(const struct mechanism_limit *limit, const struct mechanism_row *row, view template,
            struct algo_source source, struct writer *public_part, struct writer *private_part,
            struct writer *secrets)
{
    const struct curve_row *curve = NULL;
    EC_GROUP *group = NULL;
    EVP_PKEY *pkey;
    CK_RV rv = curve_parse(template, &curve, &group);

    UNUSED(row);
    UNUSED(source);
    EC_GROUP_free(group);
    if (rv != CKR_OK) {
        return rv;
    }
    if (curve->bits < limit->min || curve->bits > limit->max) {
        return CKR_CURVE_NOT_SUPPORTED;
    }
    pkey = EVP_EC_gen(curve->name);
    if (pkey == NULL) {
        return library_failed("generate an EC key");
    }
    rv = ec_pair_write(pkey, curve, public_part, private_part, secrets);
    EVP_PKEY_free(pkey);
    return rv;
}
