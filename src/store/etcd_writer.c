/* SPDX-License-Identifier: Apache-2.0 */
#include "store/etcd_writer.h"

#include "base/log.h"

#include <stdlib.h>
#include <time.h>

#define FIRST_ATTEMPT_MS 500u
#define ELECTION_MS 2000u
#define USUAL_TIMES 8u /* so often the usual time the first attempt waits, if that is longer */

/* The answer says what became of the transaction, be it this time's or one before whose answer
 * was lost, also to libcurl, which sends a request again by itself when a connection that it kept
 * dies. The number is in no other transaction. */
static enum store_result
answer_judge(struct etcd_writer *writer, const struct etcd_answer *answer, view number,
             uint64_t *ret_revision)
{
    const struct etcd_record *mark = &answer->probed;

    if (!etcd_same(writer->place, answer->cluster, answer->revision)) {
        return STORE_FAILED;
    }
    if (answer->held) {
        writer->mark.revision = answer->revision;
        *ret_revision = answer->revision;
        return STORE_OK;
    }
    if (mark->revision == writer->mark.revision) {
        return STORE_CONFLICT;
    }
    writer->mark.revision = mark->revision;
    if (view_equal(mark->value, number)) {
        *ret_revision = mark->revision;
        return STORE_OK;
    }
    etcd_refuse(writer->place); /* nobody else writes it: older records were put back */
    return STORE_FAILED;
}

/* How long the first attempt waits: a member that is stopped, or cut off, does not say so. One that
 * is only slow is asked twice, which does no harm, and waited for longer the next time. */
static uint32_t
first_attempt(const struct etcd_writer *writer)
{
    const uint64_t wait = writer->usual_ms * USUAL_TIMES;

    return (uint32_t)(wait < FIRST_ATTEMPT_MS  ? FIRST_ATTEMPT_MS
                      : wait > ETCD_ATTEMPT_MS ? ETCD_ATTEMPT_MS
                                               : wait);
}

/* The longest of late, forgotten bit by bit. */
static void
usual_learn(struct etcd_writer *writer, uint64_t took)
{
    const uint64_t less = writer->usual_ms - writer->usual_ms / 8;

    writer->usual_ms = took > less ? took : less;
}

/* Until it is known what became of it: a transaction that may have happened is not given up but
 * when the store closes. */
static enum store_result
group_settle(struct etcd_writer *writer, const struct etcd_group *group, uint64_t *ret_revision)
{
    const view number = view_of(group->number, sizeof group->number);
    const uint64_t first = etcd_now(), end = first + ETCD_GIVE_UP_MS;
    uint32_t attempt = first_attempt(writer);
    struct etcd_answer answer;
    bool lost = false;

    for (;;) {
        const uint64_t began = etcd_now();

        if (atomic_load(&writer->place->refused)) {
            return STORE_FAILED;
        }

        enum grpc_result sent = etcd_txn_run(writer->grpc, group->txn, attempt, &answer);

        if (sent == GRPC_OK) {
            usual_learn(writer, etcd_now() - began);
            enum store_result result = answer_judge(writer, &answer, number, ret_revision);

            etcd_answer_clear(&answer);
            etcd_works(writer->place);
            return result;
        }
        etcd_answer_clear(&answer);
        etcd_trouble(writer->place, writer->grpc);
        lost = lost || sent == GRPC_LOST;
        /* What was given to a leader that is no more is lost: often, until there is another. */
        if (etcd_now() - first > ELECTION_MS) {
            attempt = (uint32_t)size_min(2 * attempt, ETCD_ATTEMPT_MS);
        }
        if (!lost && (sent == GRPC_REFUSED || etcd_now() > end)) {
            return STORE_FAILED;
        }
        if (atomic_load(&writer->place->stop)) {
            return STORE_UNKNOWN;
        }
        etcd_pause();
    }
}

static struct etcd_waiting *
waiting_end(struct etcd_waiting *s, size_t count, enum store_result result, uint64_t revision)
{
    while (count-- > 0) {
        struct etcd_waiting *next = s->next;

        s->done(s->arg, result, revision);
        free(s->txn);
        free(s);
        s = next;
    }
    return s;
}

/* Runs some from first on. The first that was not run; those of a group that failed are all left
 * and counted in *ret_alone, to be run one by one. */
static struct etcd_waiting *
group_run(struct etcd_writer *writer, struct etcd_waiting *first, size_t max, size_t *ret_alone)
{
    struct etcd_group group;
    struct journal journal;
    struct etcd_fence fence;
    uint64_t revision = 0;
    enum store_result result = STORE_FAILED;
    size_t count;

    pthread_mutex_lock(&writer->journal_lock);
    journal = writer->journal;
    fence = writer->fence;
    etcd_group_make(writer->place, &writer->mark, &fence, &journal, first, max, &group);
    pthread_mutex_unlock(&writer->journal_lock); /* who keeps the journal may go now */
    if (!group.broken) {
        result = group_settle(writer, &group, &revision);
    }
    count = group.count;
    if (result == STORE_OK) {
        etcd_revision_seen(writer->place, etcd_relative(writer->place, revision));
        pthread_mutex_lock(&writer->journal_lock);
        writer->journal.end = group.journal.end;
        pthread_mutex_unlock(&writer->journal_lock);
    }
    etcd_group_clear(&group);
    if (count > 1 && result != STORE_OK && result != STORE_UNKNOWN) {
        *ret_alone = count;
        return first;
    }
    *ret_alone -= size_min(*ret_alone, count);
    return waiting_end(first, count, result, etcd_relative(writer->place, revision));
}

