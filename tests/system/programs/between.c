/* SPDX-License-Identifier: Apache-2.0
 *
 * A proxy between the library and the daemon, in the application's own process: it cuts what they
 * say at each byte once, hands it on a byte at a time or not at all, and writes it down and says
 * it again as somebody else.
 *
 *   between MODULE DAEMON SOCKET replies|requests|parts|silence|replay
 *   between MODULE PORT LISTEN node     the same between daemon and node: cuts TLS on TCP
 *
 * DAEMON is the daemon's socket, SOCKET the proxy's, which the configuration of the application
 * names; PORT and LISTEN are the node's port and the proxy's on 127.0.0.1.
 */
#include "proxy.h"

#include <signal.h>
#include <sys/wait.h>

#define NOBODY 65534
#define SILENT_MS 20000
#define PARTS_LEN 200000
#define KEY_AT (HEADER_LEN + 8u) /* of the context's secret in HELLO */
#define KEY_LEN 16u

/* ---- the application ---- */

static const char *mode; /* and the label of the key pair */
static CK_SESSION_HANDLE session;
static CK_OBJECT_HANDLE public_key, private_key;

/* Handles of private objects end with the login. */
static void
keys_find(void)
{
    CK_OBJECT_CLASS classes[] = { CKO_PUBLIC_KEY, CKO_PRIVATE_KEY };
    CK_OBJECT_HANDLE *keys[] = { &public_key, &private_key };

    for (size_t i = 0; i < COUNT(classes); i++) {
        CK_ATTRIBUTE template[] = { ATTR(CKA_CLASS, classes[i]),
                                    ATTR_BYTES(CKA_LABEL, mode, strlen(mode)) };

        if (p11_find(session, template, COUNT(template), keys[i], 1) != 1) {
            die("the key pair is not there");
        }
    }
}

static bool
signs(void)
{
    CK_MECHANISM mechanism = { CKM_ECDSA_SHA256, NULL, 0 };
    uint8_t in[10] = { 1 }, out[64];
    CK_ULONG len = sizeof out;

    return p11->C_SignInit(session, &mechanism, private_key) == CKR_OK &&
           p11->C_Sign(session, in, sizeof in, out, &len) == CKR_OK && len == sizeof out &&
           p11->C_VerifyInit(session, &mechanism, public_key) == CKR_OK &&
           p11->C_Verify(session, in, sizeof in, out, len) == CKR_OK;
}

/* A new object with a label of its own; is it there just once? */
static bool
makes(int operation)
{
    static unsigned number;
    CK_OBJECT_CLASS class = CKO_DATA;
    char label[32];
    CK_ATTRIBUTE template[] = { ATTR(CKA_CLASS, class), ATTR(CKA_TOKEN, yes),
                                ATTR_BYTES(CKA_LABEL, label, 0) };
    CK_OBJECT_HANDLE made = 0, found = 0;
    CK_RV rv;

    snprintf(label, sizeof label, "%s %u", mode, number++);
    template[2].ulValueLen = strlen(label);
    rv = operation == CREATE ? p11->C_CreateObject(session, template, COUNT(template), &made)
                             : p11_generate_aes(session, label, &made);
    return rv == CKR_OK && p11_find_label(session, label, &found, 1) == 1 && found == made;
}

static bool
logs_in(void)
{
    if (p11_login(session, PIN) != CKR_OK) {
        return false;
    }
    keys_find();
    return signs();
}

static bool
logs_out(void)
{
    return p11->C_Logout(session) == CKR_OK && !signs() && logs_in();
}

static bool
does(int operation)
{
    switch (operation) {
    case SIGN:
        return signs();
    case LOGIN:
        MUST(p11->C_Logout(session));
        return logs_in();
    case LOGOUT:
        return logs_out();
    default:
        return makes(operation);
    }
}

