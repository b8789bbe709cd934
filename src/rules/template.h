/* SPDX-License-Identifier: Apache-2.0
 *
 * Templates: the checks over the caller's attributes in each of the ways in which an object
 * comes to be or changes, all from the rows of attributes.def.
 */
#ifndef RULES_TEMPLATE_H
#define RULES_TEMPLATE_H

#include "rules/key.h"

enum origin { ORIGIN_CREATE, ORIGIN_GENERATE, ORIGIN_UNWRAP, ORIGIN_DERIVE, ORIGIN_COPY };

enum attribute_default { DEFAULT_none, DEFAULT_empty, DEFAULT_false, DEFAULT_true, DEFAULT_zero,
                         DEFAULT_sha1, DEFAULT_made };
enum attribute_set { SET_no, SET_yes, SET_up, SET_down, SET_co };
enum attribute_need { NEED_optional, NEED_required, NEED_forbidden };
enum attribute_only { ONLY_any, ONLY_true, ONLY_false };

struct use_rule {
    enum attribute_default value;
    enum attribute_default generated;
    enum attribute_set set;
    enum attribute_only only;
};

struct use_row {
    CK_ATTRIBUTE_TYPE type;
    uint32_t kinds; /* bits of 1 << enum object_kind */
    enum attribute_need create;
    enum attribute_need generate;
    enum attribute_need unwrap; /* and derive */
    bool secret;
    struct use_rule standard;
    struct use_rule azure; /* and fips */
};

/* The row of an attribute for a kind of object; NULL when that kind has no such attribute. */
const struct use_row *use_row(enum object_kind kind, CK_ATTRIBUTE_TYPE type);
const struct use_row *use_rows(size_t *ret_count);
const struct use_rule *use_rule(struct rules rules, const struct use_row *row);
/* A secret part, hidden when SENSITIVE or not EXTRACTABLE (PKCS #11 v3.1, 4.2, footnote 7). */
bool use_is_secret(enum object_kind kind, CK_ATTRIBUTE_TYPE type);

/*
 * Checks a caller's template (a valid list) for an object of this kind and origin. Codes:
 * ATTRIBUTE_TYPE_INVALID (unknown), TEMPLATE_INCONSISTENT (of another kind, twice with
 * different values, or a value the policy refuses), ATTRIBUTE_VALUE_INVALID,
 * ATTRIBUTE_READ_ONLY (forbidden here, or TRUSTED by one who is no CO), TEMPLATE_INCOMPLETE.
 */
MUST_USE CK_RV template_check(struct rules rules, enum object_kind kind, enum origin origin,
                              bool is_co, view template);

/*
 * The flags (struct key_info) that the policy has set, and has not set, in every object of that
 * kind: those of another policy may differ, and are not to be used then.
 */
struct template_flags {
    uint32_t set;
    uint32_t clear;
};
struct template_flags template_flags(struct rules rules, enum object_kind kind);
bool template_flags_fit(struct template_flags flags, uint32_t object_flags);

/* One value by its form alone: ATTRIBUTE_VALUE_INVALID when its length or content is none. */
MUST_USE CK_RV template_check_value(const struct attribute_row *row, view value);

/*
 * Writes the whole object's public attributes that follow from the rules: the caller's
 * values, then a default for each that it left out. What is `made` is the caller's (of this
 * function) to add. Secret parts of the template are not written.
 */
void template_complete(struct rules rules, enum object_kind kind, enum origin origin,
                       view template, struct writer *w);

/*
 * May these attributes be changed (C_SetAttributeValue, or C_CopyObject with ORIGIN_COPY
 * semantics when copy is true) on an object whose attributes are current? Codes:
 * ATTRIBUTE_TYPE_INVALID, ATTRIBUTE_VALUE_INVALID, ATTRIBUTE_READ_ONLY,
 * TEMPLATE_INCONSISTENT. MODIFIABLE and COPYABLE are the caller's question.
 */
MUST_USE CK_RV template_check_change(struct rules rules, enum object_kind kind, bool copy,
                                     bool is_co, view current, view changes);

/* Is every attribute of the search template (a valid list) in attributes, byte for byte? */
bool template_matches(view template, view attributes);

#endif
