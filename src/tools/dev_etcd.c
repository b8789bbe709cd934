/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_dev: the store of several nodes. azcloudhsm_etcd makes three members of etcd on
 * loopback in D/etcd, and lets the nodes into their prefix; we start and stop them. Further nodes
 * get the master key of the first one and a certificate of their own.
 */
#include "tools/dev.h"

#include "base/secret.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEMBERS 3u
#define LOG_FILE "etcd.log"
#define KNOWN_FILE "etcd/cluster"

/* Below those ports that the kernel gives to who connects. */
#define PORT_FIRST 10000u
#define PORT_COUNT 22000u
#define DRAWS_MAX 100

static bool
wanted(const struct dev *dev)
{
    return dev->node_count > 1;
}

/* "etcd/members/m<number>/name" of D. */
static void
member_file(unsigned member, const char *name, char ret_name[64])
{
    snprintf(ret_name, 64, "etcd/members/m%u/%s", member + 1, name);
}

static bool
member_config(const struct dev *dev, unsigned member, char *path)
{
    char name[64];

    member_file(member, "etcd.conf.yml", name);
    return dev_path(dev, name, path);
}

static bool
port_draw(int fd, unsigned *ret_port)
{
    struct sockaddr_in address = { .sin_family = AF_INET };

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < DRAWS_MAX; i++) {
        uint16_t drawn;

        if (getrandom(&drawn, sizeof drawn, 0) != (ssize_t)sizeof drawn) {
            return false;
        }
        address.sin_port = htons((uint16_t)(PORT_FIRST + drawn % PORT_COUNT));
        if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0) {
            *ret_port = ntohs(address.sin_port);
            return true;
        }
    }
    return false;
}

bool
dev_ports_choose(unsigned *ports, size_t count)
{
    int fds[DEV_PORTS_MAX];
    size_t made = 0;
    bool ok = count <= DEV_PORTS_MAX;

    for (; made < count && ok; made++) {
        fds[made] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ok = fds[made] >= 0 && port_draw(fds[made], &ports[made]);
    }
    if (!ok) {
        perror("a free port");
    }
    while (made-- > 0) {
        if (fds[made] >= 0) {
            close(fds[made]);
        }
    }
    return ok;
}

bool
dev_etcd_found(const struct dev *dev)
{
    static const char *const programs[] = { "etcd", "etcdctl", "openssl" };
    char path[DEV_PATH_MAX];

    for (size_t i = 0; wanted(dev) && i < ARRAY_COUNT(programs); i++) {
        if (!dev_in_path(programs[i], path)) {
            fprintf(stderr, "several nodes need etcd, etcdctl and openssl (packages etcd-server, "
                            "etcd-client, openssl); %s is not in the PATH\n", programs[i]);
            return false;
        }
    }
    return true;
}

bool
dev_etcd_make(const struct dev *dev)
{
    char program[DEV_PATH_MAX], folder[DEV_PATH_MAX];
    char make[] = "make", local[] = "--local", timing[] = "--timing", beat[] = "50,500";
    char members[MEMBERS][64];
    char *arguments[6 + MEMBERS + 1] = { program, make, folder, local, timing, beat };
    unsigned ports[2 * MEMBERS];

    if (!wanted(dev)) {
        return true;
    }
    if (!dev_program_path("azcloudhsm_etcd", program) || !dev_path(dev, "etcd", folder) ||
        !dev_ports_choose(ports, ARRAY_COUNT(ports))) {
        return false;
    }
    for (unsigned i = 0; i < MEMBERS; i++) {
        snprintf(members[i], sizeof members[i], "m%u=127.0.0.1:%u:%u", i + 1, ports[2 * i],
                 ports[2 * i + 1]);
        arguments[6 + i] = members[i];
    }
    return dev_run(dev, LOG_FILE, arguments) && dev_etcd_start(dev);
}

bool
dev_etcd_protect(const struct dev *dev)
{
    char program[DEV_PATH_MAX], folder[DEV_PATH_MAX], protect[] = "protect";
    char *arguments[] = { program, protect, folder, NULL };

    return !wanted(dev) || (dev_program_path("azcloudhsm_etcd", program) &&
                            dev_path(dev, "etcd", folder) && dev_run(dev, LOG_FILE, arguments));
}

static pid_t
member_running(const struct dev *dev, unsigned member)
{
    char name[64], config[DEV_PATH_MAX];

    member_file(member, "pid", name);
    return member_config(dev, member, config) ? dev_process(dev, name, config) : 0;
}

static bool
member_start(const struct dev *dev, unsigned member)
{
    char etcd[] = "etcd", word[] = "--config-file", config[DEV_PATH_MAX];
    char *arguments[] = { etcd, word, config, NULL };
    char log[64], pid_file[64];
    pid_t pid;

    member_file(member, "log", log);
    member_file(member, "pid", pid_file);
    if (!member_config(dev, member, config)) {
        return false;
    }
    pid = dev_spawn(dev, log, arguments);
    return pid > 0 && dev_write(dev, pid_file, "%ld\n", (long)pid);
}

bool
dev_etcd_start(const struct dev *dev)
{
    for (unsigned i = 0; wanted(dev) && i < MEMBERS; i++) {
        if (member_running(dev, i) == 0 && !member_start(dev, i)) {
            return false;
        }
    }
    return true;
}

