/* SPDX-License-Identifier: Apache-2.0
 *
 * Sessions, login and keys for tests.
 */
#include "exec/fixture.h"

#include <string.h>

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

void
fixture_forget(struct fixture *fixture)
{
    memset(fixture->key, 0, sizeof fixture->key);
    memset(fixture->kept, 0, sizeof fixture->kept);
    memset(fixture->ladder, 0, sizeof fixture->ladder);
    memset(&fixture->answer, 0, sizeof fixture->answer);
    memset(fixture->travel, 0, sizeof fixture->travel);
    fixture->data = fixture->gone = CK_INVALID_HANDLE;
}

static void
forget_all(struct fixture *fixture)
{
    fixture_forget(fixture);
    fixture->home = CK_INVALID_HANDLE;
    memset(fixture->session, 0, sizeof fixture->session);
}

static CK_RV
open_session(struct fixture *fixture, CK_SESSION_HANDLE *ret_session)
{
    struct bag bag = { .slot = fixture->slot,
                       .flags = CKF_SERIAL_SESSION | CKF_RW_SESSION,
                       .info = ret_session };

    return call(fixture->module, FN_C_OpenSession, &bag);
}

static void
close_session(struct fixture *fixture, CK_SESSION_HANDLE *session)
{
    struct bag bag = { .session = *session };

    if (*session != CK_INVALID_HANDLE) {
        (void)call(fixture->module, FN_C_CloseSession, &bag);
        fixture->closed = *session;
        *session = CK_INVALID_HANDLE;
    }
}

static bool
login(struct fixture *fixture)
{
    struct bag bag = { .session = fixture->home,
                       .user = CKU_USER,
                       .pin = (CK_BYTE *)(uintptr_t)fixture->pin,
                       .pin_len = strlen(fixture->pin) };
    CK_RV rv;

    if (fixture->refused) {
        return false;       /* and not again: the token counts */
    }
    rv = call(fixture->module, FN_C_Login, &bag);
    fixture->refused = rv == CKR_PIN_INCORRECT || rv == CKR_PIN_LOCKED || rv == CKR_PIN_EXPIRED;
    return rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN;
}

void
fixture_end(struct fixture *fixture)
{
    struct bag bag = { 0 };

    (void)call(fixture->module, FN_C_Finalize, &bag);
    forget_all(fixture);
}

bool
fixture_restart(struct fixture *fixture)
{
    struct bag bag = { 0 };
    CK_RV rv;

    forget_all(fixture);
    rv = call(fixture->module, FN_C_Initialize, &bag);
    if (rv == CKR_CRYPTOKI_ALREADY_INITIALIZED) {
        fixture_end(fixture);
        rv = call(fixture->module, FN_C_Initialize, &bag);
    }
    return rv == CKR_OK;
}

bool
fixture_ready(struct fixture *fixture, enum base base)
{
    if (base == BASE_LIBRARY) {
        struct bag bag = { .slot = fixture->slot };
        CK_RV rv = call(fixture->module, FN_C_CloseAllSessions, &bag);

        forget_all(fixture);
        return rv == CKR_OK || fixture_restart(fixture);
    }
    for (size_t i = 0; i < SESSIONS; i++) {
        close_session(fixture, &fixture->session[i]);
    }
    if (fixture->home == CK_INVALID_HANDLE &&
        (open_session(fixture, &fixture->home) != CKR_OK || !login(fixture))) {
        return false;
    }
    return open_session(fixture, &fixture->session[0]) == CKR_OK;
}

/* ---- keys ---- */

void
template_put(struct template *t, CK_ATTRIBUTE_TYPE type, const void *value, size_t len)
{
    t->attr[t->count++] = (CK_ATTRIBUTE){ type, (void *)(uintptr_t)value, len };
}

static void
put_usage(struct template *t, const CK_ATTRIBUTE_TYPE *types, size_t count, bool able)
{
    for (size_t i = 0; i < count; i++) {
        template_put(t, types[i], able ? &yes : &no, sizeof yes);
    }
}

static const CK_ATTRIBUTE_TYPE usage_secret[] = { CKA_ENCRYPT, CKA_DECRYPT, CKA_SIGN, CKA_VERIFY };
static const CK_ATTRIBUTE_TYPE usage_signing[] = { CKA_SIGN, CKA_VERIFY };
static const CK_ATTRIBUTE_TYPE usage_rsa_public[] = { CKA_ENCRYPT, CKA_VERIFY };
static const CK_ATTRIBUTE_TYPE usage_rsa_private[] = { CKA_DECRYPT, CKA_SIGN };
static const CK_ATTRIBUTE_TYPE usage_ec_public[] = { CKA_VERIFY };
static const CK_ATTRIBUTE_TYPE usage_ec_private[] = { CKA_SIGN };

static void
put_rsa(struct template *t, const struct ref_key *ref, enum half half)
{
    static const CK_ATTRIBUTE_TYPE types[8] = {
        CKA_MODULUS, CKA_PUBLIC_EXPONENT, CKA_PRIVATE_EXPONENT, CKA_PRIME_1,
        CKA_PRIME_2, CKA_EXPONENT_1,      CKA_EXPONENT_2,       CKA_COEFFICIENT,
    };

    for (size_t i = 0; i < (half == HALF_PUBLIC ? 2 : COUNT(types)); i++) {
        template_put(t, types[i], ref->part[i], ref->part_len[i]);
    }
}

