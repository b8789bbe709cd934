/* SPDX-License-Identifier: Apache-2.0 */
#include "store/grpc.h"

#include "base/clock.h"
#include "base/log.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_MS 1000L
#define PREFIX_LEN 5u
#define ENDPOINTS_MAX 16u
#define TEXT_MAX 256u
#define STATUS_NONE (-1)

struct grpc {
    CURL *curl;
    struct curl_slist *headers;
    char *list; /* the endpoints, each ended by a NUL */
    const char *endpoints[ENDPOINTS_MAX];
    size_t count;
    size_t current;
    const atomic_bool *stop;
    struct writer body;      /* of the reply under way */
    grpc_message_in *on_message; /* of a stream; else NULL */
    void *on_message_arg;
    uint64_t heard;          /* when a byte of the stream came last */
    uint32_t idle_ms;
    int status;              /* of gRPC, as far as it came */
    char told[TEXT_MAX];     /* grpc-message */
    char error[TEXT_MAX];
    char curl_error[CURL_ERROR_SIZE];
};

/* ---- framing ---- */

size_t
grpc_piece(view bytes, view *ret_message)
{
    size_t len;

    if (bytes.len > 0 && bytes.data[0] != 0) {
        return GRPC_NO_PIECE; /* compressed */
    }
    if (bytes.len < PREFIX_LEN) {
        return 0;
    }
    len = (size_t)bytes.data[1] << 24 | (size_t)bytes.data[2] << 16 | (size_t)bytes.data[3] << 8 |
          bytes.data[4];
    if (len > bytes.len - PREFIX_LEN) {
        return 0;
    }
    *ret_message = view_slice(bytes, PREFIX_LEN, len);
    return PREFIX_LEN + len;
}

bool
grpc_message(view body, view *ret_message)
{
    view message;

    if (body.len == 0 || grpc_piece(body, &message) != body.len) {
        return false;
    }
    *ret_message = message;
    return true;
}

static void
message_write(struct writer *w, view message)
{
    const uint8_t prefix[PREFIX_LEN] = {
        0,
        (uint8_t)(message.len >> 24),
        (uint8_t)(message.len >> 16),
        (uint8_t)(message.len >> 8),
        (uint8_t)message.len,
    };

    write_raw(w, view_of(prefix, sizeof prefix));
    write_raw(w, message);
}

/* Hands on the messages that are whole and keeps the rest. */
static bool
stream_take(struct grpc *grpc)
{
    const view body = writer_view(&grpc->body);
    size_t at = 0, taken = 0;
    bool going = true;
    view message;

    while (going && (taken = grpc_piece(view_slice(body, at, body.len - at), &message)) != 0) {
        going = taken != GRPC_NO_PIECE && grpc->on_message(grpc->on_message_arg, message);
        at += going ? taken : 0;
    }
    if (at < body.len) {
        memmove(grpc->body.data, grpc->body.data + at, body.len - at);
    }
    writer_truncate(&grpc->body, body.len - at);
    return going;
}

/* ---- what curl calls ---- */

static size_t
on_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct grpc *grpc = arg;

    write_raw(&grpc->body, view_of(bytes, size * count));
    if (!writer_ok(&grpc->body)) {
        return 0;
    }
    if (grpc->on_message != NULL) {
        bool going = stream_take(grpc);

        grpc->heard = clock_ms(CLOCK_MONOTONIC); /* what takes the messages may take long */
        return going ? size * count : 0;
    }
    return size * count;
}

/* Trailers come here as well; a status may stand in either. */
static size_t
on_header(char *bytes, size_t size, size_t count, void *arg)
{
    static const char status[] = "grpc-status:", message[] = "grpc-message:";
    struct grpc *grpc = arg;
    char line[TEXT_MAX];

    snprintf(line, sizeof line, "%.*s", (int)size_min(size * count, sizeof line - 1), bytes);
    line[strcspn(line, "\r\n")] = '\0';
    if (strncasecmp(line, status, sizeof status - 1) == 0) {
        grpc->status = atoi(line + sizeof status - 1);
    } else if (strncasecmp(line, message, sizeof message - 1) == 0) {
        const char *text = line + sizeof message - 1;

        snprintf(grpc->told, sizeof grpc->told, "%s", text + strspn(text, " "));
    }
    return size * count;
}

