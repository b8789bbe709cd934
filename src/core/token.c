/* SPDX-License-Identifier: Apache-2.0
 *
 * TOKEN_SIGN, TOKEN_SETTLE, TOKEN_CHECK: the HSM's part in certificates that are kept elsewhere. A
 * change is three steps. First the new token is signed, and remembered as the next one; then the
 * daemon writes it; then it is settled, and the one before is good no more. Where the second or
 * third step is lost, the next reader finds either token, and both are right until then.
 */
#include "core/state.h"

#include "base/base64.h"
#include "base/log.h"

#include <string.h>

#define BUSY_S 60u        /* longer than any call on the container may take */
#define ABANDONED_S 600u  /* a certificate that was signed, and never settled or read */
#define KEY_ID_MAX 255u
#define SWEEP_MAX 256u

/* ---- the pair ---- */

struct pair_search {
    const struct request *request;
    enum object_kind kind;
    view id;
    struct object *found;
};

/* The lowest handle: a pair that somebody makes later with the same id is not it. */
static void
pair_visit(void *arg, struct object *object)
{
    struct pair_search *search = arg;
    view id;

    /* Ids share buckets. */
    if (object->kind == search->kind &&
        attributes_find(object_attributes(object), CKA_ID, &id) && view_equal(id, search->id) &&
        (search->kind == KIND_RSA_PUBLIC || request_sees(search->request, object)) &&
        (search->found == NULL || object->handle < search->found->handle)) {
        search->found = object;
    }
}

/* With a reference; NULL: there is none. */
static struct object *
pair_find(struct request *r, enum object_kind kind, view id)
{
    struct pair_search search = { .request = r, .kind = kind, .id = id };
    struct writer template;
    bool all;

    writer_init(&template, 2 * KEY_ID_MAX);
    attribute_write(&template, CKA_ID, id);
    pthread_rwlock_rdlock(&r->hsm->lock);
    table_candidates(&r->hsm->objects, writer_view(&template), &all, pair_visit, &search);
    if (search.found != NULL) {
        object_ref(search.found);
    }
    pthread_rwlock_unlock(&r->hsm->lock);
    writer_clear(&template);
    return search.found;
}

static CK_RV
pair_use(struct request *r, struct object *object, CK_FLAGS function, view input, view signature,
         struct writer *out)
{
    const struct mechanism mechanism = { .type = CKM_SHA512_RSA_PKCS };
    const struct mechanism_row *row = mechanism_row(CKM_SHA512_RSA_PKCS);
    const struct algo_key *key;
    CK_RV rv = request_key_of(r, object, &key);

    return rv == CKR_OK
               ? algo_once(r->rules, row, function, &mechanism, key, input, signature, out)
               : rv;
}

static CK_RV
token_verify(struct request *r, view id, view input, view signature)
{
    struct object *object = pair_find(r, KIND_RSA_PUBLIC, id);
    struct writer none;
    CK_RV rv;

    if (object == NULL) {
        return CKR_KEY_HANDLE_INVALID;
    }
    writer_init(&none, 0);
    rv = (object->info.flags & KEY_FLAG_VERIFY) != 0
             ? pair_use(r, object, CKF_VERIFY, input, signature, &none)
             : CKR_KEY_FUNCTION_NOT_PERMITTED;
    writer_clear(&none);
    object_unref(object);
    return rv;
}

static CK_RV
token_sign(struct request *r, view id, view input, struct writer *signature)
{
    struct object *object = pair_find(r, KIND_RSA_PRIVATE, id);
    CK_RV rv;

    if (object == NULL) {
        return CKR_KEY_HANDLE_INVALID;
    }
    note_key(r, object->handle, CKM_SHA512_RSA_PKCS);
    if ((rv = request_key_check(r, mechanism_row(CKM_SHA512_RSA_PKCS), CKF_SIGN,
                                CKM_SHA512_RSA_PKCS, object)) == CKR_OK) {
        rv = pair_use(r, object, CKF_SIGN, input, VIEW_EMPTY, signature);
    }
    object_unref(object);
    return rv;
}

/* Of the whole token, header.payload.signature. */
static CK_RV
token_hash(view input, view signature, uint8_t ret_hash[TOKEN_HASH_LEN])
{
    struct writer token;
    bool made;

    writer_init(&token, FRAME_BODY_MAX);
    write_raw(&token, input);
    write_u8(&token, '.');
    base64_write(&token, BASE64_URL, signature);
    made = writer_ok(&token) && algo_sha256(writer_view(&token), ret_hash);
    writer_clear(&token);
    return made ? CKR_OK : CKR_HOST_MEMORY;
}

