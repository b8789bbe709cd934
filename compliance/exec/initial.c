/* SPDX-License-Identifier: Apache-2.0
 *
 * C_Initialize and its arguments, and calls before it or without a session.
 */
#include "exec/cases.h"
#include "exec/trace.h"

#include <string.h>

static bool
finalize(struct case_run *r)
{
    struct bag bag = { 0 };

    r->runner->dirty = true;
    return call(r->module, FN_C_Finalize, &bag) == CKR_OK;
}

/* Stubs may say so at any time. */
static bool
is_stub(struct case_run *r, CK_RV rv)
{
    if (rv == CKR_FUNCTION_NOT_SUPPORTED ||
        (rv == CKR_FUNCTION_NOT_PARALLEL &&
         (r->result->fn == FN_C_GetFunctionStatus || r->result->fn == FN_C_CancelFunction))) {
        r->result->seen = (uint32_t)rv;
        return true;
    }
    return false;
}

static void
name_function(struct case_run *r)
{
    r->result->fn = (uint8_t)fn_find(list_names[r->arg], strlen(list_names[r->arg]));
}

void
check_before_init(struct case_run *r)
{
    static const char *const allowed[] = { "C_Initialize", "C_GetFunctionList",
                                           "C_GetInterfaceList", "C_GetInterface" };
    CK_RV rv;

    name_function(r);
    for (size_t i = 0; i < COUNT(allowed); i++) {
        if (strcmp(list_names[r->arg], allowed[i]) == 0) {
            r->result->verdict = VERDICT_SKIPPED;
            return;
        }
    }
    if (!finalize(r)) {
        r->result->verdict = VERDICT_BLOCKED;
        return;
    }
    rv = case_words(r, r->arg, 0, 0);
    if (!is_stub(r, rv)) {
        (void)case_judge(r, rv);
    }
}

void
check_no_session(struct case_run *r)
{
    CK_RV rv;

    name_function(r);
    if (!list_takes_session(r->arg)) {
        r->result->verdict = VERDICT_SKIPPED;
        return;
    }
    rv = case_words(r, r->arg, 0x7ead0bad, 0);
    if (rv == CKR_ARGUMENTS_BAD) {
        r->result->seen = (uint32_t)rv;     /* there is nothing but NULL in this call */
        r->result->advisory = true;
    } else if (!is_stub(r, rv)) {
        (void)case_judge(r, rv);
    }
}

/* ---- C_Initialize ---- */

static struct {
    int made, gone, locked, unlocked;
} mutexes;

static CK_RV
create_mutex(void **ret_mutex)
{
    static int one[4096];

    *ret_mutex = &one[mutexes.made++ % 4096];
    return CKR_OK;
}

static CK_RV
destroy_mutex(void *mutex)
{
    (void)mutex;
    mutexes.gone++;
    return CKR_OK;
}

static CK_RV
lock_mutex(void *mutex)
{
    (void)mutex;
    mutexes.locked++;
    return CKR_OK;
}

static CK_RV
unlock_mutex(void *mutex)
{
    (void)mutex;
    mutexes.unlocked++;
    return CKR_OK;
}

/* C_Initialize with some of the four functions, by the bits of mask. */
static CK_RV
initialize(struct case_run *r, unsigned mask, CK_FLAGS flags)
{
    CK_C_INITIALIZE_ARGS args = { .CreateMutex = mask & 1 ? create_mutex : NULL,
                                  .DestroyMutex = mask & 2 ? destroy_mutex : NULL,
                                  .LockMutex = mask & 4 ? lock_mutex : NULL,
                                  .UnlockMutex = mask & 8 ? unlock_mutex : NULL,
                                  .flags = flags };
    CK_RV rv;

    memset(&mutexes, 0, sizeof mutexes);
    trace("rv = p11->C_Initialize(&(CK_C_INITIALIZE_ARGS){ %t, %t, %t, %t, %u, NULL });",
          mask & 1 ? "some_mutex" : "NULL", mask & 2 ? "one_mutex" : "NULL",
          mask & 4 ? "one_mutex" : "NULL", mask & 8 ? "one_mutex" : "NULL", flags);
    rv = r->module->list.C_Initialize(&args);
    trace_seen("C_Initialize", rv);
    return rv;
}

void
check_mutex_some(struct case_run *r)
{
    if (!finalize(r)) {
        r->result->verdict = VERDICT_BLOCKED;
        return;
    }
    (void)case_judge(r, initialize(r, r->arg, 0));
}

/* Some calls between, and the end. */
static void
use_and_finalize(struct case_run *r)
{
    CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
    struct bag bag = { .slot = r->runner->fixture.slot,
                       .flags = CKF_SERIAL_SESSION,
                       .info = &session };

    if (call(r->module, FN_C_OpenSession, &bag) == CKR_OK) {
        bag.session = session;
        (void)call(r->module, FN_C_CloseSession, &bag);
    }
    (void)finalize(r);
}

void
check_mutex_all(struct case_run *r)
{
    CK_RV rv;

    if (!finalize(r)) {
        r->result->verdict = VERDICT_BLOCKED;
        return;
    }
    rv = initialize(r, 15, 0);
    if (!case_judge(r, rv) || rv != CKR_OK) {
        return;
    }
    use_and_finalize(r);
    if (mutexes.locked != mutexes.unlocked || mutexes.made != mutexes.gone) {
        case_wrong(r);
    }
}

/* Locking by the operating system alone: nobody can have functions to call. */
void
check_mutex_none(struct case_run *r)
{
    CK_RV rv;

    if (!finalize(r)) {
        r->result->verdict = VERDICT_BLOCKED;
        return;
    }
    rv = initialize(r, 0, CKF_OS_LOCKING_OK);
    if (case_judge(r, rv) && rv == CKR_OK) {
        use_and_finalize(r);
    }
}

void
check_init_threads(struct case_run *r)
{
    if (!finalize(r)) {
        r->result->verdict = VERDICT_BLOCKED;
        return;
    }
    (void)case_judge(r, initialize(r, 0, CKF_LIBRARY_CANT_CREATE_OS_THREADS | CKF_OS_LOCKING_OK));
}

void
check_init_again(struct case_run *r)
{
    for (int i = 0; i < 5 && r->result->verdict == VERDICT_NONE; i++) {
        if (!finalize(r)) {
            r->result->verdict = VERDICT_BLOCKED;
            return;
        }
        (void)case_judge(r, initialize(r, 0, CKF_OS_LOCKING_OK));
    }
}
