/* SPDX-License-Identifier: Apache-2.0
 *
 * Private keys as PrivateKeyInfo, and points: the first byte chooses. What is decoded and parses
 * is encoded, and decodes to the same; a point that is taken may be verified and agreed with.
 */
#include "crypto/algo.h"
#include "fuzz/fuzz.h"

static const enum object_kind private_kinds[] = { KIND_RSA_PRIVATE, KIND_EC_PRIVATE,
                                                  KIND_EDWARDS_PRIVATE, KIND_MONTGOMERY_PRIVATE };

static void
secret_use(enum object_kind kind, view attributes, view secrets)
{
    struct writer der, more, again;
    struct algo_key *key = NULL;

    if (algo_key_new(kind, attributes, secrets, &key) != CKR_OK) {
        return;
    }
    writer_init(&der, 65536);
    writer_init(&more, ATTRIBUTES_BYTES_MAX);
    writer_init(&again, ATTRIBUTES_BYTES_MAX);
    HOLDS(algo_key_encode(key, &der) == CKR_OK);
    HOLDS(algo_key_decode(kind, writer_view(&der), false, &more, &again) == CKR_OK);
    HOLDS(kind == KIND_RSA_PRIVATE || view_equal(writer_view(&again), secrets));
    writer_clear(&der);
    writer_clear(&more);
    writer_clear(&again);
    algo_key_free(key);
}

static void
private_key(enum object_kind kind, bool padded, view bytes)
{
    struct writer attributes, secrets;

    writer_init(&attributes, ATTRIBUTES_BYTES_MAX);
    writer_init(&secrets, ATTRIBUTES_BYTES_MAX);
    if (algo_key_decode(kind, bytes, padded, &attributes, &secrets) == CKR_OK) {
        secret_use(kind, writer_view(&attributes), writer_view(&secrets));
    }
    writer_clear(&attributes);
    writer_clear(&secrets);
}

static void
point_use(const struct curve_row *curve, const struct algo_key *key)
{
    const struct rules rules = { POLICY_STANDARD, INTERFACE_P11, 0 };
    const CK_MECHANISM_TYPE type = curve->key_type == CKK_EC ? CKM_ECDSA : CKM_EDDSA;
    const struct mechanism m = { .type = (uint32_t)type, .shape = mechanism_row(type)->params };
    const uint8_t signature[2 * 66] = { 1 };
    struct writer none = { 0 };
    CK_RV rv;

    if (curve->key_type == CKK_EC_MONTGOMERY) {
        return;
    }
    rv = algo_once(rules, mechanism_row(type), CKF_VERIFY, &m, key, VIEW_TEXT("a hash"),
                   view_of(signature, 2 * curve_len(curve)), &none);
    HOLDS(rv == CKR_SIGNATURE_INVALID);
}

/* EC_PARAMS of a curve of ours, or as they come. */
static void
public_key(view bytes)
{
    size_t count;
    const struct curve_row *curves = curve_rows(&count), *curve;
    struct reader r = reader_of(bytes);
    struct algo_key *key = NULL;
    enum object_kind kind;
    struct writer list;
    uint8_t which;
    view params;

    if (!read_u8(&r, &which)) {
        return;
    }
    curve = &curves[which % count];
    params = view_of(curve->oid, curve->oid_len);
    if (which >= 0xf0 && !read_raw(&r, size_min(r.left, which & 15u), &params)) {
        return;
    }
    HOLDS(kind_of(CKO_PUBLIC_KEY, curve->key_type, &kind));
    writer_init(&list, ATTRIBUTES_BYTES_MAX);
    attribute_write(&list, CKA_EC_PARAMS, params);
    attribute_write(&list, CKA_EC_POINT, view_of(r.next, r.left));
    if (writer_ok(&list) && algo_key_new(kind, writer_view(&list), VIEW_EMPTY, &key) == CKR_OK) {
        const struct curve_row *named = curve_by_params(params);

        HOLDS(named != NULL && named->key_type == curve->key_type);
        point_use(named, key);
    }
    algo_key_free(key);
    writer_clear(&list);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }

    view rest = view_of(data + 1, size - 1);
    unsigned which = data[0] % (2 * ARRAY_COUNT(private_kinds) + 1);

    if (which == 0) {
        public_key(rest);
    } else {
        private_key(private_kinds[(which - 1) / 2], which % 2 == 0, rest);
    }
    return 0;
}
