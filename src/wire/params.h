/* SPDX-License-Identifier: Apache-2.0
 *
 * Mechanisms with their parameters, as they travel and as crypto/ reads them. Rows of
 * params.def. On the wire: u32 type, u8 shape, then the parameter as bytes with a length.
 */
#ifndef WIRE_PARAMS_H
#define WIRE_PARAMS_H

#include "base/bytes.h"
#include "rules/key.h"

/*
 * A piece of the input of an SP 800-108 PRF, by the standard's numbers (CK_SP800_108_...):
 * bytes as they are, a key's value, or a number of so many bits. width is 0 where a number has
 * no form.
 */
struct params_item {
    uint32_t type;
    uint8_t method; /* CK_SP800_108_DKM_LENGTH_..., of lengths */
    uint8_t width;
    bool little_endian;
    view bytes;
    uint32_t key; /* handle, of CK_SP800_108_KEY_HANDLE; travels in the place of bytes */
};

#define PARAMS_ITEMS_MAX 16u
struct params_items {
    uint32_t count;
    struct params_item item[PARAMS_ITEMS_MAX];
};

#define PARAMS_PLAIN(shape, max)      \
    struct params_##shape {           \
        view bytes;                   \
    };
#define PARAMS(shape, type) struct params_##shape {
#define PARAM_BYTES(field, pointer, length, max) view field;
#define PARAM_BITS(field, pointer, bits, max) view field;
#define PARAM_ARRAY(field, member, length) view field; /* exactly length bytes */
#define PARAM_U32(field, member) uint32_t field;
#define PARAM_GIVEN(field, member) uint32_t field;
#define PARAM_INNER(field, pointer, shape) struct params_##shape field;
#define PARAM_THERE(field) uint32_t field;
#define PARAM_ITEMS(field, array, count, layout) struct params_items field;
#define PARAMS_END(shape) \
    }                     \
    ;
#include "wire/params.def"

/* Views are borrowed: from the application's structure, or from the frame. */
struct mechanism {
    uint32_t type;
    enum params_shape shape;
    union {
        struct params_none none;
        struct params_iv iv;
        struct params_ctr ctr;
        struct params_gcm gcm;
        struct params_ccm ccm;
        struct params_oaep oaep;
        struct params_pss pss;
        struct params_ecdh ecdh;
        struct params_kbkdf kbkdf;
        struct params_feedback feedback;
        struct params_hkdf hkdf;
        struct params_pbkd2 pbkd2;
        struct params_data data;
        struct params_cbc_data cbc_data;
        struct params_number number;
        struct params_tls_master tls_master;
        struct params_tls_extended tls_extended;
        struct params_tls_keys tls_keys;
        struct params_tls_kdf tls_kdf;
        struct params_wrap_iv wrap_iv;
        struct params_rsa_aes rsa_aes;
        struct params_ecdh_aes ecdh_aes;
        struct params_eddsa eddsa;
        struct params_chacha20 chacha20;
        struct params_chacha_poly chacha_poly;
        struct params_tls_mac tls_mac;
    } params;
};

/*
 * Takes over the application's CK_MECHANISM for a row. MECHANISM_PARAM_INVALID when the
 * presence or length of the parameter is not what the shape asks for, a pointer inside is
 * NULL with a length, a number does not fit 32 bits, or bytes are longer than the row allows.
 */
MUST_USE CK_RV params_take(const struct mechanism_row *row, const CK_MECHANISM *mechanism,
                           struct mechanism *ret_mechanism);

/*
 * Is the parameter right for this function and key (NULL when there is none)? Lengths,
 * hashes, counter bits, tag lengths, salt against modulus, the policy's word on IVs:
 * MECHANISM_PARAM_INVALID. Asked by the library at Init and by the HSM again.
 */
MUST_USE CK_RV params_check(struct rules rules, const struct mechanism_row *row,
                            CK_FLAGS function, const struct key_info *key,
                            const struct mechanism *mechanism);

/* The handles of further keys that the parameter names, by their place in it; 0 behind the last. */
#define PARAMS_KEYS_MAX 4u
uint32_t params_other_key(const struct mechanism *mechanism, size_t place);

#define TLS_MAC_MAX 64u /* bytes of a TLS MAC; it has 12 at least */
#define TLS_MAC_SERVER 1u /* CK_TLS_MAC_PARAMS, ulServerOrClient */
#define TLS_MAC_CLIENT 2u

/* A nonce's length in bytes, of one told in bits, as the standard has it for ChaCha20, or in
 * bytes, as some applications do; max, in bytes, tells one from the other. */
size_t params_bits_len(CK_ULONG told, size_t max);

/* Bytes of the tag of an AEAD or of the MAC of a row with OUT_mac, 0 for everything else. */
size_t params_tag_len(const struct mechanism *mechanism);
/* Does this GCM parameter ask for an IV made by the HSM (switch generated_iv, or OUT_sealed)? */
bool params_wants_iv(struct rules rules, CK_FLAGS function, const struct mechanism *mechanism);

void mechanism_write(struct writer *w, const struct mechanism *mechanism);
MUST_USE bool mechanism_read(struct reader *r, struct mechanism *ret_mechanism);

#endif
