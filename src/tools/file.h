/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole files: keys, blobs, messages and signatures that commands read and write.
 */
#ifndef TOOLS_FILE_H
#define TOOLS_FILE_H

#include "base/secret.h"

/* The file's bytes, which may be a key; NULL, with a line on stderr, when it cannot be read or is
 * longer than max. */
MUST_USE struct secret *file_read(const char *path, size_t max);
#define FILE_PATH_MAX 4096u

/* Puts a file with mode 0600 in the place of what was there, all or nothing; links to it stay. False,
 * with a line on stderr. */
MUST_USE bool file_write(const char *path, view bytes);
/* The same for others to read: a new one has the mode that files get, one that was there keeps its. */
MUST_USE bool file_write_shared(const char *path, view bytes);

/* What is there and no regular file (a pipe), or standard output, is written to, not replaced. */
bool file_is_special(const char *path);
/* Opens such a one. -1, with errno. */
int file_open_special(const char *path);
/* Where a file is, or will be, that links may lead to. False, with a line on stderr. */
MUST_USE bool file_place(const char *path, char ret_place[FILE_PATH_MAX]);

#endif
