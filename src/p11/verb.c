/* SPDX-License-Identifier: Apache-2.0
 *
 * ENCRYPT, DECRYPT, SIGN, VERIFY, SIGN_RECOVER, VERIFY_RECOVER and DIGEST.
 */
#include "p11/verb.h"

/* Each writes its request, and reads output and IV of its reply. */

static void
encrypt_ask(struct call *call, const struct task *task, view in, view signature, uint32_t max)
{
    const struct encrypt_request request = { task->mechanism, task->key.handle, max, in };

    UNUSED(signature);
    encrypt_request_write(call->body, &request);
}

static bool
encrypt_hear(view body, view *ret_data, view *ret_iv)
{
    struct encrypt_reply reply;

    if (!encrypt_reply_read(body, &reply)) {
        return false;
    }
    *ret_data = reply.data;
    *ret_iv = reply.iv;
    return true;
}

static void
decrypt_ask(struct call *call, const struct task *task, view in, view signature, uint32_t max)
{
    const struct decrypt_request request = { task->mechanism, task->key.handle, max, in };

    UNUSED(signature);
    decrypt_request_write(call->body, &request);
}

static bool
decrypt_hear(view body, view *ret_data, view *ret_iv)
{
    struct decrypt_reply reply;

    UNUSED(ret_iv);
    if (!decrypt_reply_read(body, &reply)) {
        return false;
    }
    *ret_data = reply.data;
    return true;
}

static void
sign_ask(struct call *call, const struct task *task, view in, view signature, uint32_t max)
{
    const struct sign_request request = { task->mechanism, task->key.handle, max, in };

    UNUSED(signature);
    sign_request_write(call->body, &request);
}

static bool
sign_hear(view body, view *ret_data, view *ret_iv)
{
    struct sign_reply reply;

    UNUSED(ret_iv);
    if (!sign_reply_read(body, &reply)) {
        return false;
    }
    *ret_data = reply.data;
    return true;
}

static void
verify_ask(struct call *call, const struct task *task, view in, view signature, uint32_t max)
{
    const struct verify_request request = { task->mechanism, task->key.handle, in, signature };

    UNUSED(max);
    verify_request_write(call->body, &request);
}

static bool
verify_hear(view body, view *ret_data, view *ret_iv)
{
    struct verify_reply reply;

    UNUSED(ret_data);
    UNUSED(ret_iv);
    return verify_reply_read(body, &reply);
}

static void
digest_ask(struct call *call, const struct task *task, view in, view signature, uint32_t max)
{
    const struct digest_request request = { task->mechanism, max, in };

    UNUSED(signature);
    digest_request_write(call->body, &request);
}

static bool
digest_hear(view body, view *ret_data, view *ret_iv)
{
    struct digest_reply reply;

    UNUSED(ret_iv);
    if (!digest_reply_read(body, &reply)) {
        return false;
    }
    *ret_data = reply.data;
    return true;
}

static void
sign_recover_ask(struct call *call, const struct task *task, view in, view signature, uint32_t max)
{
    const struct sign_recover_request request = { task->mechanism, task->key.handle, max, in };

    UNUSED(signature);
    sign_recover_request_write(call->body, &request);
}

static bool
sign_recover_hear(view body, view *ret_data, view *ret_iv)
{
    struct sign_recover_reply reply;

    UNUSED(ret_iv);
    if (!sign_recover_reply_read(body, &reply)) {
        return false;
    }
    *ret_data = reply.data;
    return true;
}

static void
verify_recover_ask(struct call *call, const struct task *task, view in, view signature,
                   uint32_t max)
{
    const struct verify_recover_request request = { task->mechanism, task->key.handle, max, in };

    UNUSED(signature);
    verify_recover_request_write(call->body, &request);
}

static bool
verify_recover_hear(view body, view *ret_data, view *ret_iv)
{
    struct verify_recover_reply reply;

    UNUSED(ret_iv);
    if (!verify_recover_reply_read(body, &reply)) {
        return false;
    }
    *ret_data = reply.data;
    return true;
}

static const struct verb verbs[] = {
    { CKF_ENCRYPT, OPERATION_ENCRYPT, CKR_DATA_LEN_RANGE, encrypt_ask, encrypt_hear },
    { CKF_DECRYPT, OPERATION_DECRYPT, CKR_ENCRYPTED_DATA_LEN_RANGE, decrypt_ask, decrypt_hear },
    { CKF_SIGN, OPERATION_SIGN, CKR_DATA_LEN_RANGE, sign_ask, sign_hear },
    { CKF_VERIFY, OPERATION_VERIFY, CKR_DATA_LEN_RANGE, verify_ask, verify_hear },
    { CKF_SIGN_RECOVER, OPERATION_SIGN_RECOVER, CKR_DATA_LEN_RANGE, sign_recover_ask,
      sign_recover_hear },
    { CKF_VERIFY_RECOVER, OPERATION_VERIFY_RECOVER, CKR_SIGNATURE_LEN_RANGE, verify_recover_ask,
      verify_recover_hear },
    { CKF_DIGEST, OPERATION_DIGEST, CKR_DATA_LEN_RANGE, digest_ask, digest_hear },
};

const struct verb *
verb_of(CK_FLAGS function)
{
    size_t i = 0;

    while (verbs[i].function != function) {
        i++;
    }
    return &verbs[i];
}
