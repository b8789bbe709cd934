/* SPDX-License-Identifier: Apache-2.0
 *
 * What is known of a container: every certificate with the tag of its blob. A blob whose tag is new
 * is read, its token checked by the HSM, and then it counts; a blob that is refused is remembered
 * as such, so that it is said once. Nothing here is held while the container or the HSM is asked.
 */
#include "daemon/storage.h"

#include "base/log.h"
#include "certs/token.h"
#include "crypto/algo.h"

#include <stdlib.h>
#include <string.h>

#define STALE_MS 60000u /* a large container is listed as rarely; meanwhile behind our back */
#define LARGE 1000u     /* certificates */
#define OWN_MS 1000u    /* between two such listings; more where one takes long */
#define OWN_SHARE 8u    /* of the time, at most, the container is asked to list */
#define OWN_MOST_MS 30000u
#define READ_END_MS 2000u /* for what is being read when the time is over */
#define READERS 8u
#define PROGRESS 1000u  /* certificates between two lines of the log */

/* ---- one blob ---- */

/* The HSM's word on a token. */
static CK_RV
check(struct storage_job *job, uint32_t handle, const struct token *token)
{
    const struct storage *storage = job->storage;
    const struct token_check_request m = {
        .container = view_of(storage->id, sizeof storage->id),
        .handle = handle,
        .adopt = storage->adopt,
        .key = view_of(storage->key, storage->key_len),
        .input = token->input,
        .signature = writer_view(&token->signature),
    };
    struct writer body, reply;
    CK_RV rv = CKR_HOST_MEMORY;

    writer_init(&body, FRAME_BODY_MAX);
    writer_init(&reply, FRAME_BODY_MAX);
    token_check_request_write(&body, &m);
    if (writer_ok(&body)) {
        rv = storage_call(job, OPERATION_TOKEN_CHECK, writer_view(&body), &reply);
    }
    writer_clear(&body);
    writer_clear(&reply);
    return rv;
}

static const char *
refusal(CK_RV rv)
{
    switch (rv) {
    case CKR_SIGNATURE_INVALID:
        return "its signature is wrong";
    case CKR_DATA_INVALID:
        return "it is not the one that the HSM knows: another's, an old one, or made elsewhere "
               "(CERTSTORAGE_TRUST_EXISTING=1 takes those in)";
    case CKR_KEY_HANDLE_INVALID:
        return "no RSA public key has the id CERTSTORAGE_SIGNING_KEYID";
    default:
        return NULL;
    }
}

/* The attributes as an object has them: stored, whatever the token says, and with all that a
 * certificate has by default. Trust is a crypto officer's to give, and a token is signed with a
 * crypto user's key: it says nothing of it. */
static void
complete(const struct storage *storage, view attributes, struct writer *out)
{
    struct reader r = reader_of(attributes);
    struct attribute attribute;
    struct writer given;

    writer_init(&given, ATTRIBUTES_BYTES_MAX);
    while (attributes_next(&r, &attribute)) {
        if (attribute.type != CKA_TOKEN && attribute.type != CKA_TRUSTED) {
            attribute_write(&given, attribute.type, attribute.value);
        }
    }
    attribute_write_bool(&given, CKA_TOKEN, true);
    template_complete(storage->rules, KIND_X509, ORIGIN_CREATE, writer_view(&given), out);
    out->failed = out->failed || !writer_ok(&given);
    writer_clear(&given);
}

/* What was read becomes an entry; CKR_OK also for one that is refused. *ret_old: it is not the
 * present token; read it again before that is the last word. */
