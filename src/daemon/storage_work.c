/* SPDX-License-Identifier: Apache-2.0
 *
 * The jobs: what the HSM does for objects of its own (core/objects.c, core/find.c), done for
 * certificates in a container. The HSM signs and checks; rules and order are the same as there.
 *
 * A change takes three steps: the HSM signs the new token and remembers it as the next one, the
 * container takes it, the HSM is told. See core/token.c for what is so in between.
 */
#include "daemon/storage.h"

#include "base/base64.h"
#include "base/log.h"
#include "certs/token.h"
#include "crypto/algo.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CERTIFICATE_FIRST 0xfff00000u
#define CREATE_TRIES 4u
#define BUSY_TRIES 40u
#define BUSY_MS 100u
#define ROUND_MS 18000u /* at most, with two requests that wait for the end */

static bool
flag_of(view list, CK_ATTRIBUTE_TYPE type)
{
    bool value = false;

    (void)attributes_bool(list, type, &value);
    return value;
}

static bool
is_rw(const struct storage_job *job)
{
    return (job->frame.flags & FRAME_READ_WRITE) != 0;
}

static bool
sees(const struct storage_job *job, view list)
{
    return job->role == ROLE_CU || !flag_of(list, CKA_PRIVATE);
}

static void
info_reply(struct storage_job *job, view list, uint32_t handle)
{
    struct key_info info = key_info_of(list, handle);

    write_u32(&job->reply, KEY_INFO_LEN);
    key_info_write(&job->reply, &info);
}

/* A page of a search by the HSM, into room. */
static CK_RV
hsm_find(struct storage_job *job, const struct find_request *m, struct writer *room,
         struct find_reply *ret_answer)
{
    struct writer body;
    CK_RV rv;

    writer_init(&body, FRAME_BODY_MAX);
    writer_reset(room);
    find_request_write(&body, m);
    rv = storage_call(job, OPERATION_FIND, writer_view(&body), room);
    if (rv == CKR_OK && !find_reply_read(writer_view(room), ret_answer)) {
        rv = CKR_DEVICE_ERROR;
    }
    writer_clear(&body);
    return rv;
}

/*
 * The request as it came, by the HSM; its answer is the job's. Only for a certificate of a session: those
 * in the HSM's own store have the same handles as the container's, and are not seen beside it.
 */
static CK_RV
pass(struct storage_job *job)
{
    const uint32_t handle = load_u32(job->body.data);
    const struct find_request m = { .after = handle - 1, .max = 1 };
    struct find_reply answer;
    struct key_info info;
    struct writer reply;
    CK_RV rv;

    writer_init(&reply, FRAME_BODY_MAX);
    rv = hsm_find(job, &m, &reply, &answer);
    if (rv == CKR_OK && info_array_count(answer.found) == 1) {
        info = info_array_get(answer.found, 0);
    } else {
        info = (struct key_info){ 0 };
    }
    writer_clear(&reply);
    if (rv == CKR_OK && (info.handle != handle || (info.flags & KEY_FLAG_TOKEN) != 0)) {
        rv = CKR_OBJECT_HANDLE_INVALID;
    }
    return rv == CKR_OK
               ? storage_call(job, job->row->operation, writer_view(&job->body), &job->reply)
               : rv;
}

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

static CK_RV
settle(struct storage_job *job, uint32_t handle, view hash)
{
    const struct token_settle_request m = {
        .container = view_of(job->storage->id, sizeof job->storage->id),
        .handle = handle,
        .token = hash,
    };
    struct writer body, reply;
    CK_RV rv;

    writer_init(&body, 256);
    writer_init(&reply, FRAME_BODY_MAX);
    token_settle_request_write(&body, &m);
    rv = storage_call(job, OPERATION_TOKEN_SETTLE, writer_view(&body), &reply);
    writer_clear(&body);
    writer_clear(&reply);
    return rv;
}

