/* SPDX-License-Identifier: Apache-2.0 */
#include "core/follow.h"

#include "core/birth.h"
#include "core/journal.h"
#include "core/load.h"

#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BEAT_PREFIX VIEW_TEXT("l/")
#define BEAT_PLAIN_LEN 25u
#define BEAT_VALUE_MAX 128u
#define CATCH_UP_MS 3000u
#define BARRIER_MS 8000u

/* What beats under way have of the node; it may be gone when they end. */
struct follow_link {
    pthread_mutex_t lock; /* recursive: an engine may end a transaction before submit() returns */
    struct hsm *hsm;      /* under lock; NULL: it has gone */
    _Atomic unsigned refs;
};

bool
follow_init(struct follow *follow)
{
    pthread_mutexattr_t attributes;
    bool made;

    atomic_init(&follow->stale_limit, STALE_MS);
    atomic_init(&follow->stuck, UINT64_MAX);
    follow->link = calloc(1, sizeof *follow->link);
    if (follow->link == NULL) {
        return false;
    }
    atomic_init(&follow->link->refs, 1);
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    made = pthread_mutex_init(&follow->link->lock, &attributes) == 0 &&
           pthread_mutex_init(&follow->lock, NULL) == 0 &&
           pthread_cond_init(&follow->moved, NULL) == 0;
    pthread_mutexattr_destroy(&attributes);
    return made;
}

static void
link_leave(struct follow_link *link)
{
    if (atomic_fetch_sub(&link->refs, 1) == 1) {
        pthread_mutex_destroy(&link->lock);
        free(link);
    }
}

void
follow_clear(struct follow *follow)
{
    if (follow->link == NULL) {
        return;
    }
    pthread_mutex_lock(&follow->link->lock);
    follow->link->hsm = NULL;
    pthread_mutex_unlock(&follow->link->lock);
    link_leave(follow->link);
    follow->link = NULL;
    pthread_cond_destroy(&follow->moved);
    pthread_mutex_destroy(&follow->lock);
}

static uint64_t
now_of(struct hsm *hsm)
{
    return hsm->ports.clock->monotonic(hsm->ports.clock);
}

/* How long it is that this node knew everything. The clock is read last: a beat that is heard
 * between the two would have been sent after it. */
static uint64_t
age_of(struct hsm *hsm)
{
    const uint64_t fresh = atomic_load(&hsm->follow.fresh);

    return fresh == 0 ? UINT64_MAX /* never */ : now_of(hsm) - fresh;
}

/* Threads wait by the host's time, whatever the HSM's clock says. */
static struct timespec
limit_in(uint32_t ms)
{
    struct timespec limit;

    clock_gettime(CLOCK_MONOTONIC, &limit);
    limit.tv_sec += ms / 1000;
    limit.tv_nsec += (long)(ms % 1000) * 1000000;
    limit.tv_sec += limit.tv_nsec / 1000000000;
    limit.tv_nsec %= 1000000000;
    return limit;
}

bool
follow_passed(struct hsm *hsm, uint64_t revision)
{
    return atomic_load(&hsm->follow.on) && revision <= atomic_load(&hsm->follow.reached);
}

bool
follow_await(struct hsm *hsm, uint64_t revision, uint32_t ms)
{
    struct follow *follow = &hsm->follow;
    struct timespec limit;
    int waited = 0;

    if (revision <= atomic_load(&follow->reached)) {
        return true;
    }
    limit = limit_in(ms);
    pthread_mutex_lock(&follow->lock);
    while (revision > atomic_load(&follow->reached) && waited != ETIMEDOUT) {
        waited = pthread_cond_clockwait(&follow->moved, &follow->lock, CLOCK_MONOTONIC, &limit);
    }
    pthread_mutex_unlock(&follow->lock);
    return revision <= atomic_load(&follow->reached);
}

/* ---- beats ---- */

