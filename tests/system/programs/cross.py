#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
#
# Mechanisms for which no vectors are published, against the openssl command: what the one makes
# the other checks, or both make the same. The module comes through ctypes, with the numbers of the
# public header; policy standard, so that values can be read.
#
#   cross.py MODULE HEADER      prints TAP; the number of failures is the exit status
import ctypes as c
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile

MODULE, HEADER = sys.argv[1:3]
N = {}
for name, value in re.findall(r"^#define +(CK[A-Z]_\w+) +\(?(0x[0-9A-Fa-f]+|[0-9]+)U?L?\b",
                              open(HEADER).read(), re.M):
    N[name] = int(value, 0)
UL = c.c_ulong


class Mechanism(c.Structure):
    _fields_ = [("mechanism", UL), ("parameter", c.c_void_p), ("length", UL)]


class Attribute(c.Structure):
    _fields_ = [("type", UL), ("value", c.c_void_p), ("length", UL)]


lib = c.CDLL(MODULE)
keep = []


def ok(rv, what):
    if rv != 0:
        raise RuntimeError("%s: 0x%x" % (what, rv))


def memory(data):
    """The address of bytes that stay."""
    buffer = c.create_string_buffer(data, max(len(data), 1))
    keep.append(buffer)
    return c.addressof(buffer)


def words(*values):
    """A structure whose members all take a CK_ULONG's place; bytes become pointer and length."""
    out = b""
    for value in values:
        if isinstance(value, bytes):
            out += struct.pack("@LL", memory(value), len(value))
        else:
            out += struct.pack("@L", value)
    return out


def mechanism(name, parameter=b""):
    m = Mechanism(N["CKM_" + name], memory(parameter) if parameter else None, len(parameter))
    keep.append(m)
    return c.byref(m)


def attributes(**values):
    rows = []
    for name, value in values.items():
        if isinstance(value, bool):
            value = bytes([value])
        elif isinstance(value, int):
            value = struct.pack("@L", value)
        rows.append(Attribute(N["CKA_" + name], memory(value), len(value)))
    array = (Attribute * max(len(rows), 1))(*rows)
    keep.append(array)
    return array, UL(len(rows))


OPEN = {"EXTRACTABLE": True, "SENSITIVE": False}
session = UL()
ok(lib.C_Initialize(None), "C_Initialize")
ok(lib.C_OpenSession(UL(1), UL(6), None, None, c.byref(session)), "C_OpenSession")
ok(lib.C_Login(session, UL(1), b"cu1:user1234", UL(12)), "C_Login")


def create(kind, key_type, **more):
    handle = UL()
    array, count = attributes(CLASS=N["CKO_" + kind], KEY_TYPE=N["CKK_" + key_type], **more)
    ok(lib.C_CreateObject(session, array, count, c.byref(handle)), "C_CreateObject")
    return handle


def secret(key_type, value, *rights):
    return create("SECRET_KEY", key_type, VALUE=value, **OPEN, **{r: True for r in rights})


def read(key, name):
    buffer = c.create_string_buffer(8192)
    row = Attribute(N["CKA_" + name], c.addressof(buffer), 8192)
    ok(lib.C_GetAttributeValue(session, key, c.byref(row), UL(1)), "C_GetAttributeValue")
    return buffer.raw[:row.length]


def run(function, key, m, data):
    out, length = c.create_string_buffer(8192), UL(8192)
    ok(getattr(lib, "C_%sInit" % function)(session, m, key), "C_%sInit" % function)
    ok(getattr(lib, "C_" + function)(session, data, UL(len(data)), out, c.byref(length)), function)
    return out.raw[:length.value]


def verify(key, m, data, signature):
    ok(lib.C_VerifyInit(session, m, key), "C_VerifyInit")
    ok(lib.C_Verify(session, data, UL(len(data)), signature, UL(len(signature))), "C_Verify")


def generate(name, parameter=b"", **template):
    key = UL()
    array, count = attributes(**OPEN, **template)
    ok(lib.C_GenerateKey(session, mechanism(name, parameter), array, count, c.byref(key)), name)
    return key


def pair(name, public, **private):
    keys = UL(), UL()
    one, one_count = attributes(**public)
    two, two_count = attributes(**OPEN, **private)
    ok(lib.C_GenerateKeyPair(session, mechanism(name), one, one_count, two, two_count,
                             c.byref(keys[0]), c.byref(keys[1])), name)
    return keys


