/* SPDX-License-Identifier: Apache-2.0
 *
 * RSA keys: parsed, completed, generated. A private key always has its CRT parts inside; those
 * that the caller did not give are computed from modulus and exponents, and those given have
 * to agree with them.
 */
#include "crypto/driver.h"
#include "crypto/library.h"
#include "crypto/pkcs8.h"
#include "crypto/rsa_reject.h"
#include "crypto/rsa_strong.h"

#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#define BITS_MIN 512
#define BITS_MAX OPENSSL_RSA_MAX_MODULUS_BITS
#define NUMBER_MAX (BITS_MAX / 8 + 16) /* leading zeros are let pass, within reason */

static const struct {
    CK_ATTRIBUTE_TYPE type;
    const char *name; /* as the library calls it */
} crt_rows[CRT_COUNT] = {
    [CRT_P] = { CKA_PRIME_1, OSSL_PKEY_PARAM_RSA_FACTOR1 },
    [CRT_Q] = { CKA_PRIME_2, OSSL_PKEY_PARAM_RSA_FACTOR2 },
    [CRT_DP] = { CKA_EXPONENT_1, OSSL_PKEY_PARAM_RSA_EXPONENT1 },
    [CRT_DQ] = { CKA_EXPONENT_2, OSSL_PKEY_PARAM_RSA_EXPONENT2 },
    [CRT_QINV] = { CKA_COEFFICIENT, OSSL_PKEY_PARAM_RSA_COEFFICIENT1 },
};

/* ---- parsing ---- */

/* The number of that type; an absent one is NULL. */
static CK_RV
number_parse(view list, CK_ATTRIBUTE_TYPE type, bool secret, BIGNUM **ret_number)
{
    BIGNUM *number;
    view value;

    *ret_number = NULL;
    if (!attributes_find(list, type, &value) || (secret && value.len == 0)) {
        return CKR_OK;
    }
    if (value.len > NUMBER_MAX) {
        return CKR_ATTRIBUTE_VALUE_INVALID;
    }
    number = secret ? BN_secure_new() : BN_new();
    if (number == NULL || BN_bin2bn(value.data, (int)value.len, number) == NULL) {
        BN_clear_free(number);
        return CKR_DEVICE_MEMORY;
    }
    if (secret) {
        BN_set_flags(number, BN_FLG_CONSTTIME);
    }
    *ret_number = number;
    return CKR_OK;
}

/* The library takes no longer exponents with large moduli, as they cost a verifier too much. */
static bool
exponent_is_good(const BIGNUM *e, int modulus_bits)
{
    return BN_is_odd(e) && !BN_is_one(e) && BN_num_bits(e) < modulus_bits &&
           (modulus_bits <= OPENSSL_RSA_SMALL_MODULUS_BITS ||
            BN_num_bits(e) <= OPENSSL_RSA_MAX_PUBEXP_BITS);
}

static CK_RV
public_parse(struct algo_key *key, view attributes, struct rsa_parts *parts)
{
    CK_RV rv;

    if ((rv = number_parse(attributes, CKA_MODULUS, false, &parts->n)) != CKR_OK ||
        (rv = number_parse(attributes, CKA_PUBLIC_EXPONENT, false, &parts->e)) != CKR_OK) {
        return rv;
    }
    if (parts->n == NULL || parts->e == NULL || !BN_is_odd(parts->n) ||
        BN_num_bits(parts->n) < BITS_MIN || BN_num_bits(parts->n) > BITS_MAX ||
        !exponent_is_good(parts->e, BN_num_bits(parts->n))) {
        return CKR_ATTRIBUTE_VALUE_INVALID;
    }
    key->len = (size_t)BN_num_bytes(parts->n);
    return CKR_OK;
}

static CK_RV
private_parse(view secrets, struct rsa_parts *parts)
{
    CK_RV rv = number_parse(secrets, CKA_PRIVATE_EXPONENT, true, &parts->d);

    for (size_t i = 0; i < CRT_COUNT && rv == CKR_OK; i++) {
        rv = number_parse(secrets, crt_rows[i].type, true, &parts->crt[i]);
    }
    if (rv != CKR_OK) {
        return rv;
    }
    switch (rsa_parts_complete(parts)) {
    case RSA_PARTS_GOOD:
        return CKR_OK;
    case RSA_PARTS_WRONG:
        return CKR_ATTRIBUTE_VALUE_INVALID;
    default:
        return library_failed("check an RSA key");
    }
}

