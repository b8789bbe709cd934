/* SPDX-License-Identifier: Apache-2.0
 *
 * Message-based encryption (PKCS #11 v3.1, 5.9 and 5.11) with AES-GCM, a message a call: the key
 * is chosen once, IV and tag come and go with each message. To the HSM each is an ordinary
 * request. An IV that is generated is drawn there; the counters of the standard are not
 * offered, for they would begin anew with each Init and repeat.
 */
#include "p11/stream.h"
#include "p11/trip.h"

#include <stdlib.h>
#include <string.h>

#define MESSAGE_MAX ((size_t)1 << 30) /* as of any AEAD here */
#define TAG_MAX 16u
#define IV_MAX 256u

/* ---- the process: Init and Final ---- */

static CK_RV
message_begin(struct session *session, CK_FLAGS function, CK_FLAGS single,
              const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    struct task *task = task_of(session, function);
    struct rules rules;
    CK_RV rv;

    /* PKCS #11 v3.1, 5.9.1: no mechanism ends the process. */
    if (mechanism == NULL) {
        if (task != NULL) {
            task_end(session, task);
        }
        return CKR_OK;
    }
    if (session->tasks != NULL) {
        return CKR_OPERATION_ACTIVE;
    }
    if ((rv = library_rules(session->library, &rules)) != CKR_OK) {
        return rv;
    }

    const struct mechanism_row *row = mechanism_for(rules, mechanism->mechanism, single);
    struct key_info info;

    if (row == NULL || row->params != PARAMS_gcm) {
        return CKR_MECHANISM_INVALID;
    }
    if ((rv = task_key(session, key, &info)) != CKR_OK ||
        (rv = key_check(rules, row, single, &info)) != CKR_OK) {
        return rv;
    }
    task = task_new(session, function);
    if (task == NULL) {
        return CKR_HOST_MEMORY;
    }
    task->row = row;
    task->key = info;
    task_put(session, task);
    return CKR_OK;
}

static CK_RV
message_init(CK_SESSION_HANDLE handle, enum rules_function called, CK_FLAGS function,
             CK_FLAGS single, const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    struct session *session;
    CK_RV rv = session_begin_offered(handle, called, &session);

    if (rv == CKR_OK) {
        rv = message_begin(session, function, single, mechanism, key);
        session_end(session);
    }
    return rv;
}

static CK_RV
message_final(CK_SESSION_HANDLE handle, enum rules_function called, CK_FLAGS function)
{
    struct session *session;
    CK_RV rv = session_begin_offered(handle, called, &session);

    if (rv != CKR_OK) {
        return rv;
    }

    struct task *task = task_of(session, function);

    if (task == NULL) {
        rv = CKR_OPERATION_NOT_INITIALIZED;
    } else {
        task_end(session, task);
    }
    session_end(session);
    return rv;
}

/* ---- one message ---- */

struct message {
    struct session *session;
    struct task *task;     /* the process */
    CK_FLAGS single;       /* CKF_ENCRYPT or CKF_DECRYPT */
    CK_GCM_MESSAGE_PARAMS params;
    uint8_t iv[IV_MAX];
    view aad;
    view in;
    uint8_t *out;
    CK_ULONG *out_len;
};

/* The bits after the fixed ones, drawn by the HSM. */
static CK_RV
iv_generate(struct message *m)
{
    const struct random_request request = { .len = (uint32_t)m->params.ulIvLen };
    struct random_reply reply;
    struct call call;
    CK_RV rv;

    if ((rv = trip_begin(m->session->library, &call)) != CKR_OK) {
        goto out;
    }
    random_request_write(call.body, &request);
    if ((rv = trip_send(m->session->library, m->session, &call, OPERATION_RANDOM)) != CKR_OK) {
        goto out;
    }
    if (!random_reply_read(call.reply, &reply) || reply.data.len != m->params.ulIvLen) {
        rv = CKR_DEVICE_ERROR;
        goto out;
    }
    for (CK_ULONG i = m->params.ulIvFixedBits; i < 8 * m->params.ulIvLen; i++) {
        uint8_t bit = (uint8_t)(0x80u >> i % 8);

        m->iv[i / 8] = (uint8_t)((m->iv[i / 8] & ~bit) | (reply.data.data[i / 8] & bit));
    }
out:
    call_end(&call);
    return rv;
}

