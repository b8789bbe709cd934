/* SPDX-License-Identifier: Apache-2.0
 *
 * Attributes: what each is (rows of attributes.def), and lists of them as bytes. A list is
 * a sequence of (u32 type, u32 length, value); it is what templates look like on the wire
 * and what objects look like in memory and in the store. Values have the one form that
 * attributes.def names; CK_ULONG is always eight bytes here.
 */
#ifndef RULES_ATTRIBUTE_H
#define RULES_ATTRIBUTE_H

#include "base/bytes.h"
#include "rules/rules.h"

enum attribute_form {
    FORM_BOOL,
    FORM_ULONG,
    FORM_BYTES,
    FORM_NUMBER,
    FORM_DATE,
    FORM_MECHANISMS,
    FORM_TEMPLATE
};

/* Bits of struct key_info.flags, from the BOOL attributes. */
enum key_flag {
    KEY_FLAG_TOKEN = 1 << 0,
    KEY_FLAG_PRIVATE = 1 << 1,
    KEY_FLAG_SENSITIVE = 1 << 2,
    KEY_FLAG_EXTRACTABLE = 1 << 3,
    KEY_FLAG_ENCRYPT = 1 << 4,
    KEY_FLAG_DECRYPT = 1 << 5,
    KEY_FLAG_SIGN = 1 << 6,
    KEY_FLAG_VERIFY = 1 << 7,
    KEY_FLAG_SIGN_RECOVER = 1 << 8,
    KEY_FLAG_VERIFY_RECOVER = 1 << 9,
    KEY_FLAG_WRAP = 1 << 10,
    KEY_FLAG_UNWRAP = 1 << 11,
    KEY_FLAG_DERIVE = 1 << 12,
    KEY_FLAG_ALWAYS_AUTHENTICATE = 1 << 13,
    KEY_FLAG_ALLOWED_MECHANISMS = 1 << 14, /* there is such a list: only the HSM can judge */
    KEY_FLAG_MODIFIABLE = 1 << 15,
    KEY_FLAG_COPYABLE = 1 << 16,
    KEY_FLAG_DESTROYABLE = 1 << 17,
    KEY_FLAG_TRUSTED = 1 << 18,
    KEY_FLAG_WRAP_WITH_TRUSTED = 1 << 19,
    KEY_FLAG_LOCAL = 1 << 20,
    KEY_FLAG_ALWAYS_SENSITIVE = 1 << 21,
    KEY_FLAG_NEVER_EXTRACTABLE = 1 << 22
};

struct attribute_row {
    CK_ATTRIBUTE_TYPE type;
    const char *name; /* "CKA_LABEL" */
    enum attribute_form form;
    uint32_t flag; /* a key_flag or 0 */
};

/* NULL when no row has that type. */
const struct attribute_row *attribute_row(CK_ATTRIBUTE_TYPE type);
/* All rows, for lists and tests. */
const struct attribute_row *attribute_rows(size_t *ret_count);

/* One attribute of a list; value is borrowed from it. */
struct attribute {
    uint32_t type;
    view value;
    /* Only in replies to a read: length values that stand for "no value". */
    enum { ATTRIBUTE_PRESENT, ATTRIBUTE_SENSITIVE, ATTRIBUTE_UNKNOWN } status;
};

#define ATTRIBUTES_MAX 1024           /* attributes in a list */
#define ATTRIBUTES_BYTES_MAX 131072   /* bytes of a list */
#define ATTRIBUTES_DEPTH_MAX 2        /* templates inside templates */

/* True when list is a well-formed list within the limits (nested ones too). */
MUST_USE bool attributes_valid(view list);
/* Steps through a valid list: start with reader_of(list); false at its end. */
MUST_USE bool attributes_next(struct reader *r, struct attribute *ret_attribute);
/* The first of that type; false when there is none. */
bool attributes_find(view list, CK_ATTRIBUTE_TYPE type, view *ret_value);
/* Appends the attributes with the changes in them; what was not there comes last. */
void attributes_merge(view current, view changes, struct writer *out);
/* Values by form; false when absent or of another length. */
bool attributes_bool(view list, CK_ATTRIBUTE_TYPE type, bool *ret_value);
bool attributes_ulong(view list, CK_ATTRIBUTE_TYPE type, uint64_t *ret_value);
size_t attributes_count(view list);

void attribute_write(struct writer *w, CK_ATTRIBUTE_TYPE type, view value);
void attribute_write_bool(struct writer *w, CK_ATTRIBUTE_TYPE type, bool value);
void attribute_write_ulong(struct writer *w, CK_ATTRIBUTE_TYPE type, uint64_t value);
/* status SENSITIVE or UNKNOWN: the entry without a value. */
void attribute_write_status(struct writer *w, CK_ATTRIBUTE_TYPE type, int status);

#endif
