/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads azcloudhsm_application.cfg. What a key means is a row; the rest is finding the file
 * and cutting its lines.
 */
#include "api/appcfg.h"

#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#define APPCFG_NAME "azcloudhsm_application.cfg"
#define APPCFG_SIZE_MAX 65536u
#define SOCKET_PATH_MAX 107u

enum form { FORM_NUMBER_IN, FORM_SWITCH, FORM_TRANSPORT, FORM_PATH, FORM_TEXT };

struct key_row {
    const char *name;
    enum form form;
    size_t offset; /* in struct appcfg */
    uint32_t min;
    uint32_t max;
};

#define KEY(name, form, field, min, max) \
    { (name), FORM_##form, offsetof(struct appcfg, field), (min), (max) }

/* clang-format off */
static const struct key_row keys[] = {
    KEY( "DAEMON_ID",                 NUMBER_IN, daemon_id,         0, 65535      ),
    KEY( "SOCKET_TYPE",               TRANSPORT, tcp,               0, 0          ),
    KEY( "PORT",                      NUMBER_IN, port,              1, 65535      ),
    KEY( "SOCKET_PATH",               PATH,      socket_path,       0, 0          ),
    KEY( "DEFAULT_WRAP_WITH_TRUSTED", SWITCH,    wrap_with_trusted, 0, 1          ),
    KEY( "CERTSTORAGE_URL",           TEXT,      storage.url,      0, sizeof((struct appcfg *)0)->storage.url      ),
    KEY( "CERTSTORAGE_SIGNING_KEYID", TEXT,      storage.key_id,   0, sizeof((struct appcfg *)0)->storage.key_id   ),
    KEY( "CERTSTORAGE_ACCOUNT_KEY",   TEXT,      storage.secret,   0, sizeof((struct appcfg *)0)->storage.secret   ),
    KEY( "CERTSTORAGE_TRUST_EXISTING", SWITCH,   storage.adopt,    0, 1            ),
    KEY( "UAMI_CLIENT_ID",            TEXT,      storage.identity, 0, sizeof((struct appcfg *)0)->storage.identity ),
    KEY( "USER_KEK_HANDLE",           NUMBER_IN, user_kek,          0, UINT32_MAX ),
};
/* clang-format on */

_Static_assert(sizeof(unsigned) == sizeof(uint32_t), "numbers of struct appcfg are 32 bits wide");

/* Decimal, or hexadecimal after 0x. */
static bool
number_parse(const char *text, uint32_t *ret_number)
{
    const bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    char *end = NULL;

    if (text[0] < '0' || text[0] > '9') {
        return false; /* strtoull would take signs and spaces */
    }
    errno = 0;

    unsigned long long number = strtoull(text, &end, hex ? 16 : 10);

    if (errno != 0 || *end != '\0' || number > UINT32_MAX) {
        return false;
    }
    *ret_number = (uint32_t)number;
    return true;
}

/* NULL when the value was taken, else what is wanted instead. */
static const char *
value_take(const struct key_row *row, const char *value, struct appcfg *config)
{
    void *field = (char *)config + row->offset;
    uint32_t number;
    bool on;

    switch (row->form) {
    case FORM_TRANSPORT:
        if (strcmp(value, "UNIXSOCKET") != 0 && strcmp(value, "TCP") != 0) {
            return "is UNIXSOCKET or TCP";
        }
        on = value[0] == 'T';
        memcpy(field, &on, sizeof on);
        return NULL;
    case FORM_PATH:
        if (strlen(value) > SOCKET_PATH_MAX) {
            return "is a path of at most 107 characters";
        }
        memcpy(field, value, strlen(value) + 1);
        return NULL;
    case FORM_TEXT:
        if (strlen(value) >= row->max) {
            return "is too long";
        }
        memcpy(field, value, strlen(value) + 1);
        return NULL;
    case FORM_SWITCH:
        if (!number_parse(value, &number) || number > 1) {
            return "is 0 or 1";
        }
        on = number == 1;
        memcpy(field, &on, sizeof on);
        return NULL;
    case FORM_NUMBER_IN:
        break;
    }
    if (!number_parse(value, &number) || number < row->min || number > row->max) {
        return "is a number out of its range";
    }
    memcpy(field, &number, sizeof number);
    return NULL;
}

static bool
is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static view
trim(view v)
{
    while (v.len > 0 && is_space(v.data[0])) {
        v = view_of(v.data + 1, v.len - 1);
    }
    while (v.len > 0 && is_space(v.data[v.len - 1])) {
        v.len--;
    }
    return v;
}

static bool
line_take(const char *name, unsigned number, view line, struct appcfg *config)
{
    char value[sizeof config->storage.url];

    line = trim(line);
    if (line.len == 0 || line.data[0] == '#' || line.data[0] == ';') {
        return true;
    }

    const uint8_t *equals = memchr(line.data, '=', line.len);

    if (equals == NULL) {
        fprintf(stderr, "%s:%u: a line is KEY=VALUE or a # comment\n", name, number);
        return false;
    }

    size_t at = (size_t)(equals - line.data);
    view key = trim(view_of(line.data, at));
    view text = trim(view_slice(line, at + 1, line.len));

    for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
        const struct key_row *row = &keys[i];
        const char *wanted = NULL;

        if (!view_equal(key, view_str(row->name))) {
            continue;
        }
        if (text.len == 0) {
            return true; /* a key left blank has its default */
        }
        if (text.len >= sizeof value || memchr(text.data, '\0', text.len) != NULL) {
            wanted = "has a value that is too long or no text";
        } else {
            memcpy(value, text.data, text.len);
            value[text.len] = '\0';
            wanted = value_take(row, value, config);
            wipe(value, text.len);
        }
        if (wanted != NULL) {
            fprintf(stderr, "%s:%u: %s %s\n", name, number, row->name, wanted);
            return false;
        }
    }
    return true;
}

