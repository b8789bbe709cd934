/* SPDX-License-Identifier: Apache-2.0
 *
 * The store's table of functions, and how one is opened. Under the prefix lie: id; k/<key>, the
 * records; n/<counter>, numbers that were given; w/<writer>, the marks of who writes.
 */
#include "store/etcd.h"

#include "base/log.h"
#include "store/etcd_read.h"
#include "store/etcd_watch.h"
#include "store/etcd_writer.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#define ID_LEN 16u
#define OPEN_MS 10000u
#define COUNTER_TRIES 64

struct etcd {
    struct store store; /* first, so that a store is its etcd */
    struct etcd_settings settings;
    uint8_t id[ID_LEN];
    struct etcd_place place;
    struct etcd_writer writer;
    pthread_mutex_t read_lock;
    struct grpc *reads; /* under read_lock */
    struct etcd_watch watch;
};

/* ---- reading ---- */

static bool
etcd_get(struct store *store, view key, uint64_t *ret_revision, struct writer *out)
{
    struct etcd *etcd = (struct etcd *)store;
    struct etcd_records records;
    struct etcd_range range = { .limit = 1 };
    const uint64_t end = etcd_now() + ETCD_GIVE_UP_MS;
    struct etcd_name name;
    bool got;

    etcd_name_make(&etcd->place, "k/", key, &name);
    range.key = etcd_name_view(&name);
    pthread_mutex_lock(&etcd->read_lock);
    /* Who has waited that long behind others that got no answer gets none either. */
    got = etcd_now() < end &&
          etcd_range_ask(&etcd->place, etcd->reads, &range, ETCD_GIVE_UP_MS, &records) == GRPC_OK;
    pthread_mutex_unlock(&etcd->read_lock);
    if (got) {
        *ret_revision = 0;
        if (records.count > 0) {
            *ret_revision = etcd_relative(&etcd->place, records.records[0].revision);
            write_raw(out, records.records[0].value);
        }
        etcd_records_clear(&records);
    }
    return got;
}

static struct grpc *
connection_new(const struct etcd *etcd, const atomic_bool *stop)
{
    const struct grpc_settings settings = {
        .endpoints = etcd->settings.endpoints,
        .ca = etcd->settings.ca,
        .certificate = etcd->settings.certificate,
        .key = etcd->settings.key,
        .stop = stop,
    };

    return grpc_new(&settings);
}

static bool
folder_visit(struct store *store, const char *folder, bool keys_only, store_visit *visit, void *arg,
             uint64_t *ret_revision)
{
    struct etcd *etcd = (struct etcd *)store;
    struct grpc *grpc = connection_new(etcd, &etcd->place.stop);
    bool loaded = grpc != NULL && etcd_folder_visit(&etcd->place, grpc, folder, keys_only, visit,
                                                    arg, ret_revision);

    grpc_free(grpc);
    return loaded;
}

static bool
etcd_load_all(struct store *store, store_visit *visit, void *arg)
{
    uint64_t revision;

    return folder_visit(store, "k/", false, visit, arg, &revision);
}

static bool
etcd_list(struct store *store, store_visit *visit, void *arg, uint64_t *ret_revision)
{
    return folder_visit(store, "k/", true, visit, arg, ret_revision);
}

/* ---- numbers ---- */

/* One try to move a counter; *ret_first is set when it was moved by us. Where the answer is lost
 * the block may be gone: the next try takes another. */
