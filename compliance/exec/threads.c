/* SPDX-License-Identifier: Apache-2.0
 *
 * Several threads at once, each with a session of its own: each shall be answered as if it were alone.
 * One session used by two threads is left out: what comes of that the text leaves open.
 */
#include "exec/cases.h"
#include "ref/ref.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#define THREADS 4
#define ROUNDS 12

struct party;

/* A thread: what it does in each round, and the first code that is not right. */
struct guest {
    struct party *party;
    size_t number;
    CK_SESSION_HANDLE session;
    CK_RV rv;
    bool wrong;             /* the code was right, what came with it was not */
};

struct party {
    struct case_run *run;
    const CK_FUNCTION_LIST_3_0 *list;
    atomic_bool started;
    CK_OBJECT_HANDLE key;
    uint8_t message[32], mac[32];
    CK_RV (*round)(struct guest *guest, size_t round);
    struct guest guest[THREADS];
};

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

static void *
play(void *context)
{
    struct guest *g = context;

    while (!atomic_load(&g->party->started)) {
        (void)sched_yield();
    }
    for (size_t i = 0; i < ROUNDS && g->rv == CKR_OK && !g->wrong; i++) {
        g->rv = g->party->round(g, i);
    }
    return NULL;
}

/* The library for threads, a login, and a session for each. */
static bool
invite(struct party *p, struct case_run *r)
{
    CK_C_INITIALIZE_ARGS args = { .flags = CKF_OS_LOCKING_OK };
    struct fixture *f = &r->runner->fixture;

    memset(p, 0, sizeof *p);
    p->run = r;
    p->list = &r->module->list;
    r->runner->dirty = true;
    if (p->list->C_Finalize(NULL) != CKR_OK || p->list->C_Initialize(&args) != CKR_OK) {
        return false;
    }
    for (size_t i = 0; i < THREADS; i++) {
        p->guest[i].party = p;
        p->guest[i].number = i;
        if (p->list->C_OpenSession(f->slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL,
                                   &p->guest[i].session) != CKR_OK) {
            return false;
        }
    }
    return p->list->C_Login(p->guest[0].session, CKU_USER, (CK_UTF8CHAR *)(uintptr_t)f->pin,
                            strlen(f->pin)) == CKR_OK;
}

/* A key that all of them use, and what it makes of a message. */
static bool
bring_key(struct party *p)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_GENERIC_SECRET;
    uint8_t value[64];
    size_t len;
    CK_ATTRIBUTE attrs[] = {
        { CKA_CLASS, &class, sizeof class }, { CKA_KEY_TYPE, &type, sizeof type },
        { CKA_TOKEN, &no, sizeof no },       { CKA_SIGN, &yes, sizeof yes },
        { CKA_VALUE, value, 64 },
    };

    for (size_t i = 0; i < sizeof p->message; i++) {
        p->message[i] = ref_byte(i);
    }
    return ref_secret(KEY_GEN64, value, &len) && len == 64 &&
           ref_hmac(value, len, p->message, sizeof p->message, p->mac) &&
           p->list->C_CreateObject(p->guest[0].session, attrs, COUNT(attrs), &p->key) == CKR_OK;
}

/* The first code that is not CKR_OK of any of them. */
static CK_RV
dance(struct party *p, CK_RV (*round)(struct guest *, size_t))
{
    pthread_t thread[THREADS];
    CK_RV rv = CKR_OK;
    size_t begun = 0;

    p->round = round;
    while (begun < THREADS &&
           pthread_create(&thread[begun], NULL, play, &p->guest[begun]) == 0) {
        begun++;
    }
    atomic_store(&p->started, true);
    for (size_t i = 0; i < begun; i++) {
        (void)pthread_join(thread[i], NULL);
        rv = rv == CKR_OK ? p->guest[i].rv : rv;
    }
    return begun == THREADS ? rv : CKR_HOST_MEMORY;
}

static void
judge(struct party *p, CK_RV rv)
{
    if (case_judge(p->run, rv)) {
        for (size_t i = 0; i < THREADS; i++) {
            case_wrong_unless(p->run, !p->guest[i].wrong);
        }
    }
    (void)p->list->C_Finalize(NULL);
}

static void
run(struct case_run *r, bool with_key, CK_RV (*round)(struct guest *, size_t))
{
    struct party party;

    if (!invite(&party, r) || (with_key && !bring_key(&party))) {
        r->result->verdict = VERDICT_SKIPPED;
        return;
    }
    judge(&party, dance(&party, round));
}

/* ---- what they do ---- */

