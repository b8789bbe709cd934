/* SPDX-License-Identifier: Apache-2.0
 *
 * Kinds of objects, the few facts about a key that travel, and the one question that the
 * library and the HSM both ask of them before an operation starts.
 */
#include "rules/key.h"

#include <assert.h>

#define TYPE_NONE KEY_TYPE_NONE
#define TYPE_BUILTIN (KEY_TYPE_NONE - 1)

struct kind_row {
    enum object_kind kind;
    CK_OBJECT_CLASS class;
    CK_ULONG type;
};

/* { KIND_AES, CKO_SECRET_KEY, CKK_AES } */
#define KIND(kind, class, type) { KIND_##kind, CKO_##class, type },
#define KIND_ALSO KIND
static const struct kind_row kinds[] = {
#include "rules/kinds.def"
};
#undef KIND
#undef KIND_ALSO

/* [KIND_AES] = CKO_SECRET_KEY */
#define KIND(kind, class, type) [KIND_##kind] = CKO_##class,
#define KIND_ALSO(kind, class, type)
static const CK_OBJECT_CLASS classes[KIND_COUNT] = {
#include "rules/kinds.def"
};
#undef KIND
#undef KIND_ALSO

/* { CKK_DES3, 24, 24, 1 } */
#define SECRET(type, min, max, step) { CKK_##type, min, max, step },
static const struct secret_row secrets[] = {
#include "rules/secrets.def"
};
#undef SECRET

bool
kind_of(uint64_t class, uint64_t type, enum object_kind *ret_kind)
{
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        if (kinds[i].class == class && kinds[i].type != TYPE_BUILTIN &&
            (kinds[i].type == TYPE_NONE || kinds[i].type == type)) {
            *ret_kind = kinds[i].kind;
            return true;
        }
    }
    return false;
}

CK_OBJECT_CLASS
kind_class(enum object_kind kind)
{
    assert((unsigned)kind < KIND_COUNT);
    return classes[kind];
}

CK_KEY_TYPE
kind_type(enum object_kind kind)
{
    for (size_t i = 0; i < ARRAY_COUNT(kinds) && kind_is_key(kind); i++) {
        if (kinds[i].kind == kind) {
            return kinds[i].type;
        }
    }
    return KEY_TYPE_NONE;
}

bool
kind_is_key(enum object_kind kind)
{
    CK_OBJECT_CLASS class = kind_class(kind);

    return class == CKO_PUBLIC_KEY || class == CKO_PRIVATE_KEY || class == CKO_SECRET_KEY;
}

const struct secret_row *
secret_row(uint64_t type)
{
    for (size_t i = 0; i < ARRAY_COUNT(secrets); i++) {
        if (secrets[i].type == type) {
            return &secrets[i];
        }
    }
    return NULL;
}

bool
secret_len_fits(uint64_t type, uint64_t len)
{
    const struct secret_row *row = secret_row(type);

    if (row == NULL) {
        return len > 0;
    }
    return len >= row->min && len <= row->max && (len - row->min) % row->step == 0;
}

size_t
secret_len_fixed(uint64_t type)
{
    const struct secret_row *row = secret_row(type);

    return row != NULL && row->min == row->max ? row->min : 0;
}

