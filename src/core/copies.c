/* SPDX-License-Identifier: Apache-2.0
 *
 * A copy lives again where its context is logged in by the login in which it was given, when the
 * boot of the node that gave it is over, and if nothing was taken from the object since. The store
 * is asked how far it has come before that is decided, so that what another
 * node has stored is known.
 */
#include "core/copies.h"

#include "core/make.h"

#include <stdlib.h>
#include <string.h>

#define TOLD_MAX (128u * 1024u)   /* of copies in one frame: more than one request makes */
#define COPIES_RELEASE 2u         /* the first that reads what ends them in the store */
#define COPY_HEAD_MAX 128u        /* of a copy beside attributes and secrets, and what seals it */

/* ---- handing over ---- */

bool
copies_are_of(const struct context *context, const struct object *object)
{
    return atomic_load(&context->copies) && context->login != 0 &&
           handle_is_session(object->handle) &&
           object->attributes_len + object->sealed_len + COPY_HEAD_MAX <= COPY_MAX;
}

/* Is it about to go with its session? Under the context's lock. */
static bool
object_goes(const struct context *context, const struct object *object)
{
    return context->closing &&
           (context->closing_session == 0 || context->closing_session == object->session);
}

/* With a reference. NULL: there is no copy of it; or it is not marked, and marks is false. */
static struct object *
object_look(struct context *context, uint32_t handle, bool marks, uint64_t *ret_login,
            bool *ret_unmarked)
{
    struct object *object;

    pthread_mutex_lock(&context->lock);
    object = table_find(&context->objects, handle);
    if (object != NULL && (!copies_are_of(context, object) || object_goes(context, object))) {
        object = NULL;
    }
    *ret_unmarked = object != NULL && !marks && !atomic_load(&object->copied);
    if (*ret_unmarked) {
        object = NULL;
    }
    if (object != NULL) {
        object_ref(object);
        atomic_store(&object->copied, true);
        *ret_login = context->login;
    }
    pthread_mutex_unlock(&context->lock);
    return object;
}

/* Who has it may wait for the store, which no loop does. */
static bool
change_begin(struct request *r, uint32_t handle)
{
    pthread_mutex_t *lock = context_change(r->context, handle);

    return r->place == PLACE_LOOP ? pthread_mutex_trylock(lock) == 0
                                  : pthread_mutex_lock(lock) == 0;
}

/*
 * With a reference, if there may be a copy of it: who destroys or changes it knows from then on.
 * What is made while copies are kept is marked before anybody sees it (make.c). For what was there
 * before, nobody may be about to destroy or change it; a loop that would have to wait gives none.
 */
static struct object *
object_copied(struct request *r, uint32_t handle, uint64_t *ret_login)
{
    bool unmarked;
    struct object *object = object_look(r->context, handle, false, ret_login, &unmarked);

    if (unmarked && change_begin(r, handle)) {
        object = object_look(r->context, handle, true, ret_login, &unmarked);
        pthread_mutex_unlock(context_change(r->context, handle));
    }
    return object;
}

static CK_RV
object_seal(struct request *r, const struct object *object, uint64_t login, struct writer *out)
{
    struct hsm *hsm = r->hsm;
    struct copy copy = {
        .handle = object->handle,
        .session = object->session,
        .version = object->version,
        .uid = r->context->uid,
        .login = login,
        .boot = hsm->changes.boot,
        .until = hsm_time(hsm) + life_own(hsm),
        .kind = object->kind,
        .owner = object->owner,
        .attributes = object_attributes(object),
    };
    struct writer secrets;
    CK_RV rv;

    memcpy(copy.node, hsm->node, sizeof copy.node);
    writer_init(&secrets, COPY_MAX);
    rv = object_open_secrets(&hsm->boot_sealer, object, &secrets);
    copy.secrets = writer_view(&secrets);
    if (rv == CKR_OK) {
        rv = copy_seal(&hsm->sealer, r->context->id, &copy, out);
    }
    writer_clear(&secrets);
    return rv;
}

