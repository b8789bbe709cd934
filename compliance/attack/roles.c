/* SPDX-License-Identifier: Apache-2.0
 *
 * Attacks by roles of keys, attributes, handles and logins.
 */
#include "attack/attack.h"

#include <string.h>

#define END UINT64_C(0)

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

static const CK_MECHANISM_TYPE wraps[] = { CKM_AES_CBC_PAD, CKM_AES_GCM };

/* Wraps the target with one key and decrypts it with another. */
static enum ending
wrap_and_decrypt(struct attack *a, CK_OBJECT_HANDLE wrapper, CK_OBJECT_HANDLE opener)
{
    CK_OBJECT_HANDLE target = attack_target(a);
    enum ending ending = ENDING_UNTRIED;
    uint8_t blob[2048], plain[2048];
    size_t len, plain_len;

    if (target == CK_INVALID_HANDLE) {
        return ENDING_UNTRIED;
    }
    for (size_t i = 0; i < COUNT(wraps) && ending != ENDING_SUCCEEDED; i++) {
        if (attack_wrap(a, wraps[i], wrapper, target, blob, &len) != CKR_OK) {
            continue;
        }
        ending = attack_crypt(a, FN_C_DecryptInit, wraps[i], opener, blob, len, plain,
                               &plain_len) == CKR_OK &&
                          attack_is_target(plain, plain_len)
                      ? ENDING_SUCCEEDED
                      : ENDING_STOPPED;
    }
    return ending;
}

/* A module that refuses such a key, or to wrap, has stopped the attack. */
static enum ending
stopped(enum ending ending)
{
    return ending == ENDING_UNTRIED ? ENDING_STOPPED : ending;
}

static SCENE(both_roles)
{
    CK_OBJECT_HANDLE w = attack_key(attack, KEY_AES32, HALF_PRIVATE, CKA_WRAP, CKA_DECRYPT, END);

    return w == CK_INVALID_HANDLE ? ENDING_STOPPED : stopped(wrap_and_decrypt(attack, w, w));
}

static SCENE(trojan)
{
    static const uint8_t known[16] = "a key of Mallory";
    CK_OBJECT_HANDLE w, trojan, target = attack_target(attack);
    uint8_t blob[2048], plain[2048], want[2048];
    size_t len, want_len;

    w = attack_key(attack, KEY_AES32, HALF_PRIVATE, CKA_ENCRYPT, CKA_UNWRAP, END);
    if (w == CK_INVALID_HANDLE) {
        return ENDING_STOPPED;
    }
    for (size_t i = 0; i < COUNT(wraps); i++) {
        if (attack_crypt(attack, FN_C_EncryptInit, wraps[i], w, known, sizeof known, blob, &len) ==
                CKR_OK &&
            attack_unwrap(attack, wraps[i], w, blob, len, CKK_AES, &trojan, CKA_WRAP, CKA_ENCRYPT,
                          END) == CKR_OK &&
            attack_wrap(attack, CKM_AES_GCM, trojan, target, blob, &len) == CKR_OK &&
            ref_secret(KEY_AES16, plain, &want_len) &&
            ref_seal_key(known, 16, ref_iv, 12, NULL, 0, plain, want_len, want, want + want_len) &&
            len >= want_len && memcmp(want, blob, want_len) == 0) {
            return ENDING_SUCCEEDED;
        }
    }
    return ENDING_STOPPED;
}

