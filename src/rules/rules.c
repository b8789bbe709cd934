/* SPDX-License-Identifier: Apache-2.0
 *
 * Policies and their switches, return codes and their ranks, hash functions: three small
 * tables and the questions that they answer.
 */
#include "rules/rules.h"

#include <assert.h>
#include <string.h>

static const char *const policy_names[POLICY_COUNT] = {
    [POLICY_STANDARD] = "standard",
    [POLICY_AZURE] = "azure",
    [POLICY_FIPS] = "fips",
};

/* [SWITCH_so_login] = { [POLICY_STANDARD] = 1, [POLICY_AZURE] = 0, [POLICY_FIPS] = 0 } */
#define SWITCH(name, standard, azure, fips)  \
    [SWITCH_##name] = {                      \
        [POLICY_STANDARD] = (standard) != 0, \
        [POLICY_AZURE] = (azure) != 0,       \
        [POLICY_FIPS] = (fips) != 0,         \
    },
static const bool switches[SWITCH_COUNT][POLICY_COUNT] = {
#include "rules/policies.def"
};
#undef SWITCH

static const char *const switch_names[SWITCH_COUNT] = {
#define SWITCH(name, standard, azure, fips) [SWITCH_##name] = #name,
#include "rules/policies.def"
#undef SWITCH
};
static_assert(SWITCH_COUNT <= 32, "struct rules has a bit for each");

struct return_row {
    CK_RV rv;
    int rank;
};

/* { CKR_HOST_MEMORY, 3 } */
#define RETURN(name, rank) { CKR_##name, rank },
static const struct return_row returns[] = {
#include "rules/returns.def"
};
#undef RETURN

/* [HASH_SHA1] = { "SHA1", CKM_SHA_1, CKG_MGF1_SHA1, 20, 64, "SHA1" } */
#define HASH(name, mechanism, mgf, length, block, library) \
    [HASH_##name] = { #name, mechanism, mgf, length, block, library },
static const struct hash_row hashes[HASH_COUNT] = {
#include "rules/hashes.def"
};
#undef HASH

const char *
policy_name(enum policy policy)
{
    assert((unsigned)policy < POLICY_COUNT);
    return policy_names[policy];
}

bool
policy_parse(const char *name, enum policy *ret_policy)
{
    for (size_t i = 0; i < POLICY_COUNT; i++) {
        if (strcmp(name, policy_names[i]) == 0) {
            *ret_policy = (enum policy)i;
            return true;
        }
    }
    return false;
}

bool
rules_switch_on(struct rules rules, enum rules_switch which)
{
    assert((unsigned)which < SWITCH_COUNT && (unsigned)rules.policy < POLICY_COUNT);
    return switches[which][rules.policy] != ((rules.turned >> which & 1) != 0);
}

/* One of them: "wrap_iv=off". */
static bool
switch_read(struct rules *rules, view text)
{
    for (enum rules_switch which = 0; which < SWITCH_COUNT; which++) {
        const view name = view_str(switch_names[which]);
        const bool named = text.len > name.len && memcmp(text.data, name.data, name.len) == 0;
        const view value = named ? view_slice(text, name.len, text.len - name.len) : VIEW_EMPTY;
        const bool on = view_equal(value, VIEW_TEXT("=on"));

        if (on || view_equal(value, VIEW_TEXT("=off"))) {
            if (on != rules_switch_on(*rules, which)) {
                rules->turned ^= 1u << which;
            }
            return true;
        }
    }
    return false;
}

bool
rules_switches_read(struct rules *rules, view text)
{
    bool all = true;
    bool more = text.len > 0;

    while (more) {
        const uint8_t *comma = text.len == 0 ? NULL : memchr(text.data, ',', text.len);
        const size_t len = comma == NULL ? text.len : (size_t)(comma - text.data);

        all = switch_read(rules, view_slice(text, 0, len)) && all;
        text = view_slice(text, len + 1, text.len);
        more = comma != NULL;
    }
    return all;
}

void
rules_switches_write(struct rules rules, struct writer *out)
{
    const char *comma = "";

    for (enum rules_switch which = 0; which < SWITCH_COUNT; which++) {
        if ((rules.turned >> which & 1) != 0) {
            write_raw(out, view_str(comma));
            write_raw(out, view_str(switch_names[which]));
            write_raw(out, view_str(rules_switch_on(rules, which) ? "=on" : "=off"));
            comma = ",";
        }
    }
}

CK_RV
rules_function_code(struct rules rules, enum rules_function function)
{
    /* [FUNCTION_GetObjectSize] = { { true, false, false }, CKR_FUNCTION_NOT_SUPPORTED } */
#define FUNCTION(name, standard, azure, fips, code) \
    [FUNCTION_##name] = { { (standard) != 0, (azure) != 0, (fips) != 0 }, (code) },
    static const struct {
        bool offered[POLICY_COUNT];
        CK_RV code;
    } functions[FUNCTION_COUNT] = {
#include "rules/functions.def"
    };
#undef FUNCTION

    assert((unsigned)function < FUNCTION_COUNT && (unsigned)rules.policy < POLICY_COUNT);
    return functions[function].offered[rules.policy] ? CKR_OK : functions[function].code;
}

static const struct return_row *
return_row(CK_RV rv)
{
    for (size_t i = 0; i < ARRAY_COUNT(returns); i++) {
        if (returns[i].rv == rv) {
            return &returns[i];
        }
    }
    return NULL;
}

bool
return_is_known(CK_RV rv)
{
    return return_row(rv) != NULL;
}

/* A code without a row is of the last group: the standard's own codes say more. */
static int
return_rank(CK_RV rv)
{
    const struct return_row *row = return_row(rv);

    return row == NULL ? 1000 : row->rank;
}

CK_RV
return_first(CK_RV a, CK_RV b)
{
    if (a == CKR_OK || b == CKR_OK) {
        return a == CKR_OK ? b : a;
    }
    return return_rank(b) < return_rank(a) ? b : a;
}

const struct hash_row *
hash_row(enum hash hash)
{
    assert(hash > HASH_NONE && hash < HASH_COUNT);
    return &hashes[hash];
}

enum hash
hash_by_mechanism(CK_ULONG mechanism)
{
    for (enum hash hash = HASH_NONE + 1; hash < HASH_COUNT; hash++) {
        if (hashes[hash].mechanism == mechanism) {
            return hash;
        }
    }
    return HASH_NONE;
}

enum hash
hash_by_mgf(CK_ULONG mgf)
{
    for (enum hash hash = HASH_NONE + 1; hash < HASH_COUNT; hash++) {
        if (mgf != 0 && hashes[hash].mgf == mgf) {
            return hash;
        }
    }
    return HASH_NONE;
}