/* ---- records ---- */

/* Under hsm->change. The record is stored, then it counts. */
static CK_RV
record_store(struct request *r, struct container *container, uint32_t handle,
             const struct token_record *record)
{
    struct hsm *hsm = r->hsm;
    struct token_name name = token_name(container->id, handle);
    struct token_record next = *record;
    const bool placed = container_record(container, handle) == NULL;
    struct writer sealed, journal;
    uint8_t journal_room[CHAIN_RECORD_MAX];
    CK_RV rv;

    next.since = hsm_seconds(hsm);
    next.version++;
    /* First, as it must not fail later. */
    if (placed && !container_put(container, handle, &(struct token_record){ 0 })) {
        return CKR_DEVICE_MEMORY;
    }
    writer_init(&sealed, STORE_VALUE_MAX);
    rv = token_record_seal(&hsm->sealer, &name, &next, &sealed);
    if (rv == CKR_OK) {
        const struct store_compare compare = { token_name_view(&name), record->revision };
        const struct store_change change = { token_name_view(&name), writer_view(&sealed), false };
        struct store_txn txn = { &compare, 1, &change, 1, VIEW_EMPTY };

        if (r->row->audited) {
            note_detail(r, "certificate=%u", (unsigned)handle);
            writer_init_fixed(&journal, journal_room, sizeof journal_room);
            note_record(r, CKR_OK, &journal);
            txn.journal = writer_view(&journal);
        }
        rv = hsm_commit(hsm, &txn, &next.revision);
        if (rv == CKR_OK && r->row->audited) {
            r->note.revision = next.revision;
        }
    }
    writer_clear(&sealed);
    if (rv == CKR_OK && !container_put(container, handle, &next)) {
        rv = CKR_DEVICE_MEMORY; /* it cannot: there is a place */
    }
    if (rv != CKR_OK && placed) {
        container_drop(container, handle);
    }
    return rv;
}

static bool
is_hash(view hash, bool there, const uint8_t known[TOKEN_HASH_LEN])
{
    return there && view_equal(hash, view_of(known, TOKEN_HASH_LEN));
}

/* ---- signing ---- */

/* A new certificate: under *ret_handle, which rests here, or for 0 the next number that is free. */
static CK_RV
sign_new(struct request *r, struct container *container, uint32_t past,
         const uint8_t hash[TOKEN_HASH_LEN], uint32_t *ret_handle)
{
    struct token_record record = { .has_next = true };
    const struct token_record *old;
    CK_RV rv;

    if (handle_is_certificate(past)) {
        numbers_pass(&container->numbers, past);
    }
    if (*ret_handle != 0) {
        if (!numbers_take_back(&container->numbers, *ret_handle)) {
            return CKR_DATA_INVALID; /* there is one */
        }
    } else if (!numbers_take(&container->numbers, hsm_seconds(r->hsm), ret_handle)) {
        log_wrn("no more certificates in this container: %u are there or were removed in the last "
                "24 hours",
                (unsigned)NUMBERS_COUNT);
        return CKR_DEVICE_MEMORY;
    }
    old = container_record(container, *ret_handle);
    if (old != NULL) {
        record.version = old->version;
        record.revision = old->revision;
    }
    memcpy(record.next, hash, TOKEN_HASH_LEN);
    rv = record_store(r, container, *ret_handle, &record);
    return rv;
}

static CK_RV
sign_next(struct request *r, struct container *container, uint32_t handle, view before,
          const uint8_t hash[TOKEN_HASH_LEN])
{
    const struct token_record *old = container_record(container, handle);
    struct token_record record;

    if (old == NULL || !is_hash(before, old->has_now, old->now)) {
        return CKR_DATA_INVALID; /* somebody has changed it since it was read */
    }
    if (old->has_next && hsm_seconds(r->hsm) - old->since < BUSY_S) {
        return CKR_OPERATION_ACTIVE; /* or is about to */
    }
    record = *old;
    record.has_next = true;
    memcpy(record.next, hash, TOKEN_HASH_LEN);
    return record_store(r, container, handle, &record);
}

