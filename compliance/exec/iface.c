/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists of functions, and interfaces.
 */
#include "exec/cases.h"
#include "exec/trace.h"

#include <string.h>

/* ---- lists and interfaces ---- */

void
check_list_entry(struct case_run *r)
{
    void (*entries[LIST_NEW])(void);
    CK_FUNCTION_LIST *list = NULL;
    CK_RV rv;

    trace("rv = p11->C_GetFunctionList(&plain);");
    rv = r->module->list.C_GetFunctionList(&list);
    trace_seen("C_GetFunctionList", rv);
    if (case_judge(r, rv)) {
        memcpy(entries, &list->C_Initialize, LIST_OLD * sizeof entries[0]);
        if (entries[r->arg] == NULL) {
            case_wrong(r);
        }
    }
}

static CK_RV
get_interface(struct case_run *r, const char *name, CK_VERSION *version, CK_INTERFACE **ret,
              CK_FLAGS flags)
{
    CK_VERSION copy = version != NULL ? *version : (CK_VERSION){ 0, 0 };
    CK_RV rv;

    *ret = NULL;
    trace_piece(name != NULL ? "    rv = p11->C_GetInterface((CK_UTF8CHAR *)\"%t\", "
                             : "    rv = p11->C_GetInterface(NULL, ",
                name);
    if (version != NULL) {
        trace_piece("&(CK_VERSION){ %u, %u }, ", (CK_ULONG)copy.major, (CK_ULONG)copy.minor);
    } else {
        trace_piece("NULL, ");
    }
    trace_piece("&interface, %u);\n", flags);
    rv = r->module->list.C_GetInterface((CK_UTF8CHAR *)(uintptr_t)name,
                                        version != NULL ? &copy : NULL, ret, flags);
    trace_seen("C_GetInterface", rv);
    return rv;
}

static bool
is_standard(const CK_INTERFACE *interface)
{
    return interface != NULL && interface->pInterfaceName != NULL &&
           strcmp((const char *)interface->pInterfaceName, "PKCS 11") == 0 &&
           interface->pFunctionList != NULL;
}

void
check_list_entry3(struct case_run *r)
{
    CK_VERSION want = { 3, 0 };
    void (*entries[LIST_NEW])(void);
    CK_INTERFACE *interface;

    if (!case_judge(r, get_interface(r, "PKCS 11", &want, &interface, 0))) {
        return;
    }
    if (is_standard(interface)) {
        memcpy(entries, &((CK_FUNCTION_LIST_3_0 *)interface->pFunctionList)->C_Initialize,
               sizeof entries);
    }
    if (!is_standard(interface) || entries[r->arg] == NULL) {
        case_wrong(r);
    }
}

void
check_list_version(struct case_run *r)
{
    CK_FUNCTION_LIST *list = NULL;

    if (case_judge(r, r->module->list.C_GetFunctionList(&list)) &&
        (list == NULL || list->version.major != 2)) {
        case_wrong(r);
    }
}

void
check_list_same(struct case_run *r)
{
    CK_FUNCTION_LIST *first = NULL, *second = NULL;

    if (case_judge(r, r->module->list.C_GetFunctionList(&first)) &&
        case_judge(r, r->module->list.C_GetFunctionList(&second)) && first != second) {
        case_wrong(r);
    }
}

/* The interfaces, and how many; 0 when they are not told. */
static CK_ULONG
list_interfaces(struct case_run *r, CK_INTERFACE *ret_list)
{
    CK_ULONG count = 32;
    CK_RV rv;

    trace("len = 32;");
    trace("rv = p11->C_GetInterfaceList((CK_INTERFACE *)(void *)buffer, &len);");
    rv = r->module->list.C_GetInterfaceList(ret_list, &count);
    trace_seen("C_GetInterfaceList", rv);
    return case_judge(r, rv) ? count : 0;
}

void
check_ifs_content(struct case_run *r)
{
    CK_INTERFACE list[32];
    CK_ULONG count = list_interfaces(r, list), standard = 0;

    for (CK_ULONG i = 0; i < count; i++) {
        CK_VERSION *version = list[i].pFunctionList;

        if (!is_standard(&list[i])) {
            continue;
        }
        standard++;
        if (version->major < 2 || version->major > 3) {
            case_wrong(r);
        }
    }
    if (r->result->verdict == VERDICT_NONE && standard == 0) {
        case_wrong(r);
    }
}

void
check_ifs_short(struct case_run *r)
{
    CK_INTERFACE list[32];
    CK_ULONG count = 0, need;
    CK_RV rv = r->module->list.C_GetInterfaceList(NULL, &count);

    if (rv != CKR_OK || count == 0 || count > 32) {
        r->result->verdict = VERDICT_SKIPPED;
        return;
    }
    need = count--;
    trace("len = %u;", count);
    trace("rv = p11->C_GetInterfaceList((CK_INTERFACE *)(void *)buffer, &len);");
    rv = r->module->list.C_GetInterfaceList(list, &count);
    trace_seen("C_GetInterfaceList", rv);
    if (case_judge(r, rv) && count != need) {
        case_wrong(r);
    }
}

void
check_if_default(struct case_run *r)
{
    CK_INTERFACE *interface;

    if (case_judge(r, get_interface(r, NULL, NULL, &interface, 0)) && !is_standard(interface)) {
        case_wrong(r);
    }
}

void
check_if_name(struct case_run *r)
{
    CK_INTERFACE *interface;

    if (case_judge(r, get_interface(r, "PKCS 11", NULL, &interface, 0)) &&
        !is_standard(interface)) {
        case_wrong(r);
    }
}

/* Each interface of the list by its name, version and flags. */
void
check_if_each(struct case_run *r)
{
    CK_INTERFACE list[32], *interface;
    CK_ULONG count = list_interfaces(r, list);

    for (CK_ULONG i = 0; i < count && r->result->verdict == VERDICT_NONE; i++) {
        CK_VERSION version = *(CK_VERSION *)list[i].pFunctionList;

        if (case_judge(r, get_interface(r, (const char *)list[i].pInterfaceName, &version,
                                        &interface, list[i].flags)) &&
            (interface == NULL || interface->pFunctionList != list[i].pFunctionList)) {
            case_wrong(r);
        }
    }
}

void
check_if_unknown(struct case_run *r)
{
    CK_INTERFACE *interface;

    (void)case_judge(r, get_interface(r, "no such interface", NULL, &interface, 0));
}

void
check_if_version(struct case_run *r)
{
    CK_VERSION version = { 9, 9 };
    CK_INTERFACE *interface;

    (void)case_judge(r, get_interface(r, "PKCS 11", &version, &interface, 0));
}

void
check_if_flags(struct case_run *r)
{
    CK_INTERFACE *interface;

    (void)case_judge(r, get_interface(r, "PKCS 11", NULL, &interface, 0x40000000));
}
