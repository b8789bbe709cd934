/* SPDX-License-Identifier: Apache-2.0
 *
 * Signatures against the answers of NIST's validation system (FIPS 186-3) that come with the
 * package python3-cryptography-vectors: RSA PKCS #1 v1.5 and PSS, ECDSA; with the hash inside, and
 * where the scheme takes a digest, with that. Skipped where the package is not there.
 */
#include "algo_fixture.h"

#include <strings.h>

#define FOLDER "/usr/lib/python3/dist-packages/cryptography_vectors/asymmetric/"
#define LINE 16384u

enum slot { HASH, MODULUS, EXPONENT, MESSAGE, SIGNATURE, SALT, X, Y, R, S, CURVE, RESULT, SLOTS };

static const char *const names[SLOTS] = {
    [HASH] = "SHAAlg", [MODULUS] = "n", [EXPONENT] = "e", [MESSAGE] = "Msg", [SIGNATURE] = "S",
    [SALT] = "SaltVal", [X] = "Qx",     [Y] = "Qy",       [R] = "R",
};

static char values[SLOTS][LINE];

static enum hash
hash_named(const char *name)
{
    static const struct {
        const char *name;
        enum hash hash;
    } hashes[] = {
        { "SHA1", HASH_SHA1 },     { "SHA-1", HASH_SHA1 },     { "SHA224", HASH_SHA224 },
        { "SHA-224", HASH_SHA224 }, { "SHA256", HASH_SHA256 }, { "SHA-256", HASH_SHA256 },
        { "SHA384", HASH_SHA384 }, { "SHA-384", HASH_SHA384 }, { "SHA512", HASH_SHA512 },
        { "SHA-512", HASH_SHA512 },
    };

    for (size_t i = 0; i < ARRAY_COUNT(hashes); i++) {
        if (strcmp(hashes[i].name, name) == 0) {
            return hashes[i].hash;
        }
    }
    fail_msg("no hash %s", name);
    return HASH_NONE;
}

static CK_MECHANISM_TYPE
mechanism_with(enum driver driver, enum hash hash, enum params_shape shape)
{
    size_t count;
    const struct mechanism_row *rows = mechanism_rows(&count);

    for (size_t i = 0; i < count; i++) {
        if (rows[i].driver == driver && rows[i].hash == hash && rows[i].params == shape &&
            (rows[i].limit[POLICY_STANDARD].functions & CKF_VERIFY) != 0) {
            return rows[i].type;
        }
    }
    fail_msg("no mechanism");
    return 0;
}

static struct algo_key *
public_key(enum object_kind kind, CK_ATTRIBUTE_TYPE one, view first, CK_ATTRIBUTE_TYPE two,
           view second)
{
    struct algo_key *key = NULL;
    struct writer w;

    writer_init(&w, ATTRIBUTES_BYTES_MAX);
    attribute_write(&w, one, first);
    attribute_write(&w, two, second);
    if (algo_key_new(kind, writer_view(&w), VIEW_EMPTY, &key) != CKR_OK) {
        key = NULL; /* "Q changed" is no point any more */
    }
    writer_clear(&w);
    return key;
}

static void
verify(const struct mechanism *m, const struct algo_key *key, view data, view signature, bool good)
{
    CK_RV rv = run_once(m, CKF_VERIFY, key, data, signature, &(struct writer){ 0 });

    assert_int_equal(rv, good ? CKR_OK : CKR_SIGNATURE_INVALID);
    if (mechanism_row(m->type)->multi) {
        assert_int_equal(run_parts(m, CKF_VERIFY, key, data, 13, signature, &(struct writer){ 0 }),
                         rv);
    }
    VECTOR(m->type);
}

/* The scheme with the hash inside; and without, if it takes a digest. */
static void
verify_both(struct mechanism *m, bool takes_digest, CK_MECHANISM_TYPE bare, enum hash hash,
            const struct algo_key *key, view signature)
{
    const struct mechanism digest = plain_mechanism(hash_row(hash)->mechanism);
    const bool good = values[RESULT][0] == 'P';
    struct writer out;

    verify(m, key, hex(values[MESSAGE]), signature, good);
    if (takes_digest) {
        writer_init(&out, 100);
        assert_int_equal(run_once(&digest, CKF_DIGEST, NULL, hex(values[MESSAGE]), VIEW_EMPTY,
                                  &out), CKR_OK);
        m->type = (uint32_t)bare;
        verify(m, key, writer_view(&out), signature, good);
        writer_clear(&out);
    }
}

static view
without_zeros(view number)
{
    while (number.len > 1 && number.data[0] == 0) {
        number = view_slice(number, 1, number.len);
    }
    return number;
}

