/* SPDX-License-Identifier: Apache-2.0
 *
 * Counters in shards: a thread keeps to one, so that threads seldom meet on a cache line. Shards
 * are added up when somebody reads. A shard is large and mostly untouched: a page that no count
 * fell on takes no memory.
 */
#include "net/meter.h"

#include "base/clock.h"
#include "base/log.h"
#include "rules/mechanism.h"
#include "wire/frame.h"
#include "wire/message.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SHARDS 8u
#define CODES_STANDARD 0x400u
#define CODES_OURS_FIRST 0xffffffc0u
#define CODES_OURS 0x40u
#define CODE_OTHER (CODES_STANDARD + CODES_OURS)
#define CODES (CODE_OTHER + 1u)

/* Upper ends of the buckets, in nanoseconds. */
static const uint64_t bounds[] = {
    20000,    50000,    100000,    200000,    500000,    1000000,    2000000,    5000000,
    10000000, 20000000, 50000000, 100000000, 200000000, 500000000, 1000000000, 5000000000,
};
#define BUCKETS (ARRAY_COUNT(bounds) + 1) /* the last one has no end */

enum outcome { OUTCOME_OK, OUTCOME_REFUSED, OUTCOME_FAILED, OUTCOME_COUNT };
static const char *const outcome_names[] = { "ok", "refused", "failed" };

typedef _Atomic uint64_t count;

struct span {
    count buckets[BUCKETS];
    count sum;
};

struct cell {
    count outcomes[OUTCOME_COUNT];
    struct span span;
};

struct shard {
    count codes[CODES];
    struct span commits;
    count commits_failed;
    struct cell cells[]; /* operations by mechanisms, the last of each for "none" */
};

struct meter {
    size_t operations;
    size_t mechanisms;
    uint64_t started; /* seconds since 1970 */
    struct shard *shards[SHARDS];
};

struct meter *
meter_new(bool mechanisms)
{
    struct meter *meter = calloc(1, sizeof *meter);
    size_t operations;
    size_t count = 0;

    if (meter == NULL) {
        log_err("no memory for metrics");
        return NULL;
    }
    (void)operation_rows(&operations);
    (void)mechanism_rows(&count);
    meter->operations = operations + 1; /* and what is none */
    meter->mechanisms = mechanisms ? count + 1 : 1;
    meter->started = (uint64_t)time(NULL);
    for (size_t i = 0; i < SHARDS; i++) {
        meter->shards[i] = calloc(1, sizeof *meter->shards[i] + meter->operations *
                                                                    meter->mechanisms *
                                                                    sizeof(struct cell));
        if (meter->shards[i] == NULL) {
            log_err("no memory for metrics");
            meter_free(meter);
            return NULL;
        }
    }
    return meter;
}

void
meter_free(struct meter *meter)
{
    if (meter == NULL) {
        return;
    }
    for (size_t i = 0; i < SHARDS; i++) {
        free(meter->shards[i]);
    }
    free(meter);
}

uint64_t
meter_now(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

/* ---- counting ---- */

static struct shard *
shard_own(struct meter *meter)
{
    static _Atomic unsigned next;
    static _Thread_local unsigned own; /* + 1 */

    if (own == 0) {
        own = atomic_fetch_add(&next, 1) % SHARDS + 1;
    }
    return meter->shards[own - 1];
}

static void
count_up(count *counter, uint64_t by)
{
    atomic_fetch_add_explicit(counter, by, memory_order_relaxed);
}

static void
span_add(struct span *span, uint64_t began)
{
    const uint64_t took = meter_now() - began;
    size_t i = 0;

    while (i < ARRAY_COUNT(bounds) && took > bounds[i]) {
        i++;
    }
    count_up(&span->buckets[i], 1);
    count_up(&span->sum, took);
}

static enum outcome
outcome_of(uint32_t code)
{
    switch (code) {
    case CKR_OK:
        return OUTCOME_OK;
    case CKR_HOST_MEMORY:
    case CKR_GENERAL_ERROR:
    case CKR_FUNCTION_FAILED:
    case CKR_DEVICE_ERROR:
    case CKR_DEVICE_MEMORY:
    case CKR_DEVICE_REMOVED:
    case CKR_FIPS_SELF_TEST_FAILED:
        return OUTCOME_FAILED;
    default:
        return OUTCOME_REFUSED;
    }
}

static size_t
code_place(uint32_t code)
{
    if (code < CODES_STANDARD) {
        return code;
    }
    return code >= CODES_OURS_FIRST ? CODES_STANDARD + (code - CODES_OURS_FIRST) : CODE_OTHER;
}

static size_t
operation_place(const struct meter *meter, uint16_t operation)
{
    const struct operation_row *row = operation_row(operation);
    size_t count;

    return row == NULL ? meter->operations - 1 : (size_t)(row - operation_rows(&count));
}

static size_t
mechanism_place(const struct meter *meter, uint64_t mechanism)
{
    const struct mechanism_row *row =
        meter->mechanisms == 1 || mechanism == METER_NO_MECHANISM
            ? NULL
            : mechanism_row((CK_MECHANISM_TYPE)mechanism);
    size_t count;

    return row == NULL ? meter->mechanisms - 1 : (size_t)(row - mechanism_rows(&count));
}

void
meter_request(struct meter *meter, uint16_t operation, uint64_t mechanism, uint32_t code,
              uint64_t began)
{
    struct shard *shard;
    struct cell *cell;

    if (meter == NULL) {
        return;
    }
    shard = shard_own(meter);
    cell = &shard->cells[operation_place(meter, operation) * meter->mechanisms +
                         mechanism_place(meter, mechanism)];
    count_up(&cell->outcomes[outcome_of(code)], 1);
    count_up(&shard->codes[code_place(code)], 1);
    span_add(&cell->span, began);
}

void
meter_commit(struct meter *meter, uint64_t began, bool good)
{
    struct shard *shard;

    if (meter == NULL) {
        return;
    }
    shard = shard_own(meter);
    span_add(&shard->commits, began);
    if (!good) {
        count_up(&shard->commits_failed, 1);
    }
}

/* ---- telling ---- */

static uint64_t
count_of(const count *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* Counters of all shards added up; in plain numbers. */
struct sum {
    uint64_t outcomes[OUTCOME_COUNT];
    uint64_t buckets[BUCKETS];
    uint64_t took;
    uint64_t all;
};

static void
sum_span(struct sum *sum, const struct span *span)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        sum->buckets[i] += count_of(&span->buckets[i]);
    }
    sum->took += count_of(&span->sum);
}

