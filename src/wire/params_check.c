/* SPDX-License-Identifier: Apache-2.0
 *
 * Mechanism parameters: the checks that rows cannot say.
 */
#include "wire/params.h"

#include "rules/kdf.h"

#define GCM_GENERATED_IV_LEN 12u
#define AES_BLOCK_LEN 16u
#define PBKD2_ITERATIONS_MAX 10000000u /* some ten seconds of a slow thread */
#define TLS_MAC_MIN 12u
#define CHACHA_POLY_NONCE_LEN 12u
#define XCHACHA_NONCE_LEN 24u
#define CHACHA_POLY_TAG_LEN 16u
#define TLS_PART_MAX 64u /* bytes of a key, of a MAC key, or of an IV */

/* The IV by which an application asks for one made by the HSM: twelve zero bytes. */
static bool
gcm_iv_is_blank(const struct params_gcm *gcm)
{
    static const uint8_t zeros[GCM_GENERATED_IV_LEN];

    return view_equal(gcm->iv, view_of(zeros, sizeof zeros));
}

/* NIST SP 800-38D, 5.2.1.2 and appendix C. */
static bool
gcm_tag_fits(struct rules rules, uint32_t bits)
{
    if (bits == 32 || bits == 64) {
        return rules_switch_on(rules, SWITCH_short_tags);
    }
    return bits >= 96 && bits <= 128 && bits % 8 == 0;
}

/* PKCS #11 v3.1, AES-GMAC: the message is what is authenticated, and nothing else. */
static bool
gcm_fits(struct rules rules, const struct mechanism_row *row, CK_FLAGS function,
         const struct params_gcm *gcm)
{
    bool makes = (function & (CKF_ENCRYPT | CKF_WRAP)) != 0;

    if (row->out == OUT_sealed) {
        return gcm->iv.len == 0 && gcm_tag_fits(rules, gcm->tag_bits);
    }
    if (gcm->iv.len == 0 || (row->out == OUT_mac && gcm->aad.len > 0) ||
        !gcm_tag_fits(rules, gcm->tag_bits)) {
        return false;
    }
    return !makes || rules_switch_on(rules, SWITCH_caller_iv) || gcm_iv_is_blank(gcm);
}

/* NIST SP 800-38C, A.1: what the nonce leaves of a block is the length of the message. */
static bool
ccm_fits(const struct params_ccm *ccm)
{
    if (ccm->nonce.len < 7 || ccm->nonce.len > 13 || ccm->mac_len < 4 || ccm->mac_len > 16 ||
        ccm->mac_len % 2 != 0) {
        return false;
    }

    size_t size_len = AES_BLOCK_LEN - 1 - ccm->nonce.len;

    return size_len >= sizeof ccm->data_len || ccm->data_len >> 8 * size_len == 0;
}

/* A hash inside an RSA padding is one that the policy also offers by itself: no MD5 in fips. */
static enum hash
padding_hash(struct rules rules, CK_MECHANISM_TYPE type)
{
    return mechanism_for(rules, type, CKF_DIGEST) == NULL ? HASH_NONE : hash_by_mechanism(type);
}

static bool
padding_mgf_fits(struct rules rules, CK_RSA_PKCS_MGF_TYPE mgf)
{
    enum hash hash = hash_by_mgf(mgf);

    return hash != HASH_NONE && padding_hash(rules, hash_row(hash)->mechanism) != HASH_NONE;
}

/* RFC 8017, 7.1: k >= 2 hLen + 2, or there is no room for any message. */
static bool
oaep_fits(struct rules rules, const struct key_info *key, const struct params_oaep *oaep)
{
    enum hash hash = padding_hash(rules, oaep->hash);

    if (hash == HASH_NONE || !padding_mgf_fits(rules, oaep->mgf) ||
        (oaep->source != CKZ_DATA_SPECIFIED && (oaep->source != 0 || oaep->label.len > 0))) {
        return false;
    }
    return key == NULL || (key->bits + 7) / 8 >= 2 * hash_row(hash)->length + 2;
}

