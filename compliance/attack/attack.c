/* SPDX-License-Identifier: Apache-2.0
 *
 * What attacks are made of, and their verdicts.
 */
#include "attack/attack.h"
#include "model/planner.h"

#include <stdarg.h>
#include <string.h>

#define FLAGS_MOST 24

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

static const struct {
    enum fn fn;
    enum level level;
} rows[] = {
#define ATTACK(number, function, level, section, text) \
    [V_ATTACK_S##number - V_ATTACK_NONE] = { FN_##function, LEVEL_##level },
#include "model/attacks.def"
};

CK_RV
attack_remember(struct attack *a, CK_RV rv, CK_OBJECT_HANDLE handle)
{
    if (rv == CKR_OK && a->made_count < COUNT(a->made)) {
        a->made[a->made_count++] = handle;
    }
    return rv;
}

void
attack_put(struct template *t, CK_ATTRIBUTE_TYPE type, const void *value, size_t len)
{
    for (CK_ULONG i = 0; i < t->count; i++) {
        if (t->attr[i].type == type) {
            t->attr[i] = (CK_ATTRIBUTE){ type, (void *)(uintptr_t)value, len };
            return;
        }
    }
    template_put(t, type, value, len);
}

CK_OBJECT_HANDLE
attack_make(struct attack *a, const CK_ATTRIBUTE *attrs, size_t count)
{
    CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
    CK_RV rv = call_create(a->module, a->session, (CK_ATTRIBUTE *)(uintptr_t)attrs, count, &handle);

    return attack_remember(a, rv, handle) == CKR_OK ? handle : CK_INVALID_HANDLE;
}

CK_OBJECT_HANDLE
attack_key(struct attack *a, enum key key, enum half half, ...)
{
    struct template t;
    CK_ATTRIBUTE_TYPE type;
    va_list list;

    if (!template_key(&t, key, half, false)) {
        return CK_INVALID_HANDLE;
    }
    va_start(list, half);
    while ((type = va_arg(list, CK_ATTRIBUTE_TYPE)) != 0) {
        attack_put(&t, type & ~OFF, type & OFF ? &no : &yes, 1);
    }
    va_end(list);
    return attack_make(a, t.attr, t.count);
}

CK_OBJECT_HANDLE
attack_target(struct attack *a)
{
    return attack_key(a, KEY_AES16, HALF_PRIVATE, CKA_SENSITIVE, CKA_EXTRACTABLE, CKA_ENCRYPT,
                      UINT64_C(0));
}

bool
attack_is_target(const uint8_t *bytes, size_t len)
{
    uint8_t value[64];
    size_t value_len;

    return ref_secret(KEY_AES16, value, &value_len) && len >= value_len &&
           memcmp(bytes, value, value_len) == 0;
}

bool
attack_reads(struct attack *a, CK_OBJECT_HANDLE key)
{
    uint8_t value[512];
    CK_ULONG len = sizeof value;

    return call_get(a->module, a->session, key, CKA_VALUE, value, &len) == CKR_OK && len > 0;
}

CK_MECHANISM *
attack_mechanism(CK_MECHANISM_TYPE type)
{
    static CK_RSA_PKCS_OAEP_PARAMS oaep = { CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, NULL, 0 };
    static CK_GCM_PARAMS gcm = { (CK_BYTE *)(uintptr_t)ref_iv, 12, 96, NULL, 0, 128 };
    static CK_AES_CTR_PARAMS ctr = { .ulCounterBits = 32 };
    static CK_MECHANISM mech;

    mech = (CK_MECHANISM){ type, NULL, 0 };
    switch (type) {
    case CKM_AES_CBC:
    case CKM_AES_CBC_PAD:
        mech.pParameter = (void *)(uintptr_t)ref_iv;
        mech.ulParameterLen = 16;
        break;
    case CKM_AES_CTR:                   /* as GCM goes on from its nonce */
        memcpy(ctr.cb, ref_iv, 12);
        ctr.cb[15] = 2;
        mech.pParameter = &ctr;
        mech.ulParameterLen = sizeof ctr;
        break;
    case CKM_AES_GCM:
        mech.pParameter = &gcm;
        mech.ulParameterLen = sizeof gcm;
        break;
    case CKM_RSA_PKCS_OAEP:
        mech.pParameter = &oaep;
        mech.ulParameterLen = sizeof oaep;
        break;
    default:
        break;
    }
    return &mech;
}

CK_RV
attack_crypt(struct attack *a, enum fn init, CK_MECHANISM_TYPE mech, CK_OBJECT_HANDLE key,
             const uint8_t *in, size_t len, uint8_t *ret_out, size_t *ret_len)
{
    struct bag bag = { .session = a->session,
                       .mech = attack_mechanism(mech),
                       .param = mech == CKM_AES_GCM         ? PARAM_GCM
                                : mech == CKM_RSA_PKCS_OAEP ? PARAM_OAEP
                                                            : PARAM_NONE,
                       .key = key,
                       .in = (CK_BYTE *)(uintptr_t)in,
                       .in_len = len,
                       .out = ret_out,
                       .out_room = 2048 };
    CK_RV rv = call(a->module, init, &bag);

    bag.out_len = &bag.out_room;
    if (rv == CKR_OK) {
        rv = call(a->module, (enum fn)(init + 1), &bag);    /* C_Sign stands behind C_SignInit */
    }
    *ret_len = rv == CKR_OK ? bag.out_room : 0;
    return rv;
}

CK_RV
attack_wrap(struct attack *a, CK_MECHANISM_TYPE mech, CK_OBJECT_HANDLE wrapper,
            CK_OBJECT_HANDLE key, uint8_t *ret_blob, size_t *ret_len)
{
    CK_ULONG len = 2048;
    CK_RV rv = call_wrap(a->module, a->session, attack_mechanism(mech), wrapper, key, ret_blob, &len);

    *ret_len = rv == CKR_OK ? len : 0;
    return rv;
}

CK_RV
attack_unwrap(struct attack *a, CK_MECHANISM_TYPE mech, CK_OBJECT_HANDLE wrapper,
              const uint8_t *blob, size_t len, CK_KEY_TYPE type, CK_OBJECT_HANDLE *ret_key, ...)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_ATTRIBUTE attrs[FLAGS_MOST] = {
        { CKA_CLASS, &class, sizeof class },
        { CKA_KEY_TYPE, &type, sizeof type },
        { CKA_TOKEN, &no, 1 },
    };
    CK_ATTRIBUTE_TYPE flag;
    CK_ULONG count = 3;
    va_list list;

    va_start(list, ret_key);
    while ((flag = va_arg(list, CK_ATTRIBUTE_TYPE)) != 0 && count < FLAGS_MOST) {
        attrs[count++] = (CK_ATTRIBUTE){ flag & ~OFF, flag & OFF ? &no : &yes, 1 };
    }
    va_end(list);
    *ret_key = CK_INVALID_HANDLE;
    return attack_remember(a,
                    call_unwrap(a->module, a->session, attack_mechanism(mech), wrapper,
                                (CK_BYTE *)(uintptr_t)blob, len, attrs, count, ret_key),
                    *ret_key);
}

