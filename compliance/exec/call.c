/* SPDX-License-Identifier: Apache-2.0
 *
 * Loads a module, and calls it by the rows of functions.def. A row expanded:
 *
 *     case FN_C_EncryptInit: return m->list.C_EncryptInit(b->session, b->mech, b->key);
 */
#include "exec/call.h"
#include "exec/trace.h"

#include <dlfcn.h>
#include <string.h>

bool call_trouble;

static void
look_for_trouble(CK_RV rv)
{
    call_trouble |= rv == CKR_DEVICE_ERROR || rv == CKR_DEVICE_REMOVED;
}

static void
seen(const char *name, CK_RV rv)
{
    trace_seen(name, rv);
    look_for_trouble(rv);
}

bool
module_open(struct module *module, const char *path)
{
    CK_RV (*get_list)(CK_FUNCTION_LIST **);
    CK_RV (*get_interface)(CK_UTF8CHAR *, CK_VERSION *, CK_INTERFACE **, CK_FLAGS);
    CK_FUNCTION_LIST *list = NULL;
    CK_INTERFACE *interface = NULL;
    CK_VERSION want = { 3, 0 };

    memset(module, 0, sizeof *module);
    module->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (module->library == NULL) {
        fprintf(stderr, "p11comply: %s\n", dlerror());
        return false;
    }
    *(void **)&get_list = dlsym(module->library, "C_GetFunctionList");
    if (get_list == NULL || get_list(&list) != CKR_OK || list == NULL) {
        fprintf(stderr, "p11comply: %s gives no list of functions\n", path);
        dlclose(module->library);
        return false;
    }
    memcpy(&module->list, list, sizeof *list);
    module->interface = list->version;
    *(void **)&get_interface = dlsym(module->library, "C_GetInterface");
    if (get_interface != NULL &&
        get_interface((CK_UTF8CHAR *)"PKCS 11", &want, &interface, 0) == CKR_OK &&
        interface != NULL && interface->pFunctionList != NULL) {
        memcpy(&module->list, interface->pFunctionList, sizeof module->list);
        module->interface = want;
    }
    return true;
}

void
module_close(struct module *module)
{
    if (module->library != NULL) {
        dlclose(module->library);
    }
    memset(module, 0, sizeof *module);
}

bool
call_has(const struct module *module, enum fn fn)
{
    switch (fn) {
#define FN(tag, name, kind, part, roles) \
    case FN_##name:                      \
        return module->list.name != NULL;
#include "model/functions.def"
#define OBJECT_FN(tag, name) \
    case FN_##name:          \
        return module->list.name != NULL;
#define KEYM_FN(tag, name) \
    case FN_##name:        \
        return module->list.name != NULL;
#define CASE_FN(tag, name) \
    case FN_##name:        \
        return module->list.name != NULL;
#include "model/objects.def"
    case FN_ATTACK:
    case FN_PLAN:
    case FN_MOVE:
        return true;
    default:
        return false;
    }
}

#define INITARGS b->init_args
#define RESERVED b->reserved
#define INFO b->info
#define SLOT b->slot
#define FLAGS b->flags, NULL, NULL
#define SESSION b->session
#define USER b->user
#define PIN b->pin, b->pin_len
#define MECH b->mech
#define KEY b->key
#define IN b->in, b->in_len
#define OUT b->out, b->out_len
#define SIG b->sig, b->sig_len
#define RANDOM b->random, b->random_len
#define FIND b->attrs, b->attrs_count
#define MAX b->handles, b->max, b->found
#define CANCEL b->flags
#define MPARAM b->mparam, b->mparam_len
#define AAD b->aad, b->aad_len
#define END b->flags

CK_RV
call(const struct module *module, enum fn fn, struct bag *b)
{
    CK_RV rv = CKR_GENERAL_ERROR;

    trace_before(fn, b);
    switch (fn) {
#define FN(tag, name, kind, part, roles) \
    case FN_##name:                      \
        rv = module->list.name roles;    \
        break;
#include "model/functions.def"
    default:
        break;
    }
    trace_after(fn, b, rv);
    look_for_trouble(rv);
    return rv;
}

/* ---- objects ---- */

CK_RV
call_create(const struct module *module, CK_SESSION_HANDLE session, CK_ATTRIBUTE *attrs,
            CK_ULONG count, CK_OBJECT_HANDLE *ret_object)
{
    CK_RV rv;

    trace("rv = p11->C_CreateObject(%s, %a, &%n);", session, attrs, count);
    rv = module->list.C_CreateObject(session, attrs, count, ret_object);
    seen("C_CreateObject", rv);
    trace_born(*ret_object, rv);
    return rv;
}

CK_RV
call_destroy(const struct module *module, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object)
{
    CK_RV rv;

    trace("rv = p11->C_DestroyObject(%s, %o);", session, object);
    rv = module->list.C_DestroyObject(session, object);
    seen("C_DestroyObject", rv);
    return rv;
}

CK_RV
call_generate(const struct module *module, CK_SESSION_HANDLE session, CK_MECHANISM *mech,
              CK_ATTRIBUTE *attrs, CK_ULONG count, CK_OBJECT_HANDLE *ret_key)
{
    CK_RV rv;

    trace("rv = p11->C_GenerateKey(%s, &(CK_MECHANISM){ %u, NULL, 0 }, %a, &%n);", session,
          mech->mechanism, attrs, count);
    rv = module->list.C_GenerateKey(session, mech, attrs, count, ret_key);
    seen("C_GenerateKey", rv);
    trace_born(*ret_key, rv);
    return rv;
}

