/* SPDX-License-Identifier: Apache-2.0
 *
 * Mechanism parameters: taken from what applications fill, carried over the wire, judged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/params.h"

static const struct rules standard = { POLICY_STANDARD, INTERFACE_P11, 0 };
static const struct rules azure = { POLICY_AZURE, INTERFACE_P11, 0 };
static const struct rules fips = { POLICY_FIPS, INTERFACE_P11, 0 };

static uint8_t iv12[12] = "\1\2\3\4\5\6\7\x08\x09\x0a\x0b";
static uint8_t zeros[16];
static uint8_t aad[] = "aad";

static CK_RV
take(CK_MECHANISM_TYPE type, void *parameter, size_t len, struct mechanism *ret_mechanism)
{
    CK_MECHANISM mechanism = { type, parameter, len };

    return params_take(mechanism_row(type), &mechanism, ret_mechanism);
}

static CK_RV
check(struct rules rules, CK_FLAGS function, const struct key_info *key,
      const struct mechanism *mechanism)
{
    return params_check(rules, mechanism_row(mechanism->type), function, key, mechanism);
}

static struct mechanism
gcm(const void *iv, size_t iv_len, uint32_t tag_bits)
{
    return (struct mechanism){
        .type = CKM_AES_GCM,
        .shape = PARAMS_gcm,
        .params.gcm = { view_of(iv, iv_len), VIEW_EMPTY, tag_bits },
    };
}

static struct mechanism
pss(CK_MECHANISM_TYPE type, CK_ULONG hash, CK_ULONG mgf, uint32_t salt_len)
{
    return (struct mechanism){
        .type = (uint32_t)type,
        .shape = PARAMS_pss,
        .params.pss = { (uint32_t)hash, (uint32_t)mgf, salt_len },
    };
}

static struct mechanism
oaep(CK_ULONG hash, CK_ULONG mgf, uint32_t source, view label)
{
    return (struct mechanism){
        .type = CKM_RSA_PKCS_OAEP,
        .shape = PARAMS_oaep,
        .params.oaep = { (uint32_t)hash, (uint32_t)mgf, source, label },
    };
}

/* ---- from the application ---- */

static void
a_mechanism_without_parameter_takes_none(void **state)
{
    struct mechanism m;

    UNUSED(state);
    assert_int_equal(take(CKM_SHA256, NULL, 0, &m), CKR_OK);
    assert_int_equal(m.type, CKM_SHA256);
    assert_int_equal(m.shape, PARAMS_none);
    assert_int_equal(take(CKM_SHA256, zeros, 0, &m), CKR_OK);
    assert_int_equal(take(CKM_SHA256, zeros, 1, &m), CKR_MECHANISM_PARAM_INVALID);
    assert_int_equal(take(CKM_SHA256, NULL, 1, &m), CKR_MECHANISM_PARAM_INVALID);
}

static void
cbc_takes_sixteen_bytes(void **state)
{
    struct mechanism m;

    UNUSED(state);
    assert_int_equal(take(CKM_AES_CBC, zeros, 16, &m), CKR_OK);
    assert_ptr_equal(m.params.iv.bytes.data, zeros);
    assert_int_equal(check(azure, CKF_ENCRYPT, NULL, &m), CKR_OK);
    assert_int_equal(take(CKM_AES_CBC, NULL, 16, &m), CKR_MECHANISM_PARAM_INVALID);
    assert_int_equal(take(CKM_AES_CBC, zeros, 17, &m), CKR_MECHANISM_PARAM_INVALID);
    assert_int_equal(take(CKM_AES_CBC, zeros, 15, &m), CKR_OK);
    assert_int_equal(check(azure, CKF_ENCRYPT, NULL, &m), CKR_MECHANISM_PARAM_INVALID);
    assert_int_equal(take(CKM_AES_CBC_PAD, NULL, 0, &m), CKR_OK);
    assert_int_equal(check(azure, CKF_ENCRYPT, NULL, &m), CKR_MECHANISM_PARAM_INVALID);
}

static void
gcm_is_taken_in_both_layouts(void **state)
{
    CK_GCM_PARAMS of_header = { iv12, 12, 0, aad, 3, 128 };
    struct {
        CK_BYTE_PTR pIv;
        CK_ULONG ulIvLen;
        CK_BYTE_PTR pAAD;
        CK_ULONG ulAADLen;
        CK_ULONG ulTagBits;
    } of_text = { iv12, 12, aad, 3, 128 };
    struct mechanism m[2];

    UNUSED(state);
    assert_int_equal(take(CKM_AES_GCM, &of_header, sizeof of_header, &m[0]), CKR_OK);
    assert_int_equal(take(CKM_AES_GCM, &of_text, sizeof of_text, &m[1]), CKR_OK);
    for (size_t i = 0; i < ARRAY_COUNT(m); i++) {
        assert_ptr_equal(m[i].params.gcm.iv.data, iv12);
        assert_int_equal(m[i].params.gcm.iv.len, 12);
        assert_ptr_equal(m[i].params.gcm.aad.data, aad);
        assert_int_equal(m[i].params.gcm.aad.len, 3);
        assert_int_equal(params_tag_len(&m[i]), 16);
    }
}

