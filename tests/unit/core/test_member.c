/* SPDX-License-Identifier: Apache-2.0
 *
 * The list of members: nodes enter themselves, officers add and remove others, and what one node
 * writes another one sees.
 */
#include "unit/core/core_test.h"

#define NODE_A "a000000000000000"
#define NODE_B "b000000000000000"
#define PRINT_A VIEW_TEXT("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
#define PRINT_B VIEW_TEXT("bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb")

/* The fixture's HSM as a node that shares its store. */
static void
become(struct fixture *f, const char *node)
{
    f->hsm.outside.ports.node = node;
    hsm_fixture_reopen(&f->hsm);
    app_clear(&f->officer);
    app_init(&f->officer, &f->hsm, OFFICER_USER);
    f->officer.port = PORTS_manage;
    app_clear(&f->nobody);
    app_init(&f->nobody, &f->hsm, APP_NOBODY);
}

static CK_RV
enter(struct hsm *hsm, const char *hostname, uint16_t port, view print)
{
    struct hsm_place_of_node place = { .hostname = hostname,
                                       .client_port = port,
                                       .manage_port = (uint16_t)(port + 1) };

    memcpy(place.print, print.data, sizeof place.print);
    return hsm_enter(hsm, &place);
}

/* The n-th node that is told (from 0); false: there are not so many. */
static bool
node_at(struct fixture *f, size_t n, struct node_info *ret_node, uint32_t *ret_self)
{
    struct nodes_request m;
    struct nodes_reply answer;
    struct reader r;

    assert_ok(app_send_nodes(&f->nobody, &m, &answer));
    *ret_self = answer.self;
    r = reader_of(answer.nodes.bytes);
    for (size_t i = 0; i <= n; i++) {
        if (!node_array_next(&r, ret_node)) {
            return false;
        }
    }
    return true;
}

static CK_RV
add(struct fixture *f, view serial, view print, uint32_t *ret_id)
{
    const struct node_add_request m = { serial, print };
    struct node_add_reply answer;
    CK_RV rv = app_send_node_add(&f->officer, &m, &answer);

    if (rv == CKR_OK) {
        *ret_id = answer.id;
    }
    return rv;
}

static CK_RV
removed(struct fixture *f, uint32_t id)
{
    const struct node_remove_request m = { id };
    struct node_remove_reply answer;

    return app_send_node_remove(&f->officer, &m, &answer);
}

static void
who_is_alone_has_no_list_and_tells_of_himself(void **state)
{
    struct fixture *f = *state;
    struct node_info node;
    uint32_t self = 7, id;

    assert_false(node_at(f, 0, &node, &self)); /* nobody has said where it is */
    assert_ok(enter(f->hsm.hsm, "hsm1", 2224, PRINT_A));
    assert_true(node_at(f, 0, &node, &self));
    assert_int_equal(self, 0);
    assert_int_equal(node.id, 1);
    assert_true(node.present);
    assert_view_equal(node.hostname, VIEW_TEXT("hsm1"));
    assert_int_equal(node.manage_port, 2225);
    assert_view_equal(node.print, PRINT_A);
    assert_false(node_at(f, 1, &node, &self));
    assert_int_equal(outside_count(&f->hsm.outside, "h/"), 0);
    assert_code(add(f, VIEW_TEXT(NODE_B), PRINT_B, &id), CODE_NODE_ALONE);
    assert_code(removed(f, 1), CODE_NODE_ALONE);
}

static void
a_node_enters_itself_and_tells_when_it_moves(void **state)
{
    struct fixture *f = *state;
    struct hsm_state before;
    struct node_info node;
    uint32_t self;

    become(f, NODE_A);
    assert_ok(enter(f->hsm.hsm, "hsm1", 2224, PRINT_A));
    assert_true(node_at(f, 0, &node, &self));
    assert_int_equal(self, 1);
    assert_int_equal(node.id, 1);
    assert_true(node.present);
    assert_view_equal(node.serial, VIEW_TEXT(NODE_A));
    assert_view_equal(node.print, PRINT_A);
    assert_view_equal(node.hostname, VIEW_TEXT("hsm1"));
    assert_int_equal(node.client_port, 2224);
    assert_int_equal(node.manage_port, 2225);

    before = hsm_fixture_state(&f->hsm);
    assert_ok(enter(f->hsm.hsm, "hsm1", 2224, PRINT_A));
    assert_true(hsm_state_equal(before, hsm_fixture_state(&f->hsm)));

    become(f, NODE_A);
    assert_ok(enter(f->hsm.hsm, "hsm9", 3000, PRINT_A));
    assert_true(node_at(f, 0, &node, &self));
    assert_int_equal(node.id, 1);
    assert_view_equal(node.hostname, VIEW_TEXT("hsm9"));
    assert_int_equal(node.manage_port, 3001);
    assert_false(node_at(f, 1, &node, &self));
}

