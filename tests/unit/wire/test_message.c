/* SPDX-License-Identifier: Apache-2.0
 *
 * Every message of messages.def there and back, cut short and too long; then what single
 * forms refuse, and some messages byte by byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "unit/rules/list.h"
#include "wire/message.h"

/* ---- a sample of each form ---- */

static void
sample_u8(uint8_t *value)
{
    *value = 0xa5;
}

static void
sample_u64(uint64_t *value)
{
    *value = 0x123456789abcdef0u;
}

static void
sample_u32(uint32_t *value)
{
    *value = 0x89abcdefu;
}

static void
sample_flag(bool *value)
{
    *value = true;
}

static void
sample_bytes(view *value)
{
    *value = VIEW_TEXT("\x00\xff bytes");
}

static void
sample_text(view *value)
{
    *value = VIEW_TEXT("Gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x94\x91");
}

static void
sample_list(view *value)
{
    *value = LIST(BYTES(LABEL, "key"), BOOL(TOKEN, true));
}

static void
sample_mech(struct mechanism *value)
{
    *value = (struct mechanism){
        .type = CKM_AES_GCM,
        .shape = PARAMS_gcm,
        .params.gcm = { VIEW_TEXT("twelve bytes"), VIEW_TEXT("aad"), 128 },
    };
}

static void
sample_infos(struct info_array *value)
{
    static uint8_t memory[100];
    const struct key_info info = { 1, 2, 3, 4, 5, 6 };
    struct writer w;

    writer_init_fixed(&w, memory, sizeof memory);
    key_info_write(&w, &info);
    key_info_write(&w, &info);
    value->bytes = writer_view(&w);
}

static void
sample_numbers(struct number_array *value)
{
    value->bytes = VIEW_TEXT("\x01\x00\x00\x00\x02\x00\x00\x00");
}

static void
sample_users(struct user_array *value)
{
    static uint8_t memory[100];
    const struct user_info user = { 7, ROLE_CU, VIEW_TEXT("cu1"), 3, false, true };
    struct writer w;

    writer_init_fixed(&w, memory, sizeof memory);
    user_info_write(&w, &user);
    user_info_write(&w, &user);
    value->bytes = writer_view(&w);
}

static void
sample_nodes(struct node_array *value)
{
    static uint8_t memory[200];
    const struct node_info node = {
        1, true, VIEW_TEXT("a1"), VIEW_TEXT("0123456789abcdef0123456789abcdef"), VIEW_TEXT("hsm1"), 2224, 2225
    };
    struct writer w;

    writer_init_fixed(&w, memory, sizeof memory);
    node_info_write(&w, &node);
    node_info_write(&w, &node);
    value->bytes = writer_view(&w);
}

static void
sample_copies(struct copy_array *value)
{
    static uint8_t memory[100];
    const struct copy_info copy = { 0x80000001, 2, 3, VIEW_TEXT("sealed") };
    struct writer w;

    writer_init_fixed(&w, memory, sizeof memory);
    copy_info_write(&w, &copy);
    copy_info_write(&w, &copy);
    value->bytes = writer_view(&w);
}

#define sample_secret sample_bytes

/*
 * static void
 * detach_request_sample(struct writer *w)
 * {
 *     struct detach_request m;
 *
 *     memset(&m, 0, sizeof m);
 *     detach_request_write(w, &m);
 * }
 */
#define MESSAGE(name)                     \
    static void name##_sample(struct writer *w) \
    {                                     \
        struct name m;                    \
                                          \
        memset(&m, 0, sizeof m);
#define FIELD(form, name) sample_##form(&m.name);
#define MESSAGE_END(name)    \
        name##_write(w, &m); \
    }
#include "wire/messages.def"
#undef MESSAGE
#undef FIELD
#undef MESSAGE_END

/* Reads a body and writes what was read; false when it does not read. */
#define MESSAGE(name)                                 \
    static bool name##_again(view body, struct writer *w) \
    {                                                 \
        struct name m;                                \
                                                      \
        if (!name##_read(body, &m)) {                 \
            return false;                             \
        }                                             \
        name##_write(w, &m);                          \
        return true;                                  \
    }
#define FIELD(form, name)
#define MESSAGE_END(name)
#include "wire/messages.def"
#undef MESSAGE
#undef FIELD
#undef MESSAGE_END

/* { "find_reply", find_reply_sample, find_reply_again } */
#define MESSAGE(name) { #name, name##_sample, name##_again },
#define FIELD(form, name)
#define MESSAGE_END(name)
static const struct {
    const char *name;
    void (*sample)(struct writer *w);
    bool (*again)(view body, struct writer *w);
} messages[] = {
#include "wire/messages.def"
};
#undef MESSAGE
#undef FIELD
#undef MESSAGE_END

