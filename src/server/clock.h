/* SPDX-License-Identifier: Apache-2.0
 *
 * The host's clocks, as the core is handed them.
 */
#ifndef SERVER_CLOCK_H
#define SERVER_CLOCK_H

#include "core/ports.h"

/* Static; never released. Its monotonic time goes on while the host sleeps. */
struct clock *clock_host(void);

#endif
