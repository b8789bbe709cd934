/* SPDX-License-Identifier: Apache-2.0
 *
 * <socket>.copies/<context>: the sealed copies of a context as lines one behind the other, so that a
 * daemon that is killed and started again has them; in memory where /run is. What it says is believed
 * by nobody: copies open at a node or do not, and the home is where they are looked for first. So
 * nothing is synced, and a last line that is cut off counts for nothing. The folder is the daemon's
 * alone; a file goes with its context, its logout, or when nothing in it can open any more.
 *
 *   8 bytes  "OCHCOPY1"
 *   lines    u8 1, u32 number of the home in the cluster
 *            u8 2, a copy as in COPIES: u32 handle, u32 session, u64 version, bytes sealed
 *            u8 3, u32 handle that has none any more
 *            u8 4, u32 session that was closed; 0: all
 */
#include "daemon/copies_file.h"

#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAGIC VIEW_TEXT("OCHCOPY1")
#define SLACK (256u * 1024u) /* of lines that count no more, before it is written anew */
#define UID_SLACK_MAX (64u * 1024u * 1024u) /* and of all files of a uid, roughly */
#define FILE_MAX (4u * COPIES_BYTES_MAX)
#define LIFE_S 660           /* no copy opens after 10 minutes */
#define SWEEP_MS 60000u
#define NAME_LEN (2u * FRAME_CONTEXT_LEN)
#define PATH_ROOM (COPIES_PATH_MAX + 1u + NAME_LEN + 1u)

/* ---- lines ---- */

void
copies_line_write(struct writer *w, const struct copies_line *line)
{
    write_u8(w, (uint8_t)line->kind);
    if (line->kind == COPIES_LINE_COPY) {
        copy_info_write(w, &line->copy);
    } else {
        write_u32(w, line->number);
    }
}

bool
copies_line_next(struct reader *r, struct copies_line *ret_line)
{
    struct reader next = *r;
    struct copies_line line = { .number = 0 };
    uint8_t kind;

    if (!read_u8(&next, &kind) || kind < COPIES_LINE_HOME || kind > COPIES_LINE_CLOSED) {
        return false;
    }
    line.kind = (enum copies_line_kind)kind;
    if (line.kind == COPIES_LINE_COPY ? !copy_array_next(&next, &line.copy)
                                      : !read_u32(&next, &line.number)) {
        return false;
    }
    *r = next;
    *ret_line = line;
    return true;
}

/* ---- files ---- */

static void
path_of(const struct daemon *daemon, const struct context *context, char path[PATH_ROOM])
{
    char name[NAME_LEN + 1];

    hex_encode(view_of(context->id, FRAME_CONTEXT_LEN), name);
    snprintf(path, PATH_ROOM, "%s/%s", daemon->copies_path, name);
}

static bool
file_write(const char *path, int flags, view bytes)
{
    int fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC | flags, 0600);
    ssize_t wrote;

    if (fd < 0) {
        return false;
    }
    wrote = write(fd, bytes.data, bytes.len);
    if (wrote >= 0 && wrote != (ssize_t)bytes.len) {
        errno = ENOSPC;
    }
    return close(fd) == 0 && wrote == (ssize_t)bytes.len;
}

static uint32_t
home_number(const struct daemon *daemon, const struct context *context)
{
    return context->home == 0 ? 0 : daemon->nodes[context->home - 1].id;
}

static void
home_write(const struct daemon *daemon, struct context *context, struct writer *out)
{
    const struct copies_line line = { .kind = COPIES_LINE_HOME,
                                      .number = home_number(daemon, context) };

    context->copies.filed_home = line.number;
    copies_line_write(out, &line);
}

/* All of it, in place of what was there. */
static bool
file_renew(const struct daemon *daemon, struct context *context, const char *path)
{
    char fresh[PATH_ROOM + sizeof ".new"];
    struct writer out;
    bool done;

    writer_init(&out, FILE_MAX);
    write_raw(&out, MAGIC);
    home_write(daemon, context, &out);
    copies_write(context, &out);
    snprintf(fresh, sizeof fresh, "%s.new", path);
    done = writer_ok(&out) && file_write(fresh, O_CREAT | O_TRUNC, writer_view(&out)) &&
           rename(fresh, path) == 0;
    if (!done) {
        const int error = errno;

        (void)unlink(fresh); /* what is short of room gets back what was begun */
        errno = error;
    }
    context->copies.filed = done ? out.len : 0;
    writer_clear(&out);
    return done;
}

/* Many processes of one uid have less each: the folder is in memory, and others need that, too. */
static size_t
slack_of(const struct context *context)
{
    return size_min(SLACK, UID_SLACK_MAX / size_max(context->owner->contexts, 1));
}

