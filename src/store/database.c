/* SPDX-License-Identifier: Apache-2.0
 *
 * SQLite behind a few functions. The file is in WAL mode with full synchronisation, so that a
 * commit that returned is on the disk, and in exclusive locking mode, so that it has one owner.
 */
#include "store/database.h"

#include "base/log.h"
#include "store/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define APPLICATION_ID 0x4f43484d /* "OCHM" */
#define FORMAT_VERSION 1
#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)

enum query {
    QUERY_REVISION_OF = DATABASE_STEPS,
    QUERY_PUT,
    QUERY_DELETE,
    QUERY_SET_REVISION,
    QUERY_GUARD,
    QUERY_GET,
    QUERY_EACH,
    QUERY_EACH_NAME,
    QUERY_NUMBER_GET,
    QUERY_NUMBER_SET,
    QUERY_NUMBER_EACH,
    QUERY_COPY,
    QUERY_COUNT
};

static const char *const queries[QUERY_COUNT] = {
    [DATABASE_BEGIN] = "BEGIN IMMEDIATE",
    [DATABASE_COMMIT] = "COMMIT",
    [DATABASE_SAVEPOINT] = "SAVEPOINT submission",
    [DATABASE_RELEASE] = "RELEASE submission",
    [DATABASE_ROLLBACK_TO] = "ROLLBACK TO submission",
    [QUERY_REVISION_OF] = "SELECT revision FROM record WHERE key = ?1",
    [QUERY_PUT] = ("INSERT INTO record (key, value, revision) VALUES (?1, ?2, ?3) "
                   "ON CONFLICT (key) DO UPDATE SET value = ?2, revision = ?3"),
    [QUERY_DELETE] = "DELETE FROM record WHERE key = ?1",
    [QUERY_SET_REVISION] = "UPDATE store SET revision = ?1, guard = ?2",
    [QUERY_GUARD] = "SELECT guard FROM store",
    [QUERY_GET] = "SELECT revision, value FROM record WHERE key = ?1",
    [QUERY_EACH] = "SELECT key, value, revision FROM record ORDER BY key",
    [QUERY_EACH_NAME] = "SELECT key, x'', revision FROM record", /* as they lie, which is faster */
    [QUERY_NUMBER_GET] = "SELECT next FROM number WHERE counter = ?1",
    [QUERY_NUMBER_SET] = "INSERT OR REPLACE INTO number (counter, next) VALUES (?1, ?2)",
    [QUERY_NUMBER_EACH] = "SELECT counter, next FROM number ORDER BY counter",
    [QUERY_COPY] = "VACUUM INTO ?1",
};

struct database {
    sqlite3 *handle;
    char *path;
    uint8_t id[16];
    sqlite3_stmt *statements[QUERY_COUNT];
    int trouble; /* SQLite's code that was logged last, 0 when all is well */
};

/* The border: here SQLite's words become a line in the log. */
static bool
database_failed(struct database *database, const char *doing)
{
    int code = sqlite3_extended_errcode(database->handle);
    int system = sqlite3_system_errno(database->handle);

    if (code == database->trouble) {
        return false;
    }
    database->trouble = code;
    if ((code & 0xff) == SQLITE_BUSY) {
        log_err("store: %s: another process holds it", database->path);
    } else {
        log_err("store: %s: %s: %s (%d%s%s)", database->path, doing,
                sqlite3_errmsg(database->handle), code, system != 0 ? ", " : "",
                system != 0 ? strerror(system) : "");
    }
    return false;
}

void
database_worked(struct database *database)
{
    if (database->trouble != 0) {
        database->trouble = 0;
        log_inf("store: %s: writes work again", database->path);
    }
}

static sqlite3_stmt *
database_query(struct database *database, int query)
{
    sqlite3_stmt **statement = database->statements + query;

    if (*statement == NULL && sqlite3_prepare_v3(database->handle, queries[query], -1,
                                                 SQLITE_PREPARE_PERSISTENT, statement,
                                                 NULL) != SQLITE_OK) {
        (void)database_failed(database, "prepare");
        return NULL;
    }
    return *statement;
}

