/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_mgmt_util: login and users. A command goes to every server in turn and says for
 * each how it went.
 */
#include "tools/mgmt.h"

#include "tools/console.h"
#include "tools/file.h"
#include "wire/role.h"

#include <string.h>

#define BODY_MAX 4096u
#define USERS_BYTES_MAX (8u * 1024u * 1024u) /* of one server, all pages */

/* What stands for the password in the line, or asks for it. NULL: none was given. */
static struct secret *
password_get(const struct values *values, bool twice)
{
    return console_password(values_secret(values, "password"), twice);
}

/* `Creating User cu1(CU) on 3 nodes` */
static void
say_begin(const struct mgmt *mgmt, const char *act, const struct values *values)
{
    printf("%s %s(%s) on %zu nodes\n", act, values_text(values, "user"),
           values_text(values, "type"), mgmt_connected(mgmt));
}

static void
password_write(struct writer *body, enum operation operation, const struct values *values,
               const struct secret *password)
{
    const uint32_t role = values_number(values, "type", ROLE_NONE);
    const view name = view_str(values_text(values, "user"));
    const view word = secret_view(password);

    if (operation == OPERATION_LOGIN) {
        login_request_write(body, &(struct login_request){ role, name, word });
    } else if (operation == OPERATION_USER_CREATE) {
        user_create_request_write(body, &(struct user_create_request){ role, name, word });
    } else {
        user_password_request_write(body, &(struct user_password_request){ role, name, word });
    }
}

/* The step as it is; where -2fa was said, as the operation that takes its signatures, too. */
static enum status
password_send(struct mgmt *mgmt, const struct values *values, const struct secret *password,
              struct mgmt_step step, enum operation with_factor, const struct writer *body)
{
    if (!values_given(values, "-2fa")) {
        return mgmt_everywhere(mgmt, &step, body);
    }
    step.operation = with_factor;
    return mgmt_signed(mgmt, values, password, step);
}

static bool
login_show(void *arg, struct mgmt_server *server, view reply)
{
    UNUSED(reply);
    snprintf(server->login, sizeof server->login, "%s", (const char *)arg);
    return true;
}

static bool
logout_show(void *arg, struct mgmt_server *server, view reply)
{
    UNUSED(arg);
    UNUSED(reply);
    server->login[0] = '\0';
    return true;
}

enum status
mgmt_login(void *tool, const struct values *values)
{
    struct mgmt *mgmt = tool;
    struct secret *password = password_get(values, false);
    const uint32_t role = values_number(values, "type", ROLE_NONE);
    struct writer body;

    if (password == NULL) {
        return STATUS_MISUSED;
    }
    /* No officer's password for a server that nobody vouches for. */
    for (struct mgmt_server *server = NULL; (server = mgmt_next(mgmt, server)) != NULL;) {
        if (caller_is_unowned(server->caller) && role != ROLE_PRECO) {
            mgmt_failed("loginHSM", "login", server, CODE_UNOWNED);
            secret_free(password);
            return STATUS_REFUSED;
        }
    }
    writer_init(&body, BODY_MAX);
    password_write(&body, OPERATION_LOGIN, values, password);

    char login[sizeof mgmt->servers[0].login];

    snprintf(login, sizeof login, "%.40s(%s)", values_text(values, "user"),
             role_name(role));

    const struct mgmt_step step = { .command = "loginHSM",
                                    .act = "login",
                                    .operation = OPERATION_LOGIN,
                                    .show = login_show,
                                    .arg = login };
    enum status status =
        password_send(mgmt, values, password, step, OPERATION_LOGIN_SIGNED, &body);

    writer_clear(&body);
    secret_free(password);
    return status;
}

enum status
mgmt_logout(void *tool, const struct values *values)
{
    struct mgmt *mgmt = tool;
    struct writer body;

    UNUSED(values);
    writer_init(&body, BODY_MAX);

    const struct mgmt_step step = { .command = "logoutHSM",
                                    .act = "logout",
                                    .operation = OPERATION_LOGOUT,
                                    .show = logout_show };
    enum status status = mgmt_everywhere(mgmt, &step, &body);

    writer_clear(&body);
    return status;
}

/* A password that nobody knows yet: of a new user, or another one. */
static enum status
password_give(struct mgmt *mgmt, const struct values *values, const char *saying,
              struct mgmt_step step, enum operation with_factor)
{
    struct secret *password;
    struct writer body;

    if (!mgmt_confirmed()) {
        return STATUS_REFUSED;
    }
    if ((password = password_get(values, true)) == NULL) {
        return STATUS_MISUSED;
    }
    writer_init(&body, BODY_MAX);
    password_write(&body, step.operation, values, password);
    say_begin(mgmt, saying, values);