static void
a_structure_of_another_length_is_refused(void **state)
{
    CK_GCM_PARAMS p = { iv12, 12, 0, aad, 3, 128 };
    struct mechanism m = { .type = 77 };

    UNUSED(state);
    for (size_t len = 0; len < sizeof p; len++) {
        if (len != sizeof p - sizeof(CK_ULONG)) { /* that is the other layout's length */
            assert_int_equal(take(CKM_AES_GCM, &p, len, &m), CKR_MECHANISM_PARAM_INVALID);
        }
    }
    assert_int_equal(take(CKM_AES_GCM, NULL, sizeof p, &m), CKR_MECHANISM_PARAM_INVALID);
    assert_int_equal(take(CKM_RSA_PKCS_PSS, NULL, 0, &m), CKR_MECHANISM_PARAM_INVALID);
    assert_int_equal(m.type, 77);
}

static void
pointers_and_lengths_inside_have_to_agree(void **state)
{
    CK_GCM_PARAMS no_iv = { NULL, 12, 0, NULL, 0, 128 };
    CK_GCM_PARAMS no_aad = { iv12, 12, 0, NULL, 3, 128 };
    CK_GCM_PARAMS long_iv = { iv12, 1025, 0, NULL, 0, 128 };
    CK_GCM_PARAMS long_aad = { iv12, 12, 0, aad, 65537, 128 };
    CK_GCM_PARAMS huge_tag = { iv12, 12, 0, NULL, 0, (CK_ULONG)UINT32_MAX + 1 };
    CK_GCM_PARAMS *const bad[] = { &no_iv, &no_aad, &long_iv, &long_aad, &huge_tag };
    struct mechanism m;

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        assert_int_equal(take(CKM_AES_GCM, bad[i], sizeof *bad[i], &m),
                         CKR_MECHANISM_PARAM_INVALID);
    }
}

static void
an_unaligned_parameter_is_taken(void **state)
{
    CK_AES_CTR_PARAMS p = { .ulCounterBits = 64 };
    uint8_t memory[sizeof p + 1];
    struct mechanism m;

    UNUSED(state);
    memset(p.cb, 0xc5, sizeof p.cb);
    memcpy(memory + 1, &p, sizeof p);
    assert_int_equal(take(CKM_AES_CTR, memory + 1, sizeof p, &m), CKR_OK);
    assert_int_equal(m.params.ctr.bits, 64);
    assert_int_equal(m.params.ctr.block.len, 16);
    assert_ptr_equal(m.params.ctr.block.data, memory + 1 + offsetof(CK_AES_CTR_PARAMS, cb));
}

static void
oaep_and_pss_are_taken_field_by_field(void **state)
{
    CK_RSA_PKCS_OAEP_PARAMS o = { CKM_SHA256, CKG_MGF1_SHA384, CKZ_DATA_SPECIFIED, aad, 3 };
    CK_RSA_PKCS_PSS_PARAMS p = { CKM_SHA512, CKG_MGF1_SHA1, 20 };
    struct mechanism m;

    UNUSED(state);
    assert_int_equal(take(CKM_RSA_PKCS_OAEP, &o, sizeof o, &m), CKR_OK);
    assert_int_equal(m.params.oaep.hash, CKM_SHA256);
    assert_int_equal(m.params.oaep.mgf, CKG_MGF1_SHA384);
    assert_int_equal(m.params.oaep.source, CKZ_DATA_SPECIFIED);
    assert_int_equal(m.params.oaep.label.len, 3);
    assert_int_equal(take(CKM_RSA_PKCS_PSS, &p, sizeof p, &m), CKR_OK);
    assert_int_equal(m.params.pss.hash, CKM_SHA512);
    assert_int_equal(m.params.pss.mgf, CKG_MGF1_SHA1);
    assert_int_equal(m.params.pss.salt_len, 20);
}

