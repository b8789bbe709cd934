/* SPDX-License-Identifier: Apache-2.0
 *
 * Clients that create, set, destroy, read and find the same objects, and write down what each of
 * them asked and was told, and when.
 *
 *   history MODULE SECONDS FILE FIRST TOTAL THREADS
 *   history check STALE_MS FILE...
 *
 * THREADS clients, of which the first has number FIRST of TOTAL; the others run elsewhere, on this
 * machine. Every 250 ms there are new names, each of which one client makes an object of. The check
 * reads all that clients wrote, and prints TAP lines: writes alone have to be linearizable, and
 * reads at most STALE_MS behind.
 */
#include "lib/linear.h"
#include "p11.h"

#include <pthread.h>
#include <unistd.h>

#define WINDOW_MS 250u
#define NAMES 4u
#define OPS_MAX 200000u
#define ACTS_MAX 12u /* of one client on one name */

struct client {
    uint32_t number;
    pthread_t thread;
    CK_SESSION_HANDLE session;
    uint64_t seed, value;
    struct linear_op *ops;
    size_t count;
    uint64_t made[NAMES];  /* the last name of that kind that was made */
    uint64_t named;        /* the name that was last worked on, and how often */
    unsigned acts;
    uint64_t doubtful, twice;
};

static uint64_t end_ms;
static uint32_t total;

static uint64_t
now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint32_t
draw(struct client *client, uint32_t below)
{
    client->seed = client->seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(client->seed >> 33) % below;
}

static struct linear_op *
op_begin(struct client *client, uint64_t object, enum linear_act act, uint64_t value)
{
    struct linear_op *op = client->ops + client->count;

    *op = (struct linear_op){ .object = object, .client = client->number, .act = act,
                              .value = value, .called = now_ns() };
    return op;
}

static void
op_end(struct client *client, struct linear_op *op, CK_RV rv)
{
    op->returned = now_ns();
    op->outcome = rv == CKR_OK                      ? LINEAR_DONE
                  : rv == CKR_OBJECT_HANDLE_INVALID ? LINEAR_ABSENT
                                                    : LINEAR_UNKNOWN;
    if (op->outcome == LINEAR_UNKNOWN) {
        if (client->doubtful++ < 5) {
            printf("# client %u, act %d: 0x%08lx after %lu ms\n", client->number, (int)op->act, rv,
                   (unsigned long)((op->returned - op->called) / 1000000));
        }
        op->returned = UINT64_MAX;
        usleep(20000);
    }
    client->count++;
}

static size_t
label_of(uint64_t object, char label[64])
{
    return (size_t)snprintf(label, 64, "history-%lu", (unsigned long)object);
}

static void
create(struct client *client, uint64_t object)
{
    struct linear_op *op = op_begin(client, object, LINEAR_CREATE, ++client->value);
    CK_OBJECT_CLASS class = CKO_DATA;
    CK_OBJECT_HANDLE handle;
    char label[64];
    size_t len = label_of(object, label);
    CK_ATTRIBUTE data[] = {
        ATTR(CKA_CLASS, class),
        ATTR(CKA_TOKEN, yes),
        ATTR_BYTES(CKA_LABEL, label, len),
        ATTR(CKA_APPLICATION, op->value),
    };

    op_end(client, op, p11->C_CreateObject(client->session, data, COUNT(data), &handle));
}

/* The handle, 0 when nothing is there, or when nobody said. */
static CK_OBJECT_HANDLE
find(struct client *client, uint64_t object)
{
    struct linear_op *op = op_begin(client, object, LINEAR_FIND, 1);
    CK_OBJECT_HANDLE found[4] = { 0 };
    CK_ULONG count = 0;
    char label[64];
    CK_ATTRIBUTE template[] = { ATTR_BYTES(CKA_LABEL, label, label_of(object, label)) };
    CK_RV rv = p11->C_FindObjectsInit(client->session, template, COUNT(template));

    if (rv == CKR_OK) {
        rv = p11->C_FindObjects(client->session, found, COUNT(found), &count);
        (void)p11->C_FindObjectsFinal(client->session);
    }
    client->twice += count > 1;
    op_end(client, op, rv == CKR_OK && count == 0 ? CKR_OBJECT_HANDLE_INVALID : rv);
    return rv == CKR_OK ? found[0] : 0;
}

