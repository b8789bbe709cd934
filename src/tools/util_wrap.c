/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_util: wrapKey and unWrapKey, with a header that says what the key is, or as the
 * standards have it; and aesWrapUnwrap for files.
 */
#include "tools/util.h"

#include "tools/envelope.h"
#include "tools/file.h"

#include <string.h>
#include <sys/random.h>

#define BLOB_MAX FRAME_DATA_MAX
#define AAD_MAX 4096u
#define GCM_IV_LEN 12u

/* clang-format off */
static const struct wrap_row {
    uint32_t number;
    CK_MECHANISM_TYPE mechanism;
} wrap_rows[] = {
    {  4, CKM_CLOUDHSM_AES_KEY_WRAP_PKCS5_PAD },
    {  5, CKM_CLOUDHSM_AES_KEY_WRAP_NO_PAD    },
    {  6, CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD  },
    {  7, CKM_RSA_AES_KEY_WRAP                },
    {  8, CKM_RSA_PKCS_OAEP                   },
    { 10, CKM_AES_GCM                         },
    { 11, CKM_AES_GCM                         }, /* the IV stands before the blob */
    { 12, CKM_RSA_PKCS                        },
};
#define WRAP_IV_FIRST 11u

/* -t */
static const struct hash_choice {
    uint32_t number;
    CK_MECHANISM_TYPE hash;
} hash_choices[] = {
    { 2, CKM_SHA_1 }, { 3, CKM_SHA256 }, { 4, CKM_SHA384 }, { 5, CKM_SHA512 }, { 6, CKM_SHA224 },
};
/* clang-format on */

/* A mechanism and what its parameter borrows. */
struct way {
    struct mechanism mechanism;
    uint32_t number;
    uint8_t iv[16];
    size_t iv_len;
    struct secret *aad;
};

static void
way_clear(struct way *way)
{
    secret_free(way->aad);
    way->aad = NULL;
}

static CK_RV
oaep_fill(const struct values *values, struct params_oaep *oaep)
{
    const uint32_t number = values_number(values, "-t", 2);

    for (size_t i = 0; i < ARRAY_COUNT(hash_choices); i++) {
        if (hash_choices[i].number == number) {
            const CK_MECHANISM_TYPE hash = hash_choices[i].hash;

            *oaep = (struct params_oaep){
                .hash = (uint32_t)hash,
                .mgf = (uint32_t)hash_row(hash_by_mechanism(hash))->mgf,
                .source = CKZ_DATA_SPECIFIED,
            };
            return CKR_OK;
        }
    }
    return CKR_MECHANISM_PARAM_INVALID;
}

/* Twelve zeros ask the HSM for an IV; where it takes them for one, it is drawn here. */
static bool
gcm_iv_ask(const struct util *util, struct way *way)
{
    memset(way->iv, 0, GCM_IV_LEN);
    way->iv_len = GCM_IV_LEN;
    return util->policy != POLICY_STANDARD ||
           getrandom(way->iv, GCM_IV_LEN, 0) == (ssize_t)GCM_IV_LEN;
}