static void
put_ec(struct template *t, enum key key, struct ref_key *ref, enum half half)
{
    static const uint8_t p256[] = { 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7 };
    static const uint8_t p384[] = { 6, 5, 0x2b, 0x81, 4, 0, 0x22 };

    if (keys[key].bytes == 32) {
        template_put(t, CKA_EC_PARAMS, p256, sizeof p256);
    } else {
        template_put(t, CKA_EC_PARAMS, p384, sizeof p384);
    }
    if (half == HALF_PRIVATE) {
        template_put(t, CKA_VALUE, ref->value, ref->value_len);
    } else {
        /* An OCTET STRING around the point. */
        ref->part[1][0] = 0x04;
        ref->part[1][1] = (uint8_t)ref->part_len[0];
        memcpy(&ref->part[1][2], ref->part[0], ref->part_len[0]);
        template_put(t, CKA_EC_POINT, ref->part[1], ref->part_len[0] + 2);
    }
}

bool
template_key(struct template *t, enum key key, enum half half, bool able)
{
    bool pair = keys[key].family == FAMILY_RSA || keys[key].family == FAMILY_EC;

    t->count = 0;
    t->class = half == HALF_PUBLIC ? CKO_PUBLIC_KEY : pair ? CKO_PRIVATE_KEY : CKO_SECRET_KEY;
    t->type = keys[key].type;
    if (!ref_key(key, &t->ref)) {
        return false;
    }
    template_put(t, CKA_CLASS, &t->class, sizeof t->class);
    template_put(t, CKA_KEY_TYPE, &t->type, sizeof t->type);
    template_put(t, CKA_TOKEN, &no, sizeof no);
    switch (keys[key].family) {
    case FAMILY_RSA:
        put_rsa(t, &t->ref, half);
        put_usage(t, half == HALF_PUBLIC ? usage_rsa_public : usage_rsa_private, 2, able);
        break;
    case FAMILY_EC:
        put_ec(t, key, &t->ref, half);
        put_usage(t, half == HALF_PUBLIC ? usage_ec_public : usage_ec_private, 1, able);
        break;
    case FAMILY_GENERIC:
        template_put(t, CKA_VALUE, t->ref.value, t->ref.value_len);
        put_usage(t, usage_signing, COUNT(usage_signing), able);
        break;
    default:
        template_put(t, CKA_VALUE, t->ref.value, t->ref.value_len);
        put_usage(t, usage_secret, COUNT(usage_secret), able);
        break;
    }
    return true;
}

static CK_RV
create_key(struct fixture *fixture, enum key key, enum half half, bool able,
           CK_OBJECT_HANDLE *ret_key)
{
    struct template t, with;
    CK_RV rv;

    if (!template_key(&t, key, half, able)) {
        return CKR_GENERAL_ERROR;
    }
    if (keys[key].family == FAMILY_RSA && fixture->module->list.C_SignRecover != NULL) {
        /* Where the attribute is not to be set there is nothing to recover either. */
        with = t;
        template_put(&with, half == HALF_PUBLIC ? CKA_VERIFY_RECOVER : CKA_SIGN_RECOVER,
                     able ? &yes : &no, sizeof yes);
        rv = call_create(fixture->module, fixture->home, with.attr, with.count, ret_key);
        if (rv == CKR_OK) {
            return rv;
        }
    }
    return call_create(fixture->module, fixture->home, t.attr, t.count, ret_key);
}

CK_OBJECT_HANDLE
fixture_key(struct fixture *fixture, enum key key, enum half half, bool able)
{
    CK_OBJECT_HANDLE *handle = &fixture->key[key][half][!able];

    if (*handle == CK_INVALID_HANDLE && create_key(fixture, key, half, able, handle) != CKR_OK) {
        *handle = CK_INVALID_HANDLE;
    }
    return *handle;
}

CK_OBJECT_HANDLE
fixture_data(struct fixture *fixture)
{
    CK_OBJECT_CLASS class = CKO_DATA;
    CK_ATTRIBUTE attrs[] = {
        { CKA_CLASS, &class, sizeof class },
        { CKA_TOKEN, &no, sizeof no },
        { CKA_LABEL, (void *)(uintptr_t) "p11comply", 9 },
        { CKA_VALUE, (void *)(uintptr_t) "data", 4 },
    };

    if (fixture->data == CK_INVALID_HANDLE && call_create(fixture->module, fixture->home, attrs,
                                                          COUNT(attrs), &fixture->data) != CKR_OK) {
        fixture->data = CK_INVALID_HANDLE;
    }
    return fixture->data;
}

CK_OBJECT_HANDLE
fixture_gone(struct fixture *fixture)
{
    CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;

    for (int k = 0; fixture->gone == CK_INVALID_HANDLE && k < KEY_COUNT; k++) {
        if (create_key(fixture, (enum key)k, HALF_PRIVATE, true, &handle) == CKR_OK) {
            (void)call_destroy(fixture->module, fixture->home, handle);
            fixture->gone = handle;
        }
    }
    return fixture->gone;
}

void
fixture_drop(struct fixture *fixture, CK_OBJECT_HANDLE *kept)
{
    if (kept != NULL && *kept != CK_INVALID_HANDLE) {
        (void)call_destroy(fixture->module, fixture->home, *kept);
        *kept = CK_INVALID_HANDLE;
    }
}
