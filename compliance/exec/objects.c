/* SPDX-License-Identifier: Apache-2.0
 *
 * Objects between sessions and over their time: what templates tell and find, and what lives on.
 */
#include "exec/cases.h"
#include "exec/trace.h"

#include <string.h>
#include <unistd.h>

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

static CK_SESSION_HANDLE
session(const struct case_run *r)
{
    return r->runner->fixture.session[0];
}

static void
skip(struct case_run *r)
{
    r->result->verdict = VERDICT_SKIPPED;
}

/* A sensitive AES key of the session, with a label, an id, and what it may do. */
static bool
make_key(struct case_run *r, CK_OBJECT_HANDLE *ret_key)
{
    static CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    static CK_KEY_TYPE type = CKK_AES;
    static CK_BYTE value[16] = { 3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3 };
    CK_ATTRIBUTE attrs[] = {
        { CKA_CLASS, &class, sizeof class },   { CKA_KEY_TYPE, &type, sizeof type },
        { CKA_TOKEN, &no, sizeof no },         { CKA_SENSITIVE, &yes, sizeof yes },
        { CKA_LABEL, (void *)(uintptr_t) "p11comply entries", 17 },
        { CKA_ID, (void *)(uintptr_t) "an id", 5 },
        { CKA_ENCRYPT, &yes, sizeof yes },     { CKA_VALUE, value, sizeof value },
    };

    return call_create(r->module, session(r), attrs, COUNT(attrs), ret_key) == CKR_OK;
}

/* ---- entries of a template ---- */

#define PLACE 64

struct entry_row {
    CK_ATTRIBUTE_TYPE type;
    bool asks;
    CK_ULONG room, len;     /* what it gives, and what it is to say then */
    CK_RV code;
};

static const struct entry_row entries[ENTRIES] = {
    [ENTRY_SENSITIVE] = { CKA_VALUE, false, PLACE, CK_UNAVAILABLE_INFORMATION,
                          CKR_ATTRIBUTE_SENSITIVE },
    [ENTRY_ABSENT] = { CKA_MODULUS, false, PLACE, CK_UNAVAILABLE_INFORMATION,
                       CKR_ATTRIBUTE_TYPE_INVALID },
    [ENTRY_ASKED] = { CKA_CLASS, true, 0, sizeof(CK_OBJECT_CLASS), CKR_OK },
    [ENTRY_FITS] = { CKA_KEY_TYPE, false, PLACE, sizeof(CK_KEY_TYPE), CKR_OK },
    [ENTRY_SHORT] = { CKA_CLASS, false, 3, CK_UNAVAILABLE_INFORMATION, CKR_BUFFER_TOO_SMALL },
};

static CK_RV
get_three(struct case_run *r, CK_OBJECT_HANDLE key, CK_ATTRIBUTE attrs[3])
{
    CK_RV rv;

    trace("rv = p11->C_GetAttributeValue(%s, %o, (CK_ATTRIBUTE[]){ { %u, %b, %u }, { %u, %b, %u }, "
          "{ %u, %b, %u } }, 3);",
          session(r), key, attrs[0].type, attrs[0].pValue, attrs[0].ulValueLen, attrs[1].type,
          attrs[1].pValue, attrs[1].ulValueLen, attrs[2].type, attrs[2].pValue,
          attrs[2].ulValueLen);
    rv = r->module->list.C_GetAttributeValue(session(r), key, attrs, 3);
    trace_seen("C_GetAttributeValue", rv);
    return rv;
}

void
check_entries(struct case_run *r)
{
    static CK_BYTE place[3][PLACE];
    const struct entry_row *row[3] = { &entries[r->arg / (ENTRIES * ENTRIES)],
                                       &entries[r->arg / ENTRIES % ENTRIES],
                                       &entries[r->arg % ENTRIES] };
    CK_ATTRIBUTE attrs[3];
    CK_OBJECT_HANDLE key;
    bool right = false, all_well = true;
    CK_RV rv;

    if (!make_key(r, &key)) {
        skip(r);
        return;
    }
    for (size_t i = 0; i < 3; i++) {
        memset(place[i], 0xa5, PLACE);
        attrs[i] = (CK_ATTRIBUTE){ row[i]->type, row[i]->asks ? NULL : place[i], row[i]->room };
    }
    rv = get_three(r, key, attrs);
    (void)call_destroy(r->module, session(r), key);
    if (!case_judge(r, rv)) {
        return;
    }
    for (size_t i = 0; i < 3; i++) {
        right = right || (rv != CKR_OK && row[i]->code == rv);
        all_well = all_well && row[i]->code == CKR_OK;
        case_wrong_unless(r, attrs[i].ulValueLen == row[i]->len);
        if (row[i] == &entries[ENTRY_FITS]) {
            CK_KEY_TYPE type;

            memcpy(&type, place[i], sizeof type);
            case_wrong_unless(r, type == CKK_AES);
        } else {
            case_wrong_unless(r, place[i][0] == 0xa5 && place[i][3] == 0xa5);
        }
    }
    case_wrong_unless(r, rv == CKR_OK ? all_well : right);
}