/* The command's -m and what belongs to it. False with a line on stderr. */
static bool
way_make(const struct util *util, const struct values *values, struct way *way)
{
    const char *iv = values_text(values, "-i");
    const char *aad = values_text(values, "-aad");
    const struct mechanism_row *rule = NULL;
    const char *wrong = NULL;

    *way = (struct way){ .number = values_number(values, "-m", 0) };
    for (size_t i = 0; i < ARRAY_COUNT(wrap_rows); i++) {
        if (wrap_rows[i].number == way->number) {
            rule = mechanism_row(wrap_rows[i].mechanism);
        }
    }
    if (rule == NULL) {
        fprintf(stderr, "%s: -m: 4, 5, 6, 7, 8, 10, 11 or 12\n", values->command->name);
        return false;
    }
    way->mechanism = (struct mechanism){ .type = (uint32_t)rule->type, .shape = rule->params };
    if (iv != NULL && (rule->params != PARAMS_wrap_iv ||
                       !values_given(values, "-noheader") || way->number == 4)) {
        wrong = "-i goes with -noheader and -m 5 or 6";
    } else if (iv != NULL && !hex_decode(strncmp(iv, "0x", 2) == 0 ? iv + 2 : iv, way->iv,
                                         sizeof way->iv, &way->iv_len)) {
        wrong = "-i is hexadecimal";
    } else if (values_given(values, "-aad") && rule->params != PARAMS_gcm) {
        wrong = "-aad goes with AES GCM: -m 10 or 11";
    } else if (aad != NULL && (way->aad = file_read(aad, AAD_MAX)) == NULL) {
        wrong = "-aad could not be read";
    } else if (rule->params == PARAMS_oaep &&
               oaep_fill(values, &way->mechanism.params.oaep) != CKR_OK) {
        wrong = "-t: 2 SHA-1, 3 SHA-256, 4 SHA-384, 5 SHA-512, 6 SHA-224";
    } else if (rule->params == PARAMS_rsa_aes &&
               oaep_fill(values, &way->mechanism.params.rsa_aes.oaep) != CKR_OK) {
        wrong = "-t: 2 SHA-1, 3 SHA-256, 4 SHA-384, 5 SHA-512, 6 SHA-224";
    } else if (rule->params == PARAMS_gcm && !gcm_iv_ask(util, way)) {
        wrong = "no random bytes";
    }
    if (wrong != NULL) {
        fprintf(stderr, "%s: %s\n", values->command->name, wrong);
        way_clear(way);
        return false;
    }
    if (rule->params == PARAMS_rsa_aes) {
        way->mechanism.params.rsa_aes.aes_bits = 256;
    } else if (rule->params == PARAMS_wrap_iv) {
        way->mechanism.params.wrap_iv.bytes = view_of(way->iv, way->iv_len);
    } else if (rule->params == PARAMS_gcm) {
        way->mechanism.params.gcm = (struct params_gcm){
            .iv = view_of(way->iv, way->iv_len),
            .aad = secret_view(way->aad),
            .tag_bits = 8 * values_number(values, "-tag_size", 16),
        };
    }
    return true;
}

static bool
is_gcm(const struct way *way)
{
    return way->mechanism.shape == PARAMS_gcm;
}

/* ---- wrap ---- */

/* What the envelope says of the key: what it has of envelope_types. */
static CK_RV
description_read(struct util *util, uint32_t key, struct writer *out)
{
    struct writer list;
    struct attribute attribute;
    struct reader r;
    CK_RV rv;

    writer_init(&list, UTIL_TEMPLATE_MAX);
    rv = util_get(util, key, envelope_types, envelope_type_count, &list);
    r = reader_of(writer_view(&list));
    while (rv == CKR_OK && attributes_next(&r, &attribute)) {
        if (attribute.status == ATTRIBUTE_PRESENT) {
            attribute_write(out, attribute.type, attribute.value);
        }
    }
    writer_clear(&list);
    return rv;
}

/* The file as it is to be written: with its header, or the blob by itself. */
static CK_RV
wrapped_make(struct util *util, const struct values *values, const struct way *way, view iv,
             view blob, struct writer *out)
{
    struct writer description;
    CK_RV rv = CKR_OK;

    writer_init(&description, UTIL_TEMPLATE_MAX);
    if (values_given(values, "-noheader")) {
        if (way->number >= WRAP_IV_FIRST && is_gcm(way)) {
            write_raw(out, iv);
        }
        write_raw(out, blob);
    } else {
        rv = description_read(util, values_number(values, "-k", 0), &description);

        const struct envelope envelope = { writer_view(&description), iv, blob };

        envelope_write(out, &envelope);
    }
    if (rv == CKR_OK && (!writer_ok(out) || !writer_ok(&description))) {
        rv = CKR_HOST_MEMORY;
    }
    writer_clear(&description);
    return rv;
}

