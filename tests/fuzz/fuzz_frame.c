/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames. A header that reads is written with the same bytes, and a reply built for it reads
 * and names the same request.
 */
#include <string.h>

#include "fuzz/fuzz.h"
#include "wire/frame.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t header[FRAME_HEADER_LEN];
    struct frame frame, reply;
    struct writer w;

    if (size < sizeof header || !frame_decode(data, &frame)) {
        return 0;
    }
    frame_encode(&frame, header);
    HOLDS(memcmp(header, data, sizeof header) == 0);

    view body = view_of(data + sizeof header, size - sizeof header);

    writer_init(&w, FRAME_MAX);
    frame_reply(&w, &frame, frame.code, frame.revision, body);
    HOLDS(writer_ok(&w) == (body.len <= FRAME_BODY_MAX));
    if (writer_ok(&w)) {
        HOLDS(frame_decode(w.data, &reply));
        HOLDS(reply.body_len == body.len && w.len == FRAME_HEADER_LEN + body.len);
        HOLDS(reply.request == frame.request && reply.operation == frame.operation);
        HOLDS(memcmp(reply.context, frame.context, FRAME_CONTEXT_LEN) == 0);
    }
    writer_clear(&w);
    return 0;
}
