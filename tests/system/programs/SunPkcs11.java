/* SPDX-License-Identifier: Apache-2.0
 *
 * Java's PKCS#11 provider on the module: keys are made, imported and listed, and what they sign or
 * encrypt is held against Java's own providers. Speaks TAP.
 *
 *   java SunPkcs11.java CONFIGURATION PIN azure|fips|standard
 *
 * With azure and fips, nothing is stored through the KeyStore: Java stores keys by copying them with
 * another template, which those policies refuse. With fips, neither does Java choose an IV for GCM.
 */
import java.security.*;
import java.security.spec.*;
import java.util.*;
import java.util.concurrent.*;
import javax.crypto.*;
import javax.crypto.spec.*;

public class SunPkcs11 {
    interface Step {
        boolean run() throws Exception;
    }

    static Provider hsm;
    static boolean failed;
    static final byte[] data = new byte[5000];

    static void check(String name, Step step) {
        boolean good = false;
        try {
            good = step.run();
        } catch (Throwable e) {
            for (Throwable cause = e; cause != null; cause = cause.getCause()) {
                System.out.println("# " + cause);
            }
        }
        failed |= !good;
        System.out.println((good ? "ok - " : "not ok - ") + name);
    }

    static KeyPair pair(String algorithm, AlgorithmParameterSpec parameters) throws Exception {
        KeyPairGenerator generator = KeyPairGenerator.getInstance(algorithm, hsm);
        generator.initialize(parameters);
        return generator.generateKeyPair();
    }

    static byte[] sign(String algorithm, AlgorithmParameterSpec parameters, PrivateKey key, byte[] message)
            throws Exception {
        Signature signature = Signature.getInstance(algorithm, hsm);
        if (parameters != null) {
            signature.setParameter(parameters);
        }
        signature.initSign(key);
        signature.update(message);
        return signature.sign();
    }

    static boolean verify(String algorithm, AlgorithmParameterSpec parameters, Provider provider,
            PublicKey key, byte[] message, byte[] signed) throws Exception {
        Signature signature = Signature.getInstance(algorithm, provider);
        if (parameters != null) {
            signature.setParameter(parameters);
        }
        signature.initVerify(key);
        signature.update(message);
        return signature.verify(signed);
    }

    static void signs(String algorithm, AlgorithmParameterSpec parameters, KeyPair pair, String own) {
        byte[] message = algorithm.startsWith("NONE") ? Arrays.copyOf(data, 32) : data;
        check(algorithm + " signs and verifies", () -> {
            byte[] signed = sign(algorithm, parameters, pair.getPrivate(), message);
            PublicKey copy = KeyFactory.getInstance(pair.getPublic().getAlgorithm(), Security.getProvider(own))
                    .generatePublic(new X509EncodedKeySpec(pair.getPublic().getEncoded()));
            byte[] other = message.clone();
            other[0] ^= 1;
            return verify(algorithm, parameters, hsm, pair.getPublic(), message, signed)
                    && !verify(algorithm, parameters, hsm, pair.getPublic(), other, signed)
                    && verify(algorithm, parameters, Security.getProvider(own), copy, message, signed);
        });
    }

    static byte[] crypt(int mode, String algorithm, Provider provider, Key key,
            AlgorithmParameterSpec parameters, byte[] input) throws Exception {
        Cipher cipher = Cipher.getInstance(algorithm, provider);
        cipher.init(mode, key, parameters);
        return cipher.doFinal(input);
    }

    /* A known key, so that Java's own AES can read what the HSM wrote and the other way round. */
    static void encrypts(String algorithm, Key key, AlgorithmParameterSpec parameters) {
        Provider java = Security.getProvider("SunJCE");
        byte[] input = algorithm.endsWith("NoPadding") ? Arrays.copyOf(data, 4992) : data;
        check(algorithm + " encrypts and decrypts", () -> {
            byte[] ours = crypt(Cipher.ENCRYPT_MODE, algorithm, hsm, key, parameters, input);
            byte[] theirs = crypt(Cipher.ENCRYPT_MODE, algorithm, java, key, parameters, input);
            return Arrays.equals(ours, theirs)
                    && Arrays.equals(crypt(Cipher.DECRYPT_MODE, algorithm, hsm, key, parameters, theirs), input);
        });
    }

