/* SPDX-License-Identifier: Apache-2.0
 *
 * Cryptography with keys in single-part requests, which leave no state anywhere. The library has
 * asked all the questions at its Init; they are asked again here, and this answer counts.
 */
#include "core/crypt.h"

void
crypt_clear(struct crypt_job *job)
{
    object_unref(job->object);
}

/* Takes the permission for one use of a key that always authenticates. */
static CK_RV
permit_take(struct request *r, CK_FLAGS function, const struct object *key)
{
    struct running *running;
    bool permitted;

    if ((key->info.flags & KEY_FLAG_ALWAYS_AUTHENTICATE) == 0) {
        return CKR_OK;
    }
    running = context_take_running(r->context, r->frame->session, function);
    permitted = running != NULL && running->permit && running->key->handle == key->handle;
    running_free(running);
    return permitted ? CKR_OK : CKR_USER_NOT_LOGGED_IN;
}

CK_RV
crypt_begin(struct request *r, CK_FLAGS function, const struct mechanism *mechanism,
            uint32_t handle, bool runs_now, struct crypt_job *job)
{
    CK_RV rv;

    note_key(r, handle, mechanism->type);
    r->note.nothing = function == CKF_DIGEST;
    *job = (struct crypt_job){ .row = mechanism_for(r->rules, mechanism->type, function) };
    if (job->row == NULL) {
        return CKR_MECHANISM_INVALID;
    }
    if (function != CKF_DIGEST) {
        job->object = request_object(r, handle);
        if (job->object == NULL || !kind_is_key(job->object->kind)) {
            return CKR_KEY_HANDLE_INVALID;
        }
    }
    if (mechanism->shape != job->row->params) {
        return CKR_MECHANISM_PARAM_INVALID;
    }
    if (job->object != NULL) {
        rv = request_key_check(r, job->row, function, mechanism->type, job->object);
        if (rv != CKR_OK) {
            return rv;
        }
    }
    rv = params_check(r->rules, job->row, function, job->object == NULL ? NULL : &job->object->info,
                      mechanism);
    if (rv != CKR_OK) {
        return rv;
    }
    if (runs_now &&
        !request_may_work(r, mechanism_work(job->row, function,
                                            job->object == NULL ? NULL : &job->object->info))) {
        return CODE_LATER;
    }
    if (job->object == NULL) {
        return CKR_OK;
    }
    rv = permit_take(r, function, job->object);
    return rv == CKR_OK ? request_key_of(r, job->object, &job->key) : rv;
}

size_t
field_begin(struct writer *w)
{
    size_t start = w->len;

    write_u32(w, 0);
    return start;
}

size_t
field_end(struct writer *w, size_t start)
{
    size_t len = w->len - start - 4;

    writer_patch_u32(w, start, (uint32_t)len);
    return len;
}

/* Too little room at the caller: the reply's body is the length needed, nothing else. */
static CK_RV
too_small(struct request *r, size_t body_start, size_t needed)
{
    writer_truncate(r->reply, body_start);
    write_u32(r->reply, (uint32_t)needed);
    return CKR_BUFFER_TOO_SMALL;
}

CK_RV
request_iv(struct request *r, CK_FLAGS function, struct mechanism *mechanism, uint8_t room[12],
           view *ret_made)
{
    *ret_made = VIEW_EMPTY;
    if (!params_wants_iv(r->rules, function, mechanism)) {
        return CKR_OK;
    }
    if (!r->hsm->ports.entropy->fill(r->hsm->ports.entropy, room, 12)) {
        return CKR_FUNCTION_FAILED;
    }
    *ret_made = view_of(room, 12);
    mechanism->params.gcm.iv = *ret_made;
    return CKR_OK;
}

/* Runs a single-part function and writes its output as the reply's last field. */
static CK_RV
crypt_once(struct request *r, CK_FLAGS function, const struct mechanism *mechanism,
           const struct crypt_job *job, view data, size_t body_start, uint32_t max)
{
    size_t field = field_begin(r->reply);
    CK_RV rv = algo_once(r->rules, job->row, function, mechanism, job->key, data, VIEW_EMPTY,
                         r->reply);

    if (rv != CKR_OK) {
        return rv;
    }
    if (!writer_ok(r->reply)) {
        return CKR_DEVICE_MEMORY;
    }

    size_t len = field_end(r->reply, field);

    if (len <= max) {
        return CKR_OK;
    }
    /* The caller's next try is the same use. */
    if (job->object != NULL && (job->object->info.flags & KEY_FLAG_ALWAYS_AUTHENTICATE) != 0 &&
        !context_put_permit(r->context, r->frame->session, function, job->object)) {
        return CKR_DEVICE_MEMORY;
    }
    return too_small(r, body_start, len);
}

CK_RV
handle_ENCRYPT(struct request *r)
{
    struct encrypt_request m;
    size_t body_start = r->reply->len;
    uint8_t room[12];
    struct crypt_job job;
    view iv;
    CK_RV rv;

    if (!encrypt_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    if ((rv = crypt_begin(r, CKF_ENCRYPT, &m.mechanism, m.key, true, &job)) == CKR_OK &&
        (rv = request_iv(r, CKF_ENCRYPT, &m.mechanism, room, &iv)) == CKR_OK) {
        write_bytes(r->reply, iv);
        rv = crypt_once(r, CKF_ENCRYPT, &m.mechanism, &job, m.data, body_start, m.max);
    }
    crypt_clear(&job);
    return rv;
}

/* A function whose output is all of its reply. */
static CK_RV
single_part(struct request *r, CK_FLAGS function, const struct mechanism *mechanism, uint32_t key,
            view data, uint32_t max)
{
    size_t body_start = r->reply->len;
    struct crypt_job job;
    CK_RV rv = crypt_begin(r, function, mechanism, key, true, &job);

    if (rv == CKR_OK) {
        rv = crypt_once(r, function, mechanism, &job, data, body_start, max);
    }
    crypt_clear(&job);
    return rv;
}

CK_RV
handle_DECRYPT(struct request *r)
{
    struct decrypt_request m;

    if (!decrypt_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    return single_part(r, CKF_DECRYPT, &m.mechanism, m.key, m.data, m.max);
}

CK_RV
handle_SIGN(struct request *r)
{
    struct sign_request m;

    if (!sign_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    return single_part(r, CKF_SIGN, &m.mechanism, m.key, m.data, m.max);
}

CK_RV
handle_SIGN_RECOVER(struct request *r)
{
    struct sign_recover_request m;

    if (!sign_recover_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    return single_part(r, CKF_SIGN_RECOVER, &m.mechanism, m.key, m.data, m.max);
}

CK_RV
handle_VERIFY_RECOVER(struct request *r)
{
    struct verify_recover_request m;

    if (!verify_recover_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    return single_part(r, CKF_VERIFY_RECOVER, &m.mechanism, m.key, m.signature, m.max);
}

CK_RV
handle_DIGEST(struct request *r)
{
    struct digest_request m;

    if (!digest_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    return single_part(r, CKF_DIGEST, &m.mechanism, 0, m.data, m.max);
}

CK_RV
handle_VERIFY(struct request *r)
{
    struct verify_request m;
    struct crypt_job job;
    CK_RV rv;

    if (!verify_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    rv = crypt_begin(r, CKF_VERIFY, &m.mechanism, m.key, true, &job);
    if (rv == CKR_OK) {
        rv = algo_once(r->rules, job.row, CKF_VERIFY, &m.mechanism, job.key, m.data, m.signature,
                       r->reply);
    }
    crypt_clear(&job);
    return rv;
}
