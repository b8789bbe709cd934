/* SPDX-License-Identifier: Apache-2.0
 *
 * PKCS #11 as a state machine: the state of an application and its token as far as tests tell it
 * apart, the calls that tests make, and what may come of each. Nothing here calls a module or
 * touches a file.
 *
 * The tables are the .def files of this folder. They were written from the standard and share
 * nothing with any implementation.
 */
#ifndef COMPLIANCE_MODEL_H
#define COMPLIANCE_MODEL_H

#include "model/set.h"
#include "pkcs11_headers/include/cryptoki.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* ---- rows ---- */

enum role {
    ROLE_NONE,
    ROLE_INITARGS,
    ROLE_RESERVED,
    ROLE_INFO,
    ROLE_SLOT,
    ROLE_FLAGS,
    ROLE_SESSION,
    ROLE_USER,
    ROLE_PIN,
    ROLE_MECH,
    ROLE_KEY,
    ROLE_IN,
    ROLE_OUT,
    ROLE_SIG,
    ROLE_RANDOM,
    ROLE_FIND,
    ROLE_MAX,
    ROLE_CANCEL,
    ROLE_MPARAM,
    ROLE_AAD,
    ROLE_END,
    ROLE_KIND,
    ROLE_ATTR,
    ROLE_FORM,
    ROLE_WAY,
    ROLE_TARGET,
    ROLE_FAULT,
    ROLE_ATTACK,
    ROLE_LINE,
    ROLE_SEAL,
    ROLE_MOVE,
    ROLE_COUNT
};

#define ROLES_MAX 5

/* V_SESSION_A and so on; 0 is no value. */
enum value {
    V_NONE,
#define VALUE(role, name, tag, meaning) V_##role##_##name,
#include "model/values.def"
    V_COUNT
};

struct value_row {
    enum role role;
    const char *tag;
    const char *meaning;
};

/* Kinds of operations of a session. */
enum kind {
    KIND_ENC,
    KIND_DEC,
    KIND_DIG,
    KIND_SIG,
    KIND_VER,
    KIND_SGR,
    KIND_VFR,
    KIND_FND,
    KIND_NONE
};
#define KINDS KIND_NONE

enum part {
    PART_LIBRARY,
    PART_ASK,
    PART_SESSION,
    PART_LOGIN,
    PART_CANCEL,
    PART_INIT,
    PART_ONE,
    PART_UPDATE,
    PART_FINAL,
    PART_RANDOM,
    PART_LEGACY,
    PART_OBJECT,
    PART_KEYM,
    PART_CASE,
    PART_ATTACK,
    PART_MINIT, /* from here on of messages: see message.c */
    PART_MONE,
    PART_MBEGIN,
    PART_MNEXT,
    PART_MFINAL
};

enum fn {
#define FN(tag, name, kind, part, roles) FN_##name,
#include "model/functions.def"
#define OBJECT_FN(tag, name) FN_##name,
#define KEYM_FN(tag, name) FN_##name,
#define CASE_FN(tag, name) FN_##name,
#include "model/objects.def"
    FN_ATTACK,              /* no functions: what attacks of area SEC are written down as, */
    FN_PLAN,                /* ways that the planner found, */
    FN_MOVE,                /* and their moves */
    FN_COUNT
};

struct fn_row {
    const char *tag;
    const char *name;
    enum kind kind;
    enum part part;
    enum role roles[ROLES_MAX];
};

enum family { FAMILY_NONE, FAMILY_AES, FAMILY_DES3, FAMILY_GENERIC, FAMILY_RSA, FAMILY_EC,
              FAMILY_CHACHA };
