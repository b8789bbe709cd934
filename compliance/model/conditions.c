/* SPDX-License-Identifier: Apache-2.0
 *
 * When the conditions of conditions.def are violated: one function each, by the row's name.
 */
#include "model/model.h"

/* What the functions look at: the call, taken apart. */
struct look {
    const struct world *world;
    const struct mstate *state;
    const struct step *step;
    enum fn fn;
    enum kind kind;
    enum part part;
    struct work work;
    const struct m_session *session;    /* NULL when the handle is bad or there is none */
    const struct m_op *op;
    size_t total;                       /* input of the whole operation, when this call ends it */
};

#define VIOLATED(name) static bool violated_##name(const struct look *l)
#define IS(role, name) (step_value(l->step, ROLE_##role) == V_##role##_##name)

static bool
is_crypto(const struct look *l)
{
    return l->kind < KINDS && l->kind != KIND_FND && l->part < PART_MINIT;
}

static bool
cancels(const struct look *l)
{
    return (l->part == PART_INIT || l->part == PART_MINIT) && IS(MECH, NULL);
}

static bool
is_cancel_version(const struct look *l)
{
    return l->world->version.major >= 3;
}

static bool
is_idle(const struct look *l)
{
    return l->op != NULL && l->op->phase == PHASE_IDLE && l->part != PART_INIT &&
           l->part < PART_MINIT;
}

static bool
is_late(const struct look *l)
{
    bool parts = l->op->phase == PHASE_PARTS || l->op->phase == PHASE_PARTS_ASKED;

    return l->part == PART_ONE ? parts : l->op->phase == PHASE_ASKED;
}

/* A step of an operation that goes as it should so far: its data count. */
static bool
goes_on(const struct look *l)
{
    return is_crypto(l) && l->op != NULL && l->part != PART_INIT && !is_idle(l) && !is_late(l) &&
           (l->part == PART_ONE || l->work.mech->parts);
}

static bool
completes(const struct look *l)
{
    return goes_on(l) && (l->part == PART_ONE || l->part == PART_FINAL);
}

/* ---- library, sessions ---- */

VIOLATED(LIBRARY)
{
    return l->fn != FN_C_Initialize && !l->state->ready;
}

VIOLATED(TWICE)
{
    return l->fn == FN_C_Initialize && l->state->ready;
}

VIOLATED(RESERVED)
{
    return IS(INITARGS, RESERVED) || (IS(RESERVED, SOMETHING) && l->state->ready);
}

VIOLATED(MUTEXES)
{
    return IS(INITARGS, MUTEX);
}

VIOLATED(SESSION)
{
    return has_role(l->fn, ROLE_SESSION) && l->session == NULL;
}

VIOLATED(SLOT)
{
    return IS(SLOT, UNKNOWN);
}

VIOLATED(PLACE)
{
    return IS(INFO, NULL);
}

VIOLATED(PARALLEL)
{
    return IS(FLAGS, PARALLEL);
}

VIOLATED(SO_RO)
{
    return IS(FLAGS, RO) && l->state->login == LOGIN_SO;
}

VIOLATED(USER_TYPE)
{
    return IS(USER, UNKNOWN);
}

VIOLATED(CONTEXT)
{
    return IS(USER, CONTEXT);
}

VIOLATED(ALREADY_IN)
{
    return (IS(USER, USER) && l->state->login == LOGIN_USER) ||
           (IS(USER, SO) && l->state->login == LOGIN_SO);
}

VIOLATED(ANOTHER_IN)
{
    return (IS(USER, USER) && l->state->login == LOGIN_SO) ||
           (IS(USER, SO) && l->state->login == LOGIN_USER);
}

VIOLATED(SO_WITH_RO)
{
    bool found = false;

    for (size_t i = 0; i < SESSIONS; i++) {
        found = found || (l->state->session[i].open && !l->state->session[i].rw);
    }
    return IS(USER, SO) && found;
}

VIOLATED(PIN_NULL)
{
    return IS(PIN, NULL) && !(l->world->token_flags & CKF_PROTECTED_AUTHENTICATION_PATH);
}

VIOLATED(PIN_WRONG)
{
    return IS(PIN, WRONG);
}

VIOLATED(NOT_IN)
{
    return l->fn == FN_C_Logout && l->state->login == LOGIN_NONE;
}

