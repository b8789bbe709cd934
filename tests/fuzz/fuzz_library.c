/* SPDX-License-Identifier: Apache-2.0
 *
 * The library and a daemon that lies. The input is a play: calls of an application, and what the
 * daemon of liar.c answers to each request. Whatever it says, a call returns a code of PKCS #11
 * within its time, writes no byte beyond the length that it was told (each buffer is a piece of
 * memory of just that length, and the address sanitizer watches), and follows no pointer that the
 * application did not give it; C_Finalize leaves nothing behind.
 */
#include "fuzz/fuzz.h"
#include "fuzz/liar.h"

#include <string.h>

#include "pkcs11_headers/include/cryptoki.h"
#include "rules/rules.h"
#include "wire/message.h"

#define SLOT 1
#define STEPS_MAX 32u
/* Of one call: 512 KiB in two passes and what is around them; and an operation that is lost again
 * and again is begun anew every 50 ms for 4.4 s. */
#define TRIPS_MAX (28u + 88u * 20u)
#define SESSIONS 3u
#define OBJECTS 8u
#define ROOMS 24u

static struct play {
    CK_SESSION_HANDLE sessions[SESSIONS];
    CK_OBJECT_HANDLE objects[OBJECTS];
    unsigned object_count;
    void *rooms[ROOMS]; /* of one call */
    size_t room_count;
    uint8_t iv[16]; /* which an operation may write until its end */
} play;

/* A piece of memory of just this length, full of what is no pointer. */
static void *
room(size_t len)
{
    void *bytes = malloc(len);

    HOLDS(play.room_count < ROOMS && (bytes != NULL || len == 0));
    if (len > 0) {
        memset(bytes, 0xdb, len);
    }
    play.rooms[play.room_count++] = bytes;
    return bytes;
}

static void
rooms_free(void)
{
    while (play.room_count > 0) {
        free(play.rooms[--play.room_count]);
    }
}

static CK_SESSION_HANDLE
a_session(void)
{
    uint8_t b = liar_u8();

    return b == 0xff ? liar_u32() : play.sessions[b % SESSIONS];
}

static CK_OBJECT_HANDLE
an_object(void)
{
    uint8_t b = liar_u8();

    if (b >= 0xf8) {
        return liar_u32();
    }
    return play.object_count == 0 ? 0x40000u + b % 8 : play.objects[b % play.object_count];
}

static void
object_note(CK_OBJECT_HANDLE object)
{
    HOLDS(object != CK_INVALID_HANDLE);
    play.objects[play.object_count < OBJECTS ? play.object_count++ : liar_u8() % OBJECTS] = object;
}

/* Input of the application, in memory of its own. */
static CK_BYTE *
some_input(CK_ULONG near, CK_ULONG *ret_len)
{
    *ret_len = liar_len(near);
    return room(*ret_len);
}

/* ---- mechanisms and templates ---- */

