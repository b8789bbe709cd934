/* SPDX-License-Identifier: Apache-2.0
 *
 * The power fails. What was synced is on the disk; of what was written since, all may be there,
 * or nothing, or any part. The disk is a VFS in front of SQLite's own that remembers, for each
 * file, its bytes as of the last sync and the writes after it; at the n-th write the host dies, and
 * the files are made to be what such a disk may hold. Whatever was acknowledged is then there, no
 * transaction is there by half, and the guard finds the records whole.
 */
#include "unit/store/store_fixture.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/stat.h>

#define FILES_MAX 4
#define PENDING_MAX 4096
#define TXNS 12u
#define VALUE_LEN 50000u
#define PIECE 4096 /* what is written at once may be there in part: in pieces, each a write here */
#define STRIDE 17 /* between the writes at which it fails; all of them take too long here */

struct pending {
    sqlite3_int64 offset;
    int len;
    void *bytes;
};

/* A file of the database: what is safe, and what is on its way. */
static struct image {
    char path[200];
    sqlite3_file *file;
    uint8_t *bytes;
    size_t len;
    size_t size;
    struct pending pending[PENDING_MAX];
    size_t pending_count;
} images[FILES_MAX];

static sqlite3_vfs power;
static sqlite3_vfs *real_vfs;
static sqlite3_io_methods power_methods[2];
static const sqlite3_io_methods *real_methods;
static _Atomic int writes;    /* so far */
static _Atomic int writes_max; /* the one after that finds no power */

static struct image *
image_of(const sqlite3_file *file)
{
    for (size_t i = 0; i < FILES_MAX; i++) {
        if (images[i].file == file) {
            return &images[i];
        }
    }
    return NULL;
}

static void
image_apply(struct image *image, const struct pending *pending)
{
    size_t end = (size_t)pending->offset + (size_t)pending->len;

    if (end > image->len) {
        if (end > image->size) {
            image->size = end * 2;
            image->bytes = realloc(image->bytes, image->size);
            assert_non_null(image->bytes);
        }
        memset(image->bytes + image->len, 0, end - image->len);
        image->len = end;
    }
    memcpy(image->bytes + pending->offset, pending->bytes, (size_t)pending->len);
}

static void
image_forget(struct image *image)
{
    for (size_t i = 0; i < image->pending_count; i++) {
        free(image->pending[i].bytes);
    }
    image->pending_count = 0;
}

static bool
dead(void)
{
    return atomic_load(&writes) > atomic_load(&writes_max);
}

static void
image_add(struct image *image, const uint8_t *bytes, int len, sqlite3_int64 offset)
{
    struct pending *pending = &image->pending[image->pending_count++];

    assert_true(image->pending_count < PENDING_MAX);
    *pending = (struct pending){ offset, len, malloc((size_t)len) };
    assert_non_null(pending->bytes);
    memcpy(pending->bytes, bytes, (size_t)len);
}

static int
power_write(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 offset)
{
    struct image *image = image_of(file);
    int piece;

    for (int done = 0; done < len; done += piece) {
        piece = len - done < PIECE ? len - done : PIECE;
        atomic_fetch_add(&writes, 1);
        if (dead()) {
            return SQLITE_IOERR_WRITE;
        }
        if (image != NULL) {
            image_add(image, (const uint8_t *)bytes + done, piece, offset + done);
        }
    }
    return real_methods->xWrite(file, bytes, len, offset);
}

static int
power_sync(sqlite3_file *file, int flags)
{
    struct image *image = image_of(file);

    UNUSED(flags);
    if (dead()) {
        return SQLITE_IOERR_FSYNC;
    }
    for (size_t i = 0; image != NULL && i < image->pending_count; i++) {
        image_apply(image, &image->pending[i]);
    }
    if (image != NULL) {
        image_forget(image);
    }
    return SQLITE_OK; /* the images are what counts */
}

static int
power_truncate(sqlite3_file *file, sqlite3_int64 len)
{
    struct image *image = image_of(file);

    if (dead()) {
        return SQLITE_IOERR_TRUNCATE;
    }
    if (image != NULL && (size_t)len < image->len) {
        image->len = (size_t)len;
    }
    return real_methods->xTruncate(file, len);
}

static int
power_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
    int code = real_vfs->xOpen(real_vfs, name, file, flags, ret_flags);
    struct image *image = NULL;

    UNUSED(vfs);
    if (file->pMethods == NULL) {
        return code;
    }

    sqlite3_io_methods *methods = &power_methods[(flags & SQLITE_OPEN_MAIN_DB) != 0];

    real_methods = file->pMethods;
    *methods = *real_methods;
    methods->xWrite = power_write;
    methods->xSync = power_sync;
    methods->xTruncate = power_truncate;
    file->pMethods = methods;
    for (size_t i = 0; i < FILES_MAX && image == NULL && name != NULL; i++) {
        if (images[i].path[0] == '\0' || strcmp(images[i].path, name) == 0) {
            image = &images[i];
        }
    }
    if (image != NULL) {
        snprintf(image->path, sizeof image->path, "%s", name);
        image->file = file;
    }
    return code;
}

/* At once, as SQLite syncs the folder where it matters. */
static int
power_delete(sqlite3_vfs *vfs, const char *name, int sync_folder)
{
    UNUSED(vfs);
    if (dead()) {
        return SQLITE_IOERR_DELETE;
    }
    for (size_t i = 0; i < FILES_MAX; i++) {
        if (strcmp(images[i].path, name) == 0) {
            image_forget(&images[i]);
            images[i].len = 0;
        }
    }
    return real_vfs->xDelete(real_vfs, name, sync_folder);
}

