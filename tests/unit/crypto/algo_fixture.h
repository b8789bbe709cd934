/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys and operations in a line each: bytes from hexadecimal, keys from attributes, and an
 * operation run at once or in parts of any size.
 */
#ifndef TESTS_UNIT_CRYPTO_ALGO_FIXTURE_H
#define TESTS_UNIT_CRYPTO_ALGO_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/algo.h"

#include <openssl/err.h>

#ifndef GROUP_SETUP /* see unit/p11/through.h */
#define GROUP_SETUP NULL
#define GROUP_TEARDOWN NULL
#define CHACHA_TYPE(type) ((void)(type))
#define VECTOR(type) ((void)(type))
#define LEAVE_OUT(own) 0
#endif

/* Runs the tests; the last own ones are of the driver itself and left out where it is not called. */
#define RUN_GROUP(name, tests, own)                                                     \
    _cmocka_run_group_tests(name, tests, ARRAY_COUNT(tests) - LEAVE_OUT(own), GROUP_SETUP, \
                            GROUP_TEARDOWN)

#define OUT_MAX 300000u
#define HEX_SIZE 16384u

static const struct rules standard = { POLICY_STANDARD, INTERFACE_P11, 0 };
static const struct rules fips = { POLICY_FIPS, INTERFACE_API, 0 };

/* The bytes live until eight more were made. */
static inline view
hex(const char *text)
{
    static uint8_t memory[8][HEX_SIZE];
    static size_t next;
    uint8_t *bytes = memory[next++ % 8];
    size_t len = 0;

    assert_true(hex_decode(text, bytes, HEX_SIZE, &len));
    return view_of(bytes, len);
}

static inline void
assert_view(view found, view expected)
{
    if (!view_equal(found, expected)) {
        char *text = malloc(2 * found.len + 1);

        hex_encode(found, text);
        print_error("found %s\n", text);
        free(text);
    }
    assert_int_equal(found.len, expected.len);
    if (found.len > 0) {
        assert_memory_equal(found.data, expected.data, found.len);
    }
}

static inline struct algo_key *
secret_key(enum object_kind kind, view value)
{
    struct algo_key *key = NULL;
    struct writer w;

    writer_init(&w, ATTRIBUTES_BYTES_MAX);
    attribute_write(&w, CKA_VALUE, value);
    assert_int_equal(algo_key_new(kind, VIEW_EMPTY, writer_view(&w), &key), CKR_OK);
    writer_clear(&w);
    return key;
}

static inline struct mechanism
plain_mechanism(CK_MECHANISM_TYPE type)
{
    return (struct mechanism){ .type = (uint32_t)type, .shape = mechanism_row(type)->params };
}

static inline struct mechanism
pss_mechanism(CK_MECHANISM_TYPE type, enum hash hash, enum hash mgf, size_t salt_len)
{
    struct mechanism m = plain_mechanism(type);

    m.params.pss.hash = (uint32_t)hash_row(hash)->mechanism;
    m.params.pss.mgf = (uint32_t)hash_row(mgf)->mgf;
    m.params.pss.salt_len = (uint32_t)salt_len;
    return m;
}

static inline struct mechanism
oaep_mechanism(enum hash hash, enum hash mgf, view label)
{
    struct mechanism m = plain_mechanism(CKM_RSA_PKCS_OAEP);

    m.params.oaep.hash = (uint32_t)hash_row(hash)->mechanism;
    m.params.oaep.mgf = (uint32_t)hash_row(mgf)->mgf;
    m.params.oaep.source = CKZ_DATA_SPECIFIED;
    m.params.oaep.label = label;
    return m;
}

static inline struct mechanism
iv_mechanism(CK_MECHANISM_TYPE type, view iv)
{
    struct mechanism m = plain_mechanism(type);

    m.params.iv.bytes = iv;
    return m;
}

static inline struct mechanism
ctr_mechanism(view block, uint32_t bits)
{
    struct mechanism m = plain_mechanism(CKM_AES_CTR);

    m.params.ctr.block = block;
    m.params.ctr.bits = bits;
    return m;
}

static inline struct mechanism
gcm_mechanism(view iv, view aad, uint32_t tag_bits)
{
    struct mechanism m = plain_mechanism(CKM_AES_GCM);

    m.params.gcm.iv = iv;
    m.params.gcm.aad = aad;
    m.params.gcm.tag_bits = tag_bits;
    return m;
}

static inline CK_RV
run_once(const struct mechanism *m, CK_FLAGS function, const struct algo_key *key, view in,
         view signature, struct writer *out)
{
    return algo_once(standard, mechanism_row(m->type), function, m, key, in, signature, out);
}

/* step bytes at a time. */
static inline CK_RV
run_parts(const struct mechanism *m, CK_FLAGS function, const struct algo_key *key, view in,
          size_t step, view signature, struct writer *out)
{
    struct mechanism own = *m;
    struct algo_op *op = NULL;
    CK_RV rv = algo_start(standard, mechanism_row(m->type), function, &own, key, &op);

    memset(&own, 0xee, sizeof own); /* nobody may look into it any more */
    if (rv != CKR_OK) {
        assert_null(op);
        return rv;
    }
    for (size_t at = 0; at < in.len && rv == CKR_OK; at += step) {
        rv = algo_update(op, view_slice(in, at, step), out);
    }
    if (rv == CKR_OK) {
        rv = algo_final(op, signature, out);
    }
    algo_op_free(op);
    return rv;
}

/* The output of a run that succeeds, expected as given, at once and in several cuttings. */
static inline void
assert_runs(const struct mechanism *m, CK_FLAGS function, const struct algo_key *key, view in,
            view expected)
{
    static const size_t steps[] = { 1, 7, 15, 16, 17, 100, 4096 };
    struct writer out;

    writer_init(&out, OUT_MAX);
    assert_int_equal(run_once(m, function, key, in, VIEW_EMPTY, &out), CKR_OK);
    assert_true(writer_ok(&out));
    assert_view(writer_view(&out), expected);
    for (size_t i = 0; mechanism_row(m->type)->multi && i < ARRAY_COUNT(steps); i++) {
        writer_reset(&out);
        assert_int_equal(run_parts(m, function, key, in, steps[i], VIEW_EMPTY, &out), CKR_OK);
        assert_view(writer_view(&out), expected);
    }
    writer_clear(&out);
}

/* The same, where the answer was published: it counts as a vector of its mechanism. */
static inline void
assert_known(const struct mechanism *m, CK_FLAGS function, const struct algo_key *key, view in,
             view expected)
{
    assert_runs(m, function, key, in, expected);
    VECTOR(m->type);
}

/* A run that fails with this code and leaves nothing behind. */
static inline void
assert_refused(const struct mechanism *m, CK_FLAGS function, const struct algo_key *key, view in,
               view signature, CK_RV expected)
{
    struct writer out;

    writer_init(&out, OUT_MAX);
    write_u8(&out, 42);
    assert_int_equal(run_once(m, function, key, in, signature, &out), expected);
    assert_int_equal(out.len, 1);
    assert_int_equal(ERR_peek_error(), 0); /* TLS on the same thread would trip over it */
    writer_clear(&out);
}

#endif
