/* SPDX-License-Identifier: Apache-2.0
 *
 * The decoder of SoftHSM2's token files, with files as SoftHSM2 2.6 wrote them (the fuzz corpus)
 * and such as it would not write.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tools/file.h"
#include "tools/softhsm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A file of the corpus, without the byte that the harness reads first. */
static struct secret *
corpus(const char *name, view *ret_file)
{
    char path[512];
    struct secret *file;

    snprintf(path, sizeof path, "%s/fuzz/corpus/softhsm/%s", TESTS_DIR, name);
    file = file_read(path, SOFTHSM_FILE_MAX);
    assert_non_null(file);
    *ret_file = view_slice(secret_view(file), 1, SOFTHSM_FILE_MAX);
    return file;
}

static void
number(struct writer *w, uint64_t value)
{
    for (int i = 7; i >= 0; i--) {
        write_u8(w, (uint8_t)(value >> (8 * i)));
    }
}

static void
token_opens_by_its_pin_alone(void **state)
{
    view file;
    struct secret *token = corpus("token", &file);
    struct secret *key = softhsm_key(file, VIEW_TEXT("4321"));
    view label = VIEW_EMPTY;

    UNUSED(state);
    assert_non_null(key);
    assert_true(softhsm_label(file, &label));
    assert_true(view_equal(label, VIEW_TEXT("old")));
    assert_null(softhsm_key(file, VIEW_TEXT("4322")));
    assert_null(softhsm_key(file, VIEW_EMPTY));
    for (size_t len = 0; len < file.len; len++) {
        struct secret *cut = softhsm_key(view_slice(file, 0, len), VIEW_TEXT("4321"));

        secret_free(cut); /* at most where what was cut off is another entry */
        assert_true(cut == NULL || len > 200);
    }
    secret_free(key);
    secret_free(token);
}

static void
object_of_a_token_is_read(void **state)
{
    view file;
    struct secret *token = corpus("token", &file);
    struct secret *key = softhsm_key(file, VIEW_TEXT("4321"));
    struct secret *object = corpus("secret", &file);
    struct softhsm_left left;
    struct writer list;
    uint64_t type = 0;
    view value = VIEW_EMPTY;

    UNUSED(state);
    assert_non_null(key);
    writer_init(&list, ATTRIBUTES_BYTES_MAX);
    assert_int_equal(softhsm_object(file, secret_view(key), &list, &left), SOFTHSM_READ);

    assert_true(attributes_ulong(writer_view(&list), CKA_KEY_TYPE, &type));
    assert_int_equal(type, CKK_AES);
    assert_true(attributes_find(writer_view(&list), CKA_VALUE, &value));
    assert_int_equal(value.len, 32);
    assert_true(attributes_find(writer_view(&list), CKA_LABEL, &value));
    assert_true(view_equal(value, VIEW_TEXT("a")));
    writer_clear(&list);
    secret_free(object);
    secret_free(key);
    secret_free(token);
}

/* An object with one attribute, private or not. */
static enum softhsm_result
read_one(bool private, uint64_t type, uint64_t form, view rest, struct writer *list,
         struct softhsm_left *left)
{
    static const uint8_t key[32];
    struct writer file;
    enum softhsm_result result;

    writer_init(&file, 65536);
    number(&file, 1);
    number(&file, CKA_PRIVATE);
    number(&file, 1);
    write_u8(&file, private ? 0xff : 0);
    number(&file, type);
    number(&file, form);
    write_raw(&file, rest);
    writer_init(list, ATTRIBUTES_BYTES_MAX);
    result = softhsm_object(writer_view(&file), view_of(key, sizeof key), list, left);
    writer_clear(&file);
    return result;
}

static void
what_is_no_object_is_refused(void **state)
{
    static const struct {
        const char *name;
        bool private;
        uint64_t type;
        uint64_t form;
        view rest;
        enum softhsm_result result;
    } cases[] = {
        { "bytes", false, CKA_LABEL, 3, VIEW_TEXT("\0\0\0\0\0\0\0\2ab"), SOFTHSM_READ },
        { "a form that is none", false, CKA_LABEL, 6, VIEW_TEXT("\0\0\0\0\0\0\0\0"), SOFTHSM_DAMAGED },
        { "a length beyond the end", false, CKA_LABEL, 3, VIEW_TEXT("\0\0\0\0\0\0\0\3ab"), SOFTHSM_DAMAGED },
        { "a length that overflows", false, CKA_ALLOWED_MECHANISMS, 5,
          VIEW_TEXT("\x20\0\0\0\0\0\0\1abcdefgh"), SOFTHSM_DAMAGED },
        { "half a number", false, CKA_KEY_TYPE, 2, VIEW_TEXT("\0\0\0\0"), SOFTHSM_DAMAGED },
        { "bytes of another key", true, CKA_LABEL, 3,
          VIEW_TEXT("\0\0\0\0\0\0\0\x20" "0123456789abcdef0123456789abcdef"), SOFTHSM_LOCKED },
        { "plain bytes in a private object", true, CKA_LABEL, 3, VIEW_TEXT("\0\0\0\0\0\0\0\2ab"),
          SOFTHSM_LOCKED },
        { "a list in a list in a list", false, CKA_WRAP_TEMPLATE, 4,
          VIEW_TEXT("\0\0\0\0\0\0\0\x30"
                    "\0\0\0\0\x40\0\2\x11\0\0\0\0\0\0\0\4\0\0\0\0\0\0\0\x18"
                    "\0\0\0\0\x40\0\2\x11\0\0\0\0\0\0\0\4\0\0\0\0\0\0\0\0"), SOFTHSM_READ },
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct softhsm_left left;
        struct writer list;
        enum softhsm_result result = read_one(cases[i].private, cases[i].type, cases[i].form,
                                              cases[i].rest, &list, &left);

        if (result != cases[i].result) {
            print_message("%s: %d\n", cases[i].name, (int)result);
        }
        assert_int_equal(result, cases[i].result);
        assert_true(result == SOFTHSM_READ || list.len == 0);
        writer_clear(&list);
    }
}

static void
unknown_attribute_is_told(void **state)
{
    struct softhsm_left left = { .count = 9 };
    struct writer list;

    UNUSED(state);
    assert_int_equal(read_one(false, 0x80001234, 2, VIEW_TEXT("\0\0\0\0\0\0\0\1"), &list, &left),
                     SOFTHSM_READ);
    assert_int_equal(left.count, 1);
    assert_int_equal(left.types[0], 0x80001234);
    writer_clear(&list);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(token_opens_by_its_pin_alone),
        cmocka_unit_test(object_of_a_token_is_read),
        cmocka_unit_test(what_is_no_object_is_refused),
        cmocka_unit_test(unknown_attribute_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
