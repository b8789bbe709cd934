/* SPDX-License-Identifier: Apache-2.0
 *
 * What a fuzz harness is made of: the entry point, and claims that hold for any input.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not assert(): the claim is the harness, also where NDEBUG is defined. */
#define HOLDS(claim)                                          \
    do {                                                      \
        if (!(claim)) {                                       \
            fprintf(stderr, "does not hold: %s\n", #claim); \
            abort();                                          \
        }                                                     \
    } while (0)

#endif
