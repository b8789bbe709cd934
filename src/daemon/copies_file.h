/* SPDX-License-Identifier: Apache-2.0
 *
 * What the daemon that is started next finds of sealed copies.
 */
#ifndef DAEMON_COPIES_FILE_H
#define DAEMON_COPIES_FILE_H

#include "daemon/daemon.h"

enum copies_line_kind {
    COPIES_LINE_HOME = 1,
    COPIES_LINE_COPY,
    COPIES_LINE_GONE,
    COPIES_LINE_CLOSED
};

struct copies_line {
    enum copies_line_kind kind;
    uint32_t number;       /* all but COPY */
    struct copy_info copy; /* borrowed */
};

#define COPIES_LINE_OVERHEAD (1u + COPY_INFO_OVERHEAD) /* at most, beside what is sealed */

void copies_line_write(struct writer *w, const struct copies_line *line);
/* False: there is no whole one. */
MUST_USE bool copies_line_next(struct reader *r, struct copies_line *ret_line);

/* The folder beside the socket. Where it cannot be there is none, with a line in the log. */
void copies_files_open(struct daemon *daemon);
/* Every minute: those that nobody wants any more go. */
void copies_files_sweep(struct daemon *daemon);
/* Into a context that has just come. */
void copies_file_load(struct daemon *daemon, struct context *context);
/* What has happened to the context's copies, as lines, when it is done. */
void copies_file_note(struct daemon *daemon, struct context *context, view lines);
void copies_file_remove(struct daemon *daemon, struct context *context);

/* copies.c: does what a line says. */
void copies_apply(struct context *context, const struct copies_line *line);
/* All there are, as lines. */
void copies_write(const struct context *context, struct writer *out);

#endif