/* Bytes in an allocation of just their length, so that a sanitizer sees a step too far. */
static view
exact_copy(view v)
{
    uint8_t *copy = malloc(v.len == 0 ? 1 : v.len);

    assert_non_null(copy);
    if (v.len > 0) {
        memcpy(copy, v.data, v.len);
    }
    return view_of(copy, v.len);
}

static void
every_message_reads_back_to_the_same_bytes(void **state)
{
    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(messages); i++) {
        struct writer first, second;

        writer_init(&first, FRAME_BODY_MAX);
        writer_init(&second, FRAME_BODY_MAX);
        messages[i].sample(&first);

        view body = exact_copy(writer_view(&first));

        assert_true(writer_ok(&first));
        if (!messages[i].again(body, &second) ||
            !view_equal(writer_view(&first), writer_view(&second))) {
            fail_msg("%s does not read back", messages[i].name);
        }
        free((void *)(uintptr_t)body.data);
        writer_clear(&first);
        writer_clear(&second);
    }
}

static void
every_truncation_of_every_message_is_refused(void **state)
{
    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(messages); i++) {
        struct writer whole, again;

        writer_init(&whole, FRAME_BODY_MAX);
        writer_init(&again, FRAME_BODY_MAX);
        messages[i].sample(&whole);
        for (size_t len = 0; len < whole.len; len++) {
            view cut = exact_copy(view_of(whole.data, len));

            if (messages[i].again(cut, &again)) {
                fail_msg("%s reads from %zu bytes of %zu", messages[i].name, len, whole.len);
            }
            free((void *)(uintptr_t)cut.data);
        }
        writer_clear(&whole);
        writer_clear(&again);
    }
}

static void
left_over_bytes_are_refused_in_every_message(void **state)
{
    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(messages); i++) {
        struct writer whole, again;

        writer_init(&whole, FRAME_BODY_MAX);
        writer_init(&again, FRAME_BODY_MAX);
        messages[i].sample(&whole);
        write_u8(&whole, 0);
        if (messages[i].again(writer_view(&whole), &again)) {
            fail_msg("%s reads with a byte too many", messages[i].name);
        }
        writer_clear(&whole);
        writer_clear(&again);
    }
}

/* Whatever one flipped bit makes of a message, what still reads is written the same. */
static void
what_reads_is_canonical_after_any_bit_flip(void **state)
{
    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(messages); i++) {
        struct writer whole, again;

        writer_init(&whole, FRAME_BODY_MAX);
        writer_init(&again, FRAME_BODY_MAX);
        messages[i].sample(&whole);
        for (size_t bit = 0; bit < 8 * whole.len; bit++) {
            whole.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            writer_reset(&again);
            if (messages[i].again(writer_view(&whole), &again) &&
                !view_equal(writer_view(&whole), writer_view(&again))) {
                fail_msg("%s is not canonical at bit %zu", messages[i].name, bit);
            }
            whole.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        writer_clear(&whole);
        writer_clear(&again);
    }
}

/* ---- what single forms refuse ---- */

static void
a_flag_is_0_or_1(void **state)
{
    struct find_reply m;

    UNUSED(state);
    assert_true(find_reply_read(VIEW_TEXT("\0\0\0\0\x01"), &m));
    assert_true(m.more);
    assert_false(find_reply_read(VIEW_TEXT("\0\0\0\0\x02"), &m));
}

/* Reads a user_delete_request with that name. */
static bool
text_reads(view text)
{
    struct user_delete_request m;
    struct writer w;
    bool reads;

    writer_init(&w, FRAME_BODY_MAX);
    write_u32(&w, ROLE_CU);
    write_bytes(&w, text);
    reads = user_delete_request_read(writer_view(&w), &m);
    writer_clear(&w);
    return reads;
}

static void
text_is_utf8_without_nul(void **state)
{
    UNUSED(state);
    assert_true(text_reads(VIEW_EMPTY));
    assert_true(text_reads(VIEW_TEXT("cu1")));
    assert_true(text_reads(VIEW_TEXT("\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf")));
    assert_true(text_reads(VIEW_TEXT("\xed\x9f\xbf\xee\x80\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf")));
    assert_false(text_reads(VIEW_TEXT("a\0b")));
    assert_false(text_reads(VIEW_TEXT("\x80")));             /* a tail without a head */
    assert_false(text_reads(VIEW_TEXT("\xc3")));             /* a head without a tail */
    assert_false(text_reads(VIEW_TEXT("\xe2\x82")));
    assert_false(text_reads(VIEW_TEXT("\xc3(")));
    assert_false(text_reads(VIEW_TEXT("\xc0\x80")));         /* longer than need be */
    assert_false(text_reads(VIEW_TEXT("\xc1\xbf")));
    assert_false(text_reads(VIEW_TEXT("\xe0\x9f\xbf")));
    assert_false(text_reads(VIEW_TEXT("\xf0\x8f\xbf\xbf")));
    assert_false(text_reads(VIEW_TEXT("\xed\xa0\x80")));     /* half of a surrogate pair */
    assert_false(text_reads(VIEW_TEXT("\xf4\x90\x80\x80"))); /* over U+10FFFF */
    assert_false(text_reads(VIEW_TEXT("\xf8\x88\x80\x80\x80")));
    assert_false(text_reads(VIEW_TEXT("\xff")));
}

