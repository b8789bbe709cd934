/* SPDX-License-Identifier: Apache-2.0
 *
 * One operation on the module, for scripts that hold its results against another program.
 *
 *   p11op MODULE generate aes|generic|rsa|ec LABEL BYTES|BITS|CURVE
 *   p11op MODULE import TYPE LABEL HEX                   TYPE: aes, generic, des3, ... of types[]
 *   p11op MODULE import-rsa LABEL MODULUS EXPONENT       public keys, in hexadecimal
 *   p11op MODULE import-ec LABEL CURVE POINT
 *   p11op MODULE export LABEL OUT                        the public key, as DER
 *   p11op MODULE sign|encrypt|decrypt MECHANISM LABEL IN OUT
 *   p11op MODULE verify MECHANISM LABEL IN SIGNATURE
 *   p11op MODULE digest MECHANISM IN OUT
 *   p11op MODULE random BYTES OUT
 *   p11op MODULE count LABEL
 *   p11op MODULE attribute secret|public|private LABEL TYPE      TYPE in hexadecimal
 *
 * MECHANISM is a name without CKM_, then :iv=HEX :aad=HEX :tag=BITS :counter=BITS|HEX :hash=SHA256
 * :salt=BYTES :mac=BYTES where it wants parameters. With P11_CHUNK=N data goes in pieces of N bytes, else in
 * one. ECDSA signatures are written and read as DER. $P11_PIN is the PIN if not cu1's.
 */
#include "p11.h"

#define FILE_MAX_LEN (16u << 20)

static const char *pin;
static CK_SESSION_HANDLE session;

enum shape { NOTHING, IV, CTR, GCM, OAEP, PSS, CHACHA, SEALED, MAC };

