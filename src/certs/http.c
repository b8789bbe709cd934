/* SPDX-License-Identifier: Apache-2.0
 *
 * libcurl, one easy handle for each request at a time; handles with their connections are kept.
 */
#include "certs/http.h"

#include "base/clock.h"
#include "base/log.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define IDLE_MAX 16u
#define TRY_MS 5000u
#define CONNECT_MS 2000u
#define BACKOFF_MS 100u
#define TRIES_MAX 6u

struct http {
    _Atomic bool *stopping;
    char ca_file[512];
    pthread_mutex_t lock;
    CURL *idle[IDLE_MAX]; /* under lock */
    size_t idle_count;    /* under lock */
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void
curl_begin(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

struct http *
http_new(const char *ca_file, _Atomic bool *stopping)
{
    struct http *http = calloc(1, sizeof *http);

    if (http == NULL || strlen(ca_file) >= sizeof http->ca_file) {
        free(http);
        return NULL;
    }
    (void)pthread_once(&curl_once, curl_begin);
    memcpy(http->ca_file, ca_file, strlen(ca_file) + 1);
    http->stopping = stopping;
    pthread_mutex_init(&http->lock, NULL);
    return http;
}

void
http_free(struct http *http)
{
    if (http == NULL) {
        return;
    }
    for (size_t i = 0; i < http->idle_count; i++) {
        curl_easy_cleanup(http->idle[i]);
    }
    pthread_mutex_destroy(&http->lock);
    free(http);
}

static CURL *
handle_take(struct http *http)
{
    CURL *curl = NULL;

    pthread_mutex_lock(&http->lock);
    if (http->idle_count > 0) {
        curl = http->idle[--http->idle_count];
    }
    pthread_mutex_unlock(&http->lock);
    return curl != NULL ? curl : curl_easy_init();
}

static void
handle_give(struct http *http, CURL *curl)
{
    bool kept = false;

    curl_easy_reset(curl);
    pthread_mutex_lock(&http->lock);
    if (http->idle_count < IDLE_MAX) {
        http->idle[http->idle_count++] = curl;
        kept = true;
    }
    pthread_mutex_unlock(&http->lock);
    if (!kept) {
        curl_easy_cleanup(curl);
    }
}

/* ---- what libcurl calls; returning 0 ends the transfer ---- */

struct exchange {
    struct http *http;
    struct http_request *request;
    struct http_reply *reply;
    CURL *curl;
    view body;    /* what is left to send */
    size_t aside; /* bytes that came beside what is wanted */
};

/* Who talks without end is not listened to. */
static size_t
aside_take(struct exchange *x, size_t len)
{
    x->aside += len;
    return x->aside > HTTP_ASIDE_MAX ? 0 : len;
}

static size_t
on_body(char *data, size_t size, size_t count, void *arg)
{
    struct exchange *x = arg;
    long status = 0;

    (void)curl_easy_getinfo(x->curl, CURLINFO_RESPONSE_CODE, &status);
    if (x->request->out != NULL && status == 200) {
        write_raw(x->request->out, view_of(data, size * count));
        if (!writer_ok(x->request->out)) {
            return 0; /* more than there may be */
        }
        return size * count;
    }
    return aside_take(x, size * count);
}

/* The value of a header of that name, trimmed, letters that a tag or a name may have. */
static void
header_take(view line, const char *name, char *out, size_t size)
{
    size_t len = strlen(name), used = 0;

    if (line.len <= len || strncasecmp((const char *)line.data, name, len) != 0) {
        return;
    }
    for (size_t i = len; i < line.len; i++) {
        char c = (char)line.data[i];

        if (c > ' ' && c < 0x7f && c != '"') {
            if (used + 1 >= size) {
                used = 0; /* too long to be one */
                break;
            }
            out[used++] = c;
        }
    }
    out[used] = '\0';
}

static size_t
on_header(char *data, size_t size, size_t count, void *arg)
{
    struct exchange *x = arg;
    view line = view_of(data, size * count);
    char wait[16] = "";

    header_take(line, "etag:", x->reply->tag, sizeof x->reply->tag);
    header_take(line, "x-ms-error-code:", x->reply->error, sizeof x->reply->error);
    header_take(line, "retry-after:", wait, sizeof wait);
    if (wait[0] != '\0') { /* a date reads as 0: not said */
        x->reply->wait_s = (unsigned)strtoul(wait, NULL, 10);
    }
    return aside_take(x, size * count);
}

static size_t
on_send(char *data, size_t size, size_t count, void *arg)
{
    struct exchange *x = arg;
    size_t len = size_min(size * count, x->body.len);

    if (len > 0) {
        memcpy(data, x->body.data, len);
        x->body = view_slice(x->body, len, x->body.len);
    }
    return len;
}

static int
on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    struct exchange *x = arg;

    UNUSED(a);
    UNUSED(b);
    UNUSED(c);
    UNUSED(d);
    return atomic_load(x->http->stopping);
}

/* ---- one try ---- */

static struct curl_slist *
headers_of(const struct http_request *request)
{
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");

    for (size_t i = 0; i < HTTP_HEADERS_MAX && request->headers[i] != NULL; i++) {
        struct curl_slist *more = curl_slist_append(list, request->headers[i]);

        if (more == NULL) {
            curl_slist_free_all(list);
            return NULL;
        }
        list = more;
    }
    return list;
}

static void
exchange_set(struct exchange *x, uint64_t left_ms)
{
    const struct http_request *request = x->request;
    CURL *curl = x->curl;

    (void)curl_easy_setopt(curl, CURLOPT_URL, request->url);
    (void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
#if LIBCURL_VERSION_NUM >= 0x075500
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, request->plain ? "http,https" : "https");
#else
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS,
                           CURLPROTO_HTTPS | (request->plain ? CURLPROTO_HTTP : 0));
#endif
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)(left_ms < TRY_MS ? left_ms : TRY_MS));
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, x);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERDATA, x);
    (void)curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    (void)curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    (void)curl_easy_setopt(curl, CURLOPT_XFERINFODATA, x);
    if (request->plain) {
        (void)curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    }
    if (x->http->ca_file[0] != '\0') {
        (void)curl_easy_setopt(curl, CURLOPT_CAINFO, x->http->ca_file);
    }
    if (strcmp(request->method, "PUT") == 0) {
        (void)curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
        (void)curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->body.len);
        (void)curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_send);
        (void)curl_easy_setopt(curl, CURLOPT_READDATA, x);
    }
}

