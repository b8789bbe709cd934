/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds ways for an intruder with a login from nothing to the value of a protected key, in the model
 * of moves.def: a token that lets through whatever its mechanisms can do. Which of these ways the module
 * closes is seen by going them (attack/plan.c). Calls nothing and depends on nothing but its tables.
 *
 * Backwards from the goal each thing that is needed is had by each move that gives it; so every way
 * is found that cannot do without one of its moves.
 */
#ifndef COMPLIANCE_PLANNER_H
#define COMPLIANCE_PLANNER_H

#include "model/model.h"

enum act {
    ACT_TARGET,
    ACT_GENERATE,
    ACT_CREATE,
    ACT_SET,
    ACT_LOSE_W,         /* one role for another */
    ACT_LOSE_E,
    ACT_LAY_OPEN,
    ACT_COPY,
    ACT_WRAP,
    ACT_ENCRYPT,
    ACT_FORGE,
    ACT_UNWRAP,
    ACT_DECRYPT,
    ACT_SIGN,
    ACT_DERIVE,
    ACT_READ,
    ACT_UNSEAL
};

/* What there may be: handles of keys, wrapped keys, bytes. */
enum thing {
    THING_NONE,
    THING_T, THING_T_D, THING_OPEN, THING_CHILD,
    THING_A, THING_B, THING_AOPEN, THING_TOP, THING_X, THING_Y, THING_P, THING_RP, THING_RS,
    THING_BLOBS,        /* behind this one wrapped keys */
    THING_T_A = THING_BLOBS, THING_T_X, THING_T_P, THING_T_R,
    THING_A_A, THING_A_TOP, THING_A_X, THING_A_P, THING_A_R,
    THING_X_A, THING_X_Y, THING_X_R,
    THING_T_BYTES, THING_A_BYTES,
    THING_COUNT
};

enum {
    CAN_WRAP = 1,
    CAN_UNWRAP = 2,
    CAN_ENCRYPT = 4,
    CAN_DECRYPT = 8,
    CAN_SIGN = 16,
    CANS = 5
};

enum move {
#define MOVE(tag, act, by, what, gives, roles, level, function, meaning) MOVE_##tag,
#include "model/moves.def"
    MOVE_COUNT
};

struct move_row {
    const char *tag;
    enum act act;
    enum thing by, what, gives;
    unsigned roles;
    bool forbidden;             /* by the standard's text */
    enum fn fn;
    const char *meaning;
};

/* Mechanisms: that of V_LINE_x is lines[V_LINE_x - V_LINE_NONE - 1]. */
struct line_row {
    CK_MECHANISM_TYPE wraps, crypts;
    bool forges;
};

#define LINES (V_SEAL_NONE - V_LINE_NONE - 1)
#define SEALS (V_MOVE_NONE - V_SEAL_NONE - 1)

extern const struct move_row moves[MOVE_COUNT];
extern const struct line_row lines[];
extern const CK_MECHANISM_TYPE seals[];

#define PLAN_MOST 9

struct plan {
    uint8_t count;
    uint8_t move[PLAN_MOST];
};

/* All plans of up to `most` moves, the shorter ones first and otherwise in the order of rows; the
 * caller frees *ret_plans. False when memory is short. */
bool planner_find(size_t most, struct plan **ret_plans, size_t *ret_count);

/* Whether the moves can be made in this order, and the last one reaches the goal. */
bool plan_works(const struct plan *plan);

/* Whether the plan goes by a secret key's mechanisms, by those of pairs. */
bool plan_has_line(const struct plan *plan);
bool plan_has_seal(const struct plan *plan);

/* Whether the module has what it takes, with these values of ROLE_LINE and ROLE_SEAL. */
bool plan_fits(const struct world *world, const struct plan *plan, enum value line,
               enum value seal);

/* Of a move that derives. */
CK_MECHANISM_TYPE move_derives(enum move move);

#endif /* COMPLIANCE_PLANNER_H */