CK_RV
call_generate_pair(const struct module *module, CK_SESSION_HANDLE session, CK_MECHANISM *mech,
                   CK_ATTRIBUTE *public_attrs, CK_ULONG public_count, CK_ATTRIBUTE *private_attrs,
                   CK_ULONG private_count, CK_OBJECT_HANDLE *ret_public,
                   CK_OBJECT_HANDLE *ret_private)
{
    CK_RV rv;

    trace("rv = p11->C_GenerateKeyPair(%s, &(CK_MECHANISM){ %u, NULL, 0 }, %a, %a, &%n, &%n);",
          session, mech->mechanism, public_attrs, public_count, private_attrs, private_count);
    rv = module->list.C_GenerateKeyPair(session, mech, public_attrs, public_count, private_attrs,
                                        private_count, ret_public, ret_private);
    seen("C_GenerateKeyPair", rv);
    trace_born(*ret_public, rv);
    trace_born(*ret_private, rv);
    return rv;
}

CK_RV
call_copy(const struct module *module, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
          CK_ATTRIBUTE *attrs, CK_ULONG count, CK_OBJECT_HANDLE *ret_object)
{
    CK_RV rv;

    trace("rv = p11->C_CopyObject(%s, %o, %a, &%n);", session, object, attrs, count);
    rv = module->list.C_CopyObject(session, object, attrs, count, ret_object);
    seen("C_CopyObject", rv);
    trace_born(*ret_object, rv);
    return rv;
}

CK_RV
call_set(const struct module *module, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
         CK_ATTRIBUTE *attrs, CK_ULONG count)
{
    CK_RV rv;

    trace("rv = p11->C_SetAttributeValue(%s, %o, %a);", session, object, attrs, count);
    rv = module->list.C_SetAttributeValue(session, object, attrs, count);
    seen("C_SetAttributeValue", rv);
    return rv;
}

CK_RV
call_get(const struct module *module, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
         CK_ATTRIBUTE_TYPE type, void *value, CK_ULONG *len)
{
    CK_ATTRIBUTE attr = { type, value, *len };
    CK_RV rv;

    trace("rv = p11->C_GetAttributeValue(%s, %o, &(CK_ATTRIBUTE){ %u, %b, %u }, 1);", session,
          object, type, value, attr.ulValueLen);
    rv = module->list.C_GetAttributeValue(session, object, &attr, 1);
    seen("C_GetAttributeValue", rv);
    *len = attr.ulValueLen;
    return rv;
}

CK_RV
call_wrap(const struct module *module, CK_SESSION_HANDLE session, CK_MECHANISM *mech,
          CK_OBJECT_HANDLE wrapper, CK_OBJECT_HANDLE key, CK_BYTE *out, CK_ULONG *len)
{
    CK_RV rv;

    trace("len = %u;", len != NULL ? *len : 0UL);
    trace("rv = p11->C_WrapKey(%s, %m, %o, %o, %b, %l);", session, mech, wrapper, key, out, len);
    rv = module->list.C_WrapKey(session, mech, wrapper, key, out, len);
    seen("C_WrapKey", rv);
    return rv;
}

CK_RV
call_unwrap(const struct module *module, CK_SESSION_HANDLE session, CK_MECHANISM *mech,
            CK_OBJECT_HANDLE wrapper, CK_BYTE *in, CK_ULONG len, CK_ATTRIBUTE *attrs,
            CK_ULONG count, CK_OBJECT_HANDLE *ret_key)
{
    CK_RV rv;

    trace("rv = p11->C_UnwrapKey(%s, %m, %o, %i, %a, &%n);", session, mech, wrapper, in, len, attrs,
          count);
    rv = module->list.C_UnwrapKey(session, mech, wrapper, in, len, attrs, count, ret_key);
    seen("C_UnwrapKey", rv);
    trace_born(*ret_key, rv);
    return rv;
}

CK_RV
call_derive(const struct module *module, CK_SESSION_HANDLE session, CK_MECHANISM *mech,
            CK_OBJECT_HANDLE base, CK_ATTRIBUTE *attrs, CK_ULONG count, CK_OBJECT_HANDLE *ret_key)
{
    CK_RV rv;

    trace("rv = p11->C_DeriveKey(%s, %m, %o, %a, &%n);", session, mech, base, attrs, count);
    rv = module->list.C_DeriveKey(session, mech, base, attrs, count, ret_key);
    seen("C_DeriveKey", rv);
    trace_born(*ret_key, rv);
    return rv;
}

CK_RV
call_digest_key(const struct module *module, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key)
{
    CK_RV rv;

    trace("rv = p11->C_DigestKey(%s, %o);", session, key);
    rv = module->list.C_DigestKey(session, key);
    seen("C_DigestKey", rv);
    return rv;
}

CK_RV
call_save(const struct module *module, CK_SESSION_HANDLE session, CK_BYTE *state, CK_ULONG *len)
{
    CK_RV rv;

    trace("len = %u;", *len);
    trace("rv = p11->C_GetOperationState(%s, %b, %l);", session, state, len);
    rv = module->list.C_GetOperationState(session, state, len);
    seen("C_GetOperationState", rv);
    return rv;
}
