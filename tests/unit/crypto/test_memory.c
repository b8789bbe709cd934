/* SPDX-License-Identifier: Apache-2.0
 *
 * The library's memory runs out, at each allocation in turn: every call ends with a code,
 * appends nothing, and works again afterwards.
 */
#include "pair_fixture.h"

#include "base/log.h"

#include <openssl/crypto.h>

static long until_failure; /* allocations that still work; below 0: all */

static bool
memory_fails(void)
{
    return until_failure >= 0 && until_failure-- == 0;
}

static void *
counted_malloc(size_t len, const char *file, int line)
{
    UNUSED(file);
    UNUSED(line);
    return memory_fails() ? NULL : malloc(len);
}

static void *
counted_realloc(void *memory, size_t len, const char *file, int line)
{
    UNUSED(file);
    UNUSED(line);
    return memory_fails() ? NULL : realloc(memory, len);
}

static void
counted_free(void *memory, const char *file, int line)
{
    UNUSED(file);
    UNUSED(line);
    free(memory);
}

static struct pair rsa;
static struct pair ec;

static int
setup(void **state)
{
    UNUSED(state);
    rsa_pair(&rsa, 1024);
    return ec_pair(&ec, curve_by_tool_id(2)) ? 0 : -1;
}

static int
teardown(void **state)
{
    UNUSED(state);
    pair_clear(&rsa);
    pair_clear(&ec);
    return 0;
}

/* Contexts that wait in the key would hide the allocations, so each round parses it anew. */
static void
assert_survives(enum object_kind kind, view attributes, view secrets, const struct mechanism *m,
                CK_FLAGS function, view in)
{
    CK_RV rv = CKR_GENERAL_ERROR;
    long failures = 0;

    for (long at = 0; rv != CKR_OK; at++) {
        struct algo_key *key = NULL;
        struct writer out;

        writer_init(&out, OUT_MAX);
        until_failure = at;
        rv = algo_key_new(kind, attributes, secrets, &key);
        if (rv == CKR_OK) {
            rv = run_once(m, function, key, in, VIEW_EMPTY, &out);
        }
        if (rv == CKR_OK && until_failure < 0) {
            rv = CKR_GENERAL_ERROR; /* it did without; there may be more that it needs */
        }
        until_failure = -1;
        assert_int_equal(rv != CKR_OK && rv != CKR_GENERAL_ERROR ? out.len : 0, 0);
        assert_int_equal(ERR_peek_error(), 0);
        failures += rv != CKR_OK;
        algo_key_free(key);
        writer_clear(&out);
        assert_in_range(at, 0, 5000);
    }
    print_message("%s: %ld allocations failed\n", mechanism_row(m->type)->name, failures);
    assert_true(failures > 0);
}

static void
every_driver_survives(void **state)
{
    const struct mechanism cbc =
        iv_mechanism(CKM_AES_CBC_PAD, VIEW_TEXT("sixteen bytes iv"));
    const struct mechanism gcm = gcm_mechanism(VIEW_TEXT("twelve bytes"), VIEW_EMPTY, 128);
    const struct mechanism mac = plain_mechanism(CKM_SHA256_HMAC);
    const struct mechanism pkcs1 = plain_mechanism(CKM_RSA_PKCS);
    const struct mechanism pss =
        pss_mechanism(CKM_SHA256_RSA_PKCS_PSS, HASH_SHA256, HASH_SHA256, 32);
    const struct mechanism oaep = oaep_mechanism(HASH_SHA1, HASH_SHA1, VIEW_TEXT("label"));
    const struct mechanism ecdsa = plain_mechanism(CKM_ECDSA_SHA256);
    struct writer secret;

    UNUSED(state);
    log_set_level(LOG_LEVEL_ERR);
    writer_init(&secret, 100);
    attribute_write(&secret, CKA_VALUE, VIEW_TEXT("sixteen byte key"));
    assert_survives(KIND_AES, VIEW_EMPTY, writer_view(&secret), &cbc, CKF_ENCRYPT,
                    VIEW_TEXT("data"));
    assert_survives(KIND_AES, VIEW_EMPTY, writer_view(&secret), &gcm, CKF_ENCRYPT,
                    VIEW_TEXT("data"));
    assert_survives(KIND_GENERIC, VIEW_EMPTY, writer_view(&secret), &mac, CKF_SIGN,
                    VIEW_TEXT("data"));
    assert_survives(KIND_RSA_PRIVATE, writer_view(&rsa.private_part), writer_view(&rsa.secrets),
                    &pkcs1, CKF_SIGN, VIEW_TEXT("data"));
    assert_survives(KIND_RSA_PRIVATE, writer_view(&rsa.private_part), writer_view(&rsa.secrets),
                    &pss, CKF_SIGN, VIEW_TEXT("data"));
    assert_survives(KIND_RSA_PUBLIC, writer_view(&rsa.public_part), VIEW_EMPTY, &oaep,
                    CKF_ENCRYPT, VIEW_TEXT("data"));
    assert_survives(KIND_EC_PRIVATE, writer_view(&ec.private_part), writer_view(&ec.secrets),
                    &ecdsa, CKF_SIGN, VIEW_TEXT("data"));
    writer_clear(&secret);
}

/* What is a good key is never called a bad one because memory is short. */
static void
a_point_is_not_to_blame(void **state)
{
    static const char ed25519[] = "\x06\x03\x2b\x65\x70";
    CK_RV rv = CKR_GENERAL_ERROR;
    struct writer list, secret;
    struct mechanism eddsa = plain_mechanism(CKM_EDDSA);

    UNUSED(state);
    writer_init(&list, 200);
    writer_init(&secret, 200);
    attribute_write(&list, CKA_EC_PARAMS, view_of(ed25519, sizeof ed25519 - 1));
    attribute_write(&secret, CKA_VALUE,
                    hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"));
    assert_survives(KIND_EDWARDS_PRIVATE, writer_view(&list), writer_view(&secret), &eddsa,
                    CKF_SIGN, VIEW_TEXT("data"));
    attribute_write(&list, CKA_EC_POINT,
                    hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"));
    for (long at = 0; rv != CKR_OK; at++) {
        struct algo_key *key = NULL;

        until_failure = at;
        rv = algo_key_new(KIND_EDWARDS_PUBLIC, writer_view(&list), VIEW_EMPTY, &key);
        if (rv == CKR_OK && until_failure < 0) {
            rv = CKR_GENERAL_ERROR;
        }
        until_failure = -1;
        assert_int_not_equal(rv, CKR_ATTRIBUTE_VALUE_INVALID);
        algo_key_free(key);
        assert_in_range(at, 0, 5000);
    }
    writer_clear(&list);
    writer_clear(&secret);
}

int
main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(every_driver_survives),
                                        cmocka_unit_test(a_point_is_not_to_blame) };

    until_failure = -1;
    /* Before the library's first allocation, or it refuses. */
    if (CRYPTO_set_mem_functions(counted_malloc, counted_realloc, counted_free) != 1) {
        print_message("skipped: the library takes no other memory\n");
        return 77;
    }
    return cmocka_run_group_tests_name("memory", tests, setup, teardown);
}
