/* SPDX-License-Identifier: Apache-2.0
 *
 * The library's memory runs out, at each allocation in turn: every call ends with a code,
 * appends nothing, and works again afterwards.
 */
#include "pair_fixture.h"

#include "base/log.h"

#include <openssl/crypto.h>
#include <stdatomic.h>

static long until_failure; /* allocations that still work; below 0: all */
static atomic_long living; /* allocations that were not freed */

static bool
memory_fails(void)
{
    return until_failure >= 0 && until_failure-- == 0;
}

static void *
counted_malloc(size_t len, const char *file, int line)
{
    void *memory = memory_fails() ? NULL : malloc(len);

    UNUSED(file);
    UNUSED(line);
    living += memory != NULL;
    return memory;
}

static void *
counted_realloc(void *memory, size_t len, const char *file, int line)
{
    UNUSED(file);
    UNUSED(line);
    if (memory_fails()) {
        return NULL;
    }
    living += memory == NULL;
    return realloc(memory, len);
}

static void
counted_free(void *memory, const char *file, int line)
{
    UNUSED(file);
    UNUSED(line);
    living -= memory != NULL;
    free(memory);
}

static struct pair rsa;
static struct pair ec;
static struct pair ed;
static uint8_t point[2 + 65];
static size_t point_len;
static struct algo_key *other; /* that a parameter names */

static int
setup(void **state)
{
    UNUSED(state);
    static const char ed25519[] = "\x06\x03\x2b\x65\x70";
    struct writer template;
    view found;

    rsa_pair(&rsa, 1024);
    if (!ec_pair(&ec, curve_by_tool_id(2))) {
        return -1;
    }
    found = list_value(writer_view(&ec.public_part), CKA_EC_POINT);
    assert_in_range(found.len, 65, sizeof point);
    memcpy(point, found.data, found.len);
    point_len = found.len;
    writer_init(&template, 100);
    attribute_write(&template, CKA_EC_PARAMS, view_of(ed25519, sizeof ed25519 - 1));
    assert_int_equal(pair_generate(standard, CKM_EC_EDWARDS_KEY_PAIR_GEN, writer_view(&template),
                                   &ed), CKR_OK);
    writer_clear(&template);
    other = secret_key(KIND_GENERIC, VIEW_TEXT("another key"));
    return 0;
}

static int
teardown(void **state)
{
    UNUSED(state);
    pair_clear(&rsa);
    pair_clear(&ec);
    pair_clear(&ed);
    algo_key_free(other);
    return 0;
}

/* Contexts that wait in the key would hide the allocations, so each round parses it anew. */
static void
assert_survives(enum object_kind kind, view attributes, view secrets, const struct mechanism *m,
                CK_FLAGS function, view in)
{
    CK_RV rv = CKR_GENERAL_ERROR;
    long failures = 0;

    for (long at = 0; rv != CKR_OK; at++) {
        struct algo_key *key = NULL;
        struct writer out;

        writer_init(&out, OUT_MAX);
        until_failure = at;
        rv = algo_key_new(kind, attributes, secrets, &key);
        if (rv == CKR_OK) {
            rv = run_once(m, function, key, in, VIEW_EMPTY, &out);
        }
        if (rv == CKR_OK && until_failure < 0) {
            rv = CKR_GENERAL_ERROR; /* it did without; there may be more that it needs */
        }
        until_failure = -1;
        assert_int_equal(rv != CKR_OK && rv != CKR_GENERAL_ERROR ? out.len : 0, 0);
        assert_int_equal(ERR_peek_error(), 0);
        failures += rv != CKR_OK;
        algo_key_free(key);
        writer_clear(&out);
        assert_in_range(at, 0, 5000);
    }
    print_message("%s: %ld allocations failed\n", mechanism_row(m->type)->name, failures);
    assert_true(failures > 0);
}

