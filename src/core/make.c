/* SPDX-License-Identifier: Apache-2.0
 *
 * Token handles come from blocks of numbers that the store gives out once; session handles
 * are the library's own. An object enters its table only after it is durable.
 */
#include "core/make.h"

#include "core/copies.h"
#include "core/load.h"
#include "core/spread.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>

#define HANDLE_BLOCK 1024u
#define KEY_GEN_NONE 0xffffffffffffffffu /* CK_UNAVAILABLE_INFORMATION */

void
make_init(struct make *make, enum object_kind kind, enum origin origin, uint32_t handle)
{
    *make = (struct make){ .kind = kind, .origin = origin, .handle = handle };
    writer_init(&make->attributes, ATTRIBUTES_BYTES_MAX);
    writer_init(&make->secrets, ATTRIBUTES_BYTES_MAX);
}

void
make_clear(struct make *make)
{
    writer_clear(&make->attributes);
    writer_clear(&make->secrets);
    object_unref(make->object);
    make->object = NULL;
}

void
make_value(struct make *make, view value)
{
    attribute_write(&make->secrets, CKA_VALUE, value);
    if (writer_ok(&make->secrets)) {
        algo_value_adjust(make->kind, make->secrets.data + make->secrets.len - value.len,
                          value.len);
    }
}

static bool
flag_of(view attributes, CK_ATTRIBUTE_TYPE type)
{
    bool value = false;

    (void)attributes_bool(attributes, type, &value);
    return value;
}

CK_RV
make_allowed(const struct request *request, view attributes)
{
    if (flag_of(attributes, CKA_TOKEN) && (request->frame->flags & FRAME_READ_WRITE) == 0) {
        return CKR_SESSION_READ_ONLY;
    }
    if (flag_of(attributes, CKA_PRIVATE) && request->who.role != ROLE_CU) {
        return CKR_USER_NOT_LOGGED_IN;
    }
    return CKR_OK;
}

static void
add_missing_ulong(struct make *make, CK_ATTRIBUTE_TYPE type, uint64_t value)
{
    view there;

    if (!attributes_find(writer_view(&make->attributes), type, &there)) {
        attribute_write_ulong(&make->attributes, type, value);
    }
}

/* What only origin and mechanism decide (PKCS #11 v3.1, 4.7 to 4.10; model-notes 5.6). */
static void
add_history(struct make *make)
{
    bool generated = make->origin == ORIGIN_GENERATE;
    view attributes = writer_view(&make->attributes);
    bool sensitive = flag_of(attributes, CKA_SENSITIVE);
    bool extractable = flag_of(attributes, CKA_EXTRACTABLE);

    if (use_row(make->kind, CKA_LOCAL) != NULL) {
        attribute_write_bool(&make->attributes, CKA_LOCAL, generated);
        attribute_write_ulong(&make->attributes, CKA_KEY_GEN_MECHANISM,
                              generated ? make->mechanism : KEY_GEN_NONE);
    }
    if (use_row(make->kind, CKA_ALWAYS_SENSITIVE) != NULL) {
        attribute_write_bool(&make->attributes, CKA_ALWAYS_SENSITIVE,
                             (generated || make->always_sensitive) && sensitive);
        attribute_write_bool(&make->attributes, CKA_NEVER_EXTRACTABLE,
                             (generated || make->never_extractable) && !extractable);
    }
}

CK_RV
make_unique_id(struct request *request, struct make *make)
{
    uint8_t random[16];
    char text[2 * sizeof random + 1];

    if (!request->hsm->ports.entropy->fill(request->hsm->ports.entropy, random, sizeof random)) {
        return CKR_FUNCTION_FAILED;
    }
    hex_encode(view_of(random, sizeof random), text);
    attribute_write(&make->attributes, CKA_UNIQUE_ID, view_str(text));
    return CKR_OK;
}

enum hsm_place
make_place(enum object_kind kind)
{
    return kind == KIND_RSA_PRIVATE ? PLACE_SLOW : PLACE_STORE;
}

