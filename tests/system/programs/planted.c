/* SPDX-License-Identifier: Apache-2.0
 *
 * An application with secrets that can be looked for: it reads them from a file, hands them to
 * the module, wipes its own copies, and waits where it is to be looked at.
 *
 *   planted MODULE FILE     FILE: an AES key (32 bytes), a private scalar of P-256 (32), a plaintext
 *                           (48), then the PIN up to the end
 *
 * It says "ready" when all was used, and "gone" once a byte on standard input made it destroy the
 * keys and log out; another byte ends it.
 */
#include "p11.h"

#include <fcntl.h>
#include <unistd.h>

static struct {
    uint8_t aes[32];
    uint8_t scalar[32];
    uint8_t plain[48];
    uint8_t pin[100];
} planted;

static void
say(const char *word)
{
    char byte;

    dprintf(STDOUT_FILENO, "%s\n", word);
    if (read(STDIN_FILENO, &byte, 1) != 1) {
        _Exit(1);
    }
}

static CK_OBJECT_HANDLE
import_aes(CK_SESSION_HANDLE session)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_AES;
    CK_ATTRIBUTE template[] = {
        ATTR(CKA_CLASS, class),   ATTR(CKA_KEY_TYPE, type),  ATTR(CKA_TOKEN, yes),
        ATTR(CKA_PRIVATE, yes),   ATTR(CKA_SENSITIVE, yes),  ATTR(CKA_ENCRYPT, yes),
        ATTR(CKA_DECRYPT, yes),   ATTR_BYTES(CKA_VALUE, planted.aes, sizeof planted.aes),
    };
    CK_OBJECT_HANDLE key;

    MUST(p11->C_CreateObject(session, template, COUNT(template), &key));
    return key;
}

static CK_OBJECT_HANDLE
import_ec(CK_SESSION_HANDLE session)
{
    static uint8_t p256[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_KEY_TYPE type = CKK_EC;
    CK_ATTRIBUTE template[] = {
        ATTR(CKA_CLASS, class),   ATTR(CKA_KEY_TYPE, type),  ATTR(CKA_TOKEN, yes),
        ATTR(CKA_PRIVATE, yes),   ATTR(CKA_SENSITIVE, yes),  ATTR(CKA_SIGN, yes),
        ATTR(CKA_EC_PARAMS, p256), ATTR_BYTES(CKA_VALUE, planted.scalar, sizeof planted.scalar),
    };
    CK_OBJECT_HANDLE key;

    MUST(p11->C_CreateObject(session, template, COUNT(template), &key));
    return key;
}

static void
use(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE aes, CK_OBJECT_HANDLE ec)
{
    static uint8_t iv[16] = { 1 };
    CK_MECHANISM cbc = { CKM_AES_CBC_PAD, iv, sizeof iv };
    CK_MECHANISM ecdsa = { CKM_ECDSA, NULL, 0 };
    uint8_t cipher[64], back[64], signature[64], digest[32] = { 1 };
    CK_ULONG cipher_len = sizeof cipher, back_len = sizeof back, signature_len = sizeof signature;

    MUST(p11->C_EncryptInit(session, &cbc, aes));
    MUST(p11->C_Encrypt(session, planted.plain, sizeof planted.plain, cipher, &cipher_len));
    MUST(p11->C_DecryptInit(session, &cbc, aes));
    MUST(p11->C_Decrypt(session, cipher, cipher_len, back, &back_len));
    if (back_len != sizeof planted.plain || memcmp(back, planted.plain, back_len) != 0) {
        die("the plaintext came back as something else");
    }
    explicit_bzero(back, sizeof back);
    MUST(p11->C_SignInit(session, &ecdsa, ec));
    MUST(p11->C_Sign(session, digest, sizeof digest, signature, &signature_len));
}

int
main(int argc, char **argv)
{
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE aes, ec;
    ssize_t len;
    int fd;

    if (argc != 3) {
        die("usage: planted MODULE FILE");
    }
    fd = open(argv[2], O_RDONLY);
    len = read(fd, &planted, sizeof planted);
    close(fd);
    if (len <= 112) {
        die("%s: too short", argv[2]);
    }
    p11_load(argv[1]);
    MUST(p11->C_Initialize(NULL));
    session = p11_session();
    MUST(p11->C_Login(session, CKU_USER, planted.pin, (CK_ULONG)len - 112));
    aes = import_aes(session);
    ec = import_ec(session);
    use(session, aes, ec);
    explicit_bzero(&planted, sizeof planted);
    say("ready");
    MUST(p11->C_DestroyObject(session, aes));
    MUST(p11->C_DestroyObject(session, ec));
    MUST(p11->C_Logout(session));
    say("gone");
    MUST(p11->C_Finalize(NULL));
    return 0;
}
