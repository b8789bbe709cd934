/* SPDX-License-Identifier: Apache-2.0
 *
 * A store in memory, for tests and throwaway use: the same contract as the durable engines,
 * but for what needs a file (backup gives false). Completions come before submit() returns,
 * on the caller's thread, with no lock held.
 */
#ifndef STORE_MEMORY_H
#define STORE_MEMORY_H

#include "core/ports.h"

/* Empty, at revision 0; NULL when memory is short. Released by its close(). */
struct store *memory_store_new(const uint8_t id[16]);

#endif
