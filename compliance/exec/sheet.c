/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds out what a module has.
 */
#include "exec/sheet.h"
#include "exec/attr.h"

#include <string.h>

static void
problem(struct sheet *sheet, const char *what, CK_RV rv)
{
    snprintf(sheet->problem, sizeof sheet->problem, "%s: %s", what, code_name(rv));
}

static bool
find_slot(const struct module *module, const struct target *target, struct sheet *sheet)
{
    CK_SLOT_ID slots[64];
    CK_ULONG count = COUNT(slots);
    CK_RV rv;

    rv = module->list.C_GetSlotList(CK_TRUE, slots, &count);
    if (rv != CKR_OK || count == 0) {
        problem(sheet, "no slot with a token", rv);
        return false;
    }
    sheet->slot = target->has_slot ? target->slot : slots[0];
    rv = module->list.C_GetTokenInfo(sheet->slot, &sheet->token);
    if (rv != CKR_OK) {
        problem(sheet, "C_GetTokenInfo", rv);
        return false;
    }
    sheet->world.token_flags = sheet->token.flags;
    return true;
}

static void
find_mechanisms(const struct module *module, struct sheet *sheet)
{
    sheet->mech_count = SHEET_MECHANISMS;
    if (module->list.C_GetMechanismList(sheet->slot, sheet->mech, &sheet->mech_count) != CKR_OK) {
        sheet->mech_count = 0;
    }
    sheet->world.listed_count = sheet->mech_count;
    for (CK_ULONG i = 0; i < sheet->mech_count; i++) {
        CK_MECHANISM_INFO info = { 0 };

        (void)module->list.C_GetMechanismInfo(sheet->slot, sheet->mech[i], &info);
        sheet->flags[i] = info.flags;
        sheet->world.listed[i] = sheet->mech[i];
        sheet->world.listed_flags[i] = info.flags;
        for (int way = 0; way < WAYS; way++) {
            if (ways[way].number == sheet->mech[i]) {
                sheet->world.way_flags[way] = info.flags;
            }
        }
        for (int m = 0; m < MECH_COUNT; m++) {
            if (mechanisms[m].number == sheet->mech[i]) {
                sheet->world.mech_flags[m] = info.flags;
            }
        }
    }
}

/* A mechanism of the token that a kind of operation does not take. */
static void
find_others(struct sheet *sheet)
{
    static const CK_FLAGS flags[KINDS] = {
        [KIND_ENC] = CKF_ENCRYPT,        [KIND_DEC] = CKF_DECRYPT, [KIND_DIG] = CKF_DIGEST,
        [KIND_SIG] = CKF_SIGN,           [KIND_VER] = CKF_VERIFY,  [KIND_SGR] = CKF_SIGN_RECOVER,
        [KIND_VFR] = CKF_VERIFY_RECOVER,
    };
    static const CK_MECHANISM_TYPE wanted[] = { CKM_AES_KEY_GEN, CKM_RSA_PKCS_KEY_PAIR_GEN,
                                                CKM_EC_KEY_PAIR_GEN, CKM_SHA256, CKM_AES_CBC };

    for (int k = 0; k < KINDS; k++) {
        sheet->world.other_mech[k] = CK_UNAVAILABLE_INFORMATION;
        for (size_t w = COUNT(wanted); w-- > 0;) {
            for (CK_ULONG i = 0; i < sheet->mech_count; i++) {
                if (sheet->mech[i] == wanted[w] && !(sheet->flags[i] & flags[k])) {
                    sheet->world.other_mech[k] = wanted[w];
                }
            }
        }
    }
}

static bool
is_object_there(const struct module *module, enum fn fn)
{
    CK_OBJECT_CLASS class = CKO_DATA;
    CK_ATTRIBUTE attr = { CKA_CLASS, &class, sizeof class };
    CK_MECHANISM mech = { CKM_AES_KEY_GEN, NULL, 0 };
    CK_OBJECT_HANDLE first, second;
    CK_ULONG len = 0;
    CK_RV rv;

    switch (fn) {
    case FN_C_CreateObject:
        rv = call_create(module, CK_INVALID_HANDLE, &attr, 1, &first);
        break;
    case FN_C_GenerateKey:
        rv = call_generate(module, CK_INVALID_HANDLE, &mech, &attr, 1, &first);
        break;
    case FN_C_GenerateKeyPair:
        rv = call_generate_pair(module, CK_INVALID_HANDLE, &mech, &attr, 1, &attr, 1, &first,
                                &second);
        break;
    case FN_C_CopyObject:
        rv = call_copy(module, CK_INVALID_HANDLE, 1, &attr, 1, &first);
        break;
    case FN_C_WrapKey:
        rv = call_wrap(module, CK_INVALID_HANDLE, &mech, 1, 1, NULL, &len);
        break;
    case FN_C_UnwrapKey:
        rv = call_unwrap(module, CK_INVALID_HANDLE, &mech, 1, (CK_BYTE *)&class, 8, &attr, 1,
                         &first);
        break;
    case FN_C_DeriveKey:
        rv = call_derive(module, CK_INVALID_HANDLE, &mech, 1, &attr, 1, &first);
        break;
    default:
        rv = call_set(module, CK_INVALID_HANDLE, 1, &attr, 1);
        break;
    }
    return rv != CKR_FUNCTION_NOT_SUPPORTED;
}