static void
a_structure_inside_another_is_taken_along(void **state)
{
    CK_RSA_PKCS_OAEP_PARAMS o = { CKM_SHA256, CKG_MGF1_SHA384, CKZ_DATA_SPECIFIED, aad, 3 };
    CK_RSA_AES_KEY_WRAP_PARAMS p = { 192, &o };
    const struct key_info small = { .bits = 1024 }, large = { .bits = 2048 };
    uint8_t memory[sizeof o + 1];
    struct mechanism m, read;
    struct reader r;
    struct writer w;

    UNUSED(state);
    assert_int_equal(take(CKM_RSA_AES_KEY_WRAP, &p, sizeof p, &m), CKR_OK);
    assert_int_equal(m.params.rsa_aes.aes_bits, 192);
    assert_int_equal(m.params.rsa_aes.oaep.hash, CKM_SHA256);
    assert_int_equal(m.params.rsa_aes.oaep.mgf, CKG_MGF1_SHA384);
    assert_ptr_equal(m.params.rsa_aes.oaep.label.data, aad);
    writer_init(&w, 1000);
    mechanism_write(&w, &m);
    assert_true(view_equal(writer_view(&w),
                           VIEW_TEXT("\x54\x10\0\0" "\x15" "\x17\0\0\0" "\xc0\0\0\0"
                                     "\x50\x02\0\0" "\x03\0\0\0" "\x01\0\0\0"
                                     "\x03\0\0\0" "aad")));
    r = reader_of(writer_view(&w));
    assert_true(mechanism_read(&r, &read));
    assert_int_equal(read.params.rsa_aes.aes_bits, 192);
    assert_int_equal(read.params.rsa_aes.oaep.label.len, 3);
    writer_clear(&w);
    assert_int_equal(check(azure, CKF_ENCRYPT, &large, &m), CKR_OK);
    /* SHA-256 leaves 62 bytes of 1,024 bits, SHA-384 30, SHA-512 none. */
    assert_int_equal(check(azure, CKF_ENCRYPT, &small, &m), CKR_OK);
    m.params.rsa_aes.oaep.hash = CKM_SHA384;
    assert_int_equal(check(azure, CKF_ENCRYPT, &small, &m), CKR_OK);
    m.params.rsa_aes.aes_bits = 256;
    assert_int_equal(check(azure, CKF_ENCRYPT, &small, &m), CKR_MECHANISM_PARAM_INVALID);
    m.params.rsa_aes.aes_bits = 255;
    assert_int_equal(check(azure, CKF_ENCRYPT, &large, &m), CKR_MECHANISM_PARAM_INVALID);
    m.params.rsa_aes.aes_bits = 128;
    m.params.rsa_aes.oaep.mgf = 0;
    assert_int_equal(check(azure, CKF_ENCRYPT, &large, &m), CKR_MECHANISM_PARAM_INVALID);

    memcpy(memory + 1, &o, sizeof o); /* nobody promised that it is aligned */
    p.pOAEPParams = (CK_RSA_PKCS_OAEP_PARAMS *)(void *)(memory + 1);
    assert_int_equal(take(CKM_RSA_AES_KEY_WRAP, &p, sizeof p, &m), CKR_OK);
    p.pOAEPParams = NULL;
    assert_int_equal(take(CKM_RSA_AES_KEY_WRAP, &p, sizeof p, &m), CKR_MECHANISM_PARAM_INVALID);
    p.pOAEPParams = &o;
    o.pSourceData = NULL;
    assert_int_equal(take(CKM_RSA_AES_KEY_WRAP, &p, sizeof p, &m), CKR_MECHANISM_PARAM_INVALID);
    assert_int_equal(take(CKM_RSA_AES_KEY_WRAP, &p, sizeof p - 1, &m),
                     CKR_MECHANISM_PARAM_INVALID);
    assert_int_equal(take(CKM_RSA_AES_KEY_WRAP, NULL, 0, &m), CKR_MECHANISM_PARAM_INVALID);
}

