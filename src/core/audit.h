/* SPDX-License-Identifier: Apache-2.0
 *
 * Audit records: who did what to which key, when, from where, and how it ended. A record goes
 * one of two ways. What a transaction changes takes its record into the same transaction
 * (core/journal.h). Everything goes to the audit port, which writes it a moment later.
 */
#ifndef CORE_AUDIT_H
#define CORE_AUDIT_H

#include "core/chain.h"
#include "core/ports.h"

#define AUDIT_TAG_LEN 8u
#define AUDIT_FROM_MAX 63u
#define AUDIT_DETAIL_MAX 159u
#define AUDIT_NO_MECHANISM UINT64_MAX

/*
 * Fields of fixed width in the order in which they are written; context, from and detail follow.
 *
 *   time        milliseconds since 1970, UTC
 *   revision    of the store, once the act is durable; 0: it changed nothing there
 *   connection  the edge's number, as its log has it
 *   mechanism   AUDIT_NO_MECHANISM when none took part
 *   user, role  who was logged in; for a login who wanted to be
 *   object      the key's handle; of a pair the private one's; 0: none
 *   code        how it ended
 */
#define AUDIT_FIELDS(FIELD)          \
    FIELD(uint64_t, u64, time)       \
    FIELD(uint64_t, u64, revision)   \
    FIELD(uint64_t, u64, connection) \
    FIELD(uint64_t, u64, mechanism)  \
    FIELD(uint32_t, u32, user)       \
    FIELD(uint32_t, u32, object)     \
    FIELD(uint32_t, u32, code)       \
    FIELD(uint16_t, u16, operation)  \
    FIELD(uint8_t, u8, role)

struct audit_record {
#define FIELD(type, form, name) type name;
    AUDIT_FIELDS(FIELD)
#undef FIELD
    uint8_t context[AUDIT_TAG_LEN]; /* a digest: the context's id must not be learned from it */
    view from;                      /* the peer's address; at most AUDIT_FROM_MAX */
    view detail;                    /* at most AUDIT_DETAIL_MAX; printable ASCII */
};

void audit_record_write(struct writer *w, const struct audit_record *record);
/* Views are borrowed. False when it is no whole record, or a text is too long or not printable. */
MUST_USE bool audit_record_read(view bytes, struct audit_record *ret_record);

/* As one line without its end: for people, or a JSON object with stable keys. */
void audit_record_text(const struct audit_record *record, struct writer *out);
void audit_record_json(const struct audit_record *record, struct writer *out);

/* Where a record stands: which node wrote it, as its entry number what. */
struct audit_place {
    view node; /* its serial */
    uint64_t sequence;
};

/* The same with its place and the services' name for the operation (events.def), as they are shown
 * and exported. JSON: node, sequence and event come before the other keys. */
void audit_line_text(const struct audit_record *record, const struct audit_place *place,
                     struct writer *out);
void audit_line_json(const struct audit_record *record, const struct audit_place *place,
                     struct writer *out);

/*
 * A head: how far the audit trail and the store's journal reach, signed (Ed25519) by a key that
 * is derived from the master key. Trail or journal cannot be cut back beyond it unnoticed.
 */
#define AUDIT_KEY_LEN 32u
struct audit_head {
    uint64_t time;        /* clock.wall, milliseconds */
    struct chain trail;   /* of all before the head itself */
    struct chain journal;
};

MUST_USE bool audit_head_write(struct writer *w, const struct audit_head *head,
                               const uint8_t seed[AUDIT_KEY_LEN]);
/* False when it does not read, or the signature is not that key's. */
MUST_USE bool audit_head_read(view bytes, const uint8_t public_key[AUDIT_KEY_LEN],
                              struct audit_head *ret_head);

#endif
