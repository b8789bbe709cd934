/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as what a storage server says: a page of its listing, and a token of an identity. Handles
 * that come out are certificates', tags and markers end and are printable, and the same bytes say the
 * same again.
 */
#include "fuzz/fuzz.h"

#include "certs/identity.h"
#include "certs/listing.h"

#include <string.h>

static uint64_t
mixed(uint64_t sum, const char *text)
{
    for (; *text != '\0'; text++) {
        HOLDS((unsigned char)*text >= ' ' && *text != 0x7f);
        sum = (sum ^ (unsigned char)*text) * 0x100000001b3u;
    }
    return sum;
}

static bool
visit(void *arg, uint32_t handle, const char *tag)
{
    uint64_t *sum = arg;

    HOLDS(handle >= 0xfff00000u && handle <= 0xfffffffeu);
    HOLDS(memchr(tag, '\0', BLOB_TAG_MAX) != NULL && strchr(tag, '"') == NULL);
    *sum = mixed(*sum ^ handle, tag);
    return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char markers[2][LISTING_MARKER_MAX];
    static char token[IDENTITY_TOKEN_MAX];
    uint64_t sums[2] = { 0, 0 }, life = 0;
    view text = view_of(data, size);
    bool read = listing_read(text, visit, &sums[0], markers[0]);

    HOLDS(read == listing_read(text, visit, &sums[1], markers[1]));
    HOLDS(sums[0] == sums[1]);
    if (read) {
        HOLDS(strcmp(markers[0], markers[1]) == 0);
        (void)mixed(0, markers[0]);
    }
    if (identity_read(text, token, sizeof token, &life)) {
        HOLDS(token[0] != '\0' && strpbrk(token, " \r\n") == NULL);
    }
    return 0;
}
