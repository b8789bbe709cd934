/* SPDX-License-Identifier: Apache-2.0
 *
 * Changing a container. A change takes three steps: the HSM signs the new token and remembers it
 * as the next one, the container takes it, the HSM is told. See core/token.c for what is so in
 * between.
 */
#include "daemon/storage_work.h"

#include "base/log.h"
#include "certs/token.h"
#include "crypto/algo.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CREATE_TRIES 4u
#define BUSY_TRIES 40u
#define BUSY_MS 100u
#define ROUND_MS 18000u /* at most, with two requests that wait for the end */

/* For one more round: what it asks of the container, and of the HSM. */
static bool
has_time(const struct storage_job *job)
{
    return daemon_now() + ROUND_MS < job->deadline;
}

/* ---- the HSM's part ---- */

static CK_RV
sign(struct storage_job *job, uint32_t handle, uint32_t past, view before, view input,
     uint32_t *ret_handle, struct writer *token, uint8_t hash[32])
{
    const struct storage *storage = job->storage;
    const struct token_sign_request m = {
        .container = view_of(storage->id, sizeof storage->id),
        .handle = handle,
        .past = past,
        .key = view_of(storage->key, storage->key_len),
        .before = before,
        .input = input,
    };
    struct token_sign_reply answer;
    struct writer body, reply;
    CK_RV rv = CKR_DEVICE_MEMORY;

    writer_init(&body, FRAME_BODY_MAX);
    writer_init(&reply, FRAME_BODY_MAX);
    token_sign_request_write(&body, &m);
    if (writer_ok(&body)) {
        rv = storage_call(job, OPERATION_TOKEN_SIGN, writer_view(&body), &reply);
    }
    if (rv == CKR_KEY_HANDLE_INVALID) {
        log_err("certificate storage %s: this user has no RSA pair with the id of "
                "CERTSTORAGE_SIGNING_KEYID; make one: genRSAKeyPair -m 2048 -e 65537 -l ID -id ID",
                storage->shown);
        rv = CKR_FUNCTION_FAILED;
    }
    if (rv == CKR_OK && !token_sign_reply_read(writer_view(&reply), &answer)) {
        rv = CKR_DEVICE_ERROR;
    }
    if (rv == CKR_OK) {
        write_raw(token, input);
        token_close(token, answer.signature);
        *ret_handle = answer.handle;
        rv = writer_ok(token) && algo_sha256(writer_view(token), hash) ? CKR_OK : CKR_DEVICE_MEMORY;
    }
    writer_clear(&body);
    writer_clear(&reply);
    return rv;
}

/* A call whose reply has nothing in it. Clears the body. */
static CK_RV
storage_tell(struct storage_job *job, enum operation operation, struct writer *body)
{
    struct writer reply;
    CK_RV rv;

    writer_init(&reply, FRAME_BODY_MAX);
    rv = storage_call(job, operation, writer_view(body), &reply);
    writer_clear(&reply);
    writer_clear(body);
    return rv;
}

static CK_RV
settle(struct storage_job *job, uint32_t handle, view hash)
{
    const struct token_settle_request m = {
        .container = view_of(job->storage->id, sizeof job->storage->id),
        .handle = handle,
        .token = hash,
    };
    struct writer body;

    writer_init(&body, 256);
    token_settle_request_write(&body, &m);
    return storage_tell(job, OPERATION_TOKEN_SETTLE, &body);
}

/* What was signed did not get there. A node of the release before does not know that: both are good
 * until somebody reads what is there. */
static CK_RV
take_back(struct storage_job *job, uint32_t handle, view hash, view dropped)
{
    const struct token_drop_request m = {
        .container = view_of(job->storage->id, sizeof job->storage->id),
        .handle = handle,
        .token = hash,
        .dropped = dropped,
    };
    struct writer body;

    writer_init(&body, 256);
    token_drop_request_write(&body, &m);
    return storage_tell(job, OPERATION_TOKEN_DROP, &body);
}

static CK_RV
input_of(struct storage_job *job, view list, struct writer *input)
{
    const struct storage *storage = job->storage;
    const char *fault = token_input(view_of(storage->key, storage->key_len), list, input);

    if (fault != NULL) {
        log_err("certificate storage %s: a certificate cannot be written: %s", storage->shown,
                fault);
        return CKR_ATTRIBUTE_VALUE_INVALID;
    }
    return CKR_OK;
}

/* ---- writing ---- */

static void
remember(struct storage_job *job, uint32_t handle, const char *tag, view list,
         const uint8_t hash[32])
{
    struct storage *storage = job->storage;
    struct entry *entry = entry_new(handle, tag, list, hash);

    pthread_mutex_lock(&storage->lock);
    if (entry == NULL || !storage_put(storage, entry)) {
        storage_drop(storage, handle); /* it is read again */
        entry_free(entry);
    }
    pthread_mutex_unlock(&storage->lock);
}

/* What a failed creation may have left in the container is removed when it is seen. */
static void
doom(struct storage *storage, uint32_t handle)
{
    uint32_t *grown;

    pthread_mutex_lock(&storage->lock);
    grown = realloc(storage->doomed, (storage->doomed_count + 1) * sizeof *grown);
    if (grown != NULL) {
        storage->doomed = grown;
        storage->doomed[storage->doomed_count++] = handle;
    }
    pthread_mutex_unlock(&storage->lock);
}

void
storage_spare(struct storage *storage, uint32_t handle)
{
    pthread_mutex_lock(&storage->lock);
    for (size_t i = 0; i < storage->doomed_count; i++) {
        if (storage->doomed[i] == handle) {
            storage->doomed[i] = storage->doomed[--storage->doomed_count];
            break;
        }
    }
    pthread_mutex_unlock(&storage->lock);
}

