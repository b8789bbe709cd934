/* SPDX-License-Identifier: Apache-2.0
 *
 * C_GetOperationState and C_SetOperationState, for digests whose input has not left the library
 * yet: the state is mechanism and input. A digest that the HSM holds, and every operation on a
 * key, is CKR_STATE_UNSAVEABLE. The input is the application's own, so nothing here is secret
 * from it, and a state that was altered is the state of another input.
 */
#include "p11/session.h"
#include "p11/task.h"

#include "wire/frame.h"

#include <string.h>

#define STATE_MAGIC 0x3153434fu /* "OCS1" */
#define STATE_MAX (2u * FRAME_DATA_MAX)

static CK_RV
state_write(const struct session *session, struct writer *w)
{
    const struct task *task = session->tasks;

    if (task == NULL) {
        return CKR_OPERATION_NOT_INITIALIZED;
    }
    if (task->function != CKF_DIGEST || task->next != NULL || task->begun || task->bound) {
        return CKR_STATE_UNSAVEABLE;
    }
    write_u32(w, STATE_MAGIC);
    write_u8(w, task->phase == PHASE_PARTS || task->phase == PHASE_FINAL_ASKED);
    write_bytes(w, writer_view(&task->encoded));
    write_bytes(w, writer_view(&task->gathered));
    return writer_ok(w) ? CKR_OK : CKR_HOST_MEMORY;
}

PUBLIC CK_RV
C_GetOperationState(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pOperationState,
                    CK_ULONG_PTR pulOperationStateLen)
{
    struct session *session;
    struct writer state;
    CK_RV rv = session_begin_offered(hSession, FUNCTION_GetOperationState, &session);

    if (rv != CKR_OK) {
        return rv;
    }
    writer_init(&state, STATE_MAX);
    if (pulOperationStateLen == NULL) {
        rv = CKR_ARGUMENTS_BAD;
    } else if ((rv = state_write(session, &state)) == CKR_OK) {
        if (pOperationState != NULL && *pulOperationStateLen < state.len) {
            rv = CKR_BUFFER_TOO_SMALL;
        } else if (pOperationState != NULL) {
            memcpy(pOperationState, writer_view(&state).data, state.len);
        }
        *pulOperationStateLen = state.len;
    }
    writer_clear(&state);
    session_end(session);
    return rv;
}

/* The mechanism of a state, as DigestInit would have it. */
static CK_RV
mechanism_take(struct rules rules, struct task *task, view encoded)
{
    struct reader r;

    write_raw(&task->encoded, encoded);
    if (!writer_ok(&task->encoded)) {
        return CKR_HOST_MEMORY;
    }
    r = reader_of(writer_view(&task->encoded));
    if (!mechanism_read(&r, &task->mechanism) || !reader_done(&r)) {
        return CKR_SAVED_STATE_INVALID;
    }
    task->row = mechanism_for(rules, task->mechanism.type, CKF_DIGEST);
    if (task->row == NULL || task->mechanism.shape != task->row->params ||
        params_check(rules, task->row, CKF_DIGEST, NULL, &task->mechanism) != CKR_OK) {
        return CKR_SAVED_STATE_INVALID;
    }
    return CKR_OK;
}

static CK_RV
state_read(struct session *session, view state)
{
    struct task *task = task_new(session, CKF_DIGEST);
    struct reader r = reader_of(state);
    struct rules rules;
    uint32_t magic;
    uint8_t parts;
    view encoded, gathered;
    CK_RV rv;

    if (task == NULL) {
        return CKR_HOST_MEMORY;
    }
    if ((rv = library_rules(session->library, &rules)) != CKR_OK) {
        goto out;
    }
    if (!read_u32(&r, &magic) || magic != STATE_MAGIC || !read_u8(&r, &parts) || parts > 1 ||
        !read_bytes(&r, FRAME_BODY_MAX, &encoded) ||
        !read_bytes(&r, FRAME_DATA_MAX, &gathered) || !reader_done(&r)) {
        rv = CKR_SAVED_STATE_INVALID;
        goto out;
    }
    if ((rv = mechanism_take(rules, task, encoded)) != CKR_OK) {
        goto out;
    }
    write_raw(&task->gathered, gathered);
    if (!writer_ok(&task->gathered)) {
        rv = CKR_HOST_MEMORY;
        goto out;
    }
    task->phase = parts != 0 ? PHASE_PARTS : PHASE_FRESH;
    /* PKCS #11 v3.1, 5.6.7: in place of what was active. */
    while (session->tasks != NULL) {
        task_end(session, session->tasks);
    }
    task_put(session, task);
    task = NULL;
out:
    task_free(task);
    return rv;
}

PUBLIC CK_RV
C_SetOperationState(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pOperationState,
                    CK_ULONG ulOperationStateLen, CK_OBJECT_HANDLE hEncryptionKey,
                    CK_OBJECT_HANDLE hAuthenticationKey)
{
    struct session *session;
    CK_RV rv = session_begin_offered(hSession, FUNCTION_SetOperationState, &session);

    if (rv != CKR_OK) {
        return rv;
    }
    if (pOperationState == NULL) {
        rv = CKR_ARGUMENTS_BAD;
    } else if (ulOperationStateLen > STATE_MAX) {
        rv = CKR_SAVED_STATE_INVALID;
    } else if (hEncryptionKey != CK_INVALID_HANDLE || hAuthenticationKey != CK_INVALID_HANDLE) {
        rv = CKR_KEY_NOT_NEEDED;
    } else {
        rv = state_read(session, view_of(pOperationState, ulOperationStateLen));
    }
    session_end(session);
    return rv;
}
