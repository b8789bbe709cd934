/* SPDX-License-Identifier: Apache-2.0
 *
 * Bound operations: START, UPDATE, FINAL, CANCEL. Each lives in its context, and is taken out for
 * every step, so that one step runs at a time.
 */
#include "core/crypt.h"

#include "rules/template.h"

#include <stdlib.h>

#define UNSEEN_SLICE 8192u
#define UNSEEN_HELD 64u /* more than any cipher holds back of what came before */

static bool
is_aead_decryption(CK_FLAGS function, const struct mechanism_row *row)
{
    return function == CKF_DECRYPT && row->out == OUT_tag;
}

/* The mechanism's bytes, so that the second pass can be held to be the first one's. */
static struct secret *
mechanism_bytes(const struct mechanism *mechanism)
{
    struct secret *bytes = NULL;
    struct writer w;

    writer_init(&w, FRAME_BODY_MAX);
    mechanism_write(&w, mechanism);
    if (writer_ok(&w)) {
        bytes = secret_dup(writer_view(&w));
    }
    writer_clear(&w);
    return bytes;
}

/*
 * Plaintext of an AEAD leaves only after its tag was checked: the pass that returns it has to
 * follow one that checked the tag with the same key and parameter, and is held to that one's
 * pieces, byte by byte, by their marks.
 */
static CK_RV
second_pass_begin(struct request *r, const struct crypt_job *job, struct running *second)
{
    struct running *first = context_take_running(r->context, r->frame->session, CKF_DECRYPT);
    bool same = first != NULL && first->op == NULL && first->tag_only &&
                first->key == job->object && first->mechanism != NULL &&
                view_equal(secret_view(first->mechanism), secret_view(second->mechanism));

    if (same) {
        second->marker = first->marker;
        second->marks = first->marks;
        first->marker = NULL;
        writer_init(&first->marks, 0);
    }
    running_free(first);
    return same ? CKR_OK : CKR_ENCRYPTED_DATA_INVALID;
}

static CK_RV
first_pass_begin(struct request *r, struct running *first)
{
    uint8_t key[32];

    if (!r->hsm->ports.entropy->fill(r->hsm->ports.entropy, key, sizeof key)) {
        return CKR_FUNCTION_FAILED;
    }
    first->marker = algo_pieces_new(key);
    wipe(key, sizeof key);
    return first->marker != NULL ? CKR_OK : CKR_DEVICE_MEMORY;
}

/* A piece of ciphertext: of the first pass it is noted, of the second it has to be the same. */
static CK_RV
piece_check(struct running *running, view data)
{
    uint8_t mark[ALGO_PIECE_LEN];

    if (!algo_pieces_mark(running->marker, running->step, data, mark)) {
        return CKR_FUNCTION_FAILED;
    }
    if (running->tag_only) {
        write_raw(&running->marks, view_of(mark, sizeof mark));
        return writer_ok(&running->marks) ? CKR_OK : CKR_DEVICE_MEMORY;
    }
    return view_equal_secret(view_slice(writer_view(&running->marks),
                                        (size_t)running->step * sizeof mark, sizeof mark),
                             view_of(mark, sizeof mark))
               ? CKR_OK
               : CKR_ENCRYPTED_DATA_INVALID;
}

/* Has the second pass had all of the first? */
static bool
pieces_complete(const struct running *running)
{
    return (size_t)running->step * ALGO_PIECE_LEN == running->marks.len;
}

static CK_RV
running_start(struct request *r, const struct start_request *m, struct crypt_job *job,
              const struct mechanism *mechanism)
{
    struct running *running = calloc(1, sizeof *running);
    CK_RV rv;

    if (running == NULL) {
        return CKR_DEVICE_MEMORY;
    }
    running->session = r->frame->session;
    running->function = m->function;
    running->row = job->row;
    running->tag_only = m->tag_only;
    running->started = r->frame->request;
    writer_init(&running->marks, RUNNING_PIECES_MAX * ALGO_PIECE_LEN);
    if (is_aead_decryption(m->function, job->row)) {
        running->mechanism = mechanism_bytes(mechanism);
        if (running->mechanism == NULL) {
            rv = CKR_DEVICE_MEMORY;
            goto fail;
        }
        rv = m->tag_only ? first_pass_begin(r, running) : second_pass_begin(r, job, running);
        if (rv != CKR_OK) {
            goto fail;
        }
    }
    rv = algo_start(r->rules, job->row, m->function, mechanism, job->key, &running->op);
    if (rv != CKR_OK) {
        goto fail;
    }
    running->key = job->object;
    job->object = NULL; /* now the operation's */
    return context_put_running(r->context, running) ? CKR_OK : CKR_DEVICE_MEMORY;
fail:
    running_free(running);
    return rv;
}

