/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables held against the store. Both move meanwhile, so what differs is looked at again
 * when this node has come as far as the list: what is still not the same was not told.
 */
#include "core/approve.h"
#include "core/birth.h"
#include "core/follow.h"
#include "core/load.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>

#define AWAIT_MS 3000u

struct seen {
    uint32_t *numbers; /* rising, as the keys are */
    size_t count;
    size_t size;
};

/* The name of a record that ends something before its time: a login, or copies of an object. */
struct end {
    char text[TOMB_NAME_LEN];
    size_t len;
};

struct comparing {
    struct hsm *hsm;
    struct seen objects;
    struct seen users;
    struct record_name *others; /* whose revisions differ */
    size_t other_count;
    size_t other_size;
    struct end *ends;           /* that were not told */
    size_t end_count;
    size_t end_size;
    bool renewed; /* the partition has another policy */
    bool failed;
};

static bool
seen_add(struct seen *seen, uint32_t number)
{
    if (seen->count == seen->size) {
        size_t size = seen->size == 0 ? 1024 : seen->size * 2;
        uint32_t *numbers = reallocarray(seen->numbers, size, sizeof *numbers);

        if (numbers == NULL) {
            return false;
        }
        seen->numbers = numbers;
        seen->size = size;
    }
    seen->numbers[seen->count++] = number;
    return true;
}

