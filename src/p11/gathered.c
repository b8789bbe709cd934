/* SPDX-License-Identifier: Apache-2.0
 *
 * Parts without output, of digests and signatures: they are gathered, and what ends them has the
 * result.
 */
#include "p11/crypt.h"

#include "p11/job.h"

CK_RV
job_gather(struct job *job)
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
        rv = job_gather(&job);
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
    if (rv == CKR_OK && !job_answers_length(&job, job_whole_len(job.task, 0, &exact), true, &rv)) {
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
    return rv == CKR_OK ? job_gather(&job) : rv;
}

static CK_RV
message_finish(struct job *job, view signature, struct sink *sink)
{
    CK_RV rv;

    if (job->task->phase == PHASE_FRESH) {
        return stream_whole(job->session, job->task, job->in, signature, sink);
    }
    rv = job_gather(job);
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
    *ret_asked = job_answers_length(&job, job_whole_len(task, in_len, &exact), true, &rv);
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
