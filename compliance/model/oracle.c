/* SPDX-License-Identifier: Apache-2.0
 *
 * What may come of a call: the codes that are right, and the state afterwards.
 */
#include "model/model.h"

#include <string.h>

static struct m_op *
step_op(struct mstate *state, const struct step *step)
{
    enum kind kind = functions[step->fn].kind;
    int s = step_session(step);

    return s >= 0 && kind < KINDS ? &state->session[s].op[kind] : NULL;
}

static bool
any_open(const struct mstate *state)
{
    bool open = state->home;

    for (size_t i = 0; i < SESSIONS; i++) {
        open = open || state->session[i].open;
    }
    return open;
}

static bool
any_active(const struct mstate *state)
{
    for (size_t i = 0; i < SESSIONS; i++) {
        for (enum kind k = 0; k < KINDS; k++) {
            if (state->session[i].op[k].phase != PHASE_IDLE) {
                return true;
            }
        }
    }
    return false;
}

static void
effect_session(struct mstate *post, const struct step *step)
{
    int s = step_session(step);

    switch (step->fn) {
    case FN_C_OpenSession:
        for (size_t i = 0; i < SESSIONS; i++) {
            if (!post->session[i].open) {
                post->session[i] = (struct m_session){
                    .open = 1, .rw = step_value(step, ROLE_FLAGS) == V_FLAGS_RW
                };
                break;
            }
        }
        break;
    case FN_C_CloseSession:
        post->session[s] = (struct m_session){ 0 };
        post->closed = 1;
        break;
    default:
        post->closed = post->closed || any_open(post);
        memset(post->session, 0, sizeof post->session);
        post->home = 0;
        break;
    }
    if (!any_open(post)) {
        post->login = LOGIN_NONE;
    }
}

/* A step of an operation that succeeds or, in all that changes, asks for a length. */
static size_t
effect_step(const struct work *work, const struct mstate *pre, const struct step *step, bool asks,
            struct mstate ret_post[4])
{
    struct mstate *post = &ret_post[0];
    struct m_op *op = step_op(post, step);
    enum part part = functions[step->fn].part;
    size_t len;

    *post = *pre;
    switch (part) {
    case PART_ONE:
        if (asks) {
            op->phase = PHASE_ASKED;
        } else {
            *op = (struct m_op){ .done = 1 };
        }
        return 1;
    case PART_FINAL:
        if (asks) {
            op->phase = PHASE_PARTS_ASKED;
        } else {
            *op = (struct m_op){ 0 };
        }
        return 1;
    default:
        if (asks || work->mech == NULL) {
            return 1;
        }
        len = step_in_len(work, pre, step);
        op->phase = PHASE_PARTS;
        op->fed = (uint16_t)(op->fed + len);
        op->flipped |= len > 0 && step_value(step, ROLE_IN) == V_IN_FLIPPED;
        if (len == 0 && pre->session[step_session(step)].op[work->kind].phase == PHASE_FRESH) {
            /* Whether nothing counts as a part is left open. */
            ret_post[1] = *pre;
            return 2;
        }
        return 1;
    }
}

size_t
effects(const struct world *world, const struct object *object, const struct mstate *state,
        const struct step *step, bool too_small, struct mstate ret_post[4])
{
    struct work work = object_work(object, functions[step->fn].kind);
    struct mstate *post = &ret_post[0];
    int s = step_session(step);

    (void)world;
    *post = *state;
    switch (functions[step->fn].part) {
    case PART_LIBRARY:
        *post = (struct mstate){ .ready = step->fn == FN_C_Initialize };
        return 1;
    case PART_SESSION:
        effect_session(post, step);
        return 1;
    case PART_LOGIN:
        post->login = step->fn == FN_C_Logout                    ? LOGIN_NONE
                      : step_value(step, ROLE_USER) == V_USER_SO ? LOGIN_SO
                                                                 : LOGIN_USER;
        return 1;
    case PART_CANCEL:
        if (step_value(step, ROLE_CANCEL) == V_CANCEL_ALL) {
            memset(post->session[s].op, 0, sizeof post->session[s].op);
            post->message = (struct m_message){ 0 };
        }
        return 1;
    case PART_INIT:
        if (step_value(step, ROLE_MECH) == V_MECH_NULL) {
            *step_op(post, step) = (struct m_op){ 0 };
            if (world->version.major < 3) {
                ret_post[1] = *state;
                return 2;
            }
        } else {
            *step_op(post, step) = (struct m_op){ .phase = PHASE_FRESH };
        }
        return 1;
    case PART_MINIT:
        post->message = (struct m_message){
            .phase = step_value(step, ROLE_MECH) == V_MECH_NULL ? PROCESS_NONE : PROCESS_IDLE,
        };
        return 1;
    case PART_ONE:
    case PART_UPDATE:
    case PART_FINAL:
        return effect_step(&work, state, step, too_small || step_value(step, ROLE_OUT) == V_OUT_ASK,
                           ret_post);
    default:
        return 1;
    }
}