def derive(name, parameter, base, length=0, **template):
    key = UL()
    if length:
        template["VALUE_LEN"] = length
    array, count = attributes(CLASS=N["CKO_SECRET_KEY"], KEY_TYPE=N["CKK_GENERIC_SECRET"], **OPEN,
                              **template)
    ok(lib.C_DeriveKey(session, mechanism(name, parameter), base, array, count, c.byref(key)), name)
    return read(key, "VALUE")


def wrap(m, kek, key):
    out, length = c.create_string_buffer(8192), UL(8192)
    ok(lib.C_WrapKey(session, m, kek, key, out, c.byref(length)), "C_WrapKey")
    return out.raw[:length.value]


def unwrap(m, kek, blob, key_type):
    key = UL()
    array, count = attributes(CLASS=N["CKO_SECRET_KEY"], KEY_TYPE=N["CKK_" + key_type], **OPEN)
    ok(lib.C_UnwrapKey(session, m, kek, blob, UL(len(blob)), array, count, c.byref(key)), "unwrap")
    return read(key, "VALUE")


# ---- openssl ----

folder = tempfile.mkdtemp()


def path(name, data=None):
    name = os.path.join(folder, name)
    if data is not None:
        with open(name, "wb") as file:
            file.write(data)
    return name


def openssl(*arguments, data=b""):
    done = subprocess.run(["openssl", *arguments], input=data, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise RuntimeError("openssl %s: %s" % (arguments[0], done.stderr.decode()[:200]))
    return done.stdout


def enc(cipher, key, iv, data, *more):
    iv = ["-iv", iv.hex()] if iv else []
    return openssl("enc", "-" + cipher, "-K", key.hex(), *iv, *more, data=data)


def hmac(name, key, data):
    return openssl("mac", "-digest", name, "-macopt", "hexkey:" + key.hex(), "-binary", "HMAC",
                   data=data)


def digest(name, data):
    return openssl("dgst", "-binary", "-" + name, data=data)


def kdf(name, length, *options):
    each = [word for option in options for word in ("-kdfopt", option)]
    return openssl("kdf", "-keylen", str(length), "-binary", *each, name)


def public_pem(key):
    """SubjectPublicKeyInfo as the HSM computes it."""
    return path("public.der", read(key, "PUBLIC_KEY_INFO"))


def same(one, two):
    if one != two:
        raise RuntimeError("%s is not %s" % (one.hex(), two.hex()))


def expect(condition, what):
    if not condition:
        raise RuntimeError(what)


text = os.urandom(1001)
blocks = text[:992]
iv = os.urandom(16)
HASHES = {"SHA1": "sha1", "SHA224": "sha224", "SHA256": "sha256", "SHA384": "sha384",
          "SHA512": "sha512", "SHA512_224": "sha512-224", "SHA512_256": "sha512-256",
          "SHA3_224": "sha3-224", "SHA3_256": "sha3-256", "SHA3_384": "sha3-384",
          "SHA3_512": "sha3-512", "MD5": "md5", "SHA_1": "sha1"}


def hash_of(name):
    """The longest name of a hash that it begins with, or ends with."""
    found = [h for h in HASHES if re.search(r"(^|_)%s(_|$)" % h, name)]
    return max(found, key=len)


rsa_file = path("rsa.pem")
openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", rsa_file)
ec_file = path("ec.pem")
openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", ec_file)


def numbers(file):
    """The integers of a private key as openssl prints them."""
    shown = openssl("pkey", "-in", file, "-noout", "-text").decode()
    found = {}
    for name, body in re.findall(r"^(\w+):\s*\n((?: +[0-9a-f:]+\n)+)", shown, re.M):
        found[name] = bytes.fromhex(re.sub(r"[\s:]", "", body)).lstrip(b"\0") or b"\0"
    return found


rsa = numbers(rsa_file)
EXPONENT = b"\1\0\1"
P256 = bytes.fromhex("06082a8648ce3d030107")


def rsa_private(*rights):
    return create("PRIVATE_KEY", "RSA", MODULUS=rsa["modulus"], PUBLIC_EXPONENT=EXPONENT,
                  PRIVATE_EXPONENT=rsa["privateExponent"], PRIME_1=rsa["prime1"],
                  PRIME_2=rsa["prime2"], EXPONENT_1=rsa["exponent1"], EXPONENT_2=rsa["exponent2"],
                  COEFFICIENT=rsa["coefficient"], **{r: True for r in rights})


def rsa_public(*rights):
    return create("PUBLIC_KEY", "RSA", MODULUS=rsa["modulus"], PUBLIC_EXPONENT=EXPONENT,
                  **{r: True for r in rights})


def both_sign(name, parameter, private, public, options, shape=lambda s: s, back=lambda s: s):
    """What the HSM signs openssl verifies, and the other way round. name: the mechanism's."""
    one = hash_of(name)
    data = path("data", text)
    public_file = path("own.der", read(private, "PUBLIC_KEY_INFO"))
    signature = path("signature", shape(run("Sign", private, mechanism(name, parameter), text)))
    dgst = ["dgst", "-" + HASHES[one], *options]
    openssl(*dgst, "-verify", public_file, "-signature", signature, data)
    made = openssl(*dgst, "-sign", rsa_file if "RSA" in name else ec_file, data)
    verify(public, mechanism(name, parameter), text, back(made))


# ---- the rows ----

rows = []


def row(*names):
    def add(function):
        rows.extend((name, function) for name in names)
        return function
    return add


@row("GENERIC_SECRET_KEY_GEN", "SHA_1_KEY_GEN", "SHA224_KEY_GEN", "SHA256_KEY_GEN",
     "SHA384_KEY_GEN", "SHA512_KEY_GEN", "SHA512_224_KEY_GEN", "SHA512_256_KEY_GEN",
     "SHA3_224_KEY_GEN", "SHA3_256_KEY_GEN", "SHA3_384_KEY_GEN", "SHA3_512_KEY_GEN")
def makes_a_key_of_hmac(name):
    one = "SHA256" if name.startswith("GENERIC") else hash_of(name)
    of = {"SHA1": "SHA_1"}.get(one, one) + "_HMAC"
    key = generate(name, VALUE_LEN=33, SIGN=True)
    value = read(key, "VALUE")
    expect(len(value) == 33 and value != read(generate(name, VALUE_LEN=33), "VALUE"), "drawn")
    same(run("Sign", key, mechanism(of), text), hmac(HASHES[one], value, text))


@row("HKDF_KEY_GEN")
def makes_a_key_of_hkdf(name):
    value = read(generate(name, VALUE_LEN=40, DERIVE=True), "VALUE")
    key = create("SECRET_KEY", "HKDF", VALUE=value, DERIVE=True)
    m = N["CKM_SHA256"]
    parameter = (struct.pack("@BB", 1, 1) + b"\0" * 6 + words(m, 2, b"salt", 0, b"info"))
    same(derive("HKDF_DERIVE", parameter, key, 50),
         kdf("HKDF", 50, "digest:SHA256", "hexkey:" + value.hex(), "salt:salt", "info:info"))


@row("AES_KEY_GEN", "RC4_KEY_GEN", "DES_KEY_GEN", "DES2_KEY_GEN", "DES3_KEY_GEN",
     "CHACHA20_KEY_GEN")
def makes_a_key_of_a_cipher(name):
    cipher = name[:-8]
    of, other, size, block = {
        "AES": ("AES_CBC", "aes-256-cbc", 32, 16), "RC4": ("RC4", "rc4", 16, 0),
        "DES": ("DES_CBC", "des-ede3-cbc", 0, 8), "DES2": ("DES3_CBC", "des-ede-cbc", 0, 8),
        "DES3": ("DES3_CBC", "des-ede3-cbc", 0, 8), "CHACHA20": ("CHACHA20", "chacha20", 0, 16),
    }[cipher]
    key = generate(name, ENCRYPT=True, **({"VALUE_LEN": size} if size else {}))
    value = read(key, "VALUE")
    if cipher == "DES":
        value *= 3
    parameter = iv[:block]
    if cipher == "CHACHA20":
        parameter = words(memory(iv[:4]), 32, memory(iv[4:]), 96)
    if cipher == "RC4":
        same(run("Encrypt", key, mechanism(of), blocks),
             enc(other, value, b"", blocks, "-provider", "legacy", "-provider", "default"))
        return
    same(run("Encrypt", key, mechanism(of, parameter), blocks),
         enc(other, value, iv[:block], blocks, "-nopad"))
    if cipher.startswith("DES"):
        expect(all(bin(byte).count("1") % 2 == 1 for byte in value), "odd parity")


@row("AES_XTS_KEY_GEN")
def makes_a_key_of_xts(name):
    key = generate(name, VALUE_LEN=64, ENCRYPT=True)
    value = read(key, "VALUE")
    one, two = value[:32], value[32:]
    expect(one != two, "two keys")
    # IEEE 1619: the tweak is the unit's number encrypted, and doubled from block to block.
    tweak = int.from_bytes(enc("aes-256-ecb", two, b"", iv, "-nopad"), "little")
    expected = b""
    for at in range(0, 64, 16):
        mask = tweak.to_bytes(16, "little")
        masked = bytes(a ^ b for a, b in zip(blocks[at:at + 16], mask))
        sealed = enc("aes-256-ecb", one, b"", masked, "-nopad")
        expected += bytes(a ^ b for a, b in zip(sealed, mask))
        tweak = (tweak << 1) ^ (0x87 if tweak >> 127 else 0)
        tweak &= (1 << 128) - 1
    same(run("Encrypt", key, mechanism("AES_XTS", iv), blocks[:64]), expected)


@row("POLY1305_KEY_GEN")
def makes_a_key_of_poly1305(name):
    key = generate(name, SIGN=True)
    same(run("Sign", key, mechanism("POLY1305"), text),
         openssl("mac", "-macopt", "hexkey:" + read(key, "VALUE").hex(), "-binary", "Poly1305",
                 data=text))


@row("RSA_PKCS_KEY_PAIR_GEN", "RSA_X9_31_KEY_PAIR_GEN")
def makes_a_pair_of_rsa(name):
    public, private = pair(name, {"MODULUS_BITS": 2048, "VERIFY": True}, SIGN=True)
    n = [int.from_bytes(read(private, part), "big") for part in (
        "MODULUS", "PUBLIC_EXPONENT", "PRIVATE_EXPONENT", "PRIME_1", "PRIME_2", "EXPONENT_1",
        "EXPONENT_2", "COEFFICIENT")]
    asn1 = "asn1=SEQUENCE:key\n[key]\nversion=INTEGER:0\n" + "".join(
        "n%d=INTEGER:0x%x\n" % (i, value) for i, value in enumerate(n))
    openssl("asn1parse", "-noout", "-genconf", path("conf", asn1.encode()), "-out", path("key.der"))
    shown = openssl("rsa", "-inform", "DER", "-in", path("key.der"), "-check", "-noout")
    expect(b"RSA key ok" in shown, shown.decode())
    expect(n[0].bit_length() == 2048 and n[1] == 65537, "as asked for")
    signature = path("signature", run("Sign", private, mechanism("SHA256_RSA_PKCS"), text))
    openssl("dgst", "-sha256", "-verify", public_pem(public), "-signature", signature,
            path("data", text))


@row("EC_KEY_PAIR_GEN")
def makes_a_pair_of_ec(name):
    public, private = pair(name, {"EC_PARAMS": P256, "VERIFY": True}, SIGN=True)
    signature = run("Sign", private, mechanism("ECDSA_SHA256"), text)
    openssl("dgst", "-sha256", "-verify", public_pem(public), "-signature",
            path("signature", der_of(signature)), path("data", text))


@row("EC_EDWARDS_KEY_PAIR_GEN")
def makes_a_pair_of_edwards(name):
    public, private = pair(name, {"EC_PARAMS": bytes.fromhex("06032b6570"), "VERIFY": True},
                           SIGN=True)
    signature = path("signature", run("Sign", private, mechanism("EDDSA"), text))
    openssl("pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", public_pem(public), "-keyform", "DER", "-sigfile",
            signature, "-in", path("data", text))


@row("EC_MONTGOMERY_KEY_PAIR_GEN")
def makes_a_pair_of_montgomery(name):
    public, private = pair(name, {"EC_PARAMS": bytes.fromhex("06032b656e"), "DERIVE": True},
                           DERIVE=True)
    theirs = path("x25519.pem")
    openssl("genpkey", "-algorithm", "X25519", "-out", theirs)
    point = openssl("pkey", "-in", theirs, "-pubout", "-outform", "DER")[-32:]
    openssl("pkey", "-pubin", "-inform", "DER", "-in", public_pem(public), "-out", path("ours.pem"))
    agreed = openssl("pkeyutl", "-derive", "-inkey", theirs, "-peerkey", path("ours.pem"))
    same(derive("ECDH1_DERIVE", words(1, 0, 0) + words(len(point), memory(point)), private),
         agreed)


@row("SHA1_KEY_DERIVATION", "SHA224_KEY_DERIVATION", "SHA256_KEY_DERIVATION",
     "SHA384_KEY_DERIVATION", "SHA512_KEY_DERIVATION", "SHA512_224_KEY_DERIVATION",
     "SHA512_256_KEY_DERIVATION", "SHA3_224_KEY_DERIVATION", "SHA3_256_KEY_DERIVATION",
     "SHA3_384_KEY_DERIVATION", "SHA3_512_KEY_DERIVATION")
def a_key_is_hashed(name):
    same(derive(name, b"", secret("GENERIC_SECRET", text, "DERIVE")),
         digest(HASHES[hash_of(name)], text))


@row("SHA512_224_HMAC", "SHA512_256_HMAC", "SHA3_224_HMAC", "SHA3_256_HMAC", "SHA3_384_HMAC",
     "SHA3_512_HMAC")
def a_mac_is_made(name):
    key = text[:50]
    same(run("Sign", secret("GENERIC_SECRET", key, "SIGN"), mechanism(name), text),
         hmac(HASHES[hash_of(name)], key, text))


@row("MD5_HMAC_GENERAL", "SHA512_224_HMAC_GENERAL", "SHA512_256_HMAC_GENERAL",
     "SHA3_224_HMAC_GENERAL", "SHA3_256_HMAC_GENERAL", "SHA3_384_HMAC_GENERAL",
     "SHA3_512_HMAC_GENERAL")
def a_mac_is_cut(name):
    key = text[:50]
    same(run("Sign", secret("GENERIC_SECRET", key, "SIGN"), mechanism(name, words(13)), text),
         hmac(HASHES[hash_of(name)], key, text)[:13])


@row("MD5_RSA_PKCS")
def rsa_signs(name):
    both_sign(name, b"", rsa_private("SIGN"), rsa_public("VERIFY"), [])


@row("SHA3_224_RSA_PKCS_PSS", "SHA3_256_RSA_PKCS_PSS", "SHA3_384_RSA_PKCS_PSS",
     "SHA3_512_RSA_PKCS_PSS")
def rsa_signs_with_pss(name):
    one = hash_of(name)
    both_sign(name, words(N["CKM_" + one], N["CKG_MGF1_" + one], 20), rsa_private("SIGN"),
              rsa_public("VERIFY"),
              ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:20"])


@row("RSA_X_509")
def rsa_is_arithmetic(name):
    block = b"\0" + text[:255]
    signature = run("Sign", rsa_private("SIGN"), mechanism(name), block)
    same(signature, openssl("pkeyutl", "-decrypt", "-inkey", rsa_file, "-pkeyopt",
                            "rsa_padding_mode:none", data=block))
    sealed = run("Encrypt", rsa_public("ENCRYPT"), mechanism(name), block)
    same(openssl("pkeyutl", "-decrypt", "-inkey", rsa_file, "-pkeyopt", "rsa_padding_mode:none",
                 data=sealed), block)


def der_of(signature):
    """Two numbers of one length as openssl has them."""
    def number(n):
        n = n.lstrip(b"\0") or b"\0"
        n = b"\0" + n if n[0] & 0x80 else n
        return b"\2" + bytes([len(n)]) + n
    half = len(signature) // 2
    body = number(signature[:half]) + number(signature[half:])
    return b"\x30" + bytes([len(body)]) + body


def raw_of(signature):
    at, out = 2, b""
    for _ in range(2):
        length = signature[at + 1]
        out += signature[at + 2:at + 2 + length].lstrip(b"\0").rjust(32, b"\0")
        at += 2 + length
    return out


@row("ECDSA_SHA3_224", "ECDSA_SHA3_256", "ECDSA_SHA3_384", "ECDSA_SHA3_512")
def ec_signs(name):
    shown = openssl("pkey", "-in", ec_file, "-noout", "-text").decode()
    part = {n: bytes.fromhex(re.sub(r"[\s:]", "", b)) for n, b in
            re.findall(r"^(priv|pub):\s*\n((?: +[0-9a-f:]+\n)+)", shown, re.M)}
    private = create("PRIVATE_KEY", "EC", EC_PARAMS=P256, VALUE=part["priv"][-32:].rjust(32, b"\0"),
                     SIGN=True)
    public = create("PUBLIC_KEY", "EC", EC_PARAMS=P256, EC_POINT=b"\4\x41" + part["pub"],
                    VERIFY=True)
    both_sign(name, b"", private, public, [], der_of, raw_of)


@row("DES_CBC_PAD", "DES3_CBC_PAD")
def des_is_padded(name):
    one, two, three = (bytes.fromhex(k) for k in
                       ("0123456789abcdef", "23456789abcdef01", "456789abcdef0123"))
    single = name == "DES_CBC_PAD"
    key = secret("DES" if single else "DES3", one if single else one + two + three, "ENCRYPT",
                 "DECRYPT")
    theirs = enc("des-ede3-cbc", one * 3 if single else one + two + three, iv[:8], text)
    same(run("Encrypt", key, mechanism(name, iv[:8]), text), theirs)
    same(run("Decrypt", key, mechanism(name, iv[:8]), theirs), text)


@row("DES3_MAC", "DES3_MAC_GENERAL", "AES_MAC", "AES_MAC_GENERAL")
def a_mac_is_the_last_block(name):
    aes = name.startswith("AES")
    value = bytes.fromhex("0123456789abcdef23456789abcdef01456789abcdef0123")
    key = secret("AES" if aes else "DES3", value, "SIGN")
    size = 16 if aes else 8
    last = enc("aes-192-cbc" if aes else "des-ede3-cbc", value, bytes(size), blocks, "-nopad")[-size:]
    general = name.endswith("GENERAL")
    same(run("Sign", key, mechanism(name, words(7) if general else b""), blocks),
         last[:7 if general else size // 2])


@row("AES_CFB64")
def blocks_feed_back_by_halves(name):
    value = text[:32]
    state, expected = iv, b""
    for at in range(0, 64, 8):
        pad = enc("aes-256-ecb", value, b"", state, "-nopad")[:8]
        out = bytes(a ^ b for a, b in zip(pad, text[at:at + 8]))
        state, expected = state[8:] + out, expected + out
    same(run("Encrypt", secret("AES", value, "ENCRYPT"), mechanism(name, iv), text[:64]), expected)


def fixed_input(length):
    """Counter, "label", zero, "context" and length: the form that openssl has."""
    width = struct.pack("@B7xL", 0, 32)
    total = struct.pack("@LB7xL", 1, 0, 32)
    data = b"label\0context"
    items = [(2, width), (4, data), (3, total)]
    array = b"".join(struct.pack("@LLL", kind, memory(value), len(value)) for kind, value in items)
    return len(items), memory(array), data + struct.pack(">L", 8 * length)


@row("SP800_108_FEEDBACK_KDF")
def feedback_derives(name):
    count, items, _ = fixed_input(70)
    variable = struct.pack("@LLL", 1, 0, 0)
    array = variable + c.string_at(items, 24 * count)
    parameter = words(N["CKM_SHA256_HMAC"], count + 1, memory(array), 32, memory(text[:32]), 0, 0)
    same(derive(name, parameter, secret("GENERIC_SECRET", text[:40], "DERIVE"), 70),
         kdf("KBKDF", 70, "mode:FEEDBACK", "mac:HMAC", "digest:SHA256", "hexkey:" + text[:40].hex(),
             "salt:label", "info:context", "hexseed:" + text[:32].hex()))


@row("SP800_108_DOUBLE_PIPELINE_KDF")
def the_double_pipeline_derives(name):
    count, items, data = fixed_input(70)
    array = struct.pack("@LLL", 1, 0, 0) + c.string_at(items, 24 * count)
    parameter = words(N["CKM_SHA256_HMAC"], count + 1, memory(array), 0, 0)
    key, a, expected = text[:40], data, b""
    for i in range(1, 4):  # SP 800-108, 5.3
        a = hmac("sha256", key, a)
        expected += hmac("sha256", key, a + struct.pack(">L", i) + data)
    same(derive(name, parameter, secret("GENERIC_SECRET", key, "DERIVE"), 70), expected[:70])


@row("TLS12_EXTENDED_MASTER_KEY_DERIVE", "TLS12_EXTENDED_MASTER_KEY_DERIVE_DH")
def the_extended_master_is_derived(name):
    premaster, handshake = b"\3\3" + text[:46], text[100:148]
    key = UL()
    version = 0 if name.endswith("DH") else memory(b"\0\0")
    parameter = struct.pack("@LLLL", N["CKM_SHA384"], memory(handshake), 48, version)
    array, count = attributes(**OPEN)
    ok(lib.C_DeriveKey(session, mechanism(name, parameter),
                       secret("GENERIC_SECRET", premaster, "DERIVE"), array, count, c.byref(key)),
       name)
    # RFC 7627, 4.
    same(read(key, "VALUE"),
         kdf("TLS1-PRF", 48, "digest:SHA384", "hexsecret:" + premaster.hex(),
             "hexseed:" + (b"extended master secret" + handshake).hex()))


@row("TLS12_MAC")
def tls_ends_with_a_mac(name):
    master = text[:48]
    same(run("Sign", secret("GENERIC_SECRET", master, "SIGN"),
             mechanism(name, words(N["CKM_SHA256"], 12, 2)), text[:32]),
         kdf("TLS1-PRF", 12, "digest:SHA256", "hexsecret:" + master.hex(),
             "hexseed:" + (b"client finished" + text[:32]).hex()))


@row("AES_KEY_WRAP_PKCS7", "CLOUDHSM_AES_KEY_WRAP_PKCS5_PAD")
def keys_are_padded_and_wrapped(name):
    kek, value = text[:32], text[40:61]
    handle = secret("AES", kek, "WRAP", "UNWRAP")
    padded = value + bytes([3] * 3)
    theirs = enc("id-aes256-wrap", kek, b"\xa6" * 8, padded)
    same(wrap(mechanism(name), handle, secret("GENERIC_SECRET", value)), theirs)
    same(unwrap(mechanism(name), handle, theirs, "GENERIC_SECRET"), value)


@row("ECDH_AES_KEY_WRAP")
def ecdh_and_aes_wrap(name):
    shown = openssl("pkey", "-in", ec_file, "-noout", "-text").decode()
    part = {n: bytes.fromhex(re.sub(r"[\s:]", "", b)) for n, b in
            re.findall(r"^(priv|pub):\s*\n((?: +[0-9a-f:]+\n)+)", shown, re.M)}
    public = create("PUBLIC_KEY", "EC", EC_PARAMS=P256, EC_POINT=b"\4\x41" + part["pub"], WRAP=True)
    private = create("PRIVATE_KEY", "EC", EC_PARAMS=P256,
                     VALUE=part["priv"][-32:].rjust(32, b"\0"), UNWRAP=True)
    shared, value = b"shared", text[40:61]
    parameter = words(256, N["CKD_SHA256_KDF"], len(shared), memory(shared))
    head = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")

    def kek(own, peer):
        openssl("pkey", "-pubin", "-inform", "DER", "-in", path("peer.der", head + peer), "-out",
                path("peer.pem"))
        agreed = openssl("pkeyutl", "-derive", "-inkey", own, "-peerkey", path("peer.pem"))
        return kdf("X963KDF", 32, "digest:SHA256", "hexkey:" + agreed.hex(),
                   "hexinfo:" + shared.hex())

    # The drawn pair's point, then the key under RFC 5649.
    blob = wrap(mechanism(name, parameter), public, secret("GENERIC_SECRET", value))
    same(enc("id-aes256-wrap-pad", kek(ec_file, blob[:65]), b"\xa6\x59\x59\xa6", blob[65:], "-d"),
         value)
    drawn = path("drawn.pem")
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", drawn)
    point = openssl("pkey", "-in", drawn, "-pubout", "-outform", "DER")[-65:]
    theirs = point + enc("id-aes256-wrap-pad", kek(drawn, part["pub"]), b"\xa6\x59\x59\xa6", value)
    same(unwrap(mechanism(name, parameter), private, theirs, "GENERIC_SECRET"), value)


failed = 0
for mechanism_name, function in rows:
    line = "%s: %s" % (mechanism_name, function.__name__.replace("_", " "))
    try:
        function(mechanism_name)
        print("ok - " + line)
    except Exception as error:  # whatever it is, the row has failed
        failed += 1
        print("not ok - %s\n# %s" % (line, error))
    keep.clear()
lib.C_Finalize(None)
shutil.rmtree(folder)
sys.exit(min(failed, 100))