static enum grpc_result
numbers_try(struct etcd *etcd, const struct etcd_name *name, uint32_t count, uint64_t start,
            uint64_t *ret_first, bool *ret_given)
{
    const struct etcd_range range = { .key = etcd_name_view(name), .limit = 1 };
    struct etcd_txn *txn = etcd_txn_new();
    struct etcd_answer answer = { .cluster = 0 };
    struct etcd_records records;
    uint64_t revision = 0, next = start;
    uint8_t value[8];
    enum grpc_result result = txn == NULL
                                  ? GRPC_REFUSED
                                  : etcd_range_ask(&etcd->place, etcd->reads, &range,
                                                   ETCD_GIVE_UP_MS, &records);

    if (result != GRPC_OK) {
        goto out;
    }
    if (records.count > 0 && records.records[0].value.len == sizeof value) {
        revision = records.records[0].revision;
        next = load_u64(records.records[0].value.data);
        next = next < start ? start : next;
    }
    etcd_records_clear(&records);
    if (next > INT64_MAX || count > INT64_MAX - next) {
        log_err("store: a counter is at its end");
        result = GRPC_REFUSED;
        goto out;
    }
    store_u64(value, next + count);
    result = GRPC_REFUSED;
    if (etcd_txn_compare(txn, etcd_name_view(name), revision) &&
        etcd_txn_put(txn, etcd_name_view(name), view_of(value, sizeof value))) {
        result = etcd_txn_run(etcd->reads, txn, ETCD_ATTEMPT_MS, &answer);
        if (result == GRPC_OK && answer.held) {
            *ret_first = next;
            *ret_given = true;
        } else if (result != GRPC_OK) {
            etcd_trouble(&etcd->place, etcd->reads);
        }
    }
out:
    etcd_answer_clear(&answer);
    etcd_txn_free(txn);
    return result;
}

static bool
etcd_next_numbers(struct store *store, const char *counter, uint32_t count, uint64_t start,
                  uint64_t *ret_first)
{
    struct etcd *etcd = (struct etcd *)store;
    const uint64_t end = etcd_now() + ETCD_GIVE_UP_MS;
    bool given = false;
    struct etcd_name name;

    etcd_name_make(&etcd->place, "n/", view_str(counter), &name);
    pthread_mutex_lock(&etcd->read_lock);
    for (int i = 0; i < COUNTER_TRIES && !given && etcd_now() < end; i++) {
        if (numbers_try(etcd, &name, count, start, ret_first, &given) == GRPC_REFUSED) {
            break;
        }
    }
    pthread_mutex_unlock(&etcd->read_lock);
    return given;
}

struct counting {
    store_count *count;
    void *arg;
};

static bool
count_visit(void *arg, view counter, view value, uint64_t revision)
{
    const struct counting *counting = arg;

    UNUSED(revision);
    return value.len == 8 && counting->count(counting->arg, counter, load_u64(value.data));
}

static bool
etcd_each_number(struct store *store, store_count *count, void *arg)
{
    struct counting counting = { count, arg };
    uint64_t revision;

    return folder_visit(store, "n/", false, count_visit, &counting, &revision);
}

/* ---- the rest of the store ---- */

static bool
etcd_watch(struct store *store, uint64_t after, const struct store_watcher *watcher)
{
    struct etcd *etcd = (struct etcd *)store;
    struct grpc *grpc = connection_new(etcd, &etcd->watch.stop);

    return grpc != NULL && etcd_watch_start(&etcd->watch, &etcd->place, grpc, after, watcher);
}

static void
etcd_unwatch(struct store *store)
{
    etcd_watch_end(&((struct etcd *)store)->watch);
}

static void
etcd_id(struct store *store, uint8_t ret_id[16])
{
    memcpy(ret_id, ((struct etcd *)store)->id, ID_LEN);
}

static uint64_t
etcd_revision(struct store *store)
{
    return atomic_load(&((struct etcd *)store)->place.revision);
}

static void
etcd_submit(struct store *store, const struct store_txn *txn, store_done *done, void *arg)
{
    etcd_writer_submit(&((struct etcd *)store)->writer, txn, done, arg);
}

static void
etcd_journal(struct store *store, const struct chain *end, store_entry *entry, void *arg)
{
    const struct journal journal = { *end, entry, arg };

    etcd_writer_journal(&((struct etcd *)store)->writer, &journal);
}

static void
etcd_fence(struct store *store, view key, uint64_t revision)
{
    etcd_writer_fence(&((struct etcd *)store)->writer, key, revision);
}

static void
etcd_journal_end(struct store *store, struct chain *ret_end)
{
    etcd_writer_journal_end(&((struct etcd *)store)->writer, ret_end);
}

