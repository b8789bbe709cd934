/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of users, their records, and the arithmetic of passwords.
 */
#include "core/user.h"

#include "crypto/algo.h"

#include <stdlib.h>
#include <string.h>

/* RFC 7914; about 0.1 s and 32 MiB. */
#define SCRYPT_N 32768u
#define SCRYPT_R 8u
#define SCRYPT_P 1u

void
user_table_clear(struct user_table *table)
{
    if (table->users != NULL) {
        wipe(table->users, table->count * sizeof *table->users);
    }
    free(table->users);
    *table = (struct user_table){ 0 };
}

static size_t
user_at(const struct user_table *table, uint32_t id)
{
    size_t low = 0;
    size_t high = table->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (table->users[middle].id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

size_t
user_after(const struct user_table *table, uint32_t id)
{
    return id == UINT32_MAX ? table->count : user_at(table, id + 1);
}

bool
user_table_reserve(struct user_table *table)
{
    size_t size = table->size == 0 ? 16 : table->size * 2;
    struct user *users;

    if (table->count < table->size) {
        return true;
    }
    users = calloc(size, sizeof *users);
    if (users == NULL) {
        return false;
    }
    if (table->count > 0) {
        memcpy(users, table->users, table->count * sizeof *users);
        wipe(table->users, table->count * sizeof *users);
    }
    free(table->users);
    table->users = users;
    table->size = size;
    return true;
}

void
user_table_put(struct user_table *table, const struct user *user)
{
    size_t at = user_at(table, user->id);

    if (at < table->count && table->users[at].id == user->id) {
        table->users[at] = *user;
        return;
    }
    memmove(table->users + at + 1, table->users + at,
            (table->count - at) * sizeof *table->users);
    table->users[at] = *user;
    table->count++;
}

bool
user_table_remove(struct user_table *table, uint32_t id)
{
    size_t at = user_at(table, id);

    if (at == table->count || table->users[at].id != id) {
        return false;
    }
    memmove(table->users + at, table->users + at + 1,
            (table->count - at - 1) * sizeof *table->users);
    table->count--;
    wipe(table->users + table->count, sizeof *table->users);
    return true;
}

struct user *
user_by_id(struct user_table *table, uint32_t id)
{
    size_t at = user_at(table, id);

    return at < table->count && table->users[at].id == id ? &table->users[at] : NULL;
}

struct user *
user_named(struct user_table *table, view name)
{
    for (size_t i = 0; i < table->count; i++) {
        if (view_equal(view_str(table->users[i].name), name)) {
            return &table->users[i];
        }
    }
    return NULL;
}

struct user *
user_by_name(struct user_table *table, uint32_t role, view name)
{
    struct user *user = user_named(table, name);

    return user != NULL && user->role == role ? user : NULL;
}

bool
user_name_valid(view name)
{
    if (name.len == 0 || name.len > USER_NAME_MAX) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

        if (!letter && !(c >= '0' && c <= '9') && c != '_') {
            return false;
        }
    }
    return true;
}

bool
user_password_valid(view password)
{
    return password.len >= USER_PASSWORD_MIN && password.len <= USER_PASSWORD_MAX;
}

static bool
password_hash(const struct user *user, view password, uint8_t hash[USER_HASH_LEN])
{
    return algo_scrypt(password, view_of(user->salt, sizeof user->salt), SCRYPT_N, SCRYPT_R,
                       SCRYPT_P, hash, USER_HASH_LEN);
}

CK_RV
user_set_password(struct entropy *entropy, struct user *user, view password)
{
    if (!entropy->fill(entropy, user->salt, sizeof user->salt) ||
        !password_hash(user, password, user->hash)) {
        return CKR_FUNCTION_FAILED;
    }
    user->known = false;
    return CKR_OK;
}

bool
user_check_password(const struct user *user, view password)
{
    uint8_t hash[USER_HASH_LEN];
    bool right = password_hash(user, password, hash) &&
                 view_equal_secret(view_of(hash, sizeof hash),
                                   view_of(user->hash, sizeof user->hash));

    wipe(hash, sizeof hash);
    return right;
}

bool
user_quick_hash(view boot_key, const struct user *user, view password, uint8_t ret_hash[32])
{
    struct writer w;
    bool done;

    writer_init(&w, FRAME_BODY_MAX + 64);
    write_u32(&w, user->id);
    write_u64(&w, user->version);
    write_bytes(&w, password);
    done = writer_ok(&w) && algo_hmac_sha256(boot_key, writer_view(&w), ret_hash);
    writer_clear(&w);
    return done;
}

CK_RV
user_record(const struct sealer *sealer, const struct user *user, struct writer *out)
{
    struct record_name name = record_name('u', user->id);
    struct writer plain;
    CK_RV rv = CKR_HOST_MEMORY;

    writer_init(&plain, 1024);
    write_u32(&plain, user->role);
    write_bytes(&plain, view_str(user->name));
    write_raw(&plain, view_of(user->salt, sizeof user->salt));
    write_raw(&plain, view_of(user->hash, sizeof user->hash));
    if (user->closed || user->factor.len > 0) { /* else the form that all nodes read */
        write_u8(&plain, user->closed);
    }
    if (user->factor.len > 0) {
        write_bytes(&plain, view_of(user->factor.der, user->factor.len));
    }
    if (writer_ok(&plain)) {
        rv = record_seal(sealer, record_name_view(&name), 0, user->version, writer_view(&plain),
                         out);
    }
    writer_clear(&plain);
    return rv;
}

CK_RV
user_from_record(const struct sealer *sealer, uint32_t id, view record, uint64_t revision,
                 struct user *ret_user)
{
    struct record_name name = record_name('u', id);
    struct user user = { .id = id, .revision = revision };
    struct writer plain;
    struct reader r;
    view text, salt, hash;
    view key = VIEW_EMPTY; /* records of users without one end before it */
    uint8_t closed = 0;
    CK_RV rv;

    writer_init(&plain, 1024);
    rv = record_open(sealer, record_name_view(&name), 0, record, &user.version, &plain);
    if (rv == CKR_OK) {
        r = reader_of(writer_view(&plain));
        if (!read_u32(&r, &user.role) || !read_bytes(&r, USER_NAME_MAX, &text) ||
            !read_raw(&r, USER_SALT_LEN, &salt) || !read_raw(&r, USER_HASH_LEN, &hash) ||
            (r.left > 0 && (!read_u8(&r, &closed) || closed > 1)) ||
            (r.left > 0 && (!read_bytes(&r, FACTOR_KEY_MAX, &key) || key.len == 0)) ||
            !reader_done(&r) || !user_name_valid(text)) {
            rv = CKR_GENERAL_ERROR;
        } else {
            user.closed = closed == 1;
            memcpy(user.name, text.data, text.len);
            memcpy(user.salt, salt.data, salt.len);
            memcpy(user.hash, hash.data, hash.len);
            user.factor.len = (uint32_t)key.len;
            if (key.len > 0) {
                memcpy(user.factor.der, key.data, key.len);
            }
            *ret_user = user;
        }
    }
    writer_clear(&plain);
    wipe(&user, sizeof user);
    return rv;
}

CK_RV
failures_record(const struct sealer *sealer, const struct user *user, uint32_t failures,
                struct writer *out)
{
    struct record_name name = record_name('f', user->id);
    uint8_t plain[4];

    store_u32(plain, failures);
    return record_seal(sealer, record_name_view(&name), 0, failures, view_of(plain, 4), out);
}

CK_RV
failures_from_record(const struct sealer *sealer, uint32_t id, view record,
                     uint32_t *ret_failures)
{
    struct record_name name = record_name('f', id);
    uint8_t bytes[4];
    struct writer plain;
    uint64_t version;
    CK_RV rv;

    writer_init_fixed(&plain, bytes, sizeof bytes);
    rv = record_open(sealer, record_name_view(&name), 0, record, &version, &plain);
    if (rv == CKR_OK) {
        if (plain.len != 4) {
            return CKR_GENERAL_ERROR;
        }
        *ret_failures = load_u32(bytes);
    }
    return rv;
}
