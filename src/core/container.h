/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates that are kept elsewhere, as signed tokens in a container of blobs. A token names no
 * handle and no version, so the HSM remembers for each handle the SHA-256 of the token that is the
 * present one, and, while another is on its way there, of that one, too: whatever else the
 * container shows is another's, or old, and refused. Records are "c/<container>/<handle>".
 */
#ifndef CORE_CONTAINER_H
#define CORE_CONTAINER_H

#include "core/numbers.h"

#define CONTAINER_ID_LEN 16u
#define CONTAINERS_MAX 16u
#define TOKEN_HASH_LEN 32u
/* "c/", 32 digits, "/", 8 digits */
#define TOKEN_NAME_LEN (2u + 2u * CONTAINER_ID_LEN + 1u + 8u)

struct token_name {
    char text[TOKEN_NAME_LEN + 1];
    uint8_t container[CONTAINER_ID_LEN];
    uint32_t handle;
};
/* A record's name, from and to its parts. */
struct token_name token_name(const uint8_t container[CONTAINER_ID_LEN], uint32_t handle);
view token_name_view(const struct token_name *name);
MUST_USE bool token_name_parse(view key, struct token_name *ret_name);

/* Neither hash: the certificate has gone, and its number rests. */
struct token_record {
    bool has_now;
    bool has_next;
    uint8_t now[TOKEN_HASH_LEN];
    uint8_t next[TOKEN_HASH_LEN];
    uint32_t since; /* second of the last change */
    uint64_t version;
    uint64_t revision; /* of the store; 0: it is not there */
};

MUST_USE CK_RV token_record_seal(const struct sealer *sealer, const struct token_name *name,
                                 const struct token_record *record, struct writer *out);

struct container {
    uint8_t id[CONTAINER_ID_LEN];
    struct numbers numbers;
    struct token_record **records; /* by handle; NULL: there is none */
};

struct containers {
    struct container *all[CONTAINERS_MAX];
    size_t count;
};

void containers_clear(struct containers *containers);
/* NULL: there is none of that name, or no more can be made. */
struct container *container_find(struct containers *containers, view id, bool make);
/* NULL when it has none. */
struct token_record *container_record(const struct container *container, uint32_t handle);
/* The record of a handle is that from now on. False: memory is short. */
MUST_USE bool container_put(struct container *container, uint32_t handle,
                            const struct token_record *record);
void container_drop(struct container *container, uint32_t handle);
/* A record that was found at the start. */
MUST_USE CK_RV containers_load(struct containers *containers, const struct sealer *sealer,
                               const struct token_name *name, view value, uint64_t revision);

#endif
