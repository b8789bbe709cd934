/* SPDX-License-Identifier: Apache-2.0
 *
 * Ciphers and MACs against the vectors that come with the package python3-cryptography-vectors:
 * NIST's known answers and multi-block messages, the examples of SP 800-38B, RFC 6229. Each
 * record runs in both directions, at once and in parts. Skipped where the package is not there.
 */
#include "algo_fixture.h"

#include <ctype.h>
#include <strings.h>

#define VALUE_SIZE 16384u

static const char folder[] = "/usr/lib/python3/dist-packages/cryptography_vectors";

/* What a record may name; the rest is passed over. */
enum slot { KEY, KEY2, KEY3, IV, IN, OUT, OFFSET, COUNTER, UNIT, SLOT_COUNT };

static const struct {
    const char *name;
    enum slot slot;
} slots[] = {
    { "KEY", KEY },   { "KEYs", KEY },       { "KEY1", KEY },    { "KEY2", KEY2 },
    { "KEY3", KEY3 }, { "IV", IV },          { "PLAINTEXT", IN }, { "CIPHERTEXT", OUT },
    { "MESSAGE", IN }, { "OUTPUT", OUT },     { "OFFSET", OFFSET }, { "MSG", IN },
    { "PT", IN },     { "CT", OUT },         { "i", IV },         { "DataUnitLen", UNIT },
    { "TAG", OUT },   { "NONCE", IV },       { "INITIAL_BLOCK_COUNTER", COUNTER },
};

struct record {
    bool given[SLOT_COUNT];
    char text[SLOT_COUNT][VALUE_SIZE];
};

struct file {
    CK_MECHANISM_TYPE type;
    enum object_kind kind;
    unsigned least; /* records that there are at least */
    const char *path;
};

static struct record record;

/* ---- a record ---- */

static void
run_stream_at(const struct mechanism *m, const struct algo_key *key, size_t offset, view out)
{
    static uint8_t zeros[8192];
    struct writer whole;

    writer_init(&whole, OUT_MAX);
    assert_true(offset + out.len <= sizeof zeros);
    assert_int_equal(run_once(m, CKF_ENCRYPT, key, view_of(zeros, offset + out.len), VIEW_EMPTY,
                              &whole), CKR_OK);
    assert_view(view_slice(writer_view(&whole), offset, out.len), out);
    assert_runs(m, CKF_DECRYPT, key, writer_view(&whole), view_of(zeros, offset + out.len));
    writer_clear(&whole);
}

static void
run_record(const struct file *file)
{
    static char key_text[3 * VALUE_SIZE];
    /* One key of DES stands for three that are alike. */
    const bool alike = file->kind == KIND_DES && strlen(record.text[KEY]) == 16 &&
                       record.text[KEY2][0] == '\0';
    const char *second = record.text[alike ? KEY : KEY2];
    const char *third = record.text[alike ? KEY : KEY3];
    struct mechanism m = plain_mechanism(file->type);
    uint8_t counter[16] = { 0 };
    struct algo_key *key;
    view in = hex(record.text[IN]), out = hex(record.text[OUT]);

    snprintf(key_text, sizeof key_text, "%s%.16s%.16s", record.text[KEY], second, third);
    CHACHA_TYPE(file->type == CKM_POLY1305 ? CKK_POLY1305 : CKK_CHACHA20);
    key = secret_key(file->kind, hex(key_text));
    if (m.shape == PARAMS_iv) {
        m.params.iv.bytes = hex(record.text[IV]);
    }
    if (m.shape == PARAMS_chacha20) {
        counter[0] = (uint8_t)strtoul(record.text[COUNTER], NULL, 10); /* low byte first */
        m.params.chacha20.nonce = hex(record.text[IV]); /* some versions have 64 bits of each */
        m.params.chacha20.counter = view_of(counter, sizeof counter - m.params.chacha20.nonce.len);
    }
    VECTOR(file->type);
    if (record.given[OFFSET]) {
        run_stream_at(&m, key, strtoul(record.text[OFFSET], NULL, 10), out);
    } else if (mechanism_row(file->type)->out == OUT_mac) {
        assert_runs(&m, CKF_SIGN, key, in, out);
        assert_int_equal(run_once(&m, CKF_VERIFY, key, in, out, &(struct writer){ 0 }), CKR_OK);
    } else {
        assert_runs(&m, CKF_ENCRYPT, key, in, out);
        assert_runs(&m, CKF_DECRYPT, key, out, in);
    }
    algo_key_free(key);
}

/* ---- a file ---- */

/* "NAME = value": which slot, and the value without what surrounds it. */
static bool
line_read(char *line, enum slot *ret_slot, char **ret_value)
{
    char *equals = strchr(line, '=');
    char *end;

    if (equals == NULL || line[0] == '#') {
        return false;
    }
    for (end = equals; end > line && isspace((unsigned char)end[-1]); end--) {
    }
    *end = '\0';
    for (equals++; isspace((unsigned char)*equals); equals++) {
    }
    equals[strcspn(equals, " \t\r\n")] = '\0';
    for (size_t i = 0; i < ARRAY_COUNT(slots); i++) {
        if (strcasecmp(slots[i].name, line) == 0) {
            *ret_slot = slots[i].slot;
            *ret_value = equals;
            return true;
        }
    }
    return false;
}

