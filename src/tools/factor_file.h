/* SPDX-License-Identifier: Apache-2.0
 *
 * The file of a second factor: what each server has drawn, and its signatures, as the original's
 * tool has it:
 *
 *     {"Version": "1.0", "PublicKey": "-----BEGIN PUBLIC KEY-----\n...",
 *      "Data": [{"HsmId": "...", "Digest": "base64", "Signature": "base64"}, ...]}
 *
 * The tool writes it without the key and the signatures. The key is only needed where it is new.
 */
#ifndef TOOLS_FACTOR_FILE_H
#define TOOLS_FACTOR_FILE_H

#include "base/bytes.h"

#define FACTOR_FILE_MAX 65536u
#define FACTOR_ENTRIES_MAX 32u
#define FACTOR_DIGEST_LEN 32u
#define FACTOR_SIGNATURE_MAX 512u
#define FACTOR_PEM_MAX 4096u
#define FACTOR_NODE_MAX 64u

struct factor_entry {
    char node[FACTOR_NODE_MAX + 1];
    uint8_t digest[FACTOR_DIGEST_LEN];
    uint8_t signature[FACTOR_SIGNATURE_MAX];
    size_t signature_len; /* 0: none yet */
};

struct factor_file {
    char key[FACTOR_PEM_MAX + 1]; /* "": none */
    struct factor_entry entries[FACTOR_ENTRIES_MAX];
    size_t count;
};

/* Appended; false when there is no room. */
MUST_USE bool factor_file_write(const struct factor_file *file, struct writer *out);
/* False with what is wrong with it. */
MUST_USE bool factor_file_parse(view text, struct factor_file *ret_file, const char **ret_error);
/* The signature of that digest; empty where there is none. */
view factor_file_signature(const struct factor_file *file, view digest);

#endif