enum status
util_wrap_key(void *tool, const struct values *values)
{
    struct util *util = tool;
    const char *path = values_text(values, "-out");
    const char *iv_path = values_text(values, "-iv_file");
    const bool iv_apart = values_given(values, "-noheader") && values_number(values, "-m", 0) == 10;
    struct writer iv;
    struct writer blob;
    struct writer file;
    struct way way;
    bool written = false;
    CK_RV rv;

    if (iv_apart && iv_path == NULL) {
        fputs("wrapKey: -m 10 -noheader wants -iv_file: the IV is needed to unwrap\n", stderr);
        return STATUS_MISUSED;
    }
    if (!way_make(util, values, &way)) {
        return STATUS_MISUSED;
    }
    writer_init(&iv, sizeof way.iv);
    writer_init(&blob, BLOB_MAX);
    writer_init(&file, 2 * BLOB_MAX);
    rv = util_wrap(util, &way.mechanism, values_number(values, "-w", 0),
                   values_number(values, "-k", 0), &iv, &blob);
    if (rv == CKR_OK && is_gcm(&way) && iv.len == 0) {
        write_raw(&iv, view_of(way.iv, way.iv_len)); /* it was drawn here */
    }
    if (rv == CKR_OK) {
        rv = wrapped_make(util, values, &way, writer_view(&iv), writer_view(&blob), &file);
    }
    written = rv == CKR_OK && (!iv_apart || file_write(iv_path, writer_view(&iv))) &&
              file_write(path, writer_view(&file));
    if (!util->aws) {
        util_returned("Cfm2WrapKey5", rv);
    }
    if (written) {
        printf("\n\tKey Wrapped.\n\n\tWrapped Key written to file \"%s%s length %zu\n", path,
               util->aws ? "" : "\"", file.len);
    }
    if (util->aws) {
        util_returned("Cfm2WrapKey", rv);
    }
    way_clear(&way);
    writer_clear(&iv);
    writer_clear(&blob);
    writer_clear(&file);
    return written ? STATUS_DONE : STATUS_REFUSED;
}

/* ---- unwrap ---- */

/* Where the blob and its IV are. False with a line on stderr. */
static bool
wrapped_read(const struct values *values, struct way *way, view file, struct envelope *envelope)
{
    const char *iv_path = values_text(values, "-iv_file");
    struct secret *iv = NULL;

    *envelope = (struct envelope){ .blob = file };
    if (!values_given(values, "-noheader")) {
        if (!envelope_read(file, envelope)) {
            fputs("unWrapKey: -f: has no header; -noheader, -kc and -kt say what it is\n", stderr);
            return false;
        }
    } else if (is_gcm(way) && way->number >= WRAP_IV_FIRST) {
        envelope->iv = view_slice(file, 0, GCM_IV_LEN);
        envelope->blob = view_slice(file, GCM_IV_LEN, file.len);
    } else if (is_gcm(way)) {
        iv = iv_path == NULL ? NULL : file_read(iv_path, GCM_IV_LEN);
        if (iv == NULL || secret_view(iv).len != GCM_IV_LEN) {
            fputs("unWrapKey: -iv_file: the 12 bytes that wrapKey wrote\n", stderr);
            secret_free(iv);
            return false;
        }
        memcpy(way->iv, secret_view(iv).data, GCM_IV_LEN);
        envelope->iv = view_of(way->iv, GCM_IV_LEN);
        secret_free(iv);
    }
    if (is_gcm(way)) {
        way->mechanism.params.gcm.iv = envelope->iv;
    }
    return true;
}

static void
number_add(struct writer *w, view list, CK_ATTRIBUTE_TYPE type)
{
    uint64_t value;

    if (attributes_ulong(list, type, &value)) {
        attribute_write_ulong(w, type, value);
    }
}

/* The options win over the header. */
static void
template_write(struct writer *w, const struct util *util, const struct values *values,
               view description)
{
    static const CK_ATTRIBUTE_TYPE none[] = { 0 };
    const bool bare = values_given(values, "-noheader");
    const CK_OBJECT_CLASS class = values_number(values, "-kc", CKO_SECRET_KEY);
    const CK_KEY_TYPE type = values_number(values, "-kt", 0);
    struct reader r = reader_of(description);
    struct attribute attribute;
    bool trusted = false;
    view there;

    util_common_write(w, values, bare ? util_usage(class, type) : none);
    (void)attributes_bool(description, CKA_WRAP_WITH_TRUSTED, &trusted);
    attribute_write_bool(w, CKA_SENSITIVE, true);
    attribute_write_bool(w, CKA_EXTRACTABLE, !values_given(values, "-nex"));
    attribute_write_bool(w, CKA_WRAP_WITH_TRUSTED,
                         values_number(values, "-wrap_with_trusted",
                                       bare ? util->config.wrap_with_trusted : trusted) != 0);
    if (bare) {
        attribute_write_ulong(w, CKA_CLASS, class);
        attribute_write_ulong(w, CKA_KEY_TYPE, type);
        return;
    }
    number_add(w, description, CKA_CLASS);
    number_add(w, description, CKA_KEY_TYPE);
    while (attributes_next(&r, &attribute)) {
        if (!attributes_find(writer_view(w), attribute.type, &there)) {
            attribute_write(w, attribute.type, attribute.value);
        }
    }
}

