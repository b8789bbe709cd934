/* SPDX-License-Identifier: Apache-2.0
 *
 * Sets of small numbers: conditions, rules, attributes.
 */
#ifndef COMPLIANCE_SET_H
#define COMPLIANCE_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SET_WORDS 6
#define SET_MOST (SET_WORDS * 64)   /* numbers below this one */

struct set {
    uint64_t word[SET_WORDS];
};

static inline void
set_add(struct set *set, size_t number)
{
    set->word[number / 64] |= UINT64_C(1) << number % 64;
}

static inline bool
set_has(const struct set *set, size_t number)
{
    return (set->word[number / 64] >> number % 64 & 1) != 0;
}

static inline void
set_join(struct set *set, const struct set *other)
{
    for (size_t i = 0; i < SET_WORDS; i++) {
        set->word[i] |= other->word[i];
    }
}

/* Whether a number is in both. */
static inline bool
set_meets(const struct set *set, const struct set *other)
{
    uint64_t both = 0;

    for (size_t i = 0; i < SET_WORDS; i++) {
        both |= set->word[i] & other->word[i];
    }
    return both != 0;
}

static inline bool
set_is_empty(const struct set *set)
{
    return !set_meets(set, set);
}

/* A number that two sets hardly share. */
static inline uint64_t
set_hash(const struct set *set)
{
    uint64_t hash = 0;

    for (size_t i = 0; i < SET_WORDS; i++) {
        hash = (hash ^ set->word[i]) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 29;
    }
    return hash;
}

#endif /* COMPLIANCE_SET_H */
