/* SPDX-License-Identifier: Apache-2.0
 *
 * The writing side of a restore: one SQL transaction over everything.
 */
#include "store/restore.h"

#include "base/secret.h"
#include "store/database.h"
#include "store/guard.h"

#include <stdlib.h>
#include <string.h>

#define COUNTER_MAX 64u

struct restoring {
    struct database *database;
    struct guard guard;
    uint64_t last; /* the highest revision of a record */
};

/* A database draws its id: here there is but one to be drawn. */
struct given {
    struct entropy entropy; /* first, so that an entropy is its given */
    const uint8_t *id;
};

static bool
given_fill(struct entropy *entropy, void *bytes, size_t len)
{
    const struct given *given = (const struct given *)entropy;

    if (len != 16) {
        return false;
    }
    memcpy(bytes, given->id, len);
    return true;
}

struct restoring *
restoring_new(const char *path, const uint8_t store_id[16], const uint8_t guard_key[32])
{
    struct restoring *restoring = calloc(1, sizeof *restoring);
    struct given given = { { given_fill }, store_id };
    uint64_t revision = 0;

    if (restoring == NULL) {
        return NULL;
    }
    restoring->guard.on = true;
    memcpy(restoring->guard.key, guard_key, GUARD_KEY_LEN);
    restoring->database = database_open(path, &given.entropy, &revision);
    if (restoring->database == NULL || revision != 0 ||
        memcmp(database_id(restoring->database), store_id, 16) != 0 ||
        !database_step(restoring->database, DATABASE_BEGIN)) {
        restoring_free(restoring);
        return NULL;
    }
    return restoring;
}

bool
restoring_number(struct restoring *restoring, view counter, uint64_t next)
{
    char name[COUNTER_MAX + 1] = { 0 };

    if (counter.len == 0 || counter.len > COUNTER_MAX || next > INT64_MAX ||
        memchr(counter.data, '\0', counter.len) != NULL) {
        return false;
    }
    memcpy(name, counter.data, counter.len);
    return database_set_number(restoring->database, name, next);
}

bool
restoring_put(struct restoring *restoring, view key, view value, uint64_t revision)
{
    uint64_t before;

    if (revision > restoring->last) {
        restoring->last = revision;
    }
    return key.len > 0 && revision > 0 &&
           database_revision_of(restoring->database, key, &before) && before == 0 &&
           guard_add(&restoring->guard, key, revision) &&
           database_put(restoring->database, key, value, revision);
}

bool
restoring_end(struct restoring *restoring, uint64_t revision)
{
    uint8_t value[GUARD_VALUE_LEN];

    return revision >= restoring->last && revision <= INT64_MAX &&
           guard_value(&restoring->guard, revision, value) &&
           database_set_revision(restoring->database, revision, view_of(value, sizeof value)) &&
           database_step(restoring->database, DATABASE_COMMIT);
}

void
restoring_free(struct restoring *restoring)
{
    if (restoring == NULL) {
        return;
    }
    if (restoring->database != NULL) {
        database_rollback(restoring->database);
    }
    database_close(restoring->database);
    wipe(&restoring->guard, sizeof restoring->guard);
    free(restoring);
}
