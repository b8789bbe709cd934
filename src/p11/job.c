/* SPDX-License-Identifier: Apache-2.0
 *
 * Where each call on data begins and ends: task, arguments, lengths.
 */
#include "p11/job.h"

#include "p11/verb.h"

/* A range that the address space cannot hold is no caller's buffer. */
#define LEN_MAX (SIZE_MAX / 4)

CK_RV
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

CK_RV
job_end(struct job *job, CK_RV rv)
{
    rv = task_after(job->session, job->task, job->step, rv, job->only_asked);
    session_end(job->session);
    return rv;
}

CK_RV
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

CK_RV
job_output(struct job *job, void *out, CK_ULONG *out_len)
{
    if (out_len == NULL) {
        return CKR_ARGUMENTS_BAD;
    }
    job->out = out;
    job->out_len = out_len;
    return CKR_OK;
}

bool
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

struct sink
job_sink(const struct job *job)
{
    return (struct sink){ .out = job->out, .size = *job->out_len };
}

CK_RV
job_give_len(const struct job *job, const struct sink *sink, CK_RV rv)
{
    if (rv == CKR_OK || rv == CKR_BUFFER_TOO_SMALL) {
        *job->out_len = sink->total;
    }
    return rv;
}

size_t
job_whole_len(const struct task *task, size_t in_len, bool *ret_exact)
{
    return mechanism_output_len(task->row, task->function, &task->key,
                                params_tag_len(&task->mechanism), in_len, ret_exact);
}
