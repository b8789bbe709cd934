/* SPDX-License-Identifier: Apache-2.0
 *
 * The user's side of an interactive tool: lines with editing and history at a terminal, plain
 * lines from a pipe, passwords without echo.
 */
#ifndef TOOLS_CONSOLE_H
#define TOOLS_CONSOLE_H

#include "base/secret.h"

struct command_table;

/* Call once, before anything reads from standard input: passwords must not stay behind in
 * its buffer. */
void console_begin(void);
bool console_is_terminal(void);

/* At a terminal the tabulator completes the names of these commands. */
void console_complete(const struct command_table *table);

/* The next line without its end, for console_line_free(); NULL at the end of input. */
char *console_line(const char *prompt);
/* Keeps the line in the history; not one with a password in it. */
void console_remember(const char *line);
void console_line_free(char *line);

/* Asks without echo. From a pipe: the next line. NULL, with a line on stderr, when there is
 * none or the user gave up. */
struct secret *console_secret(const char *prompt);
/*
 * The password that a word of a command stands for: the word itself; -hpswd: asked without echo
 * (twice: and once more, they must be the same); -hpswd=fd:N: the first line that the descriptor
 * N gives; -hpswd=env:NAME: the variable's value. NULL with a line on stderr.
 */
struct secret *console_password(view word, bool twice);
/* One of the letters, whatever its case. Asked again at a terminal until it is one; from a pipe
 * another line is otherwise, and the next that console_line() gives. */
char console_choice(const char *prompt, const char *letters, char otherwise);
/* y or Y is yes; anything else, and the end of input, is no. */
bool console_confirm(const char *prompt);

#endif
