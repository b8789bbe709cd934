/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys of officers, values of M, tokens: what of it is stored and how it is found. The requests
 * are in approve.c.
 */
#include "core/approve.h"

#include <stdlib.h>
#include <string.h>

#define SETTINGS_NUMBER 1u
#define TOKEN_VERSION 1u
#define SERIAL_LEN 16u
#define NONCE_LEN 32u

static const view token_magic = VIEW_TEXT("OCHT");

/* ---- token files ---- */

void
quorum_token_write(struct writer *w, const struct quorum_token_text *token)
{
    uint8_t serial[SERIAL_LEN] = { 0 };

    memcpy(serial, token->serial, strnlen(token->serial, SERIAL_LEN));
    write_raw(w, token_magic);
    write_u8(w, TOKEN_VERSION);
    write_u8(w, (uint8_t)token->service);
    write_u16(w, 0);
    write_u32(w, token->id);
    write_u32(w, token->user);
    write_raw(w, view_of(serial, sizeof serial));
    write_u64(w, token->until);
    write_raw(w, token->nonce);
}

bool
quorum_token_read(view bytes, struct quorum_token_text *ret_token)
{
    struct quorum_token_text token = { .service = 0 };
    struct reader r = reader_of(bytes);
    uint8_t version, service;
    uint16_t zero;
    view magic, serial;

    if (!read_raw(&r, token_magic.len, &magic) || !view_equal(magic, token_magic) ||
        !read_u8(&r, &version) || version != TOKEN_VERSION || !read_u8(&r, &service) ||
        (service != SERVICE_USERS && service != SERVICE_MISC) || !read_u16(&r, &zero) ||
        zero != 0 || !read_u32(&r, &token.id) || !read_u32(&r, &token.user) ||
        !read_raw(&r, SERIAL_LEN, &serial) || !read_u64(&r, &token.until) ||
        !read_raw(&r, NONCE_LEN, &token.nonce) || !reader_done(&r)) {
        return false;
    }
    token.service = service;
    memcpy(token.serial, serial.data, serial.len);
    /* Nothing may follow the text's end: one serial, one form. */
    for (size_t i = strlen(token.serial); i < SERIAL_LEN; i++) {
        if (token.serial[i] != '\0') {
            return false;
        }
    }
    *ret_token = token;
    return true;
}

bool
quorum_file_find(view file, const char *serial, view *ret_token)
{
    view found = VIEW_EMPTY;

    if (file.len == 0 || file.len % QUORUM_TOKEN_LEN != 0 ||
        file.len / QUORUM_TOKEN_LEN > QUORUM_NODES_MAX) {
        return false;
    }
    for (size_t at = 0; at < file.len; at += QUORUM_TOKEN_LEN) {
        view bytes = view_slice(file, at, QUORUM_TOKEN_LEN);
        struct quorum_token_text token;

        if (!quorum_token_read(bytes, &token)) {
            return false;
        }
        if (strcmp(token.serial, serial) == 0) {
            if (found.len > 0) {
                return false;
            }
            found = bytes;
        }
    }
    if (found.len == 0) {
        return false;
    }
    *ret_token = found;
    return true;
}

/* ---- state ---- */

bool
quorum_init(struct quorum *quorum)
{
    quorum->seconds = QUORUM_TIME;
    return pthread_mutex_init(&quorum->lock, NULL) == 0;
}

void
quorum_clear(struct quorum *quorum)
{
    while (quorum->tokens != NULL) {
        struct quorum_token *token = quorum->tokens;

        quorum->tokens = token->next;
        free(token);
    }
    free(quorum->keys);
    quorum->keys = NULL;
    quorum->key_count = 0;
    pthread_mutex_destroy(&quorum->lock);
}

struct quorum_key *
quorum_key_of(struct quorum *quorum, uint32_t user)
{
    for (size_t i = 0; i < quorum->key_count; i++) {
        if (quorum->keys[i].user == user) {
            return &quorum->keys[i];
        }
    }
    return NULL;
}

bool
quorum_reserve(struct quorum *quorum)
{
    size_t size = quorum->key_size == 0 ? 8 : quorum->key_size * 2;
    struct quorum_key *keys;

    if (quorum->key_count < quorum->key_size) {
        return true;
    }
    keys = realloc(quorum->keys, size * sizeof *keys);
    if (keys == NULL) {
        return false;
    }
    quorum->keys = keys;
    quorum->key_size = size;
    return true;
}

void
quorum_put(struct quorum *quorum, const struct quorum_key *key)
{
    struct quorum_key *kept = quorum_key_of(quorum, key->user);

    if (kept != NULL) {
        *kept = *key;
    } else {
        quorum->keys[quorum->key_count++] = *key;
    }
}

