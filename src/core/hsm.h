/* SPDX-License-Identifier: Apache-2.0
 *
 * The HSM: turns request frames and state into reply frames. No sockets, files, clock,
 * random source or threads of its own. Any number of threads may call hsm_handle() at once.
 */
#ifndef CORE_HSM_H
#define CORE_HSM_H

#include "base/secret.h"
#include "core/ports.h"
#include "wire/message.h"

#define HSM_MASTER_KEY_LEN 32u

struct hsm;

/* What a partition is born with. Texts are NUL-terminated and short (see the token). */
struct hsm_birth {
    enum policy policy;
    const char *switches; /* that are not as the policy has them, see rules_switches_read() */
    const char *label;
    const char *serial;
    const char *officer;  /* name of the first CO; NULL: an owner has to come, see below */
    view officer_password;
};

/*
 * A partition that was born without an officer has no owner. It has a PRECO of this name and
 * password, who can do two things: store the owner's certificates (core/owner.c), and change his
 * password, which makes him the first CO. Nothing else is answered before.
 */
#define HSM_FACTORY_OFFICER "admin"
#define HSM_FACTORY_PASSWORD "tenantadmin"

/* Writes a new partition into an empty store. CKR_GENERAL_ERROR when it is not empty,
 * CKR_ARGUMENTS_BAD for a text, a switch or the key, CKR_PIN_LEN_RANGE for the password,
 * CKR_DEVICE_ERROR when the store fails. */
MUST_USE CK_RV hsm_initialize(const struct hsm_ports *ports, view master_key,
                              const struct hsm_birth *birth);

/* The key of the store's guard, for who writes a store that this master key is to open. */
MUST_USE bool hsm_guard_key(view master_key, const uint8_t store_id[16], uint8_t ret_key[32]);

/* Loads everything. CKR_TOKEN_NOT_INITIALIZED for an empty store; CKR_GENERAL_ERROR when a
 * record does not open with this master key (logged with its name); CKR_ARGUMENTS_BAD when that
 * has not HSM_MASTER_KEY_LEN bytes. Ports outlive the HSM. */
MUST_USE CK_RV hsm_open(const struct hsm_ports *ports, view master_key, struct hsm **ret_hsm);
void hsm_close(struct hsm *hsm);

/* Where a request is being handled, and so what it may cost there. */
enum hsm_place {
    PLACE_LOOP,  /* inline work only */
    PLACE_CPU,   /* arithmetic */
    PLACE_SLOW,  /* key generation, passwords; may wait for the store */
    PLACE_STORE  /* may wait for the store */
};

enum hsm_result { HSM_DONE, HSM_LATER };

/* What became of a request. */
struct hsm_told {
    enum hsm_place place; /* HSM_LATER: where to go on */
    uint64_t mechanism;   /* HSM_DONE: what it used, UINT64_MAX: none */
    uint32_t code;        /* HSM_DONE: of the reply */
};

/* The other end of a connection, as the edge knows it. */
struct hsm_peer {
    unsigned port;        /* PORTS_client or PORTS_manage */
    uint64_t connection;  /* a number of the edge's, for log and audit */
    const char *name;     /* its address; may be NULL */
    view certificate;     /* PEM, whose key it has proved to have; who signed it is not known */
};

/*
 * Handles one request. HSM_DONE: a whole reply frame was appended to reply; before it, for who has
 * asked COPIES once and has now made, changed or destroyed a session object, one of that operation.
 * HSM_LATER: nothing happened yet; the same call has to be made again at ret_told->place. body may
 * hold secrets; the caller wipes it. A frame whose context is not known here (and that is no
 * ATTACH) answers CODE_UNKNOWN_CONTEXT with no effect: attach, then repeat it.
 */
enum hsm_result hsm_handle(struct hsm *hsm, const struct hsm_peer *peer, enum hsm_place place,
                           const struct frame *request, view body, struct writer *reply,
                           struct hsm_told *ret_told);

/* For tests: logins of this name fail as on a node that users did not reach. name is copied. */
void hsm_lack_user(struct hsm *hsm, view name);

/* How long tickets live that are made from now on (10 minutes unless set). Where it is longer than
 * before hsm_keep_ticket_life() has to succeed before the first request; until the store has it
 * they live no longer than before. */
void hsm_set_ticket_life(struct hsm *hsm, uint64_t ms);
MUST_USE CK_RV hsm_keep_ticket_life(struct hsm *hsm);

/* Before the first request: what opens the partition again, for what takes effect then. NULL: it
 * takes effect when somebody else does. */
