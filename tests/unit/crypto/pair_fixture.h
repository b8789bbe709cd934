/* SPDX-License-Identifier: Apache-2.0
 *
 * Key pairs: generated as the core does it, kept as attribute lists, so that a test can leave
 * out, replace or add one attribute and parse again.
 */
#ifndef TESTS_UNIT_CRYPTO_PAIR_FIXTURE_H
#define TESTS_UNIT_CRYPTO_PAIR_FIXTURE_H

#include "algo_fixture.h"

struct pair {
    struct writer public_part;  /* with the template */
    struct writer private_part;
    struct writer secrets;
    struct algo_key *public;
    struct algo_key *private;
};

static inline CK_RV
pair_generate(struct rules rules, CK_MECHANISM_TYPE type, view template, struct pair *pair)
{
    const struct algo_source none = { NULL, NULL };

    writer_init(&pair->public_part, ATTRIBUTES_BYTES_MAX);
    writer_init(&pair->private_part, ATTRIBUTES_BYTES_MAX);
    writer_init(&pair->secrets, ATTRIBUTES_BYTES_MAX);
    pair->public = NULL;
    pair->private = NULL;
    write_raw(&pair->public_part, template);
    return algo_generate(rules, mechanism_row(type), template, none, &pair->public_part,
                         &pair->private_part, &pair->secrets);
}

static inline void
pair_clear(struct pair *pair)
{
    writer_clear(&pair->public_part);
    writer_clear(&pair->private_part);
    writer_clear(&pair->secrets);
    algo_key_free(pair->public);
    algo_key_free(pair->private);
}

static inline void
pair_parse(struct pair *pair, enum object_kind public_kind, enum object_kind private_kind)
{
    assert_int_equal(algo_key_new(public_kind, writer_view(&pair->public_part), VIEW_EMPTY,
                                  &pair->public), CKR_OK);
    assert_int_equal(algo_key_new(private_kind, writer_view(&pair->private_part),
                                  writer_view(&pair->secrets), &pair->private), CKR_OK);
}

static inline void
rsa_pair(struct pair *pair, uint64_t bits)
{
    struct writer template;

    writer_init(&template, 100);
    attribute_write_ulong(&template, CKA_MODULUS_BITS, bits);
    assert_int_equal(pair_generate(standard, CKM_RSA_PKCS_KEY_PAIR_GEN, writer_view(&template),
                                   pair), CKR_OK);
    writer_clear(&template);
    pair_parse(pair, KIND_RSA_PUBLIC, KIND_RSA_PRIVATE);
}

/* False when this build of the library has no such curve, or it is for keys of another type. */
static inline bool
ec_pair(struct pair *pair, const struct curve_row *curve)
{
    struct writer template;
    CK_RV rv;

    if (curve->key_type != CKK_EC) {
        return false;
    }
    writer_init(&template, 100);
    attribute_write(&template, CKA_EC_PARAMS, view_of(curve->oid, curve->oid_len));
    rv = pair_generate(standard, CKM_EC_KEY_PAIR_GEN, writer_view(&template), pair);
    writer_clear(&template);
    if (rv == CKR_CURVE_NOT_SUPPORTED) {
        pair_clear(pair);
        print_message("skipped: the library has no %s\n", curve->name);
        return false;
    }
    assert_int_equal(rv, CKR_OK);
    pair_parse(pair, KIND_EC_PUBLIC, KIND_EC_PRIVATE);
    return true;
}

/* The list without that attribute, or with another value for it when it has data. */
static inline view
list_change(view list, CK_ATTRIBUTE_TYPE type, view value)
{
    static uint8_t memory[4][32768];
    static size_t next;
    struct reader r = reader_of(list);
    struct attribute attribute;
    struct writer w;

    writer_init_fixed(&w, memory[next++ % 4], sizeof memory[0]);
    while (attributes_next(&r, &attribute)) {
        if (attribute.type != type) {
            attribute_write(&w, attribute.type, attribute.value);
        }
    }
    if (value.data != NULL) {
        attribute_write(&w, type, value);
    }
    assert_true(writer_ok(&w));
    return writer_view(&w);
}

static inline view
list_value(view list, CK_ATTRIBUTE_TYPE type)
{
    view value = VIEW_EMPTY;

    assert_true(attributes_find(list, type, &value));
    return value;
}

/* The code that parsing these gives; the key, if any, is freed. */
static inline CK_RV
parse(enum object_kind kind, view attributes, view secrets)
{
    struct algo_key *key = NULL;
    CK_RV rv = algo_key_new(kind, attributes, secrets, &key);

    assert_true((rv == CKR_OK) == (key != NULL));
    assert_int_equal(ERR_peek_error(), 0);
    algo_key_free(key);
    return rv;
}

#endif
