/* SPDX-License-Identifier: Apache-2.0
 *
 * The JSON configuration files: what the seeds' files give, and how mistakes are named.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/settings.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    char folder[64];
    char bin[96];
    char cert[96];
    char file[128];
    char anchor[128];
    char log[128];
    char said[4096]; /* what the last reading logged */
};

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    const char *base = getenv("TMPDIR");

    snprintf(f->folder, sizeof f->folder, "%.40s/settings-XXXXXX", base == NULL ? "/tmp" : base);
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->bin, sizeof f->bin, "%s/bin", f->folder);
    snprintf(f->cert, sizeof f->cert, "%s/cert", f->folder);
    snprintf(f->file, sizeof f->file, "%s/x.cfg", f->bin);
    snprintf(f->anchor, sizeof f->anchor, "%s/PO.crt", f->cert);
    snprintf(f->log, sizeof f->log, "%s/log", f->folder);
    mkdir(f->bin, 0700);
    mkdir(f->cert, 0700);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;

    unlink(f->file);
    unlink(f->anchor);
    unlink(f->log);
    rmdir(f->bin);
    rmdir(f->cert);
    rmdir(f->folder);
    free(f);
    return 0;
}

static void
write_file(const char *path, const char *text, size_t len)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    fclose(file);
}

/* Runs read with stderr in f->said. */
static bool
listen_to(struct fixture *f, bool (*read_file)(const char *path, void *out), void *out)
{
    int before = dup(STDERR_FILENO);
    int log = open(f->log, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool good;
    ssize_t len;

    dup2(log, STDERR_FILENO);
    good = read_file(f->file, out);
    dup2(before, STDERR_FILENO);
    close(before);
    len = pread(log, f->said, sizeof f->said - 1, 0);
    f->said[len > 0 ? len : 0] = '\0';
    close(log);
    return good;
}

static bool
as_client(const char *path, void *out)
{
    return client_settings_read(path, out);
}

static bool
as_server(const char *path, void *out)
{
    return server_settings_read(path, out);
}

static bool
client_of(struct fixture *f, const char *text, struct client_settings *out)
{
    write_file(f->file, text, strlen(text));
    return listen_to(f, as_client, out);
}

static bool
server_of(struct fixture *f, const char *text, struct server_settings *out)
{
    write_file(f->file, text, strlen(text));
    return listen_to(f, as_server, out);
}

static void
a_resource_file_with_a_host_name_alone_works(void **state)
{
    struct fixture *f = *state;
    struct client_settings s;
    char wanted[160];

    write_file(f->anchor, "x", 1);

    assert_true(client_of(f, "{ \"servers\": [ { \"hostname\": \"10.0.2.4\" } ] }", &s));

    assert_int_equal(s.server_count, 1);
    assert_string_equal(s.servers[0].hostname, "10.0.2.4");
    assert_int_equal(s.servers[0].client_port, 2224);
    assert_int_equal(s.servers[0].manage_port, 2225);
    assert_true(s.servers[0].enable);
    assert_int_equal(s.daemon_id, 1);
    assert_int_equal(s.reconnect_interval_ms, 3000);
    assert_int_equal(s.minimum_nodes, 1);
    snprintf(wanted, sizeof wanted, "%s/../cert/PO.crt", f->bin);
    assert_string_equal(s.anchor, wanted);
    assert_string_equal(s.certificate, "");
    assert_string_equal(f->said, "");
}

static void
without_a_certificate_beside_the_packages_counts(void **state)
{
    struct fixture *f = *state;
    struct client_settings s;

    assert_true(client_of(f, "{ \"servers\": [ { \"hostname\": \"h\" } ] }", &s));

    assert_string_equal(s.anchor, "/opt/azurecloudhsm/cert/PO.crt");
}

/* The shape of the seeds' azcloudhsm_client.cfg: numbers and flags in strings, too. */
static void
the_clients_file_of_the_seeds_is_read(void **state)
{
    static const char text[] = "{ \"client\": { \"CriticalAlertScript\": \"\","
                               " \"create_object_minimum_nodes\": 2, \"daemon_id\": \"2\","
                               " \"e2e_owner_crt_path\": \"PO.crt\", \"log_level\": \"WARNING\","
                               " \"reconnect_attempts\": -1, \"reconnect_interval\": 1,"
                               " \"socket_type\": \"UNIXSOCKET\", \"sslreneg\": 0,"
                               " \"tcp_port\": 1111, \"workers\": 1, \"zoneid\": 0 },"
                               " \"dualfactor\": { \"enable\": \"no\" },"
                               " \"loadbalance\": { \"enable\": \"yes\" },"
                               " \"server\": { \"hostname\": \"hsm\", \"port\": 3000 },"
                               " \"ssl\": { \"CApath\": \"\", \"certificate\": \"c.crt\","
                               " \"pkey\": \"/keys/c.key\" } }";
    struct fixture *f = *state;
    struct client_settings s;
    char wanted[160];

    assert_true(client_of(f, text, &s));

    assert_int_equal(s.server_count, 1);
    assert_int_equal(s.servers[0].client_port, 3000);
    assert_int_equal(s.daemon_id, 2);
    assert_int_equal(s.log_level, LOG_LEVEL_WRN);
    assert_int_equal(s.reconnect_interval_ms, 1000);
    assert_int_equal(s.minimum_nodes, 2);
    snprintf(wanted, sizeof wanted, "%s/PO.crt", f->bin);
    assert_string_equal(s.anchor, wanted);
    snprintf(wanted, sizeof wanted, "%s/c.crt", f->bin);
    assert_string_equal(s.certificate, wanted);
    assert_string_equal(s.private_key, "/keys/c.key");
}

static void
unknown_keys_are_passed_over_with_a_line(void **state)
{
    struct fixture *f = *state;
    struct client_settings s;
    char wanted[200];

    assert_true(client_of(f,
                          "{\n\"servers\": [ { \"hostname\": \"h\",\n\"colour\": 1 } ],\n"
                          "\"weather\": {}\n}",
                          &s));

    snprintf(wanted, sizeof wanted, "%s:3: servers.colour is not known", f->file);
    assert_non_null(strstr(f->said, wanted));
    snprintf(wanted, sizeof wanted, "%s:4: weather is not known", f->file);
    assert_non_null(strstr(f->said, wanted));
}

/* Each with the line and the field that the log names. */
static void
a_wrong_type_is_refused_with_file_line_and_field(void **state)
{
    static const struct {
        const char *text;
        const char *said;
    } rows[] = {
        { "{\n\"servers\": [ {\n\"hostname\": 7 } ] }", "3: servers.hostname: want a string" },
        { "{\n\"servers\": {} }", "2: servers: want a list" },
        { "{ \"servers\": [ 3 ] }", "1: servers: want a list of objects" },
        { "{ \"servers\": [ {} ] }", "servers.hostname: want a host name" },
        { "{ \"servers\": [ { \"hostname\": \"h\",\n\n\"port\": 70000 } ] }",
          "3: servers.port: want a number in range" },
        { "{ \"servers\": [ { \"hostname\": \"h\", \"port\": \"22x\" } ] }",
          "1: servers.port: want a number in range" },
        { "{ \"servers\": [ { \"hostname\": \"h\", \"enable\": \"maybe\" } ] }",
          "1: servers.enable: want true or false" },
        { "{ \"client\": [] }", "1: client: want an object" },
        { "{ \"client\": {\n\"daemon_id\": [] } }", "2: client.daemon_id: want a number" },
        { "{ \"client\": { \"log_level\": \"loud\" } }", "client.log_level: want ERROR" },
        { "{ \"client\": { \"socket_mode\": \"0999\" } }", "client.socket_mode: want an octal" },
        { "{ }", "1: no server" },
        { "[ ]", "1: want an object" },
        { "{ \"servers\": [ { \"hostname\": \"h\" }\n", "2: " },
        { "{ \"a\": 1,\n\"a\": 2 }", "2: " },
        { "", "1: " },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct client_settings s = { .daemon_id = 77 };
        char wanted[300];

        snprintf(wanted, sizeof wanted, "%s:%s", f->file,
                 rows[i].said[0] >= '0' && rows[i].said[0] <= '9' ? rows[i].said : "");
        if (client_of(f, rows[i].text, &s) || strstr(f->said, wanted) == NULL ||
            strstr(f->said, rows[i].said) == NULL) {
            fail_msg("%s\nsaid: %s\nwanted: %s", rows[i].text, f->said, rows[i].said);
        }
        assert_int_equal(s.daemon_id, 77); /* a failed call changes nothing */
    }
}

static void
a_file_that_is_no_file_is_refused(void **state)
{
    struct fixture *f = *state;
    struct client_settings s;
    char *large = malloc(300000);

    assert_false(listen_to(f, as_client, &s));
    assert_non_null(strstr(f->said, "No such file"));

    memset(large, ' ', 300000);
    write_file(f->file, large, 300000);
    assert_false(listen_to(f, as_client, &s));
    assert_non_null(strstr(f->said, "larger than"));

    /* Nesting without end. */
    memset(large, '[', 200000);
    write_file(f->file, large, 200000);
    assert_false(listen_to(f, as_client, &s));
    free(large);

    unlink(f->file);
    mkdir(f->file, 0700);
    assert_false(listen_to(f, as_client, &s));
    rmdir(f->file);
}

static void
more_servers_than_there_is_room_for_are_refused(void **state)
{
    struct fixture *f = *state;
    struct client_settings s;
    char text[4000] = "{ \"servers\": [ ";

    for (size_t i = 0; i <= SETTINGS_SERVERS_MAX; i++) {
        strcat(text, i == 0 ? "{ \"hostname\": \"h\" }" : ", { \"hostname\": \"h\" }");
    }
    strcat(text, " ] }");

    assert_false(client_of(f, text, &s));
    assert_non_null(strstr(f->said, "want fewer servers"));
}

static void
a_server_needs_nothing_in_its_file(void **state)
{
    struct fixture *f = *state;
    struct server_settings s;

    assert_true(server_of(f, "{ }", &s));

    assert_int_equal(s.listen_count, 1);
    assert_string_equal(s.listen[0], "0.0.0.0:2224");
    assert_string_equal(s.listen_management[0], "0.0.0.0:2225");
    assert_string_equal(s.state, "/var/lib/azurecloudhsm");
    assert_string_equal(s.certificate, "/var/lib/azurecloudhsm/node.crt");
    assert_false(s.require_client_certificate);
}

static void
a_servers_paths_start_at_its_state(void **state)
{
    struct fixture *f = *state;
    struct server_settings s;
    char wanted[200];

    assert_true(server_of(f,
                          "{ \"state\": \"st\", \"client_ca\": \"ca.crt\","
                          " \"listen\": [ \"127.0.0.1:1\", \"[::1]:2\" ], \"loops\": 3,"
                          " \"require_client_certificate\": true }",
                          &s));

    snprintf(wanted, sizeof wanted, "%s/st/ca.crt", f->bin);
    assert_string_equal(s.client_ca, wanted);
    assert_int_equal(s.listen_count, 2);
    assert_string_equal(s.listen[1], "[::1]:2");
    assert_int_equal(s.loops, 3);
    assert_true(s.require_client_certificate);
}

static void
a_servers_mistakes_are_named(void **state)
{
    struct fixture *f = *state;
    struct server_settings s;

    assert_false(server_of(f, "{ \"listen\": [] }", &s));
    assert_non_null(strstr(f->said, "listen: want a list of 1 to 8"));
    assert_false(server_of(f, "{ \"listen\": [ 1 ] }", &s));
    assert_non_null(strstr(f->said, "listen: want a list of strings"));
    assert_false(server_of(f, "{ \"loops\": 1000 }", &s));
    assert_non_null(strstr(f->said, "loops: want a number in range"));
}

static void
metrics_stay_on_this_machine(void **state)
{
    struct fixture *f = *state;
    struct server_settings s;

    assert_true(server_of(f, "{ }", &s));
    assert_string_equal(s.metrics, "");
    assert_true(server_of(f, "{ \"metrics\": \"127.0.0.1:9224\" }", &s));
    assert_string_equal(s.metrics, "127.0.0.1:9224");
    assert_false(server_of(f, "{ \"metrics\": \"0.0.0.0:9224\" }", &s));
    assert_non_null(strstr(f->said, "metrics: want an address HOST:PORT with 127.0.0.1"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void
records_may_be_in_etcd(void **state)
{
    struct fixture *f = *state;
    struct server_settings s;

    assert_true(server_of(f, "{ \"store\": { \"engine\": \"sqlite\", \"prefix\": 7 } }", &s));
    assert_false(s.store.etcd);
    assert_string_equal(s.store.prefix, "");
    assert_true(server_of(f,
                          "{ \"state\": \"/s\", \"store\": { \"engine\": \"etcd\","
                          " \"endpoints\": [\"https://a:1\", \"https://b:2\"], \"prefix\": \"/one/\","
                          " \"ca\": \"ca.crt\", \"certificate\": \"/e/n.crt\","
                          " \"private_key\": \"n.key\" } }",
                          &s));
    assert_true(s.store.etcd);
    assert_string_equal(s.store.endpoints, "https://a:1,https://b:2");
    assert_string_equal(s.store.prefix, "/one/");
    assert_string_equal(s.store.ca, "/s/ca.crt");
    assert_string_equal(s.store.certificate, "/e/n.crt");
    assert_string_equal(s.store.private_key, "/s/n.key");

    assert_false(server_of(f, "{ \"store\": { \"engine\": \"mysql\" } }", &s));
    assert_non_null(strstr(f->said, "store.engine: want sqlite or etcd"));
    assert_false(server_of(f, "{ \"store\": { \"engine\": \"etcd\", \"prefix\": \"/one/\" } }", &s));
    assert_non_null(strstr(f->said, "store.endpoints: want"));
    assert_false(server_of(f,
                           "{ \"store\": { \"engine\": \"etcd\", \"endpoints\": [\"\"],"
                           " \"prefix\": \"/one/\" } }",
                           &s));
    assert_non_null(strstr(f->said, "store.endpoints: want"));
    assert_false(server_of(f,
                           "{ \"store\": { \"engine\": \"etcd\", \"endpoints\": \"https://a:1\","
                           " \"prefix\": \"/one\" } }",
                           &s));
    assert_non_null(strstr(f->said, "store.prefix: want a string that ends in a slash"));
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(a_resource_file_with_a_host_name_alone_works),
        TEST(without_a_certificate_beside_the_packages_counts),
        TEST(the_clients_file_of_the_seeds_is_read),
        TEST(unknown_keys_are_passed_over_with_a_line),
        TEST(a_wrong_type_is_refused_with_file_line_and_field),
        TEST(a_file_that_is_no_file_is_refused),
        TEST(more_servers_than_there_is_room_for_are_refused),
        TEST(a_server_needs_nothing_in_its_file),
        TEST(a_servers_paths_start_at_its_state),
        TEST(a_servers_mistakes_are_named),
        TEST(records_may_be_in_etcd),
        TEST(metrics_stay_on_this_machine),
    };

    return cmocka_run_group_tests_name("net/settings", tests, NULL, NULL);
}