static const struct row {
    const char *name;
    CK_MECHANISM_TYPE type;
    enum shape shape;
    const char *hash;
    bool der;
} rows[] = {
    { "RSA_PKCS", CKM_RSA_PKCS, NOTHING, NULL, false },
    { "SHA1_RSA_PKCS", CKM_SHA1_RSA_PKCS, NOTHING, NULL, false },
    { "SHA224_RSA_PKCS", CKM_SHA224_RSA_PKCS, NOTHING, NULL, false },
    { "SHA256_RSA_PKCS", CKM_SHA256_RSA_PKCS, NOTHING, NULL, false },
    { "SHA384_RSA_PKCS", CKM_SHA384_RSA_PKCS, NOTHING, NULL, false },
    { "SHA512_RSA_PKCS", CKM_SHA512_RSA_PKCS, NOTHING, NULL, false },
    { "RSA_PKCS_PSS", CKM_RSA_PKCS_PSS, PSS, "SHA256", false },
    { "SHA1_RSA_PKCS_PSS", CKM_SHA1_RSA_PKCS_PSS, PSS, "SHA1", false },
    { "SHA224_RSA_PKCS_PSS", CKM_SHA224_RSA_PKCS_PSS, PSS, "SHA224", false },
    { "SHA256_RSA_PKCS_PSS", CKM_SHA256_RSA_PKCS_PSS, PSS, "SHA256", false },
    { "SHA384_RSA_PKCS_PSS", CKM_SHA384_RSA_PKCS_PSS, PSS, "SHA384", false },
    { "SHA512_RSA_PKCS_PSS", CKM_SHA512_RSA_PKCS_PSS, PSS, "SHA512", false },
    { "RSA_PKCS_OAEP", CKM_RSA_PKCS_OAEP, OAEP, "SHA1", false },
    { "ECDSA", CKM_ECDSA, NOTHING, NULL, true },
    { "ECDSA_SHA1", CKM_ECDSA_SHA1, NOTHING, NULL, true },
    { "ECDSA_SHA224", CKM_ECDSA_SHA224, NOTHING, NULL, true },
    { "ECDSA_SHA256", CKM_ECDSA_SHA256, NOTHING, NULL, true },
    { "ECDSA_SHA384", CKM_ECDSA_SHA384, NOTHING, NULL, true },
    { "ECDSA_SHA512", CKM_ECDSA_SHA512, NOTHING, NULL, true },
    { "EDDSA", CKM_EDDSA, NOTHING, NULL, false },
    { "SHA1_HMAC", CKM_SHA_1_HMAC, NOTHING, NULL, false },
    { "SHA224_HMAC", CKM_SHA224_HMAC, NOTHING, NULL, false },
    { "SHA256_HMAC", CKM_SHA256_HMAC, NOTHING, NULL, false },
    { "SHA384_HMAC", CKM_SHA384_HMAC, NOTHING, NULL, false },
    { "SHA512_HMAC", CKM_SHA512_HMAC, NOTHING, NULL, false },
    { "SHA1", CKM_SHA_1, NOTHING, NULL, false },
    { "SHA224", CKM_SHA224, NOTHING, NULL, false },
    { "SHA256", CKM_SHA256, NOTHING, NULL, false },
    { "SHA384", CKM_SHA384, NOTHING, NULL, false },
    { "SHA512", CKM_SHA512, NOTHING, NULL, false },
    { "AES_ECB", CKM_AES_ECB, NOTHING, NULL, false },
    { "AES_CBC", CKM_AES_CBC, IV, NULL, false },
    { "AES_CBC_PAD", CKM_AES_CBC_PAD, IV, NULL, false },
    { "AES_CTR", CKM_AES_CTR, CTR, NULL, false },
    { "AES_GCM", CKM_AES_GCM, GCM, NULL, false },
    { "AES_OFB", CKM_AES_OFB, IV, NULL, false },
    { "AES_CFB1", CKM_AES_CFB1, IV, NULL, false },
    { "AES_CFB8", CKM_AES_CFB8, IV, NULL, false },
    { "AES_CFB128", CKM_AES_CFB128, IV, NULL, false },
    { "AES_CTS", CKM_AES_CTS, IV, NULL, false },
    { "AES_XTS", CKM_AES_XTS, IV, NULL, false },
    { "AES_CMAC", CKM_AES_CMAC, NOTHING, NULL, false },
    { "AES_MAC_GENERAL", CKM_AES_MAC_GENERAL, MAC, NULL, false },
    { "DES_ECB", CKM_DES_ECB, NOTHING, NULL, false },
    { "DES_CBC", CKM_DES_CBC, IV, NULL, false },
    { "DES_CBC_PAD", CKM_DES_CBC_PAD, IV, NULL, false },
    { "DES3_ECB", CKM_DES3_ECB, NOTHING, NULL, false },
    { "DES3_CBC", CKM_DES3_CBC, IV, NULL, false },
    { "DES3_CBC_PAD", CKM_DES3_CBC_PAD, IV, NULL, false },
    { "DES3_CMAC", CKM_DES3_CMAC, NOTHING, NULL, false },
    { "RC4", CKM_RC4, NOTHING, NULL, false },
    { "CHACHA20", CKM_CHACHA20, CHACHA, NULL, false },
    { "CHACHA20_POLY1305", CKM_CHACHA20_POLY1305, SEALED, NULL, false },
    { "POLY1305", CKM_POLY1305, NOTHING, NULL, false },
    { "SHA256_HMAC_GENERAL", CKM_SHA256_HMAC_GENERAL, MAC, NULL, false },
};

static const struct {
    const char *name;
    CK_KEY_TYPE type;
    CK_ATTRIBUTE_TYPE makes, takes; /* what the key is for */
} types[] = {
    { "aes", CKK_AES, CKA_ENCRYPT, CKA_DECRYPT },
    { "aes-mac", CKK_AES, CKA_SIGN, CKA_VERIFY },
    { "xts", CKK_AES_XTS, CKA_ENCRYPT, CKA_DECRYPT },
    { "generic", CKK_GENERIC_SECRET, CKA_SIGN, CKA_VERIFY },
    { "des", CKK_DES, CKA_ENCRYPT, CKA_DECRYPT },
    { "des2", CKK_DES2, CKA_ENCRYPT, CKA_DECRYPT },
    { "des3", CKK_DES3, CKA_ENCRYPT, CKA_DECRYPT },
    { "des3-mac", CKK_DES3, CKA_SIGN, CKA_VERIFY },
    { "rc4", CKK_RC4, CKA_ENCRYPT, CKA_DECRYPT },
    { "chacha20", CKK_CHACHA20, CKA_ENCRYPT, CKA_DECRYPT },
    { "poly1305", CKK_POLY1305, CKA_SIGN, CKA_VERIFY },
};