static bool
params_push(OSSL_PARAM_BLD *build, const struct rsa_parts *parts)
{
    if (OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, parts->n) != 1 ||
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, parts->e) != 1) {
        return false;
    }
    if (parts->d == NULL) {
        return true;
    }
    for (size_t i = 0; i < CRT_COUNT; i++) {
        if (OSSL_PARAM_BLD_push_BN(build, crt_rows[i].name, parts->crt[i]) != 1) {
            return false;
        }
    }
    return OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_D, parts->d) == 1;
}

static CK_RV
key_build(struct algo_key *key, const struct rsa_parts *parts)
{
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    OSSL_PARAM *params = NULL;
    CK_RV rv = CKR_OK;

    if (build == NULL || ctx == NULL || !params_push(build, parts) ||
        (params = OSSL_PARAM_BLD_to_param(build)) == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key->pkey,
                          parts->d == NULL ? EVP_PKEY_PUBLIC_KEY : EVP_PKEY_KEYPAIR, params) != 1) {
        rv = library_failed("build an RSA key");
    }
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    EVP_PKEY_CTX_free(ctx);
    return rv;
}

static CK_RV
rsa_public_parse(struct algo_key *key, view attributes, view secrets)
{
    struct rsa_parts parts = { 0 };
    CK_RV rv = public_parse(key, attributes, &parts);

    UNUSED(secrets);
    if (rv == CKR_OK) {
        rv = key_build(key, &parts);
    }
    rsa_parts_clear(&parts);
    return rv;
}

static CK_RV
rsa_private_parse(struct algo_key *key, view attributes, view secrets)
{
    struct rsa_parts parts = { 0 };
    CK_RV rv;

    if ((rv = public_parse(key, attributes, &parts)) == CKR_OK &&
        (rv = private_parse(secrets, &parts)) == CKR_OK &&
        (rv = rsa_reject_prepare(key, parts.d)) == CKR_OK) {
        rv = key_build(key, &parts);
    }
    rsa_parts_clear(&parts);
    return rv;
}

/* ---- what is made ---- */

static CK_RV
rsa_public_made(const struct algo_key *key, view given, struct writer *attributes,
                struct writer *secrets)
{
    uint64_t bits = (uint64_t)EVP_PKEY_get_bits(key->pkey);
    CK_RV rv = made_ulong(CKA_MODULUS_BITS, bits, given, attributes);

    UNUSED(secrets);
    return rv == CKR_OK ? made_public_key_info(key, given, attributes) : rv;
}

/* One secret number of a key as an attribute; what stands there already is not written. */
static bool
part_write(EVP_PKEY *pkey, const char *name, CK_ATTRIBUTE_TYPE type, struct writer *secrets)
{
    BIGNUM *number = NULL;
    view there;
    bool done;

    if (attributes_find(writer_view(secrets), type, &there) && there.len > 0) {
        return true;
    }
    done = EVP_PKEY_get_bn_param(pkey, name, &number) == 1 &&
           key_number_write(secrets, type, number, 0);
    BN_clear_free(number);
    return done;
}

static CK_RV
crt_write(EVP_PKEY *pkey, struct writer *secrets)
{
    for (size_t i = 0; i < CRT_COUNT; i++) {
        if (!part_write(pkey, crt_rows[i].name, crt_rows[i].type, secrets)) {
            return library_failed("read an RSA key");
        }
    }
    return CKR_OK;
}

static CK_RV
rsa_private_made(const struct algo_key *key, view given, struct writer *attributes,
                 struct writer *secrets)
{
    CK_RV rv = crt_write(key->pkey, secrets);

    return rv == CKR_OK ? made_public_key_info(key, given, attributes) : rv;
}

const struct key_parser rsa_public_parser = { rsa_public_parse, rsa_public_made };
const struct key_parser rsa_private_parser = { rsa_private_parse, rsa_private_made };

/* ---- generation ---- */

