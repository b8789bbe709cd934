/* SPDX-License-Identifier: Apache-2.0
 *
 * Who uses a key that somebody else destroys.
 *
 *   revoked MODULE make LABEL
 *   revoked MODULE use LABEL SECONDS     signs without end; prints `running`, and at last when the last
 *                                        good use began
 *   revoked MODULE destroy LABEL         prints when that was acknowledged
 *
 * Times are milliseconds of one clock for all processes.
 */
#include "p11.h"

#include <unistd.h>

static CK_RV
sign(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key)
{
    CK_MECHANISM mechanism = { CKM_ECDSA_SHA256, NULL, 0 };
    uint8_t in[100] = { 1 }, out[64];
    CK_ULONG len = sizeof out;
    CK_RV rv = p11->C_SignInit(session, &mechanism, key);

    return rv != CKR_OK ? rv : p11->C_Sign(session, in, sizeof in, out, &len);
}

int
main(int argc, char **argv)
{
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_OBJECT_HANDLE key = 0, public = 0;
    CK_SESSION_HANDLE session;

    if (argc < 4) {
        die("usage: revoked MODULE make|use|destroy LABEL [SECONDS]");
    }
    session = p11_start(argv[1], PIN);
    if (strcmp(argv[2], "make") == 0) {
        MUST(p11_generate_ec(session, argv[3], &public, &key));
    } else {
        CK_ATTRIBUTE template[] = { ATTR(CKA_CLASS, class),
                                    ATTR_BYTES(CKA_LABEL, argv[3], strlen(argv[3])) };

        if (p11_find(session, template, COUNT(template), &key, 1) != 1) {
            die("no key %s", argv[3]);
        }
    }
    if (strcmp(argv[2], "destroy") == 0) {
        uint64_t start = now_ms();

        MUST(p11->C_DestroyObject(session, key));
        printf("acknowledged %lu\n# it took %lu ms\n", (unsigned long)now_ms(),
               (unsigned long)(now_ms() - start));
    } else if (strcmp(argv[2], "use") == 0) {
        const uint64_t end = now_ms() + (uint64_t)atoi(argv[4]) * 1000u;
        uint64_t last = 0, good = 0, bad = 0, begin;
        CK_RV code = CKR_OK;

        while ((begin = now_ms()) < end) {
            CK_RV rv = sign(session, key);

            if (rv == CKR_OK) {
                last = begin;
                if (good++ == 0) {
                    puts("running");
                    fflush(stdout);
                }
            } else {
                code = rv;
                bad++;
                usleep(2000);
            }
        }
        printf("last %lu\n# %lu good, %lu refused, at last 0x%08lx\n", (unsigned long)last,
               (unsigned long)good, (unsigned long)bad, code);
    }
    return 0;
}
