/* SPDX-License-Identifier: Apache-2.0 */
#include "core/journal.h"

#include "crypto/algo.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PREFIX VIEW_TEXT("a/")

bool
journal_name_is(view key)
{
    return key.len == JOURNAL_NAME_LEN && view_equal(view_slice(key, 0, PREFIX.len), PREFIX);
}

void
journal_name(uint64_t count, char name[JOURNAL_NAME_LEN + 1])
{
    snprintf(name, JOURNAL_NAME_LEN + 1, "a/%016" PRIx64, count);
}

CK_RV
journal_open(const struct sealer *sealer, view key, view value, struct chain *ret_end,
             struct writer *out)
{
    char name[JOURNAL_NAME_LEN + 1];
    struct writer plain;
    struct reader r;
    struct chain end;
    uint64_t version;
    CK_RV rv;

    writer_init(&plain, 2 * CHAIN_RECORD_MAX);
    rv = record_open(sealer, key, 0, value, &version, &plain);
    if (rv != CKR_OK) {
        goto out;
    }
    r = reader_of(writer_view(&plain));
    if (!chain_read(&r, &end)) {
        rv = CKR_GENERAL_ERROR;
        goto out;
    }
    journal_name(end.count, name);
    if (!view_equal(view_of(name, JOURNAL_NAME_LEN), key)) {
        rv = CKR_GENERAL_ERROR;
        goto out;
    }
    write_raw(out, view_of(r.next, r.left));
    rv = writer_ok(out) ? CKR_OK : CKR_HOST_MEMORY;
    if (rv == CKR_OK) {
        *ret_end = end;
    }
out:
    writer_clear(&plain);
    return rv;
}

CK_RV
journal_first_seal(const struct sealer *sealer, const struct chain *before, struct writer *out)
{
    uint8_t room[8 + CHAIN_HASH_LEN];
    struct writer plain;

    writer_init_fixed(&plain, room, sizeof room);
    chain_write(&plain, before);
    return record_seal(sealer, JOURNAL_FIRST_NAME, 0, before->count, writer_view(&plain), out);
}

CK_RV
journal_first_open(const struct sealer *sealer, view value, struct chain *ret_before)
{
    struct writer plain;
    struct reader r;
    struct chain before;
    uint64_t version;
    CK_RV rv;

    writer_init(&plain, CHAIN_RECORD_MAX);
    rv = record_open(sealer, JOURNAL_FIRST_NAME, 0, value, &version, &plain);
    r = reader_of(writer_view(&plain));
    if (rv == CKR_OK && (!chain_read(&r, &before) || !reader_done(&r) || before.count != version)) {
        rv = CKR_GENERAL_ERROR;
    }
    if (rv == CKR_OK) {
        *ret_before = before;
    }
    writer_clear(&plain);
    return rv;
}

/* A store_entry; arg is the sealer. */
static bool
journal_entry(void *arg, struct chain *chain, view journal, struct writer *key,
              struct writer *value)
{
    const struct sealer *sealer = arg;
    char name[JOURNAL_NAME_LEN + 1];
    uint8_t room[8 + CHAIN_HASH_LEN + CHAIN_RECORD_MAX];
    struct chain end = *chain;
    struct writer plain;

    if (!chain_add(&end, journal)) {
        return false;
    }
    journal_name(end.count, name);
    writer_init_fixed(&plain, room, sizeof room);
    chain_write(&plain, &end);
    write_raw(&plain, journal);
    if (!writer_ok(&plain) || record_seal(sealer, view_of(name, JOURNAL_NAME_LEN), 0, 1,
                                          writer_view(&plain), value) != CKR_OK) {
        return false;
    }
    write_raw(key, view_of(name, JOURNAL_NAME_LEN));
    *chain = end;
    return true;
}

void
journal_begin(struct store *store, struct sealer *sealer, const struct chain *end)
{
    store->journal(store, end, journal_entry, sealer);
}

bool
audit_seed(const struct sealer *sealer, uint8_t ret_seed[32])
{
    return sealer_derive(sealer, VIEW_TEXT("audit head"), ret_seed);
}

bool
audit_public_key(const struct sealer *sealer, uint8_t ret_key[32])
{
    uint8_t seed[32];
    bool made = audit_seed(sealer, seed) && algo_ed25519_public(seed, ret_key);

    wipe(seed, sizeof seed);
    return made;
}
