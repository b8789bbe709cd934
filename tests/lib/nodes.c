/* SPDX-License-Identifier: Apache-2.0
 *
 * The second node joins where the first is open.
 */
#include "lib/nodes.h"

#include "core/state.h"

#include <stdlib.h>

struct nodes *
nodes_new(enum policy policy)
{
    struct nodes *n = calloc(1, sizeof *n);

    LIB_HOLDS(n != NULL);
    hsm_fixture_init(&n->one, policy);
    hsm_fixture_follow(&n->one, NODE_ONE);
    hsm_fixture_join(&n->two, &n->one, NODE_TWO);
    app_init(&n->cu1, &n->one, USER1);
    app_init(&n->officer, &n->one, OFFICER_USER);
    n->officer.port = PORTS_manage;
    app_init(&n->other, &n->two, USER1);
    app_init(&n->cu2, &n->two, USER2);
    nodes_catch_up(n);
    return n;
}

void
nodes_free(struct nodes *n)
{
    struct hsm_fixture *nodes[] = { &n->three, &n->two, &n->one };

    app_clear(&n->cu1);
    app_clear(&n->officer);
    app_clear(&n->other);
    app_clear(&n->cu2);
    for (size_t i = 0; i < ARRAY_COUNT(nodes); i++) {
        if (nodes[i]->outside.inner != NULL) {
            hsm_fixture_clear(nodes[i]);
        }
    }
    free(n);
}

void
nodes_join_third(struct nodes *n)
{
    hsm_fixture_join(&n->three, &n->one, NODE_THREE);
    nodes_catch_up(n);
}

void
nodes_enter(struct nodes *n)
{
    LIB_HOLDS(hsm_fixture_enter(&n->one, "one") == CKR_OK);
    LIB_HOLDS(hsm_fixture_enter(&n->two, "two") == CKR_OK);
    nodes_catch_up(n);
}

void
nodes_be_patient(struct nodes *n)
{
    n->cu1.patient = n->officer.patient = n->other.patient = n->cu2.patient = true;
}

void
nodes_catch_up(struct nodes *n)
{
    LIB_HOLDS(follow_catch_up(n->one.hsm));
    LIB_HOLDS(follow_catch_up(n->two.hsm));
    LIB_HOLDS(n->three.hsm == NULL || follow_catch_up(n->three.hsm));
}