static int
number_order(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static bool
seen_has(const struct seen *seen, uint32_t number)
{
    return seen->count > 0 && bsearch(&number, seen->numbers, seen->count, sizeof number,
                                      number_order) != NULL;
}

/* Also of one that was removed. Under hsm->lock. */
static uint64_t
member_revision(const struct members *members, uint32_t number)
{
    uint64_t revision = 0;

    for (size_t i = 0; i < members->count; i++) {
        if (members->members[i].number == number) {
            revision = members->members[i].revision;
        }
    }
    return revision;
}

/* The revision that the tables have; *ret_kept: they keep one. */
static uint64_t
revision_of(struct hsm *hsm, char prefix, uint32_t number, bool *ret_kept)
{
    const struct object *object;
    const struct user *user;
    const struct quorum_key *key;
    uint64_t revision = 0;

    *ret_kept = true;
    pthread_rwlock_rdlock(&hsm->lock);
    if (prefix == 'o') {
        object = table_find(&hsm->objects, number);
        revision = object == NULL ? 0 : object->revision;
    } else if (prefix == 'u' || prefix == 'f') {
        user = user_by_id(&hsm->users, number);
        *ret_kept = prefix == 'u' || user != NULL;
        revision = user == NULL ? 0 : prefix == 'u' ? user->revision : user->failures_revision;
    } else if (prefix == 'g') {
        revision = hsm->directory;
    } else if (prefix == 'h') {
        revision = member_revision(&hsm->members, number);
    } else if (prefix == 'k' || prefix == 'm') {
        pthread_mutex_lock(&hsm->quorum.lock);
        key = prefix == 'k' ? quorum_key_of(&hsm->quorum, number) : NULL;
        revision = prefix == 'm' ? hsm->quorum.revision : key == NULL ? 0 : key->revision;
        pthread_mutex_unlock(&hsm->quorum.lock);
    } else {
        *ret_kept = false;
    }
    pthread_rwlock_unlock(&hsm->lock);
    return revision;
}

static bool
other_add(struct comparing *c, char prefix, uint32_t number)
{
    if (c->other_count == c->other_size) {
        size_t size = c->other_size == 0 ? 64 : c->other_size * 2;
        struct record_name *others = reallocarray(c->others, size, sizeof *others);

        if (others == NULL) {
            return false;
        }
        c->others = others;
        c->other_size = size;
    }
    c->others[c->other_count++] = record_name(prefix, number);
    return true;
}

static bool
end_add(struct comparing *c, view key)
{
    if (c->end_count == c->end_size) {
        size_t size = c->end_size == 0 ? 64 : c->end_size * 2;
        struct end *ends = reallocarray(c->ends, size, sizeof *ends);

        if (ends == NULL) {
            return false;
        }
        c->ends = ends;
        c->end_size = size;
    }
    c->ends[c->end_count].len = key.len;
    memcpy(c->ends[c->end_count++].text, key.data, key.len);
    return true;
}

/* Is it such a record, which is not in its table as the store has it? */
static bool
end_is_missing(struct hsm *hsm, view key, uint64_t revision)
{
    uint8_t identity[COPY_IDENTITY_LEN];
    uint64_t login, had;

    if (tomb_name_parse(key, identity)) {
        (void)tombs_version(&hsm->tombs, identity, &had);
        return had < revision;
    }
    return logout_name_parse(key, &login) && !logouts_has(&hsm->logouts, login);
}

/* The store's lock may be held: only a look. */
static bool
compare_visit(void *arg, view key, view value, uint64_t revision)
{
    struct comparing *c = arg;
    char prefix;
    uint32_t number;
    bool kept;

    UNUSED(value);
    c->renewed = c->renewed || (view_equal(key, PARTITION_NAME) &&
                                revision > c->hsm->partition_revision);
    if (!record_name_parse(key, &prefix, &number)) {
        c->failed = end_is_missing(c->hsm, key, revision) && !end_add(c, key);
        return !c->failed;
    }
    c->failed = (prefix == 'o' && !seen_add(&c->objects, number)) ||
                (prefix == 'u' && !seen_add(&c->users, number)) ||
                (revision_of(c->hsm, prefix, number, &kept) != revision && kept &&
                 !other_add(c, prefix, number));
    return !c->failed;
}

/* Mended: it is as the store has it now. */
static bool
other_mend(struct comparing *c, const struct record_name *name)
{
    struct hsm *hsm = c->hsm;
    struct store *store = hsm->ports.store;
    view key = record_name_view(name);
    struct writer value;
    uint64_t revision = 0;
    uint32_t number = 0;
    char prefix = 0;
    bool kept, mended = false;

    writer_init(&value, STORE_VALUE_MAX);
    if (!record_name_parse(key, &prefix, &number) || !store->get(store, key, &revision, &value)) {
        c->failed = true;
    } else if (revision > revision_of(hsm, prefix, number, &kept)) {
        follow_seen(hsm, revision);
        mended = load_put(hsm, key, writer_view(&value), revision) == CKR_OK;
    }
    writer_clear(&value);
    return mended;
}

/* A ticket of a login that was ended meanwhile is taken up no more, nor a copy of what was destroyed. */
static bool
end_mend(struct comparing *c, const struct end *end)
{
    struct hsm *hsm = c->hsm;
    struct store *store = hsm->ports.store;
    view key = view_of(end->text, end->len);
    struct writer value;
    uint64_t revision = 0;
    bool mended = false;

    writer_init(&value, STORE_VALUE_MAX);
    if (!store->get(store, key, &revision, &value)) {
        c->failed = true;
    } else if (revision != 0 && end_is_missing(hsm, key, revision)) {
        follow_seen(hsm, revision);
        mended = load_put(hsm, key, writer_view(&value), revision) == CKR_OK;
    }
    writer_clear(&value);
    return mended;
}

/* Those that are in the table, were there before the list and are not in it. */
static size_t
objects_mend(struct comparing *c, uint64_t revision)
{
    struct hsm *hsm = c->hsm;
    struct seen gone = { .count = 0 };
    const struct object *object;

    pthread_rwlock_rdlock(&hsm->lock);
    for (object = table_next(&hsm->objects, 0); object != NULL && !c->failed;
         object = table_next(&hsm->objects, object->handle)) {
        if (object->revision <= revision && !seen_has(&c->objects, object->handle)) {
            c->failed = !seen_add(&gone, object->handle);
        }
    }
    pthread_rwlock_unlock(&hsm->lock);
    for (size_t i = 0; i < gone.count; i++) {
        objects_leave(hsm, gone.numbers[i], revision + 1);
    }
    free(gone.numbers);
    return gone.count;
}

static size_t
users_mend(struct comparing *c, uint64_t revision)
{
    struct hsm *hsm = c->hsm;
    struct seen gone = { .count = 0 };

    pthread_rwlock_rdlock(&hsm->lock);
    for (size_t i = 0; i < hsm->users.count && !c->failed; i++) {
        const struct user *user = &hsm->users.users[i];

        if (user->revision <= revision && !seen_has(&c->users, user->id)) {
            c->failed = !seen_add(&gone, user->id);
        }
    }
    pthread_rwlock_unlock(&hsm->lock);
    for (size_t i = 0; i < gone.count; i++) {
        pthread_mutex_lock(&hsm->change); /* handlers read the quorum under it */
        users_leave(hsm, gone.numbers[i], revision + 1);
        pthread_mutex_unlock(&hsm->change);
    }
    free(gone.numbers);
    return gone.count;
}

bool
follow_compare(struct hsm *hsm, bool wait)
{
    struct store *store = hsm->ports.store;
    struct comparing c = { .hsm = hsm };
    uint64_t revision = 0;
    size_t mended = 0;
    bool listed = store->list(store, compare_visit, &c, &revision) && !c.failed;

    if (listed) {
        if (wait && c.other_count + c.end_count > 0) {
            (void)follow_await(hsm, revision, AWAIT_MS);
        }
        for (size_t i = 0; i < c.other_count && !c.failed; i++) {
            mended += other_mend(&c, &c.others[i]);
        }
        for (size_t i = 0; i < c.end_count && !c.failed; i++) {
            mended += end_mend(&c, &c.ends[i]);
        }
        mended += objects_mend(&c, revision) + users_mend(&c, revision);
    }
    if (listed && c.renewed) {
        hsm_renew(hsm);
    }
    if (mended > 0) {
        log_wrn("%zu records were not as the store has them: changes had not been told", mended);
        changes_add(&hsm->changes, CHANGE_OF_ALL);
    }
    free(c.objects.numbers);
    free(c.users.numbers);
    free(c.others);
    free(c.ends);
    return listed && !c.failed;
}

void
hsm_compare(struct hsm *hsm)
{
    if (atomic_load(&hsm->follow.on) && !follow_compare(hsm, true)) {
        log_wrn("the store was not read: what this node has is held against it later");
    }
}
