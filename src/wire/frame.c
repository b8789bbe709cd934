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

void
frame_encode(const struct frame *frame, uint8_t header[FRAME_HEADER_LEN])
{
    struct writer w;

    writer_init_fixed(&w, header, FRAME_HEADER_LEN);
    write_u32(&w, frame->body_len);
    write_u16(&w, frame->operation);
    write_u16(&w, frame->flags);
    write_raw(&w, view_of(frame->context, FRAME_CONTEXT_LEN));
    write_u64(&w, frame->request);
    write_u32(&w, frame->session);
    write_u32(&w, frame->code);
    write_u64(&w, frame->revision);
}

bool
frame_decode(const uint8_t header[FRAME_HEADER_LEN], struct frame *ret_frame)
{
    struct reader r = reader_of(view_of(header, FRAME_HEADER_LEN));
    struct frame frame;
    view context;

    if (!read_u32(&r, &frame.body_len) || frame.body_len > FRAME_BODY_MAX ||
        !read_u16(&r, &frame.operation) || !read_u16(&r, &frame.flags) ||
        (frame.flags & ~FRAME_FLAGS_ALL) != 0 || !read_raw(&r, FRAME_CONTEXT_LEN, &context) ||
        !read_u64(&r, &frame.request) || !read_u32(&r, &frame.session) ||
        !read_u32(&r, &frame.code) || !read_u64(&r, &frame.revision)) {
        return false;
    }
    memcpy(frame.context, context.data, FRAME_CONTEXT_LEN);
    *ret_frame = frame;
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
