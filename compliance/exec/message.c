/* SPDX-License-Identifier: Apache-2.0
 *
 * Arguments of calls on messages, and what they give back.
 */
#include "exec/message.h"
#include "ref/ref.h"

#include <string.h>

#define NONCE_LEN 12
#define FIXED_BITS 32
#define TAG_LEN 16

/* What the parameter points to: it has to stay between the calls of a message. */
static struct {
    CK_GCM_MESSAGE_PARAMS gcm;
    CK_CCM_MESSAGE_PARAMS ccm;
    CK_SALSA20_CHACHA20_POLY1305_MSG_PARAMS chacha;
    uint8_t nonce[NONCE_LEN], tag[TAG_LEN];
} place;

static const uint8_t some_aad[20] = "twenty bytes of data";

static size_t
aad_len(enum value value)
{
    return value == V_AAD_SOME ? sizeof some_aad : 0;
}

/* The associated data of the message that a call is about. */
static size_t
call_aad(const struct mstate *state, const struct step *step)
{
    return aad_len(functions[step->fn].part == PART_MNEXT ? (enum value)state->message.aad
                                                          : step_value(step, ROLE_AAD));
}

static CK_GENERATOR_FUNCTION
generator_of(enum value value)
{
    switch (value) {
    case V_MPARAM_GENERATE:
        return CKG_GENERATE;
    case V_MPARAM_RANDOM:
        return CKG_GENERATE_RANDOM;
    case V_MPARAM_COUNTER:
        return CKG_GENERATE_COUNTER;
    case V_MPARAM_XOR:
        return CKG_GENERATE_COUNTER_XOR;
    case V_MPARAM_UNKNOWN:
        return 99;
    default:
        return CKG_NO_GENERATE;
    }
}

static void
bind_gcm(bool begins, enum value value, struct bag *bag)
{
    if (begins) {
        place.gcm = (CK_GCM_MESSAGE_PARAMS){ .ulIvLen = NONCE_LEN,
                                             .ulIvFixedBits = FIXED_BITS,
                                             .ivGenerator = generator_of(value) };
    }
    place.gcm.pIv = value == V_MPARAM_NO_NONCE ? NULL : place.nonce;
    place.gcm.pTag = value == V_MPARAM_NO_TAG ? NULL : place.tag;
    place.gcm.ulTagBits = value == V_MPARAM_BITS ? 136 : 8 * TAG_LEN;
    bag->mparam = &place.gcm;
    bag->mparam_len = sizeof place.gcm;
}

/* Of messages in one piece alone. */
static void
bind_ccm(size_t len, enum value value, struct bag *bag)
{
    place.ccm = (CK_CCM_MESSAGE_PARAMS){ .ulDataLen = len,
                                         .pNonce = value == V_MPARAM_NO_NONCE ? NULL : place.nonce,
                                         .ulNonceLen = NONCE_LEN,
                                         .ulNonceFixedBits = FIXED_BITS,
                                         .nonceGenerator = generator_of(value),
                                         .pMAC = value == V_MPARAM_NO_TAG ? NULL : place.tag,
                                         .ulMACLen = TAG_LEN + (value == V_MPARAM_BITS) };
    bag->mparam = &place.ccm;
    bag->mparam_len = sizeof place.ccm;
}

static void
bind_chacha(enum value value, struct bag *bag)
{
    place.chacha = (CK_SALSA20_CHACHA20_POLY1305_MSG_PARAMS){
        .pNonce = value == V_MPARAM_NO_NONCE ? NULL : place.nonce,
        .ulNonceLen = NONCE_LEN,
        .pTag = value == V_MPARAM_NO_TAG ? NULL : place.tag,
    };
    bag->mparam = &place.chacha;
    bag->mparam_len = sizeof place.chacha;
}

/* A new message begins with the nonce of the suite; a later part has the one that it got. */
static void
bind_param(const struct work *work, const struct mstate *state, const struct step *step,
           struct bag *bag)
{
    enum value value = step_value(step, ROLE_MPARAM);
    bool begins = functions[step->fn].part != PART_MNEXT;

    if (work->kind >= KIND_DIG) {
        if (value == V_MPARAM_SIZE) {
            bag->mparam = (void *)(uintptr_t)ref_iv;
            bag->mparam_len = 5;
        }
        return;
    }
    if (begins) {
        memcpy(place.nonce, ref_iv, sizeof place.nonce);
    }
    bag->param = work->mech->param;
    if (bag->param == PARAM_GCM) {
        bind_gcm(begins, value, bag);
    } else if (bag->param == PARAM_CCM) {
        bind_ccm(message_in_len(work, state, step), value, bag);
    } else {
        bind_chacha(value, bag);
    }
    bag->mparam = value == V_MPARAM_NULL ? NULL : bag->mparam;
    bag->mparam_len -= value == V_MPARAM_SIZE;
}

