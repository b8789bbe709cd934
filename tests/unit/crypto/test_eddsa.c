/* SPDX-License-Identifier: Apache-2.0
 *
 * EdDSA and its keys: the vectors of RFC 8032, whole and in parts; points that are none; and what
 * a message may be.
 */
#include "pair_fixture.h"

#include "wire/params.h"

static const struct {
    unsigned tool_id;
    const char *secret, *public, *message, *signature;
} vectors[] = {
    { 28,
      "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
      "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
      "",
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
      "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b" },
    { 28,
      "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
      "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
      "72",
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
      "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00" },
    { 28,
      "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
      "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
      "af82",
      "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
      "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a" },
    { 28,
      "f5e5767cf153319517630f226876b86c8160cc583bc013744c6bf255f5cc0ee5",
      "278117fc144c72340f67d0f2316e8386ceffbf2b2428c9c51fef7c597f1d426e",
      "08b8b2b733424243760fe426a4b54908632110a66c2f6591eabd3345e3e4eb98"
      "fa6e264bf09efe12ee50f8f54e9f77b1e355f6c50544e23fb1433ddf73be84d8"
      "79de7c0046dc4996d9e773f4bc9efe5738829adb26c81b37c93a1b270b20329d"
      "658675fc6ea534e0810a4432826bf58c941efb65d57a338bbd2e26640f89ffbc"
      "1a858efcb8550ee3a5e1998bd177e93a7363c344fe6b199ee5d02e82d522c4fe"
      "ba15452f80288a821a579116ec6dad2b3b310da903401aa62100ab5d1a36553e"
      "06203b33890cc9b832f79ef80560ccb9a39ce767967ed628c6ad573cb116dbef"
      "efd75499da96bd68a8a97b928a8bbc103b6621fcde2beca1231d206be6cd9ec7"
      "aff6f6c94fcd7204ed3455c68c83f4a41da4af2b74ef5c53f1d8ac70bdcb7ed1"
      "85ce81bd84359d44254d95629e9855a94a7c1958d1f8ada5d0532ed8a5aa3fb2"
      "d17ba70eb6248e594e1a2297acbbb39d502f1a8c6eb6f1ce22b3de1a1f40cc24"
      "554119a831a9aad6079cad88425de6bde1a9187ebb6092cf67bf2b13fd65f270"
      "88d78b7e883c8759d2c4f5c65adb7553878ad575f9fad878e80a0c9ba63bcbcc"
      "2732e69485bbc9c90bfbd62481d9089beccf80cfe2df16a2cf65bd92dd597b07"
      "07e0917af48bbb75fed413d238f5555a7a569d80c3414a8d0859dc65a46128ba"
      "b27af87a71314f318c782b23ebfe808b82b0ce26401d2e22f04d83d1255dc51a"
      "ddd3b75a2b1ae0784504df543af8969be3ea7082ff7fc9888c144da2af58429e"
      "c96031dbcad3dad9af0dcbaaaf268cb8fcffead94f3c7ca495e056a9b47acdb7"
      "51fb73e666c6c655ade8297297d07ad1ba5e43f1bca32301651339e22904cc8c"
      "42f58c30c04aafdb038dda0847dd988dcda6f3bfd15c4b4c4525004aa06eeff8"
      "ca61783aacec57fb3d1f92b0fe2fd1a85f6724517b65e614ad6808d6f6ee34df"
      "f7310fdc82aebfd904b01e1dc54b2927094b2db68d6f903b68401adebf5a7e08"
      "d78ff4ef5d63653a65040cf9bfd4aca7984a74d37145986780fc0b16ac451649"
      "de6188a7dbdf191f64b5fc5e2ab47b57f7f7276cd419c17a3ca8e1b939ae49e4"
      "88acba6b965610b5480109c8b17b80e1b7b750dfc7598d5d5011fd2dcc5600a3"
      "2ef5b52a1ecc820e308aa342721aac0943bf6686b64b2579376504ccc493d97e"
      "6aed3fb0f9cd71a43dd497f01f17c0e2cb3797aa2a2f256656168e6c496afc5f"
      "b93246f6b1116398a346f1a641f3b041e989f7914f90cc2c7fff357876e506b5"
      "0d334ba77c225bc307ba537152f3f1610e4eafe595f6d9d90d11faa933a15ef1"
      "369546868a7f3a45a96768d40fd9d03412c091c6315cf4fde7cb68606937380d"
      "b2eaaa707b4c4185c32eddcdd306705e4dc1ffc872eeee475a64dfac86aba41c"
      "0618983f8741c5ef68d3a101e8a3b8cac60c905c15fc910840b94c00a0b9d0",
      "0aab4c900501b3e24d7cdf4663326a3a87df5e4843b2cbdb67cbf6e460fec350"
      "aa5371b1508f9f4528ecea23c436d94b5e8fcd4f681e30a6ac00a9704a188a03" },
    { 29,
      "6c82a562cb808d10d632be89c8513ebf6c929f34ddfa8c9f63c9960ef6e348a3"
      "528c8a3fcc2f044e39a3fc5b94492f8f032e7549a20098f95b",
      "5fd7449b59b461fd2ce787ec616ad46a1da1342485a70e1f8a0ea75d80e96778"
      "edf124769b46c7061bd6783df1e50f6cd1fa1abeafe8256180",
      "",
      "533a37f6bbe457251f023c0d88f976ae2dfb504a843e34d2074fd823d41a591f"
      "2b233f034f628281f2fd7a22ddd47d7828c59bd0a21bfd3980ff0d2028d4b18a"
      "9df63e006c5d1c2d345b925d8dc00b4104852db99ac5c7cdda8530a113a0f4db"
      "b61149f05a7363268c71d95808ff2e652600" },
    { 29,
      "c4eab05d357007c632f3dbb48489924d552b08fe0c353a0d4a1f00acda2c463a"
      "fbea67c5e8d2877c5e3bc397a659949ef8021e954e0a12274e",
      "43ba28f430cdff456ae531545f7ecd0ac834a55d9358c0372bfa0c6c6798c086"
      "6aea01eb00742802b8438ea4cb82169c235160627b4c3a9480",
      "03",
      "26b8f91727bd62897af15e41eb43c377efb9c610d48f2335cb0bd0087810f435"
      "2541b143c4b981b7e18f62de8ccdf633fc1bf037ab7cd779805e0dbcc0aae1cb"
      "cee1afb2e027df36bc04dcecbf154336c19f0af7e0a6472905e799f1953d2a0f"
      "f3348ab21aa4adafd1d234441cf807c03a00" },
    { 29,
      "cd23d24f714274e744343237b93290f511f6425f98e64459ff203e8985083ffd"
      "f60500553abc0e05cd02184bdb89c4ccd67e187951267eb328",
      "dcea9e78f35a1bf3499a831b10b86c90aac01cd84b67a0109b55a36e9328b1e3"
      "65fce161d71ce7131a543ea4cb5f7e9f1d8b00696447001400",
      "0c3e544074ec63b0265e0c",
      "1f0a8888ce25e8d458a21130879b840a9089d999aaba039eaf3e3afa090a09d3"
      "89dba82c4ff2ae8ac5cdfb7c55e94d5d961a29fe0109941e00b8dbdeea6d3b05"
      "1068df7254c0cdc129cbe62db2dc957dbb47b51fd3f213fb8698f064774250a5"
      "028961c9bf8ffd973fe5d5c206492b140e00" },
    { 29,
      "258cdd4ada32ed9c9ff54e63756ae582fb8fab2ac721f2c8e676a72768513d93"
      "9f63dddb55609133f29adf86ec9929dccb52c1c5fd2ff7e21b",
      "3ba16da0c6f2cc1f30187740756f5e798d6bc5fc015d7c63cc9510ee3fd44adc"
      "24d8e968b6e46e6f94d19b945361726bd75e149ef09817f580",
      "64a65f3cdedcdd66811e2915",
      "7eeeab7c4e50fb799b418ee5e3197ff6bf15d43a14c34389b59dd1a7b1b85b4a"
      "e90438aca634bea45e3a2695f1270f07fdcdf7c62b8efeaf00b45c2c96ba457e"
      "b1a8bf075a3db28e5c24f6b923ed4ad747c3c9e03c7079efb87cb110d3a99861"
      "e72003cbae6d6b8b827e4e6c143064ff3c00" },
    { 29,
      "7ef4e84544236752fbb56b8f31a23a10e42814f5f55ca037cdcc11c64c9a3b29"
      "49c1bb60700314611732a6c2fea98eebc0266a11a93970100e",
      "b3da079b0aa493a5772029f0467baebee5a8112d9d3a22532361da294f7bb381"
      "5c5dc59e176b4d9f381ca0938e13c6c07b174be65dfa578e80",
      "64a65f3cdedcdd66811e2915e7",
      "6a12066f55331b6c22acd5d5bfc5d71228fbda80ae8dec26bdd306743c5027cb"
      "4890810c162c027468675ecf645a83176c0d7323a2ccde2d80efe5a1268e8aca"
      "1d6fbc194d3f77c44986eb4ab4177919ad8bec33eb47bbb5fc6e28196fd1caf5"
      "6b4e7e0ba5519234d047155ac727a1053100" },
    { 29,
      "d65df341ad13e008567688baedda8e9dcdc17dc024974ea5b4227b6530e339bf"
      "f21f99e68ca6968f3cca6dfe0fb9f4fab4fa135d5542ea3f01",
      "df9705f58edbab802c7f8363cfe5560ab1c6132c20a9f1dd163483a26f8ac53a"
      "39d6808bf4a1dfbd261b099bb03b3fb50906cb28bd8a081f00",
      "bd0f6a3747cd561bdddf4640a332461a4a30a12a434cd0bf40d766d9c6d458e5"
      "512204a30c17d1f50b5079631f64eb3112182da3005835461113718d1a5ef944",
      "554bc2480860b49eab8532d2a533b7d578ef473eeb58c98bb2d0e1ce488a98b1"
      "8dfde9b9b90775e67f47d4a1c3482058efc9f40d2ca033a0801b63d45b3b722e"
      "f552bad3b4ccb667da350192b61c508cf7b6b5adadc2c8d9a446ef003fb05cba"
      "5f30e88e36ec2703b349ca229c2670833900" },
};