static bool
etcd_backup(struct store *store, const char *path)
{
    UNUSED(store);
    log_err("store: %s: not written; etcd makes copies of itself (etcdctl snapshot save)", path);
    return false;
}

static void
etcd_free(struct etcd *etcd)
{
    grpc_free(etcd->reads);
    pthread_mutex_destroy(&etcd->read_lock);
    free((void *)(uintptr_t)etcd->settings.endpoints);
    free((void *)(uintptr_t)etcd->settings.ca);
    free((void *)(uintptr_t)etcd->settings.certificate);
    free((void *)(uintptr_t)etcd->settings.key);
    free(etcd);
}

static void
etcd_close(struct store *store)
{
    struct etcd *etcd = (struct etcd *)store;

    etcd_watch_end(&etcd->watch);
    etcd_writer_end(&etcd->writer);
    etcd_free(etcd);
}

/* ---- opening ---- */

/* Made by us, or by another node at the same moment: then its id is the store's. */
static bool
id_make(struct etcd *etcd, const struct etcd_name *name, struct entropy *entropy)
{
    struct etcd_txn *txn = etcd_txn_new();
    struct etcd_answer answer = { .cluster = 0 };
    const uint64_t give_up = etcd_now() + etcd->settings.open_ms;
    enum grpc_result result;
    bool made = false;

    if (txn == NULL || !entropy->fill(entropy, etcd->id, ID_LEN)) {
        log_err("store: no memory or no random bytes for an id");
    } else if (etcd_txn_compare(txn, etcd_name_view(name), 0) &&
               etcd_txn_put(txn, etcd_name_view(name), view_of(etcd->id, ID_LEN))) {
        etcd_txn_probe(txn, etcd_name_view(name));
        /* One that happened after all is found by the next. */
        while ((result = etcd_txn_run(etcd->reads, txn, ETCD_ATTEMPT_MS, &answer)) != GRPC_OK &&
               result != GRPC_REFUSED && etcd_now() < give_up) {
            etcd_trouble(&etcd->place, etcd->reads);
            etcd_pause();
        }
        if (result != GRPC_OK) {
            log_err("store: no id was made: %s", grpc_error(etcd->reads));
        } else if (answer.held) {
            etcd->place.base = answer.revision;
            made = true;
        } else if (answer.probed.value.len == ID_LEN) {
            memcpy(etcd->id, answer.probed.value.data, ID_LEN);
            etcd->place.base = answer.probed.revision;
            made = true;
        }
        etcd->place.cluster = answer.cluster;
    }
    etcd_answer_clear(&answer);
    etcd_txn_free(txn);
    return made;
}

/* The first question of all, for which the etcd may have to begin first. */
static bool
id_ask(struct etcd *etcd, const struct etcd_range *range, struct etcd_records *ret_records)
{
    const uint32_t wait_ms = etcd->settings.wait == NULL ? etcd->settings.open_ms : 0;
    enum grpc_result result;
    bool said = false;

    while ((result = etcd_range_ask(&etcd->place, etcd->reads, range, wait_ms, ret_records)) !=
           GRPC_OK) {
        if (result == GRPC_REFUSED || etcd->settings.wait == NULL || !etcd->settings.wait()) {
            log_err("store: no endpoint of etcd answers as it should: %s",
                    grpc_error(etcd->reads));
            return false;
        }
        if (!said) {
            log_wrn("store: etcd is waited for");
            said = true;
        }
    }
    return true;
}

