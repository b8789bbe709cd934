/* SPDX-License-Identifier: Apache-2.0
 *
 * Azure Blob Storage over REST (version 2020-10-02): Put Blob, Get Blob, Delete Blob, List Blobs.
 * Who asks is shown by the account's key, a shared access signature that is part of the URL, or a
 * token of a managed identity. None of the three ever stands in a line of the log.
 */
#include "certs/blob.h"

#include "base/base64.h"
#include "base/clock.h"
#include "base/log.h"
#include "certs/azure_url.h"
#include "certs/http.h"
#include "certs/identity.h"
#include "certs/listing.h"
#include "certs/token.h"
#include "crypto/algo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define VERSION "2020-10-02"
#define URL_MAX AZURE_URL_MAX
#define QUERY_MAX 3072u
#define PAGES_MAX 8192u
/* Names in one page of a listing: more while pages come quickly, fewer after one that
 * did not come in time. */
#define PAGE_FIRST 1000u
#define PAGE_LEAST 50u
#define PAGE_MOST 5000u
#define PAGE_QUICK_MS 500u

struct azure {
    struct blob_container container;
    struct http *http;
    struct identity *identity; /* NULL: another way */
    struct azure_url at;
    _Atomic unsigned page;     /* names in the next page */
    struct writer key;         /* of the account; empty: none */
};

/* One request: what http_send() signs anew for each try. */
struct call {
    struct azure *azure;
    const char *method;
    char url[URL_MAX + QUERY_MAX + URL_MAX];
    char resource[URL_MAX + QUERY_MAX]; /* what is signed of it */
    char date[64];
    char match[BLOB_TAG_MAX + 32]; /* If-Match or If-None-Match, whole; "" */
    bool is_put;
    size_t len;
    char authorization[IDENTITY_TOKEN_MAX + 64];
};

/* ---- signing ---- */

static void
date_header(char out[64])
{
    time_t now = time(NULL);
    struct tm utc;

    if (gmtime_r(&now, &utc) == NULL ||
        strftime(out, 64, "x-ms-date: %a, %d %b %Y %H:%M:%S GMT", &utc) == 0) {
        out[0] = '\0';
    }
}

static const char *
match_value(const struct call *call, const char *name)
{
    size_t len = strlen(name);

    return strncmp(call->match, name, len) == 0 ? call->match + len : "";
}

/* Authorize with Shared Key: the text that is signed, line by line. */
static bool
key_header(struct call *call)
{
    char text[sizeof call->resource + 1024], len[24] = "";
    struct writer out;
    uint8_t mac[32];
    int size;

    if (call->len > 0) {
        snprintf(len, sizeof len, "%zu", call->len);
    }
    size = snprintf(text, sizeof text,
                    "%s\n\n\n%s\n\n%s\n\n\n%s\n%s\n\n\n%sx-ms-date:%s\n"
                    "x-ms-version:" VERSION "\n%s",
                    call->method, len, call->is_put ? "application/octet-stream" : "",
                    match_value(call, "If-Match: "), match_value(call, "If-None-Match: "),
                    call->is_put ? "x-ms-blob-type:BlockBlob\n" : "",
                    call->date + strlen("x-ms-date: "), call->resource);
    if (size < 0 || (size_t)size >= sizeof text ||
        !algo_hmac_sha256(writer_view(&call->azure->key), view_of(text, (size_t)size), mac)) {
        return false;
    }
    writer_init_fixed(&out, call->authorization, sizeof call->authorization - 1);
    write_raw(&out, VIEW_TEXT("Authorization: SharedKey "));
    write_raw(&out, view_str(call->azure->at.account));
    write_u8(&out, ':');
    base64_write(&out, BASE64_PLAIN, view_of(mac, sizeof mac));
    call->authorization[out.len] = '\0';
    return writer_ok(&out);
}

static bool
call_sign(void *arg, struct http_request *request, const struct http_reply *last)
{
    struct call *call = arg;
    size_t count = 0;

    date_header(call->date);
    call->authorization[0] = '\0';
    if (call->azure->key.len > 0) {
        if (!key_header(call)) {
            return false;
        }
    } else if (call->azure->identity != NULL &&
               !identity_header(call->azure->identity, last->status == 401, call->authorization,
                                sizeof call->authorization)) {
        return false;
    }
    request->headers[count++] = "x-ms-version: " VERSION;
    request->headers[count++] = call->date;
    if (call->is_put) {
        request->headers[count++] = "x-ms-blob-type: BlockBlob";
        request->headers[count++] = "Content-Type: application/octet-stream";
    }
    if (call->match[0] != '\0') {
        request->headers[count++] = call->match;
    }
    if (call->authorization[0] != '\0') {
        request->headers[count++] = call->authorization;
    }
    request->headers[count] = NULL;
    return true;
}