/* sqlite3_bind_blob() takes NULL for SQL's NULL, which an empty value is not. */
static void
bind_view(sqlite3_stmt *statement, int at, view bytes)
{
    sqlite3_bind_blob(statement, at, bytes.len > 0 ? (const void *)bytes.data : "",
                      (int)bytes.len, SQLITE_STATIC);
}

/* Runs a statement that is bound and gives no rows. */
static bool
statement_run(struct database *database, sqlite3_stmt *statement)
{
    bool good = sqlite3_step(statement) == SQLITE_DONE;

    if (!good) {
        (void)database_failed(database, sqlite3_sql(statement));
    }
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return good;
}

/* Runs a statement that is bound and gives one number, or no row: then 0. */
static bool
statement_number(struct database *database, sqlite3_stmt *statement, uint64_t *ret_number)
{
    int step = sqlite3_step(statement);

    if (step == SQLITE_ROW) {
        *ret_number = (uint64_t)sqlite3_column_int64(statement, 0);
    } else if (step == SQLITE_DONE) {
        *ret_number = 0;
    } else {
        (void)database_failed(database, sqlite3_sql(statement));
    }
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return step == SQLITE_ROW || step == SQLITE_DONE;
}

bool
database_step(struct database *database, enum database_step step)
{
    sqlite3_stmt *statement = database_query(database, (int)step);

    return statement != NULL && statement_run(database, statement);
}

bool
database_in_transaction(const struct database *database)
{
    return sqlite3_get_autocommit(database->handle) == 0;
}

void
database_rollback(struct database *database)
{
    if (database_in_transaction(database)) {
        sqlite3_exec(database->handle, "ROLLBACK", NULL, NULL, NULL);
    }
}

bool
database_revision_of(struct database *database, view key, uint64_t *ret_revision)
{
    sqlite3_stmt *statement = database_query(database, QUERY_REVISION_OF);

    if (statement == NULL) {
        return false;
    }
    bind_view(statement, 1, key);
    return statement_number(database, statement, ret_revision);
}

bool
database_put(struct database *database, view key, view value, uint64_t revision)
{
    sqlite3_stmt *statement = database_query(database, QUERY_PUT);

    if (statement == NULL) {
        return false;
    }
    bind_view(statement, 1, key);
    bind_view(statement, 2, value);
    sqlite3_bind_int64(statement, 3, (sqlite3_int64)revision);
    return statement_run(database, statement);
}

bool
database_delete(struct database *database, view key)
{
    sqlite3_stmt *statement = database_query(database, QUERY_DELETE);

    if (statement == NULL) {
        return false;
    }
    bind_view(statement, 1, key);
    return statement_run(database, statement);
}

bool
database_set_revision(struct database *database, uint64_t revision, view guard)
{
    sqlite3_stmt *statement = database_query(database, QUERY_SET_REVISION);

    if (statement == NULL) {
        return false;
    }
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)revision);
    bind_view(statement, 2, guard);
    return statement_run(database, statement);
}

bool
database_guard(struct database *database, uint8_t *room, size_t size, size_t *ret_len)
{
    sqlite3_stmt *statement = database_query(database, QUERY_GUARD);
    bool good = false;

    if (statement == NULL) {
        return false;
    }
    if (sqlite3_step(statement) == SQLITE_ROW) {
        size_t len = (size_t)sqlite3_column_bytes(statement, 0);

        good = len <= size;
        if (good && len > 0) {
            memcpy(room, sqlite3_column_blob(statement, 0), len);
        }
        *ret_len = len;
    } else {
        (void)database_failed(database, sqlite3_sql(statement));
    }
    sqlite3_reset(statement);
    return good;
}