static bool
record_is_whole(void)
{
    /* We have bytes: XTS's data units of 130 bits are for others. */
    return record.given[KEY] && record.given[IN] && record.given[OUT] &&
           strtoul(record.text[UNIT], NULL, 10) % 8 == 0;
}

/* An empty line ends a record. */
static unsigned
run_file(const struct file *file)
{
    static char line[2 * VALUE_SIZE];
    char path[512], *value;
    unsigned count = 0;
    enum slot slot;
    FILE *stream;

    snprintf(path, sizeof path, "%s/%s", folder, file->path);
    stream = fopen(path, "r");
    if (stream == NULL) {
        fail_msg("no %s", path);
    }
    memset(&record, 0, sizeof record);
    for (bool more = true; more;) {
        more = fgets(line, sizeof line, stream) != NULL;
        if (more && line_read(line, &slot, &value)) {
            assert_true(strlen(value) < VALUE_SIZE);
            strcpy(record.text[slot], value);
            record.given[slot] = true;
        } else if (!more || line[0] == '\n' || line[0] == '\r') {
            if (record_is_whole()) {
                run_record(file);
                count++;
            }
            memset(&record, 0, sizeof record);
        }
    }
    fclose(stream);
    return count;
}

static const struct file files[] = {
#define DES3(mode, name, least) \
    { CKM_DES3_##mode, KIND_DES, least, "ciphers/3DES/" #mode "/" name ".rsp" }
    DES3(ECB, "TECBMMT1", 20),      DES3(ECB, "TECBMMT2", 20),    DES3(ECB, "TECBMMT3", 20),
    DES3(ECB, "TECBinvperm", 64),   DES3(ECB, "TECBpermop", 32),  DES3(ECB, "TECBsubtab", 19),
    DES3(ECB, "TECBvarkey", 56),    DES3(ECB, "TECBvartext", 64), DES3(CBC, "TCBCMMT1", 20),
    DES3(CBC, "TCBCMMT2", 20),      DES3(CBC, "TCBCMMT3", 20),    DES3(CBC, "TCBCinvperm", 64),
    DES3(CBC, "TCBCpermop", 32),    DES3(CBC, "TCBCsubtab", 19),  DES3(CBC, "TCBCvarkey", 56),
    DES3(CBC, "TCBCvartext", 64),
    { CKM_DES3_CMAC, KIND_DES, 8, "CMAC/nist-800-38b-3des.txt" },
    { CKM_AES_XTS, KIND_AES_XTS, 600, "ciphers/AES/XTS/tweak-128hexstr/XTSGenAES128.rsp" },
    { CKM_AES_XTS, KIND_AES_XTS, 600, "ciphers/AES/XTS/tweak-128hexstr/XTSGenAES256.rsp" },
    { CKM_CHACHA20, KIND_CHACHA20, 3, "ciphers/ChaCha20/rfc7539.txt" },
    { CKM_POLY1305, KIND_CHACHA20, 11, "poly1305/rfc7539.txt" },
    { CKM_AES_CMAC, KIND_AES, 4, "CMAC/nist-800-38b-aes128.txt" },
    { CKM_AES_CMAC, KIND_AES, 4, "CMAC/nist-800-38b-aes192.txt" },
    { CKM_AES_CMAC, KIND_AES, 4, "CMAC/nist-800-38b-aes256.txt" },
#define RC4(name, least) { CKM_RC4, KIND_RC4, least, "ciphers/ARC4/" name ".txt" }
    RC4("arc4", 18),        RC4("rfc-6229-40", 36), RC4("rfc-6229-56", 36),
    RC4("rfc-6229-64", 36), RC4("rfc-6229-80", 36), RC4("rfc-6229-128", 36),
    RC4("rfc-6229-192", 36), RC4("rfc-6229-256", 36),
#define AES_OF(type, mode, name, bits) \
    { CKM_AES_##type, KIND_AES, 7, "ciphers/AES/" mode "/" name #bits ".rsp" }
#define AES(type, mode, name) \
    AES_OF(type, mode, name, 128), AES_OF(type, mode, name, 192), AES_OF(type, mode, name, 256)
#define AES_ALL(type, mode, name)                                                       \
    AES(type, mode, name "GFSbox"), AES(type, mode, name "MMT"), AES(type, mode, name "KeySbox"), \
        AES(type, mode, name "VarKey"), AES(type, mode, name "VarTxt")
    AES_ALL(ECB, "ECB", "ECB"),
    AES_ALL(CBC, "CBC", "CBC"),
    AES_ALL(OFB, "OFB", "OFB"),
    AES_ALL(CFB8, "CFB", "CFB8"),
    AES_ALL(CFB128, "CFB", "CFB128"),
};

static void
every_vector_agrees(void **state)
{
    FILE *there = fopen("/usr/lib/python3/dist-packages/cryptography_vectors/__init__.py", "r");
    unsigned total = 0;

    UNUSED(state);
    if (there == NULL) {
        print_message("skipped: no vectors in %s\n", folder);
        skip();
    }
    fclose(there);
    for (size_t i = 0; i < ARRAY_COUNT(files); i++) {
        unsigned count = run_file(&files[i]);

        if (count < files[i].least) {
            fail_msg("%s: %u records", files[i].path, count);
        }
        total += count;
    }
    print_message("%u records of %zu files\n", total, ARRAY_COUNT(files));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_vector_agrees),
    };

    return cmocka_run_group_tests_name("vectors", tests, GROUP_SETUP, GROUP_TEARDOWN);
}
