/* SPDX-License-Identifier: Apache-2.0
 *
 * An application that asks a little, evenly: random bytes two hundred times a second. Says how
 * long the answers took, in microseconds: "p50 N p99 N longest N".
 *
 *   paced MODULE SECONDS
 *   paced MODULE -         reads how many seconds from standard input, as often as it is told
 */
#include "p11.h"

#define PER_SECOND 200u
#define SECONDS_MAX 600u

static long
microseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000L + now.tv_nsec / 1000;
}

static int
order(const void *a, const void *b)
{
    long x = *(const long *)a;
    long y = *(const long *)b;

    return x < y ? -1 : x > y;
}

static void
measure(CK_SESSION_HANDLE session, size_t seconds)
{
    static long took[PER_SECOND * SECONDS_MAX];
    static const struct timespec pause = { 0, 1000000000 / PER_SECOND };
    const size_t count = PER_SECOND * seconds;
    unsigned char bytes[32];

    for (size_t i = 0; i < count; i++) {
        long start = microseconds();

        MUST(p11->C_GenerateRandom(session, bytes, sizeof bytes));
        took[i] = microseconds() - start;
        nanosleep(&pause, NULL);
    }
    qsort(took, count, sizeof *took, order);
    printf("p50 %ld p99 %ld longest %ld\n", took[count / 2], took[count * 99 / 100],
           took[count - 1]);
    fflush(stdout);
}

static bool
is_fine(const char *text)
{
    return atoi(text) > 0 && (unsigned)atoi(text) <= SECONDS_MAX;
}

int
main(int argc, char **argv)
{
    CK_SESSION_HANDLE session;
    char line[32];

    if (argc != 3 || (strcmp(argv[2], "-") != 0 && !is_fine(argv[2]))) {
        die("usage: paced MODULE SECONDS");
    }
    p11_load(argv[1]);
    MUST(p11->C_Initialize(NULL));
    session = p11_session();
    MUST(p11_login(session, PIN));
    if (strcmp(argv[2], "-") != 0) {
        measure(session, (size_t)atoi(argv[2]));
    } else {
        while (fgets(line, sizeof line, stdin) != NULL && is_fine(line)) {
            measure(session, (size_t)atoi(line));
        }
    }
    MUST(p11->C_Finalize(NULL));
    return 0;
}
