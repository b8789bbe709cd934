/* SPDX-License-Identifier: Apache-2.0
 *
 * Attributes as both tools name and number them (attribute_names.def).
 */
#ifndef TOOLS_ATTRIBUTE_NAME_H
#define TOOLS_ATTRIBUTE_NAME_H

#include "rules/rules.h"

#define ATTRIBUTE_ALL 512u /* stands for all of them */

enum show { SHOW_SHORT, SHOW_NUMBER, SHOW_TEXT, SHOW_BYTES };

struct attribute_name {
    uint32_t number;        /* PKCS #11's but for the check value */
    CK_ATTRIBUTE_TYPE type;
    enum show show;
    const char *name;
};

enum {
#define ATTRIBUTE_NAME(number, type, show, name) ATTRIBUTE_NAME_##number,
#include "tools/attribute_names.def"
#undef ATTRIBUTE_NAME
    ATTRIBUTE_NAMES
};
extern const struct attribute_name attribute_names[ATTRIBUTE_NAMES];

/* NULL when there is none of that number. */
const struct attribute_name *attribute_name(uint32_t number);

#endif