/* False: there is none of this object. */
static bool
copy_add(struct request *r, uint32_t handle, struct writer *copies)
{
    struct object *object;
    struct writer sealed;
    uint64_t login = 0;
    bool added = false;

    object = object_copied(r, handle, &login);
    if (object == NULL) {
        return false;
    }
    writer_init(&sealed, COPY_MAX);
    if (object_seal(r, object, login, &sealed) == CKR_OK) {
        const struct copy_info info = { handle, object->session, object->version,
                                        writer_view(&sealed) };

        copy_info_write(copies, &info);
        added = true;
        atomic_fetch_add_explicit(&r->hsm->copies_given, 1, memory_order_relaxed);
    }
    writer_clear(&sealed);
    object_unref(object);
    return added;
}

/* What the reply says was made or changed, and what the request destroyed. */
static void
tell_objects(struct request *r, struct writer *copies, struct writer *gone)
{
    struct object_destroy_request destroyed;
    struct info_array objects;

    if (r->row->operation == OPERATION_OBJECT_DESTROY) {
        if (object_destroy_request_read(r->body, &destroyed) &&
            handle_is_session(destroyed.object)) {
            number_write(gone, destroyed.object);
        }
        return;
    }
    if (!request_reply_objects(r, &objects)) {
        return;
    }
    for (size_t i = 0; i < info_array_count(objects); i++) {
        const uint32_t handle = info_array_get(objects, i).handle;

        if (handle_is_session(handle) && !copy_add(r, handle, copies)) {
            number_write(gone, handle); /* it may have had one before */
        }
    }
}

void
copies_tell(struct request *r, struct writer *out)
{
    struct copies_reply m = { .asked = false };
    struct frame frame = { .operation = OPERATION_COPIES, .flags = FRAME_REPLY };
    struct writer copies, gone;
    size_t start;

    if (r->row->repeat != REPEAT_once || r->context == NULL ||
        !atomic_load_explicit(&r->context->copies, memory_order_relaxed)) {
        return;
    }
    writer_init(&copies, TOLD_MAX);
    writer_init(&gone, MAKE_MAX * sizeof(uint32_t));
    tell_objects(r, &copies, &gone);
    if (copies.len + gone.len > 0 && writer_ok(&copies) && writer_ok(&gone)) {
        m.copies.bytes = writer_view(&copies);
        m.gone.bytes = writer_view(&gone);
        start = frame_begin(out);
        copies_reply_write(out, &m);
        memcpy(frame.context, r->context->id, FRAME_CONTEXT_LEN);
        if (!frame_end(out, start, &frame)) {
            writer_truncate(out, start);
        }
    }
    writer_clear(&copies);
    writer_clear(&gone);
}

void
copies_insert(struct writer *reply, size_t start, const struct writer *told)
{
    struct writer whole;

    if (told->len == 0 || !writer_ok(told) || !writer_ok(reply) ||
        told->len > reply->max - reply->len) {
        return;
    }
    writer_init(&whole, told->len + reply->len - start);
    write_raw(&whole, writer_view(told));
    write_raw(&whole, view_of(reply->data + start, reply->len - start));
    if (writer_ok(&whole)) {
        writer_truncate(reply, start);
        write_raw(reply, writer_view(&whole));
    }
    writer_clear(&whole);
}

/* Copies of all objects above a handle, as many as fit. Gives false where there are more. */
static bool
copies_hand(struct request *r, uint32_t after, struct writer *copies)
{
    struct context *context = r->context;

    while (copies->len <= TOLD_MAX - COPY_MAX - COPY_INFO_OVERHEAD) {
        const struct object *next;
        uint32_t handle = 0;

        pthread_mutex_lock(&context->lock);
        next = table_next(&context->objects, after);
        if (next != NULL) {
            handle = next->handle;
        }
        pthread_mutex_unlock(&context->lock);
        if (!handle_is_session(handle)) {
            return true;
        }
        (void)copy_add(r, handle, copies);
        after = handle;
    }
    return false;
}

/* ---- what goes ---- */

static bool
tomb_of(struct request *r, const struct object *object, uint64_t version, uint64_t until,
        struct tomb *ret_tomb)
{
    *ret_tomb = (struct tomb){
        .handle = object->handle,
        .version = version,
        .until = until,
        .boot = r->hsm->changes.boot,
    };
    memcpy(ret_tomb->context, r->context->id, FRAME_CONTEXT_LEN);
    return copy_identity(object_attributes(object), ret_tomb->identity);
}

