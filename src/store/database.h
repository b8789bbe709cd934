/* SPDX-License-Identifier: Apache-2.0
 *
 * The database file of a store and its SQL: making, checking and locking the file, and the
 * handful of statements over it. One thread at a time. A function that gives false has logged
 * SQLite's own text, once for as long as the same trouble lasts.
 */
#ifndef STORE_DATABASE_H
#define STORE_DATABASE_H

#include "core/ports.h"

struct database;

/* NULL with a line in the log. *ret_revision: that of the last transaction. */
struct database *database_open(const char *path, struct entropy *entropy, uint64_t *ret_revision);
void database_close(struct database *database);
/* 16 bytes, valid with the database. */
const uint8_t *database_id(const struct database *database);

/* Statements without parameters. */
enum database_step {
    DATABASE_BEGIN,
    DATABASE_COMMIT,
    DATABASE_SAVEPOINT,
    DATABASE_RELEASE,
    DATABASE_ROLLBACK_TO,
    DATABASE_STEPS
};
MUST_USE bool database_step(struct database *database, enum database_step step);
/* Ends the transaction, if SQLite has not done so itself. */
void database_rollback(struct database *database);
bool database_in_transaction(const struct database *database);
/* A commit succeeded: trouble that was logged is over. */
void database_worked(struct database *database);

/* 0 when there is no such record. */
MUST_USE bool database_revision_of(struct database *database, view key, uint64_t *ret_revision);
/* With its value, appended to out. */
MUST_USE bool database_get(struct database *database, view key, uint64_t *ret_revision,
                           struct writer *out);
MUST_USE bool database_put(struct database *database, view key, view value, uint64_t revision);
MUST_USE bool database_delete(struct database *database, view key);
/* With the guard's value, empty when there is none. */
MUST_USE bool database_set_revision(struct database *database, uint64_t revision, view guard);
/* The guard's value is in room afterwards; *ret_len is 0 when there is none. */
MUST_USE bool database_guard(struct database *database, uint8_t *room, size_t size,
                             size_t *ret_len);

/* See struct store; these make a transaction of their own where they need one. */
bool database_each(struct database *database, store_visit *visit, void *arg);
/* Names and revisions, in no order; the values are empty. */
bool database_each_name(struct database *database, store_visit *visit, void *arg);
bool database_next_numbers(struct database *database, const char *counter, uint32_t count,
                           uint64_t start, uint64_t *ret_first);
bool database_each_number(struct database *database, store_count *count, void *arg);
/* Within a transaction of the caller's. */
MUST_USE bool database_set_number(struct database *database, const char *counter, uint64_t next);
bool database_copy(struct database *database, const char *path);

#endif
