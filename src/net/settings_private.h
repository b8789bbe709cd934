/* SPDX-License-Identifier: Apache-2.0
 *
 * A cursor over a configuration file: takes fields out of it by name and kind, and names file, line
 * and field of what is refused. Only settings.c and settings_node.c include this.
 */
#ifndef NET_SETTINGS_PRIVATE_H
#define NET_SETTINGS_PRIVATE_H

#include "net/settings.h"

#include <jansson.h>
#include <limits.h>

struct source {
    const char *path;
    char folder[PATH_MAX];
    char *text;
    bool wrong; /* something was refused, and said */
};

/* A JSON object, and the field that led to it. */
struct section {
    struct source *source;
    json_t *object;
    const char *name; /* "client", "servers", ... or "" for the file itself */
};

/* NULL, logged. Either way text is the caller's to free. */
json_t *source_open(const char *path, struct source *source);

/* Logs file and line of the field, and what is wanted there; the settings are wrong from then
 * on. */
void refuse(const struct section *section, const char *field, const char *want);
/* NULL: there is none. */
json_t *field(const struct section *section, const char *name);

/* What is not there leaves *out as it was; so does what is refused. */
void take_text(const struct section *section, const char *name, char *out, size_t size);
/* A number, or the digits of one in a string, as the original's files have both. */
void take_number(const struct section *section, const char *name, long min, long max, long *out);
/* true and false, or the original's "yes" and "no". */
void take_flag(const struct section *section, const char *name, bool *out);
void take_level(const struct section *section, const char *name, enum log_level *out);
/* A loopback address. */
void take_metrics(const struct section *section, char *out, size_t size);
/* A path, from that folder when it is relative. */
void take_path(const struct section *section, const char *name, const char *folder, char *out,
               size_t size);
/* A section of that name; .object is NULL when there is none. */
struct section take_section(const struct section *section, const char *name);
/* What nobody asks for is passed over, with a line. known ends with NULL. */
void say_unknown(const struct section *section, const char *const *known);

#endif