struct beat {
    struct follow_link *link;
    char name[2 + 16 + 1];
    uint8_t room[BEAT_VALUE_MAX];
    struct writer record;
    struct store_change change;
    struct store_txn txn;
};

static view
beat_name(const char *node, char name[2 + 16 + 1])
{
    snprintf(name, 2 + 16 + 1, "l/%.16s", node);
    return view_str(name);
}

bool
beat_name_is(view key)
{
    return key.len > BEAT_PREFIX.len && key.len <= BEAT_PREFIX.len + 16 &&
           view_equal(view_slice(key, 0, BEAT_PREFIX.len), BEAT_PREFIX);
}

/* The next beat of this node, sealed; it counts as sent now. asks: who hears it beats at once. */
static bool
beat_make(struct hsm *hsm, struct beat *beat, bool asks)
{
    struct follow *follow = &hsm->follow;
    uint8_t plain[BEAT_PLAIN_LEN];
    view name = beat_name(hsm->node, beat->name);
    uint64_t number;

    pthread_mutex_lock(&follow->lock);
    number = ++follow->beats;
    follow->sent[number % FOLLOW_BEATS] = now_of(hsm);
    pthread_mutex_unlock(&follow->lock);
    store_u64(plain, hsm->changes.boot);
    store_u64(plain + 8, number);
    store_u64(plain + 16, atomic_load(&follow->reached));
    plain[24] = asks ? 1 : 0;
    writer_init_fixed(&beat->record, beat->room, sizeof beat->room);
    if (record_seal(&hsm->sealer, name, 0, 1, view_of(plain, sizeof plain), &beat->record) !=
        CKR_OK) {
        return false;
    }
    beat->change = (struct store_change){ name, writer_view(&beat->record), false };
    beat->txn = (struct store_txn){ .changes = &beat->change, .change_count = 1 };
    return true;
}

static void beat_send(struct hsm *hsm);

static void
beat_done(void *arg, enum store_result result, uint64_t revision)
{
    struct beat *beat = arg;
    struct follow_link *link = beat->link;

    UNUSED(revision);
    free(beat);
    pthread_mutex_lock(&link->lock);
    if (link->hsm != NULL) {
        struct follow *follow = &link->hsm->follow;
        bool again;

        pthread_mutex_lock(&follow->lock);
        follow->beating = false;
        again = follow->again && result == STORE_OK;
        follow->again = false;
        pthread_mutex_unlock(&follow->lock);
        if (again) {
            beat_send(link->hsm);
        }
    }
    pthread_mutex_unlock(&link->lock);
    link_leave(link);
}

/* And does not wait. One that is asked for while another is on its way follows it. */
static void
beat_send(struct hsm *hsm)
{
    struct follow *follow = &hsm->follow;
    struct beat *beat;
    bool goes;

    if (!atomic_load(&follow->on)) {
        return;
    }
    pthread_mutex_lock(&follow->lock);
    goes = !follow->beating;
    follow->again = follow->again || !goes;
    follow->beating = true;
    pthread_mutex_unlock(&follow->lock);
    if (!goes) {
        return;
    }
    beat = calloc(1, sizeof *beat);
    if (beat == NULL || !beat_make(hsm, beat, false)) {
        free(beat);
        pthread_mutex_lock(&follow->lock);
        follow->beating = false;
        pthread_mutex_unlock(&follow->lock);
        return;
    }
    beat->link = follow->link;
    atomic_fetch_add(&beat->link->refs, 1);
    hsm->ports.store->submit(hsm->ports.store, &beat->txn, beat_done, beat);
}

static struct follow_member *
member_of(struct follow *follow, view node)
{
    struct follow_member *member;

    for (size_t i = 0; i < follow->member_count; i++) {
        if (view_equal(view_str(follow->members[i].node), node)) {
            return &follow->members[i];
        }
    }
    if (follow->member_count == FOLLOW_NODES_MAX) {
        return NULL;
    }
    member = &follow->members[follow->member_count++];
    *member = (struct follow_member){ .heard = 0 };
    memcpy(member->node, node.data, node.len);
    return member;
}

