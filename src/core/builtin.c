/* SPDX-License-Identifier: Apache-2.0
 *
 * Handles: the profile's number, or the place of the mechanism's row, so that all nodes of a
 * release have the same.
 */
#include "core/builtin.h"

#define HANDLE_PROFILE_FIRST 0x100u
#define HANDLE_MECHANISM_FIRST 0x1000u
#define HANDLE_BUILTIN_LAST 0x3ffffu
#define BUILTIN_BYTES_MAX 1024u

/* PKCS #11 Profiles v3.1, 4: what providers of these have to do, this token does. */
static const CK_PROFILE_ID profiles[] = { CKP_BASELINE_PROVIDER, CKP_EXTENDED_PROVIDER };

bool
handle_is_builtin(uint32_t handle)
{
    return handle <= HANDLE_BUILTIN_LAST;
}

bool
builtin_is_sought(view template)
{
    uint64_t class;

    return attributes_ulong(template, CKA_CLASS, &class) &&
           (class == CKO_PROFILE || class == CKO_MECHANISM);
}

/* One attribute beside those that all have. */
static CK_RV
builtin_put(const struct sealer *sealer, struct table *table, enum object_kind kind,
            uint32_t handle, CK_ATTRIBUTE_TYPE type, uint64_t value)
{
    static const CK_ATTRIBUTE_TYPE no[] = { CKA_PRIVATE, CKA_MODIFIABLE, CKA_COPYABLE,
                                            CKA_DESTROYABLE };
    struct object_parts parts = { .handle = handle, .kind = kind };
    struct object *object = NULL;
    struct writer w;
    CK_RV rv;

    writer_init(&w, BUILTIN_BYTES_MAX);
    attribute_write_ulong(&w, CKA_CLASS, kind_class(kind));
    attribute_write_bool(&w, CKA_TOKEN, true);
    for (size_t i = 0; i < ARRAY_COUNT(no); i++) {
        attribute_write_bool(&w, no[i], false);
    }
    attribute_write(&w, CKA_LABEL, VIEW_EMPTY);
    attribute_write_ulong(&w, type, value);
    parts.attributes = writer_view(&w);
    rv = writer_ok(&w) ? object_new(sealer, &parts, &object) : CKR_HOST_MEMORY;
    if (rv == CKR_OK && !table_put(table, object)) {
        rv = CKR_HOST_MEMORY;
    }
    object_unref(object);
    writer_clear(&w);
    return rv;
}

CK_RV
builtin_fill(const struct sealer *sealer, struct rules rules, struct table *table)
{
    size_t count;
    const struct mechanism_row *rows = mechanism_rows(&count);
    CK_RV rv = CKR_OK;

    for (size_t i = 0; i < ARRAY_COUNT(profiles) && rv == CKR_OK; i++) {
        rv = builtin_put(sealer, table, KIND_PROFILE, HANDLE_PROFILE_FIRST + (uint32_t)profiles[i],
                         CKA_PROFILE_ID, profiles[i]);
    }
    for (size_t i = 0; i < count && rv == CKR_OK; i++) {
        if (mechanism_limit(rules, &rows[i])->functions != 0) {
            rv = builtin_put(sealer, table, KIND_MECHANISM, HANDLE_MECHANISM_FIRST + (uint32_t)i,
                             CKA_MECHANISM_TYPE, rows[i].type);
        }
    }
    return rv;
}
