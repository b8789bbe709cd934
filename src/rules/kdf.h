/* SPDX-License-Identifier: Apache-2.0
 *
 * Key derivation functions of ECDH: the rows of kdfs.def.
 */
#ifndef RULES_KDF_H
#define RULES_KDF_H

#include "rules/rules.h"

enum kdf_form { KDF_plain, KDF_x963, KDF_one_step };

struct kdf_row {
    CK_EC_KDF_TYPE number;
    enum hash hash; /* HASH_NONE where the form is plain */
    enum kdf_form form;
    bool offered[POLICY_COUNT];
};

/* NULL when no row has that CKD_ number, or the policy does not offer it. */
const struct kdf_row *kdf_for(struct rules rules, CK_ULONG number);

/* The hash inside a PRF of PBKDF2, by its CKP_ number; HASH_NONE when there is none. */
enum hash hash_by_pbkd2(CK_ULONG prf);

#endif
