/* SPDX-License-Identifier: Apache-2.0
 *
 * What the store's tests share: an open store in a folder of its own, one-line changes, and a
 * comparison of everything that it holds.
 */
#ifndef TESTS_STORE_FIXTURE_H
#define TESTS_STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/ports.h"
#include "store/memory.h"
#include "store/sqlite.h"

struct engine;

struct fixture {
    struct store *store;
    const struct engine *engine;
    char folder[64];
    char path[96];
    char prefix[32];
};

/* Bytes that are never the same twice; an id needs no more. */
static inline bool
counting_fill(struct entropy *entropy, void *bytes, size_t len)
{
    static uint8_t count;

    UNUSED(entropy);
    memset(bytes, ++count, len);
    return true;
}

static struct entropy counting = { counting_fill };

static inline void
fixture_folder(struct fixture *f)
{
    const char *base = getenv("TMPDIR");

    snprintf(f->folder, sizeof f->folder, "%s/store-XXXXXX", base == NULL ? "/tmp" : base);
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/store.db", f->folder);
}

static inline void
fixture_clean(struct fixture *f)
{
    static const char *const ends[] = { "store.db", "store.db-wal", "store.db-shm", "copy.db",
                                        "copy.db-wal" };
    char path[128];

    for (size_t i = 0; i < ARRAY_COUNT(ends); i++) {
        snprintf(path, sizeof path, "%s/%s", f->folder, ends[i]);
        unlink(path);
    }
    rmdir(f->folder);
}

static inline enum store_result
put_if(struct store *store, const char *key, view value, uint64_t revision, uint64_t *ret_revision)
{
    const struct store_compare compare = { view_str(key), revision };
    const struct store_change change = { view_str(key), value, false };
    const struct store_txn txn = { &compare, 1, &change, 1, VIEW_EMPTY };

    return store_commit(store, &txn, ret_revision);
}

/* The revision; fails the test when the store does. */
static inline uint64_t
put(struct store *store, const char *key, const char *value)
{
    const struct store_change change = { view_str(key), view_str(value), false };
    const struct store_txn txn = { NULL, 0, &change, 1, VIEW_EMPTY };
    uint64_t revision = 0;

    assert_int_equal(store_commit_alone(store, &txn, &revision), STORE_OK);
    return revision;
}

static inline void
delete(struct store *store, const char *key)
{
    const struct store_change change = { view_str(key), VIEW_EMPTY, true };
    const struct store_txn txn = { NULL, 0, &change, 1, VIEW_EMPTY };
    uint64_t revision = 0;

    assert_int_equal(store_commit(store, &txn, &revision), STORE_OK);
}

static inline bool
append(void *arg, view key, view value, uint64_t revision)
{
    struct writer *w = arg;
    char number[32];

    snprintf(number, sizeof number, "@%llu ", (unsigned long long)revision);
    write_raw(w, key);
    write_raw(w, VIEW_TEXT("="));
    write_raw(w, view_slice(value, 0, 16));
    write_raw(w, view_str(number));
    return true;
}

/* "a=1@1 b=2@3 " */
static inline void
assert_holds(struct store *store, const char *expected)
{
    struct writer w;

    writer_init(&w, 1 << 20);
    assert_true(store->load_all(store, append, &w));
    write_u8(&w, 0);
    assert_true(writer_ok(&w));
    assert_string_equal((const char *)w.data, expected);
    writer_clear(&w);
}

#endif