VIOLATED(LEGACY)
{
    return l->part == PART_LEGACY;
}

/* ---- beginning an operation ---- */

VIOLATED(ACTIVE)
{
    bool active = l->part == PART_MINIT ? l->state->message.phase != PROCESS_NONE
                                        : l->part == PART_INIT && l->op != NULL &&
                                              l->op->phase != PHASE_IDLE;

    return active && l->session != NULL && !cancels(l);
}

static bool
are_partners(enum kind a, enum kind b)
{
    enum kind first = a < b ? a : b, second = a < b ? b : a;

    return (first == KIND_ENC && (second == KIND_DIG || second == KIND_SIG)) ||
           (first == KIND_DEC && (second == KIND_DIG || second == KIND_VER));
}

/* Counts active operations of other kinds, and of them those that are no partners. */
static size_t
beside(const struct look *l, size_t *ret_strangers)
{
    size_t count = 0;

    *ret_strangers = 0;
    if (l->part != PART_INIT || l->session == NULL || cancels(l)) {
        return 0;
    }
    if (l->state->message.phase != PROCESS_NONE) {
        count = *ret_strangers = 1;
    }
    for (enum kind k = 0; k < KINDS; k++) {
        if (k != l->kind && l->session->op[k].phase != PHASE_IDLE) {
            count++;
            *ret_strangers += !are_partners(k, l->kind);
        }
    }
    return count;
}

static bool
may_be_dual(const struct look *l)
{
    size_t strangers, count = beside(l, &strangers);

    return count == 1 && strangers == 0 && (l->world->token_flags & CKF_DUAL_CRYPTO_OPERATIONS);
}

VIOLATED(BESIDE)
{
    size_t strangers;

    return beside(l, &strangers) > 0 && !may_be_dual(l);
}

VIOLATED(DUAL)
{
    return may_be_dual(l);
}

static bool
lacks_login(const struct look *l)
{
    return l->state->login != LOGIN_USER && !cancels(l) &&
           ((l->part == PART_INIT && is_crypto(l)) || l->part == PART_RANDOM);
}

VIOLATED(LOGIN)
{
    return lacks_login(l) && !l->world->login_required;
}

VIOLATED(LOGIN_MUST)
{
    return lacks_login(l) && l->world->login_required;
}

VIOLATED(CANCEL_OLD)
{
    return cancels(l) && !is_cancel_version(l);
}

VIOLATED(CANCEL_IDLE)
{
    return cancels(l) && is_cancel_version(l) && l->op != NULL &&
           (l->part == PART_MINIT ? l->state->message.phase == PROCESS_NONE
                                  : l->op->phase == PHASE_IDLE);
}

VIOLATED(MECHANISM)
{
    return IS(MECH, UNKNOWN);
}

VIOLATED(FUNCTION)
{
    return IS(MECH, FUNCTION);
}

VIOLATED(PARAMETER)
{
    return IS(MECH, PARAM) || IS(MECH, CONTENT);
}

static bool
names_key(const struct look *l)
{
    return IS(KEY, OK) || IS(KEY, TYPE) || IS(KEY, CLASS) || IS(KEY, FLAG);
}

VIOLATED(KEY_HANDLE)
{
    return has_role(l->fn, ROLE_KEY) && !names_key(l) && !cancels(l);
}

/* Keys of tests are session objects: private ones go away with the login. */
VIOLATED(KEY_HIDDEN)
{
    bool pair = l->work.mech != NULL &&
                (l->work.mech->family == FAMILY_RSA || l->work.mech->family == FAMILY_EC);
    bool public = pair && (l->kind == KIND_ENC || l->kind == KIND_VER || l->kind == KIND_VFR);

    return has_role(l->fn, ROLE_KEY) && names_key(l) && !cancels(l) &&
           l->state->login != LOGIN_USER &&
           (public ? l->world->private_public_keys : l->world->private_keys);
}

VIOLATED(KEY_TYPE)
{
    return IS(KEY, TYPE) && !cancels(l);
}

VIOLATED(KEY_EITHER)
{
    return IS(MECH, FUNCTION) && has_role(l->fn, ROLE_KEY) &&
           (IS(KEY, TYPE) || IS(KEY, CLASS) || l->work.mech->family != FAMILY_AES);
}

