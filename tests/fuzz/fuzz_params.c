/* SPDX-License-Identifier: Apache-2.0
 *
 * Mechanism parameters. The first byte chooses: 0 reads the rest as the wire has it; n fills
 * the structure that mechanism n - 1 wants, with pointers into the rest, as an application
 * might. What reads is written with the same bytes; what is taken is written, reads back to
 * the same, and is judged the same on both sides.
 */
#include <string.h>

#include "fuzz/fuzz.h"
#include "wire/params.h"

static const CK_FLAGS functions[] = { CKF_ENCRYPT, CKF_DECRYPT, CKF_SIGN, CKF_VERIFY,
                                      CKF_DERIVE };

static CK_RV
judge(const struct mechanism *mechanism, size_t i)
{
    const struct mechanism_row *row = mechanism_row(mechanism->type);
    struct rules rules = { i % POLICY_COUNT, INTERFACE_P11, 0 };
    struct key_info key = { .bits = (uint32_t)(i * 67) };

    if (row == NULL) {
        return CKR_MECHANISM_INVALID;
    }
    (void)params_wants_iv(rules, functions[i % ARRAY_COUNT(functions)], mechanism);
    (void)params_tag_len(mechanism);
    for (size_t k = 0; k < PARAMS_ITEMS_MAX + 1; k++) {
        (void)params_other_key(mechanism, k);
    }
    return params_check(rules, row, functions[i % ARRAY_COUNT(functions)], i % 2 == 0 ? NULL : &key, mechanism);
}

static void
from_wire(view bytes)
{
    struct reader r = reader_of(bytes);
    struct mechanism mechanism;
    struct writer w;

    if (!mechanism_read(&r, &mechanism)) {
        HOLDS(r.left == bytes.len);
        return;
    }
    writer_init(&w, bytes.len);
    mechanism_write(&w, &mechanism);
    HOLDS(writer_ok(&w));
    HOLDS(view_equal(writer_view(&w), view_slice(bytes, 0, bytes.len - r.left)));
    for (size_t i = 0; i < 60; i++) {
        CK_RV rv = judge(&mechanism, i);

        HOLDS(rv == CKR_OK || rv == CKR_MECHANISM_PARAM_INVALID || rv == CKR_MECHANISM_INVALID ||
              rv == CKR_KEY_TYPE_INCONSISTENT);
    }
    writer_clear(&w);
}

/* The structure is the first bytes of the input; its pointers are turned into it, at the
 * start, and its lengths cut to what is there. */
static void
pointer_set(void *structure, size_t pointer_at, size_t len_at, view rest)
{
    const uint8_t *start = rest.data;
    CK_ULONG len;

    memcpy(&len, (uint8_t *)structure + len_at, sizeof len);
    len = size_min(len, rest.len);
    memcpy((uint8_t *)structure + pointer_at, &start, sizeof start);
    memcpy((uint8_t *)structure + len_at, &len, sizeof len);
}

/* What is taken is written, reads back to the same, and is judged the same. */
static void
taken_check(const struct mechanism *taken)
{
    struct mechanism read;
    struct writer w;

    writer_init(&w, 100000);
    mechanism_write(&w, taken);

    struct reader r = reader_of(writer_view(&w));

    HOLDS(writer_ok(&w));
    HOLDS(mechanism_read(&r, &read) && reader_done(&r));
    for (size_t i = 0; i < 60; i++) {
        HOLDS(judge(taken, i) == judge(&read, i));
    }
    writer_clear(&w);
}

/* Pieces of a PRF's input: type, how long the value is said to be, and what is there. */
static void
from_array(const struct mechanism_row *row, view bytes)
{
    static CK_PRF_DATA_PARAM pieces[PARAMS_ITEMS_MAX + 2];
    static uint8_t values[PARAMS_ITEMS_MAX + 2][24];
    CK_SP800_108_FEEDBACK_KDF_PARAMS feedback = { .prfType = CKM_SHA256_HMAC,
                                                  .pDataParams = pieces };
    CK_SP800_108_KDF_PARAMS kdf = { .prfType = CKM_SHA256_HMAC, .pDataParams = pieces };
    CK_CLOUDHSM_SP800_108_KDF_PARAMS vendor = { .prftype = CKM_SHA256_HMAC,
                                                .pDataParams = (void *)pieces };
    CK_MECHANISM mechanism = { row->type, &kdf, sizeof kdf };
    struct reader r = reader_of(bytes);
    struct mechanism taken;
    uint8_t layout = 0, type, len;
    CK_ULONG count = 0;
    view value;

    (void)read_u8(&r, &layout);
    while (count < ARRAY_COUNT(pieces) && read_u8(&r, &type) && read_u8(&r, &len) &&
           read_raw(&r, size_min(r.left, sizeof values[0]), &value)) {
        memset(values[count], 0, sizeof values[0]);
        memcpy(values[count], value.data == NULL ? (const uint8_t *)"" : value.data, value.len);
        pieces[count] = (CK_PRF_DATA_PARAM){ type & 15, (type & 0x80) != 0 ? NULL : values[count],
                                             len % (sizeof values[0] + 1) };
        count++;
    }
    feedback.ulNumberOfDataParams = kdf.ulNumberOfDataParams = vendor.ulNumberOfDataParams = count;
    if (row->params == PARAMS_feedback) {
        mechanism.pParameter = &feedback;
        mechanism.ulParameterLen = sizeof feedback;
    } else if ((layout & 1) != 0) {
        mechanism.pParameter = &vendor;
        mechanism.ulParameterLen = sizeof vendor;
    }
    if (params_take(row, &mechanism, &taken) == CKR_OK) {
        taken_check(&taken);
    }
}

