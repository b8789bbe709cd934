/* SPDX-License-Identifier: Apache-2.0
 *
 * Arguments of calls: from the values of a test to handles and bytes.
 */
#include "exec/message.h"
#include "ref/ref.h"

#include <string.h>

#define UNKNOWN_HANDLE 0x7ead0bad
#define UNKNOWN_MECHANISM 0x7ffffff1
#define TAG_BITS 128
#define CCM_DATA 64     /* what work_message says of it */

/* What arguments point to; one call is under way at a time. */
static struct {
    CK_C_INITIALIZE_ARGS init_args;
    CK_MECHANISM mech;
    CK_GCM_PARAMS gcm;
    CK_CCM_PARAMS ccm;
    CK_SALSA20_CHACHA20_POLY1305_PARAMS chacha;
    CK_AES_CTR_PARAMS ctr;
    CK_RSA_PKCS_OAEP_PARAMS oaep;
    CK_RSA_PKCS_PSS_PARAMS pss;
    uint8_t info[1024];
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE handles[64];
    CK_ULONG found;
    CK_ATTRIBUTE attrs[1];
    CK_BYTE random[4096];
} place;

static CK_RV
some_mutex(void **ret_mutex)
{
    *ret_mutex = NULL;
    return CKR_OK;
}

static void
bind_init_args(enum value value, struct bag *bag)
{
    memset(&place.init_args, 0, sizeof place.init_args);
    bag->init_args = value == V_INITARGS_NULL ? NULL : &place.init_args;
    place.init_args.flags = value == V_INITARGS_OS ? CKF_OS_LOCKING_OK : 0;
    place.init_args.CreateMutex = value == V_INITARGS_MUTEX ? some_mutex : NULL;
    place.init_args.pReserved = value == V_INITARGS_RESERVED ? &place : NULL;
}

static void
bind_session(struct runner *runner, enum value value, struct bag *bag)
{
    switch (value) {
    case V_SESSION_A:
    case V_SESSION_B:
    case V_SESSION_C:
        bag->session = runner->fixture.session[value - V_SESSION_A];
        if (bag->session == CK_INVALID_HANDLE) {
            bag->session = UNKNOWN_HANDLE;
        }
        break;
    case V_SESSION_CLOSED:
        bag->session = runner->fixture.closed;
        break;
    case V_SESSION_UNKNOWN:
        bag->session = UNKNOWN_HANDLE;
        break;
    default:
        bag->session = CK_INVALID_HANDLE;
        break;
    }
}

static void
bind_pin(struct runner *runner, const struct step *step, struct bag *bag)
{
    static CK_BYTE wrong[] = "wrong:wrong-pin";
    const char *pin = step_value(step, ROLE_USER) == V_USER_SO ? runner->fixture.so_pin
                                                               : runner->fixture.pin;

    switch (step_value(step, ROLE_PIN)) {
    case V_PIN_RIGHT:
        bag->pin = (CK_BYTE *)(uintptr_t)pin;
        bag->pin_len = strlen(pin);
        break;
    case V_PIN_WRONG:
        /* The user's name, where the PIN has one, and then a wrong password. */
        bag->pin = wrong;
        bag->pin_len = sizeof wrong - 1;
        break;
    default:
        bag->pin = NULL;
        bag->pin_len = 0;
        break;
    }
}

static CK_ULONG
mgf_of(CK_MECHANISM_TYPE hash)
{
    return hash == CKM_SHA_1    ? CKG_MGF1_SHA1
           : hash == CKM_SHA256 ? CKG_MGF1_SHA256
           : hash == CKM_SHA384 ? CKG_MGF1_SHA384
                                : CKG_MGF1_SHA512;
}

