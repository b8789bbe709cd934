/* SPDX-License-Identifier: Apache-2.0
 *
 * ECDSA signatures in the two forms that the world has for them.
 */
#include "tools/host.h"

#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>

bool
host_signature_to_der(struct writer *signature)
{
    const int half = (int)(signature->len / 2);
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(signature->data, half, NULL);
    BIGNUM *s = BN_bin2bn(signature->data + half, half, NULL);
    unsigned char *der = NULL;
    bool ok = false;
    int len;

    if (sig != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(sig, r, s) == 1) {
        r = s = NULL; /* now the signature's */
        len = i2d_ECDSA_SIG(sig, &der);
        if (len > 0) {
            writer_reset(signature);
            write_raw(signature, view_of(der, (size_t)len));
            ok = writer_ok(signature);
        }
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(sig);
    OPENSSL_free(der);
    return ok;
}

void
host_signature_from_der(view signature, size_t half, struct writer *out)
{
    const unsigned char *at = signature.data;
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)signature.len);
    uint8_t *space;

    if (sig == NULL || at != signature.data + signature.len ||
        (size_t)BN_num_bytes(ECDSA_SIG_get0_r(sig)) > half ||
        (size_t)BN_num_bytes(ECDSA_SIG_get0_s(sig)) > half) {
        write_raw(out, signature);
    } else if ((space = write_space(out, 2 * half)) != NULL) {
        (void)BN_bn2binpad(ECDSA_SIG_get0_r(sig), space, (int)half);
        (void)BN_bn2binpad(ECDSA_SIG_get0_s(sig), space + half, (int)half);
    }
    ECDSA_SIG_free(sig);
    ERR_clear_error();
}