enum cipher {
    CIPHER_NONE,
    CIPHER_BLOCK,
    CIPHER_PAD,
    CIPHER_STREAM,
    CIPHER_AEAD,
    CIPHER_CCM,
    CIPHER_RSA1,
    CIPHER_RSA0,
    CIPHER_OAEP
};
enum signer {
    SIGNER_NONE,
    SIGNER_RSA1,
    SIGNER_RSA0,
    SIGNER_RSA1H,
    SIGNER_PSS,
    SIGNER_PSSH,
    SIGNER_ECDSA,
    SIGNER_ECDSAH,
    SIGNER_HMAC,
    SIGNER_CMAC
};
enum param { PARAM_NONE, PARAM_IV, PARAM_CTR, PARAM_GCM, PARAM_CCM, PARAM_CHACHA, PARAM_OAEP,
             PARAM_PSS };

enum mech {
#define MECH(tag, number, family, parts, cipher, signer, param, size, name) MECH_##tag,
#include "model/mechanisms.def"
    MECH_COUNT
};

struct mech_row {
    const char *tag;
    CK_MECHANISM_TYPE number;
    enum family family;
    bool parts;
    enum cipher cipher;
    enum signer signer;
    enum param param;
    size_t size;
    const char *name;
};

enum key {
#define KEY(tag, family, type, bytes) KEY_##tag,
#include "model/keys.def"
    KEY_COUNT
};

struct key_row {
    const char *tag;
    enum family family;
    CK_KEY_TYPE type;
    size_t bytes;
};

enum level { LEVEL_STRICT, LEVEL_TOLERATED };
enum after { AFTER_KEEP, AFTER_END, AFTER_EITHER };
enum class {
    CLASS_NONE,
    CLASS_CODES,
    CLASS_STATE,
    CLASS_INIT,
    CLASS_ARGS,
    CLASS_KEYATTR,
    CLASS_RESTRICT,
    CLASS_OUTPUT,
    CLASS_ROBUST,
    CLASS_SECURITY,
    CLASS_COUNT
};

enum cond {
#define COND(name, after, class, section, rule) COND_##name,
#define ANSWER(name, code, level)
#define NEEDS(name, other)
#include "model/conditions.def"
    COND_COUNT,
    COND_NOTHING = COND_COUNT,   /* the call is right */
#define RULE(name, class, section, text) RULE_##name,
#define RULE_ANSWER(name, code, level)
#include "model/rules.def"
    RULE_END,
    RULE_FIRST = COND_NOTHING + 1
};

#define RULES (RULE_END - RULE_FIRST)

struct cond_row {
    const char *name;
    enum after after;
    enum class class;
    const char *section;
    const char *rule;
};

enum attr_form { ATTR_BOOL, ATTR_ULONG, ATTR_BYTES, ATTR_DATE, ATTR_ARRAY };

struct attribute_row {
    const char *name;           /* with CKA_ */
    CK_ATTRIBUTE_TYPE type;
    enum attr_form form;
    const char *create, *generate;
    char usual, set;
    bool secret;
};

/* Kinds of objects, numbered as the columns of attributes.def. */
enum object_kind {
#define KIND(name, tag, class, key, half) OBJECT_##name,
#include "model/kinds.def"
    OBJECT_COUNT
};

/* Attributes, numbered as their values: attribute of V_ATTR_x is attributes[V_ATTR_x - ATTR_BASE]. */
#define ATTR_BASE (V_ATTR_NOTHING + 1)
#define ATTRIBUTES (V_FORM_USUAL - ATTR_BASE)

/* Ways to wrap and derive: that of V_WAY_x is ways[V_WAY_x - V_WAY_KW]. */
#define WAYS (V_TARGET_AES - V_WAY_KW)

struct way_row {
    CK_MECHANISM_TYPE number;
    enum key key;
    enum param param;
    const char *cipher;
};

struct answer_row {
    enum cond cond;
    CK_RV code;
    enum level level;
};

/* Tests of cases.def. */
enum sweep { SWEEP_ONE, SWEEP_OLD, SWEEP_NEW, SWEEP_MASK, SWEEP_MECH, SWEEP_ACCESS, SWEEP_FIVES,
             SWEEP_FINDS, SWEEP_TRIES, SWEEP_LAST };

