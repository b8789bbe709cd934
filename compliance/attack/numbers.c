/* SPDX-License-Identifier: Apache-2.0
 *
 * Attacks by numbers: points, primes, nonces, paddings, random bytes.
 */
#include "attack/attack.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define END UINT64_C(0)

static CK_BBOOL no = CK_FALSE;

/* ---- points ---- */

static bool
agrees(struct attack *a, CK_OBJECT_HANDLE base, const uint8_t *point, size_t len)
{
    CK_ECDH1_DERIVE_PARAMS ecdh = { CKD_NULL, 0, NULL, len, (CK_BYTE *)(uintptr_t)point };
    CK_MECHANISM mech = { CKM_ECDH1_DERIVE, &ecdh, sizeof ecdh };
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_GENERIC_SECRET;
    CK_ULONG value_len = 16;
    CK_ATTRIBUTE attrs[] = {
        { CKA_CLASS, &class, sizeof class },
        { CKA_KEY_TYPE, &type, sizeof type },
        { CKA_TOKEN, &no, 1 },
        { CKA_VALUE_LEN, &value_len, sizeof value_len },
    };
    CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;

    if (call_derive(a->module, a->session, &mech, base, attrs, COUNT(attrs), &key) != CKR_OK) {
        return false;
    }
    (void)call_destroy(a->module, a->session, key);
    return true;
}

SCENE(attack_points)
{
    CK_OBJECT_HANDLE base = attack_key(attack, KEY_EC256, HALF_PRIVATE, CKA_DERIVE, END);
    uint8_t point[65] = { 4 };
    struct ref_key ref, other;
    bool taken;

    if (base == CK_INVALID_HANDLE || !ref_key(KEY_EC256, &ref) || !ref_key(KEY_EC384, &other) ||
        !agrees(attack, base, ref.part[0], ref.part_len[0])) {
        return ENDING_UNTRIED;
    }
    taken = agrees(attack, base, (const uint8_t[]){ 0 }, 1) || agrees(attack, base, point, 65) ||
            agrees(attack, base, other.part[0], other.part_len[0]);
    memset(point + 1, 0xff, 64);        /* x and y beyond the field */
    taken = taken || agrees(attack, base, point, 65);
    memcpy(point, ref.part[0], 65);
    point[64] ^= 1;                     /* beside the curve */
    return taken || agrees(attack, base, point, 65) ? ENDING_SUCCEEDED : ENDING_STOPPED;
}

/* ---- imports ---- */

SCENE(attack_rsa_import)
{
    struct template t;
    CK_OBJECT_HANDLE key;
    uint8_t one = 1, even = 4, sig[2048];
    size_t len;
    const struct work work = { &mechanisms[MECH_RSA_PKCS], &keys[KEY_RSA2048], KIND_SIG };

    if (!template_key(&t, KEY_RSA2048, HALF_PRIVATE, true)) {
        return ENDING_UNTRIED;
    }
    attack_put(&t, CKA_PUBLIC_EXPONENT, &one, 1);
    if (attack_make(attack, t.attr, t.count) != CK_INVALID_HANDLE) {
        return ENDING_SUCCEEDED;
    }
    attack_put(&t, CKA_PUBLIC_EXPONENT, &even, 1);
    if (attack_make(attack, t.attr, t.count) != CK_INVALID_HANDLE) {
        return ENDING_SUCCEEDED;
    }
    /* p twice. */
    (void)template_key(&t, KEY_RSA2048, HALF_PRIVATE, true);
    attack_put(&t, CKA_PRIME_2, t.ref.part[3], t.ref.part_len[3]);
    if (attack_make(attack, t.attr, t.count) != CK_INVALID_HANDLE) {
        return ENDING_SUCCEEDED;
    }
    /* A wrong d mod (p - 1): one signature that is wrong modulo p alone gives q away. */
    (void)template_key(&t, KEY_RSA2048, HALF_PRIVATE, true);
    t.ref.part[5][t.ref.part_len[5] - 1] ^= 2;
    key = attack_make(attack, t.attr, t.count);
    return key != CK_INVALID_HANDLE &&
                   attack_crypt(attack, FN_C_SignInit, CKM_RSA_PKCS, key,
                                (const uint8_t *)"what is signed", 14, sig, &len) == CKR_OK &&
                   !ref_check(&work, (const uint8_t *)"what is signed", 14, sig, len)
               ? ENDING_SUCCEEDED
               : ENDING_STOPPED;
}

