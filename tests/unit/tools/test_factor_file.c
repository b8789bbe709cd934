/* SPDX-License-Identifier: Apache-2.0
 *
 * Files of second factors.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tools/factor_file.h"

#include <string.h>

#define DIGEST "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define ENTRY "{\"HsmId\": \"a\", \"Digest\": \"" DIGEST "\", \"Signature\": \"c2ln\"}"

static struct factor_file file;

static bool
parse(const char *text)
{
    const char *error = NULL;
    const bool parsed = factor_file_parse(view_str(text), &file, &error);

    assert_true(parsed == (error == NULL));
    return parsed;
}

static void
a_file_that_was_signed_reads_as_it_is_meant(void **state)
{
    uint8_t digest[FACTOR_DIGEST_LEN];

    (void)state;
    for (size_t i = 0; i < sizeof digest; i++) {
        digest[i] = (uint8_t)i;
    }
    assert_true(parse("{\"Version\": \"1.0\", \"PublicKey\": \"pem\\nmore\", "
                      "\"Data\": [" ENTRY "]}"));
    assert_int_equal(file.count, 1);
    assert_string_equal(file.key, "pem\nmore");
    assert_string_equal(file.entries[0].node, "a");
    assert_true(view_equal(factor_file_signature(&file, view_of(digest, sizeof digest)),
                           VIEW_TEXT("sig")));
    digest[0] ^= 1;
    assert_int_equal(factor_file_signature(&file, view_of(digest, sizeof digest)).len, 0);
}

static void
what_was_written_reads(void **state)
{
    struct writer text;

    (void)state;
    memset(&file, 0, sizeof file);
    file.count = 2;
    strcpy(file.entries[0].node, "0123456789abcdef");
    memset(file.entries[0].digest, 0xab, FACTOR_DIGEST_LEN);
    memset(file.entries[1].digest, 0xcd, FACTOR_DIGEST_LEN);
    writer_init(&text, FACTOR_FILE_MAX);
    assert_true(factor_file_write(&file, &text));
    write_u8(&text, '\0');
    assert_non_null(strstr((const char *)text.data, "\"PublicKey\": \"\""));
    assert_non_null(strstr((const char *)text.data, "\"Signature\": \"\""));
    assert_true(parse((const char *)text.data));
    assert_int_equal(file.count, 2);
    assert_string_equal(file.entries[0].node, "0123456789abcdef");
    assert_int_equal(file.entries[1].digest[31], 0xcd);
    assert_int_equal(file.entries[0].signature_len, 0);
    writer_clear(&text);
}

static void
other_files_are_refused(void **state)
{
    static const char *const others[] = {
        "",
        "[]",
        "{}",
        "{\"Version\": \"2.0\", \"Data\": [" ENTRY "]}",
        "{\"Version\": 1.0, \"Data\": [" ENTRY "]}",
        "{\"Version\": \"1.0\", \"Data\": []}",
        "{\"Version\": \"1.0\", \"Data\": {}}",
        "{\"Version\": \"1.0\", \"Data\": [1]}",
        "{\"Version\": \"1.0\", \"PublicKey\": 1, \"Data\": [" ENTRY "]}",
        "{\"Version\": \"1.0\", \"Data\": [{\"HsmId\": \"a\", \"Digest\": \"AAEC\"}]}",
        "{\"Version\": \"1.0\", \"Data\": [{\"HsmId\": \"a\"}]}",
        "{\"Version\": \"1.0\", \"Data\": [{\"Digest\": \"" DIGEST "\", \"Signature\": \"c2l\"}]}",
        "{\"Version\": \"1.0\", \"Data\": [{\"Digest\": \"" DIGEST "\", \"Signature\": 1}]}",
        "{\"Version\": \"1.0\", \"Data\": [" ENTRY "]} x",
    };
    char many[FACTOR_FILE_MAX] = "{\"Version\": \"1.0\", \"Data\": [" ENTRY;

    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_false(parse(others[i]));
    }
    for (size_t i = 1; i < FACTOR_ENTRIES_MAX; i++) {
        strcat(many, "," ENTRY);
    }
    strcat(many, "]}");
    assert_true(parse(many));
    many[strlen(many) - 2] = '\0';
    strcat(many, "," ENTRY "]}");
    assert_false(parse(many));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_that_was_signed_reads_as_it_is_meant),
        cmocka_unit_test(what_was_written_reads),
        cmocka_unit_test(other_files_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