/* The vendor's structures, and the standard's for the same input. */
static void
the_pieces_of_a_prf_are_taken_in_both_layouts(void **state)
{
    CK_SP800_108_COUNTER_FORMAT counter = { CK_FALSE, 16 };
    CK_SP800_108_DKM_LENGTH_FORMAT length = { CK_SP800_108_DKM_LENGTH_SUM_OF_SEGMENTS, CK_FALSE,
                                              32 };
    CK_PRF_DATA_PARAM pieces[] = {
        { CK_SP800_108_ITERATION_VARIABLE, &counter, sizeof counter },
        { CK_SP800_108_BYTE_ARRAY, aad, 3 },
        { CK_SP800_108_BYTE_ARRAY, iv12, 12 },
        { CK_SP800_108_DKM_LENGTH, &length, sizeof length },
    };
    CK_SP800_108_KDF_PARAMS params = { CKM_SHA256_HMAC, 4, pieces, 0, NULL };
    CK_CLOUDHSM_SP800_108_COUNTER_FORMAT vendor_counter = { 16 };
    CK_CLOUDHSM_SP800_108_DKM_LENGTH_FORMAT vendor_length = {
        SP800_108_DKM_LENGTH_SUM_OF_SEGMENTS, 32
    };
    CK_CLOUDHSM_PRF_DATA_PARAM vendor_pieces[] = {
        { SP800_108_COUNTER_FORMAT, &vendor_counter, sizeof vendor_counter },
        { SP800_108_PRF_LABEL, aad, 3 },
        { SP800_108_PRF_CONTEXT, iv12, 12 },
        { SP800_108_DKM_FORMAT, &vendor_length, sizeof vendor_length },
    };
    CK_CLOUDHSM_SP800_108_KDF_PARAMS vendor = { CKM_SHA256_HMAC, 4, vendor_pieces };
    const struct key_info key = { .key_type = CKK_GENERIC_SECRET };
    struct mechanism m[2];
    struct writer w[2];

    UNUSED(state);
    assert_int_equal(take(CKM_SP800_108_COUNTER_KDF, &params, sizeof params, &m[0]), CKR_OK);
    assert_int_equal(take(CKM_CLOUDHSM_SP800_108_COUNTER_KDF, &vendor, sizeof vendor, &m[1]),
                     CKR_OK);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(check(azure, CKF_DERIVE, &key, &m[i]), CKR_OK);
        writer_init(&w[i], 1000);
        mechanism_write(&w[i], &m[i]);
    }
    assert_true(view_equal(view_slice(writer_view(&w[0]), 4, 1000),
                           view_slice(writer_view(&w[1]), 4, 1000)));
    writer_clear(&w[0]);
    writer_clear(&w[1]);

    pieces[3].ulValueLen--;
    assert_int_equal(take(CKM_SP800_108_COUNTER_KDF, &params, sizeof params, &m[0]),
                     CKR_MECHANISM_PARAM_INVALID);
    params.ulNumberOfDataParams = 3;
    assert_int_equal(take(CKM_SP800_108_COUNTER_KDF, &params, sizeof params, &m[0]), CKR_OK);
    params.ulNumberOfDataParams = (CK_ULONG)1 << 40;
    assert_int_equal(take(CKM_SP800_108_COUNTER_KDF, &params, sizeof params, &m[0]),
                     CKR_MECHANISM_PARAM_INVALID);
    vendor_pieces[1].type = CK_SP800_108_ITERATION_VARIABLE;
    assert_int_equal(take(CKM_CLOUDHSM_SP800_108_COUNTER_KDF, &vendor, sizeof vendor, &m[0]),
                     CKR_MECHANISM_PARAM_INVALID);
}

/* ---- over the wire ---- */

/* Type, method, width, little endian, and the handle in the place of the bytes. */
static void
a_key_travels_as_its_handle(void **state)
{
    static const char golden[] = "ac03000007" "17000000" "51020000" "01000000"
                                 "05000000" "000000" "04000000" "01000400";
    CK_OBJECT_HANDLE handle = 0x40001;
    CK_PRF_DATA_PARAM piece = { CK_SP800_108_KEY_HANDLE, &handle, sizeof handle };
    CK_SP800_108_KDF_PARAMS params = { CKM_SHA256_HMAC, 1, &piece, 0, NULL };
    struct mechanism m, read;
    struct writer w;
    char text[100];

    UNUSED(state);
    assert_int_equal(take(CKM_SP800_108_COUNTER_KDF, &params, sizeof params, &m), CKR_OK);
    assert_int_equal(params_other_key(&m, 0), 0x40001);
    assert_int_equal(params_other_key(&m, 1), 0);
    writer_init(&w, 1000);
    mechanism_write(&w, &m);
    hex_encode(writer_view(&w), text);
    assert_string_equal(text, golden);

    struct reader r = reader_of(writer_view(&w));

    assert_true(mechanism_read(&r, &read));
    assert_int_equal(params_other_key(&read, 0), 0x40001);
    writer_clear(&w);
    handle = (CK_OBJECT_HANDLE)1 << 32;
    assert_int_equal(take(CKM_SP800_108_COUNTER_KDF, &params, sizeof params, &m),
                     CKR_MECHANISM_PARAM_INVALID);
}

