/* SPDX-License-Identifier: Apache-2.0
 *
 * Buffers that end where memory ends: who reads or writes a byte too many gets a signal, and the
 * watcher reports a crash.
 */
#ifndef COMPLIANCE_GUARD_H
#define COMPLIANCE_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GUARD_MOST 8192

struct guard {
    uint8_t *start, *end;
};

bool guard_init(struct guard *guard);
void guard_clear(struct guard *guard);

/* The last len bytes before the end; what was there before is overwritten with a pattern. */
uint8_t *guard_tail(struct guard *guard, size_t len);

/* Whether the bytes before the last len still hold the pattern. */
bool guard_intact(const struct guard *guard, size_t len);

#endif /* COMPLIANCE_GUARD_H */
