/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_dev: the files of D, all but keys and certificates.
 */
#include "tools/dev.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_NAME "daemon.sock"
#define SOCKET_FOLDER "/tmp/azcloudhsm-"

bool
dev_path(const struct dev *dev, const char *name, char *path)
{
    int len = snprintf(path, DEV_PATH_MAX, "%s/%s", dev->dir, name);

    if (len < 0 || (size_t)len >= DEV_PATH_MAX) {
        fprintf(stderr, "%s: the path is too long; take a shorter --dir\n", dev->dir);
        return false;
    }
    return true;
}

bool
dev_write(const struct dev *dev, const char *name, const char *format, ...)
{
    char path[DEV_PATH_MAX];
    char fresh[DEV_PATH_MAX + 8];
    va_list arguments;

    if (!dev_path(dev, name, path)) {
        return false;
    }
    snprintf(fresh, sizeof fresh, "%s.new", path);

    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

    if (file == NULL) {
        perror(fresh);
        if (fd >= 0) {
            close(fd);
        }
        return false;
    }
    va_start(arguments, format);

    bool ok = vfprintf(file, format, arguments) >= 0;

    va_end(arguments);
    if (fclose(file) != 0 || !ok || rename(fresh, path) < 0) {
        perror(path);
        return false;
    }
    return true;
}

bool
dev_read(const struct dev *dev, const char *name, char *text, size_t size)
{
    char path[DEV_PATH_MAX];
    int fd = dev_path(dev, name, path) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t len = -1;

    if (fd >= 0) {
        len = read(fd, text, size - 1);
        close(fd);
    }
    if (len < 0) {
        return false;
    }
    text[len] = '\0';
    return true;
}

bool
dev_exists(const struct dev *dev, const char *name)
{
    char path[DEV_PATH_MAX];

    return dev_path(dev, name, path) && access(path, F_OK) == 0;
}

void
dev_node_file(unsigned node, const char *name, char ret_name[64])
{
    snprintf(ret_name, 64, "node%u/%s", node, name);
}

bool
dev_write_server(const struct dev *dev, unsigned node)
{
    char name[64], store[DEV_TEXT_MAX];

    dev_node_file(node, "azcloudhsm_server.cfg", name);
    return dev_etcd_lines(dev, node, store, sizeof store) &&
           dev_write(dev, name,
                     "{\n"
                     "  \"listen\": [\"127.0.0.1:%u\"],\n"
                     "  \"listen_management\": [\"127.0.0.1:%u\"],\n"
                     "  \"state\": \"%s/node%u\",\n"
                     "%s"
                     "  \"client_ca\": \"%s/client_ca.crt\",\n"
                     "  \"require_client_certificate\": true,\n"
                     "  \"metrics\": \"127.0.0.1:0\",\n"
                     "  \"log_level\": \"INFO\"\n"
                     "}\n",
                     dev->nodes[node].client_port, dev->nodes[node].manage_port, dev->dir, node,
                     store, dev->dir);
}

/* The path of a Unix socket has little room: a D that is deep gets a folder under /tmp. */
static bool
socket_choose(struct dev *dev)
{
    struct sockaddr_un address;
    char folder[] = SOCKET_FOLDER "XXXXXX";

    if (strlen(dev->dir) + sizeof SOCKET_NAME + 1 <= sizeof address.sun_path) {
        return dev_path(dev, SOCKET_NAME, dev->socket_path);
    }
    dev_remove_socket(dev);
    if (mkdtemp(folder) == NULL) {
        perror(folder);
        return false;
    }
    snprintf(dev->socket_path, sizeof dev->socket_path, "%s/" SOCKET_NAME, folder);
    return true;
}

/* Where certificates are kept in a container for tests: who signs its server's certificate, and where
 * this machine's identity is asked for, as far as D says so in certstorage.crt and .metadata. */
static void
storage_lines(const struct dev *dev, char *lines, size_t size)
{
    char metadata[256];
    int len = 0;

    lines[0] = '\0';
    if (dev_exists(dev, "certstorage.crt")) {
        len = snprintf(lines, size, "    \"certstorage_ca\": \"%s/certstorage.crt\",\n", dev->dir);
    }
    if (len >= 0 && (size_t)len < size &&
        dev_read(dev, "certstorage.metadata", metadata, sizeof metadata)) {
        metadata[strcspn(metadata, "\n\"\\")] = '\0';
        snprintf(lines + len, size - (size_t)len, "    \"certstorage_metadata\": \"%s\",\n",
                 metadata);
    }
}

/* The nodes as a daemon needs them: one is "server", as it was always written. */
static void
nodes_lines(const struct dev *dev, char *lines, size_t size)
{
    size_t len;

    if (dev->node_count == 1) {
        snprintf(lines, size,
                 "  \"server\": {\n"
                 "    \"hostname\": \"127.0.0.1\",\n"
                 "    \"port\": %u\n"
                 "  },\n",
                 dev->nodes[0].client_port);
        return;
    }
    len = (size_t)snprintf(lines, size, "  \"servers\": [\n");
    for (unsigned i = 0; i < dev->node_count; i++) {
        len += (size_t)snprintf(lines + len, size - len,
                                "    { \"hostname\": \"127.0.0.1\", \"client_port\": %u }%s\n",
                                dev->nodes[i].client_port, i + 1 < dev->node_count ? "," : "");
    }
    snprintf(lines + len, size - len, "  ],\n");
}

