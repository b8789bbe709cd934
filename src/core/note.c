/* SPDX-License-Identifier: Apache-2.0
 *
 * The audit record of one request: room for it is reserved before the handler runs, and it is
 * appended before the reply leaves, with the outcome. What a peer is told has been recorded.
 */
#include "core/state.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void
note_key(struct request *request, uint32_t object, CK_MECHANISM_TYPE mechanism)
{
    request->note.object = object;
    request->note.mechanism = mechanism;
}

void
note_detail(struct request *request, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(request->note.detail, sizeof request->note.detail, format, arguments);
    va_end(arguments);
}

void
note_record_of(const struct request *request, enum operation operation, CK_RV rv,
               struct writer *w)
{
    struct hsm *hsm = request->hsm;
    struct audit_record record = {
        .time = hsm->ports.clock->wall(hsm->ports.clock),
        .revision = request->note.revision,
        .connection = request->peer->connection,
        .mechanism = request->note.mechanism,
        .user = request->who.user,
        .object = request->note.object,
        .code = (uint32_t)rv,
        .operation = (uint16_t)operation,
        .role = (uint8_t)request->who.role,
        .from = view_str(request->peer->name),
        .detail = view_str(request->note.detail),
    };

    memcpy(record.context, request->context->tag, AUDIT_TAG_LEN);
    audit_record_write(w, &record);
}

void
note_record(const struct request *request, CK_RV rv, struct writer *w)
{
    note_record_of(request, (enum operation)request->frame->operation, rv, w);
}

CK_RV
note_run(struct request *request, CK_RV (*run)(struct request *request))
{
    struct audit *audit = request->hsm->ports.audit;
    uint8_t room[CHAIN_RECORD_MAX];
    struct writer record;
    CK_RV rv;

    if (!audit->reserve(audit)) {
        return CKR_FUNCTION_FAILED;
    }
    rv = run(request);
    if (rv == CODE_LATER || request->note.nothing) {
        audit->release(audit);
        return rv;
    }
    writer_init_fixed(&record, room, sizeof room);
    note_record(request, rv, &record);
    audit->append(audit, writer_view(&record));
    return rv;
}