static void
text_has_at_most_256_bytes(void **state)
{
    char text[257];
    struct user_delete_request m = { .role = ROLE_CU };
    struct writer w;

    UNUSED(state);
    memset(text, 'x', sizeof text);
    assert_true(text_reads(view_of(text, 256)));
    assert_false(text_reads(view_of(text, 257)));
    /* nor is such a text ever written */
    m.name = view_of(text, 257);
    writer_init(&w, 1000);
    user_delete_request_write(&w, &m);
    assert_false(writer_ok(&w));
    writer_clear(&w);
}

static void
arrays_are_of_whole_entries(void **state)
{
    struct object_copy_reply infos;
    struct key_details_reply numbers;
    struct user_list_reply users;

    UNUSED(state);
    assert_true(object_copy_reply_read(VIEW_TEXT("\0\0\0\0"), &infos));
    assert_int_equal(info_array_count(infos.made), 0);
    assert_false(object_copy_reply_read(VIEW_TEXT("\x01\0\0\0x"), &infos));
    assert_true(key_details_reply_read(VIEW_TEXT("\0\0\0\0\x04\0\0\0abcd"), &numbers));
    assert_false(key_details_reply_read(VIEW_TEXT("\0\0\0\0\x03\0\0\0abc"), &numbers));
    assert_true(user_list_reply_read(VIEW_TEXT("\0\0\0\0\0"), &users));
    assert_false(user_list_reply_read(VIEW_TEXT("\x01\0\0\0x\0"), &users));
}

static void
a_list_has_to_be_one(void **state)
{
    struct object_get_reply m;

    UNUSED(state);
    assert_true(object_get_reply_read(VIEW_TEXT("\x08\0\0\0\x03\0\0\0\0\0\0\0"), &m));
    assert_false(object_get_reply_read(VIEW_TEXT("\x08\0\0\0\x03\0\0\0\x01\0\0\0"), &m));
    assert_false(object_get_reply_read(VIEW_TEXT("\x03\0\0\0abc"), &m));
}

static void
a_failed_read_changes_nothing(void **state)
{
    struct login_reply m = { .user = 7, .role = 8 };

    UNUSED(state);
    assert_false(login_reply_read(VIEW_TEXT("\x01\0\0\0\x02\0\0\0\x05\0\0\0abc"), &m));
    assert_int_equal(m.user, 7);
    assert_int_equal(m.role, 8);
}

/* ---- golden bytes ---- */

#define GOLDEN(text) view_of(text, sizeof(text) - 1)

static void
hello_is_these_bytes(void **state)
{
    struct hello_request m = { 1, VIEW_TEXT("0123456789abcdef"), 0x1234, INTERFACE_API,
                               VIEW_TEXT("tk"), true, VIEW_TEXT("url"), VIEW_TEXT("k"),
                               VIEW_TEXT("id"), VIEW_TEXT("s"), true };
    struct writer w;

    UNUSED(state);
    writer_init(&w, 1000);
    hello_request_write(&w, &m);
    assert_true(view_equal(writer_view(&w), GOLDEN("\x01\0\0\0"
                                                   "\x10\0\0\0"
                                                   "0123456789abcdef"
                                                   "\x34\x12\0\0"
                                                   "\x01"
                                                   "\x02\0\0\0tk"
                                                   "\x01"
                                                   "\x03\0\0\0url"
                                                   "\x01\0\0\0k"
                                                   "\x02\0\0\0id"
                                                   "\x01\0\0\0s"
                                                   "\x01")));
    writer_clear(&w);
}

static void
sign_is_these_bytes(void **state)
{
    struct sign_request m = {
        .mechanism = { .type = CKM_SHA256_RSA_PKCS_PSS,
                       .shape = PARAMS_pss,
                       .params.pss = { CKM_SHA256, CKG_MGF1_SHA256, 32 } },
        .key = 0x40001,
        .max = 256,
        .data = VIEW_TEXT("abc"),
    };
    struct sign_request read;
    struct writer w;

    UNUSED(state);
    writer_init(&w, 1000);
    sign_request_write(&w, &m);
    assert_true(view_equal(writer_view(&w), GOLDEN("\x43\0\0\0\x05"
                                                   "\x0c\0\0\0"
                                                   "\x50\x02\0\0\x02\0\0\0\x20\0\0\0"
                                                   "\x01\0\x04\0"
                                                   "\0\x01\0\0"
                                                   "\x03\0\0\0"
                                                   "abc")));
    assert_true(sign_request_read(writer_view(&w), &read));
    assert_int_equal(read.mechanism.type, CKM_SHA256_RSA_PKCS_PSS);
    assert_int_equal(read.mechanism.params.pss.salt_len, 32);
    assert_true(view_equal(read.data, m.data));
    writer_clear(&w);
}