static CK_RV
input_of(struct storage_job *job, view list, struct writer *input)
{
    const struct storage *storage = job->storage;
    const char *fault = token_input(view_of(storage->key, storage->key_len), list, input);

    if (fault != NULL) {
        log_err("certificate storage %s: a certificate cannot be written: %s", storage->shown, fault);
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
static CK_RV
write_new(struct storage_job *job, uint32_t wanted, view list, uint32_t *ret_handle)
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
static CK_RV
write_next(struct storage_job *job, const struct entry *old, view list)
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
        (void)settle(job, old->handle, before);
        rv = CKR_DATA_INVALID; /* again, with what is there now */
        break;
    default:
        (void)settle(job, old->handle, before);
        rv = CKR_DEVICE_ERROR;
        break;
    }
out:
    writer_clear(&input);
    writer_clear(&token);
    return rv;
}

static CK_RV
erase(struct storage_job *job, const struct entry *entry)
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
static bool
may_try_again(const struct storage_job *job, CK_RV rv, unsigned *tries)
{
    if ((rv != CKR_DATA_INVALID && rv != CKR_OPERATION_ACTIVE) || ++*tries > BUSY_TRIES ||
        !has_time(job)) {
        return false;
    }
    nanosleep(&(struct timespec){ .tv_nsec = BUSY_MS * 1000000l }, NULL);
    return true;
}

static CK_RV
forget_seen(struct storage *storage, uint32_t handle, CK_RV rv)
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

/* ---- create ---- */

static CK_RV
check_value_add(struct writer *list)
{
    struct writer made, secrets, others;
    struct reader r = reader_of(writer_view(list));
    struct attribute attribute;
    CK_RV rv;

    writer_init(&made, ATTRIBUTES_BYTES_MAX);
    writer_init(&secrets, ATTRIBUTES_BYTES_MAX);
    writer_init(&others, ATTRIBUTES_BYTES_MAX);
    while (attributes_next(&r, &attribute)) {
        if (attribute.type != CKA_CHECK_VALUE || attribute.value.len > 0) {
            attribute_write(&others, attribute.type, attribute.value);
        }
    }
    rv = algo_key_made(KIND_X509, NULL, writer_view(&others), &made, &secrets);
    if (rv == CKR_OK) {
        writer_truncate(list, 0);
        write_raw(list, writer_view(&others));
        write_raw(list, writer_view(&made));
        rv = writer_ok(list) && writer_ok(&made) && writer_ok(&others) ? CKR_OK : CKR_DEVICE_MEMORY;
    }
    writer_clear(&made);
    writer_clear(&secrets);
    writer_clear(&others);
    return rv;
}

static CK_RV
may_write(const struct storage_job *job, view list)
{
    if (!is_rw(job)) {
        return CKR_SESSION_READ_ONLY;
    }
    /* The pair that signs is a crypto user's. */
    UNUSED(list);
    return job->role == ROLE_CU ? CKR_OK : CKR_USER_NOT_LOGGED_IN;
}

static CK_RV
work_create(struct storage_job *job)
{
    struct object_create_request m;
    struct writer list;
    enum object_kind kind;
    uint64_t type;
    view value;
    uint32_t handle = 0;
    CK_RV rv;

    if (!object_create_request_read(writer_view(&job->body), &m)) {
        return CKR_DEVICE_ERROR;
    }
    if (!attributes_find(m.template, CKA_CERTIFICATE_TYPE, &value)) {
        return CKR_TEMPLATE_INCOMPLETE;
    }
    if (!attributes_ulong(m.template, CKA_CERTIFICATE_TYPE, &type) ||
        !kind_of(CKO_CERTIFICATE, type, &kind)) {
        return CKR_ATTRIBUTE_VALUE_INVALID;
    }
    rv = template_check(job->storage->rules, kind, ORIGIN_CREATE, false, m.template);
    if (rv != CKR_OK) {
        return rv;
    }
    writer_init(&list, ATTRIBUTES_BYTES_MAX);
    template_complete(job->storage->rules, kind, ORIGIN_CREATE, m.template, &list);
    if ((rv = writer_ok(&list) ? may_write(job, writer_view(&list)) : CKR_DEVICE_MEMORY) == CKR_OK &&
        (rv = check_value_add(&list)) == CKR_OK &&
        (rv = write_new(job, 0, writer_view(&list), &handle)) == CKR_OK) {
        info_reply(job, writer_view(&list), handle);
    }
    writer_clear(&list);
    return rv;
}

