/* SPDX-License-Identifier: Apache-2.0
 *
 * Files with keys: fake PEM, the header of wrapped keys, wrapping on this host, signatures.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tools/envelope.h"
#include "tools/fake.h"
#include "tools/host.h"

#include <string.h>

/* The generator of P-256 as a public key. */
#define P256_INFO                                                                          \
    "\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01" \
    "\x07\x03\x42\x00\x04\x6b\x17\xd1\xf2\xe1\x2c\x42\x47\xf8\xbc\xe6\xe5\x63\xa4\x40\xf2\x77" \
    "\x03\x7d\x81\x2d\xeb\x33\xa0\xf4\xa1\x39\x45\xd8\x98\xc2\x96\x4f\xe3\x42\xe2\xfe\x1a\x7f" \
    "\x9b\x8e\xe7\xeb\x4a\x7c\x0f\x9e\x16\x2b\xce\x33\x57\x6b\x31\x5e\xce\xcb\xb6\x40\x68\x37" \
    "\xbf\x51\xf5"

/* With handle 262169: azure-cloud-hsm.md 6.1. */
static const char p256_fake[] = "-----BEGIN EC PRIVATE KEY-----\n"
                                "MHcCAQEEIOr8/O4ZAAQAAAAAAOr8/O7q/Pzu6vz87ur8/O7q/PzuoAoGCCqGSM49\n"
                                "AwEHoUQDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpZP40Li/hp/\n"
                                "m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==\n"
                                "-----END EC PRIVATE KEY-----\n";

static void
a_fake_key_has_the_published_bytes(void **state)
{
    uint64_t handle = 0;
    struct writer pem;

    (void)state;
    writer_init(&pem, HOST_KEY_MAX);
    assert_true(fake_write(VIEW_TEXT(P256_INFO), 262169, &pem));
    assert_int_equal(pem.len, strlen(p256_fake));
    assert_memory_equal(pem.data, p256_fake, pem.len);
    assert_int_equal(fake_read(writer_view(&pem), &handle), FAKE_HANDLE);
    assert_int_equal(handle, 262169);
    writer_clear(&pem);
}

static void
what_is_no_key_is_not_read(void **state)
{
    static const char *const texts[] = {
        "", "key", "-----BEGIN PRIVATE KEY-----\n",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        "-----BEGIN PUBLIC KEY-----\n6vz87hkABAAAAAAA6vz87g==\n-----END PUBLIC KEY-----\n",
    };
    CK_KEY_TYPE type = 0;
    uint64_t handle = 0;
    struct writer out;

    (void)state;
    writer_init(&out, HOST_KEY_MAX);
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        assert_int_equal(fake_read(view_str(texts[i]), &handle), FAKE_UNREADABLE);
        assert_null(host_private_read(view_str(texts[i]), &type));
        assert_false(host_public_read(view_str(texts[i]), &type, &out));
    }
    assert_int_equal(handle, 0);
    assert_false(fake_write(VIEW_TEXT("\x30\x00"), 1, &out));
    writer_clear(&out);
}

static void
envelope_make(struct writer *list, struct writer *file, view iv)
{
    struct envelope envelope = { .iv = iv, .blob = VIEW_TEXT("wrapped") };

    writer_init(list, 4096);
    writer_init(file, 8192);
    attribute_write_ulong(list, CKA_CLASS, CKO_SECRET_KEY);
    attribute_write_ulong(list, CKA_KEY_TYPE, CKK_AES);
    attribute_write(list, CKA_LABEL, VIEW_TEXT("key"));
    envelope.attributes = writer_view(list);
    envelope_write(file, &envelope);
}

static void
a_header_is_read_as_it_was_written(void **state)
{
    const view iv = VIEW_TEXT("0123456789ab");
    struct envelope read = { .blob = VIEW_EMPTY };
    struct writer list, file;

    (void)state;
    envelope_make(&list, &file, iv);
    assert_true(envelope_read(writer_view(&file), &read));
    assert_true(view_equal(read.attributes, writer_view(&list)));
    assert_true(view_equal(read.iv, iv));
    assert_true(view_equal(read.blob, VIEW_TEXT("wrapped")));
    writer_clear(&list);
    writer_clear(&file);
}

