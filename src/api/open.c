/* SPDX-License-Identifier: Apache-2.0
 *
 * As many as threads that change something: a list.
 */
#include "api/open.h"

uint32_t
open_add(struct open_requests *open, struct open_request *request, uint64_t number)
{
    struct open_request **at = &open->oldest;
    uint64_t back;

    while (*at != NULL) {
        at = &(*at)->newer;
    }
    *request = (struct open_request){ .number = number };
    *at = request;
    back = number - open->oldest->number + 1;
    return back <= UINT32_MAX ? (uint32_t)back : 0;
}

void
open_remove(struct open_requests *open, struct open_request *request)
{
    struct open_request **at = &open->oldest;

    while (*at != request) {
        at = &(*at)->newer;
    }
    *at = request->newer;
}
