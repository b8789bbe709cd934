/* SPDX-License-Identifier: Apache-2.0
 *
 * Who is asking, and under which rules: the policy of the partition and the interface that
 * the asking context came through. Everything else in rules/ takes this as first argument.
 * Rows: policies.def (named switches), functions.def (what a policy withholds), returns.def
 * (return codes), hashes.def.
 */
#ifndef RULES_RULES_H
#define RULES_RULES_H

#include "base/bytes.h"
#include "pkcs11_headers/include/cryptoki.h"

enum policy { POLICY_STANDARD, POLICY_AZURE, POLICY_FIPS, POLICY_COUNT };

/* How a context reaches the HSM: through the PKCS#11 library, or through the client API. */
enum interface { INTERFACE_P11, INTERFACE_API, INTERFACE_COUNT };

struct rules {
    enum policy policy;
    enum interface interface;
    uint32_t turned; /* bits of the switches that are not as the policy has them */
};

/* "azure", "fips", "standard". */
const char *policy_name(enum policy policy);
MUST_USE bool policy_parse(const char *name, enum policy *ret_policy);

enum rules_switch {
#define SWITCH(name, standard, azure, fips) SWITCH_##name,
#include "rules/policies.def"
#undef SWITCH
    SWITCH_COUNT
};

bool rules_switch_on(struct rules rules, enum rules_switch which);

/* Text of turned switches: "enforce_dates=on,wrap_iv=off"; empty when all are as the policy has
 * them. Read: takes what it knows, and tells whether that was all. */
#define RULES_SWITCHES_TEXT_MAX 1024u
bool rules_switches_read(struct rules *rules, view text);
void rules_switches_write(struct rules rules, struct writer *out);

/* FUNCTION_GetObjectSize: those that a policy may withhold. */
enum rules_function {
#define FUNCTION(name, standard, azure, fips, code) FUNCTION_##name,
#include "rules/functions.def"
#undef FUNCTION
    FUNCTION_COUNT
};

/* CKR_OK when the policy offers the function, else what it answers. */
CK_RV rules_function_code(struct rules rules, enum rules_function function);

/* "CKR_OK", or "CKR_0x000000a3" style for a code without a row; never NULL. Static or
 * thread-local memory, valid until the next call in the thread. */
const char *return_name(CK_RV rv);
/* Is it a code of PKCS #11? */
bool return_is_known(CK_RV rv);
/* The code that wins when both apply (PKCS #11 v3.1, 5.1.7); CKR_OK loses to everything. */
CK_RV return_first(CK_RV a, CK_RV b);

enum hash {
    HASH_NONE,
#define HASH(name, mechanism, mgf, length, block, library) HASH_##name,
#include "rules/hashes.def"
#undef HASH
    HASH_COUNT
};

struct hash_row {
    const char *name;
    CK_MECHANISM_TYPE mechanism;
    CK_RSA_PKCS_MGF_TYPE mgf;
    size_t length;
    size_t block;
    const char *library_name;
};

/* hash is not HASH_NONE. */
const struct hash_row *hash_row(enum hash hash);
/* HASH_NONE when no row has that digest mechanism, or that mask generation function. */
enum hash hash_by_mechanism(CK_ULONG mechanism);
enum hash hash_by_mgf(CK_ULONG mgf);

/* The vendor's answer to a failed login, as the seeds show it. Equal to CKR_PIN_EXPIRED. */
#define CKR_LOGIN_FAILURE ((CK_RV)0xa3)

#endif
