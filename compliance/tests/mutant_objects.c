/* SPDX-License-Identifier: Apache-2.0
 *
 * The module that errs: templates, attributes and keys that travel.
 */
#include "tests/mutant.h"

#include <stdlib.h>
#include <string.h>

static CK_OBJECT_HANDLE weak[64], last_object;
static size_t weak_count;
static CK_BYTE last_value[16];

static CK_ATTRIBUTE *
named(CK_ATTRIBUTE *attrs, CK_ULONG count)
{
    CK_ATTRIBUTE_TYPE type = strtoul(mutant_told("MUTANT_ATTR"), NULL, 0);

    for (CK_ULONG i = 0; attrs != NULL && i < count; i++) {
        if (attrs[i].type == type) {
            return &attrs[i];
        }
    }
    return NULL;
}

static bool
refuses(const char *function, CK_ATTRIBUTE *attrs, CK_ULONG count)
{
    return mutant_errs(function) && mutant_does("attr") && named(attrs, count) != NULL;
}

/* The template as it is passed on. */
static CK_ATTRIBUTE *
passed(const char *function, CK_ATTRIBUTE *attrs, CK_ULONG *count)
{
    static CK_ATTRIBUTE rest[2][64];
    static unsigned turn;
    CK_ATTRIBUTE *lost = named(attrs, *count), *copy = rest[turn++ % 2];
    CK_ULONG left = 0;

    if (!mutant_errs(function) || !mutant_does("lose") || lost == NULL || *count > 64) {
        return attrs;
    }
    for (CK_ULONG i = 0; i < *count; i++) {
        if (attrs[i].type != lost->type) {
            copy[left++] = attrs[i];
        }
    }
    *count = left;
    return copy;
}

static CK_RV
weakened(CK_RV rv, const CK_OBJECT_HANDLE *object)
{
    if (rv == CKR_OK) {
        weak[weak_count++ % 64] = *object;
    }
    return rv;
}

static bool
is_weak(CK_OBJECT_HANDLE object)
{
    for (size_t i = 0; i < weak_count && i < 64; i++) {
        if (weak[i] == object) {
            return true;
        }
    }
    return false;
}

static CK_RV
special_C_CreateObject(CK_SESSION_HANDLE session, CK_ATTRIBUTE *attrs, CK_ULONG count,
                       CK_OBJECT_HANDLE *object)
{
    CK_RV rv;

    if (mutant_stops("C_CreateObject", &rv)) {
        return rv;
    }
    if (refuses("C_CreateObject", attrs, count)) {
        return CKR_ATTRIBUTE_TYPE_INVALID;
    }
    for (CK_ULONG i = 0; attrs != NULL && i < count; i++) {
        if (attrs[i].type == CKA_VALUE && attrs[i].ulValueLen >= sizeof last_value) {
            memcpy(last_value, attrs[i].pValue, sizeof last_value);
        }
    }
    if (mutant_errs("C_CreateObject") && mutant_does("same") && last_object != CK_INVALID_HANDLE) {
        *object = last_object;
        return CKR_OK;
    }
    attrs = passed("C_CreateObject", attrs, &count);
    if (mutant_errs("C_CreateObject") && mutant_does("again")) {
        CK_OBJECT_HANDLE other;

        (void)mutant_behind.C_CreateObject(session, attrs, count, &other);
    }
    rv = mutant_behind.C_CreateObject(session, attrs, count, object);
    if (mutant_errs("C_CreateObject") && mutant_does("fake") && rv != CKR_OK && object != NULL) {
        *object = 0x77770001;
        return CKR_OK;
    }
    if (rv == CKR_OK) {
        last_object = *object;
    }
    return mutant_after("C_CreateObject", rv);
}

static CK_RV
special_C_CopyObject(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *attrs,
                     CK_ULONG count, CK_OBJECT_HANDLE *copy)
{
    CK_RV rv;

    if (mutant_stops("C_CopyObject", &rv)) {
        return rv;
    }
    if (refuses("C_CopyObject", attrs, count)) {
        return CKR_ATTRIBUTE_TYPE_INVALID;
    }
    if (mutant_errs("C_CopyObject") && mutant_does("weaken")) {
        return weakened(mutant_behind.C_CopyObject(session, object, NULL, 0, copy), copy);
    }
    attrs = passed("C_CopyObject", attrs, &count);
    rv = mutant_behind.C_CopyObject(session, object, attrs, count, copy);
    if (rv == CKR_OK && mutant_errs("C_CopyObject") && mutant_does("both")) {
        (void)mutant_behind.C_SetAttributeValue(session, object, attrs, count);
    }
    return mutant_after("C_CopyObject", rv);
}

