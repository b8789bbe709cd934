/* SPDX-License-Identifier: Apache-2.0
 *
 * The little DER that keys and signatures of elliptic curves need. Lengths up to 65535,
 * shortest form only. Only files of crypto/ include this.
 */
#ifndef CRYPTO_DER_H
#define CRYPTO_DER_H

#include "base/bytes.h"

#define DER_INTEGER 0x02u
#define DER_OCTET_STRING 0x04u
#define DER_OID 0x06u
#define DER_PRINTABLE_STRING 0x13u
#define DER_SEQUENCE 0x30u
#define DER_ATTRIBUTES 0xa0u /* RFC 5958, 2 */
#define DER_PUBLIC_KEY 0x81u

/* The contents of the next element, when it has that tag. */
MUST_USE bool der_read(struct reader *r, uint8_t tag, view *ret_contents);
/* Is this one object identifier, encoded as X.690, 8.19 asks? */
bool der_is_oid(view v);
/* Is this one PrintableString that says something? */
bool der_is_name(view v);

void der_write_head(struct writer *w, uint8_t tag, size_t len);

/* An ECDSA signature as SEQUENCE { r, s }, from and to two numbers of the same length. */
void der_signature_write(struct writer *w, view r_and_s);
MUST_USE bool der_signature_read(view der, uint8_t *r_and_s, size_t len);

#endif