void hsm_set_renewal(struct hsm *hsm, struct renewal *renewal);
/* Before the first request: times the commits of the store. NULL: nobody does. */
void hsm_set_watch(struct hsm *hsm, struct stopwatch *watch);

/* Forgets contexts that nobody has used for idle_ms; the edge calls it now and then. */
void hsm_sweep(struct hsm *hsm, uint64_t idle_ms);

/*
 * Where several nodes share the store (core/follow.h): the edge calls it each second. May wait for
 * the store.
 */
void hsm_beat(struct hsm *hsm);
/* Every ten minutes: holds what this node has against the store. Takes as long as a load. */
void hsm_compare(struct hsm *hsm);
/* For how long keys are used without having heard of the store (300 s unless set); 0: no longer
 * than other nodes wait for this one. */
void hsm_set_stale_limit(struct hsm *hsm, uint64_t ms);

/*
 * Lets go the oldest records of the journal, so that about keep are left; stops after limit_ms and
 * goes on with the next call. Waits for the store. One thread at a time.
 */
void hsm_trim_journal(struct hsm *hsm, uint64_t keep, uint64_t limit_ms);

/*
 * The signed end of the audit trail (core/audit.h): trail is how far the audit port's records
 * reach, the journal's end is asked of the store. False: logged.
 */
MUST_USE bool hsm_audit_head(struct hsm *hsm, const struct chain *trail, struct writer *out);
/* What a file of the trail says of its origin: the store, the key that heads are checked with, and
 * the partition's serial (room for 17 characters). */
MUST_USE bool hsm_audit_identity(struct hsm *hsm, uint8_t ret_store_id[16], uint8_t ret_key[32],
                                 char *ret_serial);

/*
 * By what the node is known. A partition that was born with an officer has nothing of it: its
 * key and certificates are files.
 */
struct hsm_identity {
    bool owned;
    uint64_t version;           /* rises when it changes */
    struct secret *private_key; /* PKCS #8 */
    char *certificate;          /* PEM; without an owner one that it signed itself */
    char *owner;                /* PEM; NULL without an owner */
};
/* False: there is none, or no memory (logged). */
MUST_USE bool hsm_identity_get(struct hsm *hsm, struct hsm_identity *ret_identity);
void hsm_identity_clear(struct hsm_identity *identity);
uint64_t hsm_identity_version(struct hsm *hsm);
/* The name in the node's certificate: "HSM:<serial>:PARTN:1,for non-FIPS mode". */
void hsm_identity_name(const struct hsm *hsm, char *ret_name, size_t size);

/* By what it speaks to nodes that ask it for the master key; the same as hsm_identity_get() gives
 * where that gives something. False: no memory. */
MUST_USE bool hsm_set_identity(struct hsm *hsm, const struct hsm_identity *identity);

/*
 * Where this node is reached, and by what key. It enters itself into the list of members, or says
 * there that something has changed; where it does not share its store it is only told of (NODES).
 * CODE_NODE_UNKNOWN: it was removed from the list. Waits for the store.
 */
#define HSM_HOSTNAME_MAX 255u
struct hsm_place_of_node {
    const char *hostname;
    uint16_t client_port;
    uint16_t manage_port;
    uint8_t print[32]; /* SHA-256 of its public key */
};
MUST_USE CK_RV hsm_enter(struct hsm *hsm, const struct hsm_place_of_node *place);
/* Reads the list anew. Waits for the store. */
void hsm_refresh_members(struct hsm *hsm);
/* Has no other node the master key of this partition? */
bool hsm_is_alone(struct hsm *hsm);
/* Was this node removed from the list? Then it has to end. */
bool hsm_is_removed(struct hsm *hsm);

/* For metrics: the release of each node that has the master key, at most max, and that of the
 * store. Gives how many. */
struct hsm_node_release {
    char serial[17];
    uint32_t release;
};
size_t hsm_releases(struct hsm *hsm, struct hsm_node_release *ret_nodes, size_t max,
                    uint32_t *ret_store);

/* For getHSMInfo, metrics and the log. */
struct hsm_counts {
    size_t objects;
    size_t users;
    size_t contexts;
    size_t logins;          /* contexts that are logged in */
    size_t session_objects; /* these two: of all contexts */
    size_t running;
    uint64_t copies_given; /* of session objects, these three since the start */
    uint64_t copies_revived;
    uint64_t copies_refused;
};
void hsm_count(struct hsm *hsm, struct hsm_counts *ret_counts);

#endif
