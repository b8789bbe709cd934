/* SPDX-License-Identifier: Apache-2.0
 *
 * The module under test, and calls to it. Every call of the suite goes through here, so that a
 * watcher sees which one is under way and a trace can be written down.
 */
#ifndef COMPLIANCE_CALL_H
#define COMPLIANCE_CALL_H

#include "model/model.h"

#include <stdio.h>

struct module {
    void *library;
    CK_FUNCTION_LIST_3_0 list; /* members since 3.0 are NULL where there is no such interface */
    CK_VERSION interface;
};

/* The arguments of a call by their roles. */
struct bag {
    void *init_args, *reserved, *info;
    CK_SLOT_ID slot;
    CK_FLAGS flags;
    CK_SESSION_HANDLE session;
    CK_USER_TYPE user;
    CK_BYTE *pin;
    CK_ULONG pin_len;
    CK_MECHANISM *mech;
    enum param param; /* what mech->pParameter is */
    CK_OBJECT_HANDLE key;
    void *mparam; /* of a message */
    CK_ULONG mparam_len, aad_len;
    CK_BYTE *aad;
    CK_BYTE *in, *out, *sig, *random;
    CK_ULONG in_len, out_room, sig_len, random_len;
    CK_ULONG *out_len; /* &out_room, or NULL */
    CK_ATTRIBUTE *attrs;
    CK_ULONG attrs_count;
    CK_OBJECT_HANDLE *handles;
    CK_ULONG max, *found;
};

/* False, with a line of explanation, when it cannot be loaded. */
bool module_open(struct module *module, const char *path);
void module_close(struct module *module);

bool call_has(const struct module *module, enum fn fn);
CK_RV call(const struct module *module, enum fn fn, struct bag *bag);

/* Set when a call returned a code that says that the device failed: it may have been a machine with
 * too much to do. */
extern bool call_trouble;

/* Calls beside those of the model. */
CK_RV call_create(const struct module *module, CK_SESSION_HANDLE session, CK_ATTRIBUTE *attrs,
                  CK_ULONG count, CK_OBJECT_HANDLE *ret_object);
CK_RV call_destroy(const struct module *module, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object);

CK_RV call_generate(const struct module *module, CK_SESSION_HANDLE session, CK_MECHANISM *mech,
                    CK_ATTRIBUTE *attrs, CK_ULONG count, CK_OBJECT_HANDLE *ret_key);
CK_RV call_generate_pair(const struct module *module, CK_SESSION_HANDLE session, CK_MECHANISM *mech,
                         CK_ATTRIBUTE *public_attrs, CK_ULONG public_count,
                         CK_ATTRIBUTE *private_attrs, CK_ULONG private_count,
                         CK_OBJECT_HANDLE *ret_public, CK_OBJECT_HANDLE *ret_private);
CK_RV call_copy(const struct module *module, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
                CK_ATTRIBUTE *attrs, CK_ULONG count, CK_OBJECT_HANDLE *ret_object);
CK_RV call_set(const struct module *module, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
               CK_ATTRIBUTE *attrs, CK_ULONG count);
/* One attribute; *len is the room, and then what the module wrote there. */
CK_RV call_get(const struct module *module, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
               CK_ATTRIBUTE_TYPE type, void *value, CK_ULONG *len);

CK_RV call_wrap(const struct module *module, CK_SESSION_HANDLE session, CK_MECHANISM *mech,
                CK_OBJECT_HANDLE wrapper, CK_OBJECT_HANDLE key, CK_BYTE *out, CK_ULONG *len);
CK_RV call_unwrap(const struct module *module, CK_SESSION_HANDLE session, CK_MECHANISM *mech,
                  CK_OBJECT_HANDLE wrapper, CK_BYTE *in, CK_ULONG len, CK_ATTRIBUTE *attrs,
                  CK_ULONG count, CK_OBJECT_HANDLE *ret_key);
CK_RV call_derive(const struct module *module, CK_SESSION_HANDLE session, CK_MECHANISM *mech,
                  CK_OBJECT_HANDLE base, CK_ATTRIBUTE *attrs, CK_ULONG count,
                  CK_OBJECT_HANDLE *ret_key);

CK_RV call_digest_key(const struct module *module, CK_SESSION_HANDLE session,
                      CK_OBJECT_HANDLE key);
/* C_GetOperationState. */
CK_RV call_save(const struct module *module, CK_SESSION_HANDLE session, CK_BYTE *state,
                CK_ULONG *len);

/* Writes the calls from now on as statements of a C program; NULL ends that. */
void trace_to(FILE *file);
void trace_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif /* COMPLIANCE_CALL_H */