static bool
iv_is_generated(const struct message *m)
{
    return m->single == CKF_ENCRYPT && m->params.ivGenerator != CKG_NO_GENERATE;
}

/* At least 64 bits have to be drawn: fewer would soon be the same again. */
#define IV_DRAWN_MIN 64u

static CK_RV
params_read(struct message *m, const void *parameter, CK_ULONG len)
{
    if (parameter == NULL || len != sizeof m->params) {
        return CKR_MECHANISM_PARAM_INVALID;
    }
    memcpy(&m->params, parameter, sizeof m->params);
    if (m->params.pIv == NULL || m->params.ulIvLen == 0 || m->params.ulIvLen > IV_MAX ||
        m->params.pTag == NULL || m->params.ulTagBits % 8 != 0 ||
        m->params.ulTagBits > 8 * TAG_MAX) {
        return CKR_MECHANISM_PARAM_INVALID;
    }
    memcpy(m->iv, m->params.pIv, m->params.ulIvLen);
    if (!iv_is_generated(m)) {
        return CKR_OK;
    }
    if ((m->params.ivGenerator != CKG_GENERATE && m->params.ivGenerator != CKG_GENERATE_RANDOM) ||
        m->params.ulIvFixedBits > 8 * m->params.ulIvLen ||
        8 * m->params.ulIvLen - m->params.ulIvFixedBits < IV_DRAWN_MIN) {
        return CKR_MECHANISM_PARAM_INVALID;
    }
    return iv_generate(m);
}

/* The message as an operation of its own; output goes to the sink, the tag behind it. */
static CK_RV
message_run(struct message *m, view in, struct sink *sink)
{
    struct task *task = task_new(m->session, m->single);
    struct rules rules;
    CK_RV rv;

    if (task == NULL) {
        return CKR_HOST_MEMORY;
    }
    task->row = m->task->row;
    task->key = m->task->key;
    task->mechanism = (struct mechanism){
        .type = (uint32_t)m->task->row->type,
        .shape = PARAMS_gcm,
        .params.gcm = { .iv = view_of(m->iv, m->params.ulIvLen),
                        .aad = m->aad,
                        .tag_bits = (uint32_t)m->params.ulTagBits },
    };
    task_put(m->session, task);
    if ((rv = library_rules(m->session->library, &rules)) == CKR_OK &&
        (rv = params_check(rules, task->row, m->single, &task->key, &task->mechanism)) ==
            CKR_OK) {
        rv = stream_whole(m->session, task, in, VIEW_EMPTY, sink);
    }
    task_end(m->session, task);
    return rv;
}

static CK_RV
message_encrypt(struct message *m)
{
    size_t tag_len = m->params.ulTagBits / 8;
    size_t size = m->in.len + tag_len;
    uint8_t *room = malloc(size);
    struct sink sink = { .out = room, .size = size };
    CK_RV rv;

    if (room == NULL) {
        return CKR_HOST_MEMORY;
    }
    rv = message_run(m, m->in, &sink);
    if (rv == CKR_OK && sink.total != size) {
        rv = CKR_DEVICE_ERROR;
    }
    if (rv == CKR_OK) {
        if (m->in.len > 0) {
            memcpy(m->out, room, m->in.len);
        }
        memcpy(m->params.pTag, room + m->in.len, tag_len);
        if (iv_is_generated(m)) {
            memcpy(m->params.pIv, m->iv, m->params.ulIvLen);
        }
        *m->out_len = m->in.len;
    }
    free(room);
    return rv;
}

static CK_RV
message_decrypt(struct message *m)
{
    size_t tag_len = m->params.ulTagBits / 8;
    uint8_t *whole = malloc(m->in.len + tag_len);
    struct sink sink = { .out = m->out, .size = *m->out_len };
    CK_RV rv;

    if (whole == NULL) {
        return CKR_HOST_MEMORY;
    }
    if (m->in.len > 0) {
        memcpy(whole, m->in.data, m->in.len);
    }
    memcpy(whole + m->in.len, m->params.pTag, tag_len);
    rv = message_run(m, view_of(whole, m->in.len + tag_len), &sink);
    if (rv == CKR_OK) {
        *m->out_len = sink.total;
    } else if (rv == CKR_ENCRYPTED_DATA_INVALID) {
        rv = CKR_AEAD_DECRYPT_FAILED;
    }
    free(whole);
    return rv;
}

