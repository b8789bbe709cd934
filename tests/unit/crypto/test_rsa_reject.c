/* SPDX-License-Identifier: Apache-2.0
 *
 * Implicit rejection: the numbers that the authors of draft-irtf-cfrg-rsa-guidance published with
 * it, and what a caller must not be able to see.
 */
#include "pair_fixture.h"

static const struct {
    const char *modulus, *exponent; /* the private one; the public one is 65537 */
} keys[] = {
    { "c8cc839714098da56caa23640f93dc8997c16372968fc1b0c6df5113c1c94e8b21e48ad2297e65419011"
      "b4e6d8f5e73b1b78b257400321d1ef6b602d4ec8ce8d141c94905eb4ad306639a49206534b6e7f260742"
      "3e97dffd133c88d721399defbc7e96ccdcbd7f3aae1fe892712bfb4929817d511666440a1facb7a208f5"
      "ea165910add8a3f2d497202360ccb632024f0d07169c1918f316f794b143aef54ec87522a4c02978f968"
      "9980bffbf649c307e81819bff88409638d48bd94be152b59ff649fa0bd629d0ffa1813c3abf4b56bd3c2"
      "ea5465dffa14589292a9d8a24ad26be7ee0510741b6382d43c83d5bfa40a46613d062be445517dbcaf0c"
      "b4e1a769",
      "1455010e0f2d587663a666a6ff1ccdbbf0edd8100646d02a023922908992c4ad39e5565929726ef6508c"
      "3a71158ef0b6ff751d39d07580bb2d2f063210442d0603ff50dbbd7b35fe2c9bb19a47a1af85a4c24901"
      "e02ca8b58b7919b20edf32aacfbf51adb4bc4b61b9b7e968caa4d570f70ef18d8063228893e47d439efc"
      "a793259bcf2cd108a3d8688cdf078e7ac799969f2339d2c1f522b969684629a933baaec2681625eab84f"
      "4e56f4447e9d88fb9a199cf71023e0e257b14441b33c84d3bc67ca8031d2612618103a7a0a40844262f7"
      "5d8890cd616e51f9035488fd6e099de8ff6d65a4ff118254807c9f58d2fbba8ba151dc8c68be349c977a"
      "204e04c1" },
    { "0155f889556a1775f1c7a7786a50b18bc28c9e986ede5667cab39b84124e90eba75c1db083ac3e443bba"
      "94dc23560f75e3a81693a2a43bdc7426d8c4eafe68c85de0fe757f6e49bb9ed447e602430800dbb04ceb"
      "22e7fa57a18d338fb66026cdb467e70cc040e7d367ef403c7bf1e3df624650094631f21eafd2fb5bc915"
      "ff04379acd1112f732c0b46607c178d38a20f52eda509f2f9c0405d51069e80ccf941554d0470467505c"
      "3cf541ea0897dfc9f400cecb298ffc753372d9f6933af174cc40ed96d467031733b97f8cddd3f92bc3a0"
      "3ea8576c417f24007b5e4f7501105b544de9fadcdffadf98dfb4bb05b8199f3f85acfd91f7a9a094b9a3"
      "83f5049097",
      "0119c2b3f50a7ad6152679d7ff510958ac2d8ca6f0028592f332d55a16736178a8e67f17e705ce300e3e"
      "87547251006013f974d0a3db49ef344ca5a26a34c0450704d0e422e0ce23a69425c15fefb6f26e106eef"
      "f64cc8b9d7442e4da4e8c85008eaeb365859a2294fa3937bc26be56332e7d81e2c160ef635cc528aa7be"
      "55e633a723dbc1e16ba29e52b29aef2f9e5654fdc0666bb0fc254acbe80e63874f0f5f020782e3c9dcfc"
      "2520d0c9c4a7b634e4503fbb493e1aafeeb3f88bd7a13398725dae6fe399e775cd5d4cf09fc838347c4c"
      "98dab1a4883cce620513615afaa10a63368e6d7b79df4166ab162739ef515a4402ee1e0601c5a55bc71d"
      "f0e30edf81" },
};

