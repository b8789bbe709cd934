/* SPDX-License-Identifier: Apache-2.0
 *
 * What the core uses for itself: HKDF by RFC 5869, scrypt by RFC 7914, and seals that open only
 * whole and only with what they were made with.
 */
#include "algo_fixture.h"

static void
hash_and_mac_agree_with_their_texts(void **state)
{
    uint8_t out[32];

    UNUSED(state);
    assert_true(algo_sha256(VIEW_TEXT("abc"), out));
    assert_view(view_of(out, 32),
                hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    assert_true(algo_sha256(VIEW_EMPTY, out));
    assert_view(view_of(out, 32),
                hex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
    assert_true(algo_hmac_sha256(VIEW_TEXT("Jefe"), VIEW_TEXT("what do ya want for nothing?"),
                                 out));
    assert_view(view_of(out, 32),
                hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));
    /* Nothing at all has a code too. */
    assert_true(algo_hmac_sha256(VIEW_EMPTY, VIEW_EMPTY, out));
    assert_view(view_of(out, 32),
                hex("b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"));
}

static const struct {
    const char *key;
    const char *salt;
    const char *info;
    const char *out;
} hkdfs[] = {
    { "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c",
      "f0f1f2f3f4f5f6f7f8f9",
      "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865" },
    { "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b"
      "2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f",
      "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b"
      "8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
      "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadb"
      "dcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
      "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c6"
      "5e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87" },
    { "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
      "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8" },
};

static void
hkdf_agrees_with_rfc_5869(void **state)
{
    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(hkdfs); i++) {
        view expected = hex(hkdfs[i].out);
        uint8_t out[128];

        assert_true(algo_hkdf(hex(hkdfs[i].key), hex(hkdfs[i].salt), hex(hkdfs[i].info), out,
                              expected.len));
        assert_view(view_of(out, expected.len), expected);
    }
}

static const struct {
    const char *password;
    const char *salt;
    uint64_t n;
    uint32_t r;
    uint32_t p;
    const char *out;
} scrypts[] = {
    { "", "", 16, 1, 1,
      "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"
      "fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906" },
    { "password", "NaCl", 1024, 8, 16,
      "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
      "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640" },
    { "pleaseletmein", "SodiumChloride", 16384, 8, 1,
      "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
      "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887" },
};

static void
scrypt_agrees_with_rfc_7914(void **state)
{
    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(scrypts); i++) {
        uint8_t out[64];

        assert_true(algo_scrypt(view_str(scrypts[i].password), view_str(scrypts[i].salt),
                                scrypts[i].n, scrypts[i].r, scrypts[i].p, out, sizeof out));
        assert_view(view_of(out, sizeof out), hex(scrypts[i].out));
    }
}

/* The cost that users have; the library's own limit on memory is just below it. */
static void
scrypt_takes_the_cost_of_a_login(void **state)
{
    uint8_t out[32];

    UNUSED(state);
    assert_true(algo_scrypt(VIEW_TEXT("user1234"), VIEW_TEXT("salt"), 1 << 15, 8, 1, out, 32));
    assert_false(algo_scrypt(VIEW_EMPTY, VIEW_EMPTY, 12345, 8, 1, out, 32)); /* no power of 2 */
    assert_false(algo_scrypt(VIEW_EMPTY, VIEW_EMPTY, UINT64_MAX, UINT32_MAX, 1, out, 32));
}

static const uint8_t seal_key[32] = { 1, 2, 3 };
static const uint8_t nonce[12] = { 4, 5, 6 };

static void
seal_opens_with_what_it_was_made_with(void **state)
{
    UNUSED(state);
    for (size_t len = 0; len < 100; len += 9) {
        uint8_t plain[100] = { 42 };
        struct writer sealed, opened;

        writer_init(&sealed, 200);
        writer_init(&opened, 200);
        assert_true(algo_seal(seal_key, nonce, VIEW_TEXT("aad"), view_of(plain, len), &sealed));
        assert_int_equal(sealed.len, len + 16);
        assert_true(algo_unseal(seal_key, nonce, VIEW_TEXT("aad"), writer_view(&sealed),
                                &opened));
        assert_view(writer_view(&opened), view_of(plain, len));
        writer_clear(&sealed);
        writer_clear(&opened);
    }
}

static void
seal_with_any_change_stays_shut(void **state)
{
    uint8_t other[32] = { 1, 2, 4 };
    struct writer sealed, opened;

    UNUSED(state);
    writer_init(&sealed, 200);
    writer_init(&opened, 200);
    write_u8(&opened, 7);
    assert_true(algo_seal(seal_key, nonce, VIEW_TEXT("aad"), VIEW_TEXT("plain"), &sealed));

    view whole = writer_view(&sealed);

    for (size_t bit = 0; bit < 8 * whole.len; bit++) {
        sealed.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(algo_unseal(seal_key, nonce, VIEW_TEXT("aad"), whole, &opened));
        sealed.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t len = 0; len < whole.len; len++) {
        assert_false(algo_unseal(seal_key, nonce, VIEW_TEXT("aad"), view_slice(whole, 0, len),
                                 &opened));
    }
    assert_false(algo_unseal(seal_key, nonce, VIEW_TEXT("AAD"), whole, &opened));
    assert_false(algo_unseal(seal_key, nonce, VIEW_EMPTY, whole, &opened));
    assert_false(algo_unseal(other, nonce, VIEW_TEXT("aad"), whole, &opened));
    assert_false(algo_unseal(seal_key, other, VIEW_TEXT("aad"), whole, &opened));
    assert_int_equal(opened.len, 1); /* a failed call changes nothing */
    assert_true(algo_unseal(seal_key, nonce, VIEW_TEXT("aad"), whole, &opened));
    writer_clear(&sealed);
    writer_clear(&opened);
}

static void
seal_without_room_fails(void **state)
{
    uint8_t room[20];
    struct writer out;

    UNUSED(state);
    writer_init_fixed(&out, room, sizeof room);
    assert_false(algo_seal(seal_key, nonce, VIEW_EMPTY, VIEW_TEXT("plain"), &out));
    assert_int_equal(out.len, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hash_and_mac_agree_with_their_texts),
        cmocka_unit_test(hkdf_agrees_with_rfc_5869),
        cmocka_unit_test(scrypt_agrees_with_rfc_7914),
        cmocka_unit_test(scrypt_takes_the_cost_of_a_login),
        cmocka_unit_test(seal_opens_with_what_it_was_made_with),
        cmocka_unit_test(seal_with_any_change_stays_shut),
        cmocka_unit_test(seal_without_room_fails),
    };

    return cmocka_run_group_tests_name("kdf", tests, NULL, NULL);
}
