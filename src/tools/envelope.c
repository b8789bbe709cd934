/* SPDX-License-Identifier: Apache-2.0
 *
 * Wrapped keys with their description.
 */
#include "tools/envelope.h"

#define MAGIC VIEW_TEXT("OCWK")
#define VERSION 1u
#define LIST_MAX 4096u
#define IV_LEN 12u

const CK_ATTRIBUTE_TYPE envelope_types[] = {
    CKA_CLASS, CKA_KEY_TYPE,  CKA_LABEL, CKA_ID,  CKA_ENCRYPT, CKA_DECRYPT,
    CKA_WRAP,  CKA_UNWRAP,    CKA_SIGN,  CKA_VERIFY, CKA_DERIVE,  CKA_WRAP_WITH_TRUSTED,
};
const size_t envelope_type_count = ARRAY_COUNT(envelope_types);

void
envelope_write(struct writer *w, const struct envelope *envelope)
{
    write_raw(w, MAGIC);
    write_u32(w, VERSION);
    write_bytes(w, envelope->attributes);
    write_bytes(w, envelope->iv);
    write_raw(w, envelope->blob);
}

static bool
is_told(uint32_t type)
{
    for (size_t i = 0; i < envelope_type_count; i++) {
        if (envelope_types[i] == type) {
            return true;
        }
    }
    return false;
}

/* Class and type first of all, and nothing that a file may not say. */
static bool
attributes_fit(view list)
{
    struct reader r;
    struct attribute attribute;
    uint64_t number;
    size_t count = 0;
    view value;

    if (!attributes_valid(list) || !attributes_ulong(list, CKA_CLASS, &number) ||
        (number != CKO_SECRET_KEY && number != CKO_PRIVATE_KEY) ||
        !attributes_ulong(list, CKA_KEY_TYPE, &number)) {
        return false;
    }
    r = reader_of(list);
    while (attributes_next(&r, &attribute)) {
        /* The first one of its type is this one, or it stands twice. */
        if (!is_told(attribute.type) || attribute.status != ATTRIBUTE_PRESENT ||
            !attributes_find(list, attribute.type, &value) || value.data != attribute.value.data) {
            return false;
        }
        count++;
    }
    return count <= envelope_type_count;
}

bool
envelope_read(view file, struct envelope *ret_envelope)
{
    struct reader r = reader_of(file);
    struct envelope envelope;
    uint32_t version;
    view magic;

    if (!read_raw(&r, 4, &magic) || !view_equal(magic, MAGIC) || !read_u32(&r, &version) ||
        version != VERSION || !read_bytes(&r, LIST_MAX, &envelope.attributes) ||
        !attributes_fit(envelope.attributes) || !read_bytes(&r, IV_LEN, &envelope.iv) ||
        (envelope.iv.len != 0 && envelope.iv.len != IV_LEN)) {
        return false;
    }
    if (!read_raw(&r, r.left, &envelope.blob) || envelope.blob.len == 0) {
        return false;
    }
    *ret_envelope = envelope;
    return true;
}
