/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether functions take the mechanisms that the token says they do, and no others.
 */
#include "exec/cases.h"
#include "exec/trace.h"

void
check_mech_info(struct case_run *r)
{
    /* Bits that have a meaning in 3.2, and the one that says there are more. */
    const CK_FLAGS known = 0xfffffffful;
    CK_MECHANISM_INFO info = { 0 };
    CK_RV rv;

    trace("rv = p11->C_GetMechanismInfo(%u, %u, (void *)info);", r->runner->fixture.slot,
          (CK_ULONG)r->arg);
    rv = r->module->list.C_GetMechanismInfo(r->runner->fixture.slot, r->arg, &info);
    trace_seen("C_GetMechanismInfo", rv);
    if (case_judge(r, rv)) {
        case_wrong_unless(r, info.ulMinKeySize <= info.ulMaxKeySize && !(info.flags & ~known) &&
                            info.flags != 0);
    }
}

static CK_FLAGS
listed_flags(const struct world *world, CK_MECHANISM_TYPE type)
{
    for (size_t i = 0; i < world->listed_count; i++) {
        if (world->listed[i] == type) {
            return world->listed_flags[i];
        }
    }
    return 0;
}

static bool
fits_aes(CK_MECHANISM_TYPE type)
{
    for (int m = 0; m < MECH_COUNT; m++) {
        if (mechanisms[m].number == type) {
            return mechanisms[m].family == FAMILY_AES || mechanisms[m].family == FAMILY_NONE;
        }
    }
    return false;
}

/* A mechanism that a function takes may want a parameter and another key; one that it does not take is
 * told so, unless something else is wrong too. */
static void
judge_honest(struct case_run *r, CK_FLAGS flag, CK_RV rv)
{
    bool offered = listed_flags(r->world, r->arg) & flag;

    r->result->seen = (uint32_t)rv;
    if (offered) {
        r->result->want = CKR_OK;
        if (rv == CKR_MECHANISM_INVALID && !fits_aes(r->arg)) {
            r->result->advisory = true;     /* some say so of a key that does not fit */
        } else if (rv == CKR_MECHANISM_INVALID || rv == CKR_FUNCTION_NOT_SUPPORTED) {
            r->result->verdict = VERDICT_REFUSED;
            r->result->class = CLASS_ARGS;
        }
        return;
    }
    r->result->want = CKR_MECHANISM_INVALID;
    if (rv == CKR_OK) {
        r->result->verdict = VERDICT_ACCEPTED;
        r->result->class = CLASS_INIT;
    } else if (rv == CKR_KEY_TYPE_INCONSISTENT || rv == CKR_MECHANISM_PARAM_INVALID ||
               rv == CKR_KEY_FUNCTION_NOT_PERMITTED || rv == CKR_WRAPPING_KEY_TYPE_INCONSISTENT ||
               rv == CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT || rv == CKR_TEMPLATE_INCONSISTENT ||
               rv == CKR_TEMPLATE_INCOMPLETE || rv == CKR_KEY_SIZE_RANGE) {
        r->result->advisory = true;
    } else if (rv != CKR_MECHANISM_INVALID) {
        r->result->verdict = VERDICT_CODE;
        r->result->class = CLASS_CODES;
    }
}

/* An Init, with the suite's AES key, and the end of what it began. */
static void
try_init(struct case_run *r, CK_FLAGS flag)
{
    CK_MECHANISM mech = { r->arg, NULL, 0 };
    struct bag bag = { .session = r->runner->fixture.session[0],
                       .mech = &mech,
                       .key = fixture_key(&r->runner->fixture, KEY_AES16, HALF_PRIVATE, true) };

    if (bag.key == CK_INVALID_HANDLE || !r->world->has_fn[r->row->fn]) {
        r->result->verdict = VERDICT_SKIPPED;
        return;
    }
    judge_honest(r, flag, call(r->module, r->row->fn, &bag));
}

void
check_mech_encrypt(struct case_run *r)
{
    try_init(r, CKF_ENCRYPT);
}

void
check_mech_decrypt(struct case_run *r)
{
    try_init(r, CKF_DECRYPT);
}

void
check_mech_digest(struct case_run *r)
{
    try_init(r, CKF_DIGEST);
}

void
check_mech_sign(struct case_run *r)
{
    try_init(r, CKF_SIGN);
}

void
check_mech_verify(struct case_run *r)
{
    try_init(r, CKF_VERIFY);
}

/* Of what is made here nothing stays. */
static void
try_made(struct case_run *r, CK_FLAGS flag, CK_RV rv, CK_OBJECT_HANDLE made)
{
    judge_honest(r, flag, rv);
    if (rv == CKR_OK && made != CK_INVALID_HANDLE) {
        (void)call_destroy(r->module, r->runner->fixture.session[0], made);
    }
}

void
check_mech_generate(struct case_run *r)
{
    static CK_BBOOL no = CK_FALSE;
    CK_ATTRIBUTE attrs[] = { { CKA_TOKEN, &no, sizeof no } };
    CK_MECHANISM mech = { r->arg, NULL, 0 };
    CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
    CK_RV rv = call_generate(r->module, r->runner->fixture.session[0], &mech, attrs, COUNT(attrs),
                             &key);

    try_made(r, CKF_GENERATE, rv, key);
}

void
check_mech_wrap(struct case_run *r)
{
    CK_MECHANISM mech = { r->arg, NULL, 0 };
    CK_OBJECT_HANDLE key = fixture_key(&r->runner->fixture, KEY_AES16, HALF_PRIVATE, true);
    static CK_BYTE out[4096];
    CK_ULONG len = sizeof out;

    judge_honest(r, CKF_WRAP,
                 call_wrap(r->module, r->runner->fixture.session[0], &mech, key, key, out, &len));
}

void
check_mech_unwrap(struct case_run *r)
{
    static CK_BBOOL no = CK_FALSE;
    static CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    static CK_KEY_TYPE type = CKK_AES;
    static CK_BYTE in[24];
    CK_ATTRIBUTE attrs[] = { { CKA_TOKEN, &no, sizeof no },
                             { CKA_CLASS, &class, sizeof class },
                             { CKA_KEY_TYPE, &type, sizeof type } };
    CK_MECHANISM mech = { r->arg, NULL, 0 };
    CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
    CK_RV rv = call_unwrap(r->module, r->runner->fixture.session[0], &mech,
                           fixture_key(&r->runner->fixture, KEY_AES16, HALF_PRIVATE, true), in,
                           sizeof in, attrs, COUNT(attrs), &key);

    try_made(r, CKF_UNWRAP, rv, key);
}

void
check_mech_derive(struct case_run *r)
{
    static CK_BBOOL no = CK_FALSE;
    static CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    static CK_KEY_TYPE type = CKK_GENERIC_SECRET;
    static CK_ULONG value_len = 16;
    CK_ATTRIBUTE attrs[] = { { CKA_TOKEN, &no, sizeof no },
                             { CKA_CLASS, &class, sizeof class },
                             { CKA_KEY_TYPE, &type, sizeof type },
                             { CKA_VALUE_LEN, &value_len, sizeof value_len } };
    CK_MECHANISM mech = { r->arg, NULL, 0 };
    CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
    CK_RV rv = call_derive(r->module, r->runner->fixture.session[0], &mech,
                           fixture_key(&r->runner->fixture, KEY_AES16, HALF_PRIVATE, true), attrs,
                           COUNT(attrs), &key);

    try_made(r, CKF_DERIVE, rv, key);
}
