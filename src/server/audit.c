/* SPDX-License-Identifier: Apache-2.0
 *
 * The writer of the audit trail. What is read out of the ring stays in it until it is on the disk;
 * after a failure the file is cut back to its good part and all is written again.
 */
#include "server/audit.h"

#include "base/clock.h"
#include "base/log.h"
#include "server/audit_export.h"
#include "server/ring.h"
#include "store/audit_files.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define RING_PLACES 32768u
#define BATCH_MAX 4096u
#define OUT_MAX (2u * 1024u * 1024u)
#define WRITE_MS 100u
#define HEAD_MS 10000u
#define FILE_LEN_MAX (32u * 1024u * 1024u)

struct trail {
    struct audit audit; /* first, so that an audit is its trail */
    int folder;
    struct ring *ring;
    _Atomic bool open;    /* records can be taken: started, and writing does not fail */
    struct hsm *hsm;
    struct trail_begin begin; /* of the next file; its node points at serial */
    char serial[TRAIL_NODE_MAX + 1];

    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping; /* under lock, as the two below */
    char syslog[256];
    uint64_t limit;

    /* The writer's own. */
    int fd;               /* -1: the next write begins a file */
    struct audit_file file;
    uint64_t len;         /* of the file's good part */
    struct chain chain;
    uint64_t head_at;     /* monotonic milliseconds of the last head */
    struct chain head;    /* right after the last head: nothing new, no new head */
    struct writer out;
    struct export *export; /* NULL: there is none */
    uint64_t files_limit;  /* what limit was */
    int trouble;          /* errno that was logged last, 0 when all is well */
};

static bool
trail_failed(struct trail *trail, const char *doing, int error)
{
    atomic_store(&trail->open, false);
    if (error != trail->trouble) {
        trail->trouble = error;
        log_err("audit trail: %s: %s; nothing that needs a record is done until it works", doing,
                strerror(error));
    }
    return false;
}

/* ---- the port: any thread ---- */

static bool
trail_reserve(struct audit *audit)
{
    struct trail *trail = (struct trail *)audit;

    return atomic_load_explicit(&trail->open, memory_order_relaxed) && ring_reserve(trail->ring);
}

static void
trail_append(struct audit *audit, view record)
{
    struct trail *trail = (struct trail *)audit;

    ring_put(trail->ring, record);
    if (ring_filling(trail->ring)) {
        pthread_cond_signal(&trail->wake); /* one that is missed costs 100 ms, no more */
    }
}

static void
trail_release(struct audit *audit)
{
    ring_release(((struct trail *)audit)->ring);
}

/* ---- the writer ---- */

