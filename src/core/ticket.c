/* SPDX-License-Identifier: Apache-2.0
 *
 * A ticket is a sealed record that is handed out instead of stored.
 */
#include "core/ticket.h"

#include <string.h>

#define TICKET_NAME VIEW_TEXT("ticket")
#define TICKET_LEN (FRAME_CONTEXT_LEN + 3 * 4 + 3 * 8)

CK_RV
ticket_seal(const struct sealer *sealer, const struct ticket *ticket, struct writer *out)
{
    uint8_t bytes[TICKET_LEN];
    struct writer plain;

    writer_init_fixed(&plain, bytes, sizeof bytes);
    write_raw(&plain, view_of(ticket->context, FRAME_CONTEXT_LEN));
    write_u32(&plain, ticket->uid);
    write_u32(&plain, ticket->user);
    write_u32(&plain, ticket->role);
    write_u64(&plain, ticket->user_version);
    write_u64(&plain, ticket->login);
    write_u64(&plain, ticket->expires);
    return record_seal(sealer, TICKET_NAME, 0, 1, writer_view(&plain), out);
}

bool
ticket_open(const struct sealer *sealer, view sealed, struct ticket *ret_ticket)
{
    uint8_t bytes[TICKET_LEN];
    struct writer plain;
    uint64_t version;
    view context;

    writer_init_fixed(&plain, bytes, sizeof bytes);
    if (record_open(sealer, TICKET_NAME, 0, sealed, &version, &plain) != CKR_OK) {
        return false;
    }

    struct reader r = reader_of(writer_view(&plain));
    struct ticket ticket;

    if (!read_raw(&r, FRAME_CONTEXT_LEN, &context) || !read_u32(&r, &ticket.uid) ||
        !read_u32(&r, &ticket.user) || !read_u32(&r, &ticket.role) ||
        !read_u64(&r, &ticket.user_version) || !read_u64(&r, &ticket.login) ||
        !read_u64(&r, &ticket.expires) || !reader_done(&r)) {
        return false;
    }
    memcpy(ticket.context, context.data, FRAME_CONTEXT_LEN);
    *ret_ticket = ticket;
    return true;
}
