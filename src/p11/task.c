/* SPDX-License-Identifier: Apache-2.0
 *
 * Init with its checks, the table of states, and how much output a part gives.
 */
#include "p11/task.h"

#include "base/secret.h"
#include "p11/find.h"
#include "p11/trip.h"

#include <stdlib.h>
#include <string.h>

#define ENCODED_MAX FRAME_BODY_MAX
#define REPLAY_MAX (1024u * 1024u) /* of input that is kept for a node that comes back */
#define SPARE_MAX 4096u /* of a parameter whose memory stays with the session */
#define CIPHERTEXT_MAX ((size_t)1 << 30) /* of an AEAD, which waits here for its tag */

/* All but the memory of its parameter. */
static void
task_clear(struct task *task)
{
    struct writer encoded = task->encoded;

    writer_clear(&task->gathered);
    writer_clear(&task->sent);
    writer_clear(&task->held);
    search_free(task->search);
    task_free(task->part);
    writer_reset(&encoded);
    wipe(task, sizeof *task);
    task->encoded = encoded;
}

void
task_free(struct task *task)
{
    if (task == NULL) {
        return;
    }
    task_clear(task);
    writer_clear(&task->encoded);
    free(task);
}

/* A session's next operation takes the memory of its last. */
static void
task_retire(struct session *session, struct task *task)
{
    if (session->spare != NULL || task->encoded.size > SPARE_MAX) {
        task_free(task);
        return;
    }
    task_clear(task);
    session->spare = task;
}

void
task_free_all(struct session *session)
{
    while (session->tasks != NULL) {
        struct task *task = session->tasks;

        session->tasks = task->next;
        task_free(task);
    }
}

bool
task_is_any_bound(const struct session *session)
{
    const struct task *task = session->tasks;

    while (task != NULL && !task->bound && (task->part == NULL || !task->part->bound)) {
        task = task->next;
    }
    return task != NULL;
}

struct task *
task_of(const struct session *session, CK_FLAGS function)
{
    struct task *task = session->tasks;

    while (task != NULL && task->function != function) {
        task = task->next;
    }
    return task;
}

void
task_put(struct session *session, struct task *task)
{
    task->next = session->tasks;
    session->tasks = task;
}

CK_FLAGS
task_function(const struct task *task)
{
    switch (task->function) {
    case CKF_MESSAGE_ENCRYPT:
        return CKF_ENCRYPT;
    case CKF_MESSAGE_DECRYPT:
        return CKF_DECRYPT;
    case CKF_MESSAGE_SIGN:
        return CKF_SIGN;
    case CKF_MESSAGE_VERIFY:
        return CKF_VERIFY;
    default:
        return task->function;
    }
}

void
task_discard(struct session *session, struct task *task)
{
    if (task == NULL) {
        return;
    }
    if (task->bound) {
        const struct cancel_request request = { .function = (uint32_t)task->function };
        struct call call;

        if (trip_begin(session->library, &call) == CKR_OK) {
            cancel_request_write(call.body, &request);

            /* Not heard, it goes with the session. */
            CK_RV rv = trip_send(session->library, session, &call, OPERATION_CANCEL);

            UNUSED(rv);
        }
        call_end(&call);
    }
    task_discard(session, task->part);
    task->part = NULL;
    task_retire(session, task);
}

void
task_end(struct session *session, struct task *task)
{
    struct task **at = &session->tasks;

    while (*at != task) {
        at = &(*at)->next;
    }
    *at = task->next;
    task_discard(session, task);
}

void
task_drop_stale(struct session *session)
{
    struct task *next;

    for (struct task *task = session->tasks; task != NULL; task = next) {
        next = task->next;
        if (task->epoch != atomic_load(&session->library->epoch)) {
            task_end(session, task);
        }
    }
}

/* ---- Init ---- */

/* The application's parameter lives until Init returns; ours until the operation ends. */
CK_RV
task_keep(struct task *task, const struct mechanism *taken)
{
    mechanism_write(&task->encoded, taken);
    if (!writer_ok(&task->encoded)) {
        return CKR_HOST_MEMORY;
    }

    struct reader r = reader_of(writer_view(&task->encoded));

    return mechanism_read(&r, &task->mechanism) ? CKR_OK : CKR_MECHANISM_PARAM_INVALID;
}

