/* SPDX-License-Identifier: Apache-2.0
 *
 * Area FAULT: the same calls with memory that runs out, with the way to the device cut, with a
 * daemon that stands still, and with one that is gone. The answers may be failures; what is made is
 * made as a whole or not at all, and when the fault is over the calls work again.
 */
#include "exec/faults.h"
#include "exec/cases.h"
#include "exec/trace.h"
#include "ref/ref.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ALLOCATIONS_MOST 2000
#define TRANSFERS_MOST 400
#define PAUSE_MS 60
#define LABEL "p11comply fault"

/* A test while it runs. */
struct faulty {
    struct case_run *run;
    struct fixture *fixture;
    enum fn at;                         /* the call under way */
    CK_OBJECT_HANDLE data, aes, mac;    /* made before the fault */
    CK_OBJECT_HANDLE made;
    bool wrong;                         /* a call succeeded, and gave what is not right */
};

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static CK_BYTE message[32], iv[16];

static CK_SESSION_HANDLE
session(const struct faulty *f)
{
    return f->fixture->session[0];
}

static CK_RV
made_at(struct faulty *f, enum fn fn, struct bag *bag)
{
    f->at = fn;
    return call(f->run->module, fn, bag);
}

/* ---- what is tried: each gives the first code that is not CKR_OK ---- */

static CK_RV
try_token(struct faulty *f)
{
    CK_TOKEN_INFO info;
    struct bag bag = { .slot = f->fixture->slot, .info = &info };

    return made_at(f, FN_C_GetTokenInfo, &bag);
}

static CK_RV
try_session(struct faulty *f)
{
    CK_SESSION_HANDLE other = CK_INVALID_HANDLE;
    struct bag bag = { .slot = f->fixture->slot,
                       .flags = CKF_SERIAL_SESSION | CKF_RW_SESSION,
                       .info = &other };
    CK_RV rv = made_at(f, FN_C_OpenSession, &bag);

    if (rv == CKR_OK) {
        f->wrong = other == CK_INVALID_HANDLE;
        bag.session = other;
        rv = made_at(f, FN_C_CloseSession, &bag);
    }
    return rv;
}

static CK_RV
try_create(struct faulty *f)
{
    CK_OBJECT_CLASS class = CKO_DATA;
    CK_ATTRIBUTE attrs[] = { { CKA_CLASS, &class, sizeof class },
                             { CKA_TOKEN, &no, sizeof no },
                             { CKA_LABEL, (void *)(uintptr_t)LABEL, sizeof LABEL - 1 },
                             { CKA_VALUE, message, sizeof message } };
    CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
    CK_RV rv;

    f->at = FN_C_CreateObject;
    rv = call_create(f->run->module, session(f), attrs, COUNT(attrs), &handle);
    if (rv == CKR_OK) {
        f->made = handle;
        f->wrong = handle == CK_INVALID_HANDLE;
    }
    return rv;
}

static CK_RV
try_copy(struct faulty *f)
{
    CK_ATTRIBUTE label = { CKA_LABEL, (void *)(uintptr_t)LABEL, sizeof LABEL - 1 };
    CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
    CK_RV rv;

    f->at = FN_C_CopyObject;
    rv = call_copy(f->run->module, session(f), f->data, &label, 1, &handle);
    if (rv == CKR_OK) {
        f->made = handle;
        f->wrong = handle == CK_INVALID_HANDLE || handle == f->data;
    }
    return rv;
}

static CK_RV
try_generate(struct faulty *f)
{
    CK_MECHANISM mech = { CKM_AES_KEY_GEN, NULL, 0 };
    CK_ULONG len = 32;
    CK_ATTRIBUTE attrs[] = { { CKA_TOKEN, &no, sizeof no },
                             { CKA_LABEL, (void *)(uintptr_t)LABEL, sizeof LABEL - 1 },
                             { CKA_ENCRYPT, &yes, sizeof yes },
                             { CKA_VALUE_LEN, &len, sizeof len } };
    CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
    CK_RV rv;

    f->at = FN_C_GenerateKey;
    rv = call_generate(f->run->module, session(f), &mech, attrs, COUNT(attrs), &handle);
    if (rv == CKR_OK) {
        f->made = handle;
        f->wrong = handle == CK_INVALID_HANDLE;
    }
    return rv;
}

static CK_RV
try_get(struct faulty *f)
{
    CK_BYTE value[64] = { 0 };
    CK_ULONG len = sizeof value;
    CK_RV rv;

    f->at = FN_C_GetAttributeValue;
    rv = call_get(f->run->module, session(f), f->data, CKA_VALUE, value, &len);
    f->wrong = rv == CKR_OK && (len != 32 || memcmp(value, message, 32) != 0);
    return rv;
}