static bool
lines_take(const char *name, view text, struct appcfg *config)
{
    static const uint8_t mark[] = { 0xef, 0xbb, 0xbf }; /* what some editors begin UTF-8 with */
    unsigned number = 1;

    if (text.len > APPCFG_SIZE_MAX) {
        fprintf(stderr, "%s: longer than %u bytes\n", name, APPCFG_SIZE_MAX);
        return false;
    }
    if (view_equal(view_slice(text, 0, sizeof mark), view_of(mark, sizeof mark))) {
        text = view_slice(text, sizeof mark, text.len);
    }
    for (; text.len > 0; number++) {
        const uint8_t *newline = memchr(text.data, '\n', text.len);
        size_t len = newline != NULL ? (size_t)(newline - text.data) : text.len;

        if (!line_take(name, number, view_slice(text, 0, len), config)) {
            return false;
        }
        text = view_slice(text, len + 1, text.len);
    }
    if (config->storage.url[0] != '\0' && config->storage.key_id[0] == '\0') {
        fprintf(stderr, "%s: CERTSTORAGE_URL wants CERTSTORAGE_SIGNING_KEYID\n", name);
        return false;
    }
    if (config->socket_path[0] == '\0') {
        snprintf(config->socket_path, sizeof config->socket_path,
                 "/run/azurecloudhsm/daemon-%u.sock", config->daemon_id);
    }
    return true;
}

bool
appcfg_parse(const char *name, view text, struct appcfg *ret_config)
{
    struct appcfg config = { .daemon_id = 1, .port = 1111, .wrap_with_trusted = true };
    bool taken = lines_take(name, text, &config);

    if (taken) {
        *ret_config = config;
    }
    wipe(&config, sizeof config);
    return taken;
}

/* Where a file may be, in the order of the header; "" for a place that is none here. */
static void
place_name(unsigned place, char *path, size_t size)
{
    const bool trusted = getauxval(AT_SECURE) == 0;
    const char *text = NULL;
    char program[512];
    ssize_t len;
    int written = 0;

    path[0] = '\0';
    switch (place) {
    case 0:
        if (trusted && (text = getenv("AZCLOUDHSM_APPLICATION_CFG")) != NULL) {
            written = snprintf(path, size, "%s", text);
        }
        break;
    case 1:
        if (trusted) {
            written = snprintf(path, size, APPCFG_NAME);
        }
        break;
    case 2:
        len = readlink("/proc/self/exe", program, sizeof program - 1);
        if (len > 0) {
            program[len] = '\0';

            char *slash = strrchr(program, '/');

            if (slash != NULL) {
                written = snprintf(path, size, "%.*s/" APPCFG_NAME, (int)(slash - program),
                                   program);
            }
        }
        break;
    case 3:
        if (trusted && (text = getenv("HOME")) != NULL && text[0] != '\0') {
            written = snprintf(path, size, "%s/.config/azurecloudhsm/" APPCFG_NAME, text);
        }
        break;
    case 4:
        written = snprintf(path, size, "/etc/azurecloudhsm/" APPCFG_NAME);
        break;
    default:
        written = snprintf(path, size, "/opt/azurecloudhsm/bin/" APPCFG_NAME);
        break;
    }
    if (written < 0 || (size_t)written >= size) {
        path[0] = '\0';
    }
}

#define PLACE_COUNT 6u

enum found { FOUND_NOTHING, FOUND_FILE, FOUND_UNREADABLE };

static enum found
file_read(const char *path, char *text, size_t size, size_t *ret_len)
{
    struct stat status;
    size_t len = 0;
    /* A FIFO in the current directory must not hold the application up. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0) {
        /* No way into a folder is as good as no file; a file that is shut is not. */
        return stat(path, &status) == 0 ? FOUND_UNREADABLE : FOUND_NOTHING;
    }
    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
        close(fd);
        return FOUND_NOTHING;
    }
    while (len < size) {
        ssize_t got = read(fd, text + len, size - len);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            close(fd);
            return FOUND_UNREADABLE;
        }
        if (got == 0) {
            break;
        }
        len += (size_t)got;
    }
    close(fd);
    *ret_len = len;
    return FOUND_FILE;
}

bool
appcfg_read(bool say_missing, struct appcfg *ret_config)
{
    struct appcfg config;
    const size_t size = APPCFG_SIZE_MAX + 1; /* one more, so that too long is seen */
    char *text = malloc(size);
    char path[sizeof config.file];
    size_t len = 0;
    bool ok = false;
    enum found found = FOUND_NOTHING;

    if (text == NULL) {
        fputs(APPCFG_NAME ": out of memory\n", stderr);
        return false;
    }
    for (unsigned place = 0; place < PLACE_COUNT && found == FOUND_NOTHING; place++) {
        place_name(place, path, sizeof path);
        if (path[0] != '\0') {
            found = file_read(path, text, size, &len);
        }
    }
    if (found == FOUND_NOTHING) {
        if (say_missing) {
            fputs(APPCFG_NAME " is not present\n", stderr);
        }
        path[0] = '\0';
        len = 0;
    }
    if (found == FOUND_UNREADABLE) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
    } else {
        ok = appcfg_parse(path, view_of(text, len), &config);
    }
    if (ok) {
        memcpy(config.file, path, sizeof path);
        *ret_config = config;
        wipe(&config, sizeof config);
    }
    wipe(text, len); /* it may have the key of an account */
    free(text);
    return ok;
}
