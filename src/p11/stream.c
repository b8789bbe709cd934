/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests with data: ENCRYPT, DECRYPT, SIGN, VERIFY, SIGN_RECOVER, VERIFY_RECOVER, DIGEST for
 * what fits one frame, and START, UPDATE, FINAL for what does not. No plaintext of an AEAD comes
 * before its tag was checked: long ciphertext is sent twice, and the first pass returns nothing.
 *
 * An operation that the HSM holds is lost when its node or the daemon dies. So what was sent is
 * kept, up to 1 MiB; a new operation is begun with it, and output that came before is dropped.
 */
#include "p11/stream.h"

#include "base/secret.h"
#include "p11/trip.h"
#include "p11/verb.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

void
sink_put(struct sink *sink, view bytes)
{
    if (sink->total < sink->size && bytes.len > 0) {
        memcpy(sink->out + sink->total, bytes.data, size_min(bytes.len, sink->size - sink->total));
    }
    sink->total += bytes.len;
}

/* Output is the caller's only after success. */
static void
sink_forget(struct sink *sink)
{
    if (sink->total > 0) {
        wipe(sink->out, size_min(sink->total, sink->size));
    }
}

static void
iv_give(struct task *task, view iv)
{
    if (task->iv_out != NULL && iv.len == task->iv_out_len) {
        memcpy(task->iv_out, iv.data, iv.len);
    }
}

/* ---- one request ---- */

static uint32_t
room_of(const struct sink *sink)
{
    return (uint32_t)size_min(sink->size, UINT32_MAX);
}

/* What the HSM refused with the key, the cache was wrong about. */
static void
key_doubt(struct session *session, const struct task *task, CK_RV rv)
{
    if (rv == CKR_KEY_HANDLE_INVALID || rv == CKR_KEY_FUNCTION_NOT_PERMITTED) {
        cache_doubt(session->library->cache, task->key.handle);
    }
}

/* The length that the HSM says is needed; false when it says no such thing. */
static bool
short_by(view body, struct sink *sink)
{
    if (body.len != sizeof(uint32_t) || load_u32(body.data) <= sink->size) {
        return false;
    }
    sink->total = load_u32(body.data);
    return true;
}

static CK_RV
once(struct session *session, struct task *task, view in, view signature, struct sink *sink)
{
    const struct verb *verb = verb_of(task->function);
    view data = VIEW_EMPTY;
    view iv = VIEW_EMPTY;
    struct call call;
    CK_RV rv;

    if ((rv = trip_begin(session->library, &call)) != CKR_OK) {
        goto out;
    }
    verb->ask(&call, task, in, signature, room_of(sink));
    rv = trip_send(session->library, session, &call, verb->request);
    if (rv == CKR_BUFFER_TOO_SMALL) {
        rv = short_by(call.reply, sink) ? rv : CKR_DEVICE_ERROR;
        goto out;
    }
    if (rv != CKR_OK) {
        key_doubt(session, task, rv);
        goto out;
    }
    if (!verb->hear(call.reply, &data, &iv) || data.len > sink->size) {
        rv = CKR_DEVICE_ERROR;
        goto out;
    }
    sink_put(sink, data);
    iv_give(task, iv);
out:
    call_end(&call);
    return rv;
}

/* ---- chunks ---- */

/* What a refused step means here. After its own refusals the HSM has nothing of the operation;
 * one that it does not know went with the node that held it. */
static CK_RV
step_refused(struct task *task, CK_RV rv)
{
    task->bound = rv == CKR_DEVICE_ERROR;
    return rv == CKR_OPERATION_NOT_INITIALIZED ? CKR_DEVICE_ERROR : rv;
}

