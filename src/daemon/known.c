/* SPDX-License-Identifier: Apache-2.0
 *
 * <state>/nodes: the nodes that were told last, so that a daemon which starts while the nodes of its
 * settings are away finds the others. Only where to look: who is there has to have a certificate of
 * the owner's, and tells which nodes there are now. With other settings it counts no more, and when those
 * of the settings turn out to be of another store (roster.c).
 *
 *   8 bytes  "OCHNODE2"
 *   32       SHA-256 over the settings' servers and anchor
 *   16       the id of the nodes' store; zeros: not known
 *   u32      how many; of each u32 number, u16 port for clients, u16 for management, bytes host name
 *   32       SHA-256 over all of that
 */
#include "daemon/daemon.h"

#include "base/log.h"
#include "crypto/algo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC VIEW_TEXT("OCHNODE2")
#define PATH_MAX_LEN 600u

bool
known_write(const struct known *known, struct writer *out)
{
    const size_t start = out->len;
    uint8_t sum[KNOWN_SUM_LEN];

    write_raw(out, MAGIC);
    write_raw(out, view_of(known->settings, sizeof known->settings));
    write_raw(out, view_of(known->store, sizeof known->store));
    write_u32(out, (uint32_t)known->count);
    for (size_t i = 0; i < known->count; i++) {
        write_u32(out, known->nodes[i].id);
        write_u16(out, known->nodes[i].client_port);
        write_u16(out, known->nodes[i].manage_port);
        write_bytes(out, view_str(known->nodes[i].hostname));
    }
    if (!writer_ok(out) || !algo_sha256(view_of(out->data + start, out->len - start), sum)) {
        return false;
    }
    write_raw(out, view_of(sum, sizeof sum));
    return writer_ok(out);
}

static bool
known_node_read(struct reader *r, struct known_node *ret_node)
{
    struct known_node node = { .id = 0 };
    view hostname;

    if (!read_u32(r, &node.id) || node.id == 0 || !read_u16(r, &node.client_port) ||
        node.client_port == 0 || !read_u16(r, &node.manage_port) ||
        !read_bytes(r, sizeof node.hostname - 1, &hostname) || hostname.len == 0 ||
        memchr(hostname.data, '\0', hostname.len) != NULL) {
        return false;
    }
    memcpy(node.hostname, hostname.data, hostname.len);
    *ret_node = node;
    return true;
}

bool
known_read(view bytes, struct known *ret_known)
{
    struct known known = { .count = 0 };
    uint8_t sum[KNOWN_SUM_LEN];
    struct reader r;
    uint32_t count;
    view magic, settings, store;

    if (bytes.len < sizeof sum || bytes.len > KNOWN_BYTES_MAX ||
        !algo_sha256(view_slice(bytes, 0, bytes.len - sizeof sum), sum) ||
        memcmp(bytes.data + bytes.len - sizeof sum, sum, sizeof sum) != 0) {
        return false;
    }
    r = reader_of(view_slice(bytes, 0, bytes.len - sizeof sum));
    if (!read_raw(&r, MAGIC.len, &magic) || !view_equal(magic, MAGIC) ||
        !read_raw(&r, sizeof known.settings, &settings) ||
        !read_raw(&r, sizeof known.store, &store) || !read_u32(&r, &count) ||
        count > ARRAY_COUNT(known.nodes)) {
        return false;
    }
    memcpy(known.settings, settings.data, settings.len);
    memcpy(known.store, store.data, store.len);
    for (known.count = 0; known.count < count; known.count++) {
        if (!known_node_read(&r, &known.nodes[known.count])) {
            return false;
        }
    }
    if (!reader_done(&r)) {
        return false;
    }
    *ret_known = known;
    return true;
}

/* ---- the daemon's ---- */

static bool
settings_sum(const struct client_settings *settings, uint8_t ret_sum[KNOWN_SUM_LEN])
{
    struct writer text;
    bool done;

    writer_init(&text, KNOWN_BYTES_MAX);
    write_bytes(&text, view_str(settings->anchor));
    for (size_t i = 0; i < settings->server_count; i++) {
        const struct settings_server *server = &settings->servers[i];

        write_u8(&text, server->enable);
        write_bytes(&text, view_str(server->hostname));
        write_u16(&text, (uint16_t)server->client_port);
        write_u16(&text, (uint16_t)server->manage_port);
    }
    done = writer_ok(&text) && algo_sha256(writer_view(&text), ret_sum);
    writer_clear(&text);
    return done;
}

