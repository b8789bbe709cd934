/* SPDX-License-Identifier: Apache-2.0
 *
 * C_DeriveKey: the base key's right to it, the template with what the standard and the base
 * key add to it, the arithmetic, then all new keys in one transaction or none.
 */
#include "core/make.h"
#include "rules/derivation.h"

#include <string.h>

#define DERIVED_MAX 3072u /* bytes of a key: seed-requirements C-10 */

/* What a request works with. */
struct derivation {
    struct derive_request m;
    const struct mechanism_row *row;
    const struct derivation_row *rule;
    struct object *base;  /* held */
    struct object *others[PARAMS_KEYS_MAX]; /* held: further keys that the parameter names */
    size_t other_count;
    struct make makes[MAKE_MAX];
    size_t lens[MAKE_MAX]; /* of their values; 0: as many bytes as there are */
    size_t count;          /* of keys to make */
    struct writer value;   /* all of them, one after the other, and what comes beside them */
    size_t used;           /* of that, by keys */
};

static void
derivation_init(struct derivation *d)
{
    memset(d, 0, sizeof *d);
    writer_init(&d->value, MAKE_MAX * DERIVED_MAX);
}

static void
derivation_clear(struct derivation *d)
{
    for (size_t i = 0; i < d->count; i++) {
        make_clear(&d->makes[i]);
    }
    writer_clear(&d->value);
    object_unref(d->base);
    for (size_t i = 0; i < d->other_count; i++) {
        object_unref(d->others[i]);
    }
    wipe(d, sizeof *d);
}

/* PKCS #11 v3.1, 5.18.5: the mechanism, then the base key. */
static CK_RV
base_take(struct request *r, struct derivation *d)
{
    const struct mechanism *mechanism = &d->m.mechanism;
    CK_RV rv;

    d->row = mechanism_for(r->rules, mechanism->type, CKF_DERIVE);
    d->rule = derivation_row(mechanism->type);
    if (d->row == NULL || d->rule == NULL) {
        return CKR_MECHANISM_INVALID;
    }
    d->base = request_object(r, d->m.key);
    if (d->base == NULL || !kind_is_key(d->base->kind)) {
        return CKR_KEY_HANDLE_INVALID;
    }
    if (mechanism->shape != d->row->params) {
        return CKR_MECHANISM_PARAM_INVALID;
    }
    rv = request_key_check(r, d->row, CKF_DERIVE, mechanism->type, d->base);
    if (rv != CKR_OK) {
        return rv;
    }
    return params_check(r->rules, d->row, CKF_DERIVE, &d->base->info, mechanism);
}

/* A further key has to be one that may derive, too. */
static CK_RV
other_check(struct request *r, const struct object *other)
{
    if (other == NULL || !kind_is_key(other->kind)) {
        return CKR_KEY_HANDLE_INVALID;
    }
    if (kind_class(other->kind) != CKO_SECRET_KEY) {
        return CKR_KEY_TYPE_INCONSISTENT;
    }
    return (other->info.flags & KEY_FLAG_DERIVE) != 0 && request_key_is_valid(r, other)
               ? CKR_OK
               : CKR_KEY_FUNCTION_NOT_PERMITTED;
}

static CK_RV
others_take(struct request *r, struct derivation *d)
{
    CK_RV rv = CKR_OK;

    for (uint32_t handle; rv == CKR_OK && d->other_count < PARAMS_KEYS_MAX &&
                          (handle = params_other_key(&d->m.mechanism, d->other_count)) != 0;) {
        struct object *other = request_object(r, handle);

        d->others[d->other_count++] = other;
        rv = other_check(r, other);
    }
    return rv;
}

/* The kind of what is derived: of the rule's class, and the type that the template or the rule
 * says. */
static CK_RV
kind_find(const struct derivation *d, view template, enum object_kind *ret_kind)
{
    uint64_t class = d->rule->class;
    uint64_t type = d->rule->key_type;
    view value;

    if (attributes_find(template, CKA_CLASS, &value) &&
        !attributes_ulong(template, CKA_CLASS, &class)) {
        return CKR_ATTRIBUTE_VALUE_INVALID;
    }
    if (class != d->rule->class) {
        return CKR_TEMPLATE_INCONSISTENT;
    }
    if (class == CKO_DATA) {
        *ret_kind = KIND_DATA;
        return CKR_OK;
    }
    if (attributes_find(template, CKA_KEY_TYPE, &value)) {
        if (!attributes_ulong(template, CKA_KEY_TYPE, &type)) {
            return CKR_ATTRIBUTE_VALUE_INVALID;
        }
    } else if (type == KEY_TYPE_NONE) {
        return CKR_TEMPLATE_INCOMPLETE;
    }
    return kind_of(class, type, ret_kind) ? CKR_OK : CKR_ATTRIBUTE_VALUE_INVALID;
}

