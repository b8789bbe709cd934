/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs the tests of area ATTR: one call on an object, judged by its rule, and then the object read
 * again.
 */
#include "exec/attr.h"

#include <string.h>

#define VALUE_MOST 1024

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE, two = 2;
static uint8_t p256[] = { 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7 };

static const struct {
    CK_OBJECT_CLASS class;
    enum key key;
    enum half half;
} kinds[OBJECT_COUNT] = {
#define KIND(name, tag, class, key, half) [OBJECT_##name] = { class, KEY_##key, HALF_##half },
#include "model/kinds.def"
};

/* A test while it runs. */
struct attr_run {
    struct runner *runner;
    enum fn fn;
    enum object_kind kind;
    const struct attribute_row *attribute;
    enum value form;
    enum cond rule;
    struct template template;
    CK_OBJECT_HANDLE made[4];       /* objects to remove at the end */
    size_t made_count;
    CK_OBJECT_HANDLE *kept;         /* of the fixture's that it works on, or NULL */
    struct result *result;
};

struct value_of {
    CK_RV rv;
    uint8_t bytes[VALUE_MOST];
    CK_ULONG len;
};

/* ---- templates ---- */

static CK_ATTRIBUTE *
find(struct template *t, CK_ATTRIBUTE_TYPE type)
{
    for (CK_ULONG i = 0; i < t->count; i++) {
        if (t->attr[i].type == type) {
            return &t->attr[i];
        }
    }
    return NULL;
}

static void
drop(struct template *t, CK_ATTRIBUTE_TYPE type)
{
    CK_ATTRIBUTE *attr = find(t, type);

    if (attr != NULL) {
        *attr = t->attr[--t->count];
    }
}

static void
set(struct template *t, CK_ATTRIBUTE_TYPE type, const void *value, size_t len)
{
    drop(t, type);
    template_put(t, type, value, len);
}

static void
base_template(enum object_kind kind, struct template *t)
{
    if (kind != OBJECT_DATA) {
        (void)template_key(t, kinds[kind].key, kinds[kind].half, true);
        return;
    }
    t->count = 0;
    t->class = CKO_DATA;
    template_put(t, CKA_CLASS, &t->class, sizeof t->class);
    template_put(t, CKA_TOKEN, &no, sizeof no);
    template_put(t, CKA_VALUE, "some data", 9);
}

/* Values of the forms that have one. */
static CK_ATTRIBUTE
sample(const struct attribute_row *attribute, enum value form)
{
    static CK_ULONG number = 1;
    static char date[] = "20300101";
    static CK_MECHANISM_TYPE mechs[] = { CKM_SHA256_HMAC, CKM_AES_CBC };
    static CK_ATTRIBUTE inner[] = { { CKA_LABEL, "inner", 5 } };
    static uint8_t oid[] = { 6, 1, 0x2a }, name[] = { 0x30, 0 }, text[] = "sample";
    CK_ATTRIBUTE attr = { attribute->type, NULL, 0 };

    switch (attribute->form) {
    case ATTR_BOOL:
        attr.pValue = form == V_FORM_TRUE || form == V_FORM_TWICE || form == V_FORM_KEPT ? &yes
                      : form == V_FORM_TWO                                               ? &two
                                                                                         : &no;
        attr.ulValueLen = form == V_FORM_SIZE ? 0 : 1;
        break;
    case ATTR_ULONG:
        attr.pValue = &number;
        attr.ulValueLen = form == V_FORM_SIZE ? 3 : sizeof number;
        break;
    case ATTR_DATE:
        attr.pValue = date;
        attr.ulValueLen = form == V_FORM_SIZE ? 7 : 8;
        break;
    case ATTR_ARRAY:
        attr.pValue = attribute->type == CKA_ALLOWED_MECHANISMS ? (void *)mechs : (void *)inner;
        attr.ulValueLen = attribute->type == CKA_ALLOWED_MECHANISMS ? sizeof mechs : sizeof inner;
        break;
    case ATTR_BYTES:
        attr.pValue = attribute->type == CKA_OBJECT_ID ? oid
                      : attribute->type == CKA_SUBJECT ? name
                                                       : text;
        attr.ulValueLen = attribute->type == CKA_OBJECT_ID ? 3
                          : attribute->type == CKA_SUBJECT ? 2
                                                           : 6;
        break;
    }
    if (form == V_FORM_NULL) {
        attr.pValue = NULL;
        attr.ulValueLen = attribute->form == ATTR_BYTES ? 6 : attr.ulValueLen;
    }
    return attr;
}

