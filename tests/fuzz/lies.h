/* SPDX-License-Identifier: Apache-2.0
 *
 * What the lying daemon of liar.h says: bodies that read as their message, mostly, and whose
 * counts, lengths, handles, types and numbers come from the fuzzer's input.
 */
#ifndef TESTS_FUZZ_LIES_H
#define TESTS_FUZZ_LIES_H

#include "wire/message.h"

/* Does the body of a request read as its message? */
bool lie_request_reads(enum operation operation, view body);
/* The body of a reply to it. */
void lie_write(enum operation operation, view request, struct writer *w);
/* A return code that may be none. */
uint32_t lie_code(void);

#endif