/* A data object has no length of its own to be told; how long it is to be is said by one. */
static void
given_write(const struct derivation *d, view given, struct writer *template)
{
    struct reader r = reader_of(given);
    struct attribute attribute;

    while (attributes_next(&r, &attribute)) {
        if (d->rule->class != CKO_DATA || attribute.type != CKA_VALUE_LEN) {
            attribute_write(template, attribute.type, attribute.value);
        }
    }
}

/* PKCS #11 v3.1, 6.40.4: what a TLS master secret is for. That it may derive is our default:
 * it is good for nothing else. */
static void
master_fill(struct writer *template)
{
    static const CK_MECHANISM_TYPE uses[] = {
        CKM_TLS12_KEY_AND_MAC_DERIVE, CKM_TLS12_KEY_SAFE_DERIVE, CKM_TLS_KDF, CKM_TLS_MAC,
        CKM_TLS12_KDF, CKM_TLS12_MAC,
    };
    uint8_t list[8 * ARRAY_COUNT(uses)];
    view there;

    for (size_t i = 0; i < ARRAY_COUNT(uses); i++) {
        store_u64(list + 8 * i, uses[i]);
    }
    if (!attributes_find(writer_view(template), CKA_ALLOWED_MECHANISMS, &there)) {
        attribute_write(template, CKA_ALLOWED_MECHANISMS, view_of(list, sizeof list));
    }
    if (!attributes_find(writer_view(template), CKA_DERIVE, &there)) {
        attribute_write_bool(template, CKA_DERIVE, true);
    }
}

/* The template that counts: the caller's, the base key's CKA_DERIVE_TEMPLATE, and what the
 * mechanism contributes. */
static CK_RV
template_fill(const struct derivation *d, view given, struct writer *template)
{
    uint32_t all = d->base->info.flags, any = all;
    view more;
    CK_RV rv;

    for (size_t i = 0; i < d->other_count; i++) {
        all &= d->others[i]->info.flags;
        any |= d->others[i]->info.flags;
    }
    given_write(d, given, template);
    if (attributes_find(object_attributes(d->base), CKA_DERIVE_TEMPLATE, &more) &&
        (rv = template_merge(more, template)) != CKR_OK) {
        return rv;
    }
    if (d->row->driver == DRIVER_tls && d->rule->length != 0) {
        master_fill(template);
    }
    rv = heritage_apply(d->rule->heritage, all, any, template);
    if (rv == CKR_OK && !attributes_find(writer_view(template), CKA_KEY_TYPE, &more) &&
        d->rule->key_type != KEY_TYPE_NONE) {
        attribute_write_ulong(template, CKA_KEY_TYPE, d->rule->key_type);
    }
    return rv != CKR_OK || writer_ok(template) ? rv : CKR_DEVICE_MEMORY;
}

/* How many bytes the template wants. A type with several lengths has to say which. */
static CK_RV
len_find(const struct derivation *d, view template, view given, size_t *ret_len)
{
    uint64_t len = d->rule->length;
    uint64_t type = KEY_TYPE_NONE;

    (void)attributes_ulong(template, CKA_KEY_TYPE, &type);
    if (secret_len_fixed(type) != 0) {
        len = secret_len_fixed(type);
    } else if (!attributes_ulong(given, CKA_VALUE_LEN, &len) && len == 0 &&
               secret_row(type) != NULL) {
        return CKR_TEMPLATE_INCOMPLETE;
    }
    if (len > DERIVED_MAX) {
        return CKR_KEY_SIZE_RANGE;
    }
    *ret_len = (size_t)len;
    return CKR_OK;
}

/* What the key is made of: of further keys it counts where they are joined. */
static void
history_set(const struct derivation *d, struct make *make)
{
    uint32_t flags = d->base->info.flags;

    for (size_t i = 0; d->rule->heritage == HERITAGE_joined && i < d->other_count; i++) {
        flags &= d->others[i]->info.flags;
    }
    make->always_sensitive = (flags & KEY_FLAG_ALWAYS_SENSITIVE) != 0;
    make->never_extractable = (flags & KEY_FLAG_NEVER_EXTRACTABLE) != 0;
}