/* ---- find ---- */

/* How long the part of a page is that is below the certificates' handles. */
static size_t
below_certificates(struct info_array page)
{
    size_t count = 0;

    while (count < info_array_count(page) &&
           info_array_get(page, count).handle < CERTIFICATE_FIRST) {
        count++;
    }
    return count;
}

static uint64_t
hash_of(view bytes)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (size_t i = 0; i < bytes.len; i++) {
        hash = (hash ^ bytes.data[i]) * 0x100000001b3u;
    }
    return hash;
}

struct match {
    const struct storage_job *job;
    view template;
    bool by_id;
    uint64_t id_hash;
};

static bool
matches(const struct match *match, const struct entry *entry)
{
    return !entry->refused && (!match->by_id || entry->id_hash == match->id_hash) &&
           sees(match->job, writer_view(&entry->list)) &&
           template_matches(match->template, writer_view(&entry->list));
}

/* The container's certificates that match, and those of this process's sessions that have such
 * handles (page), by rising handle. */
static void
find_merge(struct storage_job *job, const struct find_request *m, struct info_array page)
{
    struct storage *storage = job->storage;
    struct match match = { .job = job, .template = m->template };
    size_t shown = 0, at_page = 0, start = job->reply.len;
    size_t page_count = info_array_count(page);
    bool more = false;
    view id;

    match.by_id = attributes_find(m->template, CKA_ID, &id);
    match.id_hash = match.by_id ? hash_of(id) : 0;
    write_u32(&job->reply, 0);
    pthread_mutex_lock(&storage->lock);
    for (size_t i = 0; i <= storage->count; i++) {
        const struct entry *entry = i < storage->count ? storage->entries[i] : NULL;

        if (entry != NULL && (entry->handle <= m->after || !matches(&match, entry))) {
            continue;
        }
        while (at_page < page_count && shown < m->max &&
               (entry == NULL || info_array_get(page, at_page).handle <= entry->handle)) {
            struct key_info info = info_array_get(page, at_page++);

            key_info_write(&job->reply, &info);
            shown++;
            if (entry != NULL && info.handle == entry->handle) {
                entry = NULL;
                break;
            }
        }
        if (entry == NULL) {
            continue;
        }
        if (shown == m->max) {
            more = true;
            break;
        }
        struct key_info info = key_info_of(writer_view(&entry->list), entry->handle);

        key_info_write(&job->reply, &info);
        shown++;
    }
    pthread_mutex_unlock(&storage->lock);
    more = more || at_page < page_count;
    writer_patch_u32(&job->reply, start, (uint32_t)(shown * KEY_INFO_LEN));
    write_u8(&job->reply, more);
}

/* Those of this process's sessions that have handles of certificates, out of the HSM's pages. */
static CK_RV
session_certificates(struct storage_job *job, const struct find_request *first,
                     struct find_reply *answer, struct writer *reply, struct writer *own)
{
    struct find_request m = *first;
    CK_RV rv = CKR_OK;

    for (;;) {
        size_t count = info_array_count(answer->found);

        for (size_t i = 0; i < count; i++) {
            struct key_info info = info_array_get(answer->found, i);

            m.after = info.handle;
            if ((info.flags & KEY_FLAG_TOKEN) == 0) {
                key_info_write(own, &info);
            }
        }
        if (!answer->more || count == 0) {
            break;
        }
        if ((rv = hsm_find(job, &m, reply, answer)) != CKR_OK) {
            return rv;
        }
    }
    return writer_ok(own) ? CKR_OK : CKR_DEVICE_MEMORY;
}