static bool
run_rsa(bool pss)
{
    const enum hash hash = hash_named(values[HASH]);
    struct mechanism m = plain_mechanism(
        mechanism_with(DRIVER_rsa, hash, pss ? PARAMS_pss : PARAMS_none));
    struct algo_key *key = public_key(KIND_RSA_PUBLIC, CKA_MODULUS, hex(values[MODULUS]),
                                      CKA_PUBLIC_EXPONENT, without_zeros(hex(values[EXPONENT])));

    if (key == NULL) {
        return false; /* an exponent that we do not take */
    }
    if (pss) {
        m = pss_mechanism(m.type, hash, hash, hex(values[SALT]).len);
    }
    verify_both(&m, pss, CKM_RSA_PKCS_PSS, hash, key, hex(values[SIGNATURE]));
    algo_key_free(key);
    return true;
}

static bool
run_pkcs1(void)
{
    return run_rsa(false);
}

static bool
run_pss(void)
{
    return run_rsa(true);
}

/* A number in so many bytes. */
static void
number_write(struct writer *w, const char *digits, size_t len)
{
    char even[LINE];
    view number;

    snprintf(even, sizeof even, "%s%s", strlen(digits) % 2 == 1 ? "0" : "", digits);
    number = without_zeros(hex(even));
    assert_true(number.len <= len);
    for (size_t i = number.len; i < len; i++) {
        write_u8(w, 0);
    }
    write_raw(w, number);
}

static bool
run_ecdsa(void)
{
    static const struct {
        const char *name;
        unsigned tool_id;
    } curves[] = { { "P-192", 1 }, { "P-224", 13 }, { "P-256", 2 }, { "P-384", 14 }, { "P-521", 15 } };
    const enum hash hash = hash_named(values[HASH]);
    struct mechanism m = plain_mechanism(mechanism_with(DRIVER_ec, hash, PARAMS_none));
    const struct curve_row *curve = NULL;
    struct algo_key *key;
    struct writer point, signature;
    size_t len;

    for (size_t i = 0; i < ARRAY_COUNT(curves); i++) {
        if (strcmp(curves[i].name, values[CURVE]) == 0) {
            curve = curve_by_tool_id(curves[i].tool_id);
        }
    }
    if (curve == NULL) {
        return false; /* of characteristic two */
    }
    len = curve_len(curve);
    writer_init(&point, 1000);
    writer_init(&signature, 1000);
    write_u8(&point, 4);
    number_write(&point, values[X], len);
    number_write(&point, values[Y], len);
    number_write(&signature, values[R], len);
    number_write(&signature, values[SIGNATURE], len);
    key = public_key(KIND_EC_PUBLIC, CKA_EC_PARAMS, view_of(curve->oid, curve->oid_len),
                     CKA_EC_POINT, writer_view(&point));
    assert_true(key != NULL || values[RESULT][0] == 'F');
    if (key != NULL) {
        verify_both(&m, true, CKM_ECDSA, hash, key, writer_view(&signature));
    }
    algo_key_free(key);
    writer_clear(&point);
    writer_clear(&signature);
    return key != NULL;
}

/* "[P-192,SHA-1]", "[mod = 1024]", "NAME = value"; Result ends a record. */
static unsigned
run_file(const char *name, bool (*run)(void))
{
    static char line[LINE + 100];
    FILE *file = fopen(name, "r");
    unsigned runs = 0;

    if (file == NULL) {
        print_message("skipped: no %s\n", name);
        skip();
    }
    while (fgets(line, sizeof line, file) != NULL) {
        char *value = strstr(line, " = ");

        line[strcspn(line, "\r\n]")] = '\0';
        if (line[0] == '[' && strchr(line, ',') != NULL) {
            snprintf(values[HASH], LINE, "%s", strchr(line, ',') + 1);
            snprintf(values[CURVE], LINE, "%.*s", (int)strcspn(line + 1, ","), line + 1);
        }
        if (line[0] == '[' || line[0] == '#' || value == NULL) {
            continue;
        }
        *value = '\0';
        value += 3;
        for (size_t i = 0; i < SLOTS; i++) {
            if (names[i] != NULL && strcmp(names[i], line) == 0) {
                snprintf(values[i], LINE, "%s", value);
            }
        }
        if (strcmp(line, "Result") == 0) {
            snprintf(values[RESULT], LINE, "%s", value);
            runs += run() ? 1 : 0;
        }
    }
    fclose(file);
    print_message("%s: %u records\n", name + sizeof FOLDER - 1, runs);
    return runs;
}

static void
pkcs1_agrees(void **state)
{
    UNUSED(state);
    assert_in_range(run_file(FOLDER "RSA/FIPS_186-2/SigVer15_186-3.rsp", run_pkcs1), 300, 450);
}

static void
pss_agrees(void **state)
{
    UNUSED(state);
    assert_in_range(run_file(FOLDER "RSA/FIPS_186-2/SigVerPSS_186-3.rsp", run_pss), 300, 450);
}

static void
ecdsa_agrees(void **state)
{
    UNUSED(state);
    assert_in_range(run_file(FOLDER "ECDSA/FIPS_186-3/SigVer.rsp", run_ecdsa), 250, 375);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pkcs1_agrees),
        cmocka_unit_test(pss_agrees),
        cmocka_unit_test(ecdsa_agrees),
    };

    return RUN_GROUP("signatures", tests, 0);
}