/* One key more, of this template, with that handle. */
static CK_RV
key_add(struct request *r, struct derivation *d, view given, uint32_t handle)
{
    struct make *make = &d->makes[d->count];
    struct writer template;
    enum object_kind kind;
    size_t len;
    CK_RV rv;

    writer_init(&template, ATTRIBUTES_BYTES_MAX);
    if ((rv = kind_find(d, given, &kind)) != CKR_OK ||
        (rv = template_fill(d, given, &template)) != CKR_OK ||
        (rv = template_check(r->rules, kind, ORIGIN_DERIVE, r->who.role == ROLE_CO,
                             writer_view(&template))) != CKR_OK ||
        (rv = len_find(d, writer_view(&template), given, &len)) != CKR_OK) {
        goto out;
    }
    make_init(make, kind, ORIGIN_DERIVE, handle);
    d->lens[d->count++] = len;
    history_set(d, make);
    template_complete(r->rules, kind, ORIGIN_DERIVE, writer_view(&template), &make->attributes);
    rv = writer_ok(&make->attributes) ? make_allowed(r, writer_view(&make->attributes))
                                      : CKR_DEVICE_MEMORY;
out:
    writer_clear(&template);
    return rv;
}

/* May the parameter of the mechanism name more keys than one? PKCS #11 v3.1, 6.42.2. */
static bool
makes_more(const struct derivation *d)
{
    return d->row->params == PARAMS_kbkdf || d->row->params == PARAMS_feedback;
}

/* What the caller's template says of a key whatever it is for. */
static bool
is_of_any_key(CK_ATTRIBUTE_TYPE type)
{
    return type == CKA_TOKEN || type == CKA_PRIVATE || type == CKA_SENSITIVE ||
           type == CKA_EXTRACTABLE || type == CKA_MODIFIABLE || type == CKA_COPYABLE ||
           type == CKA_DESTROYABLE;
}

/* The template of a key of a TLS connection: a MAC key's has no type and use of its own. */
static void
tls_template(view given, bool mac, size_t len, struct writer *w)
{
    struct reader r = reader_of(given);
    struct attribute attribute;
    view there;

    while (attributes_next(&r, &attribute)) {
        if (!mac || is_of_any_key(attribute.type)) {
            attribute_write(w, attribute.type, attribute.value);
        }
    }
    if (mac) {
        attribute_write_ulong(w, CKA_KEY_TYPE, CKK_GENERIC_SECRET);
        attribute_write_bool(w, CKA_SIGN, true);
        attribute_write_bool(w, CKA_VERIFY, true);
    }
    if (!attributes_find(writer_view(w), CKA_VALUE_LEN, &there)) {
        attribute_write_ulong(w, CKA_VALUE_LEN, len);
    }
}

/* PKCS #11 v3.1, 6.40.7: MAC keys of client and server, then their keys; each where the
 * parameter gives it a size. */
static CK_RV
tls_keys_add(struct request *r, struct derivation *d)
{
    const struct params_tls_keys *params = &d->m.mechanism.params.tls_keys;
    const size_t lens[] = { params->mac_bits / 8, params->mac_bits / 8, params->key_bits / 8,
                            params->key_bits / 8 };
    size_t handles = number_array_count(d->m.handles);
    CK_RV rv = CKR_OK;

    for (size_t i = 0; i < ARRAY_COUNT(lens) && rv == CKR_OK; i++) {
        struct writer template;

        if (lens[i] == 0) {
            continue;
        }
        if (d->count == handles) {
            return CODE_BAD_FRAME;
        }
        writer_init(&template, ATTRIBUTES_BYTES_MAX);
        tls_template(d->m.template, i < 2, lens[i], &template);
        rv = writer_ok(&template) ? key_add(r, d, writer_view(&template),
                                            number_array_get(d->m.handles, d->count))
                                  : CKR_DEVICE_MEMORY;
        if (rv == CKR_OK && d->lens[d->count - 1] != lens[i]) {
            rv = CKR_TEMPLATE_INCONSISTENT; /* another VALUE_LEN than the parameter's */
        }
        writer_clear(&template);
    }
    return rv == CKR_OK && (d->count != handles || d->m.more.len > 0) ? CODE_BAD_FRAME : rv;
}

