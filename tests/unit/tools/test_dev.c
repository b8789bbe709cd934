/* SPDX-License-Identifier: Apache-2.0
 *
 * The files of a throwaway HSM: certificates that chain, configurations, the socket's path.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "api/appcfg.h"
#include "net/settings.h"
#include "crypto/cert.h"
#include "tools/dev.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

static int
folder_make(void **state)
{
    struct dev *dev = calloc(1, sizeof *dev);
    char node[DEV_PATH_MAX];

    strcpy(dev->dir, "/tmp/test_dev.XXXXXX");
    if (mkdtemp(dev->dir) == NULL || !dev_path(dev, "node0", node) || mkdir(node, 0700) != 0) {
        return -1;
    }
    dev->policy = "azure";
    dev->node_count = 1;
    *state = dev;
    return 0;
}

static int
folder_remove(void **state)
{
    struct dev *dev = *state;

    dev_remove_socket(dev);
    dev_remove(dev);
    free(dev);
    return 0;
}

static X509 *
certificate_read(const struct dev *dev, const char *name)
{
    char path[DEV_PATH_MAX];

    assert_true(dev_path(dev, name, path));

    FILE *file = fopen(path, "r");

    assert_non_null(file);

    X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);

    fclose(file);
    assert_non_null(certificate);
    return certificate;
}

static bool
chains(const struct dev *dev, const char *name, const char *anchor_name)
{
    X509 *certificate = certificate_read(dev, name);
    X509 *anchor = certificate_read(dev, anchor_name);
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();

    X509_STORE_add_cert(store, anchor);
    X509_STORE_set_flags(store, X509_V_FLAG_X509_STRICT);
    X509_STORE_CTX_init(context, store, certificate, NULL);

    bool good = X509_verify_cert(context) == 1;

    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    X509_free(certificate);
    X509_free(anchor);
    return good;
}

/* The owner, and his answer to the request of a node. */
static void
sign_node(const struct dev *dev)
{
    struct writer key, request;

    writer_init(&key, 4096);
    writer_init(&request, CERT_PEM_MAX);
    assert_true(dev_certificates(dev));
    assert_int_equal(cert_key_new(&key), CKR_OK);
    assert_int_equal(cert_request(writer_view(&key), "HSM:1:PARTN:1", &request), CKR_OK);
    assert_true(dev_sign_node(dev, writer_view(&request)));
    assert_false(dev_sign_node(dev, VIEW_TEXT("no request")));
    writer_clear(&key);
    writer_clear(&request);
}

static void
certificates_chain_to_who_signs_them(void **state)
{
    struct dev *dev = *state;
    char subject[256];

    sign_node(dev);

    assert_true(chains(dev, "POAC.crt", "PO.crt"));
    assert_true(chains(dev, "client.crt", "client_ca.crt"));
    assert_false(chains(dev, "client.crt", "PO.crt"));
    assert_false(chains(dev, "POAC.crt", "client_ca.crt"));

    X509 *node = certificate_read(dev, "POAC.crt");
    X509 *owner = certificate_read(dev, "PO.crt");

    X509_NAME_get_text_by_NID(X509_get_subject_name(node), NID_commonName, subject,
                              sizeof subject);
    assert_string_equal(subject, "HSM:1:PARTN:1");
    assert_int_equal(EVP_PKEY_get_bits(X509_get0_pubkey(owner)), 2048);
    X509_free(node);
    X509_free(owner);
}

static void
keys_are_the_owners_alone(void **state)
{
    static const char *const names[] = { "PO.key", "client_ca.key", "client.key" };
    struct dev *dev = *state;

    assert_true(dev_certificates(dev));

    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        char path[DEV_PATH_MAX];
        struct stat status;

        assert_true(dev_path(dev, names[i], path));
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(status.st_mode & 0777, 0600);
    }
}

static void
the_configurations_read_as_they_are_meant(void **state)
{
    struct dev *dev = *state;
    struct server_settings server;
    struct client_settings client;
    struct client_settings manage;
    char path[DEV_PATH_MAX];
    char text[DEV_TEXT_MAX];
    struct appcfg config;

    assert_true(dev_write_server(dev, 0));
    dev->nodes[0].client_port = 2001;
    dev->nodes[0].manage_port = 2002;
    assert_true(dev_write_clients(dev));

    assert_true(dev_path(dev, "node0/azcloudhsm_server.cfg", path));
    assert_true(server_settings_read(path, &server));
    assert_string_equal(server.listen[0], "127.0.0.1:0");
    assert_true(server.require_client_certificate);

    assert_true(dev_path(dev, "azcloudhsm_client.cfg", path));
    assert_true(client_settings_read(path, &client));
    assert_string_equal(client.socket_path, dev->socket_path);
    assert_int_equal(client.socket_mode, 0600);
    assert_string_equal(client.state, dev->dir);
    assert_int_equal(client.server_count, 1);
    assert_int_equal(client.servers[0].client_port, 2001);
    assert_string_not_equal(client.certificate, "");

    assert_true(dev_path(dev, "azcloudhsm_mgmt_util.cfg", path));
    assert_true(client_settings_read(path, &manage));
    assert_int_equal(manage.servers[0].manage_port, 2002);
    assert_string_equal(manage.servers[0].hostname, "127.0.0.1");
    assert_string_not_equal(manage.private_key, "");

    assert_true(dev_path(dev, "azcloudhsm_resource.cfg", path));
    assert_true(client_settings_read(path, &manage));
    assert_int_equal(manage.servers[0].manage_port, 2002);
    assert_int_equal(manage.servers[0].client_port, 2001);

    assert_true(dev_read(dev, "azcloudhsm_application.cfg", text, sizeof text));
    assert_true(appcfg_parse("test", view_str(text), &config));
    assert_string_equal(config.socket_path, dev->socket_path);
}

