/* SPDX-License-Identifier: Apache-2.0
 *
 * Tokens: what is written is read again, and what must be refused is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"
#include "certs/token.h"
#include "unit/rules/list.h"

#define KID VIEW_TEXT("my key")
#define GOOD "{\"alg\":\"RS512\",\"kid\":\"my key\",\"typ\":\"JWS\"}"
#define MINIMUM \
    ULONG(CLASS, CKO_CERTIFICATE), ULONG(CERTIFICATE_TYPE, CKC_X_509), BYTES(SUBJECT, "s/>?"), \
        BYTES(VALUE, "v")
#define PAYLOAD                                                                                  \
    "{\"data\":\"{\\\"attributes\\\":{\\\"CKA_CLASS\\\":1,\\\"CKA_CERTIFICATE_TYPE\\\":0,"        \
    "\\\"CKA_SUBJECT\\\":\\\"cw==\\\",\\\"CKA_VALUE\\\":\\\"dg==\\\",\\\"CKA_NEW\\\":[]}}\"}"

static view
token_text(const char *header, const char *payload)
{
    static uint8_t memory[4096];
    struct writer w;

    writer_init_fixed(&w, memory, sizeof memory);
    base64_write(&w, BASE64_URL, view_str(header));
    write_u8(&w, '.');
    base64_write(&w, BASE64_URL, view_str(payload));
    token_close(&w, VIEW_TEXT("signature"));
    assert_true(writer_ok(&w));
    return writer_view(&w);
}

static void
base64_is_that_of_the_rfc(void **state)
{
    static const struct {
        const char *bytes, *plain, *url;
    } rows[] = {
        { "", "", "" },
        { "f", "Zg==", "Zg" },
        { "fo", "Zm8=", "Zm8" },
        { "foo", "Zm9v", "Zm9v" },
        { "foobar", "Zm9vYmFy", "Zm9vYmFy" },
        { "\xfb\xff\xfe", "+//+", "-__-" },
    };
    static const char *const bad[] = { "Z", "Zg", "Zg=", "Zh==", "Zg=a", "====", "Zm9\n", "-__-" };
    struct writer w;

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        writer_init(&w, 100);
        base64_write(&w, BASE64_PLAIN, view_str(rows[i].bytes));
        assert_true(view_equal(writer_view(&w), view_str(rows[i].plain)));
        writer_reset(&w);
        base64_write(&w, BASE64_URL, view_str(rows[i].bytes));
        assert_true(view_equal(writer_view(&w), view_str(rows[i].url)));
        writer_reset(&w);
        assert_true(base64_read(view_str(rows[i].plain), BASE64_PLAIN, &w));
        assert_true(base64_read(view_str(rows[i].url), BASE64_URL, &w));
        assert_int_equal(w.len, 2 * strlen(rows[i].bytes));
        writer_clear(&w);
    }
    writer_init(&w, 100);
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        assert_false(base64_read(view_str(bad[i]), BASE64_PLAIN, &w));
    }
    assert_false(base64_read(VIEW_TEXT("Zg=="), BASE64_URL, &w));
    assert_int_equal(w.len, 0);
    writer_clear(&w);
}

static void
what_is_written_is_read(void **state)
{
    view list = LIST(MINIMUM, BOOL(TOKEN, true), BYTES(LABEL, "a \"label\"/\0\xc3\xa9"),
                     BYTES(END_DATE, "20301231"), ULONG(NAME_HASH_ALGORITHM, CKM_SHA256));
    struct reader r = reader_of(list);
    struct attribute attribute;
    struct token token;
    struct writer w;
    view value;

    UNUSED(state);
    writer_init(&w, TOKEN_MAX);
    assert_null(token_input(KID, list, &w));
    size_t input_len = w.len;
    token_close(&w, VIEW_TEXT("signature"));
    assert_null(token_read(writer_view(&w), KID, &token));

    assert_int_equal(token.input.len, input_len);
    assert_true(view_equal(writer_view(&token.signature), VIEW_TEXT("signature")));
    while (attributes_next(&r, &attribute)) {
        assert_true(attributes_find(writer_view(&token.attributes), attribute.type, &value));
        assert_true(view_equal(value, attribute.value));
    }
    assert_true(attributes_find(writer_view(&token.attributes), CKA_START_DATE, &value));
    assert_int_equal(value.len, 0);
    token_clear(&token);
    writer_clear(&w);
}

static void
the_text_is_as_the_original_has_it(void **state)
{
    struct writer w, plain;

    UNUSED(state);
    writer_init(&w, TOKEN_MAX);
    writer_init(&plain, TOKEN_MAX);
    assert_null(token_input(KID, LIST(MINIMUM, BYTES(URL, "https://a")), &w));
    view text = writer_view(&w);
    const uint8_t *dot = memchr(text.data, '.', text.len);
    assert_true(base64_read(view_of(text.data, (size_t)(dot - text.data)), BASE64_URL, &plain));
    assert_true(view_equal(writer_view(&plain), VIEW_TEXT(GOOD)));
    writer_reset(&plain);
    assert_true(base64_read(view_slice(text, (size_t)(dot - text.data) + 1, text.len), BASE64_URL,
                            &plain));
    write_u8(&plain, 0);
    assert_non_null(strstr((char *)plain.data, "{\"data\":\"{\\\"attributes\\\":{\\\"CKA_CLASS\\\":1,"));
    assert_non_null(strstr((char *)plain.data, "\\\"CKA_TOKEN\\\":false"));
    assert_non_null(strstr((char *)plain.data, "\\\"CKA_START_DATE\\\":\\\"\\\""));
    assert_non_null(strstr((char *)plain.data, "https:\\\\\\/\\\\\\/a"));
    writer_clear(&plain);
    writer_clear(&w);
}

static void
a_label_that_is_no_text_has_no_token(void **state)
{
    struct writer w;

    UNUSED(state);
    writer_init(&w, TOKEN_MAX);
    assert_non_null(token_input(KID, LIST(MINIMUM, BYTES(LABEL, "\xff")), &w));
    writer_clear(&w);
}

static void
headers_in_any_order_with_strangers_are_read(void **state)
{
    static const char *const headers[] = {
        GOOD,
        "{\"typ\":\"JWS\",\"kid\":\"my key\",\"alg\":\"RS512\"}",
        "{\"alg\":\"RS512\",\"jku\":\"https://evil.example/\",\"jwk\":{},\"x5u\":\"u\",\"kid\":\"my key\"}",
    };
    struct token token;

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(headers); i++) {
        assert_null(token_read(token_text(headers[i], PAYLOAD), KID, &token));
        token_clear(&token);
    }
}

static void
other_headers_are_refused(void **state)
{
    static const char *const headers[] = {
        "{\"alg\":\"none\",\"kid\":\"my key\"}",
        "{\"alg\":\"HS512\",\"kid\":\"my key\"}",
        "{\"alg\":\"rs512\",\"kid\":\"my key\"}",
        "{\"alg\":[\"RS512\"],\"kid\":\"my key\"}",
        "{\"kid\":\"my key\"}",
        "{\"alg\":\"RS512\"}",
        "{\"alg\":\"RS512\",\"kid\":\"other\"}",
        "{\"alg\":\"RS512\",\"kid\":\"my key\\u0000\"}",
        "{\"alg\":\"RS512\",\"kid\":\"my key\",\"crit\":[\"exp\"]}",
        "{\"alg\":\"none\",\"alg\":\"RS512\",\"kid\":\"my key\"}",
        "[]", "null", "", "{",
    };
    struct token token;

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(headers); i++) {
        assert_non_null(token_read(token_text(headers[i], PAYLOAD), KID, &token));
    }
}

static void
other_payloads_are_refused(void **state)
{
    static const char *const payloads[] = {
        "", "{}", "[]", "{\"data\":{}}", "{\"data\":\"\"}", "{\"data\":\"{}\"}",
        "{\"data\":\"{\\\"attributes\\\":[]}\"}",
        "{\"data\":\"{\\\"attributes\\\":{\\\"CKA_CLASS\\\":1}}\"}",
        "{\"data\":\"{\\\"attributes\\\":{\\\"CKA_CLASS\\\":2,\\\"CKA_CERTIFICATE_TYPE\\\":0,"
        "\\\"CKA_SUBJECT\\\":\\\"\\\",\\\"CKA_VALUE\\\":\\\"\\\"}}\"}",
        "{\"data\":\"{\\\"attributes\\\":{\\\"CKA_CLASS\\\":1,\\\"CKA_CERTIFICATE_TYPE\\\":0,"
        "\\\"CKA_SUBJECT\\\":\\\"!\\\",\\\"CKA_VALUE\\\":\\\"\\\"}}\"}",
        "{\"data\":\"{\\\"attributes\\\":{\\\"CKA_CLASS\\\":-1,\\\"CKA_CERTIFICATE_TYPE\\\":0,"
        "\\\"CKA_SUBJECT\\\":\\\"\\\",\\\"CKA_VALUE\\\":\\\"\\\"}}\"}",
    };
    struct token token;

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(payloads); i++) {
        assert_non_null(token_read(token_text(GOOD, payloads[i]), KID, &token));
    }
}

static void
what_has_not_three_parts_is_refused(void **state)
{
    static const char *const texts[] = { "", ".", "..", "a.b", "a.b.c.d", "a..c", ".b.c", "a.b." };
    struct token token;

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        assert_string_equal(token_read(view_str(texts[i]), KID, &token),
                            "it is no JWS of three parts");
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_is_that_of_the_rfc),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(the_text_is_as_the_original_has_it),
        cmocka_unit_test(a_label_that_is_no_text_has_no_token),
        cmocka_unit_test(headers_in_any_order_with_strangers_are_read),
        cmocka_unit_test(other_headers_are_refused),
        cmocka_unit_test(other_payloads_are_refused),
        cmocka_unit_test(what_has_not_three_parts_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