VIOLATED(FLAG_EITHER)
{
    return IS(KEY, FLAG) && (IS(MECH, FUNCTION) || IS(MECH, UNKNOWN));
}

VIOLATED(KEY_CLASS)
{
    return IS(KEY, CLASS) && !cancels(l);
}

VIOLATED(KEY_FLAG)
{
    return IS(KEY, FLAG) && !cancels(l);
}

/* ---- going on with it ---- */

VIOLATED(IDLE)
{
    return is_idle(l);
}

VIOLATED(IDLE_NULL)
{
    return is_idle(l) &&
           (IS(IN, NULL) || IS(OUT, NOLEN) || IS(SIG, NULL) || IS(MAX, NULL) || IS(MAX, NOCOUNT));
}

VIOLATED(ENDED)
{
    return is_idle(l) && l->op->done && (l->part == PART_UPDATE || l->part == PART_FINAL);
}

VIOLATED(ONE_LATE)
{
    return is_crypto(l) && l->op != NULL && l->part == PART_ONE && !is_idle(l) && is_late(l);
}

VIOLATED(PARTS_LATE)
{
    return is_crypto(l) && l->op != NULL && (l->part == PART_UPDATE || l->part == PART_FINAL) &&
           !is_idle(l) && is_late(l);
}

VIOLATED(AFTER_ASK)
{
    return goes_on(l) && l->part == PART_UPDATE && l->op->phase == PHASE_PARTS_ASKED;
}

VIOLATED(NO_PARTS)
{
    return is_crypto(l) && l->op != NULL && (l->part == PART_UPDATE || l->part == PART_FINAL) &&
           !is_idle(l) && !l->work.mech->parts;
}

VIOLATED(NO_UPDATE)
{
    return goes_on(l) && l->part == PART_FINAL && l->op->phase == PHASE_FRESH &&
           (l->kind == KIND_SIG || l->kind == KIND_VER);
}

VIOLATED(IN_NULL)
{
    return !is_idle(l) && IS(IN, NULL);
}

VIOLATED(IN_NOTHING)
{
    return IS(IN, NOTHING);
}

VIOLATED(NO_LENGTH)
{
    return !is_idle(l) && IS(OUT, NOLEN);
}

VIOLATED(SIG_NULL)
{
    return !is_idle(l) && IS(SIG, NULL);
}

/* Longest data that a signature or an encryption with RSA takes. */
static size_t
rsa_most(const struct look *l)
{
    size_t k = l->work.key->bytes;

    if (l->kind == KIND_ENC && l->work.mech->cipher == CIPHER_OAEP) {
        return k - 2 - 2 * l->work.mech->size;
    }
    if (l->kind == KIND_ENC ? l->work.mech->cipher == CIPHER_RSA0
                            : l->work.mech->signer == SIGNER_RSA0) {
        return k;
    }
    return k - 11;
}

static bool
is_signing(const struct look *l)
{
    return l->kind == KIND_SIG || l->kind == KIND_VER || l->kind == KIND_SGR;
}

VIOLATED(DATA_LEN)
{
    const struct mech_row *mech = l->work.mech;

    if (!completes(l)) {
        return false;
    }
    if (l->kind == KIND_ENC) {
        switch (mech->cipher) {
        case CIPHER_BLOCK:
            return l->total % mech->size != 0;
        case CIPHER_CCM:
            return l->total != work_message(&l->work);
        case CIPHER_RSA0:
        case CIPHER_RSA1:
        case CIPHER_OAEP:
            return l->total > rsa_most(l);
        default:
            return false;
        }
    }
    if (is_signing(l)) {
        switch (mech->signer) {
        case SIGNER_RSA0:
        case SIGNER_RSA1:
            return l->total > rsa_most(l);
        case SIGNER_PSS:
            return l->total != mech->size;
        default:
            return false;
        }
    }
    return false;
}

/* The text is silent about no data at all, and about raw data that is shorter or longer than usual. */
VIOLATED(DATA_ODD)
{
    const struct mech_row *mech = l->work.mech;

    if (!goes_on(l) || l->kind == KIND_DEC) {
        return false;
    }
    if (!completes(l)) {
        return false;
    }
    if (l->kind == KIND_ENC) {
        return (mech->cipher == CIPHER_BLOCK && l->total == 0) ||
               (mech->family == FAMILY_RSA && l->total == 0) ||
               (mech->cipher == CIPHER_RSA0 && l->total < l->work.key->bytes);
    }
    if (is_signing(l)) {
        return (!mech->parts && l->total == 0) ||
               (mech->signer == SIGNER_RSA0 && l->total < l->work.key->bytes) ||
               (mech->signer == SIGNER_ECDSA && l->total > 128);
    }
    return false;
}