static void
several_nodes_have_their_store_in_etcd(void **state)
{
    struct dev *dev = *state;
    struct server_settings server;
    struct client_settings client;
    char path[DEV_PATH_MAX];

    dev->node_count = 3;
    assert_true(dev_path(dev, "etcd", path));
    assert_int_equal(mkdir(path, 0700), 0);
    assert_true(dev_path(dev, "node1", path));
    assert_int_equal(mkdir(path, 0700), 0);
    assert_false(dev_write_server(dev, 1));
    assert_true(dev_write(dev, "etcd/cluster", "token=1\nmember m1 127.0.0.1 31 41\n"
                                               "member m2 127.0.0.1 32 42\nmember m3 127.0.0.1 33 43\n"));

    dev->nodes[0] = (struct dev_node){ 1999, 2000 };
    dev->nodes[1] = (struct dev_node){ 2001, 2002 };
    dev->nodes[2] = (struct dev_node){ 2003, 2004 };
    assert_true(dev_write_server(dev, 1));
    assert_true(dev_write_clients(dev));

    assert_true(dev_path(dev, "node1/azcloudhsm_server.cfg", path));
    assert_true(server_settings_read(path, &server));
    assert_string_equal(server.listen[0], "127.0.0.1:2001");
    assert_true(server.store.etcd);
    /* The nearest one first: not all nodes ask the same one. */
    assert_string_equal(server.store.endpoints,
                        "https://127.0.0.1:32,https://127.0.0.1:33,https://127.0.0.1:31");
    assert_true(dev_path(dev, "azcloudhsm_client.cfg", path));
    assert_true(client_settings_read(path, &client));
    assert_int_equal(client.server_count, 3);
    assert_int_equal(client.servers[2].client_port, 2003);
    assert_true(dev_path(dev, "azcloudhsm_mgmt_util.cfg", path));
    assert_true(client_settings_read(path, &client));
    assert_int_equal(client.server_count, 3);
    assert_int_equal(client.servers[1].manage_port, 2002);
}

static void
a_deep_folder_gets_a_short_socket(void **state)
{
    struct dev *dev = *state;
    struct dev deep = *dev;
    char folder[DEV_PATH_MAX];
    char copies[DEV_PATH_MAX + 32];

    memset(folder, 0, sizeof folder);
    assert_true(dev_path(dev, "a-folder-with-a-name-that-is-much-too-long-for-the-path-of-a-socket"
                              "-and-even-longer-than-that",
                         folder));
    assert_int_equal(mkdir(folder, 0700), 0);
    strcpy(deep.dir, folder);

    assert_true(dev_write_clients(&deep));
    assert_true(strlen(deep.socket_path) < 108);
    memset(deep.socket_path, 0, sizeof deep.socket_path);
    assert_true(dev_read_socket(&deep));
    assert_int_equal(strncmp(deep.socket_path, "/tmp/azcloudhsm-", 16), 0);

    /* As the daemon leaves it. */
    snprintf(copies, sizeof copies, "%s.copies", deep.socket_path);
    assert_int_equal(mkdir(copies, 0700), 0);
    strcat(copies, "/0123");
    assert_int_equal(mknod(copies, S_IFREG | 0600, 0), 0);
    dev_remove_socket(&deep);
    assert_int_not_equal(access(deep.socket_path, F_OK), 0);
}

static void
ports_are_read_from_the_servers_file(void **state)
{
    struct dev *dev = *state;

    assert_false(dev_read_ports(dev, 0));
    assert_true(dev_write(dev, "node0/server.ports",
                          "client 127.0.0.1:40001\nmanagement [::1]:40002\n"));
    assert_true(dev_read_ports(dev, 0));
    assert_int_equal(dev->nodes[0].client_port, 40001);
    assert_int_equal(dev->nodes[0].manage_port, 40002);

    assert_true(dev_write(dev, "node0/server.ports", "client 127.0.0.1:40001\nmanagement "));
    assert_false(dev_read_ports(dev, 0));
}

static void
a_stale_pid_file_is_nobody(void **state)
{
    struct dev *dev = *state;

    assert_int_equal(dev_running(dev, DEV_SERVER, 0), 0);
    assert_true(dev_write(dev, "node0/server.pid", "%ld\n", (long)getpid()));
    assert_int_equal(dev_running(dev, DEV_SERVER, 0), 0);
}

#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_make, folder_remove)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(certificates_chain_to_who_signs_them),
        WITH_FOLDER(keys_are_the_owners_alone),
        WITH_FOLDER(the_configurations_read_as_they_are_meant),
        WITH_FOLDER(several_nodes_have_their_store_in_etcd),
        WITH_FOLDER(a_deep_folder_gets_a_short_socket),
        WITH_FOLDER(ports_are_read_from_the_servers_file),
        WITH_FOLDER(a_stale_pid_file_is_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
