/* SPDX-License-Identifier: Apache-2.0
 *
 * The journal: audit records (core/audit.h) of what transactions changed, stored with the change
 * itself. Each node has its own. A record is one of the store, "j/<serial of the node>/" and
 * sixteen hexadecimal digits, sealed like all others; what is sealed is the chain's end with this
 * record (core/chain.h), then the record.
 */
#ifndef CORE_JOURNAL_H
#define CORE_JOURNAL_H

#include "core/record.h"

#define JOURNAL_NODE_MAX 16u
#define JOURNAL_NAME_MAX (2u + JOURNAL_NODE_MAX + 1u + 16u)

struct journal_name {
    char text[JOURNAL_NAME_MAX + 1];
    size_t len;
};
struct journal_name journal_name(const char *node, uint64_t count);
view journal_name_view(const struct journal_name *name);
/* Is it the name of a journal's record? Whose? */
MUST_USE bool journal_name_parse(view key, char ret_node[JOURNAL_NODE_MAX + 1]);

/* Opens a record and appends the audit record to out; *ret_end is the chain's end with it. What
 * it follows is for the caller to hold against it. CKR_GENERAL_ERROR when it does not open. */
MUST_USE CK_RV journal_open(const struct sealer *sealer, view key, view value,
                            struct chain *ret_end, struct writer *out);

/* The oldest records may be let go: then this record, "i/<serial>", which sorts before them, has
 * the chain's end with the last that went. */
struct journal_name journal_first_name(const char *node);
MUST_USE bool journal_first_parse(view key, char ret_node[JOURNAL_NODE_MAX + 1]);
MUST_USE CK_RV journal_first_seal(const struct sealer *sealer, const char *node,
                                  const struct chain *before, struct writer *out);
MUST_USE CK_RV journal_first_open(const struct sealer *sealer, view key, view value,
                                  struct chain *ret_before);

/* Who writes a journal; stays until journal_stop(). */
struct journal_keeper {
    const struct sealer *sealer;
    const char *node;
};
/* Lets the store write a journal, which ends so far at end. */
void journal_begin(struct store *store, struct journal_keeper *keeper, const struct chain *end);
/* What is still submitted to the store, and nobody waits for any more, fails from here on. */
void journal_stop(struct store *store);

/* The key pair that signs heads (core/audit.h), derived from the sealer's key for its store. */
MUST_USE bool audit_seed(const struct sealer *sealer, uint8_t ret_seed[32]);
MUST_USE bool audit_public_key(const struct sealer *sealer, uint8_t ret_key[32]);

#endif
