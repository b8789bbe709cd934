/* SPDX-License-Identifier: Apache-2.0
 *
 * Files of a SoftHSM2 token (backend "file"), read: a generation number, then attributes, all
 * numbers of eight bytes with the highest first. What a private object has in bytes is encrypted
 * by AES in CBC mode with the token's key, which token.object keeps under the user's PIN.
 */
#ifndef TOOLS_SOFTHSM_H
#define TOOLS_SOFTHSM_H

#include "base/secret.h"
#include "rules/attribute.h"

#define SOFTHSM_FILE_MAX (1024u * 1024u)
#define SOFTHSM_LEFT_MAX 16u

/* Attributes of an object that have no place here. */
struct softhsm_left {
    uint64_t types[SOFTHSM_LEFT_MAX];
    size_t count; /* may be more than there is room for */
};

enum softhsm_result {
    SOFTHSM_READ,
    SOFTHSM_DAMAGED,   /* it does not read as such a file */
    SOFTHSM_LOCKED     /* what is encrypted does not open with this key */
};

/* The token's label, as it was written; false: this is no token.object. */
MUST_USE bool softhsm_label(view token_object, view *ret_label);
/* The token's key. NULL: the PIN is another, or none was set; or this is no token.object. */
struct secret *softhsm_key(view token_object, view pin);

/*
 * An object as a list of attributes in our form, appended to out, which may hold secrets. What is
 * neither in attributes.def nor in its form is told by left.
 */
enum softhsm_result softhsm_object(view file, view key, struct writer *out,
                                   struct softhsm_left *ret_left);

#endif