static SCENE(unwrapped_twice)
{
    CK_OBJECT_HANDLE top = attack_key(attack, KEY_AES32, HALF_PRIVATE, CKA_WRAP, CKA_UNWRAP, END);
    CK_OBJECT_HANDLE inner = attack_key(attack, KEY_AES24, HALF_PRIVATE, CKA_WRAP, CKA_SENSITIVE,
                                        CKA_EXTRACTABLE, END);
    CK_OBJECT_HANDLE wrapper, opener;
    uint8_t blob[2048];
    size_t len;

    if (top == CK_INVALID_HANDLE || inner == CK_INVALID_HANDLE ||
        attack_wrap(attack, CKM_AES_KEY_WRAP, top, inner, blob, &len) != CKR_OK) {
        return ENDING_UNTRIED;
    }
    if (attack_unwrap(attack, CKM_AES_KEY_WRAP, top, blob, len, CKK_AES, &wrapper, CKA_WRAP,
                      CKA_DECRYPT | OFF, END) != CKR_OK ||
        attack_unwrap(attack, CKM_AES_KEY_WRAP, top, blob, len, CKK_AES, &opener, CKA_WRAP | OFF,
                      CKA_DECRYPT, END) != CKR_OK) {
        return ENDING_STOPPED;
    }
    return stopped(wrap_and_decrypt(attack, wrapper, opener));
}

static SCENE(roles_in_turn)
{
    CK_OBJECT_HANDLE w = attack_key(attack, KEY_AES32, HALF_PRIVATE, CKA_WRAP, END);
    CK_OBJECT_HANDLE target = attack_target(attack);
    CK_ATTRIBUTE off = { CKA_WRAP, &no, 1 }, on = { CKA_DECRYPT, &yes, 1 };
    uint8_t blob[2048], plain[2048];
    size_t len, plain_len;

    if (w == CK_INVALID_HANDLE ||
        attack_wrap(attack, CKM_AES_CBC_PAD, w, target, blob, &len) != CKR_OK) {
        return ENDING_UNTRIED;
    }
    (void)call_set(attack->module, attack->session, w, &off, 1);
    return call_set(attack->module, attack->session, w, &on, 1) == CKR_OK &&
                   attack_crypt(attack, FN_C_DecryptInit, CKM_AES_CBC_PAD, w, blob, len, plain,
                                &plain_len) == CKR_OK &&
                   attack_is_target(plain, plain_len)
               ? ENDING_SUCCEEDED
               : ENDING_STOPPED;
}

/* A copy is as sensitive as its original, and as little to be extracted. */
static SCENE(weaker_copy)
{
    CK_OBJECT_HANDLE sensitive = attack_target(attack), copy = CK_INVALID_HANDLE;
    CK_OBJECT_HANDLE kept = attack_key(attack, KEY_AES16, HALF_PRIVATE, CKA_SENSITIVE | OFF,
                                       CKA_EXTRACTABLE | OFF, END);
    CK_ATTRIBUTE open[] = { { CKA_SENSITIVE, &no, 1 }, { CKA_EXTRACTABLE, &yes, 1 } };
    bool leaks = false;

    if (call_copy(attack->module, attack->session, sensitive, &open[0], 1, &copy) == CKR_OK) {
        leaks = attack_reads(attack, copy);
        (void)call_destroy(attack->module, attack->session, copy);
    }
    if (kept != CK_INVALID_HANDLE &&
        call_copy(attack->module, attack->session, kept, &open[1], 1, &copy) == CKR_OK) {
        leaks |= attack_reads(attack, copy);
        (void)call_destroy(attack->module, attack->session, copy);
    }
    return leaks ? ENDING_SUCCEEDED : ENDING_STOPPED;
}

static SCENE(read_secret)
{
    static const CK_ATTRIBUTE_TYPE parts[] = { CKA_PRIVATE_EXPONENT, CKA_PRIME_1, CKA_PRIME_2,
                                               CKA_EXPONENT_1, CKA_EXPONENT_2, CKA_COEFFICIENT };
    CK_OBJECT_HANDLE rsa = attack_key(attack, KEY_RSA2048, HALF_PRIVATE, CKA_SENSITIVE, END);
    CK_OBJECT_HANDLE ec = attack_key(attack, KEY_EC256, HALF_PRIVATE, CKA_SENSITIVE, END);
    bool leaks = attack_reads(attack, attack_target(attack)) ||
                 (ec != CK_INVALID_HANDLE && attack_reads(attack, ec));

    for (size_t i = 0; i < COUNT(parts) && rsa != CK_INVALID_HANDLE; i++) {
        uint8_t value[512];
        CK_ULONG len = sizeof value;

        leaks |= call_get(attack->module, attack->session, rsa, parts[i], value, &len) == CKR_OK;
    }
    return leaks ? ENDING_SUCCEEDED : ENDING_STOPPED;
}