CK_RV
quorum_load_key(struct quorum *quorum, const struct sealer *sealer, uint32_t user, view record,
                uint64_t revision)
{
    struct record_name name = record_name('k', user);
    struct quorum_key key = { .user = user, .revision = revision };
    struct writer der;
    CK_RV rv;

    writer_init_fixed(&der, key.der, sizeof key.der);
    rv = record_open(sealer, record_name_view(&name), 0, record, &key.version, &der);
    key.len = der.len;
    if (rv == CKR_OK) {
        if (!quorum_reserve(quorum)) {
            return CKR_HOST_MEMORY;
        }
        quorum_put(quorum, &key);
    }
    return rv;
}

CK_RV
quorum_load_settings(struct quorum *quorum, const struct sealer *sealer, uint32_t number,
                     view record, uint64_t revision)
{
    struct record_name name = record_name('m', SETTINGS_NUMBER);
    uint8_t room[12];
    struct writer plain;
    CK_RV rv;

    if (number != SETTINGS_NUMBER) {
        return CKR_GENERAL_ERROR;
    }
    writer_init_fixed(&plain, room, sizeof room);
    rv = record_open(sealer, record_name_view(&name), 0, record, &quorum->version, &plain);
    if (rv != CKR_OK || plain.len != sizeof room) {
        return rv == CKR_OK ? CKR_GENERAL_ERROR : rv;
    }
    quorum->needed_users = load_u32(room);
    quorum->needed_misc = load_u32(room + 4);
    quorum->seconds = load_u32(room + 8);
    quorum->revision = revision;
    return CKR_OK;
}

bool
quorum_has_key(struct quorum *quorum, uint32_t user)
{
    bool has;

    pthread_mutex_lock(&quorum->lock);
    has = quorum_key_of(quorum, user) != NULL;
    pthread_mutex_unlock(&quorum->lock);
    return has;
}

bool
quorum_can_lose(struct quorum *quorum, uint32_t user)
{
    bool can;

    pthread_mutex_lock(&quorum->lock);
    can = quorum_key_of(quorum, user) == NULL ||
          (quorum->key_count > quorum->needed_users && quorum->key_count > quorum->needed_misc);
    pthread_mutex_unlock(&quorum->lock);
    return can;
}

void
quorum_forget(struct quorum *quorum, uint32_t user)
{
    struct quorum_key *key;

    pthread_mutex_lock(&quorum->lock);
    key = quorum_key_of(quorum, user);
    if (key != NULL) {
        *key = quorum->keys[--quorum->key_count];
    }
    /* His approvals of tokens that are open go with him. */
    for (struct quorum_token *token = quorum->tokens; token != NULL; token = token->next) {
        for (uint32_t i = 0; i < token->approvals; i++) {
            if (token->approvers[i] == user) {
                token->approvers[i--] = token->approvers[--token->approvals];
            }
        }
    }
    pthread_mutex_unlock(&quorum->lock);
}

/* ---- tokens ---- */

void
quorum_sweep(struct quorum *quorum, uint64_t now)
{
    struct quorum_token **at = &quorum->tokens;

    while (*at != NULL) {
        struct quorum_token *token = *at;

        if (token->until > now) {
            at = &token->next;
            continue;
        }
        *at = token->next;
        quorum->token_count--;
        free(token);
    }
}

bool
quorum_token_is_of(const struct quorum_token *token, const struct request *r)
{
    return token->user == r->who.user && token->login == r->who.login &&
           memcmp(token->context, r->context->id, sizeof token->context) == 0;
}

CK_RV
quorum_take(struct request *r, uint32_t service, struct quorum_token **ret_token)
{
    struct quorum *quorum = &r->hsm->quorum;
    struct quorum_token *found = NULL;
    uint32_t needed;

    pthread_mutex_lock(&quorum->lock);
    needed = service == SERVICE_USERS ? quorum->needed_users : quorum->needed_misc;
    if (needed > 0) {
        struct quorum_token **at;

        quorum_sweep(quorum, hsm_time(r->hsm));
        for (at = &quorum->tokens; *at != NULL; at = &(*at)->next) {
            if ((*at)->service == service && (*at)->approvals >= needed &&
                quorum_token_is_of(*at, r)) {
                found = *at;
                *at = found->next;
                quorum->token_count--;
                break;
            }
        }
    }
    pthread_mutex_unlock(&quorum->lock);
    *ret_token = found;
    return needed > 0 && found == NULL ? CODE_QUORUM : CKR_OK;
}

CK_RV
quorum_done(struct request *r, struct quorum_token *token, CK_RV rv)
{
    struct quorum *quorum = &r->hsm->quorum;

    if (token != NULL && rv == CKR_OK) {
        free(token);
    } else if (token != NULL) {
        pthread_mutex_lock(&quorum->lock);
        token->next = quorum->tokens;
        quorum->tokens = token;
        quorum->token_count++;
        pthread_mutex_unlock(&quorum->lock);
    }
    return rv;
}