static CK_RV
start(struct session *session, struct task *task, bool tag_only, view *ret_iv, uint8_t iv_room[16])
{
    const struct start_request request = {
        .function = (uint32_t)task->function,
        .mechanism = task->mechanism,
        .key = task->key.handle,
        .tag_only = tag_only,
    };
    struct start_reply reply;
    struct call call;
    CK_RV rv;

    if ((rv = trip_begin(session->library, &call)) != CKR_OK) {
        goto out;
    }
    start_request_write(call.body, &request);
    if ((rv = trip_send(session->library, session, &call, OPERATION_START)) != CKR_OK) {
        session->remote = session->remote || rv == CKR_DEVICE_ERROR; /* it may have begun */
        key_doubt(session, task, rv);
        goto out;
    }
    if (!start_reply_read(call.reply, &reply) || reply.iv.len > 16) {
        rv = CKR_DEVICE_ERROR;
        goto out;
    }
    if (reply.iv.len > 0) {
        memcpy(iv_room, reply.iv.data, reply.iv.len);
    }
    *ret_iv = view_of(iv_room, reply.iv.len);
    task->bound = true;
    task->step = 0;
out:
    call_end(&call);
    return rv;
}

/* A key's value as a step. */
static CK_RV
update_key(struct session *session, struct task *task, uint32_t key)
{
    const struct update_request request = { (uint32_t)task->function, task->step, key, VIEW_EMPTY };
    struct call call;
    CK_RV rv;

    if ((rv = trip_begin(session->library, &call)) != CKR_OK) {
        goto out;
    }
    update_request_write(call.body, &request);
    if ((rv = trip_send(session->library, session, &call, OPERATION_UPDATE)) != CKR_OK) {
        rv = step_refused(task, rv);
        goto out;
    }
    task->step++;
out:
    call_end(&call);
    return rv;
}

/* Input that goes out in pieces, each a step. */
struct feeding {
    const struct task *task;
    view in;
    struct sink *sink;
};

static view
feeding_ask(void *arg, size_t at, struct writer *head)
{
    const struct feeding *feeding = arg;
    const struct update_request request = { .function = (uint32_t)feeding->task->function,
                                            .step = feeding->task->step + (uint32_t)at };
    view piece = view_slice(feeding->in, at * FRAME_DATA_MAX, FRAME_DATA_MAX);

    /* The data is the last field and leaves from where it is. */
    update_request_write(head, &request);
    if (writer_ok(head)) {
        writer_patch_u32(head, head->len - sizeof(uint32_t), (uint32_t)piece.len);
    }
    return piece;
}

static CK_RV
feeding_hear(void *arg, size_t at, view reply)
{
    struct feeding *feeding = arg;
    struct update_reply m;

    UNUSED(at);
    if (!update_reply_read(reply, &m)) {
        return CKR_DEVICE_ERROR;
    }
    sink_put(feeding->sink, m.data);
    return CKR_OK;
}

static CK_RV
feed(struct session *session, struct task *task, view in, struct sink *sink)
{
    struct feeding feeding = { task, in, sink };
    const struct steps steps = {
        .operation = OPERATION_UPDATE,
        .count = in.len / FRAME_DATA_MAX + (in.len % FRAME_DATA_MAX != 0),
        .ask = feeding_ask,
        .hear = feeding_hear,
        .arg = &feeding,
    };
    struct call call;
    CK_RV rv;

    if (steps.count == 0) {
        return CKR_OK;
    }
    if ((rv = trip_begin(session->library, &call)) != CKR_OK) {
        goto out;
    }
    if ((rv = trip_steps(session->library, session, &call, &steps)) != CKR_OK) {
        rv = step_refused(task, rv);
        goto out;
    }
    task->step += (uint32_t)steps.count;
out:
    call_end(&call);
    return rv;
}

static CK_RV
final(struct session *session, struct task *task, view signature, struct sink *sink)
{
    const struct final_request request = { (uint32_t)task->function, task->step, signature };
    struct final_reply reply;
    struct call call;
    CK_RV rv;

    if ((rv = trip_begin(session->library, &call)) != CKR_OK) {
        goto out;
    }
    final_request_write(call.body, &request);
    if ((rv = trip_send(session->library, session, &call, OPERATION_FINAL)) != CKR_OK) {
        rv = step_refused(task, rv);
        goto out;
    }
    task->bound = false;
    if (!final_reply_read(call.reply, &reply)) {
        rv = CKR_DEVICE_ERROR;
        goto out;
    }
    sink_put(sink, reply.data);
out:
    call_end(&call);
    return rv;
}