static void
nodes_of_one_store_have_different_ids(void **state)
{
    struct fixture *f = *state;
    struct hsm_ports ports;
    struct hsm *other = NULL;
    struct node_info node;
    uint32_t self;

    become(f, NODE_A);
    ports = f->hsm.outside.ports;
    ports.node = NODE_B;
    assert_ok(hsm_open(&ports, view_of(fixture_master_key, sizeof fixture_master_key), &other));
    assert_ok(enter(f->hsm.hsm, "hsm1", 2224, PRINT_A));
    assert_ok(enter(other, "hsm2", 2224, PRINT_B)); /* it has loaded before the first entered */
    hsm_close(other);

    hsm_refresh_members(f->hsm.hsm);
    assert_true(node_at(f, 1, &node, &self));
    assert_int_equal(self, 1);
    assert_int_equal(node.id, 2);
    assert_view_equal(node.serial, VIEW_TEXT(NODE_B));
    assert_false(node_at(f, 2, &node, &self));
}

static void
an_officer_adds_nodes_by_serial_and_key(void **state)
{
    struct fixture *f = *state;
    struct node_info node;
    uint32_t self, id = 0;

    become(f, NODE_A);
    assert_ok(enter(f->hsm.hsm, "hsm1", 2224, PRINT_A));
    assert_ok(add(f, VIEW_TEXT(NODE_B), PRINT_B, &id));
    assert_int_equal(id, 2);
    assert_true(node_at(f, 1, &node, &self));
    assert_false(node.present);
    assert_view_equal(node.hostname, VIEW_EMPTY);
    assert_view_equal(node.print, PRINT_B);

    assert_code(add(f, VIEW_TEXT(NODE_B), PRINT_A, &id), CODE_NODE_EXISTS);
    assert_code(add(f, VIEW_TEXT("c"), VIEW_TEXT("short"), &id), CKR_ARGUMENTS_BAD);
    assert_code(add(f, VIEW_TEXT("c/d"), PRINT_B, &id), CKR_ARGUMENTS_BAD);
    assert_code(add(f, VIEW_EMPTY, PRINT_B, &id), CKR_ARGUMENTS_BAD);
    assert_code(add(f, VIEW_TEXT("c0000000000000000"), PRINT_B, &id), CKR_ARGUMENTS_BAD);

    become(f, NODE_A);
    assert_true(node_at(f, 1, &node, &self));
    assert_view_equal(node.serial, VIEW_TEXT(NODE_B));
    assert_true(outside_audit_has(&f->hsm.outside, "NODE_ADD"));
    assert_true(outside_audit_has(&f->hsm.outside,
                                 "id=2 serial=" NODE_B " key=62626262626262626262626262626262"));
}

static void
who_was_removed_does_not_come_back(void **state)
{
    struct fixture *f = *state;
    struct node_info node;
    uint32_t self, id;

    become(f, NODE_A);
    assert_ok(enter(f->hsm.hsm, "hsm1", 2224, PRINT_A));
    assert_code(removed(f, 1), CODE_NODE_LAST);
    assert_code(removed(f, 2), CODE_NODE_UNKNOWN);
    become(f, NODE_B);
    assert_ok(enter(f->hsm.hsm, "hsm2", 2224, PRINT_B));
    assert_false(hsm_is_removed(f->hsm.hsm));
    assert_ok(removed(f, 2));
    assert_true(hsm_is_removed(f->hsm.hsm));
    assert_false(node_at(f, 1, &node, &self));
    assert_code(removed(f, 2), CODE_NODE_UNKNOWN);

    become(f, NODE_B);
    assert_code(enter(f->hsm.hsm, "hsm2", 2224, PRINT_B), CODE_NODE_UNKNOWN);
    become(f, NODE_A);
    assert_code(add(f, VIEW_TEXT(NODE_B), PRINT_B, &id), CODE_NODE_EXISTS);
    assert_ok(add(f, VIEW_TEXT("c"), PRINT_B, &id));
    assert_int_equal(id, 3);
}

static void
a_store_that_fails_changes_no_list(void **state)
{
    struct fixture *f = *state;
    struct node_info node;
    uint32_t self, id;

    become(f, NODE_A);
    assert_ok(enter(f->hsm.hsm, "hsm1", 2224, PRINT_A));
    outside_fail(&f->hsm.outside, CALL_SUBMIT, 1);
    assert_code(add(f, VIEW_TEXT(NODE_B), PRINT_B, &id), CKR_DEVICE_ERROR);
    assert_false(node_at(f, 1, &node, &self));
    outside_fail(&f->hsm.outside, CALL_AUDIT, 1);
    assert_code(enter(f->hsm.hsm, "hsm2", 2224, PRINT_A), CKR_FUNCTION_FAILED);
    assert_true(node_at(f, 0, &node, &self));
    assert_view_equal(node.hostname, VIEW_TEXT("hsm1"));
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        STANDARD(who_is_alone_has_no_list_and_tells_of_himself),
        STANDARD(a_node_enters_itself_and_tells_when_it_moves),
        STANDARD(nodes_of_one_store_have_different_ids),
        STANDARD(an_officer_adds_nodes_by_serial_and_key),
        STANDARD(who_was_removed_does_not_come_back),
        STANDARD(a_store_that_fails_changes_no_list),
    };

    return cmocka_run_group_tests_name("core/member", tests, NULL, NULL);
}