static view
oid_of(unsigned tool_id)
{
    const struct curve_row *curve = curve_by_tool_id(tool_id);

    return view_of(curve->oid, curve->oid_len);
}

/* EC_PARAMS and, when it has data, EC_POINT. */
static view
public_list(view params, view point)
{
    static uint8_t memory[4][1024];
    static size_t next;
    struct writer w;

    writer_init_fixed(&w, memory[next++ % 4], sizeof memory[0]);
    attribute_write(&w, CKA_EC_PARAMS, params);
    if (point.data != NULL) {
        attribute_write(&w, CKA_EC_POINT, point);
    }
    return writer_view(&w);
}

static view
secret_list(view value)
{
    static uint8_t memory[200];
    struct writer w;

    writer_init_fixed(&w, memory, sizeof memory);
    attribute_write(&w, CKA_VALUE, value);
    return writer_view(&w);
}

static struct pair
edwards_pair(unsigned tool_id, const char *secret, const char *public)
{
    struct pair pair = { .public = NULL };

    assert_int_equal(algo_key_new(KIND_EDWARDS_PRIVATE, public_list(oid_of(tool_id), VIEW_EMPTY),
                                  secret_list(hex(secret)), &pair.private), CKR_OK);
    assert_int_equal(algo_key_new(KIND_EDWARDS_PUBLIC, public_list(oid_of(tool_id), hex(public)),
                                  VIEW_EMPTY, &pair.public), CKR_OK);
    return pair;
}