/* Keys come first, by handle, and do not wait for the container: a page that has any is theirs
 * alone, and says that there is more. */
static CK_RV
work_find(struct storage_job *job)
{
    struct find_request m;
    struct find_reply answer;
    struct writer reply, own;
    size_t keys;
    CK_RV rv;

    if (!find_request_read(writer_view(&job->body), &m)) {
        return CKR_DEVICE_ERROR;
    }
    writer_init(&reply, FRAME_BODY_MAX);
    writer_init(&own, FRAME_BODY_MAX);
    rv = hsm_find(job, &m, &reply, &answer);
    if (rv != CKR_OK) {
        goto out;
    }
    keys = below_certificates(answer.found);
    if (keys > 0) {
        write_u32(&job->reply, (uint32_t)(keys * KEY_INFO_LEN));
        for (size_t i = 0; i < keys; i++) {
            struct key_info info = info_array_get(answer.found, i);

            key_info_write(&job->reply, &info);
        }
        write_u8(&job->reply, true);
        goto out;
    }
    if ((rv = session_certificates(job, &m, &answer, &reply, &own)) == CKR_OK &&
        (rv = storage_begin(job)) == CKR_OK && (rv = storage_refresh(job)) == CKR_OK) {
        find_merge(job, &m, (struct info_array){ writer_view(&own) });
    }
out:
    writer_clear(&own);
    writer_clear(&reply);
    return rv;
}

/* ---- read ---- */

static CK_RV
work_get(struct storage_job *job, const struct entry *entry)
{
    struct object_get_request m;
    size_t start = job->reply.len;

    if (!object_get_request_read(writer_view(&job->body), &m)) {
        return CKR_DEVICE_ERROR;
    }
    write_u32(&job->reply, 0);
    for (size_t i = 0; i < number_array_count(m.types); i++) {
        uint32_t type = number_array_get(m.types, i);
        view value;

        if (attributes_find(writer_view(&entry->list), type, &value)) {
            attribute_write(&job->reply, type, value);
        } else if (type == CKA_UNIQUE_ID) {
            char text[BLOB_NAME_MAX + 2 * CONTAINER_ID + 2];

            hex_encode(view_of(job->storage->id, CONTAINER_ID), text);
            text[2 * CONTAINER_ID] = '-';
            blob_name(entry->handle, text + 2 * CONTAINER_ID + 1);
            attribute_write(&job->reply, type, view_str(text));
        } else {
            attribute_write_status(&job->reply, type, ATTRIBUTE_UNKNOWN);
        }
    }
    if (!writer_ok(&job->reply)) {
        return CKR_DEVICE_MEMORY;
    }
    writer_patch_u32(&job->reply, start, (uint32_t)(job->reply.len - start - 4));
    return CKR_OK;
}

/* ---- change ---- */

static void
merge(view current, view changes, struct writer *out)
{
    struct reader r = reader_of(current);
    struct attribute attribute;
    view value;

    while (attributes_next(&r, &attribute)) {
        bool changed = attributes_find(changes, attribute.type, &value);

        attribute_write(out, attribute.type, changed ? value : attribute.value);
    }
    r = reader_of(changes);
    while (attributes_next(&r, &attribute)) {
        if (!attributes_find(writer_view(out), attribute.type, &value)) {
            attribute_write(out, attribute.type, attribute.value);
        }
    }
}

