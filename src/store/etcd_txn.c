/* SPDX-License-Identifier: Apache-2.0 */
#include "store/etcd_txn.h"

#include "store/etcd.pb-c.h"

#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX (4u * 1024u * 1024u)
#define RECORDS_MAX (64u * 1024u * 1024u)
#define TARGET_MOD_REVISION 2

struct etcd_txn {
    size_t compares;
    size_t steps;
    Etcd__Compare compare[ETCD_STEPS_MAX];
    Etcd__TxnStep step[ETCD_STEPS_MAX];
    union {
        Etcd__PutRequest put;
        Etcd__DeleteRequest remove;
    } request[ETCD_STEPS_MAX];
    bool probes;
    Etcd__TxnStep probe;
    Etcd__RangeRequest probed;
};

static ProtobufCBinaryData
binary_of(view v)
{
    return (ProtobufCBinaryData){ v.len, (uint8_t *)(uintptr_t)v.data };
}

static view
binary_view(ProtobufCBinaryData data)
{
    return view_of(data.data, data.len);
}

struct etcd_txn *
etcd_txn_new(void)
{
    return calloc(1, sizeof(struct etcd_txn));
}

void
etcd_txn_free(struct etcd_txn *txn)
{
    free(txn);
}

bool
etcd_txn_compare(struct etcd_txn *txn, view key, uint64_t revision)
{
    Etcd__Compare *compare = txn->compare + txn->compares;

    if (txn->compares == ETCD_STEPS_MAX) {
        return false;
    }
    etcd__compare__init(compare);
    compare->target = TARGET_MOD_REVISION;
    compare->key = binary_of(key);
    compare->value_case = ETCD__COMPARE__VALUE_MOD_REVISION;
    compare->mod_revision = (int64_t)revision;
    txn->compares++;
    return true;
}

bool
etcd_txn_put(struct etcd_txn *txn, view key, view value)
{
    Etcd__PutRequest *put = &txn->request[txn->steps].put;
    Etcd__TxnStep *step = txn->step + txn->steps;

    if (txn->steps == ETCD_STEPS_MAX) {
        return false;
    }
    etcd__put_request__init(put);
    put->key = binary_of(key);
    put->value = binary_of(value);
    etcd__txn_step__init(step);
    step->step_case = ETCD__TXN_STEP__STEP_PUT;
    step->put = put;
    txn->steps++;
    return true;
}

bool
etcd_txn_delete(struct etcd_txn *txn, view key)
{
    Etcd__DeleteRequest *remove = &txn->request[txn->steps].remove;
    Etcd__TxnStep *step = txn->step + txn->steps;

    if (txn->steps == ETCD_STEPS_MAX) {
        return false;
    }
    etcd__delete_request__init(remove);
    remove->key = binary_of(key);
    etcd__txn_step__init(step);
    step->step_case = ETCD__TXN_STEP__STEP_REMOVE;
    step->remove = remove;
    txn->steps++;
    return true;
}

void
etcd_txn_probe(struct etcd_txn *txn, view key)
{
    etcd__range_request__init(&txn->probed);
    txn->probed.key = binary_of(key);
    etcd__txn_step__init(&txn->probe);
    txn->probe.step_case = ETCD__TXN_STEP__STEP_RANGE;
    txn->probe.range = &txn->probed;
    txn->probes = true;
}

static struct etcd_record
record_of(const Etcd__Record *record)
{
    return (struct etcd_record){ binary_view(record->key), binary_view(record->value),
                                 (uint64_t)record->mod_revision };
}

bool
etcd_answer_read(view message, struct etcd_answer *ret_answer)
{
    Etcd__TxnResponse *response = etcd__txn_response__unpack(NULL, message.len, message.data);
    const Etcd__RangeResponse *range;

    *ret_answer = (struct etcd_answer){ .memory = response };
    if (response == NULL || response->header == NULL || response->header->revision <= 0) {
        return false;
    }
    ret_answer->cluster = response->header->cluster_id;
    ret_answer->revision = (uint64_t)response->header->revision;
    ret_answer->held = response->succeeded;
    if (response->succeeded || response->n_answers == 0) {
        return true;
    }
    if (response->answers[0]->answer_case != ETCD__TXN_ANSWER__ANSWER_RANGE) {
        return false;
    }
    range = response->answers[0]->range;
    if (range->n_records > 0) {
        ret_answer->probed = record_of(range->records[0]);
    }
    return true;
}