static bool
function_can_run(CK_FLAGS function)
{
    return function == CKF_ENCRYPT || function == CKF_DECRYPT || function == CKF_SIGN ||
           function == CKF_VERIFY || function == CKF_DIGEST;
}

CK_RV
handle_START(struct request *r)
{
    struct start_request m;
    uint8_t room[12];
    struct crypt_job job;
    view iv;
    CK_RV rv;

    if (!start_request_read(r->body, &m) || !function_can_run(m.function)) {
        return CODE_BAD_FRAME;
    }
    rv = crypt_begin(r, m.function, &m.mechanism, m.key, false, &job);
    if (rv != CKR_OK) {
        goto out;
    }
    if (!job.row->multi) {
        rv = CKR_MECHANISM_INVALID;
        goto out;
    }
    if (m.tag_only && !is_aead_decryption(m.function, job.row)) {
        rv = CODE_BAD_FRAME;
        goto out;
    }
    if ((rv = request_iv(r, m.function, &m.mechanism, room, &iv)) == CKR_OK &&
        (rv = running_start(r, &m, &job, &m.mechanism)) == CKR_OK) {
        write_bytes(r->reply, iv);
    }
out:
    crypt_clear(&job);
    return rv;
}

/* What a tag-only pass would return is thrown away slice by slice: it stays in one small
 * place, which is wiped. */
static CK_RV
fed_silently(struct running *running, view data)
{
    uint8_t unseen[UNSEEN_SLICE + UNSEEN_HELD];
    CK_RV rv = CKR_OK;
    view slice;

    for (; rv == CKR_OK && (slice = view_slice(data, 0, UNSEEN_SLICE)).len > 0;
         data = view_slice(data, slice.len, data.len)) {
        struct writer w;

        writer_init_fixed(&w, unseen, sizeof unseen);
        rv = algo_update(running->op, slice, &w);
    }
    wipe(unseen, sizeof unseen);
    return rv;
}

static CK_RV
ended_silently(struct running *running, view signature)
{
    struct writer unseen;
    CK_RV rv;

    writer_init(&unseen, FRAME_BODY_MAX);
    rv = algo_final(running->op, signature, &unseen);
    writer_clear(&unseen);
    return rv;
}

/*
 * Takes the session's operation out. It ends, and there is none, when a step before this one is
 * missing, and when its key was destroyed, lost the right to this function or is no longer seen by
 * who asks.
 */
static struct running *
running_take(struct request *r, CK_FLAGS function, uint32_t step)
{
    struct running *running = context_take_running(r->context, r->frame->session, function);
    struct object *now = NULL;
    bool goes_on = running != NULL && running->op != NULL && running->step == step;

    if (goes_on && running->key != NULL) {
        now = request_object(r, running->key->handle);
        goes_on = now == running->key || (now != NULL && key_check(r->rules, running->row, function,
                                                                   &now->info) == CKR_OK);
    }
    object_unref(now);
    if (!goes_on) {
        running_free(running);
        return NULL;
    }
    return running;
}

/* A sensitive key that is shorter could be found from its digest by trying all. */
#define DIGEST_KEY_MIN 14u