static const struct {
    const char *name;
    CK_MECHANISM_TYPE type;
    CK_RSA_PKCS_MGF_TYPE mgf;
    CK_ULONG len;
} hashes[] = {
    { "SHA1", CKM_SHA_1, CKG_MGF1_SHA1, 20 },
    { "SHA224", CKM_SHA224, CKG_MGF1_SHA224, 28 },
    { "SHA256", CKM_SHA256, CKG_MGF1_SHA256, 32 },
    { "SHA384", CKM_SHA384, CKG_MGF1_SHA384, 48 },
    { "SHA512", CKM_SHA512, CKG_MGF1_SHA512, 64 },
};

static const struct {
    const char *name;
    const char *oid;
    size_t oid_len;
} curves[] = {
    { "prime256v1", "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", 10 },
    { "secp384r1", "\x06\x05\x2b\x81\x04\x00\x22", 7 },
    { "secp521r1", "\x06\x05\x2b\x81\x04\x00\x23", 7 },
    { "ED25519", "\x06\x03\x2b\x65\x70", 5 }, /* of policies with one generator for all */
};

struct bytes {
    uint8_t *data;
    size_t len;
};

static struct bytes
bytes_new(size_t len)
{
    struct bytes bytes = { calloc(1, len + 1), len };

    if (bytes.data == NULL) {
        die("out of memory");
    }
    return bytes;
}

