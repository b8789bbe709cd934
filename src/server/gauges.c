/* SPDX-License-Identifier: Apache-2.0
 *
 * The page is written on the main loop; everything it reads is an atomic count, or guarded by a
 * lock that is held for a look.
 */
#include "server/gauges.h"

#include "base/log.h"
#include "net/scrape.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define RELEASES_MAX 32u /* as many nodes as there may be */

struct gauges {
    struct stopwatch watch; /* first, so that it is the gauges */
    struct meter *meter;
    struct lane_service *service;
    struct scrape *scrape;
};

static uint64_t
watch_start(struct stopwatch *watch)
{
    UNUSED(watch);
    return meter_now();
}

static void
watch_stop(struct stopwatch *watch, uint64_t started, bool good)
{
    meter_commit(((struct gauges *)watch)->meter, started, good);
}

struct gauges *
gauges_new(void)
{
    struct gauges *gauges = calloc(1, sizeof *gauges);

    if (gauges == NULL || (gauges->meter = meter_new(true)) == NULL) {
        log_err("no memory for metrics");
        free(gauges);
        return NULL;
    }
    gauges->watch = (struct stopwatch){ watch_start, watch_stop };
    return gauges;
}

void
gauges_free(struct gauges *gauges)
{
    if (gauges != NULL) {
        gauges_close(gauges);
        meter_free(gauges->meter);
        free(gauges);
    }
}

struct meter *
gauges_meter(struct gauges *gauges)
{
    return gauges == NULL ? NULL : gauges->meter;
}

struct stopwatch *
gauges_watch(struct gauges *gauges)
{
    return gauges == NULL ? NULL : &gauges->watch;
}

/* ---- the page ---- */

static void
write_counts(const struct lane_service *service, struct writer *w)
{
    struct hsm_counts counts;

    hsm_count(service->hsm, &counts);
    metric_single(w, METRIC_objects, counts.objects);
    metric_single(w, METRIC_users, counts.users);
    metric_single(w, METRIC_contexts, counts.contexts);
    metric_single(w, METRIC_logins, counts.logins);
    metric_single(w, METRIC_session_objects, counts.session_objects);
    metric_single(w, METRIC_copies_given, counts.copies_given);
    metric_single(w, METRIC_copies_revived, counts.copies_revived);
    metric_single(w, METRIC_copies_refused, counts.copies_refused);
    metric_single(w, METRIC_running, counts.running);
}

static void
write_connections(const struct lane_service *service, struct writer *w)
{
    metric_head(w, METRIC_connections);
    metric_value(w, METRIC_connections, "", "port=\"client\"",
                 atomic_load(&service->counts.connections[LANE_CLIENT]));
    metric_value(w, METRIC_connections, "", "port=\"management\"",
                 atomic_load(&service->counts.connections[LANE_MANAGE]));
}

static void
write_queues(const struct lane_service *service, struct writer *w)
{
    static const char *const labels[] = {
        [PLACE_CPU] = "queue=\"cpu\"",
        [PLACE_SLOW] = "queue=\"slow\"",
        [PLACE_STORE] = "queue=\"store\"",
    };

    metric_head(w, METRIC_queue);
    for (size_t i = PLACE_CPU; i < ARRAY_COUNT(labels); i++) {
        metric_value(w, METRIC_queue, "", labels[i], pool_waiting(service->pools[i]));
    }
    metric_head(w, METRIC_queue_refused);
    for (size_t i = PLACE_CPU; i < ARRAY_COUNT(labels); i++) {
        metric_value(w, METRIC_queue_refused, "", labels[i],
                     atomic_load(&service->counts.refused[i]));
    }
}

static void
write_releases(const struct lane_service *service, struct writer *w)
{
    struct hsm_node_release nodes[RELEASES_MAX];
    uint32_t store;
    const size_t count = hsm_releases(service->hsm, nodes, ARRAY_COUNT(nodes), &store);

    metric_head(w, METRIC_node_release);
    for (size_t i = 0; i < count; i++) {
        char labels[32];

        snprintf(labels, sizeof labels, "node=\"%.16s\"", nodes[i].serial);
        metric_value(w, METRIC_node_release, "", labels, nodes[i].release);
    }
    metric_single(w, METRIC_store_release, store);
}

static void
gauges_page(void *arg, struct writer *w)
{
    const struct gauges *gauges = arg;

    metric_single(w, METRIC_up, 1);
    meter_write(gauges->meter, w);
    meter_write_store(gauges->meter, w);
    write_counts(gauges->service, w);
    write_connections(gauges->service, w);
    write_queues(gauges->service, w);
    write_releases(gauges->service, w);
}

bool
gauges_listen(struct gauges *gauges, struct loop *loop, const char *address,
              struct lane_service *service)
{
    gauges->service = service;
    gauges->scrape = scrape_new(loop, address, gauges_page, gauges);
    return gauges->scrape != NULL;
}

void
gauges_close(struct gauges *gauges)
{
    if (gauges != NULL) {
        scrape_free(gauges->scrape);
        gauges->scrape = NULL;
    }
}

unsigned
gauges_port(const struct gauges *gauges)
{
    return scrape_port(gauges->scrape);
}
