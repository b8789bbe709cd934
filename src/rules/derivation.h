/* SPDX-License-Identifier: Apache-2.0
 *
 * What the standard says about keys that are derived: the rows of derivations.def.
 */
#ifndef RULES_DERIVATION_H
#define RULES_DERIVATION_H

#include "rules/attribute.h"
#include "rules/mechanism.h"

enum heritage { HERITAGE_fresh, HERITAGE_like, HERITAGE_joined, HERITAGE_same };

struct derivation_row {
    CK_MECHANISM_TYPE mechanism;
    CK_OBJECT_CLASS class;
    CK_KEY_TYPE key_type; /* KEY_TYPE_NONE: the template has to name one */
    size_t length;        /* of the key, in bytes, when the template has none; or 0 */
    enum heritage heritage;
};

/* NULL when the mechanism derives nothing. */
const struct derivation_row *derivation_row(CK_MECHANISM_TYPE mechanism);

/*
 * Adds to the template what the heritage fixes or takes from the bases. flags_all are the
 * key_flag bits that all bases have, flags_any those that at least one has, template is in w.
 * TEMPLATE_INCONSISTENT: it says otherwise.
 */
MUST_USE CK_RV heritage_apply(enum heritage heritage, uint32_t flags_all, uint32_t flags_any,
                              struct writer *w);

/* Adds all of the list that is not in w. TEMPLATE_INCONSISTENT: something has another value
 * there. PKCS #11 v3.1, 4.9: what a key's DERIVE_TEMPLATE or UNWRAP_TEMPLATE does. */
MUST_USE CK_RV template_merge(view list, struct writer *w);

#endif
