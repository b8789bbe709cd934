/* SPDX-License-Identifier: Apache-2.0
 *
 * The common way of all data through the library. A length that follows from the input is
 * answered here, before anything is sent; where only the HSM knows it, it answers with the
 * exact one and keeps nothing, or what it gave is held until the caller has room.
 */
#include "p11/crypt.h"

#include "base/secret.h"
#include "p11/job.h"

#include <stdlib.h>
#include <string.h>

/* The message is whole: its length, or its work. */
static CK_RV
job_whole(struct job *job)
{
    bool exact;
    size_t need = job_whole_len(job->task, job->in.len, &exact);
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
    return job_whole_len(task, task->fed, ret_exact) - task->given;
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
        rv = job_gather(other);
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
