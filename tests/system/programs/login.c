/* SPDX-License-Identifier: Apache-2.0
 *
 * The codes of failed logins.
 *
 *   login MODULE CODE      CODE: what this policy answers, in hexadecimal
 */
#include "p11.h"

static char long_pin[10000];

static const struct {
    const char *name;
    const char *pin;
    size_t len;
} rows[] = {
    { "a wrong password", "cu1:user4321", 12 },
    { "an unknown user", "nobody:user1234", 15 },
    { "a crypto officer", "admin:adminpassword", 19 },
    { "a PIN without a colon", "cu1user1234", 11 },
    { "an empty password", "cu9:", 4 },
    { "an empty name", ":user1234", 9 },
    { "an empty PIN", "", 0 },
    { "a PIN of 10,000 bytes", long_pin, sizeof long_pin },
    { "a NUL in the name", "cu1\0:user1234", 13 },
    { "a NUL after the password", "cu1:user1234\0", 13 },
    { "bytes that are no UTF-8", "cu1\xff\xfe:user1234", 14 },
};

int
main(int argc, char **argv)
{
    CK_SESSION_HANDLE session;
    CK_SESSION_INFO info;
    CK_RV wanted;

    if (argc != 3) {
        die("usage: login MODULE CODE");
    }
    wanted = strtoul(argv[2], NULL, 16);
    memset(long_pin, 'x', sizeof long_pin);
    memcpy(long_pin, "cu1:", 4);
    p11_load(argv[1]);
    MUST(p11->C_Initialize(NULL));
    session = p11_session();

    for (size_t i = 0; i < COUNT(rows); i++) {
        /* A copy without a NUL behind it: the length alone counts. */
        char *pin = malloc(rows[i].len + 1);
        CK_RV rv;

        memcpy(pin, rows[i].pin, rows[i].len);
        pin[rows[i].len] = '!';
        rv = p11->C_Login(session, CKU_USER, (CK_UTF8CHAR_PTR)pin, rows[i].len);
        free(pin);
        check_code(rv, wanted, rows[i].name);
        MUST(p11->C_GetSessionInfo(session, &info));
        if (info.state != CKS_RW_PUBLIC_SESSION) {
            check(false, "%s logged somebody in", rows[i].name);
        }
    }
    check_code(p11->C_Login(session, CKU_USER, NULL, 0), CKR_ARGUMENTS_BAD, "no PIN");
    check_code(p11->C_Login(session, CKU_USER, NULL, 5), CKR_ARGUMENTS_BAD,
               "no PIN, but a length");
    check_code(p11->C_Login(session, 99, (CK_UTF8CHAR_PTR)(uintptr_t)PIN, strlen(PIN)),
               CKR_USER_TYPE_INVALID, "a user type that there is not");
    check_code(p11->C_Login(session + 99, CKU_USER, (CK_UTF8CHAR_PTR)(uintptr_t)PIN, strlen(PIN)),
               CKR_SESSION_HANDLE_INVALID, "a session that there is not");

    check_code(p11_login(session, PIN), CKR_OK, "the right PIN after all of these");
    check_code(p11_login(session, PIN), CKR_USER_ALREADY_LOGGED_IN, "the right PIN once more");
    MUST(p11->C_GetSessionInfo(session, &info));
    check(info.state == CKS_RW_USER_FUNCTIONS, "the session is a user's");
    check_code(p11->C_Logout(session), CKR_OK, "logout");
    check_code(p11->C_Logout(session), CKR_USER_NOT_LOGGED_IN, "logout once more");
    MUST(p11->C_Finalize(NULL));
    return checks_failed != 0;
}