static CK_RV
special_C_SetAttributeValue(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *attrs,
                            CK_ULONG count)
{
    CK_RV rv;

    if (mutant_stops("C_SetAttributeValue", &rv)) {
        return rv;
    }
    if (refuses("C_SetAttributeValue", attrs, count)) {
        return CKR_ATTRIBUTE_TYPE_INVALID;
    }
    if (mutant_errs("C_SetAttributeValue") && mutant_does("lose") && named(attrs, count) != NULL) {
        return CKR_OK;
    }
    return mutant_after("C_SetAttributeValue",
                        mutant_behind.C_SetAttributeValue(session, object, attrs, count));
}

static CK_RV
special_C_GenerateKey(CK_SESSION_HANDLE session, CK_MECHANISM *mech, CK_ATTRIBUTE *attrs,
                      CK_ULONG count, CK_OBJECT_HANDLE *key)
{
    CK_RV rv;

    if (mutant_stops("C_GenerateKey", &rv)) {
        return rv;
    }
    if (refuses("C_GenerateKey", attrs, count)) {
        return CKR_ATTRIBUTE_TYPE_INVALID;
    }
    attrs = passed("C_GenerateKey", attrs, &count);
    return mutant_after("C_GenerateKey",
                        mutant_behind.C_GenerateKey(session, mech, attrs, count, key));
}

static CK_RV
special_C_GenerateKeyPair(CK_SESSION_HANDLE session, CK_MECHANISM *mech, CK_ATTRIBUTE *first,
                          CK_ULONG first_count, CK_ATTRIBUTE *second, CK_ULONG second_count,
                          CK_OBJECT_HANDLE *public, CK_OBJECT_HANDLE *private)
{
    CK_RV rv;

    if (mutant_stops("C_GenerateKeyPair", &rv)) {
        return rv;
    }
    if (refuses("C_GenerateKeyPair", first, first_count) ||
        refuses("C_GenerateKeyPair", second, second_count)) {
        return CKR_ATTRIBUTE_TYPE_INVALID;
    }
    first = passed("C_GenerateKeyPair", first, &first_count);
    second = passed("C_GenerateKeyPair", second, &second_count);
    return mutant_after("C_GenerateKeyPair",
                        mutant_behind.C_GenerateKeyPair(session, mech, first, first_count, second,
                                                        second_count, public, private));
}

/* The last key that was created once more, with nothing that protects it. */
static CK_OBJECT_HANDLE
last_key(CK_SESSION_HANDLE session)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_AES;
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    CK_ATTRIBUTE attrs[] = {
        { CKA_CLASS, &class, sizeof class },
        { CKA_KEY_TYPE, &type, sizeof type },
        { CKA_TOKEN, &no, sizeof no },
        { CKA_EXTRACTABLE, &yes, sizeof yes },
        { CKA_VALUE, last_value, sizeof last_value },
    };
    CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;

    return mutant_behind.C_CreateObject(session, attrs, 5, &key) == CKR_OK ? key
                                                                           : CK_INVALID_HANDLE;
}

/* PKCS #7 padding where there should be none; another IV. */
static CK_RV
special_C_WrapKey(CK_SESSION_HANDLE session, CK_MECHANISM *mech, CK_OBJECT_HANDLE wrapper,
                  CK_OBJECT_HANDLE key, CK_BYTE *out, CK_ULONG *out_len)
{
    CK_MECHANISM padded = { CKM_AES_KEY_WRAP_PKCS7, NULL, 0 };
    CK_ULONG room = out_len != NULL ? *out_len : 0;
    CK_OBJECT_HANDLE stand_in;
    CK_RV rv;

    if (mutant_stops("C_WrapKey", &rv)) {
        return rv;
    }
    if (mutant_errs("C_WrapKey") && mutant_does("pad") && mech != NULL &&
        mech->mechanism == CKM_AES_KEY_WRAP) {
        mech = &padded;
    }
    if (mutant_errs("C_WrapKey") && mutant_does("iv")) {
        mech = mutant_other_iv(mech);
    }
    rv = mutant_behind.C_WrapKey(session, mech, wrapper, key, out, out_len);
    if (mutant_errs("C_WrapKey") && mutant_does("weaken") &&
        (rv == CKR_KEY_UNEXTRACTABLE || rv == CKR_KEY_NOT_WRAPPABLE) &&
        (stand_in = last_key(session)) != CK_INVALID_HANDLE) {
        *out_len = room;
        rv = mutant_behind.C_WrapKey(session, mech, wrapper, stand_in, out, out_len);
        (void)mutant_behind.C_DestroyObject(session, stand_in);
    }
    mutant_distort("C_WrapKey", session, rv, out, room, out_len);
    return mutant_after("C_WrapKey", rv);
}

