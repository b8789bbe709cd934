/* SPDX-License-Identifier: Apache-2.0
 *
 * Jobs that are away: in the pools, or with who ran the loop when a write came that was alone.
 */
#include "server/lane_private.h"

#include "base/clock.h"
#include "base/urgency.h"
#include "net/meter.h"

#include <stdatomic.h>

/* So many writes in a row have to have been all that there was before a lane does one itself. */
#define ALONE_MIN 4
/* SLOW_MAX of them one after the other that took longer than WRITE_US: so many more. A single one
 * is the store that clears up, or a disk that has something else to do for once. */
#define ALONE_SLOW (-64)
#define SLOW_MAX 3u
#define WRITE_US 1000u

void
lane_hurry(const struct lane_service *service, const struct frame *request)
{
    /* 0 is the number of what daemons ask for themselves, some times a second. */
    if (request->request != 0 && (pool_is_busy(service->pools[PLACE_CPU]) ||
                                  pool_is_busy(service->pools[PLACE_SLOW]))) {
        urgency_hold();
    }
}

/* On the lane's thread: the reply of a job that was away. */
static void
peer_job_back(void *arg)
{
    struct job *job = arg;
    struct peer *peer = job->peer;
    struct lane *lane = peer->lane;

    peer->jobs--;
    if (job->writes) {
        atomic_fetch_sub(&peer->lane->service->writers, 1);
    }
    if (job->slow && ++lane->slow >= SLOW_MAX) {
        lane->alone = ALONE_SLOW;
        lane->slow = 0;
    }
    meter_request(peer->lane->service->meter, job->request.operation, job->told.mechanism,
                  job->told.code, job->began);
    if (peer->link == NULL) {
        peer_free_unused(peer);
    } else {
        write_raw(link_output(peer->link), writer_view(&job->reply));
        peer_send(peer);
    }
    job_free(&lane->shelf, job);
}

/* Sends it back to its peer's lane; from any thread. */
static void
job_return(struct job *job)
{
    loop_post_in(job->peer->lane->loop, &job->post, peer_job_back, job);
}

void
job_queue(struct lane_service *service, struct job *job)
{
    struct pool *pool = service->pools[job->place];

    if (!pool_put(pool, job->request.context, &job->item)) {
        atomic_fetch_add(&service->counts.refused[job->place], 1);
        job->told = (struct hsm_told){ .mechanism = METER_NO_MECHANISM,
                                       .code = (uint32_t)CKR_DEVICE_MEMORY };
        job_refuse(job);
        job_return(job);
    }
}

bool
lane_work(struct queue_item *item)
{
    struct job *job = (struct job *)item;
    struct lane_service *service = job->peer->lane->service;

    if (job_run(job, service->hsm, &job->peer->who)) {
        return true;
    }
    job_queue(service, job);
    return false;
}

void
lane_give(struct queue_item *item)
{
    job_return((struct job *)item);
}

void
lane_drop(struct queue_item *item)
{
    struct job *job = (struct job *)item;

    job_refuse(job);
    job_return(job);
}

bool
lane_writes_alone(struct lane *lane, struct job *job)
{
    const bool alone = atomic_fetch_add(&lane->service->writers, 1) == 0;

    job->writes = true;
    if (!alone) {
        lane->alone = lane->alone < 0 ? lane->alone : 0;
    } else if (lane->alone < ALONE_MIN) {
        lane->alone++;
    }
    return alone && lane->alone == ALONE_MIN && !lane->draining;
}

void
lane_is_not_alone(struct lane *lane)
{
    if (lane->alone > 0) {
        lane->alone = 0;
    }
}

bool
lane_write(struct lane *lane)
{
    struct job *job = lane->aside;
    struct lane_service *service = lane->service;
    uint64_t began, loan;
    bool done, back;

    lane->aside = NULL;
    lane_hurry(service, &job->request);
    began = clock_us(CLOCK_MONOTONIC);
    loan = relay_lend(&lane->relay);
    done = job_run(job, service->hsm, &job->peer->who);
    /* Also when the other has stepped in by now. */
    job->slow = clock_us(CLOCK_MONOTONIC) - began > WRITE_US;
    back = relay_back(&lane->relay, loan);
    if (back && !job->slow) {
        lane->slow = 0;
    }
    if (!done) {
        job_queue(service, job);
    } else if (back) {
        peer_job_back(job);
    } else {
        job_return(job);
    }
    return back;
}
