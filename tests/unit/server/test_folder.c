/* SPDX-License-Identifier: Apache-2.0
 *
 * The state folder: private, locked by one, keys never replaced.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/folder.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct fixture {
    char base[64];
    char path[96];
    struct folder *folder;
};

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    const char *base = getenv("TMPDIR");

    snprintf(f->base, sizeof f->base, "%s/folder-XXXXXX", base == NULL ? "/tmp" : base);
    assert_non_null(mkdtemp(f->base));
    snprintf(f->path, sizeof f->path, "%s/state", f->base);
    f->folder = folder_open(f->path);
    assert_non_null(f->folder);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    static const char *const names[] = { "server.lock", "note", "note.new", "key" };
    struct fixture *f = *state;
    char path[128];

    folder_close(f->folder);
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        snprintf(path, sizeof path, "%s/%s", f->path, names[i]);
        unlink(path);
    }
    rmdir(f->path);
    rmdir(f->base);
    free(f);
    return 0;
}

static mode_t
mode_of(const struct fixture *f, const char *name)
{
    char path[FOLDER_PATH_MAX];
    struct stat st;

    folder_path(f->folder, name, path);
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 0777;
}

static void
new_folder_is_its_owners_alone(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(mode_of(f, "."), 0700);
    assert_int_equal(mode_of(f, "server.lock"), 0600);
}

static void
folder_open_to_others_is_refused(void **state)
{
    struct fixture *f = *state;

    folder_close(f->folder);
    f->folder = NULL;
    chmod(f->path, 0750);
    assert_null(folder_open(f->path));

    chmod(f->path, 0700);
    f->folder = folder_open(f->path);
    assert_non_null(f->folder);
}

static void
folder_of_another_user_is_for_root_to_look_at(void **state)
{
    struct fixture *f = *state;
    char lock[FOLDER_PATH_MAX];
    bool running = true;

    if (geteuid() != 0) {
        skip();
    }
    folder_path(f->folder, "server.lock", lock);
    folder_close(f->folder);
    unlink(lock);
    assert_int_equal(chown(f->path, 65534, 65534), 0);
    f->folder = folder_open(f->path);
    assert_null(f->folder);

    f->folder = folder_look(f->path, &running);
    assert_non_null(f->folder);
    assert_false(running);
    assert_int_equal(access(lock, F_OK), -1); /* root's, the service could not open it */
}

/* 0: all is as it should be. */
static int
looker_run(const struct fixture *f, const char *roots)
{
    struct secret *key = NULL;

    if (!folder_become_owner(f->folder)) {
        return 1;
    }
    if (geteuid() != 65534 || getegid() != 65534 || setuid(0) == 0) {
        return 2;
    }
    if (open(roots, O_WRONLY | O_CLOEXEC) >= 0) {
        return 3;
    }
    /* Though the folder above it is root's alone. */
    if (!folder_key_read(f->folder, "key", 3, &key) || key == NULL) {
        return 4;
    }
    secret_free(key);
    return 0;
}

static void
who_looks_as_root_becomes_its_owner(void **state)
{
    struct fixture *f = *state;
    char roots[128];
    bool running;
    int status;
    pid_t pid;

    if (geteuid() != 0) {
        skip();
    }
    snprintf(roots, sizeof roots, "%s/roots", f->base);
    close(open(roots, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_true(folder_key_write(f->folder, "key", VIEW_TEXT("key")));
    folder_close(f->folder);
    assert_int_equal(chown(f->path, 65534, 65534), 0);
    f->folder = folder_look(f->path, &running);
    assert_non_null(f->folder);

    pid = fork();
    if (pid == 0) {
        _exit(looker_run(f, roots));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    unlink(roots);
}

static void
looking_makes_no_folder(void **state)
{
    struct fixture *f = *state;
    char none[128];
    bool running;

    snprintf(none, sizeof none, "%s/none", f->base);
    assert_null(folder_look(none, &running));
    assert_int_equal(access(none, F_OK), -1);
}

static void
second_server_is_refused_until_the_first_is_gone(void **state)
{
    struct fixture *f = *state;

    assert_null(folder_open(f->path));

    folder_close(f->folder);
    f->folder = folder_open(f->path);
    assert_non_null(f->folder);
}

static void
small_file_is_replaced_as_a_whole(void **state)
{
    struct fixture *f = *state;
    char path[FOLDER_PATH_MAX];
    char text[64] = "";

    assert_true(folder_write(f->folder, "note", "a longer first text\n"));
    assert_true(folder_write(f->folder, "note", "second\n"));
    folder_path(f->folder, "note", path);

    FILE *file = fopen(path, "r");

    assert_non_null(file);
    assert_int_equal(fread(text, 1, sizeof text - 1, file), strlen("second\n"));
    fclose(file);
    assert_string_equal(text, "second\n");
    assert_int_equal(mode_of(f, "note"), 0600);
}

static void
key_is_written_once_and_read_back(void **state)
{
    struct fixture *f = *state;
    struct secret *key = NULL;

    assert_true(folder_key_read(f->folder, "key", 8, &key));
    assert_null(key);
    assert_true(folder_key_write(f->folder, "key", VIEW_TEXT("12345678")));
    assert_false(folder_key_write(f->folder, "key", VIEW_TEXT("abcdefgh")));

    assert_int_equal(mode_of(f, "key"), 0600);
    assert_true(folder_key_read(f->folder, "key", 8, &key));
    assert_true(view_equal(secret_view(key), VIEW_TEXT("12345678")));
    secret_free(key);
}

static void
key_of_wrong_size_or_open_to_others_is_refused(void **state)
{
    struct fixture *f = *state;
    struct secret *key = NULL;
    char path[FOLDER_PATH_MAX];

    assert_true(folder_key_write(f->folder, "key", VIEW_TEXT("12345678")));
    assert_false(folder_key_read(f->folder, "key", 9, &key));
    folder_path(f->folder, "key", path);
    chmod(path, 0640);

    assert_false(folder_key_read(f->folder, "key", 8, &key));
    assert_null(key);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(new_folder_is_its_owners_alone),
        CASE(folder_open_to_others_is_refused),
        CASE(folder_of_another_user_is_for_root_to_look_at),
        CASE(who_looks_as_root_becomes_its_owner),
        CASE(looking_makes_no_folder),
        CASE(second_server_is_refused_until_the_first_is_gone),
        CASE(small_file_is_replaced_as_a_whole),
        CASE(key_is_written_once_and_read_back),
        CASE(key_of_wrong_size_or_open_to_others_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
