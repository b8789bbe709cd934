/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP requests that block, with retries, limits and an end. What a server says is bounded: a body
 * by its writer, a tag and an error's name by their fields. No redirects. Any thread may call.
 */
#ifndef CERTS_HTTP_H
#define CERTS_HTTP_H

#include "certs/blob.h"

#define HTTP_HEADERS_MAX 10u
#define HTTP_LIMIT_MS 8000u /* of a request with all its retries */
#define HTTP_ASIDE_MAX 1048576u /* bytes of a body that nobody wants, and of headers */

struct http; /* connections that are kept, and how servers are believed */

struct http_request {
    const char *method;
    const char *url;
    const char *headers[HTTP_HEADERS_MAX]; /* "Name: value"; NULL ends them */
    view body;
    bool plain;       /* http:// will do, and no proxy: for the identity of this machine */
    struct writer *out; /* the body of a reply with 200; NULL: passed over */
};

struct http_reply {
    long status;             /* 0: there was none */
    char tag[BLOB_TAG_MAX];  /* ETag without its quotes */
    char error[64];          /* x-ms-error-code, or what the transport says */
    bool sent;               /* without a status: the server may have had the request */
    bool late;               /* it did not answer, or not all of it, in time */
    bool untrusted;          /* its certificate is not good */
    unsigned wait_s;         /* Retry-After; 0: not said */
    unsigned tries;
};

MUST_USE struct http *http_new(const char *ca_file, _Atomic bool *stopping);
void http_free(struct http *http);

/* Headers that depend on time are made anew for each try: sign is called before, and may change
 * request->headers. False: it cannot, and the request ends. */
typedef bool http_sign(void *arg, struct http_request *request, const struct http_reply *last);

void http_send(struct http *http, struct http_request *request, http_sign *sign, void *arg,
               struct http_reply *ret_reply);

#endif