/* Input from the byte `from` on: of the message, or of what it is encrypted to. */
static bool
bind_in(struct runner *runner, const struct work *work, const struct mstate *state,
        const struct step *step, struct bag *bag)
{
    size_t len = message_in_len(work, state, step);
    size_t from = functions[step->fn].part == PART_MNEXT ? state->message.fed : 0;
    enum value value = step_value(step, ROLE_IN);
    uint8_t whole[MESSAGE_ROOM], sealed[MESSAGE_ROOM];

    bag->in_len = len;
    if (value == V_IN_NULL || value == V_IN_NOTHING) {
        return true;
    }
    bag->in = guard_tail(&runner->in, len);
    for (size_t i = 0; i < sizeof whole; i++) {
        whole[i] = ref_byte(i);
    }
    if (work->kind == KIND_DEC) {
        struct work enc = { work->mech, work->key, KIND_ENC };

        if (!ref_seal_aead(&enc, ref_iv, some_aad, call_aad(state, step), whole,
                           work_message(&enc), sealed, place.tag)) {
            return false;
        }
        memset(sealed + work_message(&enc), 0, sizeof sealed - work_message(&enc));
    }
    memcpy(bag->in, (work->kind == KIND_DEC ? sealed : whole) + from, len);
    if (value == V_IN_FLIPPED && len > 0) {
        bag->in[len / 2] ^= 0x01;
    }
    if (step_value(step, ROLE_MPARAM) == V_MPARAM_FLIPPED) {
        place.tag[TAG_LEN - 1] ^= 0x01;
    }
    return true;
}

static void
bind_out(struct runner *runner, const struct work *work, const struct mstate *state,
         const struct step *step, struct bag *bag)
{
    size_t need = message_need(work, state, step);
    enum value value = step_value(step, ROLE_OUT);
    bool more = !message_ends(step) && value == V_OUT_NOLEN;

    bag->out_room = value == V_OUT_EXACT   ? need
                    : value == V_OUT_SHORT ? (need > 0 ? need - 1 : 0)
                    : value == V_OUT_ZERO || value == V_OUT_ASK ? 0
                                                                : need + 512;
    bag->out_len = value == V_OUT_NOLEN ? NULL : &bag->out_room;
    if (value != V_OUT_ASK && !(more && work->kind == KIND_SIG)) {
        bag->out = guard_tail(&runner->out, bag->out_room);
    }
}

/* The signature of all that was handed over, unless a bit of it was flipped. */
static bool
bind_sig(struct runner *runner, const struct work *work, const struct mstate *state,
         const struct step *step, struct bag *bag)
{
    static struct {
        struct work work;
        size_t len, sig_len;
        uint8_t sig[REF_MOST];
    } kept;
    size_t len = message_in_len(work, state, step) +
                 (functions[step->fn].part == PART_MNEXT ? state->message.fed : 0);
    enum value value = step_value(step, ROLE_SIG);
    uint8_t whole[MESSAGE_ROOM];

    for (size_t i = 0; i < sizeof whole; i++) {
        whole[i] = ref_byte(i);
    }
    if (kept.work.mech != work->mech || kept.work.key != work->key || kept.len != len) {
        kept.work = *work;
        kept.len = len;
        if (!ref_make(work, whole, len, kept.sig, &kept.sig_len)) {
            kept.work.mech = NULL;
            return false;
        }
    }
    bag->sig_len = value == V_SIG_SHORT   ? kept.sig_len - 1
                   : value == V_SIG_LONG  ? kept.sig_len + 1
                   : value == V_SIG_EMPTY ? 0
                                          : kept.sig_len;
    if (value == V_SIG_NULL) {
        bag->sig_len = message_ends(step) || functions[step->fn].part == PART_MONE
                           ? kept.sig_len
                           : 0;
        return true;
    }
    bag->sig = guard_tail(&runner->sig, bag->sig_len);
    memcpy(bag->sig, kept.sig, bag->sig_len < kept.sig_len ? bag->sig_len : kept.sig_len);
    if (value == V_SIG_FLIPPED) {
        bag->sig[bag->sig_len - 1] ^= 0x01;
    }
    return true;
}