CK_RV
task_key(struct session *session, CK_OBJECT_HANDLE handle, struct key_info *ret_key)
{
    CK_RV rv = trip_object(session, handle, true, ret_key);

    if (rv == CKR_OBJECT_HANDLE_INVALID) {
        return CKR_KEY_HANDLE_INVALID;
    }
    return rv == CKR_OK && ret_key->key_type == UINT32_MAX ? CKR_KEY_HANDLE_INVALID : rv;
}

/* Which output of the HSM the application asked for by its parameter. */
static void
iv_remember(struct rules rules, struct task *task, const struct mechanism *taken)
{
    if (params_wants_iv(rules, task->function, taken)) {
        task->iv_out = (uint8_t *)(uintptr_t)taken->params.gcm.iv.data;
        task->iv_out_len = taken->params.gcm.iv.len;
    }
}

CK_RV
task_take(struct session *session, struct task *task, CK_FLAGS function,
          const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE handle)
{
    bool keyed = function != CKF_DIGEST;
    struct mechanism taken;
    struct rules rules;
    CK_RV rv = library_rules(session->library, &rules);

    if (rv != CKR_OK) {
        return rv;
    }
    task->row = mechanism_for(rules, mechanism->mechanism, function);
    if (task->row == NULL) {
        return CKR_MECHANISM_INVALID;
    }
    if (rules_switch_on(rules, SWITCH_login_before_digest) && !session_is_user(session)) {
        return CKR_USER_NOT_LOGGED_IN;
    }
    if (keyed && (rv = task_key(session, handle, &task->key)) != CKR_OK) {
        return rv;
    }
    rv = params_take(task->row, mechanism, &taken);
    if (rv != CKR_OK) {
        return rv;
    }
    if (keyed && (rv = key_check(rules, task->row, function, &task->key)) != CKR_OK) {
        return rv;
    }
    rv = params_check(rules, task->row, function, keyed ? &task->key : NULL, &taken);
    if (rv != CKR_OK) {
        return rv;
    }
    task->wants_login = keyed && (task->key.flags & KEY_FLAG_ALWAYS_AUTHENTICATE) != 0;
    iv_remember(rules, task, &taken);
    return task_keep(task, &taken);
}

struct task *
task_new(struct session *session, CK_FLAGS function)
{
    struct task *task = session->spare;

    session->spare = NULL;
    if (task == NULL && (task = calloc(1, sizeof *task)) != NULL) {
        writer_init(&task->encoded, ENCODED_MAX);
    }
    if (task != NULL) {
        task->function = function;
        task->epoch = atomic_load(&session->library->epoch);
        writer_init(&task->gathered, CIPHERTEXT_MAX);
        writer_init(&task->sent, REPLAY_MAX);
        task->sent_whole = true;
        writer_init(&task->held, FRAME_DATA_MAX);
    }
    return task;
}

/* PKCS #11 v3.0, 5.8.1: no mechanism ends the operation. Without one the call is what 2.40
 * calls it. */
static CK_RV
task_cancel(struct session *session, CK_FLAGS function)
{
    struct task *task = task_of(session, function);

    if (task == NULL) {
        return CKR_ARGUMENTS_BAD;
    }
    task_end(session, task);
    return CKR_OK;
}

/* What may be active together: PKCS #11 v3.1, 5.17. */
static const struct {
    CK_FLAGS cipher;
    CK_FLAGS other;
    enum rules_function served_by;
} pairs[] = {
    { CKF_ENCRYPT, CKF_DIGEST, FUNCTION_DigestEncryptUpdate },
    { CKF_DECRYPT, CKF_DIGEST, FUNCTION_DecryptDigestUpdate },
    { CKF_ENCRYPT, CKF_SIGN, FUNCTION_SignEncryptUpdate },
    { CKF_DECRYPT, CKF_VERIFY, FUNCTION_DecryptVerifyUpdate },
};

/* May an operation of this function begin beside what is active? */
static CK_RV
task_fits(const struct session *session, CK_FLAGS function)
{
    const struct task *active = session->tasks;
    struct rules rules;
    CK_RV rv;

    if (active == NULL) {
        return CKR_OK;
    }
    if ((rv = library_rules(session->library, &rules)) != CKR_OK) {
        return rv;
    }
    for (size_t i = 0; active->next == NULL && i < ARRAY_COUNT(pairs); i++) {
        bool this = (active->function == pairs[i].cipher && function == pairs[i].other) ||
                    (active->function == pairs[i].other && function == pairs[i].cipher);

        if (this && rules_function_code(rules, pairs[i].served_by) == CKR_OK) {
            return CKR_OK;
        }
    }
    return CKR_OPERATION_ACTIVE;
}

