/* SPDX-License-Identifier: Apache-2.0
 *
 * The generators of the standard.
 */
#include "p11/nonce.h"

#include "p11/message_params.h"
#include "p11/session.h"
#include "p11/trip.h"

#include <string.h>

/* At least 64 bits have to be drawn: fewer would soon be the same again. */
#define DRAWN_BITS_MIN 64u

/* Bit i of the nonce, from its first on. */
static uint8_t
bit_mask(size_t i)
{
    return (uint8_t)(0x80u >> i % 8);
}

/* Bits after the fixed ones, drawn by the HSM. */
static CK_RV
draw(struct session *session, const struct message_params *params, uint8_t *nonce)
{
    const struct random_request request = { .len = (uint32_t)params->nonce_len };
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
    if (!random_reply_read(call.reply, &reply) || reply.data.len != params->nonce_len) {
        rv = CKR_DEVICE_ERROR;
        goto out;
    }
    for (size_t i = params->fixed_bits; i < 8 * params->nonce_len; i++) {
        nonce[i / 8] = (uint8_t)((nonce[i / 8] & ~bit_mask(i)) |
                                 (reply.data.data[i / 8] & bit_mask(i)));
    }
out:
    call_end(&call);
    return rv;
}

/* Are both the same in their first bits? */
static bool
bits_equal(const uint8_t *a, const uint8_t *b, size_t bits)
{
    bool same = memcmp(a, b, bits / 8) == 0;

    for (size_t i = bits - bits % 8; i < bits; i++) {
        same = same && ((a[i / 8] ^ b[i / 8]) & bit_mask(i)) == 0;
    }
    return same;
}

/*
 * The first message says what is counted, and the others the same: what is written over the
 * counter does not matter, what it is added to does.
 */
static bool
counter_fits(struct nonces *nonces, const struct message_params *params)
{
    bool adds = params->generator == CKG_GENERATE_COUNTER_XOR;

    if (!nonces->counts) {
        nonces->counts = true;
        nonces->generator = params->generator;
        nonces->fixed_bits = params->fixed_bits;
        nonces->len = params->nonce_len;
        memcpy(nonces->base, params->nonce, params->nonce_len);
        return true;
    }
    return nonces->generator == params->generator && nonces->fixed_bits == params->fixed_bits &&
           nonces->len == params->nonce_len &&
           bits_equal(nonces->base, params->nonce,
                      adds ? 8 * params->nonce_len : params->fixed_bits);
}

static CK_RV
count(struct nonces *nonces, const struct message_params *params, uint8_t *nonce)
{
    size_t bits = 8 * params->nonce_len - params->fixed_bits;

    if (!counter_fits(nonces, params) || (bits < 64 && nonces->next >> bits != 0) ||
        nonces->next == UINT64_MAX) {
        return CKR_MECHANISM_PARAM_INVALID;
    }
    for (size_t k = 0; k < bits; k++) {
        size_t i = 8 * params->nonce_len - 1 - k;
        bool set = k < 64 && (nonces->next >> k & 1) != 0;

        if (params->generator == CKG_GENERATE_COUNTER) {
            nonce[i / 8] &= (uint8_t)~bit_mask(i);
        }
        nonce[i / 8] ^= set ? bit_mask(i) : 0;
    }
    nonces->next++;
    return CKR_OK;
}

CK_RV
nonce_make(struct session *session, struct nonces *nonces, const struct message_params *params,
           uint8_t out[NONCE_MAX])
{
    size_t free_bits;

    memcpy(out, params->nonce, params->nonce_len);
    if (params->generator == CKG_NO_GENERATE) {
        return CKR_OK;
    }
    if (params->fixed_bits >= 8 * params->nonce_len) {
        return CKR_MECHANISM_PARAM_INVALID;
    }
    free_bits = 8 * params->nonce_len - params->fixed_bits;
    switch (params->generator) {
    case CKG_GENERATE:
    case CKG_GENERATE_RANDOM:
        return free_bits < DRAWN_BITS_MIN ? CKR_MECHANISM_PARAM_INVALID
                                          : draw(session, params, out);
    case CKG_GENERATE_COUNTER:
    case CKG_GENERATE_COUNTER_XOR:
        return count(nonces, params, out);
    default:
        return CKR_MECHANISM_PARAM_INVALID;
    }
}
