/* SPDX-License-Identifier: Apache-2.0
 *
 * An application that does what it is told, a word on each line of standard input, and answers with
 * the return code in hexadecimal: login, logout, use (random bytes, which want a login in azure).
 *
 *   asked MODULE
 */
#include "p11.h"

static CK_SESSION_HANDLE session;

static CK_RV
obey(const char *word)
{
    unsigned char byte;

    if (strcmp(word, "login") == 0) {
        return p11->C_Login(session, CKU_USER, (CK_UTF8CHAR_PTR)PIN, sizeof PIN - 1);
    }
    if (strcmp(word, "logout") == 0) {
        return p11->C_Logout(session);
    }
    if (strcmp(word, "use") == 0) {
        return p11->C_GenerateRandom(session, &byte, 1);
    }
    die("what is %s?", word);
}

int
main(int argc, char **argv)
{
    char word[32];

    if (argc != 2) {
        die("usage: asked MODULE");
    }
    p11_load(argv[1]);
    MUST(p11->C_Initialize(NULL));
    session = p11_session();
    while (scanf("%31s", word) == 1) {
        printf("%s %lx\n", word, obey(word));
        fflush(stdout);
    }
    MUST(p11->C_Finalize(NULL));
    return 0;
}
