/* SPDX-License-Identifier: Apache-2.0
 *
 * C_WrapKey and C_UnwrapKey: a key's value, or a private key as PrivateKeyInfo, encrypted by
 * another key; and back, as an object that the template and the unwrapping key's UNWRAP_TEMPLATE
 * describe.
 */
#include "core/make.h"
#include "rules/derivation.h"
#include "rules/wrapping.h"

#define MATERIAL_MAX 65536u /* of a key, encoded and filled up */

/* The key that wraps or unwraps, and how. */
struct wrapper {
    const struct mechanism_row *row;
    const struct wrapping_row *rule;
    struct object *object; /* held */
    const struct algo_key *key;
};

static CK_RV
wrapper_take(struct request *r, CK_FLAGS function, const struct mechanism *mechanism,
             uint32_t handle, struct wrapper *wrapper)
{
    const CK_FLAGS as = function == CKF_WRAP ? CKF_ENCRYPT : CKF_DECRYPT;
    CK_RV rv;

    wrapper->row = mechanism_for(r->rules, mechanism->type, function);
    wrapper->rule = wrapper->row == NULL ? NULL : wrapping_row(wrapper->row->type);
    if (wrapper->rule == NULL) {
        return CKR_MECHANISM_INVALID;
    }
    wrapper->object = request_object(r, handle);
    if (wrapper->object == NULL || !kind_is_key(wrapper->object->kind)) {
        return wrapping_code(function, CKR_KEY_HANDLE_INVALID);
    }
    if (mechanism->shape != wrapper->row->params) {
        return CKR_MECHANISM_PARAM_INVALID;
    }
    rv = wrapping_code(function, request_key_check(r, wrapper->row, function, mechanism->type,
                                                   wrapper->object));
    if (rv != CKR_OK) {
        return rv;
    }
    return params_check(r->rules, wrapper->row, as, &wrapper->object->info, mechanism);
}

/* ---- wrap ---- */

/* Does the key have all that the wrapping key's WRAP_TEMPLATE names? */
static bool
wrap_template_fits(const struct object *wrapping, const struct object *key)
{
    struct attribute wanted;
    struct reader r;
    view template, value;

    if (!attributes_find(object_attributes(wrapping), CKA_WRAP_TEMPLATE, &template)) {
        return true;
    }
    r = reader_of(template);
    while (attributes_next(&r, &wanted)) {
        if (!attributes_find(object_attributes(key), wanted.type, &value) ||
            !view_equal(value, wanted.value)) {
            return false;
        }
    }
    return true;
}

static CK_RV
wrapped_check(struct request *r, const struct wrapper *wrapper, const struct object *key)
{
    CK_RV rv;

    if (key == NULL || !kind_is_key(key->kind)) {
        return CKR_KEY_HANDLE_INVALID;
    }
    rv = wrapped_key_check(wrapper->rule, &wrapper->object->info, &key->info);
    if (rv != CKR_OK) {
        return rv;
    }
    if (!object_fits_policy(r->hsm, key)) {
        return CKR_KEY_NOT_WRAPPABLE;
    }
    if (rules_switch_on(r->rules, SWITCH_owner_wraps) && key->owner != r->who.user) {
        return CKR_KEY_NOT_WRAPPABLE;
    }
    return wrap_template_fits(wrapper->object, key) ? CKR_OK : CKR_KEY_HANDLE_INVALID;
}

/* The bytes that are encrypted. */
static CK_RV
material_read(struct request *r, struct object *key, size_t zeros, struct writer *material)
{
    const struct algo_key *parsed;
    struct writer secrets;
    view value;
    CK_RV rv;

    if (key->info.class == CKO_PRIVATE_KEY) {
        rv = request_key_of(r, key, &parsed);
        rv = rv == CKR_OK ? algo_key_encode(parsed, material) : rv;
    } else {
        writer_init(&secrets, ATTRIBUTES_BYTES_MAX);
        rv = object_open_secrets(object_sealer(r->hsm, key->handle), key, &secrets);
        if (rv == CKR_OK && attributes_find(writer_view(&secrets), CKA_VALUE, &value)) {
            write_raw(material, value);
        }
        writer_clear(&secrets);
    }
    while (rv == CKR_OK && material->len % zeros != 0) {
        write_u8(material, 0);
    }
    return rv != CKR_OK || writer_ok(material) ? rv : CKR_DEVICE_MEMORY;
}