static void
test_cuts(enum manner how)
{
    static const struct {
        int operation;
        const char *name;
    } rows[] = { { SIGN, "SIGN" }, { CREATE, "OBJECT_CREATE" }, { GENERATE, "GENERATE_KEY" },
                 { LOGIN, "LOGIN" }, { LOGOUT, "LOGOUT" } };

    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t len, failed = 0;

        arm(CRUMBS, rows[i].operation, 0); /* which shows how long it is */
        check(does(rows[i].operation), "%s, its reply a byte at a time", rows[i].name);
        len = how == CUT_REPLY ? reply_len : request_len;
        befell = 0;
        for (size_t at = 0; at <= len; at++) {
            arm(how, rows[i].operation, at);
            if (!does(rows[i].operation)) {
                printf("# after byte %zu\n", at);
                failed++;
            }
        }
        check(failed == 0 && befell == len + 1,
              "%s cut at each of its %zu bytes: done, and once (%u)", rows[i].name, len, befell);
    }
}

/* Steps of an operation of several parts, in both directions: it is whole, or it fails; what it
 * gives is never anything else. Replies of UPDATE are cut in their first bytes only. */
static void
test_parts(void)
{
    static const struct {
        int operation;
        const char *name;
        size_t most;
    } rows[] = { { START, "START", 60 }, { UPDATE, "UPDATE", 120 }, { FINAL, "FINAL", 70 } };
    static const enum manner manners[] = { CUT_REPLY, CUT_REQUEST };
    static uint8_t in[PARTS_LEN], right[PARTS_LEN + 16], out[PARTS_LEN + 16];
    uint8_t iv[16] = { 1 };
    CK_MECHANISM mechanism = { CKM_AES_CBC_PAD, iv, sizeof iv };
    CK_ULONG right_len = sizeof right;
    CK_OBJECT_HANDLE key = 0;

    MUST(p11_generate_aes(session, NULL, &key));
    MUST(p11->C_EncryptInit(session, &mechanism, key));
    MUST(p11->C_Encrypt(session, in, sizeof in, right, &right_len));
    for (size_t i = 0; i < COUNT(rows) * COUNT(manners); i++) {
        size_t row = i / COUNT(manners), wrong = 0, whole = 0;

        befell = 0;
        for (size_t at = 0; at < rows[row].most; at++) {
            CK_ULONG len = sizeof out;
            CK_RV rv = p11->C_EncryptInit(session, &mechanism, key);

            arm(manners[i % COUNT(manners)], rows[row].operation, at);
            if (rv == CKR_OK) {
                rv = p11->C_Encrypt(session, in, sizeof in, out, &len);
            }
            whole += rv == CKR_OK;
            wrong += rv == CKR_OK ? len != right_len || memcmp(out, right, len) != 0
                                  : rv != CKR_DEVICE_ERROR;
        }
        check(wrong == 0 && befell == rows[row].most,
              "%s cut %s %zu times: never anything wrong (%zu whole, else a device error)",
              rows[row].name, i % COUNT(manners) == 0 ? "in its reply" : "in its request",
              rows[row].most, whole);
        check(signs(), "the next operation works");
    }
}

static void
test_silence(void)
{
    uint64_t start = now_ms();

    arm(SILENT, SIGN, 0);
    check(!signs(), "a daemon that says nothing: the call fails");
    check(now_ms() - start < SILENT_MS, "within its time");
    check(signs(), "the next one works");
}

/* The proxy is between daemon and node: cuts come anywhere, also in answers to a ping. */
static void
test_node(void)
{
    static const enum manner manners[] = { CUT_REPLY, CUT_REQUEST };

    for (size_t i = 0; i < COUNT(manners); i++) {
        size_t failed = 0;

        befell = 0;
        for (size_t at = 0; at < 240; at += 2) {
            arm(manners[i], SIGN, at);
            if (!(at % 4 == 0 ? signs() : makes(CREATE))) {
                printf("# after byte %zu\n", at);
                failed++;
            }
        }
        check(failed == 0 && befell > 80, "%s node cut %u times: done, and once",
              manners[i] == CUT_REPLY ? "from the" : "to the", befell);
    }
}

/* ---- the same bytes from somebody else ---- */

