/* SPDX-License-Identifier: Apache-2.0
 *
 * The door: every request comes through hsm_handle(), which finds its row and its context,
 * asks for permission, and calls its handler. What a request changes is stored together with
 * its reply.
 */
#include "core/again.h"
#include "core/copies.h"
#include "core/make.h"
#include "core/spread.h"

#include "base/lock.h"
#include "base/log.h"

#include <string.h>
#include <time.h>

bool
handle_is_session(uint32_t handle)
{
    return handle >= HANDLE_SESSION_FIRST && handle <= HANDLE_SESSION_LAST;
}

const struct sealer *
object_sealer(const struct hsm *hsm, uint32_t handle)
{
    return handle_is_session(handle) ? &hsm->boot_sealer : &hsm->sealer;
}

uint32_t
hsm_seconds(const struct hsm *hsm)
{
    return (uint32_t)(hsm_time(hsm) / 1000u);
}

uint64_t
hsm_time(const struct hsm *hsm)
{
    return hsm->wall_start +
           (hsm->ports.clock->monotonic(hsm->ports.clock) - hsm->monotonic_start);
}

/* ---- the store ---- */

static CK_RV
commit(struct hsm *hsm, const struct store_txn *txn, bool alone, uint64_t *ret_revision)
{
    struct stopwatch *watch = hsm->ports.watch;
    const uint64_t began = watch != NULL ? watch->start(watch) : 0;
    struct store_late *late = NULL;
    uint64_t revision = 0;
    const enum store_result result =
        store_commit_late(hsm->ports.store, txn, alone, &revision,
                          atomic_load(&hsm->follow.on) ? NULL : &late);
    uint64_t seen;

    if (late != NULL) {
        lates_take(&hsm->lates, late);
    }
    if (watch != NULL) {
        watch->stop(watch, began, result == STORE_OK);
    }
    if (result != STORE_OK) {
        return result == STORE_CONFLICT && atomic_load(&hsm->follow.on) ? CODE_CONFLICT
                                                                       : CKR_DEVICE_ERROR;
    }
    seen = atomic_load(&hsm->revision);
    while (seen < revision &&
           !atomic_compare_exchange_weak(&hsm->revision, &seen, revision)) {
    }
    *ret_revision = revision;
    return CKR_OK;
}

CK_RV
hsm_commit(struct hsm *hsm, const struct store_txn *txn, uint64_t *ret_revision)
{
    return commit(hsm, txn, false, ret_revision);
}

/* A commit has 5 s, and may have to wait for others'. A little less than a
 * daemon waits for it all. */
#define CHANGE_WAIT_MS 12000u

CK_RV
hsm_wait_for(pthread_mutex_t *lock)
{
    if (!lock_within(lock, CHANGE_WAIT_MS)) {
        log_wrn("a request was not done: another one waits for the store");
        return CKR_DEVICE_ERROR;
    }
    return CKR_OK;
}

CK_RV
hsm_change_begin(struct hsm *hsm)
{
    return hsm_wait_for(&hsm->change);
}

void
hsm_change_end(struct hsm *hsm)
{
    pthread_mutex_unlock(&hsm->change);
}

static void
renewal_ask(struct hsm *hsm)
{
    struct renewal *renewal = atomic_load(&hsm->renewal);

    if (renewal != NULL && atomic_exchange(&hsm->renewal_due, false)) {
        renewal->again(renewal);
    }
}

void
hsm_set_renewal(struct hsm *hsm, struct renewal *renewal)
{
    atomic_store(&hsm->renewal, renewal);
    renewal_ask(hsm);
}

void
hsm_renew(struct hsm *hsm)
{
    atomic_store(&hsm->renewal_due, true);
    renewal_ask(hsm);
}

void
hsm_set_watch(struct hsm *hsm, struct stopwatch *watch)
{
    hsm->ports.watch = watch;
}

struct reply_key
request_reply_key(const struct request *request)
{
    struct reply_key key = { .request = request->frame->request,
                             .operation = request->frame->operation };

    memcpy(key.context, request->frame->context, FRAME_CONTEXT_LEN);
    return key;
}

