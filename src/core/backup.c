/* SPDX-License-Identifier: Apache-2.0
 *
 * Backup and restore as requests: who may, of what, and into what. The bytes are the port's.
 */
#include "core/state.h"

#define PIECE_MAX (128u * 1024u)
#define USER_LAST_AT_BIRTH 2u /* the first CO and the service's own */

CK_RV
handle_BACKUP(struct request *r)
{
    struct backups *backups = r->hsm->ports.backups;
    struct backup_reply answer;
    struct backup_request m;
    CK_RV rv;

    if (!backup_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    if (backups == NULL) {
        return CKR_FUNCTION_NOT_SUPPORTED;
    }
    if (!request_may(r, PLACE_SLOW)) {
        return CODE_LATER;
    }
    rv = backups->make(backups, r->hsm->sealer.store_id, r->hsm->serial, r->hsm->label,
                       &answer.size);
    if (rv == CKR_OK) {
        note_detail(r, "size=%llu", (unsigned long long)answer.size);
        backup_reply_write(r->reply, &answer);
    }
    return rv;
}

CK_RV
handle_BACKUP_READ(struct request *r)
{
    struct backups *backups = r->hsm->ports.backups;
    struct backup_read_reply answer;
    struct backup_read_request m;
    struct writer data;
    CK_RV rv;

    if (!backup_read_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    if (backups == NULL) {
        return CKR_FUNCTION_NOT_SUPPORTED;
    }
    if (!request_may(r, PLACE_STORE)) {
        return CODE_LATER;
    }
    writer_init(&data, PIECE_MAX);
    rv = backups->read(backups, m.offset, size_min(m.max, PIECE_MAX), &data);
    if (rv == CKR_OK) {
        answer.data = writer_view(&data);
        backup_read_reply_write(r->reply, &answer);
    }
    writer_clear(&data);
    return rv;
}

/* Nothing that a restore would take away: no keys, and no users but those of the birth. */
static bool
hsm_is_fresh(struct hsm *hsm)
{
    bool fresh;

    pthread_rwlock_rdlock(&hsm->lock);
    fresh = table_count(&hsm->objects) == 0;
    for (size_t i = 0; i < hsm->users.count; i++) {
        fresh = fresh && hsm->users.users[i].id <= USER_LAST_AT_BIRTH;
    }
    pthread_rwlock_unlock(&hsm->lock);
    return fresh;
}

CK_RV
handle_RESTORE_WRITE(struct request *r)
{
    struct backups *backups = r->hsm->ports.backups;
    struct restore_write_request m;

    if (!restore_write_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    if (backups == NULL) {
        return CKR_FUNCTION_NOT_SUPPORTED;
    }
    if (!hsm_is_fresh(r->hsm)) {
        return CODE_NOT_FRESH;
    }
    if (!request_may(r, PLACE_STORE)) {
        return CODE_LATER;
    }
    return backups->take(backups, m.offset, m.data);
}

CK_RV
handle_RESTORE(struct request *r)
{
    struct backups *backups = r->hsm->ports.backups;
    struct restore_request m;
    CK_RV rv;

    if (!restore_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    if (backups == NULL) {
        return CKR_FUNCTION_NOT_SUPPORTED;
    }
    if (!request_may(r, PLACE_SLOW)) {
        return CODE_LATER;
    }
    /* No user or key comes to be meanwhile. */
    if ((rv = hsm_change_begin(r->hsm)) != CKR_OK) {
        return rv;
    }
    rv = hsm_is_fresh(r->hsm) ? backups->restore(backups, m.key) : CODE_NOT_FRESH;
    hsm_change_end(r->hsm);
    return rv;
}