static int
on_progress(void *arg, curl_off_t down, curl_off_t downed, curl_off_t up, curl_off_t upped)
{
    const struct grpc *grpc = arg;

    UNUSED(down);
    UNUSED(downed);
    UNUSED(up);
    UNUSED(upped);
    return (grpc->stop != NULL && atomic_load(grpc->stop)) ||
           (grpc->on_message != NULL && clock_ms(CLOCK_MONOTONIC) - grpc->heard > grpc->idle_ms);
}

/* ---- settings ---- */

static bool
endpoints_take(struct grpc *grpc, const char *endpoints)
{
    char *rest, *endpoint;

    grpc->list = strdup(endpoints);
    if (grpc->list == NULL) {
        return false;
    }
    for (rest = grpc->list; (endpoint = strsep(&rest, ", ")) != NULL;) {
        if (*endpoint == '\0') {
            continue;
        }
        if (grpc->count == ENDPOINTS_MAX || strncmp(endpoint, "https://", 8) != 0) {
            return false;
        }
        grpc->endpoints[grpc->count++] = endpoint;
    }
    return grpc->count > 0;
}

static bool
option_file(CURL *curl, CURLoption option, const char *path)
{
    return path == NULL || curl_easy_setopt(curl, option, path) == CURLE_OK;
}

static bool
curl_prepare(struct grpc *grpc, const struct grpc_settings *settings)
{
    static const char *const lines[] = { "content-type: application/grpc", "te: trailers",
                                         "hasleader: true", "expect:" };
    CURL *curl = grpc->curl;

    for (size_t i = 0; i < ARRAY_COUNT(lines); i++) {
        struct curl_slist *longer = curl_slist_append(grpc->headers, lines[i]);

        if (longer == NULL) {
            return false;
        }
        grpc->headers = longer;
    }
    return curl_easy_setopt(curl, CURLOPT_HTTPHEADER, grpc->headers) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_POST, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS) ==
               CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEDATA, grpc) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_HEADERDATA, grpc) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_XFERINFODATA, grpc) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_TCP_NODELAY, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, grpc->curl_error) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
           option_file(curl, CURLOPT_CAINFO, settings->ca) &&
           option_file(curl, CURLOPT_SSLCERT, settings->certificate) &&
           option_file(curl, CURLOPT_SSLKEY, settings->key);
}

struct grpc *
grpc_new(const struct grpc_settings *settings)
{
    struct grpc *grpc = calloc(1, sizeof *grpc);

    if (grpc == NULL) {
        log_err("store: no memory for a connection");
        return NULL;
    }
    grpc->stop = settings->stop;
    if (!endpoints_take(grpc, settings->endpoints)) {
        log_err("store: not a list of up to %u endpoints that begin with https://: %s",
                ENDPOINTS_MAX, settings->endpoints);
        grpc_free(grpc);
        return NULL;
    }
    grpc->curl = curl_easy_init();
    if (grpc->curl == NULL || !curl_prepare(grpc, settings)) {
        log_err("store: libcurl does not take the settings of the connection");
        grpc_free(grpc);
        return NULL;
    }
    return grpc;
}

void
grpc_free(struct grpc *grpc)
{
    if (grpc == NULL) {
        return;
    }
    curl_easy_cleanup(grpc->curl);
    curl_slist_free_all(grpc->headers);
    free(grpc->list);
    free(grpc);
}

/* ---- calls ---- */

/* Failures that come before the request has left. */
static bool
is_unsent(CURLcode code)
{
    static const CURLcode before[] = {
        CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_CONNECT, CURLE_SSL_CONNECT_ERROR,
        CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CACERT_BADFILE,
        CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL, CURLE_SSL_CIPHER,
    };

    for (size_t i = 0; i < ARRAY_COUNT(before); i++) {
        if (code == before[i]) {
            return true;
        }
    }
    return false;
}

/* Statuses by which a server says that it did nothing, and would not the next time (gRPC, "Status
 * codes and their use": INVALID_ARGUMENT, NOT_FOUND, PERMISSION_DENIED, RESOURCE_EXHAUSTED,
 * FAILED_PRECONDITION, OUT_OF_RANGE, UNIMPLEMENTED, UNAUTHENTICATED). */
static bool
is_refusal(int status)
{
    return status == 3 || status == 5 || status == 7 || status == 8 || status == 9 ||
           status == 11 || status == 12 || status == 16;
}

