/* SPDX-License-Identifier: Apache-2.0
 *
 * The one slot, the token that is always in it, and its mechanisms by the token's policy.
 */
#include "p11/slot.h"

#include "p11/library.h"
#include "p11/text.h"
#include "p11/trip.h"

#include <string.h>
#include <time.h>

#define PIN_MIN 8u  /* a password alone */
#define PIN_MAX 64u /* the longest name, a colon, the longest password */

PUBLIC CK_RV
C_GetSlotList(CK_BBOOL tokenPresent, CK_SLOT_ID_PTR pSlotList, CK_ULONG_PTR pulCount)
{
    struct library *library;
    CK_RV rv = library_enter(&library);

    UNUSED(tokenPresent);
    if (rv != CKR_OK) {
        return rv;
    }
    if (pulCount == NULL) {
        rv = CKR_ARGUMENTS_BAD;
    } else if (pSlotList != NULL && *pulCount < 1) {
        *pulCount = 1;
        rv = CKR_BUFFER_TOO_SMALL;
    } else {
        *pulCount = 1;
        if (pSlotList != NULL) {
            pSlotList[0] = SLOT_ID;
        }
    }
    library_leave(library);
    return rv;
}

PUBLIC CK_RV
C_GetSlotInfo(CK_SLOT_ID slotID, CK_SLOT_INFO_PTR pInfo)
{
    struct library *library;
    CK_RV rv = library_enter(&library);

    if (rv != CKR_OK) {
        return rv;
    }
    if (slotID != SLOT_ID) {
        rv = CKR_SLOT_ID_INVALID;
    } else if (pInfo == NULL) {
        rv = CKR_ARGUMENTS_BAD;
    } else {
        CK_SLOT_INFO info = { .flags = CKF_TOKEN_PRESENT, .hardwareVersion = LIBRARY_VERSION,
                              .firmwareVersion = LIBRARY_VERSION };

        text_pad(info.slotDescription, sizeof info.slotDescription,
                 VIEW_TEXT("OpenCloudHSM slot"));
        text_pad(info.manufacturerID, sizeof info.manufacturerID, MANUFACTURER);
        *pInfo = info;
    }
    library_leave(library);
    return rv;
}

/* No policy offers it (docs/pkcs11_choices.md), so nobody is asked which one is in force. */
PUBLIC CK_RV
C_InitToken(CK_SLOT_ID slotID, CK_UTF8CHAR_PTR pPin, CK_ULONG ulPinLen, CK_UTF8CHAR_PTR pLabel)
{
    const struct rules rules = { POLICY_STANDARD, INTERFACE_P11, 0 };
    struct library *library;
    CK_RV rv = library_enter(&library);

    UNUSED(slotID);
    UNUSED(pPin);
    UNUSED(ulPinLen);
    UNUSED(pLabel);
    if (rv == CKR_OK) {
        library_leave(library);
        rv = rules_function_code(rules, FUNCTION_InitToken);
    }
    return rv;
}

static CK_RV
token_info(struct library *library, CK_TOKEN_INFO *ret_info)
{
    const struct token *token;
    CK_RV rv = library_token(library, &token);

    if (rv != CKR_OK) {
        return rv;
    }

    CK_TOKEN_INFO info = {
        .flags = CKF_RNG | CKF_LOGIN_REQUIRED | CKF_USER_PIN_INITIALIZED | CKF_TOKEN_INITIALIZED,
        .ulMaxSessionCount = CK_EFFECTIVELY_INFINITE,
        .ulMaxRwSessionCount = CK_EFFECTIVELY_INFINITE,
        .ulMaxPinLen = PIN_MAX,
        .ulMinPinLen = PIN_MIN,
        .ulTotalPublicMemory = CK_UNAVAILABLE_INFORMATION,
        .ulFreePublicMemory = CK_UNAVAILABLE_INFORMATION,
        .ulTotalPrivateMemory = CK_UNAVAILABLE_INFORMATION,
        .ulFreePrivateMemory = CK_UNAVAILABLE_INFORMATION,
        .hardwareVersion = token->firmware,
        .firmwareVersion = token->firmware,
    };

    if (rules_function_code(token->rules, FUNCTION_DigestEncryptUpdate) == CKR_OK) {
        info.flags |= CKF_DUAL_CRYPTO_OPERATIONS;
    }
    library_relock();
    info.ulSessionCount = library->sessions.count;
    info.ulRwSessionCount = library->sessions.read_write_count;
    library_unlock();
    memcpy(info.label, token->label, sizeof info.label);
    memcpy(info.model, token->model, sizeof info.model);
    memcpy(info.serialNumber, token->serial, sizeof info.serialNumber);
    text_pad(info.manufacturerID, sizeof info.manufacturerID, MANUFACTURER);
    text_pad(info.utcTime, sizeof info.utcTime, VIEW_EMPTY);
    *ret_info = info;
    return CKR_OK;
}

