/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs the tests of area KEYM: keys wrapped, unwrapped and derived, with one thing wrong or none.
 */
#include "exec/keym.h"

#include <string.h>

#define BLOB_MOST 4096

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

/* A test while it runs. */
struct keym_run {
    struct runner *runner;
    enum fn fn;
    enum value way, target, fault;
    CK_MECHANISM mech;
    CK_OBJECT_HANDLE made[6];
    size_t made_count;
    CK_OBJECT_HANDLE *kept[2];      /* the fixture's that it works with */
    size_t kept_count;
    struct result *result;
};

static CK_RSA_PKCS_OAEP_PARAMS oaep = { CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, NULL, 0 };
static CK_GCM_PARAMS gcm = { (CK_BYTE *)(uintptr_t)ref_iv, 12, 96, NULL, 0, 128 };
static CK_ECDH1_DERIVE_PARAMS ecdh = { CKD_NULL, 0, NULL, 0, NULL };
static uint8_t peer[128];

static CK_SESSION_HANDLE
home(const struct keym_run *r)
{
    return r->runner->fixture.home;
}

static const struct way_row *
way(const struct keym_run *r)
{
    return &ways[r->way - V_WAY_KW];
}

static CK_RV
remember(struct keym_run *r, CK_RV rv, CK_OBJECT_HANDLE handle)
{
    if (rv == CKR_OK && r->made_count < COUNT(r->made)) {
        r->made[r->made_count++] = handle;
    }
    return rv;
}

/* A key of the suite that may do something, or may not. No call changes it: it stays for other tests. */
static CK_OBJECT_HANDLE
kept_key(struct keym_run *r, enum key key, enum travel travel, bool able)
{
    static const CK_ATTRIBUTE_TYPE types[TRAVEL_COUNT] = {
        [TRAVEL_WRAP] = CKA_WRAP,
        [TRAVEL_UNWRAP] = CKA_UNWRAP,
        [TRAVEL_DERIVE] = CKA_DERIVE,
        [TRAVEL_LEAVE] = CKA_EXTRACTABLE,
    };
    const enum half half = travel == TRAVEL_WRAP && key == KEY_RSA2048 ? HALF_PUBLIC : HALF_PRIVATE;
    CK_OBJECT_HANDLE *kept = &r->runner->fixture.travel[key][travel][!able];
    struct template t;

    if (*kept == CK_INVALID_HANDLE && template_key(&t, key, half, true)) {
        template_put(&t, types[travel], able ? &yes : &no, sizeof yes);
        if (call_create(r->runner->fixture.module, home(r), t.attr, t.count, kept) != CKR_OK) {
            *kept = CK_INVALID_HANDLE;
        }
    }
    if (r->kept_count < COUNT(r->kept)) {
        r->kept[r->kept_count++] = kept;
    }
    return *kept;
}

static CK_OBJECT_HANDLE
make_wrapper(struct keym_run *r, enum travel travel)
{
    enum key key = r->fault == V_FAULT_TYPE ? (way(r)->key == KEY_GEN64 ? KEY_AES16 : KEY_GEN64)
                                            : way(r)->key;

    return r->fault == V_FAULT_HANDLE ? 0x7ead0bad
                                      : kept_key(r, key, travel, r->fault != V_FAULT_FLAG);
}

static CK_OBJECT_HANDLE
make_target(struct keym_run *r)
{
    enum key key = r->target == V_TARGET_AES   ? KEY_AES16
                   : r->target == V_TARGET_GEN ? KEY_GEN64
                   : r->target == V_TARGET_RSA ? KEY_RSA2048
                                               : KEY_EC256;

    return r->fault == V_FAULT_TARGET ? 0x7ead0bad
                                      : kept_key(r, key, TRAVEL_LEAVE, r->fault != V_FAULT_KEPT);
}

