/* SPDX-License-Identifier: Apache-2.0
 *
 * A hash table by request number: contexts are random and numbers count, so neighbours in
 * time are neighbours nowhere else.
 */
#include "core/replies.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BUCKETS 4096u
#define PLAIN_HEAD_LEN (8u + 2u) /* of a record's plaintext: time and operation */
#define TWIN_WAIT_NS 50000000
#define KEPT_MAX 65536u /* without a record; those with one are kept for their time */

struct kept_reply {
    struct kept_reply *next;
    struct reply_key key;
    uint64_t at;
    bool stored;
    size_t size; /* room in body */
    size_t len;
    uint8_t body[];
};

struct reply_name
reply_name(const struct reply_key *key)
{
    struct reply_name name;
    char context[2 * FRAME_CONTEXT_LEN + 1];

    hex_encode(view_of(key->context, FRAME_CONTEXT_LEN), context);
    snprintf(name.text, sizeof name.text, "r/%s/%016llx", context,
             (unsigned long long)key->request);
    return name;
}

view
reply_name_view(const struct reply_name *name)
{
    return view_of(name->text, REPLY_NAME_LEN);
}

bool
reply_name_parse(view text, struct reply_key *ret_key)
{
    char context[2 * FRAME_CONTEXT_LEN + 1] = { 0 };
    char number[17] = { 0 };
    uint8_t bytes[8];
    struct reply_key key = { .request = 0 };
    struct reply_name name;
    size_t len;

    if (text.len != REPLY_NAME_LEN || memcmp(text.data, "r/", 2) != 0 ||
        text.data[2 + 2 * FRAME_CONTEXT_LEN] != '/') {
        return false;
    }
    memcpy(context, text.data + 2, 2 * FRAME_CONTEXT_LEN);
    memcpy(number, text.data + 3 + 2 * FRAME_CONTEXT_LEN, 16);
    if (!hex_decode(context, key.context, sizeof key.context, &len) ||
        len != FRAME_CONTEXT_LEN || !hex_decode(number, bytes, sizeof bytes, &len) ||
        len != sizeof bytes) {
        return false;
    }
    for (size_t i = 0; i < sizeof bytes; i++) {
        key.request = key.request << 8 | bytes[i];
    }
    name = reply_name(&key);
    if (!view_equal(reply_name_view(&name), text)) {
        return false; /* the same in other letters */
    }
    *ret_key = key;
    return true;
}

bool
replies_init(struct replies *replies)
{
    *replies = (struct replies){ .buckets = calloc(BUCKETS, sizeof(struct kept_reply *)) };
    if (replies->buckets == NULL || pthread_mutex_init(&replies->lock, NULL) != 0) {
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

void
replies_clear(struct replies *replies)
{
    if (replies->buckets == NULL) {
        return;
    }
    for (size_t i = 0; i < BUCKETS; i++) {
        while (replies->buckets[i] != NULL) {
            struct kept_reply *kept = replies->buckets[i];

            replies->buckets[i] = kept->next;
            kept_free(kept);
        }
    }
    free(replies->buckets);
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

bool
replies_find(struct replies *replies, const struct reply_key *key, struct writer *out)
{
    struct kept_reply *kept;

    pthread_mutex_lock(&replies->lock);
    kept = kept_find(replies, key);
    if (kept != NULL) {
        write_raw(out, view_of(kept->body, kept->len));
    }
    pthread_mutex_unlock(&replies->lock);
    return kept != NULL;
}

bool
replies_enter(struct replies *replies, struct reply_run *run, const struct reply_key *key,
              struct writer *out)
{
    struct kept_reply *kept;

    pthread_mutex_lock(&replies->lock);
    kept = kept_find(replies, key);
    if (kept != NULL) {
        write_raw(out, view_of(kept->body, kept->len));
    } else {
        *run = (struct reply_run){ .next = replies->runs, .key = key };
        replies->runs = run;
    }
    pthread_mutex_unlock(&replies->lock);
    return kept != NULL;
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
    pthread_cond_broadcast(&replies->ended);
    pthread_mutex_unlock(&replies->lock);
    free(run->room);
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

void
replies_keep_run(struct replies *replies, struct reply_run *run, uint64_t at, bool stored,
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
    kept->len = body.len;
    if (body.len > 0) {
        memcpy(kept->body, body.data, body.len);
    }
    pthread_mutex_lock(&replies->lock);
    if (kept_find(replies, run->key) == NULL && (stored || replies->count < KEPT_MAX)) {
        struct kept_reply **bucket = bucket_of(replies, run->key);

        kept->next = *bucket;
        *bucket = kept;
        replies->count++;
        kept = NULL;
    }
    pthread_mutex_unlock(&replies->lock);
    if (kept != NULL) {
        kept_free(kept);
    }
}

bool
replies_load(struct replies *replies, const struct reply_key *key, uint64_t at, view body)
{
    struct reply_run run = { .key = key };

    if (!replies_room(&run, body.len)) {
        return false;
    }
    replies_keep_run(replies, &run, at, true, body);
    return true;
}

void
replies_sweep(struct replies *replies, uint64_t before,
              void (*gone)(void *arg, const struct reply_key *key), void *arg)
{
    struct kept_reply *old = NULL;

    pthread_mutex_lock(&replies->lock);
    for (size_t i = 0; i < BUCKETS; i++) {
        struct kept_reply **at = &replies->buckets[i];

        while (*at != NULL) {
            struct kept_reply *kept = *at;

            if (kept->at < before) {
                *at = kept->next;
                kept->next = old;
                old = kept;
                replies->count--;
            } else {
                at = &kept->next;
            }
        }
    }
    pthread_mutex_unlock(&replies->lock);
    while (old != NULL) {
        struct kept_reply *next = old->next;

        if (old->stored) {
            gone(arg, &old->key);
        }
        kept_free(old);
        old = next;
    }
}

CK_RV
reply_record(const struct sealer *sealer, const struct reply_key *key, uint64_t at, view body,
             struct writer *out)
{
    struct reply_name name = reply_name(key);
    struct writer plain;
    CK_RV rv = CKR_HOST_MEMORY;

    writer_init(&plain, FRAME_BODY_MAX + PLAIN_HEAD_LEN);
    write_u64(&plain, at);
    write_u16(&plain, key->operation);
    write_raw(&plain, body);
    if (writer_ok(&plain)) {
        rv = record_seal(sealer, reply_name_view(&name), 0, 1, writer_view(&plain), out);
    }
    writer_clear(&plain);
    return rv;
}

CK_RV
reply_from_record(const struct sealer *sealer, struct reply_key *key, view record,
                  uint64_t *ret_at, struct writer *out)
{
    struct reply_name name = reply_name(key);
    struct writer plain;
    struct reader r;
    uint64_t at, version;
    uint16_t operation;
    CK_RV rv;

    writer_init(&plain, FRAME_BODY_MAX + PLAIN_HEAD_LEN);
    rv = record_open(sealer, reply_name_view(&name), 0, record, &version, &plain);
    if (rv == CKR_OK) {
        r = reader_of(writer_view(&plain));
        if (read_u64(&r, &at) && read_u16(&r, &operation)) {
            *ret_at = at;
            key->operation = operation;
            write_raw(out, view_of(r.next, r.left));
        } else {
            rv = CKR_GENERAL_ERROR;
        }
    }
    writer_clear(&plain);
    return rv;
}
