/* SPDX-License-Identifier: Apache-2.0
 *
 * Contexts live in a hash table of fixed size; their ids are random, so the first bytes are
 * hash enough.
 */
#include "core/context.h"

#include "crypto/algo.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS 4096u
#define COUNT_BUCKETS 64u /* looked at under one lock; BUCKETS is a multiple */

void
running_free(struct running *running)
{
    if (running == NULL) {
        return;
    }
    algo_op_free(running->op);
    object_unref(running->key);
    secret_free(running->mechanism);
    algo_pieces_free(running->marker);
    writer_clear(&running->marks);
    free(running);
}

static struct context *
context_ref(struct context *context)
{
    atomic_fetch_add_explicit(&context->refs, 1, memory_order_relaxed);
    return context;
}

void
context_unref(struct context *context)
{
    if (context == NULL ||
        atomic_fetch_sub_explicit(&context->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    while (context->running != NULL) {
        struct running *running = context->running;

        context->running = running->next;
        running_free(running);
    }
    table_clear(&context->objects);
    for (size_t i = 0; i < CONTEXT_CHANGES; i++) {
        pthread_mutex_destroy(&context->changes[i]);
    }
    pthread_mutex_destroy(&context->lock);
    pthread_mutex_destroy(&context->attaching);
    free(context);
}

struct identity
context_identity(struct context *context)
{
    struct identity identity;

    pthread_mutex_lock(&context->lock);
    identity = (struct identity){ context->role, context->user, context->login,
                                  context->interface };
    pthread_mutex_unlock(&context->lock);
    return identity;
}

void
context_login(struct context *context, enum role role, uint32_t user, uint64_t login)
{
    pthread_mutex_lock(&context->lock);
    context->role = role;
    context->user = user;
    context->login = login;
    pthread_mutex_unlock(&context->lock);
}

void
context_put_challenge(struct context *context, const struct context_challenge *challenge)
{
    pthread_mutex_lock(&context->lock);
    context->challenge = *challenge;
    pthread_mutex_unlock(&context->lock);
}

struct context_challenge
context_take_challenge(struct context *context)
{
    struct context_challenge challenge;

    pthread_mutex_lock(&context->lock);
    challenge = context->challenge;
    context->challenge = (struct context_challenge){ .purpose = 0 };
    pthread_mutex_unlock(&context->lock);
    return challenge;
}

/* Under the context's lock. Which objects go: those of a session, or all private ones. */
static void
objects_drop(struct context *context, bool private_only, uint32_t session)
{
    struct object *object = table_next(&context->objects, 0);

    while (object != NULL) {
        uint32_t handle = object->handle;
        bool goes = private_only ? object_is_private(object)
                                 : session == 0 || object->session == session;

        if (goes) {
            table_remove(&context->objects, handle);
        }
        object = table_next(&context->objects, handle);
    }
}

/* Under the context's lock. */
static void
running_drop(struct context *context, bool keyed_only, uint32_t session)
{
    struct running **at = &context->running;

    while (*at != NULL) {
        struct running *running = *at;
        bool goes = keyed_only ? running->key != NULL || running->has_key
                               : session == 0 || running->session == session;

        if (goes) {
            *at = running->next;
            context->running_count--;
            running_free(running);
        } else {
            at = &running->next;
        }
    }
}

void
context_logout(struct context *context)
{
    pthread_mutex_lock(&context->lock);
    context->role = ROLE_NONE;
    context->user = 0;
    context->login = 0;
    /* PKCS #11 v3.1, 5.6.9: private session objects go, and with them what used them. */
    running_drop(context, true, 0);
    objects_drop(context, true, 0);
    pthread_mutex_unlock(&context->lock);
}

void
context_close_session(struct context *context, uint32_t session)
{
    pthread_mutex_lock(&context->lock);
    running_drop(context, false, session);
    objects_drop(context, false, session);
    pthread_mutex_unlock(&context->lock);
}

void
context_bury(struct context *context, const struct tomb *tomb)
{
    uint8_t identity[COPY_IDENTITY_LEN];
    const struct object *object;

    pthread_mutex_lock(&context->lock);
    object = table_find(&context->objects, tomb->handle);
    if (object != NULL && object->version < tomb->version &&
        copy_identity(object_attributes(object), identity) &&
        memcmp(identity, tomb->identity, sizeof identity) == 0) {
        table_remove(&context->objects, tomb->handle);
    }
    pthread_mutex_unlock(&context->lock);
}

/* Under the context's lock. */
static struct running *
running_out(struct context *context, uint32_t session, CK_FLAGS function)
{
    struct running **at = &context->running;

    for (; *at != NULL; at = &(*at)->next) {
        struct running *running = *at;

        if (running->session == session && running->function == function) {
            *at = running->next;
            running->next = NULL;
            context->running_count--;
            return running;
        }
    }
    return NULL;
}

struct running *
context_take_running(struct context *context, uint32_t session, CK_FLAGS function)
{
    struct running *running;

    pthread_mutex_lock(&context->lock);
    running = running_out(context, session, function);
    pthread_mutex_unlock(&context->lock);
    return running;
}

bool
context_put_running(struct context *context, struct running *running)
{
    struct running *old;
    bool room, late;

    pthread_mutex_lock(&context->lock);
    old = running_out(context, running->session, running->function);
    /* Requests of a connection that was given up may still be there when the application has begun
     * anew over another one: what it began last stays. */
    late = old != NULL && !running->permit && old->started > running->started;
    if (late) {
        struct running *last = old;

        old = running;
        running = last;
    }
    /* An operation on a key must not outlive the login that gave it: a logout may have come
     * while this request ran. */
    room = context->running_count < CONTEXT_RUNNING_MAX &&
           (context->role == ROLE_CU ||
            !(running->has_key || (running->key != NULL && object_is_private(running->key))));
    if (room) {
        running->next = context->running;
        context->running = running;
        context->running_count++;
    }
    pthread_mutex_unlock(&context->lock);
    running_free(old);
    if (!room) {
        running_free(running);
    }
    return room && !late;
}

bool
context_put_permit(struct context *context, uint32_t session, CK_FLAGS function,
                   struct object *key)
{
    struct running *permit = calloc(1, sizeof *permit);

    if (permit == NULL) {
        return false;
    }
    permit->session = session;
    permit->function = function;
    permit->permit = true;
    writer_init(&permit->marks, 0);
    permit->key = object_ref(key);
    return context_put_running(context, permit);
}

bool
context_table_init(struct context_table *table)
{
    *table = (struct context_table){ .buckets = calloc(BUCKETS, sizeof(struct context *)) };
    return table->buckets != NULL && pthread_mutex_init(&table->lock, NULL) == 0;
}

void
context_table_clear(struct context_table *table)
{
    if (table->buckets == NULL) {
        return;
    }
    for (size_t i = 0; i < BUCKETS; i++) {
        while (table->buckets[i] != NULL) {
            struct context *context = table->buckets[i];

            table->buckets[i] = context->next;
            context_unref(context);
        }
    }
    free(table->buckets);
    table->buckets = NULL;
    pthread_mutex_destroy(&table->lock);
}

static struct context **
bucket_of(struct context_table *table, const uint8_t id[FRAME_CONTEXT_LEN])
{
    return &table->buckets[load_u32(id) % BUCKETS];
}

/* Under the table's lock. */
static struct context *
context_look(struct context_table *table, const uint8_t id[FRAME_CONTEXT_LEN])
{
    struct context *context = *bucket_of(table, id);

    while (context != NULL && memcmp(context->id, id, FRAME_CONTEXT_LEN) != 0) {
        context = context->next;
    }
    return context;
}

struct context *
context_find(struct context_table *table, const uint8_t id[FRAME_CONTEXT_LEN])
{
    struct context *context;

    pthread_mutex_lock(&table->lock);
    context = context_look(table, id);
    if (context != NULL && !atomic_load(&context->ready)) {
        context = NULL;
    }
    if (context != NULL) {
        context_ref(context);
    }
    pthread_mutex_unlock(&table->lock);
    return context;
}

static bool
context_locks_init(struct context *context)
{
    bool made = pthread_mutex_init(&context->lock, NULL) == 0 &&
                pthread_mutex_init(&context->attaching, NULL) == 0;

    for (size_t i = 0; i < CONTEXT_CHANGES; i++) {
        made = pthread_mutex_init(&context->changes[i], NULL) == 0 && made;
    }
    return made;
}

static struct context *
context_new(const uint8_t id[FRAME_CONTEXT_LEN])
{
    struct context *context = calloc(1, sizeof *context);
    uint8_t digest[32];

    if (context == NULL) {
        return NULL;
    }
    if (!algo_sha256(view_of(id, FRAME_CONTEXT_LEN), digest) || !context_locks_init(context)) {
        free(context);
        return NULL;
    }
    atomic_init(&context->refs, 1);
    atomic_init(&context->last_used, 0);
    atomic_init(&context->copies, false);
    atomic_init(&context->ready, false);
    atomic_init(&context->behind, 0);
    memcpy(context->id, id, FRAME_CONTEXT_LEN);
    memcpy(context->tag, digest, sizeof context->tag);
    table_init(&context->objects);
    return context;
}

struct context *
context_attach(struct context_table *table, const uint8_t id[FRAME_CONTEXT_LEN], bool *ret_new)
{
    struct context *context;

    pthread_mutex_lock(&table->lock);
    context = context_look(table, id);
    *ret_new = context == NULL;
    if (context == NULL && table->count < CONTEXTS_MAX) {
        context = context_new(id);
        if (context != NULL) {
            struct context **bucket = bucket_of(table, id);

            context->next = *bucket;
            *bucket = context;
            table->count++;
        }
    }
    if (context != NULL) {
        context_ref(context);
    }
    pthread_mutex_unlock(&table->lock);
    return context;
}

void
context_detach(struct context_table *table, const uint8_t id[FRAME_CONTEXT_LEN])
{
    struct context *gone = NULL;

    pthread_mutex_lock(&table->lock);
    for (struct context **at = bucket_of(table, id); *at != NULL; at = &(*at)->next) {
        if (memcmp((*at)->id, id, FRAME_CONTEXT_LEN) == 0) {
            gone = *at;
            *at = gone->next;
            gone->next = NULL;
            table->count--;
            break;
        }
    }
    pthread_mutex_unlock(&table->lock);
    context_unref(gone);
}

static void
logout_where(struct context_table *table, bool (*is)(struct identity identity, uint64_t number),
             uint64_t number)
{
    pthread_mutex_lock(&table->lock);
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct context *context = table->buckets[i]; context != NULL;
             context = context->next) {
            if (is(context_identity(context), number)) {
                context_logout(context);
            }
        }
    }
    pthread_mutex_unlock(&table->lock);
}