/* A check value that is not said follows the value: it is taken out, and made anew. */
static CK_RV
check_value_renew(view current, view changes, struct writer *list)
{
    view value, now;
    struct writer next;
    struct reader r;
    struct attribute attribute;

    if (!attributes_find(changes, CKA_VALUE, &value) ||
        attributes_find(changes, CKA_CHECK_VALUE, &now) ||
        (attributes_find(current, CKA_VALUE, &now) && view_equal(value, now))) {
        return CKR_OK;
    }
    writer_init(&next, ATTRIBUTES_BYTES_MAX);
    r = reader_of(writer_view(list));
    while (attributes_next(&r, &attribute)) {
        if (attribute.type != CKA_CHECK_VALUE) {
            attribute_write(&next, attribute.type, attribute.value);
        }
    }
    writer_truncate(list, 0);
    write_raw(list, writer_view(&next));
    writer_clear(&next);
    return check_value_add(list);
}

static void
session_object_drop(struct storage_job *job, uint32_t handle)
{
    const struct object_destroy_request m = { .object = handle };
    struct writer body, reply;
    CK_RV rv;

    writer_init(&body, 64);
    writer_init(&reply, FRAME_BODY_MAX);
    object_destroy_request_write(&body, &m);
    rv = storage_call(job, OPERATION_OBJECT_DESTROY, writer_view(&body), &reply);
    if (rv != CKR_OK) {
        log_wrn("certificate %u stays an object of its session, too: %s", (unsigned)handle,
                return_name(rv));
    }
    writer_clear(&body);
    writer_clear(&reply);
}

/* CKA_TOKEN became FALSE: an object of the session at the HSM, under the same handle. */
static CK_RV
leave(struct storage_job *job, const struct entry *entry, view list)
{
    const struct object_create_request m = { .handle = entry->handle, .template = list };
    struct writer body, reply;
    CK_RV rv;

    writer_init(&body, FRAME_BODY_MAX);
    writer_init(&reply, FRAME_BODY_MAX);
    object_create_request_write(&body, &m);
    rv = storage_call(job, OPERATION_OBJECT_CREATE, writer_view(&body), &reply);
    if (rv == CKR_OK && (rv = erase(job, entry)) != CKR_OK) {
        session_object_drop(job, entry->handle);
    }
    writer_clear(&body);
    writer_clear(&reply);
    return rv;
}

static CK_RV
set_once(struct storage_job *job, const struct object_set_request *m)
{
    struct storage *storage = job->storage;
    struct entry *entry = NULL;
    struct writer list;
    CK_RV rv;

    writer_init(&list, ATTRIBUTES_BYTES_MAX);
    rv = storage_current(job, m->object, &entry);
    if (rv == CKR_OK && !sees(job, writer_view(&entry->list))) {
        rv = CKR_OBJECT_HANDLE_INVALID;
    }
    if (rv == CKR_OK && !flag_of(writer_view(&entry->list), CKA_MODIFIABLE)) {
        rv = CKR_ACTION_PROHIBITED;
    }
    if (rv != CKR_OK || (rv = may_write(job, writer_view(&entry->list))) != CKR_OK ||
        (rv = template_check_change(storage->rules, KIND_X509, false, false,
                                    writer_view(&entry->list), m->changes)) != CKR_OK) {
        goto out;
    }
    merge(writer_view(&entry->list), m->changes, &list);
    if (!writer_ok(&list)) {
        rv = CKR_DEVICE_MEMORY;
        goto out;
    }
    if ((rv = check_value_renew(writer_view(&entry->list), m->changes, &list)) == CKR_OK) {
        rv = flag_of(writer_view(&list), CKA_TOKEN) ? write_next(job, entry, writer_view(&list))
                                                    : leave(job, entry, writer_view(&list));
    }
    if (rv == CKR_OK) {
        info_reply(job, writer_view(&list), m->object);
    }
out:
    entry_free(entry);
    writer_clear(&list);
    return rv;
}

