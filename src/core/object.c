/* SPDX-License-Identifier: Apache-2.0
 *
 * Objects and their records. Part 0 of a record is the head, part 1 the secrets; both are
 * sealed under the record's name, which for session objects is that of a boot-time sealer.
 */
#include "core/object.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>

#define PART_HEAD 0u
#define PART_SECRETS 1u

struct object *
object_ref(struct object *object)
{
    atomic_fetch_add_explicit(&object->refs, 1, memory_order_relaxed);
    return object;
}

void
object_unref(struct object *object)
{
    if (object == NULL ||
        atomic_fetch_sub_explicit(&object->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    algo_key_free(atomic_load(&object->key));
    free(object->shares);
    if (object->attributes != NULL) {
        wipe(object->attributes, object->attributes_len);
    }
    free(object->attributes);
    free(object->sealed);
    free(object);
}

view
object_attributes(const struct object *object)
{
    return view_of(object->attributes, object->attributes_len);
}

bool
object_is_token(const struct object *object)
{
    return (object->info.flags & KEY_FLAG_TOKEN) != 0;
}

bool
object_allows(const struct object *object, CK_MECHANISM_TYPE type)
{
    view list;

    if ((object->info.flags & KEY_FLAG_ALLOWED_MECHANISMS) == 0 ||
        !attributes_find(object_attributes(object), CKA_ALLOWED_MECHANISMS, &list)) {
        return true;
    }
    for (size_t at = 0; at + 8 <= list.len; at += 8) {
        if (load_u64(list.data + at) == type) {
            return true;
        }
    }
    return false;
}

bool
object_is_private(const struct object *object)
{
    return (object->info.flags & KEY_FLAG_PRIVATE) != 0;
}

static bool
bytes_dup(view bytes, uint8_t **ret_data, size_t *ret_len)
{
    *ret_data = malloc(bytes.len == 0 ? 1 : bytes.len);
    if (*ret_data == NULL) {
        return false;
    }
    if (bytes.len > 0) {
        memcpy(*ret_data, bytes.data, bytes.len);
    }
    *ret_len = bytes.len;
    return true;
}

/* All but the secrets. */
static struct object *
object_shell(const struct object_parts *parts)
{
    struct object *object = calloc(1, sizeof *object);

    if (object == NULL) {
        return NULL;
    }
    atomic_init(&object->refs, 1);
    atomic_init(&object->key, NULL);
    object->handle = parts->handle;
    object->kind = parts->kind;
    object->owner = parts->owner;
    object->session = parts->session;
    object->version = parts->version;
    object->info = key_info_of(parts->attributes, parts->handle);
    if (parts->share_count > 0) {
        object->shares = calloc(parts->share_count, sizeof *object->shares);
        if (object->shares == NULL) {
            goto fail;
        }
        memcpy(object->shares, parts->shares, parts->share_count * sizeof *object->shares);
        object->share_count = parts->share_count;
    }
    if (!bytes_dup(parts->attributes, &object->attributes, &object->attributes_len)) {
        goto fail;
    }
    return object;
fail:
    object_unref(object);
    return NULL;
}

CK_RV
object_new(const struct sealer *sealer, const struct object_parts *parts,
           struct object **ret_object)
{
    struct object *object = object_shell(parts);
    struct writer sealed;
    CK_RV rv = CKR_OK;

    if (object == NULL) {
        return CKR_HOST_MEMORY;
    }
    writer_init(&sealed, ATTRIBUTES_BYTES_MAX + RECORD_OVERHEAD);
    if (parts->secrets.len > 0) {
        struct record_name name = record_name('o', parts->handle);

        rv = record_seal(sealer, record_name_view(&name), PART_SECRETS, parts->version,
                         parts->secrets, &sealed);
        if (rv == CKR_OK &&
            !bytes_dup(writer_view(&sealed), &object->sealed, &object->sealed_len)) {
            rv = CKR_HOST_MEMORY;
        }
    }
    writer_clear(&sealed);
    if (rv != CKR_OK) {
        object_unref(object);
        return rv;
    }
    *ret_object = object;
    return CKR_OK;
}

CK_RV
object_record(const struct sealer *sealer, const struct object *object, struct writer *out)
{
    struct record_name name = record_name('o', object->handle);
    struct writer head;
    size_t start = out->len;
    CK_RV rv;

    writer_init(&head, ATTRIBUTES_BYTES_MAX + 4096);
    write_u8(&head, (uint8_t)object->kind);
    write_u32(&head, object->owner);
    write_u32(&head, (uint32_t)object->share_count);
    for (size_t i = 0; i < object->share_count; i++) {
        write_u32(&head, object->shares[i]);
    }
    write_bytes(&head, object_attributes(object));
    write_u32(out, 0);
    if (!writer_ok(&head) || !writer_ok(out)) {
        rv = CKR_HOST_MEMORY;
        goto out;
    }
    rv = record_seal(sealer, record_name_view(&name), PART_HEAD, object->version,
                     writer_view(&head), out);
    if (rv != CKR_OK) {
        goto out;
    }
    writer_patch_u32(out, start, (uint32_t)(out->len - start - 4));
    write_raw(out, view_of(object->sealed, object->sealed_len));
    rv = writer_ok(out) ? CKR_OK : CKR_HOST_MEMORY;
out:
    writer_clear(&head);
    return rv;
}

static bool
head_read(view head, struct object_parts *parts, uint32_t shares[OBJECT_SHARES_MAX])
{
    struct reader r = reader_of(head);
    uint8_t kind;
    uint32_t count;

    if (!read_u8(&r, &kind) || kind >= KIND_COUNT || !read_u32(&r, &parts->owner) ||
        !read_u32(&r, &count) || count > OBJECT_SHARES_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!read_u32(&r, &shares[i])) {
            return false;
        }
    }
    parts->kind = (enum object_kind)kind;
    parts->shares = shares;
    parts->share_count = count;
    return read_bytes(&r, ATTRIBUTES_BYTES_MAX, &parts->attributes) && reader_done(&r) &&
           attributes_valid(parts->attributes);
}

bool
object_kind_fits(const struct object *object)
{
    enum object_kind kind;

    if (!kind_is_key(object->kind)) {
        return object->info.key_type == UINT32_MAX;
    }
    return kind_of(object->info.class, object->info.key_type, &kind) && kind == object->kind;
}

CK_RV
object_from_record(const struct sealer *sealer, uint32_t handle, view record, uint64_t revision,
                   struct object **ret_object)
{
    struct record_name name = record_name('o', handle);
    struct reader r = reader_of(record);
    struct object_parts parts = { .handle = handle };
    uint32_t shares[OBJECT_SHARES_MAX];
    struct object *object = NULL;
    struct writer head;
    view sealed_head;
    CK_RV rv;

    writer_init(&head, ATTRIBUTES_BYTES_MAX + 4096);
    if (!read_bytes(&r, STORE_VALUE_MAX, &sealed_head)) {
        rv = CKR_GENERAL_ERROR;
        goto out;
    }
    rv = record_open(sealer, record_name_view(&name), PART_HEAD, sealed_head, &parts.version,
                     &head);
    if (rv != CKR_OK) {
        goto out;
    }
    if (!head_read(writer_view(&head), &parts, shares)) {
        rv = CKR_GENERAL_ERROR;
        goto out;
    }
    object = object_shell(&parts);
    if (object == NULL || (r.left > 0 && !bytes_dup(view_of(r.next, r.left), &object->sealed,
                                                    &object->sealed_len))) {
        rv = CKR_HOST_MEMORY;
        goto out;
    }
    if (!object_kind_fits(object)) {
        rv = CKR_GENERAL_ERROR;
        goto out;
    }
    object->revision = revision;
    *ret_object = object;
    object = NULL;
out:
    object_unref(object);
    writer_clear(&head);
    return rv;
}

CK_RV
object_open_secrets(const struct sealer *sealer, const struct object *object, struct writer *out)
{
    struct record_name name = record_name('o', object->handle);
    size_t start = out->len;
    uint64_t version;
    CK_RV rv;

    if (object->sealed_len == 0) {
        return CKR_OK;
    }
    rv = record_open(sealer, record_name_view(&name), PART_SECRETS,
                     view_of(object->sealed, object->sealed_len), &version, out);
    if (rv == CKR_OK && (version != object->version ||
                         !attributes_valid(view_of(out->data + start, out->len - start)))) {
        writer_truncate(out, start); /* another record's half, put here */
        rv = CKR_GENERAL_ERROR;
    }
    if (rv != CKR_OK) {
        log_err("object %u: its secret part does not open; restore it from a backup",
                (unsigned)object->handle);
    }
    return rv;
}

CK_RV
object_key(const struct sealer *sealer, struct object *object, const struct algo_key **ret_key,
           bool *ret_parsed)
{
    struct algo_key *key = atomic_load_explicit(&object->key, memory_order_acquire);
    struct algo_key *other = NULL;
    struct writer secrets;
    CK_RV rv;

    *ret_parsed = false;
    if (!atomic_load_explicit(&object->used, memory_order_relaxed)) {
        atomic_store_explicit(&object->used, true, memory_order_relaxed);
    }
    if (key != NULL) {
        *ret_key = key;
        return CKR_OK;
    }
    writer_init(&secrets, ATTRIBUTES_BYTES_MAX);
    rv = object_open_secrets(sealer, object, &secrets);
    if (rv == CKR_OK) {
        rv = algo_key_new(object->kind, object_attributes(object), writer_view(&secrets), &key);
    }
    writer_clear(&secrets);
    if (rv != CKR_OK) {
        return rv;
    }
    /* Two threads may have parsed at once; the first to finish is kept. */
    if (!atomic_compare_exchange_strong(&object->key, &other, key)) {
        algo_key_free(key);
        key = other;
    } else {
        *ret_parsed = true;
    }
    *ret_key = key;
    return CKR_OK;
}

struct object *
object_without_key(const struct object *object)
{
    const struct object_parts parts = {
        .handle = object->handle,
        .session = object->session,
        .kind = object->kind,
        .owner = object->owner,
        .version = object->version,
        .shares = object->shares,
        .share_count = object->share_count,
        .attributes = object_attributes(object),
    };
    struct object *copy = object_shell(&parts);

    if (copy != NULL && object->sealed_len > 0 &&
        !bytes_dup(view_of(object->sealed, object->sealed_len), &copy->sealed,
                   &copy->sealed_len)) {
        object_unref(copy);
        return NULL;
    }
    if (copy != NULL) {
        copy->revision = object->revision;
    }
    return copy;
}