static CK_RV
special_C_UnwrapKey(CK_SESSION_HANDLE session, CK_MECHANISM *mech, CK_OBJECT_HANDLE wrapper,
                    CK_BYTE *in, CK_ULONG in_len, CK_ATTRIBUTE *attrs, CK_ULONG count,
                    CK_OBJECT_HANDLE *key)
{
    CK_RV rv;

    if (mutant_stops("C_UnwrapKey", &rv)) {
        return rv;
    }
    if (refuses("C_UnwrapKey", attrs, count)) {
        return CKR_ATTRIBUTE_TYPE_INVALID;
    }
    attrs = passed("C_UnwrapKey", attrs, &count);
    return mutant_after("C_UnwrapKey", mutant_behind.C_UnwrapKey(session, mech, wrapper, in, in_len,
                                                                 attrs, count, key));
}

static CK_RV
special_C_DeriveKey(CK_SESSION_HANDLE session, CK_MECHANISM *mech, CK_OBJECT_HANDLE base,
                    CK_ATTRIBUTE *attrs, CK_ULONG count, CK_OBJECT_HANDLE *key)
{
    CK_RV rv;

    if (mutant_stops("C_DeriveKey", &rv)) {
        return rv;
    }
    if (refuses("C_DeriveKey", attrs, count)) {
        return CKR_ATTRIBUTE_TYPE_INVALID;
    }
    if (mutant_errs("C_DeriveKey") && mutant_does("weaken")) {
        CK_ULONG left = 0;
        CK_ATTRIBUTE rest[64];

        for (CK_ULONG i = 0; i < count && left < 64; i++) {
            if (attrs[i].type != CKA_SENSITIVE && attrs[i].type != CKA_EXTRACTABLE) {
                rest[left++] = attrs[i];
            }
        }
        return weakened(mutant_behind.C_DeriveKey(session, mech, base, rest, left, key), key);
    }
    attrs = passed("C_DeriveKey", attrs, &count);
    return mutant_after("C_DeriveKey",
                        mutant_behind.C_DeriveKey(session, mech, base, attrs, count, key));
}

/* Attributes that keys do not have, and values that they do not have. */
static CK_RV
special_C_GetAttributeValue(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *attrs,
                            CK_ULONG count)
{
    CK_ATTRIBUTE *attr = named(attrs, count);
    CK_RV rv;

    if (mutant_stops("C_GetAttributeValue", &rv)) {
        return rv;
    }
    if (refuses("C_GetAttributeValue", attrs, count)) {
        attrs[0].ulValueLen = CK_UNAVAILABLE_INFORMATION;
        return CKR_ATTRIBUTE_TYPE_INVALID;
    }
    rv = mutant_behind.C_GetAttributeValue(session, object, attrs, count);
    if (rv == CKR_ATTRIBUTE_SENSITIVE && is_weak(object)) {
        attrs[0].ulValueLen = sizeof last_value;
        if (attrs[0].pValue != NULL) {
            memcpy(attrs[0].pValue, last_value, sizeof last_value);
        }
        return CKR_OK;
    }
    if (mutant_errs("C_GetAttributeValue") && mutant_does("even") && rv == CKR_OK && attr != NULL &&
        attr->pValue != NULL) {
        ((CK_BYTE *)attr->pValue)[attr->ulValueLen - 1] ^= 1;
    }
    if (mutant_errs("C_GetAttributeValue") && rv == CKR_OK && attr != NULL &&
        attr->pValue != NULL && attr->ulValueLen > 0) {
        if (mutant_does("flip")) {
            *(CK_BYTE *)attr->pValue ^= 1;
        }
        attr->ulValueLen -= mutant_does("less");
    }
    if (mutant_errs("C_GetAttributeValue") && mutant_does("mute") && rv != CKR_OK && count > 0) {
        attrs[0].ulValueLen = 0;
    }
    return mutant_after("C_GetAttributeValue", rv);
}

static CK_RV
special_C_GetOperationState(CK_SESSION_HANDLE session, CK_BYTE *state, CK_ULONG *len)
{
    CK_RV rv;

    if (mutant_stops("C_GetOperationState", &rv)) {
        return rv;
    }
    if (mutant_errs("C_GetOperationState") && mutant_does("leak") && state != NULL) {
        memcpy(state, last_value, sizeof last_value);
        *len = sizeof last_value;
        return CKR_OK;
    }
    return mutant_after("C_GetOperationState",
                        mutant_behind.C_GetOperationState(session, state, len));
}

void
mutant_objects(CK_FUNCTION_LIST_3_0 *list)
{
    SPECIAL(C_GetOperationState)
    SPECIAL(C_CreateObject)
    SPECIAL(C_CopyObject)
    SPECIAL(C_SetAttributeValue)
    SPECIAL(C_GetAttributeValue)
    SPECIAL(C_GenerateKey)
    SPECIAL(C_GenerateKeyPair)
    SPECIAL(C_WrapKey)
    SPECIAL(C_UnwrapKey)
    SPECIAL(C_DeriveKey)
}
