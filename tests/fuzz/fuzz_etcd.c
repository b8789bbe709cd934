/* SPDX-License-Identifier: Apache-2.0
 *
 * What an etcd, or who speaks in its place, answers: gRPC's framing, and the answers to a
 * transaction, to a range and to a watch. What was read points into what was given.
 */
#include "fuzz/fuzz.h"
#include "store/etcd_watch.h"

/* Reads all of it, so that a sanitizer sees a view that leads astray. */
static void
look(view bytes)
{
    volatile uint8_t sum = 0;

    for (size_t i = 0; i < bytes.len; i++) {
        sum = (uint8_t)(sum + bytes.data[i]);
    }
}

static void
look_at_news(view message)
{
    struct etcd_news news;
    view piece, rest = message;
    size_t taken;

    while ((taken = grpc_piece(rest, &piece)) != 0 && taken != GRPC_NO_PIECE) {
        HOLDS(taken == piece.len + 5 && taken <= rest.len);
        rest = view_slice(rest, taken, rest.len - taken);
    }
    if (etcd_news_read(message, &news)) {
        HOLDS(news.count <= message.len);
        for (size_t i = 0; i < news.count; i++) {
            HOLDS(news.events[i].record.revision > 0);
            look(news.events[i].record.key);
            look(news.events[i].record.value);
        }
    }
    etcd_news_clear(&news);
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
    look_at_news(message);
    return 0;
}