/* An object of its own: made, read, found, and gone again. */
static CK_RV
own_object(struct guest *g, size_t round)
{
    const CK_FUNCTION_LIST_3_0 *list = g->party->list;
    CK_OBJECT_CLASS class = CKO_DATA;
    uint8_t label[3] = { 'g', (uint8_t)('0' + g->number), (uint8_t)('a' + round) }, seen[8];
    CK_ATTRIBUTE attrs[] = { { CKA_CLASS, &class, sizeof class },
                             { CKA_TOKEN, &no, sizeof no },
                             { CKA_LABEL, label, sizeof label },
                             { CKA_VALUE, label, sizeof label } };
    CK_ATTRIBUTE want = { CKA_VALUE, seen, sizeof seen };
    CK_OBJECT_HANDLE object, found[4];
    CK_ULONG count = 0;
    CK_RV rv, end;

    if ((rv = list->C_CreateObject(g->session, attrs, COUNT(attrs), &object)) != CKR_OK ||
        (rv = list->C_GetAttributeValue(g->session, object, &want, 1)) != CKR_OK ||
        (rv = list->C_FindObjectsInit(g->session, &attrs[2], 1)) != CKR_OK) {
        return rv;
    }
    rv = list->C_FindObjects(g->session, found, COUNT(found), &count);
    end = list->C_FindObjectsFinal(g->session);
    g->wrong = want.ulValueLen != sizeof label || memcmp(seen, label, sizeof label) != 0 ||
               (rv == CKR_OK && (count != 1 || found[0] != object));
    if (rv != CKR_OK || end != CKR_OK) {
        return rv != CKR_OK ? rv : end;
    }
    return list->C_DestroyObject(g->session, object);
}

void
check_own_objects(struct case_run *r)
{
    run(r, false, own_object);
}

static CK_RV
sign(struct guest *g, size_t round)
{
    CK_MECHANISM mech = { CKM_SHA256_HMAC, NULL, 0 };
    uint8_t mac[64];
    CK_ULONG len = sizeof mac;
    CK_RV rv = g->party->list->C_SignInit(g->session, &mech, g->party->key);

    (void)round;
    if (rv == CKR_OK) {
        rv = g->party->list->C_Sign(g->session, g->party->message, sizeof g->party->message, mac,
                                    &len);
    }
    g->wrong = rv == CKR_OK && (len != 32 || memcmp(mac, g->party->mac, 32) != 0);
    return rv;
}

void
check_one_key(struct case_run *r)
{
    run(r, true, sign);
}

/* The first thread destroys the key in the middle; what the others do is right or refused. */
static CK_RV
sign_or_not(struct guest *g, size_t round)
{
    CK_RV rv;

    if (g->number == 0) {
        return round == ROUNDS / 2
                   ? g->party->list->C_DestroyObject(g->session, g->party->key)
                   : CKR_OK;
    }
    rv = sign(g, round);
    return g->wrong ? rv : CKR_OK;      /* which code it is depends on the moment */
}

void
check_key_goes(struct case_run *r)
{
    run(r, true, sign_or_not);
}

/* Sessions are opened and closed, each with a handle of its own while it is there. */
static CK_RV
open_and_close(struct guest *g, size_t round)
{
    const CK_FUNCTION_LIST_3_0 *list = g->party->list;
    CK_SLOT_ID slot = g->party->run->runner->fixture.slot;
    CK_SESSION_HANDLE session;
    CK_SESSION_INFO info = { 0 };
    CK_FLAGS flags = CKF_SERIAL_SESSION | ((g->number + round) % 2 ? CKF_RW_SESSION : 0);
    CK_RV rv = list->C_OpenSession(slot, flags, NULL, NULL, &session);

    if (rv != CKR_OK || (rv = list->C_GetSessionInfo(session, &info)) != CKR_OK) {
        return rv;
    }
    g->wrong = info.flags != flags || info.slotID != slot;
    for (size_t i = 0; i < THREADS; i++) {
        g->wrong = g->wrong || session == g->party->guest[i].session;
    }
    return list->C_CloseSession(session);
}

void
check_sessions(struct case_run *r)
{
    run(r, false, open_and_close);
}

/* All log in at once: one of them does. */
static CK_RV
log_in(struct guest *g, size_t round)
{
    const char *pin = g->party->run->runner->fixture.pin;
    CK_RV rv;

    if (round > 0) {
        return CKR_OK;
    }
    rv = g->party->list->C_Login(g->session, CKU_USER, (CK_UTF8CHAR *)(uintptr_t)pin, strlen(pin));
    g->wrong = rv == CKR_OK;        /* counted by the check */
    return rv == CKR_USER_ALREADY_LOGGED_IN ? CKR_OK : rv;
}

void
check_one_login(struct case_run *r)
{
    struct party party;
    size_t count = 0;
    CK_RV rv;

    if (!invite(&party, r) || party.list->C_Logout(party.guest[0].session) != CKR_OK) {
        r->result->verdict = VERDICT_SKIPPED;
        return;
    }
    rv = dance(&party, log_in);
    for (size_t i = 0; i < THREADS; i++) {
        count += party.guest[i].wrong;
        party.guest[i].wrong = false;
    }
    party.guest[0].wrong = rv == CKR_OK && count != 1;
    judge(&party, rv);
}