static void
bind_param(const struct mech_row *mech)
{
    CK_MECHANISM_TYPE hash = mech->size == 20   ? CKM_SHA_1
                             : mech->size == 32 ? CKM_SHA256
                             : mech->size == 48 ? CKM_SHA384
                                                : CKM_SHA512;

    switch (mech->param) {
    case PARAM_NONE:
        break;
    case PARAM_IV:
        place.mech.pParameter = (void *)(uintptr_t)ref_iv;
        place.mech.ulParameterLen = mech->size;
        break;
    case PARAM_CTR:
        place.ctr.ulCounterBits = 128;
        memcpy(place.ctr.cb, ref_iv, sizeof place.ctr.cb);
        place.mech.pParameter = &place.ctr;
        place.mech.ulParameterLen = sizeof place.ctr;
        break;
    case PARAM_GCM:
        place.gcm = (CK_GCM_PARAMS){ .pIv = (CK_BYTE *)(uintptr_t)ref_iv,
                                     .ulIvLen = 12,
                                     .ulIvBits = 96,
                                     .ulTagBits = TAG_BITS };
        place.mech.pParameter = &place.gcm;
        place.mech.ulParameterLen = sizeof place.gcm;
        break;
    case PARAM_CCM:
        place.ccm = (CK_CCM_PARAMS){ .ulDataLen = CCM_DATA,
                                     .pNonce = (CK_BYTE *)(uintptr_t)ref_iv,
                                     .ulNonceLen = 12,
                                     .ulMACLen = TAG_BITS / 8 };
        place.mech.pParameter = &place.ccm;
        place.mech.ulParameterLen = sizeof place.ccm;
        break;
    case PARAM_CHACHA:
        place.chacha = (CK_SALSA20_CHACHA20_POLY1305_PARAMS){
            .pNonce = (CK_BYTE *)(uintptr_t)ref_iv, .ulNonceLen = 12
        };
        place.mech.pParameter = &place.chacha;
        place.mech.ulParameterLen = sizeof place.chacha;
        break;
    case PARAM_OAEP:
        place.oaep = (CK_RSA_PKCS_OAEP_PARAMS){ .hashAlg = hash,
                                                .mgf = mgf_of(hash),
                                                .source = CKZ_DATA_SPECIFIED };
        place.mech.pParameter = &place.oaep;
        place.mech.ulParameterLen = sizeof place.oaep;
        break;
    case PARAM_PSS:
        place.pss = (CK_RSA_PKCS_PSS_PARAMS){ .hashAlg = hash,
                                              .mgf = mgf_of(hash),
                                              .sLen = mech->size };
        place.mech.pParameter = &place.pss;
        place.mech.ulParameterLen = sizeof place.pss;
        break;
    }
}

static void
bind_mech(const struct runner *runner, const struct work *work, enum value value, struct bag *bag)
{
    place.mech = (CK_MECHANISM){ work->mech->number, NULL, 0 };
    bind_param(work->mech);
    bag->mech = &place.mech;
    bag->param = work->mech->param;
    switch (value) {
    case V_MECH_NULL:
        bag->mech = NULL;
        break;
    case V_MECH_UNKNOWN:
        place.mech = (CK_MECHANISM){ UNKNOWN_MECHANISM, NULL, 0 };
        break;
    case V_MECH_FUNCTION:
        place.mech = (CK_MECHANISM){ runner->world->other_mech[work->kind], NULL, 0 };
        break;
    case V_MECH_PARAM:
        if (work->mech->param == PARAM_NONE) {
            place.mech.pParameter = (void *)(uintptr_t)ref_iv;
            place.mech.ulParameterLen = 5;
        } else {
            place.mech.ulParameterLen--;
        }
        break;
    case V_MECH_CONTENT:
        place.gcm.ulTagBits = 136;
        place.ccm.ulMACLen = 17;
        place.chacha.ulNonceLen = 13;
        place.ctr.ulCounterBits = 129;
        place.oaep.hashAlg = place.pss.hashAlg = CKM_AES_ECB;
        break;
    default:
        break;
    }
}

enum half
half_of(const struct work *work)
{
    bool pair = work->mech->family == FAMILY_RSA || work->mech->family == FAMILY_EC;

    return pair && (work->kind == KIND_ENC || work->kind == KIND_VER || work->kind == KIND_VFR)
               ? HALF_PUBLIC
               : HALF_PRIVATE;
}

