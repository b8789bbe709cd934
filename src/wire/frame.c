/* SPDX-License-Identifier: Apache-2.0
 *
 * The 48 bytes in front of every body, and frames built in place in a writer.
 */
#include "wire/frame.h"

#include <string.h>

/* What frame_begin() gives in a writer that had failed before: there is nothing to end. */
#define START_NONE SIZE_MAX

uint64_t
frame_settled(const struct frame *request)
{
    const uint64_t back = request->code;

    return back == 0 || back > request->request ? 0 : request->request - back + 1;
}

unsigned
frame_nodes(const struct frame *request)
{
    const unsigned nodes = (request->flags & FRAME_NODES) >> 8;

    return nodes == 0 ? 1 : nodes;
}

void
frame_nodes_raise(struct frame *request, unsigned nodes)
{
    if (nodes > frame_nodes(request)) {
        request->flags = (uint16_t)((request->flags & ~(unsigned)FRAME_NODES) | nodes << 8);
    }
}

/* The longest way of the shortest requests: no reader and writer here. */
void
frame_encode(const struct frame *frame, uint8_t header[FRAME_HEADER_LEN])
{
    store_u32(header, frame->body_len);
    store_u16(header + 4, frame->operation);
    store_u16(header + 6, frame->flags);
    memcpy(header + 8, frame->context, FRAME_CONTEXT_LEN);
    store_u64(header + 24, frame->request);
    store_u32(header + 32, frame->session);
    store_u32(header + 36, frame->code);
    store_u64(header + 40, frame->revision);
}

bool
frame_decode(const uint8_t header[FRAME_HEADER_LEN], struct frame *ret_frame)
{
    const uint32_t body_len = load_u32(header);
    const uint16_t flags = load_u16(header + 6);

    if (body_len > FRAME_BODY_MAX || (flags & ~FRAME_FLAGS_ALL) != 0) {
        return false;
    }
    ret_frame->body_len = body_len;
    ret_frame->operation = load_u16(header + 4);
    ret_frame->flags = flags;
    memcpy(ret_frame->context, header + 8, FRAME_CONTEXT_LEN);
    ret_frame->request = load_u64(header + 24);
    ret_frame->session = load_u32(header + 32);
    ret_frame->code = load_u32(header + 36);
    ret_frame->revision = load_u64(header + 40);
    return true;
}

size_t
frame_begin(struct writer *w)
{
    size_t start = writer_ok(w) ? w->len : START_NONE;
    uint8_t *header = write_space(w, FRAME_HEADER_LEN);

    if (header != NULL) {
        memset(header, 0, FRAME_HEADER_LEN);
    }
    return start;
}

bool
frame_end(struct writer *w, size_t start, struct frame *frame)
{
    if (start == START_NONE) {
        return false;
    }
    if (!writer_ok(w) || w->len - start > FRAME_MAX) {
        /* As it was at frame_begin(): there the writer had not failed. */
        writer_truncate(w, start);
        w->failed = false;
        return false;
    }
    frame->body_len = (uint32_t)(w->len - start - FRAME_HEADER_LEN);
    frame_encode(frame, w->data + start);
    return true;
}

void
frame_reply(struct writer *w, const struct frame *request, uint32_t code, uint64_t revision,
            view body)
{
    struct frame reply = *request;
    size_t start = frame_begin(w);

    reply.flags = FRAME_REPLY;
    reply.code = code;
    reply.revision = revision;
    write_raw(w, body);
    if (!frame_end(w, start, &reply)) {
        w->failed = true; /* there is no result to say it with */
    }
}