/* What became of them. */
struct answers {
    int hello, ok, refused; /* replies to HELLO; others, by code */
    int made, used;         /* of ok, those that make a key or use one */
};

/* Says frames of the record, or of somebody's own making, on a connection. */
static struct answers
say(const uint8_t *frames, size_t len)
{
    static uint8_t reply[HEADER_LEN + BODY_MAX];
    struct answers answers = { 0, 0, 0, 0, 0 };
    int fd = connect_unix(daemon_path);

    if (fd < 0) {
        die("no connection to the daemon");
    }
    for (size_t at = 0; at < len;) {
        size_t frame_len = HEADER_LEN + load(frames + at, 4);

        if (!send_all(fd, frames + at, frame_len, SIZE_MAX) || frame_read(fd, reply) == 0) {
            break;
        }
        if (load(frames + at + 4, 2) == HELLO) {
            answers.hello++;
        } else if (load(reply + 36, 4) == CKR_OK) {
            answers.ok++;
            answers.made += load(reply + 4, 2) == GENERATE;
            answers.used += load(reply + 4, 2) == SIGN;
        } else {
            answers.refused++;
        }
        at += frame_len;
    }
    close(fd);
    return answers;
}

/* In another process, which may be another user's. */
static struct answers
say_as(uid_t uid, const uint8_t *frames, size_t len)
{
    struct answers answers = { -1, 0, 0, 0, 0 };
    int ends[2];
    pid_t child;

    if (pipe(ends) != 0) {
        die("no pipe");
    }
    fflush(stdout);
    child = fork();
    if (child == 0) {
        alarm(60);
        if (uid != getuid() && setuid(uid) != 0) {
            _exit(2);
        }
        answers = say(frames, len);
        _exit(write(ends[1], &answers, sizeof answers) != sizeof answers);
    }
    close(ends[1]);
    if (read(ends[0], &answers, sizeof answers) != sizeof answers) {
        die("uid %u could not say it", (unsigned)uid);
    }
    close(ends[0]);
    waitpid(child, NULL, 0);
    return answers;
}

static CK_ULONG
objects(void)
{
    return p11_find(session, NULL, 0, NULL, 0);
}

/* The name that the daemon gives a context towards nodes. */
static void
context_name(const uint8_t *key, uint8_t name[32])
{
    static const char use[] = "opencloudhsm context";
    CK_MECHANISM mechanism = { CKM_SHA256, NULL, 0 };
    uint8_t bytes[sizeof use + KEY_LEN];
    CK_ULONG len = 32;

    memcpy(bytes, use, sizeof use);
    memcpy(bytes + sizeof use, key, KEY_LEN);
    MUST(p11->C_DigestInit(session, &mechanism));
    MUST(p11->C_Digest(session, bytes, sizeof bytes, name, &len));
}

/* Names the context in each header, and shows the name or a key of one's own in HELLO. */
static void
frames_claim(uint8_t *frames, size_t len, const uint8_t name[32], bool as_key)
{
    for (size_t at = 0; at < len; at += HEADER_LEN + load(frames + at, 4)) {
        if (load(frames + at + 4, 2) != HELLO) {
            memcpy(frames + at + 8, name, KEY_LEN);
        } else if (as_key) {
            memcpy(frames + at + KEY_AT, name, KEY_LEN);
        } else {
            frames[at + KEY_AT] ^= 1;
        }
    }
}

/* Without those in which a password or a ticket is: what a context alone is good for. */
static size_t
frames_without_login(uint8_t *frames, size_t len)
{
    size_t kept = 0, frame_len;

    for (size_t at = 0; at < len; at += frame_len) {
        frame_len = HEADER_LEN + load(frames + at, 4);
        if (load(frames + at + 4, 2) != LOGIN) {
            memmove(frames + kept, frames + at, frame_len);
            kept += frame_len;
        }
    }
    return kept;
}

/* When the context has ended and the daemon has forgotten it. The secret is as good as any new
 * one then; what is told of the past is told to who knows it, and nothing is done. */
