/* SPDX-License-Identifier: Apache-2.0
 *
 * Ways to the value of a protected key: the search, backwards from the goal.
 */
#include "model/planner.h"

#include <stdlib.h>
#include <string.h>

#define W CAN_WRAP
#define U CAN_UNWRAP
#define E CAN_ENCRYPT
#define D CAN_DECRYPT
#define S CAN_SIGN

const struct move_row moves[MOVE_COUNT] = {
#define ALLOWED false
#define FORBIDDEN true
#define MOVE(tag, act, by, what, gives, roles, level, function, meaning)           \
    [MOVE_##tag] = { #tag,  ACT_##act, THING_##by,    THING_##what, THING_##gives, \
                     roles, level,     FN_##function, meaning },
#include "model/moves.def"
#undef ALLOWED
#undef FORBIDDEN
};

#undef W
#undef U
#undef E
#undef D
#undef S

const struct line_row lines[LINES] = {
#define LINE(name, tag, wraps, crypts, forges) \
    [V_LINE_##name - V_LINE_NONE - 1] = { wraps, crypts, forges },
#define SEAL(name, tag, mechanism)
#include "model/lines.def"
};

const CK_MECHANISM_TYPE seals[SEALS] = {
#define LINE(name, tag, wraps, crypts, forges)
#define SEAL(name, tag, mechanism) [V_SEAL_##name - V_SEAL_NONE - 1] = mechanism,
#include "model/lines.def"
};

#define FACTS (THING_COUNT * (CANS + 1))

_Static_assert(FACTS <= SET_MOST, "what is known is a set");

/* That a thing is there, and what a key can do, are facts. */
static size_t
fact_there(enum thing thing)
{
    return (size_t)thing * (CANS + 1);
}

static void
add_roles(struct set *facts, enum thing thing, unsigned roles)
{
    for (size_t i = 0; i < CANS; i++) {
        if (roles >> i & 1) {
            set_add(facts, fact_there(thing) + 1 + i);
        }
    }
}

static struct set
move_gives(enum move move)
{
    const struct move_row *row = &moves[move];
    struct set facts = { 0 };

    if (row->act != ACT_SET && row->act != ACT_LOSE_W && row->act != ACT_LOSE_E) {
        set_add(&facts, fact_there(row->gives));
    }
    add_roles(&facts, row->gives, row->roles);
    return facts;
}

static struct set
move_loses(enum move move)
{
    struct set facts = { 0 };

    if (moves[move].act == ACT_LOSE_W || moves[move].act == ACT_LOSE_E) {
        add_roles(&facts, moves[move].by, moves[move].act == ACT_LOSE_W ? CAN_WRAP : CAN_ENCRYPT);
    }
    return facts;
}

static struct set
move_needs(enum move move)
{
    static const unsigned by_act[] = {
        [ACT_WRAP] = CAN_WRAP,      [ACT_ENCRYPT] = CAN_ENCRYPT,
        [ACT_UNWRAP] = CAN_UNWRAP,  [ACT_DECRYPT] = CAN_DECRYPT,
        [ACT_SIGN] = CAN_SIGN,      [ACT_LOSE_W] = CAN_WRAP,
        [ACT_LOSE_E] = CAN_ENCRYPT, [ACT_UNSEAL] = 0,
    };
    const struct move_row *row = &moves[move];
    struct set facts = { 0 };

    if (row->by != THING_NONE) {
        set_add(&facts, fact_there(row->by));
        add_roles(&facts, row->by, by_act[row->act]);
    }
    if (row->what != THING_NONE) {
        set_add(&facts, fact_there(row->what));
    }
    return facts;
}

/* ---- the search ---- */

struct search {
    size_t most;
    struct plan *plan;
    size_t count, room;
    struct set gives[MOVE_COUNT], needs[MOVE_COUNT], loses[MOVE_COUNT];
    bool full;
};

struct chain {
    struct plan plan;
    struct set given, needed;
};

static bool
has_all(const struct set *set, const struct set *part)
{
    struct set both = *set;

    set_join(&both, part);
    return memcmp(&both, set, sizeof both) == 0;
}

/* The moves in an order in which they can be made: always the first row that can. A role goes when
 * nothing needs it any more. False when there is no such order. */
static bool
put_in_order(const struct search *search, struct plan *plan)
{
    struct plan ordered = { 0 };
    struct set facts = { 0 };
    uint8_t left[PLAN_MOST];
    size_t count = plan->count;

    memcpy(left, plan->move, sizeof left);
    while (count > 0) {
        size_t best = count;

        for (size_t i = 0; i < count; i++) {
            bool can = has_all(&facts, &search->needs[left[i]]);

            for (size_t k = 0; k < count; k++) {
                can = can &&
                      (k == i || !set_meets(&search->loses[left[i]], &search->needs[left[k]]));
            }
            if (can && (best == count || left[i] < left[best])) {
                best = i;
            }
        }
        if (best == count) {
            return false;
        }
        set_join(&facts, &search->gives[left[best]]);
        ordered.move[ordered.count++] = left[best];
        left[best] = left[--count];
    }
    *plan = ordered;
    return true;
}

static void
keep(struct search *search, const struct chain *chain)
{
    struct plan plan = chain->plan;

    /* A role that nobody makes use of is left out by another plan. */
    for (size_t i = 0; i < plan.count; i++) {
        const struct move_row *row = &moves[plan.move[i]];
        struct set roles = { 0 };

        add_roles(&roles, row->gives, row->roles);
        if (!has_all(&chain->needed, &roles)) {
            return;
        }
    }
    if (!put_in_order(search, &plan)) {
        return;
    }
    if (search->count == search->room) {
        size_t room = search->room == 0 ? 1024 : 2 * search->room;
        struct plan *grown = realloc(search->plan, room * sizeof *grown);

        if (grown == NULL) {
            search->full = true;
            return;
        }
        search->plan = grown;
        search->room = room;
    }
    search->plan[search->count++] = plan;
}

/* A fact that is needed and not there; FACTS when there is none. */
static size_t
open_fact(const struct chain *chain)
{
    for (size_t i = FACTS; i-- > 0;) {
        if (set_has(&chain->needed, i) && !set_has(&chain->given, i)) {
            return i;
        }
    }
    return FACTS;
}

static void
extend(struct search *search, const struct chain *chain)
{
    size_t fact = open_fact(chain);

    if (fact == FACTS) {
        keep(search, chain);
        return;
    }
    for (int m = 0; m < MOVE_COUNT && chain->plan.count < search->most && !search->full; m++) {
        struct chain longer = *chain;

        if (set_has(&search->gives[m], fact) && !set_meets(&search->gives[m], &chain->given)) {
            longer.plan.move[longer.plan.count++] = (uint8_t)m;
            set_join(&longer.given, &search->gives[m]);
            set_join(&longer.needed, &search->needs[m]);
            extend(search, &longer);
        }
    }
}

static int
compare(const void *a, const void *b)
{
    const struct plan *x = a, *y = b;

    return x->count != y->count ? (int)x->count - (int)y->count
                                : memcmp(x->move, y->move, sizeof x->move);
}

bool
planner_find(size_t most, struct plan **ret_plans, size_t *ret_count)
{
    struct search search = { .most = most < PLAN_MOST ? most : PLAN_MOST };
    struct chain goal = { 0 };
    size_t count = 0;

    for (int m = 0; m < MOVE_COUNT; m++) {
        search.gives[m] = move_gives((enum move)m);
        search.needs[m] = move_needs((enum move)m);
        search.loses[m] = move_loses((enum move)m);
    }
    set_add(&goal.needed, fact_there(THING_T_BYTES));
    extend(&search, &goal);
    if (search.full) {
        free(search.plan);
        return false;
    }
    if (search.count > 0) {
        qsort(search.plan, search.count, sizeof *search.plan, compare);
    }
    for (size_t i = 0; i < search.count; i++) {
        if (count == 0 || compare(&search.plan[count - 1], &search.plan[i]) != 0) {
            search.plan[count++] = search.plan[i];
        }
    }
    *ret_plans = search.plan;
    *ret_count = count;
    return true;
}

bool
plan_works(const struct plan *plan)
{
    struct set facts = { 0 };

    for (size_t i = 0; i < plan->count; i++) {
        enum move move = (enum move)plan->move[i];
        struct set needs = move_needs(move), gives = move_gives(move), loses = move_loses(move);

        if (set_has(&facts, fact_there(THING_T_BYTES)) || !has_all(&facts, &needs) ||
            set_meets(&facts, &gives)) {
            return false;
        }
        for (size_t k = 0; k < SET_WORDS; k++) {
            facts.word[k] = (facts.word[k] & ~loses.word[k]) | gives.word[k];
        }
    }
    return set_has(&facts, fact_there(THING_T_BYTES));
}

/* ---- mechanisms ---- */

static bool
is_of_pair(enum thing thing)
{
    return thing == THING_P || thing == THING_RP || thing == THING_RS || thing == THING_T_P ||
           thing == THING_A_P;
}

/* Whether a move goes by mechanisms of pairs, or else of secret keys. */
static bool
uses(const struct move_row *row, bool of_pair)
{
    bool crypts = row->act == ACT_WRAP || row->act == ACT_ENCRYPT || row->act == ACT_FORGE ||
                  row->act == ACT_UNWRAP || row->act == ACT_DECRYPT || row->act == ACT_SIGN ||
                  row->act == ACT_UNSEAL;

    return crypts && (is_of_pair(row->by) || is_of_pair(row->what)) == of_pair;
}

static bool
plan_uses(const struct plan *plan, bool of_pair)
{
    for (size_t i = 0; i < plan->count; i++) {
        if (uses(&moves[plan->move[i]], of_pair)) {
            return true;
        }
    }
    return false;
}

bool
plan_has_line(const struct plan *plan)
{
    return plan_uses(plan, false);
}

bool
plan_has_seal(const struct plan *plan)
{
    return plan_uses(plan, true);
}

static bool
can(const struct world *world, CK_MECHANISM_TYPE mech, CK_FLAGS flag)
{
    for (size_t i = 0; i < world->listed_count; i++) {
        if (world->listed[i] == mech) {
            return (world->listed_flags[i] & flag) != 0;
        }
    }
    return false;
}

CK_MECHANISM_TYPE
move_derives(enum move move)
{
    return move == MOVE_dx   ? CKM_XOR_BASE_AND_DATA
           : move == MOVE_dc ? CKM_CONCATENATE_BASE_AND_DATA
                             : CKM_EXTRACT_KEY_FROM_KEY;
}

bool
plan_fits(const struct world *world, const struct plan *plan, enum value line, enum value seal)
{
    bool crypts = false;

    if ((line != V_LINE_NONE) != plan_has_line(plan) ||
        (seal != V_SEAL_NONE) != plan_has_seal(plan)) {
        return false;
    }
    for (size_t i = 0; i < plan->count; i++) {
        const struct move_row *row = &moves[plan->move[i]];
        bool of_pair = uses(row, true);
        CK_MECHANISM_TYPE wraps = of_pair ? seals[seal - V_SEAL_NONE - 1] : CKM_AES_ECB, opens;
        bool there = world->has_fn[row->fn], of_line = uses(row, false);

        opens = wraps;
        if (of_line) {
            wraps = lines[line - V_LINE_NONE - 1].wraps;
            opens = lines[line - V_LINE_NONE - 1].crypts;
        }
        switch (row->act) {
        case ACT_WRAP:
            there = there && can(world, wraps, CKF_WRAP);
            break;
        case ACT_UNWRAP:
            there = there && can(world, wraps, CKF_UNWRAP);
            break;
        case ACT_ENCRYPT:
            there = there && can(world, opens, CKF_ENCRYPT) && lines[line - V_LINE_NONE - 1].forges;
            crypts = true;
            break;
        case ACT_DECRYPT:
            there = there && can(world, opens, CKF_DECRYPT);
            crypts = crypts || of_line;
            break;
        case ACT_SIGN:
            there = there && can(world, CKM_RSA_X_509, CKF_SIGN) && wraps == CKM_RSA_PKCS;
            break;
        case ACT_DERIVE:
            there = there && can(world, move_derives((enum move)plan->move[i]), CKF_DERIVE);
            break;
        default:
            break;
        }
        if (!there) {
            return false;
        }
    }
    /* Without a call that crypts one line with the same wrapping is enough. */
    return line == V_LINE_NONE || crypts ||
           lines[line - V_LINE_NONE - 1].wraps == lines[line - V_LINE_NONE - 1].crypts;
}
