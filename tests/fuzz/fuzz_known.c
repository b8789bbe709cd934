/* SPDX-License-Identifier: Apache-2.0
 *
 * The daemon's file of nodes: as it is, and under a right sum. What reads is written alike.
 */
#include "crypto/algo.h"
#include "daemon/daemon.h"
#include "fuzz/fuzz.h"

/* Of main.c, which is not part of the library. */
uint64_t
daemon_now(void)
{
    return 0;
}

static void
reads(view bytes)
{
    static struct known known;
    struct writer again;

    if (!known_read(bytes, &known)) {
        return;
    }
    writer_init(&again, KNOWN_BYTES_MAX);
    HOLDS(known_write(&known, &again));
    HOLDS(view_equal(writer_view(&again), bytes));
    writer_clear(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct writer whole;
    uint8_t sum[KNOWN_SUM_LEN];

    reads(view_of(data, size));
    if (size > KNOWN_BYTES_MAX - sizeof sum) {
        return 0;
    }
    writer_init(&whole, KNOWN_BYTES_MAX);
    write_raw(&whole, view_of(data, size));
    HOLDS(algo_sha256(view_of(data, size), sum));
    write_raw(&whole, view_of(sum, sizeof sum));
    reads(writer_view(&whole));
    writer_clear(&whole);
    return 0;
}