static void
recover_is_these_bytes(void **state)
{
    const struct mechanism raw = { .type = CKM_RSA_X_509, .shape = PARAMS_none };
    const struct sign_recover_request sign = { raw, 0x40001, 256, VIEW_TEXT("abc") };
    const struct verify_recover_request verify = { raw, 0x40002, 20, VIEW_TEXT("signature") };
    struct writer w;

    UNUSED(state);
    writer_init(&w, 1000);
    sign_recover_request_write(&w, &sign);
    assert_true(view_equal(writer_view(&w), GOLDEN("\x03\0\0\0\0"
                                                   "\0\0\0\0"
                                                   "\x01\0\x04\0"
                                                   "\0\x01\0\0"
                                                   "\x03\0\0\0"
                                                   "abc")));
    writer_reset(&w);
    verify_recover_request_write(&w, &verify);
    assert_true(view_equal(writer_view(&w), GOLDEN("\x03\0\0\0\0"
                                                   "\0\0\0\0"
                                                   "\x02\0\x04\0"
                                                   "\x14\0\0\0"
                                                   "\x09\0\0\0"
                                                   "signature")));
    writer_clear(&w);
}

static void
derive_is_these_bytes(void **state)
{
    const struct derive_request m = {
        .mechanism = { .type = CKM_ECDH1_DERIVE,
                       .shape = PARAMS_ecdh,
                       .params.ecdh = { CKD_SHA256_KDF, VIEW_TEXT("sh"), VIEW_TEXT("pt") } },
        .key = 0x40000,
        .handles = { VIEW_TEXT("\x01\0\0\x80") },
        .template = LIST(BOOL(TOKEN, false)),
        .more = LIST(VIEW(CKA_DERIVE_TEMPLATE, VIEW_EMPTY)),
    };
    const struct derive_reply answer = { VIEW_TEXT("iv"), { VIEW_EMPTY } };
    struct writer w;

    UNUSED(state);
    writer_init(&w, 1000);
    derive_request_write(&w, &m);
    assert_true(view_equal(writer_view(&w), GOLDEN("\x50\x10\0\0"
                                                   "\x06"
                                                   "\x10\0\0\0"
                                                   "\x06\0\0\0"
                                                   "\x02\0\0\0sh"
                                                   "\x02\0\0\0pt"
                                                   "\0\0\x04\0"
                                                   "\x04\0\0\0\x01\0\0\x80"
                                                   "\x09\0\0\0\x01\0\0\0\x01\0\0\0\0"
                                                   "\x08\0\0\0\x13\x02\0\x40\0\0\0\0")));
    writer_reset(&w);
    derive_reply_write(&w, &answer);
    assert_true(view_equal(writer_view(&w), GOLDEN("\x02\0\0\0iv"
                                                   "\0\0\0\0")));
    writer_clear(&w);
}

static void
authenticate_is_these_bytes(void **state)
{
    const struct authenticate_request m = { CKF_SIGN, 0x40001, VIEW_TEXT("cu"), VIEW_TEXT("pw") };
    struct writer w;

    UNUSED(state);
    writer_init(&w, 1000);
    authenticate_request_write(&w, &m);
    assert_true(view_equal(writer_view(&w), GOLDEN("\0\x08\0\0\x01\0\x04\0"
                                                   "\x02\0\0\0cu"
                                                   "\x02\0\0\0pw")));
    writer_clear(&w);
}

static void
pins_are_these_bytes(void **state)
{
    const struct pin_set_request set = { VIEW_TEXT("cu"), VIEW_TEXT("old"), VIEW_TEXT("new") };
    const struct pin_init_request init = { VIEW_TEXT("cu"), VIEW_TEXT("new") };
    struct writer w;

    UNUSED(state);
    writer_init(&w, 1000);
    pin_set_request_write(&w, &set);
    assert_true(view_equal(writer_view(&w), GOLDEN("\x02\0\0\0cu"
                                                   "\x03\0\0\0old"
                                                   "\x03\0\0\0new")));
    writer_reset(&w);
    pin_init_request_write(&w, &init);
    assert_true(view_equal(writer_view(&w), GOLDEN("\x02\0\0\0cu"
                                                   "\x03\0\0\0new")));
    writer_clear(&w);
}

static void
object_size_is_these_bytes(void **state)
{
    const struct object_size_request m = { 0x40000 };
    const struct object_size_reply answer = { 0x1234 };
    struct writer w;

    UNUSED(state);
    writer_init(&w, 1000);
    object_size_request_write(&w, &m);
    assert_true(view_equal(writer_view(&w), GOLDEN("\0\0\x04\0")));
    writer_reset(&w);
    object_size_reply_write(&w, &answer);
    assert_true(view_equal(writer_view(&w), GOLDEN("\x34\x12\0\0")));
    writer_clear(&w);
}