static SCENE(own_public_key)
{
    CK_OBJECT_HANDLE w = attack_key(attack, KEY_RSA2048, HALF_PUBLIC, CKA_WRAP, END);
    uint8_t blob[2048], plain[REF_MOST];
    size_t len, plain_len;

    if (w == CK_INVALID_HANDLE) {
        return ENDING_STOPPED;
    }
    return attack_wrap(attack, CKM_RSA_PKCS_OAEP, w, attack_target(attack), blob, &len) == CKR_OK &&
                   ref_unseal(true, blob, len, plain, &plain_len) &&
                   attack_is_target(plain, plain_len)
               ? ENDING_SUCCEEDED
               : ENDING_STOPPED;
}

static SCENE(untrusted)
{
    CK_OBJECT_HANDLE w = attack_key(attack, KEY_AES32, HALF_PRIVATE, CKA_WRAP, END), trusted;
    CK_OBJECT_HANDLE target = attack_key(attack, KEY_AES16, HALF_PRIVATE, CKA_EXTRACTABLE,
                                         CKA_WRAP_WITH_TRUSTED, END);
    CK_ATTRIBUTE trust = { CKA_TRUSTED, &yes, 1 }, free = { CKA_WRAP_WITH_TRUSTED, &no, 1 };
    uint8_t blob[2048];
    size_t len;

    if (w == CK_INVALID_HANDLE || target == CK_INVALID_HANDLE) {
        return ENDING_UNTRIED;
    }
    if (attack_wrap(attack, CKM_AES_KEY_WRAP, w, target, blob, &len) == CKR_OK) {
        return ENDING_SUCCEEDED;
    }
    trusted = attack_key(attack, KEY_AES32, HALF_PRIVATE, CKA_WRAP, CKA_TRUSTED, END);
    if (trusted != CK_INVALID_HANDLE &&
        attack_wrap(attack, CKM_AES_KEY_WRAP, trusted, target, blob, &len) == CKR_OK) {
        return ENDING_SUCCEEDED;
    }
    if (call_set(attack->module, attack->session, w, &trust, 1) == CKR_OK &&
        attack_wrap(attack, CKM_AES_KEY_WRAP, w, target, blob, &len) == CKR_OK) {
        return ENDING_SUCCEEDED;
    }
    return call_set(attack->module, attack->session, target, &free, 1) == CKR_OK &&
                   attack_wrap(attack, CKM_AES_KEY_WRAP, w, target, blob, &len) == CKR_OK
               ? ENDING_SUCCEEDED
               : ENDING_STOPPED;
}

static SCENE(weaker_wrapper)
{
    CK_OBJECT_HANDLE w = attack_key(attack, KEY_AES16, HALF_PRIVATE, CKA_WRAP, END);
    CK_OBJECT_HANDLE strong = attack_key(attack, KEY_AES32, HALF_PRIVATE, CKA_EXTRACTABLE, END);
    uint8_t blob[2048];
    size_t len;

    if (w == CK_INVALID_HANDLE || strong == CK_INVALID_HANDLE) {
        return ENDING_UNTRIED;
    }
    return attack_wrap(attack, CKM_AES_KEY_WRAP, w, strong, blob, &len) == CKR_OK
               ? ENDING_SUCCEEDED
               : ENDING_STOPPED;
}