enum check {
    CHECK_SCRIPT,
#define SCRIPT(area, tag, quick, fn, rule, text)
#define CHECK(area, tag, quick, fn, sweep, rule) CHECK_##tag,
#include "model/cases.def"
    CHECK_COUNT
};

struct case_row {
    const char *area, *tag;
    bool quick;
    enum fn fn;
    enum check check;
    enum sweep sweep;
    enum cond rule;
    const char *script;
};

#define LIST_OLD 68 /* functions of version 2.40 */
#define LIST_NEW 92 /* of 3.0 */

extern const struct case_row cases[];
extern const size_t cases_count;
extern const char *const list_names[LIST_NEW]; /* in the order of the list of functions */

/* Known answers. What a test is done for says how: 0xRDF, the rung of the ladder by which the key
 * gets in (0: the first that works), 1 to decrypt or verify, and the form of the calls. */
enum vector_kind {
    VECTOR_CIPHER,
    VECTOR_AEAD,
    VECTOR_MAC,
    VECTOR_DIGEST,
    VECTOR_VERIFY,
    VECTOR_RSA_OPEN,
    VECTOR_RSA_VERIFY,
    VECTOR_WRAP,
    VECTOR_AGREE
};
enum vector_form { FORM_ONE, FORM_BYTES, FORM_PARTS, FORM_IN_PLACE, FORM_SHORT, FORMS };

#define RUNGS 3
#define VECTOR_RUNG(arg) ((arg) >> 8 & 0xf)
#define VECTOR_BACK(arg) (((arg) >> 4 & 1) != 0)
#define VECTOR_FORM(arg) ((arg)&0xf)

struct vector_row {
    enum vector_kind kind;
    const char *tag;
    CK_MECHANISM_TYPE mech;
    const char *key, *iv, *aad, *in, *out; /* in hexadecimal */
    bool valid;
    unsigned extra; /* the curve; see vectors.def */
};

/* A key of RSA that rows have the tag of: n e d p q dp dq qinv, of a public one the first two. */
const char *const *vector_key(const struct vector_row *row);

extern const struct vector_row vectors[];
extern const size_t vectors_count;

enum fn vector_fn(const struct vector_row *row, uint32_t arg);
bool vector_fits(const struct vector_row *row, uint32_t arg);
/* The rule that says what comes of it. */
enum cond vector_rule(const struct vector_row *row, uint32_t arg);
CK_FLAGS vector_flag(const struct vector_row *row, uint32_t arg);

/* What a case of area OBJ is done for: the state of the session, and what object it is. */
enum access { ACCESS_RO_PUBLIC, ACCESS_RW_PUBLIC, ACCESS_RO_USER, ACCESS_RW_USER, ACCESS_RW_SO,
              ACCESS_STATES };
#define ACCESS_STATE(arg) ((enum access)((arg) / 4))
#define ACCESS_PRIVATE(arg) (((arg)&1) != 0)
#define ACCESS_TOKEN(arg) (((arg)&2) != 0)
#define ACCESS_MOST (4 * ACCESS_STATES)

bool access_is_user(uint32_t arg);
/* Whether objects of the kind are there for sessions in the state. */
bool access_sees(uint32_t arg);
/* What a call that makes, changes, uses or looks for such an object answers. */
enum cond access_rule(enum fn fn, uint32_t arg);

/* Attributes of one call of C_GetAttributeValue: of five sorts, three in any order. */
enum entry { ENTRY_SENSITIVE, ENTRY_ABSENT, ENTRY_ASKED, ENTRY_FITS, ENTRY_SHORT, ENTRIES };
#define ENTRIES_MOST (ENTRIES * ENTRIES * ENTRIES)
#define FAULT_TRIES 14 /* calls that are tried with a fault */
#define FINDS_MOST 20 /* ten attributes, right and wrong */

