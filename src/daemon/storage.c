/* SPDX-License-Identifier: Apache-2.0
 *
 * Jobs between the loop and the threads. The loop owns contexts, peers and the list of storages; a
 * thread owns its job until it posts it back.
 */
#include "daemon/storage.h"

#include "base/log.h"
#include "base/urgency.h"
#include "crypto/algo.h"

#include <stdlib.h>
#include <string.h>

/* No call takes longer than 30 s, with what it waits for a processor. What a job asks the HSM when
 * its time is over, to leave things in order, has a moment each, and a few seconds in all. */
#define JOB_MS 25000u
#define LAST_CALL_MS 1500u
#define LAST_CALLS_MS 3000u
#define OWN_REQUEST_FIRST (1ull << 63)

struct storage_jobs {
    struct daemon *daemon;
    struct storage *storages; /* on the loop */
    struct storage_job *running[CONTEXT_REQUESTS_MAX * 4];
    size_t count;             /* on the loop: jobs that have no answer yet */
    uint64_t own_request;     /* on the loop */
    pthread_mutex_t lock;     /* for what follows */
    pthread_cond_t more;
    struct storage_job *first;
    struct storage_job **last;
    pthread_t threads[STORAGE_THREADS];
    size_t thread_count;
    bool stopping;
    _Atomic size_t live; /* threads that have not ended */
};

/* ---- calls of the HSM ---- */

struct own_call {
    struct storage_job *job;
    enum operation operation;
    view body;
    uint64_t until;
    struct writer *reply;
    CK_RV rv;
    bool done;
    pthread_mutex_t lock;
    pthread_cond_t end;
};

static void
call_done(void *arg, uint32_t code, view body)
{
    struct own_call *call = arg;

    pthread_mutex_lock(&call->lock);
    call->rv = code;
    if (code == CKR_OK) {
        write_raw(call->reply, body);
        call->rv = writer_ok(call->reply) ? CKR_OK : CKR_DEVICE_ERROR;
    }
    call->done = true;
    pthread_cond_signal(&call->end);
    pthread_mutex_unlock(&call->lock);
}

static void
call_begin(void *arg)
{
    struct own_call *call = arg;
    struct storage_job *job = call->job;
    struct storage_jobs *jobs = job->jobs;
    const struct frame frame = {
        .body_len = (uint32_t)call->body.len,
        .operation = (uint16_t)call->operation,
        .flags = job->frame.flags,
        .request = OWN_REQUEST_FIRST | ++jobs->own_request,
        .session = job->frame.session,
        .revision = job->frame.revision,
    };

    if (!route_own(jobs->daemon, job->context, &frame, call->body, call->until, call_done, call)) {
        call_done(call, (uint32_t)CKR_DEVICE_ERROR, VIEW_EMPTY);
    }
}

/* When a call of the HSM ends that begins now. */
static uint64_t
call_end(const struct storage_job *job)
{
    const uint64_t moment = daemon_now() + LAST_CALL_MS;
    const uint64_t last = job->deadline + LAST_CALLS_MS;

    return moment < job->deadline ? job->deadline : moment < last ? moment : last;
}

CK_RV
storage_call(struct storage_job *job, enum operation operation, view body, struct writer *reply)
{
    struct own_call call = {
        .job = job,
        .operation = operation,
        .body = body,
        .until = call_end(job),
        .reply = reply,
    };
    CK_RV rv;

    pthread_mutex_init(&call.lock, NULL);
    pthread_cond_init(&call.end, NULL);
    if (!loop_post(job->jobs->daemon->loop, call_begin, &call)) {
        call.done = true;
        call.rv = CKR_HOST_MEMORY;
    }
    pthread_mutex_lock(&call.lock);
    while (!call.done) {
        pthread_cond_wait(&call.end, &call.lock);
    }
    rv = call.rv;
    pthread_mutex_unlock(&call.lock);
    pthread_cond_destroy(&call.end);
    pthread_mutex_destroy(&call.lock);
    return rv;
}

/* ---- jobs ---- */

static void
job_free(struct storage_job *job)
{
    writer_clear(&job->body);
    writer_clear(&job->reply);
    free(job);
}

/* On the loop. */
static void
job_done(void *arg)
{
    struct storage_job *job = arg;
    struct storage_jobs *jobs = job->jobs;
    struct context *context = job->context;

    for (size_t i = 0; i < jobs->count; i++) {
        if (jobs->running[i] == job) {
            jobs->running[i] = jobs->running[--jobs->count];
            break;
        }
    }
    feed_request_done(jobs->daemon, job->row, writer_view(&job->body), 0);
    context->requests--;
    if (job->peer != NULL) {
        struct peer *peer = job->peer;

        peer->requests--;
        peer_answer(peer, &job->frame, (uint32_t)job->rv, job->frame.revision,
                    job->rv == CKR_OK ? writer_view(&job->reply) : VIEW_EMPTY);
    }
    context_resume(context);
    job_free(job);
}

