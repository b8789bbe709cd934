/* SPDX-License-Identifier: Apache-2.0
 *
 * Sums of keyed hashes. One key serves three uses, told apart by the first byte.
 */
#include "store/guard.h"

#include "base/secret.h"
#include "core/ports.h"
#include "crypto/algo.h"

#include <string.h>

enum use { USE_RECORD = 'r', USE_MASK = 'm', USE_MAC = 't' };

static bool
keyed(const struct guard *guard, enum use use, view name, uint64_t revision, uint8_t out[32])
{
    uint8_t bytes[1 + 8 + STORE_KEY_MAX];
    struct writer w;

    writer_init_fixed(&w, bytes, sizeof bytes);
    write_u8(&w, (uint8_t)use);
    write_u64(&w, revision);
    write_raw(&w, name);
    return writer_ok(&w) &&
           algo_hmac_sha256(view_of(guard->key, sizeof guard->key), writer_view(&w), out);
}

/* sign is 1 or the number that undoes it. */
static bool
guard_count(struct guard *guard, view key, uint64_t revision, uint64_t sign)
{
    uint8_t element[32];

    if (!guard->on) {
        return true;
    }
    if (!keyed(guard, USE_RECORD, key, revision, element)) {
        return false;
    }
    for (size_t i = 0; i < 4; i++) {
        guard->lanes[i] += sign * load_u64(element + 8 * i);
    }
    wipe(element, sizeof element);
    return true;
}

bool
guard_add(struct guard *guard, view key, uint64_t revision)
{
    return guard_count(guard, key, revision, 1);
}

bool
guard_remove(struct guard *guard, view key, uint64_t revision)
{
    return guard_count(guard, key, revision, UINT64_MAX);
}

bool
guard_value(const struct guard *guard, uint64_t revision, uint8_t ret_value[GUARD_VALUE_LEN])
{
    uint8_t mask[32];

    if (!keyed(guard, USE_MASK, VIEW_EMPTY, revision, mask)) {
        return false;
    }
    for (size_t i = 0; i < 4; i++) {
        store_u64(ret_value + 8 * i, guard->lanes[i] + load_u64(mask + 8 * i));
    }
    wipe(mask, sizeof mask);
    return keyed(guard, USE_MAC, view_of(ret_value, 32), revision, ret_value + 32);
}
