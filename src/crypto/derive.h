/* SPDX-License-Identifier: Apache-2.0
 *
 * What a deriver is to derive.c, and the key derivation functions that several share. Only
 * files of crypto/ include this.
 */
#ifndef CRYPTO_DERIVE_H
#define CRYPTO_DERIVE_H

#include "crypto/driver.h"

/* kinds: of its base keys, bits of 1 << enum object_kind. */
struct deriver {
    uint32_t kinds;
    CK_RV (*derive)(struct rules rules, const struct algo_derivation *d, struct writer *out);
};

extern const struct deriver ecdh_deriver;
extern const struct deriver kbkdf_deriver;
extern const struct deriver tls_deriver;
extern const struct deriver mix_deriver;
extern const struct deriver hkdf_deriver;

#endif
