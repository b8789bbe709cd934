/* SPDX-License-Identifier: Apache-2.0
 *
 * The node's metrics (docs/metrics.md): what its threads count, and the page that a scraper gets.
 */
#ifndef SERVER_GAUGES_H
#define SERVER_GAUGES_H

#include "net/loop.h"
#include "net/meter.h"
#include "server/lane.h"

struct gauges;

/* Counts from now on. NULL with a line in the log. */
struct gauges *gauges_new(void);
/* Nobody counts any more. */
void gauges_free(struct gauges *gauges);

struct meter *gauges_meter(struct gauges *gauges);
/* Times the store's commits. */
struct stopwatch *gauges_watch(struct gauges *gauges);

/* Answers on that address, on the loop. False with a line in the log. service outlives it. */
MUST_USE bool gauges_listen(struct gauges *gauges, struct loop *loop, const char *address,
                            struct lane_service *service);
/* No page from now on: what it tells about is going away. NULL is fine. */
void gauges_close(struct gauges *gauges);
unsigned gauges_port(const struct gauges *gauges);

#endif
