/* SPDX-License-Identifier: Apache-2.0
 *
 * Commands of the tools: one row each, with its function and its typed arguments. Parsing,
 * completion of shortened names and every help text come from the rows.
 */
#ifndef TOOLS_COMMAND_H
#define TOOLS_COMMAND_H

#include "base/secret.h"

#include <stdio.h>

#define COMMAND_ARGUMENTS_MAX 24
#define COMMAND_WORDS_MAX 64

/* Also the exit statuses of the programs. LEAVE: done, and the session ends. */
enum status { STATUS_DONE = 0, STATUS_REFUSED = 1, STATUS_MISUSED = 2, STATUS_LEAVE };

enum argument_type {
    ARGUMENT_TEXT,
    ARGUMENT_NUMBER, /* decimal, or hexadecimal after 0x; between min and max */
    ARGUMENT_SWITCH, /* 0 or 1 */
    ARGUMENT_FLAG,   /* an option without a value */
    ARGUMENT_SECRET, /* its word is wiped once it was read */
    ARGUMENT_ROLE    /* a name of role.h */
};

enum argument_need { NEED_NOT, NEED_ALWAYS };

struct argument {
    const char *name; /* "-l" is an option; a name without '-' stands by position */
    const char *what; /* what its value is called in the help, NULL for a flag */
    enum argument_type type;
    enum argument_need need;
    uint32_t min;
    uint32_t max;
    const char *help;
};

struct values;

/* What a command is, beside its arguments. */
#define COMMAND_OFFLINE 1u /* needs no connection */
#define COMMAND_SERVER 2u  /* mgmt_util: only in the scope of one server */
#define COMMAND_UNOWNED 4u /* mgmt_util: may be sent to a node without an owner */
#define COMMAND_ABSENT 8u  /* of the original, not here: takes any words, and its help says why */

struct command {
    const char *name;
    enum status (*run)(void *tool, const struct values *values);
    unsigned flags;
    const char *help;
    struct argument arguments[COMMAND_ARGUMENTS_MAX]; /* up to the first without a name */
};

struct command_table {
    const struct command *rows;
    size_t count;
    bool prefixes; /* names may be cut short as long as they stay unique */
};

struct value {
    bool given;
    const char *text; /* borrowed from the words; NULL for secrets */
    uint32_t number;  /* number, switch, role */
    struct secret *secret;
};

/* A command with its arguments, as one line gave them. */
struct values {
    const struct command *command;
    bool help; /* -h stood where an option is: only its help is wanted */
    struct value list[COMMAND_ARGUMENTS_MAX];
};

/* Cuts a line into words, in place; quotes of both kinds hold a word together. False when
 * there are more than max, or a quote is not closed. */
MUST_USE bool words_split(char *line, char **words, size_t max, size_t *ret_count);

/* NULL when no row, or more than one, has that name; *ret_error says which. */
const struct command *command_find(const struct command_table *table, const char *name,
                                   const char **ret_error);
/*
 * Reads one command from the front of the words and stops at the first word that is no more
 * of its own; *ret_used counts what was read. Words of secrets are wiped. False, with a line
 * on stderr that names the argument and the next step, when they do not fit.
 */
MUST_USE bool command_parse(const struct command_table *table, char **words, size_t count,
                            size_t *ret_used, struct values *ret_values);
/* Runs it, or prints its help. */
enum status command_run(void *tool, const struct values *values);
/* The function of each COMMAND_ABSENT: `getAuditUDD failed: `, and why. */
enum status command_absent(void *tool, const struct values *values);
/* Wipes the secrets; values of zeros are fine. */
void values_clear(struct values *values);

/* By the argument's name, which must be one of the command's. NULL, empty, or fallback when
 * it was not given. */
const char *values_text(const struct values *values, const char *name);
view values_secret(const struct values *values, const char *name);
bool values_given(const struct values *values, const char *name);
uint32_t values_number(const struct values *values, const char *name, uint32_t fallback);

/* "genSymKey -t TYPE -s BYTES -l LABEL [-nex]", what it does, and its arguments. */
void command_help(const struct command *command, FILE *out);
/* Does a line begin with a command that takes a secret, and is one written out in it? Such a line
 * is not for the history. */
bool command_line_is_secret(const struct command_table *table, const char *line);
/* On standard output: the command of that name, as command_help() has it; with NULL a line for each
 * row. STATUS_MISUSED, with a line on stderr: there is none of that name. */
enum status command_explain(const struct command_table *table, const char *name);

#endif