PUBLIC CK_RV
C_GetTokenInfo(CK_SLOT_ID slotID, CK_TOKEN_INFO_PTR pInfo)
{
    struct library *library;
    CK_RV rv = library_enter(&library);

    if (rv != CKR_OK) {
        return rv;
    }
    if (slotID != SLOT_ID) {
        rv = CKR_SLOT_ID_INVALID;
    } else if (pInfo == NULL) {
        rv = CKR_ARGUMENTS_BAD;
    } else {
        rv = token_info(library, pInfo);
    }
    library_leave(library);
    return rv;
}

/* Numbers that came with 3.1. Programs of the time of 2.40 and 3.0 name what is listed by tables of
 * their own, and stumble over what they do not know: PyKCS11 lists nothing at all then. */
static const CK_MECHANISM_TYPE later[] = {
    CKM_TLS12_EXTENDED_MASTER_KEY_DERIVE,
    CKM_TLS12_EXTENDED_MASTER_KEY_DERIVE_DH,
    CKM_AES_KEY_WRAP_PKCS7,
};

static bool
is_later(CK_MECHANISM_TYPE type)
{
    for (size_t i = 0; i < ARRAY_COUNT(later); i++) {
        if (later[i] == type) {
            return true;
        }
    }
    return false;
}

/* Writes the types that the policy offers into list[0..size); gives how many there are. */
static CK_ULONG
mechanisms_list(struct rules rules, bool all, CK_MECHANISM_TYPE *list, CK_ULONG size)
{
    size_t rows_count;
    const struct mechanism_row *rows = mechanism_rows(&rows_count);
    CK_ULONG count = 0;

    for (size_t i = 0; i < rows_count; i++) {
        if (mechanism_limit(rules, &rows[i])->functions != 0 &&
            (all || !is_later(rows[i].type))) {
            if (count < size) {
                list[count] = rows[i].type;
            }
            count++;
        }
    }
    return count;
}

static CK_RV
mechanisms_get(CK_SLOT_ID slot, bool all, CK_MECHANISM_TYPE *list, CK_ULONG *count)
{
    struct library *library;
    struct rules rules;
    CK_RV rv = library_enter(&library);

    if (rv != CKR_OK) {
        return rv;
    }
    if (slot != SLOT_ID) {
        rv = CKR_SLOT_ID_INVALID;
    } else if (count == NULL) {
        rv = CKR_ARGUMENTS_BAD;
    } else if ((rv = library_rules(library, &rules)) == CKR_OK) {
        CK_ULONG needed = mechanisms_list(rules, all, NULL, 0);

        if (list != NULL && *count < needed) {
            rv = CKR_BUFFER_TOO_SMALL;
        } else if (list != NULL) {
            mechanisms_list(rules, all, list, needed);
        }
        *count = needed;
    }
    library_leave(library);
    return rv;
}

PUBLIC CK_RV
C_GetMechanismList(CK_SLOT_ID slotID, CK_MECHANISM_TYPE_PTR pMechanismList, CK_ULONG_PTR pulCount)
{
    return mechanisms_get(slotID, true, pMechanismList, pulCount);
}

