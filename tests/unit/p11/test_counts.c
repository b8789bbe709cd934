/* SPDX-License-Identifier: Apache-2.0
 *
 * How many published vectors each mechanism of the tables met through PKCS #11 calls: the sum of
 * what the programs named on the command line have left. A mechanism without one stands below with
 * the reason, and with the system test that holds it against the openssl command.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "rules/mechanism.h"

static const char drawn[] = "what is drawn at random has no answer to publish";
static const char digest[] = "the key is a digest; the digests have vectors";
static const char same[] = "no answers are published for this form of it";

/* Each stands in that script as an argument of its own. */
static const struct {
    const char *name, *reason, *script;
} without[] = {
#define DRAWN(name) { #name, drawn, "programs/cross.py" }
    DRAWN(RSA_PKCS_KEY_PAIR_GEN), DRAWN(RSA_X9_31_KEY_PAIR_GEN), DRAWN(EC_KEY_PAIR_GEN),
    DRAWN(EC_EDWARDS_KEY_PAIR_GEN), DRAWN(EC_MONTGOMERY_KEY_PAIR_GEN), DRAWN(RC4_KEY_GEN),
    DRAWN(DES_KEY_GEN), DRAWN(DES2_KEY_GEN), DRAWN(DES3_KEY_GEN), DRAWN(AES_KEY_GEN),
    DRAWN(AES_XTS_KEY_GEN), DRAWN(CHACHA20_KEY_GEN), DRAWN(POLY1305_KEY_GEN),
    DRAWN(GENERIC_SECRET_KEY_GEN), DRAWN(HKDF_KEY_GEN), DRAWN(SHA_1_KEY_GEN),
    DRAWN(SHA224_KEY_GEN), DRAWN(SHA256_KEY_GEN), DRAWN(SHA384_KEY_GEN), DRAWN(SHA512_KEY_GEN),
    DRAWN(SHA512_224_KEY_GEN), DRAWN(SHA512_256_KEY_GEN), DRAWN(SHA3_224_KEY_GEN),
    DRAWN(SHA3_256_KEY_GEN), DRAWN(SHA3_384_KEY_GEN), DRAWN(SHA3_512_KEY_GEN),
    /* Its blob begins with what was drawn; both halves have vectors. */
    DRAWN(ECDH_AES_KEY_WRAP), { "RSA_AES_KEY_WRAP", drawn, "test-wrap" },
#define DIGEST(name) { #name "_KEY_DERIVATION", digest, "programs/cross.py" }
    DIGEST(SHA1), DIGEST(SHA224), DIGEST(SHA256), DIGEST(SHA384), DIGEST(SHA512),
    DIGEST(SHA512_224), DIGEST(SHA512_256), DIGEST(SHA3_224), DIGEST(SHA3_256), DIGEST(SHA3_384),
    DIGEST(SHA3_512),
#define SAME(name) { #name, same, "programs/cross.py" }
    SAME(MD5_RSA_PKCS), SAME(RSA_X_509), SAME(SHA3_224_RSA_PKCS_PSS), SAME(SHA3_256_RSA_PKCS_PSS),
    SAME(SHA3_384_RSA_PKCS_PSS), SAME(SHA3_512_RSA_PKCS_PSS), SAME(ECDSA_SHA3_224),
    SAME(ECDSA_SHA3_256), SAME(ECDSA_SHA3_384), SAME(ECDSA_SHA3_512), SAME(SHA512_224_HMAC),
    SAME(SHA512_256_HMAC), SAME(SHA3_224_HMAC), SAME(SHA3_256_HMAC), SAME(SHA3_384_HMAC),
    SAME(SHA3_512_HMAC), SAME(MD5_HMAC_GENERAL), SAME(SHA512_224_HMAC_GENERAL),
    SAME(SHA512_256_HMAC_GENERAL), SAME(SHA3_224_HMAC_GENERAL), SAME(SHA3_256_HMAC_GENERAL),
    SAME(SHA3_384_HMAC_GENERAL), SAME(SHA3_512_HMAC_GENERAL), SAME(DES_CBC_PAD),
    SAME(DES3_CBC_PAD), SAME(DES3_MAC), SAME(DES3_MAC_GENERAL),
    SAME(AES_MAC), SAME(AES_MAC_GENERAL), SAME(AES_CFB64), SAME(SP800_108_FEEDBACK_KDF),
    SAME(SP800_108_DOUBLE_PIPELINE_KDF), SAME(TLS12_EXTENDED_MASTER_KEY_DERIVE),
    SAME(TLS12_EXTENDED_MASTER_KEY_DERIVE_DH), SAME(TLS12_MAC), SAME(AES_KEY_WRAP_PKCS7),
    SAME(CLOUDHSM_AES_KEY_WRAP_PKCS5_PAD),
};