/* The temporary AES key has to fit, too. PKCS #11 v3.1, 6.1.21. */
static bool
rsa_aes_fits(struct rules rules, const struct key_info *key, const struct params_rsa_aes *both)
{
    if ((both->aes_bits != 128 && both->aes_bits != 192 && both->aes_bits != 256) ||
        !oaep_fits(rules, key, &both->oaep)) {
        return false;
    }
    return key == NULL || (key->bits + 7) / 8 >=
                              2 * hash_row(padding_hash(rules, both->oaep.hash))->length + 2 +
                                  both->aes_bits / 8;
}

/* PKCS #11 v3.1, 6.3.17: without a derivation function there is nothing to share. */
static bool
ecdh_fits(struct rules rules, const struct params_ecdh *ecdh)
{
    const struct kdf_row *kdf = kdf_for(rules, ecdh->kdf);

    return kdf != NULL && ecdh->point.len > 0 &&
           (kdf->form != KDF_plain || ecdh->shared.len == 0);
}

/* Without a derivation function there are as many bits as the curve has. */
static bool
ecdh_aes_fits(struct rules rules, const struct key_info *key,
              const struct params_ecdh_aes *both)
{
    const struct kdf_row *kdf = kdf_for(rules, both->kdf);

    if ((both->aes_bits != 128 && both->aes_bits != 192 && both->aes_bits != 256) || kdf == NULL) {
        return false;
    }
    return kdf->form != KDF_plain ||
           (both->shared.len == 0 && (key == NULL || key->bits + 7 >= both->aes_bits));
}

/* A number in the input of a PRF: whole bytes, and not too many. */
static bool
width_fits(const struct params_item *item, unsigned max)
{
    return item->width > 0 && item->width <= max && item->width % 8 == 0;
}

/* PKCS #11 v3.1, 6.42.3 to 6.42.5: which pieces there have to be, and may be. */
static bool
items_fit(bool counts, const struct params_items *items)
{
    unsigned iterations = 0, counters = 0, lengths = 0, keys = 0;

    for (uint32_t i = 0; i < items->count; i++) {
        const struct params_item *item = &items->item[i];
        bool fits = false;

        switch (item->type) {
        case CK_SP800_108_ITERATION_VARIABLE:
            fits = counts ? width_fits(item, 32) : item->width == 0;
            iterations++;
            break;
        case CK_SP800_108_COUNTER:
            fits = !counts && width_fits(item, 32);
            counters++;
            break;
        case CK_SP800_108_DKM_LENGTH:
            fits = width_fits(item, 64) &&
                   (item->method == CK_SP800_108_DKM_LENGTH_SUM_OF_KEYS ||
                    item->method == CK_SP800_108_DKM_LENGTH_SUM_OF_SEGMENTS);
            lengths++;
            break;
        case CK_SP800_108_BYTE_ARRAY:
            fits = item->bytes.len > 0;
            break;
        case CK_SP800_108_KEY_HANDLE:
            fits = item->key != 0 && ++keys <= PARAMS_KEYS_MAX;
            break;
        default:
            break;
        }
        if (!fits) {
            return false;
        }
    }
    return iterations == 1 && counters <= 1 && lengths <= 1;
}

/* A MAC that the policy offers, and a key that it takes: a cipher's CMAC, the others HMAC. */
static CK_RV
kbkdf_check(struct rules rules, const struct mechanism_row *row, const struct key_info *key,
            uint32_t prf, const struct params_items *items)
{
    const struct mechanism_row *mac = mechanism_for(rules, prf, CKF_SIGN);

    if (mac == NULL || (mac->driver != DRIVER_hmac && mac->driver != DRIVER_cmac) ||
        mac->params != PARAMS_none ||
        !items_fit(row->params == PARAMS_kbkdf && row->type != CKM_SP800_108_DOUBLE_PIPELINE_KDF,
                   items)) {
        return CKR_MECHANISM_PARAM_INVALID;
    }
    return key == NULL || key->key_type == mac->key_type ||
                   (mac->driver == DRIVER_hmac && secret_row(key->key_type) == NULL)
               ? CKR_OK
               : CKR_KEY_TYPE_INCONSISTENT;
}

