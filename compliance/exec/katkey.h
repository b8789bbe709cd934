/* SPDX-License-Identifier: Apache-2.0
 *
 * A known answer while it is tried, its keys, and answers that are keys themselves.
 */
#ifndef COMPLIANCE_KATKEY_H
#define COMPLIANCE_KATKEY_H

#include "exec/kat.h"

#define BYTES_MOST 1024

struct kat {
    struct runner *runner;
    const struct vector_row *row;
    uint32_t form;
    bool back;
    uint8_t key[BYTES_MOST], iv[64], aad[BYTES_MOST], in[BYTES_MOST], out[BYTES_MOST];
    size_t key_len, iv_len, aad_len, in_len, out_len;
    CK_GCM_PARAMS gcm;
    CK_CCM_PARAMS ccm;
    CK_SALSA20_CHACHA20_POLY1305_PARAMS chacha;
    CK_RSA_PKCS_OAEP_PARAMS oaep;
    CK_RSA_PKCS_PSS_PARAMS pss;
    CK_AES_CTR_PARAMS ctr;
    CK_MECHANISM mech;
    CK_OBJECT_HANDLE handle;
    struct result *result;
    enum cond rule;
};

/* How many bytes it wrote: at most room. */
size_t kat_unhex(const char *text, uint8_t *ret_bytes, size_t room);

/* The key of the row as an object; false when there is no way in for it. */
bool kat_key(struct kat *k, uint32_t rung);

/* It is not kept for the next test. */
void kat_key_drop(struct runner *runner);

/* Wraps, unwraps or derives, and judges what comes of it. */
void kat_travel(struct kat *k);

#endif /* COMPLIANCE_KATKEY_H */