static bool
known_make(const struct daemon *daemon, struct known *ret_known)
{
    *ret_known = (struct known){ .count = 0 };
    memcpy(ret_known->store, daemon->store, sizeof daemon->store);
    for (size_t i = 0; i < daemon->node_count; i++) {
        const struct node *node = &daemon->nodes[i];
        struct known_node *known = &ret_known->nodes[ret_known->count];

        if (node->id != 0 && !node->gone) {
            known->id = node->id;
            known->client_port = (uint16_t)node->settings.client_port;
            known->manage_port = (uint16_t)node->settings.manage_port;
            snprintf(known->hostname, sizeof known->hostname, "%s", node->settings.hostname);
            ret_known->count++;
        }
    }
    return settings_sum(&daemon->settings, ret_known->settings);
}

/* All of it or nothing, also when the host dies meanwhile. */
static bool
file_replace(const char *path, view bytes)
{
    char fresh[PATH_MAX_LEN + 8];
    bool done = false;
    int fd;

    snprintf(fresh, sizeof fresh, "%s.new", path);
    fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0) {
        done = write(fd, bytes.data, bytes.len) == (ssize_t)bytes.len && fsync(fd) == 0;
        done = close(fd) == 0 && done && rename(fresh, path) == 0;
    }
    if (!done) {
        log_wrn("%s: %s: a daemon that starts knows the nodes of its settings alone", path,
                strerror(errno));
    }
    return done;
}

void
known_save(struct daemon *daemon)
{
    char path[PATH_MAX_LEN];
    struct known known;
    struct writer bytes;

    if (daemon->settings.state[0] == '\0' || !known_make(daemon, &known) || known.count == 0) {
        return;
    }
    writer_init(&bytes, KNOWN_BYTES_MAX);
    snprintf(path, sizeof path, "%s/nodes", daemon->settings.state);
    if (known_write(&known, &bytes) &&
        memcmp(bytes.data + bytes.len - KNOWN_SUM_LEN, daemon->known, KNOWN_SUM_LEN) != 0) {
        /* Once, also where it fails: a full disk is not written to every five seconds. */
        memcpy(daemon->known, bytes.data + bytes.len - KNOWN_SUM_LEN, KNOWN_SUM_LEN);
        (void)file_replace(path, writer_view(&bytes));
    }
    writer_clear(&bytes);
}

void
known_forget(struct daemon *daemon)
{
    char path[PATH_MAX_LEN];

    if (daemon->settings.state[0] != '\0') {
        snprintf(path, sizeof path, "%s/nodes", daemon->settings.state);
        (void)unlink(path);
        memset(daemon->known, 0, sizeof daemon->known);
    }
}

/* What stands in the file; false: there is none, or it is damaged. */
static bool
known_get(const char *path, struct known *ret_known)
{
    uint8_t bytes[KNOWN_BYTES_MAX + 1];
    ssize_t len;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0) {
        if (errno != ENOENT) {
            log_wrn("%s: %s", path, strerror(errno));
        }
        return false;
    }
    len = read(fd, bytes, sizeof bytes);
    close(fd);
    if (len < 0 || !known_read(view_of(bytes, (size_t)len), ret_known)) {
        log_wrn("%s is damaged or of another version, and counts for nothing", path);
        return false;
    }
    return true;
}

void
known_load(struct daemon *daemon)
{
    char path[PATH_MAX_LEN];
    uint8_t sum[KNOWN_SUM_LEN];
    struct known known;

    snprintf(path, sizeof path, "%s/nodes", daemon->settings.state);
    if (daemon->settings.state[0] == '\0' || !known_get(path, &known)) {
        return;
    }
    if (!settings_sum(&daemon->settings, sum) || memcmp(sum, known.settings, sizeof sum) != 0) {
        log_inf("%s is of other settings, and counts for nothing", path);
        return;
    }
    memcpy(daemon->store, known.store, sizeof daemon->store);
    for (size_t i = 0; i < known.count; i++) {
        const struct node_info info = { .id = known.nodes[i].id,
                                        .present = true,
                                        .hostname = view_str(known.nodes[i].hostname),
                                        .client_port = known.nodes[i].client_port,
                                        .manage_port = known.nodes[i].manage_port };

        roster_enter(daemon, &info);
    }
}