static void
every_shape_reads_back_to_the_same_bytes(void **state)
{
    const struct mechanism shapes[] = {
        { .type = CKM_SHA256, .shape = PARAMS_none },
        { .type = CKM_AES_CBC, .shape = PARAMS_iv, .params.iv = { { zeros, 16 } } },
        { .type = CKM_AES_CTR, .shape = PARAMS_ctr, .params.ctr = { 128, { zeros, 16 } } },
        gcm(iv12, 12, 96),
        oaep(CKM_SHA256, CKG_MGF1_SHA256, 1, VIEW_TEXT("label")),
        pss(CKM_RSA_PKCS_PSS, CKM_SHA_1, CKG_MGF1_SHA1, 20),
        { .type = CKM_SP800_108_COUNTER_KDF,
          .shape = PARAMS_kbkdf,
          .params.kbkdf = { CKM_SHA256_HMAC,
                            { 3,
                              { { CK_SP800_108_ITERATION_VARIABLE, 0, 32, true, VIEW_EMPTY, 0 },
                                { CK_SP800_108_KEY_HANDLE, 0, 0, false, VIEW_EMPTY, 0x40001 },
                                { CK_SP800_108_BYTE_ARRAY, 0, 0, false, VIEW_TEXT("x"), 0 } } } } },
        { .type = CKM_SP800_108_FEEDBACK_KDF,
          .shape = PARAMS_feedback,
          .params.feedback = { CKM_SHA256_HMAC, { 0 }, VIEW_TEXT("iv") } },
        { .type = CKM_HKDF_DERIVE,
          .shape = PARAMS_hkdf,
          .params.hkdf = { 1, 1, CKM_SHA256, CKF_HKDF_SALT_DATA, VIEW_TEXT("salt"), 0,
                           VIEW_TEXT("info") } },
        { .type = CKM_PKCS5_PBKD2,
          .shape = PARAMS_pbkd2,
          .params.pbkd2 = { CKZ_SALT_SPECIFIED, VIEW_TEXT("salt"), 1000,
                            CKP_PKCS5_PBKD2_HMAC_SHA256, VIEW_EMPTY, VIEW_TEXT("password") } },
        { .type = CKM_XOR_BASE_AND_DATA,
          .shape = PARAMS_data,
          .params.data = { VIEW_TEXT("data") } },
        { .type = CKM_AES_CBC_ENCRYPT_DATA,
          .shape = PARAMS_cbc_data,
          .params.cbc_data = { { zeros, 16 }, VIEW_TEXT("sixteen bytes..!") } },
        { .type = CKM_EXTRACT_KEY_FROM_KEY, .shape = PARAMS_number, .params.number = { 21 } },
        { .type = CKM_TLS12_MASTER_KEY_DERIVE,
          .shape = PARAMS_tls_master,
          .params.tls_master = { VIEW_TEXT("client"), VIEW_TEXT("server"), 1, CKM_SHA256 } },
        { .type = CKM_TLS12_EXTENDED_MASTER_KEY_DERIVE,
          .shape = PARAMS_tls_extended,
          .params.tls_extended = { CKM_SHA256, VIEW_TEXT("hash"), 1 } },
        { .type = CKM_TLS12_KEY_AND_MAC_DERIVE,
          .shape = PARAMS_tls_keys,
          .params.tls_keys = { 0, 256, 96, 0, VIEW_TEXT("client"), VIEW_TEXT("server"), 1,
                               CKM_SHA256 } },
        { .type = CKM_TLS_KDF,
          .shape = PARAMS_tls_kdf,
          .params.tls_kdf = { CKM_SHA256, VIEW_TEXT("label"), VIEW_TEXT("client"),
                              VIEW_TEXT("server"), VIEW_TEXT("context") } },
        { .type = CKM_CHACHA20,
          .shape = PARAMS_chacha20,
          .params.chacha20 = { { zeros, 4 }, { zeros, 12 } } },
        { .type = CKM_CHACHA20_POLY1305,
          .shape = PARAMS_chacha_poly,
          .params.chacha_poly = { { zeros, 12 }, VIEW_TEXT("aad") } },
        { .type = CKM_TLS_MAC, .shape = PARAMS_tls_mac, .params.tls_mac = { CKM_SHA256, 12, 1 } },
        { .type = CKM_ECDH_AES_KEY_WRAP,
          .shape = PARAMS_ecdh_aes,
          .params.ecdh_aes = { 192, CKD_SHA1_KDF, VIEW_TEXT("shared") } },
        { .type = CKM_ECDH1_DERIVE,
          .shape = PARAMS_ecdh,
          .params.ecdh = { CKD_SHA1_KDF, VIEW_TEXT("shared"), VIEW_TEXT("point") } },
        { .type = CKM_EDDSA, .shape = PARAMS_eddsa },
        { .type = CKM_EDDSA, .shape = PARAMS_eddsa, .params.eddsa = { 1, 1, VIEW_TEXT("foo") } },
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(shapes); i++) {
        struct mechanism m;
        struct writer first, second;

        writer_init(&first, 1000);
        writer_init(&second, 1000);
        mechanism_write(&first, &shapes[i]);

        struct reader r = reader_of(writer_view(&first));

        assert_true(mechanism_read(&r, &m));
        assert_true(reader_done(&r));
        assert_int_equal(m.type, shapes[i].type);
        assert_int_equal(m.shape, shapes[i].shape);
        mechanism_write(&second, &m);
        assert_true(view_equal(writer_view(&first), writer_view(&second)));
        for (size_t len = 0; len < first.len; len++) {
            struct reader cut = reader_of(view_of(first.data, len));

            assert_false(mechanism_read(&cut, &m));
            assert_int_equal(cut.left, len);
        }
        writer_clear(&first);
        writer_clear(&second);
    }
}

static bool
reads(const char *bytes, size_t len)
{
    struct reader r = reader_of(view_of(bytes, len));
    struct mechanism m;

    return mechanism_read(&r, &m) && reader_done(&r);
}
#define READS(literal) reads(literal, sizeof(literal) - 1)