/* ---- searches ---- */

static bool
search(struct case_run *r, CK_SESSION_HANDLE in, CK_ATTRIBUTE *attrs, CK_ULONG count,
       CK_OBJECT_HANDLE want, bool *ret_found)
{
    static CK_OBJECT_HANDLE handles[64];
    CK_ULONG found = 0;
    struct bag bag = { .session = in,
                       .attrs = attrs,
                       .attrs_count = count,
                       .handles = handles,
                       .max = COUNT(handles),
                       .found = &found };

    if (!case_judge(r, call(r->module, FN_C_FindObjectsInit, &bag)) ||
        !case_judge(r, call(r->module, FN_C_FindObjects, &bag)) ||
        !case_judge(r, call(r->module, FN_C_FindObjectsFinal, &bag))) {
        return false;
    }
    *ret_found = false;
    for (CK_ULONG i = 0; i < found; i++) {
        *ret_found = *ret_found || handles[i] == want;
    }
    return true;
}

/* By an attribute of the key and its label; by another value it is not found. */
void
check_finds(struct case_run *r)
{
    static CK_OBJECT_CLASS class = CKO_SECRET_KEY, other_class = CKO_DATA;
    static CK_KEY_TYPE type = CKK_AES, other_type = CKK_GENERIC_SECRET;
    static const struct {
        CK_ATTRIBUTE right, wrong;
    } rows[FINDS_MOST / 2] = {
#define BYTES(type, right, wrong) \
    { { type, (void *)(uintptr_t)right, sizeof right - 1 }, \
      { type, (void *)(uintptr_t)wrong, sizeof wrong - 1 } }
#define FLAG(type, right, wrong) { { type, &right, 1 }, { type, &wrong, 1 } }
        { { CKA_CLASS, &class, sizeof class }, { CKA_CLASS, &other_class, sizeof class } },
        { { CKA_KEY_TYPE, &type, sizeof type }, { CKA_KEY_TYPE, &other_type, sizeof type } },
        FLAG(CKA_TOKEN, no, yes),
        FLAG(CKA_SENSITIVE, yes, no),
        FLAG(CKA_ENCRYPT, yes, no),
        FLAG(CKA_LOCAL, no, yes),
        BYTES(CKA_ID, "an id", "an ie"),
        BYTES(CKA_ID, "an id", "an"),
        BYTES(CKA_LABEL, "p11comply entries", "p11comply entries "),
        BYTES(CKA_LABEL, "p11comply entries", ""),
#undef BYTES
#undef FLAG
    };
    CK_ATTRIBUTE attrs[2] = { r->arg % 2 == 0 ? rows[r->arg / 2].right : rows[r->arg / 2].wrong,
                              { CKA_LABEL, (void *)(uintptr_t) "p11comply entries", 17 } };
    CK_ULONG count = attrs[0].type == CKA_LABEL ? 1 : 2;
    CK_OBJECT_HANDLE key;
    bool found;

    if (!make_key(r, &key)) {
        skip(r);
        return;
    }
    if (search(r, session(r), attrs, count, key, &found)) {
        case_wrong_unless(r, found == (r->arg % 2 == 0));
    }
    (void)call_destroy(r->module, session(r), key);
}

/* ---- over their time ---- */

static bool
make_data(struct case_run *r, CK_SESSION_HANDLE in, bool token, CK_OBJECT_HANDLE *ret_object)
{
    static CK_OBJECT_CLASS class = CKO_DATA;
    static char label[32];
    CK_ATTRIBUTE attrs[] = { { CKA_CLASS, &class, sizeof class },
                             { CKA_TOKEN, token ? &yes : &no, sizeof yes },
                             { CKA_LABEL, label, 0 },
                             { CKA_VALUE, (void *)(uintptr_t) "data", 4 } };

    attrs[2].ulValueLen = (CK_ULONG)snprintf(label, sizeof label, "p11comply %ld", (long)getpid());
    return r->world->has_object[OBJECT_DATA] &&
           call_create(r->module, in, attrs, COUNT(attrs), ret_object) == CKR_OK;
}

static CK_RV
read_label(struct case_run *r, CK_SESSION_HANDLE in, CK_OBJECT_HANDLE object)
{
    CK_BYTE label[64];
    CK_ULONG len = sizeof label;

    return call_get(r->module, in, object, CKA_LABEL, label, &len);
}