CK_RV
copies_end(struct request *r, const struct object *object, uint64_t version)
{
    struct hsm *hsm = r->hsm;
    struct tomb_entry *entry;
    struct writer record;
    struct tomb tomb;
    uint64_t revision;
    CK_RV rv;

    if (!request_may(r, PLACE_STORE)) {
        return CODE_LATER;
    }
    if (!tomb_of(r, object, version, life_end(hsm), &tomb)) {
        return CKR_OK; /* then there is no copy */
    }
    entry = tomb_entry_new(&tomb);
    if (entry == NULL) {
        return CKR_DEVICE_MEMORY;
    }
    writer_init(&record, 256);
    rv = tomb_record(&hsm->sealer, &tomb, &record);
    if (rv == CKR_OK) {
        const struct tomb_name name = tomb_name(tomb.identity);
        const struct store_change change = { tomb_name_view(&name), writer_view(&record), false };

        rv = request_commit(r, NULL, 0, &change, 1, &revision);
    }
    writer_clear(&record);
    if (rv != CKR_OK) {
        tomb_entry_free(entry);
        return rv;
    }
    tombs_take(&hsm->tombs, entry, revision);
    return CKR_OK;
}

/* Some of what goes with a session, in one transaction. */
struct ending {
    struct tomb_name names[STORE_TXN_MAX];
    struct writer records[STORE_TXN_MAX];
    struct store_change changes[STORE_TXN_MAX];
    struct tomb_entry *entries[STORE_TXN_MAX];
    size_t count;
    uint64_t until; /* life_end(), which takes a lock that comes before a context's */
};

static CK_RV
ending_add(struct request *r, struct ending *ending, const struct object *object)
{
    const size_t at = ending->count;
    struct tomb tomb;
    CK_RV rv;

    if (!tomb_of(r, object, TOMB_VERSION_ALL, ending->until, &tomb)) {
        return CKR_OK;
    }
    ending->entries[at] = tomb_entry_new(&tomb);
    if (ending->entries[at] == NULL) {
        return CKR_DEVICE_MEMORY;
    }
    ending->names[at] = tomb_name(tomb.identity);
    writer_init(&ending->records[at], 256);
    ending->count++;
    rv = tomb_record(&r->hsm->sealer, &tomb, &ending->records[at]);
    ending->changes[at] = (struct store_change){ tomb_name_view(&ending->names[at]),
                                                 writer_view(&ending->records[at]), false };
    return rv;
}

/* The next ones above *after that may have copies. */
static CK_RV
ending_gather(struct request *r, uint32_t session, struct ending *ending, uint32_t *after)
{
    struct context *context = r->context;
    const struct object *object;
    CK_RV rv = CKR_OK;

    ending->until = life_end(r->hsm);
    pthread_mutex_lock(&context->lock);
    while (rv == CKR_OK && ending->count < STORE_TXN_MAX &&
           (object = table_next(&context->objects, *after)) != NULL) {
        *after = object->handle;
        if (atomic_load(&object->copied) && (session == 0 || object->session == session)) {
            rv = ending_add(r, ending, object);
        }
    }
    pthread_mutex_unlock(&context->lock);
    return rv;
}

static CK_RV
ending_store(struct request *r, struct ending *ending)
{
    const struct store_txn txn = { .changes = ending->changes, .change_count = ending->count };
    uint64_t revision = 0;
    CK_RV rv = ending->count == 0 ? CKR_OK : hsm_commit(r->hsm, &txn, &revision);

    for (size_t i = 0; rv == CKR_OK && i < ending->count; i++) {
        tombs_take(&r->hsm->tombs, ending->entries[i], revision);
        ending->entries[i] = NULL;
    }
    return rv;
}

static void
ending_clear(struct ending *ending)
{
    for (size_t i = 0; i < ending->count; i++) {
        writer_clear(&ending->records[i]);
        tomb_entry_free(ending->entries[i]);
    }
    ending->count = 0;
}

/* Under all locks for changes. */
static CK_RV
session_end(struct request *r, uint32_t session)
{
    struct ending *ending = calloc(1, sizeof *ending);
    uint32_t after = 0;
    bool more = true;
    CK_RV rv = ending == NULL ? CKR_DEVICE_MEMORY : CKR_OK;

    while (rv == CKR_OK && more) {
        rv = ending_gather(r, session, ending, &after);
        more = ending->count == STORE_TXN_MAX;
        if (rv == CKR_OK) {
            rv = ending_store(r, ending);
        }
        ending_clear(ending);
    }
    free(ending);
    return rv;
}

