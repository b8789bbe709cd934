/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads profiles.
 */
#include "report/profile.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static char *
trimmed(char *text)
{
    char *end;

    while (isspace((unsigned char)*text)) {
        text++;
    }
    end = text + strlen(text);
    while (end > text && isspace((unsigned char)end[-1])) {
        *--end = '\0';
    }
    return text;
}

/* fn=C_Login cond=PIN_WRONG seen=CKR_PIN_EXPIRED */
static bool
read_match(struct deviation *d, char *text)
{
    char *rest = NULL;

    for (char *part = strtok_r(text, " ", &rest); part; part = strtok_r(NULL, " ", &rest)) {
        if (strncmp(part, "fn=", 3) == 0) {
            snprintf(d->fn, sizeof d->fn, "%s", part + 3);
        } else if (strncmp(part, "cond=", 5) == 0) {
            snprintf(d->cond, sizeof d->cond, "%s", part + 5);
        } else if (strncmp(part, "seen=", 5) == 0) {
            snprintf(d->seen, sizeof d->seen, "%s", part + 5);
        } else if (strncmp(part, "attr=", 5) == 0) {
            snprintf(d->attr, sizeof d->attr, "%s", part + 5);
        } else {
            return false;
        }
    }
    return d->cond[0] != '\0';
}

static bool
read_functions(struct profile *profile, char *text)
{
    char *rest = NULL;

    for (char *name = strtok_r(text, " ", &rest); name; name = strtok_r(NULL, " ", &rest)) {
        enum fn fn = fn_find(name, strlen(name));

        if (fn == FN_COUNT) {
            return false;
        }
        profile->lacks[fn] = true;
    }
    return true;
}

static bool
read_line(struct profile *profile, struct deviation **current, char *line)
{
    char *value = strchr(line, '=');
    char *name;

    if (strcmp(line, "[module]") == 0 || strcmp(line, "[limits]") == 0) {
        *current = NULL;
        return true;
    }
    if (strncmp(line, "[deviation ", 11) == 0 && line[strlen(line) - 1] == ']') {
        if (profile->count == PROFILE_MOST) {
            return false;
        }
        line[strlen(line) - 1] = '\0';
        *current = &profile->deviation[profile->count++];
        snprintf((*current)->name, sizeof(*current)->name, "%s", line + 11);
        return true;
    }
    if (value == NULL) {
        return false;
    }
    *value = '\0';
    value = trimmed(value + 1);
    name = trimmed(line);
    if (*current == NULL) {
        if (strcmp(name, "login-required") == 0) {
            profile->login_required = strcmp(value, "yes") == 0;
            return true;
        }
        if (strcmp(name, "gcm-iv") == 0) {
            profile->gcm_inside = true;
            return strcmp(value, "internal") == 0;
        }
        if (strcmp(name, "no-function") == 0) {
            return read_functions(profile, value);
        }
        snprintf(profile->name, sizeof profile->name, "%s", value);
        return strcmp(name, "name") == 0;
    }
    if (strcmp(name, "match") == 0) {
        return read_match(*current, value);
    }
    if (strcmp(name, "doc") == 0) {
        snprintf((*current)->doc, sizeof(*current)->doc, "%s", value);
        return true;
    }
    snprintf((*current)->impact, sizeof(*current)->impact, "%s", value);
    return strcmp(name, "impact") == 0;
}

bool
profile_read(struct profile *profile, const char *path)
{
    FILE *file = fopen(path, "r");
    struct deviation *current = NULL;
    char line[512];
    size_t number = 0;
    bool good = file != NULL;

    memset(profile, 0, sizeof *profile);
    while (good && fgets(line, sizeof line, file) != NULL) {
        char *text = trimmed(line);

        number++;
        good = *text == '\0' || *text == '#' || read_line(profile, &current, text);
    }
    if (file != NULL) {
        fclose(file);
    }
    for (size_t i = 0; good && i < profile->count; i++) {
        good = profile->deviation[i].cond[0] != '\0';
    }
    if (!good) {
        fprintf(stderr, "p11comply: %s: line %zu is no line of a profile\n", path, number);
    }
    return good;
}

static bool
agrees(const char *pattern, const char *name)
{
    return pattern[0] == '\0' || strcmp(pattern, name) == 0;
}

struct deviation *
profile_find(struct profile *profile, const struct result *result)
{
    for (size_t i = 0; i < profile->count; i++) {
        struct deviation *d = &profile->deviation[i];

        if (agrees(d->fn, functions[result->fn].name) &&
            agrees(d->cond, cond_name((enum cond)result->cond)) &&
            agrees(d->seen, code_name(result->seen)) &&
            agrees(d->attr,
                   values[result->attr].meaning != NULL ? values[result->attr].meaning : "")) {
            return d;
        }
    }
    return NULL;
}

enum fn
profile_claim(const struct profile *profile, const struct world *world, enum fn from)
{
    while (from < FN_COUNT && !(profile->lacks[from] && world->has_fn[from])) {
        from++;
    }
    return from;
}

void
profile_limit(const struct profile *profile, struct world *world)
{
    world->login_required = profile->login_required;
    world->gcm_inside = profile->gcm_inside;
    if (profile->gcm_inside) {
        /* Whose IV the suite does not know: what is encrypted so is not compared with anything. */
        world->mech_flags[MECH_AES_GCM] &= ~(CK_FLAGS)CKF_ENCRYPT;
        world->way_flags[V_WAY_GCM - V_WAY_KW] &= ~(CK_FLAGS)CKF_WRAP;
    }
}
