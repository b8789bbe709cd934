/* SPDX-License-Identifier: Apache-2.0
 *
 * The common way of all data through the library. A length that follows from the input is
 * answered here, before anything is sent; where only the HSM knows it, it answers with the
 * exact one and keeps nothing, or what it gave is held until the caller has room.
 */
#include "p11/crypt.h"

#include "base/secret.h"
#include "p11/stream.h"
#include "p11/verb.h"

#include <stdlib.h>
#include <string.h>

/* A range that the address space cannot hold is no caller's buffer. */
#define LEN_MAX (SIZE_MAX / 4)

/* What one call works with. */
struct job {
    struct session *session;
    struct task *task;
    enum step step;
    view in;
    uint8_t *out;
    CK_ULONG *out_len;
    bool only_asked;
};

static CK_RV
job_begin(struct job *job, CK_SESSION_HANDLE handle, CK_FLAGS function, enum step step)
{
    CK_RV rv = session_begin(handle, &job->session);

    job->step = step;
    if (rv != CKR_OK) {
        return rv;
    }
    rv = task_step(job->session, function, step, &job->task);
    if (rv != CKR_OK) {
        session_end(job->session);
    }
    return rv;
}

static CK_RV
job_end(struct job *job, CK_RV rv)
{
    rv = task_after(job->session, job->task, job->step, rv, job->only_asked);
    session_end(job->session);
    return rv;
}

/* PKCS #11 v3.1, 5.1.6: the pointers; a length of 0 needs none. */
static CK_RV
job_input(struct job *job, const void *in, CK_ULONG in_len)
{
    if (in == NULL && in_len > 0) {
        return CKR_ARGUMENTS_BAD;
    }
    if (in_len > LEN_MAX) {
        return verb_of(job->task->function)->too_long;
    }
    job->in = in_len == 0 ? VIEW_EMPTY : view_of(in, in_len);
    return CKR_OK;
}

static CK_RV
job_output(struct job *job, void *out, CK_ULONG *out_len)
{
    if (out_len == NULL) {
        return CKR_ARGUMENTS_BAD;
    }
    job->out = out;
    job->out_len = out_len;
    return CKR_OK;
}

/*
 * PKCS #11 v3.1, 5.2. True when the question is answered, with *ret_rv: the caller asked for
 * the length, or its buffer is shorter than one that is exact.
 */
static bool
job_answers_length(struct job *job, size_t need, bool exact, CK_RV *ret_rv)
{
    if (job->out == NULL) {
        *job->out_len = need;
        job->only_asked = true;
        *ret_rv = CKR_OK;
        return true;
    }
    if (exact && *job->out_len < need) {
        *job->out_len = need;
        *ret_rv = CKR_BUFFER_TOO_SMALL;
        return true;
    }
    return false;
}

static struct sink
job_sink(const struct job *job)
{
    return (struct sink){ .out = job->out, .size = *job->out_len };
}

/* Output lengths reach the caller with success, and with the news that it had no room. */
static CK_RV
job_give_len(const struct job *job, const struct sink *sink, CK_RV rv)
{
    if (rv == CKR_OK || rv == CKR_BUFFER_TOO_SMALL) {
        *job->out_len = sink->total;
    }
    return rv;
}

static size_t
whole_len(const struct task *task, size_t in_len, bool *ret_exact)
{
    return mechanism_output_len(task->row, task->function, &task->key,
                                params_tag_len(&task->mechanism), in_len, ret_exact);
}

/* The message is whole: its length, or its work. */
static CK_RV
job_whole(struct job *job)
{
    bool exact;
    size_t need = whole_len(job->task, job->in.len, &exact);
    CK_RV rv;

    if (job_answers_length(job, need, exact, &rv)) {
        return rv;
    }

    struct sink sink = job_sink(job);

    rv = stream_whole(job->session, job->task, job->in, VIEW_EMPTY, &sink);
    return job_give_len(job, &sink, rv);
}