/* One that is an object of this process's session: CKA_TOKEN TRUE brings it back. */
static CK_RV
set_of_session(struct storage_job *job, const struct object_set_request *m)
{
    static const CK_ATTRIBUTE_TYPE types[] = {
        CKA_CLASS, CKA_TOKEN, CKA_PRIVATE, CKA_MODIFIABLE, CKA_LABEL, CKA_COPYABLE,
        CKA_DESTROYABLE, CKA_CERTIFICATE_TYPE, CKA_TRUSTED, CKA_CERTIFICATE_CATEGORY,
        CKA_CHECK_VALUE, CKA_START_DATE, CKA_END_DATE, CKA_PUBLIC_KEY_INFO, CKA_SUBJECT, CKA_ID,
        CKA_ISSUER, CKA_SERIAL_NUMBER, CKA_VALUE, CKA_URL, CKA_HASH_OF_SUBJECT_PUBLIC_KEY,
        CKA_HASH_OF_ISSUER_PUBLIC_KEY, CKA_JAVA_MIDP_SECURITY_DOMAIN, CKA_NAME_HASH_ALGORITHM,
    };
    struct object_get_request get = { .object = m->object };
    struct object_get_reply answer;
    struct writer numbers, body, reply, list;
    uint32_t handle;
    CK_RV rv;

    if (!flag_of(m->changes, CKA_TOKEN)) {
        return pass(job);
    }
    writer_init(&numbers, sizeof types);
    writer_init(&body, FRAME_BODY_MAX);
    writer_init(&reply, FRAME_BODY_MAX);
    writer_init(&list, ATTRIBUTES_BYTES_MAX);
    for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
        number_write(&numbers, (uint32_t)types[i]);
    }
    get.types.bytes = writer_view(&numbers);
    object_get_request_write(&body, &get);
    rv = storage_call(job, OPERATION_OBJECT_GET, writer_view(&body), &reply);
    if (rv == CKR_OK && !object_get_reply_read(writer_view(&reply), &answer)) {
        rv = CKR_DEVICE_ERROR;
    }
    if (rv != CKR_OK) {
        goto out;
    }
    if (!flag_of(answer.attributes, CKA_MODIFIABLE)) {
        rv = CKR_ACTION_PROHIBITED;
        goto out;
    }
    if ((rv = may_write(job, answer.attributes)) != CKR_OK ||
        (rv = template_check_change(job->storage->rules, KIND_X509, false, false, answer.attributes,
                                    m->changes)) != CKR_OK) {
        goto out;
    }
    merge(answer.attributes, m->changes, &list);
    if ((rv = check_value_renew(answer.attributes, m->changes, &list)) != CKR_OK ||
        (rv = write_new(job, m->object, writer_view(&list), &handle)) != CKR_OK) {
        goto out;
    }
    session_object_drop(job, m->object);
    info_reply(job, writer_view(&list), m->object);
out:
    writer_clear(&numbers);
    writer_clear(&body);
    writer_clear(&reply);
    writer_clear(&list);
    return rv;
}

static CK_RV
work_set(struct storage_job *job)
{
    struct object_set_request m;
    unsigned tries = 0;
    CK_RV rv;

    if (!object_set_request_read(writer_view(&job->body), &m)) {
        return CKR_DEVICE_ERROR;
    }
    do {
        rv = set_once(job, &m);
        if (rv == CKR_DATA_INVALID || rv == CKR_OPERATION_ACTIVE) {
            (void)forget_seen(job->storage, m.object, rv);
        }
    } while (may_try_again(job, rv, &tries));
    if (rv == CKR_OBJECT_HANDLE_INVALID) {
        return set_of_session(job, &m);
    }
    return forget_seen(job->storage, m.object, rv);
}

/* ---- destroy, copy, size ---- */