/* How much of what was not synced is there after all. */
enum luck { NOTHING, EVERYTHING, EVERY_SECOND, LUCKS };

static void
power_cut(enum luck luck)
{
    for (size_t i = 0; i < FILES_MAX && images[i].path[0] != '\0'; i++) {
        struct image *image = &images[i];
        int fd;

        for (size_t k = 0; k < image->pending_count; k++) {
            if (luck == EVERYTHING || (luck == EVERY_SECOND && k % 2 == 0)) {
                image_apply(image, &image->pending[k]);
            }
        }
        image_forget(image);
        fd = open(image->path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, image->bytes, image->len), image->len);
        close(fd);
        if (image->len == 0) {
            unlink(image->path);
        }
    }
}

static void
images_clear(void)
{
    for (size_t i = 0; i < FILES_MAX; i++) {
        image_forget(&images[i]);
        free(images[i].bytes);
        images[i] = (struct image){ .file = NULL };
    }
}

static const uint8_t guard_key[32] = "the key of the guard, in a test";

/* Two records in each transaction, of one letter. */
static unsigned
run(struct store *store)
{
    static char value[VALUE_LEN];
    unsigned acknowledged = 0;

    for (unsigned i = 0; i < TXNS; i++) {
        const view bytes = view_of(value, sizeof value);
        char keys[2][8];
        uint64_t revision;

        memset(value, 'a' + (int)i, sizeof value);
        snprintf(keys[0], sizeof keys[0], "a%02u", i % 4);
        snprintf(keys[1], sizeof keys[1], "b%02u", i % 4);

        const struct store_change changes[] = { { view_str(keys[0]), bytes, false },
                                                { view_str(keys[1]), bytes, false } };
        const struct store_txn txn = { NULL, 0, changes, 2, VIEW_EMPTY };

        if (store_commit(store, &txn, &revision) != STORE_OK) {
            break;
        }
        acknowledged = i + 1;
    }
    return acknowledged;
}

struct seen {
    char letters[2][4]; /* of a00..a03, b00..b03 */
    uint64_t revisions[2][4];
};

static bool
see(void *arg, view key, view value, uint64_t revision)
{
    struct seen *seen = arg;
    size_t at = (size_t)(key.data[2] - '0');

    assert_int_equal(value.len, VALUE_LEN);
    for (size_t i = 1; i < value.len; i++) {
        if (value.data[i] != value.data[0]) {
            fail_msg("a record is of two transactions");
        }
    }
    seen->letters[key.data[0] - 'a'][at] = (char)value.data[0];
    seen->revisions[key.data[0] - 'a'][at] = revision;
    return true;
}

static void
check_after(const char *path, unsigned acknowledged, int cut, enum luck luck)
{
    struct store *store = sqlite_store_open(path, &counting);
    struct seen seen = { 0 };
    uint64_t last;

    if (store == NULL || (acknowledged > 0 && !store->guard(store, guard_key))) {
        fail_msg("cut at write %d, luck %d: the store does not open", cut, (int)luck);
        return;
    }
    last = store->revision(store);
    assert_true(store->load_all(store, see, &seen));
    if (last < acknowledged || last > acknowledged + 1) {
        fail_msg("cut at write %d, luck %d: %u were acknowledged, and %u are there", cut, (int)luck,
                 acknowledged, (unsigned)last);
    }
    for (unsigned k = 0; k < 4; k++) {
        /* The newest transaction up to the last that wrote this key. */
        unsigned newest = 0;

        for (unsigned i = 0; i < last; i++) {
            newest = i % 4 == k ? i + 1 : newest;
        }
        for (unsigned half = 0; half < 2; half++) {
            assert_int_equal(seen.revisions[half][k], newest);
            assert_int_equal(seen.letters[half][k], newest == 0 ? 0 : (int)('a' + newest - 1));
        }
    }
    store->close(store);
}

/* How many writes it was in all. */
static int
one_cut(int cut, enum luck luck)
{
    struct fixture f;
    unsigned acknowledged = 0;

    fixture_folder(&f);
    atomic_store(&writes, 0);
    atomic_store(&writes_max, cut);
    f.store = sqlite_store_open(f.path, &counting);
    if (f.store != NULL) {
        if (f.store->guard(f.store, guard_key)) {
            acknowledged = run(f.store);
        }
        f.store->close(f.store);
    }

    int total = atomic_load(&writes);

    power_cut(luck);
    images_clear();
    atomic_store(&writes_max, INT32_MAX);
    if (acknowledged > 0) {
        check_after(f.path, acknowledged, cut, luck);
    }
    images_clear();
    fixture_clean(&f);
    return total;
}

static void
after_a_power_cut_at_any_write_all_is_whole(void **state)
{
    int total = one_cut(INT32_MAX, NOTHING);
    int cuts = 0;

    UNUSED(state);
    for (int cut = 1; cut < total; cut += STRIDE) {
        for (int luck = NOTHING; luck < LUCKS; luck++) {
            one_cut(cut, (enum luck)luck);
            cuts++;
        }
    }
    print_message("# %d writes, %d cuts\n", total, cuts);
    assert_true(cuts > 30);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_a_power_cut_at_any_write_all_is_whole),
    };

    real_vfs = sqlite3_vfs_find(NULL);
    power = *real_vfs;
    power.zName = "power";
    power.xOpen = power_open;
    power.xDelete = power_delete;
    if (sqlite3_vfs_register(&power, 1) != SQLITE_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
