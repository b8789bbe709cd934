/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading from etcd: a range, asked for until there is an answer, and all of a folder.
 */
#ifndef STORE_ETCD_READ_H
#define STORE_ETCD_READ_H

#include "core/ports.h"
#include "store/etcd_place.h"
#include "store/etcd_txn.h"

/* Asks for at most wait_ms, and one attempt. After GRPC_OK the records are the caller's to
 * clear. */
enum grpc_result etcd_range_ask(struct etcd_place *place, struct grpc *grpc,
                                const struct etcd_range *range, uint32_t wait_ms,
                                struct etcd_records *ret_records);

/*
 * Tells visit all records of the folder ("k/"), in pages, as they were at the revision of the first
 * page, which is *ret_revision. False when visit stops, when a key is none of ours, or when
 * a page does not come.
 */
MUST_USE bool etcd_folder_visit(struct etcd_place *place, struct grpc *grpc, const char *folder,
                                bool keys_only, store_visit *visit, void *arg,
                                uint64_t *ret_revision);

#endif
