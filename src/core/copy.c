/* SPDX-License-Identifier: Apache-2.0 */
#include "core/copy.h"

#include <string.h>

#define LABEL "session copy "
#define LABEL_LEN (sizeof LABEL - 1 + 2 * FRAME_CONTEXT_LEN)

/* The record's name, and so the label of its key: each context has keys of its own. */
static view
copy_label(const uint8_t context[FRAME_CONTEXT_LEN], char label[LABEL_LEN + 1])
{
    memcpy(label, LABEL, sizeof LABEL);
    hex_encode(view_of(context, FRAME_CONTEXT_LEN), label + sizeof LABEL - 1);
    return view_of(label, LABEL_LEN);
}

bool
copy_identity(view attributes, uint8_t ret_identity[COPY_IDENTITY_LEN])
{
    char text[2 * COPY_IDENTITY_LEN + 1] = { 0 };
    view value;
    size_t len;

    if (!attributes_find(attributes, CKA_UNIQUE_ID, &value) ||
        value.len != 2 * (size_t)COPY_IDENTITY_LEN) {
        return false;
    }
    memcpy(text, value.data, value.len);
    return hex_decode(text, ret_identity, COPY_IDENTITY_LEN, &len) && len == COPY_IDENTITY_LEN;
}

void
copy_write(struct writer *w, const struct copy *copy)
{
    write_u32(w, copy->handle);
    write_u32(w, copy->session);
    write_u64(w, copy->version);
    write_u32(w, copy->uid);
    write_u64(w, copy->login);
    write_bytes(w, view_str(copy->node));
    write_u64(w, copy->boot);
    write_u64(w, copy->until);
    write_u8(w, (uint8_t)copy->kind);
    write_u32(w, copy->owner);
    write_bytes(w, copy->attributes);
    write_bytes(w, copy->secrets);
}

bool
copy_read(view plain, struct copy *ret_copy)
{
    struct reader r = reader_of(plain);
    struct copy copy;
    uint8_t kind;
    view node;

    memset(&copy, 0, sizeof copy);
    if (!read_u32(&r, &copy.handle) || !read_u32(&r, &copy.session) ||
        !read_u64(&r, &copy.version) || !read_u32(&r, &copy.uid) || !read_u64(&r, &copy.login) ||
        !read_bytes(&r, COPY_NODE_MAX, &node) || memchr(node.data, '\0', node.len) != NULL ||
        !read_u64(&r, &copy.boot) || !read_u64(&r, &copy.until) || !read_u8(&r, &kind) ||
        kind >= KIND_COUNT || !read_u32(&r, &copy.owner) ||
        !read_bytes(&r, COPY_MAX, &copy.attributes) || !attributes_valid(copy.attributes) ||
        !read_bytes(&r, COPY_MAX, &copy.secrets) || !attributes_valid(copy.secrets) ||
        !reader_done(&r)) {
        return false;
    }
    memcpy(copy.node, node.data, node.len);
    copy.kind = (enum object_kind)kind;
    *ret_copy = copy;
    return true;
}

CK_RV
copy_seal(const struct sealer *sealer, const uint8_t context[FRAME_CONTEXT_LEN],
          const struct copy *copy, struct writer *out)
{
    char label[LABEL_LEN + 1];
    struct writer plain;
    CK_RV rv = CKR_DATA_LEN_RANGE;

    writer_init(&plain, COPY_MAX - RECORD_OVERHEAD);
    copy_write(&plain, copy);
    if (writer_ok(&plain)) {
        rv = record_seal(sealer, copy_label(context, label), 0, copy->version,
                         writer_view(&plain), out);
    }
    writer_clear(&plain);
    return rv;
}

bool
copy_open(const struct sealer *sealer, const uint8_t context[FRAME_CONTEXT_LEN], view sealed,
          struct writer *plain, struct copy *ret_copy)
{
    char label[LABEL_LEN + 1];
    struct copy copy;
    uint64_t version;

    if (sealed.len > COPY_MAX ||
        record_open(sealer, copy_label(context, label), 0, sealed, &version, plain) != CKR_OK ||
        !copy_read(writer_view(plain), &copy) || copy.version != version) {
        return false;
    }
    *ret_copy = copy;
    return true;
}