static void *
thread_run(void *arg)
{
    struct storage_jobs *jobs = arg;

    pthread_mutex_lock(&jobs->lock);
    while (!jobs->stopping) {
        struct storage_job *job = jobs->first;

        if (job == NULL) {
            pthread_cond_wait(&jobs->more, &jobs->lock);
            continue;
        }
        jobs->first = job->next;
        if (jobs->first == NULL) {
            jobs->last = &jobs->first;
        }
        pthread_mutex_unlock(&jobs->lock);
        blob_until(job->deadline);
        job->rv = storage_work(job);
        while (!loop_post(jobs->daemon->loop, job_done, job)) {
            nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL); /* memory is short */
        }
        pthread_mutex_lock(&jobs->lock);
    }
    pthread_mutex_unlock(&jobs->lock);
    atomic_fetch_sub(&jobs->live, 1);
    return NULL;
}

static struct storage_jobs *
jobs_of(struct daemon *daemon)
{
    struct storage_jobs *jobs = daemon->storage;
    pthread_attr_t attributes;

    if (jobs != NULL) {
        return jobs;
    }
    jobs = calloc(1, sizeof *jobs);
    if (jobs == NULL) {
        return NULL;
    }
    jobs->daemon = daemon;
    jobs->last = &jobs->first;
    pthread_mutex_init(&jobs->lock, NULL);
    pthread_cond_init(&jobs->more, NULL);
    daemon->storage = jobs;
    pthread_attr_init(&attributes);
    urgency_attributes(&attributes);
    while (jobs->thread_count < STORAGE_THREADS) {
        atomic_fetch_add(&jobs->live, 1);
        if (pthread_create(&jobs->threads[jobs->thread_count], &attributes, thread_run, jobs) != 0) {
            atomic_fetch_sub(&jobs->live, 1);
            break;
        }
        jobs->thread_count++;
    }
    pthread_attr_destroy(&attributes);
    return jobs;
}

/* NULL: no more are taken now. */
static struct storage_job *
job_new(struct daemon *daemon, struct context *context, struct peer *peer,
        const struct operation_row *row, const struct frame *frame, view body)
{
    struct storage_jobs *jobs = jobs_of(daemon);
    struct storage_job *job;

    if (jobs == NULL || jobs->thread_count == 0 || jobs->count == ARRAY_COUNT(jobs->running) ||
        (job = calloc(1, sizeof *job)) == NULL) {
        return NULL;
    }
    writer_init(&job->body, FRAME_BODY_MAX);
    writer_init(&job->reply, FRAME_BODY_MAX);
    write_raw(&job->body, body);
    if (!writer_ok(&job->body)) {
        job_free(job);
        return NULL;
    }
    job->jobs = jobs;
    job->storage = context->storage;
    job->context = context;
    job->peer = peer;
    job->row = row;
    job->frame = *frame;
    job->role = context->ticket == NULL ? ROLE_NONE : context->role;
    job->began = daemon_now();
    job->deadline = job->began + JOB_MS;
    jobs->running[jobs->count++] = job;
    context->requests++;
    if (peer != NULL) {
        peer->requests++;
    }
    pthread_mutex_lock(&jobs->lock);
    *jobs->last = job;
    jobs->last = &job->next;
    pthread_cond_signal(&jobs->more);
    pthread_mutex_unlock(&jobs->lock);
    return job;
}

/* ---- which requests ---- */

#define CERTIFICATE_FIRST 0xfff00000u

static bool
list_is_certificate(view list)
{
    uint64_t class;

    return attributes_ulong(list, CKA_CLASS, &class) && class == CKO_CERTIFICATE;
}

/* Searches that no certificate can match go straight to the HSM; so do those of the tools for all
 * that there is, for they want keys. */
static bool
find_concerns(const struct context *context, view template)
{
    uint64_t class;
    bool token;

    return (attributes_ulong(template, CKA_CLASS, &class) ? class == CKO_CERTIFICATE
                                                          : context->interface == INTERFACE_P11) &&
           (!attributes_bool(template, CKA_TOKEN, &token) || token);
}

static bool
concerns(const struct context *context, enum operation operation, view body)
{
    struct object_create_request create;
    struct find_request find;
    bool token = false;

    switch (operation) {
    case OPERATION_OBJECT_CREATE:
        return object_create_request_read(body, &create) &&
               list_is_certificate(create.template) &&
               attributes_bool(create.template, CKA_TOKEN, &token) && token;
    case OPERATION_FIND:
        return find_request_read(body, &find) && find_concerns(context, find.template);
    case OPERATION_OBJECT_COPY:
    case OPERATION_OBJECT_DESTROY:
    case OPERATION_OBJECT_GET:
    case OPERATION_OBJECT_SET:
    case OPERATION_OBJECT_SIZE:
        return body.len >= 4 && load_u32(body.data) >= CERTIFICATE_FIRST;
    default:
        return false;
    }
}

