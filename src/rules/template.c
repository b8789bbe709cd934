/* SPDX-License-Identifier: Apache-2.0
 *
 * The checks over templates, all from the USE rows of attributes.def. An attribute is judged
 * by itself first, in the order of the template; then the template as a whole.
 */
#include "rules/template.h"

#include <assert.h>
#include <string.h>

#define SECRET_no false
#define SECRET_yes true
/* true and false are macros of stdbool.h, so those words of the rows arrive as 1 and 0. */
#define DEFAULT_1 DEFAULT_true
#define DEFAULT_0 DEFAULT_false
#define ONLY_1 ONLY_true
#define ONLY_0 ONLY_false
#define WORDS(value, generated, set, only) \
    { DEFAULT_##value, DEFAULT_##generated, SET_##set, ONLY_##only }
#define RULE_STANDARD(value, generated, set) WORDS(value, generated, set, any)
#define RULE_AZURE(value, generated, set, only) WORDS(value, generated, set, only)
#define BIT(kind) (1u << KIND_##kind)

/*
 * { CKA_DERIVE, 1u << KIND_RSA_PUBLIC | ..., NEED_optional, NEED_optional, NEED_optional, false,
 *   { DEFAULT_false, DEFAULT_false, SET_yes, ONLY_any },
 *   { DEFAULT_false, DEFAULT_false, SET_yes, ONLY_false } }
 */
#define ATTRIBUTE(name, form, flag)
#define USE(name, kinds, create, generate, unwrap, secret, standard, azure)            \
    { CKA_##name, kinds, NEED_##create, NEED_##generate, NEED_##unwrap, SECRET_##secret, \
      RULE_STANDARD standard, RULE_AZURE azure },
static const struct use_row rows[] = {
#include "rules/attributes.def"
};
#undef ATTRIBUTE
#undef USE

const struct use_row *
use_row(enum object_kind kind, CK_ATTRIBUTE_TYPE type)
{
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        if (rows[i].type == type && (rows[i].kinds & 1u << kind) != 0) {
            return &rows[i];
        }
    }
    return NULL;
}

const struct use_row *
use_rows(size_t *ret_count)
{
    *ret_count = ARRAY_COUNT(rows);
    return rows;
}

const struct use_rule *
use_rule(struct rules rules, const struct use_row *row)
{
    return rules.policy == POLICY_STANDARD ? &row->standard : &row->azure;
}

bool
use_is_secret(enum object_kind kind, CK_ATTRIBUTE_TYPE type)
{
    const struct use_row *row = use_row(kind, type);

    return row != NULL && row->secret;
}

static enum attribute_need
need_of(const struct use_row *row, enum origin origin)
{
    switch (origin) {
    case ORIGIN_CREATE:
        return row->create;
    case ORIGIN_GENERATE:
        return row->generate;
    default:
        return row->unwrap;
    }
}

static bool
two_digits(const uint8_t *text, unsigned min, unsigned max)
{
    unsigned tens = (unsigned)text[0] - '0';
    unsigned ones = (unsigned)text[1] - '0';
    unsigned number = tens * 10 + ones;

    return tens <= 9 && ones <= 9 && number >= min && number <= max;
}

/* CK_DATE: year, month and day in digits; an unset date is empty. */
static bool
date_fits(view date)
{
    return date.len == 0 || (date.len == 8 && two_digits(date.data, 0, 99) &&
                             two_digits(date.data + 2, 0, 99) &&
                             two_digits(date.data + 4, 1, 12) && two_digits(date.data + 6, 1, 31));
}

static bool value_fits(const struct attribute_row *row, view value, unsigned depth);

static bool
template_fits(view list, unsigned depth)
{
    struct reader r = reader_of(list);
    struct attribute attribute;

    if (depth > ATTRIBUTES_DEPTH_MAX) {
        return false;
    }
    while (attributes_next(&r, &attribute)) {
        const struct attribute_row *row = attribute_row(attribute.type);

        if (row == NULL || attribute.status != ATTRIBUTE_PRESENT ||
            !value_fits(row, attribute.value, depth)) {
            return false;
        }
    }
    return reader_done(&r);
}

static bool
value_fits(const struct attribute_row *row, view value, unsigned depth)
{
    switch (row->form) {
    case FORM_BOOL:
        return value.len == 1 && value.data[0] <= 1;
    case FORM_ULONG:
        return value.len == sizeof(uint64_t);
    case FORM_NUMBER:
        return value.len > 0;
    case FORM_DATE:
        return date_fits(value);
    case FORM_MECHANISMS:
        return value.len % sizeof(uint64_t) == 0;
    case FORM_TEMPLATE:
        return template_fits(value, depth + 1);
    case FORM_BYTES:
        break;
    }
    return true;
}