static void
make_mech(struct keym_run *r)
{
    r->mech = (CK_MECHANISM){ way(r)->number, NULL, 0 };
    switch (way(r)->param) {
    case PARAM_IV:
        r->mech.pParameter = (void *)(uintptr_t)ref_iv;
        r->mech.ulParameterLen = 16;
        break;
    case PARAM_GCM:
        r->mech.pParameter = &gcm;
        r->mech.ulParameterLen = sizeof gcm;
        break;
    case PARAM_OAEP:
        r->mech.pParameter = &oaep;
        r->mech.ulParameterLen = sizeof oaep;
        break;
    default:
        break;
    }
    switch (r->fault) {
    case V_FAULT_MECH:
        r->mech = (CK_MECHANISM){ 0x7ffffff1, NULL, 0 };
        break;
    case V_FAULT_FUNCTION:
        r->mech = (CK_MECHANISM){ CKM_SHA256, NULL, 0 };
        break;
    case V_FAULT_PARAM:
        if (r->mech.pParameter == NULL) {
            r->mech.pParameter = (void *)(uintptr_t)ref_iv;
            r->mech.ulParameterLen = 5;
        } else {
            r->mech.ulParameterLen--;
        }
        break;
    default:
        break;
    }
}

/* Looks the code up among the answers of the rule; as in attr.c. */
static bool
judge(struct keym_run *r, CK_RV rv)
{
    enum cond rule = keym_rule(r->fn, r->way, r->target, r->fault);

    return result_judge(r->result, rule, rv);
}

static void
deviate(struct keym_run *r, enum detail detail)
{
    r->result->verdict = VERDICT_OUTPUT;
    r->result->detail = (uint8_t)detail;
    r->result->class = detail == DETAIL_COMPUTED ? CLASS_SECURITY : CLASS_OUTPUT;
}

/* Whether a new AES key has the value: by a block that it encrypts. */
static void
check_key(struct keym_run *r, CK_OBJECT_HANDLE key, const uint8_t value[16])
{
    struct module *module = r->runner->fixture.module;
    uint8_t in[16] = "p11comply block", want[16], *out = guard_tail(&r->runner->out, 16);
    CK_MECHANISM ecb = { CKM_AES_ECB, NULL, 0 };
    CK_ATTRIBUTE_TYPE computed[] = { CKA_LOCAL, CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE };
    struct bag bag = { .session = r->runner->fixture.session[0],
                       .mech = &ecb,
                       .key = key,
                       .in = in,
                       .in_len = sizeof in,
                       .out = out,
                       .out_room = 16 };

    bag.out_len = &bag.out_room;
    if (call(module, FN_C_EncryptInit, &bag) != CKR_OK ||
        call(module, FN_C_Encrypt, &bag) != CKR_OK || !ref_block(value, in, want) ||
        memcmp(out, want, sizeof want) != 0) {
        deviate(r, DETAIL_BYTES);
        return;
    }
    for (size_t i = 0; i < COUNT(computed) && r->fn == FN_C_UnwrapKey; i++) {
        CK_BBOOL flag = CK_FALSE;
        CK_ULONG len = sizeof flag;

        if (call_get(module, home(r), key, computed[i], &flag, &len) == CKR_OK && flag) {
            deviate(r, DETAIL_COMPUTED);
        }
    }
}

