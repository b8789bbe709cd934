/* SPDX-License-Identifier: Apache-2.0
 *
 * What a reader of the audit is given: a file of the trail, and in its entries records, heads and
 * beginnings. The first byte chooses. What reads is written with the same bytes; a walk over a
 * file ends, at or before the file's end; and as the digest keeps random files from having a
 * second entry, one byte in two chooses to write the input as records first, and change one byte.
 */
#include "core/trail.h"
#include "crypto/algo.h"
#include "fuzz/fuzz.h"

#include <string.h>

static void
record_is_written_alike(view bytes)
{
    struct audit_record record;
    struct writer w;

    if (!audit_record_read(bytes, &record)) {
        return;
    }
    writer_init(&w, CHAIN_RECORD_MAX);
    audit_record_write(&w, &record);
    HOLDS(writer_ok(&w) && view_equal(writer_view(&w), bytes));
    writer_clear(&w);
    writer_init(&w, 4096);
    audit_record_text(&record, &w);
    audit_record_json(&record, &w);
    HOLDS(writer_ok(&w) && memchr(w.data, '\n', w.len) == NULL);
    writer_clear(&w);
}

static void
begin_is_written_alike(view bytes)
{
    struct trail_begin begin;
    struct writer w;

    if (!trail_begin_read(bytes, &begin)) {
        return;
    }
    writer_init(&w, CHAIN_RECORD_MAX);
    trail_begin_write(&w, &begin);
    HOLDS(writer_ok(&w) && view_equal(writer_view(&w), bytes));
    writer_clear(&w);
}

static size_t
file_walk(view bytes, struct chain *ret_end)
{
    struct reader r = reader_of(bytes);
    enum trail_kind kind;
    size_t count = 0;
    view body;

    *ret_end = (struct chain){ .count = 0 };
    while (trail_entry_read(&r, count == 0, ret_end, &kind, &body)) {
        count++;
    }
    HOLDS(r.left <= bytes.len);
    return count;
}

/* The input as a file of records of up to 16 bytes; then a byte of it is changed. */
static void
change_is_found(view bytes)
{
    const struct trail_begin begin = { .node = VIEW_TEXT("n") };
    struct chain chain = { .count = 0 };
    struct chain end;
    struct writer w, body;
    size_t count = 1;

    if (bytes.len < 3) {
        return;
    }
    writer_init(&w, 1024u * 1024u);
    writer_init(&body, CHAIN_RECORD_MAX);
    trail_begin_write(&body, &begin);
    HOLDS(trail_entry_write(&w, &chain, TRAIL_BEGIN, writer_view(&body)));
    for (size_t at = 2; at < bytes.len; at += 16, count++) {
        HOLDS(trail_entry_write(&w, &chain, TRAIL_RECORD, view_slice(bytes, at, 16)));
    }
    HOLDS(file_walk(writer_view(&w), &end) == count && chain_equal(&end, &chain));
    w.data[(bytes.data[0] | (size_t)bytes.data[1] << 8) % w.len] ^= 1;
    HOLDS(file_walk(writer_view(&w), &end) < count);
    writer_clear(&body);
    writer_clear(&w);
}

/* The input as a head, and as what one byte of a good head is changed by. The key must be a real
 * one: 32 zeros are a point of order four, under which one message in four has a forged signature.
 */
static void
head_is_checked(view bytes)
{
    static const uint8_t seed[AUDIT_KEY_LEN] = { 7 };
    const struct audit_head good = { .time = 1, .trail = { .count = 2 }, .journal = { .count = 3 } };
    uint8_t public_key[AUDIT_KEY_LEN];
    struct audit_head head;
    struct writer w;

    HOLDS(algo_ed25519_public(seed, public_key));
    HOLDS(!audit_head_read(bytes, public_key, &head));
    if (bytes.len < 2 || bytes.data[1] == 0) {
        return;
    }
    writer_init(&w, CHAIN_RECORD_MAX);
    HOLDS(audit_head_write(&w, &good, seed));
    HOLDS(audit_head_read(writer_view(&w), public_key, &head) && head.time == good.time);
    w.data[bytes.data[0] % w.len] ^= bytes.data[1];
    HOLDS(!audit_head_read(writer_view(&w), public_key, &head));
    writer_clear(&w);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct chain end;

    if (size == 0 || size > 65536) {
        return 0;
    }

    view rest = view_of(data + 1, size - 1);

    switch (data[0] % 8) {
    case 0:
        record_is_written_alike(rest);
        break;
    case 1:
        begin_is_written_alike(rest);
        break;
    case 2:
        head_is_checked(rest);
        break;
    case 3:
        file_walk(rest, &end);
        break;
    default:
        change_is_found(rest);
        break;
    }
    return 0;
}
