/* SPDX-License-Identifier: Apache-2.0
 *
 * What an etcd, or who speaks in its place, answers: gRPC's framing, and the answers to a
 * transaction and to a range. What was read points into what was given.
 */
#include "fuzz/fuzz.h"
#include "store/etcd_txn.h"

/* Reads all of it, so that a sanitizer sees a view that leads astray. */
static void
look(view bytes)
{
    volatile uint8_t sum = 0;

    for (size_t i = 0; i < bytes.len; i++) {
        sum = (uint8_t)(sum + bytes.data[i]);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct etcd_records records;
    struct etcd_answer answer;
    view message = view_of(data, size);

    if (grpc_message(message, &message)) {
        HOLDS(message.len + 5 == size);
    }
    if (etcd_answer_read(message, &answer)) {
        HOLDS(answer.revision > 0);
        HOLDS(!answer.held || answer.probed.revision == 0);
        look(answer.probed.key);
        look(answer.probed.value);
    }
    etcd_answer_clear(&answer);
    if (etcd_records_read(message, &records)) {
        HOLDS(records.revision > 0 && records.count <= size);
        for (size_t i = 0; i < records.count; i++) {
            look(records.records[i].key);
            look(records.records[i].value);
        }
    }
    etcd_records_clear(&records);
    return 0;
}
