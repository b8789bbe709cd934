/* SPDX-License-Identifier: Apache-2.0
 *
 * Mechanisms: the rows of mechanisms.def and the questions they answer.
 */
#ifndef RULES_MECHANISM_H
#define RULES_MECHANISM_H

#include "base/bytes.h"
#include "rules/rules.h"

#define KEY_TYPE_NONE ((CK_KEY_TYPE)0xffffffff)
/* Of rows that work with secret keys of whatever type. */
#define KEY_TYPE_SECRET ((CK_KEY_TYPE)0xfffffffe)

/* Shapes of mechanism parameters; wire/params.def has the fields. */
enum params_shape { PARAMS_none, PARAMS_iv, PARAMS_ctr, PARAMS_gcm, PARAMS_oaep, PARAMS_pss,
                    PARAMS_ecdh, PARAMS_kbkdf, PARAMS_feedback, PARAMS_hkdf, PARAMS_pbkd2,
                    PARAMS_data, PARAMS_cbc_data, PARAMS_number, PARAMS_tls_master,
                    PARAMS_tls_extended, PARAMS_tls_keys, PARAMS_tls_kdf,
                    PARAMS_ccm, PARAMS_wrap_iv, PARAMS_eddsa, PARAMS_rsa_aes,
                    PARAMS_chacha20, PARAMS_chacha_poly, PARAMS_tls_mac, PARAMS_ecdh_aes };

enum key_unit { UNIT_BITS, UNIT_BYTES };
enum mechanism_out { OUT_none, OUT_same, OUT_pad, OUT_tag, OUT_modulus, OUT_curve, OUT_hash,
                     OUT_mac, OUT_kw, OUT_kw_pkcs7, OUT_kwp, OUT_sealed, OUT_raw, OUT_eddsa };
/* What running costs: on a loop, on a thread of its own, on one of low priority. */
enum work { WORK_inline, WORK_cpu, WORK_slow, WORK_rsa, WORK_ec };

enum driver {
    DRIVER_digest,
    DRIVER_hmac,
    DRIVER_cipher,
    DRIVER_cbcmac,
    DRIVER_ccm,
    DRIVER_cfb64,
    DRIVER_stealing,
    DRIVER_cmac,
    DRIVER_poly1305,
    DRIVER_tls_mac,
    DRIVER_gcm_sealed,
    DRIVER_gmac,
    DRIVER_kw,
    DRIVER_tkw,
    DRIVER_rsa,
    DRIVER_rsa_aes,
    DRIVER_ecdh_aes,
    DRIVER_ec,
    DRIVER_eddsa,
    DRIVER_secret,
    DRIVER_ecdh,
    DRIVER_kbkdf,
    DRIVER_hkdf,
    DRIVER_mix,
    DRIVER_tls,
    DRIVER_COUNT
};

struct mechanism_limit {
    CK_FLAGS functions; /* CKF_SIGN, CKF_ENCRYPT, ... */
    CK_ULONG min;
    CK_ULONG max;
};

struct mechanism_row {
    CK_MECHANISM_TYPE type;
    const char *name; /* "CKM_AES_GCM" */
    CK_KEY_TYPE key_type;
    CK_KEY_TYPE key_also;
    enum key_unit unit;
    enum params_shape params;
    bool multi;
    enum mechanism_out out;
    enum work work;
    enum hash hash;
    enum driver driver;
    struct mechanism_limit limit[POLICY_COUNT];
};

/* NULL when there is no such row. */
const struct mechanism_row *mechanism_row(CK_MECHANISM_TYPE type);
const struct mechanism_row *mechanism_rows(size_t *ret_count);

/* What the policy leaves of the row. functions is 0 when it is not there. */
const struct mechanism_limit *mechanism_limit(struct rules rules, const struct mechanism_row *row);

/* The row that says what the mechanism does; a switch may make it another one's. */
const struct mechanism_row *mechanism_meant(struct rules rules, CK_MECHANISM_TYPE type);