CK_RV
template_check_value(const struct attribute_row *row, view value)
{
    return value_fits(row, value, 0) ? CKR_OK : CKR_ATTRIBUTE_VALUE_INVALID;
}

static bool
is_true(view value)
{
    return value.len == 1 && value.data[0] != 0;
}

/* The one value that a policy takes for an attribute, where it takes only one. */
static bool
only_fits(enum attribute_only only, view value)
{
    return only == ONLY_any || (only == ONLY_true) == is_true(value);
}

struct template_flags
template_flags(struct rules rules, enum object_kind kind)
{
    struct template_flags flags = { 0, 0 };

    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        const enum attribute_only only = use_rule(rules, &rows[i])->only;

        if ((rows[i].kinds & 1u << kind) != 0 && only != ONLY_any) {
            *(only == ONLY_true ? &flags.set : &flags.clear) |= attribute_row(rows[i].type)->flag;
        }
    }
    return flags;
}

bool
template_flags_fit(struct template_flags flags, uint32_t object_flags)
{
    return (object_flags & flags.set) == flags.set && (object_flags & flags.clear) == 0;
}

/* PKCS #11 v3.1, 4.1.1: the same value twice does no harm. */
static bool
is_repeated_alike(view template, const struct attribute *attribute)
{
    view first;

    return attributes_find(template, attribute->type, &first) &&
           view_equal(first, attribute->value);
}

/* Values of one list never start at the same place, not even empty ones. */
static bool
is_first(view template, const struct attribute *attribute)
{
    view first;

    return attributes_find(template, attribute->type, &first) &&
           first.data == attribute->value.data;
}

/* An attribute by itself, in a template that makes an object. */
static CK_RV
check_given(struct rules rules, enum object_kind kind, enum origin origin, bool is_co,
            view template, const struct attribute *attribute)
{
    const struct attribute_row *row = attribute_row(attribute->type);
    const struct use_row *use = use_row(kind, attribute->type);

    if (row == NULL) {
        return CKR_ATTRIBUTE_TYPE_INVALID;
    }
    if (use == NULL) {
        return CKR_TEMPLATE_INCONSISTENT;
    }
    if (need_of(use, origin) == NEED_forbidden) {
        return CKR_ATTRIBUTE_READ_ONLY;
    }
    if (attribute->status != ATTRIBUTE_PRESENT || !value_fits(row, attribute->value, 0)) {
        return CKR_ATTRIBUTE_VALUE_INVALID;
    }
    if (!only_fits(use_rule(rules, use)->only, attribute->value)) {
        return CKR_TEMPLATE_INCONSISTENT;
    }
    if (attribute->type == CKA_TRUSTED && is_true(attribute->value) && !is_co) {
        return CKR_ATTRIBUTE_READ_ONLY;
    }
    return is_repeated_alike(template, attribute) ? CKR_OK : CKR_TEMPLATE_INCONSISTENT;
}

static CK_RV
check_required(enum object_kind kind, enum origin origin, view template)
{
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        view value;

        if ((rows[i].kinds & 1u << kind) != 0 && need_of(&rows[i], origin) == NEED_required &&
            !attributes_find(template, rows[i].type, &value)) {
            return CKR_TEMPLATE_INCOMPLETE;
        }
    }
    return CKR_OK;
}

/* Do class and type, where they are given, say what the object is going to be? */
static bool
kind_agrees(enum object_kind kind, view template)
{
    CK_ATTRIBUTE_TYPE type = kind_is_key(kind) ? CKA_KEY_TYPE : CKA_CERTIFICATE_TYPE;
    enum object_kind given;
    uint64_t number;

    if (attributes_ulong(template, CKA_CLASS, &number) && number != kind_class(kind)) {
        return false;
    }
    return !attributes_ulong(template, type, &number) ||
           (kind_of(kind_class(kind), number, &given) && given == kind);
}

/* Of a secret key, whose type the template names or the kind has. */
static bool
value_len_fits(enum object_kind kind, view template)
{
    uint64_t type = kind_type(kind);
    uint64_t len;
    view value;

    if (kind_class(kind) != CKO_SECRET_KEY) {
        return true;
    }
    (void)attributes_ulong(template, CKA_KEY_TYPE, &type);
    return (!attributes_find(template, CKA_VALUE, &value) || secret_len_fits(type, value.len)) &&
           (!attributes_ulong(template, CKA_VALUE_LEN, &len) || secret_len_fits(type, len));
}