/* The attribute under test in the form under test. */
static void
apply(struct template *t, const struct attribute_row *attribute, enum value form)
{
    static CK_BBOOL other_flag = CK_FALSE;
    static char other[] = "20310101";
    CK_ATTRIBUTE attr = sample(attribute, form);

    if (form == V_FORM_USUAL) {
        drop(t, attribute->type);
        return;
    }
    set(t, attribute->type, attr.pValue, attr.ulValueLen);
    if (form == V_FORM_TWICE) {
        template_put(t, attribute->type, attr.pValue, attr.ulValueLen);
    } else if (form == V_FORM_BOTH && attribute->form == ATTR_BOOL) {
        t->attr[t->count - 1].pValue = &yes;
        template_put(t, attribute->type, &other_flag, sizeof other_flag);
    } else if (form == V_FORM_BOTH) {
        template_put(t, attribute->type, other, 8);
    }
}

/* ---- objects ---- */

static CK_SESSION_HANDLE
home(const struct attr_run *r)
{
    return r->runner->fixture.home;
}

static CK_RV
remember(struct attr_run *r, CK_RV rv, CK_OBJECT_HANDLE handle)
{
    if (rv == CKR_OK && r->made_count < COUNT(r->made)) {
        r->made[r->made_count++] = handle;
    }
    return rv;
}

/* An object to work on: a key that tells its secrets, if the token has such; else a usual one. */
static bool
make_object(struct attr_run *r, CK_OBJECT_HANDLE *ret_object)
{
    struct template t, open;
    struct module *module = r->runner->fixture.module;
    bool secret = kinds[r->kind].class == CKO_SECRET_KEY || kinds[r->kind].class == CKO_PRIVATE_KEY;

    base_template(r->kind, &t);
    open = t;
    if (secret) {
        set(&open, CKA_SENSITIVE, r->form == V_FORM_SENSITIVE ? &yes : &no, 1);
        set(&open, CKA_EXTRACTABLE, r->form == V_FORM_KEPT ? &no : &yes, 1);
        if (r->form == V_FORM_KEPT) {
            set(&t, CKA_EXTRACTABLE, &no, 1);
        }
        if (call_create(module, home(r), open.attr, open.count, ret_object) == CKR_OK) {
            return true;
        }
    }
    return call_create(module, home(r), t.attr, t.count, ret_object) == CKR_OK;
}

/* The same: one is kept for all tests that do not change it. For those that do it is made anew, but a
 * key of RSA, at which modules look long when it comes in: that is copied. */
static bool
fresh(struct attr_run *r, CK_OBJECT_HANDLE *ret_object)
{
    size_t form = r->form == V_FORM_SENSITIVE ? 1 : r->form == V_FORM_KEPT ? 2 : 0;
    CK_OBJECT_HANDLE *kept = &r->runner->fixture.kept[r->kind][form];
    const bool changes = r->fn == FN_C_SetAttributeValue;
    const bool rsa = r->kind == OBJECT_RSAPRI || r->kind == OBJECT_RSAPUB;

    if ((!changes || rsa) && *kept == CK_INVALID_HANDLE && !make_object(r, kept)) {
        *kept = CK_INVALID_HANDLE;
        return false;
    }
    r->kept = *kept != CK_INVALID_HANDLE ? kept : NULL;
    if (!changes) {
        *ret_object = *kept;
        return true;
    }
    return ((rsa && call_copy(r->runner->fixture.module, home(r), *kept, NULL, 0, ret_object) ==
                        CKR_OK) ||
            make_object(r, ret_object)) &&
           remember(r, CKR_OK, *ret_object) == CKR_OK;
}

static void
get(const struct attr_run *r, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type,
    struct value_of *ret_value)
{
    ret_value->len = sizeof ret_value->bytes;
    ret_value->rv = call_get(r->runner->fixture.module, home(r), object, type, ret_value->bytes,
                             &ret_value->len);
    if (ret_value->rv != CKR_OK || ret_value->len > sizeof ret_value->bytes) {
        ret_value->len = 0;
    }
}

static bool
is_true(const struct attr_run *r, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type)
{
    struct value_of value;

    get(r, object, type, &value);
    return value.rv == CKR_OK && value.len == 1 && value.bytes[0] == CK_TRUE;
}

/* ---- judging ---- */

