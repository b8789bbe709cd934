/* SPDX-License-Identifier: Apache-2.0
 *
 * What a deriver is to derive.c, and the key derivation functions that several share. Only
 * files of crypto/ include this.
 */
#ifndef CRYPTO_DERIVE_H
#define CRYPTO_DERIVE_H

#include "crypto/driver.h"
#include "rules/kdf.h"

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

/*
 * The agreed value as a key of len bytes: through the row's function, or (plain) its end, all
 * of it with len 0. TEMPLATE_INCOMPLETE: a function needs a length. TEMPLATE_INCONSISTENT:
 * plain, and the value is shorter.
 */
MUST_USE CK_RV derive_agreed(const struct kdf_row *kdf, view value, view shared, size_t len,
                             struct writer *out);

#endif
