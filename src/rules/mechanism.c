/* SPDX-License-Identifier: Apache-2.0
 *
 * The rows of mechanisms and curves, and what follows from them: whether a policy offers a
 * mechanism, what it costs to run, how long its output is.
 */
#include "rules/mechanism.h"

#include "rules/key.h"

#include <assert.h>

#define SEMIBLOCK_LEN 8u /* RFC 3394 */
#define GCM_IV_LEN 12u /* of one made by the HSM */

#define CKK_NONE KEY_TYPE_NONE
#define CKK_SECRET KEY_TYPE_SECRET
#define PARTS_single false
#define PARTS_multi true
#define LIMIT(functions, min, max) { functions, min, max }

/*
 * { CKM_ECDSA, "CKM_ECDSA", CKK_EC, KEY_TYPE_NONE, UNIT_BITS, PARAMS_none, false, OUT_curve,
 *   WORK_ec, HASH_NONE, DRIVER_ec, { [POLICY_STANDARD] = { CKF_SIGN | ..., 192, 521 }, ... } }
 */
#define MECH(name, key, also, unit, params, parts, out, work, hash, driver, standard, azure, fips) \
    { CKM_##name, "CKM_" #name, CKK_##key, CKK_##also, UNIT_##unit, PARAMS_##params,               \
      PARTS_##parts, OUT_##out, WORK_##work, HASH_##hash, DRIVER_##driver,                         \
      { [POLICY_STANDARD] = LIMIT standard, [POLICY_AZURE] = LIMIT azure,                          \
        [POLICY_FIPS] = LIMIT fips } },
static const struct mechanism_row rows[] = {
#include "rules/mechanisms.def"
};
#undef MECH

/* { CKM_DES3_CBC, MODE_DES3_CBC, 8, 8, 0 } */
#define CIPHER(name, mode, block, unit, mac) { CKM_##name, MODE_##mode, block, unit, mac },
static const struct cipher_row ciphers[] = {
#include "rules/ciphers.def"
};
#undef CIPHER

/*
 * { "prime256v1", 2, CKK_EC, WORK_inline, "\x06\x08...", 10, 256, CKF_SIGN | ...,
 *   { [INTERFACE_P11] = ..., ... }, { [INTERFACE_P11] = ..., [INTERFACE_API] = ... } }
 */
#define CURVE(name, tool_id, key, work, oid, bits, standard, azure_p11, azure_api, fips_p11, \
              fips_api)                                                                      \
    { name, tool_id, CKK_##key, WORK_##work, (const uint8_t *)(oid), sizeof(oid) - 1, bits,  \
      standard, { [INTERFACE_P11] = azure_p11, [INTERFACE_API] = azure_api },                \
      { [INTERFACE_P11] = fips_p11, [INTERFACE_API] = fips_api } },
#define CURVE_ALSO(tool_id, params)
static const struct curve_row curves[] = {
#include "rules/curves.def"
};
#undef CURVE
#undef CURVE_ALSO

/* { 28, { "\x13\x0c" "edwards25519", 14 } } */
#define CURVE(name, tool_id, key, work, oid, bits, standard, azure_p11, azure_api, fips_p11, \
              fips_api)
#define CURVE_ALSO(tool_id, params) { tool_id, { (const uint8_t *)(params), sizeof(params) - 1 } },
static const struct curve_name {
    unsigned tool_id;
    view params;
} curve_names[] = {
#include "rules/curves.def"
};
#undef CURVE
#undef CURVE_ALSO

