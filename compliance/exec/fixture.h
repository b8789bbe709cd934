/* SPDX-License-Identifier: Apache-2.0
 *
 * The module as tests find it: the library initialised, a session for keys, a login, and keys that
 * are made when they are first needed. One per process.
 */
#ifndef COMPLIANCE_FIXTURE_H
#define COMPLIANCE_FIXTURE_H

#include "exec/call.h"
#include "gen/test.h"
#include "ref/ref.h"

enum half { HALF_PUBLIC, HALF_PRIVATE, HALF_COUNT };    /* secret keys are HALF_PRIVATE */

/* What a key of area KEYM is for. */
enum travel { TRAVEL_WRAP, TRAVEL_UNWRAP, TRAVEL_DERIVE, TRAVEL_LEAVE, TRAVEL_COUNT };

enum ladder { LADDER_PUBLIC, LADDER_PRIVATE, LADDER_KEK, LADDER_COUNT };

struct fixture {
    struct module *module;
    CK_SLOT_ID slot;
    const char *pin, *so_pin;
    bool refused;                                       /* the PIN is wrong */
    CK_SESSION_HANDLE home, session[SESSIONS], closed;
    CK_OBJECT_HANDLE key[KEY_COUNT][HALF_COUNT][2];     /* [1] may not do anything */
    CK_OBJECT_HANDLE stale[KEY_COUNT][HALF_COUNT];      /* of keys that a logout took away */
    CK_OBJECT_HANDLE data, gone;
    CK_OBJECT_HANDLE kept[OBJECT_COUNT][3];             /* objects of area ATTR, by form */
    CK_OBJECT_HANDLE ladder[LADDER_COUNT];              /* what keys of known answers come in by */
    struct {
        const void *row;                                /* the last one whose key is kept */
        uint32_t rung;
        CK_OBJECT_HANDLE key;
    } answer;
    CK_OBJECT_HANDLE travel[KEY_COUNT][TRAVEL_COUNT][2]; /* keys of area KEYM; [1] may not */
};

/* Brings the module into the state in which tests of a base begin, from any other. */
bool fixture_ready(struct fixture *fixture, enum base base);

/* Before the first use, and after anything unexpected: from nothing. */
bool fixture_restart(struct fixture *fixture);
void fixture_end(struct fixture *fixture);

/* What C_CreateObject wants for a key of the suite. The values live in the structure. */
struct template
{
    CK_ATTRIBUTE attr[28];
    CK_ULONG count;
    CK_OBJECT_CLASS class;
    CK_KEY_TYPE type;
    struct ref_key ref;
};

bool template_key(struct template *template, enum key key, enum half half, bool able);
void template_put(struct template *template, CK_ATTRIBUTE_TYPE type, const void *value, size_t len);

/* Handles; CK_INVALID_HANDLE when the module does not take such a key. */
CK_OBJECT_HANDLE fixture_key(struct fixture *fixture, enum key key, enum half half, bool able);
CK_OBJECT_HANDLE fixture_data(struct fixture *fixture);
CK_OBJECT_HANDLE fixture_gone(struct fixture *fixture);

/* One that is kept for other tests, when a call on it deviated: who knows what it is now. NULL is fine. */
void fixture_drop(struct fixture *fixture, CK_OBJECT_HANDLE *kept);

/* Private objects are gone with a logout. */
void fixture_forget(struct fixture *fixture);

#endif /* COMPLIANCE_FIXTURE_H */