static struct sum
sum_cell(const struct meter *meter, size_t cell)
{
    struct sum sum = { .all = 0 };

    for (size_t i = 0; i < SHARDS; i++) {
        const struct cell *one = &meter->shards[i]->cells[cell];

        for (size_t k = 0; k < OUTCOME_COUNT; k++) {
            sum.outcomes[k] += count_of(&one->outcomes[k]);
            sum.all += count_of(&one->outcomes[k]);
        }
        if (sum.all > 0) {
            sum_span(&sum, &one->span);
        }
    }
    return sum;
}

#define LABELS_MAX 256u

/* `operation="SIGN",mechanism="CKM_ECDSA"` */
static void
cell_labels(const struct meter *meter, size_t cell, char *out)
{
    size_t count;
    const struct operation_row *operations = operation_rows(&count);
    const struct mechanism_row *mechanisms = mechanism_rows(&count);
    const size_t operation = cell / meter->mechanisms;
    const size_t mechanism = cell % meter->mechanisms;
    const char *name =
        operation == meter->operations - 1 ? "unknown" : operations[operation].name;

    snprintf(out, LABELS_MAX, "operation=\"%s\",mechanism=\"%s\"", name,
             mechanism == meter->mechanisms - 1 ? "" : mechanisms[mechanism].name);
}

/* The buckets of one histogram, each with those below it, and what belongs to them. */
static void
sum_write(const struct sum *sum, enum metric metric, const char *labels, struct writer *w)
{
    char with[LABELS_MAX + 40];
    uint64_t below = 0;

    for (size_t i = 0; i < BUCKETS; i++) {
        below += sum->buckets[i];
        if (i < ARRAY_COUNT(bounds)) {
            snprintf(with, sizeof with, "%s%sle=\"%g\"", labels, labels[0] == '\0' ? "" : ",",
                     (double)bounds[i] / 1e9);
        } else {
            snprintf(with, sizeof with, "%s%sle=\"+Inf\"", labels, labels[0] == '\0' ? "" : ",");
        }
        metric_value(w, metric, "_bucket", with, below);
    }
    metric_seconds(w, metric, "_sum", labels, sum->took);
    metric_value(w, metric, "_count", labels, below);
}

static void
operations_write(const struct meter *meter, struct writer *w)
{
    char labels[LABELS_MAX];
    char with[LABELS_MAX + 40];

    metric_head(w, METRIC_operations);
    for (size_t i = 0; i < meter->operations * meter->mechanisms; i++) {
        const struct sum sum = sum_cell(meter, i);

        cell_labels(meter, i, labels);
        for (size_t k = 0; k < OUTCOME_COUNT; k++) {
            snprintf(with, sizeof with, "%s,outcome=\"%s\"", labels, outcome_names[k]);
            if (sum.outcomes[k] > 0) {
                metric_value(w, METRIC_operations, "", with, sum.outcomes[k]);
            }
        }
    }
    metric_head(w, METRIC_latency);
    for (size_t i = 0; i < meter->operations * meter->mechanisms; i++) {
        const struct sum sum = sum_cell(meter, i);

        if (sum.all > 0) {
            cell_labels(meter, i, labels);
            sum_write(&sum, METRIC_latency, labels, w);
        }
    }
}

static void
answers_write(const struct meter *meter, struct writer *w)
{
    metric_head(w, METRIC_answers);
    for (size_t i = 0; i < CODES; i++) {
        char labels[LABELS_MAX];
        uint64_t all = 0;

        for (size_t k = 0; k < SHARDS; k++) {
            all += count_of(&meter->shards[k]->codes[i]);
        }
        snprintf(labels, sizeof labels, "code=\"%s\"",
                 i == CODE_OTHER ? "other"
                 : code_name(i < CODES_STANDARD
                                 ? (uint32_t)i
                                 : CODES_OURS_FIRST + (uint32_t)(i - CODES_STANDARD)));
        if (all > 0) {
            metric_value(w, METRIC_answers, "", labels, all);
        }
    }
}

void
meter_write(const struct meter *meter, struct writer *w)
{
    metric_single(w, METRIC_start, meter->started);
    operations_write(meter, w);
    answers_write(meter, w);
}

void
meter_write_store(const struct meter *meter, struct writer *w)
{
    struct sum sum = { .all = 0 };
    uint64_t failed = 0;

    for (size_t i = 0; i < SHARDS; i++) {
        sum_span(&sum, &meter->shards[i]->commits);
        failed += count_of(&meter->shards[i]->commits_failed);
    }
    metric_head(w, METRIC_commits);
    sum_write(&sum, METRIC_commits, "", w);
    metric_single(w, METRIC_commits_failed, failed);
}