CK_RV
task_init(CK_SESSION_HANDLE handle, CK_FLAGS function, const CK_MECHANISM *mechanism,
          CK_OBJECT_HANDLE key)
{
    struct task *task = NULL;
    struct session *session;
    CK_RV rv = session_begin(handle, &session);

    if (rv != CKR_OK) {
        return rv;
    }
    if (mechanism == NULL) {
        rv = task_cancel(session, function);
        goto out;
    }
    if ((rv = task_fits(session, function)) != CKR_OK) {
        goto out;
    }
    task = task_new(session, function);
    if (task == NULL) {
        rv = CKR_HOST_MEMORY;
        goto out;
    }
    rv = task_take(session, task, function, mechanism, key);
    if (rv == CKR_OK) {
        task_put(session, task);
        task = NULL;
    }
out:
    task_free(task);
    session_end(session);
    return rv;
}

/* ---- states ---- */

CK_RV
task_step(struct session *session, CK_FLAGS function, enum step step, struct task **ret_task)
{
    /* PKCS #11 v3.1, 5.8.2: a single-part call does not end a multi-part operation well; and
     * the other way round. Final without an Update is a message of no bytes. */
    static const bool allowed[STEP_COUNT][PHASE_COUNT] = {
        [STEP_SINGLE] = { [PHASE_FRESH] = true, [PHASE_ASKED] = true },
        [STEP_UPDATE] = { [PHASE_FRESH] = true, [PHASE_PARTS] = true },
        [STEP_FINAL] = { [PHASE_FRESH] = true, [PHASE_PARTS] = true, [PHASE_FINAL_ASKED] = true },
    };
    struct task *task = task_of(session, function);

    if (task == NULL) {
        return CKR_OPERATION_NOT_INITIALIZED;
    }
    if (!allowed[step][task->phase]) {
        task_end(session, task);
        return CKR_OPERATION_ACTIVE;
    }
    if (step != STEP_SINGLE && !task->row->multi) {
        task_end(session, task);
        return CKR_OPERATION_NOT_INITIALIZED;
    }
    /* PKCS #11 v3.1, 4.9. The operation waits for its login. */
    if (task->wants_login) {
        return CKR_USER_NOT_LOGGED_IN;
    }
    *ret_task = task;
    return CKR_OK;
}

CK_RV
task_after(struct session *session, struct task *task, enum step step, CK_RV rv, bool only_asked)
{
    /* PKCS #11 v3.1, 5.2: who was told a length may ask again; nothing was consumed. */
    bool stays = rv == CKR_BUFFER_TOO_SMALL || (rv == CKR_OK && only_asked);

    if (rv != CKR_OK && !stays) {
        task_end(session, task);
        return rv;
    }
    switch (step) {
    case STEP_SINGLE:
        if (stays) {
            task->phase = PHASE_ASKED;
        } else {
            task_end(session, task);
        }
        break;
    case STEP_UPDATE:
        if (!stays) {
            task->phase = PHASE_PARTS;
        }
        break;
    default:
        if (stays) {
            task->phase = PHASE_FINAL_ASKED;
        } else {
            task_end(session, task);
        }
        break;
    }
    return rv;
}

/* ---- lengths of parts ---- */

bool
task_is_aead_decryption(const struct task *task)
{
    return task->function == CKF_DECRYPT && task->row->out == OUT_tag;
}

uint64_t
task_output(const struct task *task, uint64_t fed)
{
    /* A byte for each byte, or whole blocks. */
    const size_t unit = cipher_row(task->row)->unit;
    uint64_t left = fed % unit;

    if (task_is_aead_decryption(task)) {
        return 0;
    }
    /* PKCS #11 v3.1, 5.10.3: the block that may be padding is held back. */
    if (task->function == CKF_DECRYPT && task->row->out == OUT_pad && fed > 0 &&
        left == 0) {
        return fed - unit;
    }
    return fed - left;
}