/* ---- beginning again ---- */

/* For so long a node is waited for, from the beginning of the call on. */
struct patience {
    struct timespec end;
};

#define PATIENCE_NS INT64_C(4400000000) /* a step that begins then waits no longer itself */
#define IN_PLACE_MAX (1024u * 1024u)
#define PAUSE_NS 50000000

static struct patience
patience_begin(void)
{
    struct patience patience;

    clock_gettime(CLOCK_MONOTONIC, &patience.end);
    patience.end.tv_sec += (time_t)(PATIENCE_NS / 1000000000);
    patience.end.tv_nsec += (long)(PATIENCE_NS % 1000000000);
    if (patience.end.tv_nsec >= 1000000000) {
        patience.end.tv_sec++;
        patience.end.tv_nsec -= 1000000000;
    }
    return patience;
}

/* Pauses; false when it is over. */
static bool
patience_left(const struct patience *patience)
{
    static const struct timespec pause = { 0, PAUSE_NS };
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_sec > patience->end.tv_sec ||
        (now.tv_sec == patience->end.tv_sec && now.tv_nsec >= patience->end.tv_nsec)) {
        return false;
    }
    nanosleep(&pause, NULL);
    return true;
}

/* Is the operation gone, and not refused? */
static bool
is_lost(CK_RV rv)
{
    return rv == CKR_DEVICE_ERROR;
}

/* The IV that the HSM made is the one to begin again with. mechanism's views are of our copy. */
static void
iv_fix(struct task *task, view iv)
{
    view own = task->mechanism.shape == PARAMS_gcm ? task->mechanism.params.gcm.iv : VIEW_EMPTY;

    if (iv.len > 0 && own.len == iv.len) {
        memcpy((uint8_t *)(uintptr_t)own.data, iv.data, iv.len);
    }
}

/* Keeps the input; *ret_in is the copy, or the input itself where it has become too long. */
static void
sent_keep(struct task *task, view in, view *ret_in)
{
    size_t start = task->sent.len;

    *ret_in = in;
    if (task->sent_whole) {
        write_raw(&task->sent, in);
        task->sent_whole = writer_ok(&task->sent);
        if (task->sent_whole) {
            *ret_in = view_slice(writer_view(&task->sent), start, in.len);
        } else {
            writer_clear(&task->sent);
        }
    }
}

/* Begins the operation, for the first time or again. */
static CK_RV
begin(struct session *session, struct task *task)
{
    uint8_t iv_room[16];
    view iv;
    CK_RV rv = start(session, task, false, &iv, iv_room);

    if (rv == CKR_OK && !task->begun) {
        iv_give(task, iv);
        iv_fix(task, iv);
        task->begun = true;
    }
    return rv;
}

/* A new operation, as far as the lost one was before the last len bytes. */
static CK_RV
again(struct session *session, struct task *task, size_t len)
{
    const bool begun = task->begun;
    struct sink dropped = { 0 };
    CK_RV rv;

    task->bound = false;
    rv = begin(session, task);
    if (rv == CKR_OK) {
        rv = feed(session, task, view_slice(writer_view(&task->sent), 0, task->sent.len - len),
                  &dropped);
    } else if (!is_lost(rv)) {
        /* A session key went with the node, or a right since. */
        return begun ? CKR_FUNCTION_FAILED : rv;
    }
    return rv == CKR_OK && dropped.total != task->got ? CKR_FUNCTION_FAILED : rv;
}

/* What a loss comes to in the end: the application is told of a device error. */
static CK_RV
loss_end(CK_RV rv)
{
    return rv == CKR_FUNCTION_FAILED ? CKR_DEVICE_ERROR : rv;
}