CK_RV
handle_TOKEN_SIGN(struct request *r)
{
    struct hsm *hsm = r->hsm;
    struct token_sign_request m;
    struct token_sign_reply answer;
    struct container *container;
    struct writer signature;
    uint8_t hash[TOKEN_HASH_LEN];
    CK_RV rv;

    if (!token_sign_request_read(r->body, &m) || m.container.len != CONTAINER_ID_LEN ||
        m.key.len == 0 || m.key.len > KEY_ID_MAX || m.input.len == 0 ||
        (m.handle != 0 && !handle_is_certificate(m.handle))) {
        return CODE_BAD_FRAME;
    }
    if (!request_may(r, PLACE_SLOW)) {
        return CODE_LATER;
    }
    if (r->who.role != ROLE_CU) {
        return CKR_USER_NOT_LOGGED_IN;
    }
    writer_init(&signature, FRAME_DATA_MAX);
    if ((rv = token_sign(r, m.key, m.input, &signature)) != CKR_OK ||
        (rv = token_verify(r, m.key, m.input, writer_view(&signature))) != CKR_OK ||
        (rv = token_hash(m.input, writer_view(&signature), hash)) != CKR_OK) {
        goto out;
    }
    answer.handle = m.handle;
    answer.signature = writer_view(&signature);
    if ((rv = hsm_change_begin(hsm)) != CKR_OK) {
        goto out;
    }
    container = container_find(&hsm->containers, m.container, m.before.len == 0);
    if (container == NULL) {
        rv = m.before.len == 0 ? CKR_DEVICE_MEMORY : CKR_DATA_INVALID;
    } else {
        rv = m.before.len == 0 ? sign_new(r, container, m.past, hash, &answer.handle)
                               : sign_next(r, container, m.handle, m.before, hash);
    }
    hsm_change_end(hsm);
    if (rv == CKR_OK) {
        token_sign_reply_write(r->reply, &answer);
    }
out:
    writer_clear(&signature);
    return rv;
}

/* ---- settling ---- */

/*
 * Under hsm->change. Who comes late finds that a reader has settled for him, and that another
 * change is on its way: that one is left alone.
 */
static CK_RV
settle(struct request *r, struct container *container, uint32_t handle, view hash, view dropped)
{
    const struct token_record *old = container_record(container, handle);
    struct token_record record;
    CK_RV rv;

    if (old == NULL) {
        return hash.len == 0 ? CKR_OK : CKR_DATA_INVALID;
    }
    record = *old;
    if (hash.len == 0) {
        record.has_now = record.has_next = false;
    } else if (is_hash(hash, old->has_next, old->next)) {
        memcpy(record.now, old->next, TOKEN_HASH_LEN);
        record.has_now = true;
        record.has_next = false;
    } else if (!is_hash(hash, old->has_now, old->now)) {
        return CKR_DATA_INVALID;
    } else if (is_hash(dropped, old->has_next, old->next)) {
        record.has_next = false;
    }
    if (record.has_now == old->has_now && record.has_next == old->has_next) {
        return CKR_OK; /* it comes again */
    }
    rv = record_store(r, container, handle, &record);
    if (rv == CKR_OK && !record.has_now) {
        numbers_rest(&container->numbers, handle, hsm_seconds(r->hsm));
    }
    return rv;
}

static CK_RV
settle_in(struct request *r, view id, uint32_t handle, view hash, view dropped)
{
    struct hsm *hsm = r->hsm;
    struct container *container;
    CK_RV rv;

    if (id.len != CONTAINER_ID_LEN || !handle_is_certificate(handle)) {
        return CODE_BAD_FRAME;
    }
    if (!request_may(r, PLACE_STORE)) {
        return CODE_LATER;
    }
    if (r->who.role != ROLE_CU) {
        return CKR_USER_NOT_LOGGED_IN;
    }
    if ((rv = hsm_change_begin(hsm)) != CKR_OK) {
        return rv;
    }
    container = container_find(&hsm->containers, id, false);
    rv = container != NULL ? settle(r, container, handle, hash, dropped) : CKR_DATA_INVALID;
    hsm_change_end(hsm);
    return rv;
}

CK_RV
handle_TOKEN_SETTLE(struct request *r)
{
    struct token_settle_request m;

    if (!token_settle_request_read(r->body, &m) ||
        (m.token.len != 0 && m.token.len != TOKEN_HASH_LEN)) {
        return CODE_BAD_FRAME;
    }
    return settle_in(r, m.container, m.handle, m.token, VIEW_EMPTY);
}