static view
column_view(sqlite3_stmt *statement, int at)
{
    const void *data = sqlite3_column_blob(statement, at);

    return view_of(data, (size_t)sqlite3_column_bytes(statement, at));
}

bool
database_get(struct database *database, view key, uint64_t *ret_revision, struct writer *out)
{
    sqlite3_stmt *statement = database_query(database, QUERY_GET);
    int step;

    if (statement == NULL) {
        return false;
    }
    bind_view(statement, 1, key);
    step = sqlite3_step(statement);
    if (step == SQLITE_ROW) {
        *ret_revision = (uint64_t)sqlite3_column_int64(statement, 0);
        write_raw(out, column_view(statement, 1));
    } else if (step == SQLITE_DONE) {
        *ret_revision = 0;
    } else {
        (void)database_failed(database, sqlite3_sql(statement));
    }
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return (step == SQLITE_ROW || step == SQLITE_DONE) && writer_ok(out);
}

static bool
records_visit(struct database *database, int query, store_visit *visit, void *arg)
{
    sqlite3_stmt *statement = database_query(database, query);
    bool going = true;
    int step = SQLITE_DONE;

    if (statement == NULL) {
        return false;
    }
    while (going && (step = sqlite3_step(statement)) == SQLITE_ROW) {
        going = visit(arg, column_view(statement, 0), column_view(statement, 1),
                      (uint64_t)sqlite3_column_int64(statement, 2));
    }
    if (going && step != SQLITE_DONE) {
        going = database_failed(database, sqlite3_sql(statement));
    }
    sqlite3_reset(statement);
    return going;
}

bool
database_each(struct database *database, store_visit *visit, void *arg)
{
    return records_visit(database, QUERY_EACH, visit, arg);
}

bool
database_each_name(struct database *database, store_visit *visit, void *arg)
{
    return records_visit(database, QUERY_EACH_NAME, visit, arg);
}

static bool
numbers_take(struct database *database, const char *counter, uint32_t count, uint64_t start,
             uint64_t *ret_first)
{
    sqlite3_stmt *get = database_query(database, QUERY_NUMBER_GET);
    sqlite3_stmt *set = database_query(database, QUERY_NUMBER_SET);
    uint64_t first;

    if (get == NULL || set == NULL) {
        return false;
    }
    sqlite3_bind_text(get, 1, counter, -1, SQLITE_STATIC);
    if (!statement_number(database, get, &first)) {
        return false;
    }
    first = first > start ? first : start;
    if (first > (uint64_t)INT64_MAX - count) {
        log_err("store: counter %s has no numbers left", counter);
        return false;
    }
    sqlite3_bind_text(set, 1, counter, -1, SQLITE_STATIC);
    sqlite3_bind_int64(set, 2, (sqlite3_int64)(first + count));
    if (!statement_run(database, set)) {
        return false;
    }
    *ret_first = first;
    return true;
}

bool
database_next_numbers(struct database *database, const char *counter, uint32_t count,
                      uint64_t start, uint64_t *ret_first)
{
    uint64_t first;

    if (!database_step(database, DATABASE_BEGIN)) {
        return false;
    }
    if (!numbers_take(database, counter, count, start, &first) ||
        !database_step(database, DATABASE_COMMIT)) {
        database_rollback(database);
        return false;
    }
    database_worked(database);
    *ret_first = first;
    return true;
}

bool
database_set_number(struct database *database, const char *counter, uint64_t next)
{
    sqlite3_stmt *set = database_query(database, QUERY_NUMBER_SET);

    if (set == NULL) {
        return false;
    }
    sqlite3_bind_text(set, 1, counter, -1, SQLITE_STATIC);
    sqlite3_bind_int64(set, 2, (sqlite3_int64)next);
    return statement_run(database, set);
}

