/* SPDX-License-Identifier: Apache-2.0
 *
 * Making, running and answering jobs.
 */
#include "server/job.h"

#include <stdlib.h>

#define SHELF_MAX 64u
#define SHELF_BYTES_MAX 8192u /* of a body or reply that is kept */

static struct job *
shelf_take(struct job_shelf *shelf)
{
    struct job *job = shelf->first;

    if (job != NULL) {
        shelf->first = job->next;
        shelf->count--;
        return job;
    }
    job = calloc(1, sizeof *job);
    if (job != NULL) {
        writer_init(&job->body, FRAME_BODY_MAX);
        writer_init(&job->reply, FRAME_MAX);
    }
    return job;
}

struct job *
job_new(struct job_shelf *shelf, struct peer *peer, enum hsm_place place,
        const struct frame *request, view body)
{
    struct job *job = shelf_take(shelf);

    if (job == NULL) {
        return NULL;
    }
    job->peer = peer;
    job->place = place;
    job->writes = false;
    job->slow = false;
    job->request = *request;
    job->began = 0;
    write_raw(&job->body, body);
    if (!writer_ok(&job->body)) {
        job_free(shelf, job);
        return NULL;
    }
    return job;
}

static void
job_destroy(struct job *job)
{
    writer_clear(&job->body);
    writer_clear(&job->reply);
    free(job);
}

void
job_free(struct job_shelf *shelf, struct job *job)
{
    if (job == NULL) {
        return;
    }
    if (shelf->count >= SHELF_MAX || job->body.size > SHELF_BYTES_MAX ||
        job->reply.size > SHELF_BYTES_MAX) {
        job_destroy(job);
        return;
    }
    writer_reset(&job->body);
    writer_reset(&job->reply);
    job->next = shelf->first;
    shelf->first = job;
    shelf->count++;
}

void
job_shelf_clear(struct job_shelf *shelf)
{
    while (shelf->first != NULL) {
        struct job *job = shelf->first;

        shelf->first = job->next;
        job_destroy(job);
    }
    shelf->count = 0;
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
