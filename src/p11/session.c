/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of sessions and the functions that open and close them. A session leaves the
 * table first and is shut afterwards, when the call that may still run in it has ended.
 */
#include "p11/session.h"

#include "p11/login.h"
#include "p11/task.h"
#include "p11/trip.h"

#include <stdlib.h>
#include <string.h>

#define INDEX_BITS 18
#define INDEX_MAX ((1u << INDEX_BITS) - 1)
#define GENERATION_MAX ((1u << (32 - INDEX_BITS)) - 1)
#define SIZE_FIRST 16u

struct session_slot {
    struct session *session; /* NULL when free */
    uint32_t generation;
    uint32_t next_free;
};

/* ---- the table; under the library's lock ---- */

static struct session_slot *
table_slot(const struct session_table *table, CK_SESSION_HANDLE handle)
{
    uint32_t place = (uint32_t)(handle & INDEX_MAX);

    if (handle > UINT32_MAX || place == 0 || place > table->size) {
        return NULL;
    }

    struct session_slot *slot = &table->slots[place - 1];

    return slot->session != NULL && slot->session->number == handle ? slot : NULL;
}

static bool
table_grow(struct session_table *table)
{
    uint32_t size = table->size == 0 ? SIZE_FIRST : table->size * 2;

    size = (uint32_t)size_min(size, INDEX_MAX);
    if (size == table->size) {
        return false;
    }

    struct session_slot *slots = realloc(table->slots, size * sizeof *slots);

    if (slots == NULL) {
        return false;
    }
    for (uint32_t i = size; i > table->size; i--) {
        slots[i - 1] = (struct session_slot){ .next_free = table->free };
        table->free = i;
    }
    table->slots = slots;
    table->size = size;
    return true;
}

static bool
table_put(struct session_table *table, struct session *session)
{
    if (table->free == 0 && !table_grow(table)) {
        return false;
    }

    uint32_t place = table->free;
    struct session_slot *slot = &table->slots[place - 1];

    table->free = slot->next_free;
    session->number = slot->generation << INDEX_BITS | place;
    slot->session = session;
    table->count++;
    table->read_write_count += session->read_write;
    return true;
}

static struct session *
table_take(struct session_table *table, struct session_slot *slot)
{
    struct session *session = slot->session;

    slot->session = NULL;
    slot->generation = (slot->generation + 1) & GENERATION_MAX;
    slot->next_free = table->free;
    table->free = (uint32_t)(slot - table->slots) + 1;
    table->count--;
    table->read_write_count -= session->read_write;
    return session;
}

uint32_t
session_table_read_only(const struct session_table *table)
{
    return table->count - table->read_write_count;
}

/* ---- sessions ---- */

static void
session_free(struct session *session)
{
    task_free_all(session);
    task_free(session->spare);
    pthread_mutex_destroy(&session->lock);
    free(session);
}

void
session_table_clear(struct session_table *table)
{
    for (uint32_t i = 0; i < table->size; i++) {
        if (table->slots[i].session != NULL) {
            session_free(table->slots[i].session);
        }
    }
    free(table->slots);
    *table = (struct session_table){ 0 };
}

static struct session *
session_new(struct library *library, bool read_write)
{
    struct session *session = calloc(1, sizeof *session);

    if (session == NULL || pthread_mutex_init(&session->lock, NULL) != 0) {
        free(session);
        return NULL;
    }
    session->library = library;
    session->read_write = read_write;
    session->refs = 1; /* the table's */
    return session;
}

CK_RV
session_begin(CK_SESSION_HANDLE handle, struct session **ret_session)
{
    struct library *library = library_lock();
    struct session *session = NULL;

    if (library == NULL) {
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    }

    struct session_slot *slot = table_slot(&library->sessions, handle);

    if (slot != NULL) {
        session = slot->session;
        session->refs++;
        library->refs++;
    }
    library_unlock();
    if (session == NULL) {
        return CKR_SESSION_HANDLE_INVALID;
    }
    pthread_mutex_lock(&session->lock);
    if (session->closed) {
        session_end(session);
        return CKR_SESSION_HANDLE_INVALID;
    }
    task_drop_stale(session);
    *ret_session = session;
    return CKR_OK;
}

CK_RV
session_begin_offered(CK_SESSION_HANDLE handle, enum rules_function function,
                      struct session **ret_session)
{
    struct session *session;
    struct rules rules;
    CK_RV rv = session_begin(handle, &session);

    if (rv != CKR_OK) {
        return rv;
    }
    if ((rv = library_rules(session->library, &rules)) != CKR_OK ||
        (rv = rules_function_code(rules, function)) != CKR_OK) {
        session_end(session);
        return rv;
    }
    *ret_session = session;
    return CKR_OK;
}

/* Gives a reference back; the last one frees. */
static void
session_unref(struct session *session)
{
    bool last;

    library_relock();
    last = --session->refs == 0;
    library_unlock();
    if (last) {
        session_free(session);
    }
}

void
session_end(struct session *session)
{
    struct library *library = session->library;

    pthread_mutex_unlock(&session->lock);
    session_unref(session);
    library_leave(library);
}

bool
session_is_user(const struct session *session)
{
    return atomic_load(&session->library->login) == LOGIN_USER;
}

/* Ends what a session that has left the table had, here and at the HSM. */
static void
session_shut(struct session *session)
{
    struct library *library = session->library;

    pthread_mutex_lock(&session->lock);
    session->closed = true;

    bool tell = session->remote || task_is_any_bound(session);

    task_free_all(session);
    if (tell) {
        struct call call;

        cache_drop_session(library->cache, session->number);
        /* The session is over whether or not the HSM hears of it in time. */
        if (trip_begin(library, &call) == CKR_OK) {
            CK_RV rv = trip_send(library, session, &call, OPERATION_SESSION_CLOSE);

            UNUSED(rv);
        }
        call_end(&call);
    }
    pthread_mutex_unlock(&session->lock);
    session_unref(session);
}

