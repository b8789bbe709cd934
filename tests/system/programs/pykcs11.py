# SPDX-License-Identifier: Apache-2.0
#
# PyKCS11 on the module, held against Python's own hashes. Speaks TAP.
#
#   python3 pykcs11.py MODULE PIN POLICY
import hashlib
import hmac
import os
import sys

from PyKCS11 import *

policy = sys.argv[3]
WRONG_PIN = 0xA3 if policy == "azure" else CKR_PIN_INCORRECT
failed = 0


def check(name, good):
    global failed
    failed |= not good
    print(("ok" if good else "not ok") + " - " + name)


def refused(code, call, *arguments):
    try:
        call(*arguments)
    except PyKCS11Error as e:
        return e.value == code
    return False


lib = PyKCS11Lib()
lib.load(sys.argv[1])
slot = lib.getSlotList(tokenPresent=True)[0]
check("the token is there", lib.getTokenInfo(slot).label.strip() == "cloudhsm")
check("AES-GCM is among the mechanisms", "CKM_AES_GCM" in lib.getMechanismList(slot))
check("and has its sizes", lib.getMechanismInfo(slot, "CKM_AES_GCM").ulMaxKeySize == 32)
session = lib.openSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION)
check("a wrong PIN is refused", refused(WRONG_PIN, session.login, "cu1:wrong"))
session.login(sys.argv[2])

data = os.urandom(5000)
# All of it is written out, as policy azure gives no key a usage that was not asked for.
made = [(CKA_TOKEN, CK_TRUE), (CKA_PRIVATE, CK_TRUE), (CKA_LABEL, "python"), (CKA_ID, (1,))]
public, private = session.generateKeyPair(
    made + [(CKA_CLASS, CKO_PUBLIC_KEY), (CKA_MODULUS_BITS, 2048), (CKA_PUBLIC_EXPONENT, (1, 0, 1)),
            (CKA_VERIFY, CK_TRUE), (CKA_ENCRYPT, CK_TRUE)],
    made + [(CKA_CLASS, CKO_PRIVATE_KEY), (CKA_SENSITIVE, CK_TRUE), (CKA_SIGN, CK_TRUE),
            (CKA_DECRYPT, CK_TRUE)])
for name, mechanism in (
    ("PKCS #1", Mechanism(CKM_SHA256_RSA_PKCS)),
    ("PSS", RSA_PSS_Mechanism(CKM_SHA256_RSA_PKCS_PSS, CKM_SHA256, CKG_MGF1_SHA256, 32)),
):
    signature = session.sign(private, data, mechanism)
    check(name + " signs and verifies", session.verify(public, data, signature, mechanism))
    check("not other data", not session.verify(public, data + b"x", signature, mechanism))
oaep = RSAOAEPMechanism(CKM_SHA256, CKG_MGF1_SHA256)
cipher = session.encrypt(public, b"short", oaep)
check("OAEP encrypts and decrypts", bytes(session.decrypt(private, cipher, oaep)) == b"short")

made = [(CKA_TOKEN, CK_FALSE), (CKA_PRIVATE, CK_TRUE), (CKA_CLASS, CKO_SECRET_KEY)]
aes = session.generateKey(
    made + [(CKA_KEY_TYPE, CKK_AES), (CKA_VALUE_LEN, 32), (CKA_SENSITIVE, CK_TRUE),
            (CKA_ENCRYPT, CK_TRUE), (CKA_DECRYPT, CK_TRUE)])
for name, mechanism in (
    ("CBC", Mechanism(CKM_AES_CBC_PAD, os.urandom(16))),
    ("GCM", AES_GCM_Mechanism(os.urandom(12), b"more", 128)),
):
    if name == "GCM" and policy == "fips":
        check("an IV of ours is refused", refused(CKR_MECHANISM_PARAM_INVALID, session.encrypt, aes, data,
                                                  mechanism))
        continue
    cipher = session.encrypt(aes, data, mechanism)
    check("AES-%s encrypts and decrypts" % name,
          bytes(session.decrypt(aes, cipher, mechanism)) == data and bytes(cipher) != data)
cipher[0] ^= 1
check("changed ciphertext is refused", refused(CKR_ENCRYPTED_DATA_INVALID, session.decrypt, aes, cipher, mechanism))
check("a sensitive value is not read", session.getAttributeValue(aes, [CKA_VALUE]) == [None])

key = session.createObject(
    made + [(CKA_KEY_TYPE, CKK_GENERIC_SECRET), (CKA_SIGN, CK_TRUE), (CKA_VERIFY, CK_TRUE),
            (CKA_VALUE, tuple(b"a key that is known"))])
check("HMAC with an imported key", bytes(session.sign(key, data, Mechanism(CKM_SHA256_HMAC)))
      == hmac.new(b"a key that is known", data, "sha256").digest())
check("SHA-256", bytes(session.digest(data, Mechanism(CKM_SHA256))) == hashlib.sha256(data).digest())
parts = session.digestSession(Mechanism(CKM_SHA512))
for i in range(0, len(data), 777):
    parts.update(data[i:i + 777])
check("SHA-512 in pieces", bytes(parts.final()) == hashlib.sha512(data).digest())
check("random bytes", len(set(bytes(session.generateRandom(32)) for _ in range(10))) == 10)

found = session.findObjects([(CKA_LABEL, "python")])
check("both halves are found", len(found) == 2)
check("with their class", sorted(session.getAttributeValue(o, [CKA_CLASS])[0] for o in found)
      == [CKO_PUBLIC_KEY, CKO_PRIVATE_KEY])
for handle in found:
    session.destroyObject(handle)
check("and are gone when destroyed", session.findObjects([(CKA_LABEL, "python")]) == [])
session.logout()
check("nothing is signed after the logout",
      any(refused(code, session.sign, key, data, Mechanism(CKM_SHA256_HMAC))
          for code in (CKR_USER_NOT_LOGGED_IN, CKR_KEY_HANDLE_INVALID)))
session.closeSession()
sys.exit(failed)
