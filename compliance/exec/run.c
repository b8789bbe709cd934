/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs a test: call by call, with all states that the model thinks possible.
 */
#include "attack/attack.h"
#include "exec/attr.h"
#include "exec/cases.h"
#include "exec/kat.h"
#include "exec/keym.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define STATES_MAX 8

const char *const verdict_names[VERDICT_COUNT] = {
    [VERDICT_NONE] = "NOT RUN",
    [VERDICT_PASS] = "PASS",
    [VERDICT_ADVISORY] = "ADVISORY",
    [VERDICT_SKIPPED] = "SKIPPED",
    [VERDICT_BLOCKED] = "BLOCKED",
    [VERDICT_DOCUMENTED] = "DOCUMENTED",
    [VERDICT_CODE] = "WRONG CODE",
    [VERDICT_REFUSED] = "REJECTED VALID",
    [VERDICT_ACCEPTED] = "ACCEPTED INVALID",
    [VERDICT_STATE] = "WRONG STATE",
    [VERDICT_OUTPUT] = "WRONG OUTPUT",
    [VERDICT_SECRET] = "ATTACK SUCCEEDED",
    [VERDICT_CORRUPT] = "CORRUPT",
    [VERDICT_HANG] = "HANG",
    [VERDICT_CRASH] = "CRASH",
};

const char *const detail_texts[DETAIL_COUNT] = {
    [DETAIL_NONE] = "",
    [DETAIL_BYTES] = "output that the mechanism does not give",
    [DETAIL_LENGTH] = "output of a wrong length",
    [DETAIL_TOLD] = "a length that does not suffice",
    [DETAIL_SESSION] = "another state from C_GetSessionInfo",
    [DETAIL_BEFORE] = "bytes written before the buffer",
    [DETAIL_STORED] = "another value than was given",
    [DETAIL_USUAL] = "another value than the default",
    [DETAIL_CHANGED] = "a value changed that should not",
    [DETAIL_COMPUTED] = "wrong values of what the token computes",
    [DETAIL_CONTENT] = "what the rule forbids",
    [DETAIL_ATTACK] = "an attack that succeeded",
    [DETAIL_UNAVAILABLE] = "a length that is not CK_UNAVAILABLE_INFORMATION",
};

bool
runner_init(struct runner *runner, struct module *module, const struct world *world,
            CK_SLOT_ID slot, const char *pin, const char *so_pin)
{
    memset(runner, 0, sizeof *runner);
    runner->fixture.module = module;
    runner->fixture.slot = slot;
    runner->fixture.pin = pin;
    runner->fixture.so_pin = so_pin;
    runner->world = world;
    runner->dirty = true;
    runner->pins = -1;
    return guard_init(&runner->in) && guard_init(&runner->out) && guard_init(&runner->sig);
}

void
runner_clear(struct runner *runner)
{
    fixture_end(&runner->fixture);
    guard_clear(&runner->in);
    guard_clear(&runner->out);
    guard_clear(&runner->sig);
}

/* Follows what a call did to sessions, for the handles that the next call needs. */
static void
follow(struct runner *runner, const struct step *step, const struct bag *bag)
{
    struct fixture *f = &runner->fixture;

    switch (step->fn) {
    case FN_C_OpenSession:
        for (size_t i = 0; i < SESSIONS; i++) {
            if (f->session[i] == CK_INVALID_HANDLE) {
                f->session[i] = *(CK_SESSION_HANDLE *)bag->info;
                break;
            }
        }
        break;
    case FN_C_CloseSession:
        for (size_t i = 0; i < SESSIONS; i++) {
            if (f->session[i] == bag->session) {
                f->session[i] = CK_INVALID_HANDLE;
            }
        }
        f->closed = bag->session;
        break;
    case FN_C_CloseAllSessions:
    case FN_C_Finalize:
        if (f->session[0] != CK_INVALID_HANDLE) {
            f->closed = f->session[0];
        }
        memset(f->session, 0, sizeof f->session);
        f->home = CK_INVALID_HANDLE;
        fixture_forget(f);
        break;
    case FN_C_Logout:
        for (size_t k = 0; k < KEY_COUNT; k++) {
            f->stale[k][HALF_PUBLIC] = f->key[k][HALF_PUBLIC][0];
            f->stale[k][HALF_PRIVATE] = f->key[k][HALF_PRIVATE][0];
        }
        fixture_forget(f);
        break;
    default:
        break;
    }
}

