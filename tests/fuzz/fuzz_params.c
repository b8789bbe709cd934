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
    struct rules rules = { i % POLICY_COUNT, INTERFACE_P11 };
    struct key_info key = { .bits = (uint32_t)(i * 67) };

    if (row == NULL) {
        return CKR_MECHANISM_INVALID;
    }
    (void)params_wants_iv(rules, functions[i % ARRAY_COUNT(functions)], mechanism);
    (void)params_tag_len(mechanism);
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

        HOLDS(rv == CKR_OK || rv == CKR_MECHANISM_PARAM_INVALID || rv == CKR_MECHANISM_INVALID);
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

static void
from_application(const struct mechanism_row *row, view bytes)
{
    uint8_t structure[sizeof(CK_GCM_PARAMS)];
    size_t len = size_min(bytes.len, sizeof structure);
    struct mechanism taken, read;
    struct writer w;

    if (len > 0) {
        memcpy(structure, bytes.data, len);
    }
    view rest = view_slice(bytes, len, bytes.len);

    if (row->params == PARAMS_gcm && len == sizeof(CK_GCM_PARAMS)) {
        pointer_set(structure, offsetof(CK_GCM_PARAMS, pIv), offsetof(CK_GCM_PARAMS, ulIvLen),
                    rest);
        pointer_set(structure, offsetof(CK_GCM_PARAMS, pAAD), offsetof(CK_GCM_PARAMS, ulAADLen),
                    rest);
    } else if (row->params == PARAMS_oaep && len >= sizeof(CK_RSA_PKCS_OAEP_PARAMS)) {
        len = sizeof(CK_RSA_PKCS_OAEP_PARAMS);
        pointer_set(structure, offsetof(CK_RSA_PKCS_OAEP_PARAMS, pSourceData),
                    offsetof(CK_RSA_PKCS_OAEP_PARAMS, ulSourceDataLen), rest);
    } else if (row->params == PARAMS_ecdh && len >= sizeof(CK_ECDH1_DERIVE_PARAMS)) {
        len = sizeof(CK_ECDH1_DERIVE_PARAMS);
        pointer_set(structure, offsetof(CK_ECDH1_DERIVE_PARAMS, pSharedData),
                    offsetof(CK_ECDH1_DERIVE_PARAMS, ulSharedDataLen), rest);
        pointer_set(structure, offsetof(CK_ECDH1_DERIVE_PARAMS, pPublicData),
                    offsetof(CK_ECDH1_DERIVE_PARAMS, ulPublicDataLen), rest);
    } else if (row->params == PARAMS_gcm) {
        return; /* the other layout would read wild pointers */
    } else if (row->params == PARAMS_ctr || row->params == PARAMS_pss) {
        len = size_min(len, sizeof(CK_AES_CTR_PARAMS)); /* both have this length */
    }

    CK_MECHANISM mechanism = { row->type, structure, len };

    if (params_take(row, &mechanism, &taken) != CKR_OK) {
        return;
    }
    writer_init(&w, 100000);
    mechanism_write(&w, &taken);

    struct reader r = reader_of(writer_view(&w));

    HOLDS(writer_ok(&w));
    HOLDS(mechanism_read(&r, &read) && reader_done(&r));
    for (size_t i = 0; i < 60; i++) {
        HOLDS(judge(&taken, i) == judge(&read, i));
    }
    writer_clear(&w);
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
