/* SPDX-License-Identifier: Apache-2.0
 *
 * Message-based functions (PKCS #11 v3.1, 5.9, 5.11, 5.14 and 5.16): the process in the first
 * session, and one message after the other in it. An error of a message ends that message; the
 * process goes on.
 */
#include "model/model.h"

#define MESSAGE 64
#define VIOLATIONS_MAX 12

/* A call taken apart, and what is wrong with it. */
struct look {
    const struct world *world;
    const struct mstate *state;
    const struct step *step;
    struct work work;
    enum part part;
    size_t count;
    enum cond cond[VIOLATIONS_MAX];
    bool ends[VIOLATIONS_MAX];          /* the message, when it is open */
};

static bool
is(const struct step *step, enum role role, enum value value)
{
    return step_value(step, role) == value;
}

static bool
is_cipher(const struct work *work)
{
    return work->kind == KIND_ENC || work->kind == KIND_DEC;
}

/* PKCS #11 v3.1, 5.14.4 and 5.16.4: of signatures the last part is the one that has a place for the
 * signature, or has it. */
bool
message_ends(const struct step *step)
{
    switch (functions[step->fn].part) {
    case PART_MONE:
        return true;
    case PART_MNEXT:
        return has_role(step->fn, ROLE_END) ? is(step, ROLE_END, V_END_LAST)
                                            : !is(step, ROLE_OUT, V_OUT_NOLEN) &&
                                                  !is(step, ROLE_SIG, V_SIG_NULL);
    default:
        return false;
    }
}

/* The message is as long as its ciphertext: the tag has a place of its own. */
static size_t
message_len(const struct work *work)
{
    return is_cipher(work) ? MESSAGE : work_message(work);
}

size_t
message_in_len(const struct work *work, const struct mstate *state, const struct step *step)
{
    size_t fed = functions[step->fn].part == PART_MNEXT ? state->message.fed : 0;

    switch (step_value(step, ROLE_IN)) {
    case V_IN_MESSAGE:
    case V_IN_FLIPPED:
        return fed < message_len(work) ? message_len(work) - fed : 0;
    case V_IN_ONE:
        return 1;
    case V_IN_BLOCK:
    case V_IN_NULL:
        return 16;
    case V_IN_MORE:
        return 17;
    default:
        return 0;
    }
}

size_t
message_need(const struct work *work, const struct mstate *state, const struct step *step)
{
    size_t len = message_in_len(work, state, step);

    if (!is_cipher(work)) {
        return message_ends(step) ? work_total(work, 0) : 0;
    }
    if (work->kind == KIND_DEC && functions[step->fn].part == PART_MNEXT) {
        return message_ends(step) ? state->message.fed + len : 0;
    }
    return len;
}

/* ---- which calls there are ---- */

static bool
in_is_tried(const struct work *work, enum value in)
{
    switch (in) {
    case V_IN_LESS:
    case V_IN_BIG:
        return false;
    case V_IN_FLIPPED:
        return work->kind == KIND_DEC || work->kind == KIND_VER;
    case V_IN_MESSAGE:
    case V_IN_NULL:
        return true;
    default:
        return is_cipher(work) || work->mech->parts;
    }
}

static bool
param_is_tried(const struct work *work, const struct step *step, enum value param)
{
    enum part part = functions[step->fn].part;
    bool chacha = work->mech->param == PARAM_CHACHA;     /* its nonces and tags are as they are */

    switch (param) {
    case V_MPARAM_OK:
    case V_MPARAM_SIZE:
        return true;
    case V_MPARAM_NULL:
    case V_MPARAM_NO_TAG:
        return is_cipher(work);
    case V_MPARAM_NO_NONCE:
        return is_cipher(work) && part != PART_MNEXT;
    case V_MPARAM_BITS:
        return is_cipher(work) && part != PART_MNEXT && !chacha;
    case V_MPARAM_FLIPPED:
        return work->kind == KIND_DEC && message_ends(step);
    default:
        return work->kind == KIND_ENC && part != PART_MNEXT && !chacha;
    }
}

bool
message_enabled(const struct work *work, const struct mstate *state, const struct step *step)
{
    enum value session = step_value(step, ROLE_SESSION), out = step_value(step, ROLE_OUT);
    enum part part = functions[step->fn].part;
    bool part_out = work->kind == KIND_DEC && part == PART_MNEXT && !message_ends(step);

    (void)state;
    if (session != V_SESSION_A && session != V_SESSION_UNKNOWN && session != V_SESSION_ZERO) {
        return false;
    }
    if (is_cipher(work) && (is(step, ROLE_MECH, V_MECH_PARAM) || is(step, ROLE_MECH, V_MECH_CONTENT))) {
        return false;           /* parameters come with messages */
    }
    if (is_cipher(work) && work->mech->cipher == CIPHER_CCM &&
        (part == PART_MBEGIN || part == PART_MNEXT)) {
        return false;           /* as of other parts: see is_ccm */
    }
    if (has_role(step->fn, ROLE_MPARAM) &&
        !param_is_tried(work, step, step_value(step, ROLE_MPARAM))) {
        return false;
    }
    /* Whether parts of plaintext leave before the tag was checked is open. */
    if (part_out && (out == V_OUT_EXACT || out == V_OUT_SHORT || out == V_OUT_ZERO)) {
        return false;
    }
    return !has_role(step->fn, ROLE_IN) || in_is_tried(work, step_value(step, ROLE_IN));
}