bool
storage_request(struct daemon *daemon, struct peer *peer, const struct operation_row *row,
                const struct frame *frame, view body)
{
    struct context *context = peer->context;

    if (context->storage == NULL || !concerns(context, row->operation, body)) {
        return false;
    }
    if (job_new(daemon, context, peer, row, frame, body) == NULL) {
        peer_answer(peer, frame, (uint32_t)CKR_DEVICE_MEMORY, frame->revision, VIEW_EMPTY);
    }
    return true;
}

void
storage_state(struct peer *peer, const struct frame *frame)
{
    struct storage *storage = peer->context->storage;
    struct storage_state_reply m = { 0 };
    struct writer reply;
    uint8_t buffer[32];

    if (storage != NULL) {
        pthread_mutex_lock(&storage->lock);
        m.listing = storage->listing;
        m.found = storage->found;
        m.wanted = storage->wanted;
        m.read = storage->read;
        m.known = (uint32_t)storage->count;
        pthread_mutex_unlock(&storage->lock);
    }
    writer_init_fixed(&reply, buffer, sizeof buffer);
    storage_state_reply_write(&reply, &m);
    peer_answer(peer, frame, CKR_OK, frame->revision, writer_view(&reply));
}

struct relist {
    struct storage_jobs *jobs;
    struct storage *storage;
    uint8_t context[FRAME_CONTEXT_LEN];
};

static void
relist_begin(void *arg)
{
    static const struct frame none;
    struct relist *relist = arg;
    struct context *context = context_by_id(relist->jobs->daemon, relist->context);

    if (context != NULL && context->storage == relist->storage && !relist->jobs->daemon->stopping) {
        (void)job_new(relist->jobs->daemon, context, NULL, operation_row(OPERATION_PING), &none,
                      VIEW_EMPTY);
    }
    free(relist);
}

void
storage_relist(struct storage_job *job)
{
    struct relist *relist = calloc(1, sizeof *relist);

    if (relist == NULL) {
        return;
    }
    *relist = (struct relist){ .jobs = job->jobs, .storage = job->storage };
    memcpy(relist->context, job->context->id, FRAME_CONTEXT_LEN); /* it never changes */
    if (!loop_post(job->jobs->daemon->loop, relist_begin, relist)) {
        free(relist);
    }
}

void
storage_peer_gone(struct daemon *daemon, struct peer *peer)
{
    struct storage_jobs *jobs = daemon->storage;

    for (size_t i = 0; jobs != NULL && i < jobs->count; i++) {
        if (jobs->running[i]->peer == peer) {
            jobs->running[i]->peer = NULL;
            peer->requests--;
        }
    }
}

bool
storage_is_busy(const struct daemon *daemon)
{
    return daemon->storage != NULL && daemon->storage->count > 0;
}

/* ---- storages ---- */

static void
storage_free(struct storage *storage)
{
    blob_close(storage->container);
    for (size_t i = 0; i < storage->count; i++) {
        entry_free(storage->entries[i]);
    }
    free(storage->entries);
    free(storage->doomed);
    pthread_cond_destroy(&storage->changed);
    pthread_mutex_destroy(&storage->lock);
    wipe(storage, sizeof *storage);
    free(storage);
}

static bool
text_fits(view text, size_t size)
{
    return text.len < size && (text.len == 0 || memchr(text.data, '\0', text.len) == NULL);
}

static void
text_copy(char *to, view text)
{
    if (text.len > 0) {
        memcpy(to, text.data, text.len);
    }
    to[text.len] = '\0';
}

static struct storage *
storage_new(struct daemon *daemon, uint32_t uid, const struct hello_request *hello)
{
    struct storage *storage = calloc(1, sizeof *storage);
    uint8_t digest[32];
    char *question;

    if (storage == NULL) {
        return NULL;
    }
    pthread_mutex_init(&storage->lock, NULL);
    pthread_cond_init(&storage->changed, NULL);
    text_copy(storage->url, hello->storage_url);
    text_copy(storage->secret, hello->storage_secret);
    text_copy(storage->identity, hello->storage_identity);
    memcpy(storage->key, hello->storage_key.data, hello->storage_key.len);
    storage->key_len = hello->storage_key.len;
    storage->adopt = hello->storage_adopt;
    storage->uid = uid;
    memcpy(storage->shown, storage->url, sizeof storage->shown);
    question = strchr(storage->shown, '?');
    if (question != NULL) {
        *question = '\0';
    }
    for (size_t len = strlen(storage->shown); len > 0 && storage->shown[len - 1] == '/'; len--) {
        storage->shown[len - 1] = '\0'; /* one name for one container */
    }
    if (!algo_sha256(view_str(storage->shown), digest)) {
        storage_free(storage);
        return NULL;
    }
    memcpy(storage->id, digest, sizeof storage->id);

    const struct blob_settings settings = {
        .url = storage->url,
        .secret = storage->secret,
        .identity = storage->identity,
        .ca_file = daemon->settings.certstorage_ca,
        .metadata = daemon->settings.certstorage_metadata,
        .uid = uid,
    };

    storage->container = blob_open(&settings);
    return storage;
}

