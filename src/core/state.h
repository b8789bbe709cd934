/* SPDX-License-Identifier: Apache-2.0
 *
 * The HSM from inside: its state, one request on its way, and the handlers that
 * operations.def dispatches to. Only core/ includes this.
 */
#ifndef CORE_STATE_H
#define CORE_STATE_H

#include "core/admit.h"
#include "core/audit.h"
#include "core/builtin.h"
#include "core/changes.h"
#include "core/container.h"
#include "core/context.h"
#include "core/fence.h"
#include "core/follow.h"
#include "core/hsm.h"
#include "core/journal.h"
#include "core/keyed.h"
#include "core/lates.h"
#include "core/life.h"
#include "core/logout.h"
#include "core/member.h"
#include "core/numbers.h"
#include "core/owner.h"
#include "core/quorum.h"
#include "core/release.h"
#include "core/replies.h"
#include "core/ticket.h"
#include "core/tomb.h"
#include "core/user.h"
#include "rules/template.h"

/*
 * One slow check of a password at a time for a name. Names that no user has pass through here as
 * well, and are counted on a record of the gate's own, so that they cost what others cost.
 */
#define PASSWORD_GATES 64u
#define GATE_USER_FIRST 0xffffff00u /* numbers that no user has: those of the gates' records */
struct password_gate {
    pthread_mutex_t lock;     /* taken after hsm->change */
    uint32_t user;            /* number of the gate's own record */
    uint64_t failures_revision; /* of that record, under hsm->lock */
};

struct hsm {
    struct hsm_ports ports;
    struct sealer sealer;      /* master key: records and tickets */
    struct sealer boot_sealer; /* a key of this boot: session objects, quick hashes */
    struct rules rules; /* of the partition; the interface is each context's own */
    struct template_flags fitting[KIND_COUNT]; /* of its policy */
    _Atomic(struct renewal *) renewal; /* see hsm_set_renewal() */
    _Atomic bool renewal_due;          /* asked for when there was nobody who can */
    uint64_t partition_revision;       /* of the partition's record; fixed once it is open */
    char label[33];
    char serial[17];
    char node[17]; /* serial of this node; that of the partition where it is alone */

    pthread_rwlock_t lock; /* guards objects and users; held only for a look or a change */
    struct table objects;
    struct table builtin; /* fixed once it is filled: no lock */
    struct user_table users;
    uint64_t directory; /* revision of the record that who changes users changes, too (load.h) */
    struct owner owner;
    struct members members;
    struct member alone; /* this node, where it shares its store with nobody; its number is 0 else */
    struct release release;
    struct life life;
    struct admissions admissions;
    struct quorum quorum;

    struct follow follow;
    struct fence fence;
    struct changes changes;
    struct keyed keyed;
    struct context_table contexts;
    struct replies replies;
    struct lates lates;
    struct logouts logouts;
    struct tombs tombs;
    _Atomic uint64_t copies_given; /* of session objects, to daemons; these three since the start */
    _Atomic uint64_t copies_revived;
    _Atomic uint64_t copies_refused;
    _Atomic uint64_t ticket_life; /* milliseconds; life.h */

    pthread_mutex_t change;  /* one change or removal of a record at a time: hsm_change_begin() */
    pthread_mutex_t numbers; /* guards the block */
    struct number_block {
        uint64_t next;
        uint64_t left;
    } handles;
    struct numbers certificates;
    struct containers containers; /* under change */

    struct password_gate gates[PASSWORD_GATES];

    uint64_t wall_start;      /* both clocks when the partition was opened */
    uint64_t monotonic_start;
    _Atomic uint64_t revision;
    struct journal_keeper journal;
    uint64_t journal_first;  /* of the oldest record; these two are hsm_trim_journal()'s alone */
    uint64_t journal_first_revision; /* of the record that tells it */
    _Atomic uint64_t logins; /* counter of logins of this boot */
    char lacking[USER_NAME_MAX + 1]; /* hsm_lack_user(), "" but in tests */
};