PUBLIC CK_RV
C_OpenSession(CK_SLOT_ID slotID, CK_FLAGS flags, CK_VOID_PTR pApplication, CK_NOTIFY Notify,
              CK_SESSION_HANDLE_PTR phSession)
{
    bool read_write = (flags & CKF_RW_SESSION) != 0;
    struct library *library = library_lock();
    struct session *session;
    CK_RV rv = CKR_OK;

    UNUSED(pApplication);
    UNUSED(Notify);
    if (library == NULL) {
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    }
    if (slotID != SLOT_ID) {
        rv = CKR_SLOT_ID_INVALID;
    } else if ((flags & CKF_SERIAL_SESSION) == 0) {
        rv = CKR_SESSION_PARALLEL_NOT_SUPPORTED;
    } else if (phSession == NULL) {
        rv = CKR_ARGUMENTS_BAD;
    } else if (!read_write && atomic_load(&library->login) == LOGIN_SO) {
        rv = CKR_SESSION_READ_WRITE_SO_EXISTS;
    } else if ((session = session_new(library, read_write)) == NULL) {
        rv = CKR_HOST_MEMORY;
    } else if (!table_put(&library->sessions, session)) {
        session_free(session);
        rv = CKR_SESSION_COUNT;
    } else {
        *phSession = session->number;
    }
    library_unlock();
    return rv;
}

PUBLIC CK_RV
C_CloseSession(CK_SESSION_HANDLE hSession)
{
    struct library *library = library_lock();
    struct session *session = NULL;

    if (library == NULL) {
        return CKR_CRYPTOKI_NOT_INITIALIZED;
    }

    struct session_slot *slot = table_slot(&library->sessions, hSession);

    if (slot != NULL) {
        session = table_take(&library->sessions, slot);
        library->refs++;
    }
    library_unlock();
    if (session == NULL) {
        return CKR_SESSION_HANDLE_INVALID;
    }
    session_shut(session);
    login_end_without_sessions(library);
    library_leave(library);
    return CKR_OK;
}

PUBLIC CK_RV
C_CloseAllSessions(CK_SLOT_ID slotID)
{
    struct library *library;
    CK_RV rv = library_enter(&library);

    if (rv != CKR_OK) {
        return rv;
    }
    if (slotID != SLOT_ID) {
        library_leave(library);
        return CKR_SLOT_ID_INVALID;
    }
    for (uint32_t i = 0;; i++) {
        struct session *session = NULL;
        bool end;

        library_relock();
        end = i >= library->sessions.size;
        if (!end && library->sessions.slots[i].session != NULL) {
            session = table_take(&library->sessions, &library->sessions.slots[i]);
        }
        library_unlock();
        if (end) {
            break;
        }
        if (session != NULL) {
            session_shut(session);
        }
    }
    login_end_without_sessions(library);
    library_leave(library);
    return CKR_OK;
}

/* PKCS #11 v3.1, 5.6: the state follows from the session's mode and the one login. */
static CK_STATE
state_of(bool read_write, enum login login)
{
    static const CK_STATE states[2][3] = {
        { [LOGIN_NONE] = CKS_RO_PUBLIC_SESSION, [LOGIN_USER] = CKS_RO_USER_FUNCTIONS,
          [LOGIN_SO] = CKS_RO_PUBLIC_SESSION },
        { [LOGIN_NONE] = CKS_RW_PUBLIC_SESSION, [LOGIN_USER] = CKS_RW_USER_FUNCTIONS,
          [LOGIN_SO] = CKS_RW_SO_FUNCTIONS },
    };

    return states[read_write][login];
}

PUBLIC CK_RV
C_GetSessionInfo(CK_SESSION_HANDLE hSession, CK_SESSION_INFO_PTR pInfo)
{
    struct session *session;
    CK_RV rv = session_begin(hSession, &session);

    if (rv != CKR_OK) {
        return rv;
    }
    if (pInfo == NULL) {
        rv = CKR_ARGUMENTS_BAD;
    } else {
        *pInfo = (CK_SESSION_INFO){
            .slotID = SLOT_ID,
            .state = state_of(session->read_write, atomic_load(&session->library->login)),
            .flags = CKF_SERIAL_SESSION | (session->read_write ? CKF_RW_SESSION : 0),
        };
    }
    session_end(session);
    return rv;
}

PUBLIC CK_RV
C_SessionCancel(CK_SESSION_HANDLE hSession, CK_FLAGS flags)
{
    struct session *session;
    CK_RV rv = session_begin(hSession, &session);

    if (rv != CKR_OK) {
        return rv;
    }
    /* PKCS #11 v3.1, 5.6.11: flags of operations that are not active are passed over. */
    for (CK_FLAGS bit = 1; bit != 0 && bit <= flags; bit <<= 1) {
        struct task *task = (flags & bit) != 0 ? task_of(session, bit) : NULL;

        if (task != NULL) {
            task_end(session, task);
        }
    }
    session_end(session);
    return CKR_OK;
}

static CK_RV
not_parallel(CK_SESSION_HANDLE handle)
{
    struct session *session;
    CK_RV rv = session_begin(handle, &session);

    if (rv == CKR_OK) {
        session_end(session);
        rv = CKR_FUNCTION_NOT_PARALLEL;
    }
    return rv;
}

PUBLIC CK_RV
C_GetFunctionStatus(CK_SESSION_HANDLE hSession)
{
    return not_parallel(hSession);
}

PUBLIC CK_RV
C_CancelFunction(CK_SESSION_HANDLE hSession)
{
    return not_parallel(hSession);
}
