/* SPDX-License-Identifier: Apache-2.0
 *
 * A partition that is born, has users and is open, over the outside world of outside.h. The
 * birth costs several password hashes, so it happens once per policy and process; a fixture
 * begins with a copy of its store.
 */
#ifndef TESTS_LIB_HSM_FIXTURE_H
#define TESTS_LIB_HSM_FIXTURE_H

#include "core/hsm.h"
#include "core/record.h"
#include "lib/outside.h"

#define FIXTURE_LABEL "partition"
#define FIXTURE_SERIAL "0123456789"
#define OFFICER_NAME "admin"
#define OFFICER_PASSWORD "adminpassword"
#define USER1_NAME "cu1"
#define USER1_PASSWORD "user1234"
#define USER2_NAME "cu2"
#define USER2_PASSWORD "user5678"

/* Numbers of the users. */
enum { OFFICER_USER = 1, SERVICE_USER = 2, USER1 = 3, USER2 = 4 };

extern const uint8_t fixture_master_key[HSM_MASTER_KEY_LEN];

struct hsm_fixture {
    struct outside outside;
    struct hsm *hsm;
    enum policy policy;
};

/* The calls below end the process when they fail. */
void hsm_fixture_init(struct hsm_fixture *f, enum policy policy);
void hsm_fixture_clear(struct hsm_fixture *f);
/* Closes the HSM and opens it on the same store, as a restart does. */
void hsm_fixture_reopen(struct hsm_fixture *f);

/* Opens the HSM anew as a node that follows others. */
void hsm_fixture_follow(struct hsm_fixture *f, const char *node);
/* Another node on the store of the first, which follows. */
void hsm_fixture_join(struct hsm_fixture *f, struct hsm_fixture *first, const char *node);
/* Enters the list of nodes, as the edge does when it has started; from elsewhere, it has moved. */
MUST_USE CK_RV hsm_fixture_enter(struct hsm_fixture *f, const char *hostname);

/* Opens a second HSM on the same store and closes it; what hsm_open() said. */
CK_RV hsm_fixture_try_open(struct hsm_fixture *f);

/* Who seals what is stored; the key is the fixture's. */
struct sealer hsm_fixture_sealer(struct hsm_fixture *f);

/* What a call that failed, or was put off, must not have changed. */
struct hsm_state {
    uint64_t records; /* a hash of all of the store but failed logins and the journal */
    size_t objects;
    size_t users;
    size_t contexts;
};
struct hsm_state hsm_fixture_state(struct hsm_fixture *f);
bool hsm_state_equal(struct hsm_state a, struct hsm_state b);

#endif