CK_RV
make_finish(struct request *request, struct make *make)
{
    struct algo_key *key = NULL;
    struct writer made;
    CK_RV rv;

    add_missing_ulong(make, CKA_CLASS, kind_class(make->kind));
    add_history(make);
    rv = make_unique_id(request, make);
    if (rv != CKR_OK) {
        return rv;
    }
    writer_init(&made, ATTRIBUTES_BYTES_MAX);
    if (kind_is_key(make->kind)) {
        rv = algo_key_new(make->kind, writer_view(&make->attributes),
                          writer_view(&make->secrets), &key);
    }
    if (rv == CKR_OK && key != NULL &&
        (make->origin == ORIGIN_CREATE || make->origin == ORIGIN_UNWRAP)) {
        rv = algo_key_check(key);
    }
    if (rv == CKR_OK) {
        rv = algo_key_made(make->kind, key, writer_view(&make->attributes), &made,
                           &make->secrets);
    }
    if (rv == CKR_OK) {
        write_raw(&make->attributes, writer_view(&made));
        if (!writer_ok(&made) || !writer_ok(&make->attributes) || !writer_ok(&make->secrets)) {
            rv = CKR_DEVICE_MEMORY;
        }
    }
    algo_key_free(key);
    writer_clear(&made);
    return rv;
}

/* ---- numbers ---- */

static CK_RV
number_take(struct hsm *hsm, uint32_t *ret_handle)
{
    struct number_block *block = &hsm->handles;
    struct store *store = hsm->ports.store;
    CK_RV rv = hsm_wait_for(&hsm->numbers);

    if (rv != CKR_OK) {
        return rv;
    }
    if (block->left == 0) {
        if (store->next_numbers(store, "handle", HANDLE_BLOCK, HANDLE_TOKEN_FIRST, &block->next)) {
            block->left = HANDLE_BLOCK;
        } else {
            rv = CKR_DEVICE_ERROR;
        }
    }
    if (rv == CKR_OK && block->next > HANDLE_TOKEN_LAST) {
        rv = CKR_DEVICE_MEMORY;
    }
    if (rv == CKR_OK) {
        *ret_handle = (uint32_t)block->next++;
        block->left--;
    }
    pthread_mutex_unlock(&hsm->numbers);
    return rv;
}

static CK_RV
handle_take(struct request *request, const struct make *make, uint32_t *ret_handle)
{
    struct hsm *hsm = request->hsm;
    bool token = flag_of(writer_view(&make->attributes), CKA_TOKEN);

    if (!token) {
        /* The library numbers its session objects; a number may not be taken twice. */
        if (!handle_is_session(make->handle) &&
            !(make->kind == KIND_X509 && handle_is_certificate(make->handle))) {
            return CKR_ARGUMENTS_BAD;
        }
        *ret_handle = make->handle;
        return CKR_OK;
    }
    if (make->kind != KIND_X509) {
        return number_take(hsm, ret_handle);
    }
    if (!numbers_take(&hsm->certificates, hsm_seconds(hsm), ret_handle)) {
        log_wrn("no more certificates: %u are there or were removed in the last 24 hours",
                (unsigned)NUMBERS_COUNT);
        return CKR_DEVICE_MEMORY;
    }
    return CKR_OK;
}

/* What the store has never heard of may be given at once. After a failed commit it may be there. */
static void
numbers_untake(struct hsm *hsm, struct make *const makes[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (object_is_token(makes[i]->object) &&
            handle_is_certificate(makes[i]->object->handle)) {
            numbers_give_back(&hsm->certificates, makes[i]->object->handle);
        }
    }
}

/* ---- store and tables ---- */