static struct bytes
from_hex(const char *text)
{
    struct bytes bytes = bytes_new(strlen(text) / 2);

    for (size_t i = 0; i < bytes.len; i++) {
        char digits[3] = { text[2 * i], text[2 * i + 1], '\0' };

        bytes.data[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return bytes;
}

static struct bytes
from_file(const char *name)
{
    struct bytes bytes = bytes_new(FILE_MAX_LEN);
    FILE *file = fopen(name, "rb");

    if (file == NULL) {
        die("cannot read %s", name);
    }
    bytes.len = fread(bytes.data, 1, FILE_MAX_LEN, file);
    fclose(file);
    return bytes;
}

static void
to_file(const char *name, struct bytes bytes)
{
    FILE *file = fopen(name, "wb");

    if (file == NULL || fwrite(bytes.data, 1, bytes.len, file) != bytes.len ||
        fclose(file) != 0) {
        die("cannot write %s", name);
    }
}

/* The part after `name=` of a mechanism's words, NULL when it is not there. */
static char *
word(char **words, const char *name)
{
    size_t len = strlen(name);

    for (; *words != NULL; words++) {
        if (strncmp(*words, name, len) == 0 && (*words)[len] == '=') {
            return *words + len + 1;
        }
    }
    return NULL;
}

static CK_ULONG
number(char **words, const char *name, CK_ULONG otherwise)
{
    const char *text = word(words, name);

    return text != NULL ? strtoul(text, NULL, 10) : otherwise;
}

static struct bytes
hex(char **words, const char *name)
{
    const char *text = word(words, name);

    return from_hex(text != NULL ? text : "");
}

/* The mechanism with its parameter, which lives as long as the program. */
static const struct row *
mechanism_of(char *text, CK_MECHANISM *ret_mechanism)
{
    static CK_AES_CTR_PARAMS ctr;
    static CK_GCM_PARAMS gcm;
    static CK_CHACHA20_PARAMS chacha;
    static CK_SALSA20_CHACHA20_POLY1305_PARAMS sealed;
    static CK_MAC_GENERAL_PARAMS mac;
    struct bytes counter;
    static CK_RSA_PKCS_OAEP_PARAMS oaep;
    static CK_RSA_PKCS_PSS_PARAMS pss;
    const struct row *row = NULL;
    char *words[16] = { NULL }, *rest = NULL;
    const char *hash;
    size_t h = 0;
    struct bytes iv, aad;

    words[0] = strtok_r(text, ":", &rest);
    for (size_t i = 1; i < COUNT(words) - 1 && words[i - 1] != NULL; i++) {
        words[i] = strtok_r(NULL, ":", &rest);
    }
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (strcmp(rows[i].name, words[0]) == 0) {
            row = &rows[i];
        }
    }
    if (row == NULL) {
        die("no mechanism %s", words[0]);
    }
    if ((hash = word(words, "hash")) == NULL) {
        hash = row->hash;
    }
    while (hash != NULL && strcmp(hashes[h].name, hash) != 0) {
        h++;
    }
    iv = hex(words, "iv");
    aad = hex(words, "aad");
    *ret_mechanism = (CK_MECHANISM){ row->type, NULL, 0 };
    switch (row->shape) {
    case NOTHING:
        break;
    case IV:
        *ret_mechanism = (CK_MECHANISM){ row->type, iv.data, iv.len };
        break;
    case CTR:
        ctr.ulCounterBits = number(words, "counter", 128);
        memcpy(ctr.cb, iv.data, sizeof ctr.cb);
        *ret_mechanism = (CK_MECHANISM){ row->type, &ctr, sizeof ctr };
        break;
    case GCM:
        gcm = (CK_GCM_PARAMS){ .pIv = iv.data, .ulIvLen = iv.len, .ulIvBits = iv.len * 8,
                               .pAAD = aad.data, .ulAADLen = aad.len,
                               .ulTagBits = number(words, "tag", 128) };
        *ret_mechanism = (CK_MECHANISM){ row->type, &gcm, sizeof gcm };
        break;
    case CHACHA:
        counter = hex(words, "counter");
        chacha = (CK_CHACHA20_PARAMS){ counter.data, counter.len * 8, iv.data, iv.len * 8 };
        *ret_mechanism = (CK_MECHANISM){ row->type, &chacha, sizeof chacha };
        break;
    case SEALED:
        sealed = (CK_SALSA20_CHACHA20_POLY1305_PARAMS){ iv.data, iv.len * 8, aad.data, aad.len };
        *ret_mechanism = (CK_MECHANISM){ row->type, &sealed, sizeof sealed };
        break;
    case MAC:
        mac = number(words, "mac", 8);
        *ret_mechanism = (CK_MECHANISM){ row->type, &mac, sizeof mac };
        break;
    case OAEP:
        oaep = (CK_RSA_PKCS_OAEP_PARAMS){ .hashAlg = hashes[h].type, .mgf = hashes[h].mgf,
                                          .source = CKZ_DATA_SPECIFIED };
        *ret_mechanism = (CK_MECHANISM){ row->type, &oaep, sizeof oaep };
        break;
    case PSS:
        pss = (CK_RSA_PKCS_PSS_PARAMS){ .hashAlg = hashes[h].type, .mgf = hashes[h].mgf,
                                        .sLen = number(words, "salt", hashes[h].len) };
        *ret_mechanism = (CK_MECHANISM){ row->type, &pss, sizeof pss };
        break;
    }
    return row;
}

static CK_OBJECT_HANDLE
key_of(const char *label, CK_OBJECT_CLASS class)
{
    CK_ATTRIBUTE template[] = {
        ATTR_BYTES(CKA_LABEL, label, strlen(label)),
        ATTR(CKA_CLASS, class),
    };
    CK_OBJECT_HANDLE found[1] = { 0 };

    if (p11_find(session, template, COUNT(template), found, 1) != 1) {
        die("not exactly one key %s of class %lu", label, class);
    }
    return found[0];
}

/* A secret key if that is what the label names, else the given half of a pair. */
static CK_OBJECT_HANDLE
secret_or(const char *label, CK_OBJECT_CLASS half)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_ATTRIBUTE template[] = {
        ATTR_BYTES(CKA_LABEL, label, strlen(label)),
        ATTR(CKA_CLASS, class),
    };
    CK_OBJECT_HANDLE found[1] = { 0 };

    return p11_find(session, template, COUNT(template), found, 1) == 1 ? found[0]
                                                                         : key_of(label, half);
}