static void
the_wire_form_is_canonical(void **state)
{
    UNUSED(state);
    assert_true(READS("\x50\x02\0\0\0\0\0\0\0"));
    assert_false(READS("\x50\x02\0\0\x7f\0\0\0\0"));      /* no such shape */
    assert_false(READS("\x50\x02\0\0\0\x01\0\0\0x"));     /* none with a byte */
    assert_true(READS("\x50\x02\0\0\x01\x01\0\0\0x"));    /* an IV, whose length is judged later */
    assert_false(READS("\x50\x02\0\0\x01\x11\0\0\0"
                       "0123456789abcdefg"));              /* longer than any IV */
    assert_true(READS("\x0d\0\0\0\x05\x0c\0\0\0"
                      "0123456789ab"));
    assert_false(READS("\x0d\0\0\0\x05\x0d\0\0\0"
                       "0123456789abc"));                  /* PSS with a byte left over */
}

static void
caps_hold_on_the_wire_too(void **state)
{
    static uint8_t bytes[1025];
    struct mechanism m = gcm(bytes, 1025, 128);
    struct writer w;

    UNUSED(state);
    writer_init(&w, 2000);
    mechanism_write(&w, &m);

    struct reader r = reader_of(writer_view(&w));

    assert_false(mechanism_read(&r, &m));
    writer_clear(&w);
}

/* ---- judged ---- */

static void
shape_and_type_have_to_be_the_rows(void **state)
{
    struct mechanism m = gcm(iv12, 12, 128);

    UNUSED(state);
    assert_int_equal(params_check(azure, mechanism_row(CKM_AES_CBC), CKF_ENCRYPT, NULL, &m),
                     CKR_MECHANISM_PARAM_INVALID);
    m.shape = PARAMS_none;
    m.params.none.bytes = VIEW_EMPTY;
    assert_int_equal(check(azure, CKF_ENCRYPT, NULL, &m), CKR_MECHANISM_PARAM_INVALID);
}

static void
a_counter_has_1_to_128_bits(void **state)
{
    UNUSED(state);
    for (uint32_t bits = 0; bits <= 130; bits++) {
        struct mechanism m = { .type = CKM_AES_CTR,
                               .shape = PARAMS_ctr,
                               .params.ctr = { bits, { zeros, 16 } } };

        assert_int_equal(check(azure, CKF_ENCRYPT, NULL, &m),
                         bits >= 1 && bits <= 128 ? CKR_OK : CKR_MECHANISM_PARAM_INVALID);
    }
}

static void
gcm_tags_are_those_of_the_recommendation(void **state)
{
    UNUSED(state);
    for (uint32_t bits = 0; bits <= 136; bits++) {
        struct mechanism m = gcm(iv12, 12, bits);
        bool full = bits == 96 || bits == 104 || bits == 112 || bits == 120 || bits == 128;
        bool brief = bits == 32 || bits == 64;

        assert_int_equal(check(azure, CKF_ENCRYPT, NULL, &m),
                         full ? CKR_OK : CKR_MECHANISM_PARAM_INVALID);
        assert_int_equal(check(standard, CKF_DECRYPT, NULL, &m),
                         full || brief ? CKR_OK : CKR_MECHANISM_PARAM_INVALID);
    }
}

static void
a_gcm_iv_has_1_to_256_bytes(void **state)
{
    static uint8_t bytes[256];
    struct mechanism one = gcm(iv12, 1, 128);
    struct mechanism none = gcm(NULL, 0, 128);
    struct mechanism longest = gcm(bytes, 256, 128);

    UNUSED(state);
    assert_int_equal(check(azure, CKF_ENCRYPT, NULL, &one), CKR_OK);
    assert_int_equal(check(azure, CKF_ENCRYPT, NULL, &longest), CKR_OK);
    assert_int_equal(check(azure, CKF_ENCRYPT, NULL, &none), CKR_MECHANISM_PARAM_INVALID);
}

static void
fips_encrypts_with_generated_ivs_only(void **state)
{
    struct mechanism own = gcm(iv12, 12, 128);
    struct mechanism blank = gcm(zeros, 12, 128);
    struct mechanism longer = gcm(zeros, 13, 128);

    UNUSED(state);
    assert_int_equal(check(fips, CKF_ENCRYPT, NULL, &own), CKR_MECHANISM_PARAM_INVALID);
    assert_int_equal(check(fips, CKF_ENCRYPT, NULL, &longer), CKR_MECHANISM_PARAM_INVALID);
    assert_int_equal(check(fips, CKF_ENCRYPT, NULL, &blank), CKR_OK);
    assert_int_equal(check(fips, CKF_DECRYPT, NULL, &own), CKR_OK);
    assert_int_equal(check(azure, CKF_ENCRYPT, NULL, &own), CKR_OK);
}