static CK_RV
try_set(struct faulty *f)
{
    CK_ATTRIBUTE id = { CKA_APPLICATION, (void *)(uintptr_t) "again", 5 };

    f->at = FN_C_SetAttributeValue;
    return call_set(f->run->module, session(f), f->data, &id, 1);
}

static CK_RV
find(struct faulty *f, const char *label, CK_OBJECT_HANDLE *ret_found, CK_ULONG *ret_count)
{
    CK_ATTRIBUTE attr = { CKA_LABEL, (void *)(uintptr_t)label, strlen(label) };
    struct bag bag = { .session = session(f), .attrs = &attr, .attrs_count = 1,
                       .handles = ret_found, .max = 8, .found = ret_count };
    CK_RV rv = made_at(f, FN_C_FindObjectsInit, &bag), end;

    *ret_count = 0;
    if (rv != CKR_OK) {
        return rv;
    }
    rv = made_at(f, FN_C_FindObjects, &bag);
    end = call(f->run->module, FN_C_FindObjectsFinal, &bag);
    if (rv == CKR_OK && end != CKR_OK) {
        f->at = FN_C_FindObjectsFinal;
    }
    return rv != CKR_OK ? rv : end;
}

static CK_RV
try_find(struct faulty *f)
{
    CK_OBJECT_HANDLE found[8];
    CK_ULONG count;
    CK_RV rv = find(f, LABEL " data", found, &count);

    f->wrong = rv == CKR_OK && (count != 1 || found[0] != f->data);
    return rv;
}

static CK_RV
crypt_two(struct faulty *f, bool encrypt, CK_BYTE *in, CK_BYTE *out)
{
    CK_MECHANISM mech = { CKM_AES_CBC, iv, sizeof iv };
    struct bag bag = { .session = session(f), .mech = &mech, .key = f->aes, .in = in,
                       .in_len = 32, .out = out, .out_room = 32 };
    CK_RV rv;

    bag.out_len = &bag.out_room;
    rv = made_at(f, encrypt ? FN_C_EncryptInit : FN_C_DecryptInit, &bag);
    return rv != CKR_OK ? rv : made_at(f, encrypt ? FN_C_Encrypt : FN_C_Decrypt, &bag);
}

static CK_BYTE sealed[32];      /* the message, by a call without a fault */

static CK_RV
try_encrypt(struct faulty *f)
{
    CK_BYTE out[32];
    CK_RV rv = crypt_two(f, true, message, out);

    f->wrong = rv == CKR_OK && memcmp(out, sealed, sizeof out) != 0;
    return rv;
}

static CK_RV
try_decrypt(struct faulty *f)
{
    CK_BYTE out[32];
    CK_RV rv = crypt_two(f, false, sealed, out);

    f->wrong = rv == CKR_OK && memcmp(out, message, sizeof out) != 0;
    return rv;
}

static CK_RV
try_digest(struct faulty *f)
{
    CK_MECHANISM mech = { CKM_SHA256, NULL, 0 };
    CK_BYTE out[32];
    struct bag bag = { .session = session(f), .mech = &mech, .in = message,
                       .in_len = sizeof message, .out = out, .out_room = sizeof out };
    CK_RV rv;

    bag.out_len = &bag.out_room;
    if ((rv = made_at(f, FN_C_DigestInit, &bag)) != CKR_OK ||
        (rv = made_at(f, FN_C_DigestUpdate, &bag)) != CKR_OK) {
        return rv;
    }
    return made_at(f, FN_C_DigestFinal, &bag);
}

static CK_BYTE mac[32];

static CK_RV
sign(struct faulty *f, bool verify, CK_BYTE *out)
{
    CK_MECHANISM mech = { CKM_SHA256_HMAC, NULL, 0 };
    struct bag bag = { .session = session(f), .mech = &mech, .key = f->mac, .in = message,
                       .in_len = sizeof message, .out = out, .out_room = 32, .sig = out,
                       .sig_len = 32 };
    CK_RV rv;

    bag.out_len = &bag.out_room;
    rv = made_at(f, verify ? FN_C_VerifyInit : FN_C_SignInit, &bag);
    return rv != CKR_OK ? rv : made_at(f, verify ? FN_C_Verify : FN_C_Sign, &bag);
}

static CK_RV
try_sign(struct faulty *f)
{
    CK_BYTE out[32];
    CK_RV rv = sign(f, false, out);

    f->wrong = rv == CKR_OK && memcmp(out, mac, sizeof out) != 0;
    return rv;
}

static CK_RV
try_verify(struct faulty *f)
{
    return sign(f, true, mac);
}