static bool
bind_key(struct runner *runner, const struct work *work, enum value value, bool logged_in,
         struct bag *bag)
{
    static const enum key others[] = { KEY_AES16, KEY_GEN64, KEY_RSA2048, KEY_EC256 };
    enum key key = (enum key)(work->key - keys);
    enum half half = half_of(work);
    bool pair = work->mech->family == FAMILY_RSA || work->mech->family == FAMILY_EC;

    switch (value) {
    case V_KEY_OK:
        if (!logged_in) {
            bag->key = runner->fixture.stale[key][half];
            break;
        }
        bag->key = fixture_key(&runner->fixture, key, half, true);
        break;
    case V_KEY_FLAG:
        bag->key = fixture_key(&runner->fixture, key, half, false);
        break;
    case V_KEY_CLASS:
        bag->key = fixture_key(&runner->fixture, key,
                               half == HALF_PUBLIC ? HALF_PRIVATE : HALF_PUBLIC, true);
        break;
    case V_KEY_TYPE:
        for (size_t i = 0; i < COUNT(others) && bag->key == CK_INVALID_HANDLE; i++) {
            bool other_pair = keys[others[i]].family == FAMILY_RSA ||
                              keys[others[i]].family == FAMILY_EC;

            if (keys[others[i]].family != work->mech->family && other_pair == pair &&
                runner->world->has_key[others[i]]) {
                bag->key = fixture_key(&runner->fixture, others[i], half, true);
            }
        }
        break;
    case V_KEY_DATA:
        bag->key = fixture_data(&runner->fixture);
        break;
    case V_KEY_GONE:
        bag->key = fixture_gone(&runner->fixture);
        break;
    case V_KEY_ZERO:
        bag->key = CK_INVALID_HANDLE;
        return true;
    default:
        bag->key = UNKNOWN_HANDLE;
        return true;
    }
    return bag->key != CK_INVALID_HANDLE;
}

/* The input of a test from its byte `from` on: the message, or its ciphertext. */
static bool
input(const struct work *work, size_t from, size_t len, uint8_t *ret_in)
{
    static struct {
        struct work work;
        uint8_t bytes[REF_MOST];
        size_t len;
    } kept;
    uint8_t message[REF_MOST];

    if (work->kind != KIND_DEC) {
        for (size_t i = 0; i < len; i++) {
            ret_in[i] = ref_byte(from + i);
        }
        return true;
    }
    if (kept.work.mech != work->mech || kept.work.key != work->key) {
        struct work enc = { work->mech, work->key, KIND_ENC };

        for (size_t i = 0; i < work_message(work); i++) {
            message[i] = ref_byte(i);
        }
        if (!ref_make(&enc, message, work_message(work), kept.bytes, &kept.len)) {
            return false;
        }
        kept.work = *work;
    }
    for (size_t i = 0; i < len; i++) {
        ret_in[i] = from + i < kept.len ? kept.bytes[from + i] : 0;
    }
    return true;
}

/* A bit that matters: for padded blocks one that makes the last byte of padding impossible. */
static void
flip(const struct work *work, uint8_t *in, size_t len)
{
    if (len == 0) {
        return;
    }
    if (work->mech->cipher == CIPHER_PAD && work->kind == KIND_DEC && len > work->mech->size) {
        in[len - 1 - work->mech->size] ^= 0x40;
    } else {
        in[len / 2] ^= 0x01;
    }
}

static bool
bind_in(struct runner *runner, const struct work *work, const struct mstate *state,
        const struct step *step, struct bag *bag)
{
    enum value value = step_value(step, ROLE_IN);
    size_t len = step_in_len(work, state, step), from = 0;
    int s = step_session(step);

    bag->in_len = len;
    if (value == V_IN_NULL || value == V_IN_NOTHING) {
        bag->in = NULL;
        return true;
    }
    if (s >= 0 && functions[step->fn].part == PART_UPDATE) {
        from = state->session[s].op[work->kind].fed;
    }
    bag->in = guard_tail(&runner->in, len);
    if (!input(work, from, len, bag->in)) {
        return false;
    }
    if (value == V_IN_FLIPPED) {
        flip(work, bag->in, len);
    }
    return true;
}