/* The function of that name; FN_COUNT when there is none. */
enum fn fn_find(const char *name, size_t len);
/* Whether a number is one that a case may be done for. */
bool case_fits(const struct case_row *row, uint32_t arg);
/* Of a function of the list, by its number there: whether it takes a session before all else. */
bool list_takes_session(size_t at);

extern const struct value_row values[V_COUNT];
extern const struct fn_row functions[FN_COUNT];
extern const struct mech_row mechanisms[MECH_COUNT];
extern const struct key_row keys[KEY_COUNT];
extern const struct cond_row conditions[COND_COUNT];
extern const struct answer_row answers[];
extern const size_t answers_count;
extern const struct attribute_row attributes[ATTRIBUTES];
extern const struct way_row ways[WAYS];
extern const char *const class_names[CLASS_COUNT];

/* The row of a condition or a rule; NULL for COND_NOTHING. */
const struct cond_row *cond_row(enum cond cond);
const char *cond_name(enum cond cond);

/* What a call of a function on objects may answer. */
enum cond object_rule(enum fn fn, enum object_kind kind, const struct attribute_row *attribute,
                      enum value form);

/* Whether there is a test of such a call. */
bool object_wanted(enum fn fn, enum object_kind kind, const struct attribute_row *attribute,
                   enum value form);

/* The same for a key that is wrapped, unwrapped or derived. */
enum cond keym_rule(enum fn fn, enum value way, enum value target, enum value fault);
bool keym_wanted(enum fn fn, enum value way, enum value target, enum value fault);

/* The conditions that must hold before this one can be asked. */
struct set cond_needs(enum cond cond);

/* The name of a return code, "CKR_OK"; of an unknown one its number, in memory that stays. */
const char *code_name(CK_RV code);

/* The first value of a role: what a call takes that says nothing. */
enum value role_default(enum role role);

/* ---- states ---- */

#define SESSIONS 3

enum phase { PHASE_IDLE, PHASE_FRESH, PHASE_ASKED, PHASE_PARTS, PHASE_PARTS_ASKED };
enum login { LOGIN_NONE, LOGIN_USER, LOGIN_SO };

struct m_op {
    uint8_t phase;
    uint8_t flipped; /* a bit of the input was */
    uint8_t done; /* idle because a single-part call returned output */
    uint8_t unsure; /* the text leaves open what a result would be */
    uint16_t fed; /* bytes of input so far */
};

/* A process of messages in the first session, and the message that is open in it. */
enum process { PROCESS_NONE, PROCESS_IDLE, PROCESS_BEGUN, PROCESS_PARTS };

struct m_message {
    uint8_t phase;
    uint16_t aad;               /* a value of ROLE_AAD */
    uint8_t flipped;
    uint8_t counters;           /* generators that count, of this process: as bits */
    uint16_t fed;
};

struct m_session {
    uint8_t open, rw;
    struct m_op op[KINDS];
};

struct mstate {
    uint8_t ready; /* the library is initialised */
    uint8_t login;
    uint8_t closed; /* a session was closed: there is a handle that was valid once */
    uint8_t home; /* the suite's own session for keys is open */
    struct m_message message;
    struct m_session session[SESSIONS];
};

/* ---- calls ---- */

struct step {
    uint8_t fn;
    uint16_t value[ROLES_MAX]; /* of enum value */
};

/* What the operations of a test work with: for each kind a mechanism and a key. */
struct object {
    uint8_t mech[KINDS];
    uint8_t key[KINDS];
};

#define NO_MECH 0xff

#define LISTED_MOST 512

/* Faults that a user allows; see exec/faults.c. */
enum fault { FAULT_MEMORY = 1, FAULT_CONNECTION = 2, FAULT_DAEMON = 4, FAULT_KILL = 8 };

