/* SPDX-License-Identifier: Apache-2.0
 *
 * Tests that stand in tables.
 */
#include "gen/explorer.h"

#include <string.h>

/* Every attribute of every kind of object in every form. */
void
write_attributes(struct explorer *x)
{
    static const struct place nowhere;

    for (size_t f = 0; f < x->fn_count; f++) {
        for (int kind = 0; kind < OBJECT_COUNT; kind++) {
            bool slow = x->fn[f] == FN_C_GenerateKeyPair &&
                        (kind == OBJECT_RSAPUB || kind == OBJECT_RSAPRI);

            if (!x->world->has_object[kind] || (slow && x->depth < DEPTH_FULL)) {
                continue;
            }
            for (int a = 0; a < ATTRIBUTES; a++) {
                for (int form = V_FORM_USUAL; form < V_WAY_KW; form++) {
                    struct step step = { x->fn[f],
                                         { (uint16_t)(V_KIND_DATA + kind), (uint16_t)(ATTR_BASE + a),
                                           (uint16_t)form } };

                    if (object_wanted((enum fn)x->fn[f], (enum object_kind)kind, &attributes[a],
                                      (enum value)form)) {
                        explorer_write(x, &nowhere, &step);
                    }
                }
            }
        }
    }
}

/* Every way to wrap, unwrap and derive with one thing wrong. */
void
write_keys(struct explorer *x)
{
    static const struct place nowhere;

    for (size_t f = 0; f < x->fn_count; f++) {
        enum fn fn = (enum fn)x->fn[f];
        CK_FLAGS flag = fn == FN_C_WrapKey     ? CKF_WRAP
                        : fn == FN_C_UnwrapKey ? CKF_UNWRAP
                                               : CKF_DERIVE;

        for (int way = V_WAY_KW; way < V_TARGET_AES; way++) {
            for (int target = V_TARGET_AES; target < V_FAULT_NONE; target++) {
                for (int fault = V_FAULT_NONE; fault < V_ATTACK_NONE; fault++) {
                    struct step step = { x->fn[f],
                                         { (uint16_t)way, (uint16_t)target, (uint16_t)fault } };

                    if ((x->world->way_flags[way - V_WAY_KW] & flag) &&
                        keym_wanted(fn, (enum value)way, (enum value)target, (enum value)fault)) {
                        explorer_write(x, &nowhere, &step);
                    }
                }
            }
        }
    }
}

static void
write_row(struct explorer *x, size_t row, uint32_t arg, enum fn fn)
{
    struct test *test;

    x->object = object_none();
    test = explorer_test(x);
    if (test != NULL) {
        test->row = (uint16_t)row;
        test->arg = arg;
        test->step[test->count++] = (struct step){ .fn = (uint8_t)fn };
    }
}

/* For how many numbers a case is done, at most. */
static size_t
sweep_most(const struct world *world, const struct case_row *row)
{
    static const size_t most[] = {
        [SWEEP_ONE] = 1,
        [SWEEP_OLD] = LIST_OLD,
        [SWEEP_NEW] = LIST_NEW,
        [SWEEP_MASK] = 15,
        [SWEEP_MECH] = 0,
        [SWEEP_ACCESS] = ACCESS_MOST,
        [SWEEP_FIVES] = ENTRIES_MOST,
        [SWEEP_FINDS] = FINDS_MOST,
        [SWEEP_TRIES] = FAULT_TRIES,
        [SWEEP_LAST] = 1,
    };

    return row->sweep == SWEEP_MECH ? world->listed_count : most[row->sweep];
}

/* Whether there is what a case needs: an officer's PIN, leave to bring a fault about, a limit. */
static bool
case_wanted(const struct world *world, const struct case_row *row, uint32_t arg)
{
    static const struct {
        enum check check;
        enum fault fault;
    } faults[] = { { CHECK_memory, FAULT_MEMORY },
                   { CHECK_cut, FAULT_CONNECTION },
                   { CHECK_lost, FAULT_CONNECTION },
                   { CHECK_stop, FAULT_DAEMON },
                   { CHECK_kill, FAULT_KILL } };

    for (size_t i = 0; i < COUNT(faults); i++) {
        if (row->check == faults[i].check && !(world->faults & faults[i].fault)) {
            return false;
        }
    }
    if (row->check == CHECK_gcm_inside && !world->gcm_inside) {
        return false;
    }
    return row->sweep != SWEEP_ACCESS || ACCESS_STATE(arg) != ACCESS_RW_SO || world->so;
}

/* The cases of an area, each for all that it is done for. */
void
write_cases(struct explorer *x)
{
    for (size_t i = 0; i < cases_count; i++) {
        if (strcmp(cases[i].area, areas[x->area].tag) != 0 || !x->world->has_fn[cases[i].fn] ||
            (x->depth == DEPTH_QUICK && !cases[i].quick)) {
            continue;
        }
        for (size_t k = 0; k < sweep_most(x->world, &cases[i]); k++) {
            uint32_t arg = cases[i].sweep == SWEEP_MECH ? (uint32_t)x->world->listed[k]
                                                        : (uint32_t)k;

            if (case_fits(&cases[i], arg) && case_wanted(x->world, &cases[i], arg)) {
                write_row(x, i, arg, cases[i].fn);
            }
        }
    }
}

static CK_FLAGS
listed_flags(const struct world *world, CK_MECHANISM_TYPE type)
{
    for (size_t i = 0; i < world->listed_count; i++) {
        if (world->listed[i] == type) {
            return world->listed_flags[i];
        }
    }
    return 0;
}

/* Known answers in every form; by each rung of the ladder where the answer is NIST's. */
void
write_vectors(struct explorer *x)
{
    for (size_t i = 0; i < vectors_count; i++) {
        const struct vector_row *row = &vectors[i];
        bool climbs = strncmp(row->tag, "wp_", 3) != 0;

        for (uint32_t arg = 0; arg < (RUNGS + 1) << 8; arg++) {
            bool plain = VECTOR_FORM(arg) == FORM_ONE;

            if (x->world->gcm_inside && row->mech == CKM_AES_GCM &&
                vector_fn(row, arg) == FN_C_EncryptInit) {
                continue;
            }
            if (!vector_fits(row, arg) || (VECTOR_RUNG(arg) > 0 && !climbs) ||
                (x->depth == DEPTH_QUICK && !plain) ||
                !(listed_flags(x->world, row->mech) & vector_flag(row, arg)) ||
                !x->world->has_fn[vector_fn(row, arg)]) {
                continue;
            }
            x->object = object_none();
            write_row(x, i, arg, vector_fn(row, arg));
        }
    }
}

void
write_attacks(struct explorer *x)
{
    static const struct place nowhere;

    for (int attack = V_ATTACK_NONE + 1; attack < V_LINE_NONE; attack++) {
        struct step step = { FN_ATTACK, { (uint16_t)attack } };

        explorer_write(x, &nowhere, &step);
    }
    write_plans(x);
}