/* An integer of a DER signature: no leading zeros but one before a high bit. */
static size_t
der_integer(const uint8_t *value, size_t len, uint8_t *out)
{
    size_t n = 0;

    while (len > 1 && value[0] == 0) {
        value++;
        len--;
    }
    out[n++] = 0x02;
    out[n++] = (uint8_t)(len + (value[0] >> 7));
    if (value[0] & 0x80) {
        out[n++] = 0;
    }
    memcpy(out + n, value, len);
    return n + len;
}

static struct bytes
der_of(struct bytes raw)
{
    struct bytes der = bytes_new(raw.len + 16);
    uint8_t body[256];
    size_t len, n = 0;

    len = der_integer(raw.data, raw.len / 2, body);
    len += der_integer(raw.data + raw.len / 2, raw.len / 2, body + len);
    der.data[n++] = 0x30;
    if (len > 127) {
        der.data[n++] = 0x81;
    }
    der.data[n++] = (uint8_t)len;
    memcpy(der.data + n, body, len);
    der.len = n + len;
    return der;
}

static struct bytes
raw_of(struct bytes der, size_t half)
{
    struct bytes raw = bytes_new(2 * half);
    const uint8_t *p = der.data + (der.data[1] == 0x81 ? 3 : 2);

    for (size_t i = 0; i < 2; i++) {
        size_t len = p[1];

        p += 2;
        while (len > half) {
            p++;
            len--;
        }
        memcpy(raw.data + i * half + (half - len), p, len);
        p += len;
    }
    return raw;
}

static void
generate(char **args)
{
    CK_ULONG size = strtoul(args[2], NULL, 10);
    const char *label = args[1];
    CK_OBJECT_HANDLE public = 0, private = 0;

    if (strcmp(args[0], "aes") == 0 || strcmp(args[0], "generic") == 0) {
        bool aes = strcmp(args[0], "aes") == 0;
        CK_MECHANISM mechanism = { aes ? CKM_AES_KEY_GEN : CKM_GENERIC_SECRET_KEY_GEN, NULL, 0 };
        CK_ATTRIBUTE template[] = {
            ATTR(CKA_VALUE_LEN, size),
            ATTR(CKA_TOKEN, yes),
            ATTR_BYTES(CKA_LABEL, label, strlen(label)),
            { aes ? CKA_ENCRYPT : CKA_SIGN, &yes, sizeof yes },
            { aes ? CKA_DECRYPT : CKA_VERIFY, &yes, sizeof yes },
        };

        MUST(p11->C_GenerateKey(session, &mechanism, template, COUNT(template), &private));
    } else {
        bool rsa = strcmp(args[0], "rsa") == 0;
        CK_MECHANISM mechanism = { rsa ? CKM_RSA_PKCS_KEY_PAIR_GEN : CKM_EC_KEY_PAIR_GEN, NULL, 0 };
        CK_ATTRIBUTE public_template[] = {
            ATTR(CKA_MODULUS_BITS, size),
            ATTR(CKA_TOKEN, yes),
            ATTR(CKA_VERIFY, yes),
            ATTR_BYTES(CKA_LABEL, label, strlen(label)),
            ATTR(CKA_ENCRYPT, yes),
        };
        CK_ATTRIBUTE private_template[] = {
            ATTR(CKA_TOKEN, yes),
            ATTR(CKA_SIGN, yes),
            ATTR_BYTES(CKA_LABEL, label, strlen(label)),
            ATTR(CKA_DECRYPT, yes),
        };
        CK_ULONG fewer = rsa ? 0 : 1;

        for (size_t i = 0; !rsa && i < COUNT(curves); i++) {
            if (strcmp(curves[i].name, args[2]) == 0) {
                public_template[0] = (CK_ATTRIBUTE)ATTR_BYTES(CKA_EC_PARAMS, curves[i].oid,
                                                              curves[i].oid_len);
            }
        }
        MUST(p11->C_GenerateKeyPair(session, &mechanism, public_template,
                                    COUNT(public_template) - fewer, private_template,
                                    COUNT(private_template) - fewer, &public, &private));
    }
}