CK_RV
request_commit(struct request *request, const struct store_compare *compares,
               size_t compare_count, const struct store_change *changes, size_t change_count,
               uint64_t *ret_revision)
{
    struct hsm *hsm = request->hsm;
    const struct reply_key key = request_reply_key(request);
    const struct reply_name name = reply_name(&key);
    const uint64_t now = hsm_time(hsm);
    const uint64_t rested = hsm->ports.store->watch == NULL                ? UINT64_MAX
                            : now > REPLY_REST_MS && fence_hears_all(hsm) ? now - REPLY_REST_MS
                                                                           : 0;
    struct store_compare all_compares[COMMIT_MAX + 1];
    struct store_change all_changes[COMMIT_MAX + 1 + REPLIES_OVER_MAX];
    struct reply_key over[REPLIES_OVER_MAX];
    struct reply_name over_names[REPLIES_OVER_MAX];
    uint8_t journal_room[CHAIN_RECORD_MAX];
    struct writer record, journal;
    CK_RV rv;

    if (compare_count > COMMIT_MAX || change_count > COMMIT_MAX) {
        return CKR_GENERAL_ERROR;
    }
    if (!writer_ok(request->reply) ||
        !replies_room(request->run, request_reply_body(request).len)) {
        return CKR_DEVICE_MEMORY;
    }
    if (compare_count > 0) {
        memcpy(all_compares, compares, compare_count * sizeof *compares);
    }
    memcpy(all_changes, changes, change_count * sizeof *changes);
    writer_init(&record, STORE_VALUE_MAX);
    rv = reply_record(&hsm->sealer, &key, now, replies_settled(&hsm->replies, request->run),
                      request_reply_body(request), &record);
    if (rv == CKR_OK) {
        const size_t over_count = replies_over(&hsm->replies, request->run, rested, over);

        all_compares[compare_count] = (struct store_compare){ reply_name_view(&name), 0 };
        all_changes[change_count] =
            (struct store_change){ reply_name_view(&name), writer_view(&record), false };
        for (size_t i = 0; i < over_count; i++) {
            over_names[i] = reply_name(&over[i]);
            all_changes[change_count + 1 + i] =
                (struct store_change){ reply_name_view(&over_names[i]), VIEW_EMPTY, true };
        }
        writer_init_fixed(&journal, journal_room, sizeof journal_room);
        note_record(request, CKR_OK, &journal);

        const struct store_txn txn = { all_compares, compare_count + 1, all_changes,
                                       change_count + 1 + over_count, writer_view(&journal) };

        rv = commit(hsm, &txn, request->alone && request->place == PLACE_STORE, ret_revision);
    }
    writer_clear(&record);
    if (rv == CKR_OK) {
        request->note.revision = *ret_revision;
        replies_over_done(request->run);
        replies_keep_run(&hsm->replies, request->run, now, true, request_reply_body(request));
        request->reply_kept = true;
    }
    return rv;
}

void
hsm_count(struct hsm *hsm, struct hsm_counts *ret_counts)
{
    struct hsm_counts counts;

    pthread_rwlock_rdlock(&hsm->lock);
    counts.objects = table_count(&hsm->objects);
    counts.users = hsm->users.count;
    pthread_rwlock_unlock(&hsm->lock);
    pthread_mutex_lock(&hsm->contexts.lock);
    counts.contexts = hsm->contexts.count;
    pthread_mutex_unlock(&hsm->contexts.lock);
    counts.copies_given = atomic_load(&hsm->copies_given);
    counts.copies_revived = atomic_load(&hsm->copies_revived);
    counts.copies_refused = atomic_load(&hsm->copies_refused);
    context_count(&hsm->contexts, &counts.logins, &counts.session_objects, &counts.running);
    *ret_counts = counts;
}

/* ---- one request ---- */

static CK_RV
request_permitted(const struct request *request)
{
    enum access access = request->row->access;

    if (access == ACCESS_crypto) {
        access = rules_switch_on(request->rules, SWITCH_login_before_digest) ? ACCESS_cu
                                                                             : ACCESS_any;
    }
    switch (access) {
    case ACCESS_user:
        return request->who.role != ROLE_NONE ? CKR_OK : CKR_USER_NOT_LOGGED_IN;
    case ACCESS_cu:
        /* Without a private object in play the standard asks for no login; whoever may be
         * asked for one is asked by the handler, which knows the object. */
        return request->who.role == ROLE_CU ||
                       !rules_switch_on(request->rules, SWITCH_login_before_digest)
                   ? CKR_OK
                   : CKR_USER_NOT_LOGGED_IN;
    case ACCESS_co:
        return request->who.role == ROLE_CO ? CKR_OK : CKR_USER_NOT_LOGGED_IN;
    default:
        return CKR_OK;
    }
}

