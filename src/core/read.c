/* SPDX-License-Identifier: Apache-2.0
 *
 * Objects as they are read: attributes, size, owner and shares. Nothing here changes one.
 */
#include "core/state.h"

static bool
object_hides_secrets(const struct object *object)
{
    return (object->info.flags & KEY_FLAG_SENSITIVE) != 0 ||
           (object->info.flags & KEY_FLAG_EXTRACTABLE) == 0;
}

/* What the policy would not have readable is not, whatever it was made by. */
static bool
secrets_are_hidden(const struct hsm *hsm, const struct object *object)
{
    return object_hides_secrets(object) ||
           (kind_is_key(object->kind) && !object_fits_policy(hsm, object));
}

static void
attribute_answer(const struct object *object, bool hidden, view secrets, uint32_t type,
                 struct writer *out)
{
    view value;

    if (use_is_secret(object->kind, type)) {
        if (hidden) {
            attribute_write_status(out, type, ATTRIBUTE_SENSITIVE);
            return;
        }
        if (attributes_find(secrets, type, &value)) {
            attribute_write(out, type, value);
            return;
        }
    } else if (attributes_find(object_attributes(object), type, &value)) {
        attribute_write(out, type, value);
        return;
    }
    attribute_write_status(out, type, ATTRIBUTE_UNKNOWN);
}

CK_RV
handle_OBJECT_GET(struct request *r)
{
    struct object_get_request m;
    struct object *object;
    struct writer secrets;
    size_t start;
    bool hidden;
    CK_RV rv = CKR_OK;

    if (!object_get_request_read(r->body, &m) || number_array_count(m.types) > ATTRIBUTES_MAX) {
        return CODE_BAD_FRAME;
    }
    object = request_object(r, m.object);
    if (object == NULL) {
        return CKR_OBJECT_HANDLE_INVALID;
    }
    writer_init(&secrets, ATTRIBUTES_BYTES_MAX);
    hidden = secrets_are_hidden(r->hsm, object);
    if (!hidden) {
        rv = object_open_secrets(object_sealer(r->hsm, m.object), object, &secrets);
    }
    start = r->reply->len;
    write_u32(r->reply, 0);
    for (size_t i = 0; rv == CKR_OK && i < number_array_count(m.types); i++) {
        attribute_answer(object, hidden, writer_view(&secrets), number_array_get(m.types, i),
                         r->reply);
    }
    if (rv == CKR_OK) {
        if (!writer_ok(r->reply) || r->reply->len - start - 4 > ATTRIBUTES_BYTES_MAX) {
            rv = CKR_DEVICE_MEMORY;
        } else {
            writer_patch_u32(r->reply, start, (uint32_t)(r->reply->len - start - 4));
        }
    }
    writer_clear(&secrets);
    object_unref(object);
    return rv;
}

/* Attributes and sealed secrets, as they lie in memory; the record is a little longer. */
CK_RV
handle_OBJECT_SIZE(struct request *r)
{
    struct object_size_request m;
    struct object *object;

    if (!object_size_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    object = request_object(r, m.object);
    if (object == NULL) {
        return CKR_OBJECT_HANDLE_INVALID;
    }

    const struct object_size_reply answer = {
        .size = (uint32_t)(object->attributes_len + object->sealed_len),
    };

    object_size_reply_write(r->reply, &answer);
    object_unref(object);
    return CKR_OK;
}

CK_RV
handle_KEY_DETAILS(struct request *r)
{
    struct key_details_request m;
    struct object *object;
    struct writer shares;

    if (!key_details_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    object = request_object(r, m.object);
    if (object == NULL) {
        return CKR_OBJECT_HANDLE_INVALID;
    }
    writer_init(&shares, OBJECT_SHARES_MAX * 4);
    for (size_t i = 0; i < object->share_count; i++) {
        number_write(&shares, object->shares[i]);
    }

    const struct key_details_reply answer = { .owner = object->owner,
                                              .shared = { writer_view(&shares) } };

    key_details_reply_write(r->reply, &answer);
    writer_clear(&shares);
    object_unref(object);
    return CKR_OK;
}
