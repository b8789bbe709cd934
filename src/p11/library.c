/* SPDX-License-Identifier: Apache-2.0
 *
 * C_Initialize, C_Finalize and what stands between them. Whether this process is a child of
 * the one that initialised is told by a page that the kernel hands to children as zeros
 * (MADV_WIPEONFORK, Linux 4.14); on older kernels getpid() is compared.
 */
#include "p11/library.h"

#include "p11/session.h"
#include "p11/text.h"
#include "p11/trip.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE_MAX 65536u
#define HANDLE_FIRST 0x80000000u
#define HANDLE_LAST 0xffefffffu

enum readiness { READY_NOT, READY_SOON, READY };

/* Room in which one whole page lies, whatever its size; mapped without a file behind it. */
static uint8_t guard_room[2 * PAGE_MAX];
static bool guard_works;
static _Atomic pid_t owner;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct library *current;   /* under lock */
static struct library *abandoned; /* a parent's, unreachable by its locks; kept, not leaked */

/* The word in the guard page: READY in the process that prepared the lock. */
static _Atomic unsigned *
guard(void)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t at = (uintptr_t)guard_room;

    if (page > PAGE_MAX) {
        page = PAGE_MAX;
    }
    at = (at + page - 1) / page * page;
    return (_Atomic unsigned *)at;
}

static _Atomic(_Atomic unsigned *) guard_word;

static _Atomic unsigned *
guard_find(void)
{
    _Atomic unsigned *word = atomic_load_explicit(&guard_word, memory_order_relaxed);

    if (word == NULL) {
        word = guard();
        atomic_store_explicit(&guard_word, word, memory_order_relaxed);
    }
    return word;
}

static bool
is_ready(void)
{
    return atomic_load_explicit(guard_find(), memory_order_acquire) == READY &&
           (guard_works || atomic_load(&owner) == getpid());
}

/* A child of fork that has not called C_Initialize; its parent may have. */
static bool
is_child(void)
{
    return atomic_load(&owner) != 0 && atomic_load(&owner) != getpid();
}

/*
 * Makes the lock good: the first time, and in a child of fork, where a thread that does not
 * exist any more may hold it. What the parent had is put away; its memory may be half changed,
 * so that only the descriptors are closed.
 */
static void
lock_prepare(void)
{
    _Atomic unsigned *word = guard_find();
    unsigned expected = READY_NOT;

    if (!guard_works && atomic_load(&owner) != getpid()) {
        atomic_store(word, READY_NOT);
    }
    if (!atomic_compare_exchange_strong(word, &expected, READY_SOON)) {
        while (atomic_load(word) != READY) {
            sched_yield();
        }
        return;
    }
    guard_works = madvise((void *)word, (size_t)sysconf(_SC_PAGESIZE), MADV_WIPEONFORK) == 0;
    atomic_store(&owner, getpid());
    pthread_mutex_init(&lock, NULL);
    if (current != NULL) {
        client_disown(current->client);
        current->next_abandoned = abandoned;
        abandoned = current;
        current = NULL;
    }
    atomic_store_explicit(word, READY, memory_order_release);
}

struct library *
library_lock(void)
{
    if (!is_ready()) {
        return NULL;
    }
    pthread_mutex_lock(&lock);

    struct library *library = current;

    if (library == NULL) {
        pthread_mutex_unlock(&lock);
    }
    return library;
}

void
library_relock(void)
{
    pthread_mutex_lock(&lock);
}

void
library_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

CK_RV
library_enter(struct library **ret_library)
{
    struct library *library = library_lock();

    if (library == NULL) {
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    }
    library->refs++;
    library_unlock();
    *ret_library = library;
    return CKR_OK;
}

static void
library_free(struct library *library)
{
    if (library == NULL) {
        return;
    }
    session_table_clear(&library->sessions);
    client_close(library->client);
    cache_free(library->cache);
    seen_free(library->seen);
    pthread_mutex_destroy(&library->token_lock);
    pthread_mutex_destroy(&library->login_lock);
    free(library);
}

void
library_leave(struct library *library)
{
    bool last;

    pthread_mutex_lock(&lock);
    last = --library->refs == 0;
    pthread_mutex_unlock(&lock);
    if (last) {
        library_free(library);
    }
}

bool
library_is_current(const struct library *library)
{
    bool is;

    pthread_mutex_lock(&lock);
    is = current == library;
    pthread_mutex_unlock(&lock);
    return is;
}

static CK_RV
token_ask(struct library *library)
{
    struct token *token = &library->token;
    struct token_reply reply;
    struct call call;
    CK_RV rv;

    if ((rv = trip_begin(library, &call)) == CKR_OK &&
        (rv = trip_send(library, NULL, &call, OPERATION_TOKEN)) == CKR_OK) {
        if (token_reply_read(call.reply, &reply) && reply.policy < POLICY_COUNT) {
            token->rules = (struct rules){ (enum policy)reply.policy, INTERFACE_P11, 0 };
            /* What is not known here the HSM knows, and it decides. */
            (void)rules_switches_read(&token->rules, reply.switches);
            token->firmware = text_version(reply.firmware);
            text_pad(token->label, sizeof token->label, reply.label);
            text_pad(token->model, sizeof token->model, reply.model);
            text_pad(token->serial, sizeof token->serial, reply.serial);
            atomic_store(&library->token_known, true);
        } else {
            rv = CKR_DEVICE_ERROR;
        }
    }
    call_end(&call);
    return rv;
}