/* Under the lock. */
static void
member_drop(struct follow *follow, view node)
{
    for (size_t i = 0; i < follow->member_count; i++) {
        if (view_equal(view_str(follow->members[i].node), node)) {
            follow->members[i] = follow->members[--follow->member_count];
            break;
        }
    }
}

/* Our own, sent by this boot: all that was committed before it was sent has been told. */
static void
beat_own(struct hsm *hsm, uint64_t number)
{
    struct follow *follow = &hsm->follow;

    if (number <= follow->beats && follow->beats - number < FOLLOW_BEATS) {
        uint64_t sent = follow->sent[number % FOLLOW_BEATS];

        if (sent > atomic_load(&follow->fresh)) {
            fence_heard(hsm, sent - atomic_load(&follow->fresh));
            atomic_store(&follow->fresh, sent);
        }
    }
}

static void
beat_heard(struct hsm *hsm, const struct store_event *event)
{
    struct follow *follow = &hsm->follow;
    view node = view_slice(event->key, BEAT_PREFIX.len, event->key.len - BEAT_PREFIX.len);
    bool own = view_equal(node, view_str(hsm->node));
    uint8_t room[BEAT_PLAIN_LEN];
    struct follow_member *member;
    struct writer plain;
    uint64_t version;
    bool asked = false;

    writer_init_fixed(&plain, room, sizeof room);
    if (!event->deleted && (record_open(&hsm->sealer, event->key, 0, event->value, &version,
                                        &plain) != CKR_OK ||
                            plain.len != BEAT_PLAIN_LEN)) {
        log_err("the beat of node %.*s does not open", (int)node.len, (const char *)node.data);
        return;
    }
    pthread_mutex_lock(&follow->lock);
    if (own && !event->deleted && load_u64(room) == hsm->changes.boot) {
        beat_own(hsm, load_u64(room + 8));
    } else if (event->deleted) {
        member_drop(follow, node);
    } else if (!own && (member = member_of(follow, node)) != NULL) {
        member->boot = load_u64(room);
        member->applied = load_u64(room + 16);
        member->heard = now_of(hsm);
        member->revision = event->revision;
        member->missed = false;
        asked = room[24] == 1;
    }
    pthread_mutex_unlock(&follow->lock);
    follow->hurry = follow->hurry || asked;
}

void
follow_found(struct hsm *hsm, view key, view value, uint64_t revision)
{
    const struct store_event event = { key, value, false, revision };

    beat_heard(hsm, &event);
}

/* ---- what the store tells ---- */

/* What every node has to know of before it is acknowledged. */
static bool
is_revocation(const struct store_event *event)
{
    return (event->deleted && event->key.data[0] == 'o') || event->key.data[0] == 'u' ||
           event->key.data[0] == 'm';
}

static void
revision_raise(_Atomic uint64_t *revision, uint64_t to)
{
    uint64_t seen = atomic_load(revision);

    while (seen < to && !atomic_compare_exchange_weak(revision, &seen, to)) {
    }
}

void
follow_seen(struct hsm *hsm, uint64_t revision)
{
    revision_raise(&hsm->revision, revision);
}

static void
on_change(void *arg, const struct store_event *event)
{
    struct hsm *hsm = arg;
    struct follow *follow = &hsm->follow;
    CK_RV rv = CKR_OK;

    if (beat_name_is(event->key)) {
        beat_heard(hsm, event);
        return;
    }
    /* First, so that nobody reads it and is told a revision before it. */
    follow_seen(hsm, event->revision);
    if (load_is_apart(event->key)) {
        if (view_equal(event->key, PARTITION_NAME) && !event->deleted &&
            event->revision > hsm->partition_revision) {
            hsm_renew(hsm); /* another policy: taken up when the partition is opened */
        }
        return;
    }
    if (event->deleted) {
        load_gone(hsm, event->key, event->revision);
    } else {
        rv = load_put(hsm, event->key, event->value, event->revision);
    }
    if (rv != CKR_OK) {
        log_err("record %.*s, which another node wrote, is not understood: %s",
                (int)event->key.len, (const char *)event->key.data,
                rv == CKR_HOST_MEMORY ? "memory is short" : "is that node of a later version?");
    }
    follow->missed = follow->missed || rv == CKR_HOST_MEMORY;
    follow->hurry = follow->hurry || is_revocation(event);
}

