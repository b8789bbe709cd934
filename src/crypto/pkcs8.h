/* SPDX-License-Identifier: Apache-2.0
 *
 * Private keys as PrivateKeyInfo (RFC 5208, RFC 5958), as C_WrapKey carries them. Only files of
 * crypto/ include this.
 */
#ifndef CRYPTO_PKCS8_H
#define CRYPTO_PKCS8_H

#include "crypto/key.h"

/* The pairs' writers, beside their generators: to public_part what the public key has, to
 * private_part what is not secret of the private one, to secrets the rest. EC_PARAMS are the
 * caller's to write. */
CK_RV rsa_pair_write(EVP_PKEY *pkey, const BIGNUM *e, struct writer *public_part,
                     struct writer *private_part, struct writer *secrets);
CK_RV ec_pair_write(EVP_PKEY *pkey, const struct curve_row *curve, struct writer *public_part,
                    struct writer *secrets);
CK_RV okp_generate(const struct curve_row *curve, struct writer *public_part,
                   struct writer *secrets);

#endif