static CK_RV
verify(const struct pair *pair, view message, view signature)
{
    const struct mechanism m = plain_mechanism(CKM_EDDSA);
    struct writer none = { 0 };
    CK_RV rv = run_once(&m, CKF_VERIFY, pair->public, message, signature, &none);

    assert_int_equal(run_parts(&m, CKF_VERIFY, pair->public, message, 3, signature, &none), rv);
    assert_int_equal(run_once(&m, CKF_VERIFY, pair->private, message, signature, &none), rv);
    return rv;
}

static void
signatures_are_those_of_rfc_8032(void **state)
{
    const struct mechanism m = plain_mechanism(CKM_EDDSA);

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(vectors); i++) {
        view message = hex(vectors[i].message);
        view signature = hex(vectors[i].signature);
        struct pair pair = edwards_pair(vectors[i].tool_id, vectors[i].secret, vectors[i].public);
        uint8_t wrong[120];

        assert_runs(&m, CKF_SIGN, pair.private, message, signature);
        assert_int_equal(verify(&pair, message, signature), CKR_OK);
        assert_int_equal(verify(&pair, VIEW_TEXT("another"), signature), CKR_SIGNATURE_INVALID);
        for (size_t at = 0; at < signature.len; at += 7) {
            memcpy(wrong, signature.data, signature.len);
            wrong[at] ^= 1;
            assert_int_equal(verify(&pair, message, view_of(wrong, signature.len)),
                             CKR_SIGNATURE_INVALID);
        }
        memset(wrong, 0, sizeof wrong);
        assert_int_equal(verify(&pair, message, view_of(wrong, signature.len)),
                         CKR_SIGNATURE_INVALID);
        for (size_t len = 0; len <= sizeof wrong; len++) {
            if (len != signature.len) {
                assert_int_equal(verify(&pair, message, view_of(wrong, len)),
                                 CKR_SIGNATURE_LEN_RANGE);
            }
        }
        algo_key_free(pair.public);
        algo_key_free(pair.private);
    }
}

