/* SPDX-License-Identifier: Apache-2.0
 *
 * A hash table of replies by request number: contexts are random and numbers count, so
 * neighbours in time are neighbours nowhere else. And one of the contexts that they are of, each
 * with its replies in the order in which they came.
 */
#include "core/replies.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BUCKETS 4096u
#define TWIN_WAIT_NS 50000000
/* Of one context. More are there only if it settles nothing: then the oldest are settled. */
#define KEPT_MAX 16384u

struct kept_reply {
    struct kept_reply *next;  /* in its bucket */
    struct kept_reply *newer; /* of its owner */
    struct reply_key key;
    uint64_t at;
    bool stored;
    CK_RV refused; /* CKR_OK, or it is a refusal */
    size_t size; /* room in body */
    size_t len;
    uint8_t body[];
};

struct reply_owner {
    struct reply_owner *next;
    uint8_t context[FRAME_CONTEXT_LEN];
    uint64_t settled;
    uint64_t at; /* when the last one was kept */
    struct kept_reply *oldest;
    struct kept_reply *newest;
    size_t count;
    struct kept_reply *over; /* settled, and still in the store, the oldest first */
    struct kept_reply *over_newest;
    size_t runs;             /* requests being handled: it stays for them */
};

bool
replies_init(struct replies *replies)
{
    *replies = (struct replies){ .buckets = calloc(BUCKETS, sizeof(struct kept_reply *)),
                                 .owners = calloc(BUCKETS, sizeof(struct reply_owner *)) };
    if (replies->buckets == NULL || replies->owners == NULL ||
        pthread_mutex_init(&replies->lock, NULL) != 0) {
        free(replies->buckets);
        free(replies->owners);
        replies->buckets = NULL;
        return false;
    }
    return pthread_cond_init(&replies->ended, NULL) == 0;
}

static void
kept_free(struct kept_reply *kept)
{
    wipe(kept->body, kept->len); /* a login's ticket may be in it */
    free(kept);
}

/* A list by `newer`. */
static void
kept_free_all(struct kept_reply *list)
{
    while (list != NULL) {
        struct kept_reply *newer = list->newer;

        kept_free(list);
        list = newer;
    }
}

void
replies_clear(struct replies *replies)
{
    if (replies->buckets == NULL) {
        return;
    }
    for (size_t i = 0; i < BUCKETS; i++) {
        while (replies->owners[i] != NULL) {
            struct reply_owner *owner = replies->owners[i];

            replies->owners[i] = owner->next;
            kept_free_all(owner->oldest);
            kept_free_all(owner->over);
            free(owner);
        }
    }
    free(replies->buckets);
    free(replies->owners);
    replies->buckets = NULL;
    pthread_cond_destroy(&replies->ended);
    pthread_mutex_destroy(&replies->lock);
}

static struct kept_reply **
bucket_of(struct replies *replies, const struct reply_key *key)
{
    return &replies->buckets[(load_u32(key->context) + key->request) % BUCKETS];
}

static bool
key_equal(const struct reply_key *a, const struct reply_key *b)
{
    return a->request == b->request && a->operation == b->operation &&
           memcmp(a->context, b->context, FRAME_CONTEXT_LEN) == 0;
}

/* Under the lock. */
static struct kept_reply *
kept_find(struct replies *replies, const struct reply_key *key)
{
    struct kept_reply *kept = *bucket_of(replies, key);

    while (kept != NULL && !key_equal(&kept->key, key)) {
        kept = kept->next;
    }
    return kept;
}

/* ---- owners; all under the lock ---- */

static struct reply_owner **
owner_bucket(struct replies *replies, const uint8_t context[FRAME_CONTEXT_LEN])
{
    return &replies->owners[load_u32(context) % BUCKETS];
}

/* The context's, made where there is none. NULL: memory is short. */
static struct reply_owner *
owner_of(struct replies *replies, const uint8_t context[FRAME_CONTEXT_LEN])
{
    struct reply_owner **bucket = owner_bucket(replies, context);
    struct reply_owner *owner = *bucket;

    while (owner != NULL && memcmp(owner->context, context, FRAME_CONTEXT_LEN) != 0) {
        owner = owner->next;
    }
    if (owner == NULL && (owner = calloc(1, sizeof *owner)) != NULL) {
        memcpy(owner->context, context, FRAME_CONTEXT_LEN);
        owner->next = *bucket;
        *bucket = owner;
    }
    return owner;
}

static void
owner_keep(struct replies *replies, struct reply_owner *owner, struct kept_reply *kept)
{
    struct kept_reply **bucket = bucket_of(replies, &kept->key);

    kept->next = *bucket;
    *bucket = kept;
    kept->newer = NULL;
    *(owner->oldest == NULL ? &owner->oldest : &owner->newest->newer) = kept;
    owner->newest = kept;
    owner->at = kept->at;
    owner->count++;
    replies->count++;
}