/* Makes the next file. Its first entry waits in out, like all others. */
static bool
file_begin(struct trail *trail, struct chain *chain)
{
    uint8_t room[256];
    struct writer body;

    trail->len = 0;
    trail->file = audit_file_name(chain->count + 1);
    /* What is there under this name has not one good entry, or the number would be higher. */
    trail->fd = openat(trail->folder, trail->file.name,
                       O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (trail->fd < 0 || fsync(trail->folder) != 0) {
        return trail_failed(trail, "create", errno);
    }
    trail->begin.before = *chain;
    trail->begin.time = clock_ms(CLOCK_REALTIME);
    writer_init_fixed(&body, room, sizeof room);
    trail_begin_write(&body, &trail->begin);
    return writer_ok(&body) &&
           trail_entry_write(&trail->out, chain, TRAIL_BEGIN, writer_view(&body));
}

static bool
head_add(struct trail *trail, struct chain *chain)
{
    uint8_t room[256];
    struct writer body;

    writer_init_fixed(&body, room, sizeof room);
    return hsm_audit_head(trail->hsm, chain, &body) &&
           trail_entry_write(&trail->out, chain, TRAIL_HEAD, writer_view(&body));
}

/* Behind the good part; what failed is cut off, as far as the disk allows. */
static bool
file_write(struct trail *trail)
{
    view out = writer_view(&trail->out);
    size_t done = 0;

    while (done < out.len) {
        ssize_t wrote = pwrite(trail->fd, out.data + done, out.len - done,
                               (off_t)(trail->len + done));

        if (wrote < 0 && errno == EINTR) {
            continue;
        }
        if (wrote <= 0) {
            int error = wrote < 0 ? errno : ENOSPC;

            (void)!ftruncate(trail->fd, (off_t)trail->len);
            return trail_failed(trail, "write", error);
        }
        done += (size_t)wrote;
    }
    if (fdatasync(trail->fd) != 0) {
        return trail_failed(trail, "sync", errno);
    }
    return true;
}

/* A round: up to a batch of records, and a head when one is due. *ret_count: how many. */
static bool
trail_round(struct trail *trail, bool last, size_t *ret_count)
{
    uint64_t now = clock_ms(CLOCK_MONOTONIC);
    const uint64_t first = trail->chain.count + 1;
    struct chain chain = trail->chain;
    bool good = true;
    size_t count = 0;
    view record;
    bool head;

    writer_reset(&trail->out);
    if (trail->fd < 0 && !file_begin(trail, &chain)) {
        return false;
    }
    while (good && count < BATCH_MAX && ring_peek(trail->ring, count, &record)) {
        good = trail_entry_write(&trail->out, &chain, TRAIL_RECORD, record);
        count++;
    }
    /* After trouble one is written in any case: only writing shows that it is over. */
    head = trail->trouble != 0 || ((last || now - trail->head_at >= HEAD_MS) &&
                                   count < BATCH_MAX && !chain_equal(&chain, &trail->head));
    if (good && head) {
        good = head_add(trail, &chain);
    }
    if (!good) {
        return trail_failed(trail, "prepare", ENOMEM);
    }
    if (trail->out.len > 0 && !file_write(trail)) {
        return false;
    }
    trail->len += trail->out.len;
    trail->chain = chain;
    if (head) {
        trail->head = chain;
        trail->head_at = now;
    }
    if (trail->export != NULL) {
        export_entries(trail->export, writer_view(&trail->out), view_str(trail->serial), first);
    }
    ring_take(trail->ring, count);
    if (trail->len >= FILE_LEN_MAX) {
        close(trail->fd);
        trail->fd = -1;
    }
    if (trail->trouble != 0) {
        trail->trouble = 0;
        log_inf("audit trail: works again");
    }
    atomic_store(&trail->open, true);
    *ret_count = count;
    return true;
}

/* Oldest first, and never the one that is written. */
static void
files_let_go(struct trail *trail)
{
    struct audit_file *files;
    uint64_t total = 0;
    size_t count;
    struct stat st;

    if (trail->files_limit == 0 || !audit_files_list(trail->folder, &files, &count)) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        total += fstatat(trail->folder, files[i].name, &st, 0) == 0 ? (uint64_t)st.st_size : 0;
    }
    for (size_t i = 0; i + 1 < count && total > trail->files_limit; i++) {
        if (fstatat(trail->folder, files[i].name, &st, 0) != 0 ||
            unlinkat(trail->folder, files[i].name, 0) != 0) {
            log_wrn("audit trail: %s: %s", files[i].name, strerror(errno));
            break;
        }
        total -= (uint64_t)st.st_size;
        log_inf("audit trail: let %s go, which was the oldest: audit_limit is reached",
                files[i].name);
    }
    free(files);
}

/* All that waits. A file that could not even be begun is begun anew the next time. */
static bool
trail_flush(struct trail *trail, bool last)
{
    size_t count = BATCH_MAX;

    if (trail->fd < 0) {
        files_let_go(trail);
    }
    while (count == BATCH_MAX) {
        if (!trail_round(trail, last, &count)) {
            if (trail->len == 0 && trail->fd >= 0) {
                close(trail->fd);
                trail->fd = -1;
            }
            return false;
        }
    }
    return true;
}

/* What audit_set() asked for, by the thread that it concerns. Under lock. */
static void
trail_adopt(struct trail *trail)
{
    if (strcmp(trail->syslog, trail->export == NULL ? "" : export_path(trail->export)) != 0) {
        export_free(trail->export);
        trail->export = trail->syslog[0] == '\0' ? NULL : export_new(trail->syslog);
    }
    if (trail->files_limit != trail->limit) {
        trail->files_limit = trail->limit;
        files_let_go(trail);
    }
}

void
audit_set(struct audit *audit, const char *syslog, uint64_t limit)
{
    struct trail *trail = (struct trail *)audit;

    pthread_mutex_lock(&trail->lock);
    snprintf(trail->syslog, sizeof trail->syslog, "%s", syslog);
    trail->limit = limit;
    pthread_cond_signal(&trail->wake);
    pthread_mutex_unlock(&trail->lock);
}

static void *
trail_run(void *arg)
{
    struct trail *trail = arg;
    struct timespec limit;
    bool stopping;

    pthread_setname_np(pthread_self(), "audit");
    do {
        clock_gettime(CLOCK_MONOTONIC, &limit);
        limit.tv_nsec += (long)WRITE_MS * 1000000;
        if (limit.tv_nsec >= 1000000000) {
            limit.tv_sec++;
            limit.tv_nsec -= 1000000000;
        }
        pthread_mutex_lock(&trail->lock);
        if (!trail->stopping) {
            pthread_cond_timedwait(&trail->wake, &trail->lock, &limit);
        }
        stopping = trail->stopping;
        trail_adopt(trail);
        pthread_mutex_unlock(&trail->lock);
        (void)trail_flush(trail, stopping); /* logged; the next round tries again */
    } while (!stopping);
    return NULL;
}

