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
/* Puts a file with mode 0600 in the place of what was there, all or nothing. False, with a line on
 * stderr. */
MUST_USE bool file_write(const char *path, view bytes);
/* What is there and no regular file (/dev/stdout, a pipe) is written to, not replaced. */
bool file_is_special(const char *path);

#endif