/* ---- what is wrong ---- */

static void
violate(struct look *l, enum cond cond, bool ends)
{
    if (l->count < VIOLATIONS_MAX) {
        l->cond[l->count] = cond;
        l->ends[l->count++] = ends;
    }
}

/* Whether the call has a place in the process; false when nothing else can be asked. */
static void
look_at_phase(struct look *l)
{
    uint8_t phase = l->state->message.phase;
    bool open = phase == PROCESS_BEGUN || phase == PROCESS_PARTS;
    const struct step *step = l->step;
    bool null = is(step, ROLE_IN, V_IN_NULL) || is(step, ROLE_OUT, V_OUT_NOLEN) ||
                is(step, ROLE_SIG, V_SIG_NULL) || is(step, ROLE_AAD, V_AAD_NULL) ||
                is(step, ROLE_MPARAM, V_MPARAM_NULL) || is(step, ROLE_END, V_END_WRONG);

    if (phase == PROCESS_NONE || (l->part == PART_MNEXT && !open)) {
        violate(l, COND_IDLE, false);
    } else if (l->part == PART_MFINAL && open) {
        violate(l, RULE_M_FINAL, false);
    } else if (l->part != PART_MNEXT && l->part != PART_MFINAL && open) {
        violate(l, RULE_M_OPEN, false);
    }
    if (l->count > 0 && null) {
        violate(l, COND_IDLE_NULL, false);
    }
}

static bool
counts(enum value param)
{
    return param == V_MPARAM_COUNTER || param == V_MPARAM_XOR;
}

static uint8_t
counter_bit(enum value param)
{
    return param == V_MPARAM_COUNTER ? 1 : param == V_MPARAM_XOR ? 2 : 0;
}

static void
look_at_param(struct look *l)
{
    enum value param = step_value(l->step, ROLE_MPARAM);

    if (param == V_MPARAM_OK || param == V_MPARAM_FLIPPED || param == V_NONE) {
        return;
    }
    if (counts(param)) {
        if (l->state->message.counters & ~counter_bit(param)) {
            violate(l, RULE_M_COUNTERS, false);
        }
    } else if (param != V_MPARAM_GENERATE && param != V_MPARAM_RANDOM) {
        violate(l, is_cipher(&l->work) && l->part == PART_MNEXT && !message_ends(l->step)
                       ? RULE_M_UNREAD
                       : RULE_M_PARAM,
                true);
    }
}

static void
look_at_data(struct look *l)
{
    const struct m_message *m = &l->state->message;
    const struct step *step = l->step;
    bool ends = message_ends(step), asks = is(step, ROLE_OUT, V_OUT_ASK);
    size_t total = (l->part == PART_MNEXT ? m->fed : 0) + message_in_len(&l->work, l->state, step);
    bool flipped = (is(step, ROLE_IN, V_IN_FLIPPED) &&
                    message_in_len(&l->work, l->state, step) > 0) ||
                   is(step, ROLE_MPARAM, V_MPARAM_FLIPPED) ||
                   (l->part == PART_MNEXT && m->flipped);

    if (l->work.kind == KIND_DEC && ends && !asks && (flipped || total != message_len(&l->work))) {
        violate(l, RULE_M_FORGED, true);
    }
    if (l->work.kind == KIND_VER && ends) {
        if (is(step, ROLE_SIG, V_SIG_SHORT) || is(step, ROLE_SIG, V_SIG_LONG) ||
            is(step, ROLE_SIG, V_SIG_EMPTY)) {
            violate(l, COND_SIG_LEN, true);
        } else if (flipped || is(step, ROLE_SIG, V_SIG_FLIPPED)) {
            violate(l, COND_SIG_BAD, true);
        }
    }
}

static void
look_at_output(struct look *l)
{
    const struct step *step = l->step;
    enum value out = step_value(step, ROLE_OUT);
    bool more = l->part == PART_MNEXT && !message_ends(step);

    if (out == V_OUT_NOLEN && (is_cipher(&l->work) || l->part == PART_MONE)) {
        violate(l, COND_NO_LENGTH, true);
    }
    if (is(step, ROLE_SIG, V_SIG_NULL) && l->part == PART_MONE) {
        violate(l, COND_SIG_NULL, true);
    }
    if ((out == V_OUT_SHORT || out == V_OUT_ZERO) && !is(step, ROLE_IN, V_IN_NULL) &&
        message_need(&l->work, l->state, step) > 0) {
        violate(l, more ? RULE_M_HELD : COND_SMALL, false);
    }
    if (out == V_OUT_EXACT && l->work.kind == KIND_DEC) {
        violate(l, COND_TIGHT, false);
    }
}