/* PKCS #11 v3.1, 5.6: the state of every session follows from the login and how it was opened. */
static bool
sessions_agree(struct runner *runner, const struct mstate *state)
{
    static const CK_STATE table[2][3] = {
        { CKS_RO_PUBLIC_SESSION, CKS_RO_USER_FUNCTIONS, CKS_RO_PUBLIC_SESSION },
        { CKS_RW_PUBLIC_SESSION, CKS_RW_USER_FUNCTIONS, CKS_RW_SO_FUNCTIONS },
    };

    for (size_t i = 0; i < SESSIONS; i++) {
        const struct m_session *s = &state->session[i];
        CK_SESSION_INFO info = { 0 };
        struct bag bag = { .session = runner->fixture.session[i], .info = &info };

        if (s->open &&
            (call(runner->fixture.module, FN_C_GetSessionInfo, &bag) != CKR_OK ||
             info.state != table[s->rw][state->login] || info.slotID != runner->fixture.slot ||
             !(info.flags & CKF_SERIAL_SESSION) || !(info.flags & CKF_RW_SESSION) != !s->rw)) {
            return false;
        }
    }
    return true;
}

/* What is told of a call whose code is not among those of the model. */
static void
deviates(struct result *result, const struct expect *expect, CK_RV rv)
{
    enum cond cond = expect->first;
    const struct cond_row *row = cond_row(cond);

    result->cond = (uint16_t)cond;
    result->want = CKR_OK;
    for (size_t i = 0; i < expect->count; i++) {
        if (expect->outcome[i].level == LEVEL_STRICT && expect->outcome[i].cond == cond) {
            result->want = (uint32_t)expect->outcome[i].code;
            break;
        }
    }
    if (rv == CKR_OK) {
        result->verdict = VERDICT_ACCEPTED;
        result->class = (uint8_t)(row != NULL ? row->class : CLASS_ARGS);
    } else if (cond == COND_NOTHING) {
        result->verdict = VERDICT_REFUSED;
        result->class = CLASS_ARGS;
    } else {
        result->verdict = VERDICT_CODE;
        result->class = CLASS_CODES;
    }
}

bool
result_judge(struct result *result, enum cond rule, CK_RV rv)
{
    const struct cond_row *row = cond_row(rule);

    result->seen = (uint32_t)rv;
    result->want = CKR_OK;
    result->cond = (uint16_t)rule;
    if (row == NULL && rv == CKR_OK) {
        return true;
    }
    for (size_t i = answers_count; row != NULL && i-- > 0;) {
        if (answers[i].cond == rule && answers[i].level == LEVEL_STRICT) {
            result->want = (uint32_t)answers[i].code;
        }
        if (answers[i].cond == rule && answers[i].code == rv) {
            result->advisory |= answers[i].level != LEVEL_STRICT;
            return true;
        }
    }
    result->verdict = rv == CKR_OK             ? VERDICT_ACCEPTED
                      : result->want == CKR_OK ? VERDICT_REFUSED
                                               : VERDICT_CODE;
    result->class = (uint8_t)(result->verdict == VERDICT_CODE ? CLASS_CODES
                              : row != NULL                   ? row->class
                                                              : CLASS_ARGS);
    return false;
}

struct states {
    struct mstate state[STATES_MAX];
    size_t count;
};

/* Takes the outcomes that fit. True when one does; *ret_level is the best of them. */
static bool
advance(struct states *next, const struct expect *expect, CK_RV rv, enum level *level)
{
    bool found = false;

    for (size_t i = 0; i < expect->count; i++) {
        const struct outcome *o = &expect->outcome[i];
        bool known = false;

        if (o->code != rv) {
            continue;
        }
        found = true;
        *level = o->level < *level ? o->level : *level;
        for (size_t k = 0; k < next->count; k++) {
            known = known || memcmp(&next->state[k], &o->post, sizeof o->post) == 0;
        }
        if (!known && next->count < STATES_MAX) {
            next->state[next->count++] = o->post;
        }
    }
    return found;
}

/* One worker at a time has a wrong PIN counted. */
static void
lock_pins(const struct runner *runner, short type)
{
    struct flock lock = { .l_type = type, .l_whence = SEEK_SET };

    if (runner->pins >= 0) {
        (void)fcntl(runner->pins, F_SETLKW, &lock);
    }
}

static bool
run_step(struct runner *runner, const struct test *test, size_t at, struct states *states,
         struct result *result)
{
    const struct step *step = &test->step[at];
    struct states next = { .count = 0 };
    struct expect expect, first = { .count = 0 };
    enum level level = LEVEL_TOLERATED;
    enum detail detail;
    struct bag bag;
    bool found = false;
    CK_RV rv;