/* And as the tools need them. */
static bool
manage_lines(const struct dev *dev, char *lines, size_t size)
{
    size_t len = 0;

    for (unsigned i = 0; i < dev->node_count && len < size; i++) {
        len += (size_t)snprintf(lines + len, size - len,
                                "    {\n"
                                "      \"name\": \"hsm%u\",\n"
                                "      \"hostname\": \"127.0.0.1\",\n"
                                "      \"client_port\": %u,\n"
                                "      \"management_port\": %u,\n"
                                "      \"certificate\": \"%s/client.crt\",\n"
                                "      \"pkey\": \"%s/client.key\",\n"
                                "      \"e2e_encryption\": {\n"
                                "        \"enable\": \"yes\",\n"
                                "        \"owner_cert_path\": \"%s/PO.crt\"\n"
                                "      },\n"
                                "      \"enable\": \"yes\"\n"
                                "    }%s\n",
                                i + 1, dev->nodes[i].client_port, dev->nodes[i].manage_port,
                                dev->dir, dev->dir, dev->dir, i + 1 < dev->node_count ? "," : "");
    }
    return len < size;
}

#define MANAGE_MAX (DEV_NODES_MAX * (3 * DEV_PATH_MAX + 512))

bool
dev_write_clients(struct dev *dev)
{
    char storage[DEV_PATH_MAX + 512], kept[DEV_STORAGE_URL_MAX + 512], nodes[1024];
    char manage[MANAGE_MAX];

    storage_lines(dev, storage, sizeof storage);
    nodes_lines(dev, nodes, sizeof nodes);
    return manage_lines(dev, manage, sizeof manage) &&
           dev_storage_lines(dev, kept, sizeof kept) && socket_choose(dev) &&
           dev_write(dev, "socket_path", "%s\n", dev->socket_path) &&
           dev_write(dev, "azcloudhsm_client.cfg",
                     "{\n"
                     "  \"client\": {\n"
                     "    \"daemon_id\": 1,\n"
                     "    \"metrics\": \"127.0.0.1:0\",\n"
                     "    \"e2e_owner_crt_path\": \"%s/PO.crt\",\n"
                     "    \"log_level\": \"INFO\",\n"
                     "%s"
                     "    \"reconnect_attempts\": -1,\n"
                     "    \"reconnect_interval\": 1,\n"
                     "    \"socket_type\": \"UNIXSOCKET\",\n"
                     "    \"socket_path\": \"%s\",\n"
                     "    \"socket_mode\": \"0600\",\n"
                     "    \"state\": \"%s\"\n"
                     "  },\n"
                     "%s"
                     "  \"ssl\": {\n"
                     "    \"certificate\": \"%s/client.crt\",\n"
                     "    \"pkey\": \"%s/client.key\"\n"
                     "  }\n"
                     "}\n",
                     dev->dir, storage, dev->socket_path, dev->dir, nodes, dev->dir,
                     dev->dir) &&
           dev_write(dev, "azcloudhsm_mgmt_util.cfg", "{\n  \"servers\": [\n%s  ]\n}\n", manage) &&
           dev_write(dev, "azcloudhsm_resource.cfg", "{\n  \"servers\": [\n%s  ]\n}\n", manage) &&
           dev_write(dev, "azcloudhsm_application.cfg",
                     "DAEMON_ID=1\n"
                     "SOCKET_TYPE=UNIXSOCKET\n"
                     "SOCKET_PATH=%s\n"
                     "DEFAULT_WRAP_WITH_TRUSTED=1\n"
                     "%s",
                     dev->socket_path, kept);
}

/* The port at the end of the line `what HOST:PORT`. */
static bool
port_find(const char *text, const char *what, unsigned *ret_port)
{
    const char *line = strstr(text, what);
    const char *end = line != NULL ? strchr(line, '\n') : NULL;

    if (end == NULL) {
        return false;
    }

    const char *colon = end;

    while (colon > line && *colon != ':') {
        colon--;
    }

    unsigned long port = strtoul(colon + 1, NULL, 10);

    if (*colon != ':' || port == 0 || port > 65535) {
        return false;
    }
    *ret_port = (unsigned)port;
    return true;
}

bool
dev_read_ports(struct dev *dev, unsigned node)
{
    struct dev_node *ports = &dev->nodes[node];
    char name[64], text[DEV_TEXT_MAX];

    dev_node_file(node, "server.ports", name);
    return dev_read(dev, name, text, sizeof text) &&
           port_find(text, "client ", &ports->client_port) &&
           port_find(text, "management ", &ports->manage_port);
}

bool
dev_read_socket(struct dev *dev)
{
    if (!dev_read(dev, "socket_path", dev->socket_path, sizeof dev->socket_path)) {
        return false;
    }
    dev->socket_path[strcspn(dev->socket_path, "\n")] = '\0';
    return true;
}

static int
entry_remove(const char *path, const struct stat *status, int type, struct FTW *where)
{
    UNUSED(status);
    UNUSED(type);
    UNUSED(where);
    return remove(path);
}

void
dev_remove_socket(struct dev *dev)
{
    char copies[DEV_PATH_MAX + sizeof ".copies"];

    if (dev_read_socket(dev) &&
        strncmp(dev->socket_path, SOCKET_FOLDER, strlen(SOCKET_FOLDER)) == 0) {
        /* What the daemon keeps beside it is for the next one at that path: there is none. */
        snprintf(copies, sizeof copies, "%s.copies", dev->socket_path);
        (void)nftw(copies, entry_remove, 16, FTW_DEPTH | FTW_PHYS);
        unlink(dev->socket_path);
        *strrchr(dev->socket_path, '/') = '\0';
        rmdir(dev->socket_path);
    }
}

void
dev_remove(const struct dev *dev)
{
    if (nftw(dev->dir, entry_remove, 16, FTW_DEPTH | FTW_PHYS) != 0) {
        fprintf(stderr, "%s cannot be removed: %s\n", dev->dir, strerror(errno));
    }
}