static CK_RV
object_build(struct request *request, struct make *make)
{
    struct object_parts parts = {
        .kind = make->kind,
        .owner = request->who.user,
        .version = 1,
        .attributes = writer_view(&make->attributes),
        .secrets = writer_view(&make->secrets),
    };
    CK_RV rv = handle_take(request, make, &parts.handle);

    if (rv != CKR_OK) {
        return rv;
    }
    parts.session = flag_of(parts.attributes, CKA_TOKEN) ? 0 : request->frame->session;
    rv = object_new(object_sealer(request->hsm, parts.handle), &parts, &make->object);
    if (rv != CKR_OK && handle_is_certificate(parts.handle) && parts.session == 0) {
        numbers_give_back(&request->hsm->certificates, parts.handle);
    }
    return rv;
}

static CK_RV
store_objects(struct request *request, struct make *const makes[], size_t count)
{
    struct hsm *hsm = request->hsm;
    struct record_name names[MAKE_MAX];
    struct writer records[MAKE_MAX];
    struct store_compare compares[MAKE_MAX];
    struct store_change changes[MAKE_MAX];
    size_t stored = 0;
    uint64_t revision = 0;
    CK_RV rv = CKR_OK;

    for (size_t i = 0; i < count && rv == CKR_OK; i++) {
        if (!object_is_token(makes[i]->object)) {
            continue;
        }
        writer_init(&records[stored], STORE_VALUE_MAX);
        names[stored] = record_name('o', makes[i]->object->handle);
        rv = object_record(&hsm->sealer, makes[i]->object, &records[stored]);
        compares[stored] = (struct store_compare){ record_name_view(&names[stored]), 0 };
        changes[stored] = (struct store_change){ record_name_view(&names[stored]),
                                                 writer_view(&records[stored]), false };
        stored++;
    }
    if (rv == CKR_OK && stored > 0) {
        request->alone = true;
        rv = request_commit(request, compares, stored, changes, stored, &revision);
    }
    for (size_t i = 0; i < stored; i++) {
        writer_clear(&records[i]);
    }
    for (size_t i = 0; i < count && rv == CKR_OK; i++) {
        makes[i]->object->revision = object_is_token(makes[i]->object) ? revision : 0;
    }
    return rv;
}

/* Is another object there? A library chooses a handle once; so one that came of a copy was made by this
 * very request, on a node that is no more, and nobody was told of it. It goes. */
static bool
handle_is_taken(struct context *context, uint32_t handle)
{
    const struct object *object = table_find(&context->objects, handle);

    if (object != NULL && object->revived) {
        table_remove(&context->objects, handle);
        object = NULL;
    }
    return object != NULL;
}

/* Session objects first: they are the ones that can be refused. */
static CK_RV
enter_session_objects(struct request *request, struct make *const makes[], size_t count)
{
    struct context *context = request->context;
    CK_RV rv = CKR_OK;
    size_t entered = 0;

    pthread_mutex_lock(&context->lock);
    for (; entered < count && rv == CKR_OK; entered++) {
        struct object *object = makes[entered]->object;

        if (object_is_token(object)) {
            continue;
        }
        /* Before anybody can see it: who gives the copy needs no lock for changes then. */
        atomic_store(&object->copied, copies_are_of(context, object));
        if (object_is_private(object) && context->role != ROLE_CU) {
            rv = CKR_USER_NOT_LOGGED_IN; /* logged out while the key was made */
        } else if (handle_is_taken(context, object->handle)) {
            rv = CKR_ARGUMENTS_BAD;
        } else if (table_count(&context->objects) >= CONTEXT_OBJECTS_MAX ||
                   !table_put(&context->objects, object)) {
            rv = CKR_DEVICE_MEMORY;
        }
    }
    for (size_t i = 0; rv != CKR_OK && i + 1 < entered; i++) {
        if (!object_is_token(makes[i]->object)) {
            table_remove(&context->objects, makes[i]->object->handle);
        }
    }
    pthread_mutex_unlock(&context->lock);
    return rv;
}

