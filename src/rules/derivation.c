/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of derivations, and what a derived key inherits.
 */
#include "rules/derivation.h"

#define CKK_NONE KEY_TYPE_NONE

/* { CKM_ECDH1_DERIVE, CKO_SECRET_KEY, KEY_TYPE_NONE, 0, HERITAGE_fresh } */
#define DERIVATION(mechanism, class, type, length, heritage) \
    { CKM_##mechanism, CKO_##class, CKK_##type, length, HERITAGE_##heritage },
static const struct derivation_row rows[] = {
#include "rules/derivations.def"
};
#undef DERIVATION

const struct derivation_row *
derivation_row(CK_MECHANISM_TYPE mechanism)
{
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        if (rows[i].mechanism == mechanism) {
            return &rows[i];
        }
    }
    return NULL;
}

/* The attribute has this value: it is added, or has to be there already. */
static CK_RV
contribute(struct writer *w, CK_ATTRIBUTE_TYPE type, view value)
{
    view there;

    if (!attributes_find(writer_view(w), type, &there)) {
        attribute_write(w, type, value);
        return CKR_OK;
    }
    return view_equal(there, value) ? CKR_OK : CKR_TEMPLATE_INCONSISTENT;
}

static CK_RV
contribute_bool(struct writer *w, CK_ATTRIBUTE_TYPE type, bool value)
{
    const uint8_t byte = value ? 1 : 0;

    return contribute(w, type, view_of(&byte, 1));
}

CK_RV
template_merge(view list, struct writer *w)
{
    struct reader r = reader_of(list);
    struct attribute attribute;
    CK_RV rv = CKR_OK;

    while (rv == CKR_OK && attributes_next(&r, &attribute)) {
        rv = contribute(w, attribute.type, attribute.value);
    }
    return rv;
}

static void
default_bool(struct writer *w, CK_ATTRIBUTE_TYPE type, bool value)
{
    view there;

    if (!attributes_find(writer_view(w), type, &there)) {
        attribute_write_bool(w, type, value);
    }
}

CK_RV
heritage_apply(enum heritage heritage, uint32_t flags_all, uint32_t flags_any, struct writer *w)
{
    bool sensitive = (flags_any & KEY_FLAG_SENSITIVE) != 0;
    bool extractable = (flags_all & KEY_FLAG_EXTRACTABLE) != 0;
    CK_RV rv = CKR_OK;

    switch (heritage) {
    case HERITAGE_fresh:
        break;
    case HERITAGE_like:
        default_bool(w, CKA_SENSITIVE, sensitive);
        default_bool(w, CKA_EXTRACTABLE, extractable);
        break;
    case HERITAGE_joined:
        if (sensitive) {
            rv = contribute_bool(w, CKA_SENSITIVE, true);
        }
        if (rv == CKR_OK && !extractable) {
            rv = contribute_bool(w, CKA_EXTRACTABLE, false);
        }
        break;
    case HERITAGE_same:
        rv = contribute_bool(w, CKA_SENSITIVE, sensitive);
        if (rv == CKR_OK) {
            rv = contribute_bool(w, CKA_EXTRACTABLE, extractable);
        }
        break;
    }
    return rv;
}
