/* SPDX-License-Identifier: Apache-2.0
 *
 * Makes an object as the user, brings a session into a state, and makes one call there. What is to
 * come of it the state and the kind of object say (model/access.c).
 */
#include "exec/cases.h"
#include "exec/trace.h"
#include "ref/ref.h"

#include <string.h>
#include <unistd.h>

/* A test while it runs. */
struct visit {
    struct case_run *run;
    struct fixture *fixture;
    uint32_t arg;
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE object;
    char label[32];
};

/* What a template is about; the values live here. */
struct about {
    CK_ATTRIBUTE attr[10];
    CK_ULONG count;
    CK_OBJECT_CLASS class;
    CK_KEY_TYPE type;
    CK_BBOOL token, private;
    CK_ULONG value_len;
    uint8_t value[256];
};

static CK_BBOOL yes = CK_TRUE;

static void
put(struct about *a, CK_ATTRIBUTE_TYPE type, void *value, size_t len)
{
    a->attr[a->count++] = (CK_ATTRIBUTE){ type, value, len };
}

static void
put_place(struct about *a, struct visit *v)
{
    a->token = ACCESS_TOKEN(v->arg);
    a->private = ACCESS_PRIVATE(v->arg);
    put(a, CKA_TOKEN, &a->token, sizeof a->token);
    put(a, CKA_PRIVATE, &a->private, sizeof a->private);
    put(a, CKA_LABEL, v->label, strlen(v->label));
}

/* A data object, or a key that may do what the call is for. */
static bool
about_object(struct visit *v, struct about *ret_about)
{
    static const struct {
        enum fn fn;
        enum key key;
        CK_ATTRIBUTE_TYPE usage;
    } keyed[] = {
        { FN_C_EncryptInit, KEY_AES16, CKA_ENCRYPT },
        { FN_C_DecryptInit, KEY_AES16, CKA_DECRYPT },
        { FN_C_SignInit, KEY_GEN64, CKA_SIGN },
        { FN_C_VerifyInit, KEY_GEN64, CKA_VERIFY },
        { FN_C_WrapKey, KEY_AES16, CKA_WRAP },
        { FN_C_DigestKey, KEY_AES16, CKA_ENCRYPT },
        { FN_C_GenerateKey, KEY_AES16, CKA_ENCRYPT },
    };
    enum fn fn = v->run->row->fn;
    enum key key = KEY_COUNT;
    size_t len;

    memset(ret_about, 0, sizeof *ret_about);
    put_place(ret_about, v);
    for (size_t i = 0; i < COUNT(keyed); i++) {
        if (keyed[i].fn == fn) {
            key = keyed[i].key;
            put(ret_about, keyed[i].usage, &yes, sizeof yes);
        }
    }
    if (key == KEY_COUNT && !v->run->world->has_object[OBJECT_DATA]) {
        key = KEY_AES16;
    }
    if (fn == FN_C_GenerateKey) {
        ret_about->value_len = keys[key].bytes;
        put(ret_about, CKA_VALUE_LEN, &ret_about->value_len, sizeof ret_about->value_len);
        return true;
    }
    ret_about->class = key == KEY_COUNT ? CKO_DATA : CKO_SECRET_KEY;
    put(ret_about, CKA_CLASS, &ret_about->class, sizeof ret_about->class);
    if (key == KEY_COUNT) {
        memcpy(ret_about->value, "access", 6);
        put(ret_about, CKA_VALUE, ret_about->value, 6);
        return true;
    }
    ret_about->type = keys[key].type;
    put(ret_about, CKA_KEY_TYPE, &ret_about->type, sizeof ret_about->type);
    if (!ref_secret(key, ret_about->value, &len)) {
        return false;
    }
    put(ret_about, CKA_VALUE, ret_about->value, len);
    if (fn == FN_C_WrapKey) {
        put(ret_about, CKA_EXTRACTABLE, &yes, sizeof yes);
    }
    return true;
}

/* The object, with the place that it was asked for: some tokens have no public keys. */
static bool
make_object(struct visit *v)
{
    const struct module *module = v->run->module;
    struct about about;
    CK_BBOOL private = 2;
    CK_ULONG len = sizeof private;

    return about_object(v, &about) &&
           call_create(module, v->fixture->home, about.attr, about.count, &v->object) == CKR_OK &&
           call_get(module, v->fixture->home, v->object, CKA_PRIVATE, &private, &len) == CKR_OK &&
           private == about.private;
}

