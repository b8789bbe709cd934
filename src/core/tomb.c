/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tomb.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS 16384u
#define PLAIN_LEN (FRAME_CONTEXT_LEN + 4u + 3u * 8u)

struct tomb_entry {
    struct tomb_entry *next;
    struct tomb tomb;
};

/* ---- records ---- */

struct tomb_name
tomb_name(const uint8_t identity[COPY_IDENTITY_LEN])
{
    struct tomb_name name = { "d/" };

    hex_encode(view_of(identity, COPY_IDENTITY_LEN), name.text + 2);
    return name;
}

view
tomb_name_view(const struct tomb_name *name)
{
    return view_of(name->text, TOMB_NAME_LEN);
}

bool
tomb_name_parse(view key, uint8_t ret_identity[COPY_IDENTITY_LEN])
{
    char digits[2 * COPY_IDENTITY_LEN + 1] = { 0 };
    uint8_t identity[COPY_IDENTITY_LEN];
    struct tomb_name name;
    size_t len;

    if (key.len != TOMB_NAME_LEN) {
        return false;
    }
    memcpy(digits, key.data + 2, sizeof digits - 1);
    if (!hex_decode(digits, identity, sizeof identity, &len) || len != sizeof identity) {
        return false;
    }
    name = tomb_name(identity);
    if (!view_equal(tomb_name_view(&name), key)) {
        return false; /* another prefix, or the same in other letters */
    }
    memcpy(ret_identity, identity, sizeof identity);
    return true;
}

CK_RV
tomb_record(const struct sealer *sealer, const struct tomb *tomb, struct writer *out)
{
    const struct tomb_name name = tomb_name(tomb->identity);
    uint8_t room[PLAIN_LEN];
    struct writer plain;

    writer_init_fixed(&plain, room, sizeof room);
    write_raw(&plain, view_of(tomb->context, FRAME_CONTEXT_LEN));
    write_u32(&plain, tomb->handle);
    write_u64(&plain, tomb->version);
    write_u64(&plain, tomb->until);
    write_u64(&plain, tomb->boot);
    return record_seal(sealer, tomb_name_view(&name), 0, 1, writer_view(&plain), out);
}

CK_RV
tomb_from_record(const struct sealer *sealer, view record, uint64_t revision,
                 struct tomb *ret_tomb)
{
    const struct tomb_name name = tomb_name(ret_tomb->identity);
    struct tomb tomb = *ret_tomb;
    uint8_t room[PLAIN_LEN];
    struct writer plain;
    struct reader r;
    uint64_t version;
    view context;
    CK_RV rv;

    writer_init_fixed(&plain, room, sizeof room);
    rv = record_open(sealer, tomb_name_view(&name), 0, record, &version, &plain);
    if (rv != CKR_OK) {
        return rv;
    }
    r = reader_of(writer_view(&plain));
    if (!read_raw(&r, FRAME_CONTEXT_LEN, &context) || !read_u32(&r, &tomb.handle) ||
        !read_u64(&r, &tomb.version) || !read_u64(&r, &tomb.until) ||
        !read_u64(&r, &tomb.boot) || !reader_done(&r)) {
        return CKR_GENERAL_ERROR;
    }
    memcpy(tomb.context, context.data, FRAME_CONTEXT_LEN);
    tomb.revision = revision;
    *ret_tomb = tomb;
    return CKR_OK;
}

/* ---- the table ---- */

bool
tombs_init(struct tombs *tombs)
{
    *tombs = (struct tombs){ .buckets = calloc(BUCKETS, sizeof(struct tomb_entry *)) };
    return tombs->buckets != NULL && pthread_mutex_init(&tombs->lock, NULL) == 0;
}

void
tombs_clear(struct tombs *tombs)
{
    if (tombs->buckets == NULL) {
        return;
    }
    tombs_sweep(tombs, UINT64_MAX, NULL, NULL);
    free(tombs->buckets);
    tombs->buckets = NULL;
    pthread_mutex_destroy(&tombs->lock);
}

struct tomb_entry *
tomb_entry_new(const struct tomb *tomb)
{
    struct tomb_entry *entry = malloc(sizeof *entry);

    if (entry != NULL) {
        *entry = (struct tomb_entry){ .tomb = *tomb };
    }
    return entry;
}

void
tomb_entry_free(struct tomb_entry *entry)
{
    free(entry);
}

/* Identities are random: the first bytes are hash enough. Under the lock:
 * where it is, or the end. */
static struct tomb_entry **
entry_at(struct tombs *tombs, const uint8_t identity[COPY_IDENTITY_LEN])
{
    struct tomb_entry **at = &tombs->buckets[load_u32(identity) % BUCKETS];

    while (*at != NULL && memcmp((*at)->tomb.identity, identity, COPY_IDENTITY_LEN) != 0) {
        at = &(*at)->next;
    }
    return at;
}

void
tombs_take(struct tombs *tombs, struct tomb_entry *entry, uint64_t revision)
{
    struct tomb_entry *old = entry;
    struct tomb_entry **at;

    entry->tomb.revision = revision;
    pthread_mutex_lock(&tombs->lock);
    at = entry_at(tombs, entry->tomb.identity);
    if (*at == NULL || (*at)->tomb.revision < entry->tomb.revision) {
        old = *at;
        tombs->count += old == NULL;
        entry->next = old == NULL ? NULL : old->next;
        *at = entry;
    }
    pthread_mutex_unlock(&tombs->lock);
    free(old);
}

uint64_t
tombs_version(struct tombs *tombs, const uint8_t identity[COPY_IDENTITY_LEN],
              uint64_t *ret_revision)
{
    const struct tomb_entry *entry;
    uint64_t version = 0;
    uint64_t revision = 0;

    pthread_mutex_lock(&tombs->lock);
    entry = *entry_at(tombs, identity);
    if (entry != NULL) {
        version = entry->tomb.version;
        revision = entry->tomb.revision;
    }
    pthread_mutex_unlock(&tombs->lock);
    *ret_revision = revision;
    return version;
}

void
tombs_sweep(struct tombs *tombs, uint64_t now,
            void (*gone)(void *arg, const uint8_t identity[COPY_IDENTITY_LEN]), void *arg)
{
    struct tomb_entry *old = NULL;

    pthread_mutex_lock(&tombs->lock);
    for (size_t i = 0; i < BUCKETS && tombs->count > 0; i++) {
        struct tomb_entry **at = &tombs->buckets[i];

        while (*at != NULL) {
            struct tomb_entry *entry = *at;

            if (entry->tomb.until < now) {
                *at = entry->next;
                entry->next = old;
                old = entry;
                tombs->count--;
            } else {
                at = &entry->next;
            }
        }
    }
    pthread_mutex_unlock(&tombs->lock);
    while (old != NULL) {
        struct tomb_entry *next = old->next;

        if (gone != NULL) {
            gone(arg, old->tomb.identity);
        }
        free(old);
        old = next;
    }
}