/* Keys that nothing can be done with are not taken in: of DES there are none in fips. */
static bool
type_is_offered(struct rules rules, enum object_kind kind, view template)
{
    uint64_t type;

    return kind_class(kind) != CKO_SECRET_KEY ||
           !attributes_ulong(template, CKA_KEY_TYPE, &type) || mechanism_offers_type(rules, type);
}

/* What the object has when the template says nothing. made counts as FALSE here. */
static bool
default_bool(struct rules rules, enum object_kind kind, enum origin origin, CK_ATTRIBUTE_TYPE type)
{
    const struct use_row *row = use_row(kind, type);

    if (row == NULL) {
        return false;
    }

    const struct use_rule *rule = use_rule(rules, row);

    return (origin == ORIGIN_GENERATE ? rule->generated : rule->value) == DEFAULT_true;
}

static bool
effective_bool(struct rules rules, enum object_kind kind, enum origin origin, view template,
               CK_ATTRIBUTE_TYPE type)
{
    bool value;

    return attributes_bool(template, type, &value) ? value
                                                   : default_bool(rules, kind, origin, type);
}

static CK_RV
check_consistent(struct rules rules, enum object_kind kind, enum origin origin, view template)
{
    /* PKCS #11 v3.1, 4.9: ALWAYS_AUTHENTICATE may only be TRUE on a private object. */
    if (effective_bool(rules, kind, origin, template, CKA_ALWAYS_AUTHENTICATE) &&
        !effective_bool(rules, kind, origin, template, CKA_PRIVATE)) {
        return CKR_TEMPLATE_INCONSISTENT;
    }
    if (!kind_agrees(kind, template)) {
        return CKR_TEMPLATE_INCONSISTENT;
    }
    return value_len_fits(kind, template) && type_is_offered(rules, kind, template)
               ? CKR_OK
               : CKR_ATTRIBUTE_VALUE_INVALID;
}

CK_RV
template_check(struct rules rules, enum object_kind kind, enum origin origin, bool is_co,
               view template)
{
    struct reader r = reader_of(template);
    struct attribute attribute;
    CK_RV rv;

    if (origin == ORIGIN_COPY) {
        return template_check_change(rules, kind, true, is_co, VIEW_EMPTY, template);
    }
    while (attributes_next(&r, &attribute)) {
        rv = check_given(rules, kind, origin, is_co, template, &attribute);
        if (rv != CKR_OK) {
            return rv;
        }
    }
    if ((rv = check_required(kind, origin, template)) != CKR_OK) {
        return rv;
    }
    return check_consistent(rules, kind, origin, template);
}

/* SIGN_RECOVER and VERIFY_RECOVER follow SIGN and VERIFY where the policy makes them. */
static CK_ATTRIBUTE_TYPE
made_from(CK_ATTRIBUTE_TYPE type)
{
    return type == CKA_SIGN_RECOVER ? CKA_SIGN : CKA_VERIFY;
}

static void
default_write(struct rules rules, enum object_kind kind, enum origin origin, view template,
              const struct use_row *row, struct writer *w)
{
    const struct use_rule *rule = use_rule(rules, row);

    switch (origin == ORIGIN_GENERATE ? rule->generated : rule->value) {
    case DEFAULT_none:
        break;
    case DEFAULT_empty:
        attribute_write(w, row->type, VIEW_EMPTY);
        break;
    case DEFAULT_false:
        attribute_write_bool(w, row->type, false);
        break;
    case DEFAULT_true:
        attribute_write_bool(w, row->type, true);
        break;
    case DEFAULT_zero:
        attribute_write_ulong(w, row->type, 0);
        break;
    case DEFAULT_sha1:
        attribute_write_ulong(w, row->type, CKM_SHA_1);
        break;
    case DEFAULT_made:
        if (row->type == CKA_SIGN_RECOVER || row->type == CKA_VERIFY_RECOVER) {
            attribute_write_bool(w, row->type, effective_bool(rules, kind, origin, template,
                                                              made_from(row->type)));
        }
        break;
    }
}

void
template_complete(struct rules rules, enum object_kind kind, enum origin origin, view template,
                  struct writer *w)
{
    struct reader r = reader_of(template);
    struct attribute attribute;
    view given;