const struct mechanism_row *
mechanism_row(CK_MECHANISM_TYPE type)
{
    size_t low = 0;
    size_t high = ARRAY_COUNT(rows);

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (rows[middle].type == type) {
            return &rows[middle];
        }
        if (rows[middle].type < type) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

const struct mechanism_row *
mechanism_rows(size_t *ret_count)
{
    *ret_count = ARRAY_COUNT(rows);
    return rows;
}

const struct mechanism_limit *
mechanism_limit(struct rules rules, const struct mechanism_row *row)
{
    assert((unsigned)rules.policy < POLICY_COUNT);
    return &row->limit[rules.policy];
}

const struct mechanism_row *
mechanism_meant(struct rules rules, CK_MECHANISM_TYPE type)
{
    const bool sibling = type == CKM_AES_KEY_WRAP && rules_switch_on(rules, SWITCH_wrap_pkcs5);

    return mechanism_row(sibling ? CKM_CLOUDHSM_AES_KEY_WRAP_PKCS5_PAD : type);
}

const struct mechanism_row *
mechanism_for(struct rules rules, CK_MECHANISM_TYPE type, CK_FLAGS function)
{
    const struct mechanism_row *row = mechanism_meant(rules, type);

    if (row == NULL || (mechanism_limit(rules, row)->functions & function) == 0) {
        return NULL;
    }
    return row;
}

CK_FLAGS
mechanism_messages(struct rules rules, const struct mechanism_row *row)
{
    /* A nonce that came with Init, or a key of Poly1305, would be used again by each message. */
    const bool again = row->params != PARAMS_gcm && row->driver != DRIVER_poly1305;
    const struct {
        CK_FLAGS function;
        CK_FLAGS message;
        enum rules_function init;
        bool fits;
    } ways[] = {
        { CKF_ENCRYPT, CKF_MESSAGE_ENCRYPT, FUNCTION_MessageEncryptInit, row->out == OUT_tag },
        { CKF_DECRYPT, CKF_MESSAGE_DECRYPT, FUNCTION_MessageDecryptInit, row->out == OUT_tag },
        { CKF_SIGN, CKF_MESSAGE_SIGN, FUNCTION_MessageSignInit, again },
        { CKF_VERIFY, CKF_MESSAGE_VERIFY, FUNCTION_MessageVerifyInit, again },
    };
    const CK_FLAGS functions = mechanism_limit(rules, row)->functions;
    CK_FLAGS messages = 0;

    for (size_t i = 0; i < ARRAY_COUNT(ways); i++) {
        if (ways[i].fits && (functions & ways[i].function) != 0 &&
            rules_function_code(rules, ways[i].init) == CKR_OK) {
            messages |= ways[i].message;
        }
    }
    return messages != 0 && row->multi ? messages | CKF_MULTI_MESSAGE : messages;
}

bool
mechanism_offers_type(struct rules rules, CK_KEY_TYPE type)
{
    const size_t len = secret_len_fixed(type);

    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        const struct mechanism_limit *limit = mechanism_limit(rules, &rows[i]);
        const size_t size = rows[i].unit == UNIT_BITS ? 8 * len : len;

        if ((rows[i].key_type == type || rows[i].key_also == type) && limit->functions != 0 &&
            (len == 0 || (size >= limit->min && size <= limit->max))) {
            return true;
        }
    }
    return false;
}

enum work
mechanism_work(const struct mechanism_row *row, CK_FLAGS function, const struct key_info *key)
{
    const CK_FLAGS private_functions = CKF_SIGN | CKF_SIGN_RECOVER | CKF_DECRYPT | CKF_UNWRAP;
    const struct curve_row *curve;

    switch (row->work) {
    case WORK_rsa:
        return (function & private_functions) != 0 ? WORK_cpu : WORK_inline;
    case WORK_ec:
        curve = key == NULL ? NULL : curve_by_tool_id(key->curve);
        return curve == NULL ? WORK_cpu : curve->work;
    default:
        return row->work;
    }
}

static size_t
key_len(const struct key_info *key)
{
    return key == NULL ? 0 : ((size_t)key->bits + 7) / 8;
}

/* Lengths come from applications; a sum that would wrap stays at the largest. */
static size_t
sum(size_t a, size_t b)
{
    return a > SIZE_MAX - b ? SIZE_MAX : a + b;
}

const struct cipher_row *
cipher_row(const struct mechanism_row *row)
{
    static const struct cipher_row bytes = { 0, MODE_COUNT, 16, 1, 16 };

    size_t low = 0;
    size_t high = ARRAY_COUNT(ciphers);

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (ciphers[middle].type == row->type) {
            return &ciphers[middle];
        }
        if (ciphers[middle].type < row->type) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return &bytes;
}

size_t
mechanism_mac_len(const struct mechanism_row *row)
{
    return row->hash != HASH_NONE ? hash_row(row->hash)->length : cipher_row(row)->mac;
}

