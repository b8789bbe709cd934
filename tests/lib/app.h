/* SPDX-License-Identifier: Apache-2.0
 *
 * An application process as the core sees it: a context that sends frames. A request is
 * handled at PLACE_LOOP first and goes on where the core asks for; frames that come back are
 * held to their form. The functions of one operation give the reply's code, and what they
 * return by ret_ only with CKR_OK. Views are valid until the app's next call.
 */
#ifndef TESTS_LIB_APP_H
#define TESTS_LIB_APP_H

#include "lib/hsm_fixture.h"
#include "wire/message.h"

#define APP_NOBODY 0u
#define APP_PLACES_MAX 4
#define APP_ROOM_MAX 0xffffffffu /* max of a caller with room for anything */

struct app {
    struct hsm *const *hsm; /* the fixture's, whichever is open */
    struct outside *outside;
    uint8_t context[FRAME_CONTEXT_LEN];
    uint32_t uid;
    enum interface interface;
    unsigned port;
    view certificate; /* that TLS has seen */
    uint64_t request; /* number of the last request */
    uint64_t revision; /* the highest it has seen */
    bool patient;      /* asks again for 20 s where a node says that it is behind, as a daemon does */
    uint32_t back;    /* see frame_settled(); 0 to tell nothing */
    uint32_t session;
    uint32_t steps[64]; /* of running operations, see app_step() */
    bool read_write;
    unsigned nodes;  /* that are to have what it makes, see frame_nodes() */
    uint32_t handle; /* of the last session object */
    uint8_t ticket[256];
    size_t ticket_len;

    /* Of the last call. */
    struct frame answer;
    enum hsm_place places[APP_PLACES_MAX]; /* where the request was sent on to */
    size_t place_count;
    struct writer told; /* body of a COPIES frame that came before it */
    uint32_t needed; /* with CKR_BUFFER_TOO_SMALL */
    struct writer reply;
};

/* Attached with session 1, read-write, through PKCS#11 on the clients' port; user logged in
 * (by a ticket: no password is hashed) unless it is APP_NOBODY. */
void app_init(struct app *app, struct hsm_fixture *f, uint32_t user);
void app_clear(struct app *app);

/* One request; its number is the next one. The reply's body comes with CKR_OK only. */
CK_RV app_call(struct app *app, enum operation operation, view body, view *ret_body);
/* The same request number once more. */
CK_RV app_repeat(struct app *app, enum operation operation, view body, view *ret_body);
/* The next request, handled at one place only; true when it was put off to *ret_place. */
bool app_put_off(struct app *app, enum operation operation, view body, enum hsm_place place,
                 enum hsm_place *ret_place);

/* CK_RV app_sign(struct app *app, const struct sign_request *m, struct sign_reply *ret_m),
 * and so on for all that the core answers. */
#define APP_OPERATIONS(ROW)               \
    ROW(ATTACH, attach)                   \
    ROW(DETACH, detach)                   \
    ROW(PING, ping)                       \
    ROW(CHANGES, changes)                 \
    ROW(TOKEN, token)                     \
    ROW(LOGIN, login)                     \
    ROW(LOGOUT, logout)                   \
    ROW(RENEW, renew)                     \
    ROW(SESSION_CLOSE, session_close)     \
    ROW(AUTHENTICATE, authenticate)       \
    ROW(PIN_SET, pin_set)                 \
    ROW(PIN_INIT, pin_init)               \
    ROW(RANDOM, random)                   \
    ROW(SEED, seed)                       \
    ROW(FIND, find)                       \
    ROW(OBJECT_CREATE, object_create)     \
    ROW(OBJECT_COPY, object_copy)         \
    ROW(OBJECT_DESTROY, object_destroy)   \
    ROW(OBJECT_GET, object_get)           \
    ROW(OBJECT_SET, object_set)           \
    ROW(OBJECT_SIZE, object_size)         \
    ROW(OBJECT_MASK, object_mask)         \
    ROW(OBJECT_UNMASK, object_unmask)     \
    ROW(TOKEN_SIGN, token_sign)           \
    ROW(TOKEN_SETTLE, token_settle)       \
    ROW(TOKEN_DROP, token_drop)           \
    ROW(TOKEN_CHECK, token_check)         \
    ROW(GENERATE_KEY, generate_key)       \
    ROW(GENERATE_PAIR, generate_pair)     \
    ROW(DERIVE, derive)                   \
    ROW(WRAP, wrap)                       \
    ROW(UNWRAP, unwrap)                   \
    ROW(ENCRYPT, encrypt)                 \
    ROW(DECRYPT, decrypt)                 \
    ROW(SIGN, sign)                       \
    ROW(VERIFY, verify)                   \
    ROW(SIGN_RECOVER, sign_recover)       \
    ROW(VERIFY_RECOVER, verify_recover)   \
    ROW(DIGEST, digest)                   \
    ROW(START, start)                     \
    ROW(UPDATE, update)                   \
    ROW(FINAL, final)                     \
    ROW(CANCEL, cancel)                   \
    ROW(KEY_DETAILS, key_details)         \
    ROW(USER_LIST, user_list)             \
    ROW(USER_CREATE, user_create)         \
    ROW(USER_DELETE, user_delete)         \
    ROW(USER_PASSWORD, user_password)     \
    ROW(POLICY_SET, policy_set)           \
    ROW(CERT_REQUEST, cert_request)       \
    ROW(CERT_GET, cert_get)               \
    ROW(CERT_STORE, cert_store)           \
    ROW(CHALLENGE, challenge)             \
    ROW(OFFICER_UNLOCK, officer_unlock)   \
    ROW(USER_UNLOCK, user_unlock)         \
    ROW(FACTOR_CHALLENGE, factor_challenge) \
    ROW(LOGIN_SIGNED, login_signed)       \
    ROW(USER_CREATE_SIGNED, user_create_signed) \
    ROW(USER_PASSWORD_SIGNED, user_password_signed) \
    ROW(USER_MASK, user_mask)             \
    ROW(USER_UNMASK, user_unmask)         \
    ROW(USER_RENAME, user_rename)         \
    ROW(USER_CLOSE, user_close)           \
    ROW(QUORUM_KEY, quorum_key)           \
    ROW(QUORUM_SET, quorum_set)           \
    ROW(QUORUM_GET, quorum_get)           \
    ROW(QUORUM_TIME, quorum_time)         \
    ROW(QUORUM_TOKEN, quorum_token)       \
    ROW(QUORUM_APPROVE, quorum_approve)   \
    ROW(QUORUM_LIST, quorum_list)         \
    ROW(QUORUM_DELETE, quorum_delete)     \
    ROW(KEY_LIST, key_list)               \
    ROW(KEY_SHARE, key_share)             \
    ROW(KEY_OWNER, key_owner)             \
    ROW(KEY_SET, key_set)                 \
    ROW(NODES, nodes)                     \
    ROW(NODE_ADD, node_add)               \
    ROW(NODE_REMOVE, node_remove)         \
    ROW(JOIN, join)                       \
    ROW(JOIN_KEY, join_key)               \
    ROW(COPIES, copies)                   \
    ROW(CLUSTER, cluster)