static CK_RV
try_random(struct faulty *f)
{
    CK_BYTE out[32];
    struct bag bag = { .session = session(f), .random = out, .random_len = sizeof out };

    return made_at(f, FN_C_GenerateRandom, &bag);
}

static CK_RV (*const tries[FAULT_TRIES])(struct faulty *) = {
    try_token,  try_session, try_create,  try_copy,    try_generate, try_get,    try_set,
    try_find,   try_encrypt, try_decrypt, try_digest,  try_sign,     try_verify, try_random,
};

/* ---- before and after ---- */

static bool
prepare(struct faulty *f, struct case_run *r)
{
    CK_OBJECT_CLASS class = CKO_DATA;
    CK_ATTRIBUTE attrs[] = { { CKA_CLASS, &class, sizeof class },
                             { CKA_TOKEN, &no, sizeof no },
                             { CKA_LABEL, (void *)(uintptr_t)LABEL " data", sizeof LABEL + 4 },
                             { CKA_VALUE, message, sizeof message } };

    *f = (struct faulty){ .run = r, .fixture = &r->runner->fixture };
    for (size_t i = 0; i < sizeof message; i++) {
        message[i] = ref_byte(i);
    }
    f->aes = fixture_key(f->fixture, KEY_AES16, HALF_PRIVATE, true);
    f->mac = fixture_key(f->fixture, KEY_GEN64, HALF_PRIVATE, true);
    return f->aes != CK_INVALID_HANDLE && f->mac != CK_INVALID_HANDLE &&
           call_create(r->module, session(f), attrs, COUNT(attrs), &f->data) == CKR_OK &&
           crypt_two(f, true, message, sealed) == CKR_OK && sign(f, false, mac) == CKR_OK;
}

static void
clean(struct faulty *f)
{
    if (f->made != CK_INVALID_HANDLE) {
        (void)call_destroy(f->run->module, session(f), f->made);
        f->made = CK_INVALID_HANDLE;
    }
}

/* Looks at one answer. */
static bool
judge(struct faulty *f, enum cond rule, CK_RV rv)
{
    struct case_row row = *f->run->row;
    struct case_run *r = f->run;
    const struct case_row *told = r->row;
    bool good;

    row.rule = rule;
    r->row = &row;
    good = case_judge(r, rv);
    if (good && rv == CKR_OK && f->wrong) {
        case_wrong(r);
        good = false;
    }
    r->row = told;
    r->result->fn = (uint8_t)f->at;
    return good;
}

/* The call works, and nothing is there that an earlier one did not make. */
static bool
works_again(struct faulty *f, CK_RV (*try)(struct faulty *), enum cond rule)
{
    CK_OBJECT_HANDLE found[8];
    enum fn at;
    CK_ULONG count;
    CK_RV rv = try(f);

    if (!judge(f, rule, rv)) {
        return false;
    }
    clean(f);
    at = f->at;
    rv = find(f, LABEL, found, &count);
    f->wrong = count != 0;      /* half of one that failed */
    f->at = at;
    return judge(f, rule, rv);
}

/* ---- the faults ---- */

static bool
can(const struct case_run *r, unsigned fault)
{
    return (r->world->faults & fault) != 0;
}

void
check_memory(struct case_run *r)
{
    CK_RV (*try)(struct faulty *) = tries[r->arg];
    struct faulty f;
    bool failed = true;

    if (!can(r, FAULT_MEMORY) || !memory_can_fail() || !prepare(&f, r)) {
        r->result->verdict = VERDICT_SKIPPED;
        return;
    }
    for (long n = 1; failed && n < ALLOCATIONS_MOST; n++) {
        CK_RV rv;

        trace("memory_fail(%u);", (CK_ULONG)n);
        memory_fail(n);
        rv = try(&f);
        failed = memory_failed();
        trace("memory_fail(0);");
        if (!judge(&f, failed ? RULE_F_MEMORY : RULE_F_AFTER, rv)) {
            break;
        }
        clean(&f);
        if (rv != CKR_OK && !works_again(&f, try, RULE_F_AFTER)) {
            break;
        }
    }
    (void)call_destroy(r->module, session(&f), f.data);
}