void
expect_add(struct expect *expect, CK_RV code, enum level level, enum cond cond,
           const struct mstate *post)
{
    struct outcome *o;

    for (size_t i = 0; i < expect->count; i++) {
        o = &expect->outcome[i];
        if (o->code == code && memcmp(&o->post, post, sizeof *post) == 0) {
            if (level < o->level) {
                o->level = level;
                o->cond = cond;
            }
            return;
        }
    }
    if (expect->count < OUTCOMES_MAX) {
        o = &expect->outcome[expect->count++];
        o->code = code;
        o->level = level;
        o->cond = cond;
        o->post = *post;
    }
}

static void
add_effects(struct expect *expect, CK_RV code, enum level level, enum cond cond, bool too_small,
            const struct world *world, const struct object *object, const struct mstate *state,
            const struct step *step)
{
    struct mstate post[4];
    size_t count = effects(world, object, state, step, too_small, post);

    for (size_t i = 0; i < count; i++) {
        expect_add(expect, code, level, cond, &post[i]);
    }
}

/* Whether something is wrong with the data, and otherwise at most with the buffer. */
static bool
is_about_data(const struct set *violated)
{
    static const enum cond data[] = { COND_DATA_LEN, COND_DATA_ODD, COND_CIPHER_LEN,
                                      COND_CIPHER_BAD, COND_CIPHER_ODD };
    static const enum cond buffer[] = { COND_SMALL, COND_TIGHT, COND_IN_NOTHING };
    struct set of_data = { 0 }, both = { 0 }, all = { 0 };

    for (size_t i = 0; i < COUNT(data); i++) {
        set_add(&of_data, data[i]);
    }
    both = of_data;
    for (size_t i = 0; i < COUNT(buffer); i++) {
        set_add(&both, buffer[i]);
    }
    all = both;
    set_join(&all, violated);
    return set_meets(&of_data, violated) && memcmp(&all, &both, sizeof all) == 0;
}

/* The level at which a call may go on although cond is violated; false when it may not. */
static bool
is_soft(enum cond cond, enum level *ret_level)
{
    for (size_t i = 0; i < answers_count; i++) {
        if (answers[i].cond == cond && answers[i].code == CKR_OK) {
            *ret_level = answers[i].level;
            return true;
        }
    }
    return false;
}

void
oracle(const struct world *world, const struct object *object, const struct mstate *state,
       const struct step *step, struct expect *ret_expect)
{
    static struct set need[COND_COUNT];
    static bool filled;
    struct set raw = { 0 }, left = { 0 };
    bool ok = true;
    enum level ok_level = LEVEL_STRICT, level;

    if (functions[step->fn].part > PART_MINIT) {
        message_oracle(world, object, state, step, ret_expect);
        return;
    }
    if (!filled) {
        for (enum cond c = 0; c < COND_COUNT; c++) {
            need[c] = cond_needs(c);
        }
        filled = true;
    }
    ret_expect->count = 0;
    ret_expect->first = COND_NOTHING;
    for (enum cond c = 0; c < COND_COUNT; c++) {
        if (cond_violated(c, world, object, state, step)) {
            set_add(&raw, c);
        }
    }
    for (enum cond c = 0; c < COND_COUNT; c++) {
        if (set_has(&raw, c) && !set_meets(&need[c], &raw)) {
            set_add(&left, c);
        }
    }
    ret_expect->violated = left;

    for (enum cond c = 0; c < COND_COUNT; c++) {
        struct mstate kept = *state, ended = *state;
        struct m_op *op = step_op(&ended, step);

        if (!set_has(&left, c)) {
            continue;
        }
        if (!is_soft(c, &level)) {
            if (ok || ret_expect->first == COND_NOTHING) {
                ret_expect->first = c;
            }
            ok = false;
        } else {
            if (ret_expect->first == COND_NOTHING) {
                ret_expect->first = c;
            }
            ok_level = level > ok_level ? level : ok_level;
        }
        if (op != NULL) {
            *op = (struct m_op){ 0 };
        }
        for (size_t i = 0; i < answers_count; i++) {
            if (answers[i].cond != c || answers[i].code == CKR_OK) {
                continue;
            }
            if (answers[i].code == CKR_BUFFER_TOO_SMALL) {
                add_effects(ret_expect, answers[i].code, answers[i].level, c, true, world, object,
                            state, step);
                continue;
            }
            if (conditions[c].after != AFTER_END) {
                expect_add(ret_expect, answers[i].code, answers[i].level, c, &kept);
            }
            if (conditions[c].after != AFTER_KEEP) {
                expect_add(ret_expect, answers[i].code, answers[i].level, c, &ended);
            }
        }
    }

    /* A length may be told, or a buffer be found too small, before the data are looked at. */
    if (is_about_data(&left)) {
        if (step_value(step, ROLE_OUT) == V_OUT_ASK) {
            ok = true;
            ok_level = LEVEL_STRICT;
        } else if (step_value(step, ROLE_OUT) == V_OUT_SHORT ||
                   step_value(step, ROLE_OUT) == V_OUT_ZERO ||
                   step_value(step, ROLE_OUT) == V_OUT_EXACT) {
            add_effects(ret_expect, CKR_BUFFER_TOO_SMALL, LEVEL_STRICT, COND_SMALL, true, world,
                        object, state, step);
        }
    }
    if (ok) {
        add_effects(ret_expect, CKR_OK, ok_level, ret_expect->first, false, world, object, state,
                    step);
    }
}

