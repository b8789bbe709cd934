/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs the tests of area SEC: attacks on keys whose values the suite knows, so that a success is
 * one that can be shown. model/attacks.def lists them.
 */
#ifndef COMPLIANCE_ATTACK_H
#define COMPLIANCE_ATTACK_H

#include "exec/run.h"

enum ending {
    ENDING_STOPPED,
    ENDING_SUCCEEDED,
    ENDING_UNTRIED,        /* the module lacks what it takes */
};

/* An attack under way. */
struct attack {
    struct runner *runner;
    struct module *module;
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE made[64];      /* to be removed at the end */
    size_t made_count;
};

typedef enum ending (*scene)(struct attack *attack);

void attack_run(struct runner *runner, const struct test *test, struct result *ret_result);

/* ---- what scenes are made of ---- */

#define OFF (UINT64_C(1) << 48)     /* added to an attribute: FALSE and not TRUE */

/* A key of the suite that may do what is listed and nothing else; the list ends with 0.
 * CK_INVALID_HANDLE when the module refuses such a key. */
CK_OBJECT_HANDLE attack_key(struct attack *attack, enum key key, enum half half, ...);

/* An object that was made is removed at the end. Gives rv back. */
CK_RV attack_remember(struct attack *attack, CK_RV rv, CK_OBJECT_HANDLE handle);

/* With the parameter that is the same for all attacks; in memory that the next call uses again. */
CK_MECHANISM *attack_mechanism(CK_MECHANISM_TYPE type);

/* The same for a template of the caller's. */
CK_OBJECT_HANDLE attack_make(struct attack *attack, const CK_ATTRIBUTE *attrs, size_t count);

/* The attribute's value in a template, or NULL; and another one in its place. */
void attack_put(struct template *template, CK_ATTRIBUTE_TYPE type, const void *value, size_t len);

/* The whole of a single-part operation: C_EncryptInit and C_Encrypt, and so on. */
CK_RV attack_crypt(struct attack *attack, enum fn init, CK_MECHANISM_TYPE mech,
                   CK_OBJECT_HANDLE key, const uint8_t *in, size_t len, uint8_t *ret_out,
                   size_t *ret_len);

CK_RV attack_wrap(struct attack *attack, CK_MECHANISM_TYPE mech, CK_OBJECT_HANDLE wrapper,
                  CK_OBJECT_HANDLE key, uint8_t *ret_blob, size_t *ret_len);
/* As a key of that type with what is listed. */
CK_RV attack_unwrap(struct attack *attack, CK_MECHANISM_TYPE mech, CK_OBJECT_HANDLE wrapper,
                    const uint8_t *blob, size_t len, CK_KEY_TYPE type, CK_OBJECT_HANDLE *ret_key,
                    ...);

/* The key under attack: AES of 16 bytes, sensitive, that may be wrapped. */
CK_OBJECT_HANDLE attack_target(struct attack *attack);
bool attack_is_target(const uint8_t *bytes, size_t len);

/* Whether CKA_VALUE can be read. */
bool attack_reads(struct attack *attack, CK_OBJECT_HANDLE key);

/* ---- ways of the planner ---- */

/* *ret_step is the move that ended it. */
enum ending attack_go(struct attack *attack, const struct test *test, size_t *ret_step);

/* ---- scenes ---- */

extern const scene attack_scenes[34];

#define SCENE(name) enum ending name(struct attack *attack)
SCENE(attack_points);
SCENE(attack_rsa_import);
SCENE(attack_numbers);
SCENE(attack_gcm);
SCENE(attack_nonces);
SCENE(attack_random);
SCENE(attack_moduli);
SCENE(attack_rsa_padding);
SCENE(attack_cbc_padding);
SCENE(attack_oaep_padding);

#endif /* COMPLIANCE_ATTACK_H */
