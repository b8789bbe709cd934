/* SPDX-License-Identifier: Apache-2.0
 *
 * Tests as text and back.
 */
#include "gen/test.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct area_row areas[AREA_COUNT] = {
#define AREA(tag, title, kind, base, functions) \
    [AREA_##tag] = { #tag, title, KIND_##kind, BASE_##base, functions },
#include "gen/areas.def"
};

void
step_print(const struct step *step, char *ret_text, size_t size)
{
    size_t at = (size_t)snprintf(ret_text, size, "%s", functions[step->fn].tag);

    for (size_t i = 0; i < ROLES_MAX && at < size; i++) {
        const char *tag = step->value[i] != V_NONE ? values[step->value[i]].tag : "";

        if (tag[0] != '\0') {
            at += (size_t)snprintf(ret_text + at, size - at, ".%s", tag);
        }
    }
}

enum kind
test_kind(const struct test *test)
{
    return test->area == AREA_MSG ? functions[test->step[0].fn].kind : areas[test->area].kind;
}

void
test_print(const struct test *test, char *ret_id)
{
    const struct area_row *area = &areas[test->area];
    struct work work = object_work(&test->object, test_kind(test));
    size_t at;

    if (area->base == BASE_VECTORS) {
        at = (size_t)snprintf(ret_id, ID_MAX, "%s/%s.%x/", area->tag, vectors[test->row].tag,
                              test->arg);
    } else if (area->base == BASE_CASES && cases[test->row].sweep != SWEEP_ONE &&
               cases[test->row].sweep != SWEEP_LAST) {
        at = (size_t)snprintf(ret_id, ID_MAX, "%s/%s.%x/", area->tag, cases[test->row].tag,
                              test->arg);
    } else if (area->base == BASE_CASES) {
        at = (size_t)snprintf(ret_id, ID_MAX, "%s/%s/", area->tag, cases[test->row].tag);
    } else if (work.mech == NULL) {
        at = (size_t)snprintf(ret_id, ID_MAX, "%s/-/", area->tag);
    } else if (work.mech->family == FAMILY_NONE) {
        at = (size_t)snprintf(ret_id, ID_MAX, "%s/%s/", area->tag, work.mech->tag);
    } else {
        at = (size_t)snprintf(ret_id, ID_MAX, "%s/%s.%s/", area->tag, work.mech->tag,
                              work.key->tag);
    }
    for (size_t i = 0; i < test->count && at < ID_MAX - 1; i++) {
        if (i > 0) {
            ret_id[at++] = '-';
        }
        step_print(&test->step[i], ret_id + at, ID_MAX - at);
        at += strlen(ret_id + at);
    }
}

/* The word up to one of the ends, copied; the rest of the text, or NULL when it is too long. */
static const char *
word(const char *text, const char *ends, char *ret_word, size_t size)
{
    size_t len = strcspn(text, ends);

    if (len >= size) {
        return NULL;
    }
    memcpy(ret_word, text, len);
    ret_word[len] = '\0';
    return text + len;
}

static bool
step_parse(const char **text, struct step *ret_step)
{
    char tag[32];
    int fn;

    *text = word(*text, ".-", tag, sizeof tag);
    if (*text == NULL) {
        return false;
    }
    for (fn = 0; fn < FN_COUNT && strcmp(functions[fn].tag, tag) != 0; fn++) {
    }
    if (fn == FN_COUNT) {
        return false;
    }
    *ret_step = (struct step){ .fn = (uint8_t)fn };
    for (size_t i = 0; i < ROLES_MAX && functions[fn].roles[i] != ROLE_NONE; i++) {
        ret_step->value[i] = (uint16_t)role_default(functions[fn].roles[i]);
    }
    while (**text == '.') {
        bool found = false;

        *text = word(*text + 1, ".-", tag, sizeof tag);
        if (*text == NULL || tag[0] == '\0') {
            return false;
        }
        for (int v = 1; v < V_COUNT; v++) {
            for (size_t i = 0; i < ROLES_MAX; i++) {
                if (strcmp(values[v].tag, tag) == 0 && functions[fn].roles[i] == values[v].role) {
                    ret_step->value[i] = (uint16_t)v;
                    found = true;
                }
            }
        }
        if (!found) {
            return false;
        }
    }
    return true;
}