static void
replay_later(CK_ULONG count)
{
    static uint8_t frames[RECORD_MAX];
    size_t len = record_len, less;
    struct answers a = { 0, 0, 0, 0, 0 };

    MUST(p11->C_Finalize(NULL));
    memcpy(frames, record, len);
    less = frames_without_login(frames, len);
    for (int i = 0; i < 200 && a.hello == 0; i++) {
        usleep(100000);
        a = say_as(NOBODY, frames, less);
    }
    check(a.hello > 0, "the context is forgotten");
    check(a.used == 0, "another user uses no key with its frames (%d heard)", a.ok);
    memcpy(frames, record, len);
    a.hello = 0;
    for (int i = 0; i < 200 && a.hello == 0; i++) {
        usleep(100000);
        a = say_as(getuid(), frames, len);
    }
    check(a.hello > 0 && a.used == 0, "nor does the same user: that is no new login (%d heard)",
          a.ok);
    MUST(p11->C_Initialize(NULL));
    session = p11_session();
    MUST(p11_login(session, PIN));
    check(objects() == count, "nothing is made twice when the context is over");
}

static void
test_replay(void)
{
    static uint8_t frames[RECORD_MAX];
    CK_ULONG before = objects();
    uint8_t name[32];
    struct answers a;
    size_t len;

    check(makes(GENERATE) && does(LOGIN) && makes(GENERATE) && signs(), "something is recorded");
    check(objects() == before + 2, "two objects more");
    len = record_len;

    /* Whoever runs as the same user and knows the secret may talk in the context. */
    a = say_as(getuid(), record, len);
    check(a.hello > 0 && a.ok > 0, "the same user is heard (%d, %d refused)", a.ok, a.refused);
    check(objects() == before + 2, "and nothing is made twice");
    check(signs(), "the context goes on");

    a = say_as(NOBODY, record, len);
    check(a.hello == 0 && a.ok + a.refused == 0, "another user with the secret is not heard");

    /* The name of a context is no secret. */
    context_name(record + KEY_AT, name);
    memcpy(frames, record, len);
    len = frames_without_login(frames, len);
    frames_claim(frames, len, name, false);
    a = say_as(NOBODY, frames, len);
    check(a.hello > 0 && a.made + a.used == 0, "another user with its name is refused (%d)",
          a.refused);
    frames_claim(frames, len, name, true);
    a = say_as(NOBODY, frames, len);
    check(a.hello > 0 && a.made + a.used == 0, "with its name for a secret, too (%d)", a.refused);
    check(objects() == before + 2, "and made nothing");
    check(signs(), "the context goes on, too");
    replay_later(before + 2);
}

int
main(int argc, char **argv)
{
    if (argc != 5) {
        die("usage: between MODULE DAEMON SOCKET replies|requests|parts|silence|replay|node");
    }
    mode = argv[4];
    signal(SIGPIPE, SIG_IGN);
    if (strcmp(mode, "node") == 0) {
        struct sockaddr_in address = local(atoi(argv[3]));

        node_port = atoi(argv[2]);
        listener_start(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), (struct sockaddr *)&address,
                       sizeof address, pass_run);
    } else {
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        daemon_path = argv[2];
        strncpy(address.sun_path, argv[3], sizeof address.sun_path - 1);
        listener_start(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), (struct sockaddr *)&address,
                       sizeof address, relay_run);
    }
    session = p11_start(argv[1], PIN);
    MUST(p11_generate_ec(session, mode, &public_key, &private_key));
    if (strcmp(mode, "replies") == 0) {
        test_cuts(CUT_REPLY);
    } else if (strcmp(mode, "requests") == 0) {
        test_cuts(CUT_REQUEST);
    } else if (strcmp(mode, "parts") == 0) {
        test_parts();
    } else if (strcmp(mode, "silence") == 0) {
        test_silence();
    } else if (strcmp(mode, "replay") == 0) {
        test_replay();
    } else {
        test_node();
    }
    return checks_failed != 0;
}