/* Takes the oldest out of the tables; it is the caller's. */
static struct kept_reply *
owner_take_oldest(struct replies *replies, struct reply_owner *owner)
{
    struct kept_reply *kept = owner->oldest;
    struct kept_reply **at = bucket_of(replies, &kept->key);

    while (*at != kept) {
        at = &(*at)->next;
    }
    *at = kept->next;
    owner->oldest = kept->newer;
    owner->count--;
    replies->count--;
    kept->newer = NULL;
    return kept;
}

static void
owner_add_over(struct reply_owner *owner, struct kept_reply *kept)
{
    kept->newer = NULL;
    *(owner->over == NULL ? &owner->over : &owner->over_newest->newer) = kept;
    owner->over_newest = kept;
}

/* Some of the list were taken out of it. */
static void
owner_end_over(struct reply_owner *owner)
{
    owner->over_newest = owner->over;
    while (owner->over_newest != NULL && owner->over_newest->newer != NULL) {
        owner->over_newest = owner->over_newest->newer;
    }
}

/* Replies go in the order in which they came: one that is not settled holds up later ones, which
 * then go with it. */
static void
owner_settle(struct replies *replies, struct reply_owner *owner, uint64_t settled)
{
    owner->settled = settled > owner->settled ? settled : owner->settled;
    while (owner->oldest != NULL && owner->oldest->key.request < owner->settled) {
        struct kept_reply *kept = owner_take_oldest(replies, owner);

        if (kept->stored) {
            wipe(kept->body, kept->len);
            owner_add_over(owner, kept);
        } else {
            kept_free(kept);
        }
    }
}

/* ---- requests ---- */

bool
replies_find(struct replies *replies, const struct reply_key *key, struct writer *out)
{
    struct kept_reply *kept;

    pthread_mutex_lock(&replies->lock);
    kept = kept_find(replies, key);
    if (kept != NULL && kept->refused != CKR_OK) {
        kept = NULL;
    }
    if (kept != NULL) {
        write_raw(out, view_of(kept->body, kept->len));
    }
    pthread_mutex_unlock(&replies->lock);
    return kept != NULL;
}

CK_RV
replies_refusal(struct replies *replies, const struct reply_key *key)
{
    const struct kept_reply *kept;
    CK_RV refused;

    pthread_mutex_lock(&replies->lock);
    kept = kept_find(replies, key);
    refused = kept == NULL ? CKR_OK : kept->refused;
    pthread_mutex_unlock(&replies->lock);
    return refused;
}

enum reply_state
replies_enter(struct replies *replies, struct reply_run *run, const struct reply_key *key,
              uint64_t settled, struct writer *out)
{
    enum reply_state state = REPLY_NEW;
    struct reply_owner *owner;
    struct kept_reply *kept;

    pthread_mutex_lock(&replies->lock);
    owner = owner_of(replies, key->context);
    if (owner != NULL) {
        owner_settle(replies, owner, settled);
    }
    kept = kept_find(replies, key);
    if (owner != NULL && key->request < owner->settled) {
        state = REPLY_SETTLED;
    } else if (kept != NULL && kept->refused != CKR_OK) {
        run->refused = kept->refused;
        state = REPLY_REFUSED;
    } else if (kept != NULL) {
        write_raw(out, view_of(kept->body, kept->len));
        state = REPLY_KEPT;
    } else {
        *run = (struct reply_run){ .next = replies->runs, .key = key, .owner = owner };
        replies->runs = run;
        if (owner != NULL) {
            owner->runs++;
        }
    }
    pthread_mutex_unlock(&replies->lock);
    return state;
}

void
replies_leave(struct replies *replies, struct reply_run *run)
{
    struct reply_run **at = &replies->runs;

    pthread_mutex_lock(&replies->lock);
    while (*at != run) {
        at = &(*at)->next;
    }
    *at = run->next;
    while (run->over != NULL) {
        struct kept_reply *kept = run->over;

        run->over = kept->newer;
        kept->newer = run->owner->over;
        run->owner->over = kept;
        if (kept->newer == NULL) {
            run->owner->over_newest = kept;
        }
    }
    if (run->owner != NULL) {
        run->owner->runs--;
    }
    pthread_cond_broadcast(&replies->ended);
    pthread_mutex_unlock(&replies->lock);
    free(run->room);
}

size_t
replies_over(struct replies *replies, struct reply_run *run, uint64_t before,
             struct reply_key keys[REPLIES_OVER_MAX])
{
    size_t count = 0;