static void
bind_out(struct runner *runner, const struct work *work, const struct mstate *state,
         const struct step *step, struct bag *bag)
{
    size_t need = step_need(work, state, step);

    bag->out_len = &bag->out_room;
    switch (step_value(step, ROLE_OUT)) {
    case V_OUT_EXACT:
        bag->out_room = need;
        break;
    case V_OUT_SHORT:
        bag->out_room = need > 0 ? need - 1 : 0;
        break;
    case V_OUT_ZERO:
        bag->out_room = 0;
        break;
    case V_OUT_NOLEN:
        bag->out_len = NULL;
        bag->out_room = need + 512;
        break;
    case V_OUT_ASK:
        bag->out = NULL;
        bag->out_room = 0;
        return;
    default:
        bag->out_room = need + 512;
        break;
    }
    bag->out = guard_tail(&runner->out, bag->out_room);
}

static void
bind_sig(struct runner *runner, const struct work *work, const struct step *step, struct bag *bag)
{
    static struct {
        struct work work;
        uint8_t in[2048], sig[REF_MOST];
        size_t in_len, sig_len;
    } kept;
    const uint8_t *in = bag->in;
    uint8_t message[REF_MOST] = { 0 };
    size_t len = bag->in_len, room;
    int s = step_session(step);

    if (functions[step->fn].part == PART_FINAL) {
        size_t fed = s >= 0 ? runner->shadow[s][work->kind].in_len : 0;

        for (len = 0; len < fed && len < sizeof message; len++) {
            message[len] = ref_byte(len);
        }
        in = message;
    } else if (step_value(step, ROLE_IN) == V_IN_NOTHING) {
        in = message;
    } else if (work->kind == KIND_VFR || in == NULL || step_value(step, ROLE_IN) == V_IN_FLIPPED) {
        /* The signature of the message, whatever else is handed over. */
        for (len = 0; len < work_message(work); len++) {
            message[len] = ref_byte(len);
        }
        in = message;
    }
    if (kept.work.mech != work->mech || kept.work.key != work->key || kept.in_len != len ||
        memcmp(kept.in, in, len) != 0) {
        kept.work = *work;
        kept.in_len = len;
        memcpy(kept.in, in, len);
        if (!ref_make(work, in, len, kept.sig, &kept.sig_len)) {
            kept.sig_len = work_total(work, len);
            memset(kept.sig, 0x11, kept.sig_len);
        }
    }
    room = kept.sig_len;
    switch (step_value(step, ROLE_SIG)) {
    case V_SIG_SHORT:
        room--;
        break;
    case V_SIG_LONG:
        room++;
        break;
    case V_SIG_EMPTY:
        room = 0;
        break;
    case V_SIG_NULL:
        bag->sig = NULL;
        bag->sig_len = room;
        return;
    default:
        break;
    }
    bag->sig = guard_tail(&runner->sig, room);
    bag->sig_len = room;
    memcpy(bag->sig, kept.sig, room < kept.sig_len ? room : kept.sig_len);
    if (step_value(step, ROLE_SIG) == V_SIG_FLIPPED) {
        bag->sig[room - 1] ^= 0x01;
    }
}

static void
bind_random(enum value value, struct bag *bag)
{
    bag->random = value == V_RANDOM_NULL ? NULL : place.random;
    bag->random_len = value == V_RANDOM_NONE   ? 0
                      : value == V_RANDOM_ONE  ? 1
                      : value == V_RANDOM_MANY ? sizeof place.random
                                               : 32;
}