static uint32_t
clipped(uint64_t value)
{
    return value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

/* Bits of a big-endian number, leading zeros apart. */
static uint32_t
number_bits(view number)
{
    size_t i = 0;

    while (i < number.len && number.data[i] == 0) {
        i++;
    }
    if (i == number.len) {
        return 0;
    }

    uint64_t bits = (uint64_t)(number.len - i) * 8;

    for (unsigned mask = 0x80; (number.data[i] & mask) == 0; mask >>= 1) {
        bits--;
    }
    return clipped(bits);
}

/* The numbers that one attribute gives: what the key is, and its size. */
static void
key_info_add(struct key_info *info, uint32_t type, view value)
{
    uint64_t number = value.len == sizeof number ? load_u64(value.data) : UINT64_MAX;
    const struct curve_row *curve;

    switch (type) {
    case CKA_CLASS:
        info->class = clipped(number);
        break;
    case CKA_KEY_TYPE:
        info->key_type = clipped(number);
        if (secret_len_fixed(number) != 0) {
            info->bits = 8 * (uint32_t)secret_len_fixed(number);
        }
        break;
    case CKA_MODULUS:
        info->bits = number_bits(value);
        break;
    case CKA_VALUE_LEN:
        info->bits = number > UINT32_MAX / 8 ? UINT32_MAX : (uint32_t)number * 8;
        break;
    case CKA_EC_PARAMS:
        curve = curve_by_params(value);
        if (curve != NULL) {
            info->bits = (uint32_t)curve->bits;
            info->curve = curve->tool_id;
        }
        break;
    default:
        break;
    }
}

struct key_info
key_info_of(view attributes, uint32_t handle)
{
    struct key_info info = { .handle = handle, .class = UINT32_MAX, .key_type = UINT32_MAX };
    struct reader r = reader_of(attributes);
    struct attribute attribute;

    while (attributes_next(&r, &attribute)) {
        const struct attribute_row *row = attribute_row(attribute.type);

        if (row == NULL || attribute.status != ATTRIBUTE_PRESENT) {
            continue;
        }
        /* Of ALLOWED_MECHANISMS, the one flag that is no BOOL, presence is what counts. */
        if (row->form != FORM_BOOL || (attribute.value.len == 1 && attribute.value.data[0] != 0)) {
            info.flags |= row->flag;
        }
        key_info_add(&info, attribute.type, attribute.value);
    }
    return info;
}

uint32_t
key_flag_for(CK_FLAGS function)
{
    static const struct {
        CK_FLAGS function;
        uint32_t flag;
    } flags[] = {
        { CKF_ENCRYPT, KEY_FLAG_ENCRYPT },
        { CKF_DECRYPT, KEY_FLAG_DECRYPT },
        { CKF_SIGN, KEY_FLAG_SIGN },
        { CKF_SIGN_RECOVER, KEY_FLAG_SIGN_RECOVER },
        { CKF_VERIFY, KEY_FLAG_VERIFY },
        { CKF_VERIFY_RECOVER, KEY_FLAG_VERIFY_RECOVER },
        { CKF_WRAP, KEY_FLAG_WRAP },
        { CKF_UNWRAP, KEY_FLAG_UNWRAP },
        { CKF_DERIVE, KEY_FLAG_DERIVE },
    };

    for (size_t i = 0; i < ARRAY_COUNT(flags); i++) {
        if (flags[i].function == function) {
            return flags[i].flag;
        }
    }
    return 0;
}

static bool
is_on_curve(CK_KEY_TYPE type)
{
    return type == CKK_EC || type == CKK_EC_EDWARDS || type == CKK_EC_MONTGOMERY;
}

/* The class of key that serves this function: of a pair the one half or the other. */
static CK_OBJECT_CLASS
class_for(const struct mechanism_row *row, CK_FLAGS function)
{
    const CK_FLAGS public_functions =
        CKF_ENCRYPT | CKF_VERIFY | CKF_VERIFY_RECOVER | CKF_WRAP | CKF_ENCAPSULATE;

    if (row->key_type != CKK_RSA && !is_on_curve(row->key_type)) {
        return CKO_SECRET_KEY;
    }
    return (function & public_functions) != 0 ? CKO_PUBLIC_KEY : CKO_PRIVATE_KEY;
}

static bool
size_fits(struct rules rules, const struct mechanism_row *row, CK_FLAGS function,
          const struct key_info *key)
{
    const struct mechanism_limit *limit = mechanism_limit(rules, row);
    CK_ULONG size = row->unit == UNIT_BYTES ? key->bits / 8 : key->bits;

    if (is_on_curve(row->key_type)) {
        const struct curve_row *curve = curve_by_tool_id(key->curve);

        /* What wraps agrees on a key first. */
        if ((function & (CKF_WRAP | CKF_UNWRAP)) != 0) {
            function = CKF_DERIVE;
        }
        return curve != NULL && curve->key_type == key->key_type &&
               (curve_functions(rules, curve) & function) != 0;
    }
    if (row->driver == DRIVER_hmac) {
        /* RFC 2104, 2: a key longer than the block is hashed first, so none is too long;
         * the largest size of the row is what the HSM generates. */
        return size >= limit->min;
    }
    return size >= limit->min && size <= limit->max;
}

CK_RV
key_check(struct rules rules, const struct mechanism_row *row, CK_FLAGS function,
          const struct key_info *key)
{
    uint32_t flag = key_flag_for(function);

    if (key->class != class_for(row, function) || key->key_type == UINT32_MAX ||
        (row->key_type != KEY_TYPE_SECRET && key->key_type != row->key_type &&
         key->key_type != row->key_also)) {
        return CKR_KEY_TYPE_INCONSISTENT;
    }
    if (!size_fits(rules, row, function, key)) {
        return CKR_KEY_SIZE_RANGE;
    }
    if ((key->flags & flag) != flag) {
        return CKR_KEY_FUNCTION_NOT_PERMITTED;
    }
    return CKR_OK;
}
