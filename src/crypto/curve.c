/* SPDX-License-Identifier: Apache-2.0
 *
 * What keys on curves have in common, whatever the curve's form: EC_PARAMS and EC_POINT.
 */
#include "crypto/der.h"
#include "crypto/key.h"

#define POINT_MAX (1 + 2 * 66u) /* P-521, uncompressed */

CK_RV
curve_find(view attributes, const struct curve_row **ret_curve)
{
    const struct curve_row *curve;
    view params;

    if (!attributes_find(attributes, CKA_EC_PARAMS, &params)) {
        return CKR_TEMPLATE_INCOMPLETE;
    }
    curve = curve_by_params(params);
    if (curve == NULL) {
        return der_is_oid(params) || der_is_name(params) ? CKR_CURVE_NOT_SUPPORTED
                                                         : CKR_DOMAIN_PARAMS_INVALID;
    }
    *ret_curve = curve;
    return CKR_OK;
}

static bool
curve_fits_kind(const struct curve_row *curve, enum object_kind kind)
{
    enum object_kind wanted;

    return kind_of(kind_class(kind), curve->key_type, &wanted) && wanted == kind;
}

CK_RV
key_curve(struct algo_key *key, view attributes)
{
    CK_RV rv = curve_find(attributes, &key->curve);

    if (rv != CKR_OK) {
        return rv;
    }
    key->len = curve_len(key->curve);
    return curve_fits_kind(key->curve, key->kind) ? CKR_OK : CKR_CURVE_NOT_SUPPORTED;
}

bool
key_point(view attributes, size_t len, size_t other_len, view *ret_point)
{
    struct reader r;
    view value;

    if (!attributes_find(attributes, CKA_EC_POINT, &value)) {
        return false;
    }
    if (value.len == len || value.len == other_len) {
        *ret_point = value;
        return true;
    }
    r = reader_of(value);
    return der_read(&r, DER_OCTET_STRING, ret_point) && reader_done(&r) &&
           (ret_point->len == len || ret_point->len == other_len);
}

void
key_point_write(struct writer *w, view point)
{
    uint8_t der[POINT_MAX + 3];
    struct writer d;

    writer_init_fixed(&d, der, sizeof der);
    der_write_head(&d, DER_OCTET_STRING, point.len);
    write_raw(&d, point);
    attribute_write(w, CKA_EC_POINT, writer_view(&d));
}
