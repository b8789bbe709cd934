/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_mgmt_util: are the servers alike? Hashes over what each has, and what one has that
 * another has not. Where the servers share a store they are alike by themselves.
 */
#include "tools/mgmt.h"

#include "crypto/algo.h"
#include "wire/role.h"

#include <stdlib.h>
#include <string.h>

#define USERS_BYTES_MAX (8u * 1024u * 1024u)
#define HASH_LEN 32u

/* What makes a user the same on two servers; failed logins do not. */
static void
user_line(const struct user_info *user, struct writer *out)
{
    write_u32(out, user->id);
    write_u32(out, user->role);
    write_bytes(out, user->name);
    write_u8(out, user->quorum_key);
    write_u8(out, user->second_factor);
}

static bool
hash_of(view bytes, char text[2 * HASH_LEN + 1])
{
    uint8_t hash[HASH_LEN];

    if (!algo_sha256(bytes, hash)) {
        return false;
    }
    hex_encode(view_of(hash, sizeof hash), text);
    return true;
}

/* Which user, by name or number; NULL: all. */
static bool
is_wanted(const struct user_info *user, const char *wanted)
{
    char *end;
    unsigned long number;

    if (wanted == NULL || view_equal(user->name, view_str(wanted))) {
        return true;
    }
    number = strtoul(wanted, &end, 10);
    return *end == '\0' && number == user->id;
}

static enum status
user_hashes(struct mgmt *mgmt, const struct values *values, const char *wanted)
{
    json_t *list = values_given(values, "--json") ? json_array() : NULL;
    const char *command = values->command->name;
    enum status status = STATUS_DONE;

    for (struct mgmt_server *server = NULL; (server = mgmt_next(mgmt, server)) != NULL;) {
        char text[2 * HASH_LEN + 1];
        struct writer users, lines;
        struct user_info user;
        struct reader r;
        size_t count = 0;
        CK_RV rv;

        writer_init(&users, USERS_BYTES_MAX);
        writer_init(&lines, USERS_BYTES_MAX);
        rv = mgmt_users_fetch(server, &users);
        r = reader_of(writer_view(&users));
        while (rv == CKR_OK && user_array_next(&r, &user)) {
            if (is_wanted(&user, wanted)) {
                user_line(&user, &lines);
                count++;
            }
        }
        if (rv == CKR_OK && wanted != NULL && count == 0) {
            rv = CODE_USER_UNKNOWN;
        }
        if (rv == CKR_OK && (!writer_ok(&lines) || !hash_of(writer_view(&lines), text))) {
            rv = CKR_HOST_MEMORY;
        }
        if (rv != CKR_OK) {
            mgmt_failed(command, "hashing users", server, rv);
            status = STATUS_REFUSED;
        } else if (list != NULL) {
            json_t *entry = mgmt_json_server(server);

            json_object_set_new(entry, "users", json_integer((json_int_t)count));
            json_object_set_new(entry, "hash", json_string(text));
            json_array_append_new(list, entry);
        } else {
            printf("User Hash on server %u(%s): %s\n", server->number,
                   server->settings->hostname, text);
        }
        writer_clear(&users);
        writer_clear(&lines);
    }
    return list != NULL ? mgmt_json_print(list, status) : status;
}

enum status
mgmt_user_hash(void *tool, const struct values *values)
{
    return user_hashes(tool, values, NULL);
}

enum status
mgmt_single_user_hash(void *tool, const struct values *values)
{
    return user_hashes(tool, values, values_text(values, "user"));
}

static bool
user_is_so(const struct user_info *user, const struct user_info *other)
{
    return other->id == user->id && other->role == user->role &&
           other->quorum_key == user->quorum_key &&
           other->second_factor == user->second_factor && view_equal(other->name, user->name);
}

/* Both lists rise; they are walked side by side. */
static size_t
users_lack(const struct mgmt_server *here, view users, const struct mgmt_server *there,
           view others)
{
    struct reader r = reader_of(users);
    struct reader at = reader_of(others);
    struct user_info user, other;
    bool more = user_array_next(&at, &other);
    size_t count = 0;

    while (user_array_next(&r, &user)) {
        while (more && other.id < user.id) {
            more = user_array_next(&at, &other);
        }
        if (!more || !user_is_so(&user, &other)) {
            printf("user %u %.*s(%s) of server %u is not so on server %u\n", (unsigned)user.id,
                   (int)user.name.len, (const char *)user.name.data, role_name(user.role),
                   here->number, there->number);
            count++;
        }
    }
    return count;
}

