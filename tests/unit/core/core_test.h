/* SPDX-License-Identifier: Apache-2.0
 *
 * What the core's tests share: a partition in the policy that the test names, four
 * applications attached to it, and templates.
 */
#ifndef TESTS_UNIT_CORE_CORE_TEST_H
#define TESTS_UNIT_CORE_CORE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/state.h"
#include "lib/app.h"
#include "unit/rules/list.h"

struct fixture {
    struct hsm_fixture hsm;
    struct app nobody;
    struct app cu1;
    struct app cu2;
    struct app officer; /* on the port for management */
};

static const enum policy standard_policy = POLICY_STANDARD;
static const enum policy azure_policy = POLICY_AZURE;
static const enum policy fips_policy = POLICY_FIPS;

static inline int
fixture_setup(void **state)
{
    const enum policy *policy = *state;
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    hsm_fixture_init(&f->hsm, *policy);
    app_init(&f->nobody, &f->hsm, APP_NOBODY);
    app_init(&f->cu1, &f->hsm, USER1);
    app_init(&f->cu2, &f->hsm, USER2);
    app_init(&f->officer, &f->hsm, OFFICER_USER);
    f->officer.port = PORTS_manage;
    *state = f;
    return 0;
}

static inline int
fixture_teardown(void **state)
{
    struct fixture *f = *state;

    app_clear(&f->nobody);
    app_clear(&f->cu1);
    app_clear(&f->cu2);
    app_clear(&f->officer);
    hsm_fixture_clear(&f->hsm);
    free(f);
    return 0;
}

#define IN_POLICY(test, policy)                                                \
    cmocka_unit_test_prestate_setup_teardown(test, fixture_setup, fixture_teardown, \
                                             (void *)(uintptr_t)&policy)
#define STANDARD(test) IN_POLICY(test, standard_policy)
#define AZURE(test) IN_POLICY(test, azure_policy)
#define FIPS(test) IN_POLICY(test, fips_policy)

/* A return code is what it should be; both are named when it is not. */
#define assert_code(actual, expected) code_check(actual, expected, __FILE__, __LINE__)
static inline void
code_check(CK_RV actual, CK_RV expected, const char *file, int line)
{
    if (actual != expected) {
        print_error("%s", return_name(actual));
        print_error(", not %s\n", return_name(expected));
        _fail(file, line);
    }
}

#define assert_ok(actual) assert_code(actual, CKR_OK)

/* With these two, nobody has to name the unused policies. */
#define assert_view_equal(actual, expected) \
    view_check(actual, expected, __FILE__, __LINE__)
static inline void
view_check(view actual, view expected, const char *file, int line)
{
    if (!view_equal(actual, expected)) {
        print_error("%zu bytes differ from %zu expected\n", actual.len, expected.len);
        _fail(file, line);
    }
}

/* ---- templates ---- */

#define P256_OID "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"
#define P384_OID "\x06\x05\x2b\x81\x04\x00\x22"
#define P521_OID "\x06\x05\x2b\x81\x04\x00\x23"
#define X25519_OID "\x06\x03\x2b\x65\x6e"
#define ED25519_NAME "\x13\x0c" "edwards25519"
#define ED25519_OID "\x06\x03\x2b\x65\x70"
/* The generator of P-256, which is as good a point as any. */
#define P256_POINT                                                      \
    "\x04\x6b\x17\xd1\xf2\xe1\x2c\x42\x47\xf8\xbc\xe6\xe5\x63\xa4\x40" \
    "\xf2\x77\x03\x7d\x81\x2d\xeb\x33\xa0\xf4\xa1\x39\x45\xd8\x98\xc2" \
    "\x96\x4f\xe3\x42\xe2\xfe\x1a\x7f\x9b\x8e\xe7\xeb\x4a\x7c\x0f\x9e" \
    "\x16\x2b\xce\x33\x57\x6b\x31\x5e\xce\xcb\xb6\x40\x68\x37\xbf\x51\xf5"