CK_RV
crypt_single(CK_SESSION_HANDLE handle, CK_FLAGS function, const void *in, CK_ULONG in_len,
             void *out, CK_ULONG *out_len)
{
    struct job job = { 0 };
    CK_RV rv = job_begin(&job, handle, function, STEP_SINGLE);

    if (rv != CKR_OK) {
        return rv;
    }
    if ((rv = job_output(&job, out, out_len)) == CKR_OK &&
        (rv = job_input(&job, in, in_len)) == CKR_OK) {
        rv = job_whole(&job);
    }
    return job_end(&job, rv);
}

/* ---- parts with output ---- */

/* Ciphertext of an AEAD waits here for its tag. */
static CK_RV
aead_collect(struct job *job)
{
    if (job->out == NULL) {
        *job->out_len = 0;
        job->only_asked = true;
        return CKR_OK;
    }
    if (job->in.len > job->task->gathered.max - job->task->gathered.len) {
        return CKR_ENCRYPTED_DATA_LEN_RANGE;
    }
    write_raw(&job->task->gathered, job->in);
    *job->out_len = 0;
    return writer_ok(&job->task->gathered) ? CKR_OK : CKR_HOST_MEMORY;
}

static CK_RV
job_part(struct job *job)
{
    struct task *task = job->task;
    uint64_t most = task_output(task, task->fed + job->in.len) - task->given;
    CK_RV rv;

    if (task_is_aead_decryption(task)) {
        return aead_collect(job);
    }
    if (job_answers_length(job, most, true, &rv)) {
        return rv;
    }

    struct sink sink = job_sink(job);

    if (job->in.len > 0) {
        rv = stream_part(job->session, task, job->in, &sink);
        /* The HSM may hold a block back that it could give, but never give more. */
        if (rv == CKR_OK && sink.total > most) {
            wipe(sink.out, size_min(sink.total, sink.size));
            rv = CKR_DEVICE_ERROR;
        }
        if (rv != CKR_OK) {
            return rv;
        }
    }
    task->fed += job->in.len;
    task->given += sink.total;
    return job_give_len(job, &sink, CKR_OK);
}

CK_RV
crypt_update(CK_SESSION_HANDLE handle, CK_FLAGS function, const void *in, CK_ULONG in_len,
             void *out, CK_ULONG *out_len)
{
    struct job job = { 0 };
    CK_RV rv = job_begin(&job, handle, function, STEP_UPDATE);

    if (rv != CKR_OK) {
        return rv;
    }
    if ((rv = job_output(&job, out, out_len)) == CKR_OK &&
        (rv = job_input(&job, in, in_len)) == CKR_OK) {
        rv = job_part(&job);
    }
    return job_end(&job, rv);
}

/* What Final has yet to give. Whole blocks have all been given: what is left over then is
 * the HSM's to refuse. */
static size_t
final_len(const struct task *task, bool *ret_exact)
{
    if (task->row->out == OUT_same) {
        *ret_exact = true;
        return 0;
    }
    return whole_len(task, task->fed, ret_exact) - task->given;
}

/* The result is there, and stays until it fits. */
static CK_RV
held_give(struct job *job)
{
    struct task *task = job->task;
    view held = writer_view(&task->held);
    CK_RV rv;

    if (job_answers_length(job, held.len, true, &rv)) {
        return rv;
    }

    struct sink sink = job_sink(job);

    sink_put(&sink, held);
    return job_give_len(job, &sink, CKR_OK);
}

/* A buffer that may or may not do: only the HSM knows, and it answers once. */
static CK_RV
held_fetch(struct job *job, size_t most)
{
    struct task *task = job->task;
    uint8_t *room = write_space(&task->held, most);
    struct sink sink = { .out = room, .size = most };
    CK_RV rv;

    if (room == NULL) {
        return CKR_HOST_MEMORY;
    }
    rv = stream_final(job->session, task, VIEW_EMPTY, &sink);
    if (rv != CKR_OK || sink.total > most) {
        return rv != CKR_OK ? rv : CKR_DEVICE_ERROR;
    }
    writer_truncate(&task->held, sink.total);
    task->is_held = true;
    return held_give(job);
}

