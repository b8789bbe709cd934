/* SPDX-License-Identifier: Apache-2.0
 *
 * A program of the classic packet filter, made anew when the list changes: a packet of IPv4 whose
 * source is on the list is dropped, all others pass.
 */
#include "net/sieve.h"

#include <linux/filter.h>
#include <netinet/in.h>
#include <string.h>

/* Offsets into the header of IP, where a filter of a TCP socket begins behind it. */
#define AT_VERSION ((uint32_t)SKF_NET_OFF)
#define AT_SOURCE ((uint32_t)SKF_NET_OFF + 12u)
#define PASS UINT32_MAX
#define DROP 0u

static void
sieve_attach(struct sieve *sieve, int fd)
{
    struct sock_filter code[SIEVE_HOSTS + 8];
    struct sock_fprog program = { .filter = code };
    const int nothing = 0;
    unsigned short at = 0;
    unsigned char left = (unsigned char)sieve->dropped;

    if (sieve->dropped == 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &nothing, sizeof nothing);
        return;
    }
    code[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_B | BPF_ABS, AT_VERSION);
    code[at++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 4);
    /* Jumps are counted from the next instruction: source, one for each host, pass, drop. */
    code[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 4, 0,
                                              (unsigned char)(left + 1));
    code[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, AT_SOURCE);
    for (size_t i = 0; i < SIEVE_HOSTS; i++) {
        if (sieve->hosts[i].until != 0) {
            code[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                                                      ntohl(sieve->hosts[i].address), left, 0);
            left--;
        }
    }
    code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, PASS);
    code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, DROP);
    program.len = at;
    sieve->attached =
        setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0 ||
        sieve->attached;
}

/* Its entry; else that of the one not heard of for longest which is not dropped. NULL: all are. */
static struct sieve_host *
host_of(struct sieve *sieve, uint32_t address)
{
    struct sieve_host *oldest = NULL;

    for (size_t i = 0; i < SIEVE_HOSTS; i++) {
        struct sieve_host *host = &sieve->hosts[i];

        if (host->address == address) {
            return host;
        }
        if (host->until == 0 && (oldest == NULL || host->seen < oldest->seen)) {
            oldest = host;
        }
    }
    if (oldest != NULL) {
        *oldest = (struct sieve_host){ .address = address };
    }
    return oldest;
}

void
sieve_refused(struct sieve *sieve, int fd, const struct sockaddr *address, uint64_t now)
{
    struct sieve_host *host;
    struct sockaddr_in v4;

    if (address->sa_family != AF_INET) {
        return;
    }
    memcpy(&v4, address, sizeof v4);
    host = host_of(sieve, v4.sin_addr.s_addr);
    if (host == NULL || host->until != 0) {
        return;
    }
    /* Who was quiet for a while begins anew. */
    host->refused = now - host->seen > 2 * SIEVE_MS ? 1 : host->refused + 1;
    host->seen = now;
    if (host->refused >= SIEVE_REFUSALS) {
        host->until = now + SIEVE_MS;
        sieve->dropped++;
        sieve_attach(sieve, fd);
    }
}

void
sieve_look(struct sieve *sieve, int fd, uint64_t now)
{
    const size_t dropped = sieve->dropped;

    for (size_t i = 0; i < SIEVE_HOSTS && sieve->dropped > 0; i++) {
        struct sieve_host *host = &sieve->hosts[i];

        if (host->until != 0 && now >= host->until) {
            host->until = 0;
            host->seen = now;
            host->refused = SIEVE_REFUSALS - SIEVE_AGAIN;
            sieve->dropped--;
        }
    }
    if (sieve->dropped != dropped) {
        sieve_attach(sieve, fd);
    }
}

void
sieve_lift(const struct sieve *sieve, int connection)
{
    const int nothing = 0;

    if (sieve->attached) {
        (void)setsockopt(connection, SOL_SOCKET, SO_DETACH_FILTER, &nothing, sizeof nothing);
    }
}
