/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_util: files that name a private key of the HSM and look like one.
 */
#include "tools/util.h"

#include "tools/fake.h"
#include "tools/file.h"

#define PEM_MAX 65536u

/* The public part of a private key. */
static CK_RV
info_get(struct util *util, uint32_t key, struct writer *list, view *ret_info)
{
    static const CK_ATTRIBUTE_TYPE types[] = { CKA_CLASS, CKA_PUBLIC_KEY_INFO };
    uint64_t class = 0;
    CK_RV rv = util_get(util, key, types, ARRAY_COUNT(types), list);

    if (rv == CKR_OK &&
        (!attributes_ulong(writer_view(list), CKA_CLASS, &class) || class != CKO_PRIVATE_KEY ||
         !attributes_find(writer_view(list), CKA_PUBLIC_KEY_INFO, ret_info))) {
        rv = CKR_KEY_HANDLE_INVALID;
    }
    return rv;
}

enum status
util_fake_key(void *tool, const struct values *values)
{
    struct util *util = tool;
    const uint32_t key = values_number(values, "-k", 0);
    const char *path = values_text(values, "-out");
    view info = VIEW_EMPTY;
    struct writer list;
    struct writer pem;
    bool written = true;
    CK_RV rv;

    writer_init(&list, UTIL_TEMPLATE_MAX);
    writer_init(&pem, PEM_MAX);
    rv = info_get(util, key, &list, &info);
    if (rv == CKR_OK && !fake_write(info, key, &pem)) {
        rv = CKR_KEY_TYPE_INCONSISTENT;
    }
    if (rv == CKR_OK) {
        written = file_write(path, writer_view(&pem));
    }
    if (rv == CKR_OK && written) {
        if (!util->aws) {
            printf("\n\tPrivate key handle: %u == 0x%x\n", (unsigned)key, (unsigned)key);
        }
        printf("\n\tPrivate Key Handle is written to %s in fake PEM format\n", path);
    }

    enum status status = util_returned("getCaviumPrivKey", rv);

    writer_clear(&list);
    writer_clear(&pem);
    return written ? status : STATUS_REFUSED;
}

enum status
util_check_fake(void *tool, const struct values *values)
{
    struct util *util = tool;
    struct secret *file = file_read(values_text(values, "-f"), PEM_MAX);
    enum status status = STATUS_REFUSED;
    uint64_t handle = 0;
    struct writer list;
    view info;

    if (file == NULL) {
        return STATUS_MISUSED;
    }
    writer_init(&list, UTIL_TEMPLATE_MAX);
    switch (fake_read(secret_view(file), &handle)) {
    case FAKE_UNREADABLE:
        printf("\n\tInput file has no private key in PEM format\n");
        break;
    case FAKE_REAL:
        printf("\n\tInput key file has real private key\n");
        status = STATUS_DONE;
        break;
    case FAKE_HANDLE:
        if (handle <= UINT32_MAX &&
            info_get(util, (uint32_t)handle, &list, &info) == CKR_OK) {
            printf("\n\tInput file has valid key handle: %llu\n", (unsigned long long)handle);
            status = STATUS_DONE;
        } else {
            printf("\n\tInput file has invalid key handle: %llu\n", (unsigned long long)handle);
        }
        break;
    }
    secret_free(file);
    writer_clear(&list);
    return status;
}