static void
act(struct client *client, uint64_t object)
{
    CK_OBJECT_HANDLE handle = find(client, object);
    const uint32_t what = draw(client, 20);
    struct linear_op *op;
    uint64_t value = 0;
    CK_ATTRIBUTE attribute = ATTR(CKA_APPLICATION, value);

    if (handle == 0) {
        return;
    }
    if (what < 10) {
        op = op_begin(client, object, LINEAR_READ, 0);

        CK_RV rv = p11->C_GetAttributeValue(client->session, handle, &attribute, 1);

        op->value = value;
        op_end(client, op, rv);
    } else if (what < 18) {
        value = ++client->value;
        op = op_begin(client, object, LINEAR_SET, value);
        op_end(client, op, p11->C_SetAttributeValue(client->session, handle, &attribute, 1));
    } else {
        op = op_begin(client, object, LINEAR_DESTROY, 0);
        op_end(client, op, p11->C_DestroyObject(client->session, handle));
    }
}

static void *
work(void *arg)
{
    struct client *client = arg;

    for (uint64_t now; (now = now_ms()) < end_ms && client->count + 4 < OPS_MAX;) {
        const uint64_t window = now / WINDOW_MS;
        const uint32_t kind = draw(client, NAMES);
        uint64_t name = window * NAMES + kind;

        if (name % total == client->number && client->made[kind] != name) {
            client->made[kind] = name;
            create(client, name);
            continue;
        }
        name -= draw(client, 3) == 0 ? NAMES : 0;
        client->acts = name == client->named ? client->acts + 1 : 0;
        client->named = name;
        if (client->acts < ACTS_MAX) {
            act(client, name);
        }
        usleep(draw(client, 15000));
    }
    return NULL;
}

static int
record(char **argv)
{
    CK_C_INITIALIZE_ARGS arguments = { .flags = CKF_OS_LOCKING_OK };
    const uint32_t first = (uint32_t)atoi(argv[4]);
    const size_t threads = (size_t)atoi(argv[6]);
    struct client *clients = calloc(threads, sizeof *clients);
    uint64_t doubtful = 0, twice = 0, count = 0;
    FILE *file = fopen(argv[3], "w");
    CK_SESSION_HANDLE session;

    if (file == NULL || threads == 0) {
        die("%s cannot be written", argv[3]);
    }
    total = (uint32_t)atoi(argv[5]);
    p11_load(argv[1]);
    MUST(p11->C_Initialize(&arguments));
    session = p11_session();
    MUST(p11_login(session, PIN));
    end_ms = now_ms() + (uint64_t)atoi(argv[2]) * 1000u;
    for (size_t i = 0; i < threads; i++) {
        clients[i].number = first + (uint32_t)i;
        clients[i].seed = now_ns() + i;
        clients[i].value = (uint64_t)(clients[i].number + 1) << 32;
        clients[i].session = p11_session();
        clients[i].ops = calloc(OPS_MAX, sizeof *clients[i].ops);
        pthread_create(&clients[i].thread, NULL, work, &clients[i]);
    }
    puts("running");
    fflush(stdout);
    for (size_t i = 0; i < threads; i++) {
        const struct client *client = &clients[i];

        pthread_join(client->thread, NULL);
        for (size_t k = 0; k < client->count; k++) {
            const struct linear_op *op = client->ops + k;

            fprintf(file, "%lu %u %d %d %lu %lu %lu\n", (unsigned long)op->object, op->client,
                    (int)op->act, (int)op->outcome, (unsigned long)op->value,
                    (unsigned long)op->called, (unsigned long)op->returned);
        }
        count += client->count;
        doubtful += client->doubtful;
        twice += client->twice;
    }
    fclose(file);
    printf("# %lu operations, %lu without an answer\n", (unsigned long)count,
           (unsigned long)doubtful);
    check(twice == 0, "nothing is found twice (%lu times)", (unsigned long)twice);
    return checks_failed != 0;
}