static void
the_public_key_follows_from_the_private(void **state)
{
    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(vectors); i++) {
        struct pair pair = edwards_pair(vectors[i].tool_id, vectors[i].secret, vectors[i].public);
        struct writer a, b, none = { 0 };
        view info;

        writer_init(&a, 1000);
        writer_init(&b, 1000);
        assert_int_equal(algo_key_made(KIND_EDWARDS_PUBLIC, pair.public, VIEW_EMPTY, &a, &none),
                         CKR_OK);
        assert_int_equal(algo_key_made(KIND_EDWARDS_PRIVATE, pair.private, VIEW_EMPTY, &b, &none),
                         CKR_OK);
        assert_view(writer_view(&a), writer_view(&b));
        info = list_value(writer_view(&a), CKA_PUBLIC_KEY_INFO);
        /* RFC 8410, 4: the key's bytes are the end of it. */
        assert_view(view_slice(info, info.len - hex(vectors[i].public).len, info.len),
                    hex(vectors[i].public));
        writer_clear(&a);
        writer_clear(&b);
        algo_key_free(pair.public);
        algo_key_free(pair.private);
    }
}

static void
generated_pairs_sign(void **state)
{
    static const view params[] = {
        VIEW_TEXT("\x06\x03\x2b\x65\x70"),
        VIEW_TEXT("\x13\x0c" "edwards25519"),
        VIEW_TEXT("\x06\x09\x2b\x06\x01\x04\x01\xda\x47\x0f\x01"),
        VIEW_TEXT("\x06\x03\x2b\x65\x71"),
        VIEW_TEXT("\x13\x0a" "edwards448"),
    };
    static const CK_MECHANISM_TYPE types[] = { CKM_EC_EDWARDS_KEY_PAIR_GEN, CKM_EC_KEY_PAIR_GEN };
    const struct mechanism m = plain_mechanism(CKM_EDDSA);

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(params) * ARRAY_COUNT(types); i++) {
        view named = params[i % ARRAY_COUNT(params)];
        size_t len = curve_len(curve_by_params(named));
        struct writer out;
        struct pair pair;
        view point;

        assert_int_equal(pair_generate(standard, types[i / ARRAY_COUNT(params)],
                                       public_list(named, VIEW_EMPTY), &pair), CKR_OK);
        pair_parse(&pair, KIND_EDWARDS_PUBLIC, KIND_EDWARDS_PRIVATE);
        assert_view(list_value(writer_view(&pair.private_part), CKA_EC_PARAMS), named);
        assert_int_equal(list_value(writer_view(&pair.secrets), CKA_VALUE).len, len);
        point = list_value(writer_view(&pair.public_part), CKA_EC_POINT);
        assert_int_equal(point.len, len + 2);
        assert_int_equal(point.data[0], 4);
        assert_int_equal(point.data[1], len);
        writer_init(&out, 200);
        assert_int_equal(algo_once(fips, mechanism_row(m.type), CKF_SIGN, &m, pair.private,
                                   VIEW_TEXT("data"), VIEW_EMPTY, &out), CKR_OK);
        assert_int_equal(out.len, 2 * len);
        assert_int_equal(verify(&pair, VIEW_TEXT("data"), writer_view(&out)), CKR_OK);
        writer_clear(&out);
        pair_clear(&pair);
    }
}

