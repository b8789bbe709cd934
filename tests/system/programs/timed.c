/* SPDX-License-Identifier: Apache-2.0
 *
 * How long failed logins take: of a user who is there and of one who is not, in turn. A line
 * "known MICROSECONDS" or "unknown MICROSECONDS" for each.
 *
 *   timed MODULE COUNT SECONDS    COUNT of each, or as many as there is time for
 */
#include "p11.h"

#define KNOWN "cu1:wrong-one"
#define UNKNOWN "cu9:wrong-one"

static CK_SESSION_HANDLE session;

static long
microseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000L + now.tv_nsec / 1000;
}

static void
fail(const char *name, const char *pin)
{
    long start = microseconds();

    if (p11->C_Login(session, CKU_USER, (CK_UTF8CHAR_PTR)pin, strlen(pin)) == CKR_OK) {
        die("%s logged in", name);
    }
    printf("%s %ld\n", name, microseconds() - start);
}

int
main(int argc, char **argv)
{
    const long start = microseconds();

    if (argc != 4) {
        die("usage: timed MODULE COUNT SECONDS");
    }
    p11_load(argv[1]);
    MUST(p11->C_Initialize(NULL));
    session = p11_session();
    for (int i = 0; i < atoi(argv[2]) && microseconds() - start < atol(argv[3]) * 1000000L; i++) {
        fail("known", KNOWN);
        fail("unknown", UNKNOWN);
        if (i % 4 == 3) { /* before it locks */
            MUST(p11->C_Login(session, CKU_USER, (CK_UTF8CHAR_PTR)PIN, sizeof PIN - 1));
            MUST(p11->C_Logout(session));
        }
    }
    MUST(p11->C_Finalize(NULL));
    return 0;
}
