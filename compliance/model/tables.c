/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables of the model, made of the .def files. A row of functions.def expanded:
 *
 *     [FN_C_Sign] = { "go", "C_Sign", KIND_SIG, PART_ONE, { ROLE_SESSION, ROLE_IN, ROLE_OUT } },
 */
#include "model/model.h"

#include <string.h>

#include <stdio.h>

const struct value_row values[V_COUNT] = {
#define VALUE(role, name, tag, meaning) [V_##role##_##name] = { ROLE_##role, tag, meaning },
#include "model/values.def"
};

#define INITARGS ROLE_INITARGS
#define RESERVED ROLE_RESERVED
#define INFO ROLE_INFO
#define SLOT ROLE_SLOT
#define FLAGS ROLE_FLAGS
#define SESSION ROLE_SESSION
#define USER ROLE_USER
#define PIN ROLE_PIN
#define MECH ROLE_MECH
#define KEY ROLE_KEY
#define IN ROLE_IN
#define OUT ROLE_OUT
#define SIG ROLE_SIG
#define RANDOM ROLE_RANDOM
#define FIND ROLE_FIND
#define MAX ROLE_MAX
#define CANCEL ROLE_CANCEL
#define MPARAM ROLE_MPARAM
#define AAD ROLE_AAD
#define END ROLE_END
#define LIST(...)   \
    {               \
        __VA_ARGS__ \
    }