static CK_RV
job_last(struct job *job)
{
    struct task *task = job->task;
    bool exact;
    size_t need = final_len(task, &exact);
    CK_RV rv;

    if (task->is_held) {
        return held_give(job);
    }
    if (job_answers_length(job, need, exact, &rv)) {
        return rv;
    }

    struct sink sink = job_sink(job);

    /* Nothing has left yet: the message is empty. */
    if (!task->bound) {
        rv = stream_part(job->session, task, VIEW_EMPTY, &sink);
        if (rv != CKR_OK) {
            return rv;
        }
    }
    if (!exact && *job->out_len < need) {
        return held_fetch(job, need);
    }
    rv = stream_final(job->session, task, VIEW_EMPTY, &sink);
    if (rv == CKR_OK && sink.total > sink.size) {
        wipe(sink.out, sink.size);
        rv = CKR_DEVICE_ERROR;
    }
    return job_give_len(job, &sink, rv);
}

CK_RV
crypt_final(CK_SESSION_HANDLE handle, CK_FLAGS function, void *out, CK_ULONG *out_len)
{
    struct job job = { 0 };
    CK_RV rv = job_begin(&job, handle, function, STEP_FINAL);

    if (rv != CKR_OK) {
        return rv;
    }
    if ((rv = job_output(&job, out, out_len)) == CKR_OK) {
        job.in = writer_view(&job.task->gathered);
        rv = task_is_aead_decryption(job.task) ? job_whole(&job) : job_last(&job);
    }
    return job_end(&job, rv);
}

/* ---- parts without output ---- */

/* Up to a frame's worth stays here, so that a short message is one request at its end. */
static CK_RV
gather(struct job *job)
{
    struct writer *gathered = &job->task->gathered;
    struct sink nothing = { 0 };
    view in = job->in;
    CK_RV rv = CKR_OK;

    if (in.len > FRAME_DATA_MAX - gathered->len) {
        size_t fill = FRAME_DATA_MAX - gathered->len;

        write_raw(gathered, view_slice(in, 0, fill));
        if (!writer_ok(gathered)) {
            return CKR_HOST_MEMORY;
        }
        in = view_slice(in, fill, in.len);
        rv = stream_part(job->session, job->task, writer_view(gathered), &nothing);
        writer_reset(gathered);
        if (rv == CKR_OK && in.len > FRAME_DATA_MAX) {
            size_t whole = in.len - in.len % FRAME_DATA_MAX;

            rv = stream_part(job->session, job->task, view_slice(in, 0, whole), &nothing);
            in = view_slice(in, whole, in.len);
        }
    }
    write_raw(gathered, in);
    return rv == CKR_OK && !writer_ok(gathered) ? CKR_HOST_MEMORY : rv;
}

CK_RV
crypt_gather(CK_SESSION_HANDLE handle, CK_FLAGS function, const void *in, CK_ULONG in_len)
{
    struct job job = { 0 };
    CK_RV rv = job_begin(&job, handle, function, STEP_UPDATE);

    if (rv != CKR_OK) {
        return rv;
    }
    if ((rv = job_input(&job, in, in_len)) == CKR_OK) {
        rv = gather(&job);
    }
    return job_end(&job, rv);
}

CK_RV
crypt_digest_key(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE key)
{
    struct session *session;
    struct job job = { .step = STEP_UPDATE };
    struct sink nothing = { 0 };
    struct key_info info;
    CK_RV rv = session_begin_offered(handle, FUNCTION_DigestKey, &session);

    if (rv != CKR_OK) {
        return rv;
    }
    job.session = session;
    rv = task_step(session, CKF_DIGEST, STEP_UPDATE, &job.task);
    if (rv != CKR_OK) {
        session_end(session);
        return rv;
    }
    if ((rv = task_key(session, key, &info)) == CKR_OK &&
        (rv = stream_part(session, job.task, writer_view(&job.task->gathered), &nothing)) ==
            CKR_OK) {
        writer_reset(&job.task->gathered);
        rv = stream_key(session, job.task, info.handle);
    }
    return job_end(&job, rv);
}