    public static void main(String[] args) throws Exception {
        boolean standard = args[2].equals("standard"), fips = args[2].equals("fips");
        String sealing = fips ? "AES/CBC/PKCS5Padding" : "AES/GCM/NoPadding";
        char[] pin = args[1].toCharArray();
        hsm = Security.getProvider("SunPKCS11").configure(args[0]);
        Security.addProvider(hsm);
        new Random(1).nextBytes(data);
        KeyStore store = KeyStore.getInstance("PKCS11", hsm);

        check("a wrong PIN is refused", () -> {
            try {
                store.load(null, "cu1:wrong".toCharArray());
                return false;
            } catch (java.io.IOException e) {
                return e.getCause() instanceof javax.security.auth.login.LoginException
                        || e.getCause() instanceof UnrecoverableKeyException;
            }
        });
        store.load(null, pin);

        /* What pkcs11-tool and openssl left there: an EC pair with a certificate, an AES key. */
        check("the KeyStore lists what is there", () ->
                store.size() == 2 && store.isKeyEntry("ec1") && store.isKeyEntry("aes1")
                && store.getCertificateChain("ec1").length == 1);
        check("the private key of the KeyStore signs", () -> {
            byte[] signed = sign("SHA256withECDSA", null, (PrivateKey) store.getKey("ec1", null), data);
            return verify("SHA256withECDSA", null, Security.getProvider("SunEC"),
                    store.getCertificate("ec1").getPublicKey(), data, signed);
        });
        check("the secret key of the KeyStore encrypts", () -> {
            Key key = store.getKey("aes1", null);
            AlgorithmParameterSpec parameters = fips ? new IvParameterSpec(Arrays.copyOf(data, 16))
                    : new GCMParameterSpec(128, Arrays.copyOf(data, 12));
            byte[] cipher = crypt(Cipher.ENCRYPT_MODE, sealing, hsm, key, parameters, data);
            return Arrays.equals(crypt(Cipher.DECRYPT_MODE, sealing, hsm, key, parameters, cipher), data);
        });

        KeyPair rsa = pair("RSA", new RSAKeyGenParameterSpec(2048, RSAKeyGenParameterSpec.F4));
        KeyPair ec = pair("EC", new ECGenParameterSpec("secp384r1"));
        for (String hash : new String[] { "SHA1", "SHA256", "SHA384", "SHA512" }) {
            signs(hash + "withRSA", null, rsa, "SunRsaSign");
            signs(hash + "withECDSA", null, ec, "SunEC");
        }
        signs("NONEwithECDSA", null, ec, "SunEC");
        signs("RSASSA-PSS", new PSSParameterSpec("SHA-256", "MGF1", MGF1ParameterSpec.SHA256, 32, 1), rsa, "SunRsaSign");
        check("RSA/ECB/PKCS1Padding encrypts and decrypts", () -> {
            byte[] input = Arrays.copyOf(data, 100);
            byte[] cipher = crypt(Cipher.ENCRYPT_MODE, "RSA/ECB/PKCS1Padding", hsm, rsa.getPublic(), null, input);
            return Arrays.equals(crypt(Cipher.DECRYPT_MODE, "RSA/ECB/PKCS1Padding", hsm, rsa.getPrivate(), null, cipher), input);
        });

        Key known = new SecretKeySpec(Arrays.copyOf(data, 32), "AES");
        IvParameterSpec iv = new IvParameterSpec(Arrays.copyOf(data, 16));
        encrypts("AES/ECB/NoPadding", known, null);
        encrypts("AES/ECB/PKCS5Padding", known, null);
        encrypts("AES/CBC/NoPadding", known, iv);
        encrypts("AES/CBC/PKCS5Padding", known, iv);
        encrypts("AES/CTR/NoPadding", known, iv);
        GCMParameterSpec gcm = new GCMParameterSpec(128, Arrays.copyOf(data, 12));
        if (fips) {
            check("AES/GCM/NoPadding with an IV of Java's is refused", () -> {
                try {
                    crypt(Cipher.ENCRYPT_MODE, "AES/GCM/NoPadding", hsm, known, gcm, data);
                    return false;
                } catch (GeneralSecurityException | ProviderException e) {
                    return true;
                }
            });
        } else {
            encrypts("AES/GCM/NoPadding", known, gcm);
        }
        for (String algorithm : new String[] { "HmacSHA1", "HmacSHA256", "HmacSHA512" }) {
            check(algorithm, () -> {
                SecretKeySpec key = new SecretKeySpec(Arrays.copyOf(data, 40), algorithm);
                Mac ours = Mac.getInstance(algorithm, hsm);
                Mac theirs = Mac.getInstance(algorithm, "SunJCE");
                ours.init(key);
                theirs.init(key);
                return Arrays.equals(ours.doFinal(data), theirs.doFinal(data));
            });
        }
        for (String algorithm : new String[] { "SHA-1", "SHA-256", "SHA-512" }) {
            check(algorithm, () -> Arrays.equals(MessageDigest.getInstance(algorithm, hsm).digest(data),
                    MessageDigest.getInstance(algorithm, "SUN").digest(data)));
        }
        KeyGenerator generator = KeyGenerator.getInstance("AES", hsm);
        generator.init(256);
        SecretKey aes = generator.generateKey();
        check("eight threads encrypt with a key that was made", () -> {
            ExecutorService threads = Executors.newFixedThreadPool(8);
            List<Future<Boolean>> results = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                results.add(threads.submit(() -> {
                    for (int round = 0; round < 100; round++) {
                        Cipher cipher = Cipher.getInstance(sealing, hsm);
                        cipher.init(Cipher.ENCRYPT_MODE, aes);
                        byte[] sealed = cipher.doFinal(data);
                        Cipher back = Cipher.getInstance(sealing, hsm);
                        back.init(Cipher.DECRYPT_MODE, aes, cipher.getParameters());
                        if (!Arrays.equals(back.doFinal(sealed), data)) {
                            return false;
                        }
                    }
                    return true;
                }));
            }
            boolean good = true;
            for (Future<Boolean> result : results) {
                good &= result.get(60, TimeUnit.SECONDS);
            }
            threads.shutdown();
            return good;
        });
        check("SecureRandom gives bytes", () -> {
            byte[] random = new byte[100];
            SecureRandom.getInstance("PKCS11", hsm).nextBytes(random);
            return !Arrays.equals(random, new byte[100]);
        });

        if (standard) {
            check("the KeyStore stores a secret key", () -> {
                store.setKeyEntry("stored", aes, null, null);
                return store.size() == 3 && store.isKeyEntry("stored");
            });
            check("and deletes it", () -> {
                store.deleteEntry("stored");
                return store.size() == 2 && !store.containsAlias("stored");
            });
        }
        System.exit(failed ? 1 : 0);
    }
}
