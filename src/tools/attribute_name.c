/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/attribute_name.h"

const struct attribute_name attribute_names[] = {
#define ATTRIBUTE_NAME(number, type, show, name) { number, type, show, name },
#include "tools/attribute_names.def"
#undef ATTRIBUTE_NAME
};

const struct attribute_name *
attribute_name(uint32_t number)
{
    for (size_t i = 0; i < ATTRIBUTE_NAMES; i++) {
        if (attribute_names[i].number == number) {
            return &attribute_names[i];
        }
    }
    return NULL;
}