    enum status status = password_send(mgmt, values, password, step, with_factor, &body);

    writer_clear(&body);
    secret_free(password);
    return status;
}

enum status
mgmt_create_user(void *tool, const struct values *values)
{
    const struct mgmt_step step = { .command = "createUser",
                                    .act = "creating user",
                                    .operation = OPERATION_USER_CREATE,
                                    .ask = ASK_ABORT };

    return password_give(tool, values, "Creating User", step, OPERATION_USER_CREATE_SIGNED);
}

/* What is needed to take a deletion back: the user as each server had him. */
struct deletion {
    const struct mgmt *mgmt;
    struct writer blobs[SETTINGS_SERVERS_MAX];
};

static void
deletion_undo(void *arg, struct mgmt_server *server)
{
    const struct deletion *deletion = arg;
    view blob = writer_view(&deletion->blobs[server - deletion->mgmt->servers]);
    CK_RV rv = blob.len == 0 ? CKR_DEVICE_ERROR : mgmt_user_unmask(server, blob);

    if (rv == CKR_OK) {
        printf("deleteUser rolled back on server %u(%s)\n", server->number,
               server->settings->hostname);
    } else {
        mgmt_failed("rollBack", "rolling back deleting user", server, rv);
    }
}

enum status
mgmt_delete_user(void *tool, const struct values *values)
{
    struct mgmt *mgmt = tool;
    const struct user_delete_request request = {
        .role = values_number(values, "type", ROLE_NONE),
        .name = view_str(values_text(values, "user")),
    };
    struct deletion deletion = { .mgmt = mgmt };
    enum status status = STATUS_REFUSED;
    struct writer body;
    CK_RV rv;

    if (!mgmt_confirmed()) {
        return STATUS_REFUSED;
    }
    for (size_t i = 0; i < SETTINGS_SERVERS_MAX; i++) {
        writer_init(&deletion.blobs[i], BODY_MAX);
    }
    /* One server does it or does not. */
    for (struct mgmt_server *server = NULL;
         mgmt_connected(mgmt) > 1 && (server = mgmt_next(mgmt, server)) != NULL;) {
        struct writer *blob = &deletion.blobs[server - mgmt->servers];

        if ((rv = mgmt_user_mask(server, request.role, request.name, blob)) != CKR_OK) {
            writer_truncate(blob, 0);
        }
        if (server->caller == NULL) { /* else why, the deletion will tell */
            mgmt_failed("deleteUser", "deleting user", server, rv);
            goto out;
        }
    }
    writer_init(&body, BODY_MAX);
    user_delete_request_write(&body, &request);
    say_begin(mgmt, "Deleting user", values);

    const struct mgmt_step step = { .command = "deleteUser",
                                    .act = "deleting user",
                                    .operation = OPERATION_USER_DELETE,
                                    .ask = ASK_ROLL_BACK,
                                    .undo = deletion_undo,
                                    .arg = &deletion };
    status = mgmt_everywhere(mgmt, &step, &body);
    writer_clear(&body);
out:
    for (size_t i = 0; i < SETTINGS_SERVERS_MAX; i++) {
        writer_clear(&deletion.blobs[i]);
    }
    return status;
}

enum status
mgmt_rename_officer(void *tool, const struct values *values)
{
    const struct user_rename_request request = { view_str(values_text(values, "user")),
                                                 view_str(values_text(values, "name")) };
    char login[sizeof ((struct mgmt_server *)tool)->login];
    const struct mgmt_step step = { .command = "renamePCO",
                                    .act = "renaming the officer",
                                    .operation = OPERATION_USER_RENAME,
                                    .ask = ASK_ABORT,
                                    .show = login_show,
                                    .arg = login };
    struct writer body;

    enum status status;

    snprintf(login, sizeof login, "%.40s(%s)", values_text(values, "name"), role_name(ROLE_CO));
    writer_init(&body, BODY_MAX);
    user_rename_request_write(&body, &request);
    status = mgmt_change(tool, &step, &body);
    /* Those of a cluster, too, which only looked at what the first one did. */
    for (struct mgmt_server *server = NULL;
         status == STATUS_DONE && (server = mgmt_next(tool, server)) != NULL;) {
        (void)login_show(login, server, VIEW_EMPTY);
    }
    return status;
}

enum status
mgmt_close_user(void *tool, const struct values *values)
{
    const struct user_close_request request = { values_number(values, "type", ROLE_NONE),
                                                view_str(values_text(values, "user")) };
    const struct mgmt_step step = { .command = "disableUserAccess",
                                    .act = "disabling access to the user",
                                    .operation = OPERATION_USER_CLOSE,
                                    .ask = ASK_ABORT };
    struct writer body;

    writer_init(&body, BODY_MAX);
    user_close_request_write(&body, &request);
    return mgmt_change(tool, &step, &body);
}

