/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a scraper's request, as they come in pieces: once answered, more bytes do not change
 * the answer; what is large has one; and only GET /metrics is answered 200.
 */
#include "fuzz/fuzz.h"

#include "net/scrape.h"

#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned before = 0;

    size = size_min(size, SCRAPE_REQUEST_MAX);
    for (size_t len = 0; len <= size; len++) {
        unsigned answer = scrape_request_read(view_of(data, len));

        HOLDS(answer == 0 || answer == 200 || answer == 400 || answer == 404 || answer == 405 ||
              answer == 431);
        HOLDS(before == 0 || answer == before || before == 431);
        HOLDS(answer != 200 || (len > 18 && memcmp(data, "GET /metrics HTTP/", 18) == 0));
        HOLDS(answer != 0 || len < SCRAPE_REQUEST_MAX);
        before = answer;
    }
    return 0;
}
