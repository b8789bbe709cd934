/* SPDX-License-Identifier: Apache-2.0
 *
 * What a library tells about itself, its slots and its tokens.
 */
#include "exec/cases.h"
#include "exec/trace.h"

#include <string.h>

#define MOST 512

static bool
is_padded(const void *text, size_t size)
{
    return memchr(text, '\0', size) == NULL;
}

static bool
get_info(struct case_run *r, CK_INFO *ret_info)
{
    CK_RV rv;

    trace("rv = p11->C_GetInfo((void *)info);");
    rv = r->module->list.C_GetInfo(ret_info);
    trace_seen("C_GetInfo", rv);
    return case_judge(r, rv);
}

void
check_info_text(struct case_run *r)
{
    CK_INFO info;

    memset(&info, 0, sizeof info);
    if (get_info(r, &info)) {
        case_wrong_unless(r, is_padded(info.manufacturerID, sizeof info.manufacturerID) &&
                            is_padded(info.libraryDescription, sizeof info.libraryDescription) &&
                            info.flags == 0);
    }
}

void
check_info_version(struct case_run *r)
{
    CK_INFO info;

    memset(&info, 0, sizeof info);
    if (get_info(r, &info)) {
        case_wrong_unless(r, info.cryptokiVersion.major == 2 || info.cryptokiVersion.major == 3);
    }
}

static CK_ULONG
list_slots(struct case_run *r, CK_BBOOL with_token, CK_SLOT_ID *ret_slots, CK_ULONG room)
{
    CK_RV rv;

    trace("len = %u;", room);
    trace("rv = p11->C_GetSlotList(%u, (CK_ULONG *)(void *)buffer, &len);", (CK_ULONG)with_token);
    rv = r->module->list.C_GetSlotList(with_token, ret_slots, &room);
    trace_seen("C_GetSlotList", rv);
    return case_judge(r, rv) ? room : 0;
}

void
check_slots_exact(struct case_run *r)
{
    CK_SLOT_ID slots[MOST];
    CK_ULONG count = list_slots(r, CK_TRUE, slots, MOST);

    if (r->result->verdict == VERDICT_NONE) {
        case_wrong_unless(r, count > 0 && list_slots(r, CK_TRUE, slots, count) == count);
    }
}

void
check_slots_subset(struct case_run *r)
{
    CK_SLOT_ID all[MOST], some[MOST];
    CK_ULONG all_count = list_slots(r, CK_FALSE, all, MOST);
    CK_ULONG some_count = list_slots(r, CK_TRUE, some, MOST);

    for (CK_ULONG i = 0; i < some_count && r->result->verdict == VERDICT_NONE; i++) {
        size_t found = 0;

        for (CK_ULONG k = 0; k < all_count; k++) {
            found += all[k] == some[i];
        }
        case_wrong_unless(r, found == 1);
    }
}

static bool
get_slot(struct case_run *r, CK_SLOT_INFO *ret_info)
{
    CK_RV rv;

    memset(ret_info, 0, sizeof *ret_info);
    trace("rv = p11->C_GetSlotInfo(%u, (void *)info);", r->runner->fixture.slot);
    rv = r->module->list.C_GetSlotInfo(r->runner->fixture.slot, ret_info);
    trace_seen("C_GetSlotInfo", rv);
    return case_judge(r, rv);
}

void
check_slot_text(struct case_run *r)
{
    CK_SLOT_INFO info;

    if (get_slot(r, &info)) {
        case_wrong_unless(r, is_padded(info.slotDescription, sizeof info.slotDescription) &&
                            is_padded(info.manufacturerID, sizeof info.manufacturerID));
    }
}

void
check_slot_flags(struct case_run *r)
{
    CK_SLOT_INFO info;

    if (get_slot(r, &info)) {
        case_wrong_unless(r, (info.flags & CKF_TOKEN_PRESENT) &&
                            !(info.flags & ~(CK_FLAGS)(CKF_TOKEN_PRESENT | CKF_REMOVABLE_DEVICE |
                                                       CKF_HW_SLOT)));
    }
}