/* At its end, without what counts no more taking more room than what counts. */
static bool
file_append(const struct daemon *daemon, struct context *context, const char *path, view lines)
{
    struct copies *copies = &context->copies;
    struct writer out;
    bool done = false;

    if (copies->filed == 0 || copies->filed + lines.len > 2 * copies->bytes + slack_of(context)) {
        return false;
    }
    writer_init(&out, lines.len + COPIES_LINE_OVERHEAD);
    if (copies->filed_home != home_number(daemon, context)) {
        home_write(daemon, context, &out);
    }
    write_raw(&out, lines);
    if (writer_ok(&out)) {
        done = file_write(path, O_APPEND, writer_view(&out));
        copies->filed += out.len;
    }
    writer_clear(&out);
    return done;
}

static void
file_unlink(const struct daemon *daemon, struct context *context)
{
    char path[PATH_ROOM];

    path_of(daemon, context, path);
    (void)unlink(path);
    context->copies.filed = 0;
}

void
copies_file_note(struct daemon *daemon, struct context *context, view lines)
{
    struct copies *copies = &context->copies;
    char path[PATH_ROOM];

    if (daemon->copies_path[0] == '\0' || (copies->filed == 0 && copies->count == 0) ||
        daemon_now() < copies->file_again_at) {
        return;
    }
    path_of(daemon, context, path);
    if (file_append(daemon, context, path, lines) || file_renew(daemon, context, path)) {
        return;
    }
    if (daemon_may_say(daemon)) {
        log_wrn("%s: %s: session objects of pid %u do not outlive this process and their node "
                "together",
                path, strerror(errno), context->pid);
    }
    file_unlink(daemon, context);
    copies->file_again_at = daemon_now() + SWEEP_MS;
}

void
copies_file_remove(struct daemon *daemon, struct context *context)
{
    if (context->copies.filed != 0) {
        file_unlink(daemon, context);
    }
}

/* ---- what an earlier daemon left ---- */

static void
lines_take(struct context *context, view bytes)
{
    struct reader r = reader_of(bytes);
    struct copies_line line;
    view magic;

    if (!read_raw(&r, MAGIC.len, &magic) || !view_equal(magic, MAGIC)) {
        return;
    }
    while (copies_line_next(&r, &line)) {
        if (line.kind == COPIES_LINE_HOME) {
            context->home_number = line.number;
        } else {
            copies_apply(context, &line);
        }
    }
}

void
copies_file_load(struct daemon *daemon, struct context *context)
{
    char path[PATH_ROOM];
    uint8_t *bytes = NULL;
    struct stat st;
    int fd;

    if (daemon->copies_path[0] == '\0') {
        return;
    }
    path_of(daemon, context, path);
    fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    if (context->ticket != NULL && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
        st.st_size > 0 && st.st_size <= (off_t)FILE_MAX &&
        (bytes = malloc((size_t)st.st_size)) != NULL) {
        ssize_t len = read(fd, bytes, (size_t)st.st_size);

        lines_take(context, view_of(bytes, len < 0 ? 0 : (size_t)len));
    }
    free(bytes);
    close(fd);
    if (context->copies.count > 0) {
        context->local = true;
        context->copies.filed = FILE_MAX; /* whatever its end is like, nothing is appended */
        copies_doubt(context, 0);
        if (daemon_may_say(daemon)) {
            log_inf("pid %u: %zu copies of session objects are left of before", context->pid,
                    context->copies.count);
        }
    } else {
        (void)unlink(path);
    }
}

/* Nobody has asked for it for so long that nothing in it can open. */
static void
entry_sweep(int folder, const char *name, time_t now)
{
    struct stat st;

    if (name[0] != '.' && fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISREG(st.st_mode) && (st.st_mtime < now - LIFE_S || st.st_mtime > now + LIFE_S)) {
        (void)unlinkat(folder, name, 0);
    }
}

void
copies_files_sweep(struct daemon *daemon)
{
    const uint64_t now = daemon_now();
    const struct dirent *entry;
    DIR *folder;

    if (daemon->copies_path[0] == '\0' || now < daemon->copies_sweep_at ||
        (folder = opendir(daemon->copies_path)) == NULL) {
        return;
    }
    daemon->copies_sweep_at = now + SWEEP_MS;
    while ((entry = readdir(folder)) != NULL) {
        entry_sweep(dirfd(folder), entry->d_name, time(NULL));
    }
    closedir(folder);
}

void
copies_files_open(struct daemon *daemon)
{
    char *path = daemon->copies_path;
    struct stat st;
    int error = 0;

    snprintf(path, sizeof daemon->copies_path, "%s.copies", daemon->socket_path);
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        error = errno;
    } else if (lstat(path, &st) != 0) {
        error = errno;
    } else if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) != 0) {
        error = EPERM;
    }
    if (error != 0) {
        log_wrn("%s: %s: session objects do not outlive the end of this process and of their "
                "node together",
                path, strerror(error));
        path[0] = '\0';
    }
    copies_files_sweep(daemon);
}
