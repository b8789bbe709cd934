/* SPDX-License-Identifier: Apache-2.0
 *
 * Nonces (IVs) of messages: the caller's own, or generated behind its fixed bits as the
 * parameter says (PKCS #11 v3.1, 6.13.2). Those that count begin at 0 with each process, as the
 * standard has it; the caller answers for their not coming again, as for nonces of its own.
 */
#ifndef P11_NONCE_H
#define P11_NONCE_H

#include "base/bytes.h"
#include "pkcs11_headers/include/cryptoki.h"

#define NONCE_MAX 256u

struct session;
struct message_params;

/* What one process has made. All zeros at first. */
struct nonces {
    bool counts;       /* what follows is set */
    uint64_t next;     /* value of the counter */
    CK_GENERATOR_FUNCTION generator;
    CK_ULONG fixed_bits;
    size_t len;
    uint8_t base[NONCE_MAX]; /* as the caller gave it first */
};

/*
 * The nonce of the next message, of params->nonce_len bytes, to out. One that was made counts as
 * used, whatever becomes of its message. CKR_MECHANISM_PARAM_INVALID: too few bits to generate,
 * counters that are used up, and a counter whose parameter changed on the way.
 */
MUST_USE CK_RV nonce_make(struct session *session, struct nonces *nonces,
                          const struct message_params *params, uint8_t out[NONCE_MAX]);

#endif
