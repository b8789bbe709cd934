/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of key derivation functions, and the look into it.
 */
#include "rules/kdf.h"

#include <assert.h>

/* { CKD_SHA1_KDF, HASH_SHA1, KDF_x963, { [POLICY_STANDARD] = true, ... } } */
#define KDF(name, hash, form, standard, azure, fips) \
    { CKD_##name,                                    \
      HASH_##hash,                                   \
      KDF_##form,                                    \
      { [POLICY_STANDARD] = (standard) != 0,         \
        [POLICY_AZURE] = (azure) != 0,               \
        [POLICY_FIPS] = (fips) != 0 } },
static const struct kdf_row rows[] = {
#include "rules/kdfs.def"
};
#undef KDF

const struct kdf_row *
kdf_for(struct rules rules, CK_ULONG number)
{
    assert((unsigned)rules.policy < POLICY_COUNT);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        if (rows[i].number == number) {
            return rows[i].offered[rules.policy] ? &rows[i] : NULL;
        }
    }
    return NULL;
}
