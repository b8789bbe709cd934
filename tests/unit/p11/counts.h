/* SPDX-License-Identifier: Apache-2.0
 *
 * How many published vectors each mechanism met through PKCS #11 calls. A program adds them as it
 * goes and writes them to the file that the environment names; test_counts.c reads all of them.
 */
#ifndef TESTS_UNIT_P11_COUNTS_H
#define TESTS_UNIT_P11_COUNTS_H

#define COUNTS_ENV "VECTOR_COUNTS"

/* One vector more of this mechanism. */
void counts_add(unsigned long type);
/* Lines "NUMBER COUNT", the first in hexadecimal; nothing without the variable. */
void counts_write(void);

#endif