/* What a way of the planner says when it is open: of the last call that the text forbids, or else of
 * the last of all. */
static void
judge_plan(const struct test *test, struct result *result)
{
    result->cond = RULE_PLAN_OPEN;
    for (size_t i = 1; i < test->count; i++) {
        const struct move_row *row =
            &moves[step_value(&test->step[i], ROLE_MOVE) - V_MOVE_NONE - 1];

        if (row->forbidden || result->cond == RULE_PLAN_OPEN) {
            result->fn = (uint8_t)row->fn;
        }
        if (row->forbidden) {
            result->cond = RULE_PLAN_SHUT;
        }
    }
}

void
attack_run(struct runner *runner, const struct test *test, struct result *ret_result)
{
    struct attack a = { .runner = runner,
                        .module = runner->fixture.module,
                        .session = runner->fixture.home };
    enum ending ending = ENDING_UNTRIED;
    bool strict;

    if (test->step[0].fn == FN_PLAN) {
        size_t last = 0;

        judge_plan(test, ret_result);
        strict = ret_result->cond == RULE_PLAN_SHUT;
        ending = attack_go(&a, test, &last);
        ret_result->step = (uint8_t)last;
    } else {
        enum value number = step_value(&test->step[0], ROLE_ATTACK);
        size_t at = (size_t)(number - V_ATTACK_NONE);

        ret_result->fn = test->step[0].fn;
        ret_result->cond = (uint16_t)(RULE_SEC_01 + at - 1);
        strict = rows[at].level == LEVEL_STRICT;
        if (number != V_ATTACK_NONE && attack_scenes[at] != NULL) {
            ret_result->fn = (uint8_t)rows[at].fn;
            ending = attack_scenes[at](&a);
        }
    }
    for (size_t i = 0; i < a.made_count; i++) {
        (void)call_destroy(a.module, a.session, a.made[i]);
    }
    ret_result->seen = CKR_OK;
    if (ending == ENDING_SUCCEEDED) {
        ret_result->detail = DETAIL_ATTACK;
        ret_result->class = CLASS_SECURITY;
    }
    ret_result->verdict = ending == ENDING_UNTRIED   ? VERDICT_SKIPPED
                          : ending == ENDING_STOPPED ? VERDICT_PASS
                          : strict                   ? VERDICT_SECRET
                                                     : VERDICT_ADVISORY;
}