static void
on_lost(void *arg)
{
    struct hsm *hsm = arg;

    while (atomic_load(&hsm->follow.on) && !follow_compare(hsm, false)) {
        const struct timespec pause = { 0, 200 * 1000000 };

        nanosleep(&pause, NULL);
    }
}

static void
on_reached(void *arg, uint64_t revision)
{
    struct hsm *hsm = arg;
    struct follow *follow = &hsm->follow;

    if (follow->missed) {
        follow->missed = false;
        on_lost(hsm);
    }
    pthread_mutex_lock(&follow->lock);
    revision_raise(&follow->reached, revision);
    pthread_cond_broadcast(&follow->moved);
    pthread_mutex_unlock(&follow->lock);
    if (follow->hurry) {
        follow->hurry = false;
        beat_send(hsm);
    }
}

bool
follow_start(struct hsm *hsm, uint64_t after)
{
    struct store *store = hsm->ports.store;
    const struct store_watcher watcher = { on_change, on_reached, on_lost, hsm };

    if (store->watch == NULL) {
        return true;
    }
    hsm->follow.link->hsm = hsm;
    atomic_store(&hsm->follow.reached, after);
    atomic_store(&hsm->follow.on, true);
    if (!store->watch(store, after, &watcher)) {
        atomic_store(&hsm->follow.on, false);
        return false;
    }
    if (!follow_catch_up(hsm)) {
        log_wrn("the store does not tell what other nodes do; until it does, nothing is answered");
    }
    return true;
}

void
follow_stop(struct hsm *hsm)
{
    struct follow *follow = &hsm->follow;
    struct store *store = hsm->ports.store;
    char name[2 + 16 + 1];
    const struct store_change change = { beat_name(hsm->node, name), VIEW_EMPTY, true };
    const struct store_txn txn = { .changes = &change, .change_count = 1 };
    uint64_t revision;
    bool heard;

    if (!atomic_load(&follow->on)) {
        return;
    }
    heard = age_of(hsm) <= FENCE_MS;
    atomic_store(&follow->on, false);
    store->unwatch(store);
    pthread_mutex_lock(&follow->link->lock);
    follow->link->hsm = NULL;
    pthread_mutex_unlock(&follow->link->lock);
    /* Nobody waits for a node that has gone; where this is not written they do for LEASE_MS. */
    if (heard && store_commit(store, &txn, &revision) != STORE_OK) {
        log_wrn("the other nodes are not told that this one ends");
    }
}

/* ---- questions ---- */

bool
follow_catch_up(struct hsm *hsm)
{
    struct beat beat = { .link = NULL };
    uint64_t revision = 0;

    return beat_make(hsm, &beat, false) &&
           store_commit(hsm->ports.store, &beat.txn, &revision) == STORE_OK &&
           follow_await(hsm, revision, CATCH_UP_MS);
}

bool
follow_ask(struct hsm *hsm, uint64_t *ret_revision)
{
    struct beat beat = { .link = NULL };

    return beat_make(hsm, &beat, true) &&
           store_commit(hsm->ports.store, &beat.txn, ret_revision) == STORE_OK;
}

void
follow_barrier_all(struct hsm *hsm)
{
    uint64_t revision = 0;

    if (follow_ask(hsm, &revision)) {
        follow_barrier(hsm, revision);
    }
}

