/* SPDX-License-Identifier: Apache-2.0 */
#include "core/trail.h"

#include <string.h>

#define FORMAT 1u
#define CHECK_LEN 8u
#define BODY_MAX (CHAIN_RECORD_MAX - 1) /* the kind is chained with it */

void
trail_begin_write(struct writer *w, const struct trail_begin *begin)
{
    write_u8(w, FORMAT);
    write_raw(w, view_of(begin->store_id, sizeof begin->store_id));
    write_raw(w, view_of(begin->key, sizeof begin->key));
    write_u64(w, begin->time);
    chain_write(w, &begin->before);
    write_bytes(w, begin->node);
}

bool
trail_begin_read(view body, struct trail_begin *ret_begin)
{
    struct reader r = reader_of(body);
    struct trail_begin begin;
    uint8_t format;
    view store_id, key;

    if (!read_u8(&r, &format) || format != FORMAT ||
        !read_raw(&r, sizeof begin.store_id, &store_id) ||
        !read_raw(&r, sizeof begin.key, &key) || !read_u64(&r, &begin.time) ||
        !chain_read(&r, &begin.before) || !read_bytes(&r, TRAIL_NODE_MAX, &begin.node) ||
        !reader_done(&r)) {
        return false;
    }
    memcpy(begin.store_id, store_id.data, sizeof begin.store_id);
    memcpy(begin.key, key.data, sizeof begin.key);
    *ret_begin = begin;
    return true;
}

bool
trail_entry_write(struct writer *w, struct chain *chain, enum trail_kind kind, view body)
{
    struct chain end = *chain;
    size_t start = w->len;

    if (body.len > BODY_MAX) {
        return false;
    }
    write_u16(w, (uint16_t)body.len);
    write_u8(w, (uint8_t)kind);
    write_raw(w, body);
    if (!writer_ok(w) || !chain_add(&end, view_of(w->data + start + 2, 1 + body.len))) {
        writer_truncate(w, start);
        return false;
    }
    write_raw(w, view_of(end.hash, CHECK_LEN));
    if (!writer_ok(w)) {
        writer_truncate(w, start);
        return false;
    }
    *chain = end;
    return true;
}

bool
trail_entry_read(struct reader *r, bool first, struct chain *chain, enum trail_kind *ret_kind,
                 view *ret_body)
{
    struct reader at = *r;
    struct chain end = *chain;
    struct trail_begin begin;
    uint16_t len;
    view chained, check;

    if (!read_u16(&at, &len) || len > BODY_MAX || !read_raw(&at, 1 + (size_t)len, &chained) ||
        !read_raw(&at, CHECK_LEN, &check)) {
        return false;
    }

    view body = view_slice(chained, 1, len);

    if ((chained.data[0] == TRAIL_BEGIN) != first) {
        return false;
    }
    if (first) {
        if (!trail_begin_read(body, &begin)) {
            return false;
        }
        end = begin.before;
    }
    if (!chain_add(&end, chained) || memcmp(end.hash, check.data, CHECK_LEN) != 0) {
        return false;
    }
    *chain = end;
    *ret_kind = (enum trail_kind)chained.data[0];
    *ret_body = body;
    *r = at;
    return true;
}