enum status
mgmt_change_password(void *tool, const struct values *values)
{
    const struct mgmt_step step = { .command = "changePswd",
                                    .act = "changing password",
                                    .operation = OPERATION_USER_PASSWORD,
                                    .ask = ASK_ABORT };

    return password_give(tool, values, "Changing password for", step,
                         OPERATION_USER_PASSWORD_SIGNED);
}

static json_t *
user_json(const struct user_info *user)
{
    return json_pack("{s:i,s:s,s:s%,s:b,s:i,s:b}", "id", (int)user->id, "type",
                     role_name(user->role), "name", (const char *)user->name.data,
                     user->name.len, "mofn_key", user->quorum_key, "failures",
                     (int)user->failures, "second_factor", user->second_factor);
}

static void
users_json(const struct mgmt_server *server, view users, json_t *list)
{
    struct reader r = reader_of(users);
    struct user_info user;
    json_t *found = json_array();
    json_t *entry = mgmt_json_server(server);

    while (user_array_next(&r, &user)) {
        json_array_append_new(found, user_json(&user));
    }
    json_object_set_new(entry, "users", found);
    json_array_append_new(list, entry);
}

static void
users_print(const struct mgmt_server *server, view users)
{
    struct reader r = reader_of(users);
    struct user_info user;
    unsigned count = 0;

    while (user_array_next(&r, &user)) {
        count++;
    }
    printf("Users on server %u(%s):\nNumber of users found:%u\n\n", server->number,
           server->settings->hostname, count);
    printf("    %-18s  %-14s  %-33s  %-15s  %-22s  %s\n", "User Id", "User Type", "User Name",
           "MofnPubKey", "LoginFailureCnt", "2FA");
    r = reader_of(users);
    while (user_array_next(&r, &user)) {
        printf("    %-18u  %-14s  %-33.*s  %-15s  %-22u  %s\n", (unsigned)user.id,
               role_name(user.role), (int)user.name.len, (const char *)user.name.data,
               user.quorum_key ? "YES" : "NO", (unsigned)user.failures,
               user.second_factor ? "YES" : "NO");
    }
}

CK_RV
mgmt_users_fetch(struct mgmt_server *server, struct writer *users)
{
    struct user_list_request request = { .after = 0, .max = USERS_PAGE_MAX };
    struct user_list_reply reply = { .more = true };
    CK_RV rv = CKR_OK;

    while (rv == CKR_OK && reply.more) {
        struct writer body;
        struct reader r;
        struct user_info user;
        view bytes;

        writer_init(&body, BODY_MAX);
        user_list_request_write(&body, &request);
        rv = mgmt_call(server, OPERATION_USER_LIST, &body, &bytes);
        writer_clear(&body);
        if (rv != CKR_OK) {
            break;
        }
        if (!user_list_reply_read(bytes, &reply)) {
            return CKR_DEVICE_ERROR;
        }
        write_raw(users, reply.users.bytes);
        r = reader_of(reply.users.bytes);
        if (reply.more && reply.users.bytes.len == 0) {
            return CKR_DEVICE_ERROR;
        }
        while (user_array_next(&r, &user)) {
            if (user.id <= request.after) {
                return CKR_DEVICE_ERROR; /* they rise, or there is no end */
            }
            request.after = user.id;
        }
    }
    return rv == CKR_OK && !writer_ok(users) ? CKR_HOST_MEMORY : rv;
}

/* The users of one server that are asked for: by number, by name, or all with NULL. */
static bool
user_is_asked(const struct user_info *user, const char *asked)
{
    char number[16];

    snprintf(number, sizeof number, "%u", (unsigned)user->id);
    return view_equal(user->name, view_str(asked)) || strcmp(number, asked) == 0;
}

/* What stands of them in users, appended to out. */
static void
users_pick(view users, const char *asked, struct writer *out)
{
    struct reader r = reader_of(users);
    struct user_info user;

    while (user_array_next(&r, &user)) {
        if (user_is_asked(&user, asked)) {
            user_info_write(out, &user);
        }
    }
}

