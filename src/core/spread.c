/* SPDX-License-Identifier: Apache-2.0 */
#include "core/spread.h"

#include "core/load.h"

#include "base/clock.h"
#include "base/log.h"

#include <string.h>
#include <time.h>

#define SPREAD_MS 8000u
#define STEP_MS 50u
#define TRIES 8

/* ---- nodes ---- */

/* How many have that revision, and how many may come to have it; this one has and counts. */
static void
nodes_count(struct hsm *hsm, uint64_t revision, size_t *ret_having, size_t *ret_heard)
{
    struct follow *follow = &hsm->follow;
    size_t having = 1, heard = 1;
    uint64_t now;

    pthread_mutex_lock(&follow->lock);
    now = hsm->ports.clock->monotonic(hsm->ports.clock);
    for (size_t i = 0; i < follow->member_count; i++) {
        const struct follow_member *member = &follow->members[i];

        having += member->applied >= revision;
        heard += member->applied >= revision || now - member->heard < LEASE_MS;
    }
    pthread_mutex_unlock(&follow->lock);
    *ret_having = having;
    *ret_heard = heard;
}

static bool
nodes_suffice(size_t nodes, const char *what, unsigned wanted)
{
    if (nodes < wanted) {
        log_wrn("[create_object_minimum_nodes] %zu nodes %s, and %u are to", nodes, what, wanted);
    }
    return nodes >= wanted;
}

bool
spread_can(const struct request *request)
{
    const unsigned wanted = frame_nodes(request->frame);
    size_t having, heard = 1;

    if (wanted > 1 && atomic_load(&request->hsm->follow.on)) {
        nodes_count(request->hsm, UINT64_MAX, &having, &heard);
    }
    return nodes_suffice(heard, "can have what is made", wanted);
}