/* PKCS #11 v3.1, 6.62.3: the salt counts where there is an extraction. */
static bool
hkdf_fits(struct rules rules, const struct params_hkdf *hkdf)
{
    bool salted = hkdf->salt_type == CKF_HKDF_SALT_NULL ||
                  hkdf->salt_type == CKF_HKDF_SALT_DATA ||
                  (hkdf->salt_type == CKF_HKDF_SALT_KEY && hkdf->salt_key != 0);

    return hkdf->extract <= 1 && hkdf->expand <= 1 && (hkdf->extract | hkdf->expand) != 0 &&
           padding_hash(rules, hkdf->hash) != HASH_NONE && (hkdf->extract == 0 || salted);
}

static bool
pbkd2_fits(const struct params_pbkd2 *pbkd2)
{
    return pbkd2->source == CKZ_SALT_SPECIFIED && pbkd2->prf_data.len == 0 &&
           pbkd2->iterations > 0 && pbkd2->iterations <= PBKD2_ITERATIONS_MAX &&
           hash_by_pbkd2(pbkd2->prf) != HASH_NONE;
}

/* A handle, the first bit of a key within another, or the length of a MAC. */
static bool
number_fits(const struct mechanism_row *row, const struct key_info *key, uint32_t number)
{
    if (row->out == OUT_mac) {
        return number > 0 && number <= mechanism_mac_len(row);
    }
    if (row->type == CKM_EXTRACT_KEY_FROM_KEY) {
        return key == NULL || number < key->bits;
    }
    return number != 0;
}

static bool
tls_size_fits(uint32_t bits)
{
    return bits % 8 == 0 && bits <= 8 * TLS_PART_MAX;
}

/* PKCS #11 v3.1, 6.40.2: no export suites since TLS 1.1. */
static bool
tls_keys_fit(struct rules rules, const struct params_tls_keys *keys)
{
    return padding_hash(rules, keys->hash) != HASH_NONE && keys->export == 0 && keys->out == 1 &&
           tls_size_fits(keys->mac_bits) && tls_size_fits(keys->key_bits) &&
           tls_size_fits(keys->iv_bits) && keys->mac_bits + keys->key_bits > 0;
}

/* A counter of 32 bits with a nonce of 96 (RFC 8439), 64 of each as it was first, or XChaCha20. */
static bool
chacha20_fits(const struct params_chacha20 *chacha)
{
    return (chacha->counter.len == 4 && chacha->nonce.len == 12) ||
           (chacha->counter.len == 8 &&
            (chacha->nonce.len == 8 || chacha->nonce.len == XCHACHA_NONCE_LEN));
}

/* PKCS #11 v3.1, 6.40.3: always 12 bytes until TLS 1.2. */
static bool
tls_mac_fits(struct rules rules, const struct params_tls_mac *mac)
{
    const bool old = mac->hash == CKM_TLS_PRF;

    return (old || padding_hash(rules, mac->hash) != HASH_NONE) && mac->len >= TLS_MAC_MIN &&
           mac->len <= (old ? TLS_MAC_MIN : TLS_MAC_MAX) &&
           (mac->side == TLS_MAC_SERVER || mac->side == TLS_MAC_CLIENT);
}

/* RFC 8017, 9.1.1: emBits is one less than the modulus, so emLen may be k - 1. */
static bool
pss_fits(struct rules rules, const struct mechanism_row *row, const struct key_info *key,
         const struct params_pss *pss)
{
    enum hash hash = padding_hash(rules, pss->hash);

    if (hash == HASH_NONE || !padding_mgf_fits(rules, pss->mgf) ||
        (row->hash != HASH_NONE && row->hash != hash)) {
        return false;
    }
    if (key == NULL) {
        return true;
    }

    size_t encoded_len = key->bits == 0 ? 0 : ((size_t)key->bits - 1 + 7) / 8;
    size_t fixed_len = hash_row(hash)->length + 2;

    return encoded_len >= fixed_len && pss->salt_len <= encoded_len - fixed_len;
}