/* A function without a body says so whatever it is asked. */
static bool
is_there(const struct module *module, enum fn fn)
{
    struct bag bag = { .session = CK_INVALID_HANDLE };
    CK_ULONG len = 0;
    uint8_t place[64];
    CK_MECHANISM mech = { CKM_SHA256, NULL, 0 };

    if (!call_has(module, fn)) {
        return false;
    }
    if (functions[fn].part == PART_ATTACK) {
        return true;
    }
    if (functions[fn].part == PART_OBJECT || functions[fn].part == PART_KEYM) {
        return is_object_there(module, fn);
    }
    if (!has_role(fn, ROLE_SESSION)) {
        return true;        /* or nobody knows before it is tried */
    }
    bag.info = place;
    bag.mech = &mech;
    bag.in = bag.out = bag.sig = bag.random = bag.pin = place;
    bag.in_len = bag.sig_len = bag.random_len = bag.pin_len = 8;
    bag.out_room = sizeof place;
    bag.out_len = &bag.out_room;
    bag.found = &len;
    bag.handles = (CK_OBJECT_HANDLE *)(void *)place;
    bag.max = 1;
    return call(module, fn, &bag) != CKR_FUNCTION_NOT_SUPPORTED;
}

static bool
is_private(struct fixture *fixture, CK_OBJECT_HANDLE key)
{
    CK_BBOOL private = CK_TRUE;
    CK_ULONG len = sizeof private;

    (void)call_get(fixture->module, fixture->home, key, CKA_PRIVATE, &private, &len);
    return private != CK_FALSE;
}

void
sheet_try(const struct target *target, struct sheet *sheet)
{
    struct module module;
    struct fixture fixture = { .module = &module };

    if (!module_open(&module, target->module) || !fixture_restart(&fixture)) {
        sheet->tried = FN_COUNT;
        return;
    }
    while (sheet->tried < FN_COUNT) {
        enum fn fn = (enum fn)sheet->tried++;

        sheet->world.has_fn[fn] = true;     /* also if it is the last thing that happens */
        sheet->world.has_fn[fn] = is_there(&module, fn);
    }
    fixture_end(&fixture);
}

void
sheet_fill(const struct target *target, struct sheet *sheet)
{
    struct module module;
    struct fixture fixture = { .module = &module, .pin = target->pin, .so_pin = target->so_pin };

    if (!module_open(&module, target->module)) {
        snprintf(sheet->problem, sizeof sheet->problem, "the module cannot be loaded");
        return;
    }
    sheet->interface = module.interface;
    if (!fixture_restart(&fixture)) {
        snprintf(sheet->problem, sizeof sheet->problem, "C_Initialize fails");
        return;
    }
    (void)module.list.C_GetInfo(&sheet->info);
    sheet->world.version = module.interface;
    sheet->world.so = target->so_pin != NULL;
    if (!find_slot(&module, target, sheet)) {
        return;
    }
    find_mechanisms(&module, sheet);
    find_others(sheet);
    fixture.slot = sheet->slot;
    if (!fixture_ready(&fixture, BASE_LOGIN)) {
        snprintf(sheet->problem, sizeof sheet->problem,
                 "no session with a login: is the PIN right?");
        return;
    }
    for (int k = 0; k < KEY_COUNT; k++) {
        bool pair = keys[k].family == FAMILY_RSA || keys[k].family == FAMILY_EC;

        sheet->world.has_key[k] = fixture_key(&fixture, (enum key)k, HALF_PRIVATE, true) !=
                                      CK_INVALID_HANDLE &&
                                  (!pair || fixture_key(&fixture, (enum key)k, HALF_PUBLIC, true) !=
                                                CK_INVALID_HANDLE);
    }
    sheet->world.private_keys = is_private(&fixture,
                                           fixture_key(&fixture, KEY_AES16, HALF_PRIVATE, true));
    sheet->world.private_public_keys = is_private(
        &fixture, fixture_key(&fixture, KEY_RSA2048, HALF_PUBLIC, true));
    for (int kind = 0; kind < OBJECT_COUNT; kind++) {
        sheet->world.has_object[kind] = attr_takes(&fixture, (enum object_kind)kind);
    }
    fixture_end(&fixture);
    sheet->good = true;
}

void
sheet_write(struct doc *doc, const struct sheet *sheet)
{
    char absent[1024] = "", made[256] = "", mechs[2048] = "";
    size_t len = 0, tested = 0;

    for (int fn = 0; fn < FN_COUNT && len < sizeof absent; fn++) {
        if (!sheet->world.has_fn[fn]) {
            len += (size_t)snprintf(absent + len, sizeof absent - len, "%s ", functions[fn].name);
        }
    }
    len = 0;
    for (int k = 0; k < KEY_COUNT && len < sizeof made; k++) {
        if (sheet->world.has_key[k]) {
            len += (size_t)snprintf(made + len, sizeof made - len, "%s ", keys[k].tag);
        }
    }
    len = 0;
    for (int m = 0; m < MECH_COUNT && len < sizeof mechs; m++) {
        if (sheet->world.mech_flags[m] != 0) {
            len += (size_t)snprintf(mechs + len, sizeof mechs - len, "%s ", mechanisms[m].tag);
            tested++;
        }
    }
    doc_card(doc);
    doc_row(doc, "Library", "%.32s", sheet->info.libraryDescription);
    doc_row(doc, "Cryptoki", "%u.%u, interface %u.%u", sheet->info.cryptokiVersion.major,
            sheet->info.cryptokiVersion.minor, sheet->interface.major, sheet->interface.minor);
    doc_row(doc, "Token flags", "0x%lx", sheet->token.flags);
    doc_row(doc, "Absent", "%s", absent[0] != '\0' ? absent : "no function of the model");
    doc_row(doc, "Keys", "%s", made);
    doc_row(doc, "Mechanisms", "%lu, tested %zu: %s", sheet->mech_count, tested, mechs);
    doc_card_end(doc);
}
