/* SPDX-License-Identifier: Apache-2.0
 *
 * The user's side of an interactive tool: lines with editing and history at a terminal, plain
 * lines from a pipe, passwords without echo.
 */
#ifndef TOOLS_CONSOLE_H
#define TOOLS_CONSOLE_H

#include "base/secret.h"

/* Call once, before anything reads from standard input: passwords must not stay behind in
 * its buffer. */
void console_begin(void);
bool console_is_terminal(void);

/* The next line without its end, for console_line_free(); NULL at the end of input. */
char *console_line(const char *prompt);
/* Keeps the line in the history; not one with a password in it. */
void console_remember(const char *line);
void console_line_free(char *line);

/* Asks without echo. From a pipe: the next line. NULL, with a line on stderr, when there is
 * none or the user gave up. */
struct secret *console_secret(const char *prompt);
/* y or Y is yes; anything else, and the end of input, is no. */
bool console_confirm(const char *prompt);

#endif