/* The structure of OAEP inside another, or no pointer to it; its label is the rest of the input. */
static void
from_inner(const struct mechanism_row *row, view bytes)
{
    CK_RSA_PKCS_OAEP_PARAMS inner;
    CK_RSA_AES_KEY_WRAP_PARAMS outer;
    CK_MECHANISM mechanism = { row->type, &outer, sizeof outer };
    struct mechanism taken;

    if (bytes.len < sizeof inner + sizeof outer) {
        return;
    }
    memcpy(&outer, bytes.data, sizeof outer);
    memcpy(&inner, bytes.data + sizeof outer, sizeof inner);
    bytes = view_slice(bytes, sizeof outer + sizeof inner, bytes.len);
    pointer_set((uint8_t *)&inner, offsetof(CK_RSA_PKCS_OAEP_PARAMS, pSourceData),
                offsetof(CK_RSA_PKCS_OAEP_PARAMS, ulSourceDataLen), bytes);
    outer.pOAEPParams = outer.pOAEPParams == NULL ? NULL : &inner;
    if (params_take(row, &mechanism, &taken) == CKR_OK) {
        HOLDS(outer.pOAEPParams != NULL);
        taken_check(&taken);
    }
}

/* Structures with pointers: length, and where pointers and their lengths are. */
#define AT(type, pointer, length) { offsetof(type, pointer), offsetof(type, length) }
static const struct {
    enum params_shape shape;
    size_t len;
    size_t at[4][2];
} structures[] = {
    { PARAMS_ctr, sizeof(CK_AES_CTR_PARAMS), { { 0, 0 } } },
    { PARAMS_pss, sizeof(CK_RSA_PKCS_PSS_PARAMS), { { 0, 0 } } },
    { PARAMS_number, sizeof(CK_ULONG), { { 0, 0 } } },
    { PARAMS_gcm, sizeof(CK_GCM_PARAMS),
      { AT(CK_GCM_PARAMS, pIv, ulIvLen), AT(CK_GCM_PARAMS, pAAD, ulAADLen) } },
    { PARAMS_ccm, sizeof(CK_CCM_PARAMS),
      { AT(CK_CCM_PARAMS, pNonce, ulNonceLen), AT(CK_CCM_PARAMS, pAAD, ulAADLen) } },
    { PARAMS_eddsa, sizeof(CK_EDDSA_PARAMS),
      { AT(CK_EDDSA_PARAMS, pContextData, ulContextDataLen) } },
    { PARAMS_chacha20, sizeof(CK_CHACHA20_PARAMS),
      { AT(CK_CHACHA20_PARAMS, pBlockCounter, blockCounterBits),
        AT(CK_CHACHA20_PARAMS, pNonce, ulNonceBits) } },
    { PARAMS_chacha_poly, sizeof(CK_SALSA20_CHACHA20_POLY1305_PARAMS),
      { AT(CK_SALSA20_CHACHA20_POLY1305_PARAMS, pNonce, ulNonceLen),
        AT(CK_SALSA20_CHACHA20_POLY1305_PARAMS, pAAD, ulAADLen) } },
    { PARAMS_tls_mac, sizeof(CK_TLS_MAC_PARAMS), { { 0, 0 } } },
    { PARAMS_oaep, sizeof(CK_RSA_PKCS_OAEP_PARAMS),
      { AT(CK_RSA_PKCS_OAEP_PARAMS, pSourceData, ulSourceDataLen) } },
    { PARAMS_ecdh, sizeof(CK_ECDH1_DERIVE_PARAMS),
      { AT(CK_ECDH1_DERIVE_PARAMS, pSharedData, ulSharedDataLen),
        AT(CK_ECDH1_DERIVE_PARAMS, pPublicData, ulPublicDataLen) } },
    { PARAMS_ecdh_aes, sizeof(CK_ECDH_AES_KEY_WRAP_PARAMS),
      { AT(CK_ECDH_AES_KEY_WRAP_PARAMS, pSharedData, ulSharedDataLen) } },
    { PARAMS_hkdf, sizeof(CK_HKDF_PARAMS),
      { AT(CK_HKDF_PARAMS, pSalt, ulSaltLen), AT(CK_HKDF_PARAMS, pInfo, ulInfoLen) } },
    { PARAMS_pbkd2, sizeof(CK_PKCS5_PBKD2_PARAMS2),
      { AT(CK_PKCS5_PBKD2_PARAMS2, pSaltSourceData, ulSaltSourceDataLen),
        AT(CK_PKCS5_PBKD2_PARAMS2, pPrfData, ulPrfDataLen),
        AT(CK_PKCS5_PBKD2_PARAMS2, pPassword, ulPasswordLen) } },
    { PARAMS_data, sizeof(CK_KEY_DERIVATION_STRING_DATA),
      { AT(CK_KEY_DERIVATION_STRING_DATA, pData, ulLen) } },
    { PARAMS_cbc_data, sizeof(CK_AES_CBC_ENCRYPT_DATA_PARAMS),
      { AT(CK_AES_CBC_ENCRYPT_DATA_PARAMS, pData, length) } },
    { PARAMS_tls_master, sizeof(CK_TLS12_MASTER_KEY_DERIVE_PARAMS),
      { AT(CK_TLS12_MASTER_KEY_DERIVE_PARAMS, RandomInfo.pClientRandom,
           RandomInfo.ulClientRandomLen),
        AT(CK_TLS12_MASTER_KEY_DERIVE_PARAMS, RandomInfo.pServerRandom,
           RandomInfo.ulServerRandomLen) } },
    { PARAMS_tls_extended, sizeof(CK_TLS12_EXTENDED_MASTER_KEY_DERIVE_PARAMS),
      { AT(CK_TLS12_EXTENDED_MASTER_KEY_DERIVE_PARAMS, pSessionHash, ulSessionHashLen) } },
    { PARAMS_tls_keys, sizeof(CK_TLS12_KEY_MAT_PARAMS),
      { AT(CK_TLS12_KEY_MAT_PARAMS, RandomInfo.pClientRandom, RandomInfo.ulClientRandomLen),
        AT(CK_TLS12_KEY_MAT_PARAMS, RandomInfo.pServerRandom, RandomInfo.ulServerRandomLen) } },
    { PARAMS_tls_kdf, sizeof(CK_TLS_KDF_PARAMS),
      { AT(CK_TLS_KDF_PARAMS, pLabel, ulLabelLength),
        AT(CK_TLS_KDF_PARAMS, RandomInfo.pClientRandom, RandomInfo.ulClientRandomLen),
        AT(CK_TLS_KDF_PARAMS, RandomInfo.pServerRandom, RandomInfo.ulServerRandomLen),
        AT(CK_TLS_KDF_PARAMS, pContextData, ulContextDataLength) } },
};
#undef AT
#define STRUCTURE_MAX 128u