static bool
judge(struct attr_run *r, CK_RV rv)
{
    return result_judge(r->result, r->rule, rv);
}

static void
deviate(struct attr_run *r, enum detail detail)
{
    r->result->verdict = VERDICT_OUTPUT;
    r->result->detail = (uint8_t)detail;
    r->result->class = detail == DETAIL_COMPUTED ? CLASS_SECURITY : CLASS_KEYATTR;
}

/* The value that an object shows, against the one that it should have. */
static void
expect_value(struct attr_run *r, CK_OBJECT_HANDLE object, const void *value, size_t len,
             enum detail detail)
{
    struct value_of seen;

    if (r->attribute->form == ATTR_ARRAY && r->attribute->type != CKA_ALLOWED_MECHANISMS) {
        return;     /* a template is given back in memory of ours, elsewhere */
    }
    get(r, object, r->attribute->type, &seen);
    if (seen.rv == CKR_ATTRIBUTE_SENSITIVE) {
        return;
    }
    if (seen.rv != CKR_OK) {
        r->result->advisory = 1;        /* that it is there at all is our reading */
    } else if (seen.len != len || memcmp(seen.bytes, value, len) != 0) {
        deviate(r, detail);
    }
}

static void
check_usual(struct attr_run *r, CK_OBJECT_HANDLE object)
{
    switch (r->attribute->usual) {
    case 'T':
        expect_value(r, object, &yes, 1, DETAIL_USUAL);
        break;
    case 'F':
        expect_value(r, object, &no, 1, DETAIL_USUAL);
        break;
    case 'E':
        expect_value(r, object, "", 0, DETAIL_USUAL);
        break;
    default:
        break;
    }
}

static bool
has_value(enum value form)
{
    return form == V_FORM_SAMPLE || form == V_FORM_TRUE || form == V_FORM_FALSE ||
           form == V_FORM_TWICE;
}

/* PKCS #11 v3.1, 4.9 and 4.10: what the token computes follows from how the key came to be. */
static void
check_computed(struct attr_run *r, CK_OBJECT_HANDLE object, bool generated)
{
    bool secret = kinds[r->kind].class == CKO_SECRET_KEY || kinds[r->kind].class == CKO_PRIVATE_KEY;
    CK_ULONG unavailable = CK_UNAVAILABLE_INFORMATION;
    struct value_of mech;

    if (r->kind == OBJECT_DATA || r->result->verdict != VERDICT_NONE) {
        return;
    }
    get(r, object, CKA_KEY_GEN_MECHANISM, &mech);
    if (is_true(r, object, CKA_LOCAL) != generated ||
        (mech.rv == CKR_OK && mech.len == sizeof unavailable &&
         (memcmp(mech.bytes, &unavailable, sizeof unavailable) != 0) != generated) ||
        (secret && (is_true(r, object, CKA_ALWAYS_SENSITIVE) !=
                        (generated && is_true(r, object, CKA_SENSITIVE)) ||
                    is_true(r, object, CKA_NEVER_EXTRACTABLE) !=
                        (generated && !is_true(r, object, CKA_EXTRACTABLE))))) {
        deviate(r, DETAIL_COMPUTED);
    }
}

/* ---- the calls ---- */

static void
check_made(struct attr_run *r, CK_OBJECT_HANDLE object, bool generated)
{
    CK_ATTRIBUTE attr = sample(r->attribute, r->form);

    if (r->form == V_FORM_USUAL) {
        check_usual(r, object);
    } else if (has_value(r->form)) {
        expect_value(r, object, attr.pValue, attr.ulValueLen, DETAIL_STORED);
    }
    check_computed(r, object, generated);
}

static void
run_create(struct attr_run *r)
{
    CK_OBJECT_HANDLE object = CK_INVALID_HANDLE;
    CK_RV rv;

    base_template(r->kind, &r->template);
    apply(&r->template, r->attribute, r->form);
    rv = remember(r,
                  call_create(r->runner->fixture.module, home(r), r->template.attr,
                              r->template.count, &object),
                  object);
    if (judge(r, rv) && rv == CKR_OK) {
        check_made(r, object, false);
    }
}

