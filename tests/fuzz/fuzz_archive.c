/* SPDX-License-Identifier: Apache-2.0
 *
 * Backup files as they come from anywhere: the front of one, its header, entries of an opened
 * chunk, shares of its key. The first byte chooses. What reads is written with the same bytes.
 */
#include "core/archive.h"
#include "crypto/owner.h"
#include "fuzz/fuzz.h"

static void
header_is_written_alike(view bytes)
{
    struct archive_header header;
    struct writer w;

    if (!archive_header_read(bytes, &header)) {
        return;
    }
    writer_init(&w, ARCHIVE_HEADER_MAX * 2);
    archive_header_write(&w, &header);
    HOLDS(writer_ok(&w) && view_equal(writer_view(&w), bytes));
    writer_clear(&w);
}

static void
front_ends_within(view bytes)
{
    struct archive_header header;
    size_t len;

    if (archive_begin_read(bytes, &header, &len)) {
        HOLDS(len <= bytes.len && header.needed > 0 && header.needed <= header.count);
    }
}

static void
entries_are_written_alike(view bytes)
{
    struct reader r = reader_of(bytes);
    struct archive_entry entry;
    struct writer w;

    writer_init(&w, ARCHIVE_CHUNK_MAX);
    while (archive_entry_read(&r, &entry)) {
        archive_entry_write(&w, &entry);
    }
    HOLDS(writer_ok(&w) &&
          view_equal(writer_view(&w), view_slice(bytes, 0, bytes.len - r.left)));
    writer_clear(&w);
}

static void
shares_join_or_not(view bytes)
{
    const size_t each = bytes.len < 3 ? 1 : bytes.len / 3;
    const view shares[3] = { view_slice(bytes, 0, each), view_slice(bytes, each, each),
                             view_slice(bytes, 2 * each, each) };
    struct secret *secret = NULL;

    if (shares_join(shares, 3, &secret)) {
        HOLDS(secret_view(secret).len == each - 1);
    }
    secret_free(secret);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const parts[])(view bytes) = { header_is_written_alike, front_ends_within,
                                                 entries_are_written_alike, shares_join_or_not };

    if (size > 0 && size <= 65536) {
        parts[data[0] % ARRAY_COUNT(parts)](view_of(data + 1, size - 1));
    }
    return 0;
}