enum status
mgmt_user_info(void *tool, const struct values *values)
{
    struct mgmt *mgmt = tool;
    const char *asked = values_text(values, "user");
    enum status status = STATUS_DONE;
    json_t *list = values_given(values, "--json") ? json_array() : NULL;

    for (struct mgmt_server *server = NULL; (server = mgmt_next(mgmt, server)) != NULL;) {
        struct writer users, picked;
        CK_RV rv;

        writer_init(&users, USERS_BYTES_MAX);
        writer_init(&picked, BODY_MAX);
        rv = mgmt_users_fetch(server, &users);
        if (rv == CKR_OK) {
            users_pick(writer_view(&users), asked, &picked);
            rv = picked.len == 0 ? CODE_USER_UNKNOWN : CKR_OK;
        }
        if (rv != CKR_OK) {
            mgmt_failed("getUserInfo", "getting user info", server, rv);
            status = STATUS_REFUSED;
        } else if (list != NULL) {
            users_json(server, writer_view(&picked), list);
        } else {
            users_print(server, writer_view(&picked));
        }
        writer_clear(&picked);
        writer_clear(&users);
    }
    return list != NULL ? mgmt_json_print(list, status) : status;
}

enum status
mgmt_unlock_user(void *tool, const struct values *values)
{
    const struct user_unlock_request request = { values_number(values, "type", ROLE_NONE),
                                                 view_str(values_text(values, "user")) };
    const struct mgmt_step step = { .command = "unlockUser",
                                    .act = "unlocking user",
                                    .operation = OPERATION_USER_UNLOCK,
                                    .ask = ASK_ABORT };
    struct writer body;

    writer_init(&body, BODY_MAX);
    user_unlock_request_write(&body, &request);
    return mgmt_change(tool, &step, &body);
}

static bool
challenge_show(void *arg, struct mgmt_server *server, view bytes)
{
    struct challenge_reply reply;

    UNUSED(server);
    return challenge_reply_read(bytes, &reply) && file_write_shared(arg, reply.challenge);
}

enum status
mgmt_get_challenge(void *tool, const struct values *values)
{
    const struct challenge_request request = { view_str(values_text(values, "user")) };
    char path[512];
    struct writer body;
    enum status status;

    snprintf(path, sizeof path, "%s", values_text(values, "file"));

    const struct mgmt_step step = { .command = "getChallenge",
                                    .act = "getting a challenge",
                                    .operation = OPERATION_CHALLENGE,
                                    .show = challenge_show,
                                    .arg = path };

    writer_init(&body, BODY_MAX);
    challenge_request_write(&body, &request);
    status = mgmt_everywhere(tool, &step, &body);
    writer_clear(&body);
    return status;
}

static bool
unlock_show(void *arg, struct mgmt_server *server, view bytes)
{
    struct officer_unlock_reply reply;

    UNUSED(arg);
    if (!officer_unlock_reply_read(bytes, &reply)) {
        return false;
    }
    snprintf(server->login, sizeof server->login, "%.*s(PRECO)", (int)reply.name.len,
             (const char *)reply.name.data);
    printf("%.*s is unlocked; now: changePswd CO %.*s -hpswd\n", (int)reply.name.len,
           (const char *)reply.name.data, (int)reply.name.len, (const char *)reply.name.data);
    return true;
}

enum status
mgmt_unlock_co(void *tool, const struct values *values)
{
    const struct mgmt_step step = { .command = "unlockCO",
                                    .act = "unlocking CO",
                                    .operation = OPERATION_OFFICER_UNLOCK,
                                    .show = unlock_show };
    struct writer challenge, signature, body;
    enum status status = STATUS_MISUSED;

    writer_init(&challenge, BODY_MAX);
    writer_init(&signature, BODY_MAX);
    writer_init(&body, MGMT_BODY_MAX);
    if (mgmt_file_read(values_text(values, "file"), BODY_MAX, &challenge) &&
        mgmt_file_read(values_text(values, "signature"), BODY_MAX, &signature)) {
        const struct officer_unlock_request request = { writer_view(&challenge),
                                                        writer_view(&signature) };

        officer_unlock_request_write(&body, &request);
        status = mgmt_everywhere(tool, &step, &body);
    }
    writer_clear(&challenge);
    writer_clear(&signature);
    writer_clear(&body);
    return status;
}

enum status
mgmt_list_users(void *tool, const struct values *values)
{
    struct mgmt *mgmt = tool;
    enum status status = STATUS_DONE;
    json_t *list = values_given(values, "--json") ? json_array() : NULL;

    for (struct mgmt_server *server = NULL; (server = mgmt_next(mgmt, server)) != NULL;) {
        struct writer users;
        CK_RV rv;

        writer_init(&users, USERS_BYTES_MAX);
        rv = mgmt_users_fetch(server, &users);
        if (rv != CKR_OK) {
            mgmt_failed("listUsers", "listing users", server, rv);
            status = STATUS_REFUSED;
        } else if (list != NULL) {
            users_json(server, writer_view(&users), list);
        } else {
            users_print(server, writer_view(&users));
        }
        writer_clear(&users);
    }
    return list != NULL ? mgmt_json_print(list, status) : status;
}