/* Y coordinates: of small order, not below p, and of no point. */
static const char *const bad_25519[] = {
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "0200000000000000000000000000000000000000000000000000000000000000",
    "",
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f70751",
};

static const char *const bad_448[] = {
    "01000000000000000000000000000000000000000000000000000000"
    "0000000000000000000000000000000000000000000000000000000000",
    "fefffffffffffffffffffffffffffffffffffffffffffffffffffffffe"
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffff00",
    "00000000000000000000000000000000000000000000000000000000"
    "0000000000000000000000000000000000000000000000000000000000",
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffff00",
    "5fd7449b59b461fd2ce787ec616ad46a1da1342485a70e1f8a0ea75d"
    "80e96778edf124769b46c7061bd6783df1e50f6cd1fa1abeafe8256101",
};

static void
assert_no_point(unsigned tool_id, view point)
{
    assert_int_equal(parse(KIND_EDWARDS_PUBLIC, public_list(oid_of(tool_id), point), VIEW_EMPTY),
                     CKR_ATTRIBUTE_VALUE_INVALID);
}

static void
what_is_no_point_is_no_key(void **state)
{
    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(bad_25519); i++) {
        assert_no_point(28, hex(bad_25519[i]));
    }
    for (size_t i = 0; i < ARRAY_COUNT(bad_448); i++) {
        assert_no_point(29, hex(bad_448[i]));
    }
    assert_no_point(28, hex(vectors[ARRAY_COUNT(vectors) - 1].public)); /* of the other curve */
}

/* Half of all numbers are the y of a point. */
static void
half_of_all_numbers_are_points(void **state)
{
    uint8_t number[4], y[57] = { 0 };
    unsigned points[2] = { 0 };

    UNUSED(state);
    for (unsigned i = 0; i < 200; i++) {
        store_u32(number, i);
        assert_true(algo_sha256(view_of(number, 4), y));
        points[1] += parse(KIND_EDWARDS_PUBLIC, public_list(oid_of(29), view_of(y, 57)),
                           VIEW_EMPTY) == CKR_OK;
        y[31] &= 0x7f;
        points[0] += parse(KIND_EDWARDS_PUBLIC, public_list(oid_of(28), view_of(y, 32)),
                           VIEW_EMPTY) == CKR_OK;
    }
    assert_in_range(points[0], 75, 125);
    assert_in_range(points[1], 75, 125);
}

static void
private_keys_have_the_length_of_their_curve(void **state)
{
    static const uint8_t bytes[60] = { 1 };

    UNUSED(state);
    for (size_t len = 0; len <= sizeof bytes; len++) {
        assert_int_equal(parse(KIND_EDWARDS_PRIVATE, public_list(oid_of(28), VIEW_EMPTY),
                               secret_list(view_of(bytes, len))),
                         len == 32 ? CKR_OK : CKR_ATTRIBUTE_VALUE_INVALID);
        assert_int_equal(parse(KIND_EDWARDS_PRIVATE, public_list(oid_of(29), VIEW_EMPTY),
                               secret_list(view_of(bytes, len))),
                         len == 57 ? CKR_OK : CKR_ATTRIBUTE_VALUE_INVALID);
    }
    assert_int_equal(parse(KIND_EDWARDS_PRIVATE, public_list(oid_of(28), VIEW_EMPTY), VIEW_EMPTY),
                     CKR_ATTRIBUTE_VALUE_INVALID);
    assert_int_equal(parse(KIND_EDWARDS_PRIVATE, VIEW_EMPTY, secret_list(view_of(bytes, 32))),
                     CKR_TEMPLATE_INCOMPLETE);
}

