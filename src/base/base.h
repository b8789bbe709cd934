/* SPDX-License-Identifier: Apache-2.0
 *
 * The few words that every file speaks: compiler promises and small macros.
 */
#ifndef BASE_BASE_H
#define BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF(format_at, first_at) __attribute__((__format__(__printf__, format_at, first_at)))
#define PUBLIC __attribute__((visibility("default")))

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define UNUSED(thing) ((void)(thing))

static inline size_t
size_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t
size_max(size_t a, size_t b)
{
    return a > b ? a : b;
}

#endif
