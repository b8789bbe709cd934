/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_mgmt_util: what one server has and another lacks. Servers that share a store lack
 * nothing of each other; then these commands look, and say so. A user travels as a blob that only
 * servers of this master key open.
 */
#include "tools/mgmt.h"

#include "tools/code.h"
#include "wire/role.h"

#include <stdlib.h>
#include <string.h>

#define USERS_BYTES_MAX (8u * 1024u * 1024u)

/* The connected server of that number; NULL with a line. */
static struct mgmt_server *
target_get(struct mgmt *mgmt, const struct values *values)
{
    const uint32_t number = values_number(values, "server", 0);

    for (size_t i = 0; i < mgmt->server_count; i++) {
        if (mgmt->servers[i].number == number && mgmt->servers[i].caller != NULL) {
            return &mgmt->servers[i];
        }
    }
    printf("%s failed: server %u is not connected\n", values->command->name, (unsigned)number);
    return NULL;
}

/* `ExtractMaskedObject: 0x0 !` */
static void
stage_print(const char *stage, CK_RV rv)
{
    printf("%s: 0x%x !\n", stage, (unsigned)code_of(rv)->shown);
}

static CK_RV
users_look(struct mgmt_server *server, uint32_t id, struct writer *room, struct user_info *ret_user)
{
    struct reader r;
    struct user_info user;
    CK_RV rv = mgmt_users_fetch(server, room);

    r = reader_of(writer_view(room));
    while (rv == CKR_OK && user_array_next(&r, &user)) {
        if (user.id == id) {
            *ret_user = user;
            return CKR_OK;
        }
    }
    return rv == CKR_OK ? CODE_USER_UNKNOWN : rv;
}

CK_RV
mgmt_user_mask(struct mgmt_server *server, uint32_t role, view name, struct writer *ret_blob)
{
    const struct user_mask_request request = { role, name };
    struct user_mask_reply reply;
    struct writer body;
    view bytes;
    CK_RV rv;

    writer_init(&body, MGMT_BODY_MAX);
    user_mask_request_write(&body, &request);
    rv = mgmt_call(server, OPERATION_USER_MASK, &body, &bytes);
    if (rv == CKR_OK && !user_mask_reply_read(bytes, &reply)) {
        rv = CKR_DEVICE_ERROR;
    }
    if (rv == CKR_OK) {
        write_raw(ret_blob, reply.masked);
    }
    writer_clear(&body);
    return rv == CKR_OK && !writer_ok(ret_blob) ? CKR_HOST_MEMORY : rv;
}

CK_RV
mgmt_user_unmask(struct mgmt_server *server, view blob)
{
    const struct user_unmask_request request = { blob };
    struct writer body;
    view bytes;
    CK_RV rv;

    writer_init(&body, MGMT_BODY_MAX);
    user_unmask_request_write(&body, &request);
    rv = mgmt_call(server, OPERATION_USER_UNMASK, &body, &bytes);
    writer_clear(&body);
    return rv;
}

static bool
user_is_same(const struct user_info *a, const struct user_info *b)
{
    return a->id == b->id && a->role == b->role && view_equal(a->name, b->name);
}

/* The original's line; and whether it is this user who is there. */
static enum status
user_is_there(struct mgmt_server *there, const struct user_info *user)
{
    struct user_info other;
    struct writer room;
    bool same;

    writer_init(&room, USERS_BYTES_MAX);
    same = users_look(there, user->id, &room, &other) == CKR_OK && user_is_same(user, &other);
    printf("user already created, unable to insert object\n"
           "server %u(%s) has %s\n",
           there->number, there->settings->hostname,
           same ? "the same user" : "another user of this name or number");
    writer_clear(&room);
    return same ? STATUS_DONE : STATUS_REFUSED;
}

static enum status
user_sync(struct mgmt_server *here, struct mgmt_server *there, const struct user_info *user)
{
    struct writer blob;
    enum status status = STATUS_REFUSED;
    CK_RV rv;

    writer_init(&blob, MGMT_BODY_MAX / 2);
    rv = mgmt_user_mask(here, user->role, user->name, &blob);
    stage_print("ExtractMaskedObject", rv);
    if (rv != CKR_OK) {
        mgmt_failed("syncUser", "extracting the user", here, rv);
    } else if ((rv = mgmt_user_unmask(there, writer_view(&blob))) == CODE_USER_EXISTS) {
        status = user_is_there(there, user);
    } else {
        stage_print("InsertMaskedObject", rv);
        if (rv == CKR_OK) {
            printf("syncUser success\n");
            status = STATUS_DONE;
        } else {
            mgmt_failed("syncUser", "inserting the user", there, rv);
        }
    }
    writer_clear(&blob);
    return status;
}

enum status
mgmt_sync_user(void *tool, const struct values *values)
{
    struct mgmt *mgmt = tool;
    struct mgmt_server *there = target_get(mgmt, values);
    enum status status = STATUS_REFUSED;
    struct user_info user;
    struct writer room;
    CK_RV rv;

    if (there == NULL) {
        return STATUS_REFUSED;
    }
    writer_init(&room, USERS_BYTES_MAX);
    rv = users_look(mgmt->scope, values_number(values, "user", 0), &room, &user);
    if (rv == CKR_OK) {
        status = user_sync(mgmt->scope, there, &user);
    } else {
        mgmt_failed("syncUser", "finding the user", mgmt->scope, rv);
    }
    writer_clear(&room);
    return status;
}

/* ---- keys ---- */

/* No officer takes keys out of a server, so they are only compared. */
enum status
mgmt_sync_key(void *tool, const struct values *values)
{
    struct mgmt *mgmt = tool;
    struct mgmt_server *there = target_get(mgmt, values);
    const uint32_t handle = values_number(values, "handle", 0);
    uint32_t mine, other;
    CK_RV rv;

    if (there == NULL) {
        return STATUS_REFUSED;
    }
    rv = mgmt_key_version(mgmt->scope, handle, &mine);
    stage_print("ExtractMaskedObject", rv);
    if (rv != CKR_OK) {
        mgmt_failed("syncKey", "finding the key", mgmt->scope, rv);
        return STATUS_REFUSED;
    }
    rv = mgmt_key_version(there, handle, &other);
    if (rv == CKR_OK) {
        printf("key already created, unable to insert object\n"
               "server %u(%s) has %s\n",
               there->number, there->settings->hostname,
               mine == other ? "the same key" : "another key of this handle");
        return mine == other ? STATUS_DONE : STATUS_REFUSED;
    }
    if (rv == CKR_OBJECT_HANDLE_INVALID) {
        printf("syncKey failed: server %u(%s) shares no keys with this one; its owner moves the key "
               "with extractMaskedObject and insertMaskedObject\n",
               there->number, there->settings->hostname);
    } else {
        mgmt_failed("syncKey", "finding the key", there, rv);
    }
    return STATUS_REFUSED;
}
