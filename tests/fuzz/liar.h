/* SPDX-License-Identifier: Apache-2.0
 *
 * A daemon that lies, for fuzz_library.c: the system calls with which api/connection.c speaks end
 * here (the linker's --wrap), and the answers come from the fuzzer's input. Time is pretended, so
 * that silence costs nothing and each wait can be held to its limit.
 */
#ifndef TESTS_FUZZ_LIAR_H
#define TESTS_FUZZ_LIAR_H

#include "base/bytes.h"

/* Whatever is said from now on comes from here; at its end the daemon is gone. */
void liar_begin(struct reader *input);
/* Forgets what is left of the last play. */
void liar_end(void);
/* Connections that the library has not closed. */
int liar_open(void);
/* Requests of the library, repeats apart. */
unsigned liar_trips(void);

/* 0 when there is nothing left. */
uint8_t liar_u8(void);
uint32_t liar_u32(void);
view liar_bytes(size_t max);
/* A number near the one given, more often than any. */
size_t liar_len(size_t near);

#endif
