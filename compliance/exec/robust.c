/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls that no application should make: they may fail, but they return, and the session lives on.
 */
#include "exec/cases.h"
#include "exec/trace.h"
#include "ref/ref.h"

#include <string.h>

/* Functions that would end what the suite has, try PINs, or wait. */
static bool
is_left_out(const char *name)
{
    static const char *const out[] = {
        "C_Initialize",    "C_Finalize",         "C_InitToken",        "C_InitPIN", "C_SetPIN",
        "C_CloseSession",  "C_CloseAllSessions", "C_WaitForSlotEvent", "C_Login",   "C_Logout",
        "C_DestroyObject", "C_LoginUser",
    };

    for (size_t i = 0; i < COUNT(out); i++) {
        if (strcmp(name, out[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* The second argument is the handle of an object. */
static bool
takes_object(size_t at)
{
    static const char *const takes[] = { "C_CopyObject", "C_GetObjectSize", "C_GetAttributeValue",
                                         "C_SetAttributeValue", "C_DigestKey" };

    for (size_t i = 0; i < COUNT(takes); i++) {
        if (strcmp(list_names[at], takes[i]) == 0) {
            return true;
        }
    }
    return false;
}

static CK_SESSION_HANDLE
session(const struct case_run *r)
{
    return r->runner->fixture.session[0];
}

/* The session is there, and the library answers. */
static void
look_alive(struct case_run *r)
{
    CK_SESSION_INFO info;
    struct bag bag = { .session = session(r), .info = &info };

    if (call(r->module, FN_C_GetSessionInfo, &bag) != CKR_OK) {
        case_wrong(r);
    }
}

static void
zeros(struct case_run *r, CK_ULONG second)
{
    CK_RV rv;

    r->result->fn = (uint8_t)fn_find(list_names[r->arg], strlen(list_names[r->arg]));
    if (is_left_out(list_names[r->arg])) {
        r->result->verdict = VERDICT_SKIPPED;
        return;
    }
    rv = case_words(r, r->arg, list_takes_session(r->arg) ? session(r) : 0, second);
    if (case_judge(r, rv)) {
        look_alive(r);
    }
}

void
check_zeros(struct case_run *r)
{
    zeros(r, 0);
}

void
check_zeros_key(struct case_run *r)
{
    CK_OBJECT_HANDLE key = list_takes_session(r->arg)
                               ? fixture_key(&r->runner->fixture, KEY_AES16, HALF_PRIVATE, true)
                               : 0;
    bool pointer = list_takes_session(r->arg) && !takes_object(r->arg);

    /* A handle is no pointer. */
    if (pointer) {
        r->result->verdict = VERDICT_SKIPPED;
        return;
    }
    zeros(r, key);
}

/* A session that there is not, with nothing else. */
void
check_zeros_odd(struct case_run *r)
{
    r->result->fn = (uint8_t)fn_find(list_names[r->arg], strlen(list_names[r->arg]));
    if (!list_takes_session(r->arg)) {
        r->result->verdict = VERDICT_SKIPPED;
        return;
    }
    if (case_judge(r, case_words(r, r->arg, ~(CK_ULONG)0, 0))) {
        look_alive(r);
    }
}

/* ---- parameters of so many zeros, or NULL and a length ---- */

static CK_MECHANISM
zero_mech(const struct case_run *r, bool null, CK_ULONG len)
{
    static CK_BYTE zeros[64];

    return (CK_MECHANISM){ r->arg, null ? NULL : zeros, len };
}

static void
try_init(struct case_run *r, bool null, CK_ULONG len)
{
    CK_MECHANISM mech = zero_mech(r, null, len);
    struct bag bag = { .session = session(r),
                       .mech = &mech,
                       .key = fixture_key(&r->runner->fixture, KEY_AES16, HALF_PRIVATE, true) };

    if (case_judge(r, call(r->module, r->row->fn, &bag))) {
        look_alive(r);
    }
}

static void
try_derive(struct case_run *r, bool null, CK_ULONG len)
{
    static CK_BBOOL no = CK_FALSE;
    static CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    static CK_KEY_TYPE type = CKK_GENERIC_SECRET;
    static CK_ULONG value_len = 16;
    CK_ATTRIBUTE attrs[] = { { CKA_TOKEN, &no, sizeof no },
                             { CKA_CLASS, &class, sizeof class },
                             { CKA_KEY_TYPE, &type, sizeof type },
                             { CKA_VALUE_LEN, &value_len, sizeof value_len } };
    CK_MECHANISM mech = zero_mech(r, null, len);
    CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
    CK_RV rv = call_derive(r->module, session(r), &mech,
                           fixture_key(&r->runner->fixture, KEY_EC256, HALF_PRIVATE, true), attrs,
                           COUNT(attrs), &key);

    if (rv == CKR_OK) {
        (void)call_destroy(r->module, session(r), key);
    }
    if (case_judge(r, rv)) {
        look_alive(r);
    }
}

static void
try_wrap(struct case_run *r, bool null, CK_ULONG len)
{
    static CK_BYTE out[4096];
    CK_MECHANISM mech = zero_mech(r, null, len);
    CK_OBJECT_HANDLE key = fixture_key(&r->runner->fixture, KEY_AES16, HALF_PRIVATE, true);
    CK_ULONG room = sizeof out;

    if (case_judge(r, call_wrap(r->module, session(r), &mech, key, key, out, &room))) {
        look_alive(r);
    }
}

#define PARAM_CHECK(tag, try, null, len) \
    void check_##tag(struct case_run *r) \
    {                                    \
        try(r, null, len);               \
    }
PARAM_CHECK(encrypt_p1, try_init, false, 1)
PARAM_CHECK(encrypt_p8, try_init, false, 8)
PARAM_CHECK(encrypt_p24, try_init, false, 24)
PARAM_CHECK(encrypt_p48, try_init, false, 48)
PARAM_CHECK(encrypt_null, try_init, true, 48)
PARAM_CHECK(sign_p1, try_init, false, 1)
PARAM_CHECK(sign_p8, try_init, false, 8)
PARAM_CHECK(sign_p24, try_init, false, 24)
PARAM_CHECK(sign_null, try_init, true, 24)
PARAM_CHECK(digest_p8, try_init, false, 8)
PARAM_CHECK(derive_p8, try_derive, false, 8)
PARAM_CHECK(derive_p24, try_derive, false, 24)
PARAM_CHECK(derive_p40, try_derive, false, 40)
PARAM_CHECK(derive_p48, try_derive, false, 48)
PARAM_CHECK(derive_null, try_derive, true, 40)
PARAM_CHECK(wrap_p16, try_wrap, false, 16)
PARAM_CHECK(wrap_p24, try_wrap, false, 24)
PARAM_CHECK(wrap_null, try_wrap, true, 24)

/* ---- input and output at one place ---- */

/* A block cipher over 64 bytes. False, with a verdict, when that fails. */
static bool
crypt_64(struct case_run *r, bool encrypt, bool part, uint8_t *in, uint8_t *out)
{
    static CK_BYTE iv[16];
    CK_MECHANISM mech = { CKM_AES_CBC, iv, sizeof iv };
    struct bag bag = { .session = session(r),
                       .mech = &mech,
                       .key = fixture_key(&r->runner->fixture, KEY_AES16, HALF_PRIVATE, true),
                       .in = in,
                       .in_len = 64,
                       .out = out,
                       .out_room = 64 };

    bag.out_len = &bag.out_room;
    if (!(r->world->mech_flags[MECH_AES_CBC] & CKF_ENCRYPT) ||
        call(r->module, encrypt ? FN_C_EncryptInit : FN_C_DecryptInit, &bag) != CKR_OK) {
        r->result->verdict = VERDICT_SKIPPED;
        return false;
    }
    r->result->fn = !encrypt ? FN_C_Decrypt : part ? FN_C_EncryptUpdate : FN_C_Encrypt;
    if (!case_judge(r, call(r->module, (enum fn)r->result->fn, &bag))) {
        return false;
    }
    if (part) {
        bag.out = guard_tail(&r->runner->sig, 64);
        bag.out_room = 64;
        return call(r->module, FN_C_EncryptFinal, &bag) == CKR_OK;
    }
    return true;
}

static void
overlap(struct case_run *r, bool encrypt, bool part)
{
    uint8_t *in = guard_tail(&r->runner->in, 64), *out = guard_tail(&r->runner->out, 64);

    for (size_t i = 0; i < 64; i++) {
        in[i] = ref_byte(i);
    }
    if (crypt_64(r, encrypt, part, in, out) && crypt_64(r, encrypt, part, in, in)) {
        case_wrong_unless(r, memcmp(in, out, 64) == 0);
    }
}

void
check_overlap_one(struct case_run *r)
{
    overlap(r, true, false);
}

void
check_overlap_part(struct case_run *r)
{
    overlap(r, true, true);
}

void
check_overlap_dec(struct case_run *r)
{
    overlap(r, false, false);
}
