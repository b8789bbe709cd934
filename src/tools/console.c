/* SPDX-License-Identifier: Apache-2.0
 *
 * Terminal and pipe. Standard input is read unbuffered: a password that lay in a buffer of
 * stdio would stay there unwiped.
 */
#include "tools/console.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#ifdef HAVE_LIBEDIT
#include <editline/readline.h>
#endif

#define LINE_MAX_LEN 4096u
#define INTERRUPT 0x03

void
console_begin(void)
{
    setvbuf(stdin, NULL, _IONBF, 0);
}

bool
console_is_terminal(void)
{
    return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

/* Up to the end of the line; the rest of one that is too long is passed over, and no line is
 * made of its beginning. False at the end of input. */
static bool
line_read(char *line, size_t size, bool *ret_interrupted)
{
    size_t len = 0;
    bool any = false;
    bool over = false;
    int c;

    *ret_interrupted = false;
    while ((c = getc(stdin)) != EOF && c != '\n') {
        any = true;
        if (c == INTERRUPT) {
            *ret_interrupted = true;
        }
        if (len + 1 < size) {
            line[len++] = (char)c;
        } else {
            over = true;
        }
    }
    if (len > 0 && line[len - 1] == '\r') {
        len--;
    }
    if (over) {
        fputs("the line is too long and was passed over\n", stderr);
        wipe(line, len);
        len = 0;
    }
    line[len] = '\0';
    return any || c == '\n';
}

char *
console_line(const char *prompt)
{
#ifdef HAVE_LIBEDIT
    if (console_is_terminal()) {
        return readline(prompt);
    }
#endif
    char *line = malloc(LINE_MAX_LEN);
    bool interrupted;

    fputs(prompt, stdout);
    fflush(stdout);
    if (line != NULL && !line_read(line, LINE_MAX_LEN, &interrupted)) {
        free(line);
        line = NULL;
    }
    putchar('\n'); /* which at a terminal is the echo of the user's own */
    return line;
}

void
console_remember(const char *line)
{
#ifdef HAVE_LIBEDIT
    if (console_is_terminal()) {
        add_history(line);
    }
#else
    UNUSED(line);
#endif
}

void
console_line_free(char *line)
{
    if (line != NULL) {
        wipe(line, strlen(line));
        free(line);
    }
}

struct secret *
console_secret(const char *prompt)
{
    struct termios before;
    struct secret *secret = NULL;
    char line[512];
    bool interrupted;
    const bool terminal = tcgetattr(STDIN_FILENO, &before) == 0;

    fputs(prompt, stdout);
    fflush(stdout);
    if (terminal) {
        struct termios quiet = before;

        /* Without signals: Ctrl-C must not leave a terminal that shows nothing. */
        quiet.c_lflag &= (tcflag_t) ~(ECHO | ISIG);
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    }

    bool got = line_read(line, sizeof line, &interrupted);

    if (terminal) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    }
    putchar('\n');
    if (got && !interrupted) {
        secret = secret_dup(view_str(line));
    }
    wipe(line, sizeof line);
    if (secret == NULL) {
        fputs("no password was given\n", stderr);
    }
    return secret;
}

bool
console_confirm(const char *prompt)
{
    char *line = console_line(prompt);
    bool yes = line != NULL && (strcmp(line, "y") == 0 || strcmp(line, "Y") == 0);

    console_line_free(line);
    return yes;
}
