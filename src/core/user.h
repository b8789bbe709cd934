/* SPDX-License-Identifier: Apache-2.0
 *
 * Users: name, role, and a password kept as scrypt's output. Passwords are first compared
 * with a keyed hash of this boot, bound to the version of the user's record, which writes
 * nothing; otherwise an attempt is counted durably before scrypt runs and the count goes
 * back to 0 after success. Five failures lock new logins (DESIGN section 5).
 */
#ifndef CORE_USER_H
#define CORE_USER_H

#include "core/record.h"
#include "wire/message.h"

#define USER_FIRST_ID 3u /* 1 is the first CO, 2 the service's own */
#define USER_NAME_MAX 31u
#define USER_PASSWORD_MIN 8u
#define USER_PASSWORD_MAX 32u
#define USER_FAILURES_MAX 5u
#define USER_SALT_LEN 16u
#define USER_HASH_LEN 32u

/* The public key of an officer's second factor, RSA of 2048 bits as SubjectPublicKeyInfo. */
#define FACTOR_KEY_MAX 300u
struct factor {
    uint32_t len; /* 0: there is none */
    uint8_t der[FACTOR_KEY_MAX];
};

struct user {
    uint32_t id;
    uint32_t role;
    char name[USER_NAME_MAX + 1];
    uint8_t salt[USER_SALT_LEN];
    uint8_t hash[USER_HASH_LEN];
    bool closed; /* no officer changes anything of his */
    struct factor factor;
    uint64_t version;
    uint64_t revision; /* of its record in the store */
    uint32_t failures;
    uint64_t failures_revision; /* of its record f/, 0: there is none */
    bool known;                 /* quick is the keyed hash of the right password */
    uint8_t quick[32];
};

/* All users by rising number. Guarded by the HSM's lock. */
struct user_table {
    struct user *users;
    size_t count;
    size_t size;
};

void user_table_clear(struct user_table *table);
/* Room for one more. */
MUST_USE bool user_table_reserve(struct user_table *table);
/* Takes the user in by copy, replacing one of the same number, or into room that was reserved. */
void user_table_put(struct user_table *table, const struct user *user);
bool user_table_remove(struct user_table *table, uint32_t id);
struct user *user_by_id(struct user_table *table, uint32_t id);
/* Where in the table the users numbered above id begin; its count when there are none. */
size_t user_after(const struct user_table *table, uint32_t id);
/* NULL when there is none of that role and name. */
struct user *user_by_name(struct user_table *table, uint32_t role, view name);
/* Whatever the role. */
struct user *user_named(struct user_table *table, view name);

/* 1 to 31 letters, digits and '_'. */
bool user_name_valid(view name);
/* 8 to 32 bytes. */
bool user_password_valid(view password);

/* Draws a salt and fills hash; the slow part. CKR_FUNCTION_FAILED when it cannot. */
MUST_USE CK_RV user_set_password(struct entropy *entropy, struct user *user, view password);
/* Is it the password? The slow part; same work whatever the answer. */
bool user_check_password(const struct user *user, view password);
/* The keyed hash of this boot; boot_key is 32 bytes. */
MUST_USE bool user_quick_hash(view boot_key, const struct user *user, view password,
                              uint8_t ret_hash[32]);

/* The sealed record u/<number>. */
MUST_USE CK_RV user_record(const struct sealer *sealer, const struct user *user,
                           struct writer *out);
MUST_USE CK_RV user_from_record(const struct sealer *sealer, uint32_t id, view record,
                                uint64_t revision, struct user *ret_user);
/* The sealed record f/<number>: failures since the last success. */
MUST_USE CK_RV failures_record(const struct sealer *sealer, const struct user *user,
                               uint32_t failures, struct writer *out);
MUST_USE CK_RV failures_from_record(const struct sealer *sealer, uint32_t id, view record,
                                    uint32_t *ret_failures);

#endif