static void
import_secret(char **args)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    struct bytes value = from_hex(args[2]);
    CK_OBJECT_HANDLE key = 0;
    size_t t = 0;

    while (t < COUNT(types) && strcmp(types[t].name, args[0]) != 0) {
        t++;
    }
    if (t == COUNT(types)) {
        die("no type %s", args[0]);
    }

    CK_KEY_TYPE type = types[t].type;
    CK_ATTRIBUTE template[] = {
        ATTR(CKA_CLASS, class),
        ATTR(CKA_KEY_TYPE, type),
        ATTR_BYTES(CKA_VALUE, value.data, value.len),
        ATTR(CKA_TOKEN, yes),
        ATTR_BYTES(CKA_LABEL, args[1], strlen(args[1])),
        { types[t].makes, &yes, sizeof yes },
        { types[t].takes, &yes, sizeof yes },
    };

    MUST(p11->C_CreateObject(session, template, COUNT(template), &key));
}

static void
import_rsa(char **args)
{
    CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
    CK_KEY_TYPE type = CKK_RSA;
    struct bytes modulus = from_hex(args[1]), exponent = from_hex(args[2]);
    CK_OBJECT_HANDLE key = 0;
    CK_ATTRIBUTE template[] = {
        ATTR(CKA_CLASS, class),
        ATTR(CKA_KEY_TYPE, type),
        ATTR(CKA_TOKEN, yes),
        ATTR_BYTES(CKA_LABEL, args[0], strlen(args[0])),
        ATTR_BYTES(CKA_MODULUS, modulus.data, modulus.len),
        ATTR_BYTES(CKA_PUBLIC_EXPONENT, exponent.data, exponent.len),
        ATTR(CKA_VERIFY, yes),
        ATTR(CKA_ENCRYPT, yes),
    };

    MUST(p11->C_CreateObject(session, template, COUNT(template), &key));
}

static void
import_ec(char **args)
{
    CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
    CK_KEY_TYPE type = CKK_EC;
    struct bytes point = from_hex(args[2]), wrapped = bytes_new(point.len + 3);
    CK_OBJECT_HANDLE key = 0;
    CK_ATTRIBUTE template[] = {
        ATTR(CKA_CLASS, class),
        ATTR(CKA_KEY_TYPE, type),
        ATTR(CKA_TOKEN, yes),
        ATTR_BYTES(CKA_LABEL, args[0], strlen(args[0])),
        { CKA_EC_PARAMS, NULL, 0 },
        { CKA_EC_POINT, wrapped.data, 0 },
        ATTR(CKA_VERIFY, yes),
    };
    size_t n = 0;

    for (size_t i = 0; i < COUNT(curves); i++) {
        if (strcmp(curves[i].name, args[1]) == 0) {
            template[4] = (CK_ATTRIBUTE)ATTR_BYTES(CKA_EC_PARAMS, curves[i].oid,
                                                   curves[i].oid_len);
        }
    }
    wrapped.data[n++] = 0x04; /* an octet string around the point */
    if (point.len > 127) {
        wrapped.data[n++] = 0x81;
    }
    wrapped.data[n++] = (uint8_t)point.len;
    memcpy(wrapped.data + n, point.data, point.len);
    template[5].ulValueLen = n + point.len;
    MUST(p11->C_CreateObject(session, template, COUNT(template), &key));
}

