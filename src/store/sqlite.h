/* SPDX-License-Identifier: Apache-2.0
 *
 * The durable store of one node: a SQLite database that this process holds alone. One writer
 * thread gathers the transactions that wait and commits them together, so the disk is
 * asked once for many of them.
 */
#ifndef STORE_SQLITE_H
#define STORE_SQLITE_H

#include "core/ports.h"

/*
 * Opens the database, or makes it with an id drawn from entropy. NULL, with a line in the log,
 * when another process holds it, when the file is no store or of a newer version, or when
 * SQLite fails.
 *
 * Completions come on the writer's thread, after the disk has the transaction; they must not
 * wait for this store. load_all() holds the store while it runs: visit must not call it.
 * A transaction that the disk refuses is STORE_FAILED, and later ones are tried anew.
 * close() first ends everything that was submitted.
 */
struct store *sqlite_store_open(const char *path, struct entropy *entropy);

#endif
