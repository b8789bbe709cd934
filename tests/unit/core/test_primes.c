/* SPDX-License-Identifier: Apache-2.0
 *
 * Looking whether numbers are prime takes most of the time of a private RSA key's making, so it is
 * done once: not at a use, not when the key is parsed again, and not when a node starts.
 */
#include "unit/core/core_test.h"

#include "unit/core/rsa_sample.h"

#define ONCE 3 /* the modulus, and both primes */

/* The linker puts this in the place of OpenSSL's. */
int __real_BN_check_prime(const void *number, void *ctx, void *callback);
int __wrap_BN_check_prime(const void *number, void *ctx, void *callback);

static int looks;

int
__wrap_BN_check_prime(const void *number, void *ctx, void *callback)
{
    looks++;
    return __real_BN_check_prime(number, ctx, callback);
}

static void
sign_all(struct app *app, uint32_t handle)
{
    view made;

    for (int i = 0; i < 3; i++) {
        assert_ok(app_sign(app, mechanism_plain(CKM_RSA_PKCS), handle, VIEW_TEXT("data"), &made));
    }
}

static void
primes_are_looked_at_once(void **state)
{
    struct fixture *f = *state;
    struct app later;
    uint32_t handle;

    looks = 0;
    handle = create(&f->cu1, LIST(RSA_CREATE(RSA_MODULUS, RSA_EXPONENT), SIGN_USES, TOKEN_YES));
    assert_int_equal(looks, ONCE);

    sign_all(&f->cu1, handle);
    hsm_fixture_reopen(&f->hsm);
    app_init(&later, &f->hsm, USER1);
    sign_all(&later, handle);
    assert_int_equal(looks, ONCE);
    app_clear(&later);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STANDARD(primes_are_looked_at_once),
    };

    return cmocka_run_group_tests_name("core/primes", tests, NULL, NULL);
}
