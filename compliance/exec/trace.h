/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes calls as statements of a C program while they are made. Nothing happens unless trace_to
 * (exec/call.h) named a file.
 */
#ifndef COMPLIANCE_TRACE_H
#define COMPLIANCE_TRACE_H

#include "exec/call.h"

void trace_before(enum fn fn, const struct bag *bag);
void trace_after(enum fn fn, const struct bag *bag, CK_RV rv);

/* A statement. In format %s is a session, %o an object, %n the variable of a new object, %a
 * attributes and their count, %t a text, %m a mechanism, %i bytes and their length, %u a number, %b a buffer
 * and %l its length, or NULL; all arguments are words. */
void trace(const char *format, ...);
/* A part of one. */
void trace_piece(const char *format, ...);
void trace_seen(const char *name, CK_RV rv);
void trace_born(CK_OBJECT_HANDLE object, CK_RV rv);

/* What stands before and after the statements. A module's crash may come in between. */
void trace_begin(FILE *file, const char *id);
void trace_end(FILE *file);

#endif /* COMPLIANCE_TRACE_H */