static void
run_wrap(struct keym_run *r)
{
    struct module *module = r->runner->fixture.module;
    CK_OBJECT_HANDLE wrapper = make_wrapper(r, TRAVEL_WRAP), target = make_target(r);
    CK_SESSION_HANDLE session = r->fault == V_FAULT_SESSION ? 0x7ead0bad : home(r);
    uint8_t value[64], want[BLOB_MOST], *out;
    size_t value_len, want_len;
    CK_ULONG len = 0, room;
    CK_RV rv;
    bool sized = r->fault == V_FAULT_SHORT || r->fault == V_FAULT_ZERO;

    make_mech(r);
    if (wrapper == CK_INVALID_HANDLE || target == CK_INVALID_HANDLE) {
        r->result->verdict = VERDICT_SKIPPED;
        return;
    }
    if (sized || r->fault == V_FAULT_ASK) {
        rv = call_wrap(module, session, &r->mech, wrapper, target, NULL, &len);
        if (rv != CKR_OK || len == 0 || len > BLOB_MOST) {
            r->result->verdict = r->fault == V_FAULT_ASK && judge(r, rv) ? VERDICT_NONE
                                                                         : VERDICT_SKIPPED;
            return;
        }
    }
    /* The length that was told may be more than what is needed. */
    len = r->fault == V_FAULT_SHORT  ? 7
          : r->fault == V_FAULT_ZERO ? 0
          : r->fault == V_FAULT_ASK  ? len
                                     : BLOB_MOST;
    out = guard_tail(&r->runner->out, len);
    room = len;
    rv = call_wrap(module, session, &r->mech, wrapper, target, out,
                   r->fault == V_FAULT_NOLEN ? NULL : &len);
    if (!guard_intact(&r->runner->out, room)) {
        r->result->verdict = VERDICT_CORRUPT;
        r->result->detail = DETAIL_BEFORE;
        r->result->class = CLASS_ROBUST;
        r->result->seen = (uint32_t)rv;
        r->result->cond = COND_NOTHING;
        return;
    }
    if (!judge(r, rv) || rv != CKR_OK) {
        if (rv == CKR_BUFFER_TOO_SMALL && len < 8) {
            deviate(r, DETAIL_TOLD);
        }
        return;
    }
    if ((r->target == V_TARGET_AES || r->target == V_TARGET_GEN) &&
        ref_secret(r->target == V_TARGET_AES ? KEY_AES16 : KEY_GEN64, value, &value_len)) {
        if (way(r)->key == KEY_RSA2048) {
            if (!ref_unseal(way(r)->param == PARAM_OAEP, out, len, want, &want_len) ||
                want_len != value_len || memcmp(want, value, value_len) != 0) {
                deviate(r, DETAIL_BYTES);
            }
        } else if (ref_wrap(way(r)->cipher, value, value_len, want, &want_len) &&
                   (want_len != len || memcmp(want, out, len) != 0)) {
            deviate(r, want_len != len ? DETAIL_LENGTH : DETAIL_BYTES);
        }
    }
}

static bool
make_blob(const struct keym_run *r, uint8_t *ret_blob, size_t *ret_len)
{
    uint8_t value[64];
    size_t value_len;

    if (!ref_secret(KEY_AES16, value, &value_len)) {
        return false;
    }
    if (way(r)->key == KEY_RSA2048) {
        return ref_seal(way(r)->param == PARAM_OAEP, value, value_len, ret_blob, ret_len);
    }
    return ref_wrap(way(r)->cipher, value, value_len, ret_blob, ret_len);
}

static void
run_unwrap(struct keym_run *r)
{
    CK_OBJECT_HANDLE wrapper = make_wrapper(r, TRAVEL_UNWRAP), key = CK_INVALID_HANDLE;
    CK_SESSION_HANDLE session = r->fault == V_FAULT_SESSION ? 0x7ead0bad : home(r);
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_AES;
    CK_ATTRIBUTE attrs[6] = { { CKA_TOKEN, &no, 1 }, { CKA_ENCRYPT, &yes, 1 } };
    CK_ULONG count = 2;
    uint8_t blob[BLOB_MOST], value[64], *in;
    size_t len, value_len;
    CK_RV rv;

    make_mech(r);
    if (wrapper == CK_INVALID_HANDLE || !make_blob(r, blob, &len)) {
        r->result->verdict = VERDICT_SKIPPED;
        return;
    }
    attrs[count++] = (CK_ATTRIBUTE){ CKA_CLASS, &class, sizeof class };
    if (r->fault != V_FAULT_NO_TYPE) {
        attrs[count++] = (CK_ATTRIBUTE){ CKA_KEY_TYPE, &type, sizeof type };
    }
    if (r->fault == V_FAULT_FOREIGN) {
        attrs[count++] = (CK_ATTRIBUTE){ CKA_MODULUS, value, 8 };
    }
    if (r->fault == V_FAULT_COMPUTED) {
        attrs[count++] = (CK_ATTRIBUTE){ CKA_LOCAL, &yes, 1 };
    }
    len -= r->fault == V_FAULT_BLOB_LEN;
    in = guard_tail(&r->runner->in, len);
    memcpy(in, blob, len);
    if (r->fault == V_FAULT_BLOB) {
        in[way(r)->param == PARAM_IV ? len - 17 : len - 1] ^= 0x40;
    }
    rv = remember(r,
                  call_unwrap(r->runner->fixture.module, session, &r->mech, wrapper, in, len, attrs,
                              count, &key),
                  key);
    if (judge(r, rv) && rv == CKR_OK && r->fault != V_FAULT_BLOB &&
        ref_secret(KEY_AES16, value, &value_len)) {
        check_key(r, key, value);
    }
}

