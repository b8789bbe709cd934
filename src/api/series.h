/* SPDX-License-Identifier: Apache-2.0
 *
 * A series of requests on one connection, several of them under way at a time: data leaves while
 * replies to what left before come in. Replies come in the order of the requests.
 */
#ifndef API_SERIES_H
#define API_SERIES_H

#include "api/connection.h"

#define SERIES_UNDER_WAY_MAX 8u

struct series {
    size_t count;
    /* Request number `at`: its frame, the beginning of its body, which is appended to head, and the
     * rest, which stays where it is and is borrowed until the request has left. */
    view (*ask)(void *arg, size_t at, struct frame *ret_frame, struct writer *head);
    /* Its reply, body borrowed for the call. False: nothing more is asked; what is under way is
     * waited for and told, too. */
    bool (*hear)(void *arg, size_t at, const struct frame *reply, view body);
    void *arg;
};

/* As connection_exchange(); limit_ms is for each wait. */
enum outcome connection_series(struct connection *connection, const struct series *series,
                               int64_t limit_ms);

#endif
