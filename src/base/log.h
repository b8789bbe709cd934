/* SPDX-License-Identifier: Apache-2.0
 *
 * The log sink: one line per event, for the operator, on stderr (which systemd carries to
 * the journal). A line reads `INF: listening on 127.0.0.1:2224`. Nothing secret is ever
 * handed to it.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/base.h"

enum log_level { LOG_LEVEL_ERR, LOG_LEVEL_WRN, LOG_LEVEL_INF, LOG_LEVEL_DBG };

/* Lines above the level are dropped. Starts as LOG_LEVEL_INF. May change at any time. */
void log_set_level(enum log_level level);
/* "ERROR", "WARNING", "INFO", "DEBUG" (any case, or ERR, WRN, INF, DBG); false when none. */
MUST_USE bool log_level_parse(const char *text, enum log_level *ret_level);

void log_err(const char *format, ...) PRINTF(1, 2);
void log_wrn(const char *format, ...) PRINTF(1, 2);
void log_inf(const char *format, ...) PRINTF(1, 2);
void log_dbg(const char *format, ...) PRINTF(1, 2);

#endif
