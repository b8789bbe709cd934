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
/* The same records for another node: a handle of its own, with its own journal and watcher. Each
 * is closed by itself. */
struct store *memory_store_share(struct store *store);

/* For tests: changes are kept from this handle's watcher for ever while it is on. */
void memory_store_drop(struct store *store, bool drop);
/* And: they are told when it is off again. */
void memory_store_hold(struct store *store, bool hold);
/* And: changes of before are not known to this handle's watcher any more. */
void memory_store_lose(struct store *store);
/* And: nothing is written or read through this handle while it is on. */
void memory_store_cut(struct store *store, bool cut);

#endif
