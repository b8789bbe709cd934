/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates as signed tokens: JWS in compact form (RFC 7515), header.payload.signature. The
 * header is alg RS512, kid (the CKA_ID of the pair that signs) and typ; the payload an object whose
 * member `data` is a text that holds the JSON of the attributes (seed 002; azure-cloud-hsm.md,
 * 4.2).
 *
 * A token is worth nothing before its signature has been verified, which is the HSM's business.
 */
#ifndef CERTS_TOKEN_H
#define CERTS_TOKEN_H

#include "rules/attribute.h"

#define TOKEN_MAX (240u * 1024u)    /* bytes of a token: one fits a frame */
#define TOKEN_KID_MAX 255u
#define TOKEN_SIGNATURE_MAX 1024u   /* of an RSA key of 8192 bits */

/*
 * Appends "header.payload": what is signed. NULL, or what is the matter: a label or URL that is
 * no UTF-8, or a number that JSON cannot carry. What attributes lacks of the known ones is
 * written as empty.
 */
MUST_USE const char *token_input(view kid, view attributes, struct writer *out);
/* Appends ".signature". */
void token_close(struct writer *token, view signature);

struct token {
    view input;               /* borrowed from the text: what was signed */
    struct writer signature;
    struct writer attributes; /* a valid list */
};

/*
 * Reads a token for the key of that name. NULL, or why it is refused, for a line of the log:
 * *ret_token is not written then. Members of the header come in any order; those that name keys or
 * where to get some are not looked at; `crit` is refused, and every algorithm but RS512.
 */
MUST_USE const char *token_read(view text, view kid, struct token *ret_token);
void token_clear(struct token *token);

#endif
