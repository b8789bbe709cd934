/* SPDX-License-Identifier: Apache-2.0
 *
 * C_FindObjects*. A page holds up to FIND_MAX handles; the next one is asked for when it is
 * wanted, by the last handle, so that the HSM keeps no cursor.
 */
#include "p11/find.h"

#include "p11/task.h"
#include "p11/template.h"
#include "p11/trip.h"

#include <stdlib.h>

struct search {
    struct writer template;
    uint32_t handles[FIND_MAX];
    size_t count;
    size_t next;
    uint32_t after; /* the last handle of this page */
    bool more;      /* there are pages after it */
};

void
search_free(struct search *search)
{
    if (search != NULL) {
        writer_clear(&search->template);
        free(search);
    }
}

/* By rising handle, as the next page is asked for by the last one. */
static bool
page_rises(struct info_array page, uint32_t after)
{
    for (size_t i = 0; i < info_array_count(page); i++) {
        uint32_t handle = info_array_get(page, i).handle;

        if (handle <= after) {
            return false;
        }
        after = handle;
    }
    return true;
}

/* Fetches the next page. */
static CK_RV
search_page(struct session *session, struct search *search)
{
    struct library *library = session->library;
    const struct find_request request = {
        .template = writer_view(&search->template),
        .after = search->after,
        .max = FIND_MAX,
    };
    const struct moment before = trip_moment(library);
    struct find_reply reply;
    struct call call;
    CK_RV rv;

    if ((rv = trip_begin(library, &call)) != CKR_OK) {
        goto out;
    }
    find_request_write(call.body, &request);
    if ((rv = trip_send(library, session, &call, OPERATION_FIND)) != CKR_OK) {
        goto out;
    }
    if (!find_reply_read(call.reply, &reply) || info_array_count(reply.found) > FIND_MAX ||
        !page_rises(reply.found, search->after)) {
        rv = CKR_DEVICE_ERROR;
        goto out;
    }
    rv = trip_learn(library, before, reply.found, 0);
    search->count = 0;
    search->next = 0;
    search->more = reply.more;
    for (size_t i = 0; i < info_array_count(reply.found); i++) {
        struct key_info info = info_array_get(reply.found, i);

        search->after = info.handle;
        /* PKCS #11 v3.1, 5.7.7: private objects are found by the user alone. */
        if ((info.flags & KEY_FLAG_PRIVATE) == 0 || session_is_user(session)) {
            search->handles[search->count++] = info.handle;
        }
    }
    /* One with nothing to see is the last: who has just been logged out finds no more. */
    if (search->count == 0) {
        search->more = false;
    }
out:
    call_end(&call);
    return rv;
}

PUBLIC CK_RV
C_FindObjectsInit(CK_SESSION_HANDLE hSession, CK_ATTRIBUTE_PTR pTemplate, CK_ULONG ulCount)
{
    struct search *search = NULL;
    struct task *task = NULL;
    struct session *session;
    CK_RV rv = session_begin(hSession, &session);

    if (rv != CKR_OK) {
        return rv;
    }
    if (session->tasks != NULL) {
        rv = CKR_OPERATION_ACTIVE;
        goto out;
    }
    search = calloc(1, sizeof *search);
    if (search == NULL || (task = task_new(session, CKF_FIND_OBJECTS)) == NULL) {
        free(search);
        rv = CKR_HOST_MEMORY;
        goto out;
    }
    writer_init(&search->template, ATTRIBUTES_BYTES_MAX);
    task->search = search;
    if ((rv = template_take(pTemplate, ulCount, &search->template)) != CKR_OK ||
        (rv = search_page(session, search)) != CKR_OK) {
        goto out;
    }
    session->tasks = task;
    task = NULL;
out:
    task_free(task);
    session_end(session);
    return rv;
}

/* Handles from the page, and from the next ones. */
static CK_RV
search_take(struct session *session, struct search *search, CK_OBJECT_HANDLE *out, CK_ULONG max,
            CK_ULONG *ret_count)
{
    CK_ULONG count = 0;
    CK_RV rv = CKR_OK;

    while (count < max && rv == CKR_OK) {
        if (search->next < search->count) {
            out[count++] = search->handles[search->next++];
        } else if (search->more) {
            rv = search_page(session, search);
        } else {
            break;
        }
    }
    /* What was handed out before a page failed is not lost: the error comes next time. */
    if (rv != CKR_OK && count == 0) {
        return rv;
    }
    *ret_count = count;
    return CKR_OK;
}

PUBLIC CK_RV
C_FindObjects(CK_SESSION_HANDLE hSession, CK_OBJECT_HANDLE_PTR phObject, CK_ULONG ulMaxObjectCount,
              CK_ULONG_PTR pulObjectCount)
{
    struct session *session;
    struct task *task;
    CK_RV rv = session_begin(hSession, &session);

    if (rv != CKR_OK) {
        return rv;
    }
    task = task_of(session, CKF_FIND_OBJECTS);
    if (task == NULL) {
        rv = CKR_OPERATION_NOT_INITIALIZED;
    } else if (pulObjectCount == NULL || (phObject == NULL && ulMaxObjectCount > 0)) {
        rv = CKR_ARGUMENTS_BAD;
    } else {
        rv = search_take(session, task->search, phObject, ulMaxObjectCount, pulObjectCount);
    }
    session_end(session);
    return rv;
}

PUBLIC CK_RV
C_FindObjectsFinal(CK_SESSION_HANDLE hSession)
{
    struct session *session;
    struct task *task;
    CK_RV rv = session_begin(hSession, &session);

    if (rv != CKR_OK) {
        return rv;
    }
    task = task_of(session, CKF_FIND_OBJECTS);
    if (task == NULL) {
        rv = CKR_OPERATION_NOT_INITIALIZED;
    } else {
        task_end(session, task);
    }
    session_end(session);
    return rv;
}