/* The row, when the policy offers it for that function (one CKF_ bit); else NULL. */
const struct mechanism_row *mechanism_for(struct rules rules, CK_MECHANISM_TYPE type,
                                          CK_FLAGS function);

/* Flags of message-based use (PKCS #11 v3.0), which follow from the row: AEADs encrypt messages,
 * whatever signs with no parameter of its own for each message signs them. */
CK_FLAGS mechanism_messages(struct rules rules, const struct mechanism_row *row);

/* Does the policy offer any mechanism for secret keys of that type? */
bool mechanism_offers_type(struct rules rules, CK_KEY_TYPE type);

struct key_info;

/* The class of work for that function with a key (NULL for digests and generation):
 * WORK_inline, WORK_cpu or WORK_slow. */
enum work mechanism_work(const struct mechanism_row *row, CK_FLAGS function,
                         const struct key_info *key);

/* Modes of AES, which come in its key sizes, and whole ciphers. */
enum cipher_mode {
    MODE_ECB,
    MODE_CBC,
    MODE_CTR,
    MODE_GCM,
    MODE_KW,
    MODE_KWP,
    MODE_OFB,
    MODE_CFB1,
    MODE_CFB8,
    MODE_CFB128,
    MODE_CTS,
    MODE_XTS, /* with two keys of AES */
    MODE_AES_COUNT,
    MODE_DES3_ECB = MODE_AES_COUNT,
    MODE_DES3_CBC,
    MODE_CHACHA20,
    MODE_CHACHA20_POLY1305,
    MODE_RC4, /* of the legacy provider, where that is installed */
    MODE_COUNT
};

/* What a cipher takes and gives: a row of ciphers.def, or that of a byte for each byte. */
struct cipher_row {
    CK_MECHANISM_TYPE type;
    enum cipher_mode mode;
    size_t block; /* bytes of a block, and of an IV */
    size_t unit;  /* bytes that come out together */
    size_t mac;   /* bytes of a MAC */
};

/* Never NULL: static. */
const struct cipher_row *cipher_row(const struct mechanism_row *row);

/* Bytes of a MAC that is not cut short: of the hash inside, or what the cipher's row says. */
size_t mechanism_mac_len(const struct mechanism_row *row);

/*
 * How long the output of a whole operation is, given the length of its input. *ret_exact
 * says whether that is the length itself or an upper bound. tag_len is for AEADs and for MACs
 * whose length the parameter decides (0 else).
 */
size_t mechanism_output_len(const struct mechanism_row *row, CK_FLAGS function,
                            const struct key_info *key, size_t tag_len, size_t input_len,
                            bool *ret_exact);

/* Curves, rows of curves.def. */
struct curve_row {
    const char *name; /* as libcrypto calls it */
    unsigned tool_id; /* azcloudhsm_util genECCKeyPair -i */
    CK_KEY_TYPE key_type; /* CKK_EC, CKK_EC_EDWARDS, ... */
    enum work work;
    const uint8_t *oid;
    size_t oid_len;
    size_t bits; /* of the order; of the field where keys are strings of bytes */
    CK_FLAGS standard;
    CK_FLAGS azure[INTERFACE_COUNT];
    CK_FLAGS fips[INTERFACE_COUNT];
};

/* By what may stand in CKA_EC_PARAMS (PKCS #11 v3.1, 6.3.3), in DER: the object
 * identifier, or another name of the curve. NULL: it names none of ours. */
const struct curve_row *curve_by_params(view params);
const struct curve_row *curve_by_tool_id(unsigned tool_id);
const struct curve_row *curve_rows(size_t *ret_count);
CK_FLAGS curve_functions(struct rules rules, const struct curve_row *row);
/* Bytes of a private key, of a coordinate, and of each half of a signature. */
size_t curve_len(const struct curve_row *row);
/* Does this generator of key pairs make keys on that curve, by its kind? */
bool curve_fits_generator(struct rules rules, const struct curve_row *curve,
                          const struct mechanism_row *row);

#endif