static const struct {
    unsigned key;
    const char *what, *in, *out;
} vectors[] = {
    { 0, "right",
      "8bfe264e85d3bdeaa6b8851b8e3b956ee3d226fd3f69063a86880173a273d9f283b2eebdd1ed35f7e02d"
      "91c571981b6737d5320bd8396b0f3ad5b019daec1b0aab3cbbc026395f4fd14f13673f2dfc81f9b660ec"
      "26ac381e6db3299b4e460b43fab9955df2b3cfaa20e900e19c856238fd371899c2bf2ce8c868b76754e5"
      "db3b036533fd603746be13c10d4e3e6022ebc905d20c2a7f32b215a4cd53b3f44ca1c327d2c2b6511458"
      "21c08396c89071f665349c25e44d2733cd9305985ceef6430c3cf57af5fa224089221218fa34737c79c4"
      "46d28a94c41c96e4e92ac53fbcf384dea8419ea089f8784445a492c812eb0d409467f75afd7d4d107888"
      "6205a066",
      "6c6f72656d20697073756d20646f6c6f722073697420616d6574" },
    { 0, "wrong, and no message",
      "20aaa8adbbc593a924ba1c5c7990b5c2242ae4b99d0fe636a19a4cf754edbcee774e472fe028160ed426"
      "34f8864900cb514006da642cae6ae8c7d087caebcfa6dad1551301e130344989a1d462d4164505f63939"
      "33450c67bc6d39d8f5160907cabc251b737925a1cf21e5c6aa5781b7769f6a2a583d97cce008c0f8b6ad"
      "d5f0b2bd80bee60237aa39bb20719fe75749f4bc4e42466ef5a861ae3a92395c7d858d430bfe38040f44"
      "5ea93fa2958b503539800ffa5ce5f8cf51fa8171a91f36cb4f4575e8de6b4d3f096ee140b938fd2f50ee"
      "13f0d050222e2a72b0a3069ff3a6738e82c87090caa5aed4fcbe882c49646aa250b98f12f83c8d528113"
      "614a29e7",
      "" },
    { 0, "wrong, and the longest message",
      "48cceab10f39a4db32f60074feea473cbcdb7accf92e150417f76b44756b190e843e79ec12aa85083a21"
      "f5437e7bad0a60482e601198f9d86923239c8786ee728285afd0937f7dde12717f28389843d7375912b0"
      "7b991f4fdb0190fced8ba665314367e8c5f9d2981d0f5128feeb46cb50fc237e64438a86df198dd02093"
      "64ae3a842d77532b66b7ef263b83b1541ed671b120dfd660462e2107a4ee7b964e734a7bd68d90dda617"
      "70658a3c242948532da32648687e0318286473f675b412d6468f013f14d760a358dfcad3cda2afeec5e2"
      "68a37d250c37f722f468a70dfd92d7294c3c1ee1e7f8843b7d16f9f37ef35748c3ae93aa155cdcdfeb4e"
      "78567303",
      "22d850137b9eebe092b24f602dc5bb7918c16bd89ddbf20467b119d205f9c2e4bd7d2592cf1e532106e0"
      "f33557565923c73a02d4f09c0c22bea89148183e60317f7028b3aa1f261f91c979393101d7e15f4067e6"
      "3979b32751658ef769610fe97cf9cef3278b3117d384051c3b1d82c251c2305418c8f6840530e631aad6"
      "3e70e20e025bcd8efb54c92ec6d3b106a2f8e64eeff7d38495b0fc50c97138af4b1c0a67a1c4e27b077b"
      "8439332edfa8608dfeae653cd6a628ac550395f7e74390e42c11682234870925eeaa1fa71b76cf1f2ee3"
      "bda69f6717033ff8b7c95c9799e7a3bea5e7e4a1c359772fb6b1c6e6c516661dfe30c3" },
    { 0, "wrong, its length is the last but one",
      "1439e08c3f84c1a7fec74ce07614b20e01f6fa4e8c2a6cffdc3520d8889e5d9a950c6425798f85d4be38"
      "d300ea5695f13ecd4cb389d1ff5b82484b494d6280ab7fa78e645933981cb934cce8bfcd114cc0e6811e"
      "efa47aae20af638a1cd163d2d3366186d0a07df0c81f6c9f3171cf3561472e98a6006bf75ddb457bed03"
      "6dcce199369de7d94ef2c68e8467ee0604eea2b3009479162a7891ba5c40cab17f49e1c438cb6eaea4f7"
      "6ce23cce0e483ff0e96fa790ea15be67671814342d0a23f4a20262b6182e72f3a67cd289711503c85516"
      "a9ed225422f98b116f1ab080a80abd6f0216df88d8cfd67c139243be8dd78502a7aaf6bc99d7da71bcdf"
      "627e7354",
      "0f9b" },
    { 0, "right, and the ciphertext begins with 0",
      "00a2e8f114ea8d05d12dc843e3cc3b2edc8229ff2a028bda29ba9d55e3cd02911902fef1f42a075bf05e"
      "8016e8567213d6f260fa49e360779dd81aeea3e04c2cb567e0d72b98bf754014561b7511e083d20e0bfb"
      "9cd23f8a0d3c88900c49d2fcd5843ff0765607b2026f28202a87aa94678aed22a0c20724541394cd8f44"
      "e373eba1d2bae98f516c1e2ba3d86852d064f856b1daf24795e767a2b90396e50743e3150664afab131f"
      "e40ea405dcf572dd1079af1d3f0392ccadcca0a12740dbb213b925ca2a06b1bc1383e83a658c82ba2e74"
      "27342379084d5f66b544579f07664cb26edd4f10fd913fdbc0de05ef887d4d1ec1ac95652397ea7fd4e4"
      "759fda8b",
      "6c6f72656d20697073756d" },
    { 0, "not 0 first",
      "9b2ec9c0c917c98f1ad3d0119aec6be51ae3106e9af1914d48600ab6a2c0c0c8ae02a2dc3039906ff3aa"
      "c904af32ec798fd65f3ad1afa2e69400e7c1de81f5728f3b3291f38263bc7a90a0563e43ce7a0d4ee9c0"
      "d8a716621ca5d3d081188769ce1b131af7d35b13dea99153579c86db31fe07d5a2c14d621b77854e48a8"
      "df41b5798563af489a291e417b6a334c63222627376118c02c53b6e86310f728734ffc86ef9d7c8bf56c"
      "0c841b24b82b59f51aee4526ba1c4268506d301e4ebc498c6aebb6fd5258c876bf900bac8ca4d309dd52"
      "2f6a6343599a8bc3760f422c10c72d0ad527ce4af1874124ace3d99bb74db8d69d2528db22c3a3764464"
      "0f95c05f",
      "a1f8c9255c35cfba403ccc" },
    { 0, "not 2 next",
      "782c2b59a21a511243820acedd567c136f6d3090c115232a82a5efb0b178285f55b5ec2d2bac96bf00d6"
      "592ea7cdc3341610c8fb07e527e5e2d20cfaf2c7f23e375431f45e998929a02f25fd95354c33838090bc"
      "a838502259e92d86d568bc2cdb132fab2a399593ca60a015dc2bb1afcd64fef8a3834e17e5358d822980"
      "dc446e845b3ab4702b1ee41fe5db716d92348d5091c15d35a110555a35deb4650a5a1d2c98025d42d454"
      "4f8b32aa6a5e02dc02deaed9a7313b73b49b0d4772a3768b0ea0db5846ace6569cae677bf67fb0acf3c2"
      "55dc01ec8400c963b6e49b1067728b4e563d7e1e1515664347b92ee64db7efb5452357a02fff7fcb7437"
      "abc2e579",
      "e6d700309ca0ed62452254" },
    { 0, "a zero in the eighth byte of the padding",
      "a7a340675a82c30e22219a55bc07cdf36d47d01834c1834f917f18b517419ce9de2a96460e7450244364"
      "70ed85e94297b283537d52189c406a3f533cb405cc6a9dba46b482ce98b6e3dd52d8fce2237425617e38"
      "c11fbc46b61897ef200d01e4f25f5f6c4c5b38cd0de38ba11908b86595a8036a08a42a3d05b79600a97a"
      "c18ba368a08d6cf6ccb624f6e8002afc75599fba4de3d4f3ba7d208391ebe8d21f8282b18e2c10869eb2"
      "702e68f9176b42b0ddc9d763f0c86ba0ff92c957aaeab76d9ab8da52ea297ec11d92d770146faa1b300e"
      "0f91ef969b53e7d2907ffc984e9a9c9d11fb7d6cba91972059b46506b035efec6575c46d7114a6b93586"
      "4858445f",
      "63cb0bf65fc8255dd29e17" },
    { 0, "no zero at all",
      "3d1b97e7aa34eaf1f4fc171ceb11dcfffd9a46a5b6961205b10b302818c1fcc9f4ec78bf18ea0cee7e9f"
      "a5b16fb4c611463b368b3312ac11cf9c06b7cf72b54e284848a508d3f02328c62c2999d0fb60929f8178"
      "3c7a256891bc2ff4d91df2af96a24fc5701a1823af939ce6dbdc510608e3d41eec172ad2d51b9fc61b42"
      "17c923cadcf5bac321355ef8be5e5f090cdc2bd0c697d9058247db3ad613fdce87d2955a6d1c948a5160"
      "f93da21f731d74137f5d1f53a1923adb513d2e6e1589d44cc079f4c6ddd471d38ac82d20d8b1d21f8d65"
      "f3b6907086809f4123e08d86fb38729585de026a485d8f0e703fd4772f6668febf67df947b82195fa386"
      "7e3a3065",
      "6f09a0b62699337c497b0b" },
    { 1, "right, with a modulus of 2049 bits",
      "013300edbf0bb3571e59889f7ed76970bf6d57e1c89bbb6d1c3991d9df8e65ed54b556d928da7d768fac"
      "b395bbcc81e9f8573b45cf8195dbd85d83a59281cddf4163aec11b53b4140053e3bd109f787a7c3cec31"
      "d535af1f50e0598d85d96d91ea01913d07097d25af99c67464ebf2bb396fb28a9233e56f31f7e105d71a"
      "23e9ef3b736d1e80e713d1691713df97334779552fc94b40dd733c7251bc522b673d3ec9354af3dd4ad4"
      "4fa71c0662213a57ada1d75149697d0eb55c053aaed5ffd0b815832f454179519d3736fb4faf80841607"
      "1db0d0f801aca8548311ee708c131f4be658b15f6b54256872c2903ac708bd43b017b073b5707bc84c2c"
      "d9da70e967",
      "6c6f72656d20697073756d" },
    { 1, "wrong, with a modulus of 2049 bits",
      "00f910200830fc8fff478e99e145f1474b312e2512d0f90b8cef77f8001d09861688c156d1cbaf8a8957"
      "f7ebf35f724466952d0524cad48aad4fba1e45ce8ea27e8f3ba44131b7831b62d60c0762661f4c1d1a88"
      "cd06263a259abf1ba9e6b0b172069afb86a7e88387726f8ab3adb30bfd6b3f6be6d85d5dfd044e7ef052"
      "395474a9cbb1c3667a92780b43a22693015af6c513041bdaf87d43b24ddd244e791eeaea1066e1f49171"
      "17b3a468e22e0f7358852bb981248de4d720add2d15dccba6280355935b67c96f9dcb6c419cc38ab9f6f"
      "ba2d649ef2066e0c34c9f788ae49babd9025fa85b21113e56ce4f43aa134c512b030dd7ac7ce82e76f0b"
      "e9ce09ebca",
      "1189b6f5498fd6df532b00" },
    { 1, "wrong, its length is the last but two",
      "00b26f6404b82649629f2704494282443776929122e279a9cf30b0c6fe8122a0a9042870d97cc8ef6549"
      "0fe58f031eb2442352191f5fbc311026b5147d32df914599f38b825ebb824af0d63f2d541a245c5775d1"
      "c4b78630e4996cc5fe413d38455a776cf4edcc0aa7fccb31c584d60502ed2b77398f536e137ff7ba6430"
      "e9258e21c2db5b82f5380f566876110ac4c759178900fbad7ab70ea07b1daf7a1639cbb4196543a6cbe8"
      "271f35dddb8120304f6eef83059e1c5c5678710f904a6d760c4d1d8ad076be17904b9e69910040b47914"
      "a0176fb7eea0c06444a6c4b86d674d19a556a1de5490373cb01ce31bbd15a5633362d3d2cd7d4af1b4c5"
      "121288b894",
      "42" },
};

