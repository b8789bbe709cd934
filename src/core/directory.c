/* SPDX-License-Identifier: Apache-2.0
 *
 * Whoever changes users compares g/00000001 and writes it anew.
 */
#include "core/directory.h"

CK_RV
directory_begin(struct hsm *hsm, struct directory *directory)
{
    CK_RV rv;

    *directory = (struct directory){ .name = record_name('g', DIRECTORY_NUMBER) };
    if (!atomic_load(&hsm->follow.on)) {
        return CKR_OK;
    }
    writer_init_fixed(&directory->record, directory->room, sizeof directory->room);
    pthread_rwlock_rdlock(&hsm->lock);
    directory->compare = (struct store_compare){ record_name_view(&directory->name),
                                                 hsm->directory };
    pthread_rwlock_unlock(&hsm->lock);
    rv = record_seal(&hsm->sealer, record_name_view(&directory->name), 0, 1, VIEW_EMPTY,
                     &directory->record);
    directory->change = (struct store_change){ record_name_view(&directory->name),
                                               writer_view(&directory->record), false };
    directory->count = 1;
    return rv;
}

void
directory_done(struct hsm *hsm, uint64_t revision)
{
    pthread_rwlock_wrlock(&hsm->lock);
    if (hsm->directory < revision) {
        hsm->directory = revision;
    }
    pthread_rwlock_unlock(&hsm->lock);
}
