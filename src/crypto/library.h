/* SPDX-License-Identifier: Apache-2.0
 *
 * The border to the crypto library: its algorithms, fetched once, and its errors, translated
 * once. Only files of crypto/ include this.
 */
#ifndef CRYPTO_LIBRARY_H
#define CRYPTO_LIBRARY_H

#include "rules/mechanism.h"

#include <openssl/evp.h>
#include <openssl/kdf.h>

/*
 * Borrowed for the life of the process; NULL when this build of the library has none. The
 * functions that take them answer NULL with an error, so callers do not ask.
 */
const EVP_MD *library_hash(enum hash hash);
/* key_len, of AES: 16, 24 or 32. */
const EVP_CIPHER *library_cipher(enum cipher_mode mode, size_t key_len);
EVP_MAC *library_hmac(void);
EVP_MAC *library_cmac(void);
EVP_MAC *library_poly1305(void);
EVP_KDF *library_hkdf(void);
EVP_KDF *library_tls_prf(void); /* TLS 1.0 to 1.2 */

/*
 * A call that our input cannot make fail did fail: logs `crypto library: cannot <doing>:
 * <its own text>` and gives CKR_DEVICE_MEMORY or CKR_FUNCTION_FAILED.
 */
MUST_USE CK_RV library_failed(const char *doing);
/* The same for a caller that answers false. */
void library_report(const char *doing);

/* Drops what the library noted, so that it is not taken for the error of a later call. */
void library_forget(void);

#endif