/* What the audit record of a request says beside what the request says itself. */
struct note {
    bool nothing;       /* no key takes part: no record */
    uint64_t mechanism; /* AUDIT_NO_MECHANISM until one is noted */
    uint64_t revision;  /* of what it stored */
    uint32_t object;
    char detail[AUDIT_DETAIL_MAX + 1];
};

#define COMMIT_MAX 4u /* changes of one request */

/* One request on its way through the core. */
struct request {
    struct hsm *hsm;
    const struct hsm_peer *peer;
    enum hsm_place place;
    enum hsm_place later; /* where to go on, when the handler says LATER */
    const struct frame *frame;
    const struct operation_row *row;
    struct context *context; /* NULL for ATTACH */
    struct identity who;
    struct rules rules;
    struct writer *reply; /* the body goes here; on an error code it is cut back */
    size_t reply_start;   /* where the reply's body begins */
    bool reply_kept;
    struct reply_run *run; /* of a `once` request */
    bool alone;           /* nobody waits without a limit for what it holds: its commit may take as
                             long as the disk */
    struct note note;
    uint32_t missed;      /* a stored object that was asked for, and is not here */
    bool barrier;         /* answered when every node knows of it */
    uint32_t made[COMMIT_MAX]; /* token objects */
    size_t made_count;
    uint32_t entered[COMMIT_MAX]; /* session objects */
    size_t entered_count;
    bool kept;            /* the reply is that of another time */
    view body;
};

/* What a handler returns beside return codes: nothing happened, go to request->later. */
#define CODE_LATER ((CK_RV)0xfffffff0u)
/* Another node was faster: nothing happened, and the request is run again when what it did is in
 * the tables. */
#define CODE_CONFLICT ((CK_RV)0xffffff00u)

/* Does the place allow what this costs? Else later is set and the caller returns CODE_LATER. */
bool request_may(struct request *request, enum hsm_place needed);
bool request_may_work(struct request *request, enum work work);

/* The body of its reply, as far as it is written. */
view request_reply_body(const struct request *request);
/* The objects that it names, by column `names` of operations.def. False: it
 * does not, or not yet. */
MUST_USE bool request_reply_objects(const struct request *request,
                                    struct info_array *ret_objects);

/* One handler per row of operations.def that the core answers. */
#define OPERATION(name, ...) CK_RV handle_##name(struct request *r);
#include "wire/operations.def"
#undef OPERATION

/*
 * Objects as a request sees them: with a reference for the caller, or NULL when there is no
 * such object or it may not be seen. Session objects are sealed by the boot's sealer.
 */
struct object *request_object(struct request *request, uint32_t handle);
const struct sealer *object_sealer(const struct hsm *hsm, uint32_t handle);
bool request_sees(const struct request *request, const struct object *object);
/* Is today within the key's dates, or does nobody ask? */
bool request_key_is_valid(const struct request *request, const struct object *key);
/* What C_XInit asks of a key: key_check(), its dates, CKA_ALLOWED_MECHANISMS. */
MUST_USE CK_RV request_key_check(const struct request *request, const struct mechanism_row *row,
                                 CK_FLAGS function, CK_MECHANISM_TYPE type,
                                 const struct object *key);
/* A GCM parameter that asks for an IV gets one, in room, which is *ret_made; else that is empty. */
MUST_USE CK_RV request_iv(struct request *request, CK_FLAGS function, struct mechanism *mechanism,
                          uint8_t room[12], view *ret_made);
/* Has the partition opened again, where somebody can. */
void hsm_renew(struct hsm *hsm);

/* Has the object, which may be of another policy's time, what this one has in all of its kind? */
bool object_fits_policy(const struct hsm *hsm, const struct object *object);
/* object_key(); another token object may lose its parsed key for it. */
MUST_USE CK_RV request_key_of(struct request *request, struct object *object,
                              const struct algo_key **ret_key);