/* By the host's clock, in ms. */
static uint64_t
host_now(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

/* Each comes as far, is not heard of any more, or is given up. Whatever is told ends a step. */
static bool
nodes_await(struct hsm *hsm, unsigned wanted)
{
    struct follow *follow = &hsm->follow;
    uint64_t revision = 0, now, end;
    size_t having = 0, heard = 0;

    if (!atomic_load(&follow->on) || !follow_ask(hsm, &revision)) {
        return false;
    }
    end = host_now() + SPREAD_MS;
    for (now = host_now(); now < end; now = host_now()) {
        const uint64_t until = now + STEP_MS;
        const struct timespec limit = { (time_t)(until / 1000), (long)(until % 1000) * 1000000 };

        nodes_count(hsm, revision, &having, &heard);
        if (having >= wanted || heard < wanted) {
            break;
        }
        pthread_mutex_lock(&follow->lock);
        (void)pthread_cond_clockwait(&follow->moved, &follow->lock, CLOCK_MONOTONIC, &limit);
        pthread_mutex_unlock(&follow->lock);
    }
    return nodes_suffice(having, "have what was made", wanted);
}

/* ---- taking back ---- */

/* What the transaction that removes them points at. */
struct taking {
    struct record_name names[COMMIT_MAX];
    struct record_name rests[COMMIT_MAX];
    struct writer records[COMMIT_MAX + 1];
    struct store_compare compares[COMMIT_MAX];
    struct store_change changes[2 * COMMIT_MAX + 1];
    struct reply_key key;
    struct reply_name reply;
    size_t count;
    size_t change_count;
    size_t record_count;
};

static CK_RV
taking_rest(struct hsm *hsm, struct taking *t, uint32_t handle, uint32_t now)
{
    struct writer *record = &t->records[t->record_count++];
    CK_RV rv;

    writer_init(record, STORE_VALUE_MAX);
    t->rests[t->count] = record_name('d', handle);
    rv = rest_record(&hsm->sealer, handle, now, record);
    t->changes[t->change_count++] = (struct store_change){
        record_name_view(&t->rests[t->count]), writer_view(record), false
    };
    return rv;
}

/* Those that are still there. */
static CK_RV
taking_fill(struct request *r, struct taking *t, const uint32_t *handles, size_t count,
            uint32_t now)
{
    struct hsm *hsm = r->hsm;
    struct writer *record;
    CK_RV rv = CKR_OK;

    for (size_t i = 0; i < count && rv == CKR_OK; i++) {
        const struct object *object;
        uint64_t revision;

        pthread_rwlock_rdlock(&hsm->lock);
        object = table_find(&hsm->objects, handles[i]);
        revision = object == NULL ? 0 : object->revision;
        pthread_rwlock_unlock(&hsm->lock);
        if (revision == 0) {
            continue;
        }
        t->names[t->count] = record_name('o', handles[i]);
        t->compares[t->count] =
            (struct store_compare){ record_name_view(&t->names[t->count]), revision };
        t->changes[t->change_count++] =
            (struct store_change){ record_name_view(&t->names[t->count]), VIEW_EMPTY, true };
        if (handle_is_certificate(handles[i])) {
            rv = taking_rest(hsm, t, handles[i], now);
        }
        t->count++;
    }
    if (rv == CKR_OK) {
        record = &t->records[t->record_count++];
        writer_init(record, STORE_VALUE_MAX);
        t->key = request_reply_key(r);
        t->reply = reply_name(&t->key);
        rv = reply_record(&hsm->sealer, &t->key, hsm_time(hsm), frame_settled(r->frame),
                          VIEW_EMPTY, record);
        t->changes[t->change_count++] =
            (struct store_change){ reply_name_view(&t->reply), writer_view(record), false };
    }
    return rv;
}

/* Recorded as a destruction. */
static CK_RV
taking_commit(struct request *r, const struct taking *t, uint64_t *ret_revision)
{
    struct hsm *hsm = r->hsm;
    struct audit *audit = hsm->ports.audit;
    uint8_t room[CHAIN_RECORD_MAX];
    struct writer journal;
    CK_RV rv;

    if (!audit->reserve(audit)) {
        return CKR_FUNCTION_FAILED;
    }
    note_detail(r, "taken back: fewer than %u nodes have it", frame_nodes(r->frame));
    writer_init_fixed(&journal, room, sizeof room);
    note_record_of(r, OPERATION_OBJECT_DESTROY, CKR_OK, &journal);

    const struct store_txn txn = { t->compares, t->count, t->changes, t->change_count,
                                   writer_view(&journal) };

    rv = hsm_commit(hsm, &txn, ret_revision);
    if (rv == CKR_OK) {
        audit->append(audit, writer_view(&journal));
    } else {
        audit->release(audit);
    }
    return rv;
}

static CK_RV
take_back_once(struct request *r, const uint32_t *handles, size_t count)
{
    struct hsm *hsm = r->hsm;
    const uint32_t now = hsm_seconds(hsm);
    struct taking t = { .count = 0 };
    uint64_t revision = 0;
    CK_RV rv;

    if ((rv = hsm_change_begin(hsm)) != CKR_OK) {
        return rv;
    }
    rv = taking_fill(r, &t, handles, count, now);
    if (rv == CKR_OK) {
        rv = taking_commit(r, &t, &revision);
    }
    for (size_t i = 0; i < count && rv == CKR_OK; i++) {
        objects_leave(hsm, handles[i], revision);
        if (handle_is_certificate(handles[i])) {
            numbers_rest(&hsm->certificates, handles[i], now);
        }
    }
    if (rv == CKR_OK) {
        replies_void(&hsm->replies, &t.key);
    }
    hsm_change_end(hsm);
    for (size_t i = 0; i < t.record_count; i++) {
        writer_clear(&t.records[i]);
    }
    return rv;
}

static void
take_back(struct request *r, const uint32_t *handles, size_t count)
{
    CK_RV rv = CODE_CONFLICT;

    for (int i = 0; i < TRIES && rv == CODE_CONFLICT; i++) {
        rv = take_back_once(r, handles, count);
        if (rv == CODE_CONFLICT && !follow_catch_up(r->hsm)) {
            break;
        }
    }
    for (size_t i = 0; i < count && rv != CKR_OK; i++) {
        log_err("[create_object_minimum_nodes] Key: %u failed to tombstone",
                (unsigned)handles[i]);
    }
}

/* ---- requests ---- */

/* The token objects that a reply of another time names. */
static void
reply_made(struct request *request)
{
    struct info_array made;

    if (!request_reply_objects(request, &made)) {
        return;
    }
    for (size_t i = 0; i < info_array_count(made) && i < COMMIT_MAX; i++) {
        const struct key_info info = info_array_get(made, i);

        if ((info.flags & KEY_FLAG_TOKEN) != 0) {
            request->made[request->made_count++] = info.handle;
        }
    }
}

CK_RV
request_spread(struct request *request)
{
    const unsigned wanted = frame_nodes(request->frame);
    const enum operation_names names = request->row->names;

    if (request->kept && (names == NAMES_made || names == NAMES_derived)) {
        if (request_reply_body(request).len == 0) {
            return CKR_DEVICE_ERROR; /* it was taken back */
        }
        if (wanted > 1) {
            request->made_count = 0;
            reply_made(request);
        }
    }
    if (wanted < 2 || request->made_count == 0) {
        return CKR_OK;
    }
    if (!request_may(request, PLACE_STORE)) {
        return CODE_LATER;
    }
    if (!nodes_await(request->hsm, wanted)) {
        take_back(request, request->made, request->made_count);
        return CKR_DEVICE_ERROR;
    }
    if (request->kept) {
        const struct reply_key key = request_reply_key(request);

        writer_truncate(request->reply, request->reply_start);
        if (!replies_find(&request->hsm->replies, &key, request->reply) ||
            request_reply_body(request).len == 0) {
            return CKR_DEVICE_ERROR; /* meanwhile, by whoever asked before */
        }
    }
    return CKR_OK;
}