static void
export(char **args)
{
    struct bytes info = bytes_new(4096);
    CK_ATTRIBUTE attribute = { CKA_PUBLIC_KEY_INFO, info.data, info.len };

    MUST(p11->C_GetAttributeValue(session, key_of(args[0], CKO_PUBLIC_KEY), &attribute, 1));
    info.len = attribute.ulValueLen;
    to_file(args[1], info);
}

typedef CK_RV update_out(CK_SESSION_HANDLE session, CK_BYTE_PTR in, CK_ULONG in_len,
                         CK_BYTE_PTR out, CK_ULONG_PTR out_len);
typedef CK_RV update_in(CK_SESSION_HANDLE session, CK_BYTE_PTR in, CK_ULONG in_len);
typedef CK_RV final_out(CK_SESSION_HANDLE session, CK_BYTE_PTR out, CK_ULONG_PTR out_len);

static size_t
chunk(void)
{
    const char *text = getenv("P11_CHUNK");

    return text != NULL ? strtoul(text, NULL, 10) : 0;
}

/* All of in through a function, in one or by pieces; update gives output (out) or none. */
static struct bytes
run(struct bytes in, update_out *single, update_out *update, update_in *feed, final_out *final)
{
    struct bytes out = bytes_new(in.len + 1024);
    CK_ULONG len = out.len;
    size_t done = 0, step = chunk();

    if (step == 0) {
        /* First the length alone, as the standard lets callers ask; nothing is consumed. */
        CK_ULONG asked = 0;

        MUST(single(session, in.data, in.len, NULL, &asked));
        MUST(single(session, in.data, in.len, out.data, &len));
        if (asked < len) {
            die("the length asked for was %lu, the result has %lu", asked, len);
        }
        out.len = len;
        return out;
    }
    for (size_t at = 0; at < in.len; at += step) {
        CK_ULONG some = in.len - at < step ? in.len - at : step;

        if (feed != NULL) {
            MUST(feed(session, in.data + at, some));
        } else {
            len = out.len - done;
            MUST(update(session, in.data + at, some, out.data + done, &len));
            done += len;
        }
    }
    len = out.len - done;
    MUST(final(session, out.data + done, &len));
    out.len = done + len;
    return out;
}

static void
operate(const char *what, char **args)
{
    CK_MECHANISM mechanism;
    const struct row *row = mechanism_of(args[0], &mechanism);
    struct bytes in = from_file(args[2]), out;

    if (strcmp(what, "sign") == 0) {
        MUST(p11->C_SignInit(session, &mechanism, secret_or(args[1], CKO_PRIVATE_KEY)));
        out = run(in, p11->C_Sign, NULL, p11->C_SignUpdate, p11->C_SignFinal);
        out = row->der ? der_of(out) : out;
    } else if (strcmp(what, "encrypt") == 0) {
        MUST(p11->C_EncryptInit(session, &mechanism, secret_or(args[1], CKO_PUBLIC_KEY)));
        out = run(in, p11->C_Encrypt, p11->C_EncryptUpdate, NULL, p11->C_EncryptFinal);
    } else {
        MUST(p11->C_DecryptInit(session, &mechanism, secret_or(args[1], CKO_PRIVATE_KEY)));
        out = run(in, p11->C_Decrypt, p11->C_DecryptUpdate, NULL, p11->C_DecryptFinal);
    }
    to_file(args[3], out);
}

static void
digest(char **args)
{
    CK_MECHANISM mechanism;

    mechanism_of(args[0], &mechanism);
    MUST(p11->C_DigestInit(session, &mechanism));
    to_file(args[2], run(from_file(args[1]), p11->C_Digest, NULL, p11->C_DigestUpdate,
                         p11->C_DigestFinal));
}