static void
run_generate(struct attr_run *r)
{
    struct template other = { .count = 0 };
    CK_ULONG len = r->kind == OBJECT_AES ? 16 : 32, bits = 2048;
    CK_MECHANISM mech = { CKM_AES_KEY_GEN, NULL, 0 };
    CK_OBJECT_HANDLE first = CK_INVALID_HANDLE, second = CK_INVALID_HANDLE;
    bool public = kinds[r->kind].half == HALF_PUBLIC;
    struct template *t = &r->template, *public_t = public ? t : &other;
    struct module *module = r->runner->fixture.module;
    CK_RV rv;

    t->count = 0;
    template_put(t, CKA_TOKEN, &no, sizeof no);
    template_put(&other, CKA_TOKEN, &no, sizeof no);
    if (r->fn == FN_C_GenerateKey) {
        mech.mechanism = r->kind == OBJECT_AES ? CKM_AES_KEY_GEN : CKM_GENERIC_SECRET_KEY_GEN;
        template_put(t, CKA_VALUE_LEN, &len, sizeof len);
        apply(t, r->attribute, r->form);
        rv = remember(r, call_generate(module, home(r), &mech, t->attr, t->count, &first), first);
    } else {
        bool rsa = r->kind == OBJECT_RSAPUB || r->kind == OBJECT_RSAPRI;

        mech.mechanism = rsa ? CKM_RSA_PKCS_KEY_PAIR_GEN : CKM_EC_KEY_PAIR_GEN;
        if (rsa) {
            template_put(public_t, CKA_MODULUS_BITS, &bits, sizeof bits);
        } else {
            template_put(public_t, CKA_EC_PARAMS, p256, sizeof p256);
        }
        apply(t, r->attribute, r->form);
        rv = public ? call_generate_pair(module, home(r), &mech, t->attr, t->count, other.attr,
                                         other.count, &first, &second)
                    : call_generate_pair(module, home(r), &mech, other.attr, other.count, t->attr,
                                         t->count, &second, &first);
        (void)remember(r, rv, first);
        (void)remember(r, rv, second);
    }
    if (judge(r, rv) && rv == CKR_OK) {
        check_made(r, first, true);
    }
}

static void
run_change(struct attr_run *r)
{
    CK_OBJECT_HANDLE object = CK_INVALID_HANDLE, copy = CK_INVALID_HANDLE;
    CK_ATTRIBUTE attr = sample(r->attribute, r->form);
    struct module *module = r->runner->fixture.module;
    struct value_of before, after;
    CK_RV rv;

    if (r->form == V_FORM_SENSITIVE) {
        attr.pValue = &no;
    }
    if (!fresh(r, &object)) {
        r->result->verdict = VERDICT_SKIPPED;
        return;
    }
    if (r->attribute->form == ATTR_ARRAY) {
        before.rv = CKR_ATTRIBUTE_TYPE_INVALID;
        before.len = 0;
    } else {
        get(r, object, r->attribute->type, &before);
    }
    /* A value that nobody may change can be set to itself at most. */
    if (r->rule == RULE_UNCHANGED && before.rv == CKR_OK &&
        (before.len != attr.ulValueLen || memcmp(before.bytes, attr.pValue, before.len) != 0)) {
        r->rule = r->attribute->set == '-' ? RULE_FIXED : RULE_ONE_WAY;
    }
    if (r->fn == FN_C_CopyObject) {
        rv = remember(r, call_copy(module, home(r), object, &attr, 1, &copy), copy);
    } else {
        rv = call_set(module, home(r), object, &attr, 1);
        copy = object;
    }
    if (!judge(r, rv)) {
        return;
    }
    if (rv == CKR_OK && (has_value(r->form) || r->rule == RULE_ONE_WAY)) {
        expect_value(r, copy, attr.pValue, attr.ulValueLen, DETAIL_STORED);
    }
    if ((rv != CKR_OK || copy != object) && r->attribute->form != ATTR_ARRAY) {
        get(r, object, r->attribute->type, &after);
        if (after.rv != before.rv || after.len != before.len ||
            memcmp(after.bytes, before.bytes, after.len) != 0) {
            deviate(r, DETAIL_CHANGED);
        }
    }
}