void
etcd_answer_clear(struct etcd_answer *answer)
{
    if (answer->memory != NULL) {
        etcd__txn_response__free_unpacked(answer->memory, NULL);
    }
    *answer = (struct etcd_answer){ .cluster = 0 };
}

/* Packs into memory of its own; NULL when that is short. */
static uint8_t *
message_pack(const ProtobufCMessage *message, size_t *ret_len)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = malloc(len + 1);

    if (bytes != NULL) {
        *ret_len = protobuf_c_message_pack(message, bytes);
    }
    return bytes;
}

static enum grpc_result
message_call(struct grpc *grpc, const char *method, const ProtobufCMessage *message,
             uint32_t timeout_ms, struct writer *reply)
{
    size_t len = 0;
    uint8_t *bytes = message_pack(message, &len);
    enum grpc_result result = GRPC_UNSENT;

    if (bytes != NULL) {
        result = grpc_call(grpc, method, view_of(bytes, len), timeout_ms, reply);
    }
    free(bytes);
    return result;
}

enum grpc_result
etcd_txn_run(struct grpc *grpc, const struct etcd_txn *txn, uint32_t timeout_ms,
             struct etcd_answer *ret_answer)
{
    Etcd__TxnRequest request = ETCD__TXN_REQUEST__INIT;
    Etcd__Compare *compares[ETCD_STEPS_MAX];
    Etcd__TxnStep *steps[ETCD_STEPS_MAX];
    Etcd__TxnStep *probe = (Etcd__TxnStep *)(uintptr_t)&txn->probe;
    struct writer reply;
    enum grpc_result result;

    *ret_answer = (struct etcd_answer){ .cluster = 0 };
    for (size_t i = 0; i < txn->compares; i++) {
        compares[i] = (Etcd__Compare *)(uintptr_t)(txn->compare + i);
    }
    for (size_t i = 0; i < txn->steps; i++) {
        steps[i] = (Etcd__TxnStep *)(uintptr_t)(txn->step + i);
    }
    request.n_compares = txn->compares;
    request.compares = compares;
    request.n_success = txn->steps;
    request.success = steps;
    request.n_failure = txn->probes ? 1 : 0;
    request.failure = &probe;
    writer_init(&reply, ANSWER_MAX);
    result = message_call(grpc, "/etcdserverpb.KV/Txn", &request.base, timeout_ms, &reply);
    if (result == GRPC_OK && !etcd_answer_read(writer_view(&reply), ret_answer)) {
        etcd_answer_clear(ret_answer);
        result = GRPC_LOST;
    }
    writer_clear(&reply);
    return result;
}

bool
etcd_records_read(view message, struct etcd_records *ret_records)
{
    Etcd__RangeResponse *response = etcd__range_response__unpack(NULL, message.len, message.data);

    *ret_records = (struct etcd_records){ .memory = response };
    if (response == NULL || response->header == NULL || response->header->revision <= 0) {
        return false;
    }
    if (response->n_records > 0) {
        ret_records->records = calloc(response->n_records, sizeof *ret_records->records);
        if (ret_records->records == NULL) {
            return false;
        }
    }
    ret_records->cluster = response->header->cluster_id;
    ret_records->revision = (uint64_t)response->header->revision;
    ret_records->more = response->more;
    ret_records->count = response->n_records;
    for (size_t i = 0; i < response->n_records; i++) {
        ret_records->records[i] = record_of(response->records[i]);
    }
    return true;
}

void
etcd_records_clear(struct etcd_records *records)
{
    if (records->memory != NULL) {
        etcd__range_response__free_unpacked(records->memory, NULL);
    }
    free(records->records);
    *records = (struct etcd_records){ .cluster = 0 };
}

enum grpc_result
etcd_range_run(struct grpc *grpc, const struct etcd_range *range, uint32_t timeout_ms,
               struct etcd_records *ret_records)
{
    Etcd__RangeRequest request = ETCD__RANGE_REQUEST__INIT;
    struct writer reply;
    enum grpc_result result;

    *ret_records = (struct etcd_records){ .cluster = 0 };
    request.key = binary_of(range->key);
    request.range_end = binary_of(range->end);
    request.limit = range->limit;
    request.revision = (int64_t)range->revision;
    request.keys_only = range->keys_only;
    writer_init(&reply, RECORDS_MAX);
    result = message_call(grpc, "/etcdserverpb.KV/Range", &request.base, timeout_ms, &reply);
    if (result == GRPC_OK && !etcd_records_read(writer_view(&reply), ret_records)) {
        etcd_records_clear(ret_records);
        result = GRPC_LOST;
    }
    writer_clear(&reply);
    return result;
}
