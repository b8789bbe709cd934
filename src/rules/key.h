/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys as the rules see them: the few facts that decide whether an operation may start.
 * The HSM keeps them beside each object and sends them along; the library asks the same
 * question on its copy, and the HSM asks again.
 */
#ifndef RULES_KEY_H
#define RULES_KEY_H

#include "rules/attribute.h"
#include "rules/mechanism.h"

enum object_kind {
#define KIND(kind, class, type) KIND_##kind,
#define KIND_ALSO(kind, class, type)
#include "rules/kinds.def"
#undef KIND
#undef KIND_ALSO
    KIND_COUNT
};

/* Of a secret key: how long its value may be. */
struct secret_row {
    CK_KEY_TYPE type;
    size_t min, max, step; /* bytes */
};

/* NULL where it may have any length. */
const struct secret_row *secret_row(uint64_t type);
bool secret_len_fits(uint64_t type, uint64_t len);
/* The length of keys that can have no other, 0 where there are several. */
size_t secret_len_fixed(uint64_t type);

struct key_info {
    uint32_t handle;
    uint32_t class;
    uint32_t key_type; /* CKK_, or 0xffffffff when it is no key */
    uint32_t flags;    /* key_flag bits */
    uint32_t bits;     /* modulus, size of the curve, or 8 * bytes of a secret key */
    uint32_t curve;    /* tool_id of the curve, 0 when none */
};

/* The kind of a class with its type (key or certificate type; ignored for data). */
MUST_USE bool kind_of(uint64_t class, uint64_t type, enum object_kind *ret_kind);
CK_OBJECT_CLASS kind_class(enum object_kind kind);
/* The key type that gives the kind its name, KEY_TYPE_NONE when it is no key. */
CK_KEY_TYPE kind_type(enum object_kind kind);
bool kind_is_key(enum object_kind kind);

/* Reads flags and numbers out of an object's attributes (handle as given). */
struct key_info key_info_of(view attributes, uint32_t handle);

/*
 * May this key serve this function (one CKF_ bit) with this mechanism? Codes in order:
 * KEY_TYPE_INCONSISTENT, KEY_SIZE_RANGE (size or curve), KEY_FUNCTION_NOT_PERMITTED
 * (PKCS #11 v3.1, 5.1.6). row is one that mechanism_for() gave.
 */
MUST_USE CK_RV key_check(struct rules rules, const struct mechanism_row *row, CK_FLAGS function,
                         const struct key_info *key);

/* The key_flag that a function (one CKF_ bit) needs on its key. */
uint32_t key_flag_for(CK_FLAGS function);

#endif
