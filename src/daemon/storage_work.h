/* SPDX-License-Identifier: Apache-2.0
 *
 * What the jobs share (storage_work.c, storage_find.c, storage_write.c). All on a job's thread.
 */
#ifndef DAEMON_STORAGE_WORK_H
#define DAEMON_STORAGE_WORK_H

#include "daemon/storage.h"

static inline bool
storage_flag_of(view list, CK_ATTRIBUTE_TYPE type)
{
    bool value = false;

    (void)attributes_bool(list, type, &value);
    return value;
}

static inline bool
storage_sees(const struct storage_job *job, view list)
{
    return job->role == ROLE_CU || !storage_flag_of(list, CKA_PRIVATE);
}

/* storage_write.c */
/* A certificate that the container does not have yet, under a number that is wanted (0: any). */
MUST_USE CK_RV storage_write_new(struct storage_job *job, uint32_t wanted, view list,
                                 uint32_t *ret_handle);
/* The next version of one that is there. */
MUST_USE CK_RV storage_write_next(struct storage_job *job, const struct entry *old, view list);
MUST_USE CK_RV storage_erase(struct storage_job *job, const struct entry *entry);
/* Somebody else was faster, or is at it: waits a moment. False: that was long enough. */
bool storage_may_try_again(const struct storage_job *job, CK_RV rv, unsigned *tries);
/* What was seen of a certificate may be wrong after this outcome of a change; gives it back. */
CK_RV storage_forget_seen(struct storage *storage, uint32_t handle, CK_RV rv);

/* storage_find.c */
/* A page of a search by the HSM, into room, which the answer points into. */
MUST_USE CK_RV storage_hsm_find(struct storage_job *job, const struct find_request *m,
                                struct writer *room, struct find_reply *ret_answer);
CK_RV storage_work_find(struct storage_job *job);

#endif