    pthread_mutex_lock(&replies->lock);
    while (count < REPLIES_OVER_MAX && run->owner->over != NULL &&
           run->owner->over->at <= before) {
        struct kept_reply *kept = run->owner->over;

        run->owner->over = kept->newer;
        kept->newer = run->over;
        run->over = kept;
        keys[count++] = kept->key;
    }
    pthread_mutex_unlock(&replies->lock);
    return count;
}

void
replies_over_done(struct reply_run *run)
{
    kept_free_all(run->over);
    run->over = NULL;
}

uint64_t
replies_settled(struct replies *replies, const struct reply_run *run)
{
    uint64_t settled;

    pthread_mutex_lock(&replies->lock);
    settled = run->owner->settled;
    pthread_mutex_unlock(&replies->lock);
    return settled;
}

/* Under the lock. As many run as there are threads, which is few. */
static bool
has_twin(const struct replies *replies, const struct reply_run *run)
{
    const struct reply_run *other = replies->runs;

    while (other != NULL &&
           (other == run || other->failed || !key_equal(other->key, run->key))) {
        other = other->next;
    }
    return other != NULL;
}

bool
replies_has_twin(struct replies *replies, struct reply_run *run)
{
    bool has;

    pthread_mutex_lock(&replies->lock);
    has = has_twin(replies, run);
    pthread_mutex_unlock(&replies->lock);
    return has;
}

void
replies_await_twin(struct replies *replies, struct reply_run *run)
{
    struct timespec end;

    clock_gettime(CLOCK_MONOTONIC, &end); /* of threads, not of the HSM */
    end.tv_nsec += TWIN_WAIT_NS;
    end.tv_sec += end.tv_nsec / 1000000000;
    end.tv_nsec %= 1000000000;
    pthread_mutex_lock(&replies->lock);
    run->failed = true; /* two that failed do not wait for each other */
    pthread_cond_broadcast(&replies->ended);
    while (has_twin(replies, run) &&
           pthread_cond_clockwait(&replies->ended, &replies->lock, CLOCK_MONOTONIC, &end) == 0) {
    }
    pthread_mutex_unlock(&replies->lock);
}

bool
replies_room(struct reply_run *run, size_t len)
{
    struct kept_reply *room;

    if (run->owner == NULL) {
        return false;
    }
    if (run->room != NULL && run->room->size >= len) {
        return true;
    }
    room = malloc(sizeof *room + len);
    if (room == NULL) {
        return false;
    }
    free(run->room); /* nothing was in it yet */
    *room = (struct kept_reply){ .key = *run->key, .size = len };
    run->room = room;
    return true;
}

/* Under the lock. kept is put in its place or given back. */
static struct kept_reply *
owner_take(struct replies *replies, struct reply_owner *owner, struct kept_reply *kept)
{
    if (kept_find(replies, &kept->key) != NULL) {
        return kept;
    }
    if (owner->count == KEPT_MAX) {
        owner_settle(replies, owner, owner->oldest->key.request + 1);
    }
    if (kept->key.request >= owner->settled) {
        owner_keep(replies, owner, kept);
    } else if (kept->stored) {
        owner_add_over(owner, kept);
    } else {
        return kept;
    }
    return NULL;
}

/* The run's reply, or its refusal. */
static void
run_keep(struct replies *replies, struct reply_run *run, uint64_t at, bool stored, CK_RV refused,
         view body)
{
    struct kept_reply *kept;

    if (!replies_room(run, body.len)) {
        log_wrn("no memory to keep a reply: if it is asked for again, the request runs twice");
        return;
    }
    kept = run->room;
    run->room = NULL;
    kept->at = at;
    kept->stored = stored;
    kept->refused = refused;
    kept->len = body.len;
    if (body.len > 0) {
        memcpy(kept->body, body.data, body.len);
    }
    pthread_mutex_lock(&replies->lock);
    kept = owner_take(replies, run->owner, kept);
    pthread_mutex_unlock(&replies->lock);
    if (kept != NULL) {
        kept_free(kept);
    }
}

void
replies_void(struct replies *replies, const struct reply_key *key)
{
    struct kept_reply *kept;

    pthread_mutex_lock(&replies->lock);
    kept = kept_find(replies, key);
    if (kept != NULL) {
        wipe(kept->body, kept->len);
        kept->len = 0;
    }
    pthread_mutex_unlock(&replies->lock);
}

void
replies_keep_run(struct replies *replies, struct reply_run *run, uint64_t at, bool stored,
                 view body)
{
    run_keep(replies, run, at, stored, CKR_OK, body);
}

void
replies_keep_refusal(struct replies *replies, struct reply_run *run, uint64_t at, CK_RV code)
{
    run_keep(replies, run, at, false, code, VIEW_EMPTY);
}