SCENE(attack_numbers)
{
    static const uint8_t order[32] = { 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00,
                                       0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                       0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84,
                                       0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51 };
    static const uint8_t zero[32];
    struct template t;
    bool taken = false;

    if (!template_key(&t, KEY_EC256, HALF_PRIVATE, true)) {
        return ENDING_UNTRIED;
    }
    attack_put(&t, CKA_VALUE, zero, sizeof zero);
    taken |= attack_make(attack, t.attr, t.count) != CK_INVALID_HANDLE;
    attack_put(&t, CKA_VALUE, order, sizeof order);
    taken |= attack_make(attack, t.attr, t.count) != CK_INVALID_HANDLE;
    (void)template_key(&t, KEY_EC256, HALF_PUBLIC, true);
    t.ref.part[1][t.ref.part_len[0] + 1] ^= 1;
    taken |= attack_make(attack, t.attr, t.count) != CK_INVALID_HANDLE;
    (void)template_key(&t, KEY_AES16, HALF_PRIVATE, true);
    attack_put(&t, CKA_VALUE, t.ref.value, 15);
    taken |= attack_make(attack, t.attr, t.count) != CK_INVALID_HANDLE;
    return taken ? ENDING_SUCCEEDED : ENDING_STOPPED;
}

/* ---- ciphers ---- */

SCENE(attack_gcm)
{
    CK_OBJECT_HANDLE key = attack_key(attack, KEY_AES32, HALF_PRIVATE, CKA_ENCRYPT, END);
    static const uint8_t zero[32];
    uint8_t first[2048], second[2048];
    size_t len, again;

    if (key == CK_INVALID_HANDLE || attack_crypt(attack, FN_C_EncryptInit, CKM_AES_GCM, key, zero,
                                                 32, first, &len) != CKR_OK) {
        return ENDING_UNTRIED;
    }
    return attack_crypt(attack, FN_C_EncryptInit, CKM_AES_GCM, key, zero, 32, second, &again) ==
                       CKR_OK &&
                   memcmp(first, second, 32) == 0
               ? ENDING_SUCCEEDED
               : ENDING_STOPPED;
}

/* Whether C_Decrypt answers two ciphertexts differently. */
static enum ending
tells_apart(struct attack *a, CK_MECHANISM_TYPE mech, CK_OBJECT_HANDLE key, const uint8_t *one,
            const uint8_t *two, size_t len)
{
    uint8_t out[2048];
    size_t out_len;
    CK_RV first = attack_crypt(a, FN_C_DecryptInit, mech, key, one, len, out, &out_len);
    CK_RV second = attack_crypt(a, FN_C_DecryptInit, mech, key, two, len, out, &out_len);

    a->runner->dirty = true;
    if (first == CKR_MECHANISM_INVALID || first == CKR_OPERATION_ACTIVE) {
        return ENDING_STOPPED;
    }
    return first != second ? ENDING_SUCCEEDED : ENDING_STOPPED;
}

/* 256 bytes that RSA turns into a block with a first byte, a second one, and bytes behind. */
static bool
seal_block(uint8_t first, uint8_t second, uint8_t rest, uint8_t ret_out[256])
{
    struct work raw = { &mechanisms[MECH_RSA_X_509], &keys[KEY_RSA2048], KIND_ENC };
    uint8_t block[256];
    size_t len;

    memset(block, rest, sizeof block);
    block[0] = first;
    block[1] = second;
    return ref_make(&raw, block, sizeof block, ret_out, &len) && len == 256;
}

SCENE(attack_rsa_padding)
{
    CK_OBJECT_HANDLE key = attack_key(attack, KEY_RSA2048, HALF_PRIVATE, CKA_DECRYPT, END);
    uint8_t good[REF_MOST], bad[256];
    size_t len;

    if (key == CK_INVALID_HANDLE ||
        !ref_seal(false, (const uint8_t *)"sixteen bytes..", 16, good, &len) ||
        !seal_block(0, 1, 7, bad)) {
        return ENDING_UNTRIED;
    }
    return tells_apart(attack, CKM_RSA_PKCS, key, good, bad, 256);
}

SCENE(attack_cbc_padding)
{
    CK_OBJECT_HANDLE key = attack_key(attack, KEY_AES32, HALF_PRIVATE, CKA_DECRYPT, END);
    uint8_t good[REF_MOST], bad[REF_MOST];
    size_t len;

    if (key == CK_INVALID_HANDLE ||
        !ref_wrap("AES-256-CBC", (const uint8_t *)"sixteen bytes...", 16, good, &len)) {
        return ENDING_UNTRIED;
    }
    memcpy(bad, good, len);
    bad[15] ^= 0x40;
    return tells_apart(attack, CKM_AES_CBC_PAD, key, good, bad, len);
}

/* Manger: a first byte that is not 0, and a block that is wrong elsewhere. */
SCENE(attack_oaep_padding)
{
    CK_OBJECT_HANDLE key = attack_key(attack, KEY_RSA2048, HALF_PRIVATE, CKA_DECRYPT, END);
    uint8_t one[256], two[256];

    if (key == CK_INVALID_HANDLE || !seal_block(0x21, 1, 7, one) || !seal_block(0, 1, 7, two)) {
        return ENDING_UNTRIED;
    }
    return tells_apart(attack, CKM_RSA_PKCS_OAEP, key, one, two, 256);
}

/* ---- random numbers ---- */

#define SIGNATURES 200

/* The number that each signature drew is found with the private key; they have to look evenly
 * drawn: no two alike, and each of the first bits set in about half of them. */
