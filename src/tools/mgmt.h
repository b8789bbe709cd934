/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_mgmt_util: the management tool. It talks to each node's management port itself,
 * and trusts the nodes that PO.crt has signed. Its commands are rows of mgmt_commands.def: a row
 * there and a function are all that a command takes.
 */
#ifndef TOOLS_MGMT_H
#define TOOLS_MGMT_H

#include "net/caller.h"
#include "net/settings.h"
#include "tools/command.h"

#include <jansson.h>

#define MGMT_BODY_MAX 65536u /* of a request of this tool */

struct mgmt_server {
    const struct settings_server *settings;
    unsigned number;       /* `server 0` */
    struct caller *caller; /* NULL: not connected */
    char login[64];        /* "bob(CU)", "" */
};

struct mgmt {
    struct client_settings settings;
    struct tls_context *tls;
    struct mgmt_server servers[SETTINGS_SERVERS_MAX];
    size_t server_count;
    struct mgmt_server *scope; /* `server 0` was said; NULL: all of them */
};

extern const struct command_table mgmt_commands;

#define COMMAND(name, run, flags, help, ...) \
    enum status run(void *tool, const struct values *values);
#include "tools/mgmt_commands.def"
#undef COMMAND

/* ---- connections (mgmt_server.c) ---- */

/* Connects to each server that has no connection, with the lines for it; the number of
 * connections there are then, in the scope. */
size_t mgmt_connect(struct mgmt *mgmt);
bool mgmt_connect_anew(struct mgmt *mgmt, struct mgmt_server *server);
/* Reads PO.crt and the client's certificate, for connections from now on. False: the seeds' line
 * was printed. */
MUST_USE bool mgmt_trust(struct mgmt *mgmt);
/* May the command go to the servers of its scope? Not when one has no owner, unless the command
 * is for those; prints a line. */
bool mgmt_permits(struct mgmt *mgmt, const struct command *command);
void mgmt_disconnect(struct mgmt *mgmt);
/* How many are connected, in the scope. */
size_t mgmt_connected(const struct mgmt *mgmt);
/* Steps through the connected servers of the scope: begin with NULL; NULL at the end. */
struct mgmt_server *mgmt_next(struct mgmt *mgmt, const struct mgmt_server *before);

/* One call to one server; a lost connection is closed. */
CK_RV mgmt_call(struct mgmt_server *server, enum operation operation, const struct writer *body,
                view *ret_reply);

/* ---- one request to every server (mgmt_step.c) ---- */

/* What is asked after a failure. An answer that is none of them, from a pipe, is Abort and the
 * next command. */
enum mgmt_ask { ASK_NOT, ASK_ABORT, ASK_ROLL_BACK };

struct mgmt_step {
    const char *command;      /* "createUser": `createUser success on server 0(hsm1)` */
    const char *act;          /* "creating user": `creating user on server 0(hsm1) failed` */
    enum operation operation;
    enum mgmt_ask ask;
    const char *saying; /* of mgmt_change(): the line behind the yes; NULL: none */
    /* Prints what the reply says; false: it does not read. NULL: only the line of success. */
    bool (*show)(void *arg, struct mgmt_server *server, view reply);
    void *arg;
    bool quiet; /* no line of success: show says all there is */
    /* What each server is sent, at its place among the servers; NULL: all of them the same. */
    const struct writer *bodies;
    /* For rollBack: takes back what a server has done. NULL: that ends the command alone. */
    void (*undo)(void *arg, struct mgmt_server *server);
};

/* The frame of asterisks before what a node keeps for itself, and y/n. */
bool mgmt_confirmed(void);
/* To each connected server of the scope in turn. What changes the records is carried out by the first
 * of those that share them; the others are asked whether they have seen it. */
enum status mgmt_everywhere(struct mgmt *mgmt, const struct mgmt_step *step,
                            const struct writer *body);
/* The same after the words of caution and a yes; STATUS_REFUSED without it. The body is cleared in
 * any case. */
enum status mgmt_change(struct mgmt *mgmt, const struct mgmt_step *step, struct writer *body);
/* The two lines of a failure, for commands that go their own way. */
void mgmt_failed(const char *command, const char *act, const struct mgmt_server *server,
                 CK_RV rv);

/* The step with -2fa FILE, whose operation is one of the signed ones: each server draws a challenge,
 * their file is written, its path asked for, and it is read with the signatures (mgmt_factor.c). */
enum status mgmt_signed(struct mgmt *mgmt, const struct values *values,
                        const struct secret *password, struct mgmt_step step);

/* All users of one server, one after the other, as they stand in the replies. */
CK_RV mgmt_users_fetch(struct mgmt_server *server, struct writer *users);

/* A user as a blob, appended, and made of one; mgmt_sync.c. */
CK_RV mgmt_user_mask(struct mgmt_server *server, uint32_t role, view name,
                     struct writer *ret_blob);
CK_RV mgmt_user_unmask(struct mgmt_server *server, view blob);

/* Keys of one server: for each its handle and how often it was changed, u32 each, and whether it
 * is the user's or shared with him. */
struct mgmt_keys {
    struct writer handles;
    struct writer kinds; /* u8 each: 1 his, 2 shared */
    struct writer versions;
    uint32_t count;
};
/* Those of a user, 0: all there are, by rising handle; afterwards mgmt_keys_clear(), in any case. */
CK_RV mgmt_keys_fetch(struct mgmt_server *server, uint32_t user, struct mgmt_keys *keys);
void mgmt_keys_clear(struct mgmt_keys *keys);
/* How often that one was changed; handle is not 0. CKR_OBJECT_HANDLE_INVALID: there is none. */
CK_RV mgmt_key_version(struct mgmt_server *server, uint32_t handle, uint32_t *ret_version);

/* ---- files and JSON ---- */

/* The whole file, at most max bytes, appended; false with a line on stderr. */
MUST_USE bool mgmt_file_read(const char *path, size_t max, struct writer *out);

/* {"server":0,"hostname":"hsm1"}: listings add what they found. */
json_t *mgmt_json_server(const struct mgmt_server *server);
/* All that is known of the connection to it. */
json_t *mgmt_json_connection(const struct mgmt_server *server);
/* Prints {"servers":[...]} on a line of its own and releases the list. */
enum status mgmt_json_print(json_t *servers, enum status status);

#endif
