/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows and lines. A writer that fails stays failed, so nothing is asked of it here.
 */
#include "net/metrics.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* METRIC( up, "azcloudhsm_up", gauge, both, "", "1 while ..." ) gives
 * { "azcloudhsm_up", METRIC_KIND_gauge, METRIC_OF_both, "", "1 while ..." }, */
static const struct metric_row rows[] = {
#define METRIC(row, name, kind, of, labels, help) \
    { name, METRIC_KIND_##kind, METRIC_OF_##of, labels, help },
#include "net/metrics.def"
#undef METRIC
};

const struct metric_row *
metric_row(enum metric metric)
{
    return &rows[metric];
}

const char *
metric_kind_name(enum metric_kind kind)
{
    static const char *const names[] = { "counter", "gauge", "histogram" };

    return names[kind];
}

/* At most a line of the page. */
#define LINE_MAX_LEN 1024u

static void PRINTF(2, 3)
line(struct writer *w, const char *format, ...)
{
    char text[LINE_MAX_LEN];
    va_list arguments;
    int len;

    va_start(arguments, format);
    len = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (len > 0) {
        write_raw(w, view_of(text, size_min((size_t)len, sizeof text - 1)));
    }
}

void
metric_head(struct writer *w, enum metric metric)
{
    const struct metric_row *row = &rows[metric];

    line(w, "# HELP %s %s\n", row->name, row->help);
    line(w, "# TYPE %s %s\n", row->name, metric_kind_name(row->kind));
}

void
metric_value(struct writer *w, enum metric metric, const char *suffix, const char *labels,
             uint64_t value)
{
    line(w, "%s%s%s%s%s %" PRIu64 "\n", rows[metric].name, suffix, labels[0] == '\0' ? "" : "{",
         labels, labels[0] == '\0' ? "" : "}", value);
}

void
metric_seconds(struct writer *w, enum metric metric, const char *suffix, const char *labels,
               uint64_t nanoseconds)
{
    line(w, "%s%s%s%s%s %" PRIu64 ".%09" PRIu64 "\n", rows[metric].name, suffix,
         labels[0] == '\0' ? "" : "{", labels, labels[0] == '\0' ? "" : "}",
         nanoseconds / 1000000000u, nanoseconds % 1000000000u);
}

void
metric_single(struct writer *w, enum metric metric, uint64_t value)
{
    metric_head(w, metric);
    metric_value(w, metric, "", "", value);
}

void
metric_label(const char *text, char *out, size_t size)
{
    size_t len = 0;

    for (; *text != '\0' && len + 3 < size; text++) {
        if (*text == '"' || *text == '\\' || *text == '\n') {
            out[len++] = '\\';
        }
        out[len++] = *text == '\n' ? 'n' : *text;
    }
    out[len] = '\0';
}