bool
database_each_number(struct database *database, store_count *count, void *arg)
{
    sqlite3_stmt *statement = database_query(database, QUERY_NUMBER_EACH);
    bool going = true;
    int step = SQLITE_DONE;

    if (statement == NULL) {
        return false;
    }
    while (going && (step = sqlite3_step(statement)) == SQLITE_ROW) {
        going = count(arg, column_view(statement, 0),
                      (uint64_t)sqlite3_column_int64(statement, 1));
    }
    if (going && step != SQLITE_DONE) {
        going = database_failed(database, sqlite3_sql(statement));
    }
    sqlite3_reset(statement);
    return going;
}

/* Makes sure that a file's name, and what was written without SQLite's care, is on the disk. */
static bool
path_sync(const char *path, bool parent)
{
    char *copy = strdup(path);
    char *slash = copy == NULL ? NULL : strrchr(copy, '/');
    const char *what = copy;

    if (copy == NULL) {
        return false;
    }
    if (parent && slash == NULL) {
        what = ".";
    } else if (parent) {
        slash[slash == copy ? 1 : 0] = '\0';
    }

    int fd = open(what, O_RDONLY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0) {
        close(fd);
    }
    free(copy);
    return synced;
}

bool
database_copy(struct database *database, const char *path)
{
    sqlite3_stmt *statement = database_query(database, QUERY_COPY);

    if (statement == NULL) {
        return false;
    }

    /* Made here, as SQLite fills an empty file but would choose a mode that others can read. */
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

    if (fd < 0) {
        log_err("store: backup to %s: %s", path, strerror(errno));
        return false;
    }
    close(fd);
    sqlite3_bind_text(statement, 1, path, -1, SQLITE_STATIC);
    if (!statement_run(database, statement)) {
        unlink(path);
        return false;
    }
    if (!path_sync(path, false) || !path_sync(path, true)) {
        log_err("store: backup to %s: %s", path, strerror(errno));
        unlink(path);
        return false;
    }
    return true;
}

static bool
database_exec(struct database *database, const char *doing, const char *sql)
{
    return sqlite3_exec(database->handle, sql, NULL, NULL, NULL) == SQLITE_OK ||
           database_failed(database, doing);
}

static bool
database_ask(struct database *database, const char *sql, uint64_t *ret_number)
{
    sqlite3_stmt *statement;

    if (sqlite3_prepare_v2(database->handle, sql, -1, &statement, NULL) != SQLITE_OK) {
        return database_failed(database, sql);
    }

    bool good = statement_number(database, statement, ret_number);

    sqlite3_finalize(statement);
    return good;
}

static bool
database_make(struct database *database, struct entropy *entropy)
{
    sqlite3_stmt *statement;

    if (!entropy->fill(entropy, database->id, sizeof database->id)) {
        log_err("store: %s: no random bytes for its id", database->path);
        return false;
    }
    if (!database_exec(database, "make the tables",
                       "CREATE TABLE store (id BLOB NOT NULL, revision INTEGER NOT NULL,"
                       " guard BLOB NOT NULL) STRICT;"
                       "CREATE TABLE number (counter TEXT PRIMARY KEY, next INTEGER NOT NULL)"
                       " STRICT;"
                       "CREATE TABLE record (key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL,"
                       " revision INTEGER NOT NULL) STRICT;"
                       "PRAGMA application_id = " TEXT(APPLICATION_ID) ";"
                       "PRAGMA user_version = " TEXT(FORMAT_VERSION))) {
        return false;
    }
    if (sqlite3_prepare_v2(database->handle, "INSERT INTO store VALUES (?1, 0, x'')", -1, &statement,
                           NULL) != SQLITE_OK) {
        return database_failed(database, "write the head");
    }
    bind_view(statement, 1, view_of(database->id, sizeof database->id));

    bool good = statement_run(database, statement);

    sqlite3_finalize(statement);
    return good;
}

