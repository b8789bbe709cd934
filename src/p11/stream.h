/* SPDX-License-Identifier: Apache-2.0
 *
 * The work itself: input goes to the HSM in one request, or in chunks to an operation that
 * the HSM holds, and output comes back into a sink. Nothing here knows of states.
 */
#ifndef P11_STREAM_H
#define P11_STREAM_H

#include "p11/task.h"

/* Takes all output and counts it; keeps what fits. */
struct sink {
    uint8_t *out;
    size_t size;
    size_t total;
};

void sink_put(struct sink *sink, view bytes);

/*
 * A whole message: one request if it is short enough, else chunks. Output that does not fit:
 * CKR_BUFFER_TOO_SMALL with the exact length in sink->total. On any error the caller's
 * buffer is as it was or wiped.
 */
MUST_USE CK_RV stream_whole(struct session *session, struct task *task, view in,
                            view signature, struct sink *sink);

/* One more part for an operation that the HSM holds; starts it there when it is the first. */
MUST_USE CK_RV stream_part(struct session *session, struct task *task, view in,
                           struct sink *sink);
/* A key's value as one more part of a digest that the HSM holds. That one is not begun again
 * when its node dies. */
MUST_USE CK_RV stream_key(struct session *session, struct task *task, uint32_t key);
/* The end of one that the HSM holds. */
MUST_USE CK_RV stream_final(struct session *session, struct task *task, view signature,
                            struct sink *sink);

#endif