static void
masked_objects_are_these_bytes(void **state)
{
    const struct object_mask_request mask = { 0x40000 };
    const struct object_mask_reply masked = { VIEW_TEXT("abc") };
    const struct object_unmask_request unmask = { VIEW_TEXT("abc"), 0x80000001u, true };
    struct writer w;

    UNUSED(state);
    writer_init(&w, 1000);
    object_mask_request_write(&w, &mask);
    assert_true(view_equal(writer_view(&w), GOLDEN("\0\0\x04\0")));
    writer_reset(&w);
    object_mask_reply_write(&w, &masked);
    assert_true(view_equal(writer_view(&w), GOLDEN("\x03\0\0\0" "abc")));
    writer_reset(&w);
    object_unmask_request_write(&w, &unmask);
    assert_true(view_equal(writer_view(&w), GOLDEN("\x03\0\0\0" "abc" "\x01\0\0\x80" "\x01")));
    writer_clear(&w);
}

static void
tokens_are_these_bytes(void **state)
{
    const struct token_sign_request sign = { VIEW_TEXT("c"),  0xfff00001, 0xfff00000,
                                             VIEW_TEXT("id"), VIEW_EMPTY, VIEW_TEXT("h.p") };
    const struct token_sign_reply answer = { 0xfff00001, VIEW_TEXT("sig") };
    const struct token_settle_request settle = { VIEW_TEXT("c"), 0xfff00001, VIEW_TEXT("hash") };
    const struct token_drop_request drop = { VIEW_TEXT("c"), 0xfff00001, VIEW_TEXT("hash"),
                                             VIEW_TEXT("no") };
    const struct token_check_request check = { VIEW_TEXT("c"),  0xfff00001,       true,
                                               VIEW_TEXT("id"), VIEW_TEXT("h.p"), VIEW_TEXT("sig") };
    struct writer w;

    UNUSED(state);
    writer_init(&w, 1000);
    token_sign_request_write(&w, &sign);
    assert_true(view_equal(writer_view(&w),
                           GOLDEN("\x01\0\0\0c\x01\0\xf0\xff\0\0\xf0\xff\x02\0\0\0id"
                                  "\0\0\0\0\x03\0\0\0h.p")));
    writer_reset(&w);
    token_sign_reply_write(&w, &answer);
    assert_true(view_equal(writer_view(&w), GOLDEN("\x01\0\xf0\xff\x03\0\0\0sig")));
    writer_reset(&w);
    token_settle_request_write(&w, &settle);
    assert_true(view_equal(writer_view(&w), GOLDEN("\x01\0\0\0c\x01\0\xf0\xff\x04\0\0\0hash")));
    writer_reset(&w);
    token_drop_request_write(&w, &drop);
    assert_true(view_equal(writer_view(&w),
                           GOLDEN("\x01\0\0\0c\x01\0\xf0\xff\x04\0\0\0hash"
                                  "\x02\0\0\0no")));
    writer_reset(&w);
    token_check_request_write(&w, &check);
    assert_true(view_equal(writer_view(&w),
                           GOLDEN("\x01\0\0\0c\x01\0\xf0\xff\x01\x02\0\0\0id"
                                  "\x03\0\0\0h.p\x03\0\0\0sig")));
    writer_reset(&w);
    storage_state_reply_write(&w, &(struct storage_state_reply){ true, 5, 4, 3, 258 });
    assert_true(view_equal(writer_view(&w),
                           GOLDEN("\x01\x05\0\0\0\x04\0\0\0\x03\0\0\0\x02\x01\0\0")));
    writer_clear(&w);
}

static void
an_update_is_these_bytes(void **state)
{
    const struct update_request data = { CKF_ENCRYPT, 2, 0, VIEW_TEXT("abc") };
    const struct update_request key = { CKF_DIGEST, 0, 0x40001, VIEW_EMPTY };
    const struct final_request end = { CKF_VERIFY, 3, VIEW_TEXT("sig") };
    struct writer w;

    UNUSED(state);
    writer_init(&w, 1000);
    update_request_write(&w, &data);
    assert_true(view_equal(writer_view(&w), GOLDEN("\0\x01\0\0\x02\0\0\0\0\0\0\0\x03\0\0\0" "abc")));
    writer_reset(&w);
    update_request_write(&w, &key);
    assert_true(view_equal(writer_view(&w), GOLDEN("\0\x04\0\0\0\0\0\0\x01\0\x04\0\0\0\0\0")));
    writer_reset(&w);
    final_request_write(&w, &end);
    assert_true(view_equal(writer_view(&w), GOLDEN("\0\x20\0\0\x03\0\0\0\x03\0\0\0" "sig")));
    writer_clear(&w);
}