CK_RV
handle_HELLO(struct request *r)
{
    UNUSED(r);
    return CKR_FUNCTION_NOT_SUPPORTED; /* ends at the daemon */
}

CK_RV
handle_MAILBOX(struct request *r)
{
    UNUSED(r);
    return CKR_FUNCTION_NOT_SUPPORTED; /* so does this */
}

CK_RV
handle_STORAGE_STATE(struct request *r)
{
    UNUSED(r);
    return CKR_FUNCTION_NOT_SUPPORTED; /* and this */
}

static CK_RV
request_call(struct request *request)
{
    switch (request->row->operation) {
#define OPERATION(name, ...) \
    case OPERATION_##name:   \
        return handle_##name(request);
#include "wire/operations.def"
#undef OPERATION
    default:
        return CKR_FUNCTION_NOT_SUPPORTED;
    }
}

static CK_RV
request_dispatch(struct request *request)
{
    CK_RV rv = request_permitted(request);

    return rv == CKR_OK ? request_again(request, request_call) : rv;
}

/* Who is logged in and asks for what is not his is recorded. Who is not could wash the trail away
 * with such requests, which cost him nothing. */
static CK_RV
request_run_noted(struct request *request)
{
    const bool noted = request->row->audited &&
                       (request->who.role != ROLE_NONE || request_permitted(request) == CKR_OK);

    return noted ? note_run(request, request_dispatch) : request_dispatch(request);
}

/*
 * After a failure: the first time may have ended while this one ran, or be just about to. It is
 * waited for, for a moment and not on a loop.
 */
static CK_RV
request_run_again(struct request *request, struct reply_run *run, CK_RV rv)
{
    struct replies *replies = &request->hsm->replies;

    writer_truncate(request->reply, request->reply_start);
    if (replies_has_twin(replies, run)) {
        if (!request_may(request, PLACE_STORE)) {
            return CODE_LATER;
        }
        replies_await_twin(replies, run);
    }
    request->kept = replies_find(replies, run->key, request->reply);
    return request->kept ? CKR_OK : rv;
}

/* Was the node stopped for so long that what it found may be so no more? What takes something away
 * is done all the same. */
static bool
request_is_late(const struct request *request)
{
    switch (request->row->operation) {
    case OPERATION_CANCEL:
    case OPERATION_DETACH:
    case OPERATION_OBJECT_DESTROY:
    case OPERATION_OBJECT_SET:
    case OPERATION_SESSION_CLOSE:
        return false;
    default:
        return !follow_is_fresh(request->hsm);
    }
}

/* More than the reply has of what leaves nothing in the store. */
#define REPLY_ROOM 512u

/* A `once` request that comes again gets the first reply. */
static CK_RV
request_run_once(struct request *request)
{
    struct hsm *hsm = request->hsm;
    const struct reply_key key = request_reply_key(request);
    struct reply_run run;
    CK_RV rv;

    if (key.request == 0) {
        return CODE_BAD_FRAME; /* all that do not number would be one request */
    }
    switch (replies_enter(&hsm->replies, &run, &key, frame_settled(request->frame),
                          request->reply)) {
    case REPLY_KEPT:
        request->kept = true;
        return CKR_OK;
    case REPLY_REFUSED:
        return run.refused;
    case REPLY_SETTLED:
        return CKR_DEVICE_ERROR;
    case REPLY_NEW:
        break;
    }
    request->run = &run;
    rv = replies_room(&run, REPLY_ROOM) ? request_run_noted(request) : CKR_DEVICE_MEMORY;
    if (rv == CKR_OK && !request->reply_kept && request_is_late(request)) {
        make_undo(request);
        rv = CODE_LAGGING;
    } else if (rv == CKR_OK && !request->reply_kept && writer_ok(request->reply)) {
        replies_keep_run(&hsm->replies, &run, hsm_time(hsm), false,
                         request_reply_body(request));
    } else if (rv != CKR_OK && rv != CODE_LATER && writer_ok(request->reply)) {
        rv = request_run_again(request, &run, rv);
    }
    replies_leave(&hsm->replies, &run);
    return rv;
}

