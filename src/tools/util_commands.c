/* SPDX-License-Identifier: Apache-2.0
 *
 * The commands of azcloudhsm_util, and the lines that several of them share.
 */
#include "tools/util.h"

#include "tools/code.h"

static enum status help(void *tool, const struct values *values);

static enum status
leave(void *tool, const struct values *values)
{
    UNUSED(tool);
    UNUSED(values);
    return STATUS_LEAVE;
}

/* clang-format off */
#define U32 UINT32_MAX
#define SESSION_OPTIONS                                                                           \
        { "-id",               "ID",     ARGUMENT_TEXT,   NEED_NOT,    0, 0,   "id of the key; no other key may have it" }, \
        { "-sess",             NULL,     ARGUMENT_FLAG,   NEED_NOT,    0, 0,   "a session key: it ends with this tool" }, \
        { "-min_srv",          "COUNT",  ARGUMENT_NUMBER, NEED_NOT,    1, FRAME_NODES_MAX, "nodes that must have the key, or it is not made: 1 unless told" }, \
        { "-timeout",          "SECONDS", ARGUMENT_NUMBER, NEED_NOT,   0, U32, "taken and not needed: -min_srv is waited for 8 seconds at most" }, \
        { "-attest",           NULL,     ARGUMENT_FLAG,   NEED_NOT,    0, 0,   "tells that the node was checked" }
#define SECRET_OPTIONS                                                                            \
        SESSION_OPTIONS,                                                                          \
        { "-nex",              NULL,     ARGUMENT_FLAG,   NEED_NOT,    0, 0,   "the key can never be extracted" }, \
        { "-wrap_with_trusted", "0/1",   ARGUMENT_SWITCH, NEED_NOT,    0, 1,   "may be wrapped by trusted keys alone" }, \
        { "-u",                "USER,USER", ARGUMENT_TEXT, NEED_NOT,   0, 0,   "ids of users that may use the key, too" }, \
        { "-m_value",          "COUNT",  ARGUMENT_NUMBER, NEED_NOT,    0, 0,   "only 0: keys that wait for approvals are not offered, how they are approved was not published" }
#define KEY_OPTIONS                                                                               \
        { "-l",                "LABEL",  ARGUMENT_TEXT,   NEED_ALWAYS, 0, 0,   "label of the key" }, \
        SECRET_OPTIONS
#define KEY_OPTION                                                                                \
        { "-k",          "HANDLE", ARGUMENT_NUMBER, NEED_ALWAYS, 0, U32, "handle of the key" }
#define KEK_OPTIONS                                                                               \
        { "-w",          "HANDLE", ARGUMENT_NUMBER, NEED_ALWAYS, 0, U32, "wrapping key: an AES key, the user KEK" }, \
        { "-wk",         "FILE",  ARGUMENT_TEXT,   NEED_NOT,    0, 0,   "has the wrapping key's value; the plain key then never leaves this host" }
#define IN_OPTION(what)                                                                           \
        { "-f",          "FILE",  ARGUMENT_TEXT,   NEED_ALWAYS, 0, 0,   what }
#define OUT_OPTION                                                                                \
        { "-out",        "FILE",  ARGUMENT_TEXT,   NEED_ALWAYS, 0, 0,   "file that is written" }
#define WRAP_OPTIONS                                                                              \
        { "-m",          "MECHANISM", ARGUMENT_NUMBER, NEED_ALWAYS, 4, 12, "4 AES PKCS#5, 5 AES no padding, 6 AES zero padding, 7 RSA AES, 8 RSA OAEP, 10 AES GCM, 11 the same with its IV in the file, 12 RSA PKCS#1" }, \
        { "-aad",        "FILE",  ARGUMENT_TEXT,   NEED_NOT,    0, 0,   "additional data of AES GCM" }, \
        { "-t",          "HASH",  ARGUMENT_NUMBER, NEED_NOT,    2, 6,   "of OAEP: 2 SHA-1 (default), 3 SHA-256, 4 SHA-384, 5 SHA-512, 6 SHA-224" }, \
        { "-noheader",   NULL,    ARGUMENT_FLAG,   NEED_NOT,    0, 0,   "the standard's blob alone" }, \
        { "-i",          "IV",    ARGUMENT_TEXT,   NEED_NOT,    0, 0,   "initial value in hexadecimal, of -m 5 and 6 with -noheader" }, \
        { "-iv_file",    "FILE",  ARGUMENT_TEXT,   NEED_NOT,    0, 0,   "the IV of -m 10 with -noheader" }, \
        { "-tag_size",   "BYTES", ARGUMENT_NUMBER, NEED_NOT,    8, 16,  "tag of AES GCM: 16 unless told" }