static void
some_mechanism(CK_FLAGS function, CK_MECHANISM *ret_mechanism)
{
    static CK_GCM_PARAMS gcm;
    static CK_AES_CTR_PARAMS ctr;
    static CK_RSA_PKCS_PSS_PARAMS pss;
    static CK_RSA_PKCS_OAEP_PARAMS oaep;
    static CK_RSA_AES_KEY_WRAP_PARAMS rsa_aes;
    static CK_ECDH_AES_KEY_WRAP_PARAMS ecdh_aes;
    static CK_ECDH1_DERIVE_PARAMS ecdh;
    static CK_EDDSA_PARAMS eddsa;
    size_t count;
    const struct mechanism_row *rows = mechanism_rows(&count);
    const struct mechanism_row *row = NULL;
    unsigned from = liar_u8();

    for (unsigned i = 0; i < count && row == NULL; i++) {
        const struct mechanism_row *at = &rows[(from + i) % count];
        const struct rules rules = { POLICY_STANDARD, INTERFACE_P11, 0 };

        row = mechanism_for(rules, at->type, function) != NULL ? at : NULL;
    }
    HOLDS(row != NULL);
    *ret_mechanism = (CK_MECHANISM){ row->type, NULL, 0 };
    switch (row->params) {
    case PARAMS_none:
        break;
    case PARAMS_iv:
        ret_mechanism->pParameter = play.iv;
        ret_mechanism->ulParameterLen = 16;
        break;
    case PARAMS_ctr:
        ctr = (CK_AES_CTR_PARAMS){ .ulCounterBits = 128 };
        ret_mechanism->pParameter = &ctr;
        ret_mechanism->ulParameterLen = sizeof ctr;
        break;
    case PARAMS_gcm:
        memset(play.iv, 0, sizeof play.iv);
        gcm = (CK_GCM_PARAMS){ .pIv = play.iv, .ulIvLen = 12, .ulIvBits = 96, .ulTagBits = 128 };
        ret_mechanism->pParameter = &gcm;
        ret_mechanism->ulParameterLen = sizeof gcm;
        break;
    case PARAMS_pss:
        pss = (CK_RSA_PKCS_PSS_PARAMS){ CKM_SHA256, CKG_MGF1_SHA256, 32 };
        ret_mechanism->pParameter = &pss;
        ret_mechanism->ulParameterLen = sizeof pss;
        break;
    case PARAMS_oaep:
        oaep = (CK_RSA_PKCS_OAEP_PARAMS){ CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, NULL,
                                          0 };
        ret_mechanism->pParameter = &oaep;
        ret_mechanism->ulParameterLen = sizeof oaep;
        break;
    case PARAMS_ecdh_aes:
        ecdh_aes = (CK_ECDH_AES_KEY_WRAP_PARAMS){ 256, CKD_SHA256_KDF, sizeof play.iv, play.iv };
        ret_mechanism->pParameter = &ecdh_aes;
        ret_mechanism->ulParameterLen = sizeof ecdh_aes;
        break;
    case PARAMS_rsa_aes:
        oaep = (CK_RSA_PKCS_OAEP_PARAMS){ CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, NULL,
                                          0 };
        rsa_aes = (CK_RSA_AES_KEY_WRAP_PARAMS){ 256, (liar_u8() & 7) == 0 ? NULL : &oaep };
        ret_mechanism->pParameter = &rsa_aes;
        ret_mechanism->ulParameterLen = sizeof rsa_aes;
        break;
    case PARAMS_ecdh:
        ecdh = (CK_ECDH1_DERIVE_PARAMS){ CKD_NULL, 0, NULL, sizeof play.iv, play.iv };
        ret_mechanism->pParameter = &ecdh;
        ret_mechanism->ulParameterLen = sizeof ecdh;
        break;
    case PARAMS_eddsa:
        eddsa = (CK_EDDSA_PARAMS){ CK_FALSE, 0, NULL };
        if ((liar_u8() & 1) != 0) {
            ret_mechanism->pParameter = &eddsa;
            ret_mechanism->ulParameterLen = sizeof eddsa;
        }
        break;
    default:
        break;
    }
}

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static CK_OBJECT_CLASS class_of_data = CKO_DATA;

/* The node judges templates; here it only matters whether it is a token object. */
static CK_ULONG
some_template(CK_ATTRIBUTE template[2])
{
    template[0] = (CK_ATTRIBUTE){ CKA_CLASS, &class_of_data, sizeof class_of_data };
    template[1] = (CK_ATTRIBUTE){ CKA_TOKEN, (liar_u8() & 1) != 0 ? &yes : &no, sizeof yes };
    return 2;
}

/* ---- calls ---- */

static CK_RV
session_open(void)
{
    CK_FLAGS flags = CKF_SERIAL_SESSION | ((liar_u8() & 1) != 0 ? CKF_RW_SESSION : 0);

    return C_OpenSession(SLOT, flags, NULL, NULL, &play.sessions[liar_u8() % SESSIONS]);
}