static void
run_get(struct attr_run *r)
{
    CK_OBJECT_HANDLE object = CK_INVALID_HANDLE;
    struct module *module = r->runner->fixture.module;
    uint8_t *buffer;
    CK_ULONG need = 0, len;
    CK_RV rv;

    if (!fresh(r, &object)) {
        r->result->verdict = VERDICT_SKIPPED;
        return;
    }
    if (r->rule != RULE_ABSENT && r->attribute->secret && r->kind != OBJECT_DATA &&
        (is_true(r, object, CKA_SENSITIVE) || !is_true(r, object, CKA_EXTRACTABLE))) {
        r->rule = RULE_HIDDEN;
    }
    rv = call_get(module, home(r), object, r->attribute->type, NULL, &need);
    if (rv != CKR_OK || r->form == V_FORM_ASK || r->attribute->form == ATTR_ARRAY ||
        r->rule == RULE_HIDDEN || r->rule == RULE_ABSENT) {
        if (rv == CKR_ATTRIBUTE_TYPE_INVALID && r->rule != RULE_ABSENT &&
            r->attribute->create[r->kind] == 'o' &&
            !(r->attribute->type == CKA_PUBLIC_KEY_INFO && kinds[r->kind].half == HALF_PUBLIC)) {
            r->result->advisory = 1;    /* that it is there at all is our reading */
            return;
        }
        if (r->rule == RULE_SHORT) {
            r->rule = RULE_READS;
        }
        if (judge(r, rv) && rv != CKR_OK && need != CK_UNAVAILABLE_INFORMATION) {
            deviate(r, DETAIL_UNAVAILABLE);
        }
        if (r->rule != RULE_HIDDEN || r->result->verdict != VERDICT_NONE) {
            return;
        }
        need = 32;                      /* and with room for it? */
    }
    if ((r->form == V_FORM_SHORT && need == 0) || need > VALUE_MOST) {
        r->result->verdict = VERDICT_SKIPPED;
        return;
    }
    len = need - (r->form == V_FORM_SHORT);
    buffer = guard_tail(&r->runner->out, len);
    rv = call_get(module, home(r), object, r->attribute->type, buffer, &len);
    if (!judge(r, rv)) {
        return;
    }
    if (rv == CKR_OK && len != need) {
        deviate(r, DETAIL_LENGTH);
    } else if (rv != CKR_OK && len != CK_UNAVAILABLE_INFORMATION) {
        deviate(r, DETAIL_UNAVAILABLE);
    } else if (rv == CKR_OK) {
        CK_ATTRIBUTE *given;

        base_template(r->kind, &r->template);
        given = find(&r->template, r->attribute->type);
        if (given != NULL &&
            (given->ulValueLen != len || memcmp(given->pValue, buffer, len) != 0)) {
            deviate(r, DETAIL_STORED);
        }
    }
}

void
attr_run(struct runner *runner, const struct test *test, struct result *ret_result)
{
    const struct step *step = &test->step[0];
    struct attr_run r = {
        .runner = runner,
        .fn = (enum fn)step->fn,
        .kind = (enum object_kind)(step_value(step, ROLE_KIND) - V_KIND_DATA),
        .form = step_value(step, ROLE_FORM),
        .result = ret_result,
    };

    ret_result->fn = step->fn;
    if (step_value(step, ROLE_ATTR) == V_ATTR_NOTHING || test->count != 1) {
        ret_result->verdict = VERDICT_SKIPPED;
        return;
    }
    r.attribute = &attributes[step_value(step, ROLE_ATTR) - ATTR_BASE];
    r.rule = object_rule(r.fn, r.kind, r.attribute, r.form);
    ret_result->attr = (uint16_t)step_value(step, ROLE_ATTR);
    switch (r.fn) {
    case FN_C_CreateObject:
        run_create(&r);
        break;
    case FN_C_GenerateKey:
    case FN_C_GenerateKeyPair:
        run_generate(&r);
        break;
    case FN_C_GetAttributeValue:
        run_get(&r);
        break;
    default:
        run_change(&r);
        break;
    }
    for (size_t i = 0; i < r.made_count; i++) {
        (void)call_destroy(runner->fixture.module, home(&r), r.made[i]);
    }
    if (ret_result->verdict >= VERDICT_CODE) {
        fixture_drop(&runner->fixture, r.kept);
    }
    if (ret_result->verdict == VERDICT_NONE) {
        ret_result->verdict = ret_result->advisory ? VERDICT_ADVISORY : VERDICT_PASS;
    }
}

bool
attr_takes(struct fixture *fixture, enum object_kind kind)
{
    struct template t;
    CK_OBJECT_HANDLE object = CK_INVALID_HANDLE;

    base_template(kind, &t);
    if (call_create(fixture->module, fixture->home, t.attr, t.count, &object) != CKR_OK) {
        return false;
    }
    (void)call_destroy(fixture->module, fixture->home, object);
    return true;
}