void
check_cut(struct case_run *r)
{
    CK_RV (*try)(struct faulty *) = tries[r->arg];
    struct faulty f;
    CK_RV rv;

    if (!can(r, FAULT_CONNECTION) || !prepare(&f, r)) {
        r->result->verdict = VERDICT_SKIPPED;
        return;
    }
    trace("cut();");
    if (sockets_cut() == 0) {
        r->result->verdict = VERDICT_SKIPPED;   /* it has none */
        return;
    }
    rv = try(&f);
    r->runner->dirty = true;
    if (!judge(&f, RULE_F_CUT, rv)) {
        return;
    }
    /* From a new session on it works, at the latest when the library began anew. */
    if ((!fixture_ready(f.fixture, BASE_LIBRARY) || !fixture_ready(f.fixture, BASE_LOGIN)) &&
        (!fixture_restart(f.fixture) || !fixture_ready(f.fixture, BASE_LOGIN))) {
        f.at = FN_C_OpenSession;
        (void)judge(&f, RULE_F_BACK, CKR_DEVICE_ERROR);
        return;
    }
    if (!prepare(&f, r)) {
        (void)judge(&f, RULE_F_BACK, CKR_DEVICE_ERROR);
        return;
    }
    (void)works_again(&f, try, RULE_F_BACK);
}

/* From nothing: what was before the fault is forgotten, and what it left is removed. */
static bool
begin_anew(struct faulty *f, struct case_run *r)
{
    CK_OBJECT_HANDLE found[8];
    CK_ULONG count;

    fixture_end(f->fixture);
    if (!fixture_restart(f->fixture) || !fixture_ready(f->fixture, BASE_LOGIN) || !prepare(f, r) ||
        find(f, LABEL, found, &count) != CKR_OK) {
        return false;
    }
    for (CK_ULONG i = 0; i < count; i++) {
        (void)call_destroy(r->module, session(f), found[i]);
    }
    return true;
}

/* What was made was made once, though the way was cut before the answer came. */
static bool
made_once(struct faulty *f)
{
    CK_OBJECT_HANDLE found[8];
    enum fn at = f->at;
    CK_ULONG count;
    CK_RV rv;

    if (f->made == CK_INVALID_HANDLE) {
        return true;
    }
    rv = find(f, LABEL, found, &count);
    f->at = at;
    f->wrong = rv == CKR_OK && count != 1;
    return rv != CKR_OK || judge(f, RULE_F_ONCE, CKR_OK);
}

/* The connection is cut at each transfer of a call, before it and in its middle. */
void
check_lost(struct case_run *r)
{
    CK_RV (*try)(struct faulty *) = tries[r->arg];
    struct faulty f = { .run = r, .fixture = &r->runner->fixture };
    bool failed = true, any = false;

    for (long n = 2; can(r, FAULT_CONNECTION) && failed && n < TRANSFERS_MOST; n++) {
        CK_RV rv;

        if (!begin_anew(&f, r)) {
            (void)judge(&f, RULE_F_BACK, CKR_DEVICE_ERROR);
            break;
        }
        trace("transfer_fail(%u, %u);", (CK_ULONG)n / 2, (CK_ULONG)n % 2);
        sockets_fail(n / 2, n % 2 != 0);
        rv = try(&f);
        failed = sockets_failed();
        trace("transfer_fail(0, 0);");
        any = any || failed;
        if (!judge(&f, failed ? RULE_F_CUT : RULE_F_BACK, rv) || !made_once(&f)) {
            break;
        }
        if (failed && (!begin_anew(&f, r) || !works_again(&f, try, RULE_F_BACK))) {
            (void)judge(&f, RULE_F_BACK, CKR_DEVICE_ERROR);
            break;
        }
    }
    if (!any && r->result->verdict == VERDICT_NONE) {
        r->result->verdict = VERDICT_SKIPPED;   /* nothing was transferred */
    }
    r->runner->dirty = true;
}

void
check_stop(struct case_run *r)
{
    CK_RV (*try)(struct faulty *) = tries[r->arg];
    struct faulty f;
    pid_t child;
    CK_RV rv;

    if (!can(r, FAULT_DAEMON) || !prepare(&f, r) ||
        !daemon_stop((pid_t)r->world->daemon, PAUSE_MS, &child)) {
        r->result->verdict = VERDICT_SKIPPED;
        return;
    }
    trace("stop();");
    rv = try(&f);
    (void)waitpid(child, NULL, 0);
    if (judge(&f, RULE_F_STOP, rv)) {
        clean(&f);
        if (works_again(&f, try, RULE_F_BACK)) {
            (void)call_destroy(r->module, session(&f), f.data);
        }
    }
}

/* The last one: nobody brings the daemon back. */
void
check_kill(struct case_run *r)
{
    struct faulty f;

    if (!can(r, FAULT_KILL) || !prepare(&f, r) ||
        kill((pid_t)r->world->daemon, SIGKILL) != 0) {
        r->result->verdict = VERDICT_SKIPPED;
        return;
    }
    trace("kill(daemon_pid, SIGKILL);");
    for (size_t i = 0; i < FAULT_TRIES; i++) {
        if (!judge(&f, RULE_F_CUT, tries[i](&f))) {
            break;
        }
    }
    r->runner->dirty = true;
}