static CK_RV
take(struct storage_job *job, uint32_t handle, const char *tag, view text, bool again,
     bool *ret_old)
{
    struct storage *storage = job->storage;
    struct token token;
    struct writer list;
    struct entry *entry;
    uint8_t hash[32];
    const char *fault;
    CK_RV rv = CKR_OK;

    while (text.len > 0 && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r')) {
        text.len--;
    }
    fault = token_read(text, view_of(storage->key, storage->key_len), &token);
    writer_init(&list, ATTRIBUTES_BYTES_MAX);
    if (fault == NULL) {
        rv = check(job, handle, &token);
        fault = refusal(rv);
        complete(storage, writer_view(&token.attributes), &list);
        token_clear(&token);
        if (rv != CKR_OK && fault == NULL) {
            log_err("certificate storage %s: the HSM could not check certificate %u: %s",
                    storage->shown, (unsigned)handle, return_name(rv));
            writer_clear(&list);
            return CKR_DEVICE_ERROR;
        }
    }
    if (fault != NULL && rv == CKR_DATA_INVALID && !again) {
        *ret_old = true; /* a writer may have been faster than we */
        writer_clear(&list);
        return CKR_OK;
    }
    if (fault != NULL) {
        log_err("certificate storage %s: " BLOB_PREFIX "%u is refused: %s", storage->shown,
                (unsigned)handle, fault);
        writer_truncate(&list, 0);
    }
    if (!writer_ok(&list) || !algo_sha256(text, hash) ||
        (entry = entry_new(handle, tag, writer_view(&list), hash)) == NULL) {
        writer_clear(&list);
        return CKR_DEVICE_MEMORY;
    }
    entry->refused = fault != NULL;
    pthread_mutex_lock(&storage->lock);
    rv = storage_put(storage, entry) ? CKR_OK : CKR_DEVICE_MEMORY;
    pthread_mutex_unlock(&storage->lock);
    if (rv != CKR_OK) {
        entry_free(entry);
    }
    writer_clear(&list);
    return rv;
}

/* Was it made by a creation that failed? Then it goes, now or when it is seen the next time. */
static void
remove_doomed(struct storage *storage, uint32_t handle)
{
    bool doomed = false;

    pthread_mutex_lock(&storage->lock);
    for (size_t i = 0; i < storage->doomed_count && !doomed; i++) {
        doomed = storage->doomed[i] == handle;
    }
    pthread_mutex_unlock(&storage->lock);
    if (!doomed) {
        return;
    }
    switch (storage->container->ops->remove(storage->container, handle, "")) {
    case BLOB_OK:
    case BLOB_NONE:
        break;
    default:
        return;
    }
    storage_spare(storage, handle);
}

/* Reads a blob unless it is still the one with the entry's tag. */
static CK_RV
fetch_once(struct storage_job *job, uint32_t handle, bool again, bool *ret_old)
{
    struct storage *storage = job->storage;
    char tag[BLOB_TAG_MAX] = "", next[BLOB_TAG_MAX] = "";
    struct entry *entry;
    struct writer text;
    CK_RV rv = CKR_DEVICE_ERROR;

    remove_doomed(storage, handle);
    pthread_mutex_lock(&storage->lock);
    entry = storage_find(storage, handle);
    if (entry != NULL) {
        memcpy(tag, entry->tag, sizeof tag);
    }
    pthread_mutex_unlock(&storage->lock);
    writer_init(&text, TOKEN_MAX);
    switch (storage->container->ops->get(storage->container, handle, tag, &text, next)) {
    case BLOB_OK:
        rv = writer_ok(&text) ? take(job, handle, next, writer_view(&text), again, ret_old)
                             : CKR_DEVICE_ERROR;
        break;
    case BLOB_SAME:
        pthread_mutex_lock(&storage->lock);
        entry = storage_find(storage, handle);
        if (entry != NULL && strcmp(entry->tag, tag) == 0) {
            entry->seen = daemon_now();
        }
        pthread_mutex_unlock(&storage->lock);
        rv = CKR_OK;
        break;
    case BLOB_NONE:
        pthread_mutex_lock(&storage->lock);
        storage_drop(storage, handle);
        pthread_mutex_unlock(&storage->lock);
        rv = CKR_OK;
        break;
    default:
        break;
    }
    writer_clear(&text);
    return rv;
}

static CK_RV
fetch(struct storage_job *job, uint32_t handle)
{
    bool old = false;
    CK_RV rv = fetch_once(job, handle, false, &old);

    return rv == CKR_OK && old ? fetch_once(job, handle, true, &old) : rv;
}

/* ---- all of them ---- */

/* One reading of the list: which blobs are new, and who reads which. */
struct listing {
    struct storage_job *job;
    uint32_t *handles; /* all that there are */
    size_t count;
    size_t size;
    uint32_t *news;    /* those to be read */
    size_t news_count;
    size_t news_size;
    uint64_t began;
    _Atomic size_t next;
    _Atomic int failed; /* CKR of the first that failed */
};