CK_RV
stream_part(struct session *session, struct task *task, view in, struct sink *sink)
{
    const size_t before = sink->total;
    const struct patience patience = patience_begin();
    view own;
    CK_RV rv = CKR_OK;

    sent_keep(task, in, &own);
    if (!task->bound) {
        rv = begin(session, task);
    }
    if (rv == CKR_OK) {
        rv = feed(session, task, own, sink);
    }
    while (is_lost(rv) && task->sent_whole && patience_left(&patience)) {
        sink->total = before;
        rv = again(session, task, in.len);
        if (rv == CKR_OK) {
            rv = feed(session, task, own, sink);
        }
    }
    if (rv != CKR_OK) {
        sink_forget(sink);
        return loss_end(rv);
    }
    task->got += sink->total - before;
    return CKR_OK;
}

CK_RV
stream_key(struct session *session, struct task *task, uint32_t key)
{
    /* What the HSM alone has cannot be sent again. */
    task->sent_whole = false;
    writer_clear(&task->sent);
    return loss_end(update_key(session, task, key));
}

CK_RV
stream_final(struct session *session, struct task *task, view signature, struct sink *sink)
{
    const struct patience patience = patience_begin();
    CK_RV rv = final(session, task, signature, sink);

    while (is_lost(rv) && task->sent_whole && patience_left(&patience)) {
        rv = again(session, task, 0);
        if (rv == CKR_OK) {
            rv = final(session, task, signature, sink);
        }
    }
    return loss_end(rv);
}

/* The pass that checks the tag and returns nothing. */
static CK_RV
tag_pass(struct session *session, struct task *task, view in)
{
    struct sink nothing = { 0 };
    uint8_t iv_room[16];
    view iv;
    CK_RV rv;

    if ((rv = start(session, task, true, &iv, iv_room)) != CKR_OK ||
        (rv = feed(session, task, in, &nothing)) != CKR_OK) {
        return rv;
    }
    return final(session, task, VIEW_EMPTY, &nothing);
}

/* Output is written while later input is still to be read, and a second time where the first was
 * lost: the input must not be in the way. */
static bool
overlaps(const struct sink *sink, view in)
{
    uintptr_t out = (uintptr_t)sink->out;
    uintptr_t from = (uintptr_t)in.data;

    return sink->size > 0 && out < from + in.len && from < out + sink->size;
}

static CK_RV
chunks(struct session *session, struct task *task, view in, view signature, struct sink *sink)
{
    uint8_t iv_room[16];
    view iv;
    CK_RV rv;

    if (task_is_aead_decryption(task) && (rv = tag_pass(session, task, in)) != CKR_OK) {
        return rv;
    }
    if ((rv = start(session, task, false, &iv, iv_room)) != CKR_OK ||
        (rv = feed(session, task, in, sink)) != CKR_OK ||
        (rv = final(session, task, signature, sink)) != CKR_OK) {
        return rv;
    }
    if (sink->total > sink->size) {
        return CKR_BUFFER_TOO_SMALL;
    }
    iv_give(task, iv);
    return CKR_OK;
}

CK_RV
stream_whole(struct session *session, struct task *task, view in, view signature,
             struct sink *sink)
{
    const struct patience patience = patience_begin();
    uint8_t *copy = NULL;
    bool in_place;
    CK_RV rv;

    if (in.len <= FRAME_DATA_MAX) {
        return once(session, task, in, signature, sink);
    }
    if (!task->row->multi) {
        return verb_of(task->function)->too_long;
    }
    /* In place a long message takes no second memory, and is not sent a second time. */
    in_place = sink->size > 0 && sink->out == in.data && in.len > IN_PLACE_MAX;
    if (overlaps(sink, in) && !in_place) {
        copy = malloc(in.len);
        if (copy == NULL) {
            return CKR_HOST_MEMORY;
        }
        memcpy(copy, in.data, in.len);
    }

    view own = copy == NULL ? in : view_of(copy, in.len);

    rv = chunks(session, task, own, signature, sink);
    while (is_lost(rv) && !in_place && patience_left(&patience)) {
        sink_forget(sink);
        sink->total = 0;
        task->bound = false;
        rv = chunks(session, task, own, signature, sink);
    }
    if (rv != CKR_OK) {
        sink_forget(sink);
    }
    if (copy != NULL) {
        wipe(copy, in.len);
        free(copy);
    }
    return rv;
}