#define AES_BYTES "0123456789abcdef0123456789abcdef"
#define TOKEN_YES BOOL(TOKEN, true)

/* A key that may do all that its kind can. */
#define AES_USES BOOL(ENCRYPT, true), BOOL(DECRYPT, true), BOOL(SIGN, true), BOOL(VERIFY, true)
#define AES_GENERATE ULONG(VALUE_LEN, 32), AES_USES
#define AES_CREATE \
    ULONG(CLASS, CKO_SECRET_KEY), ULONG(KEY_TYPE, CKK_AES), BYTES(VALUE, AES_BYTES), AES_USES
#define DATA_CREATE ULONG(CLASS, CKO_DATA), BYTES(VALUE, "data")
#define PUBLIC_DATA DATA_CREATE, BOOL(PRIVATE, false)
#define PRIVATE_DATA DATA_CREATE, BOOL(PRIVATE, true)
#define VERIFY_USES BOOL(VERIFY, true)
#define SIGN_USES BOOL(SIGN, true)

/* The handle of a new object; the test fails when there is none. */
static inline uint32_t
create(struct app *app, view template)
{
    struct key_info info = { 0 };

    assert_ok(app_create(app, template, &info));
    return info.handle;
}

static inline uint32_t
generate(struct app *app, CK_MECHANISM_TYPE type, view template)
{
    struct key_info info = { 0 };

    assert_ok(app_generate(app, type, template, &info));
    return info.handle;
}

struct pair {
    uint32_t public;
    uint32_t private;
};

static inline struct pair
generate_pair(struct app *app, CK_MECHANISM_TYPE type, view public_template,
              view private_template)
{
    struct key_info public = { 0 };
    struct key_info private = { 0 };

    assert_ok(app_generate_pair(app, type, public_template, private_template, &public, &private));
    return (struct pair){ public.handle, private.handle };
}

/* The value of an attribute; the test fails when it is not there. */
static inline view
get(struct app *app, uint32_t object, CK_ATTRIBUTE_TYPE type)
{
    struct attribute attribute = { 0 };

    assert_ok(app_get(app, object, type, &attribute));
    assert_int_equal(attribute.status, ATTRIBUTE_PRESENT);
    return attribute.value;
}

static inline bool
get_bool(struct app *app, uint32_t object, CK_ATTRIBUTE_TYPE type)
{
    view value = get(app, object, type);

    assert_int_equal(value.len, 1);
    return value.data[0] != 0;
}

static inline uint64_t
get_ulong(struct app *app, uint32_t object, CK_ATTRIBUTE_TYPE type)
{
    view value = get(app, object, type);

    assert_int_equal(value.len, 8);
    return load_u64(value.data);
}

static inline int
get_status(struct app *app, uint32_t object, CK_ATTRIBUTE_TYPE type)
{
    struct attribute attribute = { 0 };

    assert_ok(app_get(app, object, type, &attribute));
    return (int)attribute.status;
}

/* How many objects the template finds. */
static inline size_t
found(struct app *app, view template)
{
    size_t count = 0;

    assert_ok(app_find(app, template, FIND_MAX, NULL, 0, &count));
    return count;
}

static inline struct mechanism
mechanism_iv(CK_MECHANISM_TYPE type, view iv)
{
    struct mechanism mechanism = { .type = (uint32_t)type, .shape = PARAMS_iv };

    mechanism.params.iv.bytes = iv;
    return mechanism;
}

static inline struct mechanism
mechanism_gcm(view iv, view aad, uint32_t tag_bits)
{
    struct mechanism mechanism = { .type = CKM_AES_GCM, .shape = PARAMS_gcm };

    mechanism.params.gcm.iv = iv;
    mechanism.params.gcm.aad = aad;
    mechanism.params.gcm.tag_bits = tag_bits;
    return mechanism;
}

#endif
