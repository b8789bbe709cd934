/* SPDX-License-Identifier: Apache-2.0
 *
 * Records: what the store holds, sealed. Each has a name (its key in the store, without any
 * label of a user's) and a version of its own, raised with each change. A part is sealed
 * with AES-256-GCM under a key derived by HKDF from the master key, the store's id and the
 * name; format, store id, name, version and part number are authenticated with it, so a
 * record cannot be moved, mixed with another or read under another master key.
 *
 * A sealed part: u8 format, u64 version, 12 bytes nonce, ciphertext, 16 bytes tag.
 */
#ifndef CORE_RECORD_H
#define CORE_RECORD_H

#include "base/secret.h"
#include "core/ports.h"

/* Who seals: the master key for what is stored, a key of this boot for what never is. */
struct sealer {
    struct secret *key; /* 32 bytes */
    uint8_t store_id[16];
    struct entropy *entropy;
};

/* Room that a part takes beside its plaintext. */
#define RECORD_OVERHEAD (1u + 8u + 12u + 16u)

/* Appends the sealed part to out. CKR_FUNCTION_FAILED without entropy, CKR_HOST_MEMORY. */
MUST_USE CK_RV record_seal(const struct sealer *sealer, view name, unsigned part,
                           uint64_t version, view plain, struct writer *out);

/* Is it of the format that this version writes? Any key may have made it. */
bool record_is_known(view sealed);
/* Appends the plaintext to out. CKR_GENERAL_ERROR when it does not open. */
MUST_USE CK_RV record_open(const struct sealer *sealer, view name, unsigned part, view sealed,
                           uint64_t *ret_version, struct writer *out);

/* A key for another use, derived from the sealer's for this store. */
MUST_USE bool sealer_derive(const struct sealer *sealer, view use, uint8_t ret_key[32]);

/* "o/0000a000": prefix and eight hexadecimal digits. */
#define RECORD_NAME_LEN 10u
struct record_name {
    char text[RECORD_NAME_LEN + 1];
};
struct record_name record_name(char prefix, uint32_t number);
view record_name_view(const struct record_name *name);
/* "x/0123abcd" -> 'x' and the number; false for any other name, or other letters of this one. */
MUST_USE bool record_name_parse(view key, char *ret_prefix, uint32_t *ret_number);

#endif
