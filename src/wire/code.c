/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of return codes, ours among them.
 */
#include "wire/frame.h"

#include "rules/rules.h"

const char *
code_name(uint32_t code)
{
    /* { CODE_QUORUM, "CODE_QUORUM" } */
    static const struct {
        uint32_t code;
        const char *name;
    } names[] = {
#define CODE(name) { CODE_##name, "CODE_" #name },
#include "wire/codes.def"
#undef CODE
    };

    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        if (names[i].code == code) {
            return names[i].name;
        }
    }
    return return_name(code);
}