/* The daemon's own words. */
static bool
is_for_no_context(enum operation operation)
{
    return operation == OPERATION_ATTACH || operation == OPERATION_PING ||
           operation == OPERATION_CHANGES || operation == OPERATION_NODES ||
           operation == OPERATION_CLUSTER;
}

/* Without an owner the node speaks of little else. */
static bool
request_waits_for_owner(const struct request *request)
{
    return atomic_load_explicit(&request->hsm->owner.missing, memory_order_relaxed) &&
           (request->row->unowned & request->peer->port) == 0;
}

/* Everything up to the handler. CODE_LATER goes through. */
static CK_RV
request_run(struct request *request)
{
    struct hsm *hsm = request->hsm;

    request->row = operation_row(request->frame->operation);
    if (request->row == NULL || (request->row->ports & request->peer->port) == 0) {
        return CKR_FUNCTION_NOT_SUPPORTED;
    }
    request->rules = hsm->rules;
    if (request_waits_for_owner(request)) {
        return CODE_UNOWNED;
    }
    if (is_for_no_context(request->row->operation)) {
        return request->row->operation == OPERATION_CHANGES && !follow_is_fresh(hsm)
                   ? CODE_LAGGING
                   : request_call(request);
    }
    request->context = context_find(&hsm->contexts, request->frame->context);
    if (request->context == NULL) {
        return request->row->operation == OPERATION_DETACH ? CKR_OK : CODE_UNKNOWN_CONTEXT;
    }
    atomic_store_explicit(&request->context->last_used,
                          hsm->ports.clock->monotonic(hsm->ports.clock), memory_order_relaxed);

    CK_RV rv = request_follows(request);

    if (rv != CKR_OK) {
        return rv;
    }
    /* After that: what it has waited for may have ended the login. */
    request->who = context_identity(request->context);
    request->rules.interface = request->who.interface;
    rv = request->row->repeat == REPEAT_once ? request_run_once(request)
                                             : request_run_noted(request);
    if (rv == CKR_OK && (request->barrier || request->kept) &&
        (rv = request_barrier(request)) == CODE_LATER) {
        return rv;
    }
    if (rv == CKR_OK && (rv = request_spread(request)) == CODE_LATER) {
        return rv;
    }
    /* It may have been stopped for long while it ran. What was stored, was; a step is lost with its
     * operation, which can be begun elsewhere. */
    return request->row->repeat != REPEAT_once && rv == CKR_OK && request_is_late(request)
               ? CODE_LAGGING
               : rv;
}

enum hsm_result
hsm_handle(struct hsm *hsm, const struct hsm_peer *peer, enum hsm_place place,
           const struct frame *frame, view body, struct writer *reply, struct hsm_told *ret_told)
{
    struct request request = {
        .hsm = hsm,
        .peer = peer,
        .place = place,
        .later = place,
        .frame = frame,
        .reply = reply,
        .note = { .mechanism = AUDIT_NO_MECHANISM },
        .body = body,
    };
    size_t start = frame_begin(reply);
    size_t body_start = reply->len;
    CK_RV rv;
    struct frame answer = {
        .operation = frame->operation,
        .flags = FRAME_REPLY,
        .request = frame->request,
        .session = frame->session,
    };

    struct writer told;

    writer_init(&told, FRAME_MAX);
    request.reply_start = body_start;
    rv = request_run(&request);
    if (rv == CKR_OK) {
        copies_tell(&request, &told);
    }
    context_unref(request.context);
    answer.revision = atomic_load(&hsm->revision);
    if (rv == CODE_LATER) {
        writer_truncate(reply, start);
        *ret_told = (struct hsm_told){ .place = request.later };
        return HSM_LATER;
    }
    if (rv != CKR_OK && rv != CKR_BUFFER_TOO_SMALL && writer_ok(reply)) {
        writer_truncate(reply, body_start);
    }
    memcpy(answer.context, frame->context, FRAME_CONTEXT_LEN);
    answer.code = (uint32_t)rv;
    if (!frame_end(reply, start, &answer)) {
        answer.code = (uint32_t)CKR_HOST_MEMORY;
        frame_reply(reply, frame, answer.code, answer.revision, VIEW_EMPTY);
    }
    copies_insert(reply, start, &told);
    writer_clear(&told);
    *ret_told = (struct hsm_told){ place, request.note.mechanism, answer.code };
    return HSM_DONE;
}