static void
every_driver_survives(void **state)
{
    const struct mechanism cbc =
        iv_mechanism(CKM_AES_CBC_PAD, VIEW_TEXT("sixteen bytes iv"));
    const struct mechanism gcm = gcm_mechanism(VIEW_TEXT("twelve bytes"), VIEW_EMPTY, 128);
    const struct mechanism mac = plain_mechanism(CKM_SHA256_HMAC);
    const struct mechanism pkcs1 = plain_mechanism(CKM_RSA_PKCS);
    const struct mechanism pss =
        pss_mechanism(CKM_SHA256_RSA_PKCS_PSS, HASH_SHA256, HASH_SHA256, 32);
    const struct mechanism oaep = oaep_mechanism(HASH_SHA1, HASH_SHA1, VIEW_TEXT("label"));
    const struct mechanism ecdsa = plain_mechanism(CKM_ECDSA_SHA256);
    struct writer secret;

    UNUSED(state);
    log_set_level(LOG_LEVEL_ERR);
    writer_init(&secret, 100);
    attribute_write(&secret, CKA_VALUE, VIEW_TEXT("sixteen byte key"));
    assert_survives(KIND_AES, VIEW_EMPTY, writer_view(&secret), &cbc, CKF_ENCRYPT,
                    VIEW_TEXT("data"));
    assert_survives(KIND_AES, VIEW_EMPTY, writer_view(&secret), &gcm, CKF_ENCRYPT,
                    VIEW_TEXT("data"));
    assert_survives(KIND_GENERIC, VIEW_EMPTY, writer_view(&secret), &mac, CKF_SIGN,
                    VIEW_TEXT("data"));
    assert_survives(KIND_RSA_PRIVATE, writer_view(&rsa.private_part), writer_view(&rsa.secrets),
                    &pkcs1, CKF_SIGN, VIEW_TEXT("data"));
    assert_survives(KIND_RSA_PRIVATE, writer_view(&rsa.private_part), writer_view(&rsa.secrets),
                    &pss, CKF_SIGN, VIEW_TEXT("data"));
    assert_survives(KIND_RSA_PUBLIC, writer_view(&rsa.public_part), VIEW_EMPTY, &oaep,
                    CKF_ENCRYPT, VIEW_TEXT("data"));
    assert_survives(KIND_EC_PRIVATE, writer_view(&ec.private_part), writer_view(&ec.secrets),
                    &ecdsa, CKF_SIGN, VIEW_TEXT("data"));
    writer_clear(&secret);
}

