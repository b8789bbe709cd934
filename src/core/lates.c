/* SPDX-License-Identifier: Apache-2.0 */
#include "core/lates.h"

#include "core/birth.h"
#include "core/load.h"

#include "base/log.h"

#include <stdlib.h>

struct late {
    struct late *next;
    struct store_late *txn;
};

bool
lates_init(struct lates *lates)
{
    lates->last = &lates->first;
    return pthread_mutex_init(&lates->lock, NULL) == 0;
}

static void
late_free(struct late *late)
{
    store_late_free(late->txn);
    free(late);
}

void
lates_clear(struct lates *lates)
{
    if (lates->last == NULL) {
        return;
    }
    while (lates->first != NULL) {
        struct late *late = lates->first;

        lates->first = late->next;
        late_free(late);
    }
    lates->last = NULL;
    pthread_mutex_destroy(&lates->lock);
}

void
lates_take(struct lates *lates, struct store_late *txn)
{
    struct late *late = calloc(1, sizeof *late);

    if (late == NULL) {
        log_err("no memory to wait for the end of a transaction: what it has changed is not known "
                "before the next start");
        store_late_free(txn);
        return;
    }
    late->txn = txn;
    pthread_mutex_lock(&lates->lock);
    *lates->last = late;
    lates->last = &late->next;
    pthread_mutex_unlock(&lates->lock);
}

/* The first of all, if it has ended: engines end them in their order. */
static struct late *
first_ended(struct lates *lates, enum store_result *ret_result, uint64_t *ret_revision)
{
    struct late *late;

    pthread_mutex_lock(&lates->lock);
    late = lates->first;
    if (late != NULL && !store_late_ended(late->txn, ret_result, ret_revision)) {
        late = NULL;
    }
    if (late != NULL) {
        lates->first = late->next;
        if (lates->first == NULL) {
            lates->last = &lates->first;
        }
    }
    pthread_mutex_unlock(&lates->lock);
    return late;
}

static void
change_enter(struct hsm *hsm, const struct store_change *change, uint64_t revision)
{
    CK_RV rv = CKR_OK;

    if (load_is_apart(change->key)) {
        /* The policy, or by what the node is known: taken up when the partition is opened. */
        if (view_equal(change->key, PARTITION_NAME) || owner_name_is(change->key)) {
            hsm_renew(hsm);
        }
        return;
    }
    if (change->delete) {
        load_gone(hsm, change->key, revision);
    } else {
        rv = load_put(hsm, change->key, change->value, revision);
    }
    if (rv != CKR_OK) {
        log_err("record %.*s, which was written late, is not known before the next start",
                (int)change->key.len, (const char *)change->key.data);
    }
}

void
lates_settle(struct hsm *hsm)
{
    enum store_result result = STORE_UNKNOWN;
    uint64_t revision = 0;
    struct late *late;

    while ((late = first_ended(&hsm->lates, &result, &revision)) != NULL) {
        size_t count;
        const struct store_change *changes = store_late_changes(late->txn, &count);

        if (result == STORE_OK) {
            log_inf("what a request has not waited for was done all the same");
            follow_seen(hsm, revision);
            for (size_t i = 0; i < count; i++) {
                change_enter(hsm, changes + i, revision);
            }
        }
        late_free(late);
    }
}
