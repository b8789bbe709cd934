/* SPDX-License-Identifier: Apache-2.0
 *
 * The state folder: entered by its owner alone, held by one server at a time. The store, the
 * audit trail, the master key and the small files that tell others about the server are in it.
 */
#ifndef SERVER_FOLDER_H
#define SERVER_FOLDER_H

#include "base/secret.h"

#define FOLDER_PATH_MAX 600u

struct folder;

/* Opens the folder, makes it (0700) when it is missing, and locks it. NULL with a line in the
 * log: another server holds it, or others than its owner may enter it. */
struct folder *folder_open(const char *path);
/* For reading, beside a server that may run: *ret_running says whether another holds the lock, and
 * then it stays his. Nothing is made; and for root the folder may be another user's, as a service's
 * is. */
struct folder *folder_look(const char *path, bool *ret_running);
/* Who looks as root becomes the folder's owner, who can put into it whatever he likes: a link to
 * what only root may write, for instance. For good (process_become()). False, logged. */
MUST_USE bool folder_become_owner(const struct folder *folder);
/* Lets the lock go; the files stay. */
void folder_close(struct folder *folder);

/* "<folder>/<name>" into path. */
void folder_path(const struct folder *folder, const char *name, char path[FOLDER_PATH_MAX]);
/* Replaces a small file as a whole. False with a line in the log. */
MUST_USE bool folder_write(struct folder *folder, const char *name, const char *text);
/* A small file, as a text; empty when there is none. False with a line in the log: it does
 * not read, or is longer. */
MUST_USE bool folder_read(struct folder *folder, const char *name, char *ret_text, size_t size);
void folder_remove(struct folder *folder, const char *name);

/* The key; *ret_key NULL when there is none. False, with a line in the log, when it does not
 * read: wrong size, or others may read it. */
MUST_USE bool folder_key_read(struct folder *folder, const char *name, size_t len,
                              struct secret **ret_key);
/* Writes a key that is not there yet; it is on the disk when this returns true. */
MUST_USE bool folder_key_write(struct folder *folder, const char *name, view key);

#endif
