/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_util: signatures of files. Those of elliptic curves are written as DER, which other
 * programs read, and read as that or as the two numbers one after the other.
 */
#include "tools/util.h"

#include "tools/file.h"
#include "tools/host.h"

#define MESSAGE_MAX (64u * 1024u * 1024u)
#define SIGNATURE_MAX 2048u

/* clang-format off */
/*    -m  mechanism                 digest of PSS, CKM_VENDOR_DEFINED where it is no PSS */
#define NO_PSS CKM_VENDOR_DEFINED
static const struct signing_row {
    uint32_t number;
    CK_MECHANISM_TYPE mechanism;
    CK_MECHANISM_TYPE pss;
} rows[] = {
    {  0, CKM_SHA1_RSA_PKCS,       NO_PSS     },
    {  1, CKM_SHA256_RSA_PKCS,     NO_PSS     },
    {  2, CKM_SHA384_RSA_PKCS,     NO_PSS     },
    {  3, CKM_SHA512_RSA_PKCS,     NO_PSS     },
    {  4, CKM_SHA224_RSA_PKCS,     NO_PSS     },
    {  5, CKM_SHA1_RSA_PKCS_PSS,   CKM_SHA_1  },
    {  6, CKM_SHA256_RSA_PKCS_PSS, CKM_SHA256 },
    {  7, CKM_SHA384_RSA_PKCS_PSS, CKM_SHA384 },
    {  8, CKM_SHA512_RSA_PKCS_PSS, CKM_SHA512 },
    {  9, CKM_SHA224_RSA_PKCS_PSS, CKM_SHA224 },
    { 15, CKM_ECDSA_SHA1,          NO_PSS     },
    { 16, CKM_ECDSA_SHA224,        NO_PSS     },
    { 17, CKM_ECDSA_SHA256,        NO_PSS     },
    { 18, CKM_ECDSA_SHA384,        NO_PSS     },
    { 19, CKM_ECDSA_SHA512,        NO_PSS     },
    { 20, CKM_EDDSA,               NO_PSS     }, /* ours: the original's number is not known */
};
/* clang-format on */

/* False with a line on stderr. */
static bool
mechanism_make(const struct values *values, struct mechanism *ret_mechanism)
{
    const uint32_t number = values_number(values, "-m", 0);

    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        const struct signing_row *row = &rows[i];
        const struct mechanism_row *rule = mechanism_row(row->mechanism);

        if (row->number != number || rule == NULL) {
            continue;
        }
        *ret_mechanism = (struct mechanism){ .type = (uint32_t)row->mechanism,
                                             .shape = rule->params };
        if (row->pss != NO_PSS) {
            const struct hash_row *hash = hash_row(hash_by_mechanism(row->pss));

            ret_mechanism->params.pss = (struct params_pss){
                (uint32_t)row->pss, (uint32_t)hash->mgf, (uint32_t)hash->length
            };
        }
        return true;
    }
    fprintf(stderr, "%s: -m: 0 to 9, 15 to 19 or 20\n", values->command->name);
    return false;
}

/* ---- two numbers and DER ---- */

static bool
is_ecdsa(const struct mechanism *mechanism)
{
    const struct mechanism_row *row = mechanism_row(mechanism->type);

    return row != NULL && row->out == OUT_curve;
}

/* Bytes of each number of its signatures. */
static CK_RV
half_find(struct util *util, uint32_t key, size_t *ret_half)
{
    const CK_ATTRIBUTE_TYPE type = CKA_EC_PARAMS;
    const struct curve_row *curve = NULL;
    struct writer list;
    view params;
    CK_RV rv;

    writer_init(&list, UTIL_TEMPLATE_MAX);
    rv = util_get(util, key, &type, 1, &list);
    if (rv == CKR_OK && attributes_find(writer_view(&list), CKA_EC_PARAMS, &params)) {
        curve = curve_by_params(params);
    }
    *ret_half = curve != NULL ? curve_len(curve) : 0;
    writer_clear(&list);
    return rv;
}

/* ---- commands ---- */

enum status
util_sign_file(void *tool, const struct values *values)
{
    struct util *util = tool;
    const char *path = values_text(values, "-out");
    struct secret *message = NULL;
    struct mechanism mechanism;
    struct writer signature;
    bool written = true;
    CK_RV rv;

    if (!mechanism_make(values, &mechanism) ||
        (message = file_read(values_text(values, "-f"), MESSAGE_MAX)) == NULL) {
        return STATUS_MISUSED;
    }
    writer_init(&signature, SIGNATURE_MAX);
    rv = util_sign(util, &mechanism, values_number(values, "-k", 0), secret_view(message),
                   &signature);
    if (rv == CKR_OK && is_ecdsa(&mechanism) && !host_signature_to_der(&signature)) {
        rv = CKR_HOST_MEMORY;
    }
    if (rv == CKR_OK) {
        written = file_write(path, writer_view(&signature));
    }

    enum status status = util_returned("Cfm3Sign", rv);

    if (rv == CKR_OK && written) {
        printf("\n\tsignature is written to file %s\n", path);
    }
    util_cluster(util, rv);
    secret_free(message);
    writer_clear(&signature);
    return written ? status : STATUS_REFUSED;
}

enum status
util_verify_file(void *tool, const struct values *values)
{
    struct util *util = tool;
    const uint32_t key = values_number(values, "-k", 0);
    struct secret *message = NULL;
    struct secret *given = NULL;
    struct mechanism mechanism;
    struct writer signature;
    enum status status = STATUS_MISUSED;
    CK_RV rv = CKR_OK;
    size_t half = 0;

    writer_init(&signature, SIGNATURE_MAX);
    if (!mechanism_make(values, &mechanism) ||
        (message = file_read(values_text(values, "-f"), MESSAGE_MAX)) == NULL ||
        (given = file_read(values_text(values, "-s"), SIGNATURE_MAX)) == NULL) {
        goto out;
    }
    if (is_ecdsa(&mechanism)) {
        rv = half_find(util, key, &half);
        host_signature_from_der(secret_view(given), half, &signature);
    } else {
        write_raw(&signature, secret_view(given));
    }
    if (rv == CKR_OK) {
        rv = util_verify(util, &mechanism, key, secret_view(message), writer_view(&signature));
    }
    if (rv == CKR_OK) {
        printf("\n\tSignature verification successful\n");
    }
    /* Of a wrong length it is as wrong as of a wrong value. */
    rv = rv == CKR_SIGNATURE_LEN_RANGE ? CKR_SIGNATURE_INVALID : rv;
    status = util_returned("Cfm3Verify", rv);
    util_cluster(util, rv);
out:
    secret_free(message);
    secret_free(given);
    writer_clear(&signature);
    return status;
}