/* Under all locks for changes. What is made in it from here on has no copy. */
static void
closing_set(struct context *context, bool closing, uint32_t session)
{
    pthread_mutex_lock(&context->lock);
    context->closing = closing;
    context->closing_session = session;
    pthread_mutex_unlock(&context->lock);
}

CK_RV
copies_close_session(struct request *r, uint32_t session)
{
    struct context *context = r->context;
    CK_RV rv;

    if (!atomic_load(&context->copies)) {
        context_close_session(context, session);
        return CKR_OK;
    }
    if (!request_may(r, PLACE_STORE)) {
        return CODE_LATER;
    }
    for (size_t i = 0; i < CONTEXT_CHANGES; i++) {
        pthread_mutex_lock(&context->changes[i]);
    }
    closing_set(context, true, session);
    rv = session_end(r, session);
    /* Whatever the store says: nobody will ask once more. What has begun anew is asked again. */
    if (rv != CODE_CONFLICT) {
        context_close_session(context, session);
    }
    closing_set(context, false, 0);
    for (size_t i = CONTEXT_CHANGES; i > 0; i--) {
        pthread_mutex_unlock(&context->changes[i - 1]);
    }
    return rv;
}

/* ---- what lives again ---- */

/* Does the node that gave it use it no more? caught_at: of caught_up(). */
static bool
issuer_is_over(struct hsm *hsm, const struct copy *copy, uint64_t caught_at)
{
    if (strcmp(copy->node, hsm->node) == 0) {
        return copy->boot != hsm->changes.boot;
    }
    return follow_is_over(hsm, view_str(copy->node), copy->boot, caught_at);
}

/* Is what is there under that handle the object of the copy? Under the context's lock. */
static bool
is_there(const struct context *context, const struct copy *copy,
         const uint8_t identity[COPY_IDENTITY_LEN])
{
    const struct object *object = table_find(&context->objects, copy->handle);
    uint8_t other[COPY_IDENTITY_LEN];

    return object != NULL && copy_identity(object_attributes(object), other) &&
           memcmp(other, identity, sizeof other) == 0;
}

static CK_RV
object_revive(struct request *r, const struct copy *copy,
              const uint8_t identity[COPY_IDENTITY_LEN])
{
    struct context *context = r->context;
    const struct object_parts parts = {
        .handle = copy->handle,
        .session = copy->session,
        .kind = copy->kind,
        .owner = copy->owner,
        .version = copy->version,
        .attributes = copy->attributes,
        .secrets = copy->secrets,
    };
    struct object *object = NULL;
    uint64_t revision;
    CK_RV rv = object_new(&r->hsm->boot_sealer, &parts, &object);

    if (rv != CKR_OK) {
        return rv;
    }
    atomic_store(&object->copied, true);
    object->revived = true;
    pthread_mutex_lock(&context->lock);
    /* Here: who hears of an end remembers it first, and then looks for the object. */
    if (!object_kind_fits(object) || object_is_token(object) || context->login != copy->login ||
        copy->version < tombs_version(&r->hsm->tombs, identity, &revision) ||
        table_find(&context->objects, copy->handle) != NULL ||
        table_count(&context->objects) >= CONTEXT_OBJECTS_MAX ||
        !table_put(&context->objects, object)) {
        rv = CKR_OBJECT_HANDLE_INVALID;
    }
    pthread_mutex_unlock(&context->lock);
    object_unref(object);
    return rv;
}

/* Does this node know all that was stored until then? */
struct caught {
    bool up;
    uint64_t at; /* clock.monotonic */
};

/* What was taken away, and how long ago the other nodes were heard. Once for a request. */
static bool
caught_up(struct hsm *hsm, struct caught *caught)
{
    if (!caught->up) {
        caught->at = hsm->ports.clock->monotonic(hsm->ports.clock);
        caught->up = !atomic_load(&hsm->follow.on) || follow_catch_up(hsm);
    }
    return caught->up;
}

