/* SPDX-License-Identifier: Apache-2.0 */
#include "store/etcd_read.h"

#include "base/log.h"

#include <string.h>

#define LOAD_MS 10000u /* for a page of all: one that is slow is better than none */
#define PAGE 1000u
#define STRETCH_FREE 3u /* 4,096 numbers */

enum grpc_result
etcd_range_ask(struct etcd_place *place, struct grpc *grpc, const struct etcd_range *range,
               uint32_t wait_ms, struct etcd_records *ret_records)
{
    const uint64_t end = etcd_now() + wait_ms;
    enum grpc_result result;

    for (;;) {
        if (atomic_load(&place->refused)) {
            return GRPC_REFUSED;
        }
        result = etcd_range_run(grpc, range, ETCD_ATTEMPT_MS, ret_records);
        if (result == GRPC_OK) {
            etcd_works(place);
            return result;
        }
        etcd_trouble(place, grpc);
        if (result == GRPC_REFUSED || atomic_load(&place->stop) || etcd_now() > end) {
            return result;
        }
        etcd_pause();
    }
}

/* Records of one page under the folder; false when visit stops, or when a key is none of ours. */
static bool
page_visit(const struct etcd_place *place, const struct etcd_records *records, view first,
           store_visit *visit, void *arg)
{
    for (size_t i = 0; i < records->count; i++) {
        const struct etcd_record *record = records->records + i;

        if (record->key.len > ETCD_NAME_MAX ||
            !view_equal(view_slice(record->key, 0, first.len), first)) {
            log_err("store: etcd: a key under the prefix is none of a store");
            return false;
        }
        if (!visit(arg, view_slice(record->key, first.len, record->key.len), record->value,
                   etcd_relative(place, record->revision))) {
            return false;
        }
    }
    return true;
}

/* The first key that may come after the page: its last one and a NUL. */
static void
page_next(const struct etcd_records *records, struct etcd_name *ret_next)
{
    view last = records->records[records->count - 1].key;

    memcpy(ret_next->text, last.data, last.len);
    ret_next->text[last.len] = '\0';
    ret_next->len = last.len + 1;
}

/* Where the next range begins, and where it ends. */
struct stretch {
    struct etcd_name last;  /* the last key that was seen, nothing at first */
    struct etcd_name next, bound;
    size_t free;            /* so many bytes at the end of the last key may be others */
};

static bool
name_before(const struct etcd_name *a, const struct etcd_name *b)
{
    int order = memcmp(a->text, b->text, size_min(a->len, b->len));

    return order < 0 || (order == 0 && a->len < b->len);
}

/*
 * A member walks through all keys of a range for each page of it, so ranges have to be short: of
 * keys that differ from the last one in its last few bytes; where nothing was left of those, in
 * more of them. At the end, and where no key is known, up to the folder's end.
 */
static void
stretch_bound(struct stretch *stretch, const struct etcd_name *first, const struct etcd_name *end)
{
    for (;; stretch->free = stretch->free < 6 ? stretch->free + 1 : 2 * stretch->free) {
        const size_t len = stretch->last.len;
        struct etcd_name *bound = &stretch->bound;

        if (len <= first->len + stretch->free ||
            (uint8_t)stretch->last.text[len - stretch->free - 1] == UINT8_MAX) {
            *bound = *end;
            return;
        }
        *bound = stretch->last;
        bound->len = len - stretch->free;
        bound->text[bound->len - 1]++;
        if (name_before(&stretch->next, bound)) {
            return;
        }
    }
}

/* What is to be asked next, after that page. */
static void
stretch_advance(struct stretch *stretch, const struct etcd_records *records)
{
    if (records->count > 0) {
        page_next(records, &stretch->next);
        stretch->last = stretch->next;
        stretch->last.len--;
        stretch->free = STRETCH_FREE;
    }
    if (!records->more) {
        stretch->next = stretch->bound;
    }
}

bool
etcd_folder_visit(struct etcd_place *place, struct grpc *grpc, const char *folder, bool keys_only,
                  store_visit *visit, void *arg, uint64_t *ret_revision)
{
    struct etcd_range range = { .limit = PAGE, .keys_only = keys_only };
    struct stretch stretch = { .free = STRETCH_FREE };
    struct etcd_name first, end;
    bool going = true, loaded = false;

    etcd_name_make(place, folder, VIEW_EMPTY, &first);
    etcd_name_end(&first, &end);
    stretch.next = first;
    while (going) {
        struct etcd_records records;
        enum grpc_result result;
        bool last;

        stretch_bound(&stretch, &first, &end);
        last = view_equal(etcd_name_view(&stretch.bound), etcd_name_view(&end));
        range.key = etcd_name_view(&stretch.next);
        range.end = etcd_name_view(&stretch.bound);
        result = etcd_range_ask(place, grpc, &range, LOAD_MS, &records);
        if (result == GRPC_LOST && range.limit > 1) {
            range.limit = (range.limit + 3) / 4;    /* too long an answer looks like none */
            continue;
        }
        if (result != GRPC_OK) {
            break;
        }
        range.revision = range.revision == 0 ? records.revision : range.revision;
        going = page_visit(place, &records, etcd_name_view(&first), visit, arg);
        loaded = going && last && !records.more;
        going = going && !loaded && (records.count > 0 || !records.more);
        if (going) {
            stretch_advance(&stretch, &records);
        }
        etcd_records_clear(&records);
    }
    *ret_revision = etcd_relative(place, range.revision);
    return loaded;
}