static char **files;
static size_t file_count;

static unsigned
count_of(CK_MECHANISM_TYPE wanted)
{
    unsigned sum = 0, count;
    unsigned long type;

    for (size_t i = 0; i < file_count; i++) {
        FILE *file = fopen(files[i], "r");

        while (file != NULL && fscanf(file, "%lx %u", &type, &count) == 2) {
            sum += type == wanted ? count : 0;
        }
        if (file != NULL) {
            fclose(file);
        }
    }
    return sum;
}

static bool
file_names(const char *name, const char *word)
{
    static char text[1u << 20];
    char path[1024];
    const size_t len = strlen(word);
    FILE *file;

    snprintf(path, sizeof path, "%s/system/%s", TESTS_DIR, name);
    file = fopen(path, "r");
    if (file == NULL) {
        return false;
    }
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    for (const char *at = text; strstr(text, "openssl") != NULL && (at = strstr(at, word)) != NULL;
         at += len) {
        if (strchr("\"' (", at == text ? ' ' : at[-1]) != NULL && strchr("\"' :", at[len]) != NULL) {
            return true;
        }
    }
    return false;
}

static void
every_mechanism_has_vectors_or_a_reason(void **state)
{
    size_t count, bad = 0;
    const struct mechanism_row *rows = mechanism_rows(&count);

    UNUSED(state);
    for (size_t i = 0; i < count; i++) {
        const char *name = rows[i].name + strlen("CKM_");
        const unsigned vectors = count_of(rows[i].type);
        size_t k;

        for (k = 0; k < ARRAY_COUNT(without) && strcmp(without[k].name, name) != 0; k++) {
        }
        if (k == ARRAY_COUNT(without)) {
            print_message("%s: %u vectors%s\n", name, vectors, vectors == 0 ? ": NONE" : "");
            bad += vectors == 0 ? 1 : 0;
        } else if (vectors > 0) {
            print_message("%s: %u vectors, and a reason why it has NONE\n", name, vectors);
            bad++;
        } else {
            const bool named = file_names(without[k].script, name);

            print_message("%s: %s; %s %s\n", name, without[k].reason, without[k].script,
                          named ? "asks openssl" : "does NOT have it");
            bad += named ? 0 : 1;
        }
    }
    assert_int_equal(bad, 0);
}

static void
every_reason_is_a_mechanisms(void **state)
{
    size_t count;
    const struct mechanism_row *rows = mechanism_rows(&count);

    UNUSED(state);
    for (size_t k = 0; k < ARRAY_COUNT(without); k++) {
        size_t i;

        for (i = 0; i < count && strcmp(rows[i].name + strlen("CKM_"), without[k].name) != 0; i++) {
        }
        if (i == count) {
            fail_msg("no mechanism %s", without[k].name);
        }
    }
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_mechanism_has_vectors_or_a_reason),
        cmocka_unit_test(every_reason_is_a_mechanisms),
    };

    const char *folder = getenv("WYCHEPROOF_DIR");

    files = argv + 1;
    file_count = (size_t)argc - 1;
    for (size_t i = 0; i < file_count; i++) {
        if (access(files[i], R_OK) != 0) {
            printf("skipped: no %s; the whole suite has to run first\n", files[i]);
            return 77;
        }
    }
    if (access("/usr/lib/python3/dist-packages/cryptography_vectors", R_OK) != 0 ||
        access(folder != NULL ? folder : TESTS_DIR "/../../shared/vectors/wycheproof", R_OK) != 0) {
        printf("skipped: python3-cryptography-vectors and Wycheproof's vectors are not both here\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