static bool
database_read_head(struct database *database, uint64_t *ret_revision)
{
    sqlite3_stmt *statement;
    bool good = false;

    if (sqlite3_prepare_v2(database->handle, "SELECT id, revision FROM store", -1, &statement,
                           NULL) != SQLITE_OK) {
        return database_failed(database, "read the head");
    }
    if (sqlite3_step(statement) == SQLITE_ROW &&
        sqlite3_column_bytes(statement, 0) == (int)sizeof database->id) {
        memcpy(database->id, sqlite3_column_blob(statement, 0), sizeof database->id);
        *ret_revision = (uint64_t)sqlite3_column_int64(statement, 1);
        good = true;
    } else {
        log_err("store: %s: its head does not read", database->path);
    }
    sqlite3_finalize(statement);
    return good;
}

/* Inside a transaction that holds the lock: a file without tables becomes a store. */
static bool
database_check(struct database *database, struct entropy *entropy, uint64_t *ret_revision)
{
    uint64_t tables, application, version;

    if (!database_ask(database, "SELECT count(*) FROM sqlite_schema", &tables) ||
        !database_ask(database, "PRAGMA application_id", &application) ||
        !database_ask(database, "PRAGMA user_version", &version)) {
        return false;
    }
    if (tables == 0 && application == 0 && version == 0 && !database_make(database, entropy)) {
        return false;
    }
    if (tables > 0 && application != APPLICATION_ID) {
        log_err("store: %s: this database is not a store of ours", database->path);
        return false;
    }
    if (tables > 0 && version != FORMAT_VERSION) {
        log_err("store: %s: written by %s version (format %llu, known %d)", database->path,
                version > FORMAT_VERSION ? "a newer" : "an older", (unsigned long long)version,
                FORMAT_VERSION);
        return false;
    }
    return database_read_head(database, ret_revision);
}

static bool
database_begin(struct database *database)
{
    static const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    /* Made here for its mode, which SQLite gives to the log beside it too. A file that exists
     * is not touched: closing it would drop the locks that this process may have on it. */
    int fd = open(database->path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);

    if (fd < 0 && errno != EEXIST) {
        log_err("store: %s: %s", database->path, strerror(errno));
        return false;
    }
    if (fd >= 0) {
        close(fd);
    }
    if (!path_sync(database->path, true)) {
        log_err("store: folder of %s: %s", database->path, strerror(errno));
        return false;
    }
    if (sqlite3_open_v2(database->path, &database->handle, flags, log_file_vfs()) != SQLITE_OK) {
        return database_failed(database, "open");
    }
    /* Exclusive before WAL: then no memory is shared, and the lock is kept from here on.
     * secure_delete: a destroyed key leaves no sealed copy in free pages. */
    return database_exec(database, "open",
                         "PRAGMA locking_mode = EXCLUSIVE;"
                         "PRAGMA journal_mode = WAL;"
                         "PRAGMA synchronous = FULL;"
                         "PRAGMA secure_delete = ON;"
                         "PRAGMA trusted_schema = OFF;"
                         "PRAGMA temp_store = MEMORY;"
                         "BEGIN IMMEDIATE");
}

struct database *
database_open(const char *path, struct entropy *entropy, uint64_t *ret_revision)
{
    struct database *database = calloc(1, sizeof *database);
    uint64_t revision = 0;

    if (database == NULL || (database->path = strdup(path)) == NULL) {
        free(database);
        log_err("store: %s: no memory", path);
        return NULL;
    }
    if (!database_begin(database) || !database_check(database, entropy, &revision) ||
        !database_step(database, DATABASE_COMMIT)) {
        database_close(database);
        return NULL;
    }
    *ret_revision = revision;
    return database;
}

void
database_close(struct database *database)
{
    if (database == NULL) {
        return;
    }
    for (size_t i = 0; i < QUERY_COUNT; i++) {
        sqlite3_finalize(database->statements[i]);
    }
    if (sqlite3_close(database->handle) != SQLITE_OK) {
        (void)database_failed(database, "close");
    }
    free(database->path);
    free(database);
}

const uint8_t *
database_id(const struct database *database)
{
    return database->id;
}
