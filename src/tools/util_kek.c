/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_util: the wrapping key of -w, by which key material comes and goes. What passes
 * through the HSM is encrypted and decrypted there; where -wk names a file with the wrapping key's
 * value, that is done here.
 */
#include "tools/util.h"

#include "tools/file.h"
#include "tools/host.h"

const struct mechanism util_kek_mechanism = { .type = CKM_CLOUDHSM_AES_KEY_WRAP_PKCS5_PAD,
                                              .shape = PARAMS_wrap_iv };

static bool
list_flag(view list, CK_ATTRIBUTE_TYPE type)
{
    bool value = false;

    return attributes_bool(list, type, &value) && value;
}

CK_RV
util_kek_check(struct util *util, uint32_t handle)
{
    static const CK_ATTRIBUTE_TYPE types[] = { CKA_CLASS, CKA_KEY_TYPE, CKA_EXTRACTABLE,
                                               CKA_TRUSTED };
    uint64_t class = 0;
    uint64_t type = 0;
    struct writer list;
    CK_RV rv;

    writer_init(&list, UTIL_TEMPLATE_MAX);
    rv = util_get(util, handle, types, ARRAY_COUNT(types), &list);

    const view found = writer_view(&list);

    if (rv == CKR_OBJECT_HANDLE_INVALID) {
        rv = CKR_WRAPPING_KEY_HANDLE_INVALID;
    } else if (rv == CKR_OK && (!attributes_ulong(found, CKA_CLASS, &class) ||
                                !attributes_ulong(found, CKA_KEY_TYPE, &type) ||
                                class != CKO_SECRET_KEY || type != CKK_AES)) {
        rv = CKR_WRAPPING_KEY_TYPE_INCONSISTENT;
    } else if (rv == CKR_OK && !util->aws &&
               (!list_flag(found, CKA_EXTRACTABLE) || !list_flag(found, CKA_TRUSTED))) {
        printf("\n\tDid you set %s attribute with value 0 for this operation? Attribute should set "
               "for User KEK\n",
               list_flag(found, CKA_EXTRACTABLE) ? "TRUSTED" : "EXTRACTABLE");
        rv = CKR_KEY_NOT_WRAPPABLE;
    }
    writer_clear(&list);
    return rv;
}

static CK_RV
by_file(const char *path, bool wraps, view in, struct writer *out)
{
    struct secret *key = file_read(path, 32);
    CK_RV rv;

    if (key == NULL) {
        return CKR_WRAPPING_KEY_HANDLE_INVALID;
    }
    rv = wraps ? host_wrap(secret_view(key), in, out) : host_unwrap(secret_view(key), in, out);
    secret_free(key);
    return rv;
}

CK_RV
util_kek_wrap(struct util *util, const struct values *values, view plain, struct writer *ret_blob)
{
    const char *path = values_text(values, "-wk");

    return path != NULL ? by_file(path, true, plain, ret_blob)
                        : util_encrypt(util, &util_kek_mechanism, values_number(values, "-w", 0),
                                       plain, ret_blob);
}

CK_RV
util_kek_unwrap(struct util *util, const struct values *values, view blob,
                struct writer *ret_plain)
{
    const char *path = values_text(values, "-wk");

    return path != NULL ? by_file(path, false, blob, ret_plain)
                        : util_decrypt(util, &util_kek_mechanism, values_number(values, "-w", 0),
                                       blob, ret_plain);
}
