/* SPDX-License-Identifier: Apache-2.0
 *
 * The log of a store's database as a file. SQLite writes each page of a commit by two calls; here
 * they are gathered, and all written by one before the log is synced.
 */
#ifndef STORE_LOG_FILE_H
#define STORE_LOG_FILE_H

/* The name of a VFS that is SQLite's default one but for that. NULL: SQLite has no memory. */
const char *log_file_vfs(void);

#endif