/* PKCS #11 v3.1, 6.3.15, of the five schemes those that our library has: Ed25519, and Ed448 of
 * no context, which may be asked for with the structure or without. */
static bool
eddsa_fits(const struct key_info *key, const struct params_eddsa *eddsa)
{
    if (eddsa->prehash != 0 || eddsa->context.len > 0) {
        return false;
    }
    return key == NULL || eddsa->there == 0 || key->bits == 448;
}

/* The initial value of RFC 3394 or the constant half of RFC 5649's. */
static bool
wrap_iv_fits(struct rules rules, const struct mechanism_row *row, view iv)
{
    const view usual = VIEW_TEXT("\xa6\xa6\xa6\xa6\xa6\xa6\xa6\xa6");
    const bool padded = row->out == OUT_kwp;

    if (iv.len == 0) {
        return true;
    }
    if (!rules_switch_on(rules, SWITCH_wrap_iv)) {
        return !padded && view_equal(iv, usual);
    }
    return iv.len == (padded ? 4u : 8u);
}

CK_RV
params_check(struct rules rules, const struct mechanism_row *row, CK_FLAGS function,
             const struct key_info *key, const struct mechanism *mechanism)
{
    bool fits = false;

    /* What came over the wire may call itself one mechanism and bring the shape of another. */
    if (mechanism_meant(rules, mechanism->type) != row || mechanism->shape != row->params) {
        return CKR_MECHANISM_PARAM_INVALID;
    }
    switch (mechanism->shape) {
    case PARAMS_none:
        fits = mechanism->params.none.bytes.len == 0;
        break;
    case PARAMS_iv:
        fits = mechanism->params.iv.bytes.len == cipher_row(row)->block;
        break;
    case PARAMS_wrap_iv:
        fits = wrap_iv_fits(rules, row, mechanism->params.wrap_iv.bytes);
        break;
    case PARAMS_ctr:
        fits = mechanism->params.ctr.bits >= 1 && mechanism->params.ctr.bits <= 128;
        break;
    case PARAMS_gcm:
        fits = gcm_fits(rules, row, function, &mechanism->params.gcm);
        break;
    case PARAMS_ccm:
        fits = ccm_fits(&mechanism->params.ccm);
        break;
    case PARAMS_oaep:
        fits = oaep_fits(rules, key, &mechanism->params.oaep);
        break;
    case PARAMS_ecdh_aes:
        fits = ecdh_aes_fits(rules, key, &mechanism->params.ecdh_aes);
        break;
    case PARAMS_rsa_aes:
        fits = rsa_aes_fits(rules, key, &mechanism->params.rsa_aes);
        break;
    case PARAMS_tls_master:
        fits = padding_hash(rules, mechanism->params.tls_master.hash) != HASH_NONE &&
               (row->type == CKM_TLS12_MASTER_KEY_DERIVE ||
                mechanism->params.tls_master.version == 0);
        break;
    case PARAMS_tls_extended:
        fits = padding_hash(rules, mechanism->params.tls_extended.hash) != HASH_NONE &&
               mechanism->params.tls_extended.session.len > 0 &&
               (row->type == CKM_TLS12_EXTENDED_MASTER_KEY_DERIVE ||
                mechanism->params.tls_extended.version == 0);
        break;
    case PARAMS_tls_keys:
        fits = tls_keys_fit(rules, &mechanism->params.tls_keys);
        break;
    case PARAMS_tls_kdf:
        fits = mechanism->params.tls_kdf.label.len > 0 &&
               (mechanism->params.tls_kdf.prf == CKM_TLS_PRF ||
                padding_hash(rules, mechanism->params.tls_kdf.prf) != HASH_NONE);
        break;
    case PARAMS_hkdf:
        fits = hkdf_fits(rules, &mechanism->params.hkdf);
        break;
    case PARAMS_pbkd2:
        fits = pbkd2_fits(&mechanism->params.pbkd2);
        break;
    case PARAMS_data:
        fits = mechanism->params.data.bytes.len > 0 &&
               (row->type != CKM_AES_ECB_ENCRYPT_DATA ||
                mechanism->params.data.bytes.len % AES_BLOCK_LEN == 0);
        break;
    case PARAMS_cbc_data:
        fits = mechanism->params.cbc_data.bytes.len > 0 &&
               mechanism->params.cbc_data.bytes.len % AES_BLOCK_LEN == 0;
        break;
    case PARAMS_number:
        fits = number_fits(row, key, mechanism->params.number.number);
        break;
    case PARAMS_chacha20:
        fits = chacha20_fits(&mechanism->params.chacha20);
        break;
    case PARAMS_chacha_poly:
        fits = mechanism->params.chacha_poly.nonce.len == CHACHA_POLY_NONCE_LEN ||
               mechanism->params.chacha_poly.nonce.len == XCHACHA_NONCE_LEN;
        break;
    case PARAMS_tls_mac:
        fits = tls_mac_fits(rules, &mechanism->params.tls_mac);
        break;
    case PARAMS_kbkdf:
        return kbkdf_check(rules, row, key, mechanism->params.kbkdf.prf,
                           &mechanism->params.kbkdf.items);
    case PARAMS_feedback:
        return kbkdf_check(rules, row, key, mechanism->params.feedback.prf,
                           &mechanism->params.feedback.items);
    case PARAMS_ecdh:
        fits = ecdh_fits(rules, &mechanism->params.ecdh);
        break;
    case PARAMS_eddsa:
        fits = eddsa_fits(key, &mechanism->params.eddsa);
        break;
    case PARAMS_pss:
        fits = pss_fits(rules, row, key, &mechanism->params.pss);
        break;
    }
    return fits ? CKR_OK : CKR_MECHANISM_PARAM_INVALID;
}

