/* SPDX-License-Identifier: Apache-2.0 */
#include "core/chain.h"

#include "crypto/algo.h"

#include <string.h>

bool
chain_add(struct chain *chain, view record)
{
    uint8_t bytes[CHAIN_HASH_LEN + CHAIN_RECORD_MAX];
    struct chain next = { .count = chain->count + 1 };

    if (record.len > CHAIN_RECORD_MAX) {
        return false;
    }
    memcpy(bytes, chain->hash, CHAIN_HASH_LEN);
    if (record.len > 0) {
        memcpy(bytes + CHAIN_HASH_LEN, record.data, record.len);
    }
    if (!algo_sha256(view_of(bytes, CHAIN_HASH_LEN + record.len), next.hash)) {
        return false;
    }
    *chain = next;
    return true;
}

bool
chain_equal(const struct chain *a, const struct chain *b)
{
    return a->count == b->count && memcmp(a->hash, b->hash, CHAIN_HASH_LEN) == 0;
}

void
chain_write(struct writer *w, const struct chain *chain)
{
    write_u64(w, chain->count);
    write_raw(w, view_of(chain->hash, CHAIN_HASH_LEN));
}

bool
chain_read(struct reader *r, struct chain *ret_chain)
{
    struct reader at = *r;
    struct chain chain;
    view hash;

    if (!read_u64(&at, &chain.count) || !read_raw(&at, CHAIN_HASH_LEN, &hash)) {
        return false;
    }
    memcpy(chain.hash, hash.data, CHAIN_HASH_LEN);
    *ret_chain = chain;
    *r = at;
    return true;
}
