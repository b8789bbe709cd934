/* SPDX-License-Identifier: Apache-2.0
 *
 * Objects and searches through the library: forms, handles, codes, and how many trips.
 */
#include "p11_test.h"

static CK_OBJECT_CLASS data_class = CKO_DATA;

static CK_OBJECT_HANDLE
make_data(CK_SESSION_HANDLE session, CK_BBOOL *token, CK_BBOOL *private)
{
    CK_ATTRIBUTE template[] = {
        ATTR(CKA_CLASS, data_class),
        { CKA_TOKEN, token, 1 },
        { CKA_PRIVATE, private, 1 },
        TEXT(CKA_LABEL, "data"),
        TEXT(CKA_VALUE, "value"),
    };
    CK_OBJECT_HANDLE object = 0;

    assert_ok(C_CreateObject(session, template, ARRAY_COUNT(template), &object));
    return object;
}

static void
an_object_is_made_read_changed_copied_and_destroyed(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_OBJECT_HANDLE object = make_data(session, &no, &no), copy = 0;
    CK_OBJECT_CLASS class = 0;
    char value[16];
    CK_ATTRIBUTE read[] = { ATTR(CKA_CLASS, class), ATTR(CKA_VALUE, value) };
    CK_ATTRIBUTE change[] = { TEXT(CKA_VALUE, "other") };
    CK_ATTRIBUTE label[] = { TEXT(CKA_LABEL, "copy") };

    assert_true(object >= 0x80000000u && object <= 0xffefffffu);
    assert_ok(C_GetAttributeValue(session, object, read, 2));
    assert_int_equal(class, CKO_DATA);
    assert_int_equal(read[1].ulValueLen, 5);
    assert_memory_equal(value, "value", 5);

    assert_ok(C_SetAttributeValue(session, object, change, 1));
    read[1].ulValueLen = sizeof value;
    assert_ok(C_CopyObject(session, object, label, 1, &copy));
    assert_ok(C_DestroyObject(session, object));
    assert_ok(C_GetAttributeValue(session, copy, read, 2));
    assert_memory_equal(value, "other", 5);
    assert_code(C_GetAttributeValue(session, object, read, 2), CKR_OBJECT_HANDLE_INVALID);
    assert_code(C_DestroyObject(session, object), CKR_OBJECT_HANDLE_INVALID);
}

static void
an_object_has_a_size_that_grows_with_it(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_OBJECT_HANDLE object = make_data(session, &no, &no);
    CK_ATTRIBUTE change[] = { TEXT(CKA_VALUE, "value and more") };
    CK_ULONG size = 0, then = 0;

    assert_ok(C_GetObjectSize(session, object, &size));
    assert_true(size > 5);
    assert_ok(C_SetAttributeValue(session, object, change, 1));
    assert_ok(C_GetObjectSize(session, object, &then));
    assert_int_equal(then, size + 9);
    assert_code(C_GetObjectSize(session, object, NULL), CKR_ARGUMENTS_BAD);
    assert_code(C_GetObjectSize(session + 1, object, &size), CKR_SESSION_HANDLE_INVALID);
    assert_ok(C_DestroyObject(session, object));
    assert_code(C_GetObjectSize(session, object, &size), CKR_OBJECT_HANDLE_INVALID);
    assert_int_equal(size, then - 9);
}

static void
azure_knows_no_sizes(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_OBJECT_HANDLE object = make_data(session, &no, &no);
    CK_ULONG size = 7;

    assert_code(C_GetObjectSize(session, object, &size), CKR_FUNCTION_NOT_SUPPORTED);
    assert_int_equal(size, 7);
}