static uint32_t
items_key(const struct params_items *items, size_t place)
{
    for (uint32_t i = 0; i < items->count; i++) {
        if (items->item[i].type == CK_SP800_108_KEY_HANDLE && place-- == 0) {
            return items->item[i].key;
        }
    }
    return 0;
}

uint32_t
params_other_key(const struct mechanism *mechanism, size_t place)
{
    const struct params_hkdf *hkdf = &mechanism->params.hkdf;

    if (mechanism->shape == PARAMS_kbkdf) {
        return items_key(&mechanism->params.kbkdf.items, place);
    }
    if (mechanism->shape == PARAMS_feedback) {
        return items_key(&mechanism->params.feedback.items, place);
    }
    if (place > 0) {
        return 0;
    }
    if (mechanism->type == CKM_CONCATENATE_BASE_AND_KEY) {
        return mechanism->params.number.number;
    }
    return mechanism->shape == PARAMS_hkdf && hkdf->extract != 0 &&
                   hkdf->salt_type == CKF_HKDF_SALT_KEY
               ? hkdf->salt_key
               : 0;
}

size_t
params_tag_len(const struct mechanism *mechanism)
{
    const struct mechanism_row *row = mechanism_row(mechanism->type);

    switch (mechanism->shape) {
    case PARAMS_gcm:
        return mechanism->params.gcm.tag_bits / 8;
    case PARAMS_ccm:
        return mechanism->params.ccm.mac_len;
    case PARAMS_chacha_poly:
        return CHACHA_POLY_TAG_LEN;
    case PARAMS_tls_mac:
        return mechanism->params.tls_mac.len;
    case PARAMS_number:
        return row != NULL && row->out == OUT_mac ? mechanism->params.number.number : 0;
    default:
        return row != NULL && row->out == OUT_mac ? mechanism_mac_len(row) : 0;
    }
}

bool
params_wants_iv(struct rules rules, CK_FLAGS function, const struct mechanism *mechanism)
{
    const struct mechanism_row *row = mechanism_row(mechanism->type);

    if ((function & (CKF_ENCRYPT | CKF_WRAP)) == 0 || mechanism->shape != PARAMS_gcm) {
        return false;
    }
    if (row != NULL && row->out == OUT_sealed) {
        return mechanism->params.gcm.iv.len == 0;
    }
    return rules_switch_on(rules, SWITCH_generated_iv) && gcm_iv_is_blank(&mechanism->params.gcm);
}