/* What is a good key is never called a bad one because memory is short. */
static void
a_point_is_not_to_blame(void **state)
{
    static const char ed25519[] = "\x06\x03\x2b\x65\x70";
    CK_RV rv = CKR_GENERAL_ERROR;
    struct writer list, secret;
    struct mechanism eddsa = plain_mechanism(CKM_EDDSA);

    UNUSED(state);
    writer_init(&list, 200);
    writer_init(&secret, 200);
    attribute_write(&list, CKA_EC_PARAMS, view_of(ed25519, sizeof ed25519 - 1));
    attribute_write(&secret, CKA_VALUE,
                    hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"));
    assert_survives(KIND_EDWARDS_PRIVATE, writer_view(&list), writer_view(&secret), &eddsa,
                    CKF_SIGN, VIEW_TEXT("data"));
    attribute_write(&list, CKA_EC_POINT,
                    hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"));
    for (long at = 0; rv != CKR_OK; at++) {
        struct algo_key *key = NULL;

        until_failure = at;
        rv = algo_key_new(KIND_EDWARDS_PUBLIC, writer_view(&list), VIEW_EMPTY, &key);
        if (rv == CKR_OK && until_failure < 0) {
            rv = CKR_GENERAL_ERROR;
        }
        until_failure = -1;
        assert_int_not_equal(rv, CKR_ATTRIBUTE_VALUE_INVALID);
        algo_key_free(key);
        assert_in_range(at, 0, 5000);
    }
    writer_clear(&list);
    writer_clear(&secret);
}

/* ---- all mechanisms ---- */

#define TEXT_32 view_slice(VIEW_TEXT("\0thirty-two bytes that are below any modulus"), 0, 32)

/* A parameter that is right for 32 bytes of data. */
static struct mechanism
sample_of(const struct mechanism_row *row)
{
    const enum hash hash = row->hash == HASH_NONE ? HASH_SHA256 : row->hash;
    struct mechanism m = { .type = (uint32_t)row->type, .shape = row->params };
    view text = VIEW_TEXT("sixteen bytes iv");

    switch (row->params) {
    case PARAMS_iv:
        m.params.iv.bytes = view_slice(text, 0, cipher_row(row)->block);
        break;
    case PARAMS_ctr:
        return ctr_mechanism(text, 32);
    case PARAMS_gcm:
        m.params.gcm.iv = view_slice(text, 0, 12);
        m.params.gcm.tag_bits = 128;
        break;
    case PARAMS_ccm:
        m.params.ccm = (struct params_ccm){ 32, view_slice(text, 0, 12), VIEW_EMPTY, 16 };
        break;
    case PARAMS_oaep:
        return oaep_mechanism(HASH_SHA1, HASH_SHA1, VIEW_EMPTY);
    case PARAMS_pss:
        return pss_mechanism(row->type, hash, hash, 20);
    case PARAMS_rsa_aes:
        m.params.rsa_aes.aes_bits = 256;
        m.params.rsa_aes.oaep = oaep_mechanism(HASH_SHA1, HASH_SHA1, VIEW_EMPTY).params.oaep;
        break;
    case PARAMS_ecdh_aes:
        m.params.ecdh_aes = (struct params_ecdh_aes){ 256, CKD_SHA256_KDF, VIEW_EMPTY };
        break;
    case PARAMS_ecdh:
        m.params.ecdh = (struct params_ecdh){ CKD_SHA256_KDF, VIEW_EMPTY,
                                              view_of(point, point_len) };
        break;
    case PARAMS_chacha20:
        m.params.chacha20 = (struct params_chacha20){ view_slice(text, 0, 4),
                                                      view_slice(text, 4, 12) };
        break;
    case PARAMS_chacha_poly:
        m.params.chacha_poly = (struct params_chacha_poly){ view_slice(text, 0, 12), VIEW_EMPTY };
        break;
    case PARAMS_tls_mac:
        m.params.tls_mac = (struct params_tls_mac){ CKM_SHA256, 12, TLS_MAC_CLIENT };
        break;
    case PARAMS_number:
        m.params.number.number = 4;
        break;
    case PARAMS_data:
        m.params.data.bytes = text;
        break;
    case PARAMS_cbc_data:
        m.params.cbc_data = (struct params_cbc_data){ text, text };
        break;
    case PARAMS_kbkdf:
        m.params.kbkdf.prf = CKM_SHA256_HMAC;
        m.params.kbkdf.items.count = 1;
        m.params.kbkdf.items.item[0] = (struct params_item){
            .type = CK_SP800_108_ITERATION_VARIABLE,
            .width = row->type == CKM_SP800_108_DOUBLE_PIPELINE_KDF ? 0 : 32,
        };
        break;
    case PARAMS_feedback:
        m.params.feedback.prf = CKM_SHA256_HMAC;
        m.params.feedback.items.count = 1;
        m.params.feedback.items.item[0] =
            (struct params_item){ .type = CK_SP800_108_ITERATION_VARIABLE };
        m.params.feedback.iv = text;
        break;
    case PARAMS_hkdf:
        m.params.hkdf = (struct params_hkdf){ .extract = 1, .expand = 1, .hash = CKM_SHA256,
                                              .salt_type = CKF_HKDF_SALT_NULL };
        break;
    case PARAMS_tls_master:
        m.params.tls_master = (struct params_tls_master){ text, text, 0, CKM_SHA256 };
        break;
    case PARAMS_tls_extended:
        m.params.tls_extended = (struct params_tls_extended){ CKM_SHA256, text, 0 };
        break;
    case PARAMS_tls_keys:
        m.params.tls_keys = (struct params_tls_keys){ 0, 128, 0, 0, text, text, 1, CKM_SHA256 };
        break;
    case PARAMS_tls_kdf:
        m.params.tls_kdf = (struct params_tls_kdf){ CKM_SHA256, text, text, text, VIEW_EMPTY };
        break;
    default:
        break;
    }
    return m;
}

/* A key of the row's type, in lists: the public half where there is one and half is false. */
static void
key_lists(const struct mechanism_row *row, bool private, enum object_kind *ret_kind,
          struct writer *attributes, struct writer *secrets)
{
    static const char *const odd = "0123456789abcdef23456789abcdef01456789abcdef0123";
    CK_KEY_TYPE type = row->key_type == KEY_TYPE_SECRET ? CKK_GENERIC_SECRET : row->key_type;
    struct pair *pair = type == CKK_RSA ? &rsa : type == CKK_EC_EDWARDS ? &ed : &ec;
    size_t len = secret_len_fixed(type) != 0 ? secret_len_fixed(type) : 48;

    if (type == CKK_RSA || type == CKK_EC || type == CKK_EC_EDWARDS) {
        assert_true(kind_of(private ? CKO_PRIVATE_KEY : CKO_PUBLIC_KEY, type, ret_kind));
        write_raw(attributes, writer_view(private ? &pair->private_part : &pair->public_part));
        if (private) {
            write_raw(secrets, writer_view(&pair->secrets));
        }
        return;
    }
    assert_true(kind_of(CKO_SECRET_KEY, type, ret_kind));
    if (row->type == CKM_AES_XCBC_MAC || row->type == CKM_AES_XCBC_MAC_96) {
        len = 16;
    } else if (type == CKK_AES || type == CKK_AES_XTS) {
        len = 32;
    }
    if (*ret_kind == KIND_DES) {
        attribute_write(secrets, CKA_VALUE, view_slice(hex(odd), 0, len));
    } else {
        attribute_write(secrets, CKA_VALUE,
                        view_slice(VIEW_TEXT("all that a key of any length here is made of, and "
                                             "halves of it that differ"), 0, len));
    }
}

/* Parses and runs with what memory there is. */
static CK_RV
parse_and_run(const struct mechanism_row *row, CK_FLAGS function, enum object_kind kind,
              view attributes, view secrets, view in, struct writer *out)
{
    const struct mechanism m = sample_of(row);
    struct algo_key *key = NULL;
    CK_RV rv = CKR_OK;

    if (row->key_type != KEY_TYPE_NONE) {
        rv = algo_key_new(kind, attributes, secrets, &key);
    }
    if (rv == CKR_OK && function == CKF_DERIVE) {
        const struct algo_derivation d = {
            .row = row, .mechanism = &m, .base = key, .others = { other }, .count = 1,
            .lens = { row->driver == DRIVER_tls ? row->params == PARAMS_tls_keys ? 0 : 48 : 16 },
        };

        rv = algo_derive(standard, &d, out);
    } else if (rv == CKR_OK) {
        rv = run_once(&m, function, key, in, VIEW_EMPTY, out);
    }
    algo_key_free(key);
    return rv;
}

/* RSA's encryption, PSS and ECDSA draw something. */
static bool
is_drawn(const struct mechanism_row *row, CK_FLAGS function)
{
    return row->driver == DRIVER_ec || row->driver == DRIVER_rsa_aes ||
           row->driver == DRIVER_ecdh_aes || row->params == PARAMS_pss ||
           (row->driver == DRIVER_rsa && function == CKF_ENCRYPT && row->out != OUT_raw);
}

static bool
takes_private(CK_FLAGS function)
{
    return function == CKF_SIGN || function == CKF_DERIVE || function == CKF_DECRYPT;
}

/* From the first allocation on, each fails once; gives how many there were. */
static long
sweep(const struct mechanism_row *row, CK_FLAGS function, view in, view expected)
{
    struct writer attributes, secrets, out;
    enum object_kind kind = 0;
    long failures = 0;
    bool whole = false;

    writer_init(&attributes, ATTRIBUTES_BYTES_MAX);
    writer_init(&secrets, ATTRIBUTES_BYTES_MAX);
    if (row->key_type != KEY_TYPE_NONE) {
        key_lists(row, takes_private(function), &kind, &attributes, &secrets);
    }
    for (long at = 0; !whole; at++) {
        CK_RV rv;

        writer_init(&out, OUT_MAX);
        until_failure = at;
        rv = parse_and_run(row, function, kind, writer_view(&attributes), writer_view(&secrets), in,
                           &out);
        whole = until_failure >= 0; /* nothing failed any more */
        until_failure = -1;
        if (rv == CKR_OK) {
            assert_true(is_drawn(row, function) || expected.data == NULL ||
                        view_equal(writer_view(&out), expected));
        } else if (whole || out.len != 0) {
            fail_msg("%s: %s, %zu bytes", row->name, return_name(rv), out.len);
        }
        assert_int_equal(ERR_peek_error(), 0);
        failures += rv != CKR_OK;
        writer_clear(&out);
        assert_in_range(at, 0, 20000);
    }
    writer_clear(&attributes);
    writer_clear(&secrets);
    return failures;
}

/* With memory enough: what is found then is what the library keeps. */
static void
run_whole(const struct mechanism_row *row, CK_FLAGS function, view in, struct writer *out)
{
    struct writer attributes, secrets;
    enum object_kind kind = 0;

    writer_init(out, OUT_MAX);
    writer_init(&attributes, ATTRIBUTES_BYTES_MAX);
    writer_init(&secrets, ATTRIBUTES_BYTES_MAX);
    if (row->key_type != KEY_TYPE_NONE) {
        key_lists(row, takes_private(function), &kind, &attributes, &secrets);
    }
    if (parse_and_run(row, function, kind, writer_view(&attributes), writer_view(&secrets), in,
                      out) != CKR_OK) {
        fail_msg("%s does not run", row->name);
    }
    writer_clear(&attributes);
    writer_clear(&secrets);
}

static void
every_mechanism_survives(void **state)
{
    static const CK_FLAGS functions[] = { CKF_ENCRYPT, CKF_DECRYPT, CKF_SIGN, CKF_DIGEST,
                                          CKF_DERIVE };
    size_t count;
    const struct mechanism_row *rows = mechanism_rows(&count);
    unsigned tried = 0, opened = 0;
    long failures = 0;

    UNUSED(state);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < ARRAY_COUNT(functions); k++) {
            CK_FLAGS has = rows[i].limit[POLICY_STANDARD].functions;
            bool opens = functions[k] == CKF_DECRYPT;
            struct writer sealed, whole;
            long live;

            has |= (has & CKF_WRAP) != 0 ? CKF_ENCRYPT : 0;
            has |= (has & CKF_UNWRAP) != 0 && (has & CKF_ENCRYPT) != 0 ? CKF_DECRYPT : 0;
            if ((has & functions[k]) == 0) {
                continue;
            }
            writer_init(&sealed, OUT_MAX);
            write_raw(&sealed, TEXT_32);
            if (opens) {
                writer_clear(&sealed);
                run_whole(&rows[i], CKF_ENCRYPT, TEXT_32, &sealed);
            }
            run_whole(&rows[i], functions[k], writer_view(&sealed), &whole);
            (void)sweep(&rows[i], functions[k], writer_view(&sealed), writer_view(&whole));
            live = living;
            failures += sweep(&rows[i], functions[k], writer_view(&sealed), writer_view(&whole));
            if (living > live) {
                fail_msg("%s: %ld allocations are left", rows[i].name, living - live);
            }
            tried++;
            opened += opens;
            writer_clear(&sealed);
            writer_clear(&whole);
        }
    }
    print_message("%u functions of mechanisms, %u of them open, %ld allocations failed\n", tried,
                  opened, failures);
    assert_true(tried > 180 && opened > 30 && failures > 500);
}