static void
from_application(const struct mechanism_row *row, view bytes)
{
    uint8_t structure[STRUCTURE_MAX];
    size_t len = size_min(bytes.len, sizeof structure);
    struct mechanism taken;

    if (row->params == PARAMS_kbkdf || row->params == PARAMS_feedback) {
        from_array(row, bytes);
        return;
    }
    if (row->params == PARAMS_rsa_aes) {
        from_inner(row, bytes);
        return;
    }
    for (size_t i = 0; i < ARRAY_COUNT(structures); i++) {
        if (structures[i].shape == row->params) {
            if (bytes.len < structures[i].len) {
                return; /* what lies behind would be wild pointers */
            }
            len = structures[i].len;
        }
    }
    if (len > 0) {
        memcpy(structure, bytes.data, len);
    }
    for (size_t i = 0; i < ARRAY_COUNT(structures); i++) {
        for (size_t k = 0; k < 4 && structures[i].shape == row->params; k++) {
            if (structures[i].at[k][0] != structures[i].at[k][1]) {
                pointer_set(structure, structures[i].at[k][0], structures[i].at[k][1],
                            view_slice(bytes, len, bytes.len));
            }
        }
    }

    CK_MECHANISM mechanism = { row->type, structure, len };

    if (params_take(row, &mechanism, &taken) == CKR_OK) {
        taken_check(&taken);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t count;
    const struct mechanism_row *rows = mechanism_rows(&count);

    if (size == 0 || data[0] > count) {
        return 0;
    }
    if (data[0] == 0) {
        from_wire(view_of(data + 1, size - 1));
    } else {
        from_application(&rows[data[0] - 1], view_of(data + 1, size - 1));
    }
    return 0;
}