/* All keys: the one of the template, then those of the further ones. */
static CK_RV
keys_add(struct request *r, struct derivation *d)
{
    size_t handles = number_array_count(d->m.handles);
    struct reader more = reader_of(d->m.more);
    struct attribute attribute;
    CK_RV rv;

    if (d->row->params == PARAMS_tls_keys) {
        return tls_keys_add(r, d);
    }
    if (handles != 1 + attributes_count(d->m.more) || handles > MAKE_MAX ||
        (handles > 1 && !makes_more(d))) {
        return CODE_BAD_FRAME;
    }
    rv = key_add(r, d, d->m.template, number_array_get(d->m.handles, 0));
    while (rv == CKR_OK && attributes_next(&more, &attribute)) {
        rv = attribute.type == CKA_DERIVE_TEMPLATE
                 ? key_add(r, d, attribute.value, number_array_get(d->m.handles, d->count))
                 : CODE_BAD_FRAME;
    }
    return rv;
}

/* A token key waits for the store; others go where the arithmetic may run. */
static bool
derivation_may(struct request *r, const struct derivation *d)
{
    bool any = false;

    for (size_t i = 0; i < d->count; i++) {
        bool token = false;

        (void)attributes_bool(writer_view(&d->makes[i].attributes), CKA_TOKEN, &token);
        any = any || token;
    }
    return any ? request_may(r, PLACE_STORE)
               : request_may_work(r, mechanism_work(d->row, CKF_DERIVE, &d->base->info));
}

static CK_RV
value_derive(struct request *r, struct derivation *d)
{
    struct algo_derivation derivation = { .row = d->row,
                                          .mechanism = &d->m.mechanism,
                                          .count = d->count };
    CK_RV rv = request_key_of(r, d->base, &derivation.base);

    for (size_t i = 0; rv == CKR_OK && i < d->other_count; i++) {
        rv = request_key_of(r, d->others[i], &derivation.others[i]);
    }
    if (rv != CKR_OK) {
        return rv;
    }
    memcpy(derivation.lens, d->lens, sizeof derivation.lens);
    rv = algo_derive(r->rules, &derivation, &d->value);
    return rv == CKR_OK && d->value.len == 0 ? CKR_FUNCTION_FAILED : rv;
}

/* The value of a data object is no secret; that it is empty was said before it was known. */
static void
value_set(struct make *make, view value)
{
    struct reader r = reader_of(writer_view(&make->attributes));
    struct attribute attribute;
    struct writer rest;

    if (make->kind != KIND_DATA) {
        make_value(make, value);
        return;
    }
    writer_init(&rest, ATTRIBUTES_BYTES_MAX);
    while (attributes_next(&r, &attribute)) {
        if (attribute.type != CKA_VALUE) {
            attribute_write(&rest, attribute.type, attribute.value);
        }
    }
    attribute_write(&rest, CKA_VALUE, value);
    writer_clear(&make->attributes);
    make->attributes = rest;
}

/* Each key gets its part of the bytes; one that named no length gets all. */
static CK_RV
values_share(struct request *r, struct derivation *d)
{
    view value = writer_view(&d->value);
    size_t at = 0;
    CK_RV rv = CKR_OK;

    for (size_t i = 0; i < d->count && rv == CKR_OK; i++) {
        size_t len = d->lens[i] == 0 ? value.len : d->lens[i];

        value_set(&d->makes[i], view_slice(value, at, len));
        at += len;
        d->used = at;
        rv = writer_ok(&d->makes[i].secrets) && writer_ok(&d->makes[i].attributes)
                 ? make_finish(r, &d->makes[i])
                 : CKR_DEVICE_MEMORY;
    }
    return rv;
}

static CK_RV
keys_commit(struct request *r, struct derivation *d)
{
    struct make *makes[MAKE_MAX];

    for (size_t i = 0; i < d->count; i++) {
        makes[i] = &d->makes[i];
    }
    note_detail(r, "base=%u", (unsigned)d->base->handle);
    write_bytes(r->reply, view_slice(writer_view(&d->value), d->used, d->value.len));
    return make_commit(r, makes, d->count);
}

CK_RV
handle_DERIVE(struct request *r)
{
    struct derivation d;
    CK_RV rv;

    derivation_init(&d);
    if (!derive_request_read(r->body, &d.m)) {
        return CODE_BAD_FRAME;
    }
    note_key(r, d.m.key, d.m.mechanism.type);
    if ((rv = base_take(r, &d)) != CKR_OK || (rv = others_take(r, &d)) != CKR_OK ||
        (rv = keys_add(r, &d)) != CKR_OK) {
        goto out;
    }
    if (!derivation_may(r, &d)) {
        rv = CODE_LATER;
        goto out;
    }
    if ((rv = value_derive(r, &d)) != CKR_OK || (rv = values_share(r, &d)) != CKR_OK) {
        goto out;
    }
    rv = keys_commit(r, &d);
out:
    derivation_clear(&d);
    return rv;
}