bool
follow_is_fresh(struct hsm *hsm)
{
    struct follow *follow = &hsm->follow;
    uint64_t limit = atomic_load(&follow->stale_limit);

    limit = limit < FENCE_MS ? FENCE_MS : limit;
    return !atomic_load(&follow->on) || (!fence_is_lost(hsm) && age_of(hsm) <= limit);
}

bool
follow_is_over(struct hsm *hsm, view node, uint64_t boot, uint64_t at)
{
    struct follow *follow = &hsm->follow;
    bool over = true;

    pthread_mutex_lock(&follow->lock);
    for (size_t i = 0; i < follow->member_count; i++) {
        const struct follow_member *member = &follow->members[i];

        if (view_equal(view_str(member->node), node)) {
            over = member->boot != boot ||
                   (at > member->heard && at - member->heard >= LEASE_MS);
        }
    }
    pthread_mutex_unlock(&follow->lock);
    return over;
}

/* Under the lock: one who has not got so far, and may use keys all the same; NULL: nobody. */
static const struct follow_member *
member_behind(struct hsm *hsm, uint64_t revision)
{
    const struct follow *follow = &hsm->follow;
    uint64_t now = now_of(hsm);

    for (size_t i = 0; i < follow->member_count; i++) {
        const struct follow_member *member = &follow->members[i];

        if (member->applied < revision && now - member->heard < LEASE_MS) {
            return member;
        }
    }
    return NULL;
}

void
follow_barrier(struct hsm *hsm, uint64_t revision)
{
    struct follow *follow = &hsm->follow;
    struct timespec limit = limit_in(BARRIER_MS);

    if (!atomic_load(&follow->on)) {
        return;
    }
    /* A node begins to answer when its first beat was told, so one that began before this revision
     * is known then. */
    (void)!follow_await(hsm, revision, BARRIER_MS);
    pthread_mutex_lock(&follow->lock);
    while (member_behind(hsm, revision) != NULL) {
        struct timespec step = limit_in(50), now = limit_in(0);

        if (now.tv_sec > limit.tv_sec ||
            (now.tv_sec == limit.tv_sec && now.tv_nsec >= limit.tv_nsec)) {
            break;
        }
        (void)pthread_cond_clockwait(&follow->moved, &follow->lock, CLOCK_MONOTONIC, &step);
    }
    for (size_t i = 0; i < follow->member_count; i++) {
        struct follow_member *member = &follow->members[i];

        if (member->applied < revision && !member->missed) {
            member->missed = true;
            log_wrn("node %s has not said that it knows of revision %llu: it is not waited for",
                    member->node, (unsigned long long)revision);
        }
    }
    pthread_mutex_unlock(&follow->lock);
}

/* ---- now and then ---- */

void
hsm_beat(struct hsm *hsm)
{
    struct follow *follow = &hsm->follow;
    bool fresh, said;

    if (!atomic_load(&follow->on)) {
        return;
    }
    beat_send(hsm);
    fresh = age_of(hsm) <= FENCE_MS;
    pthread_mutex_lock(&follow->lock);
    said = follow->said_stale;
    follow->said_stale = !fresh;
    pthread_mutex_unlock(&follow->lock);
    if (!fresh && !said) {
        log_wrn("the store has not been heard for %u seconds: nothing can be changed, and keys are "
                "used for %llu seconds more at most",
                FENCE_MS / 1000,
                (unsigned long long)(atomic_load(&follow->stale_limit) > FENCE_MS
                                         ? (atomic_load(&follow->stale_limit) - FENCE_MS) / 1000
                                         : 0));
    } else if (fresh && said) {
        log_inf("the store is heard again");
    }
    if (fresh) {
        fence_others(hsm);
    }
}

void
hsm_set_stale_limit(struct hsm *hsm, uint64_t ms)
{
    atomic_store(&hsm->follow.stale_limit, ms);
}