static void
a_short_or_changed_header_is_refused(void **state)
{
    struct envelope read;
    struct writer list, file;

    (void)state;
    envelope_make(&list, &file, VIEW_EMPTY);
    for (size_t i = 0; i <= file.len - strlen("wrapped"); i++) {
        assert_false(envelope_read(view_of(file.data, i), &read));
    }
    for (size_t i = 0; i < 12; i++) { /* magic, version, length */
        file.data[i] ^= 0x80;
        assert_false(envelope_read(writer_view(&file), &read));
        file.data[i] ^= 0x80;
    }
    writer_clear(&list);
    writer_clear(&file);
}

/* Nobody slips an attribute in that a file may not say, or one twice. */
static void
a_header_says_what_it_may_and_once(void **state)
{
    static const CK_ATTRIBUTE_TYPE wrong[] = { CKA_TRUSTED, CKA_OWNER, CKA_VALUE, CKA_LABEL };
    struct envelope read;
    struct writer list, file;

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
        struct envelope envelope = { .blob = VIEW_TEXT("wrapped") };

        envelope_make(&list, &file, VIEW_EMPTY);
        assert_true(envelope_read(writer_view(&file), &read));
        attribute_write(&list, wrong[i], VIEW_TEXT("\1"));
        envelope.attributes = writer_view(&list);
        writer_reset(&file);
        envelope_write(&file, &envelope);
        assert_false(envelope_read(writer_view(&file), &read));
        writer_clear(&list);
        writer_clear(&file);
    }
}

/* Eight bytes fill up to sixteen, which RFC 3394 makes 24 of. */
static void
wrapping_here_is_rfc_3394_over_padding(void **state)
{
    const view key = VIEW_TEXT("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f");
    const view plain = VIEW_TEXT("\x00\x11\x22\x33\x44\x55\x66\x77");
    struct writer blob, back;

    (void)state;
    writer_init(&blob, 64);
    writer_init(&back, 64);
    assert_int_equal(host_wrap(key, plain, &blob), CKR_OK);
    assert_int_equal(blob.len, 24);
    assert_int_equal(host_unwrap(key, writer_view(&blob), &back), CKR_OK);
    assert_true(view_equal(writer_view(&back), plain));
    blob.data[3] ^= 1;
    writer_reset(&back);
    assert_int_equal(host_unwrap(key, writer_view(&blob), &back), CKR_WRAPPED_KEY_INVALID);
    assert_int_equal(host_unwrap(VIEW_TEXT("short"), writer_view(&blob), &back),
                     CKR_WRAPPING_KEY_SIZE_RANGE);
    writer_clear(&blob);
    writer_clear(&back);
}

static void
a_signature_has_two_forms(void **state)
{
    struct writer numbers, back;

    (void)state;
    writer_init(&numbers, 256);
    writer_init(&back, 256);
    write_raw(&numbers, VIEW_TEXT("\x00\x81\x00\x02"));
    assert_true(host_signature_to_der(&numbers));
    assert_true(view_equal(writer_view(&numbers), VIEW_TEXT("\x30\x07\x02\x02\x00\x81\x02\x01\x02")));
    host_signature_from_der(writer_view(&numbers), 2, &back);
    assert_true(view_equal(writer_view(&back), VIEW_TEXT("\x00\x81\x00\x02")));
    writer_reset(&back);
    host_signature_from_der(VIEW_TEXT("raw!"), 2, &back);
    assert_true(view_equal(writer_view(&back), VIEW_TEXT("raw!")));
    writer_clear(&numbers);
    writer_clear(&back);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fake_key_has_the_published_bytes),
        cmocka_unit_test(what_is_no_key_is_not_read),
        cmocka_unit_test(a_header_is_read_as_it_was_written),
        cmocka_unit_test(a_short_or_changed_header_is_refused),
        cmocka_unit_test(a_header_says_what_it_may_and_once),
        cmocka_unit_test(wrapping_here_is_rfc_3394_over_padding),
        cmocka_unit_test(a_signature_has_two_forms),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
