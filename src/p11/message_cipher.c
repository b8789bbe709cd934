/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages of AEADs (PKCS #11 v3.1, 5.9 and 5.11): the key is chosen once, nonce and tag come
 * and go with each message. To the HSM each is an ordinary operation. Ciphertext that comes in
 * parts waits here for its tag: no plaintext is returned before the last part.
 */
#include "p11/message.h"
#include "p11/message_params.h"
#include "p11/stream.h"

#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

#define TAG_MAX 16u
#define MESSAGE_MAX (((size_t)1 << 30) - TAG_MAX) /* as of any AEAD here */

/* One call; what a row of calls[] does not say. */
struct cipher_call {
    struct message m;
    struct message_params params;
    view aad;
    view in;
    uint8_t *out;
    CK_ULONG *out_len;
};

static bool
encrypts(const struct cipher_call *c)
{
    return c->m.process->function == CKF_MESSAGE_ENCRYPT;
}

static CK_RV
too_long(const struct cipher_call *c)
{
    return encrypts(c) ? CKR_DATA_LEN_RANGE : CKR_ENCRYPTED_DATA_LEN_RANGE;
}

static size_t
tag_len(const struct cipher_call *c)
{
    return params_tag_len(&c->m.part->mechanism);
}

static bool
range_is_given(view bytes)
{
    return bytes.data != NULL || bytes.len == 0;
}

/* ---- the beginning ---- */

/* Parameter and nonce; the message has a copy of both. */
static CK_RV
cipher_begin(struct cipher_call *c, const void *parameter, CK_ULONG len)
{
    struct task *part = c->m.part;
    uint8_t nonce[NONCE_MAX];
    struct mechanism mechanism;
    struct rules rules;
    CK_RV rv = library_rules(c->m.session->library, &rules);

    if (rv != CKR_OK || (rv = message_params_read(part->row->params, encrypts(c), parameter, len,
                                                  &c->params)) != CKR_OK) {
        return rv;
    }
    mechanism = message_params_mechanism(part->row, &c->params, c->params.nonce, c->aad);
    if ((rv = params_check(rules, part->row, part->function, &part->key, &mechanism)) != CKR_OK ||
        (rv = nonce_make(c->m.session, &c->m.process->nonces, &c->params, nonce)) != CKR_OK) {
        return rv;
    }
    mechanism = message_params_mechanism(part->row, &c->params, nonce, c->aad);
    return task_keep(part, &mechanism);
}

/* The nonce is the application's when it was generated. */
static void
nonce_give(const struct cipher_call *c)
{
    view nonce = message_params_nonce(&c->m.part->mechanism);

    if (c->params.generator != CKG_NO_GENERATE) {
        memcpy(c->params.nonce, nonce.data, nonce.len);
    }
}

/* ---- whole messages, or what is as good as whole ---- */

/* Ciphertext and tag come as one. */
static CK_RV
encrypt_whole(struct cipher_call *c)
{
    size_t size = c->in.len + tag_len(c);
    uint8_t *room = malloc(size);
    struct sink sink = { .out = room, .size = size };
    CK_RV rv;

    if (room == NULL) {
        return CKR_HOST_MEMORY;
    }
    rv = stream_whole(c->m.session, c->m.part, c->in, VIEW_EMPTY, &sink);
    if (rv == CKR_OK && sink.total != size) {
        rv = CKR_DEVICE_ERROR;
    }
    if (rv == CKR_OK) {
        if (c->in.len > 0) {
            memcpy(c->out, room, c->in.len);
        }
        memcpy(c->params.tag, room + c->in.len, tag_len(c));
        *c->out_len = c->in.len;
    }
    free(room);
    return rv;
}

/* What came before, the input, and the tag. */
static CK_RV
decrypt_whole(struct cipher_call *c)
{
    struct writer *gathered = &c->m.part->gathered;
    struct sink sink = { .out = c->out, .size = *c->out_len };
    CK_RV rv;

    write_raw(gathered, c->in);
    write_raw(gathered, view_of(c->params.tag, tag_len(c)));
    if (!writer_ok(gathered)) {
        return CKR_HOST_MEMORY;
    }
    rv = stream_whole(c->m.session, c->m.part, writer_view(gathered), VIEW_EMPTY, &sink);
    if (rv == CKR_OK) {
        *c->out_len = sink.total;
    }
    return rv == CKR_ENCRYPTED_DATA_INVALID ? CKR_AEAD_DECRYPT_FAILED : rv;
}

/* PKCS #11 v3.1, 5.2. True when a length is all that the caller gets, with *ret_rv. */
static bool
length_answered(const struct cipher_call *c, size_t need, CK_RV *ret_rv)
{
    if (c->out != NULL && *c->out_len >= need) {
        return false;
    }
    *c->out_len = need;
    *ret_rv = c->out == NULL ? CKR_OK : CKR_BUFFER_TOO_SMALL;
    return true;
}

static CK_RV
whole(CK_SESSION_HANDLE handle, enum rules_function called, CK_FLAGS function,
      const void *parameter, CK_ULONG parameter_len, struct cipher_call *c)
{
    enum message_end end = MESSAGE_OVER;
    CK_RV rv = message_enter(handle, called, function, MESSAGE_WHOLE, &c->m);

    if (rv != CKR_OK) {
        return rv;
    }
    if (c->out_len == NULL || !range_is_given(c->in) || !range_is_given(c->aad)) {
        rv = CKR_ARGUMENTS_BAD;
    } else if (c->in.len > MESSAGE_MAX || c->aad.len > FRAME_DATA_MAX) {
        rv = too_long(c);
    } else if (length_answered(c, c->in.len, &rv)) {
        end = MESSAGE_ASKED;
    } else if ((rv = cipher_begin(c, parameter, parameter_len)) == CKR_OK) {
        rv = encrypts(c) ? encrypt_whole(c) : decrypt_whole(c);
        if (rv == CKR_OK) {
            nonce_give(c);
        }
    }
    return message_leave(&c->m, MESSAGE_WHOLE, end, rv);
}

/* ---- messages in parts ---- */

static CK_RV
begin(CK_SESSION_HANDLE handle, enum rules_function called, CK_FLAGS function,
      const void *parameter, CK_ULONG parameter_len, view aad)
{
    struct cipher_call c = { .aad = aad };
    CK_RV rv = message_enter(handle, called, function, MESSAGE_BEGIN, &c.m);

    if (rv != CKR_OK) {
        return rv;
    }
    if (!range_is_given(aad)) {
        rv = CKR_ARGUMENTS_BAD;
    } else if (aad.len > FRAME_DATA_MAX) {
        rv = CKR_MECHANISM_PARAM_INVALID;
    } else {
        rv = cipher_begin(&c, parameter, parameter_len);
    }
    if (rv == CKR_OK) {
        nonce_give(&c);
    }
    return message_leave(&c.m, MESSAGE_BEGIN, rv == CKR_OK ? MESSAGE_OPEN : MESSAGE_OVER, rv);
}

/* The last part says where the tag is. It has the length that it had at the beginning. */
static CK_RV
tag_find(struct cipher_call *c, const void *parameter, CK_ULONG len)
{
    CK_RV rv = message_params_read(c->m.part->row->params, encrypts(c), parameter, len, &c->params);

    return rv == CKR_OK && c->params.tag_len != tag_len(c) ? CKR_MECHANISM_PARAM_INVALID : rv;
}

/* The tag of a message that the HSM has. */
static CK_RV
tag_make(struct cipher_call *c)
{
    uint8_t tag[TAG_MAX];
    struct sink sink = { .out = tag, .size = sizeof tag };
    CK_RV rv = stream_final(c->m.session, c->m.part, VIEW_EMPTY, &sink);

    if (rv == CKR_OK && sink.total != tag_len(c)) {
        rv = CKR_DEVICE_ERROR;
    }
    if (rv == CKR_OK) {
        memcpy(c->params.tag, tag, sink.total);
    }
    return rv;
}

static CK_RV
encrypt_part(struct cipher_call *c, bool last)
{
    struct task *part = c->m.part;
    struct sink sink = { .out = c->out, .size = *c->out_len };
    CK_RV rv = CKR_OK;

    if (last && !part->bound) {
        return encrypt_whole(c); /* nothing has left yet */
    }
    if (c->in.len > 0) {
        rv = stream_part(c->m.session, part, c->in, &sink);
    }
    if (rv == CKR_OK && sink.total != c->in.len) {
        rv = CKR_DEVICE_ERROR;
    }
    if (rv == CKR_OK && last) {
        rv = tag_make(c);
    }
    if (rv != CKR_OK) {
        wipe(c->out, size_min(sink.total, sink.size));
        return rv;
    }
    part->fed += c->in.len;
    *c->out_len = sink.total;
    return CKR_OK;
}

static CK_RV
decrypt_part(struct cipher_call *c, bool last)
{
    struct task *part = c->m.part;

    if (last) {
        return decrypt_whole(c);
    }
    write_raw(&part->gathered, c->in);
    part->fed += c->in.len;
    *c->out_len = 0;
    return writer_ok(&part->gathered) ? CKR_OK : CKR_HOST_MEMORY;
}

static CK_RV
next(CK_SESSION_HANDLE handle, enum rules_function called, CK_FLAGS function, const void *parameter,
     CK_ULONG parameter_len, CK_FLAGS flags, struct cipher_call *c)
{
    const bool last = flags == CKF_END_OF_MESSAGE;
    enum message_end end = MESSAGE_OVER;
    size_t need;
    CK_RV rv = message_enter(handle, called, function, MESSAGE_NEXT, &c->m);

    if (rv != CKR_OK) {
        return rv;
    }
    if (c->out_len == NULL || !range_is_given(c->in) || (flags != 0 && !last)) {
        rv = CKR_ARGUMENTS_BAD;
        goto out;
    }
    if (c->in.len > MESSAGE_MAX - c->m.part->fed) {
        rv = too_long(c);
        goto out;
    }
    need = encrypts(c) ? c->in.len : last ? (size_t)c->m.part->fed + c->in.len : 0;
    if (length_answered(c, need, &rv)) {
        end = MESSAGE_ASKED;
        goto out;
    }
    if (!last || (rv = tag_find(c, parameter, parameter_len)) == CKR_OK) {
        rv = encrypts(c) ? encrypt_part(c, last) : decrypt_part(c, last);
    }
    end = rv == CKR_OK && !last ? MESSAGE_OPEN : MESSAGE_OVER;
out:
    return message_leave(&c->m, MESSAGE_NEXT, end, rv);
}

/* ---- the calls ---- */

PUBLIC CK_RV
C_MessageEncryptInit(CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism, CK_OBJECT_HANDLE hKey)
{
    return message_init(hSession, FUNCTION_MessageEncryptInit, CKF_MESSAGE_ENCRYPT, pMechanism,
                        hKey);
}

PUBLIC CK_RV
C_EncryptMessage(CK_SESSION_HANDLE hSession, CK_VOID_PTR pParameter, CK_ULONG ulParameterLen,
                 CK_BYTE_PTR pAssociatedData, CK_ULONG ulAssociatedDataLen, CK_BYTE_PTR pPlaintext,
                 CK_ULONG ulPlaintextLen, CK_BYTE_PTR pCiphertext, CK_ULONG_PTR pulCiphertextLen)
{
    struct cipher_call c = { .aad = view_of(pAssociatedData, ulAssociatedDataLen),
                             .in = view_of(pPlaintext, ulPlaintextLen),
                             .out = pCiphertext,
                             .out_len = pulCiphertextLen };

    return whole(hSession, FUNCTION_EncryptMessage, CKF_MESSAGE_ENCRYPT, pParameter, ulParameterLen,
                 &c);
}

PUBLIC CK_RV
C_EncryptMessageBegin(CK_SESSION_HANDLE hSession, CK_VOID_PTR pParameter, CK_ULONG ulParameterLen,
                      CK_BYTE_PTR pAssociatedData, CK_ULONG ulAssociatedDataLen)
{
    return begin(hSession, FUNCTION_EncryptMessageBegin, CKF_MESSAGE_ENCRYPT, pParameter,
                 ulParameterLen, view_of(pAssociatedData, ulAssociatedDataLen));
}

PUBLIC CK_RV
C_EncryptMessageNext(CK_SESSION_HANDLE hSession, CK_VOID_PTR pParameter, CK_ULONG ulParameterLen,
                     CK_BYTE_PTR pPlaintextPart, CK_ULONG ulPlaintextPartLen,
                     CK_BYTE_PTR pCiphertextPart, CK_ULONG_PTR pulCiphertextPartLen, CK_FLAGS flags)
{
    struct cipher_call c = { .in = view_of(pPlaintextPart, ulPlaintextPartLen),
                             .out = pCiphertextPart,
                             .out_len = pulCiphertextPartLen };

    return next(hSession, FUNCTION_EncryptMessageNext, CKF_MESSAGE_ENCRYPT, pParameter,
                ulParameterLen, flags, &c);
}

PUBLIC CK_RV
C_MessageEncryptFinal(CK_SESSION_HANDLE hSession)
{
    return message_final(hSession, FUNCTION_MessageEncryptFinal, CKF_MESSAGE_ENCRYPT);
}

PUBLIC CK_RV
C_MessageDecryptInit(CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism, CK_OBJECT_HANDLE hKey)
{
    return message_init(hSession, FUNCTION_MessageDecryptInit, CKF_MESSAGE_DECRYPT, pMechanism,
                        hKey);
}

PUBLIC CK_RV
C_DecryptMessage(CK_SESSION_HANDLE hSession, CK_VOID_PTR pParameter, CK_ULONG ulParameterLen,
                 CK_BYTE_PTR pAssociatedData, CK_ULONG ulAssociatedDataLen, CK_BYTE_PTR pCiphertext,
                 CK_ULONG ulCiphertextLen, CK_BYTE_PTR pPlaintext, CK_ULONG_PTR pulPlaintextLen)
{
    struct cipher_call c = { .aad = view_of(pAssociatedData, ulAssociatedDataLen),
                             .in = view_of(pCiphertext, ulCiphertextLen),
                             .out = pPlaintext,
                             .out_len = pulPlaintextLen };

    return whole(hSession, FUNCTION_DecryptMessage, CKF_MESSAGE_DECRYPT, pParameter, ulParameterLen,
                 &c);
}

PUBLIC CK_RV
C_DecryptMessageBegin(CK_SESSION_HANDLE hSession, CK_VOID_PTR pParameter, CK_ULONG ulParameterLen,
                      CK_BYTE_PTR pAssociatedData, CK_ULONG ulAssociatedDataLen)
{
    return begin(hSession, FUNCTION_DecryptMessageBegin, CKF_MESSAGE_DECRYPT, pParameter,
                 ulParameterLen, view_of(pAssociatedData, ulAssociatedDataLen));
}

PUBLIC CK_RV
C_DecryptMessageNext(CK_SESSION_HANDLE hSession, CK_VOID_PTR pParameter, CK_ULONG ulParameterLen,
                     CK_BYTE_PTR pCiphertextPart, CK_ULONG ulCiphertextPartLen,
                     CK_BYTE_PTR pPlaintextPart, CK_ULONG_PTR pulPlaintextPartLen, CK_FLAGS flags)
{
    struct cipher_call c = { .in = view_of(pCiphertextPart, ulCiphertextPartLen),
                             .out = pPlaintextPart,
                             .out_len = pulPlaintextPartLen };

    return next(hSession, FUNCTION_DecryptMessageNext, CKF_MESSAGE_DECRYPT, pParameter,
                ulParameterLen, flags, &c);
}

PUBLIC CK_RV
C_MessageDecryptFinal(CK_SESSION_HANDLE hSession)
{
    return message_final(hSession, FUNCTION_MessageDecryptFinal, CKF_MESSAGE_DECRYPT);
}
