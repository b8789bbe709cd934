/* SPDX-License-Identifier: Apache-2.0
 *
 * The sweep: what has had its time goes. Contexts that nobody uses, replies that nobody asks for
 * again, ended logins whose tickets have expired, numbers that have rested.
 */
#include "core/state.h"

#include "base/log.h"

#include <string.h>

/* Records that have had their time, removed in as few transactions as can be. */
struct gone {
    struct hsm *hsm;
    char names[STORE_TXN_MAX][REPLY_NAME_LEN + 1]; /* the longest of all kinds */
    struct store_change changes[STORE_TXN_MAX];
    size_t count;
    bool failed; /* one was not removed: the store is not asked for the others */
};

static void
gone_flush(struct gone *gone)
{
    const struct store_txn txn = { .changes = gone->changes, .change_count = gone->count };
    uint64_t revision;

    if (gone->count > 0 && !gone->failed &&
        hsm_commit(gone->hsm, &txn, &revision) != CKR_OK) {
        log_wrn("old records stay in the store until the next start");
        gone->failed = true;
    }
    gone->count = 0;
}

static void
gone_add(struct gone *gone, view name)
{
    char *copy = gone->names[gone->count];

    memcpy(copy, name.data, name.len);
    gone->changes[gone->count++] =
        (struct store_change){ view_of(copy, name.len), VIEW_EMPTY, true };
    if (gone->count == STORE_TXN_MAX) {
        gone_flush(gone);
    }
}

static void
gone_reply(void *arg, const struct reply_key *key)
{
    struct reply_name name = reply_name(key);

    gone_add(arg, reply_name_view(&name));
}

static void
gone_logout(void *arg, uint64_t login)
{
    struct logout_name name = logout_name(login);

    gone_add(arg, logout_name_view(&name));
}

static void
gone_tomb(void *arg, const uint8_t identity[COPY_IDENTITY_LEN])
{
    struct tomb_name name = tomb_name(identity);

    gone_add(arg, tomb_name_view(&name));
}

#define RESTS_MAX 256u /* ended by one sweep */

/* Under the lock of the numbers: nobody has taken the number again before its
 * record is on its way. */
static void
gone_rest(void *arg, uint32_t handle)
{
    struct record_name name = record_name('d', handle);

    gone_add(arg, record_name_view(&name));
}

void
hsm_sweep(struct hsm *hsm, uint64_t idle_ms)
{
    uint64_t now = hsm->ports.clock->monotonic(hsm->ports.clock);
    uint64_t wall = hsm_time(hsm);
    struct gone gone = { .hsm = hsm };

    lates_settle(hsm);
    if (now > idle_ms) {
        context_sweep(&hsm->contexts, now - idle_ms);
    }
    if (wall > REPLY_LIFE_MS && fence_hears_all(hsm)) {
        replies_sweep(&hsm->replies, wall - REPLY_LIFE_MS, gone_reply, &gone);
    }
    logouts_sweep(&hsm->logouts, wall, gone_logout, &gone);
    tombs_sweep(&hsm->tombs, wall, gone_tomb, &gone);
    numbers_sweep(&hsm->certificates, hsm_seconds(hsm), RESTS_MAX, gone_rest, &gone);
    gone_flush(&gone);
    tokens_sweep(hsm);
    if (atomic_load(&hsm->follow.on)) {
        release_raise(hsm); /* the last one of an earlier release may have been removed */
        (void)!life_raise(hsm);
    }
}