/* The reply: the IV that was made, and the blob; or the room that it needs. */
static CK_RV
blob_write(struct request *r, const struct wrapper *wrapper, struct wrap_request *m,
           const struct object *key, view material)
{
    struct wrap_reply answer;
    struct writer blob;
    uint8_t room[12];
    CK_RV rv;

    UNUSED(key);
    writer_init(&blob, FRAME_DATA_MAX);
    rv = request_iv(r, CKF_WRAP, &m->mechanism, room, &answer.iv);
    if (rv == CKR_OK) {
        rv = wrapping_code(CKF_WRAP,
                           algo_once(r->rules, wrapper->row, CKF_ENCRYPT, &m->mechanism,
                                     wrapper->key, material, VIEW_EMPTY, &blob));
    }
    if (rv == CKR_OK && !writer_ok(&blob)) {
        rv = CKR_DEVICE_MEMORY;
    }
    if (rv == CKR_OK && blob.len > m->max) {
        write_u32(r->reply, (uint32_t)blob.len);
        rv = CKR_BUFFER_TOO_SMALL;
    } else if (rv == CKR_OK) {
        answer.data = writer_view(&blob);
        wrap_reply_write(r->reply, &answer);
    }
    writer_clear(&blob);
    return rv;
}

CK_RV
handle_WRAP(struct request *r)
{
    struct wrapper wrapper = { .row = NULL };
    struct wrap_request m;
    struct object *key = NULL;
    struct writer material;
    CK_RV rv;

    if (!wrap_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    note_key(r, m.key, m.mechanism.type);
    writer_init(&material, MATERIAL_MAX);
    if ((rv = wrapper_take(r, CKF_WRAP, &m.mechanism, m.wrapping, &wrapper)) != CKR_OK) {
        goto out;
    }
    key = request_object(r, m.key);
    if ((rv = wrapped_check(r, &wrapper, key)) != CKR_OK) {
        goto out;
    }
    if (!request_may_work(r, mechanism_work(wrapper.row, CKF_WRAP, &wrapper.object->info))) {
        rv = CODE_LATER;
        goto out;
    }
    note_detail(r, "by=%u", (unsigned)m.wrapping);
    if ((rv = request_key_of(r, wrapper.object, &wrapper.key)) == CKR_OK &&
        (rv = material_read(r, key, wrapper.rule->zeros, &material)) == CKR_OK) {
        rv = blob_write(r, &wrapper, &m, key, writer_view(&material));
    }
out:
    writer_clear(&material);
    object_unref(key);
    object_unref(wrapper.object);
    return rv;
}

/* ---- unwrap ---- */

/* The kind that the template describes. */
static CK_RV
kind_find(const struct wrapping_row *rule, view template, enum object_kind *ret_kind)
{
    uint64_t class = CKO_SECRET_KEY;
    uint64_t type;
    view value;

    if (attributes_find(template, CKA_CLASS, &value)) {
        if (!attributes_ulong(template, CKA_CLASS, &class)) {
            return CKR_ATTRIBUTE_VALUE_INVALID;
        }
    } else if (!rule->class_given) {
        return CKR_TEMPLATE_INCOMPLETE;
    }
    if (!attributes_find(template, CKA_KEY_TYPE, &value)) {
        return CKR_TEMPLATE_INCOMPLETE;
    }
    if (!attributes_ulong(template, CKA_KEY_TYPE, &type)) {
        return CKR_ATTRIBUTE_VALUE_INVALID;
    }
    if ((class != CKO_SECRET_KEY && class != CKO_PRIVATE_KEY) ||
        (class == CKO_PRIVATE_KEY && !rule->any_key)) {
        return CKR_TEMPLATE_INCONSISTENT;
    }
    return kind_of(class, type, ret_kind) ? CKR_OK : CKR_ATTRIBUTE_VALUE_INVALID;
}

/* The template that counts: the caller's and the unwrapping key's UNWRAP_TEMPLATE, which nobody
 * can override; both complete. */
static CK_RV
template_make(struct request *r, const struct wrapper *wrapper, const struct unwrap_request *m,
              struct make *make, uint64_t *ret_len)
{
    struct writer template;
    enum object_kind kind;
    uint64_t type = KEY_TYPE_NONE;
    view more;
    CK_RV rv;

    writer_init(&template, ATTRIBUTES_BYTES_MAX);
    write_raw(&template, m->template);
    if (attributes_find(object_attributes(wrapper->object), CKA_UNWRAP_TEMPLATE, &more) &&
        (rv = template_merge(more, &template)) != CKR_OK) {
        goto out;
    }
    if ((rv = kind_find(wrapper->rule, writer_view(&template), &kind)) != CKR_OK ||
        (rv = template_check(r->rules, kind, ORIGIN_UNWRAP, r->who.role == ROLE_CO,
                             writer_view(&template))) != CKR_OK) {
        goto out;
    }
    make_init(make, kind, ORIGIN_UNWRAP, m->handle);
    (void)attributes_ulong(writer_view(&template), CKA_KEY_TYPE, &type);
    *ret_len = kind_class(kind) == CKO_SECRET_KEY ? secret_len_fixed(type) : 0;
    (void)attributes_ulong(writer_view(&template), CKA_VALUE_LEN, ret_len);
    if (wrapper->row->out == OUT_raw && *ret_len == 0) {
        rv = CKR_TEMPLATE_INCOMPLETE;
        goto out;
    }
    template_complete(r->rules, kind, ORIGIN_UNWRAP, writer_view(&template), &make->attributes);
    rv = writer_ok(&make->attributes) ? make_allowed(r, writer_view(&make->attributes))
                                      : CKR_DEVICE_MEMORY;
out:
    writer_clear(&template);
    return rv;
}

/* The secret value: what is over the length that the template names has to be the zeros that the
 * key was filled up with. Of raw RSA the end is taken (PKCS #11 v3.1, 6.1.13). */
static CK_RV
value_cut(const struct wrapper *wrapper, uint64_t len, view material, view *ret_value)
{
    if (wrapper->row->out == OUT_raw && len <= material.len) {
        *ret_value = view_slice(material, material.len - (size_t)len, (size_t)len);
        return CKR_OK;
    }
    if (len == 0) {
        *ret_value = material;
        return CKR_OK;
    }
    if (len > material.len || material.len - len >= wrapper->rule->zeros) {
        return CKR_WRAPPED_KEY_LEN_RANGE;
    }
    for (size_t i = len; i < material.len; i++) {
        if (material.data[i] != 0) {
            return CKR_WRAPPED_KEY_INVALID;
        }
    }
    *ret_value = view_slice(material, 0, (size_t)len);
    return CKR_OK;
}

/* What is no such key is told in one way, whatever is wrong with it. */
static CK_RV
material_code(CK_RV rv)
{
    switch (rv) {
    case CKR_OK:
    case CKR_DEVICE_MEMORY:
    case CKR_HOST_MEMORY:
    case CKR_FUNCTION_FAILED:
    case CKR_WRAPPED_KEY_LEN_RANGE:
        return rv;
    default:
        return CKR_WRAPPED_KEY_INVALID;
    }
}

static CK_RV
material_take(struct request *r, const struct wrapper *wrapper, uint64_t len, view material,
              struct make *make)
{
    view value;
    CK_RV rv;

    if (kind_class(make->kind) == CKO_PRIVATE_KEY) {
        rv = algo_key_decode(make->kind, material, wrapper->rule->zeros > 1, &make->attributes,
                             &make->secrets);
    } else if ((rv = value_cut(wrapper, len, material, &value)) == CKR_OK) {
        attribute_write(&make->secrets, CKA_VALUE, value);
    }
    return material_code(rv == CKR_OK ? make_finish(r, make) : rv);
}

static bool
unwrap_may(struct request *r, const struct wrapper *wrapper, const struct make *make)
{
    const enum hsm_place place = make_place(make->kind);
    bool token = false;

    (void)attributes_bool(writer_view(&make->attributes), CKA_TOKEN, &token);
    return token || place == PLACE_SLOW
               ? request_may(r, place)
               : request_may_work(r, mechanism_work(wrapper->row, CKF_UNWRAP,
                                                    &wrapper->object->info));
}

CK_RV
handle_UNWRAP(struct request *r)
{
    struct wrapper wrapper = { .row = NULL };
    struct unwrap_request m;
    struct make make = { .handle = 0 };
    struct make *makes[] = { &make };
    struct writer material;
    uint64_t len;
    CK_RV rv;

    if (!unwrap_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    note_key(r, m.unwrapping, m.mechanism.type);
    writer_init(&material, MATERIAL_MAX);
    if ((rv = wrapper_take(r, CKF_UNWRAP, &m.mechanism, m.unwrapping, &wrapper)) != CKR_OK ||
        (rv = template_make(r, &wrapper, &m, &make, &len)) != CKR_OK) {
        goto out;
    }
    if (!unwrap_may(r, &wrapper, &make)) {
        rv = CODE_LATER;
        goto out;
    }
    if ((rv = request_key_of(r, wrapper.object, &wrapper.key)) != CKR_OK) {
        goto out;
    }
    rv = wrapping_code(CKF_UNWRAP, algo_once(r->rules, wrapper.row, CKF_DECRYPT, &m.mechanism,
                                             wrapper.key, m.wrapped, VIEW_EMPTY, &material));
    if (rv == CKR_OK) {
        rv = material_take(r, &wrapper, len, writer_view(&material), &make);
    }
    if (rv == CKR_OK) {
        note_detail(r, "by=%u", (unsigned)m.unwrapping);
        rv = make_commit(r, makes, 1);
    }
out:
    make_clear(&make);
    writer_clear(&material);
    object_unref(wrapper.object);
    return rv;
}