    result->step = (uint8_t)at;
    result->fn = step->fn;
    result->seen = CKR_OK;          /* of a call that does not return nothing is seen */
    if (!bind_step(runner, test, &states->state[0], step, &bag)) {
        result->verdict = VERDICT_SKIPPED;
        return false;
    }
    if (step_value(step, ROLE_PIN) == V_PIN_WRONG && !runner->wrong_pin) {
        lock_pins(runner, F_WRLCK);     /* until mend_counter: no two wrong ones in a row */
        runner->wrong_pin = true;
    }
    rv = call(runner->fixture.module, (enum fn)step->fn, &bag);
    result->seen = (uint32_t)rv;
    if (rv == CKR_OK) {
        follow(runner, step, &bag);
    }
    for (size_t i = 0; i < states->count; i++) {
        oracle(runner->world, &test->object, &states->state[i], step, &expect);
        if (i == 0) {
            first = expect;
        }
        found |= advance(&next, &expect, rv, &level);
    }
    if (!found) {
        deviates(result, &first, rv);
        return false;
    }
    detail = check_step(runner, test, &states->state[0], step, &bag, rv);
    *states = next;
    if (detail == DETAIL_NONE && areas[test->area].base == BASE_LIBRARY && states->count == 1 &&
        !sessions_agree(runner, &states->state[0])) {
        detail = DETAIL_SESSION;
    }
    result->cond = (uint16_t)first.first;
    if (detail != DETAIL_NONE) {
        result->detail = (uint8_t)detail;
        result->verdict = detail == DETAIL_SESSION  ? VERDICT_STATE
                          : detail == DETAIL_BEFORE ? VERDICT_CORRUPT
                                                    : VERDICT_OUTPUT;
        result->class = detail == DETAIL_SESSION ? CLASS_STATE : CLASS_OUTPUT;
        return false;
    }
    result->advisory |= level != LEVEL_STRICT;
    return true;
}

/* A right login makes the token forget a wrong one. */
static void
mend_counter(struct runner *runner)
{
    if (runner->wrong_pin && fixture_ready(&runner->fixture, BASE_LIBRARY)) {
        runner->wrong_pin = !fixture_ready(&runner->fixture, BASE_LOGIN);
        if (!runner->wrong_pin) {
            lock_pins(runner, F_UNLCK);
        }
    }
}

/* Keys that the test will still know the handles of when they are gone: those of its calls. */
static void
make_keys(struct runner *runner, const struct test *test)
{
    for (size_t i = 0; i < test->count; i++) {
        enum fn fn = (enum fn)test->step[i].fn;
        struct work work = object_work(&test->object, functions[fn].kind);

        if (has_role(fn, ROLE_KEY) && work.mech != NULL && work.mech->family != FAMILY_NONE) {
            (void)fixture_key(&runner->fixture, (enum key)(work.key - keys), half_of(&work), true);
        }
    }
}

/* Whether the login may be another one afterwards. */
static bool
has_logins(const struct test *test)
{
    for (size_t i = 0; i < test->count; i++) {
        if (test->step[i].fn == FN_C_Login || test->step[i].fn == FN_C_Logout) {
            return true;
        }
    }
    return false;
}

static void
run_test(struct runner *runner, const struct test *test, struct result *ret_result)
{
    struct states states = { .count = 1 };
    bool relogin = false;

    memset(ret_result, 0, sizeof *ret_result);
    memset(runner->shadow, 0, sizeof runner->shadow);
    if ((runner->dirty && !fixture_restart(&runner->fixture)) ||
        !fixture_ready(&runner->fixture, areas[test->area].base)) {
        runner->dirty = true;
        ret_result->verdict = VERDICT_BLOCKED;
        return;
    }
    runner->dirty = false;
    if (areas[test->area].base == BASE_VECTORS) {
        kat_run(runner, test, ret_result);
        return;
    }
    if (areas[test->area].base == BASE_CASES) {
        case_run(runner, test, ret_result);
        return;
    }
    if (areas[test->area].base == BASE_OBJECTS) {
        enum part part = functions[test->step[0].fn].part;

        (part == PART_ATTACK ? attack_run
         : part == PART_KEYM ? keym_run
                             : attr_run)(runner, test, ret_result);
        return;
    }
    states.state[0] = base_state(areas[test->area].base);
    if (test->area == AREA_ACC && has_logins(test)) {
        make_keys(runner, test);
        relogin = true;
    }
    for (size_t i = 0; i < test->count; i++) {
        trace_note("%s", i < test->setup ? "on the way" : "under test");
        if (!run_step(runner, test, i, &states, ret_result)) {
            runner->dirty = ret_result->verdict != VERDICT_SKIPPED;
            if (i < test->setup && ret_result->verdict > VERDICT_BLOCKED) {
                ret_result->verdict = VERDICT_BLOCKED;
            }
            break;
        }
    }
    if (ret_result->verdict == VERDICT_NONE) {
        ret_result->verdict = ret_result->advisory ? VERDICT_ADVISORY : VERDICT_PASS;
    }
    mend_counter(runner);
    if (relogin) {
        (void)fixture_ready(&runner->fixture, BASE_LIBRARY);    /* from scratch: with a login */
    }
}

void
runner_run(struct runner *runner, const struct test *test, struct result *ret_result)
{
    call_trouble = false;
    run_test(runner, test, ret_result);
    ret_result->trouble = call_trouble && test->area != AREA_FAULT;
}
