/* SPDX-License-Identifier: Apache-2.0 */
#include "core/fence.h"

#include "core/state.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>

#define RECORD_ROOM 2048u
#define FENCED_RELEASE 2u /* the first that reads it in a node's record */

/* ---- this node ---- */

static void
fence_set(struct hsm *hsm, view key, uint64_t revision)
{
    struct store *store = hsm->ports.store;

    if (store->fence != NULL) {
        store->fence(store, key, revision);
    }
}

static void
fence_lose(struct hsm *hsm)
{
    if (!atomic_exchange(&hsm->fence.lost, true)) {
        log_wrn("this node was not heard for long, and another one has fenced it: it opens the "
                "partition anew");
        hsm_renew(hsm);
    }
}

void
fence_begin(struct hsm *hsm)
{
    const struct member *self;
    struct record_name name = { .text = "" };
    uint64_t revision = 0;
    bool lost = false;

    if (hsm->ports.node == NULL) {
        return;
    }
    pthread_rwlock_wrlock(&hsm->lock);
    self = members_by_serial(&hsm->members, view_str(hsm->node));
    if (self != NULL) {
        name = member_name(self->number);
        revision = self->revision;
        lost = hsm->fence.on && hsm->fence.times != self->fenced;
        hsm->fence.times = lost ? hsm->fence.times : self->fenced;
        hsm->fence.on = true;
    }
    pthread_rwlock_unlock(&hsm->lock);
    if (lost) {
        fence_lose(hsm);
        revision = UINT64_MAX; /* nothing more */
    }
    fence_set(hsm, revision == 0 ? VIEW_EMPTY : record_name_view(&name), revision);
}

void
fence_lift(struct hsm *hsm)
{
    fence_set(hsm, VIEW_EMPTY, 0);
}

void
fence_told(struct hsm *hsm, const struct member *member)
{
    bool lost;

    if (strcmp(member->serial, hsm->node) != 0) {
        return;
    }
    pthread_rwlock_rdlock(&hsm->lock);
    lost = hsm->fence.on && hsm->fence.times < member->fenced;
    pthread_rwlock_unlock(&hsm->lock);
    if (lost) {
        fence_lose(hsm);
    }
}

bool
fence_is_lost(struct hsm *hsm)
{
    return atomic_load(&hsm->fence.lost);
}

bool
fence_check(struct hsm *hsm)
{
    struct store *store = hsm->ports.store;
    const struct member *self;
    struct member member;
    struct record_name name;
    struct writer record;
    uint64_t revision = 0;
    uint32_t number = 0;

    pthread_rwlock_rdlock(&hsm->lock);
    self = members_by_serial(&hsm->members, view_str(hsm->node));
    number = hsm->fence.on && self != NULL ? self->number : 0;
    pthread_rwlock_unlock(&hsm->lock);
    if (number != 0) {
        name = member_name(number);
        writer_init(&record, RECORD_ROOM);
        if (store->get(store, record_name_view(&name), &revision, &record) && revision != 0 &&
            member_from_record(&hsm->sealer, number, writer_view(&record), revision, &member) ==
                CKR_OK) {
            fence_told(hsm, &member);
        }
        writer_clear(&record);
    }
    return fence_is_lost(hsm);
}

/* ---- others ---- */

bool
fence_hears_all(struct hsm *hsm)
{
    struct follow *follow = &hsm->follow;
    uint64_t now;
    bool all;

    if (!atomic_load(&follow->on)) {
        return true;
    }
    pthread_mutex_lock(&follow->lock);
    now = hsm->ports.clock->monotonic(hsm->ports.clock);
    /* A beat that was found at the start, or came late behind a gap, may be
     * from any time before. */
    all = hsm->fence.hearing != 0 && now - hsm->fence.hearing >= LEASE_MS;
    for (size_t i = 0; i < follow->member_count && all; i++) {
        all = now - follow->members[i].heard < LEASE_MS;
    }
    pthread_mutex_unlock(&follow->lock);
    return all;
}

/* One who has been silent for so long while this node heard; false: there is none. */
static bool
silent_find(struct hsm *hsm, struct follow_member *ret_silent)
{
    struct follow *follow = &hsm->follow;
    uint64_t now;
    bool found = false;

    pthread_mutex_lock(&follow->lock);
    /* Under the lock: nobody was heard after. */
    now = hsm->ports.clock->monotonic(hsm->ports.clock);
    for (size_t i = 0; i < follow->member_count && !found; i++) {
        const struct follow_member *member = &follow->members[i];

        found = now - member->heard > FENCE_SILENT_MS &&
                now - hsm->fence.hearing > FENCE_SILENT_MS;
        if (found) {
            *ret_silent = *member;
        }
    }
    pthread_mutex_unlock(&follow->lock);
    return found;
}

/* The beat goes with it, so that nobody waits for the node. One that beats just now is left. */
static void
silent_fence(struct hsm *hsm, const struct follow_member *silent)
{
    char beat[2 + 16 + 1];
    struct store_compare compares[2];
    struct store_change changes[2];
    const struct member *found;
    struct member member = { .number = 0 };
    struct record_name name;
    struct writer record;
    uint64_t revision;
    size_t count = 1;
    CK_RV rv = CKR_OK;

    snprintf(beat, sizeof beat, "l/%.16s", silent->node);
    compares[0] = (struct store_compare){ view_str(beat), silent->revision };
    changes[0] = (struct store_change){ view_str(beat), VIEW_EMPTY, true };
    pthread_rwlock_rdlock(&hsm->lock);
    found = members_by_serial(&hsm->members, view_str(silent->node));
    if (found != NULL && found->state != MEMBER_REMOVED) {
        member = *found;
    }
    pthread_rwlock_unlock(&hsm->lock);
    writer_init(&record, RECORD_ROOM);
    if (member.number != 0) {
        name = member_name(member.number);
        compares[count] = (struct store_compare){ record_name_view(&name), member.revision };
        member.version++;
        member.fenced++;
        rv = member_record(&hsm->sealer, &member, &record);
        changes[count++] =
            (struct store_change){ record_name_view(&name), writer_view(&record), false };
    }

    const struct store_txn txn = { compares, count, changes, count, VIEW_EMPTY };

    if (rv == CKR_OK && hsm_commit(hsm, &txn, &revision) == CKR_OK) {
        log_wrn("node %s has not been heard for %u seconds: what it may still write is not taken",
                silent->node, FENCE_SILENT_MS / 1000);
    }
    writer_clear(&record);
}

void
fence_heard(struct hsm *hsm, uint64_t ms)
{
    if (hsm->fence.hearing == 0 || ms > FENCE_MS) {
        hsm->fence.hearing = hsm->ports.clock->monotonic(hsm->ports.clock);
    }
}

void
fence_others(struct hsm *hsm)
{
    struct follow_member silent;

    /* Until then replies stay. */
    if (hsm_release(hsm) >= FENCED_RELEASE && silent_find(hsm, &silent)) {
        silent_fence(hsm, &silent);
    }
}