/* ---- calls ---- */

/* NULL: memory. name "": the container itself. query and signed_query belong together. */
static struct call *
call_new(struct azure *azure, const char *method, const char *name, const char *query,
         const char *signed_query)
{
    struct call *call = calloc(1, sizeof *call);

    if (call == NULL) {
        return NULL;
    }
    call->azure = azure;
    call->method = method;
    snprintf(call->url, sizeof call->url, "%s%s%s%s%s%s%s", azure->at.base, name[0] == '\0' ? "" : "/",
             name, query[0] != '\0' || azure->at.signature[0] != '\0' ? "?" : "", query,
             query[0] != '\0' && azure->at.signature[0] != '\0' ? "&" : "", azure->at.signature);
    snprintf(call->resource, sizeof call->resource, "/%s%s%s%s%s", azure->at.account, azure->at.path,
             name[0] == '\0' ? "" : "/", name, signed_query);
    return call;
}

static void
call_free(struct call *call)
{
    if (call != NULL) {
        explicit_bzero(call, sizeof *call);
        free(call);
    }
}

#define MAY \
    "see that who asks may: the role Storage Blob Data Contributor for an identity, else the key " \
    "or the signature"

static const char *
advice(const struct http_reply *reply)
{
    if (strstr(reply->error, "Authenti") != NULL || strstr(reply->error, "Authoriz") != NULL) {
        return MAY;
    }
    if (reply->untrusted) {
        return "see that certstorage_ca of azcloudhsm_client.cfg signs the server's certificate, "
               "and that CERTSTORAGE_URL has the host in it";
    }
    switch (reply->status) {
    case 0:
        return "see that the network is there and the URL right";
    case 301:
    case 302:
    case 303:
    case 307:
    case 308:
        return "CERTSTORAGE_URL leads elsewhere; give the container's own address";
    case 401:
    case 403:
        return MAY;
    case 404:
        return "make the container";
    case 429:
    case 503:
        return "the storage account is busy; see its limits";
    default:
        return "see the state of the storage account";
    }
}

static enum blob_result
say(const struct azure *azure, const char *what, const char *name, const struct http_reply *reply,
    enum blob_result result)
{
    log_err("certificate storage %s: %s %s: HTTP %ld %s after %u tries; %s", azure->at.base, what,
            name, reply->status, reply->error, reply->tries, advice(reply));
    return result;
}

static enum blob_result
azure_get(struct blob_container *container, uint32_t handle, const char *tag, struct writer *out,
          char ret_tag[BLOB_TAG_MAX])
{
    struct azure *azure = (struct azure *)container;
    char name[BLOB_NAME_MAX];
    struct call *call;
    struct http_request request = { .method = "GET", .out = out };
    struct http_reply reply;

    blob_name(handle, name);
    call = call_new(azure, "GET", name, "", "");
    if (call == NULL) {
        return BLOB_FAILED;
    }
    if (tag[0] != '\0') {
        snprintf(call->match, sizeof call->match, "If-None-Match: \"%s\"", tag);
    }
    request.url = call->url;
    http_send(azure->http, &request, call_sign, call, &reply);
    call_free(call);
    switch (reply.status) {
    case 200:
        memcpy(ret_tag, reply.tag, BLOB_TAG_MAX);
        return BLOB_OK;
    case 304:
        return BLOB_SAME;
    case 404:
        if (strcmp(reply.error, "ContainerNotFound") != 0) {
            return BLOB_NONE;
        }
        return say(azure, "read", name, &reply, BLOB_FAILED);
    default:
        return say(azure, "read", name, &reply, BLOB_FAILED);
    }
}

/* After a write whose answer may have been lost: BLOB_OK when this text is there, BLOB_CONFLICT
 * when something else is or nothing, BLOB_UNKNOWN when nobody says. */
static enum blob_result
what_is_there(struct blob_container *container, uint32_t handle, view text,
              char ret_tag[BLOB_TAG_MAX])
{
    struct writer there;
    enum blob_result result;

    writer_init(&there, TOKEN_MAX);
    result = azure_get(container, handle, "", &there, ret_tag);
    if (result == BLOB_OK && !view_equal(writer_view(&there), text)) {
        result = BLOB_CONFLICT;
    } else if (result == BLOB_NONE) {
        result = BLOB_CONFLICT;
    } else if (result != BLOB_OK) {
        result = BLOB_UNKNOWN;
    }
    writer_clear(&there);
    return result;
}

