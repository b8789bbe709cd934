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

/* A record that was not told, or that is no more. */
struct other {
    char text[STORE_KEY_MAX / 4];
    size_t len;
};

struct others {
    struct other *all;
    size_t count;
    size_t size;
};

struct comparing {
    struct hsm *hsm;
    struct seen objects;
    struct seen users;
    struct others others; /* whose revisions differ */
    struct others tokens; /* all that the store has; in the order of keys */
    struct others gone;   /* tokens that it has not */
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

static bool
others_add(struct others *others, view key)
{
    struct other *other;

    if (key.len > sizeof other->text) {
        return true; /* no name of ours */
    }
    if (others->count == others->size) {
        size_t size = others->size == 0 ? 64 : others->size * 2;
        struct other *all = reallocarray(others->all, size, sizeof *all);

        if (all == NULL) {
            return false;
        }
        others->all = all;
        others->size = size;
    }
    other = &others->all[others->count++];
    memcpy(other->text, key.data, key.len);
    other->len = key.len;
    return true;
}

static view
other_view(const struct other *other)
{
    return view_of(other->text, other->len);
}

static int
other_order(const void *a, const void *b)
{
    const struct other *x = a, *y = b;

    return x->len != y->len ? (x->len < y->len ? -1 : 1) : memcmp(x->text, y->text, x->len);
}

static bool
others_have(const struct others *others, view key)
{
    struct other wanted = { .len = key.len };

    memcpy(wanted.text, key.data, key.len);
    return others->count > 0 && bsearch(&wanted, others->all, others->count, sizeof wanted,
                                        other_order) != NULL;
}

static uint64_t
token_revision(struct hsm *hsm, const struct token_name *name)
{
    const struct container *container;
    const struct token_record *record;
    uint64_t revision;

    pthread_mutex_lock(&hsm->change);
    container = container_find(&hsm->containers, view_of(name->container, CONTAINER_ID_LEN), false);
    record = container == NULL ? NULL : container_record(container, name->handle);
    revision = record == NULL ? 0 : record->revision;
    pthread_mutex_unlock(&hsm->change);
    return revision;
}

/* Is what the tables have of that record older than what the store has, or not there at all? */
static bool
is_behind(struct hsm *hsm, view key, uint64_t revision)
{
    struct token_name token;
    uint8_t identity[COPY_IDENTITY_LEN];
    struct reply_key reply;
    uint64_t login, had;
    uint32_t number;
    char prefix;

    if (record_name_parse(key, &prefix, &number)) {
        if (prefix == 'd') {
            return handle_is_certificate(number) && !numbers_knows(&hsm->certificates, number);
        }
        return load_is_behind(hsm, prefix, number, revision);
    }
    if (token_name_parse(key, &token)) {
        return token_revision(hsm, &token) < revision;
    }
    if (logout_name_parse(key, &login)) {
        return !logouts_has(&hsm->logouts, login);
    }
    if (tomb_name_parse(key, identity)) {
        (void)tombs_version(&hsm->tombs, identity, &had);
        return had < revision;
    }
    return reply_name_parse(key, &reply) && !replies_knows(&hsm->replies, &reply);
}

/* The store's lock may be held: only a look. */
static bool
compare_visit(void *arg, view key, view value, uint64_t revision)
{
    struct comparing *c = arg;
    struct token_name token;
    char prefix;
    uint32_t number;

    UNUSED(value);
    c->renewed = c->renewed || (view_equal(key, PARTITION_NAME) &&
                                revision > c->hsm->partition_revision);
    if (record_name_parse(key, &prefix, &number)) {
        c->failed = (prefix == 'o' && !seen_add(&c->objects, number)) ||
                    (prefix == 'u' && !seen_add(&c->users, number));
    } else if (token_name_parse(key, &token)) {
        c->failed = !others_add(&c->tokens, key);
    }
    c->failed = c->failed || (is_behind(c->hsm, key, revision) && !others_add(&c->others, key));
    return !c->failed;
}

/* Mended: it is as the store has it now. A record that cannot be read will be told again, or is of
 * another version; where memory is short this has to be done again. */
static bool
other_mend(struct comparing *c, view key)
{
    struct hsm *hsm = c->hsm;
    struct store *store = hsm->ports.store;
    struct writer value;
    uint64_t revision = 0;
    CK_RV rv = CKR_GENERAL_ERROR;

    writer_init(&value, STORE_VALUE_MAX);
    if (!store->get(store, key, &revision, &value)) {
        c->failed = true;
    } else if (revision != 0 && is_behind(hsm, key, revision)) {
        follow_seen(hsm, revision);
        rv = load_put(hsm, key, writer_view(&value), revision);
        c->failed = rv == CKR_HOST_MEMORY;
    }
    writer_clear(&value);
    return rv == CKR_OK;
}

/* Those that are in the table, were there before the list and are not in it. */
static size_t
tokens_mend(struct comparing *c, uint64_t revision)
{
    struct hsm *hsm = c->hsm;

    pthread_mutex_lock(&hsm->change);
    for (size_t i = 0; i < hsm->containers.count && !c->failed; i++) {
        const struct container *container = hsm->containers.all[i];

        for (uint32_t k = 0; k < NUMBERS_COUNT && !c->failed; k++) {
            const struct token_record *record = container->records[k];
            struct token_name name;

            if (record == NULL || record->revision > revision) {
                continue;
            }
            name = token_name(container->id, HANDLE_CERTIFICATE_FIRST + k);
            c->failed = !others_have(&c->tokens, token_name_view(&name)) &&
                        !others_add(&c->gone, token_name_view(&name));
        }
    }
    pthread_mutex_unlock(&hsm->change);
    for (size_t i = 0; i < c->gone.count; i++) {
        load_gone(hsm, other_view(&c->gone.all[i]), revision + 1);
    }
    return c->gone.count;
}

/* The same of objects. */
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
        if (wait && c.others.count > 0) {
            (void)follow_await(hsm, revision, AWAIT_MS);
        }
        for (size_t i = 0; i < c.others.count && !c.failed; i++) {
            mended += other_mend(&c, other_view(&c.others.all[i]));
        }
        mended += objects_mend(&c, revision) + users_mend(&c, revision) +
                  tokens_mend(&c, revision);
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
    free(c.others.all);
    free(c.tokens.all);
    free(c.gone.all);
    return listed && !c.failed;
}

void
hsm_compare(struct hsm *hsm)
{
    if (atomic_load(&hsm->follow.on) && !follow_compare(hsm, true)) {
        log_wrn("the store was not read: what this node has is held against it later");
    }
}
