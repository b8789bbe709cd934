/* SPDX-License-Identifier: Apache-2.0
 *
 * A token is asked for when the last one has a fifth of its life left, at most five minutes.
 */
#include "certs/identity.h"

#include "base/clock.h"
#include "base/log.h"

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define METADATA "http://169.254.169.254"
#define TOKEN_PATH \
    "/metadata/identity/oauth2/token?api-version=2018-02-01" \
    "&resource=https%3A%2F%2Fstorage.azure.com%2F"
#define EARLY_S 300u
#define ANSWER_MAX 65536u
#define LIFE_MAX_S 86400u

struct identity {
    struct http *http;
    char url[1024];
    pthread_mutex_t lock;
    char token[IDENTITY_TOKEN_MAX]; /* under lock */
    uint64_t until;                 /* under lock */
    uint64_t failed;                /* under lock: when the last question ended without one; ms */
};

static uint64_t
now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec;
}

static bool
is_plain(const char *text)
{
    for (; *text != '\0'; text++) {
        if (!(*text >= 'a' && *text <= 'z') && !(*text >= 'A' && *text <= 'Z') &&
            !(*text >= '0' && *text <= '9') && strchr("-._~+/=", *text) == NULL) {
            return false;
        }
    }
    return true;
}

struct identity *
identity_new(struct http *http, const char *metadata, const char *client_id)
{
    struct identity *identity = calloc(1, sizeof *identity);

    if (identity == NULL || !is_plain(client_id)) {
        log_err("UAMI_CLIENT_ID is no client id");
        free(identity);
        return NULL;
    }
    identity->http = http;
    pthread_mutex_init(&identity->lock, NULL);
    snprintf(identity->url, sizeof identity->url, "%.400s%s%s%.300s",
             metadata[0] == '\0' ? METADATA : metadata, TOKEN_PATH,
             client_id[0] == '\0' ? "" : "&client_id=", client_id);
    return identity;
}

void
identity_free(struct identity *identity)
{
    if (identity == NULL) {
        return;
    }
    pthread_mutex_destroy(&identity->lock);
    explicit_bzero(identity, sizeof *identity);
    free(identity);
}

/* Numbers come as texts from some services. */
static bool
number_of(const json_t *json, uint64_t *ret_number)
{
    const char *text = json_string_value(json);
    char *end = NULL;

    if (json_is_integer(json) && json_integer_value(json) >= 0) {
        *ret_number = (uint64_t)json_integer_value(json);
        return true;
    }
    if (text == NULL || text[0] < '0' || text[0] > '9') {
        return false;
    }
    *ret_number = strtoull(text, &end, 10);
    return *end == '\0';
}

bool
identity_read(view json, char *ret_token, size_t size, uint64_t *ret_life)
{
    json_t *answer = json_loadb((const char *)json.data, json.len, 0, NULL);
    const char *token = json_string_value(json_object_get(answer, "access_token"));
    uint64_t life = 0;
    bool read = token != NULL && token[0] != '\0' && strlen(token) < size && is_plain(token) &&
                number_of(json_object_get(answer, "expires_in"), &life);

    if (read) {
        memcpy(ret_token, token, strlen(token) + 1);
        *ret_life = life < LIFE_MAX_S ? life : LIFE_MAX_S;
    }
    json_decref(answer);
    return read;
}

/* Under the lock. */
static bool
ask(struct identity *identity)
{
    struct writer answer;
    struct http_request request = {
        .method = "GET", .url = identity->url, .headers = { "Metadata: true" }, .plain = true,
        .out = &answer,
    };
    struct http_reply reply;
    uint64_t life = 0, early;
    bool given;

    writer_init(&answer, ANSWER_MAX);
    http_send(identity->http, &request, NULL, NULL, &reply);
    given = reply.status == 200 &&
            identity_read(writer_view(&answer), identity->token, sizeof identity->token, &life);
    writer_clear(&answer);
    if (!given) {
        identity->until = 0;
        identity->failed = clock_ms(CLOCK_MONOTONIC);
        log_err("no token of a managed identity (HTTP %ld %s): assign an identity to this machine, "
                "or set CERTSTORAGE_ACCOUNT_KEY, or a URL with a shared access signature",
                reply.status, reply.error);
        return false;
    }
    early = life / 5 < EARLY_S ? life / 5 : EARLY_S;
    identity->until = now_s() + life - early;
    return true;
}

bool
identity_header(struct identity *identity, bool renew, char *out, size_t size)
{
    const uint64_t began = clock_ms(CLOCK_MONOTONIC);
    bool given = true;

    pthread_mutex_lock(&identity->lock);
    if (identity->failed >= began) {
        given = false; /* another's question while we waited is ours, too */
    } else if (renew || identity->until == 0 || now_s() >= identity->until) {
        given = ask(identity);
    }
    if (given) {
        int len = snprintf(out, size, "Authorization: Bearer %s", identity->token);

        given = len > 0 && (size_t)len < size;
    }
    pthread_mutex_unlock(&identity->lock);
    return given;
}