/* ---- two operations at once ---- */

/* Input that the output is going to lie on. NULL without an error when it is not. */
static CK_RV
input_keep(const struct job *job, uint8_t **ret_copy)
{
    uintptr_t out = (uintptr_t)job->out, in = (uintptr_t)job->in.data;
    bool apart = job->out == NULL || job->in.len == 0 || out >= in + job->in.len ||
                 in >= out + *job->out_len;

    *ret_copy = NULL;
    if (!apart) {
        *ret_copy = malloc(job->in.len);
        if (*ret_copy == NULL) {
            return CKR_HOST_MEMORY;
        }
        memcpy(*ret_copy, job->in.data, job->in.len);
    }
    return CKR_OK;
}

/* The cipher's part, and when it gave its output the other's. A failed call ends both: they are
 * no longer of the same message. */
static CK_RV
dual_part(struct job *cipher, struct job *other)
{
    bool encrypts = cipher->task->function == CKF_ENCRYPT;
    uint8_t *copy = NULL;
    CK_RV rv = encrypts ? input_keep(cipher, &copy) : CKR_OK;

    if (rv == CKR_OK) {
        rv = job_part(cipher);
    }
    if (rv == CKR_OK && !cipher->only_asked) {
        const uint8_t *plain = copy != NULL ? copy : cipher->in.data;

        other->in = encrypts ? view_of(plain, cipher->in.len)
                             : view_of(cipher->out, *cipher->out_len);
        rv = gather(other);
        if (rv != CKR_OK) {
            wipe(cipher->out, *cipher->out_len);
        }
    }
    if (copy != NULL) {
        wipe(copy, cipher->in.len);
        free(copy);
    }
    return rv;
}

CK_RV
crypt_dual(CK_SESSION_HANDLE handle, enum rules_function called, CK_FLAGS cipher, CK_FLAGS other,
           const void *in, CK_ULONG in_len, void *out, CK_ULONG *out_len)
{
    struct session *session;
    struct job first = { .step = STEP_UPDATE }, second = { .step = STEP_UPDATE };
    CK_RV rv = session_begin_offered(handle, called, &session);

    if (rv != CKR_OK) {
        return rv;
    }
    first.session = second.session = session;
    /* Neither ends because the other is not there. */
    if (task_of(session, cipher) == NULL || task_of(session, other) == NULL) {
        rv = CKR_OPERATION_NOT_INITIALIZED;
        goto out;
    }
    if ((rv = task_step(session, cipher, STEP_UPDATE, &first.task)) != CKR_OK ||
        (rv = task_step(session, other, STEP_UPDATE, &second.task)) != CKR_OK) {
        goto out;
    }
    if ((rv = job_output(&first, out, out_len)) == CKR_OK &&
        (rv = job_input(&first, in, in_len)) == CKR_OK) {
        rv = dual_part(&first, &second);
    }
    rv = task_after(session, second.task, STEP_UPDATE, rv, first.only_asked);
    rv = task_after(session, first.task, STEP_UPDATE, rv, first.only_asked);
out:
    session_end(session);
    return rv;
}

/* The end of a message that was gathered: one request if none has left yet. */
static CK_RV
gathered_finish(struct job *job, view signature, struct sink *sink)
{
    struct sink nothing = { 0 };
    view rest = writer_view(&job->task->gathered);
    CK_RV rv;

    if (!job->task->bound) {
        return stream_whole(job->session, job->task, rest, signature, sink);
    }
    rv = stream_part(job->session, job->task, rest, &nothing);
    if (rv == CKR_OK) {
        rv = stream_final(job->session, job->task, signature, sink);
    }
    return rv == CKR_OK && sink->total > sink->size ? CKR_DEVICE_ERROR : rv;
}