static bool
get_token(struct case_run *r, CK_TOKEN_INFO *ret_info)
{
    CK_RV rv;

    memset(ret_info, 0, sizeof *ret_info);
    trace("rv = p11->C_GetTokenInfo(%u, (void *)info);", r->runner->fixture.slot);
    rv = r->module->list.C_GetTokenInfo(r->runner->fixture.slot, ret_info);
    trace_seen("C_GetTokenInfo", rv);
    return case_judge(r, rv);
}

void
check_token_text(struct case_run *r)
{
    CK_TOKEN_INFO info;

    if (get_token(r, &info)) {
        case_wrong_unless(r, is_padded(info.label, sizeof info.label) &&
                            is_padded(info.manufacturerID, sizeof info.manufacturerID) &&
                            is_padded(info.model, sizeof info.model) &&
                            is_padded(info.serialNumber, sizeof info.serialNumber));
    }
}

void
check_token_flags(struct case_run *r)
{
    CK_TOKEN_INFO info;

    /* Logged in: there is a token, and its user has a PIN. Bits up to 0x01ffffff have a meaning. */
    if (get_token(r, &info)) {
        case_wrong_unless(r, (info.flags & CKF_TOKEN_INITIALIZED) &&
                            (info.flags & CKF_USER_PIN_INITIALIZED) &&
                            !(info.flags & ~(CK_FLAGS)0x07ffffff) &&
                            !(info.flags & CKF_USER_PIN_LOCKED));
    }
}

void
check_token_pins(struct case_run *r)
{
    CK_TOKEN_INFO info;

    if (get_token(r, &info)) {
        size_t len = strlen(r->runner->fixture.pin);

        case_wrong_unless(r, info.ulMinPinLen <= info.ulMaxPinLen && info.ulMinPinLen <= len &&
                            len <= info.ulMaxPinLen);
    }
}

void
check_token_sessions(struct case_run *r)
{
    CK_TOKEN_INFO info;
    CK_ULONG unknown = CK_UNAVAILABLE_INFORMATION;

    /* The suite has two, for reading and writing. */
    if (get_token(r, &info)) {
        case_wrong_unless(r, (info.ulSessionCount == unknown || info.ulSessionCount >= 2) &&
                            (info.ulRwSessionCount == unknown || info.ulRwSessionCount >= 2) &&
                            (info.ulMaxSessionCount == unknown || info.ulMaxSessionCount == 0 ||
                             info.ulSessionCount == unknown ||
                             info.ulSessionCount <= info.ulMaxSessionCount));
    }
}

void
check_token_time(struct case_run *r)
{
    CK_TOKEN_INFO info;

    if (!get_token(r, &info) || !(info.flags & CKF_CLOCK_ON_TOKEN)) {
        return;
    }
    for (size_t i = 0; i < sizeof info.utcTime; i++) {
        if (info.utcTime[i] < '0' || info.utcTime[i] > '9') {
            case_wrong(r);
            return;
        }
    }
}

void
check_mechs_twice(struct case_run *r)
{
    CK_MECHANISM_TYPE list[MOST];
    CK_ULONG count = MOST;
    CK_RV rv;

    trace("len = 512;");
    trace("rv = p11->C_GetMechanismList(%u, (CK_ULONG *)(void *)buffer, &len);",
          r->runner->fixture.slot);
    rv = r->module->list.C_GetMechanismList(r->runner->fixture.slot, list, &count);
    trace_seen("C_GetMechanismList", rv);
    if (!case_judge(r, rv)) {
        return;
    }
    for (CK_ULONG i = 0; i < count; i++) {
        for (CK_ULONG k = 0; k < i; k++) {
            if (list[i] == list[k]) {
                case_wrong(r);
                return;
            }
        }
    }
}

/* The limit gcm-iv of a profile: an IV of the caller's. */
void
check_gcm_inside(struct case_run *r)
{
    static CK_BYTE iv[12] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };
    CK_GCM_PARAMS params = { iv, sizeof iv, 96, NULL, 0, 128 };
    CK_MECHANISM mech = { CKM_AES_GCM, &params, sizeof params };
    struct bag bag = { .session = r->runner->fixture.session[0],
                       .mech = &mech,
                       .param = PARAM_GCM,
                       .key = fixture_key(&r->runner->fixture, KEY_AES16, HALF_PRIVATE, true) };

    (void)case_judge(r, call(r->module, FN_C_EncryptInit, &bag));
}