CK_RV
slot_mechanisms_2_40(CK_SLOT_ID slotID, CK_MECHANISM_TYPE_PTR pMechanismList,
                     CK_ULONG_PTR pulCount)
{
    return mechanisms_get(slotID, false, pMechanismList, pulCount);
}

static CK_RV
mechanism_info(struct library *library, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *ret_info)
{
    const struct mechanism_row *row = mechanism_row(type);
    const struct mechanism_limit *limit;
    struct rules rules;
    CK_RV rv = library_rules(library, &rules);

    if (rv != CKR_OK) {
        return rv;
    }
    limit = row == NULL ? NULL : mechanism_limit(rules, row);
    if (limit == NULL || limit->functions == 0) {
        return CKR_MECHANISM_INVALID;
    }
    *ret_info = (CK_MECHANISM_INFO){
        .ulMinKeySize = limit->min,
        .ulMaxKeySize = limit->max,
        .flags = limit->functions | mechanism_messages(rules, row),
    };
    return CKR_OK;
}

PUBLIC CK_RV
C_GetMechanismInfo(CK_SLOT_ID slotID, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO_PTR pInfo)
{
    struct library *library;
    CK_RV rv = library_enter(&library);

    if (rv != CKR_OK) {
        return rv;
    }
    if (slotID != SLOT_ID) {
        rv = CKR_SLOT_ID_INVALID;
    } else if (pInfo == NULL) {
        rv = CKR_ARGUMENTS_BAD;
    } else {
        rv = mechanism_info(library, type, pInfo);
    }
    library_leave(library);
    return rv;
}

/* ---- events ---- */

#define EVENT_PAUSE_NS 50000000L
#define EVENT_ASK_PAUSES 20u /* while the node is lost: a question now and then */

/* Is there news that nobody has had yet? The daemon keeps the change page valid as long as a node
 * answers; one that was never valid tells nothing. */
static bool
event_take(struct library *library)
{
    const struct page *page = client_page(library->client);
    bool lost = !page_is_valid(page, client_clock());
    bool told = !lost;

    if (atomic_load(&page->valid_until) == 0) {
        return false;
    }
    return atomic_compare_exchange_strong(&library->lost, &told, lost);
}

/* A daemon that was restarted is found, and its page, by whoever calls it. */
static void
event_ask(struct library *library)
{
    struct call call;

    if (trip_begin(library, &call) == CKR_OK) {
        CK_RV rv = trip_send(library, NULL, &call, OPERATION_TOKEN);

        UNUSED(rv);
    }
    call_end(&call);
}

/* Ends with an event or with C_Finalize. */
static CK_RV
event_wait(struct library *library)
{
    static const struct timespec pause = { 0, EVENT_PAUSE_NS };

    for (unsigned i = 1;; i++) {
        if (!library_is_current(library)) {
            return CKR_CRYPTOKI_NOT_INITIALIZED;
        }
        if (event_take(library)) {
            return CKR_OK;
        }
        nanosleep(&pause, NULL);
        if (atomic_load(&library->lost) && i % EVENT_ASK_PAUSES == 0) {
            event_ask(library);
        }
    }
}

PUBLIC CK_RV
C_WaitForSlotEvent(CK_FLAGS flags, CK_SLOT_ID_PTR pSlot, CK_VOID_PTR pRserved)
{
    struct library *library;
    struct rules rules;
    CK_RV rv = library_enter(&library);

    if (rv != CKR_OK) {
        return rv;
    }
    if ((rv = library_rules(library, &rules)) != CKR_OK ||
        (rv = rules_function_code(rules, FUNCTION_WaitForSlotEvent)) != CKR_OK) {
        goto out;
    }
    if (pSlot == NULL || pRserved != NULL) {
        rv = CKR_ARGUMENTS_BAD;
    } else if ((flags & CKF_DONT_BLOCK) != 0) {
        rv = event_take(library) ? CKR_OK : CKR_NO_EVENT;
    } else {
        rv = event_wait(library);
    }
    if (rv == CKR_OK) {
        *pSlot = SLOT_ID;
    }
out:
    library_leave(library);
    return rv;
}