static bool
login_as(struct visit *v, CK_USER_TYPE user, const char *pin)
{
    struct bag bag = { .session = v->fixture->home,
                       .user = user,
                       .pin = (CK_BYTE *)(uintptr_t)pin,
                       .pin_len = strlen(pin) };

    return call(v->run->module, FN_C_Login, &bag) == CKR_OK;
}

/* The session in its state. */
static bool
enter(struct visit *v)
{
    enum access state = ACCESS_STATE(v->arg);
    bool reads = state == ACCESS_RO_PUBLIC || state == ACCESS_RO_USER;
    struct bag bag = { .session = v->fixture->home,
                       .slot = v->fixture->slot,
                       .flags = CKF_SERIAL_SESSION | (reads ? 0 : CKF_RW_SESSION),
                       .info = &v->session };

    if (!access_is_user(v->arg)) {
        if (call(v->run->module, FN_C_Logout, &bag) != CKR_OK) {
            return false;
        }
        fixture_forget(v->fixture);
        if (state == ACCESS_RW_SO && !login_as(v, CKU_SO, v->fixture->so_pin)) {
            return false;
        }
    }
    return call(v->run->module, FN_C_OpenSession, &bag) == CKR_OK;
}

/* The objects with the label, and how many they are. */
static CK_RV
look_for(struct visit *v, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE ret_found[8],
         CK_ULONG *ret_count)
{
    CK_ATTRIBUTE label = { CKA_LABEL, v->label, strlen(v->label) };
    struct bag bag = { .session = session,
                       .attrs = &label,
                       .attrs_count = 1,
                       .handles = ret_found,
                       .max = 8,
                       .found = ret_count };
    CK_RV rv = call(v->run->module, FN_C_FindObjectsInit, &bag), end;

    *ret_count = 0;
    if (rv != CKR_OK) {
        return rv;
    }
    rv = call(v->run->module, FN_C_FindObjects, &bag);
    end = call(v->run->module, FN_C_FindObjectsFinal, &bag);
    return rv != CKR_OK ? rv : end;
}

/* All sessions closed, the user back, and no object of the token left. */
static void
leave(struct visit *v)
{
    CK_OBJECT_HANDLE found[8];
    CK_ULONG count;

    if (!fixture_ready(v->fixture, BASE_LIBRARY) || !fixture_ready(v->fixture, BASE_LOGIN)) {
        v->run->runner->dirty = true;
        return;
    }
    if (ACCESS_TOKEN(v->arg) && look_for(v, v->fixture->home, found, &count) == CKR_OK) {
        for (CK_ULONG i = 0; i < count; i++) {
            (void)call_destroy(v->run->module, v->fixture->home, found[i]);
        }
    }
}

/* The call, of which the rule tells what is right. */
static CK_RV
init(struct visit *v)
{
    static CK_BYTE iv[16];
    bool crypts = v->run->row->fn == FN_C_EncryptInit || v->run->row->fn == FN_C_DecryptInit;
    CK_MECHANISM mech = crypts ? (CK_MECHANISM){ CKM_AES_CBC, iv, sizeof iv }
                               : (CK_MECHANISM){ CKM_SHA256_HMAC, NULL, 0 };
    struct bag bag = { .session = v->session, .mech = &mech, .key = v->object };

    return call(v->run->module, v->run->row->fn, &bag);
}

static CK_RV
digest(struct visit *v)
{
    CK_MECHANISM mech = { CKM_SHA256, NULL, 0 };
    struct bag bag = { .session = v->session, .mech = &mech };
    CK_RV rv = call(v->run->module, FN_C_DigestInit, &bag);

    return rv != CKR_OK ? rv : call_digest_key(v->run->module, v->session, v->object);
}

static CK_RV
size_of(struct visit *v)
{
    CK_ULONG size = 0;
    CK_RV rv;

    trace("rv = p11->C_GetObjectSize(%s, %o, &len);", v->session, v->object);
    rv = v->run->module->list.C_GetObjectSize(v->session, v->object, &size);
    trace_seen("C_GetObjectSize", rv);
    return rv;
}