/* A key is of the type that its curve is for. */
static void
curves_of_another_form_are_refused(void **state)
{
    static const struct {
        const char *params;
        CK_RV rv;
    } others[] = {
        { "06082a8648ce3d030107", CKR_CURVE_NOT_SUPPORTED },   /* P-256 */
        { "06032b656f", CKR_CURVE_NOT_SUPPORTED },             /* X448 */
        { "06032b6572", CKR_CURVE_NOT_SUPPORTED },             /* none that we have */
        { "130c656477617264733235353138", CKR_CURVE_NOT_SUPPORTED },
        { "130c65647761726473323535", CKR_DOMAIN_PARAMS_INVALID },
        { "1300", CKR_DOMAIN_PARAMS_INVALID },
        { "130165ff", CKR_DOMAIN_PARAMS_INVALID },
        { "1301ff", CKR_DOMAIN_PARAMS_INVALID },
        { "130100", CKR_DOMAIN_PARAMS_INVALID },
        { "0c0c656477617264733235353139", CKR_DOMAIN_PARAMS_INVALID }, /* UTF8String */
        { "0500", CKR_DOMAIN_PARAMS_INVALID },
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(others); i++) {
        view list = public_list(hex(others[i].params), hex(vectors[0].public));
        struct pair none;

        assert_int_equal(parse(KIND_EDWARDS_PUBLIC, list, VIEW_EMPTY), others[i].rv);
        assert_int_equal(parse(KIND_EDWARDS_PRIVATE, list, secret_list(hex(vectors[0].secret))),
                         others[i].rv);
        assert_int_equal(pair_generate(standard, CKM_EC_EDWARDS_KEY_PAIR_GEN, list, &none),
                         others[i].rv);
        pair_clear(&none);
    }
    assert_int_equal(parse(KIND_EC_PUBLIC, public_list(oid_of(28), hex(vectors[0].public)),
                           VIEW_EMPTY), CKR_CURVE_NOT_SUPPORTED);
}

/* RFC 8410, 10.3, without and with the public key; the same with things wrong. */
#define SEED "d4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842"
#define ITS_PUBLIC "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1"
#define ATTRIBUTES "a01f301d060a2a864886f70d01090914310f0c0d437572646c6520436861697273"

static const struct {
    const char *der;
    bool padded;
    CK_RV rv;
} encoded[] = {
    { "302e020100300506032b657004220420" SEED, false, CKR_OK },
    { "3072020101300506032b657004220420" SEED ATTRIBUTES "812100" ITS_PUBLIC, false, CKR_OK },
    { "3051020101300506032b657004220420" SEED "812100" ITS_PUBLIC, false, CKR_OK },
    { "304f020100300506032b657004220420" SEED ATTRIBUTES, false, CKR_OK },
    { "302e020100300506032b657004220420" SEED "0000", true, CKR_OK },
    { "302e020100300506032b657004220420" SEED "0001", true, CKR_WRAPPED_KEY_INVALID },
    { "302e020100300506032b657004220420" SEED "0000", false, CKR_WRAPPED_KEY_INVALID },
    { "3051020101300506032b657004220420" SEED "812100" SEED, false, CKR_WRAPPED_KEY_INVALID },
    { "3051020100300506032b657004220420" SEED "812100" ITS_PUBLIC, false,
      CKR_WRAPPED_KEY_INVALID },
    { "302e020102300506032b657004220420" SEED, false, CKR_WRAPPED_KEY_INVALID },
    { "302e020100300506032b657104220420" SEED, false, CKR_WRAPPED_KEY_INVALID },
    { "302e020100300506032b657204220420" SEED, false, CKR_WRAPPED_KEY_INVALID },
    { "302c020100300506032b657004200420" SEED, false, CKR_WRAPPED_KEY_INVALID },
    { "302c020100300506032b65700420" SEED, false, CKR_WRAPPED_KEY_INVALID },
    { "3030020100300706032b6570050004220420" SEED, false, CKR_WRAPPED_KEY_INVALID },
    { "", false, CKR_WRAPPED_KEY_INVALID },
};

static void
private_keys_are_decoded(void **state)
{
    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(encoded); i++) {
        struct writer attributes, secrets;

        writer_init(&attributes, 1000);
        writer_init(&secrets, 1000);
        assert_int_equal(algo_key_decode(KIND_EDWARDS_PRIVATE, hex(encoded[i].der),
                                         encoded[i].padded, &attributes, &secrets),
                         encoded[i].rv);
        if (encoded[i].rv == CKR_OK) {
            assert_view(list_value(writer_view(&attributes), CKA_EC_PARAMS), oid_of(28));
            assert_view(list_value(writer_view(&secrets), CKA_VALUE), hex(SEED));
        }
        writer_clear(&attributes);
        writer_clear(&secrets);
    }
}

