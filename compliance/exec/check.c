/* SPDX-License-Identifier: Apache-2.0
 *
 * What calls give back, against the model's lengths and the reference's bytes.
 */
#include "exec/message.h"
#include "ref/ref.h"

#include <string.h>

static bool
is_cipher(enum kind kind)
{
    return kind == KIND_ENC || kind == KIND_DEC;
}

/* Output of a part: the bytes of the whole that come next. */
static enum detail
check_part(const struct work *work, struct shadow *shadow, const struct bag *bag, bool last)
{
    uint8_t whole[REF_MOST];
    size_t whole_len, out_len = *bag->out_len;

    if (!ref_output(work, shadow->in, shadow->in_len, last, whole, &whole_len)) {
        return DETAIL_NONE;     /* libcrypto cannot tell */
    }
    if (last && work->kind == KIND_DEC) {
        whole_len = work_total(work, shadow->in_len);
    }
    if (shadow->given + out_len > whole_len || (last && shadow->given + out_len != whole_len)) {
        return DETAIL_LENGTH;
    }
    return memcmp(whole + shadow->given, bag->out, out_len) == 0 ? DETAIL_NONE : DETAIL_BYTES;
}

static enum detail
check_whole(const struct work *work, const uint8_t *in, size_t len, const struct bag *bag)
{
    uint8_t plain[REF_MOST];
    size_t plain_len, out_len = *bag->out_len;

    if (out_len != work_total(work, len)) {
        return DETAIL_LENGTH;
    }
    if (work->kind == KIND_DEC) {
        return !ref_plain(work, in, len, plain, &plain_len) || plain_len < out_len ||
                       memcmp(plain, bag->out, out_len) == 0
                   ? DETAIL_NONE
                   : DETAIL_BYTES;
    }
    if (work->kind == KIND_VFR) {
        for (size_t i = 0; i < out_len; i++) {
            if (bag->out[i] != ref_byte(i)) {
                return DETAIL_BYTES;
            }
        }
        return DETAIL_NONE;
    }
    return ref_check(work, in, len, bag->out, out_len) ? DETAIL_NONE : DETAIL_BYTES;
}

static enum detail
check_output(const struct work *work, struct shadow *shadow, const struct step *step,
             const struct bag *bag)
{
    static const uint8_t nothing;
    enum part part = functions[step->fn].part;
    /* Nobody says what a broken ciphertext is decrypted to. */
    bool open = work->kind == KIND_DEC && work->mech->family == FAMILY_RSA &&
                step_value(step, ROLE_IN) != V_IN_MESSAGE;

    if (part == PART_ONE) {
        return open ? DETAIL_NONE
                    : check_whole(work, bag->in != NULL ? bag->in : &nothing, bag->in_len, bag);
    }
    if (is_cipher(work->kind)) {
        return check_part(work, shadow, bag, part == PART_FINAL);
    }
    return check_whole(work, shadow->in, shadow->in_len, bag);
}

enum detail
check_step(struct runner *runner, const struct test *test, const struct mstate *state,
           const struct step *step, const struct bag *bag, CK_RV rv)
{
    struct work work = object_work(&test->object, functions[step->fn].kind);
    int s = step_session(step);
    struct shadow *shadow = s >= 0 && work.mech != NULL ? &runner->shadow[s][work.kind] : NULL;
    enum part part = functions[step->fn].part;
    enum detail detail = DETAIL_NONE;
    bool asks = bag->out_len != NULL && bag->out == NULL;

    if (shadow == NULL) {
        return DETAIL_NONE;
    }
    if (part >= PART_MINIT) {
        return message_check(runner, &work, state, step, bag, rv);
    }
    if (bag->out != NULL && !guard_intact(&runner->out, (size_t)(runner->out.end - bag->out))) {
        return DETAIL_BEFORE;
    }
    if ((rv == CKR_OK && asks) || (rv == CKR_BUFFER_TOO_SMALL && bag->out_len != NULL)) {
        struct expect expect;

        /* Of what cannot have a result no length can be wrong. */
        oracle(runner->world, &test->object, state, step, &expect);
        return expect.first == COND_NOTHING || expect.first == COND_SMALL
                   ? (*bag->out_len < step_need(&work, state, step) ? DETAIL_TOLD : DETAIL_NONE)
                   : DETAIL_NONE;
    }
    if (rv != CKR_OK) {
        return DETAIL_NONE;
    }
    if (part == PART_INIT) {
        shadow->in_len = shadow->given = 0;
        return DETAIL_NONE;
    }
    if (part == PART_UPDATE && bag->in_len > 0 && bag->in != NULL &&
        shadow->in_len + bag->in_len <= sizeof shadow->in) {
        memcpy(shadow->in + shadow->in_len, bag->in, bag->in_len);
        shadow->in_len += bag->in_len;
    }
    if (has_role(step->fn, ROLE_OUT) && bag->out_len != NULL) {
        detail = check_output(&work, shadow, step, bag);
        shadow->given += *bag->out_len;
    }
    return detail;
}
