/* SPDX-License-Identifier: Apache-2.0
 *
 * Approval files, line by line.
 */
#include "tools/approval.h"

#include <string.h>

/* What is read so far of the file. */
struct parsing {
    struct approval approval;
    bool counted;
    uint32_t expected; /* Number of Approvals */
    size_t types, names, files;
};

static view
trimmed(view v)
{
    while (v.len > 0 && strchr(" \t\r", v.data[0]) != NULL && v.data[0] != '\0') {
        v = view_slice(v, 1, v.len);
    }
    while (v.len > 0 && strchr(" \t\r", v.data[v.len - 1]) != NULL && v.data[v.len - 1] != '\0') {
        v = view_slice(v, 0, v.len - 1);
    }
    return v;
}

/* Without the ';' and the quotes. */
static view
value_of(view v)
{
    v = trimmed(v);
    if (v.len > 0 && v.data[v.len - 1] == ';') {
        v = trimmed(view_slice(v, 0, v.len - 1));
    }
    if (v.len >= 2 && v.data[0] == '"' && v.data[v.len - 1] == '"') {
        v = view_slice(v, 1, v.len - 2);
    }
    return v;
}

static const char *
text_take(view value, char *text, size_t size)
{
    if (value.len == 0 || value.len >= size || memchr(value.data, '\0', value.len) != NULL) {
        return "the value is empty or too long";
    }
    memcpy(text, value.data, value.len);
    text[value.len] = '\0';
    return NULL;
}

static const char *
digit_take(view value, uint32_t max, uint32_t *ret_number)
{
    if (value.len != 1 || value.data[0] < '1' || value.data[0] > (uint8_t)('0' + max)) {
        return "the number is out of its range";
    }
    *ret_number = (uint32_t)(value.data[0] - '0');
    return NULL;
}

static const char *
take_token(struct parsing *p, view value)
{
    /* The other of the two paths may be there and empty. */
    if (value.len == 0) {
        return NULL;
    }
    return p->approval.token[0] != '\0'
               ? "there is a token file already"
               : text_take(value, p->approval.token, sizeof p->approval.token);
}

static const char *
take_count(struct parsing *p, view value)
{
    if (p->counted) {
        return "there is a number already";
    }
    p->counted = true;
    return digit_take(value, APPROVERS_MAX, &p->expected);
}

static const char *
take_type(struct parsing *p, view value)
{
    if (p->types == APPROVERS_MAX) {
        return "there are too many approvers";
    }
    return digit_take(value, 2, &p->approval.approvers[p->types++].role);
}

static const char *
take_name(struct parsing *p, view value)
{
    if (p->names == APPROVERS_MAX) {
        return "there are too many approvers";
    }

    struct approver *approver = &p->approval.approvers[p->names++];

    return text_take(value, approver->name, sizeof approver->name);
}

static const char *
take_file(struct parsing *p, view value)
{
    if (p->files == APPROVERS_MAX) {
        return "there are too many approvers";
    }

    struct approver *approver = &p->approval.approvers[p->files++];

    return text_take(value, approver->file, sizeof approver->file);
}

static const struct {
    const char *name;
    const char *(*take)(struct parsing *p, view value);
} keys[] = {
    { "Multi Token File Path", take_token }, { "Token File Path", take_token },
    { "Number of Approvals", take_count },   { "Approver Type", take_type },
    { "Approver Name", take_name },          { "Approval File", take_file },
};

/* NULL, or what is wrong with the line. */
static const char *
line_take(struct parsing *p, view line)
{
    const uint8_t *equals;

    line = trimmed(line);
    if (line.len == 0 || line.data[0] == '#') {
        return NULL;
    }
    equals = memchr(line.data, '=', line.len);
    if (equals == NULL) {
        return "want KEY = VALUE";
    }

    size_t at = (size_t)(equals - line.data);
    view key = trimmed(view_slice(line, 0, at));

    for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
        if (view_equal(key, view_str(keys[i].name))) {
            return keys[i].take(p, value_of(view_slice(line, at + 1, line.len)));
        }
    }
    return "the key is not known";
}

bool
approval_parse(view text, struct approval *ret_approval, unsigned *ret_line,
               const char **ret_error)
{
    struct parsing p = { .counted = false };
    const char *error = text.len > APPROVAL_FILE_MAX ? "the file is too long" : NULL;
    unsigned line = 0;

    while (text.len > 0 && error == NULL) {
        const uint8_t *end = memchr(text.data, '\n', text.len);
        size_t len = end == NULL ? text.len : (size_t)(end - text.data);

        line++;
        error = line_take(&p, view_slice(text, 0, len));
        text = view_slice(text, end == NULL ? len : len + 1, text.len);
    }
    if (error == NULL && (p.types != p.names || p.types != p.files || p.types == 0)) {
        error = "each approver has a type, a name and a file";
        line = 0;
    }
    if (error == NULL && (!p.counted || p.expected != p.types)) {
        error = "Number of Approvals is not the number of approvers";
        line = 0;
    }
    if (error == NULL && p.approval.token[0] == '\0') {
        error = "Token File Path is missing";
        line = 0;
    }
    if (error != NULL) {
        *ret_line = line;
        *ret_error = error;
        return false;
    }
    p.approval.count = p.types;
    *ret_approval = p.approval;
    return true;
}