static CK_RV
make(struct visit *v)
{
    static CK_MECHANISM mech = { CKM_AES_KEY_GEN, NULL, 0 };
    const struct module *module = v->run->module;
    struct about about;
    CK_OBJECT_HANDLE made;

    if (v->run->row->fn == FN_C_CopyObject) {
        CK_ATTRIBUTE label = { CKA_LABEL, v->label, strlen(v->label) };

        return call_copy(module, v->session, v->object, &label, 1, &made);
    }
    if (!about_object(v, &about)) {
        return CKR_FUNCTION_NOT_SUPPORTED;
    }
    return v->run->row->fn == FN_C_GenerateKey
               ? call_generate(module, v->session, &mech, about.attr, about.count, &made)
               : call_create(module, v->session, about.attr, about.count, &made);
}

static CK_RV
act(struct visit *v)
{
    const struct module *module = v->run->module;
    CK_ATTRIBUTE label = { CKA_LABEL, v->label, strlen(v->label) };
    CK_MECHANISM wrap = { CKM_AES_KEY_WRAP, NULL, 0 };
    CK_OBJECT_HANDLE found[8];
    CK_BYTE out[64];
    CK_ULONG len = sizeof out;
    CK_RV rv;

    switch (v->run->row->fn) {
    case FN_C_CreateObject:
    case FN_C_GenerateKey:
    case FN_C_CopyObject:
        return make(v);
    case FN_C_DestroyObject:
        return call_destroy(module, v->session, v->object);
    case FN_C_GetObjectSize:
        return size_of(v);
    case FN_C_GetAttributeValue:
        return call_get(module, v->session, v->object, CKA_LABEL, out, &len);
    case FN_C_SetAttributeValue:
        return call_set(module, v->session, v->object, &label, 1);
    case FN_C_WrapKey:
        return call_wrap(module, v->session, &wrap, v->object, v->object, out, &len);
    case FN_C_DigestKey:
        return digest(v);
    case FN_C_FindObjectsInit:
        rv = look_for(v, v->session, found, &len);
        case_wrong_unless(v->run, rv != CKR_OK || (len == 1) == access_sees(v->arg));
        return rv;
    default:
        return init(v);
    }
}

/* What the call needs beside the object. */
static bool
is_there(const struct case_run *r)
{
    const struct world *w = r->world;

    switch (r->row->fn) {
    case FN_C_EncryptInit:
        return (w->mech_flags[MECH_AES_CBC] & CKF_ENCRYPT) != 0;
    case FN_C_DecryptInit:
        return (w->mech_flags[MECH_AES_CBC] & CKF_DECRYPT) != 0;
    case FN_C_SignInit:
        return (w->mech_flags[MECH_SHA256_HMAC] & CKF_SIGN) != 0;
    case FN_C_VerifyInit:
        return (w->mech_flags[MECH_SHA256_HMAC] & CKF_VERIFY) != 0;
    case FN_C_DigestKey:
        return (w->mech_flags[MECH_SHA256] & CKF_DIGEST) != 0;
    case FN_C_WrapKey:
        return (w->way_flags[0] & CKF_WRAP) != 0;
    default:
        return true;
    }
}

static void
visit(struct case_run *r)
{
    struct case_row row = *r->row;
    struct visit v = { .run = r, .fixture = &r->runner->fixture, .arg = r->arg };
    bool makes = row.fn == FN_C_CreateObject || row.fn == FN_C_GenerateKey;

    row.rule = access_rule(row.fn, r->arg);
    r->row = &row;
    r->result->cond = (uint16_t)row.rule;
    snprintf(v.label, sizeof v.label, "p11comply %ld", (long)getpid());
    if (!is_there(r) || (!makes && !make_object(&v)) || !enter(&v)) {
        r->result->verdict = VERDICT_SKIPPED;
    } else {
        CK_RV rv = act(&v);

        if (rv == CKR_FUNCTION_NOT_SUPPORTED) {
            r->result->verdict = VERDICT_SKIPPED;
        } else if (r->result->verdict == VERDICT_NONE) {
            (void)case_judge(r, rv);
        }
    }
    leave(&v);
}

#define ACCESS_CHECK(tag) \
    void check_access_##tag(struct case_run *r) \
    { \
        visit(r); \
    }
ACCESS_CHECK(mk)
ACCESS_CHECK(gk)
ACCESS_CHECK(cp)
ACCESS_CHECK(dob)
ACCESS_CHECK(gsz)
ACCESS_CHECK(ga)
ACCESS_CHECK(st)
ACCESS_CHECK(fi)
ACCESS_CHECK(ei)
ACCESS_CHECK(di)
ACCESS_CHECK(gi)
ACCESS_CHECK(vi)
ACCESS_CHECK(wr)
ACCESS_CHECK(dk)
