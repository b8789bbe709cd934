/* SPDX-License-Identifier: Apache-2.0
 *
 * Fake PEM files (azure-cloud-hsm.md 6.1): private keys as other programs read them, with the real
 * public part, and where the private one would be a mark, the key's handle, and the mark again up
 * to the end.
 */
#ifndef TOOLS_FAKE_H
#define TOOLS_FAKE_H

#include "base/secret.h"

enum fake {
    FAKE_UNREADABLE, /* no private key in PEM */
    FAKE_REAL,       /* somebody's private key */
    FAKE_HANDLE      /* ours: it names a key */
};

/* public_info: a SubjectPublicKeyInfo of an RSA, EC or Edwards key. False when it is none, or
 * memory is short. */
MUST_USE bool fake_write(view public_info, uint64_t handle, struct writer *pem);
/* *ret_handle is set for FAKE_HANDLE. */
enum fake fake_read(view pem, uint64_t *ret_handle);

#endif
