/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of cases, and the functions of the lists in their order.
 */
#include "model/model.h"

#include <string.h>

const struct case_row cases[] = {
#define SCRIPT(area, tag, quick, fn, rule, text) \
    { #area, #tag, quick, FN_##fn, CHECK_SCRIPT, SWEEP_ONE, rule, text },
#define CHECK(area, tag, quick, fn, sweep, rule) \
    { #area, #tag, quick, FN_##fn, CHECK_##tag, SWEEP_##sweep, rule, "" },
#include "model/cases.def"
};
const size_t cases_count = COUNT(cases);

const char *const list_names[LIST_NEW] = {
#define CK_FUNCTION_ROW(name, params, args) #name,
#define CK_FUNCTION_ROWS_UNTIL 0x0300
#include "pkcs11_headers/include/pkcs11f.h"
};

enum fn
fn_find(const char *name, size_t len)
{
    for (int fn = 0; fn < FN_COUNT; fn++) {
        if (strlen(functions[fn].name) == len && strncmp(functions[fn].name, name, len) == 0) {
            return (enum fn)fn;
        }
    }
    return FN_COUNT;
}

bool
list_takes_session(size_t at)
{
    static const char *const without[] = {
        "C_Initialize",       "C_Finalize",         "C_GetInfo",          "C_GetFunctionList",
        "C_GetSlotList",      "C_GetSlotInfo",      "C_GetTokenInfo",     "C_GetMechanismList",
        "C_GetMechanismInfo", "C_InitToken",        "C_OpenSession",      "C_CloseAllSessions",
        "C_WaitForSlotEvent", "C_GetInterfaceList", "C_GetInterface",
    };

    for (size_t i = 0; i < COUNT(without); i++) {
        if (strcmp(list_names[at], without[i]) == 0) {
            return false;
        }
    }
    return true;
}

bool
case_fits(const struct case_row *row, uint32_t arg)
{
    switch (row->sweep) {
    case SWEEP_OLD:
        return arg < LIST_OLD;
    case SWEEP_NEW:
        return arg < LIST_NEW;
    case SWEEP_MASK:
        return arg > 0 && arg < 15;
    case SWEEP_MECH:
        return true;
    case SWEEP_ACCESS:
        return arg < ACCESS_MOST;
    case SWEEP_FIVES:
        return arg < ENTRIES_MOST;
    case SWEEP_FINDS:
        return arg < FINDS_MOST;
    case SWEEP_TRIES:
        return arg < FAULT_TRIES;
    default:
        return arg == 0;
    }
}
