/* SPDX-License-Identifier: Apache-2.0
 *
 * Many sessions in one process: each is another one, works and is closed.
 *
 *   sessions MODULE COUNT
 */
#include "p11.h"

#define EVERY 997 /* that one works */

static double
seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int
main(int argc, char **argv)
{
    const size_t count = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
    CK_SESSION_HANDLE *sessions = calloc(count + 1, sizeof *sessions);
    size_t opened = 0, worked = 0, wanted = 0, closed = 0;
    CK_TOKEN_INFO token;
    CK_BYTE bytes[16];
    double start;

    if (count == 0 || sessions == NULL) {
        die("usage: sessions MODULE COUNT");
    }
    p11_load(argv[1]);
    MUST(p11->C_Initialize(NULL));
    start = seconds_now();
    while (opened < count && p11->C_OpenSession(SLOT, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL,
                                                &sessions[opened]) == CKR_OK) {
        opened++;
    }
    printf("# %zu sessions in %.3f s\n", opened, seconds_now() - start);
    check(opened == count, "%zu sessions of %zu are open", opened, count);
    MUST(p11->C_Login(sessions[0], CKU_USER, (CK_UTF8CHAR_PTR)PIN, strlen(PIN)));
    MUST(p11->C_GetTokenInfo(SLOT, &token));
    check(token.ulRwSessionCount == opened, "the token counts %lu sessions", token.ulRwSessionCount);
    for (size_t i = 0; i < opened; i += EVERY) {
        wanted++;
        worked += p11->C_GenerateRandom(sessions[i], bytes, sizeof bytes) == CKR_OK;
    }
    check(worked == wanted, "%zu of %zu that were tried work", worked, wanted);
    for (size_t i = 0; i < opened; i++) {
        closed += p11->C_CloseSession(sessions[i]) == CKR_OK;
    }
    check(closed == opened, "%zu are closed", closed);
    MUST(p11->C_Finalize(NULL));
    free(sessions);
    return checks_failed == 0 ? 0 : 1;
}
