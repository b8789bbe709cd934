/* SPDX-License-Identifier: Apache-2.0
 *
 * What comes and goes with each message of an AEAD: the standard's CK_..._MESSAGE_PARAMS, read
 * into one form, and as the parameter of an ordinary request.
 */
#ifndef P11_MESSAGE_PARAMS_H
#define P11_MESSAGE_PARAMS_H

#include "p11/nonce.h"
#include "wire/params.h"

struct message_params {
    uint8_t *nonce; /* the application's */
    size_t nonce_len;
    CK_ULONG fixed_bits;
    CK_GENERATOR_FUNCTION generator; /* CKG_NO_GENERATE where it has no meaning */
    uint8_t *tag;                    /* the application's */
    size_t tag_len;
    CK_ULONG data_len;               /* of CCM, else 0 */
};

/* encrypts: then a nonce may be generated. CKR_MECHANISM_PARAM_INVALID. */
MUST_USE CK_RV message_params_read(enum params_shape shape, bool encrypts, const void *parameter,
                                   CK_ULONG len, struct message_params *ret_params);

/* The ordinary mechanism; its views are of nonce and aad. */
struct mechanism message_params_mechanism(const struct mechanism_row *row,
                                          const struct message_params *params, const uint8_t *nonce,
                                          view aad);
/* The nonce in it. */
view message_params_nonce(const struct mechanism *mechanism);

#endif