static CK_RV
session_close(void)
{
    return liar_u8() < 0xe0 ? C_CloseSession(a_session()) : C_CloseAllSessions(SLOT);
}

static CK_RV
login(void)
{
    static CK_UTF8CHAR pin[] = "cu1:user1234";

    return liar_u8() < 0xc0 ? C_Login(a_session(), CKU_USER, pin, sizeof pin - 1)
                            : C_Logout(a_session());
}

static CK_RV
ask_about(void)
{
    CK_SESSION_INFO session_info;
    CK_MECHANISM_INFO mechanism_info;
    CK_TOKEN_INFO token_info;
    CK_SLOT_INFO slot_info;
    CK_ULONG len = liar_u8();
    CK_ULONG had = len;
    CK_MECHANISM_TYPE *types;
    CK_RV rv;

    switch (liar_u8() % 5) {
    case 0:
        return C_GetSessionInfo(a_session(), &session_info);
    case 1:
        return C_GetTokenInfo(SLOT, &token_info);
    case 2:
        return C_GetSlotInfo(SLOT, &slot_info);
    case 3:
        return C_GetMechanismInfo(SLOT, CKM_AES_GCM, &mechanism_info);
    default:
        types = room(len * sizeof *types);
        rv = C_GetMechanismList(SLOT, types, &len);
        HOLDS(rv != CKR_OK || len <= had);
        return rv;
    }
}

static CK_RV
object_make(void)
{
    CK_ATTRIBUTE template[2], other[2];
    CK_ULONG count = some_template(template), other_count = some_template(other);
    CK_OBJECT_HANDLE made[2] = { 0, 0 };
    CK_MECHANISM mechanism;
    uint8_t b = liar_u8();
    CK_RV rv;

    switch (b >= 0xf0 ? 4 : b >= 0xe0 ? 5 : b % 4) {
    case 5:
        some_mechanism(CKF_UNWRAP, &mechanism);
        rv = C_UnwrapKey(a_session(), &mechanism, an_object(), play.iv, b & 15, template, count,
                         &made[0]);
        break;
    case 4:
        some_mechanism(CKF_DERIVE, &mechanism);
        rv = C_DeriveKey(a_session(), &mechanism, an_object(), template, count, &made[0]);
        break;
    case 0:
        rv = C_CreateObject(a_session(), template, count, &made[0]);
        break;
    case 1:
        rv = C_CopyObject(a_session(), an_object(), template, count, &made[0]);
        break;
    case 2:
        some_mechanism(CKF_GENERATE, &mechanism);
        rv = C_GenerateKey(a_session(), &mechanism, template, count, &made[0]);
        break;
    default:
        some_mechanism(CKF_GENERATE_KEY_PAIR, &mechanism);
        rv = C_GenerateKeyPair(a_session(), &mechanism, template, count, other, other_count,
                               &made[0], &made[1]);
        if (rv == CKR_OK) {
            object_note(made[1]);
        }
        break;
    }
    if (rv == CKR_OK) {
        object_note(made[0]);
    }
    return rv;
}

static CK_RV
object_change(void)
{
    CK_ATTRIBUTE label = { CKA_LABEL, (void *)(uintptr_t)"label", 5 };
    CK_ULONG size;

    switch (liar_u8() % 3) {
    case 0:
        return C_DestroyObject(a_session(), an_object());
    case 1:
        return C_GetObjectSize(a_session(), an_object(), &size);
    default:
        return C_SetAttributeValue(a_session(), an_object(), &label, 1);
    }
}