CK_RV
crypt_gathered(CK_SESSION_HANDLE handle, CK_FLAGS function, void *out, CK_ULONG *out_len)
{
    struct job job = { 0 };
    bool exact;
    CK_RV rv = job_begin(&job, handle, function, STEP_FINAL);

    if (rv != CKR_OK) {
        return rv;
    }
    rv = job_output(&job, out, out_len);
    if (rv == CKR_OK && !job_answers_length(&job, whole_len(job.task, 0, &exact), true, &rv)) {
        struct sink sink = job_sink(&job);

        rv = job_give_len(&job, &sink, gathered_finish(&job, VIEW_EMPTY, &sink));
    }
    return job_end(&job, rv);
}

static CK_RV
signature_check(view signature)
{
    if (signature.data == NULL && signature.len > 0) {
        return CKR_ARGUMENTS_BAD;
    }
    return signature.len > FRAME_DATA_MAX ? CKR_SIGNATURE_LEN_RANGE : CKR_OK;
}

CK_RV
crypt_verify(CK_SESSION_HANDLE handle, bool final, const void *in, CK_ULONG in_len,
             const void *signature, CK_ULONG signature_len)
{
    struct job job = { 0 };
    struct sink nothing = { 0 };
    view signed_by = view_of(signature, signature_len);
    CK_RV rv = job_begin(&job, handle, CKF_VERIFY, final ? STEP_FINAL : STEP_SINGLE);

    if (rv != CKR_OK) {
        return rv;
    }
    if ((rv = job_input(&job, in, in_len)) != CKR_OK) {
        goto out;
    }
    if ((rv = signature_check(signed_by)) != CKR_OK) {
        goto out;
    }
    if (final) {
        rv = gathered_finish(&job, signed_by, &nothing);
    } else {
        rv = stream_whole(job.session, job.task, job.in, signed_by, &nothing);
    }
out:
    return job_end(&job, rv);
}

/* ---- messages ---- */

CK_RV
crypt_message_part(struct session *session, struct task *task, const void *in, CK_ULONG in_len)
{
    struct job job = { .session = session, .task = task };
    CK_RV rv = job_input(&job, in, in_len);

    task->phase = PHASE_PARTS;
    return rv == CKR_OK ? gather(&job) : rv;
}

static CK_RV
message_finish(struct job *job, view signature, struct sink *sink)
{
    CK_RV rv;

    if (job->task->phase == PHASE_FRESH) {
        return stream_whole(job->session, job->task, job->in, signature, sink);
    }
    rv = gather(job);
    return rv == CKR_OK ? gathered_finish(job, signature, sink) : rv;
}

CK_RV
crypt_message_sign(struct session *session, struct task *task, const void *in, CK_ULONG in_len,
                   void *out, CK_ULONG *out_len, bool *ret_asked)
{
    struct job job = { .session = session, .task = task };
    struct sink sink;
    bool exact;
    CK_RV rv;

    if ((rv = job_output(&job, out, out_len)) != CKR_OK ||
        (rv = job_input(&job, in, in_len)) != CKR_OK) {
        return rv;
    }
    *ret_asked = job_answers_length(&job, whole_len(task, in_len, &exact), true, &rv);
    if (*ret_asked) {
        return rv;
    }
    sink = job_sink(&job);
    return job_give_len(&job, &sink, message_finish(&job, VIEW_EMPTY, &sink));
}

CK_RV
crypt_message_verify(struct session *session, struct task *task, const void *in, CK_ULONG in_len,
                     const void *signature, CK_ULONG signature_len)
{
    struct job job = { .session = session, .task = task };
    view signed_by = view_of(signature, signature_len);
    struct sink nothing = { 0 };
    CK_RV rv;

    if ((rv = job_input(&job, in, in_len)) != CKR_OK ||
        (rv = signature_check(signed_by)) != CKR_OK) {
        return rv;
    }
    return message_finish(&job, signed_by, &nothing);
}
