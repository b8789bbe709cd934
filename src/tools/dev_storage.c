/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_dev: where D's HSM keeps certificates. Three kinds: in the HSM; as signed tokens in
 * D/certificates; as signed tokens in Azurite, which is started with a certificate of its own and a
 * container. The daemon and applications are told by their configuration files.
 */
#include "tools/dev.h"

#include "certs/blob.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define KIND_FILE "certstorage"
#define PORT_FILE "certstorage.port"
#define PAIR_FILE "certstorage.pair"
#define LOG_FILE "certstorage.log"
#define PID_FILE "azurite.pid"
#define PAIR_NAME "certkey"
/* The account that every Azurite has, and its key, which is no secret. */
#define ACCOUNT "devstoreaccount1"
#define ACCOUNT_KEY \
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
#define CONTAINER "certificates"

enum kind { KIND_HSM, KIND_FOLDER, KIND_AZURITE };

static const char *const kinds[] = { "hsm", "folder", "azurite" };

bool
dev_storage_parse(const char *name)
{
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        if (strcmp(kinds[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* What D has been told, KIND_HSM when nothing. */
static enum kind
kind_of(const struct dev *dev)
{
    char text[16];

    if (dev_read(dev, KIND_FILE, text, sizeof text)) {
        text[strcspn(text, "\n")] = '\0';
        for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
            if (strcmp(kinds[i], text) == 0) {
                return (enum kind)i;
            }
        }
    }
    return KIND_HSM;
}

static pid_t
azurite_running(const struct dev *dev)
{
    char data[DEV_PATH_MAX];

    return dev_path(dev, "azurite", data) ? dev_process(dev, PID_FILE, data) : 0;
}

static unsigned
port_of(const struct dev *dev)
{
    char text[16];
    unsigned long port = dev_read(dev, PORT_FILE, text, sizeof text) ? strtoul(text, NULL, 10) : 0;

    return port <= 65535 ? (unsigned)port : 0;
}

/* CERTSTORAGE_URL, "" for the HSM itself. */
static bool
url_of(const struct dev *dev, enum kind kind, char *url)
{
    char path[DEV_PATH_MAX];

    url[0] = '\0';
    switch (kind) {
    case KIND_HSM:
        return true;
    case KIND_FOLDER:
        if (!dev_path(dev, CONTAINER, path)) {
            return false;
        }
        snprintf(url, DEV_STORAGE_URL_MAX, "file://%s", path);
        return true;
    default:
        snprintf(url, DEV_STORAGE_URL_MAX, "https://127.0.0.1:%u/" ACCOUNT "/" CONTAINER,
                 port_of(dev));
        return true;
    }
}

bool
dev_storage_lines(const struct dev *dev, char *lines, size_t size)
{
    char url[DEV_STORAGE_URL_MAX];

    lines[0] = '\0';
    if (!url_of(dev, kind_of(dev), url)) {
        return false;
    }
    if (url[0] != '\0') {
        snprintf(lines, size,
                 "CERTSTORAGE_URL=%s\n"
                 "CERTSTORAGE_SIGNING_KEYID=" PAIR_NAME "\n"
                 "%s",
                 url,
                 kind_of(dev) == KIND_AZURITE ? "CERTSTORAGE_ACCOUNT_KEY=" ACCOUNT_KEY "\n" : "");
    }
    return true;
}

bool
dev_storage_runs(const struct dev *dev)
{
    return kind_of(dev) != KIND_AZURITE || azurite_running(dev) != 0;
}

void
dev_storage_print(const struct dev *dev)
{
    char url[DEV_STORAGE_URL_MAX];
    pid_t pid = azurite_running(dev);

    if (url_of(dev, kind_of(dev), url) && url[0] != '\0') {
        printf("certificates: %s", url);
        if (kind_of(dev) == KIND_AZURITE) {
            printf(pid != 0 ? ", Azurite: running (pid %ld)" : ", Azurite: stopped", (long)pid);
        }
        puts("");
    }
}

/* ---- Azurite ---- */

bool
dev_in_path(const char *name, char *path)
{
    const char *folders = getenv("PATH");

    while (folders != NULL && folders[0] != '\0') {
        size_t len = strcspn(folders, ":");

        if (snprintf(path, DEV_PATH_MAX, "%.*s/%s", (int)len, folders, name) < (int)DEV_PATH_MAX &&
            access(path, X_OK) == 0) {
            return true;
        }
        folders += len + (folders[len] == ':');
    }
    return false;
}

/* $AZURITE, the PATH, D/npm; at last npm brings it there. */
static bool
azurite_find(const struct dev *dev, char *path)
{
    const char *given = getenv("AZURITE");
    char prefix[DEV_PATH_MAX], npm[DEV_PATH_MAX];
    char word[] = "install", option[] = "--prefix", audit[] = "--no-audit", fund[] = "--no-fund",
         package[] = "azurite@3";
    char *install[] = { npm, word, option, prefix, audit, fund, package, NULL };

    if (given != NULL && given[0] != '\0') {
        if (snprintf(path, DEV_PATH_MAX, "%s", given) >= (int)DEV_PATH_MAX ||
            access(path, R_OK) != 0) {
            fprintf(stderr, "AZURITE=%s: %s\n", given, strerror(errno));
            return false;
        }
        return true;
    }
    if (dev_in_path("azurite-blob", path)) {
        return true;
    }
    if (!dev_path(dev, "npm/node_modules/.bin/azurite-blob", path) ||
        !dev_path(dev, "npm", prefix)) {
        return false;
    }
    if (access(path, X_OK) == 0) {
        return true;
    }
    if (!dev_in_path("npm", npm)) {
        fputs("Azurite is not there, nor npm to bring it: install npm, or Azurite (npm install -g "
              "azurite), or give its azurite-blob in $AZURITE\n",
              stderr);
        return false;
    }
    fprintf(stderr, "installing Azurite in %s\n", prefix);
    return (mkdir(prefix, 0700) == 0 || errno == EEXIST) && dev_run(dev, LOG_FILE, install);
}

/* A socket of 127.0.0.1 that listens on the port; 0: any. */
static bool
port_listen(unsigned port, unsigned *ret_port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    socklen_t len = sizeof address;
    const int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ok = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
         bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 1) == 0 &&
         getsockname(fd, (struct sockaddr *)&address, &len) == 0;
    if (ok) {
        *ret_port = ntohs(address.sin_port);
    }
    if (fd >= 0) {
        close(fd);
    }
    return ok;
}

/* The port stays, for it is part of the container's name. */
static bool
port_choose(const struct dev *dev, unsigned *ret_port)
{
    unsigned had = port_of(dev);

    if (!port_listen(had, ret_port)) {
        fprintf(stderr, "Azurite's port 127.0.0.1:%u is taken: %s\n", had, strerror(errno));
        return false;
    }
    return had != 0 || dev_write(dev, PORT_FILE, "%u\n", *ret_port);
}

static bool
port_answers(unsigned port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ok = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return ok;
}

static bool
azurite_wait(const struct dev *dev, unsigned port)
{
    for (int waited = 0; waited < DEV_READY_MS; waited += 20) {
        if (port_answers(port)) {
            return true;
        }
        if (dev_interrupted()) {
            fputs("interrupted\n", stderr);
            return false;
        }
        if (azurite_running(dev) == 0 && waited > 1000) {
            break;
        }
        usleep(20000);
    }
    fputs("Azurite does not come up:\n", stderr);
    dev_log_show(dev, LOG_FILE);
    return false;
}

static bool
azurite_start(const struct dev *dev)
{
    char program[DEV_PATH_MAX], data[DEV_PATH_MAX], certificate[DEV_PATH_MAX], key[DEV_PATH_MAX];
    char node[] = "node", silent[] = "--silent", telemetry[] = "--disableTelemetry",
         location[] = "--location", host[] = "--blobHost", local[] = "127.0.0.1",
         port_word[] = "--blobPort", cert_word[] = "--cert", key_word[] = "--key",
         oauth[] = "--oauth", basic[] = "basic", port_text[16];
    char *arguments[] = { node, program, silent, telemetry, location, data, host, local, port_word,
                          port_text, cert_word, certificate, key_word, key, oauth, basic, NULL };
    unsigned port;
    bool script;
    size_t len;
    pid_t pid;

    if (!azurite_find(dev, program) || !dev_path(dev, "azurite", data) ||
        !dev_path(dev, "certstorage.crt", certificate) || !dev_path(dev, "certstorage.key", key) ||
        (!dev_exists(dev, "certstorage.key") && !dev_storage_certificate(dev)) ||
        !port_choose(dev, &port)) {
        return false;
    }
    if (mkdir(data, 0700) != 0 && errno != EEXIST) {
        perror(data);
        return false;
    }
    snprintf(port_text, sizeof port_text, "%u", port);
    len = strlen(program);
    script = len > 3 && strcmp(program + len - 3, ".js") == 0;
    pid = dev_spawn(dev, LOG_FILE, script ? arguments : arguments + 1);
    return pid > 0 && dev_write(dev, PID_FILE, "%ld\n", (long)pid) && azurite_wait(dev, port);
}

static bool
container_make(const struct dev *dev)
{
    char url[DEV_STORAGE_URL_MAX], ca[DEV_PATH_MAX];
    const struct blob_settings settings = {
        .url = url, .secret = ACCOUNT_KEY, .identity = "", .ca_file = ca, .metadata = "",
    };

    return url_of(dev, KIND_AZURITE, url) && dev_path(dev, "certstorage.crt", ca) &&
           azure_make(&settings);
}

/* ---- up and down ---- */

/* The pair that signs, by the crypto user. */
static bool
pair_make(const struct dev *dev)
{
    char program[DEV_PATH_MAX], config[DEV_PATH_MAX];
    char one[] = "singlecmd", login[] = "loginHSM", u[] = "-u", role[] = "CU", s[] = "-s",
         user[] = DEV_USER, p[] = "-p", password[] = DEV_USER_PASSWORD, make[] = "genRSAKeyPair",
         m[] = "-m", bits[] = "2048", e[] = "-e", exponent[] = "65537", l[] = "-l", id[] = "-id",
         label[] = PAIR_NAME, name[] = PAIR_NAME;
    char *arguments[] = { program, one, login, u, role, s, user, p, password, make,
                          m, bits, e, exponent, l, label, id, name, NULL };

    return dev_program_path("azcloudhsm_util", program) &&
           dev_path(dev, "azcloudhsm_application.cfg", config) &&
           setenv("AZCLOUDHSM_APPLICATION_CFG", config, 1) == 0 && dev_run(dev, LOG_FILE, arguments);
}

/* What that kind needs is there, and runs. */
static bool
kind_ready(const struct dev *dev, enum kind kind)
{
    char folder[DEV_PATH_MAX];
    bool ran = azurite_running(dev) != 0;

    switch (kind) {
    case KIND_FOLDER:
        if (!dev_path(dev, CONTAINER, folder)) {
            return false;
        }
        if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
            perror(folder);
            return false;
        }
        return true;
    case KIND_AZURITE:
        if ((ran || azurite_start(dev)) && container_make(dev)) {
            return true;
        }
        if (!ran) {
            dev_storage_stop(dev);
        }
        return false;
    default:
        return true;
    }
}

bool
dev_storage_begin(const struct dev *dev)
{
    enum kind kind = kind_of(dev), had = kind;

    for (size_t i = 0; i < ARRAY_COUNT(kinds) && dev->certstore != NULL; i++) {
        if (strcmp(kinds[i], dev->certstore) == 0) {
            kind = (enum kind)i;
        }
    }
    if (!kind_ready(dev, kind)) {
        return false;
    }
    /* The daemon reads what is written for it when it starts. */
    return kind == had ||
           (dev_stop(dev, DEV_DAEMON, 0) && (had != KIND_AZURITE || dev_storage_stop(dev)) &&
            dev_write(dev, KIND_FILE, "%s\n", kinds[kind]));
}

bool
dev_storage_end(const struct dev *dev)
{
    return kind_of(dev) == KIND_HSM || dev_exists(dev, PAIR_FILE) ||
           (pair_make(dev) && dev_write(dev, PAIR_FILE, PAIR_NAME "\n"));
}

bool
dev_storage_stop(const struct dev *dev)
{
    char data[DEV_PATH_MAX];
    pid_t pid = azurite_running(dev);

    return pid == 0 || (dev_path(dev, "azurite", data) && dev_end(pid, data, "Azurite"));
}