#define HANDLE_TOKEN_FIRST 0x40000u
#define HANDLE_TOKEN_LAST 0x7fffffffu
#define HANDLE_SESSION_FIRST 0x80000000u
#define HANDLE_SESSION_LAST 0xffefffffu
bool handle_is_session(uint32_t handle);
/* hsm_time() in seconds, as numbers rest. */
uint32_t hsm_seconds(const struct hsm *hsm);

/* Milliseconds since 1970 as they were at the start and have passed since: what lives for a time,
 * tickets and kept replies, does not live longer or shorter because somebody sets the clock. */
uint64_t hsm_time(const struct hsm *hsm);

/* By what its reply is kept. */
struct reply_key request_reply_key(const struct request *request);

/* One change of the store: waits, keeps the revision, gives CKR_OK, CKR_DEVICE_ERROR or, where
 * other nodes write too, CODE_CONFLICT.
 * *ret_revision is that of the transaction. For what is no request's result; the rest goes
 * through request_commit(). */
MUST_USE CK_RV hsm_commit(struct hsm *hsm, const struct store_txn *txn, uint64_t *ret_revision);

/* Who has such a lock may wait for the store, so nobody waits for it longer than for that:
 * CKR_DEVICE_ERROR. */
MUST_USE CK_RV hsm_wait_for(pthread_mutex_t *lock);
/* The same, of the lock for changes. */
MUST_USE CK_RV hsm_change_begin(struct hsm *hsm);
void hsm_change_end(struct hsm *hsm);

/* Token objects that were made without a login: whoever reaches the port can make them. */
#define UNOWNED_MAX 1024u

/* The object with these attributes changed, in the reply (one key information), the store and its
 * table; whether he who asks may do so was looked at. Under the lock that its changes take. */
MUST_USE CK_RV object_set(struct request *request, struct object *object, view changes);

/* Stores a member and puts it into the list, noted for the audit; the reply is written. also: what
 * else has to hold, NULL: nothing. Under the lock for changes. */
MUST_USE CK_RV member_keep(struct request *request, struct member *member,
                           const struct store_compare *also);

/* The change that a `once` request makes. The reply's body has to be written before: it is
 * kept in the same transaction, for a request that comes again. */
MUST_USE CK_RV request_commit(struct request *request, const struct store_compare *compares,
                              size_t compare_count, const struct store_change *changes,
                              size_t change_count, uint64_t *ret_revision);

/*
 * Is this the password? Quickly where it was right before in this boot, else counted, slow:
 * CODE_LATER where that may not run. CKR_PIN_INCORRECT, CKR_PIN_LOCKED. *ret_user is a copy of
 * the user, to be wiped.
 */
MUST_USE CK_RV login_try(struct request *r, uint32_t role, view name, view password,
                         struct user *ret_user);
/* The name of who is logged in; CKR_USER_NOT_LOGGED_IN. */
MUST_USE CK_RV login_own_name(struct request *r, char ret_name[USER_NAME_MAX + 1]);

/* Tokens whose certificates never came to be, and numbers that have rested (token.c). */
void tokens_sweep(struct hsm *hsm);

/* Where passwords of that name are tried, one at a time; never NULL. Names share gates, by a hash
 * that anybody can work out. */
struct password_gate *password_gate(struct hsm *hsm, view name);

/* The context is the ticket's user's from now on, if that user is still what it was when the
 * ticket was made (login.c). */
bool login_take_up(struct hsm *hsm, struct context *context, const struct ticket *ticket);

/*
 * Handlers note what their audit record is to say; before request_commit(), which stores it. The
 * record itself is the door's business (note.c).
 */
void note_key(struct request *request, uint32_t object, CK_MECHANISM_TYPE mechanism);
void note_detail(struct request *request, const char *format, ...) PRINTF(2, 3);
/* The record as it would be now, into w. */
void note_record(const struct request *request, CK_RV rv, struct writer *w);
/* And of another operation. */
void note_record_of(const struct request *request, enum operation operation, CK_RV rv,
                    struct writer *w);
/* Runs the request's handler with a record reserved; CKR_FUNCTION_FAILED when there is none. */
MUST_USE CK_RV note_run(struct request *request, CK_RV (*run)(struct request *request));

#endif
