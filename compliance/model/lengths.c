/* SPDX-License-Identifier: Apache-2.0
 *
 * How long messages, ciphertexts and signatures of a test are (PKCS #11 v3.1, 6, and the
 * documents that it cites).
 */
#include "model/model.h"

#define MESSAGE 64
#define SHORT_MESSAGE 32
#define BIG 300
#define TAG 16

bool
mech_has_tag(const struct mech_row *mech)
{
    return mech->cipher == CIPHER_AEAD || mech->cipher == CIPHER_CCM;
}

struct work
object_work(const struct object *object, enum kind kind)
{
    struct work work = { .kind = kind };

    if (kind < KINDS && object->mech[kind] != NO_MECH) {
        work.mech = &mechanisms[object->mech[kind]];
        work.key = &keys[object->key[kind]];
    }
    return work;
}

static bool
is_signing(enum kind kind)
{
    return kind == KIND_SIG || kind == KIND_VER || kind == KIND_SGR || kind == KIND_VFR;
}

size_t
work_message(const struct work *work)
{
    if (work->mech == NULL) {
        return MESSAGE;
    }
    if (is_signing(work->kind)) {
        switch (work->mech->signer) {
        case SIGNER_RSA0:
            return work->key->bytes;
        case SIGNER_PSS:
            return work->mech->size;
        case SIGNER_RSA1:
        case SIGNER_ECDSA:
            return SHORT_MESSAGE;
        default:
            return MESSAGE;
        }
    }
    switch (work->mech->cipher) {
    case CIPHER_RSA0:
        return work->key->bytes;
    case CIPHER_RSA1:
    case CIPHER_OAEP:
        return SHORT_MESSAGE;
    default:
        return MESSAGE;
    }
}

static size_t
encrypted(const struct work *work, size_t len)
{
    size_t block = work->mech->size;

    switch (work->mech->cipher) {
    case CIPHER_PAD:
        return (len / block + 1) * block;
    case CIPHER_AEAD:
    case CIPHER_CCM:
        return len + TAG;
    case CIPHER_RSA0:
    case CIPHER_RSA1:
    case CIPHER_OAEP:
        return work->key->bytes;
    default:
        return len;
    }
}

static size_t
decrypted(const struct work *work, size_t len)
{
    size_t block = work->mech->size;

    switch (work->mech->cipher) {
    case CIPHER_PAD:
        /* Only the whole message ends in padding; of anything else there is no result. */
        return len == encrypted(work, MESSAGE) ? MESSAGE : len / block * block;
    case CIPHER_AEAD:
    case CIPHER_CCM:
        return len > TAG ? len - TAG : 0;
    case CIPHER_RSA0:
        return work->key->bytes;
    case CIPHER_RSA1:
    case CIPHER_OAEP:
        return SHORT_MESSAGE;
    default:
        return len;
    }
}

static size_t
signed_len(const struct work *work)
{
    switch (work->mech->signer) {
    case SIGNER_HMAC:
    case SIGNER_CMAC:
        return work->mech->size;
    case SIGNER_ECDSA:
    case SIGNER_ECDSAH:
        return 2 * work->key->bytes;
    default:
        return work->key->bytes;
    }
}

size_t
work_input(const struct work *work)
{
    size_t len = work_message(work);

    return work->kind == KIND_DEC && work->mech != NULL ? encrypted(work, len) : len;
}

size_t
work_total(const struct work *work, size_t len)
{
    if (work->mech == NULL) {
        return 0;
    }
    switch (work->kind) {
    case KIND_ENC:
        return encrypted(work, len);
    case KIND_DEC:
        return decrypted(work, len);
    case KIND_DIG:
        return work->mech->size;
    case KIND_SIG:
    case KIND_VER:
    case KIND_SGR:
        return signed_len(work);
    case KIND_VFR:
        return work_message(work);
    default:
        return 0;
    }
}

size_t
work_given(const struct work *work, size_t len)
{
    size_t block = work->mech != NULL ? work->mech->size : 1;

    if (work->mech == NULL || (work->kind != KIND_ENC && work->kind != KIND_DEC)) {
        return 0;
    }
    switch (work->mech->cipher) {
    case CIPHER_BLOCK:
        return len / block * block;
    case CIPHER_PAD:
        /* Decryption keeps a block back: it may be the one with the padding. */
        if (work->kind == KIND_DEC && len > 0 && len % block == 0) {
            return len - block;
        }
        return len / block * block;
    case CIPHER_STREAM:
        return len;
    case CIPHER_AEAD:
        /* No plaintext leaves before the tag was checked. */
        return work->kind == KIND_ENC ? len : 0;
    default:
        return 0;
    }
}

size_t
step_in_len(const struct work *work, const struct mstate *state, const struct step *step)
{
    int s = step_session(step);
    size_t whole = work_input(work), fed = 0;
    bool rsa = work->mech != NULL && work->mech->family == FAMILY_RSA;

    if (s >= 0 && functions[step->fn].part == PART_UPDATE) {
        fed = state->session[s].op[work->kind].fed;
    }
    switch (step_value(step, ROLE_IN)) {
    case V_IN_MESSAGE:
    case V_IN_FLIPPED:
        return fed < whole ? whole - fed : 0;
    case V_IN_ONE:
        return 1;
    case V_IN_LESS:
        return 15;
    case V_IN_BLOCK:
    case V_IN_NULL:
        return 16;
    case V_IN_MORE:
        return 17;
    case V_IN_BIG:
        return rsa && !work->mech->parts ? work->key->bytes + 1 : BIG;
    default:
        return 0;
    }
}

size_t
step_need(const struct work *work, const struct mstate *state, const struct step *step)
{
    int s = step_session(step);
    size_t fed = s >= 0 ? state->session[s].op[work->kind].fed : 0;
    size_t len = step_in_len(work, state, step);

    switch (functions[step->fn].part) {
    case PART_ONE:
        return work_total(work, len);
    case PART_UPDATE:
        return work_given(work, fed + len) - work_given(work, fed);
    case PART_FINAL:
        return work_total(work, fed) > work_given(work, fed)
                   ? work_total(work, fed) - work_given(work, fed)
                   : 0;
    default:
        return 0;
    }
}
