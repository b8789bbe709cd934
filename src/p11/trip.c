/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests, and what their replies teach: codes are translated once, here, and key
 * information goes into the cache.
 */
#include "p11/trip.h"

#include "p11/session.h"

/* Codes from here on are words between library, daemon and node. */
#define CODE_FIRST 0xfffffff0u

CK_RV
trip_begin(struct library *library, struct call *call)
{
    CK_RV rv = call_begin(library->client, call);

    /* The daemon was there at C_Initialize; that it is not now is the device's fault. */
    return rv == CKR_GENERAL_ERROR ? CKR_DEVICE_ERROR : rv;
}

/* Which requests name the room that the caller has. */
static bool
has_room(enum operation operation)
{
    return operation == OPERATION_ENCRYPT || operation == OPERATION_DECRYPT ||
           operation == OPERATION_SIGN || operation == OPERATION_SIGN_RECOVER ||
           operation == OPERATION_VERIFY_RECOVER || operation == OPERATION_DIGEST ||
           operation == OPERATION_WRAP;
}

static uint16_t
flags_of(const struct session *session)
{
    uint16_t flags = 0;

    if (session != NULL && session->read_write) {
        flags |= FRAME_READ_WRITE;
    }
    if (session != NULL && session->local) {
        flags |= FRAME_LOCAL;
    }
    return flags;
}

/* A reply's code as an application may see it, and what it tells of the login. */
static CK_RV
code_of(struct library *library, enum operation operation, CK_RV rv)
{
    if (rv >= CODE_FIRST) {
        return CKR_GENERAL_ERROR;
    }
    if (rv == CODE_SECOND_FACTOR && operation == OPERATION_LOGIN) {
        return CKR_USER_TYPE_INVALID; /* none whom a PIN alone lets in; loginHSM -2fa does */
    }
    if (!return_is_known(rv) || (rv == CKR_BUFFER_TOO_SMALL && !has_room(operation))) {
        return CKR_DEVICE_ERROR;
    }
    /* A crypto officer is told so where a crypto user is wanted; that is no lost login. */
    if (rv == CKR_USER_NOT_LOGGED_IN && atomic_load(&library->login) == LOGIN_USER) {
        library_forget_login(library);
    }
    return rv;
}

CK_RV
trip_send(struct library *library, const struct session *session, struct call *call,
          enum operation operation)
{
    uint32_t number = session == NULL ? 0 : session->number;

    return code_of(library, operation, call_send(call, operation, number, flags_of(session)));
}

CK_RV
trip_steps(struct library *library, const struct session *session, struct call *call,
           const struct steps *steps)
{
    return code_of(library, steps->operation,
                   call_steps(call, steps, session->number, flags_of(session)));
}

struct moment
trip_moment(const struct library *library)
{
    const struct page *page = client_page(library->client);

    return (struct moment){ atomic_load(&library->epoch), page, page_sequence(page) };
}

/* What no one who is not logged in should see, whatever the HSM thinks. */
static bool
is_hidden(const struct library *library, struct moment before, const struct key_info *info)
{
    return (info->flags & KEY_FLAG_PRIVATE) != 0 &&
           (atomic_load(&library->login) != LOGIN_USER ||
            atomic_load(&library->epoch) != before.epoch);
}

/* By what the page will show that the information is old: nothing, if something has changed since
 * the request left. Session objects are this process's own, and nobody else's change is theirs. */
static uint64_t
stamp_of(struct moment before, const struct key_info *info)
{
    uint64_t stamp = page_stamp(before.page, info->handle);
    bool own = (info->flags & KEY_FLAG_TOKEN) == 0;

    return own || page_sequence(before.page) == before.sequence ? stamp : PAGE_NO_STAMP;
}

CK_RV
trip_learn(struct library *library, struct moment before, struct info_array infos,
           uint32_t session)
{
    size_t count = info_array_count(infos);

    for (size_t i = 0; i < count; i++) {
        struct key_info info = info_array_get(infos, i);
        bool own = (info.flags & KEY_FLAG_TOKEN) == 0;

        if (!is_hidden(library, before, &info) &&
            !cache_put(library->cache, &info, stamp_of(before, &info), own ? session : 0)) {
            return CKR_HOST_MEMORY;
        }
    }
    return CKR_OK;
}

/* The object with just this handle: the first one above the handle before it. */
static CK_RV
object_ask(struct session *session, uint32_t handle, struct moment before,
           struct key_info *ret_info)
{
    struct library *library = session->library;
    const struct find_request request = { .after = handle - 1, .max = 1 };
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
    if (!find_reply_read(call.reply, &reply)) {
        rv = CKR_DEVICE_ERROR;
        goto out;
    }
    rv = CKR_OBJECT_HANDLE_INVALID;
    if (info_array_count(reply.found) == 1) {
        struct key_info info = info_array_get(reply.found, 0);

        if (info.handle == handle && !is_hidden(library, before, &info)) {
            *ret_info = info;
            rv = CKR_OK;
        }
    }
out:
    call_end(&call);
    return rv;
}

/* Is what has this stamp still so? */
static bool
is_so(const struct library *library, uint32_t handle, uint64_t stamp)
{
    const struct page *page = client_page(library->client);

    return stamp != PAGE_NO_STAMP && page_stamp(page, handle) == stamp &&
           page_is_valid(page, client_clock());
}

bool
trip_stamp(const struct library *library, CK_OBJECT_HANDLE handle, uint64_t *ret_stamp)
{
    const struct page *page = client_page(library->client);
    struct key_info info;
    uint64_t then;

    if (handle > UINT32_MAX || !page_is_valid(page, client_clock()) ||
        !cache_get(library->cache, (uint32_t)handle, &info, &then)) {
        return false;
    }
    *ret_stamp = page_stamp(page, (uint32_t)handle);
    return true;
}

CK_RV
trip_object(struct session *session, CK_OBJECT_HANDLE handle, bool exact,
            struct key_info *ret_info)
{
    struct library *library = session->library;
    const struct moment before = trip_moment(library);
    struct key_info info;
    struct rules rules;
    uint64_t stamp;
    bool known;
    CK_RV rv;

    if (handle == CK_INVALID_HANDLE || handle > UINT32_MAX) {
        return CKR_OBJECT_HANDLE_INVALID;
    }
    known = cache_get(library->cache, (uint32_t)handle, &info, &stamp);
    if (known && (!exact || is_so(library, (uint32_t)handle, stamp))) {
        *ret_info = info;
        return CKR_OK;
    }
    stamp = page_stamp(before.page, (uint32_t)handle);
    if ((rv = library_rules(library, &rules)) != CKR_OK ||
        (rv = object_ask(session, (uint32_t)handle, before, &info)) != CKR_OK) {
        if (rv == CKR_OBJECT_HANDLE_INVALID) {
            cache_drop(library->cache, (uint32_t)handle);
        }
        return rv;
    }
    /* Handles are those that this process was given (PKCS #11 v3.1, 5.6.9); numbers from
     * elsewhere are good for what anyone may see. */
    if (!known && (info.flags & KEY_FLAG_PRIVATE) != 0 &&
        !rules_switch_on(rules, SWITCH_handles_from_outside)) {
        return CKR_OBJECT_HANDLE_INVALID;
    }
    if (!cache_put(library->cache, &info, stamp, 0)) {
        return CKR_HOST_MEMORY;
    }
    *ret_info = info;
    return CKR_OK;
}