/* Nothing of the request has left this machine. */
static bool
is_unsent(CURLcode code)
{
    return code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST ||
           code == CURLE_COULDNT_RESOLVE_PROXY || code == CURLE_SSL_CONNECT_ERROR ||
           code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE ||
           code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL ||
           code == CURLE_FAILED_INIT || code == CURLE_OUT_OF_MEMORY;
}

static CURLcode
try_once(struct http *http, struct http_request *request, uint64_t left_ms,
         struct http_reply *reply)
{
    struct exchange x = { .http = http, .request = request, .reply = reply, .body = request->body };
    struct curl_slist *headers = headers_of(request);
    size_t start = request->out == NULL ? 0 : request->out->len;
    CURLcode code = CURLE_OUT_OF_MEMORY;

    x.curl = handle_take(http);
    if (x.curl != NULL && headers != NULL) {
        exchange_set(&x, left_ms);
        (void)curl_easy_setopt(x.curl, CURLOPT_HTTPHEADER, headers);
        code = curl_easy_perform(x.curl);
        (void)curl_easy_getinfo(x.curl, CURLINFO_RESPONSE_CODE, &reply->status);
        /* A server in trouble may have done what it was asked, all the same. */
        reply->sent = reply->sent || reply->status >= 500 || reply->status == 408;
    }
    curl_slist_free_all(headers);
    if (x.curl != NULL) {
        handle_give(http, x.curl);
    }
    if (code != CURLE_OK) {
        reply->status = 0;
        reply->sent = reply->sent || !is_unsent(code);
        reply->untrusted = code == CURLE_PEER_FAILED_VERIFICATION;
        reply->late = code == CURLE_OPERATION_TIMEDOUT;
        snprintf(reply->error, sizeof reply->error, "%s", curl_easy_strerror(code));
        if (request->out != NULL) {
            writer_truncate(request->out, start);
        }
    }
    return code;
}

/* Worth another try: the server is busy, or was not reached. */
static bool
is_passing(CURLcode code, const struct http_reply *reply)
{
    if (code != CURLE_OK) {
        return code != CURLE_PEER_FAILED_VERIFICATION && code != CURLE_SSL_CACERT_BADFILE &&
               code != CURLE_URL_MALFORMAT && code != CURLE_UNSUPPORTED_PROTOCOL &&
               code != CURLE_WRITE_ERROR && code != CURLE_ABORTED_BY_CALLBACK;
    }
    return reply->status == 401 || reply->status == 408 || reply->status == 429 ||
           (reply->status >= 500 && reply->status != 501);
}

/* False: the next try would come too late. */
static bool
pause_before(struct http *http, uint64_t wait_ms, uint64_t end)
{
    const uint64_t until = clock_ms(CLOCK_MONOTONIC) + wait_ms;

    if (until >= end) {
        return false;
    }
    for (uint64_t now; (now = clock_ms(CLOCK_MONOTONIC)) < until && !atomic_load(http->stopping);) {
        uint64_t step = until - now < BACKOFF_MS ? until - now : BACKOFF_MS;

        nanosleep(&(struct timespec){ .tv_nsec = (long)step * 1000000l }, NULL);
    }
    return true;
}

void
http_send(struct http *http, struct http_request *request, http_sign *sign, void *arg,
          struct http_reply *ret_reply)
{
    const uint64_t limit = clock_ms(CLOCK_MONOTONIC) + HTTP_LIMIT_MS;
    const uint64_t end = limit < blob_end() ? limit : blob_end();
    struct http_reply reply = { 0 };
    uint64_t wait = BACKOFF_MS;

    for (reply.tries = 1;; reply.tries++) {
        struct http_reply last = reply;
        uint64_t now = clock_ms(CLOCK_MONOTONIC);
        CURLcode code;

        if (now >= end || atomic_load(http->stopping)) {
            if (reply.tries == 1) {
                snprintf(reply.error, sizeof reply.error, "no time is left");
            }
            break;
        }
        reply = (struct http_reply){ .sent = last.sent, .tries = last.tries };
        if (sign != NULL && !sign(arg, request, &last)) {
            snprintf(reply.error, sizeof reply.error, "no credentials");
            break;
        }
        code = try_once(http, request, end - now, &reply);
        if (!is_passing(code, &reply) || reply.tries == TRIES_MAX ||
            (reply.status == 401 && reply.tries > 1)) {
            break;
        }
        if (wait < reply.wait_s * 1000ull) {
            wait = reply.wait_s * 1000ull;
        }
        if (!pause_before(http, wait, end)) {
            break;
        }
        wait *= 2;
    }
    *ret_reply = reply;
}