/* A call that has no place in the operation that is under way. */
static bool
is_late(const struct work *work, const struct mstate *state, const struct step *step)
{
    enum part part = functions[step->fn].part;
    int s = step_session(step);
    uint8_t phase;

    if (s < 0 || work->mech == NULL) {
        return false;
    }
    phase = state->session[s].op[work->kind].phase;
    switch (part) {
    case PART_ONE:
        return phase == PHASE_PARTS || phase == PHASE_PARTS_ASKED;
    case PART_UPDATE:
    case PART_FINAL:
        return phase == PHASE_ASKED || (phase != PHASE_IDLE && !work->mech->parts) ||
               (phase == PHASE_PARTS_ASKED && part == PART_UPDATE);
    default:
        return false;
    }
}

static bool
is_plain(const struct step *step)
{
    enum value in = step_value(step, ROLE_IN), out = step_value(step, ROLE_OUT);

    return (in == V_NONE || in == V_IN_MESSAGE || in == V_IN_BLOCK) &&
           (out == V_NONE || out == V_OUT_ROOM || out == V_OUT_ASK);
}

/* The text does not say how much of CCM's output a part gives. */
static bool
is_ccm(const struct work *work)
{
    return (work->kind == KIND_ENC || work->kind == KIND_DEC) && work->mech != NULL &&
           work->mech->cipher == CIPHER_CCM;
}

bool
step_enabled(const struct world *world, const struct object *object, const struct mstate *state,
             const struct step *step)
{
    const struct fn_row *fn = &functions[step->fn];
    struct work work = object_work(object, fn->kind);
    bool all_open = true;

    for (size_t i = 0; i < SESSIONS; i++) {
        all_open = all_open && state->session[i].open;
    }
    if (!world->has_fn[step->fn] ||
        (fn->kind < KINDS && fn->kind != KIND_FND && work.mech == NULL)) {
        return false;
    }
    if (step->fn == FN_C_OpenSession && all_open) {
        return false;
    }
    if (fn->part == PART_LOGIN && any_active(state)) {
        return false;       /* whether operations live on is open */
    }
    if (fn->part >= PART_MINIT && !message_enabled(&work, state, step)) {
        return false;
    }
    if ((fn->part == PART_UPDATE || fn->part == PART_FINAL) && is_ccm(&work)) {
        return false;
    }
    if (is_late(&work, state, step) && !is_plain(step)) {
        return false;       /* data of a call that should not be there mean nothing */
    }
    for (size_t i = 0; i < ROLES_MAX; i++) {
        switch (step->value[i]) {
        case V_SESSION_CLOSED:
            if (!state->closed) {
                return false;
            }
            break;
        case V_USER_SO:
            if (!world->so || step_value(step, ROLE_PIN) == V_PIN_WRONG) {
                return false;
            }
            break;
        case V_MECH_FUNCTION:
            if (world->other_mech[fn->kind] == CK_UNAVAILABLE_INFORMATION) {
                return false;
            }
            break;
        case V_MECH_CONTENT:
            if (work.mech->param == PARAM_NONE || work.mech->param == PARAM_IV) {
                return false;
            }
            break;
        case V_KEY_TYPE:
        case V_KEY_FLAG:
        case V_KEY_DATA:
        case V_KEY_GONE:
            if (state->login != LOGIN_USER) {
                return false;       /* what tests have then are keys from before the logout */
            }
            break;
        case V_KEY_CLASS:
            if (state->login != LOGIN_USER ||
                (work.mech->family != FAMILY_RSA && work.mech->family != FAMILY_EC)) {
                return false;
            }
            break;
        case V_SIG_FLIPPED:
            if (fn->kind == KIND_VFR && work.mech->signer == SIGNER_RSA0) {
                return false;       /* without padding every signature is one of something */
            }
            break;
        case V_IN_FLIPPED:
            if (fn->kind != KIND_DEC && fn->kind != KIND_VER) {
                return false;
            }
            break;
        default:
            break;
        }
    }
    return true;
}

uint64_t
state_key(const struct mstate *state)
{
    uint64_t hash = UINT64_C(1469598103934665603);
    uint8_t byte[10 + SESSIONS * (2 + 2 * KINDS)] = { state->ready, state->login, state->closed,
                                                     state->home };
    size_t at = 4;

    byte[at++] = state->message.phase;
    for (size_t i = 0; i < SESSIONS; i++) {
        byte[at++] = state->session[i].open;
        byte[at++] = state->session[i].rw;
        for (enum kind k = 0; k < KINDS; k++) {
            byte[at++] = state->session[i].op[k].phase;
            byte[at++] = state->session[i].op[k].done;
        }
    }
    for (size_t i = 0; i < at; i++) {
        hash = (hash ^ byte[i]) * UINT64_C(1099511628211);
    }
    return hash;
}