/* Attributes of all forms, in buffers of all lengths; a template's inner pointers are ours. */
static CK_RV
object_get(void)
{
    static const CK_ATTRIBUTE_TYPE types[] = { CKA_LABEL, CKA_CLASS, CKA_TOKEN, CKA_MODULUS,
                                               CKA_ALLOWED_MECHANISMS, CKA_WRAP_TEMPLATE };
    CK_ATTRIBUTE given[4], asked[4], inner[3];
    CK_ULONG count = liar_u8() % 4 + 1u;
    CK_RV rv;

    for (size_t i = 0; i < count; i++) {
        CK_ATTRIBUTE_TYPE type = types[liar_u8() % ARRAY_COUNT(types)];
        CK_ULONG len = liar_len(32) & 0xfff;

        asked[i] = (CK_ATTRIBUTE){ type, len % 8 == 7 ? NULL : room(len), len };
        if (type == CKA_WRAP_TEMPLATE && asked[i].pValue != NULL) {
            for (size_t k = 0; k < ARRAY_COUNT(inner); k++) {
                CK_ULONG inner_len = liar_u8() & 63;

                inner[k] = (CK_ATTRIBUTE){ CKA_LABEL, (inner_len & 1) != 0 ? NULL : room(inner_len),
                                           inner_len };
            }
            asked[i].pValue = room(sizeof inner);
            asked[i].ulValueLen = sizeof inner;
            memcpy(asked[i].pValue, inner, sizeof inner);
        }
        given[i] = asked[i];
    }
    rv = C_GetAttributeValue(a_session(), an_object(), asked, count);
    for (size_t i = 0; i < count; i++) {
        HOLDS(asked[i].type == given[i].type && asked[i].pValue == given[i].pValue);
        HOLDS(asked[i].ulValueLen == CK_UNAVAILABLE_INFORMATION || given[i].pValue == NULL ||
              asked[i].ulValueLen <= given[i].ulValueLen);
    }
    return rv;
}

static CK_RV
find(void)
{
    CK_SESSION_HANDLE session = a_session();
    CK_OBJECT_HANDLE *found;
    CK_ULONG max = liar_len(4) & 0xfff, count = 0;
    CK_ATTRIBUTE template[2];
    CK_RV rv;

    switch (liar_u8() % 4) {
    case 0:
        return C_FindObjectsInit(session, template, some_template(template));
    case 1:
        return C_FindObjectsFinal(session);
    default:
        found = room(max * sizeof *found);
        rv = C_FindObjects(session, found, max, &count);
        HOLDS(rv != CKR_OK || count <= max);
        for (CK_ULONG i = 0; rv == CKR_OK && i < count && i < OBJECTS; i++) {
            object_note(found[i]);
        }
        return rv;
    }
}

static CK_RV
operation_init(void)
{
    static const CK_FLAGS functions[] = { CKF_ENCRYPT, CKF_DECRYPT, CKF_SIGN, CKF_VERIFY,
                                          CKF_DIGEST, CKF_SIGN_RECOVER, CKF_VERIFY_RECOVER };
    CK_FLAGS function = functions[liar_u8() % ARRAY_COUNT(functions)];
    CK_SESSION_HANDLE session = a_session();
    CK_MECHANISM mechanism;

    some_mechanism(function, &mechanism);
    switch (function) {
    case CKF_ENCRYPT:
        return C_EncryptInit(session, &mechanism, an_object());
    case CKF_DECRYPT:
        return C_DecryptInit(session, &mechanism, an_object());
    case CKF_SIGN:
        return C_SignInit(session, &mechanism, an_object());
    case CKF_VERIFY:
        return C_VerifyInit(session, &mechanism, an_object());
    case CKF_SIGN_RECOVER:
        return C_SignRecoverInit(session, &mechanism, an_object());
    case CKF_VERIFY_RECOVER:
        return C_VerifyRecoverInit(session, &mechanism, an_object());
    default:
        return C_DigestInit(session, &mechanism);
    }
}

/* The last word on the output of a call. */
static CK_RV
output_check(CK_RV rv, CK_ULONG had, CK_ULONG len, const void *out)
{
    HOLDS(rv != CKR_OK || out == NULL || len <= had);
    HOLDS(rv != CKR_BUFFER_TOO_SMALL || len > had);
    return rv;
}

