/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines of the daemon's files of sealed copies: what reads is written alike, and what they say leaves
 * copies within their bounds.
 */
#include "daemon/copies_file.h"
#include "fuzz/fuzz.h"

#include <stdlib.h>

/* Of main.c, which is not part of the library. */
uint64_t
daemon_now(void)
{
    return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct owner owner = { .uid = 1 };
    struct context *context = calloc(1, sizeof *context);
    struct reader r = reader_of(view_of(data, size));
    struct writer again, all;
    struct copies_line line;

    HOLDS(context != NULL);
    context->owner = &owner;
    writer_init(&again, size);
    while (copies_line_next(&r, &line)) {
        copies_line_write(&again, &line);
        copies_apply(context, &line);
        HOLDS(context->copies.count <= COPIES_MAX);
        HOLDS(context->copies.bytes <= COPIES_BYTES_MAX);
        HOLDS(owner.copies_bytes == context->copies.bytes);
    }
    HOLDS(writer_ok(&again));
    HOLDS(view_equal(writer_view(&again), view_of(data, size - r.left)));
    writer_init(&all, COPIES_BYTES_MAX + COPIES_MAX * COPIES_LINE_OVERHEAD);
    copies_write(context, &all);
    HOLDS(writer_ok(&all));
    writer_clear(&all);
    writer_clear(&again);
    copies_clear(context);
    HOLDS(owner.copies_bytes == 0);
    free(context);
    return 0;
}