static bool
options_fit(const struct values *values)
{
    const bool bare = values_given(values, "-noheader");

    if (bare && (!values_given(values, "-l") || !values_given(values, "-kc") ||
                 !values_given(values, "-kt"))) {
        fputs("unWrapKey: -noheader wants -l, -kc and -kt\n", stderr);
        return false;
    }
    if (!bare && (values_given(values, "-kc") || values_given(values, "-kt"))) {
        fputs("unWrapKey: -kc and -kt go with -noheader\n", stderr);
        return false;
    }
    return true;
}

enum status
util_unwrap_key(void *tool, const struct values *values)
{
    struct util *util = tool;
    struct secret *file = NULL;
    struct envelope envelope;
    struct writer template;
    struct way way;
    uint32_t handle = 0;
    enum status status = STATUS_MISUSED;
    CK_RV rv;

    if (!options_fit(values) || !way_make(util, values, &way)) {
        return STATUS_MISUSED;
    }
    writer_init(&template, UTIL_TEMPLATE_MAX);
    if ((file = file_read(values_text(values, "-f"), 2 * BLOB_MAX)) == NULL ||
        !wrapped_read(values, &way, secret_view(file), &envelope)) {
        goto out;
    }
    if (!util_id_is_free(util, values)) {
        status = STATUS_REFUSED;
        goto out;
    }
    template_write(&template, util, values, envelope.attributes);
    rv = !writer_ok(&template) ? CKR_HOST_MEMORY
                               : util_unwrap(util, util_flags(values), &way.mechanism,
                                             values_number(values, "-w", 0), envelope.blob,
                                             util_handle_next(util, values),
                                             writer_view(&template), &handle);
    rv = util_share(util, values, rv, handle);
    util_returned("Cfm3CreateUnwrapTemplate2", CKR_OK);
    status = util_returned(values_given(values, "-noheader") ? "Cfm2UnWrapWithTemplate3"
                                                             : "Cfm3UnWrapKey",
                           rv);
    if (rv == CKR_OK) {
        util_made(values);
        printf("\n\tKey Unwrapped.  Key Handle: %u\n", (unsigned)handle);
    }
    util_cluster(util, rv);
out:
    secret_free(file);
    way_clear(&way);
    writer_clear(&template);
    return status;
}

/* ---- files ---- */

static void
rows_print(view data)
{
    printf("\n\tresult data:");
    for (size_t i = 0; i < data.len; i++) {
        printf("%s%02X", i % 8 == 0 ? "\n\t" : " ", (unsigned)data.data[i]);
    }
    putchar('\n');
}

enum status
util_aes_wrap_unwrap(void *tool, const struct values *values)
{
    struct util *util = tool;
    const bool wraps = values_number(values, "-m", 0) == 1;
    const char *iv = values_text(values, "-i");
    const char *path = values_text(values, "-out");
    struct mechanism mechanism = util_kek_mechanism;
    struct secret *file;
    struct writer out;
    uint8_t iv_bytes[8];
    size_t iv_len = 0;
    bool written = true;
    CK_RV rv;

    if (iv == NULL) {
        printf("\n\tWarning: IV is missing.\n\t\t Default IV 0xA6A6A6A6A6A6A6A6 is used\n");
    } else if (!hex_decode(strncmp(iv, "0x", 2) == 0 ? iv + 2 : iv, iv_bytes, sizeof iv_bytes,
                           &iv_len)) {
        fputs("aesWrapUnwrap: -i is hexadecimal of 8 bytes\n", stderr);
        return STATUS_MISUSED;
    }
    mechanism.params.wrap_iv.bytes = view_of(iv_bytes, iv_len);
    if ((file = file_read(values_text(values, "-f"), 4096)) == NULL) {
        return STATUS_MISUSED;
    }
    writer_init(&out, BLOB_MAX);
    rv = (wraps ? util_encrypt : util_decrypt)(util, &mechanism, values_number(values, "-w", 0),
                                               secret_view(file), &out);
    if (rv == CKR_OK) {
        rows_print(writer_view(&out));
        if (path != NULL && (written = file_write(path, writer_view(&out)))) {
            printf("\n\tresult written to file %s\n", path);
        }
    }

    enum status status = util_returned(wraps ? "Cfm3WrapHostKey" : "Cfm3UnWrapHostKey", rv);

    secret_free(file);
    writer_clear(&out);
    return written ? status : STATUS_REFUSED;
}