static int
verify(char **args)
{
    CK_MECHANISM mechanism;
    const struct row *row = mechanism_of(args[0], &mechanism);
    CK_OBJECT_HANDLE key = secret_or(args[1], CKO_PUBLIC_KEY);
    struct bytes in = from_file(args[2]), signature = from_file(args[3]);
    size_t step = chunk();
    CK_RV rv;

    if (row->der) {
        uint8_t params[32];
        CK_ATTRIBUTE attribute = { CKA_EC_PARAMS, params, sizeof params };

        MUST(p11->C_GetAttributeValue(session, key, &attribute, 1));
        signature = raw_of(signature, attribute.ulValueLen == 10 ? 32 :
                                      params[6] == 0x22          ? 48 : 66);
    }
    MUST(p11->C_VerifyInit(session, &mechanism, key));
    if (step == 0) {
        rv = p11->C_Verify(session, in.data, in.len, signature.data, signature.len);
    } else {
        for (size_t at = 0; at < in.len; at += step) {
            MUST(p11->C_VerifyUpdate(session, in.data + at,
                                     in.len - at < step ? in.len - at : step));
        }
        rv = p11->C_VerifyFinal(session, signature.data, signature.len);
    }
    printf("%s\n", rv == CKR_OK ? "valid" : rv == CKR_SIGNATURE_INVALID ? "invalid" : "error");
    return rv == CKR_OK ? 0 : 1;
}

/* The code of C_GetAttributeValue, and the value if there is one. */
static void
attribute(char **args)
{
    CK_OBJECT_CLASS class = strcmp(args[0], "secret") == 0   ? CKO_SECRET_KEY
                            : strcmp(args[0], "public") == 0 ? CKO_PUBLIC_KEY
                                                             : CKO_PRIVATE_KEY;
    uint8_t value[1024];
    CK_ATTRIBUTE attribute = { strtoul(args[2], NULL, 16), value, sizeof value };
    CK_RV rv = p11->C_GetAttributeValue(session, key_of(args[1], class), &attribute, 1);

    printf("%08lx ", rv);
    for (CK_ULONG i = 0; rv == CKR_OK && i < attribute.ulValueLen; i++) {
        printf("%02x", value[i]);
    }
    putchar('\n');
}

static const struct {
    const char *name;
    int args;
} commands[] = {
    { "generate", 3 }, { "import", 3 },  { "import-rsa", 3 }, { "import-ec", 3 }, { "export", 2 },
    { "sign", 4 },     { "encrypt", 4 }, { "decrypt", 4 },    { "verify", 4 },    { "digest", 3 },
    { "random", 2 },   { "count", 1 },   { "attribute", 3 },
};

int
main(int argc, char **argv)
{
    const char *what = argc > 2 ? argv[2] : "";
    char **args = argv + 3;
    int status = 0, known = 0;

    for (size_t i = 0; i < COUNT(commands); i++) {
        known += strcmp(commands[i].name, what) == 0 && commands[i].args == argc - 3;
    }
    if (known == 0) {
        die("usage: p11op MODULE COMMAND ...; see the head of p11op.c");
    }
    pin = getenv("P11_PIN");
    session = p11_start(argv[1], pin != NULL ? pin : PIN);
    if (strcmp(what, "generate") == 0) {
        generate(args);
    } else if (strcmp(what, "import") == 0) {
        import_secret(args);
    } else if (strcmp(what, "import-rsa") == 0) {
        import_rsa(args);
    } else if (strcmp(what, "import-ec") == 0) {
        import_ec(args);
    } else if (strcmp(what, "export") == 0) {
        export(args);
    } else if (strcmp(what, "digest") == 0) {
        digest(args);
    } else if (strcmp(what, "verify") == 0) {
        status = verify(args);
    } else if (strcmp(what, "random") == 0) {
        struct bytes out = bytes_new(strtoul(args[0], NULL, 10));

        MUST(p11->C_GenerateRandom(session, out.data, out.len));
        to_file(args[1], out);
    } else if (strcmp(what, "attribute") == 0) {
        attribute(args);
    } else if (strcmp(what, "count") == 0) {
        printf("%lu\n", p11_find_label(session, args[0], NULL, 0));
    } else {
        operate(what, args);
    }
    MUST(p11->C_Finalize(NULL));
    return status;
}