/* PKCS #11 v3.1, 5.12.5: the value of a secret key. */
static CK_RV
key_digest(struct request *r, struct running *running, uint32_t handle)
{
    struct object *key;
    struct writer secrets;
    view value;
    CK_RV rv = rules_function_code(r->rules, FUNCTION_DigestKey);

    if (rv != CKR_OK) {
        return rv;
    }
    key = request_object(r, handle);
    if (key == NULL || !kind_is_key(key->kind)) {
        object_unref(key);
        return CKR_KEY_HANDLE_INVALID;
    }
    writer_init(&secrets, ATTRIBUTES_BYTES_MAX);
    if (kind_class(key->kind) != CKO_SECRET_KEY) {
        rv = CKR_KEY_INDIGESTIBLE;
        goto out;
    }
    rv = object_open_secrets(object_sealer(r->hsm, handle), key, &secrets);
    if (rv != CKR_OK) {
        goto out;
    }
    if (!attributes_find(writer_view(&secrets), CKA_VALUE, &value)) {
        rv = CKR_KEY_INDIGESTIBLE;
    } else if (value.len < DIGEST_KEY_MIN && (key->info.flags & KEY_FLAG_SENSITIVE) != 0) {
        rv = CKR_KEY_SIZE_RANGE;
    } else {
        rv = algo_update(running->op, value, r->reply);
        running->has_key = running->has_key || object_is_private(key);
    }
out:
    writer_clear(&secrets);
    object_unref(key);
    return rv;
}

CK_RV
handle_UPDATE(struct request *r)
{
    struct update_request m;
    struct running *running;
    size_t field;
    CK_RV rv;

    if (!update_request_read(r->body, &m) ||
        (m.key != 0 && (m.function != CKF_DIGEST || m.data.len > 0))) {
        return CODE_BAD_FRAME;
    }
    running = running_take(r, m.function, m.step);
    if (running == NULL) {
        return CKR_OPERATION_NOT_INITIALIZED;
    }
    field = field_begin(r->reply);
    rv = is_aead_decryption(running->function, running->row) ? piece_check(running, m.data)
                                                             : CKR_OK;
    if (rv == CKR_OK && m.key != 0) {
        rv = key_digest(r, running, m.key);
    } else if (rv == CKR_OK) {
        rv = running->tag_only ? fed_silently(running, m.data)
                               : algo_update(running->op, m.data, r->reply);
    }
    if (rv == CKR_OK && !writer_ok(r->reply)) {
        rv = CKR_DEVICE_MEMORY;
    }
    if (rv != CKR_OK) {
        running_free(running);
        return rv;
    }
    field_end(r->reply, field);
    running->step++;
    return context_put_running(r->context, running) ? CKR_OK : CKR_OPERATION_NOT_INITIALIZED;
}

CK_RV
handle_FINAL(struct request *r)
{
    struct final_request m;
    struct running *running;
    size_t field;
    CK_RV rv;

    if (!final_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    running = running_take(r, m.function, m.step);
    if (running == NULL) {
        return CKR_OPERATION_NOT_INITIALIZED;
    }
    note_key(r, running->key == NULL ? 0 : running->key->handle, running->row->type);
    r->note.nothing = running->key == NULL;
    if (!request_may_work(r, mechanism_work(running->row, running->function,
                                            running->key == NULL ? NULL : &running->key->info))) {
        return context_put_running(r->context, running) ? CODE_LATER
                                                        : CKR_OPERATION_NOT_INITIALIZED;
    }
    field = field_begin(r->reply);
    if (running->tag_only) {
        rv = ended_silently(running, m.signature);
        if (rv == CKR_OK) {
            /* Kept as the permission for the second pass. */
            algo_op_free(running->op);
            running->op = NULL;
            field_end(r->reply, field);
            return context_put_running(r->context, running) ? CKR_OK
                                                            : CKR_OPERATION_NOT_INITIALIZED;
        }
    } else if (is_aead_decryption(running->function, running->row) && !pieces_complete(running)) {
        rv = CKR_ENCRYPTED_DATA_INVALID;
    } else {
        rv = algo_final(running->op, m.signature, r->reply);
    }
    if (rv == CKR_OK) {
        rv = writer_ok(r->reply) ? CKR_OK : CKR_DEVICE_MEMORY;
        field_end(r->reply, field);
    }
    running_free(running);
    return rv;
}

CK_RV
handle_CANCEL(struct request *r)
{
    struct cancel_request m;

    if (!cancel_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    running_free(context_take_running(r->context, r->frame->session, m.function));
    return CKR_OK;
}
