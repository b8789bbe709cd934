/* SPDX-License-Identifier: Apache-2.0
 *
 * Templates of the application and attribute lists of the HSM: CK_ULONG is eight bytes in a
 * list and what the platform has in a template; nested templates are nested lists.
 */
#ifndef P11_TEMPLATE_H
#define P11_TEMPLATE_H

#include "rules/attribute.h"

/*
 * Writes the template as a list. Codes: ARGUMENTS_BAD (no array), ATTRIBUTE_TYPE_INVALID (no
 * number that a list can hold), ATTRIBUTE_VALUE_INVALID (length or pointer), HOST_MEMORY.
 */
MUST_USE CK_RV template_take(const CK_ATTRIBUTE *attributes, CK_ULONG count, struct writer *w);

/*
 * One value of a list into the application's attribute (PKCS #11 v3.1, 5.7.5): CKR_OK,
 * CKR_ATTRIBUTE_SENSITIVE, CKR_ATTRIBUTE_TYPE_INVALID or CKR_BUFFER_TOO_SMALL. ulValueLen is
 * set in each case. from is of the type that the application asked for.
 */
MUST_USE CK_RV template_give(const struct attribute *from, CK_ATTRIBUTE *to);

/* Is the template's CKA_TOKEN true? What is said of it otherwise is the HSM's to judge. */
bool template_is_token(view list);

#endif