static void
leave_session_objects(struct request *request, struct make *const makes[], size_t count)
{
    pthread_mutex_lock(&request->context->lock);
    for (size_t i = 0; i < count; i++) {
        if (!object_is_token(makes[i]->object)) {
            table_remove(&request->context->objects, makes[i]->object->handle);
        }
    }
    pthread_mutex_unlock(&request->context->lock);
}

void
make_undo(struct request *request)
{
    pthread_mutex_lock(&request->context->lock);
    while (request->entered_count > 0) {
        table_remove(&request->context->objects, request->entered[--request->entered_count]);
    }
    pthread_mutex_unlock(&request->context->lock);
}

/* Room for those that are going to be stored: what is stored must be found. */
static CK_RV
reserve_token_objects(struct request *request, struct make *const makes[], size_t count,
                      size_t *ret_reserved)
{
    struct hsm *hsm = request->hsm;
    size_t tokens = 0;
    bool reserved;

    for (size_t i = 0; i < count; i++) {
        tokens += object_is_token(makes[i]->object);
    }
    pthread_rwlock_wrlock(&hsm->lock);
    reserved = (request->who.user != 0 || hsm->objects.unowned + tokens <= UNOWNED_MAX) &&
               table_reserve(&hsm->objects, tokens);
    pthread_rwlock_unlock(&hsm->lock);
    *ret_reserved = reserved ? tokens : 0;
    if (!reserved) {
        return CKR_DEVICE_MEMORY;
    }
    return tokens == 0 || spread_can(request) ? CKR_OK : CKR_DEVICE_ERROR;
}

static void
unreserve_token_objects(struct hsm *hsm, size_t reserved)
{
    pthread_rwlock_wrlock(&hsm->lock);
    table_unreserve(&hsm->objects, reserved);
    pthread_rwlock_unlock(&hsm->lock);
}

/* Session objects are there already. */
static void
enter_objects(struct request *request, struct make *const makes[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (object_is_token(makes[i]->object)) {
            request->made[request->made_count++] = makes[i]->object->handle;
            objects_enter(request->hsm, makes[i]->object);
        } else {
            request->entered[request->entered_count++] = makes[i]->object->handle;
        }
    }
}

/* The key information of what is made, as the reply's infos. */
static void
reply_infos(struct request *request, struct make *const makes[], size_t count)
{
    size_t start = request->reply->len;

    write_u32(request->reply, 0);
    for (size_t i = 0; i < count; i++) {
        key_info_write(request->reply, &makes[i]->object->info);
    }
    if (writer_ok(request->reply)) {
        writer_patch_u32(request->reply, start, (uint32_t)(request->reply->len - start - 4));
    }
}

/* The last one made is the one that counts: a pair's private key. */
static void
make_note(struct request *request, struct make *const makes[], size_t count)
{
    const struct make *last = makes[count - 1];

    note_key(request, last->object->handle, request->note.mechanism);
    if (count > 1 && makes[0]->origin == ORIGIN_GENERATE) {
        note_detail(request, "public=%u", (unsigned)makes[0]->object->handle);
    }
}

CK_RV
make_commit(struct request *request, struct make *const makes[], size_t count)
{
    size_t reserved = 0;
    bool tried;
    CK_RV rv = CKR_OK;

    for (size_t i = 0; i < count && rv == CKR_OK; i++) {
        rv = object_build(request, makes[i]);
    }
    if (rv != CKR_OK) {
        return rv;
    }
    reply_infos(request, makes, count);
    make_note(request, makes, count);
    rv = reserve_token_objects(request, makes, count, &reserved);
    if (rv == CKR_OK) {
        rv = enter_session_objects(request, makes, count);
    }
    tried = rv == CKR_OK;
    if (rv == CKR_OK && (rv = store_objects(request, makes, count)) != CKR_OK) {
        leave_session_objects(request, makes, count);
    }
    if (rv == CKR_OK) {
        enter_objects(request, makes, count);
    } else {
        unreserve_token_objects(request->hsm, reserved);
    }
    if (rv != CKR_OK && !tried) {
        numbers_untake(request->hsm, makes, count);
    }
    return rv;
}