/* Each cut of a good one is none, and each byte that is another says another key or nothing. */
static void
damaged_private_keys_are_refused(void **state)
{
    uint8_t der[200];
    view good = hex(encoded[1].der);

    UNUSED(state);
    for (size_t i = 0; i < good.len; i++) {
        struct writer attributes, secrets;
        CK_RV rv;

        writer_init(&attributes, 1000);
        writer_init(&secrets, 1000);
        assert_int_equal(algo_key_decode(KIND_EDWARDS_PRIVATE, view_slice(good, 0, i), false,
                                         &attributes, &secrets), CKR_WRAPPED_KEY_INVALID);
        memcpy(der, good.data, good.len);
        der[i] ^= 1;
        rv = algo_key_decode(KIND_EDWARDS_PRIVATE, view_of(der, good.len), false, &attributes,
                             &secrets);
        /* Attributes are nobody's business. */
        assert_true(rv == CKR_WRAPPED_KEY_INVALID || (i >= 50 && i < 81));
        writer_clear(&attributes);
        writer_clear(&secrets);
    }
}

static void
encoded_keys_come_back(void **state)
{
    static const struct {
        CK_MECHANISM_TYPE type;
        unsigned tool_id;
        enum object_kind kind;
    } keys[] = {
        { CKM_EC_EDWARDS_KEY_PAIR_GEN, 28, KIND_EDWARDS_PRIVATE },
        { CKM_EC_EDWARDS_KEY_PAIR_GEN, 29, KIND_EDWARDS_PRIVATE },
        { CKM_EC_MONTGOMERY_KEY_PAIR_GEN, 26, KIND_MONTGOMERY_PRIVATE },
        { CKM_EC_MONTGOMERY_KEY_PAIR_GEN, 27, KIND_MONTGOMERY_PRIVATE },
        { CKM_EC_KEY_PAIR_GEN, 21, KIND_EC_PRIVATE },
        { CKM_EC_KEY_PAIR_GEN, 16, KIND_EC_PRIVATE },
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
        struct writer der, attributes, secrets;
        struct pair pair;

        writer_init(&der, 1000);
        writer_init(&attributes, 1000);
        writer_init(&secrets, 1000);
        assert_int_equal(pair_generate(standard, keys[i].type,
                                       public_list(oid_of(keys[i].tool_id), VIEW_EMPTY), &pair),
                         CKR_OK);
        assert_int_equal(algo_key_new(keys[i].kind, writer_view(&pair.private_part),
                                      writer_view(&pair.secrets), &pair.private), CKR_OK);
        assert_int_equal(algo_key_encode(pair.private, &der), CKR_OK);
        assert_int_equal(algo_key_decode(keys[i].kind, writer_view(&der), false, &attributes,
                                         &secrets), CKR_OK);
        assert_view(writer_view(&attributes), writer_view(&pair.private_part));
        assert_view(writer_view(&secrets), writer_view(&pair.secrets));
        writer_clear(&der);
        writer_clear(&attributes);
        writer_clear(&secrets);
        pair_clear(&pair);
    }
}

static void
a_message_has_an_end(void **state)
{
    enum { MOST = 512 * 1024, PART = 65536 };
    const struct mechanism m = plain_mechanism(CKM_EDDSA);
    struct pair pair = edwards_pair(28, vectors[0].secret, vectors[0].public);
    uint8_t *message = calloc(1, MOST + 1);
    struct writer out;

    UNUSED(state);
    assert_non_null(message);
    writer_init(&out, 200);
    assert_int_equal(run_parts(&m, CKF_SIGN, pair.private, view_of(message, MOST), PART, VIEW_EMPTY,
                               &out), CKR_OK);
    assert_int_equal(run_parts(&m, CKF_VERIFY, pair.public, view_of(message, MOST), PART,
                               writer_view(&out), &out), CKR_OK);
    writer_reset(&out);
    assert_int_equal(run_parts(&m, CKF_SIGN, pair.private, view_of(message, MOST + 1), PART,
                               VIEW_EMPTY, &out), CKR_TOKEN_RESOURCE_EXCEEDED);
    assert_int_equal(out.len, 0);
    assert_int_equal(run_once(&m, CKF_SIGN, pair.private, view_of(message, MOST + 1), VIEW_EMPTY,
                              &out), CKR_TOKEN_RESOURCE_EXCEEDED);
    writer_clear(&out);
    free(message);
    algo_key_free(pair.public);
    algo_key_free(pair.private);
}

