/* SPDX-License-Identifier: Apache-2.0
 *
 * A meter counts what was done, and how long it took: requests by operation, mechanism and
 * outcome, and transactions of the store. Any number of threads count at once, without a lock and
 * without an allocation; who reads sees each count whole, and two of them perhaps of different
 * moments.
 */
#ifndef NET_METER_H
#define NET_METER_H

#include "net/metrics.h"

#define METER_NO_MECHANISM UINT64_MAX

struct meter;

/* mechanisms: requests are told apart by mechanism. NULL with a line in the log. */
struct meter *meter_new(bool mechanisms);
void meter_free(struct meter *meter);

/* A moment, in nanoseconds, for what follows. */
uint64_t meter_now(void);

/* One request was answered; began is when it came. A meter NULL is fine: nobody counts. */
void meter_request(struct meter *meter, uint16_t operation, uint64_t mechanism, uint32_t code,
                   uint64_t began);
/* One transaction of the store has ended. */
void meter_commit(struct meter *meter, uint64_t began, bool good);

/* Families start, operations, latency, answers. */
void meter_write(const struct meter *meter, struct writer *w);
/* Families commits, commits_failed. */
void meter_write_store(const struct meter *meter, struct writer *w);

#endif