static bool
append(uint32_t **array, size_t *count, size_t *size, uint32_t handle)
{
    if (*count == *size) {
        size_t more = *size == 0 ? 256 : 2 * *size;
        uint32_t *grown = realloc(*array, more * sizeof **array);

        if (grown == NULL) {
            return false;
        }
        *array = grown;
        *size = more;
    }
    (*array)[(*count)++] = handle;
    return true;
}

static bool
listed(void *arg, uint32_t handle, const char *tag)
{
    struct listing *listing = arg;
    struct storage *storage = listing->job->storage;
    struct entry *entry;
    bool same;

    if (listing->count > 1048575u) {
        return false;
    }
    pthread_mutex_lock(&storage->lock);
    entry = storage_find(storage, handle);
    same = entry != NULL && tag[0] != '\0' && strcmp(entry->tag, tag) == 0;
    if (same) {
        entry->seen = listing->began;
    }
    storage->found++;
    pthread_mutex_unlock(&storage->lock);
    return append(&listing->handles, &listing->count, &listing->size, handle) &&
           (same || append(&listing->news, &listing->news_count, &listing->news_size, handle));
}

static void *
reader_run(void *arg)
{
    struct listing *listing = arg;
    struct storage_job *job = listing->job;

    blob_until(job->deadline + READ_END_MS);
    for (;;) {
        size_t at = atomic_fetch_add(&listing->next, 1);
        CK_RV rv;

        if (at >= listing->news_count || atomic_load(&listing->failed) != 0) {
            return NULL;
        }
        rv = daemon_now() < job->deadline ? fetch(job, listing->news[at]) : CKR_DEVICE_ERROR;
        if (rv != CKR_OK && atomic_exchange(&listing->failed, (int)rv) == 0 &&
            daemon_now() >= job->deadline) {
            log_wrn("certificate storage %s: %zu of %zu certificates were read in time; the next "
                    "search goes on from there",
                    job->storage->shown, at, listing->news_count);
        }
        pthread_mutex_lock(&job->storage->lock);
        job->storage->read++;
        pthread_mutex_unlock(&job->storage->lock);
        if (at > 0 && at % PROGRESS == 0) {
            log_inf("certificate storage %s: %zu of %zu certificates read", job->storage->shown, at,
                    listing->news_count);
        }
    }
}

static void
read_news(struct listing *listing)
{
    struct storage *storage = listing->job->storage;
    pthread_t readers[READERS];
    size_t count = 0;

    pthread_mutex_lock(&storage->lock);
    storage->wanted = (uint32_t)listing->news_count;
    pthread_mutex_unlock(&storage->lock);
    while (count + 1 < READERS && listing->news_count > 2 * READERS &&
           pthread_create(&readers[count], NULL, reader_run, listing) == 0) {
        count++;
    }
    (void)reader_run(listing);
    blob_until(listing->job->deadline); /* for what the job does after it */
    for (size_t i = 0; i < count; i++) {
        pthread_join(readers[i], NULL);
    }
}

static int
by_handle(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

    return left < right ? -1 : left > right;
}

/* Those that were known before the listing began, and are not in it, have gone. */
static void
drop_missing(struct listing *listing)
{
    struct storage *storage = listing->job->storage;
    size_t kept = 0;

    if (listing->count > 0) {
        qsort(listing->handles, listing->count, sizeof *listing->handles, by_handle);
    }
    pthread_mutex_lock(&storage->lock);
    for (size_t i = 0; i < storage->count; i++) {
        struct entry *entry = storage->entries[i];

        if (entry->seen < listing->began &&
            (listing->count == 0 || bsearch(&entry->handle, listing->handles, listing->count,
                                            sizeof *listing->handles, by_handle) == NULL)) {
            entry_free(entry);
        } else {
            storage->entries[kept++] = entry;
        }
    }
    storage->count = kept;
    pthread_mutex_unlock(&storage->lock);
}

static CK_RV
list_all(struct storage_job *job)
{
    struct storage *storage = job->storage;
    struct listing listing = { .job = job, .began = daemon_now() };
    CK_RV rv = CKR_DEVICE_ERROR;

    if (storage->container->ops->list(storage->container, listed, &listing) == BLOB_OK) {
        read_news(&listing);
        rv = (CK_RV)atomic_load(&listing.failed);
    }
    if (rv == CKR_OK) {
        drop_missing(&listing);
        pthread_mutex_lock(&storage->lock);
        storage->listed = listing.began;
        storage->pause = (daemon_now() - listing.began) * OWN_SHARE;
        pthread_mutex_unlock(&storage->lock);
    }
    free(listing.handles);
    free(listing.news);
    return rv;
}

