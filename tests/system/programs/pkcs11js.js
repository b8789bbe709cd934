/* SPDX-License-Identifier: Apache-2.0
 *
 * pkcs11js on the module, held against Node's own crypto. Speaks TAP.
 *
 *   node pkcs11js.js MODULE PIN POLICY       pkcs11js is looked for in $NODE_PATH
 */
"use strict";
const crypto = require("crypto");
const pkcs11 = require("pkcs11js");

const [path, pin, policy] = process.argv.slice(2);
const data = crypto.randomBytes(5000);
let failed = 0;

function check(name, good) {
    failed |= !good;
    console.log((good ? "ok - " : "not ok - ") + name);
}

function refused(code, call) {
    try {
        call();
    } catch (e) {
        return e.code === code;
    }
    return false;
}

async function main() {
    const hsm = new pkcs11.PKCS11();
    hsm.load(path);
    hsm.C_Initialize();
    const slot = hsm.C_GetSlotList(true)[0];
    check("the token is there", hsm.C_GetTokenInfo(slot).label.trim() === "cloudhsm");
    check("AES-GCM is among the mechanisms", hsm.C_GetMechanismList(slot).includes(pkcs11.CKM_AES_GCM));
    const session = hsm.C_OpenSession(slot, pkcs11.CKF_SERIAL_SESSION | pkcs11.CKF_RW_SESSION);
    check("a wrong PIN is refused", refused(policy === "azure" ? 0xa3 : 0xa0, () => hsm.C_Login(session, pkcs11.CKU_USER, "cu1:wrong")));
    hsm.C_Login(session, pkcs11.CKU_USER, pin);

    /* EC: the point makes a key that Node verifies with. */
    const pair = hsm.C_GenerateKeyPair(session, { mechanism: pkcs11.CKM_EC_KEY_PAIR_GEN, parameter: null }, [
        { type: pkcs11.CKA_LABEL, value: "js" },
        { type: pkcs11.CKA_VERIFY, value: true },
        { type: pkcs11.CKA_EC_PARAMS, value: Buffer.from("06082a8648ce3d030107", "hex") },
    ], [
        { type: pkcs11.CKA_LABEL, value: "js" },
        { type: pkcs11.CKA_SIGN, value: true },
    ]);
    const point = hsm.C_GetAttributeValue(session, pair.publicKey, [{ type: pkcs11.CKA_EC_POINT }])[0].value;
    const key = crypto.createPublicKey({
        key: {
            kty: "EC", crv: "P-256",
            x: point.subarray(3, 35).toString("base64url"), y: point.subarray(35, 67).toString("base64url"),
        },
        format: "jwk",
    });
    const ecdsa = { mechanism: pkcs11.CKM_ECDSA_SHA256, parameter: null };
    hsm.C_SignInit(session, ecdsa, pair.privateKey);
    const signature = hsm.C_Sign(session, data, Buffer.alloc(256));
    check("Node verifies a signature", crypto.verify("sha256", data, { key, dsaEncoding: "ieee-p1363" }, signature));
    hsm.C_VerifyInit(session, ecdsa, pair.publicKey);
    check("and so does the HSM", hsm.C_Verify(session, data, signature));
    hsm.C_SignInit(session, ecdsa, pair.privateKey);
    hsm.C_SignUpdate(session, data.subarray(0, 777));
    hsm.C_SignUpdate(session, data.subarray(777));
    const pieces = hsm.C_SignFinal(session, Buffer.alloc(256));
    check("in pieces, too", crypto.verify("sha256", data, { key, dsaEncoding: "ieee-p1363" }, pieces));

    /* AES with a known key. */
    const value = crypto.randomBytes(32), iv = crypto.randomBytes(12), aad = Buffer.from("more");
    const aes = hsm.C_CreateObject(session, [
        { type: pkcs11.CKA_CLASS, value: pkcs11.CKO_SECRET_KEY },
        { type: pkcs11.CKA_KEY_TYPE, value: pkcs11.CKK_AES },
        { type: pkcs11.CKA_VALUE, value },
        { type: pkcs11.CKA_SENSITIVE, value: true },
        { type: pkcs11.CKA_ENCRYPT, value: true },
        { type: pkcs11.CKA_DECRYPT, value: true },
    ]);
    const gcm = {
        mechanism: pkcs11.CKM_AES_GCM,
        parameter: { type: pkcs11.CK_PARAMS_AES_GCM, iv, ivBits: 96, aad, tagBits: 128 },
    };
    if (policy === "fips") {
        check("an IV of ours is refused", refused(pkcs11.CKR_MECHANISM_PARAM_INVALID,
            () => hsm.C_EncryptInit(session, gcm, aes)));
    } else {
        hsm.C_EncryptInit(session, gcm, aes);
        const sealed = hsm.C_Encrypt(session, data, Buffer.alloc(data.length + 16));
        const own = crypto.createCipheriv("aes-256-gcm", value, iv).setAAD(aad);
        check("AES-GCM encrypts as Node does", sealed.equals(Buffer.concat([own.update(data), own.final(), own.getAuthTag()])));
        hsm.C_DecryptInit(session, gcm, aes);
        check("and decrypts", hsm.C_Decrypt(session, sealed, Buffer.alloc(data.length + 16)).equals(data));
        sealed[0] ^= 1;
        hsm.C_DecryptInit(session, gcm, aes);
        check("but not what was changed", refused(pkcs11.CKR_ENCRYPTED_DATA_INVALID,
            () => hsm.C_Decrypt(session, sealed, Buffer.alloc(data.length + 16))));
    }
    check("a sensitive value is not read", refused(pkcs11.CKR_ATTRIBUTE_SENSITIVE,
        () => hsm.C_GetAttributeValue(session, aes, [{ type: pkcs11.CKA_VALUE }])));

    hsm.C_DigestInit(session, { mechanism: pkcs11.CKM_SHA256, parameter: null });
    check("SHA-256", hsm.C_Digest(session, data, Buffer.alloc(32))
        .equals(crypto.createHash("sha256").update(data).digest()));

    /* Node's worker threads call the module at the same moment, each on a session of its own. */
    const results = await Promise.all(Array.from({ length: 8 }, async () => {
        const one = hsm.C_OpenSession(slot, pkcs11.CKF_SERIAL_SESSION);
        let good = true;
        for (let round = 0; round < 50; round++) {
            hsm.C_SignInit(one, ecdsa, pair.privateKey);
            const made = await hsm.C_SignAsync(one, data, Buffer.alloc(256));
            good &&= crypto.verify("sha256", data, { key, dsaEncoding: "ieee-p1363" }, made);
        }
        hsm.C_CloseSession(one);
        return good;
    }));
    check("eight at once sign 50 times each", results.every(good => good));

    hsm.C_FindObjectsInit(session, [{ type: pkcs11.CKA_LABEL, value: "js" }]);
    check("both halves are found", hsm.C_FindObjects(session, 10).length === 2);
    hsm.C_FindObjectsFinal(session);
    hsm.C_Logout(session);
    hsm.C_CloseSession(session);
    hsm.C_Finalize();
    hsm.close();
    process.exit(failed);
}

main();
