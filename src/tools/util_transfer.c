/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_util: keys in and out of files. What is secret crosses between this tool and the HSM
 * wrapped where the command wraps it here (-wk), and else as the plain text that the user asked
 * for, in the daemon's connection; nothing of it stays behind in this process.
 */
#include "tools/util.h"

#include "tools/fake.h"
#include "tools/file.h"
#include "tools/host.h"

#define BLOB_MAX FRAME_DATA_MAX

/* Wraps what is plain and has the HSM unwrap it; each step says how it went. */
static enum status
material_import(struct util *util, const struct values *values, view plain, view template,
                const char *done)
{
    struct writer blob;
    uint32_t handle = 0;
    enum status status;
    CK_RV rv;

    writer_init(&blob, BLOB_MAX);
    rv = util_kek_check(util, values_number(values, "-w", 0));
    if (rv == CKR_OK) {
        rv = util_kek_wrap(util, values, plain, &blob);
    }
    status = util_returned("Cfm3WrapHostKey", rv);
    if (rv == CKR_OK) {
        util_returned("Cfm3CreateUnwrapTemplate", CKR_OK);
        rv = util_unwrap(util, util_flags(values), &util_kek_mechanism,
                         values_number(values, "-w", 0), writer_view(&blob),
                         util_handle_next(util, values), template, &handle);
        rv = util_share(util, values, rv, handle);
        status = util_returned("Cfm3UnWrapKey", rv);
    }
    if (rv == CKR_OK) {
        util_made(values);
        printf("\n\t%s Unwrapped.  Key Handle: %u\n", done, (unsigned)handle);
    }
    util_cluster(util, rv);
    writer_clear(&blob);
    return status;
}

/* Wraps the key by the HSM and unwraps it. */
static CK_RV
material_export(struct util *util, const struct values *values, struct writer *plain)
{
    struct writer blob;
    CK_RV rv;

    writer_init(&blob, BLOB_MAX);
    rv = util_kek_check(util, values_number(values, "-w", 0));
    if (rv == CKR_OK) {
        rv = util_wrap(util, &util_kek_mechanism, values_number(values, "-w", 0),
                       values_number(values, "-k", 0), NULL, &blob);
    }
    util_returned("Cfm3WrapKey", rv);
    if (rv == CKR_OK) {
        rv = util_kek_unwrap(util, values, writer_view(&blob), plain);
        util_returned("Cfm3UnWrapHostKey", rv);
    }
    writer_clear(&blob);
    return rv;
}

static void
template_write(struct writer *w, const struct util *util, const struct values *values,
               CK_OBJECT_CLASS class, CK_KEY_TYPE type)
{
    util_common_write(w, values, util_usage(class, type));
    attribute_write_ulong(w, CKA_CLASS, class);
    attribute_write_ulong(w, CKA_KEY_TYPE, type);
    if (class != CKO_PUBLIC_KEY) {
        util_secret_write(w, util, values);
    }
}

/* ---- symmetric keys ---- */

enum status
util_import_symmetric(void *tool, const struct values *values)
{
    struct util *util = tool;
    const uint32_t type = values_number(values, "-t", 0);
    struct secret *file = NULL;
    struct writer template;
    enum status status = STATUS_MISUSED;

    writer_init(&template, UTIL_TEMPLATE_MAX);
    if (type != CKK_GENERIC_SECRET && type != CKK_RC4 && type != CKK_DES3 && type != CKK_AES) {
        fputs("imSymKey: -t is 16, 18, 21 or 31\n", stderr);
        goto out;
    }
    if ((file = file_read(values_text(values, "-f"), 4096)) == NULL) {
        goto out;
    }
    if (!util_id_is_free(util, values)) {
        status = STATUS_REFUSED;
        goto out;
    }
    template_write(&template, util, values, CKO_SECRET_KEY, type);
    status = material_import(util, values, secret_view(file), writer_view(&template),
                             "Symmetric Key");
out:
    secret_free(file);
    writer_clear(&template);
    return status;
}

enum status
util_export_symmetric(void *tool, const struct values *values)
{
    struct util *util = tool;
    const char *path = values_text(values, "-out");
    struct writer plain;
    bool done;

    writer_init(&plain, BLOB_MAX);
    done = material_export(util, values, &plain) == CKR_OK &&
           file_write(path, writer_view(&plain));
    if (done) {
        printf("\n\tWrapped Symmetric Key written to file \"%s\"\n", path);
    }
    writer_clear(&plain);
    return done ? STATUS_DONE : STATUS_REFUSED;
}

/* ---- masked objects ---- */

enum status
util_extract_masked(void *tool, const struct values *values)
{
    struct util *util = tool;
    const char *path = values_text(values, "-out");
    struct writer blob;
    bool written = true;
    CK_RV rv;

    writer_init(&blob, BLOB_MAX);
    rv = util_mask(util, values_number(values, "-o", 0), &blob);
    if (rv == CKR_OK && (written = file_write(path, writer_view(&blob)))) {
        printf("\n\tObject was masked and written to file \"%s\"\n", path);
    }

    enum status status = util_returned("Cfm3ExtractMaskedObject", rv);

    writer_clear(&blob);
    return written ? status : STATUS_REFUSED;
}

enum status
util_insert_masked(void *tool, const struct values *values)
{
    struct util *util = tool;
    struct secret *file = file_read(values_text(values, "-f"), BLOB_MAX);
    uint32_t handle = 0;
    CK_RV rv;

    if (file == NULL) {
        return STATUS_MISUSED;
    }
    rv = util_unmask(util, util_flags(values), secret_view(file), 0, true, &handle);
    secret_free(file);

    enum status status = util_returned("Cfm3InsertMaskedObject", rv);

    if (rv == CKR_OK) {
        printf("\n\tNew Key Handle: %u\n", (unsigned)handle);
    }
    util_cluster(util, rv);
    return status;
}

