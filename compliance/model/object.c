/* SPDX-License-Identifier: Apache-2.0
 *
 * Which rule is about a call on an object: a kind of object, an attribute, a form of its value.
 */
#include "model/model.h"

static char
letter(enum fn fn, enum object_kind kind, const struct attribute_row *attribute)
{
    return fn == FN_C_GenerateKey || fn == FN_C_GenerateKeyPair ? attribute->generate[kind]
                                                                : attribute->create[kind];
}

static enum cond
making_rule(char letter, const struct attribute_row *attribute, enum value form)
{
    if (form == V_FORM_USUAL) {
        return letter == 'R' ? RULE_REQUIRED : COND_NOTHING;
    }
    if (letter == '-') {
        return RULE_FOREIGN;
    }
    if (letter == 'F') {
        return RULE_FORBIDDEN;
    }
    switch (form) {
    case V_FORM_TWO:
        return RULE_NONZERO;
    case V_FORM_SIZE:
    case V_FORM_NULL:
        return RULE_VALUE;
    case V_FORM_TWICE:
        return RULE_SAME;
    case V_FORM_BOTH:
        return RULE_DIFFERENT;
    case V_FORM_TRUE:
        return attribute->set == 'S'     ? RULE_TRUSTED
               : attribute->usual == 'T' ? RULE_USUAL
                                         : RULE_GIVEN;
    case V_FORM_FALSE:
        return attribute->usual == 'T' ? RULE_GIVEN : RULE_USUAL;
    default:
        return RULE_GIVEN;
    }
}

/* Whether a value that is set moves the one-way attributes of a fresh test object; its SENSITIVE
 * is FALSE then, if the token lets it, and its EXTRACTABLE and COPYABLE are TRUE. */
static enum cond
changing_rule(enum object_kind kind, char letter, const struct attribute_row *attribute,
              enum value form)
{
    if (kind == OBJECT_DATA && attribute->type == CKA_VALUE && form == V_FORM_SAMPLE) {
        return RULE_SETTABLE;       /* a secret of keys, the content of data */
    }

    if (letter == '-') {
        return RULE_FOREIGN;
    }
    switch (form) {
    case V_FORM_TWO:
        return RULE_NONZERO;
    case V_FORM_SIZE:
    case V_FORM_NULL:
        return RULE_VALUE;
    default:
        break;
    }
    if (form == V_FORM_SENSITIVE || form == V_FORM_KEPT) {
        return RULE_ONE_WAY;
    }
    switch (attribute->set) {
    case 'Y':
        return RULE_SETTABLE;
    case 'U':
        return form == V_FORM_TRUE ? RULE_SETTABLE : RULE_UNCHANGED;
    case 'D':
        return form == V_FORM_FALSE ? RULE_SETTABLE : RULE_UNCHANGED;
    case 'S':
        return form == V_FORM_TRUE ? RULE_TRUSTED : RULE_UNCHANGED;
    default:
        return attribute->form == ATTR_BOOL ? RULE_UNCHANGED : RULE_FIXED;
    }
}

enum cond
object_rule(enum fn fn, enum object_kind kind, const struct attribute_row *attribute,
            enum value form)
{
    char c = letter(fn, kind, attribute);

    switch (fn) {
    case FN_C_CreateObject:
    case FN_C_GenerateKey:
    case FN_C_GenerateKeyPair:
        return making_rule(c, attribute, form);
    case FN_C_GetAttributeValue:
        if (c == '-') {
            return RULE_ABSENT;
        }
        if (attribute->secret && kind != OBJECT_DATA && form != V_FORM_USUAL &&
            form != V_FORM_ASK && form != V_FORM_SHORT) {
            return RULE_HIDDEN;
        }
        return form == V_FORM_SHORT ? RULE_SHORT : RULE_READS;
    default:
        return changing_rule(kind, c, attribute, form);
    }
}

static bool
one_of(enum value form, const enum value *forms, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (forms[i] == form) {
            return true;
        }
    }
    return false;
}

/* Forms in which a template may name an attribute. */
static bool
can_be_given(char letter, const struct attribute_row *attribute, enum value form)
{
    static const enum value flags[] = { V_FORM_TRUE, V_FORM_FALSE, V_FORM_SIZE, V_FORM_TWO,
                                        V_FORM_NULL, V_FORM_TWICE, V_FORM_BOTH };
    static const enum value bytes[] = { V_FORM_SAMPLE, V_FORM_NULL, V_FORM_TWICE, V_FORM_BOTH };

    if (letter == '-' || letter == 'F') {
        return form == (attribute->form == ATTR_BOOL ? V_FORM_TRUE : V_FORM_SAMPLE);
    }
    switch (attribute->form) {
    case ATTR_BOOL:
        /* Twice the security officer's own would be wrong in two ways. */
        return one_of(form, flags, COUNT(flags)) &&
               !(attribute->set == 'S' && (form == V_FORM_TWICE || form == V_FORM_BOTH));
    case ATTR_DATE:
        return form == V_FORM_SIZE || one_of(form, bytes, COUNT(bytes));
    case ATTR_ULONG:
        return form == V_FORM_SIZE || form == V_FORM_NULL;
    case ATTR_ARRAY:
        return form == V_FORM_SAMPLE;
    default:
        return attribute->usual == 'E' && one_of(form, bytes, COUNT(bytes));
    }
}

bool
object_wanted(enum fn fn, enum object_kind kind, const struct attribute_row *attribute,
              enum value form)
{
    bool pair = kind == OBJECT_RSAPUB || kind == OBJECT_ECPUB || kind == OBJECT_RSAPRI ||
                kind == OBJECT_ECPRI;
    bool secret = kind == OBJECT_AES || kind == OBJECT_GENERIC;
    char c = letter(fn, kind, attribute);

    if ((fn == FN_C_GenerateKey && !secret) || (fn == FN_C_GenerateKeyPair && !pair)) {
        return false;
    }
    if (fn == FN_C_GetAttributeValue) {
        if (form == V_FORM_SENSITIVE || form == V_FORM_KEPT) {
            return attribute->secret && c != '-' && kind != OBJECT_DATA;
        }
        return form == V_FORM_USUAL || (c != '-' && (form == V_FORM_ASK || form == V_FORM_SHORT));
    }
    if (fn == FN_C_CreateObject || fn == FN_C_GenerateKey || fn == FN_C_GenerateKeyPair) {
        return (form == V_FORM_USUAL && c != '-' && c != 'F') || can_be_given(c, attribute, form);
    }
    /* What a copy may change besides is where it is kept and who may see it. */
    if (fn == FN_C_CopyObject && attribute->set == '-' && c == 'o') {
        return false;
    }
    if (form == V_FORM_SENSITIVE) {
        return attribute->type == CKA_SENSITIVE && c != '-';
    }
    if (form == V_FORM_KEPT) {
        return attribute->type == CKA_EXTRACTABLE && c != '-';
    }
    return form != V_FORM_TWICE && form != V_FORM_BOTH &&
           (can_be_given(c, attribute, form) ||
            (form == V_FORM_SAMPLE && attribute->form != ATTR_BOOL));
}