SCENE(attack_nonces)
{
    CK_OBJECT_HANDLE key = attack_key(attack, KEY_EC256, HALF_PRIVATE, CKA_SIGN, END);
    static uint8_t drawn[SIGNATURES][32], half[SIGNATURES][32];
    size_t set[16] = { 0 };
    uint8_t hash[32] = { 1 }, sig[2048];
    size_t len;

    if (key == CK_INVALID_HANDLE) {
        return ENDING_UNTRIED;
    }
    for (size_t i = 0; i < SIGNATURES; i++) {
        hash[1] = (uint8_t)i;
        if (attack_crypt(attack, FN_C_SignInit, CKM_ECDSA, key, hash, sizeof hash, sig, &len) !=
                CKR_OK ||
            len != 64 || !ref_nonce(hash, sig, drawn[i])) {
            return ENDING_UNTRIED;
        }
        memcpy(half[i], sig, sizeof half[i]);
        for (size_t k = 0; k < i; k++) {
            if (memcmp(drawn[k], drawn[i], sizeof drawn[i]) == 0 ||
                memcmp(half[k], half[i], sizeof half[i]) == 0) {
                return ENDING_SUCCEEDED;
            }
        }
        for (size_t bit = 0; bit < COUNT(set); bit++) {
            set[bit] += (size_t)(drawn[i][bit / 8] >> (7 - bit % 8) & 1);
        }
    }
    for (size_t bit = 0; bit < COUNT(set); bit++) {
        /* Six standard deviations from the middle. */
        if (set[bit] < SIGNATURES / 2 - 43 || set[bit] > SIGNATURES / 2 + 43) {
            return ENDING_SUCCEEDED;
        }
    }
    return ENDING_STOPPED;
}

static bool
alike(const uint8_t *a, const uint8_t *b, size_t len)
{
    for (size_t i = 0; i + 16 <= len; i++) {
        for (size_t k = 0; k + 16 <= len; k++) {
            if (memcmp(a + i, b + k, 16) == 0) {
                return true;
            }
        }
    }
    return false;
}

static bool
draw(struct attack *a, uint8_t bytes[64])
{
    struct bag bag = { .session = a->session, .random = bytes, .random_len = 64 };

    return call(a->module, FN_C_GenerateRandom, &bag) == CKR_OK;
}

/* What a child draws that made itself an application of its own. */
static bool
draw_in_child(struct attack *a, uint8_t bytes[64])
{
    int ends[2];
    pid_t pid;
    bool good;

    if (pipe(ends) != 0) {
        return false;
    }
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        struct runner *runner = a->runner;

        trace_to(NULL);
        alarm(30);
        good = fixture_restart(&runner->fixture) && fixture_ready(&runner->fixture, BASE_LOGIN);
        a->session = runner->fixture.home;
        good = good && draw(a, bytes) && write(ends[1], bytes, 64) == 64;
        fixture_end(&runner->fixture);
        _exit(!good);
    }
    close(ends[1]);
    good = pid > 0 && read(ends[0], bytes, 64) == 64;
    close(ends[0]);
    return pid > 0 && waitpid(pid, NULL, 0) == pid && good;
}

SCENE(attack_random)
{
    uint8_t one[64] = { 0 }, two[64] = { 0 }, child[64] = { 0 };

    if (!draw(attack, one) || !draw(attack, two)) {
        return ENDING_UNTRIED;
    }
    if (alike(one, two, 64)) {
        return ENDING_SUCCEEDED;
    }
    if (!draw_in_child(attack, child)) {
        return ENDING_STOPPED;
    }
    return draw(attack, two) && (alike(two, child, 64) || alike(one, child, 64))
               ? ENDING_SUCCEEDED
               : ENDING_STOPPED;
}

#define MODULI 2

SCENE(attack_moduli)
{
    uint8_t modulus[MODULI][256];
    CK_ULONG bits = 2048;
    CK_ATTRIBUTE public[] = { { CKA_TOKEN, &no, 1 }, { CKA_MODULUS_BITS, &bits, sizeof bits } };
    CK_ATTRIBUTE private[] = { { CKA_TOKEN, &no, 1 } };
    CK_MECHANISM mech = { CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0 };

    for (size_t i = 0; i < MODULI; i++) {
        CK_OBJECT_HANDLE first = CK_INVALID_HANDLE, second = CK_INVALID_HANDLE;
        CK_ULONG len = 256;
        CK_RV rv = call_generate_pair(attack->module, attack->session, &mech, public, 2, private, 1,
                                      &first, &second);

        if (rv != CKR_OK) {
            return ENDING_UNTRIED;
        }
        rv = call_get(attack->module, attack->session, first, CKA_MODULUS, modulus[i], &len);
        (void)call_destroy(attack->module, attack->session, first);
        (void)call_destroy(attack->module, attack->session, second);
        if (rv != CKR_OK || len != 256) {
            return ENDING_UNTRIED;
        }
    }
    return ref_weak_moduli(modulus[0], MODULI, 256) ? ENDING_SUCCEEDED : ENDING_STOPPED;
}
