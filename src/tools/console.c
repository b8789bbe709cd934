/* SPDX-License-Identifier: Apache-2.0
 *
 * Terminal and pipe. Standard input is read unbuffered: a password that lay in a buffer of
 * stdio would stay there unwiped.
 */
#include "tools/console.h"

#include "tools/command.h"

#include <ctype.h>
#include <errno.h>
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

static const struct command_table *completed;
static char *unread; /* the next line, which was read too early */

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
            if (isatty(STDIN_FILENO)) {
                break;
            }
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

#ifdef HAVE_LIBEDIT
/* The matches one by one; NULL after the last. */
static char *
completion_next(const char *text, int state)
{
    static size_t at;

    if (state == 0) {
        at = 0;
    }
    while (at < completed->count) {
        const char *name = completed->rows[at++].name;

        if (strncmp(name, text, strlen(text)) == 0) {
            return strdup(name);
        }
    }
    return NULL;
}

/* Names of commands at the line's begin, those of files behind it (which libedit does itself). */
static char **
completion(const char *text, int start, int end)
{
    UNUSED(end);
    return start == 0 ? rl_completion_matches(text, completion_next) : NULL;
}
#endif

void
console_complete(const struct command_table *table)
{
    completed = table;
#ifdef HAVE_LIBEDIT
    rl_attempted_completion_function = completion;
#endif
}

char *
console_line(const char *prompt)
{
    if (unread != NULL) {
        char *again = unread;

        unread = NULL;
        fputs(prompt, stdout);
        putchar('\n');
        return again;
    }
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

    /* First, so that nothing is shown, or lost, of what comes as soon as the prompt is seen. */
    if (terminal) {
        struct termios quiet = before;

        /* Without signals: Ctrl-C must not leave a terminal that shows nothing. It ends the line. */
        quiet.c_lflag &= (tcflag_t) ~(ECHO | ISIG);
        quiet.c_cc[VEOL] = INTERRUPT;
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    }
    fputs(prompt, stdout);
    fflush(stdout);

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

char
console_choice(const char *prompt, const char *letters, char otherwise)
{
    for (;;) {
        char *line = console_line(prompt);
        char answer = line == NULL ? '\0' : (char)toupper((unsigned char)line[0]);

        if (answer != '\0' && line[1] == '\0' && strchr(letters, answer) != NULL) {
            console_line_free(line);
            return answer;
        }
        if (line == NULL || !console_is_terminal()) {
            unread = line;
            return otherwise;
        }
        console_line_free(line);
    }
}

/* ---- passwords ---- */

/* Byte by byte, as what follows is not ours. */
static struct secret *
password_from_fd(const char *number)
{
    char line[512];
    size_t len = 0;
    char *end = NULL;
    long fd = strtol(number, &end, 10);
    ssize_t got = -1;

    if (number[0] < '0' || number[0] > '9' || *end != '\0' || fd > 65535) {
        fprintf(stderr, "-hpswd=fd:%s: give the number of a descriptor\n", number);
        return NULL;
    }
    while (len < sizeof line && (got = read((int)fd, line + len, 1)) == 1 && line[len] != '\n') {
        len++;
    }
    if (got < 0 || len == 0 || len == sizeof line) {
        fprintf(stderr, "-hpswd=fd:%ld: %s\n", fd,
                got < 0 ? strerror(errno) : "no line with a password");
        wipe(line, sizeof line);
        return NULL;
    }

    struct secret *password = secret_dup(view_of(line, len));

    wipe(line, sizeof line);
    return password;
}

static struct secret *
password_from_environment(const char *name)
{
    const char *value = getenv(name);

    if (value == NULL || value[0] == '\0') {
        fprintf(stderr, "-hpswd=env:%s: environment variable %s is not set\n", name, name);
        return NULL;
    }
    return secret_dup(view_str(value));
}

static struct secret *
password_asked(bool twice)
{
    struct secret *password = console_secret("Enter password: ");

    if (password != NULL && twice) {
        struct secret *again = console_secret("Confirm password: ");

        if (again == NULL || !view_equal_secret(secret_view(password), secret_view(again))) {
            if (again != NULL) {
                fputs("the passwords differ\n", stderr);
            }
            secret_free(password);
            password = NULL;
        }
        secret_free(again);
    }
    return password;
}

struct secret *
console_password(view word, bool twice)
{
    static const view fd = VIEW_TEXT("-hpswd=fd:");
    static const view environment = VIEW_TEXT("-hpswd=env:");
    char rest[256];
    size_t skip = 0;

    if (view_equal(word, VIEW_TEXT("-hpswd"))) {
        return password_asked(twice);
    }
    if (word.len > fd.len && memcmp(word.data, fd.data, fd.len) == 0) {
        skip = fd.len;
    } else if (word.len > environment.len &&
               memcmp(word.data, environment.data, environment.len) == 0) {
        skip = environment.len;
    }
    if (skip == 0 || word.len - skip >= sizeof rest) {
        return secret_dup(word);
    }
    memcpy(rest, word.data + skip, word.len - skip);
    rest[word.len - skip] = '\0';
    return skip == fd.len ? password_from_fd(rest) : password_from_environment(rest);
}