static bool
is_user(struct identity identity, uint64_t number)
{
    return identity.user == number;
}

static bool
is_login(struct identity identity, uint64_t number)
{
    return identity.login == number;
}

void
context_logout_user(struct context_table *table, uint32_t user)
{
    logout_where(table, is_user, user);
}

void
context_logout_login(struct context_table *table, uint64_t login)
{
    logout_where(table, is_login, login);
}

struct counting {
    size_t logins;
    size_t objects;
    size_t running;
    struct context *busy[COUNT_BUCKETS]; /* in use: counted without the table's lock */
    size_t busy_count;
};

/* Under the context's lock, which is given back. */
static void
count_one(struct counting *counting, struct context *context)
{
    counting->logins += context->role != ROLE_NONE;
    counting->objects += table_count(&context->objects);
    counting->running += context->running_count;
    pthread_mutex_unlock(&context->lock);
}

/* Who counts is in no hurry: nobody waits for the table while he does, but for a few buckets. */
void
context_count(struct context_table *table, size_t *ret_logins, size_t *ret_objects,
              size_t *ret_running)
{
    struct counting counting = { 0 };

    for (size_t i = 0; i < BUCKETS; i += COUNT_BUCKETS) {
        pthread_mutex_lock(&table->lock);
        for (size_t k = i; k < i + COUNT_BUCKETS; k++) {
            for (struct context *context = table->buckets[k]; context != NULL;
                 context = context->next) {
                if (pthread_mutex_trylock(&context->lock) == 0) {
                    count_one(&counting, context);
                } else if (counting.busy_count < COUNT_BUCKETS) {
                    counting.busy[counting.busy_count++] = context_ref(context);
                }
            }
        }
        pthread_mutex_unlock(&table->lock);
        while (counting.busy_count > 0) {
            struct context *context = counting.busy[--counting.busy_count];

            pthread_mutex_lock(&context->lock);
            count_one(&counting, context);
            context_unref(context);
        }
    }
    *ret_logins = counting.logins;
    *ret_objects = counting.objects;
    *ret_running = counting.running;
}

void
context_sweep(struct context_table *table, uint64_t before)
{
    struct context *gone = NULL;

    pthread_mutex_lock(&table->lock);
    for (size_t i = 0; i < BUCKETS; i++) {
        struct context **at = &table->buckets[i];

        while (*at != NULL) {
            struct context *context = *at;

            if (atomic_load(&context->last_used) < before) {
                *at = context->next;
                context->next = gone;
                gone = context;
                table->count--;
            } else {
                at = &context->next;
            }
        }
    }
    pthread_mutex_unlock(&table->lock);
    while (gone != NULL) {
        struct context *next = gone->next;

        context_unref(gone);
        gone = next;
    }
}