#define APP_DECLARE(operation, name)                                          \
    CK_RV app_send_##name(struct app *app, const struct name##_request *m, \
                          struct name##_reply *ret_m);
APP_OPERATIONS(APP_DECLARE)
#undef APP_DECLARE

/* ---- the same in short ---- */

CK_RV app_attach(struct app *app);
CK_RV app_detach(struct app *app);
/* The same process on another node, with its login and all that it has seen; its next request has
 * the number that it would have had. */
CK_RV app_move(struct app *app, struct hsm_fixture *to);
/* Keeps the ticket for the next app_attach(). */
CK_RV app_login(struct app *app, uint32_t role, const char *name, const char *password);
CK_RV app_logout(struct app *app);
/* A ticket for the user as it was made, sealed by the test. */
void app_ticket(struct app *app, struct hsm_fixture *f, uint32_t user, uint64_t expires);

CK_RV app_make_user(struct app *app, uint32_t role, const char *name, const char *password);
CK_RV app_set_password(struct app *app, uint32_t role, const char *name, const char *password);
CK_RV app_delete_user(struct app *app, uint32_t role, const char *name);
/* Failed logins of a user; fails the process when there is none. */
uint32_t app_failures(struct app *app, const char *name);

/* Session objects are numbered by the app. ret_info may be NULL. */
CK_RV app_create(struct app *app, view template, struct key_info *ret_info);
CK_RV app_copy(struct app *app, uint32_t object, view template, struct key_info *ret_info);
CK_RV app_set(struct app *app, uint32_t object, view changes);
CK_RV app_destroy(struct app *app, uint32_t object);
CK_RV app_generate(struct app *app, CK_MECHANISM_TYPE type, view template,
                   struct key_info *ret_info);
CK_RV app_derive(struct app *app, struct mechanism mechanism, uint32_t key, view template,
                 struct key_info *ret_info);
CK_RV app_generate_pair(struct app *app, CK_MECHANISM_TYPE type, view public_template,
                        view private_template, struct key_info *ret_public,
                        struct key_info *ret_private);
/* One attribute; *ret_status says what there is in place of a value. */
CK_RV app_get(struct app *app, uint32_t object, CK_ATTRIBUTE_TYPE type,
              struct attribute *ret_attribute);
/* All matches, page by page of so many; max of them go into handles. */
CK_RV app_find(struct app *app, view template, uint32_t page, uint32_t *handles, size_t max,
               size_t *ret_count);
/* How many objects there are for this app to find. */
size_t app_count(struct app *app);
bool app_finds(struct app *app, uint32_t object);

/* A mechanism without parameter. */
struct mechanism mechanism_plain(CK_MECHANISM_TYPE type);

CK_RV app_encrypt(struct app *app, struct mechanism mechanism, uint32_t key, view data,
                  view *ret_data);
CK_RV app_decrypt(struct app *app, struct mechanism mechanism, uint32_t key, view data,
                  view *ret_data);
CK_RV app_sign(struct app *app, struct mechanism mechanism, uint32_t key, view data,
               view *ret_signature);
CK_RV app_verify(struct app *app, struct mechanism mechanism, uint32_t key, view data,
                 view signature);
CK_RV app_digest(struct app *app, CK_MECHANISM_TYPE type, view data, view *ret_digest);

CK_RV app_start(struct app *app, CK_FLAGS function, struct mechanism mechanism, uint32_t key);
/* The number of a running operation's next step, for UPDATE and FINAL. */
uint32_t *app_step(struct app *app, CK_FLAGS function);
CK_RV app_update(struct app *app, CK_FLAGS function, view data, view *ret_data);
CK_RV app_digest_key(struct app *app, uint32_t key);
CK_RV app_final(struct app *app, CK_FLAGS function, view signature, view *ret_data);

#endif
