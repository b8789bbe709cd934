/* SPDX-License-Identifier: Apache-2.0
 *
 * Roles are rows; the first row of a role has the name that is shown.
 */
#include "wire/role.h"

#include "wire/message.h"

#include <string.h>

/* clang-format off */
#define ROLES(ROLE)       \
    ROLE( CU,    CU    )  \
    ROLE( PCU,   CU    )  \
    ROLE( CO,    CO    )  \
    ROLE( PCO,   CO    )  \
    ROLE( PRECO, PRECO )  \
    ROLE( AU,    AU    )
/* clang-format on */

#define ROW(name, role) { #name, ROLE_##role },
static const struct {
    const char *name;
    uint32_t role;
} roles[] = { ROLES(ROW) };

bool
role_parse(const char *name, uint32_t *ret_role)
{
    for (size_t i = 0; i < ARRAY_COUNT(roles); i++) {
        if (strcmp(roles[i].name, name) == 0) {
            *ret_role = roles[i].role;
            return true;
        }
    }
    return false;
}

const char *
role_name(uint32_t role)
{
    for (size_t i = 0; i < ARRAY_COUNT(roles); i++) {
        if (roles[i].role == role) {
            return roles[i].name;
        }
    }
    return "UNKNOWN";
}

const char *
role_list(void)
{
#define NAME(name, role) " " #name
    return ROLES(NAME);
}