static bool
object_parse(const struct world *world, enum kind kind, const char *text, struct object *ret_object)
{
    char tag[32];
    const char *rest = word(text, ".", tag, sizeof tag);

    if (strcmp(text, "-") == 0) {
        *ret_object = object_make(world, kind, MECH_COUNT, KEY_COUNT);
        return true;
    }
    for (int m = 0; rest != NULL && m < MECH_COUNT; m++) {
        if (strcmp(mechanisms[m].tag, tag) != 0) {
            continue;
        }
        if (*rest == '\0') {
            *ret_object = object_make(world, kind, (enum mech)m, KEY_AES16);
            return mechanisms[m].family == FAMILY_NONE;
        }
        for (int k = 0; k < KEY_COUNT; k++) {
            if (strcmp(keys[k].tag, rest + 1) == 0 && keys[k].family == mechanisms[m].family) {
                *ret_object = object_make(world, kind, (enum mech)m, (enum key)k);
                return true;
            }
        }
    }
    return false;
}

/* The row of a case, and what it is done for. The function is that of the row. */
static bool
case_parse(const char *text, struct test *test)
{
    size_t len = strcspn(text, ".");
    char *end = NULL;

    for (size_t i = 0; i < cases_count; i++) {
        if (strcmp(cases[i].area, areas[test->area].tag) == 0 && strlen(cases[i].tag) == len &&
            strncmp(cases[i].tag, text, len) == 0) {
            test->row = (uint16_t)i;
            test->object = object_none();
            bool once = cases[i].sweep == SWEEP_ONE || cases[i].sweep == SWEEP_LAST;

            if (!once && text[len] == '.' && isxdigit((unsigned char)text[len + 1])) {
                test->arg = (uint32_t)strtoul(text + len + 1, &end, 16);
                return *end == '\0' && test->count == 1 && test->step[0].fn == cases[i].fn &&
                       case_fits(&cases[i], test->arg);
            }
            return once && text[len] == '\0' && test->count == 1 &&
                   test->step[0].fn == cases[i].fn;
        }
    }
    return false;
}

static bool
vector_parse(const char *text, struct test *test)
{
    size_t len = strcspn(text, ".");
    char *end = NULL;

    test->object = object_none();
    for (size_t i = 0; i < vectors_count; i++) {
        if (strlen(vectors[i].tag) == len && strncmp(vectors[i].tag, text, len) == 0 &&
            text[len] == '.' && isxdigit((unsigned char)text[len + 1])) {
            test->row = (uint16_t)i;
            test->arg = (uint32_t)strtoul(text + len + 1, &end, 16);
            return *end == '\0' && test->count == 1 && vector_fits(&vectors[i], test->arg) &&
                   test->step[0].fn == vector_fn(&vectors[i], test->arg);
        }
    }
    return false;
}

bool
area_has(const struct area_row *area, enum fn fn)
{
    const char *tag = functions[fn].tag, *at = area->functions;
    size_t len = strlen(tag);

    for (; *at != '\0'; at += strspn(at, " ")) {
        size_t word = strcspn(at, " ");

        if (word == len && strncmp(at, tag, len) == 0) {
            return true;
        }
        at += word;
    }
    return false;
}

/* Whether the calls are of the area's sort, and what they work with is there. */
static bool
steps_fit(const struct test *test)
{
    bool of_objects = areas[test->area].base == BASE_OBJECTS;

    for (size_t i = 0; i < test->count; i++) {
        enum fn fn = (enum fn)test->step[i].fn;
        enum part part = functions[fn].part;
        bool searched = part < PART_OBJECT || part >= PART_MINIT;
        enum kind kind = functions[fn].kind;

        if (searched == of_objects || (of_objects && !area_has(&areas[test->area], fn)) ||
            (kind < KINDS && kind != KIND_FND && test->object.mech[kind] == NO_MECH)) {
            return false;
        }
    }
    if (test->step[0].fn == FN_PLAN) {
        return test->area == AREA_SEC && plan_fits_test(test);
    }
    return !of_objects || (test->count == 1 && test->step[0].fn != FN_MOVE);
}

