/* SPDX-License-Identifier: Apache-2.0 */
#include "core/journal.h"

#include "crypto/algo.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PREFIX "j/"
#define FIRST_PREFIX "i/"
#define PREFIX_LEN 2u
#define DIGITS 16u

struct journal_name
journal_name(const char *node, uint64_t count)
{
    struct journal_name name;

    name.len = (size_t)snprintf(name.text, sizeof name.text, PREFIX "%.16s/%016" PRIx64, node,
                                count);
    return name;
}

view
journal_name_view(const struct journal_name *name)
{
    return view_of(name->text, name->len);
}

/* Letters and digits, at least one. */
static bool
node_read(view text, char ret_node[JOURNAL_NODE_MAX + 1])
{
    if (text.len == 0 || text.len > JOURNAL_NODE_MAX) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];

        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z')) {
            return false;
        }
    }
    memset(ret_node, 0, JOURNAL_NODE_MAX + 1);
    memcpy(ret_node, text.data, text.len);
    return true;
}

bool
journal_name_parse(view key, char ret_node[JOURNAL_NODE_MAX + 1])
{
    size_t end = PREFIX_LEN + DIGITS + 1;

    return key.len > end && key.len <= JOURNAL_NAME_MAX && memcmp(key.data, PREFIX, 2) == 0 &&
           key.data[key.len - DIGITS - 1] == '/' &&
           node_read(view_slice(key, PREFIX_LEN, key.len - end), ret_node);
}

struct journal_name
journal_first_name(const char *node)
{
    struct journal_name name;

    name.len = (size_t)snprintf(name.text, sizeof name.text, FIRST_PREFIX "%.16s", node);
    return name;
}

bool
journal_first_parse(view key, char ret_node[JOURNAL_NODE_MAX + 1])
{
    return key.len > PREFIX_LEN && memcmp(key.data, FIRST_PREFIX, PREFIX_LEN) == 0 &&
           node_read(view_slice(key, PREFIX_LEN, key.len - PREFIX_LEN), ret_node);
}

CK_RV
journal_open(const struct sealer *sealer, view key, view value, struct chain *ret_end,
             struct writer *out)
{
    char node[JOURNAL_NODE_MAX + 1];
    struct journal_name name;
    struct writer plain;
    struct reader r;
    struct chain end;
    uint64_t version;
    CK_RV rv;

    if (!journal_name_parse(key, node)) {
        return CKR_GENERAL_ERROR;
    }
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
    name = journal_name(node, end.count);
    if (!view_equal(journal_name_view(&name), key)) {
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
journal_first_seal(const struct sealer *sealer, const char *node, const struct chain *before,
                   struct writer *out)
{
    const struct journal_name name = journal_first_name(node);
    uint8_t room[8 + CHAIN_HASH_LEN];
    struct writer plain;

    writer_init_fixed(&plain, room, sizeof room);
    chain_write(&plain, before);
    return record_seal(sealer, journal_name_view(&name), 0, before->count, writer_view(&plain),
                       out);
}

CK_RV
journal_first_open(const struct sealer *sealer, view key, view value, struct chain *ret_before)
{
    struct writer plain;
    struct reader r;
    struct chain before;
    uint64_t version;
    CK_RV rv;

    writer_init(&plain, CHAIN_RECORD_MAX);
    rv = record_open(sealer, key, 0, value, &version, &plain);
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

/* A store_entry; arg is the keeper. */
static bool
journal_entry(void *arg, struct chain *chain, view journal, struct writer *key,
              struct writer *value)
{
    const struct journal_keeper *keeper = arg;
    struct journal_name name;
    uint8_t room[8 + CHAIN_HASH_LEN + CHAIN_RECORD_MAX];
    struct chain end = *chain;
    struct writer plain;

    if (!chain_add(&end, journal)) {
        return false;
    }
    name = journal_name(keeper->node, end.count);
    writer_init_fixed(&plain, room, sizeof room);
    chain_write(&plain, &end);
    write_raw(&plain, journal);
    if (!writer_ok(&plain) || record_seal(keeper->sealer, journal_name_view(&name), 0, 1,
                                          writer_view(&plain), value) != CKR_OK) {
        return false;
    }
    write_raw(key, journal_name_view(&name));
    *chain = end;
    return true;
}

void
journal_begin(struct store *store, struct journal_keeper *keeper, const struct chain *end)
{
    store->journal(store, end, journal_entry, keeper);
}

void
journal_stop(struct store *store)
{
    struct chain end;

    store->journal_end(store, &end);
    store->journal(store, &end, NULL, NULL);
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