/* ---- private keys ---- */

/* The private key of a PEM file as PrivateKeyInfo; NULL with a line on stderr. */
static struct secret *
private_read(const char *path, CK_KEY_TYPE *ret_type)
{
    struct secret *file = file_read(path, HOST_KEY_MAX);
    struct secret *info = NULL;
    uint64_t handle = 0;

    if (file == NULL) {
        return NULL;
    }
    if (fake_read(secret_view(file), &handle) == FAKE_HANDLE) {
        fprintf(stderr, "%s: names key %llu of the HSM and holds none\n", path,
                (unsigned long long)handle);
    } else if ((info = host_private_read(secret_view(file), ret_type)) == NULL) {
        fprintf(stderr, "%s: no private key in PEM without a password\n", path);
    }
    secret_free(file);
    return info;
}

enum status
util_import_private(void *tool, const struct values *values)
{
    struct util *util = tool;
    CK_KEY_TYPE type = KEY_TYPE_NONE;
    struct secret *info = private_read(values_text(values, "-f"), &type);
    struct writer template;
    enum status status = STATUS_REFUSED;

    if (info == NULL) {
        return STATUS_MISUSED;
    }
    writer_init(&template, UTIL_TEMPLATE_MAX);
    printf("\n\tBER encoded key length is %zu\n", secret_view(info).len);
    if (util_id_is_free(util, values)) {
        template_write(&template, util, values, CKO_PRIVATE_KEY, type);
        status = material_import(util, values, secret_view(info), writer_view(&template),
                                 "Private Key");
    }
    secret_free(info);
    writer_clear(&template);
    return status;
}

enum status
util_export_private(void *tool, const struct values *values)
{
    struct util *util = tool;
    const char *path = values_text(values, "-out");
    struct writer info;
    struct writer pem;
    bool done;

    writer_init(&info, BLOB_MAX);
    writer_init(&pem, 2 * BLOB_MAX);
    done = material_export(util, values, &info) == CKR_OK &&
           host_private_write(writer_view(&info), &pem) &&
           file_write(path, writer_view(&pem));
    if (done) {
        printf("\n\tPEM formatted private key is written to %s\n", path);
    }
    writer_clear(&info);
    writer_clear(&pem);
    return done ? STATUS_DONE : STATUS_REFUSED;
}

/* ---- public keys ---- */

enum status
util_export_public(void *tool, const struct values *values)
{
    static const CK_ATTRIBUTE_TYPE types[] = { CKA_CLASS, CKA_PUBLIC_KEY_INFO };
    struct util *util = tool;
    const char *path = values_text(values, "-out");
    struct writer list;
    struct writer pem;
    uint64_t class = 0;
    view info = VIEW_EMPTY;
    bool done = false;
    CK_RV rv;

    writer_init(&list, UTIL_TEMPLATE_MAX);
    writer_init(&pem, 2 * BLOB_MAX);
    rv = util_get(util, values_number(values, "-k", 0), types, ARRAY_COUNT(types), &list);
    if (rv == CKR_OK &&
        (!attributes_ulong(writer_view(&list), CKA_CLASS, &class) || class != CKO_PUBLIC_KEY ||
         !attributes_find(writer_view(&list), CKA_PUBLIC_KEY_INFO, &info))) {
        rv = CKR_KEY_HANDLE_INVALID;
    }
    if (rv == CKR_OK) {
        done = host_public_write(info, &pem) && file_write(path, writer_view(&pem));
    }
    if (done) {
        printf("\n\tPEM formatted public key is written to %s\n", path);
    }

    enum status status = util_returned("Cfm3ExportPubKey", rv);

    writer_clear(&list);
    writer_clear(&pem);
    return rv == CKR_OK && !done ? STATUS_REFUSED : status;
}

/* The template of a PEM file's public key. False with a line on stderr. */
static bool
public_read(const struct values *values, struct writer *out)
{
    const char *path = values_text(values, "-f");
    struct secret *file = file_read(path, HOST_KEY_MAX);
    CK_KEY_TYPE type = KEY_TYPE_NONE;
    bool ok;

    if (file == NULL) {
        return false;
    }
    ok = host_public_read(secret_view(file), &type, out);
    if (ok) {
        util_common_write(out, values, util_usage(CKO_PUBLIC_KEY, type));
        attribute_write_ulong(out, CKA_CLASS, CKO_PUBLIC_KEY);
        attribute_write_ulong(out, CKA_KEY_TYPE, type);
    } else {
        fprintf(stderr, "%s: no public key in PEM of RSA or a named curve\n", path);
    }
    secret_free(file);
    return ok;
}

enum status
util_import_public(void *tool, const struct values *values)
{
    struct util *util = tool;
    struct writer template;
    enum status status = STATUS_MISUSED;
    uint32_t handle = 0;
    CK_RV rv;

    writer_init(&template, UTIL_TEMPLATE_MAX);
    if (!public_read(values, &template)) {
        goto out;
    }
    if (!util_id_is_free(util, values)) {
        status = STATUS_REFUSED;
        goto out;
    }
    rv = !writer_ok(&template) ? CKR_HOST_MEMORY
                               : util_create(util, util_flags(values),
                                             util_handle_next(util, values),
                                             writer_view(&template), &handle);
    status = util_returned("Cfm3CreatePublicKey", rv);
    if (rv == CKR_OK) {
        util_made(values);
        printf("\n\tPublic Key Handle: %u\n", (unsigned)handle);
    }
    util_cluster(util, rv);
out:
    writer_clear(&template);
    return status;
}
