/* SPDX-License-Identifier: Apache-2.0
 *
 * What making and restoring share: the port's state. Only backup.c and restore.c include this.
 */
#ifndef SERVER_BACKUP_PRIVATE_H
#define SERVER_BACKUP_PRIVATE_H

#include "crypto/owner.h"
#include "server/backup.h"

#include <pthread.h>

#define BACKUP_FILE_MAX 4096u /* certificates and keys */
#define BACKUP_SIZE_MAX (UINT64_C(64) << 30)

struct backup_file {
    int fd; /* -1: none */
    uint64_t size;
};

struct backup_host {
    struct backups backups; /* first, so that a backups is its host */
    struct folder *folder;
    struct store *store;
    struct hsm *hsm;
    struct backup_plan plan;
    pthread_mutex_t lock; /* one at a time */
    struct backup_file made;
    struct backup_file coming;
};

void backup_file_close(struct backup_file *file);
/* Appends exactly len bytes from offset. False: there are not so many, or, logged, they do not
 * read; out may have some of them then. */
MUST_USE bool backup_file_get(const struct backup_file *file, uint64_t offset, size_t len,
                              struct writer *out);
/* The owner's certificate, PEM, of this partition; the node's, and its key, where they are asked
 * for (else NULL): what the partition itself keeps, else files. False, logged; what was given is to
 * be released in any case. */
MUST_USE bool backup_identity(struct backup_host *host, struct writer *owner,
                              struct writer *certificate, struct owner_key **ret_key);

/* The whole of restore(): CODE_BAD_BACKUP, CKR_DEVICE_ERROR. */
MUST_USE CK_RV restore_check(struct backup_host *host, view key);

#endif