const struct fn_row functions[FN_COUNT] = {
#define FN(tag, name, kind, part, roles) \
    [FN_##name] = { #tag, #name, KIND_##kind, PART_##part, LIST roles },
#include "model/functions.def"
#define OBJECT_FN(tag, name) \
    [FN_##name] = { #tag, #name, KIND_NONE, PART_OBJECT, { ROLE_KIND, ROLE_ATTR, ROLE_FORM } },
#define KEYM_FN(tag, name) \
    [FN_##name] = { #tag, #name, KIND_NONE, PART_KEYM, { ROLE_WAY, ROLE_TARGET, ROLE_FAULT } },
#define CASE_FN(tag, name) [FN_##name] = { #tag, #name, KIND_NONE, PART_CASE, { ROLE_NONE } },
#include "model/objects.def"
    [FN_ATTACK] = { "sec", "An attack", KIND_NONE, PART_ATTACK, { ROLE_ATTACK } },
    [FN_PLAN] = { "pl", "A plan", KIND_NONE, PART_ATTACK, { ROLE_LINE, ROLE_SEAL } },
    [FN_MOVE] = { "mv", "A move", KIND_NONE, PART_ATTACK, { ROLE_MOVE } },
};

#undef INITARGS
#undef RESERVED
#undef INFO
#undef SLOT
#undef FLAGS
#undef SESSION
#undef USER
#undef PIN
#undef MECH
#undef KEY
#undef IN
#undef OUT
#undef SIG
#undef RANDOM
#undef FIND
#undef MAX
#undef CANCEL
#undef MPARAM
#undef AAD
#undef END

const struct mech_row mechanisms[MECH_COUNT] = {
#define MECH(tag, number, family, parts, cipher, signer, param, size, name)                    \
    [MECH_##tag] = {                                                                           \
        #tag, number, FAMILY_##family, parts, CIPHER_##cipher, SIGNER_##signer, PARAM_##param, \
        size, name                                                                             \
    },
#include "model/mechanisms.def"
};

const struct key_row keys[KEY_COUNT] = {
#define KEY(tag, family, type, bytes) [KEY_##tag] = { #tag, FAMILY_##family, type, bytes },
#include "model/keys.def"
};

const struct cond_row conditions[COND_COUNT] = {
#define COND(name, after, class, section, rule) \
    [COND_##name] = { #name, AFTER_##after, CLASS_##class, section, rule },
#define ANSWER(name, code, level)
#define NEEDS(name, other)
#include "model/conditions.def"
};

_Static_assert((int)RULE_END <= SET_MOST && ATTRIBUTES <= SET_MOST, "they are members of sets");

static const struct cond_row rules[RULES] = {
#define RULE(name, class, section, text) \
    [RULE_##name - RULE_FIRST] = { #name, AFTER_KEEP, CLASS_##class, section, text },
#define RULE_ANSWER(name, code, level)
#include "model/rules.def"
};

const struct attribute_row attributes[ATTRIBUTES] = {
#define ATTRIBUTE(name, form, create, generate, usual, set, secret)                \
    [V_ATTR_##name - ATTR_BASE] = { "CKA_" #name, CKA_##name, ATTR_##form, create, \
                                    generate,     usual,      set,         secret },
#include "model/attributes.def"
};

const struct cond_row *
cond_row(enum cond cond)
{
    return cond < COND_COUNT                       ? &conditions[cond]
           : cond >= RULE_FIRST && cond < RULE_END ? &rules[cond - RULE_FIRST]
                                                   : NULL;
}

const char *
cond_name(enum cond cond)
{
    const struct cond_row *row = cond_row(cond);

    return row != NULL ? row->name : "NOTHING";
}

const struct answer_row answers[] = {
#define COND(name, after, class, section, rule)
#define ANSWER(name, code, level) { COND_##name, code, LEVEL_##level },
#define NEEDS(name, other)
#include "model/conditions.def"
#define RULE(name, class, section, text)
#define RULE_ANSWER(name, code, level) { RULE_##name, code, LEVEL_##level },
#include "model/rules.def"
};
const size_t answers_count = COUNT(answers);

/* One for each condition that has to hold first, in rows of any order: filled at the start. */
static const struct {
    enum cond cond, other;
} needs[] = {
#define COND(name, after, class, section, rule)
#define ANSWER(name, code, level)
#define NEEDS(name, other) { COND_##name, COND_##other },
#include "model/conditions.def"
};

struct set
cond_needs(enum cond cond)
{
    struct set set = { 0 };

    for (size_t i = 0; i < COUNT(needs); i++) {
        if (needs[i].cond == cond) {
            set_add(&set, needs[i].other);
        }
    }
    return set;
}

const char *const class_names[CLASS_COUNT] = {
    [CLASS_NONE] = "-",
    [CLASS_CODES] = "Error Codes",
    [CLASS_STATE] = "State Enforcement",
    [CLASS_INIT] = "Initialization Checks",
    [CLASS_ARGS] = "Unsupported Arguments",
    [CLASS_KEYATTR] = "Unsupported Key Attributes",
    [CLASS_RESTRICT] = "Key Restrictions",
    [CLASS_OUTPUT] = "Non-Compliant Output",
    [CLASS_ROBUST] = "Robustness",
    [CLASS_SECURITY] = "Security",
};

static const struct {
    CK_RV code;
    const char *name;
} codes[] = {
#define CODE(name) { name, #name },
#include "model/codes.def"
};

const char *
code_name(CK_RV code)
{
    static char numbers[8][24];
    static unsigned next;

    for (size_t i = 0; i < COUNT(codes); i++) {
        if (codes[i].code == code) {
            return codes[i].name;
        }
    }
    next = (next + 1) % COUNT(numbers);
    snprintf(numbers[next], sizeof numbers[next], "0x%lx", code);
    return numbers[next];
}

enum value
role_default(enum role role)
{
    for (int v = 1; v < V_COUNT; v++) {
        if (values[v].role == role) {
            return (enum value)v;
        }
    }
    return V_NONE;
}

bool
has_role(enum fn fn, enum role role)
{
    for (size_t i = 0; i < ROLES_MAX; i++) {
        if (functions[fn].roles[i] == role) {
            return true;
        }
    }
    return false;
}

bool
step_is(const struct step *a, const struct step *b)
{
    return a->fn == b->fn && memcmp(a->value, b->value, sizeof a->value) == 0;
}

enum value
step_value(const struct step *step, enum role role)
{
    for (size_t i = 0; i < ROLES_MAX; i++) {
        if (functions[step->fn].roles[i] == role) {
            return (enum value)step->value[i];
        }
    }
    return V_NONE;
}

int
step_session(const struct step *step)
{
    switch (step_value(step, ROLE_SESSION)) {
    case V_SESSION_A:
        return 0;
    case V_SESSION_B:
        return 1;
    case V_SESSION_C:
        return 2;
    default:
        return -1;
    }
}
