/* SPDX-License-Identifier: Apache-2.0 */
#include "core/again.h"

/*
 * A stored object that is not here: may another node have made it, and has it not been told yet?
 * The store is asked once. CKR_OK: it is here now.
 */
static CK_RV
request_find_missed(struct request *request)
{
    struct hsm *hsm = request->hsm;
    struct store *store = hsm->ports.store;
    struct record_name name = record_name('o', request->missed);
    struct writer value;
    uint64_t revision = 0;
    bool got;

    writer_init(&value, STORE_VALUE_MAX);
    got = store->get(store, record_name_view(&name), &revision, &value);
    writer_clear(&value);
    if (!got) {
        return CODE_LAGGING; /* another may be heard of */
    }
    if (revision == 0) {
        return CKR_OBJECT_HANDLE_INVALID;
    }
    return follow_await(hsm, revision, LAG_MS) ? CKR_OK : CODE_LAGGING;
}

/* Of those who change one record at once somebody gets through each time; who does not, tries for
 * so long, and so often. */
#define CONFLICT_MS 4000u
#define CONFLICTS_MAX 256

CK_RV
request_again(struct request *request, CK_RV (*call)(struct request *request))
{
    struct hsm *hsm = request->hsm;
    const struct note note = request->note;
    const struct identity who = request->who;
    const uint64_t began = hsm->ports.clock->monotonic(hsm->ports.clock);
    CK_RV rv = call(request);

    for (int i = 0; atomic_load(&hsm->follow.on) && rv != CKR_OK && rv != CODE_LATER &&
                    (rv == CODE_CONFLICT || request->missed != 0);
         i++) {
        CK_RV found = CKR_OK;

        if (request->place == PLACE_LOOP) {
            request->later = PLACE_STORE;
            return CODE_LATER;
        }
        if (rv != CODE_CONFLICT) {
            found = request_find_missed(request);
        } else if (i == CONFLICTS_MAX ||
                   hsm->ports.clock->monotonic(hsm->ports.clock) - began > CONFLICT_MS ||
                   !follow_catch_up(hsm)) {
            found = fence_check(hsm) ? CODE_LAGGING : CKR_DEVICE_ERROR;
        }
        if (found != CKR_OK) {
            return found == CKR_OBJECT_HANDLE_INVALID ? rv : found;
        }
        writer_truncate(request->reply, request->reply_start);
        if (request->run != NULL &&
            replies_find(&hsm->replies, request->run->key, request->reply)) {
            request->reply_kept = true;
            request->kept = true;
            return CKR_OK; /* it was this very request, on another node */
        }
        request->note = note;
        request->who = who;
        request->missed = 0;
        rv = call(request);
    }
    return rv;
}

CK_RV
request_follows(struct request *request)
{
    struct hsm *hsm = request->hsm;
    struct follow *follow = &hsm->follow;
    const uint64_t behind = atomic_load(&request->context->behind);
    const uint64_t seen = request->frame->revision > behind ? request->frame->revision : behind;
    uint64_t reached = atomic_load(&follow->reached);

    if (!atomic_load(&follow->on) || request->row->operation == OPERATION_DETACH) {
        return CKR_OK;
    }
    if (!follow_is_fresh(hsm)) {
        return CODE_LAGGING;
    }
    if (seen <= reached) {
        if (behind != 0) {
            attach_late(request);
        }
        return CKR_OK;
    }
    if (request->place == PLACE_LOOP) {
        request->later = PLACE_STORE;
        return CODE_LATER;
    }
    /* Where one has waited in vain, others do not who ask for as much; he may ask for anything. */
    if (atomic_load(&follow->stuck) == reached &&
        seen >= atomic_load(&follow->stuck_for)) {
        return CODE_LAGGING;
    }
    if (!follow_await(hsm, seen, LAG_MS)) {
        atomic_store(&follow->stuck_for, seen);
        atomic_store(&follow->stuck, reached);
        return CODE_LAGGING;
    }
    if (behind != 0) {
        attach_late(request);
    }
    return CKR_OK;
}

CK_RV
request_barrier(struct request *request)
{
    struct hsm *hsm = request->hsm;

    if (!atomic_load(&hsm->follow.on) || (request->kept && !request->row->revokes)) {
        return CKR_OK;
    }
    if (!request_may(request, PLACE_STORE)) {
        return CODE_LATER;
    }
    if (request->kept) {
        follow_barrier_all(hsm); /* who did it may still wait, or be no more */
    } else {
        follow_barrier(hsm, request->note.revision);
    }
    return CKR_OK;
}
