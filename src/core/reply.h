/* SPDX-License-Identifier: Apache-2.0
 *
 * The reply to one request as the store keeps it: r/<context>/<number>.
 */
#ifndef CORE_REPLY_H
#define CORE_REPLY_H

#include "core/record.h"
#include "wire/frame.h"

#define REPLY_NAME_LEN (2u + 2u * FRAME_CONTEXT_LEN + 1u + 16u)

/* Whose reply it is. The operation is not part of the record's name: a number that comes again
 * with another operation is no repeat, and finds its place in the store taken. */
struct reply_key {
    uint8_t context[FRAME_CONTEXT_LEN];
    uint64_t request;
    uint16_t operation;
};

/* The name of its record. */
struct reply_name {
    char text[REPLY_NAME_LEN + 1];
};
struct reply_name reply_name(const struct reply_key *key);
view reply_name_view(const struct reply_name *name);
/* The operation stays 0. */
MUST_USE bool reply_name_parse(view text, struct reply_key *ret_key);

/* The sealed record of a reply. */
MUST_USE CK_RV reply_record(const struct sealer *sealer, const struct reply_key *key, uint64_t at,
                            uint64_t settled, view body, struct writer *out);
/* The body is appended to out; the key's operation is filled in. */
MUST_USE CK_RV reply_from_record(const struct sealer *sealer, struct reply_key *key, view record,
                                 uint64_t *ret_at, uint64_t *ret_settled, struct writer *out);

#endif
