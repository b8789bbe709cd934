/* SPDX-License-Identifier: Apache-2.0
 *
 * The reader of the audit: prints the records of the trail and checks everything that can be
 * checked: the chain over all files, the signed heads, and (when no node runs on the store) the
 * journal in the store against itself and against the heads.
 */
#ifndef SERVER_AUDIT_REPORT_H
#define SERVER_AUDIT_REPORT_H

#include "net/settings.h"

struct audit_report_plan {
    bool json;    /* a JSON object for each record, not a line for people */
    bool journal; /* the records of the journal, not those of the trail */
    bool quiet;   /* no records */
};

/* Records go to standard output, what was found to standard error. 0: all is whole; 1: something
 * is broken, and the first broken record was named; 2: it could not be read. */
int audit_report(const struct server_settings *settings, const struct audit_report_plan *plan);

#endif