bool
dev_etcd_stop(const struct dev *dev)
{
    char config[DEV_PATH_MAX];
    bool stopped = true;

    for (unsigned i = 0; wanted(dev) && i < MEMBERS; i++) {
        pid_t pid = member_running(dev, i);

        if (pid != 0) {
            stopped = member_config(dev, i, config) && dev_end(pid, config, "member of etcd") &&
                      stopped;
        }
    }
    return stopped;
}

/* The client ports of the members, as azcloudhsm_etcd noted them: member NAME HOST PORT PEER. */
static bool
ports_read(const struct dev *dev, unsigned ports[MEMBERS])
{
    char text[DEV_TEXT_MAX];
    const char *line = text;
    unsigned count = 0;

    if (!dev_read(dev, KNOWN_FILE, text, sizeof text)) {
        return false;
    }
    while (count < MEMBERS && (line = strstr(line, "\nmember ")) != NULL) {
        line++;
        count += sscanf(line, "member %*s %*s %u", &ports[count]) == 1;
    }
    return count == MEMBERS;
}

bool
dev_etcd_print(const struct dev *dev, bool quiet)
{
    unsigned ports[MEMBERS] = { 0 };
    bool all = true, known = !wanted(dev) || ports_read(dev, ports);

    for (unsigned i = 0; wanted(dev) && i < MEMBERS; i++) {
        pid_t pid = member_running(dev, i);

        all = all && pid != 0;
        if (quiet) {
            continue;
        }
        if (pid != 0) {
            printf("etcd m%u: running (pid %ld), 127.0.0.1:%u\n", i + 1, (long)pid, ports[i]);
        } else {
            printf("etcd m%u: stopped\n", i + 1);
        }
    }
    return all && known;
}

bool
dev_etcd_lines(const struct dev *dev, unsigned node, char *lines, size_t size)
{
    unsigned ports[MEMBERS];
    size_t len;

    lines[0] = '\0';
    if (!wanted(dev)) {
        return true;
    }
    if (!ports_read(dev, ports)) {
        fprintf(stderr, "%s/" KNOWN_FILE " does not name the members\n", dev->dir);
        return false;
    }
    len = (size_t)snprintf(lines, size,
                           "  \"store\": {\n"
                           "    \"engine\": \"etcd\",\n"
                           "    \"endpoints\": [");
    for (unsigned i = 0; i < MEMBERS; i++) {
        len += (size_t)snprintf(lines + len, size - len, "%s\"https://127.0.0.1:%u\"",
                                i == 0 ? "" : ", ", ports[(i + node) % MEMBERS]);
    }
    len += (size_t)snprintf(lines + len, size - len,
                            "],\n"
                            "    \"prefix\": \"/opencloudhsm/\",\n"
                            "    \"ca\": \"%s/etcd/ca.crt\",\n"
                            "    \"certificate\": \"%s/etcd/nodes/node.crt\",\n"
                            "    \"private_key\": \"%s/etcd/nodes/node.key\"\n"
                            "  },\n",
                            dev->dir, dev->dir, dev->dir);
    return len < size;
}

/* ---- further nodes ---- */

static bool
file_copy(const struct dev *dev, const char *from, const char *to)
{
    char source[DEV_PATH_MAX], target[DEV_PATH_MAX], bytes[DEV_TEXT_MAX];
    ssize_t len = -1;
    bool ok = false;

    if (!dev_path(dev, from, source) || !dev_path(dev, to, target)) {
        return false;
    }

    int in = open(source, O_RDONLY | O_CLOEXEC);
    int out = in < 0 ? -1 : open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (out >= 0) {
        len = read(in, bytes, sizeof bytes);
        ok = len > 0 && (size_t)len < sizeof bytes && write(out, bytes, (size_t)len) == len;
        ok = close(out) == 0 && ok;
        wipe(bytes, sizeof bytes);
    }
    if (in >= 0) {
        close(in);
    }
    if (!ok) {
        fprintf(stderr, "%s: not copied to %s: %s\n", source, target, strerror(errno));
    }
    return ok;
}

static bool
serial_choose(char ret_serial[17])
{
    uint8_t random[8];

    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) {
        perror("random bytes");
        return false;
    }
    hex_encode(view_of(random, sizeof random), ret_serial);
    return true;
}

bool
dev_join(const struct dev *dev, unsigned node)
{
    char folder[DEV_PATH_MAX], name[64], serial[17];

    snprintf(name, sizeof name, "node%u", node);
    if (!dev_path(dev, name, folder) || !serial_choose(serial)) {
        return false;
    }
    if (mkdir(folder, 0700) != 0) {
        perror(folder);
        return false;
    }
    dev_node_file(node, "master.key", name);
    if (!file_copy(dev, "node0/master.key", name)) {
        return false;
    }
    dev_node_file(node, "PO.crt", name);
    if (!file_copy(dev, "PO.crt", name)) {
        return false;
    }
    dev_node_file(node, "node.serial", name);
    return dev_write(dev, name, "%s\n", serial) && dev_certify_node(dev, node, serial) &&
           dev_write_server(dev, node);
}