    while (attributes_next(&r, &attribute)) {
        if (is_first(template, &attribute) && !use_is_secret(kind, attribute.type)) {
            attribute_write(w, attribute.type, attribute.value);
        }
    }
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        if ((rows[i].kinds & 1u << kind) != 0 && !rows[i].secret &&
            !attributes_find(template, rows[i].type, &given)) {
            default_write(rules, kind, origin, template, &rows[i], w);
        }
    }
}

/* PKCS #11 v3.1, 4.4: what a copy may have otherwise than its source, though it is fixed
 * from then on. */
static bool
copy_may_change(CK_ATTRIBUTE_TYPE type)
{
    return type == CKA_TOKEN || type == CKA_PRIVATE || type == CKA_MODIFIABLE ||
           type == CKA_DESTROYABLE;
}

/* May the attribute become that value? A one-way attribute that is absent may become either. */
static bool
may_set(const struct use_rule *rule, enum object_kind kind, bool copy, bool is_co, view current,
        const struct attribute *attribute)
{
    bool value = is_true(attribute->value);
    bool now = value;

    switch (rule->set) {
    case SET_yes:
        return true;
    case SET_up:
        return !attributes_bool(current, attribute->type, &now) || value || !now;
    case SET_down:
        return !attributes_bool(current, attribute->type, &now) || !value || now;
    case SET_co:
        /* Who may modify a certificate may say that it is not trusted. */
        return is_co || (kind == KIND_X509 && !value);
    case SET_no:
        break;
    }
    /* Deviation: PKCS #11 v3.1, 4.1.3 lets a copy be public whose source is private. */
    if (attribute->type == CKA_PRIVATE) {
        return copy && (!attributes_bool(current, attribute->type, &now) || value || !now);
    }
    return copy && copy_may_change(attribute->type);
}

static CK_RV
check_change(struct rules rules, enum object_kind kind, bool copy, bool is_co, view current,
             view changes, const struct attribute *attribute)
{
    const struct attribute_row *row = attribute_row(attribute->type);
    const struct use_row *use = use_row(kind, attribute->type);

    if (row == NULL) {
        return CKR_ATTRIBUTE_TYPE_INVALID;
    }
    if (use == NULL) {
        return CKR_TEMPLATE_INCONSISTENT;
    }

    const struct use_rule *rule = use_rule(rules, use);

    if (rule->set == SET_no && !(copy && copy_may_change(attribute->type))) {
        return CKR_ATTRIBUTE_READ_ONLY;
    }
    if (attribute->status != ATTRIBUTE_PRESENT || !value_fits(row, attribute->value, 0)) {
        return CKR_ATTRIBUTE_VALUE_INVALID;
    }
    if (!only_fits(rule->only, attribute->value)) {
        return CKR_TEMPLATE_INCONSISTENT;
    }
    if (!may_set(rule, kind, copy, is_co, current, attribute)) {
        return CKR_ATTRIBUTE_READ_ONLY;
    }
    return is_repeated_alike(changes, attribute) ? CKR_OK : CKR_TEMPLATE_INCONSISTENT;
}

/* PKCS #11 v3.1, 4.6: trusted certificates cannot be modified. Deviation: a crypto officer
 * may, who could not take the trust back otherwise. */
static bool
is_trusted_certificate(enum object_kind kind, view current)
{
    bool trusted;

    return kind == KIND_X509 && attributes_bool(current, CKA_TRUSTED, &trusted) && trusted;
}

CK_RV
template_check_change(struct rules rules, enum object_kind kind, bool copy, bool is_co,
                      view current, view changes)
{
    struct reader r = reader_of(changes);
    struct attribute attribute;
    CK_RV rv;

    while (attributes_next(&r, &attribute)) {
        rv = check_change(rules, kind, copy, is_co, current, changes, &attribute);
        if (rv != CKR_OK) {
            return rv;
        }
    }
    if (changes.len > 0 && !copy && !is_co && is_trusted_certificate(kind, current)) {
        return CKR_ATTRIBUTE_READ_ONLY;
    }
    if (!kind_agrees(kind, changes)) {
        return CKR_TEMPLATE_INCONSISTENT;
    }
    return CKR_OK;
}

bool
template_matches(view template, view attributes)
{
    struct reader r = reader_of(template);
    struct attribute wanted;
    view value;

    while (attributes_next(&r, &wanted)) {
        if (wanted.status != ATTRIBUTE_PRESENT ||
            !attributes_find(attributes, wanted.type, &value) || !view_equal(value, wanted.value)) {
            return false;
        }
    }
    return true;
}
