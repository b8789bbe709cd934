/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines into words, words into values, rows into help.
 */
#include "tools/command.h"

#include "wire/role.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool
words_split(char *line, char **words, size_t max, size_t *ret_count)
{
    size_t count = 0;
    char *in = line;

    for (;;) {
        in += strspn(in, " \t\r\n");
        if (*in == '\0') {
            *ret_count = count;
            return true;
        }
        if (count == max) {
            return false;
        }

        char *out = in;
        char quote = '\0';

        words[count++] = out;
        for (; *in != '\0' && (quote != '\0' || strchr(" \t\r\n", *in) == NULL); in++) {
            if (quote == '\0' && (*in == '"' || *in == '\'')) {
                quote = *in;
            } else if (quote != '\0' && *in == quote) {
                quote = '\0';
            } else {
                *out++ = *in;
            }
        }
        if (quote != '\0') {
            return false;
        }
        if (*in != '\0') {
            in++;
        }
        *out = '\0';
    }
}

const struct command *
command_find(const struct command_table *table, const char *name, const char **ret_error)
{
    const struct command *found = NULL;

    for (size_t i = 0; i < table->count; i++) {
        const struct command *row = &table->rows[i];

        if (strcmp(row->name, name) == 0) {
            return row;
        }
        if (table->prefixes && strncmp(row->name, name, strlen(name)) == 0) {
            if (found != NULL) {
                *ret_error = "is short for more than one command; write more of it";
                return NULL;
            }
            found = row;
        }
    }
    if (found == NULL) {
        *ret_error = "is no command; help lists them";
    }
    return found;
}

static size_t
argument_count(const struct command *command)
{
    size_t count = 0;

    while (count < COMMAND_ARGUMENTS_MAX && command->arguments[count].name != NULL) {
        count++;
    }
    return count;
}

static bool
is_option(const struct argument *argument)
{
    return argument->name[0] == '-';
}

static bool
text_number(const char *text, uint32_t *ret_number)
{
    const bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    char *end = NULL;

    if (text[0] < '0' || text[0] > '9') {
        return false;
    }
    errno = 0;

    unsigned long long number = strtoull(text, &end, hex ? 16 : 10);

    if (errno != 0 || *end != '\0' || number > UINT32_MAX) {
        return false;
    }
    *ret_number = (uint32_t)number;
    return true;
}

/* Takes the word as the argument's value. */
static bool
value_take(const struct command *command, const struct argument *argument, char *word,
           struct value *value)
{
    uint32_t number = 0;

    value->text = word;
    switch (argument->type) {
    case ARGUMENT_TEXT:
    case ARGUMENT_FLAG:
        break;
    case ARGUMENT_SWITCH:
    case ARGUMENT_NUMBER:
        if (!text_number(word, &number)) {
            fprintf(stderr, "%s: %s %s is no number\n", command->name, argument->name, word);
            return false;
        }
        if (argument->type == ARGUMENT_SWITCH && number > 1) {
            fprintf(stderr, "%s: %s is 0 or 1\n", command->name, argument->name);
            return false;
        }
        if (argument->type == ARGUMENT_NUMBER && argument->min == argument->max &&
            number != argument->min) {
            fprintf(stderr, "%s: %s %s: %s\n", command->name, argument->name, word,
                    argument->help);
            return false;
        }
        if (argument->type == ARGUMENT_NUMBER &&
            (number < argument->min || number > argument->max)) {
            fprintf(stderr, "%s: %s %s: give a number from %u to %u\n", command->name,
                    argument->name, word, (unsigned)argument->min, (unsigned)argument->max);
            return false;
        }
        value->number = number;
        break;
    case ARGUMENT_ROLE:
        if (!role_parse(word, &value->number)) {
            fprintf(stderr, "%s: %s %s is no type of user; there are%s\n", command->name,
                    argument->name, word, role_list());
            return false;
        }
        break;
    case ARGUMENT_SECRET:
        value->text = NULL;
        value->secret = secret_dup(view_str(word));
        /* Anyone on this host can read a program's arguments. */
        wipe(word, strlen(word));
        if (value->secret == NULL) {
            fprintf(stderr, "%s: out of memory\n", command->name);
            return false;
        }
        break;
    }
    value->given = true;
    return true;
}

/* The argument that this word begins; COMMAND_ARGUMENTS_MAX when there is none. */
static size_t
argument_for(const struct values *values, const char *word)
{
    const struct command *command = values->command;

    for (size_t i = 0; i < argument_count(command); i++) {
        const struct argument *argument = &command->arguments[i];

        if (is_option(argument) ? strcmp(argument->name, word) == 0
                                : word[0] != '-' && !values->list[i].given) {
            return i;
        }
    }
    /* A position also takes a word with a dash (a file, `-hpswd` in place of a password). */
    for (size_t i = 0; i < argument_count(command); i++) {
        if (!is_option(&command->arguments[i]) && !values->list[i].given) {
            return i;
        }
    }
    return COMMAND_ARGUMENTS_MAX;
}

static bool
values_complete(const struct values *values)
{
    const struct command *command = values->command;

    for (size_t i = 0; i < argument_count(command); i++) {
        const struct argument *argument = &command->arguments[i];

        if (argument->need == NEED_ALWAYS && !values->list[i].given) {
            fprintf(stderr, "%s: %s is missing: %s\n", command->name, argument->name,
                    argument->help);
            return false;
        }
    }
    return true;
}

