/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of the library share: the library over an HSM in this process, initialised
 * and logged in for each test, and short words for templates and calls.
 */
#ifndef TESTS_UNIT_P11_P11_TEST_H
#define TESTS_UNIT_P11_P11_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/hsm_fixture.h"
#include "p11/transport.h"
#include "rules/rules.h"

#define PIN1 USER1_NAME ":" USER1_PASSWORD
#define PIN_OFFICER OFFICER_NAME ":" OFFICER_PASSWORD
#define SLOT ((CK_SLOT_ID)1)

struct fixture {
    struct hsm_fixture hsm;
    CK_SESSION_HANDLE session; /* read-write */
};

static struct fixture fixture;

static CK_BBOOL yes = CK_TRUE;
static CK_BBOOL no = CK_FALSE;

#define UNUSED_HERE __attribute__((unused))
#define ATTR(type, object) { (type), &(object), sizeof(object) }
#define TEXT(type, text) { (type), (void *)(uintptr_t)(text), sizeof(text) - 1 }

static void
code_check(CK_RV actual, CK_RV expected, const char *what, const char *file, int line)
{
    if (actual != expected) {
        char name[64];

        strncpy(name, return_name(actual), sizeof name - 1);
        name[sizeof name - 1] = '\0';
        print_error("%s: %s, not %s\n", what, name, return_name(expected));
        _fail(file, line);
    }
}

#define assert_code(call, expected) code_check(call, expected, #call, __FILE__, __LINE__)
#define assert_ok(call) assert_code(call, CKR_OK)

static UNUSED_HERE CK_RV
log_in(CK_SESSION_HANDLE session, CK_USER_TYPE type, const char *pin)
{
    return C_Login(session, type, (CK_UTF8CHAR_PTR)(uintptr_t)pin, strlen(pin));
}

static UNUSED_HERE CK_SESSION_HANDLE
open_session(CK_FLAGS flags)
{
    CK_SESSION_HANDLE session = 0;

    assert_ok(C_OpenSession(SLOT, CKF_SERIAL_SESSION | flags, NULL, NULL, &session));
    return session;
}

/* ---- fixtures: the HSM per program, the library per test ---- */

static UNUSED_HERE int
group_setup(enum policy policy)
{
    hsm_fixture_init(&fixture.hsm, policy);
    transport_use(&fixture.hsm.hsm);
    return 0;
}

static UNUSED_HERE int
group_standard(void **state)
{
    UNUSED(state);
    return group_setup(POLICY_STANDARD);
}

static UNUSED_HERE int
group_azure(void **state)
{
    UNUSED(state);
    return group_setup(POLICY_AZURE);
}

static UNUSED_HERE int
group_fips(void **state)
{
    UNUSED(state);
    return group_setup(POLICY_FIPS);
}

static UNUSED_HERE int
group_teardown(void **state)
{
    UNUSED(state);
    hsm_fixture_clear(&fixture.hsm);
    return 0;
}

static UNUSED_HERE int
setup_public(void **state)
{
    *state = &fixture;
    transport_refuse(false);
    transport_fail(OPERATION_NONE, CKR_OK);
    assert_ok(C_Initialize(NULL));
    fixture.session = open_session(CKF_RW_SESSION);
    return 0;
}

static UNUSED_HERE int
setup(void **state)
{
    setup_public(state);
    assert_ok(log_in(fixture.session, CKU_USER, PIN1));
    transport_reset();
    return 0;
}

