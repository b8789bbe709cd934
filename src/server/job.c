/* SPDX-License-Identifier: Apache-2.0
 *
 * Making, running and answering jobs.
 */
#include "server/job.h"

#include <stdlib.h>

struct job *
job_new(struct peer *peer, enum hsm_place place, const struct frame *request, view body)
{
    struct job *job = calloc(1, sizeof *job);

    if (job == NULL) {
        return NULL;
    }
    job->peer = peer;
    job->place = place;
    job->request = *request;
    writer_init(&job->body, FRAME_BODY_MAX);
    writer_init(&job->reply, FRAME_MAX);
    write_raw(&job->body, body);
    if (!writer_ok(&job->body)) {
        job_free(job);
        return NULL;
    }
    return job;
}

void
job_free(struct job *job)
{
    if (job != NULL) {
        writer_clear(&job->body);
        writer_clear(&job->reply);
        free(job);
    }
}

bool
job_run(struct job *job, struct hsm *hsm, const struct hsm_peer *who)
{
    if (hsm_handle(hsm, who, job->place, &job->request, writer_view(&job->body), &job->reply,
                   &job->told) == HSM_LATER) {
        job->place = job->told.place;
        return false;
    }
    if (!writer_ok(&job->reply)) {
        job_refuse(job);
    }
    return true;
}

void
job_refuse(struct job *job)
{
    writer_reset(&job->reply);
    frame_reply(&job->reply, &job->request, CKR_DEVICE_MEMORY, 0, VIEW_EMPTY);
}