bool
message_bind(struct runner *runner, const struct work *work, const struct mstate *state,
             const struct step *step, struct bag *bag)
{
    bool room = functions[step->fn].part != PART_MNEXT ||
                state->message.fed + message_in_len(work, state, step) <= MESSAGE_ROOM;

    if (!room) {
        return false;
    }
    if (has_role(step->fn, ROLE_MPARAM)) {
        bind_param(work, state, step, bag);
    }
    if (has_role(step->fn, ROLE_AAD)) {
        enum value value = step_value(step, ROLE_AAD);

        bag->aad = value == V_AAD_SOME ? (CK_BYTE *)(uintptr_t)some_aad : NULL;
        bag->aad_len = value == V_AAD_NULL ? 16 : aad_len(value);
    }
    if (has_role(step->fn, ROLE_END)) {
        bag->flags = step_value(step, ROLE_END) == V_END_LAST   ? CKF_END_OF_MESSAGE
                     : step_value(step, ROLE_END) == V_END_MORE ? 0
                                                                : 0x40000000;
    }
    if (has_role(step->fn, ROLE_IN) && !bind_in(runner, work, state, step, bag)) {
        return false;
    }
    if (has_role(step->fn, ROLE_OUT)) {
        bind_out(runner, work, state, step, bag);
    }
    return !has_role(step->fn, ROLE_SIG) || bind_sig(runner, work, state, step, bag);
}

/* ---- what comes back ---- */

static enum detail
check_cipher(const struct work *work, struct shadow *shadow, const struct mstate *state,
             const struct step *step, const struct bag *bag)
{
    struct work enc = { work->mech, work->key, KIND_ENC };
    uint8_t whole[2 * MESSAGE_ROOM], tag[TAG_LEN];
    size_t out_len = *bag->out_len, total = shadow->in_len;
    bool ends = message_ends(step);

    if (shadow->given + out_len > total || (ends && shadow->given + out_len != total)) {
        return DETAIL_LENGTH;
    }
    if (work->kind == KIND_DEC) {
        for (size_t i = 0; i < out_len; i++) {
            if (bag->out[i] != ref_byte(shadow->given + i)) {
                return state->message.flipped && !ends ? DETAIL_NONE : DETAIL_BYTES;
            }
        }
        return DETAIL_NONE;
    }
    if (!ref_seal_aead(&enc, place.nonce, some_aad, call_aad(state, step), shadow->in, total, whole,
                       tag)) {
        return DETAIL_NONE;
    }
    return memcmp(whole + shadow->given, bag->out, out_len) != 0 ||
                   (ends && memcmp(tag, place.tag, sizeof tag) != 0)
               ? DETAIL_BYTES
               : DETAIL_NONE;
}

/* PKCS #11 v3.1, 6.13.2: the fixed bits are the application's. */
static enum detail
check_nonce(const struct step *step)
{
    enum value value = step_value(step, ROLE_MPARAM);

    if (value == V_MPARAM_OK) {
        return memcmp(place.nonce, ref_iv, NONCE_LEN) == 0 ? DETAIL_NONE : DETAIL_BYTES;
    }
    return memcmp(place.nonce, ref_iv, FIXED_BITS / 8) == 0 ? DETAIL_NONE : DETAIL_BYTES;
}

enum detail
message_check(struct runner *runner, const struct work *work, const struct mstate *state,
              const struct step *step, const struct bag *bag, CK_RV rv)
{
    struct shadow *shadow = &runner->shadow[0][work->kind];
    enum part part = functions[step->fn].part;
    bool asks = bag->out_len != NULL && bag->out == NULL;
    enum detail detail = DETAIL_NONE;

    if (bag->out != NULL && !guard_intact(&runner->out, (size_t)(runner->out.end - bag->out))) {
        return DETAIL_BEFORE;
    }
    if (part == PART_MINIT || part == PART_MFINAL) {
        return DETAIL_NONE;
    }
    if ((rv == CKR_OK && asks) || (rv == CKR_BUFFER_TOO_SMALL && bag->out_len != NULL)) {
        return *bag->out_len < message_need(work, state, step) ? DETAIL_TOLD : DETAIL_NONE;
    }
    if (rv != CKR_OK) {
        return DETAIL_NONE;
    }
    if (part != PART_MNEXT) {
        shadow->in_len = shadow->given = 0;
        if (work->kind == KIND_ENC && check_nonce(step) != DETAIL_NONE) {
            return DETAIL_BYTES;
        }
    }
    if (part == PART_MBEGIN) {
        return DETAIL_NONE;
    }
    if (bag->in != NULL && shadow->in_len + bag->in_len <= sizeof shadow->in) {
        memcpy(shadow->in + shadow->in_len, bag->in, bag->in_len);
        shadow->in_len += bag->in_len;
    }
    if (bag->out == NULL || bag->out_len == NULL) {
        return DETAIL_NONE;
    }
    if (work->kind < KIND_DIG) {
        detail = check_cipher(work, shadow, state, step, bag);
        shadow->given += *bag->out_len;
    } else if (*bag->out_len != work_total(work, shadow->in_len)) {
        detail = DETAIL_LENGTH;
    } else if (!ref_check(work, shadow->in, shadow->in_len, bag->out, *bag->out_len)) {
        detail = DETAIL_BYTES;
    }
    return detail;
}
