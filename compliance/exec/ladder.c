/* SPDX-License-Identifier: Apache-2.0
 *
 * How a known key gets into a token that may not take it as it is.
 */
#include "exec/kat.h"
#include "ref/ref.h"

#include <string.h>

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

/* Of the fixture's LADDER_KEK. */
static uint8_t kek_value[32];

struct secret_template {
    CK_OBJECT_CLASS class;
    CK_KEY_TYPE type;
    CK_ATTRIBUTE attr[8];
    CK_ULONG count;
};

static void
put(struct secret_template *t, CK_ATTRIBUTE_TYPE type, const void *value, size_t len)
{
    t->attr[t->count++] = (CK_ATTRIBUTE){ type, (void *)(uintptr_t)value, len };
}

static void
template_begin(struct secret_template *t, CK_KEY_TYPE type)
{
    t->count = 0;
    t->class = CKO_SECRET_KEY;
    t->type = type;
    put(t, CKA_CLASS, &t->class, sizeof t->class);
    put(t, CKA_KEY_TYPE, &t->type, sizeof t->type);
    put(t, CKA_TOKEN, &no, sizeof no);
    if (type == CKK_AES) {
        put(t, CKA_ENCRYPT, &yes, sizeof yes);
        put(t, CKA_DECRYPT, &yes, sizeof yes);
    }
    put(t, CKA_SIGN, &yes, sizeof yes);
    put(t, CKA_VERIFY, &yes, sizeof yes);
}

static CK_OBJECT_HANDLE
by_create(struct runner *runner, CK_KEY_TYPE type, const uint8_t *value, size_t len)
{
    struct secret_template t;
    CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;

    template_begin(&t, type);
    put(&t, CKA_VALUE, value, len);
    return call_create(runner->fixture.module, runner->fixture.home, t.attr, t.count, &key) ==
                   CKR_OK
               ? key
               : CK_INVALID_HANDLE;
}

static bool
make_rsa(struct runner *runner)
{
    static CK_ULONG bits = 2048;
    static CK_BYTE e[] = { 1, 0, 1 };
    CK_MECHANISM mech = { CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0 };
    CK_ATTRIBUTE public[] = { { CKA_TOKEN, &no, 1 },
                              { CKA_MODULUS_BITS, &bits, sizeof bits },
                              { CKA_PUBLIC_EXPONENT, e, sizeof e },
                              { CKA_WRAP, &yes, 1 } };
    CK_ATTRIBUTE private[] = { { CKA_TOKEN, &no, 1 }, { CKA_UNWRAP, &yes, 1 } };

    CK_OBJECT_HANDLE *ladder = runner->fixture.ladder;

    return ladder[LADDER_PRIVATE] != CK_INVALID_HANDLE ||
           call_generate_pair(runner->fixture.module, runner->fixture.home, &mech, public,
                              COUNT(public), private, COUNT(private), &ladder[LADDER_PUBLIC],
                              &ladder[LADDER_PRIVATE]) == CKR_OK;
}

static CK_OBJECT_HANDLE
by_rsa(struct runner *runner, CK_KEY_TYPE type, const uint8_t *value, size_t len)
{
    CK_RSA_PKCS_OAEP_PARAMS oaep = { CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, NULL, 0 };
    CK_MECHANISM mech = { CKM_RSA_PKCS_OAEP, &oaep, sizeof oaep };
    CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
    struct secret_template t;
    uint8_t n[512], blob[512];
    CK_ULONG n_len = sizeof n;
    size_t blob_len;

    if (!make_rsa(runner) ||
        call_get(runner->fixture.module, runner->fixture.home,
                 runner->fixture.ladder[LADDER_PUBLIC], CKA_MODULUS, n, &n_len) != CKR_OK ||
        !ref_seal_to(n, n_len, value, len, blob, &blob_len)) {
        return CK_INVALID_HANDLE;
    }
    template_begin(&t, type);
    return call_unwrap(runner->fixture.module, runner->fixture.home, &mech,
                       runner->fixture.ladder[LADDER_PRIVATE], blob, blob_len, t.attr, t.count,
                       &key) == CKR_OK
               ? key
               : CK_INVALID_HANDLE;
}

