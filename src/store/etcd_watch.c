/* SPDX-License-Identifier: Apache-2.0 */
#include "store/etcd_watch.h"

#include "base/log.h"
#include "store/etcd.pb-c.h"

#include <stdlib.h>
#include <string.h>

#define NEWS_MAX (64u * 1024u * 1024u)
#define EVENT_DELETED 1

/* ---- one message ---- */

bool
etcd_news_read(view message, struct etcd_news *ret_news)
{
    Etcd__WatchResponse *response = etcd__watch_response__unpack(NULL, message.len, message.data);

    *ret_news = (struct etcd_news){ .memory = response };
    if (response == NULL || response->header == NULL || response->header->revision < 0 ||
        response->compact_revision < 0) {
        return false;
    }
    ret_news->cluster = response->header->cluster_id;
    ret_news->revision = (uint64_t)response->header->revision;
    ret_news->compacted = (uint64_t)response->compact_revision;
    ret_news->canceled = response->canceled;
    ret_news->partial = response->fragment;
    ret_news->reason = response->cancel_reason;
    if (response->n_events > 0) {
        ret_news->events = calloc(response->n_events, sizeof *ret_news->events);
        if (ret_news->events == NULL) {
            return false;
        }
    }
    for (size_t i = 0; i < response->n_events; i++) {
        const Etcd__Record *record = response->events[i]->record;

        if (record == NULL || record->mod_revision <= 0) {
            return false;
        }
        ret_news->events[i] = (struct etcd_news_event){
            { view_of(record->key.data, record->key.len),
              view_of(record->value.data, record->value.len), (uint64_t)record->mod_revision },
            response->events[i]->type == EVENT_DELETED
        };
        ret_news->count = i + 1;
    }
    return true;
}

void
etcd_news_clear(struct etcd_news *news)
{
    if (news->memory != NULL) {
        etcd__watch_response__free_unpacked(news->memory, NULL);
    }
    free(news->events);
    *news = (struct etcd_news){ .cluster = 0 };
}

/* ---- the stream ---- */

static void
tell(struct etcd_watch *watch, view prefix, const struct etcd_news_event *news)
{
    const struct etcd_record *record = &news->record;
    const struct store_event event = {
        view_slice(record->key, prefix.len, record->key.len - prefix.len),
        news->deleted ? VIEW_EMPTY : record->value, news->deleted,
        etcd_relative(watch->place, record->revision)
    };

    watch->watcher.change(watch->watcher.arg, &event);
}

/* etcd splits what would be too long a message (as many as 1,000 revisions come in one), also
 * within a revision: then that is told in full when the next message has come. */
static bool
news_tell(struct etcd_watch *watch, const struct etcd_news *news)
{
    struct etcd_name name;
    view prefix;

    etcd_name_make(watch->place, "k/", VIEW_EMPTY, &name);
    prefix = etcd_name_view(&name);
    for (size_t i = 0; i < news->count; i++) {
        const struct etcd_record *record = &news->events[i].record;

        if (record->revision <= watch->reached) {
            continue;               /* told before the stream was begun anew */
        }
        if (record->key.len > ETCD_NAME_MAX || record->key.len <= prefix.len ||
            !view_equal(view_slice(record->key, 0, prefix.len), prefix) ||
            (i > 0 && record->revision < news->events[i - 1].record.revision)) {
            return false;
        }
        tell(watch, prefix, &news->events[i]);
        if (i + 1 == news->count ? !news->partial
                                 : news->events[i + 1].record.revision != record->revision) {
            watch->reached = record->revision;
            etcd_revision_seen(watch->place, etcd_relative(watch->place, record->revision));
            watch->watcher.reached(watch->watcher.arg,
                                   etcd_relative(watch->place, record->revision));
        }
    }
    return true;
}

static bool
on_message(void *arg, view message)
{
    struct etcd_watch *watch = arg;
    struct etcd_news news;
    bool going = etcd_news_read(message, &news);

    if (going && news.cluster != watch->place->cluster) {
        etcd_refuse(watch->place);
        going = false;
    }
    if (atomic_load(&watch->place->refused)) {
        going = false; /* what it tells now is another story */
    }
    if (going && news.compacted > 0) {
        watch->lost = true;
        going = false;
    }
    going = going && !news.canceled && news_tell(watch, &news);
    etcd_news_clear(&news);
    return going;
}

static void
stream_run(struct etcd_watch *watch)
{
    Etcd__WatchRequest request = ETCD__WATCH_REQUEST__INIT;
    Etcd__WatchCreate create = ETCD__WATCH_CREATE__INIT;
    struct etcd_name first, end;
    uint8_t bytes[2 * ETCD_NAME_MAX + 64];

    etcd_name_make(watch->place, "k/", VIEW_EMPTY, &first);
    etcd_name_end(&first, &end);
    create.key = (ProtobufCBinaryData){ first.len, (uint8_t *)first.text };
    create.range_end = (ProtobufCBinaryData){ end.len, (uint8_t *)end.text };
    create.start_revision = (int64_t)watch->reached + 1;
    create.fragment = true;
    request.request_case = ETCD__WATCH_REQUEST__REQUEST_CREATE;
    request.create = &create;

    size_t len = etcd__watch_request__pack(&request, bytes);

    grpc_stream(watch->grpc, "/etcdserverpb.Watch/Watch", view_of(bytes, len), ETCD_WATCH_IDLE_MS,
                NEWS_MAX, on_message, watch);
}

/* What cannot be told is looked at; from the revision of before that look on it goes on. */
static void
lost_tell(struct etcd_watch *watch)
{
    struct etcd_range range = { .limit = 1 };
    struct etcd_records records;
    struct etcd_name id;

    etcd_name_make(watch->place, "id", VIEW_EMPTY, &id);
    range.key = etcd_name_view(&id);
    if (etcd_range_run(watch->grpc, &range, ETCD_ATTEMPT_MS, &records) != GRPC_OK) {
        return;
    }
    if (records.cluster == watch->place->cluster && records.revision >= watch->reached) {
        uint64_t revision = records.revision;

        log_wrn("store: etcd: changes were lost by compaction; all records are looked at");
        watch->watcher.lost(watch->watcher.arg);
        watch->reached = revision;
        watch->lost = false;
        watch->watcher.reached(watch->watcher.arg, etcd_relative(watch->place, revision));
    }
    etcd_records_clear(&records);
}

static void *
watch_run(void *arg)
{
    struct etcd_watch *watch = arg;

    while (!atomic_load(&watch->stop)) {
        if (watch->lost) {
            lost_tell(watch);
        }
        if (!watch->lost) {
            stream_run(watch);
        }
        if (!atomic_load(&watch->stop)) {
            etcd_pause();
        }
    }
    return NULL;
}

bool
etcd_watch_start(struct etcd_watch *watch, struct etcd_place *place, struct grpc *grpc,
                 uint64_t after, const struct store_watcher *watcher)
{
    watch->place = place;
    watch->grpc = grpc;
    watch->watcher = *watcher;
    watch->lost = false;
    watch->reached = after + place->base;
    watch->running = pthread_create(&watch->thread, NULL, watch_run, watch) == 0;
    if (!watch->running) {
        log_err("store: the watcher's thread does not start");
        grpc_free(grpc);
    }
    return watch->running;
}

void
etcd_watch_end(struct etcd_watch *watch)
{
    if (!watch->running) {
        return;
    }
    atomic_store(&watch->stop, true);
    pthread_join(watch->thread, NULL);
    grpc_free(watch->grpc);
    watch->running = false;
    atomic_store(&watch->stop, false);
}