static void
each_attribute_has_its_answer(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM mechanism = { CKM_AES_KEY_GEN, NULL, 0 };
    CK_ULONG len = 16;
    CK_ATTRIBUTE template[] = { ATTR(CKA_VALUE_LEN, len), ATTR(CKA_SENSITIVE, yes),
                                TEXT(CKA_LABEL, "label") };
    CK_KEY_TYPE type = 0;
    CK_OBJECT_HANDLE key = 0;
    char label[3], value[32];
    CK_ATTRIBUTE read[] = {
        ATTR(CKA_VALUE, value),
        ATTR(CKA_MODULUS, value),
        { CKA_LABEL, NULL, 0 },
        ATTR(CKA_KEY_TYPE, type),
        ATTR(CKA_LABEL, label),
        { (CK_ATTRIBUTE_TYPE)1 << 40, value, sizeof value },
    };
    CK_RV rv;

    assert_ok(C_GenerateKey(session, &mechanism, template, ARRAY_COUNT(template), &key));
    transport_reset();
    rv = C_GetAttributeValue(session, key, read, ARRAY_COUNT(read));

    assert_true(rv == CKR_ATTRIBUTE_SENSITIVE || rv == CKR_ATTRIBUTE_TYPE_INVALID ||
                rv == CKR_BUFFER_TOO_SMALL);
    assert_true(read[0].ulValueLen == CK_UNAVAILABLE_INFORMATION);
    assert_true(read[1].ulValueLen == CK_UNAVAILABLE_INFORMATION);
    assert_int_equal(read[2].ulValueLen, 5);
    assert_int_equal(type, CKK_AES);
    assert_true(read[4].ulValueLen == CK_UNAVAILABLE_INFORMATION);
    assert_true(read[5].ulValueLen == CK_UNAVAILABLE_INFORMATION);
    assert_int_equal(transport_trips(), 1);

    read[0].pValue = NULL; /* PKCS #11 v3.1, 5.7.5: whatever the form of the question */
    assert_code(C_GetAttributeValue(session, key, read, 1), CKR_ATTRIBUTE_SENSITIVE);
}

static void
many_attributes_are_asked_in_parts(void **state)
{
    enum { MANY = 2500 };
    static CK_ATTRIBUTE read[MANY];
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_OBJECT_HANDLE object = make_data(session, &no, &no);

    for (size_t i = 0; i < MANY; i++) {
        read[i] = (CK_ATTRIBUTE){ CKA_LABEL, NULL, 0 };
    }
    assert_ok(C_GetAttributeValue(session, object, read, MANY));
    assert_int_equal(read[MANY - 1].ulValueLen, 4);
}

static void
arguments_are_checked(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_OBJECT_HANDLE object = make_data(session, &no, &no), made = 0;
    CK_ATTRIBUTE template[] = { ATTR(CKA_CLASS, data_class) };
    CK_MECHANISM mechanism = { CKM_AES_KEY_GEN, NULL, 0 };
    CK_MECHANISM wrong = { CKM_AES_ECB, NULL, 0 };
    CK_MECHANISM with_parameter = { CKM_AES_KEY_GEN, &mechanism, 8 };
    CK_ULONG count;

    assert_code(C_CreateObject(session, template, 1, NULL), CKR_ARGUMENTS_BAD);
    assert_code(C_CreateObject(session, NULL, 1, &made), CKR_ARGUMENTS_BAD);
    assert_code(C_CreateObject(session, template, 0, &made), CKR_TEMPLATE_INCOMPLETE);
    assert_code(C_CopyObject(session, object, NULL, 1, &made), CKR_ARGUMENTS_BAD);
    assert_code(C_CopyObject(session, object, NULL, 0, NULL), CKR_ARGUMENTS_BAD);
    assert_code(C_GetAttributeValue(session, object, NULL, 1), CKR_ARGUMENTS_BAD);
    assert_code(C_SetAttributeValue(session, object, NULL, 1), CKR_ARGUMENTS_BAD);
    assert_code(C_GetAttributeValue(session, 0, template, 1), CKR_OBJECT_HANDLE_INVALID);
    assert_code(C_DestroyObject(session, (CK_OBJECT_HANDLE)1 << 33), CKR_OBJECT_HANDLE_INVALID);
    assert_code(C_GenerateKey(session, NULL, NULL, 0, &made), CKR_ARGUMENTS_BAD);
    assert_code(C_GenerateKey(session, &mechanism, NULL, 0, NULL), CKR_ARGUMENTS_BAD);
    assert_code(C_GenerateKey(session, &wrong, NULL, 0, &made), CKR_MECHANISM_INVALID);
    assert_code(C_GenerateKey(session, &with_parameter, NULL, 0, &made),
                CKR_MECHANISM_PARAM_INVALID);
    assert_code(C_GenerateKey(session, &mechanism, NULL, 0, &made), CKR_TEMPLATE_INCOMPLETE);
    assert_code(C_GenerateKeyPair(session, &mechanism, NULL, 0, NULL, 0, &made, &made),
                CKR_MECHANISM_INVALID);
    assert_code(C_FindObjectsInit(session, NULL, 1), CKR_ARGUMENTS_BAD);
    assert_code(C_FindObjects(session, &made, 1, &count), CKR_OPERATION_NOT_INITIALIZED);
    assert_code(C_FindObjectsFinal(session), CKR_OPERATION_NOT_INITIALIZED);
    assert_int_equal(made, 0);
}