VIOLATED(CIPHER_LEN)
{
    const struct mech_row *mech = l->work.mech;

    if (!completes(l) || l->kind != KIND_DEC) {
        return false;
    }
    switch (mech->cipher) {
    case CIPHER_BLOCK:
        return l->total % mech->size != 0;
    case CIPHER_PAD:
        return l->total == 0 || l->total % mech->size != 0;
    case CIPHER_AEAD:
    case CIPHER_CCM:
        return l->total < 16;
    case CIPHER_RSA0:
    case CIPHER_RSA1:
    case CIPHER_OAEP:
        return l->total != l->work.key->bytes;
    default:
        return false;
    }
}

static bool
is_spoilt(const struct look *l)
{
    return l->total != work_input(&l->work) || l->op->flipped || IS(IN, FLIPPED);
}

VIOLATED(CIPHER_BAD)
{
    if (!completes(l) || l->kind != KIND_DEC) {
        return false;
    }
    switch (l->work.mech->cipher) {
    case CIPHER_PAD:
    case CIPHER_AEAD:
    case CIPHER_CCM:
    case CIPHER_OAEP:
        return is_spoilt(l);
    default:
        return false;
    }
}

VIOLATED(CIPHER_ODD)
{
    if (!goes_on(l) || l->kind != KIND_DEC) {
        return false;
    }
    switch (l->work.mech->cipher) {
    case CIPHER_BLOCK:
        return completes(l) && l->total == 0;
    case CIPHER_RSA0:
    case CIPHER_RSA1:
        return completes(l) && is_spoilt(l);
    default:
        return false;
    }
}

VIOLATED(SIG_LEN)
{
    return goes_on(l) && (IS(SIG, SHORT) || IS(SIG, LONG) || IS(SIG, EMPTY));
}

VIOLATED(SIG_BAD)
{
    return completes(l) && has_role(l->fn, ROLE_SIG) &&
           (IS(SIG, FLIPPED) || l->op->flipped || IS(IN, FLIPPED));
}

VIOLATED(SMALL)
{
    /* What a spoilt RSA ciphertext is decrypted to may have any length. */
    return goes_on(l) && !violated_CIPHER_ODD(l) && (IS(OUT, SHORT) || IS(OUT, ZERO)) &&
           step_need(&l->work, l->state, l->step) > 0;
}

VIOLATED(TIGHT)
{
    return goes_on(l) && IS(OUT, EXACT) &&
           (l->part == PART_UPDATE || l->kind == KIND_DEC || l->kind == KIND_VFR);
}

/* ---- the rest ---- */

VIOLATED(FIND_NULL)
{
    return IS(FIND, NULL);
}

VIOLATED(MAX_NULL)
{
    return IS(MAX, NULL) || IS(MAX, NOCOUNT);
}

VIOLATED(RANDOM_NULL)
{
    return IS(RANDOM, NULL);
}

VIOLATED(NO_SEED)
{
    return l->fn == FN_C_SeedRandom;
}

static bool (*const violated[COND_COUNT])(const struct look *) = {
#define COND(name, after, class, section, rule) [COND_##name] = violated_##name,
#define ANSWER(name, code, level)
#define NEEDS(name, other)
#include "model/conditions.def"
};

bool
cond_violated(enum cond cond, const struct world *world, const struct object *object,
              const struct mstate *state, const struct step *step)
{
    struct look l = {
        .world = world,
        .state = state,
        .step = step,
        .fn = step->fn,
        .kind = functions[step->fn].kind,
        .part = functions[step->fn].part,
    };
    int s = step_session(step);

    l.work = object_work(object, l.kind);
    if (s >= 0 && state->session[s].open) {
        l.session = &state->session[s];
        l.op = l.kind < KINDS ? &l.session->op[l.kind] : NULL;
    }
    if (l.op != NULL && l.kind != KIND_FND) {
        l.total = l.part == PART_ONE ? step_in_len(&l.work, state, step) : l.op->fed;
    }
    return violated[cond](&l);
}