/* ---- start and end ---- */

struct last {
    bool head_found;
    struct audit_head head;
    const uint8_t *key;
};

static bool
last_visit(void *arg, const struct audit_entry *entry)
{
    struct last *last = arg;

    if (entry->kind == TRAIL_HEAD && audit_head_read(entry->body, last->key, &last->head)) {
        last->head_found = true;
    }
    return true;
}

/* Where the newest file ends that has a good entry, and the last head in it. */
static bool
trail_find_end(struct trail *trail, struct last *last)
{
    struct audit_file *files;
    size_t count, left;
    bool good = true;

    if (!audit_files_list(trail->folder, &files, &count)) {
        return false;
    }
    while (good && count > 0 && trail->chain.count == 0) {
        good = audit_file_walk(trail->folder, &files[--count], &trail->chain, last_visit, last,
                               &left);
        if (good && left > 0) {
            log_wrn("audit trail: %s ends with %zu bytes that are no record: the node ended "
                    "without warning, or someone was at it",
                    files[count].name, left);
        }
    }
    free(files);
    return good;
}

static bool
store_is_older(struct trail *trail, const struct last *last)
{
    uint8_t room[256];
    struct writer body;
    struct audit_head now;

    writer_init_fixed(&body, room, sizeof room);
    return last->head_found && hsm_audit_head(trail->hsm, &trail->chain, &body) &&
           audit_head_read(writer_view(&body), last->key, &now) &&
           now.journal.count < last->head.journal.count;
}

static bool
trail_prepare(struct trail *trail, bool accept_older)
{
    struct last last = { .key = trail->begin.key };

    if (!hsm_audit_identity(trail->hsm, trail->begin.store_id, trail->begin.key, trail->serial) ||
        !trail_find_end(trail, &last)) {
        return false;
    }
    trail->begin.node = view_str(trail->serial);
    if (store_is_older(trail, &last)) {
        if (!accept_older) {
            log_err("the store is older than the audit trail: was an old copy put back? if that "
                    "is meant to be, start once with --accept-older-store");
            return false;
        }
        log_wrn("the store is older than the audit trail, and that was accepted");
    }
    return true;
}

bool
audit_start(struct audit *audit, struct hsm *hsm, bool accept_older)
{
    struct trail *trail = (struct trail *)audit;

    trail->hsm = hsm;
    if (!trail_prepare(trail, accept_older) || !trail_flush(trail, true)) {
        return false;
    }
    if (pthread_create(&trail->thread, NULL, trail_run, trail) != 0) {
        log_err("audit trail: its thread does not start");
        return false;
    }
    trail->started = true;
    return true;
}

void
audit_stop(struct audit *audit)
{
    struct trail *trail = (struct trail *)audit;

    if (trail == NULL || !trail->started) {
        return;
    }
    pthread_mutex_lock(&trail->lock);
    trail->stopping = true;
    pthread_cond_signal(&trail->wake);
    pthread_mutex_unlock(&trail->lock);
    pthread_join(trail->thread, NULL);
    trail->started = false;
    atomic_store(&trail->open, false);
}

static void
wake_init(pthread_cond_t *wake)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(wake, &attributes);
    pthread_condattr_destroy(&attributes);
}

struct audit *
audit_open(const char *path)
{
    struct trail *trail = calloc(1, sizeof *trail);
    int folder = -1;

    if (mkdir(path, 0700) == 0 || errno == EEXIST) {
        folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    }
    if (trail == NULL || folder < 0 || (trail->ring = ring_new(RING_PLACES)) == NULL) {
        log_err("audit trail %s: %s", path, strerror(errno));
        if (folder >= 0) {
            close(folder);
        }
        free(trail);
        return NULL;
    }
    trail->audit = (struct audit){ trail_reserve, trail_append, trail_release };
    trail->folder = folder;
    trail->fd = -1;
    writer_init(&trail->out, OUT_MAX);
    pthread_mutex_init(&trail->lock, NULL);
    wake_init(&trail->wake);
    return &trail->audit;
}

void
audit_close(struct audit *audit)
{
    struct trail *trail = (struct trail *)audit;

    if (trail == NULL) {
        return;
    }
    audit_stop(audit);
    if (trail->fd >= 0) {
        close(trail->fd);
    }
    close(trail->folder);
    export_free(trail->export);
    writer_clear(&trail->out);
    ring_free(trail->ring);
    pthread_cond_destroy(&trail->wake);
    pthread_mutex_destroy(&trail->lock);
    free(trail);
}
