/* SPDX-License-Identifier: Apache-2.0
 *
 * A thread that does one thing again and again, with a pause after each time.
 */
#ifndef SERVER_TICKER_H
#define SERVER_TICKER_H

#include "base/bytes.h"

struct ticker;

/* NULL with a line in the log. Signals are for the main thread: made while they are blocked. */
struct ticker *ticker_new(uint32_t pause_ms, void (*tick)(void *arg), void *arg);
/* Waits for a time that is under way; NULL is fine. */
void ticker_free(struct ticker *ticker);

#endif