static enum blob_result
azure_put(struct blob_container *container, uint32_t handle, const char *tag, view text,
          char ret_tag[BLOB_TAG_MAX])
{
    struct azure *azure = (struct azure *)container;
    char name[BLOB_NAME_MAX];
    struct call *call;
    struct http_request request = { .method = "PUT", .body = text };
    struct http_reply reply;

    blob_name(handle, name);
    call = call_new(azure, "PUT", name, "", "");
    if (call == NULL) {
        return BLOB_FAILED;
    }
    call->is_put = true;
    call->len = text.len;
    if (tag[0] == '\0') {
        snprintf(call->match, sizeof call->match, "If-None-Match: *");
    } else {
        snprintf(call->match, sizeof call->match, "If-Match: \"%s\"", tag);
    }
    request.url = call->url;
    http_send(azure->http, &request, call_sign, call, &reply);
    call_free(call);
    if (reply.status == 201) {
        memcpy(ret_tag, reply.tag, BLOB_TAG_MAX);
        return BLOB_OK;
    }
    if ((reply.tries > 1 || reply.sent) && reply.status != 404) {
        enum blob_result there = what_is_there(container, handle, text, ret_tag);

        if (there != BLOB_CONFLICT) {
            return there;
        }
    }
    if (reply.status == 409 || reply.status == 412) {
        return BLOB_CONFLICT;
    }
    return say(azure, "write", name, &reply, reply.sent ? BLOB_UNKNOWN : BLOB_FAILED);
}

static enum blob_result
azure_remove(struct blob_container *container, uint32_t handle, const char *tag)
{
    struct azure *azure = (struct azure *)container;
    char name[BLOB_NAME_MAX];
    struct call *call;
    struct http_request request = { .method = "DELETE" };
    struct http_reply reply;

    blob_name(handle, name);
    call = call_new(azure, "DELETE", name, "", "");
    if (call == NULL) {
        return BLOB_FAILED;
    }
    if (tag[0] != '\0') {
        snprintf(call->match, sizeof call->match, "If-Match: \"%s\"", tag);
    }
    request.url = call->url;
    http_send(azure->http, &request, call_sign, call, &reply);
    call_free(call);
    switch (reply.status) {
    case 200:
    case 202:
        return BLOB_OK;
    case 404:
        return BLOB_NONE;
    case 412:
        return BLOB_CONFLICT;
    default:
        return say(azure, "remove", name, &reply, reply.sent ? BLOB_UNKNOWN : BLOB_FAILED);
    }
}

/* Letters that a query may have; the others as %XX. */
static void
encode(const char *text, char *out, size_t size)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t used = 0;

    for (; *text != '\0' && used + 4 < size; text++) {
        unsigned char c = (unsigned char)*text;

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            c == '-' || c == '_' || c == '.' || c == '~') {
            out[used++] = (char)c;
        } else {
            out[used++] = '%';
            out[used++] = digits[c >> 4];
            out[used++] = digits[c & 15];
        }
    }
    out[used] = '\0';
}

/* A page of so many names; how it went is in *ret_reply. */
static bool
page_ask(struct azure *azure, unsigned page, const char *marker, struct writer *xml,
         struct http_reply *ret_reply)
{
    char encoded[3 * LISTING_MARKER_MAX + 1], query[sizeof encoded + 256];
    char resource[LISTING_MARKER_MAX + 256];
    const bool more = marker[0] != '\0';
    struct http_request request = { .method = "GET", .out = xml };
    struct call *call;

    encode(marker, encoded, sizeof encoded);
    snprintf(query, sizeof query,
             "restype=container&comp=list&maxresults=%u&prefix=" BLOB_PREFIX "%s%s", page,
             more ? "&marker=" : "", encoded);
    snprintf(resource, sizeof resource,
             "\ncomp:list%s%s\nmaxresults:%u\nprefix:" BLOB_PREFIX "\nrestype:container",
             more ? "\nmarker:" : "", marker, page);
    call = call_new(azure, "GET", "", query, resource);
    if (call == NULL) {
        return false;
    }
    request.url = call->url;
    http_send(azure->http, &request, call_sign, call, ret_reply);
    call_free(call);
    return true;
}

