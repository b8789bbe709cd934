/* SPDX-License-Identifier: Apache-2.0
 *
 * C_GenerateRandom and C_SeedRandom.
 */
#include "base/secret.h"
#include "p11/session.h"
#include "p11/trip.h"

#include <string.h>

/* A range that the address space cannot hold is no caller's buffer. */
#define LEN_MAX (SIZE_MAX / 4)

static CK_RV
random_part(struct session *session, uint8_t *out, size_t len)
{
    const struct random_request request = { .len = (uint32_t)len };
    struct random_reply reply;
    struct call call;
    CK_RV rv;

    if ((rv = trip_begin(session->library, &call)) != CKR_OK) {
        goto out;
    }
    random_request_write(call.body, &request);
    if ((rv = trip_send(session->library, session, &call, OPERATION_RANDOM)) != CKR_OK) {
        goto out;
    }
    if (!random_reply_read(call.reply, &reply) || reply.data.len != len) {
        rv = CKR_DEVICE_ERROR;
        goto out;
    }
    memcpy(out, reply.data.data, len);
out:
    call_end(&call);
    return rv;
}

static CK_RV
seed_part(struct session *session, uint8_t *seed, size_t len)
{
    const struct seed_request request = { .data = view_of(seed, len) };
    struct call call;
    CK_RV rv = trip_begin(session->library, &call);

    if (rv == CKR_OK) {
        seed_request_write(call.body, &request);
        rv = trip_send(session->library, session, &call, OPERATION_SEED);
    }
    call_end(&call);
    return rv;
}

/* In frames; and asked first whether one may. */
static CK_RV
in_parts(struct session *session, uint8_t *data, size_t len,
         CK_RV (*part)(struct session *session, uint8_t *data, size_t len))
{
    struct rules rules;
    CK_RV rv = library_rules(session->library, &rules);

    if (rv != CKR_OK) {
        return rv;
    }
    if (rules_switch_on(rules, SWITCH_login_before_digest) && !session_is_user(session)) {
        return CKR_USER_NOT_LOGGED_IN;
    }
    for (size_t at = 0; at < len && rv == CKR_OK; at += FRAME_DATA_MAX) {
        rv = part(session, data + at, size_min(len - at, FRAME_DATA_MAX));
    }
    return rv;
}

PUBLIC CK_RV
C_GenerateRandom(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pRandomData, CK_ULONG ulRandomLen)
{
    struct session *session;
    CK_RV rv = session_begin(hSession, &session);

    if (rv != CKR_OK) {
        return rv;
    }
    if ((pRandomData == NULL && ulRandomLen > 0) || ulRandomLen > LEN_MAX) {
        rv = CKR_ARGUMENTS_BAD;
    } else {
        rv = in_parts(session, pRandomData, ulRandomLen, random_part);
        if (rv != CKR_OK && ulRandomLen > 0) {
            wipe(pRandomData, ulRandomLen); /* half of it must not pass for all */
        }
    }
    session_end(session);
    return rv;
}

PUBLIC CK_RV
C_SeedRandom(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pSeed, CK_ULONG ulSeedLen)
{
    struct session *session;
    CK_RV rv = session_begin(hSession, &session);

    if (rv != CKR_OK) {
        return rv;
    }
    if ((pSeed == NULL && ulSeedLen > 0) || ulSeedLen > LEN_MAX) {
        rv = CKR_ARGUMENTS_BAD;
    } else {
        rv = in_parts(session, pSeed, ulSeedLen, seed_part);
    }
    session_end(session);
    return rv;
}