/* Half a wrapped key: what is left to be searched is half a key, too. */
static SCENE(half_a_key)
{
    static const CK_MECHANISM_TYPE blocks[] = { CKM_AES_ECB, CKM_AES_CBC };
    CK_OBJECT_HANDLE w = attack_key(attack, KEY_AES32, HALF_PRIVATE, CKA_WRAP, CKA_UNWRAP, END);
    CK_OBJECT_HANDLE target = attack_key(attack, KEY_AES32, HALF_PRIVATE, CKA_EXTRACTABLE, END);
    CK_OBJECT_HANDLE half;
    uint8_t blob[2048];
    size_t len;

    for (size_t i = 0; i < COUNT(blocks); i++) {
        if (attack_wrap(attack, blocks[i], w, target, blob, &len) == CKR_OK && len == 32 &&
            attack_unwrap(attack, blocks[i], w, blob, 16, CKK_AES, &half, CKA_ENCRYPT, END) ==
                CKR_OK) {
            return ENDING_SUCCEEDED;
        }
    }
    return ENDING_STOPPED;
}

static SCENE(other_type)
{
    CK_OBJECT_HANDLE w = attack_key(attack, KEY_AES32, HALF_PRIVATE, CKA_WRAP, CKA_UNWRAP, END);
    CK_OBJECT_HANDLE other;
    uint8_t blob[2048];
    size_t len;

    if (attack_wrap(attack, CKM_AES_KEY_WRAP, w, attack_target(attack), blob, &len) != CKR_OK) {
        return ENDING_UNTRIED;
    }
    return attack_unwrap(attack, CKM_AES_KEY_WRAP, w, blob, len, CKK_GENERIC_SECRET, &other,
                         CKA_SIGN, END) == CKR_OK
               ? ENDING_SUCCEEDED
               : ENDING_STOPPED;
}

/* Mechanisms that give the bytes of a key back in another one. */
static SCENE(readable_child)
{
    CK_OBJECT_HANDLE base = attack_key(attack, KEY_GEN64, HALF_PRIVATE, CKA_DERIVE, CKA_SENSITIVE,
                                       CKA_EXTRACTABLE | OFF, END);
    CK_ULONG bit = 0, value_len = 16;
    uint8_t text[16] = { 0 };
    CK_KEY_DERIVATION_STRING_DATA data = { text, sizeof text };
    CK_MECHANISM mechs[] = {
        { CKM_EXTRACT_KEY_FROM_KEY, &bit, sizeof bit },
        { CKM_XOR_BASE_AND_DATA, &data, sizeof data },
        { CKM_CONCATENATE_BASE_AND_DATA, &data, sizeof data },
        { CKM_CONCATENATE_DATA_AND_BASE, &data, sizeof data },
    };
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_GENERIC_SECRET;
    CK_ATTRIBUTE attrs[] = {
        { CKA_CLASS, &class, sizeof class },
        { CKA_KEY_TYPE, &type, sizeof type },
        { CKA_TOKEN, &no, 1 },
        { CKA_SENSITIVE, &no, 1 },
        { CKA_EXTRACTABLE, &yes, 1 },
        { CKA_VALUE_LEN, &value_len, sizeof value_len },
    };
    enum ending ending = ENDING_UNTRIED;

    if (base == CK_INVALID_HANDLE) {
        return ENDING_UNTRIED;
    }
    for (size_t i = 0; i < COUNT(mechs); i++) {
        CK_OBJECT_HANDLE child = CK_INVALID_HANDLE;
        CK_RV rv = call_derive(attack->module, attack->session, &mechs[i], base, attrs,
                               COUNT(attrs), &child);

        ending = rv != CKR_MECHANISM_INVALID && ending == ENDING_UNTRIED ? ENDING_STOPPED
                                                                            : ending;
        if (rv == CKR_OK) {
            ending = attack_reads(attack, child) ? ENDING_SUCCEEDED : ending;
            (void)call_destroy(attack->module, attack->session, child);
        }
    }
    return ending;
}

