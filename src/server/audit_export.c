/* SPDX-License-Identifier: Apache-2.0 */
#include "server/audit_export.h"

#include "base/log.h"
#include "core/trail.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LINE_LEN_MAX 2048u
#define PRIORITY "<86>azcloudhsm_server: " /* authpriv, informational */

struct export {
    int fd; /* -1: not connected */
    struct sockaddr_un address;
    uint64_t lost; /* since the last line about it */
};

struct export *
export_new(const char *path)
{
    struct export *export = calloc(1, sizeof *export);

    if (export == NULL || strlen(path) >= sizeof export->address.sun_path) {
        log_err("audit export: %s: %s", path, export == NULL ? "no memory" : "path too long");
        free(export);
        return NULL;
    }
    export->fd = -1;
    export->address.sun_family = AF_UNIX;
    strcpy(export->address.sun_path, path);
    return export;
}

const char *
export_path(const struct export *export)
{
    return export->address.sun_path;
}

void
export_free(struct export *export)
{
    if (export != NULL && export->fd >= 0) {
        close(export->fd);
    }
    free(export);
}

static bool
connected(struct export *export)
{
    if (export->fd < 0) {
        export->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (export->fd >= 0 && connect(export->fd, (const struct sockaddr *)&export->address,
                                       sizeof export->address) != 0) {
            int error = errno;

            close(export->fd);
            export->fd = -1;
            errno = error;
        }
    }
    return export->fd >= 0;
}

static void
line_send(struct export *export, view line)
{
    if (connected(export) && send(export->fd, line.data, line.len, MSG_NOSIGNAL) >= 0) {
        if (export->lost > 0) {
            log_inf("audit export: works again; %llu records did not go out",
                    (unsigned long long)export->lost);
            export->lost = 0;
        }
        return;
    }
    if (export->lost++ == 0) {
        log_wrn("audit export: %s: %s", export->address.sun_path, strerror(errno));
    }
    /* A receiver that was restarted is another socket under the same name. */
    if (export->fd >= 0 && errno != EAGAIN) {
        close(export->fd);
        export->fd = -1;
    }
}

static void
record_send(struct export *export, view body, const struct audit_place *place)
{
    uint8_t room[LINE_LEN_MAX];
    struct audit_record record;
    struct writer line;

    if (!audit_record_read(body, &record)) {
        return;
    }
    writer_init_fixed(&line, room, sizeof room);
    write_raw(&line, VIEW_TEXT(PRIORITY));
    audit_line_json(&record, place, &line);
    line_send(export, writer_view(&line));
}

void
export_entries(struct export *export, view entries, view node, uint64_t first)
{
    struct audit_place place = { node, first };
    struct reader r = reader_of(entries);
    uint16_t len;
    uint8_t kind;
    view body, hash;

    while (read_u16(&r, &len) && read_u8(&r, &kind) && read_raw(&r, len, &body) &&
           read_raw(&r, 8, &hash)) {
        if (kind == TRAIL_RECORD) {
            record_send(export, body, &place);
        }
        place.sequence++;
    }
}
