/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_application.cfg: what the keys mean, which mistakes are refused, and where the
 * file is looked for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "api/appcfg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool
parse(const char *text, struct appcfg *ret_config)
{
    return appcfg_parse("test.cfg", view_str(text), ret_config);
}

static void
an_empty_file_gives_the_defaults(void **state)
{
    struct appcfg config;

    (void)state;
    assert_true(parse("", &config));

    assert_int_equal(config.daemon_id, 1);
    assert_false(config.tcp);
    assert_int_equal(config.port, 1111);
    assert_string_equal(config.socket_path, "/run/azurecloudhsm/daemon-1.sock");
    assert_true(config.wrap_with_trusted);
    assert_int_equal(config.user_kek, 0);
}

static void
every_key_is_taken(void **state)
{
    struct appcfg config;

    (void)state;
    assert_true(parse("# comment\r\n"
                      "  DAEMON_ID = 7 \r\n"
                      "\n"
                      "SOCKET_TYPE=TCP\n"
                      "PORT=2000\n"
                      "DEFAULT_WRAP_WITH_TRUSTED=0\n"
                      "USER_KEK_HANDLE=0x40006\n"
                      "CERTSTORAGE_URL=https://a.example/b?c=d\n"
                      "CERTSTORAGE_SIGNING_KEYID=signer\n"
                      "CERTSTORAGE_TRUST_EXISTING=1\n"
                      "UAMI_CLIENT_ID=\n"
                      "SOCKET_PATH=/tmp/a b.sock",
                      &config));

    assert_int_equal(config.daemon_id, 7);
    assert_true(config.tcp);
    assert_int_equal(config.port, 2000);
    assert_false(config.wrap_with_trusted);
    assert_int_equal(config.user_kek, 262150);
    assert_string_equal(config.socket_path, "/tmp/a b.sock");
}

static void
the_socket_follows_the_daemon_id(void **state)
{
    struct appcfg config;

    (void)state;
    assert_true(parse("DAEMON_ID=3\n", &config));

    assert_string_equal(config.socket_path, "/run/azurecloudhsm/daemon-3.sock");
}

static void
a_blank_value_is_the_default(void **state)
{
    struct appcfg config;

    (void)state;
    assert_true(parse("DAEMON_ID=\nUSER_KEK_HANDLE=   \nPORT=\t\r\n", &config));

    assert_int_equal(config.daemon_id, 1);
    assert_int_equal(config.port, 1111);
}

static void
a_byte_order_mark_is_passed_over(void **state)
{
    struct appcfg config;

    (void)state;
    assert_true(parse("\xef\xbb\xbf"
                      "DAEMON_ID=2\n",
                      &config));

    assert_int_equal(config.daemon_id, 2);
}

static void
wrong_values_are_refused_and_change_nothing(void **state)
{
    static const char *const wrong[] = {
        "DAEMON_ID=x", "DAEMON_ID=-1", "DAEMON_ID=65536", "DAEMON_ID=1 2",   "PORT=0",
        "PORT=65536",  "PORT=99999999999999999999",       "SOCKET_TYPE=UDP", "SOCKET_TYPE=tcp",
        "DEFAULT_WRAP_WITH_TRUSTED=2", "DEFAULT_WRAP_WITH_TRUSTED=yes",
        "USER_KEK_HANDLE=4294967296",
        "USER_KEK_HANDLE=0x",          "no equals sign",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
        struct appcfg config;
        struct appcfg before;

        memset(&config, 0x5a, sizeof config);
        memcpy(&before, &config, sizeof config);
        assert_false(parse(wrong[i], &config));
        assert_memory_equal(&config, &before, sizeof config);
    }
}

static void
a_path_may_have_107_characters(void **state)
{
    char text[256] = "SOCKET_PATH=/";
    struct appcfg config;

    (void)state;
    memset(text + strlen("SOCKET_PATH=/"), 'a', 106);
    assert_true(parse(text, &config));
    assert_int_equal(strlen(config.socket_path), 107);

    strcat(text, "b");
    assert_false(parse(text, &config));
}

static void
a_file_that_is_too_long_is_refused(void **state)
{
    static char text[65537];
    struct appcfg config;

    (void)state;
    memset(text, '\n', sizeof text);
    assert_true(appcfg_parse("test.cfg", view_of(text, 65536), &config));
    assert_false(appcfg_parse("test.cfg", view_of(text, 65537), &config));
}

/* A folder of its own as the current directory, without a file in the usual places. */
static int
enter_folder(void **state)
{
    static char folder[64];

    snprintf(folder, sizeof folder, "/tmp/test_appcfg.XXXXXX");
    if (mkdtemp(folder) == NULL || chdir(folder) != 0) {
        return -1;
    }
    unsetenv("AZCLOUDHSM_APPLICATION_CFG");
    setenv("HOME", folder, 1);
    *state = folder;
    return 0;
}

static void
file_write(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int
leave_folder(void **state)
{
    unlink("azcloudhsm_application.cfg");
    unlink("other.cfg");
    unlink(".config/azurecloudhsm/azcloudhsm_application.cfg");
    rmdir(".config/azurecloudhsm");
    rmdir(".config");
    return chdir("/") == 0 && rmdir(*state) == 0 ? 0 : -1;
}

static void
the_environment_comes_before_the_current_directory(void **state)
{
    struct appcfg config;

    (void)state;
    file_write("azcloudhsm_application.cfg", "DAEMON_ID=4\n");
    file_write("other.cfg", "DAEMON_ID=5\n");
    assert_true(appcfg_read(false, &config));
    assert_int_equal(config.daemon_id, 4);
    assert_string_equal(config.file, "azcloudhsm_application.cfg");

    setenv("AZCLOUDHSM_APPLICATION_CFG", "other.cfg", 1);
    assert_true(appcfg_read(false, &config));
    assert_int_equal(config.daemon_id, 5);

    setenv("AZCLOUDHSM_APPLICATION_CFG", "not-there.cfg", 1);
    assert_true(appcfg_read(false, &config));
    assert_int_equal(config.daemon_id, 4);
}

static void
the_home_directory_is_looked_into(void **state)
{
    struct appcfg config;

    (void)state;
    assert_int_equal(mkdir(".config", 0700), 0);
    assert_int_equal(mkdir(".config/azurecloudhsm", 0700), 0);
    file_write(".config/azurecloudhsm/azcloudhsm_application.cfg", "DAEMON_ID=6\n");
    assert_true(appcfg_read(false, &config));
    assert_int_equal(config.daemon_id, 6);
}

static void
a_fifo_does_not_hold_the_program_up(void **state)
{
    struct appcfg config;

    (void)state;
    assert_int_equal(mkfifo("azcloudhsm_application.cfg", 0600), 0);
    assert_true(appcfg_read(false, &config));
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, enter_folder, leave_folder)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_file_gives_the_defaults),
        cmocka_unit_test(every_key_is_taken),
        cmocka_unit_test(the_socket_follows_the_daemon_id),
        cmocka_unit_test(a_blank_value_is_the_default),
        cmocka_unit_test(a_byte_order_mark_is_passed_over),
        cmocka_unit_test(wrong_values_are_refused_and_change_nothing),
        cmocka_unit_test(a_path_may_have_107_characters),
        cmocka_unit_test(a_file_that_is_too_long_is_refused),
        IN_FOLDER(the_environment_comes_before_the_current_directory),
        IN_FOLDER(the_home_directory_is_looked_into),
        IN_FOLDER(a_fifo_does_not_hold_the_program_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