static SCENE(conjuring)
{
    static const CK_MECHANISM_TYPE ways[] = { CKM_AES_ECB, CKM_AES_CBC, CKM_AES_CBC_PAD,
                                              CKM_AES_KEY_WRAP, CKM_AES_GCM };
    CK_OBJECT_HANDLE w = attack_key(attack, KEY_AES32, HALF_PRIVATE, CKA_UNWRAP, END), key;
    uint8_t blob[32];

    if (w == CK_INVALID_HANDLE) {
        return ENDING_UNTRIED;
    }
    for (size_t i = 0; i < COUNT(ways); i++) {
        for (unsigned tries = 0; tries < 8; tries++) {
            for (size_t k = 0; k < sizeof blob; k++) {
                blob[k] = (uint8_t)(ref_byte(k) + tries * 37);
            }
            if (attack_unwrap(attack, ways[i], w, blob, sizeof blob, CKK_AES, &key, CKA_ENCRYPT,
                              END) == CKR_OK) {
                return ENDING_SUCCEEDED;
            }
        }
    }
    return ENDING_STOPPED;
}

/* A private key that signs without padding decrypts what its public half wrapped. */
static SCENE(sign_to_decrypt)
{
    CK_OBJECT_HANDLE w = attack_key(attack, KEY_RSA2048, HALF_PUBLIC, CKA_WRAP, END);
    CK_OBJECT_HANDLE signer = attack_key(attack, KEY_RSA2048, HALF_PRIVATE, CKA_SIGN, CKA_UNWRAP,
                                         CKA_DECRYPT | OFF, END);
    uint8_t blob[2048], plain[2048];
    size_t len, plain_len;

    if (w == CK_INVALID_HANDLE || signer == CK_INVALID_HANDLE ||
        attack_wrap(attack, CKM_RSA_PKCS, w, attack_target(attack), blob, &len) != CKR_OK) {
        return ENDING_STOPPED;
    }
    return attack_crypt(attack, FN_C_SignInit, CKM_RSA_X_509, signer, blob, len, plain,
                        &plain_len) == CKR_OK &&
                   plain_len > 16 && attack_is_target(plain + plain_len - 16, 16)
               ? ENDING_SUCCEEDED
               : ENDING_STOPPED;
}

static SCENE(signs_and_wraps)
{
    return attack_key(attack, KEY_AES32, HALF_PRIVATE, CKA_SIGN, CKA_WRAP, END) !=
                   CK_INVALID_HANDLE
               ? ENDING_SUCCEEDED
               : ENDING_STOPPED;
}

/* All secrets of one byte have 256 digests. */
static SCENE(short_secret)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_GENERIC_SECRET;
    uint8_t value = 0x5e;
    CK_ATTRIBUTE attrs[] = {
        { CKA_CLASS, &class, sizeof class },   { CKA_KEY_TYPE, &type, sizeof type },
        { CKA_TOKEN, &no, 1 },                 { CKA_SENSITIVE, &yes, 1 },
        { CKA_EXTRACTABLE, &no, 1 },           { CKA_VALUE, &value, 1 },
    };
    CK_OBJECT_HANDLE key = attack_make(attack, attrs, COUNT(attrs));
    CK_MECHANISM mech = { CKM_SHA256, NULL, 0 };
    struct bag bag = { .session = attack->session, .mech = &mech };

    if (key == CK_INVALID_HANDLE || attack->module->list.C_DigestKey == NULL) {
        return ENDING_STOPPED;
    }
    if (call(attack->module, FN_C_DigestInit, &bag) != CKR_OK) {
        return ENDING_UNTRIED;
    }
    attack->runner->dirty = true;       /* a digest is under way */
    return call_digest_key(attack->module, attack->session, key) == CKR_OK ? ENDING_SUCCEEDED
                                                                           : ENDING_STOPPED;
}

static bool
contains(const uint8_t *bytes, size_t len, const uint8_t *part, size_t part_len)
{
    for (size_t i = 0; i + part_len <= len; i++) {
        if (memcmp(bytes + i, part, part_len) == 0) {
            return true;
        }
    }
    return false;
}

