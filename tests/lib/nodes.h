/* SPDX-License-Identifier: Apache-2.0
 *
 * Two nodes on one store, each of which hears of what the other writes, and applications that ask
 * them. As everywhere in this folder, what fails ends the process.
 */
#ifndef TESTS_LIB_NODES_H
#define TESTS_LIB_NODES_H

#include "lib/app.h"

/* Their serial numbers. */
#define NODE_ONE "A1"
#define NODE_TWO "B2"
#define NODE_THREE "C3"

struct nodes {
    struct hsm_fixture one;
    struct hsm_fixture two;
    struct hsm_fixture three; /* when it has joined */
    struct app cu1;     /* on the first */
    struct app officer; /* on the first, on the port for management */
    struct app other;   /* user 1 again, on the second */
    struct app cu2;     /* on the second */
};

/* Both have heard of each other; neither has entered the list of nodes. */
struct nodes *nodes_new(enum policy policy);
void nodes_free(struct nodes *n);

/* All have heard of it. */
void nodes_join_third(struct nodes *n);

/* Both enter the list, as `one` and `two`. */
void nodes_enter(struct nodes *n);
/* All of these ask again where a node is behind. */
void nodes_be_patient(struct nodes *n);
/* Each hears of all that was written before. */
void nodes_catch_up(struct nodes *n);

#endif