CK_RV
handle_TOKEN_DROP(struct request *r)
{
    struct token_drop_request m;

    if (!token_drop_request_read(r->body, &m) || m.token.len != TOKEN_HASH_LEN ||
        m.dropped.len != TOKEN_HASH_LEN) {
        return CODE_BAD_FRAME;
    }
    return settle_in(r, m.container, m.handle, m.token, m.dropped);
}

/* ---- checking ---- */

/* Under hsm->change: is this the handle's token? */
static CK_RV
check_known(struct request *r, const struct token_check_request *m, view hash)
{
    struct containers *containers = &r->hsm->containers;
    struct container *container = container_find(containers, m->container, m->adopt);
    const struct token_record *old =
        container == NULL ? NULL : container_record(container, m->handle);
    struct token_record record = { .has_now = true };
    CK_RV rv;

    if (old != NULL && is_hash(hash, old->has_now, old->now)) {
        return CKR_OK;
    }
    if (old != NULL && is_hash(hash, old->has_next, old->next)) {
        return settle(r, container, m->handle, hash, VIEW_EMPTY);
    }
    if (old != NULL || container == NULL || !m->adopt) {
        return CKR_DATA_INVALID;
    }
    memcpy(record.now, hash.data, TOKEN_HASH_LEN);
    rv = record_store(r, container, m->handle, &record);
    if (rv == CKR_OK) {
        numbers_load(&container->numbers, m->handle, 0);
    }
    return rv;
}

CK_RV
handle_TOKEN_CHECK(struct request *r)
{
    struct hsm *hsm = r->hsm;
    struct token_check_request m;
    uint8_t hash[TOKEN_HASH_LEN];
    CK_RV rv;

    if (!token_check_request_read(r->body, &m) || m.container.len != CONTAINER_ID_LEN ||
        !handle_is_certificate(m.handle) || m.key.len == 0 || m.key.len > KEY_ID_MAX) {
        return CODE_BAD_FRAME;
    }
    if (!request_may(r, PLACE_SLOW)) {
        return CODE_LATER;
    }
    if ((rv = token_verify(r, m.key, m.input, m.signature)) != CKR_OK ||
        (rv = token_hash(m.input, m.signature, hash)) != CKR_OK) {
        return rv == CKR_SIGNATURE_LEN_RANGE ? CKR_SIGNATURE_INVALID : rv;
    }
    if ((rv = hsm_change_begin(hsm)) != CKR_OK) {
        return rv;
    }
    rv = check_known(r, &m, view_of(hash, sizeof hash));
    hsm_change_end(hsm);
    return rv;
}

/* ---- sweeping ---- */

struct rested {
    struct hsm *hsm;
    struct container *container;
    uint32_t handles[SWEEP_MAX];
    size_t count;
};

static void
rested_visit(void *arg, uint32_t handle)
{
    struct rested *rested = arg;

    rested->handles[rested->count++] = handle;
}

/* Under hsm->change. */
static bool
record_remove(struct hsm *hsm, struct container *container, uint32_t handle)
{
    struct token_name name = token_name(container->id, handle);
    const struct store_change change = { token_name_view(&name), VIEW_EMPTY, true };
    const struct store_txn txn = { .changes = &change, .change_count = 1 };
    uint64_t revision;

    if (hsm_commit(hsm, &txn, &revision) != CKR_OK) {
        return false;
    }
    container_drop(container, handle);
    return true;
}

void
tokens_sweep(struct hsm *hsm)
{
    const uint32_t now = hsm_seconds(hsm);
    struct rested rested = { .hsm = hsm };
    bool removed = true; /* a store that fails once is left alone until the next sweep */

    if (hsm_change_begin(hsm) != CKR_OK) {
        return;
    }
    for (size_t i = 0; removed && i < hsm->containers.count; i++) {
        struct container *container = hsm->containers.all[i];

        rested.count = 0;
        numbers_sweep(&container->numbers, now, SWEEP_MAX, rested_visit, &rested);
        for (size_t k = 0; removed && k < rested.count; k++) {
            removed = record_remove(hsm, container, rested.handles[k]);
        }
        for (uint32_t k = 0; removed && k < NUMBERS_COUNT; k++) {
            struct token_record *record = container->records[k];

            if (record != NULL && !record->has_now && record->has_next &&
                now - record->since > ABANDONED_S) {
                removed = record_remove(hsm, container, HANDLE_CERTIFICATE_FIRST + k);
                numbers_give_back(&container->numbers, HANDLE_CERTIFICATE_FIRST + k);
            }
        }
    }
    hsm_change_end(hsm);
}