static SCENE(saved_state)
{
    CK_OBJECT_HANDLE key = attack_key(attack, KEY_AES16, HALF_PRIVATE, CKA_ENCRYPT, CKA_SENSITIVE,
                                      END);
    CK_MECHANISM mech = { CKM_AES_ECB, NULL, 0 };
    struct bag bag = { .session = attack->session, .mech = &mech, .key = key };
    static uint8_t state[65536];
    uint8_t value[64];
    size_t value_len;
    CK_ULONG len = sizeof state;

    if (key == CK_INVALID_HANDLE || attack->module->list.C_GetOperationState == NULL ||
        call(attack->module, FN_C_EncryptInit, &bag) != CKR_OK ||
        !ref_secret(KEY_AES16, value, &value_len)) {
        return ENDING_UNTRIED;
    }
    attack->runner->dirty = true;
    return call_save(attack->module, attack->session, state, &len) == CKR_OK &&
                   len <= sizeof state && contains(state, len, value, value_len)
               ? ENDING_SUCCEEDED
               : ENDING_STOPPED;
}

static SCENE(gone_key)
{
    CK_OBJECT_HANDLE key = attack_target(attack);
    CK_OBJECT_HANDLE private = attack_key(attack, KEY_AES16, HALF_PRIVATE, CKA_ENCRYPT, CKA_PRIVATE,
                                          END);
    static const uint8_t block[16];
    struct bag bag = { .session = attack->session };
    uint8_t out[2048];
    size_t len;
    bool used = false;

    (void)call_destroy(attack->module, attack->session, key);
    attack->made_count = 0;
    used = attack_crypt(attack, FN_C_EncryptInit, CKM_AES_ECB, key, block, 16, out, &len) == CKR_OK;
    if (private != CK_INVALID_HANDLE && call(attack->module, FN_C_Logout, &bag) == CKR_OK) {
        used |= attack_crypt(attack, FN_C_EncryptInit, CKM_AES_ECB, private, block, 16, out,
                             &len) == CKR_OK;
    }
    attack->runner->dirty = true;
    return used ? ENDING_SUCCEEDED : ENDING_STOPPED;
}

static SCENE(handle_again)
{
    CK_OBJECT_HANDLE first = attack_target(attack), second;

    (void)call_destroy(attack->module, attack->session, first);
    attack->made_count = 0;
    second = attack_key(attack, KEY_AES32, HALF_PRIVATE, CKA_ENCRYPT, END);
    return first != CK_INVALID_HANDLE && first == second ? ENDING_SUCCEEDED : ENDING_STOPPED;
}

/* An empty PIN, and the beginning of the right one. A right login follows. */
static SCENE(other_pins)
{
    struct fixture *f = &attack->runner->fixture;
    size_t right = strlen(f->pin);
    struct bag bag = { .session = attack->session, .user = CKU_USER };
    bool taken = false;

    attack->made_count = 0;
    attack->runner->dirty = true;
    if (call(attack->module, FN_C_Logout, &bag) != CKR_OK) {
        return ENDING_UNTRIED;
    }
    for (size_t i = 0; i < 2; i++) {
        bag.pin = (CK_BYTE *)(uintptr_t)f->pin;
        bag.pin_len = i == 0 ? 0 : right - 1;
        taken |= call(attack->module, FN_C_Login, &bag) == CKR_OK;
    }
    bag.pin_len = right;
    (void)call(attack->module, FN_C_Login, &bag);
    return taken ? ENDING_SUCCEEDED : ENDING_STOPPED;
}

const scene attack_scenes[34] = {
    [1] = both_roles,           [2] = trojan,
    [3] = unwrapped_twice,      [4] = roles_in_turn,
    [5] = weaker_copy,          [6] = read_secret,
    [7] = own_public_key,       [8] = untrusted,
    [9] = weaker_wrapper,       [10] = half_a_key,
    [11] = other_type,          [12] = readable_child,
    [13] = conjuring,           [14] = attack_rsa_padding,
    [15] = attack_cbc_padding,  [16] = attack_oaep_padding,
    [17] = sign_to_decrypt,     [18] = signs_and_wraps,
    [19] = short_secret,        [20] = saved_state,
    [21] = gone_key,            [22] = handle_again,
    [23] = other_pins,          [24] = attack_points,
    [25] = attack_rsa_import,   [26] = attack_numbers,
    [27] = attack_gcm,          [28] = attack_nonces,
    [30] = attack_random,       [31] = attack_moduli,
};