static enum grpc_result
call_ended(struct grpc *grpc, CURLcode code, view *ret_message)
{
    const char *endpoint = grpc->endpoints[grpc->current];
    long http = 0, sent = 0;

    curl_easy_getinfo(grpc->curl, CURLINFO_RESPONSE_CODE, &http);
    if (code != CURLE_OK) {
        snprintf(grpc->error, sizeof grpc->error, "%.100s: %.140s", endpoint,
                 grpc->curl_error[0] == '\0' ? curl_easy_strerror(code) : grpc->curl_error);
        /* What was sent on a connection that died is sent again by libcurl, on a new one: when
         * that fails, the first time may have happened. */
        curl_easy_getinfo(grpc->curl, CURLINFO_REQUEST_SIZE, &sent);
        return is_unsent(code) && sent == 0 ? GRPC_UNSENT : GRPC_LOST;
    }
    if (grpc->status > 0) {
        snprintf(grpc->error, sizeof grpc->error, "%.100s: status %d, %.120s", endpoint,
                 grpc->status, grpc->told);
        return is_refusal(grpc->status) ? GRPC_REFUSED : GRPC_LOST;
    }
    if (http != 200 || grpc->status != 0 || !grpc_message(writer_view(&grpc->body), ret_message)) {
        snprintf(grpc->error, sizeof grpc->error, "%.100s: not an answer of gRPC (HTTP %ld)",
                 endpoint, http);
        return GRPC_LOST;
    }
    return GRPC_OK;
}

/* Sends the request; what comes goes to grpc->body. *ret_sent: curl has run. */
static CURLcode
call_run(struct grpc *grpc, const char *method, view request, uint32_t timeout_ms, bool *ret_sent)
{
    const char *endpoint = grpc->endpoints[grpc->current];
    CURLcode code = CURLE_OUT_OF_MEMORY;
    struct writer body;
    char url[TEXT_MAX];

    grpc->status = STATUS_NONE;
    grpc->told[0] = '\0';
    grpc->curl_error[0] = '\0';
    snprintf(grpc->error, sizeof grpc->error, "no memory for a request of %zu bytes", request.len);
    writer_init(&body, request.len + PREFIX_LEN);
    message_write(&body, request);
    *ret_sent =
        writer_ok(&body) &&
        snprintf(url, sizeof url, "%s%s", endpoint, method) < (int)sizeof url &&
        curl_easy_setopt(grpc->curl, CURLOPT_URL, url) == CURLE_OK &&
        curl_easy_setopt(grpc->curl, CURLOPT_POSTFIELDS, body.data) == CURLE_OK &&
        curl_easy_setopt(grpc->curl, CURLOPT_POSTFIELDSIZE, (long)body.len) == CURLE_OK &&
        curl_easy_setopt(grpc->curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms) == CURLE_OK;
    if (*ret_sent) {
        code = curl_easy_perform(grpc->curl);
    }
    writer_clear(&body);
    return code;
}

static void
endpoint_next(struct grpc *grpc)
{
    grpc->current = (grpc->current + 1) % grpc->count;
}

enum grpc_result
grpc_call(struct grpc *grpc, const char *method, view request, uint32_t timeout_ms,
          struct writer *reply)
{
    enum grpc_result result = GRPC_UNSENT;
    CURLcode code;
    view message;
    bool sent;

    writer_init(&grpc->body, reply->max - reply->len + PREFIX_LEN);
    code = call_run(grpc, method, request, timeout_ms, &sent);
    if (sent) {
        result = call_ended(grpc, code, &message);
    }
    if (result == GRPC_OK) {
        write_raw(reply, message);
        if (!writer_ok(reply)) {
            result = GRPC_LOST;
        }
    }
    if (result == GRPC_UNSENT || result == GRPC_LOST) {
        endpoint_next(grpc);
    }
    writer_clear(&grpc->body);
    return result;
}

void
grpc_stream(struct grpc *grpc, const char *method, view request, uint32_t idle_ms, size_t max,
            grpc_message_in *on_message, void *arg)
{
    CURLcode code;
    view none;
    bool sent;

    grpc->on_message = on_message;
    grpc->on_message_arg = arg;
    grpc->idle_ms = idle_ms;
    grpc->heard = clock_ms(CLOCK_MONOTONIC);
    writer_init(&grpc->body, max + PREFIX_LEN);
    code = call_run(grpc, method, request, 0, &sent);
    if (sent) {
        (void)call_ended(grpc, code, &none); /* for its words */
    }
    grpc->on_message = NULL;
    writer_clear(&grpc->body);
    endpoint_next(grpc);
}

const char *
grpc_error(const struct grpc *grpc)
{
    return grpc->error;
}
