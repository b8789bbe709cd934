/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys of TLS 1.2 (RFC 5246, 5 and 8.1; RFC 5705; RFC 7627), and with CKM_TLS_PRF in place of
 * a hash of TLS 1.0 and 1.1. What a mechanism gives beside keys, a version or IVs, follows
 * them.
 */
#include "crypto/derive.h"
#include "crypto/tls_prf.h"

static CK_RV
prf(const struct algo_derivation *d, uint32_t hash, const view seeds[TLS_SEEDS], size_t len,
    struct writer *out)
{
    return tls_prf(secret_view(d->base->value), hash, seeds, len, out);
}

/* RFC 5246, 8.1; the version is the first two bytes of an RSA premaster secret. */
static CK_RV
master_derive(const struct algo_derivation *d, struct writer *out)
{
    const struct params_tls_master *m = &d->mechanism->params.tls_master;
    const struct params_tls_extended *e = &d->mechanism->params.tls_extended;
    bool extended = d->mechanism->shape == PARAMS_tls_extended;
    const view plain_seeds[TLS_SEEDS] = { VIEW_TEXT("master secret"), m->client, m->server };
    const view extended_seeds[TLS_SEEDS] = { VIEW_TEXT("extended master secret"), e->session };
    CK_RV rv;

    if (d->lens[0] != 48) {
        return CKR_TEMPLATE_INCONSISTENT;
    }
    rv = extended ? prf(d, e->hash, extended_seeds, 48, out)
                  : prf(d, m->hash, plain_seeds, 48, out);
    if (rv == CKR_OK && (extended ? e->version : m->version) != 0) {
        write_raw(out, view_slice(secret_view(d->base->value), 0, 2));
    }
    return rv;
}

/* RFC 5246, 6.3: the block is cut in this order. */
static CK_RV
keys_derive(const struct algo_derivation *d, struct writer *out)
{
    const struct params_tls_keys *m = &d->mechanism->params.tls_keys;
    const view seeds[TLS_SEEDS] = { VIEW_TEXT("key expansion"), m->server, m->client };
    bool ivs = d->row->type == CKM_TLS12_KEY_AND_MAC_DERIVE;

    return prf(d, m->hash, seeds,
               2 * (m->mac_bits + m->key_bits + (ivs ? m->iv_bits : 0)) / 8, out);
}

/* RFC 5705, 4. */
static CK_RV
export_derive(const struct algo_derivation *d, struct writer *out)
{
    const struct params_tls_kdf *m = &d->mechanism->params.tls_kdf;
    const uint8_t len[2] = { (uint8_t)(m->context.len >> 8), (uint8_t)m->context.len };
    const view context_len = m->context.len == 0 ? VIEW_EMPTY : view_of(len, sizeof len);
    const view seeds[TLS_SEEDS] = { m->label, m->client, m->server, context_len, m->context };

    return d->lens[0] == 0 ? CKR_TEMPLATE_INCOMPLETE : prf(d, m->prf, seeds, d->lens[0], out);
}

static CK_RV
tls_derive(struct rules rules, const struct algo_derivation *d, struct writer *out)
{
    UNUSED(rules);
    switch (d->mechanism->shape) {
    case PARAMS_tls_keys:
        return keys_derive(d, out);
    case PARAMS_tls_kdf:
        return export_derive(d, out);
    default:
        return master_derive(d, out);
    }
}

const struct deriver tls_deriver = { 1u << KIND_GENERIC, tls_derive };
