/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages: the bodies of frames. For every row of messages.def there is
 *
 *     struct NAME;                                                 its fields
 *     void NAME_write(struct writer *w, const struct NAME *m);
 *     bool NAME_read(view body, struct NAME *ret_m);
 *
 * Reading demands the exact length and canonical form (writing what was read gives the same
 * bytes), checks caps before anything else, and yields views borrowed from the body.
 */
#ifndef WIRE_MESSAGE_H
#define WIRE_MESSAGE_H

#include "base/bytes.h"
#include "rules/key.h"
#include "wire/frame.h"
#include "wire/params.h"

#define FIND_MAX 512u
#define TEXT_MAX 256u
#define USERS_PAGE_MAX 1024u

/* Roles, numbered as the original numbers them (azure-cloud-hsm.md 2.4). */
enum role { ROLE_NONE = 0, ROLE_CU = 1, ROLE_CO = 2, ROLE_AU = 5, ROLE_PRECO = 6 };

/* Certificates, numbered as the original numbers them (azure-cloud-hsm.md 0.1). */
#define CERT_OWNER 4u /* PO.crt: the partition owner's trust anchor */
#define CERT_NODE 8u  /* POAC.crt: the partition's, signed by the owner */

/* What a challenge for a second factor is drawn for. */
#define CHALLENGE_LOGIN 1u
#define CHALLENGE_KEY 2u /* to show that one has the key that is to be the second factor */
#define CHALLENGE_DIGEST_LEN 32u

struct user_info {
    uint32_t id;
    uint32_t role;
    view name;
    uint32_t failures; /* failed logins since the last success */
    bool quorum_key;
    bool second_factor;
};

/* One of those that share the records (core/member.h). */
struct node_info {
    uint32_t id;  /* from 1 */
    bool present; /* it has the master key, and was up */
    view serial;
    view print;   /* 32 bytes: SHA-256 of its public key */
    view hostname; /* empty until it was up */
    uint16_t client_port;
    uint16_t manage_port;
};

/* A session object, sealed by the node that has it for those that shall have it when that one is no
 * more (core/copy.h). */
#define COPY_MAX (16u * 1024u)
struct copy_info {
    uint32_t handle;
    uint32_t session; /* that made it */
    uint64_t version; /* rises with each change */
    view sealed;      /* at most COPY_MAX bytes */
};

/* Arrays keep their encoded form; the functions below step through them. */
struct info_array {
    view bytes;
};
struct number_array {
    view bytes;
};
struct user_array {
    view bytes;
};
struct node_array {
    view bytes;
};
struct copy_array {
    view bytes;
};

#define FORM_TYPE_u8 uint8_t
#define FORM_TYPE_u16 uint16_t
#define FORM_TYPE_u32 uint32_t
#define FORM_TYPE_u64 uint64_t
#define FORM_TYPE_flag bool
#define FORM_TYPE_bytes view
#define FORM_TYPE_secret view
#define FORM_TYPE_text view
#define FORM_TYPE_list view
#define FORM_TYPE_mech struct mechanism
#define FORM_TYPE_infos struct info_array
#define FORM_TYPE_numbers struct number_array
#define FORM_TYPE_users struct user_array
#define FORM_TYPE_nodes struct node_array
#define FORM_TYPE_copies struct copy_array

#define MESSAGE(name) struct name {
#define FIELD(form, name) FORM_TYPE_##form name;
#define MESSAGE_END(name) \
    }                     \
    ;
#include "wire/messages.def"
#undef MESSAGE
#undef FIELD
#undef MESSAGE_END

#define MESSAGE(name)                                         \
    void name##_write(struct writer *w, const struct name *m); \
    MUST_USE bool name##_read(view body, struct name *ret_m);
#define FIELD(form, name)
#define MESSAGE_END(name)
#include "wire/messages.def"
#undef MESSAGE
#undef FIELD
#undef MESSAGE_END

/* Operations, rows of operations.def: OPERATION_SIGN is 52. */
enum operation {
    OPERATION_NONE = 0,
#define OPERATION(name, number, ...) OPERATION_##name = (number),
#include "wire/operations.def"
#undef OPERATION
};

enum access { ACCESS_any, ACCESS_user, ACCESS_cu, ACCESS_co, ACCESS_crypto };
enum ports { PORTS_none = 0, PORTS_unix = 1, PORTS_client = 2, PORTS_manage = 4, PORTS_both = 6 };
enum repeat { REPEAT_repeat, REPEAT_once, REPEAT_bound };
enum operation_work { OPERATION_WORK_inline, OPERATION_WORK_slow, OPERATION_WORK_store,
                      OPERATION_WORK_key };
enum operation_changes { CHANGES_none, CHANGES_object, CHANGES_all };
enum operation_names { NAMES_none, NAMES_made, NAMES_changed, NAMES_derived };
enum tie { TIE_none, TIE_home, TIE_step };

struct operation_row {
    enum operation operation;
    const char *name;
    enum access access;
    unsigned ports; /* bits of enum ports */
    enum repeat repeat;
    enum operation_work work;
    bool audited;
    enum operation_changes changes;
    enum operation_names names;
    enum tie tie;
    bool revokes;
    unsigned unowned; /* bits of enum ports */
};

/* NULL when there is no such operation. */
const struct operation_row *operation_row(uint16_t operation);
const struct operation_row *operation_rows(size_t *ret_count);

/* key_info arrays. */
#define KEY_INFO_LEN 24u
void key_info_write(struct writer *w, const struct key_info *info);
size_t info_array_count(struct info_array array);
struct key_info info_array_get(struct info_array array, size_t i); /* i < count */

void number_write(struct writer *w, uint32_t number);
size_t number_array_count(struct number_array array);
uint32_t number_array_get(struct number_array array, size_t i);

void user_info_write(struct writer *w, const struct user_info *user);
/* Steps: start with reader_of(array.bytes); false at the end. */
MUST_USE bool user_array_next(struct reader *r, struct user_info *ret_user);

#define NODE_PRINT_LEN 32u
void node_info_write(struct writer *w, const struct node_info *node);
MUST_USE bool node_array_next(struct reader *r, struct node_info *ret_node);

#define COPY_INFO_OVERHEAD (4u + 4u + 8u + 4u) /* beside what is sealed */
void copy_info_write(struct writer *w, const struct copy_info *copy);
MUST_USE bool copy_array_next(struct reader *r, struct copy_info *ret_copy);

#endif