static void
twelve_zero_bytes_ask_for_an_iv_but_in_standard(void **state)
{
    struct mechanism own = gcm(iv12, 12, 128);
    struct mechanism blank = gcm(zeros, 12, 128);
    struct mechanism longer = gcm(zeros, 16, 128);
    struct mechanism cbc = { .type = CKM_AES_CBC,
                             .shape = PARAMS_iv,
                             .params.iv = { { zeros, 12 } } };

    UNUSED(state);
    assert_true(params_wants_iv(azure, CKF_ENCRYPT, &blank));
    assert_true(params_wants_iv(fips, CKF_ENCRYPT, &blank));
    assert_false(params_wants_iv(standard, CKF_ENCRYPT, &blank));
    assert_false(params_wants_iv(azure, CKF_DECRYPT, &blank));
    assert_false(params_wants_iv(azure, CKF_ENCRYPT, &own));
    assert_false(params_wants_iv(azure, CKF_ENCRYPT, &longer));
    assert_false(params_wants_iv(azure, CKF_ENCRYPT, &cbc));
}

static void
oaep_wants_known_functions_and_a_sane_source(void **state)
{
    struct mechanism good = oaep(CKM_SHA256, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, VIEW_TEXT("l"));
    struct mechanism bare = oaep(CKM_SHA_1, CKG_MGF1_SHA1, 0, VIEW_EMPTY);
    const struct mechanism bad[] = {
        oaep(CKM_SHA256_HMAC, CKG_MGF1_SHA1, 1, VIEW_EMPTY),
        oaep(0, CKG_MGF1_SHA1, 1, VIEW_EMPTY),
        oaep(CKM_SHA256, 0, 1, VIEW_EMPTY),
        oaep(CKM_SHA256, 99, 1, VIEW_EMPTY),
        oaep(CKM_SHA256, CKG_MGF1_SHA1, 0, VIEW_TEXT("l")),
        oaep(CKM_SHA256, CKG_MGF1_SHA1, 2, VIEW_EMPTY),
    };

    UNUSED(state);
    assert_int_equal(check(azure, CKF_ENCRYPT, NULL, &good), CKR_OK);
    assert_int_equal(check(azure, CKF_ENCRYPT, NULL, &bare), CKR_OK);
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        assert_int_equal(check(azure, CKF_ENCRYPT, NULL, &bad[i]), CKR_MECHANISM_PARAM_INVALID);
    }
}

static void
oaep_wants_a_modulus_with_room(void **state)
{
    struct mechanism m = oaep(CKM_SHA512, CKG_MGF1_SHA512, 1, VIEW_EMPTY);
    struct key_info key = { .bits = 8 * (2 * 64 + 2) };

    UNUSED(state);
    assert_int_equal(check(azure, CKF_ENCRYPT, &key, &m), CKR_OK);
    key.bits = 8 * (2 * 64 + 1);
    assert_int_equal(check(azure, CKF_ENCRYPT, &key, &m), CKR_MECHANISM_PARAM_INVALID);
    key.bits = 1024;
    assert_int_equal(check(azure, CKF_ENCRYPT, &key, &m), CKR_MECHANISM_PARAM_INVALID);
}

static void
pss_hashes_have_to_agree(void **state)
{
    struct mechanism plain = pss(CKM_RSA_PKCS_PSS, CKM_SHA384, CKG_MGF1_SHA256, 0);
    struct mechanism same = pss(CKM_SHA256_RSA_PKCS_PSS, CKM_SHA256, CKG_MGF1_SHA256, 32);
    struct mechanism other = pss(CKM_SHA256_RSA_PKCS_PSS, CKM_SHA384, CKG_MGF1_SHA384, 48);
    struct mechanism no_hash = pss(CKM_RSA_PKCS_PSS, 0, CKG_MGF1_SHA256, 0);
    struct mechanism no_mgf = pss(CKM_RSA_PKCS_PSS, CKM_SHA384, 0, 0);

    UNUSED(state);
    assert_int_equal(check(azure, CKF_SIGN, NULL, &plain), CKR_OK);
    assert_int_equal(check(azure, CKF_SIGN, NULL, &same), CKR_OK);
    assert_int_equal(check(azure, CKF_SIGN, NULL, &other), CKR_MECHANISM_PARAM_INVALID);
    assert_int_equal(check(azure, CKF_SIGN, NULL, &no_hash), CKR_MECHANISM_PARAM_INVALID);
    assert_int_equal(check(azure, CKF_SIGN, NULL, &no_mgf), CKR_MECHANISM_PARAM_INVALID);
}

