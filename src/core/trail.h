/* SPDX-License-Identifier: Apache-2.0
 *
 * The audit trail as bytes: what a file of it holds. A file is a sequence of entries, each
 * chained to the one before it, over the end of files too:
 *
 *   u16 length of the body, u8 kind, the body, the first 8 bytes of the chain's hash
 *
 * The chain is core/chain.h over kind and body. The first entry of a file says where the chain
 * stands before it; so files may be thrown away from the oldest on, and what is left still checks.
 */
#ifndef CORE_TRAIL_H
#define CORE_TRAIL_H

#include "core/audit.h"

enum trail_kind {
    TRAIL_BEGIN = 1,  /* of a file: struct trail_begin */
    TRAIL_RECORD = 2, /* audit_record_write() */
    TRAIL_HEAD = 3    /* audit_head_write() */
};

#define TRAIL_NODE_MAX 63u

struct trail_begin {
    uint8_t store_id[16];
    uint8_t key[AUDIT_KEY_LEN]; /* checks the heads */
    uint64_t time;
    struct chain before;        /* of the entries in older files */
    view node;                  /* its serial */
};

void trail_begin_write(struct writer *w, const struct trail_begin *begin);
MUST_USE bool trail_begin_read(view body, struct trail_begin *ret_begin);

/* Appends an entry and moves the chain over it; false when it does not fit, and then neither. */
MUST_USE bool trail_entry_write(struct writer *w, struct chain *chain, enum trail_kind kind,
                                view body);

/*
 * Reads the next entry. The first of a file sets the chain to what it says was before. False, and
 * nothing moves, when what follows is no whole entry of this chain.
 */
MUST_USE bool trail_entry_read(struct reader *r, bool first, struct chain *chain,
                               enum trail_kind *ret_kind, view *ret_body);

#endif
