/* SPDX-License-Identifier: Apache-2.0
 *
 * The lists of functions and interfaces, the start and the end of the library, and the slot.
 */
#include "p11_test.h"

#include <sys/wait.h>
#include <unistd.h>

static void
assert_all_there(const void *first, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        void (*function)(void);

        memcpy(&function, (const uint8_t *)first + i * sizeof function, sizeof function);
        assert_non_null(function);
    }
}

static void
the_list_of_2_40_is_whole(void **state)
{
    CK_FUNCTION_LIST_PTR list;

    UNUSED(state);
    assert_ok(C_GetFunctionList(&list));

    assert_int_equal(list->version.major, 2);
    assert_int_equal(list->version.minor, 40);
    assert_all_there(&list->C_Initialize, 68);
    assert_int_equal(offsetof(CK_FUNCTION_LIST, C_WaitForSlotEvent),
                     offsetof(CK_FUNCTION_LIST, C_Initialize) + 67 * sizeof(void *));
    assert_code(C_GetFunctionList(NULL), CKR_ARGUMENTS_BAD);
}

static void
interfaces_are_2_40_and_3_0(void **state)
{
    CK_INTERFACE list[2];
    CK_ULONG count = 0;

    UNUSED(state);
    assert_ok(C_GetInterfaceList(NULL, &count));
    assert_int_equal(count, 2);
    count = 1;
    assert_code(C_GetInterfaceList(list, &count), CKR_BUFFER_TOO_SMALL);
    assert_int_equal(count, 2);
    assert_ok(C_GetInterfaceList(list, &count));
    assert_code(C_GetInterfaceList(list, NULL), CKR_ARGUMENTS_BAD);

    for (CK_ULONG i = 0; i < count; i++) {
        assert_string_equal((const char *)list[i].pInterfaceName, "PKCS 11");
        assert_int_equal(list[i].flags, CKF_INTERFACE_FORK_SAFE);
    }
}

static void
an_interface_is_chosen_by_name_and_version(void **state)
{
    CK_UTF8CHAR name[] = "PKCS 11", other[] = "Vendor";
    CK_VERSION v2 = { 2, 40 }, v3 = { 3, 0 }, v9 = { 9, 0 };
    CK_FUNCTION_LIST_3_0 *list;
    CK_INTERFACE_PTR interface;

    UNUSED(state);
    assert_ok(C_GetInterface(NULL, NULL, &interface, 0));
    list = interface->pFunctionList;
    assert_int_equal(list->version.major, 3);
    assert_int_equal(list->version.minor, 0);
    assert_all_there(&list->C_Initialize, 92);

    assert_ok(C_GetInterface(name, &v2, &interface, CKF_INTERFACE_FORK_SAFE));
    assert_int_equal(((CK_FUNCTION_LIST_PTR)interface->pFunctionList)->version.major, 2);
    assert_ok(C_GetInterface(name, &v3, &interface, 0));
    assert_ptr_equal(interface->pFunctionList, list);

    assert_code(C_GetInterface(name, &v9, &interface, 0), CKR_ARGUMENTS_BAD);
    assert_code(C_GetInterface(other, NULL, &interface, 0), CKR_ARGUMENTS_BAD);
    assert_code(C_GetInterface(name, NULL, &interface, 0x100), CKR_ARGUMENTS_BAD);
    assert_code(C_GetInterface(name, NULL, NULL, 0), CKR_ARGUMENTS_BAD);
}

static CK_RV
mutex_call(CK_VOID_PTR mutex)
{
    UNUSED(mutex);
    return CKR_OK;
}

static CK_RV
mutex_create(CK_VOID_PTR_PTR mutex)
{
    UNUSED(mutex);
    return CKR_OK;
}