/* What is known of the module before a test. */
struct world {
    CK_VERSION version;
    CK_FLAGS token_flags;
    bool has_fn[FN_COUNT];
    bool has_key[KEY_COUNT];
    bool has_object[OBJECT_COUNT];
    CK_FLAGS way_flags[WAYS];
    bool private_keys, private_public_keys; /* what fixtures are by default */
    bool login_required; /* for all cryptography: a profile says so */
    bool gcm_inside; /* a profile says that the token makes every IV of GCM */
    bool so; /* there is a PIN for the security officer */
    unsigned faults; /* bits of FAULT_ that may be brought about */
    long daemon; /* the process behind the module that may be stopped */
    CK_FLAGS mech_flags[MECH_COUNT];
    size_t listed_count; /* mechanisms of the token, also those that the model does not know */
    CK_MECHANISM_TYPE listed[LISTED_MOST];
    CK_FLAGS listed_flags[LISTED_MOST];
    CK_MECHANISM_TYPE other_mech[KINDS]; /* a mechanism that is not for this kind */
};

enum value step_value(const struct step *step, enum role role);
bool step_is(const struct step *a, const struct step *b);
/* The session that a step works in; -1 when it names none. */
int step_session(const struct step *step);
bool has_role(enum fn fn, enum role role);

/* ---- lengths ---- */

/* What mechanism and key of a test mean for one kind of operation. */
struct work {
    const struct mech_row *mech;
    const struct key_row *key;
    enum kind kind;
};

/* Whether what it encrypts carries a tag: also as a message of 3.0. */
bool mech_has_tag(const struct mech_row *mech);

struct work object_work(const struct object *object, enum kind kind);
size_t work_message(const struct work *work); /* bytes of the message of a test */
size_t work_input(const struct work *work); /* the same, or its ciphertext */
size_t work_total(const struct work *work, size_t len); /* output for so much input, at the end */
size_t work_given(const struct work *work, size_t len); /* output of Updates for so much input */
size_t step_in_len(const struct work *work, const struct mstate *state, const struct step *step);
size_t step_need(const struct work *work, const struct mstate *state, const struct step *step);

/* ---- the oracle ---- */

struct outcome {
    CK_RV code;
    enum level level;
    enum cond cond;
    struct mstate post;
};

#define OUTCOMES_MAX 48

struct expect {
    size_t count;
    struct set violated; /* conditions and rules */
    enum cond first; /* the one to name in a report */
    struct outcome outcome[OUTCOMES_MAX];
};

/* Whether a test may make this call in this state: some calls would mean nothing to the model. */
bool step_enabled(const struct world *world, const struct object *object,
                  const struct mstate *state, const struct step *step);

/* Whether a condition is violated; its NEEDS do not count here. */
bool cond_violated(enum cond cond, const struct world *world, const struct object *object,
                   const struct mstate *state, const struct step *step);

void oracle(const struct world *world, const struct object *object, const struct mstate *state,
            const struct step *step, struct expect *ret_expect);

/* The states that a call that succeeds may lead to. */
size_t effects(const struct world *world, const struct object *object, const struct mstate *state,
               const struct step *step, bool too_small, struct mstate ret_post[4]);

/* The same for calls on messages, of which the functions above make use. */
bool message_enabled(const struct work *work, const struct mstate *state, const struct step *step);
void message_oracle(const struct world *world, const struct object *object,
                    const struct mstate *state, const struct step *step, struct expect *ret_expect);
size_t message_in_len(const struct work *work, const struct mstate *state, const struct step *step);
size_t message_need(const struct work *work, const struct mstate *state, const struct step *step);
bool message_ends(const struct step *step); /* the last part of a message, or the whole */

void expect_add(struct expect *expect, CK_RV code, enum level level, enum cond cond,
                const struct mstate *post);

/* Two states are one for tests when their keys are. */
uint64_t state_key(const struct mstate *state);

/* Checks the tables against themselves; writes what is wrong and tells how many complaints. */
size_t model_selfcheck(void);

#endif /* COMPLIANCE_MODEL_H */
