/* SPDX-License-Identifier: Apache-2.0
 *
 * What the list of functions of 2.40 has in place of C_GetMechanismList.
 */
#ifndef P11_SLOT_H
#define P11_SLOT_H

#include "base/bytes.h"
#include "pkcs11_headers/include/cryptoki.h"

/* The same, without mechanisms that only PKCS #11 v3.1 has numbers for. */
MUST_USE CK_RV slot_mechanisms_2_40(CK_SLOT_ID slotID, CK_MECHANISM_TYPE_PTR pMechanismList,
                                    CK_ULONG_PTR pulCount);

#endif