static void
bind_find(enum value find, enum value max, struct bag *bag)
{
    const char *label = find == V_FIND_DATA ? "p11comply" : "p11comply: no such label";

    place.attrs[0] = (CK_ATTRIBUTE){ CKA_LABEL, (void *)(uintptr_t)label, strlen(label) };
    bag->attrs = find == V_FIND_NULL ? NULL : place.attrs;
    bag->attrs_count = find == V_FIND_ALL ? 0 : 1;
    bag->handles = max == V_MAX_NULL ? NULL : place.handles;
    bag->max = max == V_MAX_ONE ? 1 : COUNT(place.handles);
    bag->found = max == V_MAX_NOCOUNT ? NULL : &place.found;
}

bool
bind_step(struct runner *runner, const struct test *test, const struct mstate *state,
          const struct step *step, struct bag *bag)
{
    struct work work = object_work(&test->object, functions[step->fn].kind);

    memset(bag, 0, sizeof *bag);
    bind_init_args(step_value(step, ROLE_INITARGS), bag);
    bag->reserved = step_value(step, ROLE_RESERVED) == V_RESERVED_SOMETHING ? &place : NULL;
    if (step_value(step, ROLE_INFO) != V_INFO_NULL) {
        bag->info = step->fn == FN_C_OpenSession ? (void *)&place.session : place.info;
    }
    bag->slot = step_value(step, ROLE_SLOT) == V_SLOT_UNKNOWN ? UNKNOWN_HANDLE
                                                              : runner->fixture.slot;
    bag->flags = CKF_SERIAL_SESSION;
    switch (step_value(step, ROLE_FLAGS)) {
    case V_FLAGS_RW:
        bag->flags |= CKF_RW_SESSION;
        break;
    case V_FLAGS_PARALLEL:
        bag->flags = CKF_RW_SESSION;
        break;
    default:
        break;
    }
    if (has_role(step->fn, ROLE_CANCEL)) {
        bag->flags = step_value(step, ROLE_CANCEL) == V_CANCEL_ALL
                         ? CKF_ENCRYPT | CKF_DECRYPT | CKF_DIGEST | CKF_SIGN | CKF_SIGN_RECOVER |
                               CKF_VERIFY | CKF_VERIFY_RECOVER | CKF_FIND_OBJECTS |
                               CKF_MESSAGE_ENCRYPT | CKF_MESSAGE_DECRYPT | CKF_MESSAGE_SIGN |
                               CKF_MESSAGE_VERIFY
                         : 0;
    }
    bind_session(runner, step_value(step, ROLE_SESSION), bag);
    switch (step_value(step, ROLE_USER)) {
    case V_USER_SO:
        bag->user = CKU_SO;
        break;
    case V_USER_CONTEXT:
        bag->user = CKU_CONTEXT_SPECIFIC;
        break;
    case V_USER_UNKNOWN:
        bag->user = 77;
        break;
    default:
        bag->user = CKU_USER;
        break;
    }
    bind_pin(runner, step, bag);
    bind_random(step_value(step, ROLE_RANDOM), bag);
    bind_find(step_value(step, ROLE_FIND), step_value(step, ROLE_MAX), bag);
    if (work.mech == NULL) {
        return true;
    }
    if (has_role(step->fn, ROLE_MECH)) {
        bind_mech(runner, &work, step_value(step, ROLE_MECH), bag);
    }
    if (has_role(step->fn, ROLE_KEY) &&
        !bind_key(runner, &work, step_value(step, ROLE_KEY), state->login == LOGIN_USER, bag)) {
        return false;
    }
    if (functions[step->fn].part == PART_MINIT && mech_has_tag(work.mech) &&
        work.kind < KIND_DIG && bag->mech != NULL) {
        place.mech.pParameter = NULL;       /* it comes with each message */
        place.mech.ulParameterLen = 0;
    }
    if (functions[step->fn].part > PART_MINIT) {
        return message_bind(runner, &work, state, step, bag);
    }
    if (has_role(step->fn, ROLE_IN) && !bind_in(runner, &work, state, step, bag)) {
        return false;
    }
    if (has_role(step->fn, ROLE_OUT)) {
        bind_out(runner, &work, state, step, bag);
    }
    if (has_role(step->fn, ROLE_SIG)) {
        bind_sig(runner, &work, step, bag);
    }
    return true;
}