static void
a_read_only_session_makes_no_token_objects(void **state)
{
    CK_SESSION_HANDLE rw = ((struct fixture *)*state)->session;
    CK_SESSION_HANDLE ro = open_session(0);
    CK_OBJECT_HANDLE token = make_data(rw, &yes, &no), made = 0;
    CK_ATTRIBUTE template[] = { ATTR(CKA_CLASS, data_class), ATTR(CKA_TOKEN, yes) };
    CK_ATTRIBUTE change[] = { TEXT(CKA_LABEL, "x") };
    CK_MECHANISM mechanism = { CKM_AES_KEY_GEN, NULL, 0 };
    CK_ULONG len = 16;
    CK_ATTRIBUTE key[] = { ATTR(CKA_VALUE_LEN, len), ATTR(CKA_TOKEN, yes) };

    assert_code(C_CreateObject(ro, template, 2, &made), CKR_SESSION_READ_ONLY);
    assert_code(C_CopyObject(ro, token, NULL, 0, &made), CKR_SESSION_READ_ONLY);
    assert_code(C_GenerateKey(ro, &mechanism, key, 2, &made), CKR_SESSION_READ_ONLY);
    assert_code(C_SetAttributeValue(ro, token, change, 1), CKR_SESSION_READ_ONLY);
    assert_code(C_DestroyObject(ro, token), CKR_SESSION_READ_ONLY);
    assert_ok(C_DestroyObject(rw, token));
    make_data(ro, &no, &no);
}

static void
private_objects_want_a_login(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_ATTRIBUTE template[] = { ATTR(CKA_CLASS, data_class), ATTR(CKA_PRIVATE, yes) };
    CK_OBJECT_HANDLE made = 0;

    assert_code(C_CreateObject(session, template, 2, &made), CKR_USER_NOT_LOGGED_IN);
    assert_int_equal(made, 0);
}

/* ---- searches ---- */

static size_t
find_all(CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG count,
         CK_OBJECT_HANDLE *objects, size_t max, CK_ULONG page)
{
    size_t found = 0;
    CK_ULONG part;

    assert_ok(C_FindObjectsInit(session, template, count));
    do {
        assert_ok(C_FindObjects(session, objects + found, size_min(page, max - found), &part));
        found += part;
    } while (part > 0 && found < max);
    assert_ok(C_FindObjectsFinal(session));
    return found;
}

static void
a_search_is_one_trip_and_teaches_the_keys(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_KEY_TYPE type = CKK_AES;
    CK_ATTRIBUTE template[] = { ATTR(CKA_KEY_TYPE, type) };
    CK_MECHANISM mechanism = { CKM_AES_ECB, NULL, 0 };
    CK_OBJECT_HANDLE key = make_aes(), found[4];
    CK_BYTE block[16] = { 0 };
    CK_ULONG len = sizeof block;

    transport_reset();
    assert_int_equal(find_all(session, template, 1, found, 4, 1), 1);
    assert_true(found[0] == key);
    assert_int_equal(transport_trips(), 1);

    assert_ok(C_EncryptInit(session, &mechanism, key));
    assert_int_equal(transport_trips(), 1);
    assert_ok(C_Encrypt(session, block, 16, block, &len));
    assert_int_equal(transport_trips(), 2);
}

