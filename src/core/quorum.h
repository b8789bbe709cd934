/* SPDX-License-Identifier: Apache-2.0
 *
 * Quorum: M of N officers approve what one of them does. An officer registers a public key and
 * proves that he has the private one. Who wants to act draws a token (QUORUM_TOKEN), has it
 * signed by M officers, brings their signatures back (QUORUM_APPROVE), and acts; the token is
 * used up by one act that succeeds. Tokens live for minutes, in memory, for the login that drew
 * them. Keys are sealed records k/<user>, the values of M and the time of tokens m/00000001.
 */
#ifndef CORE_QUORUM_H
#define CORE_QUORUM_H

#include "core/record.h"

#include <pthread.h>

struct request;
struct hsm;

/* Services, numbered as the original numbers them. */
#define SERVICE_USERS 3u /* USER_MGMT: create, delete and unlock users, change their passwords */
#define SERVICE_MISC 4u  /* MISC_CO: the settings of the quorum itself, and the policy */

#define QUORUM_MIN 2u
#define QUORUM_MAX 8u
#define QUORUM_TOKENS_MAX 1024u
#define QUORUM_KEY_MAX 1024u      /* SubjectPublicKeyInfo */
#define QUORUM_PROOF_MAX 245u     /* bytes that an officer signs to prove that he can */
#define QUORUM_TIME 600u          /* seconds */
#define QUORUM_TIME_MIN 10u
#define QUORUM_TIME_MAX 86400u

/*
 * A token: "OCHT", u8 version, u8 service, u16 0, u32 id, u32 user, 16 bytes serial of the node,
 * u64 when it ends (ms since 1970), 32 random bytes. Officers sign a file of up to
 * QUORUM_NODES_MAX of them, one of each node.
 */
#define QUORUM_TOKEN_LEN 72u
#define QUORUM_NODES_MAX 32u

struct quorum_token_text {
    uint32_t service;
    uint32_t id;
    uint32_t user;
    char serial[17];
    uint64_t until;
    view nonce;
};
void quorum_token_write(struct writer *w, const struct quorum_token_text *token);
/* Of exactly QUORUM_TOKEN_LEN bytes; false when it is none. */
MUST_USE bool quorum_token_read(view bytes, struct quorum_token_text *ret_token);
/* The one of this node in a file. False: the file is none, or has none or several of it. */
MUST_USE bool quorum_file_find(view file, const char *serial, view *ret_token);

struct quorum_key {
    uint32_t user;
    uint64_t version;
    uint64_t revision;
    uint8_t der[QUORUM_KEY_MAX];
    size_t len;
};

struct quorum_token {
    struct quorum_token *next;
    uint32_t id;
    uint32_t service;
    uint32_t user;
    uint64_t login; /* of the session that drew it */
    uint8_t context[16];
    uint64_t until; /* hsm_time() */
    uint8_t bytes[QUORUM_TOKEN_LEN];
    uint32_t approvers[QUORUM_MAX];
    uint32_t approvals;
};

struct quorum {
    pthread_mutex_t lock; /* guards all of it; the last to be taken */
    struct quorum_key *keys;
    size_t key_count;
    size_t key_size;
    struct quorum_token *tokens;
    size_t token_count;
    uint32_t last_id;
    uint32_t needed_users; /* M of SERVICE_USERS, 0: none */
    uint32_t needed_misc;
    uint32_t seconds;
    uint64_t version; /* of the record with these three */
    uint64_t revision;
};

MUST_USE bool quorum_init(struct quorum *quorum);
void quorum_clear(struct quorum *quorum);

/* While loading. */
MUST_USE CK_RV quorum_load_key(struct quorum *quorum, const struct sealer *sealer, uint32_t user,
                               view record, uint64_t revision);
MUST_USE CK_RV quorum_load_settings(struct quorum *quorum, const struct sealer *sealer,
                                    uint32_t number, view record, uint64_t revision);

bool quorum_has_key(struct quorum *quorum, uint32_t user);
/* May this officer go without leaving fewer keys than M? */
bool quorum_can_lose(struct quorum *quorum, uint32_t user);
void quorum_forget(struct quorum *quorum, uint32_t user);

/* Who must agree to a change of settings: MISC_CO where it has a quorum, else the other. Under the
 * lock for changes. */
uint32_t quorum_settings_service(const struct quorum *quorum);
/*
 * The approved token that the act needs, taken out so that no other act has it; NULL where the
 * service needs none. CODE_QUORUM: there is none. Afterwards quorum_done(), in any case.
 */
MUST_USE CK_RV quorum_take(struct request *request, uint32_t service,
                           struct quorum_token **ret_token);
/* Used up where the act succeeded (rv is CKR_OK), else put back. Gives rv. */
CK_RV quorum_done(struct request *request, struct quorum_token *token, CK_RV rv);

#endif