static bool
storage_is(const struct storage *storage, uint32_t uid, const struct hello_request *hello)
{
    return storage->uid == uid && storage->adopt == hello->storage_adopt &&
           storage->container != NULL && view_equal(view_str(storage->url), hello->storage_url) &&
           view_equal_secret(view_str(storage->secret), hello->storage_secret) &&
           view_equal(view_str(storage->identity), hello->storage_identity) &&
           view_equal(view_of(storage->key, storage->key_len), hello->storage_key);
}

/* Those that nobody has any more go when their place is wanted. */
static void
storages_thin(struct storage_jobs *jobs)
{
    struct storage **at = &jobs->storages;
    size_t count = 0;

    while (*at != NULL) {
        struct storage *storage = *at;

        if (storage->contexts == 0 && (++count > STORAGES_MAX || storage->container == NULL)) {
            *at = storage->next;
            storage_free(storage);
        } else {
            at = &storage->next;
        }
    }
}

bool
storage_attach(struct daemon *daemon, struct context *context, const struct hello_request *hello)
{
    struct storage_jobs *jobs;
    struct storage *storage;

    if (hello->storage_url.len == 0) {
        return true;
    }
    if (!text_fits(hello->storage_url, STORAGE_URL_MAX) ||
        !text_fits(hello->storage_secret, STORAGE_TEXT_MAX) ||
        !text_fits(hello->storage_identity, STORAGE_TEXT_MAX) ||
        hello->storage_key.len == 0 || hello->storage_key.len >= STORAGE_TEXT_MAX) {
        return false;
    }
    jobs = jobs_of(daemon);
    if (jobs == NULL) {
        return false;
    }
    storages_thin(jobs);
    for (storage = jobs->storages; storage != NULL; storage = storage->next) {
        if (storage_is(storage, context->owner->uid, hello)) {
            break;
        }
    }
    if (storage == NULL) {
        storage = storage_new(daemon, context->owner->uid, hello);
        if (storage == NULL) {
            return false;
        }
        storage->next = jobs->storages;
        jobs->storages = storage;
    }
    storage->contexts++;
    context->storage = storage;
    return true;
}

void
storage_detach(struct daemon *daemon, struct context *context)
{
    /* At the daemon's end the storages have gone before the contexts. */
    if (context->storage != NULL && daemon->storage != NULL) {
        context->storage->contexts--;
    }
    context->storage = NULL;
}

static void
threads_check(void *arg)
{
    struct storage_jobs *jobs = arg;

    if (atomic_load(&jobs->live) == 0) {
        loop_stop(jobs->daemon->loop);
    }
}

/* The loop has ended, and runs once more: threads may be waiting for what they asked of it. */
void
storage_clear(struct daemon *daemon)
{
    struct storage_jobs *jobs = daemon->storage;
    struct timer *check;

    if (jobs == NULL) {
        return;
    }
    pthread_mutex_lock(&jobs->lock);
    jobs->stopping = true;
    pthread_cond_broadcast(&jobs->more);
    pthread_mutex_unlock(&jobs->lock);
    for (struct storage *storage = jobs->storages; storage != NULL; storage = storage->next) {
        if (storage->container != NULL) {
            atomic_store(&storage->container->stopping, true);
        }
    }
    pendings_clear(daemon);
    check = timer_new(daemon->loop, 10, true, threads_check, jobs);
    if (check != NULL) {
        loop_run(daemon->loop);
        timer_free(check);
    }
    for (size_t i = 0; i < jobs->thread_count; i++) {
        pthread_join(jobs->threads[i], NULL);
    }
    for (size_t i = 0; i < jobs->count; i++) {
        job_free(jobs->running[i]);
    }
    while (jobs->storages != NULL) {
        struct storage *storage = jobs->storages;

        jobs->storages = storage->next;
        storage_free(storage);
    }
    pthread_cond_destroy(&jobs->more);
    pthread_mutex_destroy(&jobs->lock);
    free(jobs);
    daemon->storage = NULL;
}