/* NULL when the store closes and none are left. */
static struct etcd_waiting *
queue_take(struct etcd_writer *writer)
{
    struct etcd_waiting *all;

    pthread_mutex_lock(&writer->queue_lock);
    while (writer->first == NULL && !writer->closing) {
        pthread_cond_wait(&writer->queue_filled, &writer->queue_lock);
    }
    all = writer->first;
    writer->first = NULL;
    writer->last = &writer->first;
    pthread_mutex_unlock(&writer->queue_lock);
    return all;
}

static void *
writer_run(void *arg)
{
    struct etcd_writer *writer = arg;
    struct etcd_waiting *waiting;

    while ((waiting = queue_take(writer)) != NULL) {
        size_t alone = 0;

        while (waiting != NULL) {
            waiting = group_run(writer, waiting, alone > 0 ? 1 : ETCD_GROUP_STEPS, &alone);
        }
    }
    return NULL;
}

static void
parts_clear(struct etcd_writer *writer)
{
    grpc_free(writer->grpc);
    pthread_mutex_destroy(&writer->queue_lock);
    pthread_cond_destroy(&writer->queue_filled);
    pthread_mutex_destroy(&writer->journal_lock);
}

static bool
mark_name(struct etcd_writer *writer, struct entropy *entropy)
{
    uint8_t name[16];
    char text[2 * sizeof name + 1];

    if (!entropy->fill(entropy, name, sizeof name)) {
        log_err("store: no random bytes");
        return false;
    }
    hex_encode(view_of(name, sizeof name), text);
    etcd_name_make(writer->place, "w/", view_str(text), &writer->mark.name);
    return true;
}

bool
etcd_writer_start(struct etcd_writer *writer, struct etcd_place *place, struct grpc *grpc,
                  struct entropy *entropy)
{
    *writer = (struct etcd_writer){ .place = place, .grpc = grpc };
    if (!mark_name(writer, entropy)) {
        grpc_free(grpc);
        return false;
    }
    writer->last = &writer->first;
    pthread_mutex_init(&writer->queue_lock, NULL);
    pthread_cond_init(&writer->queue_filled, NULL);
    pthread_mutex_init(&writer->journal_lock, NULL);
    if (pthread_create(&writer->thread, NULL, writer_run, writer) != 0) {
        log_err("store: the writer's thread does not start");
        parts_clear(writer);
        return false;
    }
    return true;
}

/* Nobody asks for it any more. One that stays, as after a crash, does no harm. */
static void
mark_remove(struct etcd_writer *writer)
{
    struct etcd_txn *txn = etcd_txn_new();
    struct etcd_answer answer;

    if (txn != NULL && writer->mark.revision != 0 && !atomic_load(&writer->place->stop) &&
        etcd_txn_delete(txn, etcd_name_view(&writer->mark.name)) &&
        etcd_txn_run(writer->grpc, txn, ETCD_ATTEMPT_MS, &answer) == GRPC_OK) {
        etcd_answer_clear(&answer);
    }
    etcd_txn_free(txn);
}

void
etcd_writer_end(struct etcd_writer *writer)
{
    struct timespec until;

    pthread_mutex_lock(&writer->queue_lock);
    writer->closing = true;
    pthread_cond_signal(&writer->queue_filled);
    pthread_mutex_unlock(&writer->queue_lock);
    /* An etcd that does not answer is not waited for. */
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ETCD_GIVE_UP_MS / 1000 + 1;
    if (pthread_timedjoin_np(writer->thread, NULL, &until) != 0) {
        atomic_store(&writer->place->stop, true);
        pthread_join(writer->thread, NULL);
    }
    mark_remove(writer);
    parts_clear(writer);
}

void
etcd_writer_submit(struct etcd_writer *writer, const struct store_txn *txn, store_done *done,
                   void *arg)
{
    struct etcd_waiting *waiting = txn_fits(txn) ? calloc(1, sizeof *waiting) : NULL;

    if (waiting == NULL || (waiting->txn = txn_dup(txn)) == NULL) {
        free(waiting);
        done(arg, STORE_FAILED, 0);
        return;
    }
    waiting->done = done;
    waiting->arg = arg;
    pthread_mutex_lock(&writer->queue_lock);
    *writer->last = waiting;
    writer->last = &waiting->next;
    pthread_cond_signal(&writer->queue_filled);
    pthread_mutex_unlock(&writer->queue_lock);
}

void
etcd_writer_journal(struct etcd_writer *writer, const struct journal *journal)
{
    pthread_mutex_lock(&writer->journal_lock);
    writer->journal = *journal;
    pthread_mutex_unlock(&writer->journal_lock);
}

void
etcd_writer_fence(struct etcd_writer *writer, view key, uint64_t revision)
{
    struct etcd_fence fence = { .revision = etcd_absolute(writer->place, revision) };

    if (key.len > 0) {
        etcd_name_make(writer->place, "k/", key, &fence.name);
    }
    pthread_mutex_lock(&writer->journal_lock);
    writer->fence = fence;
    pthread_mutex_unlock(&writer->journal_lock);
}

void
etcd_writer_journal_end(struct etcd_writer *writer, struct chain *ret_end)
{
    pthread_mutex_lock(&writer->journal_lock);
    *ret_end = writer->journal.end;
    pthread_mutex_unlock(&writer->journal_lock);
}