static void
arguments_of_initialize_follow_the_rules(void **state)
{
    CK_C_INITIALIZE_ARGS args = { 0 };

    UNUSED(state);
    args.pReserved = &args;
    assert_code(C_Initialize(&args), CKR_ARGUMENTS_BAD);
    args.pReserved = NULL;
    args.LockMutex = mutex_call;
    assert_code(C_Initialize(&args), CKR_ARGUMENTS_BAD);
    args.UnlockMutex = mutex_call;
    args.DestroyMutex = mutex_call;
    assert_code(C_Initialize(&args), CKR_ARGUMENTS_BAD);
    args.CreateMutex = mutex_create;
    assert_code(C_Initialize(&args), CKR_CANT_LOCK);

    args.flags = CKF_OS_LOCKING_OK;
    assert_ok(C_Initialize(&args));
    assert_code(C_Initialize(NULL), CKR_CRYPTOKI_ALREADY_INITIALIZED);
    assert_code(C_Finalize(&args), CKR_ARGUMENTS_BAD);
    assert_ok(C_Finalize(NULL));
    assert_code(C_Finalize(NULL), CKR_CRYPTOKI_NOT_INITIALIZED);

    args = (CK_C_INITIALIZE_ARGS){ .flags = CKF_LIBRARY_CANT_CREATE_OS_THREADS };
    assert_ok(C_Initialize(&args));
    assert_ok(C_Finalize(NULL));
}