static void
run_derive(struct keym_run *r)
{
    CK_OBJECT_HANDLE base =
        r->fault == V_FAULT_HANDLE
            ? 0x7ead0bad
            : kept_key(r, r->fault == V_FAULT_TYPE ? KEY_AES16 : KEY_EC256, TRAVEL_DERIVE,
                       r->fault != V_FAULT_FLAG);
    CK_SESSION_HANDLE session = r->fault == V_FAULT_SESSION ? 0x7ead0bad : home(r);
    CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_AES;
    CK_ULONG value_len = r->fault == V_FAULT_LONG ? 33 : 16;
    CK_ATTRIBUTE attrs[7] = {
        { CKA_TOKEN, &no, 1 },
        { CKA_ENCRYPT, &yes, 1 },
        { CKA_CLASS, &class, sizeof class },
        { CKA_KEY_TYPE, &type, sizeof type },
        { CKA_VALUE_LEN, &value_len, sizeof value_len },
    };
    CK_ULONG count = 5;
    struct ref_key ref;
    uint8_t secret[64];
    CK_RV rv;

    if (base == CK_INVALID_HANDLE || !ref_key(KEY_EC256, &ref)) {
        r->result->verdict = VERDICT_SKIPPED;
        return;
    }
    memcpy(peer, ref.part[0], ref.part_len[0]);
    ecdh.pPublicData = peer;
    ecdh.ulPublicDataLen = ref.part_len[0];
    if (r->fault == V_FAULT_PEER) {
        peer[ref.part_len[0] - 1] ^= 1;
    }
    make_mech(r);
    if (r->fault != V_FAULT_MECH && r->fault != V_FAULT_FUNCTION) {
        r->mech = (CK_MECHANISM){ CKM_ECDH1_DERIVE, &ecdh, sizeof ecdh };
        r->mech.ulParameterLen -= r->fault == V_FAULT_PARAM;
    }
    if (r->fault == V_FAULT_FOREIGN) {
        attrs[count++] = (CK_ATTRIBUTE){ CKA_MODULUS, peer, 8 };
    }
    if (r->fault == V_FAULT_COMPUTED) {
        attrs[count++] = (CK_ATTRIBUTE){ CKA_LOCAL, &yes, 1 };
    }
    rv = remember(
        r, call_derive(r->runner->fixture.module, session, &r->mech, base, attrs, count, &key),
        key);
    if (judge(r, rv) && rv == CKR_OK && ref_ecdh(KEY_EC256, secret)) {
        check_key(r, key, secret + 16);
    }
}

void
keym_run(struct runner *runner, const struct test *test, struct result *ret_result)
{
    const struct step *step = &test->step[0];
    struct keym_run r = {
        .runner = runner,
        .fn = (enum fn)step->fn,
        .way = step_value(step, ROLE_WAY),
        .target = step_value(step, ROLE_TARGET),
        .fault = step_value(step, ROLE_FAULT),
        .result = ret_result,
    };

    ret_result->fn = step->fn;
    switch (r.fn) {
    case FN_C_WrapKey:
        run_wrap(&r);
        break;
    case FN_C_UnwrapKey:
        run_unwrap(&r);
        break;
    default:
        run_derive(&r);
        break;
    }
    for (size_t i = 0; i < r.made_count; i++) {
        (void)call_destroy(runner->fixture.module, home(&r), r.made[i]);
    }
    for (size_t i = 0; i < r.kept_count && ret_result->verdict >= VERDICT_CODE; i++) {
        fixture_drop(&runner->fixture, r.kept[i]);
    }
    if (ret_result->verdict == VERDICT_NONE) {
        ret_result->verdict = ret_result->advisory ? VERDICT_ADVISORY : VERDICT_PASS;
    }
}
