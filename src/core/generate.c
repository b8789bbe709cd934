/* SPDX-License-Identifier: Apache-2.0
 *
 * Key generation: rights and templates first, then the arithmetic, then both objects in one
 * transaction or none.
 */
#include "core/make.h"

#include <string.h>

#define RSA_STEP 256u /* seed-requirements C-8 */

static bool
source_fill(void *arg, void *bytes, size_t len)
{
    struct entropy *entropy = arg;

    return entropy->fill(entropy, bytes, len);
}

/* Is it 65537 or more? */
static bool
exponent_is_large(view exponent)
{
    uint32_t number = 0;

    for (size_t i = 0; i < exponent.len && number <= 65536; i++) {
        number = number << 8 | exponent.data[i];
    }
    return number > 65536;
}

/* Sizes that the policy and the curve table allow. PKCS #11 v3.1, 5.18.1 and 5.18.2. */
static CK_RV
size_check(const struct request *r, const struct mechanism_row *row, view template)
{
    const struct mechanism_limit *limit = mechanism_limit(r->rules, row);
    uint64_t size;
    view params, exponent;

    if (attributes_find(template, CKA_PUBLIC_EXPONENT, &exponent) &&
        !rules_switch_on(r->rules, SWITCH_small_exponents) && !exponent_is_large(exponent)) {
        return CKR_ATTRIBUTE_VALUE_INVALID;
    }
    if (attributes_ulong(template, CKA_VALUE_LEN, &size)) {
        size = row->unit == UNIT_BITS && size <= UINT32_MAX ? size * 8 : size;
        return size >= limit->min && size <= limit->max ? CKR_OK : CKR_KEY_SIZE_RANGE;
    }
    if (attributes_ulong(template, CKA_MODULUS_BITS, &size)) {
        return size >= limit->min && size <= limit->max && size % RSA_STEP == 0
                   ? CKR_OK
                   : CKR_KEY_SIZE_RANGE;
    }
    if (attributes_find(template, CKA_EC_PARAMS, &params)) {
        const struct curve_row *curve = curve_by_params(params);

        if (curve != NULL && (!curve_fits_generator(r->rules, curve, row) ||
                              (curve_functions(r->rules, curve) & CKF_GENERATE_KEY_PAIR) == 0)) {
            return CKR_CURVE_NOT_SUPPORTED;
        }
    }
    return CKR_OK;
}

/* Attributes of the list that are not there yet. */
static void
attributes_add(struct writer *out, view list)
{
    struct reader r = reader_of(list);
    struct attribute attribute;
    view there;

    while (attributes_next(&r, &attribute)) {
        if (!attributes_find(writer_view(out), attribute.type, &there)) {
            attribute_write(out, attribute.type, attribute.value);
        }
    }
}

/* A generic secret may be called by the name of its use; every other mechanism makes what it
 * makes. Kinds of several types leave that to us. */
static bool
type_agrees(const struct mechanism_row *row, uint64_t type, view template)
{
    uint64_t given;

    return !attributes_ulong(template, CKA_KEY_TYPE, &given) || given == type ||
           given == row->key_also || row->key_type == CKK_GENERIC_SECRET;
}

/* Checks the template, completes it, and says whether such an object may be. */
static CK_RV
part_begin(struct request *r, struct make *make, const struct mechanism_row *row, uint64_t type,
           view template)
{
    view there;
    CK_RV rv = template_check(r->rules, make->kind, ORIGIN_GENERATE, r->who.role == ROLE_CO,
                              template);

    if (rv != CKR_OK) {
        return rv;
    }
    if (!type_agrees(row, type, template)) {
        return CKR_TEMPLATE_INCONSISTENT;
    }
    make->mechanism = row->type;
    template_complete(r->rules, make->kind, ORIGIN_GENERATE, template, &make->attributes);
    if (!attributes_find(writer_view(&make->attributes), CKA_KEY_TYPE, &there)) {
        attribute_write_ulong(&make->attributes, CKA_KEY_TYPE, type);
    }
    return writer_ok(&make->attributes) ? make_allowed(r, writer_view(&make->attributes))
                                        : CKR_DEVICE_MEMORY;
}

/* The row, when the policy has it for this and the parameter is as it should be. */
static CK_RV
generator_find(const struct request *r, const struct mechanism *mechanism, CK_FLAGS function,
               const struct mechanism_row **ret_row)
{
    const struct mechanism_row *row = mechanism_for(r->rules, mechanism->type, function);

    if (row == NULL) {
        return CKR_MECHANISM_INVALID;
    }
    if (mechanism->shape != row->params) {
        return CKR_MECHANISM_PARAM_INVALID;
    }
    *ret_row = row;
    return params_check(r->rules, row, function, NULL, mechanism);
}

/* RSA is slow wherever it lands; quick keys wait for the store, or for nothing. */
static bool
generation_may(struct request *r, const struct mechanism_row *row, view template, view other)
{
    bool token = false;
    bool other_token = false;

    (void)attributes_bool(template, CKA_TOKEN, &token);
    (void)attributes_bool(other, CKA_TOKEN, &other_token);
    if (row->work != WORK_slow && (token || other_token)) {
        return request_may(r, PLACE_STORE);
    }
    return request_may_work(r, row->work);
}

/* The kind that the row makes. A key of a password may be of any type that the template names. */
static bool
kind_find(const struct mechanism_row *row, view template, enum object_kind *ret_kind)
{
    uint64_t type = row->key_type;

    if (row->params == PARAMS_pbkd2) {
        (void)attributes_ulong(template, CKA_KEY_TYPE, &type);
    }
    return kind_of(CKO_SECRET_KEY, type, ret_kind);
}