static void
found_keys_are_these_bytes(void **state)
{
    const struct key_info info = { 0x40001, CKO_SECRET_KEY, CKK_AES, KEY_FLAG_TOKEN, 256, 0 };
    struct find_reply m = { .more = true };
    struct find_reply read;
    struct writer infos, w;

    UNUSED(state);
    writer_init(&infos, 1000);
    key_info_write(&infos, &info);
    m.found.bytes = writer_view(&infos);
    writer_init(&w, 1000);
    find_reply_write(&w, &m);
    assert_true(view_equal(writer_view(&w), GOLDEN("\x18\0\0\0"
                                                   "\x01\0\x04\0"
                                                   "\x04\0\0\0"
                                                   "\x1f\0\0\0"
                                                   "\x01\0\0\0"
                                                   "\0\x01\0\0"
                                                   "\0\0\0\0"
                                                   "\x01")));
    assert_true(find_reply_read(writer_view(&w), &read));
    assert_int_equal(info_array_count(read.found), 1);

    struct key_info got = info_array_get(read.found, 0);

    assert_int_equal(got.handle, info.handle);
    assert_int_equal(got.class, info.class);
    assert_int_equal(got.key_type, info.key_type);
    assert_int_equal(got.flags, info.flags);
    assert_int_equal(got.bits, info.bits);
    assert_int_equal(got.curve, info.curve);
    writer_clear(&infos);
    writer_clear(&w);
}

static void
users_are_these_bytes(void **state)
{
    const struct user_info user = { 3, ROLE_CO, VIEW_TEXT("admin"), 2, false, true };
    struct user_list_reply read;
    struct user_info got;
    struct writer users, w;

    UNUSED(state);
    writer_init(&users, 1000);
    user_info_write(&users, &user);

    struct user_list_reply m = { { writer_view(&users) }, true };

    writer_init(&w, 1000);
    user_list_reply_write(&w, &m);
    assert_true(view_equal(writer_view(&w), GOLDEN("\x17\0\0\0"
                                                   "\x03\0\0\0"
                                                   "\x02\0\0\0"
                                                   "\x05\0\0\0"
                                                   "admin"
                                                   "\x02\0\0\0"
                                                   "\0\x01"
                                                   "\x01")));
    assert_true(user_list_reply_read(writer_view(&w), &read));
    assert_true(read.more);

    struct reader r = reader_of(read.users.bytes);

    assert_true(user_array_next(&r, &got));
    assert_int_equal(got.id, 3);
    assert_int_equal(got.role, ROLE_CO);
    assert_true(view_equal(got.name, VIEW_TEXT("admin")));
    assert_int_equal(got.failures, 2);
    assert_false(got.quorum_key);
    assert_true(got.second_factor);
    assert_false(user_array_next(&r, &got));
    writer_clear(&users);
    writer_clear(&w);
}

static void
copies_are_these_bytes(void **state)
{
    const struct copy_info copy = { 0x80000001, 2, 3, VIEW_TEXT("sealed") };
    struct copies_request asked;
    struct copies_reply read;
    struct copy_info got;
    struct writer copies, gone, w;

    UNUSED(state);
    writer_init(&copies, 1000);
    writer_init(&gone, 1000);
    writer_init(&w, 1000);
    copy_info_write(&copies, &copy);
    number_write(&gone, 0x80000007);

    struct copies_reply m = { true, { writer_view(&copies) }, { writer_view(&gone) }, false };

    copies_reply_write(&w, &m);
    assert_true(view_equal(writer_view(&w), GOLDEN("\x01"
                                                   "\x1a\0\0\0"
                                                   "\x01\0\0\x80"
                                                   "\x02\0\0\0"
                                                   "\x03\0\0\0\0\0\0\0"
                                                   "\x06\0\0\0"
                                                   "sealed"
                                                   "\x04\0\0\0"
                                                   "\x07\0\0\x80"
                                                   "\0")));
    assert_true(copies_reply_read(writer_view(&w), &read));

    struct reader r = reader_of(read.copies.bytes);

    assert_true(copy_array_next(&r, &got));
    assert_int_equal(got.handle, 0x80000001);
    assert_int_equal(got.session, 2);
    assert_int_equal(got.version, 3);
    assert_true(view_equal(got.sealed, copy.sealed));
    assert_false(copy_array_next(&r, &got));
    w.data[1]--; /* one byte less than a copy */
    assert_false(copies_reply_read(writer_view(&w), &read));

    struct copies_request request = { { writer_view(&copies) }, 0x80000009 };

    writer_reset(&w);
    copies_request_write(&w, &request);
    assert_true(view_equal(writer_view(&w), GOLDEN("\x1a\0\0\0"
                                                   "\x01\0\0\x80"
                                                   "\x02\0\0\0"
                                                   "\x03\0\0\0\0\0\0\0"
                                                   "\x06\0\0\0"
                                                   "sealed"
                                                   "\x09\0\0\x80")));
    assert_true(copies_request_read(writer_view(&w), &asked));
    writer_clear(&copies);
    writer_clear(&gone);
    writer_clear(&w);
}

