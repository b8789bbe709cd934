/* SPDX-License-Identifier: Apache-2.0
 *
 * Approval files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tools/approval.h"

#include <string.h>

static bool
parse(const char *text, struct approval *ret_approval, unsigned *ret_line)
{
    const char *error = NULL;

    return approval_parse(view_str(text), ret_approval, ret_line, &error);
}

#define ONE "Approver Type = 2;\nApprover Name = a;\nApproval File = f;\n"
#define HEAD "Token File Path = t;\nNumber of Approvals = 1;\n"

static void
an_approval_file_reads_as_it_is_meant(void **state)
{
    struct approval approval;
    unsigned line;

    (void)state;
    assert_true(parse("# comment\r\n Multi Token File Path = \"\" ;\n\nToken File Path=my token ; \n"
                      "Number of Approvals = 2\nApprover Type = 2;\nApprover Name = \"officer1\";\n"
                      "Approval File = \"sig 1\";\nApprover Type = 1;\nApprover Name = cu\n"
                      "Approval File = b", &approval, &line));
    assert_string_equal(approval.token, "my token");
    assert_int_equal(approval.count, 2);
    assert_int_equal(approval.approvers[0].role, 2);
    assert_string_equal(approval.approvers[0].name, "officer1");
    assert_string_equal(approval.approvers[0].file, "sig 1");
    assert_int_equal(approval.approvers[1].role, 1);
    assert_string_equal(approval.approvers[1].file, "b");
    assert_true(parse(HEAD ONE, &approval, &line));
}

static void
what_is_none_is_refused_with_its_line(void **state)
{
    static const struct {
        const char *text;
        unsigned line;
    } rows[] = {
        { "", 0 },
        { HEAD, 0 },
        { "Number of Approvals = 1;\n" ONE, 0 },
        { "Token File Path = t;\n" ONE, 0 },
        { "Token File Path = t;\nNumber of Approvals = 2;\n" ONE, 0 },
        { HEAD "Approver Type = 2;\nApprover Name = a;\n", 0 },
        { "Token File Path = t;\nToken File Path = u;\n", 2 },
        { HEAD "Number of Approvals = 1;\n", 3 },
        { "rubbish", 1 },
        { "\n\nKey = value", 3 },
        { "Number of Approvals = 9;", 1 },
        { "Number of Approvals = 12;", 1 },
        { HEAD "Approver Type = 3;", 3 },
        { HEAD "Approver Name = ;", 3 },
        { HEAD ONE ONE ONE ONE ONE ONE ONE ONE ONE, 27 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct approval approval = { .count = 77 };
        unsigned line = 99;

        assert_false(parse(rows[i].text, &approval, &line));
        assert_int_equal(line, rows[i].line);
        assert_int_equal(approval.count, 77);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_approval_file_reads_as_it_is_meant),
        cmocka_unit_test(what_is_none_is_refused_with_its_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
