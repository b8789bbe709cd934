/* SPDX-License-Identifier: Apache-2.0
 *
 * Names and records of replies.
 */
#include "core/reply.h"

#include <stdio.h>
#include <string.h>

#define PLAIN_HEAD_LEN (8u + 2u + 8u) /* time, operation, settled; then the body */

struct reply_name
reply_name(const struct reply_key *key)
{
    struct reply_name name;
    char context[2 * FRAME_CONTEXT_LEN + 1];

    hex_encode(view_of(key->context, FRAME_CONTEXT_LEN), context);
    snprintf(name.text, sizeof name.text, "r/%s/%016llx", context,
             (unsigned long long)key->request);
    return name;
}

view
reply_name_view(const struct reply_name *name)
{
    return view_of(name->text, REPLY_NAME_LEN);
}

bool
reply_name_parse(view text, struct reply_key *ret_key)
{
    char context[2 * FRAME_CONTEXT_LEN + 1] = { 0 };
    char number[17] = { 0 };
    uint8_t bytes[8];
    struct reply_key key = { .request = 0 };
    struct reply_name name;
    size_t len;

    if (text.len != REPLY_NAME_LEN || memcmp(text.data, "r/", 2) != 0 ||
        text.data[2 + 2 * FRAME_CONTEXT_LEN] != '/') {
        return false;
    }
    memcpy(context, text.data + 2, 2 * FRAME_CONTEXT_LEN);
    memcpy(number, text.data + 3 + 2 * FRAME_CONTEXT_LEN, 16);
    if (!hex_decode(context, key.context, sizeof key.context, &len) ||
        len != FRAME_CONTEXT_LEN || !hex_decode(number, bytes, sizeof bytes, &len) ||
        len != sizeof bytes) {
        return false;
    }
    for (size_t i = 0; i < sizeof bytes; i++) {
        key.request = key.request << 8 | bytes[i];
    }
    name = reply_name(&key);
    if (!view_equal(reply_name_view(&name), text)) {
        return false; /* the same in other letters */
    }
    *ret_key = key;
    return true;
}

CK_RV
reply_record(const struct sealer *sealer, const struct reply_key *key, uint64_t at,
             uint64_t settled, view body, struct writer *out)
{
    struct reply_name name = reply_name(key);
    struct writer plain;
    CK_RV rv = CKR_HOST_MEMORY;

    writer_init(&plain, FRAME_BODY_MAX + PLAIN_HEAD_LEN);
    write_u64(&plain, at);
    write_u16(&plain, key->operation);
    write_u64(&plain, settled);
    write_raw(&plain, body);
    if (writer_ok(&plain)) {
        rv = record_seal(sealer, reply_name_view(&name), 0, 1, writer_view(&plain), out);
    }
    writer_clear(&plain);
    return rv;
}

CK_RV
reply_from_record(const struct sealer *sealer, struct reply_key *key, view record,
                  uint64_t *ret_at, uint64_t *ret_settled, struct writer *out)
{
    struct reply_name name = reply_name(key);
    struct writer plain;
    struct reader r;
    uint64_t at, settled, version;
    uint16_t operation;
    CK_RV rv;

    writer_init(&plain, FRAME_BODY_MAX + PLAIN_HEAD_LEN);
    rv = record_open(sealer, reply_name_view(&name), 0, record, &version, &plain);
    if (rv == CKR_OK) {
        r = reader_of(writer_view(&plain));
        if (read_u64(&r, &at) && read_u16(&r, &operation) && read_u64(&r, &settled)) {
            *ret_at = at;
            *ret_settled = settled;
            key->operation = operation;
            write_raw(out, view_of(r.next, r.left));
        } else {
            rv = CKR_GENERAL_ERROR;
        }
    }
    writer_clear(&plain);
    return rv;
}
