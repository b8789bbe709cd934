/* SPDX-License-Identifier: Apache-2.0
 *
 * The `once` requests of a context that somebody waits for, so that each can tell a node which
 * ones are over (wire/frame.h, frame_settled()). The caller holds a lock around each call.
 */
#ifndef API_OPEN_H
#define API_OPEN_H

#include "base/base.h"

/* On the stack of who waits. */
struct open_request {
    uint64_t number;
    struct open_request *newer;
};

struct open_requests {
    struct open_request *oldest;
};

/* number is higher than those of before. What the request's frame tells: how far back the oldest
 * one is, counting from 1; 0 when that is too far. */
uint32_t open_add(struct open_requests *open, struct open_request *request, uint64_t number);
void open_remove(struct open_requests *open, struct open_request *request);

#endif