/* CKR_OK: it lives. CODE_LAGGING: it may, later. */
static CK_RV
copy_revive(struct request *r, const struct copy *copy, struct caught *caught)
{
    struct hsm *hsm = r->hsm;
    uint8_t identity[COPY_IDENTITY_LEN];
    uint64_t revision;
    bool there;

    if (!handle_is_session(copy->handle) || copy->uid != r->context->uid || copy->login == 0 ||
        copy->login != r->who.login || copy->until < hsm_time(hsm) ||
        !copy_identity(copy->attributes, identity) ||
        copy->version < tombs_version(&hsm->tombs, identity, &revision)) {
        return CKR_OBJECT_HANDLE_INVALID;
    }
    pthread_mutex_lock(&r->context->lock);
    there = is_there(r->context, copy, identity);
    pthread_mutex_unlock(&r->context->lock);
    if (there) {
        return CKR_OK; /* also where the store is away: a connection was lost, and no more */
    }
    if (!caught_up(hsm, caught)) {
        return CODE_LAGGING;
    }
    if (!issuer_is_over(hsm, copy, caught->at)) {
        return strcmp(copy->node, hsm->node) == 0 ? CKR_OBJECT_HANDLE_INVALID : CODE_LAGGING;
    }
    return object_revive(r, copy, identity);
}

static CK_RV
copies_revive(struct request *r, struct copy_array copies, struct writer *gone)
{
    struct hsm *hsm = r->hsm;
    struct reader reader = reader_of(copies.bytes);
    struct copy_info info;
    unsigned revived = 0;
    unsigned refused = 0;
    struct caught caught = { .up = false };
    CK_RV rv = CKR_OK;

    while (rv != CODE_LAGGING && copy_array_next(&reader, &info)) {
        struct writer plain;
        struct copy copy;

        writer_init(&plain, COPY_MAX);
        rv = copy_open(&hsm->sealer, r->context->id, info.sealed, &plain, &copy) &&
                     copy.handle == info.handle
                 ? copy_revive(r, &copy, &caught)
                 : CKR_OBJECT_HANDLE_INVALID;
        writer_clear(&plain);
        if (rv == CKR_OK) {
            revived++;
        } else if (rv != CODE_LAGGING) {
            refused++;
            number_write(gone, info.handle);
        }
    }
    if (rv == CODE_LAGGING) {
        r->note.nothing = true; /* it comes again */
        return rv;
    }
    r->note.nothing = r->who.login == 0; /* none is good then, and anybody can bring what is none */
    atomic_fetch_add_explicit(&hsm->copies_revived, revived, memory_order_relaxed);
    atomic_fetch_add_explicit(&hsm->copies_refused, refused, memory_order_relaxed);
    note_detail(r, "revived=%u refused=%u", revived, refused);
    return CKR_OK;
}

CK_RV
handle_COPIES(struct request *r)
{
    struct copies_request m;
    struct copies_reply answer = { .asked = true };
    struct writer copies, gone;
    size_t count;
    CK_RV rv = CKR_OK;

    if (!copies_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    /* No node could end one that is given before; daemons ask again. */
    if (hsm_release(r->hsm) < COPIES_RELEASE) {
        return CODE_LAGGING;
    }
    atomic_store(&r->context->copies, true);
    pthread_mutex_lock(&r->context->lock);
    count = table_count(&r->context->objects);
    pthread_mutex_unlock(&r->context->lock);
    if (m.copies.bytes.len + count > 0 && !request_may(r, PLACE_STORE)) {
        return CODE_LATER;
    }
    writer_init(&copies, TOLD_MAX);
    writer_init(&gone, FRAME_BODY_MAX / COPY_INFO_OVERHEAD * sizeof(uint32_t));
    if (m.copies.bytes.len > 0) {
        rv = copies_revive(r, m.copies, &gone);
    } else {
        r->note.nothing = true;
    }
    if (rv == CKR_OK) {
        answer.more = !copies_hand(r, m.after, &copies);
        answer.copies.bytes = writer_view(&copies);
        answer.gone.bytes = writer_view(&gone);
        rv = writer_ok(&copies) && writer_ok(&gone) ? CKR_OK : CKR_DEVICE_MEMORY;
    }
    if (rv == CKR_OK) {
        copies_reply_write(r->reply, &answer);
    }
    writer_clear(&copies);
    writer_clear(&gone);
    return rv;
}
