/* SPDX-License-Identifier: Apache-2.0
 *
 * An application that does what it is told, a word on each line of standard input, and answers with
 * the return code in hexadecimal: login, logout, use (random bytes, which want a login in azure),
 * make (a key), init (C_SignInit with that key).
 *
 *   asked MODULE
 */
#include "p11.h"

static CK_SESSION_HANDLE session;
static CK_OBJECT_HANDLE key;

static CK_RV
make(void)
{
    CK_MECHANISM mechanism = { CKM_GENERIC_SECRET_KEY_GEN, NULL, 0 };
    CK_ULONG len = 32;
    CK_ATTRIBUTE template[] = { ATTR(CKA_VALUE_LEN, len), ATTR(CKA_SIGN, yes) };

    return p11->C_GenerateKey(session, &mechanism, template, COUNT(template), &key);
}

static CK_RV
init(void)
{
    CK_MECHANISM mechanism = { CKM_SHA256_HMAC, NULL, 0 };
    CK_BYTE mac[32];
    CK_ULONG len = sizeof mac;
    CK_RV rv = p11->C_SignInit(session, &mechanism, key);

    return rv == CKR_OK ? p11->C_Sign(session, mac, 0, mac, &len) : rv;
}

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
    if (strcmp(word, "make") == 0) {
        return make();
    }
    if (strcmp(word, "init") == 0) {
        return init();
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
