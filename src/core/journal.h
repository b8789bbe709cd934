/* SPDX-License-Identifier: Apache-2.0
 *
 * The journal: audit records (core/audit.h) of what transactions changed, stored with the change
 * itself. Each is a record of the store, "a/" and sixteen hexadecimal digits, sealed like all
 * others; what is sealed is the chain's end with this record (core/chain.h), then the record.
 */
#ifndef CORE_JOURNAL_H
#define CORE_JOURNAL_H

#include "core/record.h"

#define JOURNAL_NAME_LEN 18u

/* Is it the name of a journal's record? */
bool journal_name_is(view key);

void journal_name(uint64_t count, char ret_name[JOURNAL_NAME_LEN + 1]);

/* Opens a record and appends the audit record to out; *ret_end is the chain's end with it. What
 * it follows is for the caller to hold against it. CKR_GENERAL_ERROR when it does not open. */
MUST_USE CK_RV journal_open(const struct sealer *sealer, view key, view value,
                            struct chain *ret_end, struct writer *out);

/* The oldest records may be let go: then this record, which sorts before them, has the chain's end
 * with the last that went. */
#define JOURNAL_FIRST_NAME VIEW_TEXT("a.first")
MUST_USE CK_RV journal_first_seal(const struct sealer *sealer, const struct chain *before,
                                  struct writer *out);
MUST_USE CK_RV journal_first_open(const struct sealer *sealer, view value,
                                  struct chain *ret_before);

/* Lets the store write a journal, which ends so far at end. The sealer outlives the store's use. */
void journal_begin(struct store *store, struct sealer *sealer, const struct chain *end);

/* The key pair that signs heads (core/audit.h), derived from the sealer's key for its store. */
MUST_USE bool audit_seed(const struct sealer *sealer, uint8_t ret_seed[32]);
MUST_USE bool audit_public_key(const struct sealer *sealer, uint8_t ret_key[32]);

#endif
