/* SPDX-License-Identifier: Apache-2.0
 *
 * A line is built on the stack and leaves in one write, so lines of several threads or
 * processes never mix. Control characters that a peer put into a name are shown as '?'.
 */
#include "base/log.h"

#include "base/bytes.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define LOG_LINE_MAX 1024

static _Atomic int log_level_now = LOG_LEVEL_INF;

static const struct {
    const char *mark;
    const char *name;
} log_levels[] = {
    [LOG_LEVEL_ERR] = { "ERR", "ERROR" },
    [LOG_LEVEL_WRN] = { "WRN", "WARNING" },
    [LOG_LEVEL_INF] = { "INF", "INFO" },
    [LOG_LEVEL_DBG] = { "DBG", "DEBUG" },
};

void
log_set_level(enum log_level level)
{
    atomic_store(&log_level_now, (int)level);
}

bool
log_level_parse(const char *text, enum log_level *ret_level)
{
    for (size_t i = 0; i < ARRAY_COUNT(log_levels); i++) {
        if (strcasecmp(text, log_levels[i].mark) == 0 ||
            strcasecmp(text, log_levels[i].name) == 0) {
            *ret_level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

static void log_line(enum log_level level, const char *format, va_list arguments) PRINTF(2, 0);

static void
log_line(enum log_level level, const char *format, va_list arguments)
{
    char line[LOG_LINE_MAX];

    if ((int)level > atomic_load(&log_level_now)) {
        return;
    }

    int start = snprintf(line, sizeof line, "%s: ", log_levels[level].mark);
    size_t len = (size_t)start;
    int text = vsnprintf(line + len, sizeof line - len - 1, format, arguments);

    if (text > 0) {
        len += size_min((size_t)text, sizeof line - len - 2);
    }
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)line[i];

        if (c < 0x20 || c == 0x7f) {
            line[i] = '?';
        }
    }
    line[len++] = '\n';
    if (write(STDERR_FILENO, line, len) < 0) {
        return; /* nowhere left to say it */
    }
}

#define LOG_FUNCTION(name, level)              \
    void name(const char *format, ...)         \
    {                                          \
        va_list arguments;                     \
                                               \
        va_start(arguments, format);           \
        log_line((level), format, arguments);  \
        va_end(arguments);                     \
    }

LOG_FUNCTION(log_err, LOG_LEVEL_ERR)
LOG_FUNCTION(log_wrn, LOG_LEVEL_WRN)
LOG_FUNCTION(log_inf, LOG_LEVEL_INF)
LOG_FUNCTION(log_dbg, LOG_LEVEL_DBG)
