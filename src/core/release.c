/* SPDX-License-Identifier: Apache-2.0
 *
 * Its one transaction compares all members as they were when the lowest was found, and that there
 * is no further one; and a node's entry compares the store's release. So no node comes in between
 * that could not read what is written then.
 */
#include "core/release.h"

#include "core/state.h"

#include "base/log.h"

#include <string.h>

#define RELEASE_NUMBER 1u
#define PLAIN_MAX 64u
#define TRIES 4

struct record_name
release_name(void)
{
    return record_name('v', RELEASE_NUMBER);
}

CK_RV
release_record(const struct sealer *sealer, uint32_t number, struct writer *out)
{
    struct record_name name = release_name();
    uint8_t plain[4];

    store_u32(plain, number);
    return record_seal(sealer, record_name_view(&name), 0, number, view_of(plain, sizeof plain),
                       out);
}

CK_RV
release_from_record(const struct sealer *sealer, view record, uint32_t *ret_number)
{
    struct record_name name = release_name();
    struct writer plain;
    struct reader r;
    uint64_t version;
    uint32_t number;
    CK_RV rv;

    writer_init(&plain, PLAIN_MAX);
    rv = record_open(sealer, record_name_view(&name), 0, record, &version, &plain);
    r = reader_of(writer_view(&plain));
    if (rv == CKR_OK && (!read_u32(&r, &number) || number == 0 || !reader_done(&r))) {
        rv = CKR_GENERAL_ERROR;
    }
    if (rv == CKR_OK) {
        *ret_number = number;
    }
    writer_clear(&plain);
    return rv;
}

uint32_t
release_own(const struct hsm *hsm)
{
    return hsm->ports.release != 0 ? hsm->ports.release : frame_version;
}

uint32_t
hsm_release(struct hsm *hsm)
{
    uint32_t number;

    if (hsm->ports.node == NULL) {
        return release_own(hsm); /* there is nobody else */
    }
    pthread_rwlock_rdlock(&hsm->lock);
    number = hsm->release.number;
    pthread_rwlock_unlock(&hsm->lock);
    return number;
}

uint64_t
release_revision(struct hsm *hsm)
{
    uint64_t revision;

    pthread_rwlock_rdlock(&hsm->lock);
    revision = hsm->release.revision;
    pthread_rwlock_unlock(&hsm->lock);
    return revision;
}

static void
release_enter(struct hsm *hsm, uint32_t number, uint64_t revision)
{
    pthread_rwlock_wrlock(&hsm->lock);
    if (hsm->release.revision < revision) {
        hsm->release = (struct release){ number, revision };
    }
    pthread_rwlock_unlock(&hsm->lock);
}

CK_RV
release_put(struct hsm *hsm, uint32_t number, view value, uint64_t revision)
{
    uint32_t release;
    CK_RV rv = number == RELEASE_NUMBER ? release_from_record(&hsm->sealer, value, &release)
                                        : CKR_GENERAL_ERROR;

    if (rv != CKR_OK) {
        return rv;
    }
    release_enter(hsm, release, revision);
    return release > release_own(hsm) ? CKR_GENERAL_ERROR : CKR_OK;
}

CK_RV
release_look(struct hsm *hsm)
{
    struct record_name name = release_name();
    struct store *store = hsm->ports.store;
    struct writer record;
    uint64_t revision = 0;
    uint32_t number = 0;
    CK_RV rv = CKR_DEVICE_ERROR;

    writer_init(&record, PLAIN_MAX + RECORD_OVERHEAD);
    if (store->get(store, record_name_view(&name), &revision, &record)) {
        rv = CKR_OK;
        /* With another master key it does not open, and then nothing does. */
        if (revision != 0 &&
            release_from_record(&hsm->sealer, writer_view(&record), &number) == CKR_OK) {
            release_enter(hsm, number, revision);
        }
    }
    writer_clear(&record);
    if (number > release_own(hsm)) {
        log_err("the records are for release %u and later ones, and this is release %u: once all "
                "nodes were of that release, there is no way back but a restore",
                (unsigned)number, (unsigned)release_own(hsm));
        rv = CKR_GENERAL_ERROR;
    }
    return rv;
}

/* ---- raising it ---- */

struct raise {
    struct record_name names[STORE_TXN_MAX];
    struct store_compare compares[STORE_TXN_MAX];
    size_t count;
    uint32_t lowest;
};

static void
raise_compare(struct raise *raise, struct record_name name, uint64_t revision)
{
    raise->names[raise->count] = name;
    raise->compares[raise->count] =
        (struct store_compare){ record_name_view(&raise->names[raise->count]), revision };
    raise->count++;
}

/* False: it is high enough, or there are too many. Who was listed and has not come yet
 * looks when he enters. */