/* The rules decide what a certificate has by default. */
static CK_RV
rules_ask(struct storage_job *job)
{
    struct storage *storage = job->storage;
    struct token_reply answer;
    struct writer reply;
    bool known;
    CK_RV rv;

    pthread_mutex_lock(&storage->lock);
    known = storage->rules_known;
    pthread_mutex_unlock(&storage->lock);
    if (known) {
        return CKR_OK;
    }
    writer_init(&reply, FRAME_BODY_MAX);
    rv = storage_call(job, OPERATION_TOKEN, VIEW_EMPTY, &reply);
    if (rv == CKR_OK && (!token_reply_read(writer_view(&reply), &answer) ||
                         answer.policy >= POLICY_COUNT)) {
        rv = CKR_DEVICE_ERROR;
    }
    if (rv == CKR_OK) {
        pthread_mutex_lock(&storage->lock);
        storage->rules = (struct rules){ (enum policy)answer.policy, INTERFACE_P11, 0 };
        (void)rules_switches_read(&storage->rules, answer.switches);
        storage->rules_known = true;
        pthread_mutex_unlock(&storage->lock);
    }
    writer_clear(&reply);
    return rv;
}

CK_RV
storage_begin(struct storage_job *job)
{
    if (job->storage->container == NULL) {
        log_err("certificate storage %s cannot be used; see the log of its first use",
                job->storage->shown);
        return CKR_DEVICE_ERROR;
    }
    return rules_ask(job);
}

/* Between two listings that nobody waits for. Under the lock. */
static uint64_t
own_pause(const struct storage *storage)
{
    return storage->pause < OWN_MS        ? OWN_MS
           : storage->pause > OWN_MOST_MS ? OWN_MOST_MS
                                          : storage->pause;
}

CK_RV
storage_refresh(struct storage_job *job)
{
    struct storage *storage = job->storage;
    const bool own = job->row->operation == OPERATION_PING;
    CK_RV rv = CKR_OK;

    pthread_mutex_lock(&storage->lock);
    for (;;) {
        uint64_t age = job->began > storage->listed ? job->began - storage->listed : 0;

        if (storage->listed != 0 && (age == 0 || (own && age < own_pause(storage)))) {
            break;
        }
        if (!own && storage->listed != 0 && storage->count >= LARGE && age < STALE_MS) {
            if (!storage->listing && age >= own_pause(storage)) {
                pthread_mutex_unlock(&storage->lock);
                storage_relist(job);
                return CKR_OK;
            }
            break;
        }
        if (!storage->listing) {
            storage->listing = true;
            storage->found = storage->wanted = storage->read = 0;
            pthread_mutex_unlock(&storage->lock);
            rv = list_all(job);
            pthread_mutex_lock(&storage->lock);
            storage->listing = false;
            pthread_cond_broadcast(&storage->changed);
            break;
        }
        if (own) {
            break;
        }
        pthread_cond_wait(&storage->changed, &storage->lock);
        if (daemon_now() > job->deadline) {
            rv = CKR_DEVICE_ERROR;
            break;
        }
    }
    pthread_mutex_unlock(&storage->lock);
    return rv;
}

CK_RV
storage_current(struct storage_job *job, uint32_t handle, struct entry **ret_entry)
{
    struct storage *storage = job->storage;
    struct entry *entry;
    bool fresh;
    CK_RV rv = CKR_OK;

    pthread_mutex_lock(&storage->lock);
    entry = storage_find(storage, handle);
    fresh = entry != NULL && entry->seen >= job->began;
    pthread_mutex_unlock(&storage->lock);
    if (!fresh && (rv = fetch(job, handle)) != CKR_OK) {
        return rv;
    }
    pthread_mutex_lock(&storage->lock);
    entry = storage_find(storage, handle);
    if (entry == NULL || entry->refused) {
        rv = CKR_OBJECT_HANDLE_INVALID;
    } else {
        struct entry *copy =
            entry_new(handle, entry->tag, writer_view(&entry->list), entry->hash);

        rv = copy != NULL ? CKR_OK : CKR_DEVICE_MEMORY;
        if (rv == CKR_OK) {
            *ret_entry = copy;
        }
    }
    pthread_mutex_unlock(&storage->lock);
    return rv;
}