static CK_RV
work_destroy(struct storage_job *job, uint32_t handle)
{
    unsigned tries = 0;
    CK_RV rv;

    do {
        struct entry *entry = NULL;

        rv = storage_current(job, handle, &entry);
        if (rv == CKR_OK && !sees(job, writer_view(&entry->list))) {
            rv = CKR_OBJECT_HANDLE_INVALID;
        }
        if (rv == CKR_OK && !flag_of(writer_view(&entry->list), CKA_DESTROYABLE)) {
            rv = CKR_ACTION_PROHIBITED;
        }
        if (rv == CKR_OK && (rv = may_write(job, writer_view(&entry->list))) == CKR_OK) {
            rv = erase(job, entry);
        }
        entry_free(entry);
        if (rv == CKR_DATA_INVALID) {
            (void)forget_seen(job->storage, handle, rv);
        }
    } while (may_try_again(job, rv, &tries));
    return rv == CKR_OBJECT_HANDLE_INVALID ? pass(job) : forget_seen(job->storage, handle, rv);
}

static CK_RV
work_copy(struct storage_job *job, const struct entry *source)
{
    struct object_copy_request m;
    struct writer list;
    uint32_t handle;
    CK_RV rv;

    if (!object_copy_request_read(writer_view(&job->body), &m)) {
        return CKR_DEVICE_ERROR;
    }
    if (!flag_of(writer_view(&source->list), CKA_COPYABLE)) {
        return CKR_ACTION_PROHIBITED;
    }
    if (m.template.len > 0 && !rules_switch_on(job->storage->rules, SWITCH_copy_with_template)) {
        return CKR_TEMPLATE_INCONSISTENT;
    }
    rv = template_check_change(job->storage->rules, KIND_X509, true, false,
                               writer_view(&source->list), m.template);
    writer_init(&list, ATTRIBUTES_BYTES_MAX);
    merge(writer_view(&source->list), m.template, &list);
    if (rv == CKR_OK && !flag_of(writer_view(&list), CKA_TOKEN)) {
        const struct object_create_request create = { .handle = m.handle,
                                                      .template = writer_view(&list) };

        writer_reset(&job->body);
        object_create_request_write(&job->body, &create);
        rv = storage_call(job, OPERATION_OBJECT_CREATE, writer_view(&job->body), &job->reply);
    } else if (rv == CKR_OK && (rv = may_write(job, writer_view(&list))) == CKR_OK &&
               (rv = write_new(job, 0, writer_view(&list), &handle)) == CKR_OK) {
        info_reply(job, writer_view(&list), handle);
    }
    writer_clear(&list);
    return rv;
}

/* Those that look at one certificate and change it not. */
static CK_RV
work_on_one(struct storage_job *job, uint32_t handle)
{
    struct entry *entry = NULL;
    CK_RV rv = storage_current(job, handle, &entry);

    if (rv == CKR_OK && !sees(job, writer_view(&entry->list))) {
        rv = CKR_OBJECT_HANDLE_INVALID;
    }
    if (rv == CKR_OBJECT_HANDLE_INVALID) {
        entry_free(entry);
        return pass(job); /* it may be a session's, or not there at all: the HSM says so */
    }
    if (rv == CKR_OK) {
        switch (job->row->operation) {
        case OPERATION_OBJECT_GET:
            rv = work_get(job, entry);
            break;
        case OPERATION_OBJECT_COPY:
            rv = work_copy(job, entry);
            break;
        default:
            write_u32(&job->reply, (uint32_t)entry->list.len);
            break;
        }
    }
    entry_free(entry);
    return rv;
}

CK_RV
storage_work(struct storage_job *job)
{
    const uint32_t handle = job->body.len >= 4 ? load_u32(job->body.data) : 0;
    CK_RV rv;

    if (job->row->operation == OPERATION_FIND) {
        return work_find(job);
    }
    rv = storage_begin(job);
    if (rv != CKR_OK) {
        return rv;
    }
    switch (job->row->operation) {
    case OPERATION_PING:
        return storage_refresh(job);
    case OPERATION_OBJECT_CREATE:
        return work_create(job);
    case OPERATION_OBJECT_SET:
        return work_set(job);
    case OPERATION_OBJECT_DESTROY:
        return work_destroy(job, handle);
    default:
        return work_on_one(job, handle);
    }
}