static void
without_a_daemon_initialize_fails_and_can_be_tried_again(void **state)
{
    UNUSED(state);
    transport_refuse(true);
    assert_code(C_Initialize(NULL), CKR_GENERAL_ERROR);
    assert_code(C_GetInfo(NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
    transport_refuse(false);
    assert_ok(C_Initialize(NULL));
    assert_ok(C_Finalize(NULL));
    assert_int_equal(transport_open(), 0);
}

/* Calls every function of a list with arguments of zero. */
static void
every_function_wants_initialize_first(void **state)
{
    static const char *const before[] = { "C_Initialize", "C_GetFunctionList",
                                          "C_GetInterfaceList", "C_GetInterface" };
    const struct {
        const char *name;
        void (*function)(void);
    } rows[] = {
#define CK_FUNCTION_ROW(name, params, args) { #name, (void (*)(void))name },
#define CK_FUNCTION_ROWS_UNTIL 0x0300
#include "pkcs11_headers/include/pkcs11f.h"
    };

    UNUSED(state);
    assert_int_equal(ARRAY_COUNT(rows), 92);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        CK_RV (*call)(CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG,
                      CK_ULONG, CK_ULONG) = (CK_RV(*)(CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG,
                                                      CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG,
                                                      CK_ULONG))rows[i].function;
        bool wants = true;

        for (size_t k = 0; k < ARRAY_COUNT(before); k++) {
            wants = wants && strcmp(rows[i].name, before[k]) != 0;
        }
        if (wants) {
            code_check(call(0, 0, 0, 0, 0, 0, 0, 0, 0), CKR_CRYPTOKI_NOT_INITIALIZED,
                       rows[i].name, __FILE__, __LINE__);
        }
    }
}

static void
what_is_not_written_says_so(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;

    assert_code(C_InitToken(SLOT, NULL, 0, NULL), CKR_FUNCTION_NOT_SUPPORTED);
    assert_code(C_GetFunctionStatus(session), CKR_FUNCTION_NOT_PARALLEL);
    assert_code(C_CancelFunction(session), CKR_FUNCTION_NOT_PARALLEL);
    assert_code(C_CancelFunction(session + 1), CKR_SESSION_HANDLE_INVALID);
}

static void
info_names_the_library(void **state)
{
    CK_INFO info;

    UNUSED(state);
    assert_ok(C_GetInfo(&info));
    assert_int_equal(info.cryptokiVersion.major, 2);
    assert_int_equal(info.cryptokiVersion.minor, 40);
    assert_memory_equal(info.manufacturerID, "OpenCloudHSM                    ", 32);
    assert_int_equal(info.flags, 0);
    assert_code(C_GetInfo(NULL), CKR_ARGUMENTS_BAD);
}

static void
there_is_one_slot_with_a_token(void **state)
{
    CK_SLOT_ID slots[2];
    CK_ULONG count = 0;
    CK_SLOT_INFO slot;
    CK_TOKEN_INFO token;

    UNUSED(state);
    assert_ok(C_GetSlotList(CK_TRUE, NULL, &count));
    assert_int_equal(count, 1);
    count = 0;
    assert_code(C_GetSlotList(CK_FALSE, slots, &count), CKR_BUFFER_TOO_SMALL);
    assert_int_equal(count, 1);
    count = 2;
    assert_ok(C_GetSlotList(CK_TRUE, slots, &count));
    assert_int_equal(count, 1);
    assert_int_equal(slots[0], 1);
    assert_code(C_GetSlotList(CK_TRUE, slots, NULL), CKR_ARGUMENTS_BAD);

    assert_ok(C_GetSlotInfo(SLOT, &slot));
    assert_int_equal(slot.flags, CKF_TOKEN_PRESENT);
    assert_code(C_GetSlotInfo(0, &slot), CKR_SLOT_ID_INVALID);
    assert_code(C_GetSlotInfo(SLOT, NULL), CKR_ARGUMENTS_BAD);

    assert_ok(C_GetTokenInfo(SLOT, &token));
    assert_memory_equal(token.label, FIXTURE_LABEL "                       ", 32);
    assert_memory_equal(token.serialNumber, FIXTURE_SERIAL "      ", 16);
    assert_int_equal(token.flags, CKF_RNG | CKF_LOGIN_REQUIRED | CKF_USER_PIN_INITIALIZED |
                                      CKF_TOKEN_INITIALIZED | CKF_DUAL_CRYPTO_OPERATIONS);
    assert_int_equal(token.ulSessionCount, 1);
    assert_int_equal(token.ulRwSessionCount, 1);
    assert_code(C_GetTokenInfo(2, &token), CKR_SLOT_ID_INVALID);
    assert_code(C_GetTokenInfo(SLOT, NULL), CKR_ARGUMENTS_BAD);
}

static void
the_token_is_asked_once(void **state)
{
    CK_TOKEN_INFO token;
    CK_ULONG count = 0;

    UNUSED(state);
    transport_reset();
    transport_fail(OPERATION_TOKEN, CKR_DEVICE_ERROR);
    assert_code(C_GetTokenInfo(SLOT, &token), CKR_DEVICE_ERROR);
    assert_ok(C_GetTokenInfo(SLOT, &token));
    assert_ok(C_GetMechanismList(SLOT, NULL, &count));
    assert_ok(C_GetTokenInfo(SLOT, &token));
    assert_int_equal(transport_trips(), 2);
}

static void
mechanisms_are_those_of_the_policy(void **state)
{
    CK_MECHANISM_TYPE list[400];
    CK_MECHANISM_INFO info;
    CK_ULONG count = 0, asked;

    UNUSED(state);
    assert_ok(C_GetMechanismList(SLOT, NULL, &count));
    assert_true(count > 30 && count < ARRAY_COUNT(list));
    asked = count - 1;
    assert_code(C_GetMechanismList(SLOT, list, &asked), CKR_BUFFER_TOO_SMALL);
    assert_int_equal(asked, count);
    assert_ok(C_GetMechanismList(SLOT, list, &count));
    for (CK_ULONG i = 0; i < count; i++) {
        assert_ok(C_GetMechanismInfo(SLOT, list[i], &info));
        assert_true(info.flags != 0 && info.ulMinKeySize <= info.ulMaxKeySize);
    }
    assert_ok(C_GetMechanismInfo(SLOT, CKM_AES_GCM, &info));
    assert_int_equal(info.ulMinKeySize, 16);
    assert_int_equal(info.ulMaxKeySize, 32);
    assert_int_equal(info.flags, CKF_ENCRYPT | CKF_DECRYPT | CKF_WRAP | CKF_UNWRAP |
                                     CKF_MESSAGE_ENCRYPT | CKF_MESSAGE_DECRYPT |
                                     CKF_MULTI_MESSAGE);

    assert_code(C_GetMechanismInfo(SLOT, 0x7fffffff, &info), CKR_MECHANISM_INVALID);
    assert_code(C_GetMechanismInfo(0, CKM_AES_GCM, &info), CKR_SLOT_ID_INVALID);
    assert_code(C_GetMechanismInfo(SLOT, CKM_AES_GCM, NULL), CKR_ARGUMENTS_BAD);
    assert_code(C_GetMechanismList(0, NULL, &count), CKR_SLOT_ID_INVALID);
    assert_code(C_GetMechanismList(SLOT, NULL, NULL), CKR_ARGUMENTS_BAD);
}

/* Who asks in the way of 2.40 is not told numbers that came with 3.1. He may use them. */
static void
old_lists_have_no_new_numbers(void **state)
{
    static const CK_MECHANISM_TYPE later[] = { CKM_TLS12_EXTENDED_MASTER_KEY_DERIVE,
                                               CKM_TLS12_EXTENDED_MASTER_KEY_DERIVE_DH,
                                               CKM_AES_KEY_WRAP_PKCS7 };
    CK_MECHANISM_TYPE all[400], old[400];
    CK_FUNCTION_LIST *functions = NULL;
    CK_MECHANISM_INFO info;
    CK_ULONG all_count = ARRAY_COUNT(all), old_count = 1, k = 0, left_out = 0;

    UNUSED(state);
    assert_ok(C_GetFunctionList(&functions));
    assert_ok(C_GetMechanismList(SLOT, all, &all_count));
    assert_code(functions->C_GetMechanismList(SLOT, old, &old_count), CKR_BUFFER_TOO_SMALL);
    assert_int_equal(old_count, all_count - ARRAY_COUNT(later));
    assert_ok(functions->C_GetMechanismList(SLOT, old, &old_count));
    for (CK_ULONG i = 0; i < all_count; i++) {
        if (left_out < ARRAY_COUNT(later) && (k == old_count || old[k] != all[i])) {
            left_out++;
            assert_true(all[i] == later[0] || all[i] == later[1] || all[i] == later[2]);
            assert_ok(functions->C_GetMechanismInfo(SLOT, all[i], &info));
        } else {
            assert_int_equal(old[k++], all[i]);
        }
    }
    assert_int_equal(left_out, ARRAY_COUNT(later));
    assert_code(functions->C_GetMechanismList(0, NULL, &old_count), CKR_SLOT_ID_INVALID);
    assert_code(functions->C_GetMechanismList(SLOT, NULL, NULL), CKR_ARGUMENTS_BAD);
}

/* What the child sees, as the bits of its exit status. */
static int
child_sees(CK_SESSION_HANDLE session)
{
    CK_SESSION_INFO info;
    CK_SESSION_HANDLE own = 0;

    if (C_GetSessionInfo(session, &info) != CKR_CRYPTOKI_NOT_INITIALIZED ||
        C_Finalize(NULL) != CKR_CRYPTOKI_NOT_INITIALIZED) {
        return 1;
    }
    if (C_Initialize(NULL) != CKR_OK ||
        C_GetSessionInfo(session, &info) != CKR_SESSION_HANDLE_INVALID ||
        C_OpenSession(SLOT, CKF_SERIAL_SESSION, NULL, NULL, &own) != CKR_OK ||
        C_GetSessionInfo(own, &info) != CKR_OK || info.state != CKS_RO_PUBLIC_SESSION) {
        return 2;
    }
    return C_Finalize(NULL) == CKR_OK && transport_open() == 0 ? 0 : 4;
}

static void
a_child_of_fork_begins_anew(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_SESSION_INFO info;
    int status;
    pid_t child = fork();

    if (child == 0) {
        _exit(child_sees(session));
    }
    assert_int_equal(waitpid(child, &status, 0), child);

    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_ok(C_GetSessionInfo(session, &info));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_list_of_2_40_is_whole),
        cmocka_unit_test(interfaces_are_2_40_and_3_0),
        cmocka_unit_test(an_interface_is_chosen_by_name_and_version),
        cmocka_unit_test(arguments_of_initialize_follow_the_rules),
        cmocka_unit_test(without_a_daemon_initialize_fails_and_can_be_tried_again),
        cmocka_unit_test(every_function_wants_initialize_first),
        TEST_PUBLIC(what_is_not_written_says_so),
        TEST_PUBLIC(info_names_the_library),
        TEST_PUBLIC(there_is_one_slot_with_a_token),
        TEST_PUBLIC(the_token_is_asked_once),
        TEST_PUBLIC(mechanisms_are_those_of_the_policy),
        TEST_PUBLIC(old_lists_have_no_new_numbers),
        TEST_PUBLIC(a_child_of_fork_begins_anew),
    };

    return cmocka_run_group_tests(tests, group_standard, group_teardown);
}
