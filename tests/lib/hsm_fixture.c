/* SPDX-License-Identifier: Apache-2.0
 *
 * Partitions ready for use. The users are made as an officer would make them.
 */
#include "lib/hsm_fixture.h"

#include "core/replies.h"
#include "lib/app.h"

#include <string.h>

const uint8_t fixture_master_key[HSM_MASTER_KEY_LEN] = {
    1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16,
    17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32,
};

static view
master_key(void)
{
    return view_of(fixture_master_key, sizeof fixture_master_key);
}

static void
fixture_open(struct hsm_fixture *f)
{
    LIB_HOLDS(hsm_open(&f->outside.ports, master_key(), &f->hsm) == CKR_OK);
}

static void
birth(struct outside *outside, enum policy policy)
{
    struct hsm_fixture f = { .policy = policy };
    struct app app;
    const struct hsm_birth birth = {
        .policy = policy,
        .switches = "",
        .label = FIXTURE_LABEL,
        .serial = FIXTURE_SERIAL,
        .officer = OFFICER_NAME,
        .officer_password = VIEW_TEXT(OFFICER_PASSWORD),
    };

    outside_init(&f.outside);
    LIB_HOLDS(hsm_initialize(&f.outside.ports, master_key(), &birth) == CKR_OK);
    fixture_open(&f);
    app_init(&app, &f, OFFICER_USER);
    app.port = PORTS_manage;
    LIB_HOLDS(app_make_user(&app, ROLE_CU, USER1_NAME, USER1_PASSWORD) == CKR_OK);
    LIB_HOLDS(app_make_user(&app, ROLE_CU, USER2_NAME, USER2_PASSWORD) == CKR_OK);
    app_clear(&app);
    /* A fixture starts without the replies of whoever made its users. */
    outside_move_clock(&f.outside, REPLY_LIFE_MS + 1);
    hsm_sweep(f.hsm, 0);
    hsm_close(f.hsm);
    outside_init_copy(outside, &f.outside);
    outside_clear(&f.outside);
}

void
hsm_fixture_init(struct hsm_fixture *f, enum policy policy)
{
    static struct outside born[POLICY_COUNT];
    static bool is_born[POLICY_COUNT];

    if (!is_born[policy]) {
        birth(&born[policy], policy);
        is_born[policy] = true;
    }
    memset(f, 0, sizeof *f);
    f->policy = policy;
    outside_init_copy(&f->outside, &born[policy]);
    fixture_open(f);
}

void
hsm_fixture_clear(struct hsm_fixture *f)
{
    hsm_close(f->hsm);
    outside_clear(&f->outside);
}

void
hsm_fixture_reopen(struct hsm_fixture *f)
{
    hsm_close(f->hsm);
    fixture_open(f);
}

void
hsm_fixture_follow(struct hsm_fixture *f, const char *node)
{
    hsm_close(f->hsm);
    outside_follow(&f->outside, node);
    fixture_open(f);
}

void
hsm_fixture_join(struct hsm_fixture *f, struct hsm_fixture *first, const char *node)
{
    memset(f, 0, sizeof *f);
    f->policy = first->policy;
    outside_init_share(&f->outside, &first->outside);
    outside_follow(&f->outside, node);
    fixture_open(f);
}

CK_RV
hsm_fixture_enter(struct hsm_fixture *f, const char *hostname)
{
    const struct hsm_place_of_node place = { .hostname = hostname, .client_port = 1,
                                             .manage_port = 2 };

    return hsm_enter(f->hsm, &place);
}

CK_RV
hsm_fixture_try_open(struct hsm_fixture *f)
{
    struct store *store = f->outside.ports.store;
    store_entry *entry = f->outside.journal_entry;
    void *arg = f->outside.journal_arg;
    struct hsm *hsm = NULL;
    CK_RV rv = hsm_open(&f->outside.ports, master_key(), &hsm);
    struct chain end;

    hsm_close(hsm);
    /* The journal is again that of the one that was open all the time. */
    store->journal_end(store, &end);
    store->journal(store, &end, entry, arg);
    return rv;
}

struct sealer
hsm_fixture_sealer(struct hsm_fixture *f)
{
    static struct secret *key;
    struct sealer sealer = { .entropy = f->outside.ports.entropy };

    if (key == NULL) {
        key = secret_dup(master_key());
        LIB_HOLDS(key != NULL);
    }
    sealer.key = key;
    f->outside.ports.store->id(f->outside.ports.store, sealer.store_id);
    return sealer;
}

struct hsm_state
hsm_fixture_state(struct hsm_fixture *f)
{
    struct hsm_counts counts;

    hsm_count(f->hsm, &counts);
    return (struct hsm_state){
        .records = outside_hash(&f->outside, "fj"),
        .objects = counts.objects,
        .users = counts.users,
        .contexts = counts.contexts,
    };
}

bool
hsm_state_equal(struct hsm_state a, struct hsm_state b)
{
    return a.records == b.records && a.objects == b.objects && a.users == b.users &&
           a.contexts == b.contexts;
}