CK_RV
library_token(struct library *library, const struct token **ret_token)
{
    CK_RV rv = CKR_OK;

    if (!atomic_load(&library->token_known)) {
        pthread_mutex_lock(&library->token_lock);
        if (!atomic_load(&library->token_known)) {
            rv = token_ask(library);
        }
        pthread_mutex_unlock(&library->token_lock);
    }
    *ret_token = &library->token;
    return rv;
}

CK_RV
library_rules(struct library *library, struct rules *ret_rules)
{
    const struct token *token;
    CK_RV rv = library_token(library, &token);

    if (rv == CKR_OK) {
        *ret_rules = token->rules;
    }
    return rv;
}

void
library_forget_login(struct library *library)
{
    atomic_store(&library->login, LOGIN_NONE);
    atomic_fetch_add(&library->epoch, 1);
    cache_drop_private(library->cache);
}

uint32_t
library_new_handle(struct library *library)
{
    uint32_t step = atomic_fetch_add(&library->next_handle, 1);

    return HANDLE_FIRST + step % (HANDLE_LAST - HANDLE_FIRST + 1);
}

static struct library *
library_new(void)
{
    struct library *library = calloc(1, sizeof *library);

    if (library == NULL) {
        return NULL;
    }
    library->refs = 1;
    library->cache = cache_new();
    library->seen = seen_new();
    if (library->cache == NULL || library->seen == NULL ||
        pthread_mutex_init(&library->token_lock, NULL) != 0 ||
        pthread_mutex_init(&library->login_lock, NULL) != 0) {
        cache_free(library->cache);
        seen_free(library->seen);
        free(library);
        return NULL;
    }
    return library;
}

/* PKCS #11 v3.1, 5.4.1. We lock by the system's means alone. */
static CK_RV
arguments_check(const void *pointer)
{
    CK_C_INITIALIZE_ARGS args;

    if (pointer == NULL) {
        return CKR_OK;
    }
    memcpy(&args, pointer, sizeof args);

    int given = (args.CreateMutex != NULL) + (args.DestroyMutex != NULL) +
                (args.LockMutex != NULL) + (args.UnlockMutex != NULL);

    if (args.pReserved != NULL || (given != 0 && given != 4)) {
        return CKR_ARGUMENTS_BAD;
    }
    return given == 4 && (args.flags & CKF_OS_LOCKING_OK) == 0 ? CKR_CANT_LOCK : CKR_OK;
}

PUBLIC CK_RV
C_Initialize(CK_VOID_PTR pInitArgs)
{
    const struct client_options options = { .interface = INTERFACE_P11 };
    struct library *library;
    CK_RV rv = arguments_check(pInitArgs);

    if (rv != CKR_OK) {
        return rv;
    }
    lock_prepare();
    pthread_mutex_lock(&lock);
    if (current != NULL) {
        rv = CKR_CRYPTOKI_ALREADY_INITIALIZED;
    } else if ((library = library_new()) == NULL) {
        rv = CKR_HOST_MEMORY;
    } else if ((rv = client_open(&options, &library->client)) == CKR_OK) {
        current = library;
    } else {
        library_free(library);
    }
    pthread_mutex_unlock(&lock);
    return rv;
}

PUBLIC CK_RV
C_Finalize(CK_VOID_PTR pReserved)
{
    struct library *library = library_lock();

    if (library == NULL) {
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    }
    if (pReserved != NULL) {
        library_unlock();
        return CKR_ARGUMENTS_BAD;
    }
    current = NULL;
    library_unlock();
    library_leave(library);
    return CKR_OK;
}

/*
 * An application that unloads us without C_Finalize: its descriptors are closed, unless a call
 * is under way (this also runs when the process ends, and its threads may be anywhere). Takes
 * no lock that it would have to wait for, and tells the daemon nothing. In a child of fork that
 * did not initialise, its copies of the parent's are closed.
 */
__attribute__((destructor)) static void
library_unload(void)
{
    struct library *library;

    if (is_child()) {
        if (current != NULL) {
            client_disown(current->client);
        }
        return;
    }
    if (!is_ready() || pthread_mutex_trylock(&lock) != 0) {
        return;
    }
    library = current;
    if (library != NULL && library->refs == 1) {
        current = NULL;
        client_abandon(library->client);
        library->client = NULL;
    } else {
        library = NULL;
    }
    pthread_mutex_unlock(&lock);
    library_free(library);
}

PUBLIC CK_RV
C_GetInfo(CK_INFO_PTR pInfo)
{
    struct library *library;
    CK_RV rv = library_enter(&library);

    if (rv != CKR_OK) {
        return rv;
    }
    if (pInfo == NULL) {
        rv = CKR_ARGUMENTS_BAD;
    } else {
        CK_INFO info = { .cryptokiVersion = { 2, 40 }, .libraryVersion = LIBRARY_VERSION };

        text_pad(info.manufacturerID, sizeof info.manufacturerID, MANUFACTURER);
        text_pad(info.libraryDescription, sizeof info.libraryDescription,
                 VIEW_TEXT("OpenCloudHSM PKCS#11 library"));
        *pInfo = info;
    }
    library_leave(library);
    return rv;
}
