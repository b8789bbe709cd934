/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cluster.h"

#include "base/log.h"
#include "crypto/cert.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A certificate's file, which is small. */
static bool
file_print(const char *path, uint8_t ret_print[CERT_FINGERPRINT_LEN])
{
    uint8_t bytes[CERT_PEM_MAX];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, bytes, sizeof bytes);
    bool made = got > 0 && cert_fingerprint(view_of(bytes, (size_t)got), ret_print) == CKR_OK;

    if (!made) {
        log_err("%s: %s", path, got < 0 ? strerror(errno) : "no certificate");
    }
    if (fd >= 0) {
        close(fd);
    }
    return made;
}

static bool
own_print(struct hsm *hsm, const struct server_settings *settings,
          uint8_t ret_print[CERT_FINGERPRINT_LEN])
{
    struct hsm_identity identity = { .version = 0 };
    bool made;

    if (!hsm_identity_get(hsm, &identity)) {
        return file_print(settings->certificate, ret_print);
    }
    made = cert_fingerprint(view_str(identity.certificate), ret_print) == CKR_OK;
    hsm_identity_clear(&identity);
    return made;
}

/* What the settings say, else where it listens, else what this host is called. */
static void
own_address(const struct server_settings *settings, char *ret_host, size_t size)
{
    const char *listen = settings->listen[0];
    const char *colon = strrchr(listen, ':');
    size_t len = colon == NULL ? strlen(listen) : (size_t)(colon - listen);

    if (settings->address[0] != '\0') {
        snprintf(ret_host, size, "%s", settings->address);
        return;
    }
    if (len > 2 && listen[0] == '[' && listen[len - 1] == ']') {
        listen++;
        len -= 2;
    }
    snprintf(ret_host, size, "%.*s", (int)len, listen);
    if ((ret_host[0] == '\0' || strcmp(ret_host, "0.0.0.0") == 0 || strcmp(ret_host, "::") == 0 ||
         strcmp(ret_host, "*") == 0) &&
        gethostname(ret_host, size) != 0) {
        snprintf(ret_host, size, "localhost");
    }
    ret_host[size - 1] = '\0';
}

bool
cluster_enter(struct hsm *hsm, const struct server_settings *settings, unsigned client_port,
              unsigned manage_port)
{
    char host[HSM_HOSTNAME_MAX + 1];
    struct hsm_place_of_node place = { .hostname = host,
                                       .client_port = (uint16_t)client_port,
                                       .manage_port = (uint16_t)manage_port };
    CK_RV rv;

    if (!settings->store.etcd) {
        return true;
    }
    own_address(settings, host, sizeof host);
    rv = own_print(hsm, settings, place.print) ? hsm_enter(hsm, &place) : CKR_DEVICE_ERROR;
    if (rv == CODE_NODE_UNKNOWN) {
        log_err("this node was removed from the cluster; to come back it needs another serial");
    } else if (rv == CODE_NODE_MANY) {
        log_err("the cluster has as many nodes as it can");
    } else if (rv != CKR_OK) {
        log_err("this node does not enter the cluster: %s", return_name(rv));
    }
    return rv == CKR_OK;
}
