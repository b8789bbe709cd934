/* SPDX-License-Identifier: Apache-2.0
 *
 * The files of the audit trail: their names, and reading them. A file is named by the number of
 * its first entry, so that names sort as the chain runs.
 */
#ifndef STORE_AUDIT_FILES_H
#define STORE_AUDIT_FILES_H

#include "core/trail.h"

#define AUDIT_FILE_NAME_LEN 22u /* sixteen hexadecimal digits and ".trail" */

struct audit_file {
    char name[AUDIT_FILE_NAME_LEN + 1];
};

/* The files of a folder, oldest first; released by free(). False with a line in the log. */
MUST_USE bool audit_files_list(int folder, struct audit_file **ret_files, size_t *ret_count);
struct audit_file audit_file_name(uint64_t first);

/* An entry as it was found. Return false to stop. */
struct audit_entry {
    enum trail_kind kind;
    view body;
    uint64_t number; /* from 1, over all files */
};
typedef bool audit_visit(void *arg, const struct audit_entry *entry);

/*
 * Walks through a file. *chain has to be its end afterwards, as far as it is good; *ret_left is
 * how many bytes at its end belong to no good entry. False, with a line in the log, when the
 * file does not read at all.
 */
MUST_USE bool audit_file_walk(int folder, const struct audit_file *file, struct chain *chain,
                              audit_visit *visit, void *arg, size_t *ret_left);

#endif