static struct mechanism pkcs1;

static struct algo_key *
key_new(size_t i)
{
    struct algo_key *key = NULL;
    struct writer attributes, secrets;

    writer_init(&attributes, ATTRIBUTES_BYTES_MAX);
    writer_init(&secrets, ATTRIBUTES_BYTES_MAX);
    attribute_write(&attributes, CKA_MODULUS, hex(keys[i].modulus));
    attribute_write(&attributes, CKA_PUBLIC_EXPONENT, hex("010001"));
    attribute_write(&secrets, CKA_PRIVATE_EXPONENT, hex(keys[i].exponent));
    assert_int_equal(algo_key_new(KIND_RSA_PRIVATE, writer_view(&attributes),
                                  writer_view(&secrets), &key), CKR_OK);
    writer_clear(&attributes);
    writer_clear(&secrets);
    return key;
}

static void
published_numbers_come_out(void **state)
{
    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(vectors); i++) {
        struct algo_key *key = key_new(vectors[i].key);

        print_message("%s\n", vectors[i].what);
        assert_runs(&pkcs1, CKF_DECRYPT, key, hex(vectors[i].in), hex(vectors[i].out));
        algo_key_free(key);
    }
}

/* Each byte of the ciphertext makes another message; the same one always the same. */
static void
a_wrong_ciphertext_always_has_the_same_message(void **state)
{
    struct algo_key *key = key_new(0), *again = key_new(0);
    uint8_t in[256];
    struct writer first, second, before;

    UNUSED(state);
    writer_init(&first, OUT_MAX);
    writer_init(&second, OUT_MAX);
    writer_init(&before, OUT_MAX);
    memcpy(in, hex(vectors[0].in).data, sizeof in);
    for (size_t i = 0; i < 40; i++) {
        in[sizeof in - 1 - i] ^= 1;
        writer_reset(&first);
        writer_reset(&second);
        assert_int_equal(run_once(&pkcs1, CKF_DECRYPT, key, view_of(in, sizeof in), VIEW_EMPTY,
                                  &first), CKR_OK);
        assert_int_equal(run_once(&pkcs1, CKF_DECRYPT, again, view_of(in, sizeof in), VIEW_EMPTY,
                                  &second), CKR_OK);
        assert_view(writer_view(&first), writer_view(&second));
        assert_true(first.len <= sizeof in - 11);
        assert_false(first.len > 0 && view_equal(writer_view(&first), writer_view(&before)));
        writer_reset(&before);
        write_raw(&before, writer_view(&first));
    }
    writer_clear(&first);
    writer_clear(&second);
    writer_clear(&before);
    algo_key_free(key);
    algo_key_free(again);
}

/* The lengths of what stands in are spread over all there can be. */
static void
lengths_tell_nothing(void **state)
{
    struct algo_key *key = key_new(0);
    unsigned quarters[4] = { 0 };
    struct writer out;

    UNUSED(state);
    writer_init(&out, OUT_MAX);
    for (unsigned i = 0; i < 200; i++) {
        uint8_t in[256] = { 0 };

        in[255] = (uint8_t)i;
        in[1] = 7;
        writer_reset(&out);
        assert_int_equal(run_once(&pkcs1, CKF_DECRYPT, key, view_of(in, sizeof in), VIEW_EMPTY,
                                  &out), CKR_OK);
        quarters[out.len * 4 / 246]++;
    }
    for (size_t i = 0; i < 4; i++) {
        assert_in_range(quarters[i], 25, 80); /* 50 each; the numbers are always the same */
    }
    writer_clear(&out);
    algo_key_free(key);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_numbers_come_out),
        cmocka_unit_test(a_wrong_ciphertext_always_has_the_same_message),
        cmocka_unit_test(lengths_tell_nothing),
    };

    pkcs1 = plain_mechanism(CKM_RSA_PKCS);
    return cmocka_run_group_tests_name("rsa_reject", tests, NULL, NULL);
}
