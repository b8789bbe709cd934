/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs one test on the module and judges it by the oracle.
 */
#ifndef COMPLIANCE_RUN_H
#define COMPLIANCE_RUN_H

#include "exec/fixture.h"
#include "exec/guard.h"

/* From the best to the worst. */
enum verdict {
    VERDICT_NONE,       /* not run */
    VERDICT_PASS,
    VERDICT_ADVISORY,   /* where the text is silent */
    VERDICT_SKIPPED,    /* the module does not take what the test needs */
    VERDICT_BLOCKED,    /* the way to the state under test failed; another test tells of that */
    VERDICT_DOCUMENTED, /* a deviation that the profile names */
    VERDICT_CODE,       /* an error, but not the right one */
    VERDICT_REFUSED,    /* an error where the call is right */
    VERDICT_ACCEPTED,   /* success where the call is wrong */
    VERDICT_STATE,      /* a wrong state of a session */
    VERDICT_OUTPUT,     /* wrong output, or a wrong length */
    VERDICT_SECRET,     /* an attack recovered what the text protects */
    VERDICT_CORRUPT,    /* memory that is not the module's was written to */
    VERDICT_HANG,
    VERDICT_CRASH,
    VERDICT_COUNT
};

enum detail {
    DETAIL_NONE,
    DETAIL_BYTES,       /* the output is not what the mechanism gives */
    DETAIL_LENGTH,      /* the length of the output is wrong */
    DETAIL_TOLD,        /* the length that was told does not suffice */
    DETAIL_SESSION,     /* C_GetSessionInfo tells another state */
    DETAIL_BEFORE,      /* bytes before the buffer were changed */
    DETAIL_STORED,      /* an attribute has another value than was given */
    DETAIL_USUAL,       /* an attribute has another value than its default */
    DETAIL_CHANGED,     /* an attribute changed that should not */
    DETAIL_COMPUTED,    /* attributes that the token computes are wrong */
    DETAIL_UNAVAILABLE, /* ulValueLen is not CK_UNAVAILABLE_INFORMATION */
    DETAIL_CONTENT,     /* what is told is not true */
    DETAIL_ATTACK,      /* an attack succeeded; where the text lets it, that is advisory */
    DETAIL_COUNT
};

struct result {
    uint8_t verdict, advisory, step, fn, class, detail;
    uint16_t cond;
    uint16_t attr;      /* a value of ROLE_ATTR, or 0 */
    uint8_t trouble;    /* the module spoke of trouble with its device or with memory, or hung */
    uint32_t seen;
    uint32_t want;      /* of several right codes the first */
    uint32_t took_us;   /* in no report: those do not depend on the time */
};

extern const char *const verdict_names[VERDICT_COUNT];
extern const char *const detail_texts[DETAIL_COUNT];

struct shadow {
    uint8_t in[2048];
    size_t in_len, given;
};

struct runner {
    struct fixture fixture;
    const struct world *world;
    struct guard in, out, sig;
    struct shadow shadow[SESSIONS][KINDS];
    bool dirty;             /* the module may be in any state */
    bool wrong_pin;         /* the last login failed: mend the counter before the next */
    int pins;               /* a file to lock while a wrong PIN is counted; below 0 for none */
};

bool runner_init(struct runner *runner, struct module *module, const struct world *world,
                 CK_SLOT_ID slot, const char *pin, const char *so_pin);
void runner_clear(struct runner *runner);
void runner_run(struct runner *runner, const struct test *test, struct result *ret_result);

/* ---- what the parts of a run share ---- */

/* Looks a code up among the answers of a rule; without a rule CKR_OK alone is right. False, with
 * the verdict, when it is none of them. */
bool result_judge(struct result *result, enum cond rule, CK_RV rv);

/* The half of a pair that an operation takes. */
enum half half_of(const struct work *work);

/* Turns a step into arguments; false when the module lacks a key for it. */
bool bind_step(struct runner *runner, const struct test *test, const struct mstate *state,
               const struct step *step, struct bag *ret_bag);

/* Looks at what a call gave back. DETAIL_NONE when that is right. */
enum detail check_step(struct runner *runner, const struct test *test, const struct mstate *state,
                       const struct step *step, const struct bag *bag, CK_RV rv);

#endif /* COMPLIANCE_RUN_H */