/* Whole messages, parts, and ends, of whatever is active: what does not fit is refused. */
static CK_RV
operation_step(void)
{
    static CK_RV (*const with_both[])(CK_SESSION_HANDLE, CK_BYTE_PTR, CK_ULONG, CK_BYTE_PTR,
                                      CK_ULONG_PTR) = {
        C_Encrypt, C_Decrypt, C_Sign, C_Digest, C_EncryptUpdate, C_DecryptUpdate,
        C_SignRecover, C_VerifyRecover,
    };
    static CK_RV (*const with_input[])(CK_SESSION_HANDLE, CK_BYTE_PTR, CK_ULONG) = {
        C_SignUpdate, C_VerifyUpdate, C_DigestUpdate, C_VerifyFinal,
    };
    static CK_RV (*const with_output[])(CK_SESSION_HANDLE, CK_BYTE_PTR, CK_ULONG_PTR) = {
        C_EncryptFinal, C_DecryptFinal, C_SignFinal, C_DigestFinal,
    };
    CK_SESSION_HANDLE session = a_session();
    uint8_t which = liar_u8();
    CK_ULONG in_len, had = liar_len(256), len = had;
    CK_BYTE *in = some_input(32, &in_len), *out = had % 16 == 15 ? NULL : room(had);

    switch (which % 17) {
    case 6: case 7: case 8: case 9:
        return with_input[which % 17 - 6](session, in, in_len);
    case 10: case 11: case 12: case 13:
        return output_check(with_output[which % 17 - 10](session, out, &len), had, len, out);
    case 14:
        return C_Verify(session, in, in_len, out, out == NULL ? 0 : had);
    case 15: case 16:
        return output_check(with_both[which % 17 - 9](session, in, in_len, out, &len), had, len,
                            out);
    default:
        return output_check(with_both[which % 17](session, in, in_len, out, &len), had, len, out);
    }
}

/* Processes of messages (3.0), and their messages whole and in parts. */
static CK_RV
message_init_step(void)
{
    static const CK_FLAGS functions[] = { CKF_ENCRYPT, CKF_DECRYPT, CKF_SIGN, CKF_VERIFY };
    static CK_RV (*const inits[])(CK_SESSION_HANDLE, CK_MECHANISM_PTR, CK_OBJECT_HANDLE) = {
        C_MessageEncryptInit, C_MessageDecryptInit, C_MessageSignInit, C_MessageVerifyInit,
    };
    static CK_RV (*const finals[])(CK_SESSION_HANDLE) = {
        C_MessageEncryptFinal, C_MessageDecryptFinal, C_MessageSignFinal, C_MessageVerifyFinal,
    };
    uint8_t which = liar_u8();
    CK_MECHANISM mechanism;

    some_mechanism(functions[which & 3], &mechanism);
    if ((which & 4) != 0) {
        mechanism.mechanism = CKM_AES_GCM;
    }
    return which >= 0xc0 ? finals[which & 3](a_session())
                         : inits[which & 3](a_session(), &mechanism, an_object());
}

static CK_RV
message_cipher_step(CK_SESSION_HANDLE session, uint8_t which)
{
    CK_ULONG in_len, had = liar_len(256), len = had;
    CK_GCM_MESSAGE_PARAMS params = { room(12), 12, which & 31, liar_u8() % 6, room(16), 128 };
    CK_BYTE *in = some_input(32, &in_len), *out = had % 16 == 15 ? NULL : room(had);
    CK_FLAGS flags = (which & 0x80) != 0 ? CKF_END_OF_MESSAGE : 0;

    switch (which % 6) {
    case 0:
        return C_EncryptMessageBegin(session, &params, sizeof params, play.iv, 8);
    case 1:
        return C_DecryptMessageBegin(session, &params, sizeof params, play.iv, 8);
    case 2:
        return output_check(C_EncryptMessageNext(session, &params, sizeof params, in, in_len, out,
                                                 &len, flags),
                            had, len, out);
    case 3:
        return output_check(C_DecryptMessageNext(session, &params, sizeof params, in, in_len, out,
                                                 &len, flags),
                            had, len, out);
    case 4:
        return output_check(C_EncryptMessage(session, &params, sizeof params, NULL, 0, in, in_len,
                                             out, &len),
                            had, len, out);
    default:
        return output_check(C_DecryptMessage(session, &params, sizeof params, NULL, 0, in, in_len,
                                             out, &len),
                            had, len, out);
    }
}