/* What a policy does not offer as a digest is not taken inside a padding either. */
static void
paddings_take_the_hashes_of_the_policy(void **state)
{
    struct mechanism in_oaep = oaep(CKM_SHA3_256, CKG_MGF1_SHA1, 1, VIEW_EMPTY);
    struct mechanism in_mgf = oaep(CKM_SHA256, CKG_MGF1_SHA3_256, 1, VIEW_EMPTY);
    struct mechanism in_pss = pss(CKM_RSA_PKCS_PSS, CKM_MD5, CKG_MGF1_SHA1, 16);

    UNUSED(state);
    assert_int_equal(check(standard, CKF_ENCRYPT, NULL, &in_oaep), CKR_OK);
    assert_int_equal(check(standard, CKF_ENCRYPT, NULL, &in_mgf), CKR_OK);
    assert_int_equal(check(standard, CKF_SIGN, NULL, &in_pss), CKR_OK);
    assert_int_equal(check(azure, CKF_ENCRYPT, NULL, &in_oaep), CKR_MECHANISM_PARAM_INVALID);
    assert_int_equal(check(azure, CKF_ENCRYPT, NULL, &in_mgf), CKR_MECHANISM_PARAM_INVALID);
    assert_int_equal(check(fips, CKF_SIGN, NULL, &in_pss), CKR_MECHANISM_PARAM_INVALID);
}

static void
pss_salt_has_to_fit_the_modulus(void **state)
{
    static const struct {
        uint32_t bits, salt_max;
    } keys[] = {
        { 2048, 256 - 2 - 32 },
        { 2047, 256 - 2 - 32 },
        { 2049, 256 - 2 - 32 }, /* k is 257, but one bit more fills no byte */
        { 1024, 128 - 2 - 32 },
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
        struct key_info key = { .bits = keys[i].bits };
        struct mechanism fits = pss(CKM_SHA256_RSA_PKCS_PSS, CKM_SHA256, CKG_MGF1_SHA256,
                                    keys[i].salt_max);
        struct mechanism over = pss(CKM_SHA256_RSA_PKCS_PSS, CKM_SHA256, CKG_MGF1_SHA256,
                                    keys[i].salt_max + 1);
        struct mechanism huge = pss(CKM_SHA256_RSA_PKCS_PSS, CKM_SHA256, CKG_MGF1_SHA256,
                                    UINT32_MAX);

        assert_int_equal(check(azure, CKF_SIGN, &key, &fits), CKR_OK);
        assert_int_equal(check(azure, CKF_SIGN, &key, &over), CKR_MECHANISM_PARAM_INVALID);
        assert_int_equal(check(azure, CKF_SIGN, &key, &huge), CKR_MECHANISM_PARAM_INVALID);
    }
}

static void
a_key_too_small_for_the_hash_is_refused(void **state)
{
    struct key_info key = { .bits = 256 };
    struct mechanism m = pss(CKM_RSA_PKCS_PSS, CKM_SHA512, CKG_MGF1_SHA512, 0);

    UNUSED(state);
    assert_int_equal(check(azure, CKF_SIGN, &key, &m), CKR_MECHANISM_PARAM_INVALID);
    key.bits = 0;
    assert_int_equal(check(azure, CKF_SIGN, &key, &m), CKR_MECHANISM_PARAM_INVALID);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mechanism_without_parameter_takes_none),
        cmocka_unit_test(cbc_takes_sixteen_bytes),
        cmocka_unit_test(gcm_is_taken_in_both_layouts),
        cmocka_unit_test(a_structure_of_another_length_is_refused),
        cmocka_unit_test(pointers_and_lengths_inside_have_to_agree),
        cmocka_unit_test(an_unaligned_parameter_is_taken),
        cmocka_unit_test(oaep_and_pss_are_taken_field_by_field),
        cmocka_unit_test(a_structure_inside_another_is_taken_along),
        cmocka_unit_test(the_pieces_of_a_prf_are_taken_in_both_layouts),
        cmocka_unit_test(a_key_travels_as_its_handle),
        cmocka_unit_test(every_shape_reads_back_to_the_same_bytes),
        cmocka_unit_test(the_wire_form_is_canonical),
        cmocka_unit_test(caps_hold_on_the_wire_too),
        cmocka_unit_test(shape_and_type_have_to_be_the_rows),
        cmocka_unit_test(a_counter_has_1_to_128_bits),
        cmocka_unit_test(gcm_tags_are_those_of_the_recommendation),
        cmocka_unit_test(a_gcm_iv_has_1_to_256_bytes),
        cmocka_unit_test(fips_encrypts_with_generated_ivs_only),
        cmocka_unit_test(twelve_zero_bytes_ask_for_an_iv_but_in_standard),
        cmocka_unit_test(oaep_wants_known_functions_and_a_sane_source),
        cmocka_unit_test(oaep_wants_a_modulus_with_room),
        cmocka_unit_test(pss_hashes_have_to_agree),
        cmocka_unit_test(paddings_take_the_hashes_of_the_policy),
        cmocka_unit_test(pss_salt_has_to_fit_the_modulus),
        cmocka_unit_test(a_key_too_small_for_the_hash_is_refused),
    };

    return cmocka_run_group_tests_name("params", tests, NULL, NULL);
}