#define SIGN_OPTION                                                                               \
        { "-m",          "MECHANISM", ARGUMENT_NUMBER, NEED_ALWAYS, 0, 20, "RSA PKCS#1: 0 SHA-1, 1 SHA-256, 2 SHA-384, 3 SHA-512, 4 SHA-224; PSS: 5 to 9 likewise; ECDSA: 15 SHA-1, 16 SHA-224, 17 SHA-256, 18 SHA-384, 19 SHA-512; 20 EdDSA" }

/*     argument          value    type            need         min max  help */
static const struct command rows[] = {
    { "loginHSM", util_login, 0, "logs a user in", {
        { "-u",          "TYPE",  ARGUMENT_ROLE,   NEED_ALWAYS, 0, 0,   "type of the user: CU, CO" },
        { "-s",          "USER",  ARGUMENT_TEXT,   NEED_ALWAYS, 0, 0,   "name of the user" },
        { "-p",          "PASSWORD", ARGUMENT_SECRET, NEED_NOT, 0, 0,   "password; -hpswd=fd:N or -hpswd=env:NAME in its place say where it comes from" },
        { "-hpswd",      NULL,    ARGUMENT_FLAG,   NEED_NOT,    0, 0,   "asks for the password without showing it" } } },
    { "loginStatus", util_login_status, 0, "tells who is logged in", { { 0 } } },
    { "logoutHSM", util_logout, 0, "logs the user out", { { 0 } } },
    { "listUsers", util_list_users, 0, "lists the users", { { 0 } } },
    { "getHSMInfo", util_hsm_info, 0, "tells what the HSM is", { { 0 } } },
    { "getPartitionInfo", util_partition_info, 0, "tells what the partition is", { { 0 } } },
    { "getCert", util_get_cert, 0, "writes a certificate of the partition to a file", {
        { "-f",          "FILE",  ARGUMENT_TEXT,   NEED_ALWAYS, 0, 0,   "file that is written" },
        { "-s",          "TYPE",  ARGUMENT_NUMBER, NEED_ALWAYS, 1, 64,  "4 the owner's, 8 the partition's, signed by the owner" } } },
    { "genSymKey", util_gen_sym_key, 0, "makes a symmetric key", {
        { "-t",          "TYPE",  ARGUMENT_NUMBER, NEED_ALWAYS, 0, U32, "16 generic secret, 18 RC4, 21 triple DES, 31 AES" },
        { "-s",          "BYTES", ARGUMENT_NUMBER, NEED_ALWAYS, 1, 3584, "size of the key" },
        KEY_OPTIONS } },
    { "genRSAKeyPair", util_gen_rsa_pair, 0, "makes an RSA key pair", {
        { "-m",          "BITS",  ARGUMENT_NUMBER, NEED_ALWAYS, 0, 65536, "size of the modulus: 2048 to 4096 in steps of 256" },
        { "-e",          "EXPONENT", ARGUMENT_NUMBER, NEED_ALWAYS, 65537, U32, "public exponent: odd, from 65537 on" },
        KEY_OPTIONS } },
    { "genECCKeyPair", util_gen_ecc_pair, 0, "makes a key pair on an elliptic curve", {
        { "-i",          "CURVE", ARGUMENT_NUMBER, NEED_ALWAYS, 1, 29,  "2 P-256, 14 P-384, 15 P-521, 16 secp256k1, 28 Ed25519, 26 X25519; listECCCurveIds" },
        KEY_OPTIONS } },
    { "genDSAKeyPair", util_gen_dsa_pair, 0, "refused: this HSM makes no DSA keys", {
        { "-m",          "BITS",  ARGUMENT_NUMBER, NEED_ALWAYS, 0, 65536, "size of the modulus" },
        KEY_OPTIONS } },
    { "genPBEKey", util_gen_pbe_key, 0, "refused: this HSM makes no keys from passwords", {
        { "-p",          "PASSWORD", ARGUMENT_SECRET, NEED_NOT, 0, 0,   "password" },
        KEY_OPTIONS } },
    { "findKey", util_find_key, 0, "lists the handles of keys", {
        { "-c",          "CLASS", ARGUMENT_NUMBER, NEED_NOT,    2, 4,   "2 public, 3 private, 4 secret" },
        { "-t",          "TYPE",  ARGUMENT_NUMBER, NEED_NOT,    0, U32, "0 RSA, 3 EC, 16 generic secret, 31 AES" },
        { "-l",          "LABEL", ARGUMENT_TEXT,   NEED_NOT,    0, 0,   "label of the key" },
        { "-id",         "ID",    ARGUMENT_TEXT,   NEED_NOT,    0, 0,   "id of the key" },
        { "-sess",       "0/1",   ARGUMENT_SWITCH, NEED_NOT,    0, 1,   "1: session keys alone; 0: the others alone" },
        { "-u",          "USER,USER", ARGUMENT_TEXT, NEED_NOT,  0, 0,   "ids of users that the key is shared with" },
        { "-m",          "FILE",  ARGUMENT_TEXT,   NEED_NOT,    0, 0,   "has the modulus of an RSA key" },
        { "-kcv",        "FILE",  ARGUMENT_TEXT,   NEED_NOT,    0, 0,   "has the check value of a secret key, or of a pair" } } },
    { "findSingleKey", util_find_single_key, 0, "tells whether a key is there", { KEY_OPTION } },
    { "getKeyInfo", util_key_info, 0, "tells whose a key is", { KEY_OPTION } },
    { "deleteKey", util_delete_key, 0, "deletes a key; of a pair, one half", { KEY_OPTION } },
    { "listCertificates", util_list_certificates, 0, "lists the handles of certificates, where the application keeps them", {
        { "-l",          "LABEL", ARGUMENT_TEXT,   NEED_NOT,    0, 0,   "label of the certificate" },
        { "-id",         "ID",    ARGUMENT_TEXT,   NEED_NOT,    0, 0,   "id of the certificate" } } },
    { "getAttribute", util_get_attribute, 0, "writes attributes of a key to a file", {
        { "-o",          "HANDLE", ARGUMENT_NUMBER, NEED_ALWAYS, 0, U32, "handle of the key" },
        { "-a",          "ATTRIBUTE", ARGUMENT_NUMBER, NEED_ALWAYS, 0, U32, "number of the attribute, 512 for all; listAttributes" },
        OUT_OPTION } },
    { "setAttribute", util_set_attribute, 0, "changes an attribute of a key", {
        { "-o",          "HANDLE", ARGUMENT_NUMBER, NEED_ALWAYS, 0, U32, "handle of the key" },
        { "-a",          "ATTRIBUTE", ARGUMENT_NUMBER, NEED_ALWAYS, 0, U32, "number of the attribute; listAttributes" },
        { "-v",          "VALUE", ARGUMENT_TEXT,   NEED_NOT,    0, 0,   "0 or 1, or the label; asked for where it is missing" } } },
    { "listAttributes", util_list_attributes, COMMAND_OFFLINE, "lists the numbers of attributes", { { 0 } } },
    { "listECCCurveIds", util_list_curves, 0, "lists the numbers of curves", { { 0 } } },
    { "wrapKey", util_wrap_key, 0, "writes a key to a file, wrapped by another", {
        KEY_OPTION,
        { "-w",          "HANDLE", ARGUMENT_NUMBER, NEED_ALWAYS, 0, U32, "handle of the key that wraps" },
        OUT_OPTION, WRAP_OPTIONS } },
    { "unWrapKey", util_unwrap_key, 0, "makes a key of what wrapKey wrote", {
        IN_OPTION("the wrapped key"),
        { "-w",          "HANDLE", ARGUMENT_NUMBER, NEED_ALWAYS, 0, U32, "handle of the key that unwraps" },
        WRAP_OPTIONS,
        { "-l",          "LABEL", ARGUMENT_TEXT,   NEED_NOT,    0, 0,   "label of the key; needed with -noheader" },
        { "-kc",         "CLASS", ARGUMENT_NUMBER, NEED_NOT,    3, 4,   "with -noheader: 3 private, 4 secret" },
        { "-kt",         "TYPE",  ARGUMENT_NUMBER, NEED_NOT,    0, U32, "with -noheader: 0 RSA, 3 EC, 16 generic secret, 21 triple DES, 31 AES" },
        SECRET_OPTIONS } },
    { "aesWrapUnwrap", util_aes_wrap_unwrap, 0, "wraps a file with an AES key, or unwraps it", {
        { "-m",          "1/0",   ARGUMENT_NUMBER, NEED_ALWAYS, 0, 1,   "1 wraps, 0 unwraps" },
        IN_OPTION("at most 4096 bytes"),
        { "-w",          "HANDLE", ARGUMENT_NUMBER, NEED_ALWAYS, 0, U32, "handle of the AES key" },
        { "-i",          "IV",    ARGUMENT_TEXT,   NEED_NOT,    0, 0,   "initial value in hexadecimal" },
        { "-out",        "FILE",  ARGUMENT_TEXT,   NEED_NOT,    0, 0,   "file for the result" } } },
    { "imSymKey", util_import_symmetric, 0, "makes a symmetric key of a file's bytes", {
        IN_OPTION("the plain key"),
        { "-t",          "TYPE",  ARGUMENT_NUMBER, NEED_ALWAYS, 0, U32, "16 generic secret, 18 RC4, 21 triple DES, 31 AES" },
        KEK_OPTIONS, KEY_OPTIONS } },
    { "exSymKey", util_export_symmetric, 0, "writes a symmetric key to a file, in plain", {
        KEY_OPTION, KEK_OPTIONS, OUT_OPTION,
        { "-m",          "MECHANISM", ARGUMENT_NUMBER, NEED_NOT, 4, 4,  "4, the only one" } } },
    { "importPrivateKey", util_import_private, 0, "makes a private key of a PEM file", {
        IN_OPTION("PEM without a password: RSA or an elliptic curve"),
        KEK_OPTIONS, KEY_OPTIONS } },
    { "exportPrivateKey", util_export_private, 0, "writes a private key to a PEM file, in plain", {
        KEY_OPTION, KEK_OPTIONS, OUT_OPTION,
        { "-m",          "MECHANISM", ARGUMENT_NUMBER, NEED_NOT, 4, 4,  "4, the only one" } } },
    { "importPubKey", util_import_public, 0, "makes a public key of a PEM file", {
        IN_OPTION("PEM: RSA or an elliptic curve"),
        { "-l",          "LABEL", ARGUMENT_TEXT,   NEED_ALWAYS, 0, 0,   "label of the key" },
        SESSION_OPTIONS } },
    { "exportPubKey", util_export_public, 0, "writes a public key to a PEM file", {
        KEY_OPTION, OUT_OPTION } },
    { "sign", util_sign_file, 0, "signs a file", {
        IN_OPTION("what is signed"), KEY_OPTION, SIGN_OPTION, OUT_OPTION } },
    { "verify", util_verify_file, 0, "checks the signature of a file", {
        IN_OPTION("what was signed"),
        { "-s",          "FILE",  ARGUMENT_TEXT,   NEED_ALWAYS, 0, 0,   "the signature" },
        KEY_OPTION, SIGN_OPTION } },
    { "extractMaskedObject", util_extract_masked, 0, "writes a key to a file that its HSM alone can read", {
        { "-o",          "HANDLE", ARGUMENT_NUMBER, NEED_ALWAYS, 0, U32, "handle of the key" },
        OUT_OPTION } },
    { "insertMaskedObject", util_insert_masked, 0, "makes a key of what extractMaskedObject wrote", {
        IN_OPTION("the masked key"),
        { "-min_srv",    "COUNT", ARGUMENT_NUMBER, NEED_NOT,    1, FRAME_NODES_MAX, "nodes that must have the key, or it is not made: 1 unless told" },
        { "-timeout",    "SECONDS", ARGUMENT_NUMBER, NEED_NOT,  0, U32, "taken and not needed: -min_srv is waited for 8 seconds at most" } } },
    { "getCaviumPrivKey", util_fake_key, 0, "writes a PEM file that names a private key", {
        KEY_OPTION, OUT_OPTION } },
    { "IsValidKeyHandlefile", util_check_fake, 0, "tells what a PEM file holds: a key, or a key's handle", {
        IN_OPTION("PEM file") } },
    { "Error2String", util_error_text, COMMAND_OFFLINE, "tells what a code means", {
        { "-r",          "CODE",  ARGUMENT_NUMBER, NEED_ALWAYS, 0, U32, "code, in hexadecimal after 0x" } } },
#define ABSENT(name, why) { name, command_absent, COMMAND_OFFLINE | COMMAND_ABSENT, "not offered: " why, { { 0 } } }
    ABSENT( "getAuditUDD", "what its data is was not published; azcloudhsm_mgmt_util's verifyAudit checks the audit trail" ),
    ABSENT( "setAuditUDD", "what its data is was not published; azcloudhsm_mgmt_util's verifyAudit checks the audit trail" ),
    ABSENT( "allocContext", "each run of this tool has a context of its own; see loginHSM" ),
    ABSENT( "authUser", "each run of this tool has a context of its own; see loginHSM" ),
    ABSENT( "freeContext", "each run of this tool has a context of its own; see logoutHSM" ),
    ABSENT( "deriveSymKey", "its options were not published; C_DeriveKey derives keys" ),
    ABSENT( "splitKey", "its options and its format were not published; see wrapKey" ),
    ABSENT( "genParkingKey", "its format was not published; see extractMaskedObject" ),
    ABSENT( "parkObject", "its format was not published; see extractMaskedObject" ),
    ABSENT( "unparkObject", "its format was not published; see insertMaskedObject" ),
    ABSENT( "createPublicKey", "its options were not published; see importPubKey" ),
    ABSENT( "atomicGenAndWrapASymKey", "its options were not published; see genRSAKeyPair, genECCKeyPair and wrapKey" ),
    ABSENT( "atomicGenAndWrapSymKey", "its options were not published; see genSymKey and wrapKey" ),
    ABSENT( "unWrapKeyWithSize", "its options were not published; see unWrapKey" ),
    ABSENT( "aesUnwrapPkcs5Buffer", "its options were not published; see aesWrapUnwrap" ),
    ABSENT( "getToken", "no keys here wait for approvals; azcloudhsm_mgmt_util draws officers' tokens" ),
    ABSENT( "approveToken", "no keys here wait for approvals; azcloudhsm_mgmt_util approves officers' tokens" ),
    ABSENT( "listTokens", "no keys here wait for approvals; azcloudhsm_mgmt_util lists officers' tokens" ),
    ABSENT( "delToken", "no keys here wait for approvals; azcloudhsm_mgmt_util deletes officers' tokens" ),
#undef ABSENT
    { "help", help, COMMAND_OFFLINE, "lists the commands, or explains one", {
        { "command",     "COMMAND", ARGUMENT_TEXT, NEED_NOT,    0, 0,   "which one" } } },
    { "exit", leave, COMMAND_OFFLINE, "ends this tool", { { 0 } } },
};
/* clang-format on */

