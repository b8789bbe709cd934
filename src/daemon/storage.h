/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates that are kept in a container of blobs (docs/certstorage.md). What the loop has to do
 * with it: requests that concern certificates, of contexts that have such a container, become jobs;
 * a few threads do them, for they wait for disks and networks; what a job asks of the HSM goes
 * through the loop like any request of its context.
 */
#ifndef DAEMON_STORAGE_H
#define DAEMON_STORAGE_H

#include "certs/blob.h"
#include "daemon/daemon.h"
#include "rules/template.h"

#include <pthread.h>

#define STORAGE_THREADS 16u /* a container that hangs keeps one for each request of its */
#define STORAGES_MAX 32u
#define STORAGE_URL_MAX 2048u
#define STORAGE_TEXT_MAX 256u
#define CONTAINER_ID 16u

/* One certificate, as its token was when it was read and checked. */
struct entry {
    uint32_t handle;
    bool refused;            /* its token is not good: it is as if it were not there */
    char tag[BLOB_TAG_MAX];
    uint8_t hash[32];        /* SHA-256 of the token */
    uint64_t seen;           /* when the container last said that it is so */
    uint64_t id_hash;
    struct writer list;      /* attributes; none when it is refused */
};

/* A container with what is known of it. One for each url, key, identity and uid. */
struct storage {
    struct storage *next;        /* on the loop */
    size_t contexts;             /* on the loop: that have it */
    struct blob_container *container; /* NULL: it cannot be; every call fails */
    char url[STORAGE_URL_MAX];
    char secret[STORAGE_TEXT_MAX];
    char identity[STORAGE_TEXT_MAX];
    char shown[STORAGE_URL_MAX]; /* for the log: without what signs it */
    uint8_t id[CONTAINER_ID];
    uint8_t key[STORAGE_TEXT_MAX]; /* CKA_ID of the pair that signs */
    size_t key_len;
    bool adopt;
    uint32_t uid;

    pthread_mutex_t lock;   /* for what follows */
    pthread_cond_t changed;
    struct entry **entries; /* by rising handle */
    size_t count;
    size_t size;
    uint64_t pause;         /* until it is listed again behind searches; longer if it takes long */
    uint64_t listed;        /* when the listing began that was the last to end well; 0: never */
    bool listing;           /* a thread is at it */
    uint32_t found;         /* how far it is: names, those that are to be read, those that were */
    uint32_t wanted;
    uint32_t read;
    uint32_t *doomed;       /* blobs of creations that failed: to be removed when they are seen */
    size_t doomed_count;
    struct rules rules;
    bool rules_known;
};

/* A request on its way through a thread. */
struct storage_job {
    struct storage_job *next;
    struct storage_jobs *jobs;
    struct storage *storage;
    struct context *context; /* the loop's; it stays, for the job counts as a request */
    struct peer *peer;       /* the loop's; NULL once it has gone, and for a job of our own */
    const struct operation_row *row;
    struct frame frame;
    struct writer body;
    uint8_t role;            /* of the login when it began */
    uint64_t began;
    uint64_t deadline;
    CK_RV rv;
    struct writer reply;
};

/* storage.c, on the loop */
/* Takes the settings of a HELLO. False: they are none. */
MUST_USE bool storage_attach(struct daemon *daemon, struct context *context,
                             const struct hello_request *hello);
void storage_detach(struct daemon *daemon, struct context *context);
/* True: it is a job now, and its answer comes. */
bool storage_request(struct daemon *daemon, struct peer *peer, const struct operation_row *row,
                     const struct frame *frame, view body);
/* Answers how far the listing of the context's container is. */
void storage_state(struct peer *peer, const struct frame *frame);
void storage_peer_gone(struct daemon *daemon, struct peer *peer);
bool storage_is_busy(const struct daemon *daemon);
void storage_clear(struct daemon *daemon);

/* storage.c, on a thread: asks the HSM, as the job's context, for as long as the job has time. body
 * is read, reply appended to. */
MUST_USE CK_RV storage_call(struct storage_job *job, enum operation operation, view body,
                            struct writer *reply);
/* Jobs of our own: lists the container again while nobody waits. */
void storage_relist(struct storage_job *job);

/* entry.c, on a thread */
void entry_free(struct entry *entry);
MUST_USE struct entry *entry_new(uint32_t handle, const char *tag, view list,
                                 const uint8_t hash[32]);
/* Under the storage's lock. */
struct entry *storage_find(struct storage *storage, uint32_t handle);
MUST_USE bool storage_put(struct storage *storage, struct entry *entry);
void storage_drop(struct storage *storage, uint32_t handle);
/* storage_cache.c, on a thread */
/* First of all: there is a container, and the rules are known. */
MUST_USE CK_RV storage_begin(struct storage_job *job);
/* The container has been listed lately, and its certificates read. */
MUST_USE CK_RV storage_refresh(struct storage_job *job);
/* The certificate as the container has it now: a copy; CKR_OBJECT_HANDLE_INVALID,
 * CKR_DEVICE_ERROR. */
MUST_USE CK_RV storage_current(struct storage_job *job, uint32_t handle, struct entry **ret_entry);

/* storage_write.c, on a thread: nothing is to be removed under that number any more: it is a good
 * certificate's, or it is done. Takes the storage's lock. */
void storage_spare(struct storage *storage, uint32_t handle);

/* storage_work.c, on a thread: does the job. */
CK_RV storage_work(struct storage_job *job);

#endif