static CK_RV
password_key(const struct mechanism *mechanism, view template, struct make *make)
{
    struct writer value;
    uint64_t len, type = KEY_TYPE_NONE;
    CK_RV rv;

    (void)attributes_ulong(template, CKA_KEY_TYPE, &type);
    len = secret_len_fixed(type);
    (void)attributes_ulong(template, CKA_VALUE_LEN, &len); /* size_check() has seen it */
    writer_init(&value, (size_t)len);
    rv = algo_pbkdf2(&mechanism->params.pbkd2, (size_t)len, &value);
    if (rv == CKR_OK) {
        make_value(make, writer_view(&value));
        rv = writer_ok(&make->secrets) ? CKR_OK : CKR_DEVICE_MEMORY;
    }
    writer_clear(&value);
    return rv;
}

CK_RV
handle_GENERATE_KEY(struct request *r)
{
    struct generate_key_request m;
    const struct mechanism_row *row;
    enum object_kind kind;
    struct make make;
    struct make *const makes[] = { &make };
    struct writer unused;
    CK_RV rv;

    if (!generate_key_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    note_key(r, 0, m.mechanism.type);
    rv = generator_find(r, &m.mechanism, CKF_GENERATE, &row);
    if (rv != CKR_OK) {
        return rv;
    }
    if (!kind_find(row, m.template, &kind)) {
        return row->params == PARAMS_pbkd2 ? CKR_TEMPLATE_INCONSISTENT : CKR_MECHANISM_INVALID;
    }
    if (!generation_may(r, row, m.template, VIEW_EMPTY)) {
        return CODE_LATER;
    }
    make_init(&make, kind, ORIGIN_GENERATE, m.handle);
    writer_init(&unused, ATTRIBUTES_BYTES_MAX);
    if ((rv = part_begin(r, &make, row, row->key_type, m.template)) != CKR_OK ||
        (rv = size_check(r, row, m.template)) != CKR_OK) {
        goto out;
    }

    const struct algo_source source = { source_fill, r->hsm->ports.entropy };

    rv = row->params == PARAMS_pbkd2
             ? password_key(&m.mechanism, m.template, &make)
             : algo_generate(r->rules, row, m.template, source, &unused, &unused, &make.secrets);
    if (rv != CKR_OK ||
        (rv = make_finish(r, &make)) != CKR_OK || (rv = make_commit(r, makes, 1)) != CKR_OK) {
        goto out;
    }
out:
    writer_clear(&unused);
    make_clear(&make);
    return rv;
}

/* The type of key that the row makes; of one that makes several, the curve decides. */
static uint64_t
pair_type(const struct request *r, const struct mechanism_row *row, view template)
{
    const struct curve_row *curve = NULL;
    view params;

    if (attributes_find(template, CKA_EC_PARAMS, &params)) {
        curve = curve_by_params(params);
    }
    return curve != NULL && curve_fits_generator(r->rules, curve, row) ? curve->key_type
                                                                       : row->key_type;
}

CK_RV
handle_GENERATE_PAIR(struct request *r)
{
    struct generate_pair_request m;
    const struct mechanism_row *row;
    enum object_kind public_kind, private_kind;
    struct make public, private;
    struct make *const makes[] = { &public, &private };
    struct writer public_part, private_part;
    uint64_t type;
    CK_RV rv;

    if (!generate_pair_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    note_key(r, 0, m.mechanism.type);
    rv = generator_find(r, &m.mechanism, CKF_GENERATE_KEY_PAIR, &row);
    if (rv != CKR_OK) {
        return rv;
    }
    type = pair_type(r, row, m.public_template);
    if (!kind_of(CKO_PUBLIC_KEY, type, &public_kind) ||
        !kind_of(CKO_PRIVATE_KEY, type, &private_kind)) {
        return CKR_MECHANISM_INVALID;
    }
    if (!generation_may(r, row, m.public_template, m.private_template)) {
        return CODE_LATER;
    }
    make_init(&public, public_kind, ORIGIN_GENERATE, m.public_handle);
    make_init(&private, private_kind, ORIGIN_GENERATE, m.private_handle);
    writer_init(&public_part, ATTRIBUTES_BYTES_MAX);
    writer_init(&private_part, ATTRIBUTES_BYTES_MAX);
    if ((rv = part_begin(r, &public, row, type, m.public_template)) != CKR_OK ||
        (rv = part_begin(r, &private, row, type, m.private_template)) != CKR_OK ||
        (rv = size_check(r, row, m.public_template)) != CKR_OK) {
        goto out;
    }

    const struct algo_source source = { source_fill, r->hsm->ports.entropy };

    rv = algo_generate(r->rules, row, m.public_template, source, &public_part, &private_part,
                       &private.secrets);
    if (rv != CKR_OK) {
        goto out;
    }
    attributes_add(&public.attributes, writer_view(&public_part));
    attributes_add(&private.attributes, writer_view(&private_part));
    if (!writer_ok(&public.attributes) || !writer_ok(&private.attributes)) {
        rv = CKR_DEVICE_MEMORY;
        goto out;
    }
    if ((rv = make_finish(r, &public)) != CKR_OK ||
        (rv = make_finish(r, &private)) != CKR_OK || (rv = make_commit(r, makes, 2)) != CKR_OK) {
        goto out;
    }
out:
    writer_clear(&public_part);
    writer_clear(&private_part);
    make_clear(&public);
    make_clear(&private);
    return rv;
}