bool
test_parse(const struct world *world, const char *id, struct test *ret_test)
{
    char part[64], object[64];

    *ret_test = (struct test){ .area = AREA_COUNT };
    id = word(id, "/", part, sizeof part);
    for (int a = 0; id != NULL && a < AREA_COUNT; a++) {
        if (strcmp(areas[a].tag, part) == 0) {
            ret_test->area = (uint8_t)a;
        }
    }
    if (id == NULL || *id != '/' || ret_test->area == AREA_COUNT) {
        return false;
    }
    id = word(id + 1, "/", object, sizeof object);
    if (id == NULL || *id != '/') {
        return false;
    }
    do {
        id++;
        if (ret_test->count == STEPS_MAX || !step_parse(&id, &ret_test->step[ret_test->count++])) {
            return false;
        }
    } while (*id == '-');
    if (*id == '\0' && areas[ret_test->area].base == BASE_CASES) {
        return case_parse(object, ret_test);
    }
    if (*id == '\0' && areas[ret_test->area].base == BASE_VECTORS) {
        return vector_parse(object, ret_test);
    }
    return *id == '\0' &&
           object_parse(world, test_kind(ret_test), object, &ret_test->object) &&
           steps_fit(ret_test);
}

struct mstate
base_state(enum base base)
{
    struct mstate state = { .ready = 1 };

    if (base != BASE_LIBRARY) {
        state.home = 1;
        state.login = LOGIN_USER;
        state.session[0] = (struct m_session){ .open = 1, .rw = 1 };
    }
    return state;
}

struct object
object_none(void)
{
    struct object object;

    memset(object.mech, NO_MECH, sizeof object.mech);
    memset(object.key, 0, sizeof object.key);
    return object;
}

/* What kinds use that a test is not about: the first of these that the module has. */
static const struct {
    enum kind kind;
    enum mech mech;
    enum key key;
} usual[] = {
    { KIND_ENC, MECH_AES_CBC, KEY_AES16 },     { KIND_ENC, MECH_AES_ECB, KEY_AES16 },
    { KIND_DEC, MECH_AES_CBC, KEY_AES16 },     { KIND_DEC, MECH_AES_ECB, KEY_AES16 },
    { KIND_DIG, MECH_SHA256, KEY_AES16 },      { KIND_DIG, MECH_SHA_1, KEY_AES16 },
    { KIND_SIG, MECH_SHA256_HMAC, KEY_GEN64 }, { KIND_SIG, MECH_SHA256_RSA_PKCS, KEY_RSA2048 },
    { KIND_VER, MECH_SHA256_HMAC, KEY_GEN64 }, { KIND_VER, MECH_SHA256_RSA_PKCS, KEY_RSA2048 },
    { KIND_SGR, MECH_RSA_PKCS, KEY_RSA2048 },  { KIND_VFR, MECH_RSA_PKCS, KEY_RSA2048 },
};

static const CK_FLAGS kind_flags[KINDS] = {
    [KIND_ENC] = CKF_ENCRYPT,        [KIND_DEC] = CKF_DECRYPT, [KIND_DIG] = CKF_DIGEST,
    [KIND_SIG] = CKF_SIGN,           [KIND_VER] = CKF_VERIFY,  [KIND_SGR] = CKF_SIGN_RECOVER,
    [KIND_VFR] = CKF_VERIFY_RECOVER,
};

struct object
object_make(const struct world *world, enum kind kind, enum mech mech, enum key key)
{
    struct object object;

    memset(object.mech, NO_MECH, sizeof object.mech);
    memset(object.key, 0, sizeof object.key);
    for (size_t i = 0; i < COUNT(usual); i++) {
        enum kind k = usual[i].kind;

        if (object.mech[k] == NO_MECH && (world->mech_flags[usual[i].mech] & kind_flags[k]) &&
            (k == KIND_DIG || world->has_key[usual[i].key])) {
            object.mech[k] = (uint8_t)usual[i].mech;
            object.key[k] = (uint8_t)usual[i].key;
        }
    }
    if (kind < KINDS && mech < MECH_COUNT) {
        object.mech[kind] = (uint8_t)mech;
        object.key[kind] = (uint8_t)key;
        if (kind == KIND_SGR) {
            object.mech[KIND_VFR] = (uint8_t)mech;
            object.key[KIND_VFR] = (uint8_t)key;
        }
    }
    return object;
}