static enum blob_result
list_page(struct azure *azure, char marker[LISTING_MARKER_MAX], blob_visit *visit, void *arg)
{
    unsigned page = atomic_load(&azure->page);
    enum blob_result result = BLOB_OK;
    struct http_reply reply = { 0 };
    const uint64_t began = clock_ms(CLOCK_MONOTONIC);
    struct writer xml;

    writer_init(&xml, LISTING_MAX);
    if (!page_ask(azure, page, marker, &xml, &reply)) {
        writer_clear(&xml);
        return BLOB_FAILED;
    }
    /* The next listing has fewer: this one has waited long enough, perhaps for
     * one who does not listen. */
    if (reply.late) {
        page = page / 4 > PAGE_LEAST ? page / 4 : PAGE_LEAST;
    } else if (reply.status == 200 && clock_ms(CLOCK_MONOTONIC) - began < PAGE_QUICK_MS) {
        page = page * 2 < PAGE_MOST ? page * 2 : PAGE_MOST;
    }
    atomic_store(&azure->page, page);
    if (reply.status != 200) {
        result = say(azure, "list", "the container", &reply, BLOB_FAILED);
    } else if (!listing_read(writer_view(&xml), visit, arg, marker)) {
        log_err("certificate storage %s: what it lists does not read; see that CERTSTORAGE_URL is "
                "a container of Azure Blob Storage",
                azure->at.base);
        result = BLOB_FAILED;
    }
    writer_clear(&xml);
    return result;
}

static enum blob_result
azure_list(struct blob_container *container, blob_visit *visit, void *arg)
{
    struct azure *azure = (struct azure *)container;
    char marker[LISTING_MARKER_MAX] = "", last[LISTING_MARKER_MAX];
    enum blob_result result;
    unsigned pages = 0;

    do {
        memcpy(last, marker, sizeof last);
        result = list_page(azure, marker, visit, arg);
        if (result == BLOB_OK && marker[0] != '\0' && strcmp(marker, last) == 0) {
            log_err("certificate storage %s: it lists the same page again and again; see the state "
                    "of the storage account",
                    azure->at.base);
            return BLOB_FAILED;
        }
    } while (result == BLOB_OK && marker[0] != '\0' && ++pages < PAGES_MAX);
    return result == BLOB_OK && marker[0] != '\0' ? BLOB_FAILED : result;
}

/* ---- the container ---- */

static void
azure_close(struct blob_container *container)
{
    struct azure *azure = (struct azure *)container;

    identity_free(azure->identity);
    http_free(azure->http);
    writer_clear(&azure->key);
    explicit_bzero(azure->at.signature, sizeof azure->at.signature);
    free(azure);
}

struct blob_container *
azure_open(const struct blob_settings *settings)
{
    static const struct blob_ops ops = { azure_get, azure_put, azure_remove, azure_list,
                                         azure_close };
    struct azure *azure = calloc(1, sizeof *azure);

    if (azure == NULL) {
        return NULL;
    }
    azure->container.ops = &ops;
    azure->page = PAGE_FIRST;
    writer_init(&azure->key, 256);
    if (!azure_url_read(settings->url, &azure->at)) {
        log_err("CERTSTORAGE_URL: it is https://ACCOUNT.blob.core.windows.net/CONTAINER");
        goto fail;
    }
    azure->http = http_new(settings->ca_file, &azure->container.stopping);
    if (azure->http == NULL) {
        goto fail;
    }
    if (settings->secret[0] != '\0') {
        if (!base64_read(view_str(settings->secret), BASE64_PLAIN, &azure->key) ||
            azure->key.len == 0) {
            log_err("CERTSTORAGE_ACCOUNT_KEY is no base64");
            goto fail;
        }
    } else if (azure->at.signature[0] == '\0') {
        if (!azure_url_is_azure(&azure->at)) {
            log_err("CERTSTORAGE_URL: a managed identity is shown to Azure alone; for %s set "
                    "CERTSTORAGE_ACCOUNT_KEY, or a URL with a shared access signature",
                    azure->at.base);
            goto fail;
        }
        azure->identity = identity_new(azure->http, settings->metadata, settings->identity);
        if (azure->identity == NULL) {
            goto fail;
        }
    }
    return &azure->container;
fail:
    azure_close(&azure->container);
    return NULL;
}

bool
azure_make(const struct blob_settings *settings)
{
    struct blob_container *container = azure_open(settings);
    struct azure *azure = (struct azure *)container;
    struct call *call = azure == NULL ? NULL
                                      : call_new(azure, "PUT", "", "restype=container",
                                                 "\nrestype:container");
    struct http_request request = { .method = "PUT" };
    struct http_reply reply = { 0 };
    bool made = false;

    if (call != NULL) {
        request.url = call->url;
        http_send(azure->http, &request, call_sign, call, &reply);
        made = reply.status == 201 ||
               (reply.status == 409 && strcmp(reply.error, "ContainerAlreadyExists") == 0) ||
               say(azure, "make", "the container", &reply, BLOB_FAILED) == BLOB_OK;
    }
    call_free(call);
    blob_close(container);
    return made;
}