const struct command_table util_commands = { rows, ARRAY_COUNT(rows), false };

static enum status
help(void *tool, const struct values *values)
{
    UNUSED(tool);
    return command_explain(&util_commands, values_text(values, "command"));
}

enum status
util_returned(const char *name, CK_RV rv)
{
    const struct code *code = code_of(rv);

    printf("\n\t%s returned: 0x%02x : %s: %s\n", name, (unsigned)code->shown, code->class,
           code->text);
    return rv == CKR_OK ? STATUS_DONE : STATUS_REFUSED;
}

void
util_cluster(const struct util *util, CK_RV rv)
{
    const struct code *code = code_of(rv);

    if (util->aws) {
        printf("\n\tCluster Error Status\n\tNode id 0 and err state 0x%08x : %s: %s\n",
               (unsigned)code->shown, code->class, code->text);
    } else {
        printf("\n\tCluster Status:\n\tNode id 1 status: 0x%08x : %s: %s\n",
               (unsigned)code->shown, code->class, code->text);
    }
}

json_t *
util_json_text(view text)
{
    json_t *json = json_stringn(text.len == 0 ? "" : (const char *)text.data, text.len);
    char hex[515] = "0x";

    if (json == NULL) {
        hex_encode(view_slice(text, 0, 256), hex + 2);
        json = json_string(hex);
    }
    return json;
}

void
util_json(const struct util *util, json_t *listing)
{
    if (util->json != NULL && listing != NULL) {
        (void)json_dumpf(listing, util->json, JSON_COMPACT);
        putc('\n', util->json);
    }
    json_decref(listing);
}
