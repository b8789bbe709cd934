/* SPDX-License-Identifier: Apache-2.0
 *
 * What the HSM says, in the words of the tools. Several codes may be shown as one: the
 * original tells less than PKCS #11 does.
 */
#include "tools/code.h"

#include "wire/frame.h"

#define POLICY "This operation violates the current configured/FIPS policies"
#define NO_HANDLE "Invalid object handle is passed to this operation"

/* clang-format off */
/*    code                          shown       class                text */
static const struct code codes[] = {
    { CKR_OK,                       0x00,       "HSM Return",        "SUCCESS" },
    { CKR_SIGNATURE_INVALID,        0x1b,       "CSP Error",         "ERR_BAD_PKCS_DATA" },
    { CODE_USER_UNKNOWN,            0x9d,       "HSM Error",         "This user doesn't exist" },
    { CKR_LOGIN_FAILURE,            0xa3,       "HSM Error",         "RET_USER_LOGIN_FAILURE" },
    { CKR_PIN_INCORRECT,            0xa3,       "HSM Error",         "RET_USER_LOGIN_FAILURE" },
    { CKR_PIN_LOCKED,               0xa3,       "HSM Error",         "RET_USER_LOGIN_FAILURE" },
    { CKR_OBJECT_HANDLE_INVALID,    0xa8,       "HSM Error",         NO_HANDLE },
    { CKR_KEY_HANDLE_INVALID,       0xa8,       "HSM Error",         NO_HANDLE },
    { CKR_TOKEN_RESOURCE_EXCEEDED,  0xab,       "HSM Error",         "Reached the limit of Max number of supported objects" },
    { CKR_MECHANISM_INVALID,        0xb3,       "HSM Error",         POLICY },
    { CKR_KEY_SIZE_RANGE,           0xb3,       "HSM Error",         POLICY },
    { CKR_CURVE_NOT_SUPPORTED,      0xb3,       "HSM Error",         POLICY },
    { CKR_DOMAIN_PARAMS_INVALID,    0xb3,       "HSM Error",         POLICY },
    { CKR_TEMPLATE_INCONSISTENT,    0xb3,       "HSM Error",         POLICY },
    { CKR_DEVICE_MEMORY,            0xbb,       "HSM Error",         "HSM is busy; try again" },
    { CKR_ACTION_PROHIBITED,        0xc6,       "HSM Error",         "Key Access is denied" },
    { CKR_USER_TYPE_INVALID,        0xdb,       "HSM Error",         "Invalid User Type" },
    { CKR_USER_NOT_LOGGED_IN,       0x101,      "HSM Error",         "no user of the right type is logged in; run loginHSM" },
    { CKR_USER_ALREADY_LOGGED_IN,   0x100,      "HSM Error",         "a user is logged in already; run logoutHSM first" },
    { CKR_USER_ANOTHER_ALREADY_LOGGED_IN, 0x104, "HSM Error",        "a user is logged in already; run logoutHSM first" },
    { CKR_ARGUMENTS_BAD,            0x07,       "HSM Error",         "Invalid argument" },
    { CKR_PIN_LEN_RANGE,            0xa2,       "HSM Error",         "a password has 8 to 32 characters" },
    { CODE_USER_EXISTS,             0x9c,       "HSM Error",         "a user with this name exists already" },
    { CODE_USER_OWNS_KEYS,          0x9f,       "HSM Error",         "this user owns keys; delete them first" },
    { CODE_USER_SHARED,             0x9b,       "HSM Error",         "this user has disabled access, and keys are shared with him; their owners unshare them first" },
    { CKR_KEY_NOT_WRAPPABLE,        0x69,       "HSM Error",         "the wrapping key is not trusted, or the key is not yours to wrap" },
    { CKR_KEY_UNEXTRACTABLE,        0x6a,       "HSM Error",         "the key is not extractable" },
    { CKR_WRAPPING_KEY_HANDLE_INVALID,    0x113, "HSM Error",        "Key/Token not found" },
    { CKR_UNWRAPPING_KEY_HANDLE_INVALID,  0xf0,  "HSM Error",        "Key/Token not found" },
    { CKR_WRAPPING_KEY_TYPE_INCONSISTENT, 0x115, "HSM Error",        "Invalid key-handle/token" },
    { CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT, 0xf2, "HSM Error",       "Invalid key-handle/token" },
    { CODE_BAD_BACKUP,              0x1b,       "HSM Error",         "the backup is truncated, altered, of another owner, or the key is another" },
    { CODE_NOT_FRESH,               0x9e,       "HSM Error",         "this partition has users or keys; restore into a fresh one" },
    { CODE_QUORUM,                  0x210,      "HSM Error",         "RET_MXN_AUTH_FAILED" },
    { CODE_QUORUM_SIZE,             0x211,      "HSM Error",         "fewer officers than M would have a quorum key" },
    { CODE_TOKEN_BAD,               0x212,      "HSM Error",         "this is no token file, or it has no token of this server" },
    { CODE_TOKEN_EXPIRED,           0x213,      "HSM Error",         "the token is expired; draw a new one with getToken" },
    { CODE_TOKEN_USER,              0x214,      "HSM Error",         "the token is another user's, or of another session" },
    { CODE_TOKEN_UNKNOWN,           0x215,      "HSM Error",         "there is no such token; it may have been used" },
    { CODE_TOKEN_APPROVER,          0x216,      "HSM Error",         "there is no such officer, or he has no quorum key" },
    { CODE_TOKEN_TWICE,             0x217,      "HSM Error",         "this officer has approved the token already" },
    { CODE_CHALLENGE_BAD,           0x218,      "HSM Error",         "the challenge is not this server's, used or expired; get another with getChallenge" },
    { CODE_SECOND_FACTOR,           0x219,      "HSM Error",         "this user has a second factor; log in by loginHSM of azcloudhsm_mgmt_util with -2fa FILE" },
    { CODE_NODE_ALONE,              0x221,      "HSM Error",         "this server shares its records with no other; a cluster keeps them in etcd" },
    { CODE_NODE_EXISTS,             0x222,      "HSM Error",         "a node of this serial is on the list, or was and is no more" },
    { CODE_NODE_UNKNOWN,            0x223,      "HSM Error",         "there is no such node on the list" },
    { CODE_NODE_KEY,                0x224,      "HSM Error",         "the node is on the list with another key" },
    { CODE_NODE_MANY,               0x225,      "HSM Error",         "the list of nodes is full" },
    { CODE_NODE_LAST,               0x226,      "HSM Error",         "no other node has the master key" },
    { CODE_JOIN_STATE,              0x227,      "HSM Error",         "nobody has begun to join, or it was too long ago" },
    { CODE_UNOWNED,                 0x201,      "HSM Error",         "the server has no owner yet; see getCertReq and storeCert" },
    { CODE_OWNED,                   0x202,      "HSM Error",         "the server has an owner already; PO.crt cannot be replaced" },
    { CODE_CERT_BAD,                0x203,      "HSM Error",         "this is no certificate in PEM, or its key is too weak" },
    { CODE_CERT_OWNER,              0x204,      "HSM Error",         "this is no self-signed certificate of an owner with an RSA key of 2048 bits or more" },
    { CODE_CERT_CHAIN,              0x205,      "HSM Error",         "this certificate was not signed by the PO.crt that was stored" },
    { CODE_CERT_KEY,                0x206,      "HSM Error",         "this certificate is not for this server's key and name; sign what getCertReq writes" },
    { CODE_CERT_TIME,               0x207,      "HSM Error",         "this certificate is expired, or not valid yet" },
    { CODE_CERT_ORDER,              0x208,      "HSM Error",         "store PO.crt (4) before POAC.crt (8)" },
    { CODE_CERT_NONE,               0x209,      "HSM Error",         "there is no certificate of this type" },
    { CKR_DEVICE_ERROR,             0x30000085, "HSM CLUSTER ERROR", "Server in cluster is unavailable" },
    { CKR_GENERAL_ERROR,            0x30000085, "HSM CLUSTER ERROR", "Server in cluster is unavailable" },
};
/* clang-format on */

const struct code *
code_rows(size_t *ret_count)
{
    *ret_count = ARRAY_COUNT(codes);
    return codes;
}

const struct code *
code_of(CK_RV rv)
{
    static _Thread_local struct code other;

    for (size_t i = 0; i < ARRAY_COUNT(codes); i++) {
        if (codes[i].rv == rv) {
            return &codes[i];
        }
    }
    other = (struct code){ rv, (uint32_t)rv, "HSM Error", return_name(rv) };
    return &other;
}

const struct code *
code_by_shown(uint32_t shown)
{
    for (size_t i = 0; i < ARRAY_COUNT(codes); i++) {
        if (codes[i].shown == shown) {
            return &codes[i];
        }
    }
    return return_is_known(shown) ? code_of(shown) : NULL;
}
