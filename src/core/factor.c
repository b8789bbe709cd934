/* SPDX-License-Identifier: Apache-2.0
 *
 * Challenges for second factors, and their answers.
 */
#include "core/factor.h"

#include "core/release.h"
#include "crypto/algo.h"
#include "crypto/cert.h"

#include <string.h>

#define TEXT_ROOM 256u
#define FACTOR_RELEASE 2u /* the first that reads it in a user's record */

static const view magic = VIEW_TEXT("OCHF");

/* The DER of a key of RSA begins so: SEQUENCE, SEQUENCE { rsaEncryption, NULL }. */
static const uint8_t rsa_begin[] = { 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                     0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00 };
#define RSA_BEGIN_AT 4u

/* What is signed: all that the challenge is bound to. */
static bool
challenge_text(const struct request *r, const struct context_challenge *challenge,
               struct writer *out)
{
    write_raw(out, magic);
    write_raw(out, view_of(r->context->id, FRAME_CONTEXT_LEN));
    write_bytes(out, view_str(r->hsm->node));
    write_u32(out, challenge->purpose);
    write_u32(out, challenge->role);
    write_bytes(out, view_str(challenge->name));
    write_u64(out, challenge->until);
    write_raw(out, view_of(challenge->nonce, sizeof challenge->nonce));
    return writer_ok(out);
}

CK_RV
handle_FACTOR_CHALLENGE(struct request *r)
{
    struct hsm *hsm = r->hsm;
    struct factor_challenge_request m;
    struct context_challenge challenge = { .purpose = 0 };
    uint8_t room[TEXT_ROOM];
    uint8_t digest[CHALLENGE_DIGEST_LEN];
    struct writer text;

    if (!factor_challenge_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    if (m.purpose != CHALLENGE_LOGIN && m.purpose != CHALLENGE_KEY) {
        return CKR_ARGUMENTS_BAD;
    }
    challenge.purpose = m.purpose;
    challenge.role = m.role;
    challenge.until = hsm_time(hsm) + CHALLENGE_LIFE_MS;
    /* Whoever it is: also for one who is not there, so that this tells nothing. */
    if (user_name_valid(m.name)) {
        memcpy(challenge.name, m.name.data, m.name.len);
    }
    writer_init_fixed(&text, room, sizeof room);
    if (!hsm->ports.entropy->fill(hsm->ports.entropy, challenge.nonce, sizeof challenge.nonce) ||
        !challenge_text(r, &challenge, &text) || !algo_sha256(writer_view(&text), digest)) {
        return CKR_FUNCTION_FAILED;
    }
    context_put_challenge(r->context, &challenge);

    const struct factor_challenge_reply answer = { view_str(hsm->node),
                                                   view_of(digest, sizeof digest) };

    factor_challenge_reply_write(r->reply, &answer);
    return CKR_OK;
}

CK_RV
factor_check(struct request *r, const struct context_challenge *challenge, uint32_t purpose,
             uint32_t role, view name, const struct factor *factor, view signature)
{
    uint8_t room[TEXT_ROOM];
    struct writer text;

    if (challenge->purpose != purpose || challenge->role != role ||
        challenge->until <= hsm_time(r->hsm) || factor->len == 0 || name.len == 0 ||
        !view_equal(view_str(challenge->name), name)) {
        return CKR_SIGNATURE_INVALID;
    }
    writer_init_fixed(&text, room, sizeof room);
    return challenge_text(r, challenge, &text)
               ? cert_verify(view_of(factor->der, factor->len), writer_view(&text), signature)
               : CKR_SIGNATURE_INVALID;
}

/* The public key, if it is RSA of 2048 bits. */
static CK_RV
factor_read(view pem, struct factor *ret_factor)
{
    struct factor factor = { .len = 0 };
    struct writer der;

    writer_init(&der, CERT_PEM_MAX);

    CK_RV rv = cert_public_key(pem, &der);
    view key = writer_view(&der);

    if (rv == CKR_OK && (key.len > sizeof factor.der || key.len < RSA_BEGIN_AT + sizeof rsa_begin ||
                         memcmp(key.data + RSA_BEGIN_AT, rsa_begin, sizeof rsa_begin) != 0)) {
        rv = CODE_CERT_BAD;
    }
    if (rv == CKR_OK) {
        factor.len = (uint32_t)key.len;
        memcpy(factor.der, key.data, key.len);
        *ret_factor = factor;
    }
    writer_clear(&der);
    return rv;
}

CK_RV
factor_accept(struct request *r, const struct context_challenge *challenge, uint32_t role,
              view name, const struct factor_proof *proof, struct factor *ret_factor)
{
    struct factor factor;
    CK_RV rv;

    if (hsm_release(r->hsm) < FACTOR_RELEASE) {
        return CKR_FUNCTION_NOT_SUPPORTED;
    }
    if (role != ROLE_CO && role != ROLE_PRECO) {
        return CKR_USER_TYPE_INVALID;
    }
    if ((rv = factor_read(proof->key, &factor)) != CKR_OK ||
        (rv = factor_check(r, challenge, CHALLENGE_KEY, role, name, &factor, proof->signature)) !=
            CKR_OK) {
        return rv;
    }
    *ret_factor = factor;
    return CKR_OK;
}