static CK_RV
message_sign_step(CK_SESSION_HANDLE session, uint8_t which)
{
    CK_ULONG in_len, had = liar_len(256), len = had;
    CK_BYTE *in = some_input(32, &in_len), *out = had % 16 == 15 ? NULL : room(had);

    switch (which % 7) {
    case 0:
        return C_SignMessageBegin(session, NULL, 0);
    case 1:
        return C_VerifyMessageBegin(session, NULL, 0);
    case 2:
        return C_SignMessageNext(session, NULL, 0, in, in_len, NULL, NULL);
    case 3:
        return output_check(C_SignMessageNext(session, NULL, 0, in, in_len, out, &len), had, len,
                            out);
    case 4:
        return output_check(C_SignMessage(session, NULL, 0, in, in_len, out, &len), had, len, out);
    case 5:
        return C_VerifyMessageNext(session, NULL, 0, in, in_len, out, out == NULL ? 0 : had);
    default:
        return C_VerifyMessage(session, NULL, 0, in, in_len, out, out == NULL ? 0 : had);
    }
}

static CK_RV
message_step(void)
{
    CK_SESSION_HANDLE session = a_session();
    uint8_t which = liar_u8();

    return (which & 0x40) != 0 ? message_sign_step(session, which)
                               : message_cipher_step(session, which);
}

static CK_RV
random_step(void)
{
    CK_ULONG len;
    CK_BYTE *bytes = some_input(32, &len);

    uint8_t b = liar_u8();

    if ((b & 6) == 6) {
        return C_SetOperationState(a_session(), bytes, len, 0, 0);
    }
    return (b & 1) != 0 ? C_GenerateRandom(a_session(), bytes, len)
                        : C_SeedRandom(a_session(), bytes, len);
}

static CK_RV
cancel(void)
{
    return C_SessionCancel(a_session(), liar_u32());
}

static CK_RV
again(void)
{
    CK_RV rv = C_Finalize(NULL);

    HOLDS((rv == CKR_OK || rv == CKR_CRYPTOKI_NOT_INITIALIZED) && liar_open() == 0);
    rv = C_Initialize(NULL);
    HOLDS(rv == CKR_OK || liar_open() == 0);
    return rv;
}

static void
step(void)
{
    static CK_RV (*const calls[])(void) = {
        operation_init, operation_step, operation_step, operation_step, find,   find, object_make,
        object_get,     object_get,     object_change,  random_step,    cancel, login, session_open,
        session_close,  ask_about,      message_init_step, message_step, message_step,
    };
    unsigned trips = liar_trips();
    uint8_t b = liar_u8();
    CK_RV rv = b == 0xff ? again() : calls[b % ARRAY_COUNT(calls)]();

    HOLDS(strncmp(return_name(rv), "CKR_0x", 6) != 0);
    HOLDS(liar_trips() - trips <= TRIPS_MAX);
    rooms_free();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static CK_UTF8CHAR pin[] = "cu1:user1234";
    struct reader input = reader_of(view_of(data, size));

    memset(&play, 0, sizeof play);
    liar_begin(&input);
    if (C_Initialize(NULL) == CKR_OK) {
        for (unsigned i = 0; i < SESSIONS; i++) {
            HOLDS(C_OpenSession(SLOT, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL,
                                &play.sessions[i]) == CKR_OK);
        }
        (void)C_Login(play.sessions[0], CKU_USER, pin, sizeof pin - 1);
        for (unsigned i = 0; i < STEPS_MAX && input.left > 0; i++) {
            step();
        }
    }
    (void)C_Finalize(NULL);
    liar_end();
    return 0;
}
