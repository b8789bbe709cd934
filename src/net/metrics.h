/* SPDX-License-Identifier: Apache-2.0
 *
 * Metrics: the rows of metrics.def, and how they are written as Prometheus reads them (text
 * format 0.0.4).
 */
#ifndef NET_METRICS_H
#define NET_METRICS_H

#include "base/bytes.h"

enum metric {
#define METRIC(row, name, kind, of, labels, help) METRIC_##row,
#include "net/metrics.def"
#undef METRIC
    METRIC_COUNT
};

enum metric_kind { METRIC_KIND_counter, METRIC_KIND_gauge, METRIC_KIND_histogram };
enum metric_of { METRIC_OF_server = 1, METRIC_OF_daemon = 2, METRIC_OF_both = 3 };

struct metric_row {
    const char *name;
    enum metric_kind kind;
    enum metric_of of;
    const char *labels; /* their names */
    const char *help;
};

const struct metric_row *metric_row(enum metric metric);
/* "counter", "gauge", "histogram" */
const char *metric_kind_name(enum metric_kind kind);

/* HELP and TYPE of a family, before its first value. */
void metric_head(struct writer *w, enum metric metric);
/*
 * One value. suffix ("_bucket", or "") ends the name; labels is `port="client"` and the like, or
 * "": what stands between quotes has gone through metric_label().
 */
void metric_value(struct writer *w, enum metric metric, const char *suffix, const char *labels,
                  uint64_t value);
/* The same in seconds, of nanoseconds. */
void metric_seconds(struct writer *w, enum metric metric, const char *suffix, const char *labels,
                    uint64_t nanoseconds);
/* Head and value of a family that has one value without labels. */
void metric_single(struct writer *w, enum metric metric, uint64_t value);
/* text as it may stand between quotes, cut to what there is room for. */
void metric_label(const char *text, char *out, size_t size);

#endif