size_t
mechanism_output_len(const struct mechanism_row *row, CK_FLAGS function,
                     const struct key_info *key, size_t tag_len, size_t input_len, bool *ret_exact)
{
    const size_t block = cipher_row(row)->block;
    bool decrypt = (function & (CKF_DECRYPT | CKF_VERIFY_RECOVER)) != 0;
    const struct curve_row *curve;
    bool exact = true;
    size_t len = 0;

    switch (row->out) {
    case OUT_none:
        break;
    case OUT_same:
        len = input_len;
        break;
    case OUT_pad:
        exact = !decrypt;
        len = decrypt ? input_len : sum(input_len - input_len % block, block);
        break;
    case OUT_tag:
        len = decrypt ? input_len - size_min(input_len, tag_len) : sum(input_len, tag_len);
        break;
    case OUT_modulus:
        exact = !decrypt;
        len = key_len(key);
        break;
    case OUT_raw:
        len = key_len(key);
        break;
    case OUT_curve:
        len = 2 * key_len(key);
        break;
    case OUT_eddsa:
        curve = key == NULL ? NULL : curve_by_tool_id(key->curve);
        len = curve == NULL ? 0 : 2 * curve_len(curve);
        break;
    case OUT_hash:
        len = mechanism_mac_len(row);
        break;
    case OUT_sealed:
        len = decrypt ? input_len - size_min(input_len, GCM_IV_LEN + tag_len)
                      : sum(input_len, GCM_IV_LEN + tag_len);
        break;
    case OUT_mac:
        len = tag_len;
        break;
    case OUT_kw:
        len = decrypt ? input_len - size_min(input_len, SEMIBLOCK_LEN)
                      : sum(input_len, SEMIBLOCK_LEN);
        break;
    case OUT_kw_pkcs7:
        exact = !decrypt;
        len = decrypt ? input_len - size_min(input_len, SEMIBLOCK_LEN)
                      : sum(input_len - input_len % SEMIBLOCK_LEN, 2 * SEMIBLOCK_LEN);
        break;
    case OUT_kwp:
        exact = !decrypt;
        len = decrypt ? input_len - size_min(input_len, SEMIBLOCK_LEN)
                      : sum(sum(input_len, SEMIBLOCK_LEN - 1) / SEMIBLOCK_LEN * SEMIBLOCK_LEN,
                            SEMIBLOCK_LEN);
        break;
    }
    *ret_exact = exact;
    return len;
}

const struct curve_row *
curve_by_params(view params)
{
    for (size_t i = 0; i < ARRAY_COUNT(curves); i++) {
        if (view_equal(view_of(curves[i].oid, curves[i].oid_len), params)) {
            return &curves[i];
        }
    }
    for (size_t i = 0; i < ARRAY_COUNT(curve_names); i++) {
        if (view_equal(curve_names[i].params, params)) {
            return curve_by_tool_id(curve_names[i].tool_id);
        }
    }
    return NULL;
}

const struct curve_row *
curve_by_tool_id(unsigned tool_id)
{
    for (size_t i = 0; i < ARRAY_COUNT(curves); i++) {
        if (curves[i].tool_id == tool_id) {
            return &curves[i];
        }
    }
    return NULL;
}

const struct curve_row *
curve_rows(size_t *ret_count)
{
    *ret_count = ARRAY_COUNT(curves);
    return curves;
}

CK_FLAGS
curve_functions(struct rules rules, const struct curve_row *row)
{
    assert((unsigned)rules.interface < INTERFACE_COUNT);
    switch (rules.policy) {
    case POLICY_AZURE:
        return row->azure[rules.interface];
    case POLICY_FIPS:
        return row->fips[rules.interface];
    default:
        return row->standard;
    }
}

/* RFC 8032, 5.1 and 5.2: a bit more than the field has, in whole bytes. */
size_t
curve_len(const struct curve_row *row)
{
    return row->key_type == CKK_EC_EDWARDS ? row->bits / 8 + 1 : (row->bits + 7) / 8;
}

bool
curve_fits_generator(struct rules rules, const struct curve_row *curve,
                     const struct mechanism_row *row)
{
    /* The tools have one command for all curves. */
    bool one = rules_switch_on(rules, SWITCH_one_ec_generator) || rules.interface == INTERFACE_API;

    return curve->key_type == row->key_type || (row->type == CKM_EC_KEY_PAIR_GEN && one);
}
