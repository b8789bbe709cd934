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

enum hash
hash_by_pbkd2(CK_ULONG prf)
{
    static const enum hash hashes[] = {
        [CKP_PKCS5_PBKD2_HMAC_SHA1] = HASH_SHA1,
        [CKP_PKCS5_PBKD2_HMAC_SHA224] = HASH_SHA224,
        [CKP_PKCS5_PBKD2_HMAC_SHA256] = HASH_SHA256,
        [CKP_PKCS5_PBKD2_HMAC_SHA384] = HASH_SHA384,
        [CKP_PKCS5_PBKD2_HMAC_SHA512] = HASH_SHA512,
        [CKP_PKCS5_PBKD2_HMAC_SHA512_224] = HASH_SHA512_224,
        [CKP_PKCS5_PBKD2_HMAC_SHA512_256] = HASH_SHA512_256,
    };

    return prf < ARRAY_COUNT(hashes) ? hashes[prf] : HASH_NONE;
}