static bool
raise_make(struct hsm *hsm, struct raise *raise)
{
    const struct members *members = &hsm->members;
    uint32_t next = 1;
    bool higher;

    *raise = (struct raise){ .lowest = UINT32_MAX };
    pthread_rwlock_rdlock(&hsm->lock);
    raise_compare(raise, release_name(), hsm->release.revision);
    for (size_t i = 0; i < members->count && raise->count < STORE_TXN_MAX; i++) {
        const struct member *member = &members->members[i];

        next = member->number + 1;
        if (member->state == MEMBER_REMOVED) {
            continue;
        }
        raise_compare(raise, member_name(member->number), member->revision);
        if (member->state == MEMBER_IN && member->release < raise->lowest) {
            raise->lowest = member->release;
        }
    }
    higher = raise->count < STORE_TXN_MAX && raise->lowest != UINT32_MAX &&
             raise->lowest > hsm->release.number;
    if (higher) {
        raise_compare(raise, member_name(next), 0);
    }
    pthread_rwlock_unlock(&hsm->lock);
    return higher;
}

static CK_RV
raise_commit(struct hsm *hsm, const struct raise *raise)
{
    struct record_name name = release_name();
    struct writer record;
    uint64_t revision;
    CK_RV rv;

    writer_init(&record, PLAIN_MAX + RECORD_OVERHEAD);
    rv = release_record(&hsm->sealer, raise->lowest, &record);
    if (rv == CKR_OK) {
        const struct store_change change = { record_name_view(&name), writer_view(&record),
                                             false };
        const struct store_txn txn = { raise->compares, raise->count, &change, 1, VIEW_EMPTY };

        rv = hsm_commit(hsm, &txn, &revision);
    }
    writer_clear(&record);
    if (rv == CKR_OK) {
        release_enter(hsm, raise->lowest, revision);
        log_inf("all nodes are of release %u or later: the records are for it, and earlier ones "
                "do not open them any more",
                (unsigned)raise->lowest);
    }
    return rv;
}

void
release_raise(struct hsm *hsm)
{
    struct raise raise;
    CK_RV rv = CODE_CONFLICT;

    if (hsm->ports.node == NULL) {
        return;
    }
    /* Another node may be about it, too, or one may be coming in. */
    for (int i = 0; i < TRIES && rv == CODE_CONFLICT && raise_make(hsm, &raise); i++) {
        rv = raise_commit(hsm, &raise);
        if (rv == CODE_CONFLICT) {
            hsm_refresh_members(hsm);
            if (release_look(hsm) != CKR_OK) {
                return;
            }
        }
    }
}

/* ---- who asks ---- */

size_t
hsm_releases(struct hsm *hsm, struct hsm_node_release *ret_nodes, size_t max, uint32_t *ret_store)
{
    size_t count = 0;

    *ret_store = hsm_release(hsm);
    if (hsm->ports.node == NULL && max > 0) {
        ret_nodes[0].release = release_own(hsm);
        memcpy(ret_nodes[0].serial, hsm->node, sizeof hsm->node);
        return 1;
    }
    pthread_rwlock_rdlock(&hsm->lock);
    for (size_t i = 0; i < hsm->members.count && count < max; i++) {
        const struct member *member = &hsm->members.members[i];

        if (member->state == MEMBER_IN) {
            ret_nodes[count].release = member->release;
            memcpy(ret_nodes[count++].serial, member->serial, sizeof member->serial);
        }
    }
    pthread_rwlock_unlock(&hsm->lock);
    return count;
}

CK_RV
handle_CLUSTER(struct request *r)
{
    struct hsm *hsm = r->hsm;
    struct cluster_request m;
    struct cluster_reply answer = {
        .store = view_of(hsm->sealer.store_id, sizeof hsm->sealer.store_id),
        .release = hsm_release(hsm),
    };
    struct writer releases;
    CK_RV rv;

    if (!cluster_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    writer_init(&releases, 2 * MEMBERS_MAX * sizeof(uint32_t));
    if (hsm->ports.node == NULL) {
        number_write(&releases, 0);
        number_write(&releases, release_own(hsm));
    }
    pthread_rwlock_rdlock(&hsm->lock);
    for (size_t i = 0; hsm->ports.node != NULL && i < hsm->members.count; i++) {
        const struct member *member = &hsm->members.members[i];

        if (member->state == MEMBER_IN) {
            number_write(&releases, member->number);
            number_write(&releases, member->release);
        }
    }
    pthread_rwlock_unlock(&hsm->lock);
    answer.releases.bytes = writer_view(&releases);
    rv = writer_ok(&releases) ? CKR_OK : CKR_DEVICE_MEMORY;
    if (rv == CKR_OK) {
        cluster_reply_write(r->reply, &answer);
    }
    writer_clear(&releases);
    return rv;
}