static void
pages_come_when_they_are_wanted(void **state)
{
    enum { MANY = 1300 };
    static CK_OBJECT_HANDLE made[MANY], found[MANY + 10];
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_ATTRIBUTE template[] = { TEXT(CKA_LABEL, "data") };

    for (size_t i = 0; i < MANY; i++) {
        made[i] = make_data(session, &no, &no);
    }
    transport_reset();
    assert_int_equal(find_all(session, template, 1, found, MANY + 10, 100), MANY);
    assert_int_equal(transport_count(OPERATION_FIND), 3);
    assert_memory_equal(found, made, sizeof made); /* by rising handle */
    transport_reset();
    assert_int_equal(find_all(session, template, 1, found, 512, 512), 512);
    assert_int_equal(transport_count(OPERATION_FIND), 1);
}

static void
an_active_search_blocks_and_is_blocked(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM mechanism = { CKM_SHA256, NULL, 0 };
    CK_OBJECT_HANDLE object;
    CK_ULONG count = 7;

    assert_ok(C_FindObjectsInit(session, NULL, 0));
    assert_code(C_FindObjectsInit(session, NULL, 0), CKR_OPERATION_ACTIVE);
    assert_code(C_DigestInit(session, &mechanism), CKR_OPERATION_ACTIVE);
    assert_code(C_FindObjects(session, NULL, 1, &count), CKR_ARGUMENTS_BAD);
    assert_code(C_FindObjects(session, &object, 1, NULL), CKR_ARGUMENTS_BAD);
    assert_ok(C_FindObjects(session, &object, 0, &count));
    assert_int_equal(count, 0);
    assert_ok(C_FindObjectsFinal(session));
    assert_ok(C_DigestInit(session, &mechanism));
    assert_code(C_FindObjectsInit(session, NULL, 0), CKR_OPERATION_ACTIVE);
    assert_ok(C_SessionCancel(session, CKF_DIGEST));
    assert_ok(C_FindObjectsInit(session, NULL, 0));
    assert_ok(C_SessionCancel(session, CKF_FIND_OBJECTS));
    assert_code(C_FindObjectsFinal(session), CKR_OPERATION_NOT_INITIALIZED);
}

static void
an_unknown_attribute_finds_nothing(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_ATTRIBUTE template[] = { { CKA_VENDOR_DEFINED + 5, &yes, 1 } };
    CK_OBJECT_HANDLE found[4];

    make_data(session, &no, &no);
    assert_int_equal(find_all(session, template, 1, found, 4, 4), 0);
}

/* ---- handles from elsewhere ---- */

/* A private token key, and the library as another process would have it. */
static CK_OBJECT_HANDLE
key_from_elsewhere(void)
{
    CK_MECHANISM mechanism = { CKM_AES_KEY_GEN, NULL, 0 };
    CK_ULONG len = 16;
    CK_ATTRIBUTE template[] = { ATTR(CKA_VALUE_LEN, len), ATTR(CKA_TOKEN, yes),
                                ATTR(CKA_ENCRYPT, yes) };
    CK_OBJECT_HANDLE key = 0;

    assert_ok(C_GenerateKey(fixture.session, &mechanism, template, 3, &key));
    assert_true(key >= 0x40000 && key < 0x80000000u);
    assert_ok(C_Logout(fixture.session));
    assert_ok(log_in(fixture.session, CKU_USER, PIN1));
    return key;
}

static void
a_private_handle_has_to_be_found_first(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_OBJECT_HANDLE key = key_from_elsewhere(), found[64];
    CK_MECHANISM mechanism = { CKM_AES_ECB, NULL, 0 };
    CK_ATTRIBUTE label = { CKA_LABEL, NULL, 0 };
    CK_ATTRIBUTE template[] = { ATTR(CKA_TOKEN, yes) };

    assert_code(C_EncryptInit(session, &mechanism, key), CKR_KEY_HANDLE_INVALID);
    assert_code(C_GetAttributeValue(session, key, &label, 1), CKR_OBJECT_HANDLE_INVALID);
    find_all(session, template, 1, found, 64, 64);
    assert_ok(C_EncryptInit(session, &mechanism, key));
    assert_ok(C_DestroyObject(session, key));
}