/* Each allocation of a generation fails, of many thousands ever fewer of the later ones. */
static void
generation_survives(CK_MECHANISM_TYPE type, view template)
{
    long failures = 0;
    bool whole = false;

    for (long at = 0; !whole; at += 1 + at / 64) {
        struct pair pair;
        CK_RV rv;
        bool left;

        until_failure = at;
        rv = pair_generate(standard, type, template, &pair);
        whole = until_failure >= 0;
        until_failure = -1;
        left = pair.public_part.len != template.len || pair.private_part.len != 0 ||
               pair.secrets.len != 0;
        if ((rv == CKR_OK) != left || (whole && rv != CKR_OK)) {
            fail_msg("%s: %s, allocation %ld", mechanism_row(type)->name, return_name(rv), at);
        }
        assert_int_equal(ERR_peek_error(), 0);
        failures += rv != CKR_OK;
        pair_clear(&pair);
        assert_in_range(at, 0, 5000000);
    }
    print_message("%s: %ld allocations failed\n", mechanism_row(type)->name, failures);
    assert_true(failures > 0);
}

static void
every_generation_survives(void **state)
{
    static const struct {
        CK_MECHANISM_TYPE type;
        const char *oid;
        size_t len;
    } curves[] = {
        { CKM_EC_KEY_PAIR_GEN, "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", 10 },
        { CKM_EC_EDWARDS_KEY_PAIR_GEN, "\x06\x03\x2b\x65\x70", 5 },
        { CKM_EC_MONTGOMERY_KEY_PAIR_GEN, "\x06\x03\x2b\x65\x6e", 5 },
    };
    struct writer template;

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(curves); i++) {
        writer_init(&template, 100);
        attribute_write(&template, CKA_EC_PARAMS, view_of(curves[i].oid, curves[i].len));
        generation_survives(curves[i].type, writer_view(&template));
        writer_clear(&template);
    }
    writer_init(&template, 100);
    attribute_write_ulong(&template, CKA_MODULUS_BITS, 1024);
    generation_survives(CKM_RSA_PKCS_KEY_PAIR_GEN, writer_view(&template));
    writer_clear(&template);
}

int
main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(every_driver_survives),
                                        cmocka_unit_test(a_point_is_not_to_blame),
                                        cmocka_unit_test(every_mechanism_survives),
                                        cmocka_unit_test(every_generation_survives) };

    until_failure = -1;
    /* Before the library's first allocation, or it refuses. */
    if (CRYPTO_set_mem_functions(counted_malloc, counted_realloc, counted_free) != 1) {
        print_message("skipped: the library takes no other memory\n");
        return 77;
    }
    return cmocka_run_group_tests_name("memory", tests, setup, teardown);
}