static bool
second_session(struct case_run *r, CK_SESSION_HANDLE *ret_session)
{
    struct bag bag = { .slot = r->runner->fixture.slot,
                       .flags = CKF_SERIAL_SESSION | CKF_RW_SESSION,
                       .info = ret_session };

    return call(r->module, FN_C_OpenSession, &bag) == CKR_OK;
}

static CK_RV
end_session(struct case_run *r, CK_SESSION_HANDLE handle)
{
    struct bag bag = { .session = handle };

    return call(r->module, FN_C_CloseSession, &bag);
}

void
check_shared(struct case_run *r)
{
    CK_SESSION_HANDLE other;
    CK_OBJECT_HANDLE object;

    if (!make_data(r, session(r), false, &object) || !second_session(r, &other)) {
        skip(r);
        return;
    }
    (void)case_judge(r, read_label(r, other, object));
    (void)end_session(r, other);
    (void)call_destroy(r->module, session(r), object);
}

void
check_session_ends(struct case_run *r)
{
    CK_SESSION_HANDLE other;
    CK_OBJECT_HANDLE mine, its;

    if (!make_data(r, session(r), false, &mine) || !second_session(r, &other) ||
        !make_data(r, other, false, &its)) {
        skip(r);
        return;
    }
    if (case_judge(r, end_session(r, other))) {
        case_wrong_unless(r, read_label(r, session(r), its) == CKR_OBJECT_HANDLE_INVALID &&
                                 read_label(r, session(r), mine) == CKR_OK);
    }
    (void)call_destroy(r->module, session(r), mine);
}

/* Handles need not be the same afterwards: it is looked for. */
void
check_token_stays(struct case_run *r)
{
    struct fixture *f = &r->runner->fixture;
    CK_ATTRIBUTE label = { CKA_LABEL, NULL, 0 };
    CK_OBJECT_HANDLE object, handles[4];
    CK_ULONG found = 0;
    char text[32];
    struct bag bag = { .attrs = &label, .attrs_count = 1, .handles = handles, .max = 4,
                       .found = &found };

    if (!make_data(r, session(r), true, &object)) {
        skip(r);
        return;
    }
    fixture_end(f);
    if (!fixture_restart(f) || !fixture_ready(f, BASE_LOGIN)) {
        r->result->verdict = VERDICT_BLOCKED;
        return;
    }
    label.pValue = text;
    label.ulValueLen = (CK_ULONG)snprintf(text, sizeof text, "p11comply %ld", (long)getpid());
    bag.session = session(r);
    if (case_judge(r, call(r->module, FN_C_FindObjectsInit, &bag)) &&
        case_judge(r, call(r->module, FN_C_FindObjects, &bag)) &&
        case_judge(r, call(r->module, FN_C_FindObjectsFinal, &bag))) {
        case_wrong_unless(r, found == 1);
    }
    for (CK_ULONG i = 0; i < found; i++) {
        (void)call_destroy(r->module, session(r), handles[i]);
    }
}

void
check_copy_alone(struct case_run *r)
{
    CK_ATTRIBUTE label = { CKA_LABEL, (void *)(uintptr_t) "p11comply copy", 14 };
    CK_OBJECT_HANDLE first, copy;

    if (!make_data(r, session(r), false, &first)) {
        skip(r);
        return;
    }
    if (!case_judge(r, call_copy(r->module, session(r), first, &label, 1, &copy)) ||
        r->result->seen != CKR_OK) {
        (void)call_destroy(r->module, session(r), first);
        return;
    }
    case_wrong_unless(r, copy != first && call_destroy(r->module, session(r), first) == CKR_OK &&
                             read_label(r, session(r), copy) == CKR_OK &&
                             read_label(r, session(r), first) == CKR_OBJECT_HANDLE_INVALID);
    (void)call_destroy(r->module, session(r), copy);
}

void
check_gone_in_search(struct case_run *r)
{
    CK_OBJECT_HANDLE first, second, handles[64];
    CK_ULONG found = 0;
    struct bag bag = { .session = session(r), .handles = handles, .max = 1, .found = &found };

    if (!make_data(r, session(r), false, &first) || !make_data(r, session(r), false, &second)) {
        skip(r);
        return;
    }
    if (case_judge(r, call(r->module, FN_C_FindObjectsInit, &bag)) &&
        case_judge(r, call(r->module, FN_C_FindObjects, &bag))) {
        (void)call_destroy(r->module, session(r), second);
        bag.max = COUNT(handles);
        (void)(case_judge(r, call(r->module, FN_C_FindObjects, &bag)) &&
               case_judge(r, call(r->module, FN_C_FindObjectsFinal, &bag)));
    }
    (void)call_destroy(r->module, session(r), first);
}
