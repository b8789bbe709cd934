/* SPDX-License-Identifier: Apache-2.0
 *
 * Masked objects: a key as a blob that this HSM, and every one with the same master key and store,
 * opens again for the user whose it was. What the key may and may not do is sealed in with it.
 */
#include "core/make.h"

#include <string.h>

#define MASK_MAGIC VIEW_TEXT("OCMO")
#define MASK_NAME VIEW_TEXT("masked object")
#define MASK_PLAIN_MAX (FRAME_DATA_MAX - 64u)

/* What is sealed. */
struct masked {
    enum object_kind kind;
    uint32_t owner; /* his number, which no later user of the same name has */
    view attributes;
    view secrets;
};

static void
masked_write(struct writer *w, const struct masked *masked)
{
    write_u8(w, (uint8_t)masked->kind);
    write_u32(w, masked->owner);
    write_bytes(w, masked->attributes);
    write_bytes(w, masked->secrets);
}

static bool
masked_read(view plain, struct masked *ret_masked)
{
    struct reader r = reader_of(plain);
    uint8_t kind;

    if (!read_u8(&r, &kind) || kind >= KIND_COUNT || !kind_is_key((enum object_kind)kind) ||
        !read_u32(&r, &ret_masked->owner) ||
        !read_bytes(&r, ATTRIBUTES_BYTES_MAX, &ret_masked->attributes) ||
        !attributes_valid(ret_masked->attributes) ||
        !read_bytes(&r, ATTRIBUTES_BYTES_MAX, &ret_masked->secrets) ||
        !attributes_valid(ret_masked->secrets)) {
        return false;
    }
    ret_masked->kind = (enum object_kind)kind;
    return reader_done(&r);
}

CK_RV
handle_OBJECT_MASK(struct request *r)
{
    struct object_mask_request m;
    struct object *object;
    struct writer secrets, plain, blob;
    CK_RV rv;

    if (!object_mask_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    note_key(r, m.object, AUDIT_NO_MECHANISM);
    object = request_object(r, m.object);
    if (object == NULL || !kind_is_key(object->kind)) {
        object_unref(object);
        return CKR_OBJECT_HANDLE_INVALID;
    }
    writer_init(&secrets, ATTRIBUTES_BYTES_MAX);
    writer_init(&plain, MASK_PLAIN_MAX);
    writer_init(&blob, FRAME_DATA_MAX);
    /* Sharing gives a key's use; the blob would be a copy. */
    if (object->owner != r->who.user || (object->info.flags & KEY_FLAG_COPYABLE) == 0) {
        rv = CKR_ACTION_PROHIBITED;
        goto out;
    }
    rv = object_open_secrets(object_sealer(r->hsm, m.object), object, &secrets);
    if (rv != CKR_OK) {
        goto out;
    }

    const struct masked masked = { object->kind, r->who.user, object_attributes(object),
                                   writer_view(&secrets) };

    masked_write(&plain, &masked);
    write_raw(&blob, MASK_MAGIC);
    rv = writer_ok(&plain)
             ? record_seal(&r->hsm->sealer, MASK_NAME, 0, 1, writer_view(&plain), &blob)
             : CKR_DEVICE_MEMORY;
    if (rv == CKR_OK) {
        const struct object_mask_reply answer = { writer_view(&blob) };

        object_mask_reply_write(r->reply, &answer);
    }
out:
    writer_clear(&secrets);
    writer_clear(&plain);
    writer_clear(&blob);
    object_unref(object);
    return rv;
}

/* What the key has, but for its id, which is made anew; kept: a session key becomes a token one. */
static void
attributes_take(const struct masked *masked, bool kept, struct make *make)
{
    struct reader r = reader_of(masked->attributes);
    struct attribute attribute;

    while (attributes_next(&r, &attribute)) {
        if (attribute.type == CKA_TOKEN && kept) {
            attribute_write_bool(&make->attributes, CKA_TOKEN, true);
        } else if (attribute.type != CKA_UNIQUE_ID) {
            attribute_write(&make->attributes, attribute.type, attribute.value);
        }
    }
    write_raw(&make->secrets, masked->secrets);
}

CK_RV
handle_OBJECT_UNMASK(struct request *r)
{
    struct object_unmask_request m;
    struct make make = { .handle = 0 };
    struct make *const makes[] = { &make };
    struct masked masked;
    struct writer plain;
    uint64_t version;
    CK_RV rv = CKR_WRAPPED_KEY_INVALID;

    if (!object_unmask_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    if (!request_may(r, PLACE_STORE)) {
        return CODE_LATER;
    }
    writer_init(&plain, MASK_PLAIN_MAX);
    if (!view_equal(view_slice(m.masked, 0, MASK_MAGIC.len), MASK_MAGIC) ||
        record_open(&r->hsm->sealer, MASK_NAME, 0,
                    view_slice(m.masked, MASK_MAGIC.len, m.masked.len), &version,
                    &plain) != CKR_OK ||
        !masked_read(writer_view(&plain), &masked)) {
        goto out;
    }
    if (masked.owner != r->who.user) {
        rv = CKR_ACTION_PROHIBITED;
        goto out;
    }
    make_init(&make, masked.kind, ORIGIN_COPY, m.handle);
    attributes_take(&masked, m.token, &make);
    rv = writer_ok(&make.attributes) && writer_ok(&make.secrets) ? CKR_OK : CKR_DEVICE_MEMORY;
    if (rv == CKR_OK &&
        (rv = make_allowed(r, writer_view(&make.attributes))) == CKR_OK &&
        (rv = make_unique_id(r, &make)) == CKR_OK) {
        rv = make_commit(r, makes, 1);
    }
out:
    make_clear(&make);
    writer_clear(&plain);
    return rv;
}