/* The id's record, made where nothing lies under the prefix. False, with a line in the log. */
static bool
id_find(struct etcd *etcd, struct entropy *entropy)
{
    struct etcd_range range = { .limit = 1 };
    struct etcd_records records;
    struct etcd_name id, first, end;
    bool found = false, empty = false;

    etcd_name_make(&etcd->place, "id", VIEW_EMPTY, &id);
    etcd_name_make(&etcd->place, "", VIEW_EMPTY, &first);
    etcd_name_end(&first, &end);
    range.key = etcd_name_view(&id);
    range.end = VIEW_EMPTY;
    if (!id_ask(etcd, &range, &records)) {
        return false;
    }
    if (records.count > 0 && records.records[0].value.len == ID_LEN) {
        memcpy(etcd->id, records.records[0].value.data, ID_LEN);
        etcd->place.base = records.records[0].revision;
        etcd->place.cluster = records.cluster;
        atomic_store(&etcd->place.revision, etcd_relative(&etcd->place, records.revision));
        found = true;
    }
    etcd_records_clear(&records);
    if (found) {
        return true;
    }
    range.key = etcd_name_view(&first);
    range.end = etcd_name_view(&end);
    if (etcd_range_ask(&etcd->place, etcd->reads, &range, ETCD_GIVE_UP_MS, &records) == GRPC_OK) {
        empty = records.count == 0;
        etcd_records_clear(&records);
    }
    if (!empty) {
        log_err("store: what lies in etcd under %s is no store", etcd->place.prefix);
        return false;
    }
    return id_make(etcd, &id, entropy);
}

/* ---- beginning anew ---- */

#define RESTORE_NAME "restore"

/* What may be done twice. */
static bool
anew_run(struct etcd *etcd, const struct etcd_txn *txn, struct etcd_answer *ret_answer)
{
    const uint64_t give_up = etcd_now() + OPEN_MS;
    enum grpc_result result;

    /* One that happened after all happens twice. */
    while ((result = etcd_txn_run(etcd->reads, txn, ETCD_ATTEMPT_MS, ret_answer)) != GRPC_OK &&
           result != GRPC_REFUSED && etcd_now() < give_up) {
        etcd_answer_clear(ret_answer);
        etcd_trouble(&etcd->place, etcd->reads);
        etcd_pause();
    }
    if (result != GRPC_OK) {
        log_err("store: a restore goes no further: %s", grpc_error(etcd->reads));
    }
    return result == GRPC_OK;
}

static bool
anew_begin(struct etcd *etcd, const uint8_t id[ID_LEN])
{
    struct etcd_txn *txn = etcd_txn_new();
    struct etcd_answer answer = { .cluster = 0 };
    struct etcd_name name, mark;
    bool begun;

    memcpy(etcd->id, id, ID_LEN);
    etcd_name_make(&etcd->place, "id", VIEW_EMPTY, &name);
    etcd_name_make(&etcd->place, RESTORE_NAME, VIEW_EMPTY, &mark);
    begun = txn != NULL &&
            etcd_txn_put(txn, etcd_name_view(&name), view_of(etcd->id, ID_LEN)) &&
            etcd_txn_put(txn, etcd_name_view(&mark), view_of(etcd->id, ID_LEN)) &&
            anew_run(etcd, txn, &answer);
    if (begun) {
        etcd->place.base = answer.revision;
        etcd->place.cluster = answer.cluster;
    }
    etcd_answer_clear(&answer);
    etcd_txn_free(txn);
    return begun;
}

bool
etcd_store_restored(struct store *store)
{
    struct etcd *etcd = (struct etcd *)store;
    struct etcd_txn *txn = etcd_txn_new();
    struct etcd_answer answer = { .cluster = 0 };
    struct etcd_name mark;
    bool done;

    etcd_name_make(&etcd->place, RESTORE_NAME, VIEW_EMPTY, &mark);
    pthread_mutex_lock(&etcd->read_lock);
    done = txn != NULL && etcd_txn_compare(txn, etcd_name_view(&mark), etcd->place.base) &&
           etcd_txn_delete(txn, etcd_name_view(&mark));
    if (done) {
        etcd_txn_probe(txn, etcd_name_view(&mark));
        done = anew_run(etcd, txn, &answer);
    }
    pthread_mutex_unlock(&etcd->read_lock);
    if (done && !answer.held && answer.probed.revision != 0) {
        log_err("store: another restore into %s has begun", etcd->place.prefix);
        done = false;
    }
    etcd_answer_clear(&answer);
    etcd_txn_free(txn);
    return done;
}

/* What an earlier try still has under way must not come late, among what this one writes: each
 * begins with a mark of its own, and writes while that is there. */
