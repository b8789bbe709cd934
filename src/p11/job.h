/* SPDX-License-Identifier: Apache-2.0
 *
 * One call that moves data through a task: its session, its arguments, and the questions that are
 * answered before anything is sent.
 */
#ifndef P11_JOB_H
#define P11_JOB_H

#include "p11/stream.h"

struct job {
    struct session *session;
    struct task *task;
    enum step step;
    view in;
    uint8_t *out;
    CK_ULONG *out_len;
    bool only_asked; /* for the length: the task stays as it is */
};

/* Enters the session and takes its task of that function. What fails has left the session. */
MUST_USE CK_RV job_begin(struct job *job, CK_SESSION_HANDLE handle, CK_FLAGS function,
                         enum step step);
/* What becomes of the task after rv, which is handed on; leaves the session. */
MUST_USE CK_RV job_end(struct job *job, CK_RV rv);

/* PKCS #11 v3.1, 5.1.6: the pointers; a length of 0 needs none. The bytes stay the caller's.
 * CKR_ARGUMENTS_BAD, or the function's code for what no address space holds. */
MUST_USE CK_RV job_input(struct job *job, const void *in, CK_ULONG in_len);
MUST_USE CK_RV job_output(struct job *job, void *out, CK_ULONG *out_len);

/* How long the output of a whole message of in_len bytes is; *ret_exact: no less either. */
size_t job_whole_len(const struct task *task, size_t in_len, bool *ret_exact);
/*
 * PKCS #11 v3.1, 5.2. True when the question is answered, with *ret_rv: the caller asked for
 * the length, or its buffer is shorter than one that is exact.
 */
bool job_answers_length(struct job *job, size_t need, bool exact, CK_RV *ret_rv);
/* The caller's buffer. */
struct sink job_sink(const struct job *job);
/* Output lengths reach the caller with success, and with the news that it had no room. */
MUST_USE CK_RV job_give_len(const struct job *job, const struct sink *sink, CK_RV rv);

/* The input of a part without output. Up to a frame's worth stays here, so that a short message is
 * one request at its end (gathered.c). Blocks when more than that leaves. */
MUST_USE CK_RV job_gather(struct job *job);

#endif