static CK_RV
users_compare(const struct mgmt_server *here, const void *what, struct mgmt_server *there)
{
    const view users = *(const view *)what;
    struct writer others;
    CK_RV rv;

    writer_init(&others, USERS_BYTES_MAX);
    rv = mgmt_users_fetch(there, &others);
    if (rv == CKR_OK && users_lack(here, users, there, writer_view(&others)) +
                                users_lack(there, writer_view(&others), here, users) ==
                            0) {
        printf("server %u(%s) has the same users\n", there->number, there->settings->hostname);
    }
    writer_clear(&others);
    return rv;
}

/* The rows that compare two servers: what is the same is told, too. */
static enum status
servers_compare(struct mgmt *mgmt, struct mgmt_server *here, const char *command, const char *act,
                CK_RV (*compare)(const struct mgmt_server *here, const void *what,
                                 struct mgmt_server *there),
                const void *what)
{
    enum status status = STATUS_DONE;

    for (size_t i = 0; i < mgmt->server_count; i++) {
        struct mgmt_server *there = &mgmt->servers[i];
        CK_RV rv = there == here || there->caller == NULL ? CKR_OK : compare(here, what, there);

        if (rv != CKR_OK) {
            mgmt_failed(command, act, there, rv);
            status = STATUS_REFUSED;
        }
    }
    return status;
}

enum status
mgmt_user_diff(void *tool, const struct values *values)
{
    static const char act[] = "comparing users";
    struct mgmt *mgmt = tool;
    const char *command = values->command->name;
    enum status status = STATUS_REFUSED;
    struct writer users;
    CK_RV rv;

    writer_init(&users, USERS_BYTES_MAX);
    if ((rv = mgmt_users_fetch(mgmt->scope, &users)) != CKR_OK) {
        mgmt_failed(command, act, mgmt->scope, rv);
    } else {
        const view list = writer_view(&users);

        status = servers_compare(mgmt, mgmt->scope, command, act, users_compare, &list);
    }
    writer_clear(&users);
    return status;
}

/* ---- keys ---- */

static uint32_t
number_at(const struct writer *numbers, size_t at)
{
    return load_u32(numbers->data + 4 * at);
}

static void
key_lacks(uint64_t handle, const struct mgmt_server *has, const struct mgmt_server *lacks)
{
    printf("key %u of server %u is not on server %u\n", (unsigned)handle, has->number,
           lacks->number);
}

/* Both lists rise; they are walked side by side. */
static size_t
keys_differ(const struct mgmt_server *here, const struct mgmt_keys *a,
            const struct mgmt_server *there, const struct mgmt_keys *b)
{
    size_t count = 0;

    for (size_t i = 0, k = 0; i < a->count || k < b->count;) {
        const uint64_t mine = i < a->count ? number_at(&a->handles, i) : UINT64_MAX;
        const uint64_t other = k < b->count ? number_at(&b->handles, k) : UINT64_MAX;
        bool differs = true;

        if (mine < other) {
            key_lacks(mine, here, there);
        } else if (other < mine) {
            key_lacks(other, there, here);
        } else if (number_at(&a->versions, i) != number_at(&b->versions, k)) {
            printf("key %u is another on server %u than on server %u\n", (unsigned)mine,
                   here->number, there->number);
        } else {
            differs = false;
        }
        count += differs;
        i += mine <= other;
        k += other <= mine;
    }
    return count;
}

static CK_RV
keys_compare(const struct mgmt_server *here, const void *what, struct mgmt_server *there)
{
    struct mgmt_keys others;
    CK_RV rv = mgmt_keys_fetch(there, 0, &others);

    if (rv == CKR_OK && keys_differ(here, what, there, &others) == 0) {
        printf("server %u(%s) has the same keys\n", there->number, there->settings->hostname);
    }
    mgmt_keys_clear(&others);
    return rv;
}

enum status
mgmt_key_diff(void *tool, const struct values *values)
{
    static const char act[] = "comparing keys";
    struct mgmt *mgmt = tool;
    struct mgmt_server *here = mgmt_next(mgmt, NULL);
    const char *command = values->command->name;
    enum status status = STATUS_REFUSED;
    struct mgmt_keys keys;
    CK_RV rv = mgmt_keys_fetch(here, 0, &keys);

    if (rv != CKR_OK) {
        mgmt_failed(command, act, here, rv);
    } else {
        status = servers_compare(mgmt, here, command, act, keys_compare, &keys);
    }
    mgmt_keys_clear(&keys);
    return status;
}