static UNUSED_HERE int
teardown(void **state)
{
    UNUSED(state);
    assert_ok(C_Finalize(NULL));
    assert_int_equal(transport_open(), 0);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_PUBLIC(name) cmocka_unit_test_setup_teardown(name, setup_public, teardown)

/* ---- keys, as session objects ---- */

static CK_BYTE p256[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };

static UNUSED_HERE CK_OBJECT_HANDLE
make_aes(void)
{
    CK_MECHANISM mechanism = { CKM_AES_KEY_GEN, NULL, 0 };
    CK_ULONG len = 32;
    CK_ATTRIBUTE template[] = {
        ATTR(CKA_VALUE_LEN, len), ATTR(CKA_ENCRYPT, yes), ATTR(CKA_DECRYPT, yes),
        ATTR(CKA_PRIVATE, yes),
    };
    CK_OBJECT_HANDLE key = 0;

    assert_ok(C_GenerateKey(fixture.session, &mechanism, template, ARRAY_COUNT(template), &key));
    return key;
}

/* A key for everything, of so many bytes; 0: of the one length there is. */
static UNUSED_HERE CK_OBJECT_HANDLE
make_key_of(CK_MECHANISM_TYPE type, CK_ULONG len)
{
    CK_MECHANISM mechanism = { type, NULL, 0 };
    CK_ATTRIBUTE template[] = { ATTR(CKA_ENCRYPT, yes), ATTR(CKA_DECRYPT, yes),
                                ATTR(CKA_SIGN, yes), ATTR(CKA_VERIFY, yes),
                                ATTR(CKA_VALUE_LEN, len) };
    CK_OBJECT_HANDLE key = 0;

    assert_ok(C_GenerateKey(fixture.session, &mechanism, template,
                            ARRAY_COUNT(template) - (len == 0 ? 1 : 0), &key));
    return key;
}

static UNUSED_HERE CK_OBJECT_HANDLE
make_generic(void)
{
    CK_MECHANISM mechanism = { CKM_GENERIC_SECRET_KEY_GEN, NULL, 0 };
    CK_ULONG len = 32;
    CK_ATTRIBUTE template[] = {
        ATTR(CKA_VALUE_LEN, len), ATTR(CKA_SIGN, yes), ATTR(CKA_VERIFY, yes),
    };
    CK_OBJECT_HANDLE key = 0;

    assert_ok(C_GenerateKey(fixture.session, &mechanism, template, ARRAY_COUNT(template), &key));
    return key;
}

static UNUSED_HERE void
make_ec(CK_OBJECT_HANDLE *ret_public, CK_OBJECT_HANDLE *ret_private)
{
    CK_MECHANISM mechanism = { CKM_EC_KEY_PAIR_GEN, NULL, 0 };
    CK_ATTRIBUTE public[] = { ATTR(CKA_EC_PARAMS, p256), ATTR(CKA_VERIFY, yes) };
    CK_ATTRIBUTE private[] = { ATTR(CKA_SIGN, yes) };

    assert_ok(C_GenerateKeyPair(fixture.session, &mechanism, public, ARRAY_COUNT(public), private,
                                ARRAY_COUNT(private), ret_public, ret_private));
}

static CK_BYTE ed25519[] = { 0x06, 0x03, 0x2b, 0x65, 0x70 };

static UNUSED_HERE void
make_edwards(CK_OBJECT_HANDLE *ret_public, CK_OBJECT_HANDLE *ret_private)
{
    const bool one = fixture.hsm.policy != POLICY_STANDARD;
    CK_MECHANISM mechanism = { one ? CKM_EC_KEY_PAIR_GEN : CKM_EC_EDWARDS_KEY_PAIR_GEN, NULL, 0 };
    CK_ATTRIBUTE public[] = { ATTR(CKA_EC_PARAMS, ed25519), ATTR(CKA_VERIFY, yes) };
    CK_ATTRIBUTE private[] = { ATTR(CKA_SIGN, yes) };

    assert_ok(C_GenerateKeyPair(fixture.session, &mechanism, public, ARRAY_COUNT(public), private,
                                ARRAY_COUNT(private), ret_public, ret_private));
}

static UNUSED_HERE void
make_rsa(CK_OBJECT_HANDLE *ret_public, CK_OBJECT_HANDLE *ret_private)
{
    CK_MECHANISM mechanism = { CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0 };
    CK_ULONG bits = 2048;
    CK_ATTRIBUTE public[] = { ATTR(CKA_MODULUS_BITS, bits), ATTR(CKA_VERIFY, yes),
                              ATTR(CKA_ENCRYPT, yes) };
    CK_ATTRIBUTE private[] = { ATTR(CKA_SIGN, yes), ATTR(CKA_DECRYPT, yes) };

    assert_ok(C_GenerateKeyPair(fixture.session, &mechanism, public, ARRAY_COUNT(public), private,
                                ARRAY_COUNT(private), ret_public, ret_private));
}

/* Bytes that are each time the same. */
static UNUSED_HERE void
fill_bytes(CK_BYTE *bytes, size_t len)
{
    uint32_t x = 1;

    for (size_t i = 0; i < len; i++) {
        x = x * 1664525u + 1013904223u;
        bytes[i] = (CK_BYTE)(x >> 24);
    }
}

static UNUSED_HERE void
unused_words(void)
{
    UNUSED(yes);
    UNUSED(p256);
    UNUSED(ed25519);
    UNUSED(no);
}

#endif
