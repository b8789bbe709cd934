/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a JSON configuration file, of a client or a node by the first byte. What is taken
 * keeps its promises: texts end, numbers are in their ranges, and the same file gives the same
 * settings again; what is refused changes nothing.
 */
#include "fuzz/fuzz.h"

#include "net/settings.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ENDS(text) (memchr((text), '\0', sizeof(text)) != NULL)

static void
client_holds(const char *path)
{
    static struct client_settings first, second;

    memset(&first, 0, sizeof first);
    memset(&second, 0, sizeof second);

    bool taken = client_settings_read(path, &first);

    HOLDS(taken == client_settings_read(path, &second));
    HOLDS(memcmp(&first, &second, sizeof first) == 0);
    if (!taken) {
        memset(&second, 0, sizeof second);
        HOLDS(memcmp(&first, &second, sizeof first) == 0);
        return;
    }
    HOLDS(first.server_count > 0 && first.server_count <= SETTINGS_SERVERS_MAX);
    for (size_t i = 0; i < first.server_count; i++) {
        const struct settings_server *server = &first.servers[i];

        HOLDS(ENDS(server->name) && ENDS(server->hostname) && server->hostname[0] != '\0');
        HOLDS(server->client_port > 0 && server->client_port <= 65535);
        HOLDS(server->manage_port > 0 && server->manage_port <= 65535);
    }
    HOLDS(ENDS(first.anchor) && first.anchor[0] != '\0');
    HOLDS(ENDS(first.certificate) && ENDS(first.private_key) && ENDS(first.socket_path));
    HOLDS(first.daemon_id > 0 && first.daemon_id <= 65535 && first.socket_mode <= 0777);
    HOLDS(first.reconnect_interval_ms >= 1000 && first.reconnect_interval_ms <= 3600000);
}

static void
server_holds(const char *path)
{
    static struct server_settings first, second;

    memset(&first, 0, sizeof first);
    memset(&second, 0, sizeof second);

    bool taken = server_settings_read(path, &first);

    HOLDS(taken == server_settings_read(path, &second));
    HOLDS(memcmp(&first, &second, sizeof first) == 0);
    if (!taken) {
        return;
    }
    HOLDS(first.listen_count > 0 && first.listen_count <= ARRAY_COUNT(first.listen));
    HOLDS(first.listen_management_count > 0 &&
          first.listen_management_count <= ARRAY_COUNT(first.listen_management));
    for (size_t i = 0; i < first.listen_count; i++) {
        HOLDS(ENDS(first.listen[i]));
    }
    HOLDS(ENDS(first.state) && ENDS(first.certificate) && ENDS(first.client_ca));
    HOLDS(first.loops <= 256);
    HOLDS(ENDS(first.store.endpoints) && ENDS(first.store.prefix) && ENDS(first.store.ca));
    HOLDS(ENDS(first.store.certificate) && ENDS(first.store.private_key));
    HOLDS(first.store.etcd == (first.store.endpoints[0] != '\0'));
    HOLDS(!first.store.etcd || first.store.prefix[strlen(first.store.prefix) - 1] == '/');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static FILE *quiet;
    static int file = -1;
    static char path[64];

    if (file < 0) {
        quiet = freopen("/dev/null", "w", stderr);
        file = memfd_create("settings", MFD_CLOEXEC);
        HOLDS(quiet != NULL && file >= 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    }
    if (size == 0) {
        return 0;
    }
    HOLDS(ftruncate(file, 0) == 0);
    HOLDS(pwrite(file, data + 1, size - 1, 0) == (ssize_t)size - 1);
    if (data[0] % 2 == 0) {
        client_holds(path);
    } else {
        server_holds(path);
    }
    return 0;
}