static void
copies_that_are_too_long_are_none(void **state)
{
    static uint8_t sealed[COPY_MAX + 1];
    struct copy_info copy = { 1, 2, 3, view_of(sealed, COPY_MAX) };
    struct copies_request asked;
    struct writer copies, w;

    UNUSED(state);
    writer_init(&copies, 2 * COPY_MAX);
    writer_init(&w, 2 * COPY_MAX);
    for (size_t len = COPY_MAX; len <= COPY_MAX + 1; len++) {
        writer_reset(&copies);
        writer_reset(&w);
        copy.sealed = view_of(sealed, len);
        copy_info_write(&copies, &copy);
        copies_request_write(&w, &(struct copies_request){ { writer_view(&copies) }, 0 });
        assert_int_equal(copies_request_read(writer_view(&w), &asked), len == COPY_MAX);
    }
    writer_clear(&copies);
    writer_clear(&w);
}

static void
a_cluster_is_these_bytes(void **state)
{
    const struct cluster_reply m = { VIEW_TEXT("0123456789abcdef"), 2,
                                     { VIEW_TEXT("\x01\0\0\0\x02\0\0\0") } };
    struct cluster_reply read;
    struct writer w;

    UNUSED(state);
    writer_init(&w, 100);
    cluster_reply_write(&w, &m);
    assert_true(view_equal(writer_view(&w), GOLDEN("\x10\0\0\0"
                                                   "0123456789abcdef"
                                                   "\x02\0\0\0"
                                                   "\x08\0\0\0"
                                                   "\x01\0\0\0\x02\0\0\0")));
    assert_true(cluster_reply_read(writer_view(&w), &read));
    assert_int_equal(number_array_count(read.releases), 2);
    assert_false(cluster_reply_read(view_of(w.data, w.len - 1), &read));
    writer_clear(&w);
}

static void
nodes_are_these_bytes(void **state)
{
    const struct node_info node = {
        2, true, VIEW_TEXT("a1"), VIEW_TEXT("0123456789abcdef0123456789abcdef"), VIEW_TEXT("hsm1"), 2224, 2225
    };
    struct nodes_reply read;
    struct node_info got;
    struct writer nodes, w;

    UNUSED(state);
    writer_init(&nodes, 1000);
    node_info_write(&nodes, &node);

    struct nodes_reply m = { 2, 9, { writer_view(&nodes) } };

    writer_init(&w, 1000);
    nodes_reply_write(&w, &m);
    assert_true(view_equal(writer_view(&w), GOLDEN("\x02\0\0\0"
                                                   "\x09\0\0\0\0\0\0\0"
                                                   "\x37\0\0\0"
                                                   "\x02\0\0\0"
                                                   "\x01"
                                                   "\x02\0\0\0"
                                                   "a1"
                                                   "0123456789abcdef0123456789abcdef"
                                                   "\x04\0\0\0"
                                                   "hsm1"
                                                   "\xb0\x08\xb1\x08")));
    assert_true(nodes_reply_read(writer_view(&w), &read));

    struct reader r = reader_of(read.nodes.bytes);

    assert_true(node_array_next(&r, &got));
    assert_int_equal(got.id, 2);
    assert_true(got.present);
    assert_true(view_equal(got.serial, node.serial));
    assert_true(view_equal(got.print, node.print));
    assert_true(view_equal(got.hostname, node.hostname));
    assert_int_equal(got.client_port, 2224);
    assert_int_equal(got.manage_port, 2225);
    assert_false(node_array_next(&r, &got));
    w.data[12]--; /* one byte less than a node */
    assert_false(nodes_reply_read(view_of(w.data, w.len - 1), &read));
    writer_clear(&nodes);
    writer_clear(&w);
}

static void
numbers_step_by_four(void **state)
{
    struct writer w;

    UNUSED(state);
    writer_init(&w, 100);
    number_write(&w, 5);
    number_write(&w, 0x01020304);

    struct number_array array = { writer_view(&w) };

    assert_int_equal(number_array_count(array), 2);
    assert_int_equal(number_array_get(array, 0), 5);
    assert_int_equal(number_array_get(array, 1), 0x01020304);
    writer_clear(&w);
}

/* ---- operations ---- */

static void
operations_are_found_by_their_number(void **state)
{
    size_t count;
    const struct operation_row *rows = operation_rows(&count);

    UNUSED(state);
    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(operation_row((uint16_t)rows[i].operation), &rows[i]);
        assert_true(i == 0 || rows[i - 1].operation < rows[i].operation);
    }
    assert_string_equal(operation_row(OPERATION_SIGN)->name, "SIGN");
    assert_int_equal(OPERATION_SIGN, 52);
    assert_int_equal(OPERATION_SIGN_RECOVER, 55);
    assert_int_equal(OPERATION_VERIFY_RECOVER, 56);
    assert_null(operation_row(OPERATION_NONE));
    assert_null(operation_row(9));
    assert_null(operation_row(84));
    assert_null(operation_row(UINT16_MAX));
}