/* False with a line on stderr. */
static bool
arguments_parse(struct values *values, char **words, size_t count, size_t *ret_used)
{
    const struct command *command = values->command;
    size_t used = 0;

    if ((command->flags & COMMAND_ABSENT) != 0) {
        values->help = count > 0 && strcmp(words[0], "-h") == 0;
        *ret_used = count;
        return true;
    }
    while (used < count) {
        char *word = words[used];

        if (strcmp(word, "-h") == 0) {
            values->help = true;
            *ret_used = used + 1;
            return true;
        }

        size_t at = argument_for(values, word);

        if (at == COMMAND_ARGUMENTS_MAX) {
            if (word[0] != '-') {
                break;
            }
            fprintf(stderr, "%s: there is no option %s; %s -h shows what there is\n",
                    command->name, word, command->name);
            return false;
        }

        const struct argument *argument = &command->arguments[at];

        if (values->list[at].given) {
            fprintf(stderr, "%s: %s was given twice\n", command->name, argument->name);
            return false;
        }
        if (is_option(argument) && argument->type != ARGUMENT_FLAG && ++used == count) {
            fprintf(stderr, "%s: %s wants a value: %s\n", command->name, argument->name,
                    argument->help);
            return false;
        }
        if (!value_take(command, argument, words[used], &values->list[at])) {
            return false;
        }
        used++;
    }
    *ret_used = used;
    return values_complete(values);
}

bool
command_parse(const struct command_table *table, char **words, size_t count, size_t *ret_used,
              struct values *ret_values)
{
    struct values values = { 0 };
    const char *error = NULL;
    size_t used = 0;

    values.command = command_find(table, words[0], &error);
    if (values.command == NULL) {
        fprintf(stderr, "%s: %s\n", words[0], error);
        return false;
    }
    if (!arguments_parse(&values, words + 1, count - 1, &used)) {
        values_clear(&values);
        return false;
    }
    *ret_used = used + 1;
    *ret_values = values;
    return true;
}

enum status
command_run(void *tool, const struct values *values)
{
    if (values->help) {
        command_help(values->command, stdout);
        return STATUS_DONE;
    }
    return values->command->run(tool, values);
}

enum status
command_absent(void *tool, const struct values *values)
{
    UNUSED(tool);
    printf("%s failed: %s\n", values->command->name, values->command->help);
    return STATUS_REFUSED;
}

void
values_clear(struct values *values)
{
    for (size_t i = 0; i < COMMAND_ARGUMENTS_MAX; i++) {
        secret_free(values->list[i].secret);
    }
    *values = (struct values){ 0 };
}

static const struct value *
values_get(const struct values *values, const char *name)
{
    for (size_t i = 0; i < argument_count(values->command); i++) {
        if (strcmp(values->command->arguments[i].name, name) == 0) {
            return &values->list[i];
        }
    }
    abort(); /* a command asks for an argument that its row does not have */
}

const char *
values_text(const struct values *values, const char *name)
{
    return values_get(values, name)->text;
}

view
values_secret(const struct values *values, const char *name)
{
    return secret_view(values_get(values, name)->secret);
}

bool
values_given(const struct values *values, const char *name)
{
    return values_get(values, name)->given;
}

uint32_t
values_number(const struct values *values, const char *name, uint32_t fallback)
{
    const struct value *value = values_get(values, name);

    return value->given ? value->number : fallback;
}

bool
command_line_is_secret(const struct command_table *table, const char *line)
{
    const char *word = line + strspn(line, " \t");
    size_t len = strcspn(word, " \t");
    char name[64];
    const char *error = NULL;

    if (len >= sizeof name || strstr(line, " -hpswd") != NULL) {
        return len >= sizeof name;
    }
    memcpy(name, word, len);
    name[len] = '\0';

    const struct command *command = command_find(table, name, &error);

    if (command == NULL) {
        return true; /* misspelt: it may have been a login */
    }
    for (size_t i = 0; i < argument_count(command); i++) {
        if (command->arguments[i].type == ARGUMENT_SECRET) {
            return true;
        }
    }
    return false;
}

static void
argument_usage(const struct argument *argument, FILE *out)
{
    const bool optional = argument->need == NEED_NOT;

    fprintf(out, " %s%s%s%s%s", optional ? "[" : "", is_option(argument) ? argument->name : "",
            is_option(argument) && argument->what != NULL ? " " : "",
            argument->what != NULL ? argument->what : "", optional ? "]" : "");
}

void
command_help(const struct command *command, FILE *out)
{
    fprintf(out, "\n%s", command->name);
    for (size_t i = 0; i < argument_count(command); i++) {
        argument_usage(&command->arguments[i], out);
    }
    fprintf(out, "\n    %s\n", command->help);
    for (size_t i = 0; i < argument_count(command); i++) {
        const struct argument *argument = &command->arguments[i];

        fprintf(out, "    %-18s %s\n", is_option(argument) ? argument->name : argument->what,
                argument->help);
    }
}

static void
command_list(const struct command_table *table, FILE *out)
{
    fputs("\nCommands (COMMAND -h explains one):\n", out);
    for (size_t i = 0; i < table->count; i++) {
        fprintf(out, "    %-18s %s\n", table->rows[i].name, table->rows[i].help);
    }
}

enum status
command_explain(const struct command_table *table, const char *name)
{
    const char *error = NULL;

    if (name == NULL) {
        command_list(table, stdout);
        return STATUS_DONE;
    }

    const struct command *command = command_find(table, name, &error);

    if (command == NULL) {
        fprintf(stderr, "%s: %s\n", name, error);
        return STATUS_MISUSED;
    }
    command_help(command, stdout);
    return STATUS_DONE;
}