static CK_RV
exponent_choose(view template, uint64_t bits, BIGNUM **ret_e)
{
    BIGNUM *e = NULL;
    CK_RV rv = number_parse(template, CKA_PUBLIC_EXPONENT, false, &e);

    if (rv != CKR_OK) {
        return rv;
    }
    if (e == NULL) {
        e = BN_new();
        if (e == NULL || BN_set_word(e, RSA_F4) != 1) {
            BN_free(e);
            return CKR_DEVICE_MEMORY;
        }
    }
    /* SP 800-56B: below 2^256; longer ones only make it unlikely that primes are found. */
    if (!exponent_is_good(e, (int)bits) || BN_num_bits(e) > 256) {
        BN_free(e);
        return CKR_ATTRIBUTE_VALUE_INVALID;
    }
    *ret_e = e;
    return CKR_OK;
}

static CK_RV
pair_generate(uint64_t bits, BIGNUM *e, EVP_PKEY **ret_pkey)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    CK_RV rv = CKR_OK;

    if (ctx == NULL || EVP_PKEY_keygen_init(ctx) != 1 ||
        EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, (int)bits) != 1 ||
        EVP_PKEY_CTX_set1_rsa_keygen_pubexp(ctx, e) != 1 ||
        EVP_PKEY_generate(ctx, ret_pkey) != 1) {
        rv = library_failed("generate an RSA key");
    }
    EVP_PKEY_CTX_free(ctx);
    return rv;
}

/* CKM_RSA_X9_31_KEY_PAIR_GEN: primes by our own search, as the library's public functions have
 * no such. */
static CK_RV
strong_generate(uint64_t bits, const BIGNUM *e, EVP_PKEY **ret_pkey)
{
    struct rsa_parts parts = { .e = BN_dup(e) };
    struct algo_key key = { .kind = KIND_RSA_PRIVATE };
    CK_RV rv;

    if (parts.e == NULL || !rsa_strong_pair((int)bits, &parts) ||
        rsa_parts_complete(&parts) != RSA_PARTS_GOOD) {
        rv = library_failed("generate an RSA key with strong primes");
    } else if ((rv = key_build(&key, &parts)) == CKR_OK) {
        *ret_pkey = key.pkey;
    }
    rsa_parts_clear(&parts);
    return rv;
}

CK_RV
rsa_pair_write(EVP_PKEY *pkey, const BIGNUM *e, struct writer *public_part,
           struct writer *private_part, struct writer *secrets)
{
    BIGNUM *n = NULL;
    CK_RV rv;

    if (EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &n) != 1 ||
        !key_number_write(public_part, CKA_MODULUS, n, 0) ||
        !key_number_write(public_part, CKA_PUBLIC_EXPONENT, e, 0) ||
        !key_number_write(private_part, CKA_MODULUS, n, 0) ||
        !key_number_write(private_part, CKA_PUBLIC_EXPONENT, e, 0) ||
        !part_write(pkey, OSSL_PKEY_PARAM_RSA_D, CKA_PRIVATE_EXPONENT, secrets)) {
        rv = library_failed("read a generated RSA key");
    } else {
        rv = crt_write(pkey, secrets);
    }
    BN_free(n);
    return rv;
}

CK_RV
rsa_generate(const struct mechanism_limit *limit, const struct mechanism_row *row, view template,
             struct algo_source source, struct writer *public_part, struct writer *private_part,
             struct writer *secrets)
{
    EVP_PKEY *pkey = NULL;
    BIGNUM *e = NULL;
    uint64_t bits;
    CK_RV rv;

    UNUSED(source);
    if (!attributes_ulong(template, CKA_MODULUS_BITS, &bits)) {
        return CKR_TEMPLATE_INCOMPLETE;
    }
    if (bits < limit->min || bits > limit->max) {
        return CKR_ATTRIBUTE_VALUE_INVALID;
    }
    if ((rv = exponent_choose(template, bits, &e)) == CKR_OK &&
        (rv = row->type == CKM_RSA_X9_31_KEY_PAIR_GEN ? strong_generate(bits, e, &pkey)
                                                      : pair_generate(bits, e, &pkey)) ==
            CKR_OK) {
        rv = rsa_pair_write(pkey, e, public_part, private_part, secrets);
    }
    EVP_PKEY_free(pkey);
    BN_free(e);
    return rv;
}