/* What a column says has to go with what others say. */
static void
columns_of_operations_agree(void **state)
{
    size_t count;
    const struct operation_row *rows = operation_rows(&count);

    UNUSED(state);
    for (size_t i = 0; i < count; i++) {
        const struct operation_row *row = &rows[i];

        assert_true(row->tie != TIE_step || row->repeat == REPEAT_bound);
        assert_true(row->tie != TIE_none || row->repeat != REPEAT_bound);
        assert_true(!row->revokes || (row->repeat == REPEAT_once && row->audited));
        assert_int_equal(row->unowned & ~row->ports, 0);
    }
}

static void
every_operation_has_both_messages(void **state)
{
    size_t count;
    const struct operation_row *rows = operation_rows(&count);

    UNUSED(state);
    assert_int_equal(ARRAY_COUNT(messages), 2 * count);
    for (size_t i = 0; i < count; i++) {
        size_t found = 0;

        for (size_t k = 0; k < ARRAY_COUNT(messages); k++) {
            size_t len = strlen(rows[i].name);

            found += strncasecmp(messages[k].name, rows[i].name, len) == 0 &&
                             (strcmp(messages[k].name + len, "_request") == 0 ||
                              strcmp(messages[k].name + len, "_reply") == 0)
                         ? 1
                         : 0;
        }
        assert_int_equal(found, 2);
    }
}

/* Who reads them (core/request.c) reads all with one of two messages, and copies of what they name
 * come with the first reply to a number. */
static void
replies_that_name_objects_have_one_form(void **state)
{
    size_t count;
    const struct operation_row *rows = operation_rows(&count);
    struct writer made, derived, reply;

    UNUSED(state);
    writer_init(&made, FRAME_BODY_MAX);
    writer_init(&derived, FRAME_BODY_MAX);
    writer_init(&reply, FRAME_BODY_MAX);
    generate_key_reply_sample(&made);
    derive_reply_sample(&derived);
    for (size_t i = 0; i < count; i++) {
        const struct writer *form = rows[i].names == NAMES_derived ? &derived : &made;
        char name[64];

        if (rows[i].names == NAMES_none) {
            continue;
        }
        assert_int_equal(rows[i].repeat, REPEAT_once);
        snprintf(name, sizeof name, "%s_reply", rows[i].name);
        writer_reset(&reply);
        for (size_t k = 0; k < ARRAY_COUNT(messages); k++) {
            if (strcasecmp(messages[k].name, name) == 0) {
                messages[k].sample(&reply);
            }
        }
        assert_true(reply.len > 0);
        assert_true(view_equal(writer_view(&reply), writer_view(form)));
    }
    writer_clear(&made);
    writer_clear(&derived);
    writer_clear(&reply);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_reads_back_to_the_same_bytes),
        cmocka_unit_test(every_truncation_of_every_message_is_refused),
        cmocka_unit_test(left_over_bytes_are_refused_in_every_message),
        cmocka_unit_test(what_reads_is_canonical_after_any_bit_flip),
        cmocka_unit_test(a_flag_is_0_or_1),
        cmocka_unit_test(text_is_utf8_without_nul),
        cmocka_unit_test(text_has_at_most_256_bytes),
        cmocka_unit_test(arrays_are_of_whole_entries),
        cmocka_unit_test(a_list_has_to_be_one),
        cmocka_unit_test(a_failed_read_changes_nothing),
        cmocka_unit_test(hello_is_these_bytes),
        cmocka_unit_test(sign_is_these_bytes),
        cmocka_unit_test(recover_is_these_bytes),
        cmocka_unit_test(derive_is_these_bytes),
        cmocka_unit_test(authenticate_is_these_bytes),
        cmocka_unit_test(pins_are_these_bytes),
        cmocka_unit_test(object_size_is_these_bytes),
        cmocka_unit_test(masked_objects_are_these_bytes),
        cmocka_unit_test(tokens_are_these_bytes),
        cmocka_unit_test(an_update_is_these_bytes),
        cmocka_unit_test(found_keys_are_these_bytes),
        cmocka_unit_test(users_are_these_bytes),
        cmocka_unit_test(a_cluster_is_these_bytes),
        cmocka_unit_test(nodes_are_these_bytes),
        cmocka_unit_test(copies_are_these_bytes),
        cmocka_unit_test(copies_that_are_too_long_are_none),
        cmocka_unit_test(numbers_step_by_four),
        cmocka_unit_test(operations_are_found_by_their_number),
        cmocka_unit_test(columns_of_operations_agree),
        cmocka_unit_test(every_operation_has_both_messages),
        cmocka_unit_test(replies_that_name_objects_have_one_form),
    };

    return cmocka_run_group_tests_name("message", tests, NULL, NULL);
}