/* ---- the check ---- */

static size_t
history_read(char **files, struct linear_op *ops, size_t max)
{
    size_t count = 0;

    for (; *files != NULL; files++) {
        FILE *file = fopen(*files, "r");
        unsigned long object, value, called, returned;
        unsigned client;
        int what, outcome;

        if (file == NULL) {
            die("%s is not there", *files);
        }
        while (count < max && fscanf(file, "%lu %u %d %d %lu %lu %lu", &object, &client, &what,
                                     &outcome, &value, &called, &returned) == 7) {
            ops[count++] = (struct linear_op){ object, client, (enum linear_act)what,
                                               (enum linear_outcome)outcome, value, called,
                                               returned };
        }
        fclose(file);
    }
    return count;
}

static void
object_print(const struct linear_op *ops, size_t count, uint64_t object)
{
    static const char *const acts[] = { "create", "set", "destroy", "read", "find" };
    static const char *const outcomes[] = { "done", "absent", "no answer" };
    uint64_t from = 0;

    for (size_t i = 0, shown = 0; i < count && shown < 60; i++) {
        const struct linear_op *op = ops + i;

        if (op->object != object) {
            continue;
        }
        from = from == 0 ? op->called : from;
        printf("#   %8.3f to %8.3f ms, client %u: %s %lx, %s\n", (double)(op->called - from) / 1e6,
               op->returned == UINT64_MAX ? 0.0 : (double)(op->returned - from) / 1e6, op->client,
               acts[op->act], (unsigned long)op->value, outcomes[op->outcome]);
        shown++;
    }
}

static int
check_files(unsigned stale_ms, char **files)
{
    static const unsigned steps[] = { 0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000,
                                      10000, 30000, 60000 };
    const size_t max = 4000000;
    struct linear_op *ops = calloc(max, sizeof *ops), *writes = calloc(max, sizeof *ops);
    const size_t count = history_read(files, ops, max);
    size_t write_count = 0, refused = 0, step = 0;
    enum linear_result result = LINEAR_BAD;
    uint64_t object = 0;

    for (size_t i = 0; i < count; i++) {
        if (ops[i].act != LINEAR_READ && ops[i].act != LINEAR_FIND) {
            writes[write_count++] = ops[i];
            refused += ops[i].outcome == LINEAR_ABSENT;
        }
    }
    printf("# %zu operations, %zu of them writes, %zu of what was gone\n", count, write_count,
           refused);
    check(write_count > 100, "there is something to check");
    if (!check(linear_check(writes, write_count, 0, &object) == LINEAR_GOOD,
               "writes are linearizable")) {
        object_print(writes, write_count, object);
    }
    for (; step < COUNT(steps) && steps[step] <= stale_ms; step++) {
        result = linear_check(ops, count, (uint64_t)steps[step] * 1000000u, &object);
        if (result == LINEAR_GOOD) {
            break;
        }
    }
    if (check(result == LINEAR_GOOD, "reads are at most %u ms behind", stale_ms)) {
        printf("# with all reads linearizable when they may be %u ms behind\n", steps[step]);
    } else {
        object_print(ops, count, object);
    }
    return checks_failed != 0;
}

int
main(int argc, char **argv)
{
    if (argc > 3 && strcmp(argv[1], "check") == 0) {
        return check_files((unsigned)atoi(argv[2]), argv + 3);
    }
    if (argc != 7) {
        die("usage: history MODULE SECONDS FILE FIRST TOTAL THREADS | check STALE_MS FILE...");
    }
    return record(argv);
}