static void
azure_takes_handles_from_the_tools(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_OBJECT_HANDLE key = key_from_elsewhere();
    CK_MECHANISM mechanism = { CKM_AES_ECB, NULL, 0 };

    assert_code(C_EncryptInit(session, &mechanism, 0x7ffffff0), CKR_KEY_HANDLE_INVALID);
    transport_reset();
    assert_ok(C_EncryptInit(session, &mechanism, key));
    assert_int_equal(transport_trips(), 1);
    assert_ok(C_DestroyObject(session, key));
}

static void
a_change_of_ones_own_counts_at_once(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_OBJECT_HANDLE key = make_generic();
    CK_MECHANISM mechanism = { CKM_SHA256_HMAC, NULL, 0 };
    CK_ATTRIBUTE change[] = { ATTR(CKA_SIGN, no) };

    assert_ok(C_SetAttributeValue(session, key, change, 1));
    assert_code(C_SignInit(session, &mechanism, key), CKR_KEY_FUNCTION_NOT_PERMITTED);
    change[0].pValue = &yes;
    assert_ok(C_SetAttributeValue(session, key, change, 1));
    assert_ok(C_SignInit(session, &mechanism, key));
}

static void
random_bytes_come_in_any_number(void **state)
{
    static CK_BYTE bytes[200000];
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    size_t zeros = 0;

    assert_ok(C_GenerateRandom(session, bytes, sizeof bytes));
    for (size_t i = 0; i < sizeof bytes; i++) {
        zeros += bytes[i] == 0;
    }
    assert_in_range(zeros, 400, 1200);
    assert_ok(C_GenerateRandom(session, NULL, 0));
    assert_code(C_GenerateRandom(session, NULL, 1), CKR_ARGUMENTS_BAD);
    assert_ok(C_SeedRandom(session, bytes, sizeof bytes));
    assert_code(C_SeedRandom(session, NULL, 1), CKR_ARGUMENTS_BAD);
    transport_fail(OPERATION_RANDOM, CKR_DEVICE_ERROR);
    assert_code(C_GenerateRandom(session, bytes, 16), CKR_DEVICE_ERROR);
}

static void
azure_wants_a_login_for_all_cryptography(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM digest = { CKM_SHA256, NULL, 0 }, ecb = { CKM_AES_ECB, NULL, 0 };
    CK_BYTE bytes[4];

    assert_code(C_GenerateRandom(session, bytes, 4), CKR_USER_NOT_LOGGED_IN);
    assert_code(C_SeedRandom(session, bytes, 4), CKR_USER_NOT_LOGGED_IN);
    assert_code(C_DigestInit(session, &digest), CKR_USER_NOT_LOGGED_IN);
    assert_code(C_EncryptInit(session, &ecb, 5), CKR_USER_NOT_LOGGED_IN);
}

int
main(void)
{
    const struct CMUnitTest standard[] = {
        TEST(an_object_is_made_read_changed_copied_and_destroyed),
        TEST(an_object_has_a_size_that_grows_with_it),
        TEST(each_attribute_has_its_answer),
        TEST(many_attributes_are_asked_in_parts),
        TEST(arguments_are_checked),
        TEST(a_read_only_session_makes_no_token_objects),
        TEST_PUBLIC(private_objects_want_a_login),
        TEST(a_search_is_one_trip_and_teaches_the_keys),
        TEST(pages_come_when_they_are_wanted),
        TEST(an_active_search_blocks_and_is_blocked),
        TEST(an_unknown_attribute_finds_nothing),
        TEST(a_private_handle_has_to_be_found_first),
        TEST(a_change_of_ones_own_counts_at_once),
        TEST(random_bytes_come_in_any_number),
    };
    const struct CMUnitTest azure[] = {
        TEST(azure_knows_no_sizes),
        TEST(azure_takes_handles_from_the_tools),
        TEST_PUBLIC(azure_wants_a_login_for_all_cryptography),
    };

    return cmocka_run_group_tests(standard, group_standard, group_teardown) +
           cmocka_run_group_tests(azure, group_azure, group_teardown);
}
