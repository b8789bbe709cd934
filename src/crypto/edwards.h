/* SPDX-License-Identifier: Apache-2.0
 *
 * Points on the curves of RFC 8032. Only files of crypto/ include this.
 */
#ifndef CRYPTO_EDWARDS_H
#define CRYPTO_EDWARDS_H

#include "rules/mechanism.h"

/*
 * Do these bytes decode to a point of the curve (RFC 8032, 5.1.3 and 5.2.3), and to one that is
 * not of small order? As a public key such a point would take signatures that nobody made. For
 * curves of other forms there is nothing to check. CKR_ATTRIBUTE_VALUE_INVALID.
 */
MUST_USE CK_RV edwards_point_check(const struct curve_row *curve, view bytes);

#endif
