/* SPDX-License-Identifier: Apache-2.0
 *
 * How many writes a second an etcd takes from clients that do nothing else, each on a connection of
 * its own, waiting for one write before the next: what a store on it can be measured against.
 *
 *   etcd_put ENDPOINTS CA CERTIFICATE KEY PREFIX CLIENTS SECONDS BYTES
 */
#include "base/bytes.h"
#include "store/etcd_txn.h"
#include "store/grpc.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CLIENTS_MAX 256
#define VALUE_MAX 65536u

static struct grpc_settings settings;
static const char *prefix;
static size_t bytes;
static atomic_bool over;
static atomic_ulong written, failed;

static void *
put(void *arg)
{
    static const uint8_t value[VALUE_MAX];
    struct grpc *grpc = grpc_new(&settings);
    char name[256];

    for (unsigned long i = 0; grpc != NULL && !atomic_load(&over); i++) {
        struct etcd_txn *txn = etcd_txn_new();
        struct etcd_answer answer = { .cluster = 0 };

        snprintf(name, sizeof name, "%sput/%p.%lu", prefix, arg, i); /* unlike all others */
        if (txn != NULL && etcd_txn_put(txn, view_str(name), view_of(value, bytes)) &&
            etcd_txn_run(grpc, txn, 5000, &answer) == GRPC_OK) {
            atomic_fetch_add(&written, 1);
        } else {
            atomic_fetch_add(&failed, 1);
        }
        etcd_answer_clear(&answer);
        etcd_txn_free(txn);
    }
    grpc_free(grpc);
    return NULL;
}

int
main(int argc, char **argv)
{
    static int numbers[CLIENTS_MAX];
    pthread_t threads[CLIENTS_MAX];
    int clients, seconds;

    if (argc != 9 || (clients = atoi(argv[6])) < 1 || clients > CLIENTS_MAX ||
        (seconds = atoi(argv[7])) < 1 || (bytes = (size_t)atoi(argv[8])) > VALUE_MAX) {
        fputs("usage: etcd_put ENDPOINTS CA CERTIFICATE KEY PREFIX CLIENTS SECONDS BYTES\n", stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    settings = (struct grpc_settings){ argv[1], argv[2], argv[3], argv[4], NULL };
    prefix = argv[5];
    for (int i = 0; i < clients; i++) {
        pthread_create(&threads[i], NULL, put, &numbers[i]);
    }
    sleep((unsigned)seconds);
    atomic_store(&over, true);
    for (int i = 0; i < clients; i++) {
        pthread_join(threads[i], NULL);
    }
    printf("%lu\n", atomic_load(&written) / (unsigned long)seconds);
    return atomic_load(&failed) != 0;
}
