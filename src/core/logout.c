/* SPDX-License-Identifier: Apache-2.0 */
#include "core/logout.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 1024u
#define PLAIN_LEN 8u

struct ended_login {
    struct ended_login *next;
    uint64_t login;
    uint64_t until;
};

struct logout_name
logout_name(uint64_t login)
{
    struct logout_name name;

    snprintf(name.text, sizeof name.text, "t/%016" PRIx64, login);
    return name;
}

view
logout_name_view(const struct logout_name *name)
{
    return view_of(name->text, LOGOUT_NAME_LEN);
}

bool
logout_name_parse(view key, uint64_t *ret_login)
{
    char digits[17] = { 0 };
    uint8_t bytes[8];
    uint64_t login = 0;
    struct logout_name name;
    size_t len;

    if (key.len != LOGOUT_NAME_LEN || key.data[0] != 't' || key.data[1] != '/') {
        return false;
    }
    memcpy(digits, key.data + 2, 16);
    if (!hex_decode(digits, bytes, sizeof bytes, &len) || len != sizeof bytes) {
        return false;
    }
    for (size_t i = 0; i < sizeof bytes; i++) {
        login = login << 8 | bytes[i];
    }
    name = logout_name(login);
    if (!view_equal(logout_name_view(&name), key)) {
        return false; /* the same in other letters */
    }
    *ret_login = login;
    return true;
}

CK_RV
logout_record(const struct sealer *sealer, uint64_t login, uint64_t until, struct writer *out)
{
    struct logout_name name = logout_name(login);
    uint8_t plain[PLAIN_LEN];

    store_u64(plain, until);
    return record_seal(sealer, logout_name_view(&name), 0, 1, view_of(plain, sizeof plain), out);
}

CK_RV
logout_from_record(const struct sealer *sealer, uint64_t login, view record, uint64_t *ret_until)
{
    struct logout_name name = logout_name(login);
    uint8_t room[PLAIN_LEN];
    struct writer plain;
    uint64_t version;
    CK_RV rv;

    writer_init_fixed(&plain, room, sizeof room);
    rv = record_open(sealer, logout_name_view(&name), 0, record, &version, &plain);
    if (rv != CKR_OK) {
        return rv;
    }
    if (plain.len != PLAIN_LEN) {
        return CKR_GENERAL_ERROR;
    }
    *ret_until = load_u64(room);
    return CKR_OK;
}

bool
logouts_init(struct logouts *logouts)
{
    *logouts = (struct logouts){ .buckets = calloc(BUCKETS, sizeof(struct ended_login *)) };
    return logouts->buckets != NULL && pthread_mutex_init(&logouts->lock, NULL) == 0;
}

void
logouts_clear(struct logouts *logouts)
{
    if (logouts->buckets == NULL) {
        return;
    }
    logouts_sweep(logouts, UINT64_MAX, NULL, NULL);
    free(logouts->buckets);
    logouts->buckets = NULL;
    pthread_mutex_destroy(&logouts->lock);
}

struct ended_login *
ended_login_new(uint64_t login, uint64_t until)
{
    struct ended_login *ended = malloc(sizeof *ended);

    if (ended != NULL) {
        *ended = (struct ended_login){ .login = login, .until = until };
    }
    return ended;
}

void
ended_login_free(struct ended_login *ended)
{
    free(ended);
}

void
logouts_take(struct logouts *logouts, struct ended_login *ended)
{
    struct ended_login **bucket = &logouts->buckets[ended->login % BUCKETS];

    pthread_mutex_lock(&logouts->lock);
    ended->next = *bucket;
    *bucket = ended;
    pthread_mutex_unlock(&logouts->lock);
}

bool
logouts_has(struct logouts *logouts, uint64_t login)
{
    const struct ended_login *ended;

    pthread_mutex_lock(&logouts->lock);
    ended = logouts->buckets[login % BUCKETS];
    while (ended != NULL && ended->login != login) {
        ended = ended->next;
    }
    pthread_mutex_unlock(&logouts->lock);
    return ended != NULL;
}

void
logouts_sweep(struct logouts *logouts, uint64_t now, void (*gone)(void *arg, uint64_t login),
              void *arg)
{
    struct ended_login *old = NULL;

    pthread_mutex_lock(&logouts->lock);
    for (size_t i = 0; i < BUCKETS; i++) {
        struct ended_login **at = &logouts->buckets[i];

        while (*at != NULL) {
            struct ended_login *ended = *at;

            if (ended->until < now) {
                *at = ended->next;
                ended->next = old;
                old = ended;
            } else {
                at = &ended->next;
            }
        }
    }
    pthread_mutex_unlock(&logouts->lock);
    while (old != NULL) {
        struct ended_login *next = old->next;

        if (gone != NULL) {
            gone(arg, old->login);
        }
        free(old);
        old = next;
    }
}