static void
look_at(struct look *l)
{
    const struct step *step = l->step;

    if (step_session(step) != 0) {
        violate(l, COND_SESSION, false);
        return;
    }
    look_at_phase(l);
    if (l->count > 0) {
        return;
    }
    if (l->part != PART_MFINAL && !is_cipher(&l->work) && l->part != PART_MONE &&
        !l->work.mech->parts) {
        violate(l, COND_NO_PARTS, true);
    }
    look_at_param(l);
    if (is(step, ROLE_END, V_END_WRONG)) {
        violate(l, RULE_M_FLAGS, true);
    }
    if (is(step, ROLE_IN, V_IN_NULL) || is(step, ROLE_AAD, V_AAD_NULL)) {
        violate(l, COND_IN_NULL, true);
    }
    if (is(step, ROLE_IN, V_IN_NOTHING)) {
        violate(l, COND_IN_NOTHING, true);
    }
    look_at_output(l);
    if (!is(step, ROLE_IN, V_IN_NULL)) {
        look_at_data(l);
    }
}

/* ---- what comes of it ---- */

static void
effect(const struct look *l, bool asks, struct mstate *post)
{
    struct m_message *m = &post->message;
    const struct step *step = l->step;
    enum value param = step_value(step, ROLE_MPARAM);

    if (asks) {
        return;
    }
    switch (l->part) {
    case PART_MFINAL:
        *m = (struct m_message){ 0 };
        break;
    case PART_MBEGIN:
        m->phase = PROCESS_BEGUN;
        m->aad = (uint16_t)step_value(step, ROLE_AAD);
        m->fed = 0;
        m->flipped = 0;
        m->counters |= counter_bit(param);
        break;
    case PART_MONE:
        m->counters |= counter_bit(param);
        break;
    default:
        if (message_ends(step)) {
            *m = (struct m_message){ .phase = PROCESS_IDLE, .counters = m->counters };
            break;
        }
        m->phase = PROCESS_PARTS;
        m->flipped |= is(step, ROLE_IN, V_IN_FLIPPED) &&
                      message_in_len(&l->work, l->state, step) > 0;
        m->fed = (uint16_t)(m->fed + message_in_len(&l->work, l->state, step));
        break;
    }
}

void
message_oracle(const struct world *world, const struct object *object, const struct mstate *state,
               const struct step *step, struct expect *expect)
{
    struct look l = { .world = world,
                      .state = state,
                      .step = step,
                      .work = object_work(object, functions[step->fn].kind),
                      .part = functions[step->fn].part };
    struct mstate post = *state, over = *state;
    bool ok = true, asks = is(step, ROLE_OUT, V_OUT_ASK);
    enum level ok_level = LEVEL_STRICT;

    look_at(&l);
    expect->count = 0;
    expect->violated = (struct set){ 0 };
    expect->first = l.count > 0 ? l.cond[0] : COND_NOTHING;
    if (l.part == PART_MNEXT && state->message.phase > PROCESS_IDLE) {
        over.message = (struct m_message){ .phase = PROCESS_IDLE,
                                           .counters = state->message.counters };
    }
    for (size_t i = 0; i < l.count; i++) {
        bool soft = false;

        set_add(&expect->violated, l.cond[i]);
        for (size_t k = 0; k < answers_count; k++) {
            enum level level = answers[k].level;

            if (answers[k].cond != l.cond[i]) {
                continue;
            }
            if (answers[k].code == CKR_OK) {
                soft = true;
                ok_level = level > ok_level ? level : ok_level;
                continue;
            }
            expect_add(expect, answers[k].code, level, l.cond[i],
                       l.ends[i] && answers[k].code != CKR_BUFFER_TOO_SMALL ? &over : state);
        }
        if (!soft && ok) {
            expect->first = l.cond[i];
        }
        ok = ok && soft;
    }
    /* A length may be told before parameter and data are looked at. */
    if (!ok && asks && l.count > 0 && state->message.phase != PROCESS_NONE) {
        bool late = true;

        for (size_t i = 0; i < l.count; i++) {
            late = late && (l.cond[i] == RULE_M_PARAM || l.cond[i] == COND_IN_NULL ||
                            l.cond[i] == RULE_M_FLAGS || l.cond[i] == COND_NO_PARTS);
        }
        ok = late;
    }
    if (ok) {
        effect(&l, asks, &post);
        expect_add(expect, CKR_OK, ok_level, expect->first, &post);
    }
}