bool
replies_knows(struct replies *replies, const struct reply_key *key)
{
    const struct kept_reply *kept;
    const struct reply_owner *owner;

    pthread_mutex_lock(&replies->lock);
    owner = *owner_bucket(replies, key->context);
    while (owner != NULL && memcmp(owner->context, key->context, FRAME_CONTEXT_LEN) != 0) {
        owner = owner->next;
    }
    kept = *bucket_of(replies, key);
    while (kept != NULL && (kept->key.request != key->request ||
                            memcmp(kept->key.context, key->context, FRAME_CONTEXT_LEN) != 0)) {
        kept = kept->next;
    }
    pthread_mutex_unlock(&replies->lock);
    return kept != NULL || (owner != NULL && key->request < owner->settled);
}

bool
replies_load(struct replies *replies, const struct reply_key *key, uint64_t at, uint64_t settled,
             view body)
{
    struct reply_run run = { .key = key };
    bool kept;

    pthread_mutex_lock(&replies->lock);
    run.owner = owner_of(replies, key->context);
    if (run.owner != NULL) {
        owner_settle(replies, run.owner, settled);
        run.owner->runs++; /* no sweep takes it away meanwhile */
    }
    pthread_mutex_unlock(&replies->lock);
    kept = replies_room(&run, body.len);
    if (kept) {
        replies_keep_run(replies, &run, at, true, body);
    }
    if (run.owner != NULL) {
        pthread_mutex_lock(&replies->lock);
        run.owner->runs--;
        pthread_mutex_unlock(&replies->lock);
    }
    return kept;
}

/* Under the lock: takes the stored one of that number out of a list by `newer`, wherever it is. */
static struct kept_reply *
list_take(struct kept_reply **at, uint64_t request)
{
    while (*at != NULL && ((*at)->key.request != request || !(*at)->stored)) {
        at = &(*at)->newer;
    }

    struct kept_reply *kept = *at;

    if (kept != NULL) {
        *at = kept->newer;
    }
    return kept;
}

/* Under the lock. */
static struct kept_reply *
owner_forget(struct replies *replies, struct reply_owner *owner, uint64_t request)
{
    struct kept_reply *kept = list_take(&owner->over, request);
    struct kept_reply **at;

    if (kept != NULL && kept == owner->over_newest) {
        owner_end_over(owner);
    }
    if (kept != NULL || (kept = list_take(&owner->oldest, request)) == NULL) {
        return kept;
    }
    owner->newest = NULL;
    for (struct kept_reply *left = owner->oldest; left != NULL; left = left->newer) {
        owner->newest = left;
    }
    for (at = bucket_of(replies, &kept->key); *at != kept; at = &(*at)->next) {
    }
    *at = kept->next;
    owner->count--;
    replies->count--;
    return kept;
}

void
replies_forget(struct replies *replies, const struct reply_key *key)
{
    struct reply_owner *owner;
    struct kept_reply *kept = NULL;

    pthread_mutex_lock(&replies->lock);
    for (owner = *owner_bucket(replies, key->context); owner != NULL; owner = owner->next) {
        if (memcmp(owner->context, key->context, FRAME_CONTEXT_LEN) == 0) {
            kept = owner_forget(replies, owner, key->request);
            break;
        }
    }
    pthread_mutex_unlock(&replies->lock);
    if (kept != NULL) {
        kept_free(kept);
    }
}

/* Under the lock: moves what was kept before to *old, a list. */
static void
owner_sweep(struct replies *replies, struct reply_owner *owner, uint64_t before,
            struct kept_reply **old)
{
    struct kept_reply **at = &owner->over;

    while (owner->oldest != NULL && owner->oldest->at < before) {
        struct kept_reply *kept = owner_take_oldest(replies, owner);

        kept->newer = *old;
        *old = kept;
    }
    while (*at != NULL) {
        struct kept_reply *kept = *at;

        if (kept->at < before) {
            *at = kept->newer;
            kept->newer = *old;
            *old = kept;
        } else {
            at = &kept->newer;
        }
    }
    owner_end_over(owner);
}

void
replies_sweep(struct replies *replies, uint64_t before,
              void (*gone)(void *arg, const struct reply_key *key), void *arg)
{
    struct kept_reply *old = NULL;

    pthread_mutex_lock(&replies->lock);
    for (size_t i = 0; i < BUCKETS; i++) {
        struct reply_owner **at = &replies->owners[i];

        while (*at != NULL) {
            struct reply_owner *owner = *at;

            owner_sweep(replies, owner, before, &old);
            if (owner->oldest == NULL && owner->over == NULL && owner->runs == 0 &&
                owner->at < before) {
                *at = owner->next;
                free(owner);
            } else {
                at = &owner->next;
            }
        }
    }
    pthread_mutex_unlock(&replies->lock);
    for (const struct kept_reply *kept = old; kept != NULL; kept = kept->newer) {
        if (kept->stored) {
            gone(arg, &kept->key);
        }
    }
    kept_free_all(old);
}
