/* SPDX-License-Identifier: Apache-2.0
 *
 * A real etcd of one member, in a folder of its own, on ports of loopback that were free. It
 * speaks to who shows a certificate: ca.crt signs server.crt and client.crt (client.key).
 */
#ifndef TESTS_ETCD_FIXTURE_H
#define TESTS_ETCD_FIXTURE_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct etcd_member {
    pid_t pid;
    char folder[64];
    char endpoint[64];
    char ca[96], certificate[96], key[96];
};

static inline bool
etcd_installed(void)
{
    return system("etcd --version >/dev/null 2>&1") == 0;
}

/* A port that was free a moment ago, below those that the kernel gives to who connects: another
 * test does not take it before it is used, nor while its member is stopped. */
static inline unsigned
etcd_port(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool bound = false;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < 100 && !bound; i++) {
        uint16_t drawn = 0;

        (void)!getrandom(&drawn, sizeof drawn, 0);
        address.sin_port = htons((uint16_t)(10000 + drawn % 22000));
        bound = bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    }
    close(fd);
    return bound ? ntohs(address.sin_port) : 0;
}

static inline void
etcd_certify(struct etcd_member *member)
{
    static const char commands[] =
        "cd '%s' && exec >/dev/null 2>&1 && new='openssl req -newkey ec -pkeyopt"
        " ec_paramgen_curve:P-256 -nodes' &&"
        " $new -x509 -subj /CN=ca -keyout ca.key -out ca.crt -days 2 &&"
        " printf 'subjectAltName=IP:127.0.0.1\n' >names &&"
        " for who in server client; do"
        " $new -subj /CN=$who -keyout $who.key -out $who.csr &&"
        " openssl x509 -req -in $who.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2"
        " -extfile names -out $who.crt || exit; done";
    char command[1024];

    snprintf(command, sizeof command, commands, member->folder);
    if (system(command) != 0) {
        fprintf(stderr, "openssl makes no certificates in %s\n", member->folder);
        exit(1);
    }
    snprintf(member->ca, sizeof member->ca, "%s/ca.crt", member->folder);
    snprintf(member->certificate, sizeof member->certificate, "%s/client.crt", member->folder);
    snprintf(member->key, sizeof member->key, "%s/client.key", member->folder);
}

/* Waits until somebody listens, 20 s at most. */
static inline void
etcd_await(const struct etcd_member *member)
{
    struct sockaddr_in address = { .sin_family = AF_INET };

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)atoi(strrchr(member->endpoint, ':') + 1));
    for (int i = 0; i < 1000; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        bool there = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;

        close(fd);
        if (there) {
            return;
        }
        usleep(20000);
    }
    fprintf(stderr, "etcd does not begin to listen; see %s/log\n", member->folder);
}

/* The process; its folder and endpoint stay over a stop. */
static inline void
etcd_run(struct etcd_member *member)
{
    char peer[64], cluster[80];

    snprintf(peer, sizeof peer, "http://127.0.0.1:%u", etcd_port());
    snprintf(cluster, sizeof cluster, "default=%s", peer);
    member->pid = fork();
    if (member->pid == 0) {
        char log[96];
        int fd;

        snprintf(log, sizeof log, "%s/log", member->folder);
        fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
        dup2(fd, STDOUT_FILENO);
        dup2(fd, STDERR_FILENO);
        chdir(member->folder);
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that crashes leaves none behind */
        execlp("etcd", "etcd", "--data-dir", "data", "--listen-client-urls", member->endpoint,
               "--advertise-client-urls", member->endpoint, "--listen-peer-urls", peer,
               "--initial-advertise-peer-urls", peer, "--initial-cluster", cluster, "--cert-file",
               "server.crt", "--key-file", "server.key", "--trusted-ca-file", "ca.crt",
               "--client-cert-auth", "--heartbeat-interval", "20", "--election-timeout", "200",
               (char *)NULL);
        _exit(127);
    }
}

static inline void
etcd_begin(struct etcd_member *member)
{
    const char *base = getenv("TMPDIR");

    snprintf(member->folder, sizeof member->folder, "%s/etcd-XXXXXX",
             base == NULL ? "/tmp" : base);
    if (mkdtemp(member->folder) == NULL) {
        perror(member->folder);
        exit(1);
    }
    snprintf(member->endpoint, sizeof member->endpoint, "https://127.0.0.1:%u", etcd_port());
    etcd_certify(member);
    etcd_run(member);
    etcd_await(member);
}

static inline void
etcd_stop(struct etcd_member *member)
{
    kill(member->pid, SIGKILL);
    waitpid(member->pid, NULL, 0);
}

static inline void
etcd_end(struct etcd_member *member)
{
    char command[96];

    etcd_stop(member);
    snprintf(command, sizeof command, "rm -rf '%s'", member->folder);
    if (system(command) != 0) {
        fprintf(stderr, "%s stays\n", member->folder);
    }
}

#endif