static void
anew_fence(struct etcd *etcd)
{
    struct etcd_writer *writer = &etcd->writer;

    pthread_mutex_lock(&writer->journal_lock);
    etcd_name_make(&etcd->place, RESTORE_NAME, VIEW_EMPTY, &writer->fence.name);
    writer->fence.revision = etcd->place.base;
    pthread_mutex_unlock(&writer->journal_lock);
}

/* Has somebody begun a restore that has not ended? */
static bool
anew_is_over(struct etcd *etcd)
{
    struct etcd_range range = { .limit = 1 };
    struct etcd_records records;
    struct etcd_name mark;
    bool over;

    etcd_name_make(&etcd->place, RESTORE_NAME, VIEW_EMPTY, &mark);
    range.key = etcd_name_view(&mark);
    if (etcd_range_ask(&etcd->place, etcd->reads, &range, ETCD_GIVE_UP_MS, &records) != GRPC_OK) {
        return false;
    }
    over = records.count == 0;
    etcd_records_clear(&records);
    if (!over) {
        log_err("store: a backup is being restored into %s: start the node that does it",
                etcd->place.prefix);
    }
    return over;
}

/* ---- settings ---- */

static char *
text_dup(const char *text, bool *ret_good)
{
    char *copy = text == NULL ? NULL : strdup(text);

    *ret_good = *ret_good && (text == NULL || copy != NULL);
    return copy;
}

static bool
settings_take(struct etcd *etcd, const struct etcd_settings *settings)
{
    size_t len = strlen(settings->prefix);
    bool good = true;

    if (len < 2 || len > ETCD_PREFIX_MAX || settings->prefix[len - 1] != '/') {
        log_err("store: the prefix has to end in a slash and to have at most %u bytes: %s",
                ETCD_PREFIX_MAX, settings->prefix);
        return false;
    }
    memcpy(etcd->place.prefix, settings->prefix, len + 1);
    etcd->settings = (struct etcd_settings){
        .endpoints = text_dup(settings->endpoints, &good),
        .ca = text_dup(settings->ca, &good),
        .certificate = text_dup(settings->certificate, &good),
        .key = text_dup(settings->key, &good),
        .prefix = etcd->place.prefix,
        .open_ms = settings->open_ms == 0 ? OPEN_MS : settings->open_ms,
        .wait = settings->wait,
    };
    return good;
}

static bool
etcd_begin(struct etcd *etcd, const struct etcd_settings *settings, struct entropy *entropy)
{
    const bool anew = settings->restores != NULL;
    struct grpc *writes;
    bool begun = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK &&
                 settings_take(etcd, settings) &&
                 (etcd->reads = connection_new(etcd, &etcd->place.stop)) != NULL &&
                 (anew ? anew_begin(etcd, settings->restores)
                       : id_find(etcd, entropy) && anew_is_over(etcd)) &&
                 (writes = connection_new(etcd, &etcd->place.stop)) != NULL &&
                 etcd_writer_start(&etcd->writer, &etcd->place, writes, entropy);

    if (begun && anew) {
        anew_fence(etcd);
    }
    return begun;
}

struct store *
etcd_store_open(const struct etcd_settings *settings, struct entropy *entropy)
{
    struct etcd *etcd = calloc(1, sizeof *etcd);

    if (etcd == NULL) {
        log_err("store: no memory");
        return NULL;
    }
    etcd->store = (struct store){
        .id = etcd_id,
        .load_all = etcd_load_all,
        .get = etcd_get,
        .submit = etcd_submit,
        .next_numbers = etcd_next_numbers,
        .each_number = etcd_each_number,
        .journal = etcd_journal,
        .journal_end = etcd_journal_end,
        .revision = etcd_revision,
        .watch = etcd_watch,
        .unwatch = etcd_unwatch,
        .fence = etcd_fence,
        .list = etcd_list,
        .backup = etcd_backup,
        .close = etcd_close,
    };
    pthread_mutex_init(&etcd->read_lock, NULL);
    if (!etcd_begin(etcd, settings, entropy)) {
        etcd_free(etcd);
        return NULL;
    }
    return &etcd->store;
}
