/* SPDX-License-Identifier: Apache-2.0 */
#include "core/life.h"

#include "core/state.h"

#include "base/log.h"

#define LIFE_NUMBER 1u
#define LIFE_RELEASE 2u /* the first that reads it */
#define PLAIN_LEN 8u
#define TRIES 4

static struct record_name
life_name(void)
{
    return record_name('e', LIFE_NUMBER);
}

/* The longest is the record's version as well: it never falls. */
static CK_RV
life_record(const struct sealer *sealer, uint64_t longest, struct writer *out)
{
    struct record_name name = life_name();
    uint8_t plain[PLAIN_LEN];

    store_u64(plain, longest);
    return record_seal(sealer, record_name_view(&name), 0, longest, view_of(plain, sizeof plain),
                       out);
}

static CK_RV
life_from_record(const struct sealer *sealer, view record, uint64_t *ret_longest)
{
    struct record_name name = life_name();
    uint8_t room[PLAIN_LEN];
    struct writer plain;
    uint64_t version;
    CK_RV rv;

    writer_init_fixed(&plain, room, sizeof room);
    rv = record_open(sealer, record_name_view(&name), 0, record, &version, &plain);
    if (rv == CKR_OK && plain.len != PLAIN_LEN) {
        rv = CKR_GENERAL_ERROR;
    }
    if (rv == CKR_OK) {
        *ret_longest = load_u64(room);
    }
    return rv;
}

static void
life_enter(struct hsm *hsm, uint64_t longest, uint64_t revision)
{
    pthread_rwlock_wrlock(&hsm->lock);
    if (hsm->life.revision < revision) {
        hsm->life = (struct life){ longest, revision };
    }
    pthread_rwlock_unlock(&hsm->lock);
}

CK_RV
life_put(struct hsm *hsm, uint32_t number, view value, uint64_t revision)
{
    uint64_t longest;
    CK_RV rv = number == LIFE_NUMBER ? life_from_record(&hsm->sealer, value, &longest)
                                     : CKR_GENERAL_ERROR;

    if (rv == CKR_OK) {
        life_enter(hsm, longest, revision);
    }
    return rv;
}

static struct life
life_known(struct hsm *hsm)
{
    struct life life;

    pthread_rwlock_rdlock(&hsm->lock);
    life = hsm->life;
    pthread_rwlock_unlock(&hsm->lock);
    if (life.longest < TICKET_LIFE_MS) {
        life.longest = TICKET_LIFE_MS;
    }
    return life;
}

uint64_t
life_own(struct hsm *hsm)
{
    const uint64_t set = atomic_load(&hsm->ticket_life);
    const uint64_t longest = life_known(hsm).longest;

    return set < longest ? set : longest;
}

uint64_t
life_end(struct hsm *hsm)
{
    return hsm_time(hsm) + life_known(hsm).longest + LIFE_MARGIN_MS;
}

static CK_RV
life_commit(struct hsm *hsm, uint64_t longest, uint64_t before)
{
    struct record_name name = life_name();
    struct writer record;
    uint64_t revision = 0;
    CK_RV rv;

    writer_init(&record, PLAIN_LEN + RECORD_OVERHEAD);
    rv = life_record(&hsm->sealer, longest, &record);
    if (rv == CKR_OK) {
        const struct store_compare compare = { record_name_view(&name), before };
        const struct store_change change = { record_name_view(&name), writer_view(&record),
                                             false };
        const struct store_txn txn = { &compare, 1, &change, 1, VIEW_EMPTY };

        rv = hsm_commit(hsm, &txn, &revision);
    }
    writer_clear(&record);
    if (rv == CKR_OK) {
        life_enter(hsm, longest, revision);
        follow_barrier(hsm, revision);
        log_inf("tickets may live for %llu seconds: what ends logins is kept for as long, on all "
                "nodes",
                (unsigned long long)(longest / 1000));
    }
    return rv;
}

CK_RV
hsm_keep_ticket_life(struct hsm *hsm)
{
    return life_raise(hsm);
}

CK_RV
life_raise(struct hsm *hsm)
{
    const uint64_t set = atomic_load(&hsm->ticket_life);
    CK_RV rv = CODE_CONFLICT;

    if (hsm_release(hsm) < LIFE_RELEASE) {
        return CKR_OK;
    }
    for (int i = 0; i < TRIES && rv == CODE_CONFLICT; i++) {
        const struct life life = life_known(hsm);

        if (set <= life.longest) {
            return CKR_OK;
        }
        rv = life_commit(hsm, set, life.revision);
        if (rv == CODE_CONFLICT && !follow_catch_up(hsm)) {
            rv = CKR_DEVICE_ERROR;
        }
    }
    return rv;
}
