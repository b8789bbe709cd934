/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernel's random source, as the core is handed it.
 */
#ifndef SERVER_ENTROPY_H
#define SERVER_ENTROPY_H

#include "core/ports.h"

/* Static; never released. */
struct entropy *entropy_host(void);

#endif