static uint32_t
highest(struct storage *storage)
{
    uint32_t handle;

    pthread_mutex_lock(&storage->lock);
    handle = storage->count == 0 ? 0 : storage->entries[storage->count - 1]->handle;
    pthread_mutex_unlock(&storage->lock);
    return handle;
}

/* A certificate that the container does not have yet, under a new number or one of its own. */
CK_RV
storage_write_new(struct storage_job *job, uint32_t wanted, view list, uint32_t *ret_handle)
{
    struct storage *storage = job->storage;
    struct writer input, token;
    uint32_t handle = wanted;
    char tag[BLOB_TAG_MAX] = "";
    uint8_t hash[32];
    CK_RV rv;

    writer_init(&input, TOKEN_MAX);
    writer_init(&token, TOKEN_MAX);
    rv = input_of(job, list, &input);
    for (unsigned tries = 0; rv == CKR_OK && tries < CREATE_TRIES; tries++) {
        if (!has_time(job)) {
            rv = CKR_DEVICE_ERROR;
            break;
        }

        enum blob_result result;

        writer_reset(&token);
        rv = sign(job, wanted, highest(storage), VIEW_EMPTY, writer_view(&input), &handle, &token,
                  hash);
        if (rv != CKR_OK) {
            break;
        }
        result = storage->container->ops->put(storage->container, handle, "", writer_view(&token),
                                              tag);
        if (result == BLOB_OK) {
            rv = settle(job, handle, view_of(hash, sizeof hash));
            if (rv == CKR_OK) {
                storage_spare(storage, handle);
                remember(job, handle, tag, list, hash);
                *ret_handle = handle;
                break;
            }
        }
        (void)settle(job, handle, VIEW_EMPTY);
        if (result != BLOB_CONFLICT) {
            if (result != BLOB_FAILED) {
                doom(storage, handle);
            }
            rv = CKR_DEVICE_ERROR;
        } else {
            /* Others have written there; what they have is known after this. */
            pthread_mutex_lock(&storage->lock);
            storage->listed = 0;
            pthread_mutex_unlock(&storage->lock);
            rv = wanted != 0 || tries + 1 == CREATE_TRIES ? CKR_FUNCTION_FAILED
                                                         : storage_refresh(job);
        }
    }
    writer_clear(&input);
    writer_clear(&token);
    return rv;
}

/* The next version of one that is there. */
CK_RV
storage_write_next(struct storage_job *job, const struct entry *old, view list)
{
    struct storage *storage = job->storage;
    const view before = view_of(old->hash, sizeof old->hash);
    struct writer input, token;
    uint32_t handle;
    char tag[BLOB_TAG_MAX] = "";
    uint8_t hash[32];
    CK_RV rv;

    writer_init(&input, TOKEN_MAX);
    writer_init(&token, TOKEN_MAX);
    rv = input_of(job, list, &input);
    if (rv == CKR_OK) {
        rv = sign(job, old->handle, 0, before, writer_view(&input), &handle, &token, hash);
    }
    if (rv != CKR_OK) {
        goto out;
    }
    switch (storage->container->ops->put(storage->container, old->handle, old->tag,
                                         writer_view(&token), tag)) {
    case BLOB_OK:
        rv = settle(job, old->handle, view_of(hash, sizeof hash));
        if (rv == CKR_OK) {
            remember(job, old->handle, tag, list, hash);
        }
        break;
    case BLOB_UNKNOWN:
        rv = CKR_DEVICE_ERROR; /* both are good until somebody reads it */
        pthread_mutex_lock(&storage->lock);
        storage_drop(storage, old->handle);
        pthread_mutex_unlock(&storage->lock);
        break;
    case BLOB_CONFLICT:
    case BLOB_NONE:
        (void)take_back(job, old->handle, before, view_of(hash, sizeof hash));
        rv = CKR_DATA_INVALID; /* again, with what is there now */
        break;
    default:
        (void)take_back(job, old->handle, before, view_of(hash, sizeof hash));
        rv = CKR_DEVICE_ERROR;
        break;
    }
out:
    writer_clear(&input);
    writer_clear(&token);
    return rv;
}

CK_RV
storage_erase(struct storage_job *job, const struct entry *entry)
{
    struct storage *storage = job->storage;

    switch (storage->container->ops->remove(storage->container, entry->handle, entry->tag)) {
    case BLOB_OK:
    case BLOB_NONE:
        break;
    case BLOB_CONFLICT:
        return CKR_DATA_INVALID;
    default:
        return CKR_DEVICE_ERROR;
    }
    pthread_mutex_lock(&storage->lock);
    storage_drop(storage, entry->handle);
    pthread_mutex_unlock(&storage->lock);
    return settle(job, entry->handle, VIEW_EMPTY);
}

/* Somebody else was faster, or is at it: wait a moment and look again. False: long enough. */
bool
storage_may_try_again(const struct storage_job *job, CK_RV rv, unsigned *tries)
{
    if ((rv != CKR_DATA_INVALID && rv != CKR_OPERATION_ACTIVE) || ++*tries > BUSY_TRIES ||
        !has_time(job)) {
        return false;
    }
    nanosleep(&(struct timespec){ .tv_nsec = BUSY_MS * 1000000l }, NULL);
    return true;
}

CK_RV
storage_forget_seen(struct storage *storage, uint32_t handle, CK_RV rv)
{
    struct entry *entry;

    pthread_mutex_lock(&storage->lock);
    entry = storage_find(storage, handle);
    if (entry != NULL) {
        entry->seen = 0;
    }
    pthread_mutex_unlock(&storage->lock);
    return rv == CKR_DATA_INVALID || rv == CKR_OPERATION_ACTIVE ? CKR_FUNCTION_FAILED : rv;
}