/* PKCS #11 v3.1, 5.9.2: what fails is the message; the process goes on. */
static CK_RV
message(CK_SESSION_HANDLE handle, enum rules_function called, CK_FLAGS function,
        const void *parameter, CK_ULONG parameter_len, view aad, view in, void *out,
        CK_ULONG *out_len)
{
    struct message m = { .aad = aad, .in = in, .out = out, .out_len = out_len };
    CK_RV rv = session_begin_offered(handle, called, &m.session);

    if (rv != CKR_OK) {
        return rv;
    }
    m.single = function == CKF_MESSAGE_ENCRYPT ? CKF_ENCRYPT : CKF_DECRYPT;
    m.task = task_of(m.session, function);
    if (m.task == NULL) {
        rv = CKR_OPERATION_NOT_INITIALIZED;
    } else if (out_len == NULL || (in.data == NULL && in.len > 0) ||
               (aad.data == NULL && aad.len > 0)) {
        rv = CKR_ARGUMENTS_BAD;
    } else if (in.len > MESSAGE_MAX || aad.len > FRAME_DATA_MAX) {
        rv = function == CKF_MESSAGE_ENCRYPT ? CKR_DATA_LEN_RANGE : CKR_ENCRYPTED_DATA_LEN_RANGE;
    } else if (out == NULL || *out_len < in.len) {
        rv = out == NULL ? CKR_OK : CKR_BUFFER_TOO_SMALL;
        *out_len = in.len;
    } else if ((rv = params_read(&m, parameter, parameter_len)) == CKR_OK) {
        rv = function == CKF_MESSAGE_ENCRYPT ? message_encrypt(&m) : message_decrypt(&m);
    }
    session_end(m.session);
    return rv;
}

/* ---- the calls ---- */

PUBLIC CK_RV
C_MessageEncryptInit(CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism,
                     CK_OBJECT_HANDLE hKey)
{
    return message_init(hSession, FUNCTION_MessageEncryptInit, CKF_MESSAGE_ENCRYPT, CKF_ENCRYPT,
                        pMechanism, hKey);
}

PUBLIC CK_RV
C_EncryptMessage(CK_SESSION_HANDLE hSession, CK_VOID_PTR pParameter, CK_ULONG ulParameterLen,
                 CK_BYTE_PTR pAssociatedData, CK_ULONG ulAssociatedDataLen,
                 CK_BYTE_PTR pPlaintext, CK_ULONG ulPlaintextLen, CK_BYTE_PTR pCiphertext,
                 CK_ULONG_PTR pulCiphertextLen)
{
    return message(hSession, FUNCTION_EncryptMessage, CKF_MESSAGE_ENCRYPT, pParameter,
                   ulParameterLen, view_of(pAssociatedData, ulAssociatedDataLen),
                   view_of(pPlaintext, ulPlaintextLen), pCiphertext, pulCiphertextLen);
}

PUBLIC CK_RV
C_MessageEncryptFinal(CK_SESSION_HANDLE hSession)
{
    return message_final(hSession, FUNCTION_MessageEncryptFinal, CKF_MESSAGE_ENCRYPT);
}

PUBLIC CK_RV
C_MessageDecryptInit(CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism,
                     CK_OBJECT_HANDLE hKey)
{
    return message_init(hSession, FUNCTION_MessageDecryptInit, CKF_MESSAGE_DECRYPT, CKF_DECRYPT,
                        pMechanism, hKey);
}

PUBLIC CK_RV
C_DecryptMessage(CK_SESSION_HANDLE hSession, CK_VOID_PTR pParameter, CK_ULONG ulParameterLen,
                 CK_BYTE_PTR pAssociatedData, CK_ULONG ulAssociatedDataLen,
                 CK_BYTE_PTR pCiphertext, CK_ULONG ulCiphertextLen, CK_BYTE_PTR pPlaintext,
                 CK_ULONG_PTR pulPlaintextLen)
{
    return message(hSession, FUNCTION_DecryptMessage, CKF_MESSAGE_DECRYPT, pParameter,
                   ulParameterLen, view_of(pAssociatedData, ulAssociatedDataLen),
                   view_of(pCiphertext, ulCiphertextLen), pPlaintext, pulPlaintextLen);
}

PUBLIC CK_RV
C_MessageDecryptFinal(CK_SESSION_HANDLE hSession)
{
    return message_final(hSession, FUNCTION_MessageDecryptFinal, CKF_MESSAGE_DECRYPT);
}