/* PKCS #11 v3.1, 6.3.15: which of the five schemes there are. */
static void
parameters_choose_the_scheme(void **state)
{
    const struct mechanism_row *row = mechanism_row(CKM_EDDSA);
    const struct key_info ed25519 = { .bits = 255, .curve = 28 };
    const struct key_info ed448 = { .bits = 448, .curve = 29 };
    CK_BYTE context[] = "foo";
    static const struct {
        bool there, prehash;
        size_t context_len;
        CK_RV small, large;
    } rows[] = {
        { false, false, 0, CKR_OK, CKR_OK },
        { true, false, 0, CKR_MECHANISM_PARAM_INVALID, CKR_OK },
        { true, false, 3, CKR_MECHANISM_PARAM_INVALID, CKR_MECHANISM_PARAM_INVALID },
        { true, true, 0, CKR_MECHANISM_PARAM_INVALID, CKR_MECHANISM_PARAM_INVALID },
        { true, true, 3, CKR_MECHANISM_PARAM_INVALID, CKR_MECHANISM_PARAM_INVALID },
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        CK_EDDSA_PARAMS params = { rows[i].prehash, rows[i].context_len, context };
        CK_MECHANISM mechanism = { CKM_EDDSA, rows[i].there ? &params : NULL,
                                   rows[i].there ? sizeof params : 0 };
        struct mechanism m;

        assert_int_equal(params_take(row, &mechanism, &m), CKR_OK);
        assert_int_equal(m.params.eddsa.there, rows[i].there);
        assert_int_equal(params_check(standard, row, CKF_SIGN, &ed25519, &m), rows[i].small);
        assert_int_equal(params_check(standard, row, CKF_SIGN, &ed448, &m), rows[i].large);
    }
}

static void
structures_that_are_none_are_refused(void **state)
{
    CK_BYTE bytes[300] = { 0 };
    CK_EDDSA_PARAMS params = { CK_FALSE, 256, bytes };
    CK_MECHANISM mechanism = { CKM_EDDSA, &params, sizeof params };
    struct mechanism m;

    UNUSED(state);
    assert_int_equal(params_take(mechanism_row(CKM_EDDSA), &mechanism, &m),
                     CKR_MECHANISM_PARAM_INVALID);
    params = (CK_EDDSA_PARAMS){ CK_FALSE, 3, NULL };
    assert_int_equal(params_take(mechanism_row(CKM_EDDSA), &mechanism, &m),
                     CKR_MECHANISM_PARAM_INVALID);
    mechanism.ulParameterLen--;
    assert_int_equal(params_take(mechanism_row(CKM_EDDSA), &mechanism, &m),
                     CKR_MECHANISM_PARAM_INVALID);
    mechanism = (CK_MECHANISM){ CKM_EDDSA, NULL, sizeof params };
    assert_int_equal(params_take(mechanism_row(CKM_EDDSA), &mechanism, &m),
                     CKR_MECHANISM_PARAM_INVALID);
    mechanism = (CK_MECHANISM){ CKM_EDDSA, &params, 0 };
    assert_int_equal(params_take(mechanism_row(CKM_EDDSA), &mechanism, &m),
                     CKR_MECHANISM_PARAM_INVALID);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signatures_are_those_of_rfc_8032),
        cmocka_unit_test(the_public_key_follows_from_the_private),
        cmocka_unit_test(generated_pairs_sign),
        cmocka_unit_test(what_is_no_point_is_no_key),
        cmocka_unit_test(half_of_all_numbers_are_points),
        cmocka_unit_test(private_keys_have_the_length_of_their_curve),
        cmocka_unit_test(curves_of_another_form_are_refused),
        cmocka_unit_test(private_keys_are_decoded),
        cmocka_unit_test(damaged_private_keys_are_refused),
        cmocka_unit_test(encoded_keys_come_back),
        cmocka_unit_test(a_message_has_an_end),
        cmocka_unit_test(parameters_choose_the_scheme),
        cmocka_unit_test(structures_that_are_none_are_refused),
    };

    return cmocka_run_group_tests_name("eddsa", tests, NULL, NULL);
}