/* A key of 32 bytes that the token and the suite's pair agree on. */
static bool
make_kek(struct runner *runner)
{
    static CK_BYTE p256[] = { 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7 };
    static CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    static CK_KEY_TYPE aes = CKK_AES;
    static CK_ULONG len = 32;
    CK_MECHANISM make = { CKM_EC_KEY_PAIR_GEN, NULL, 0 };
    CK_ATTRIBUTE public[] = { { CKA_TOKEN, &no, 1 }, { CKA_EC_PARAMS, p256, sizeof p256 } };
    CK_ATTRIBUTE private[] = { { CKA_TOKEN, &no, 1 }, { CKA_DERIVE, &yes, 1 } };
    CK_ATTRIBUTE kek[] = { { CKA_CLASS, &class, sizeof class }, { CKA_KEY_TYPE, &aes, sizeof aes },
                           { CKA_VALUE_LEN, &len, sizeof len }, { CKA_TOKEN, &no, 1 },
                           { CKA_UNWRAP, &yes, 1 } };
    CK_OBJECT_HANDLE ours, theirs = CK_INVALID_HANDLE;
    CK_ECDH1_DERIVE_PARAMS ecdh = { CKD_NULL, 0, NULL, 0, NULL };
    CK_MECHANISM derive = { CKM_ECDH1_DERIVE, &ecdh, sizeof ecdh };
    struct fixture *f = &runner->fixture;
    struct ref_key ref;
    uint8_t point[128];
    CK_ULONG point_len = sizeof point;

    if (f->ladder[LADDER_KEK] != CK_INVALID_HANDLE) {
        return true;
    }
    if (!ref_key(KEY_EC256, &ref) ||
        call_generate_pair(f->module, f->home, &make, public, COUNT(public), private,
                           COUNT(private), &ours, &theirs) != CKR_OK ||
        call_get(f->module, f->home, ours, CKA_EC_POINT, point, &point_len) != CKR_OK ||
        point_len < 67 || !ref_agree(point + 2, point_len - 2, kek_value)) {
        return false;
    }
    ecdh.pPublicData = ref.part[0];
    ecdh.ulPublicDataLen = ref.part_len[0];
    return call_derive(f->module, f->home, &derive, theirs, kek, COUNT(kek),
                       &f->ladder[LADDER_KEK]) == CKR_OK;
}

static CK_OBJECT_HANDLE
by_agreement(struct runner *runner, CK_KEY_TYPE type, const uint8_t *value, size_t len)
{
    CK_MECHANISM mech = { CKM_AES_KEY_WRAP, NULL, 0 };
    CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
    struct secret_template t;
    uint8_t blob[512];
    size_t blob_len;

    if (len % 8 != 0 || len < 16 || !make_kek(runner) ||
        !ref_wrap_under(kek_value, value, len, blob, &blob_len)) {
        return CK_INVALID_HANDLE;
    }
    template_begin(&t, type);
    return call_unwrap(runner->fixture.module, runner->fixture.home, &mech,
                       runner->fixture.ladder[LADDER_KEK], blob, blob_len, t.attr, t.count,
                       &key) == CKR_OK
               ? key
               : CK_INVALID_HANDLE;
}

CK_OBJECT_HANDLE
ladder_climb(struct runner *runner, uint32_t rung, CK_KEY_TYPE type, const uint8_t *value,
             size_t len)
{
    static CK_OBJECT_HANDLE (*const rungs[RUNGS])(struct runner *, CK_KEY_TYPE, const uint8_t *,
                                                  size_t) = { by_create, by_rsa, by_agreement };
    CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;

    for (uint32_t i = 1; i <= RUNGS && key == CK_INVALID_HANDLE; i++) {
        if (rung == 0 || rung == i) {
            key = rungs[i - 1](runner, type, value, len);
        }
    }
    return key;
}
