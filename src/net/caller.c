/* SPDX-License-Identifier: Apache-2.0
 *
 * One frame out, one frame in, with poll() between and a limit on each wait.
 */
#include "net/caller.h"

#include "base/clock.h"
#include "base/secret.h"
#include "net/link.h"
#include "net/tls_private.h"

#include <errno.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LAG_PAUSE_MS 100
#define LAG_TRIES 50u

struct caller {
    int fd;
    SSL *ssl;
    unsigned timeout_ms;
    uint8_t context[FRAME_CONTEXT_LEN];
    uint64_t request;
    uint8_t store[16];
    uint64_t revision; /* the highest that was heard of */
    uint8_t *reply; /* FRAME_MAX bytes */
    size_t reply_len;
};

static bool
wait_for(const struct caller *caller, short events, int64_t deadline)
{
    struct pollfd entry = { .fd = caller->fd, .events = events };
    int64_t left = deadline - (int64_t)clock_ms(CLOCK_MONOTONIC);

    if (left <= 0) {
        return false;
    }
    return poll(&entry, 1, (int)left) > 0 || errno == EINTR;
}

/* After a step of OpenSSL's that did not succeed: wait and try again, or give up. */
static bool
step_again(struct caller *caller, int result, int64_t deadline, char *error, size_t error_size)
{
    int code = SSL_get_error(caller->ssl, result);

    if (code == SSL_ERROR_WANT_READ || code == SSL_ERROR_WANT_WRITE) {
        if (wait_for(caller, code == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, deadline)) {
            return true;
        }
        snprintf(error, error_size, "no answer in time");
        return false;
    }
    tls_reason(caller->ssl, code, error, error_size);
    return false;
}

static bool
handshake(struct caller *caller, struct tls_context *tls, char *error, size_t error_size)
{
    int64_t deadline = (int64_t)clock_ms(CLOCK_MONOTONIC) + caller->timeout_ms;
    int socket_error = 0;
    socklen_t len = sizeof socket_error;

    if (!wait_for(caller, POLLOUT, deadline)) {
        snprintf(error, error_size, "no connection in time");
        return false;
    }
    if (getsockopt(caller->fd, SOL_SOCKET, SO_ERROR, &socket_error, &len) != 0 ||
        socket_error != 0) {
        snprintf(error, error_size, "%s", strerror(socket_error));
        return false;
    }
    caller->ssl = tls_connection(tls, caller->fd, false);
    if (caller->ssl == NULL) {
        snprintf(error, error_size, "out of memory");
        return false;
    }
    for (;;) {
        int result;

        errno = 0;
        ERR_clear_error();
        result = SSL_do_handshake(caller->ssl);
        if (result == 1) {
            return true;
        }
        if (!step_again(caller, result, deadline, error, error_size)) {
            return false;
        }
    }
}

static bool
send_all(struct caller *caller, view bytes, int64_t deadline)
{
    char unsaid[128];

    while (bytes.len > 0) {
        size_t sent = 0;
        int result;

        errno = 0;
        ERR_clear_error();
        result = SSL_write_ex(caller->ssl, bytes.data, bytes.len, &sent);
        if (result == 1) {
            bytes = view_slice(bytes, sent, bytes.len);
        } else if (!step_again(caller, result, deadline, unsaid, sizeof unsaid)) {
            return false;
        }
    }
    return true;
}

static bool
receive_exactly(struct caller *caller, size_t need, int64_t deadline)
{
    char unsaid[128];

    while (caller->reply_len < need) {
        size_t got = 0;
        int result;

        errno = 0;
        ERR_clear_error();
        result = SSL_read_ex(caller->ssl, caller->reply + caller->reply_len,
                             need - caller->reply_len, &got);
        if (result == 1) {
            caller->reply_len += got;
        } else if (!step_again(caller, result, deadline, unsaid, sizeof unsaid)) {
            return false;
        }
    }
    return true;
}

static void
reply_forget(struct caller *caller)
{
    wipe(caller->reply, caller->reply_len);
    caller->reply_len = 0;
}

static bool
exchange(struct caller *caller, const struct frame *request, view body, struct frame *ret_reply)
{
    int64_t deadline = (int64_t)clock_ms(CLOCK_MONOTONIC) + caller->timeout_ms;
    uint8_t header[FRAME_HEADER_LEN];

    reply_forget(caller);
    frame_encode(request, header);
    return send_all(caller, view_of(header, sizeof header), deadline) &&
           send_all(caller, body, deadline) &&
           receive_exactly(caller, FRAME_HEADER_LEN, deadline) &&
           frame_decode(caller->reply, ret_reply) &&
           receive_exactly(caller, FRAME_HEADER_LEN + ret_reply->body_len, deadline) &&
           (ret_reply->flags & FRAME_REPLY) != 0 && ret_reply->request == request->request &&
           ret_reply->operation == request->operation;
}

/* A node that is behind has done nothing, and is asked again. */
static CK_RV
call_once(struct caller *caller, enum operation operation, view body, view *ret_reply)
{
    struct frame request = {
        .body_len = (uint32_t)body.len,
        .operation = (uint16_t)operation,
        .flags = FRAME_READ_WRITE,
        .request = ++caller->request,
        .revision = caller->revision,
    };
    struct frame reply;

    *ret_reply = VIEW_EMPTY;
    if (caller->ssl == NULL || body.len > FRAME_BODY_MAX) {
        return CKR_DEVICE_ERROR;
    }
    memcpy(request.context, caller->context, FRAME_CONTEXT_LEN);
    if (!exchange(caller, &request, body, &reply)) {
        SSL_free(caller->ssl);
        caller->ssl = NULL;
        return CKR_DEVICE_ERROR;
    }
    if (reply.revision > caller->revision) {
        caller->revision = reply.revision;
    }
    if (reply.code == CKR_OK) {
        *ret_reply = view_of(caller->reply + FRAME_HEADER_LEN, reply.body_len);
    }
    return reply.code;
}

CK_RV
caller_call(struct caller *caller, enum operation operation, view body, view *ret_reply)
{
    static const struct timespec pause = { 0, LAG_PAUSE_MS * 1000000L };
    CK_RV rv = call_once(caller, operation, body, ret_reply);

    for (unsigned i = 0; rv == CODE_LAGGING && i < LAG_TRIES; i++) {
        nanosleep(&pause, NULL);
        rv = call_once(caller, operation, body, ret_reply);
    }
    return rv;
}

view
caller_store(const struct caller *caller)
{
    return view_of(caller->store, sizeof caller->store);
}

uint64_t
caller_revision(const struct caller *caller)
{
    return caller->revision;
}

void
caller_see(struct caller *caller, uint64_t revision)
{
    if (revision > caller->revision) {
        caller->revision = revision;
    }
}

static bool
attach(struct caller *caller)
{
    const struct attach_request m = {
        .version = frame_version,
        .interface = INTERFACE_API,
        .uid = (uint32_t)getuid(),
        .pid = (uint32_t)getpid(),
    };
    struct attach_reply answer;
    struct writer body;
    view reply;
    bool attached;

    if (getrandom(caller->context, sizeof caller->context, 0) !=
        (ssize_t)sizeof caller->context) {
        return false;
    }
    writer_init(&body, 256);
    attach_request_write(&body, &m);
    attached = writer_ok(&body) &&
               caller_call(caller, OPERATION_ATTACH, writer_view(&body), &reply) == CKR_OK;
    writer_clear(&body);
    if (attached && attach_reply_read(reply, &answer) &&
        answer.store.len == sizeof caller->store) {
        memcpy(caller->store, answer.store.data, sizeof caller->store);
    }
    return attached;
}

struct caller *
caller_open(const char *host, unsigned port, struct tls_context *tls, unsigned timeout_ms,
            char *error, size_t error_size)
{
    struct caller *caller = calloc(1, sizeof *caller);

    if (caller == NULL || (caller->reply = malloc(FRAME_MAX)) == NULL) {
        snprintf(error, error_size, "out of memory");
        free(caller);
        return NULL;
    }
    caller->timeout_ms = timeout_ms;
    caller->fd = link_connect(host, port);
    if (caller->fd < 0) {
        snprintf(error, error_size, "cannot connect to %s port %u", host, port);
        caller_close(caller);
        return NULL;
    }
    if (!handshake(caller, tls, error, error_size)) {
        caller_close(caller);
        return NULL;
    }
    if (!attach(caller)) {
        snprintf(error, error_size, "the node does not take us in");
        caller_close(caller);
        return NULL;
    }
    return caller;
}

bool
caller_is_unowned(const struct caller *caller)
{
    return caller->ssl != NULL && tls_is_unowned(caller->ssl);
}

void
caller_close(struct caller *caller)
{
    view reply;

    if (caller == NULL) {
        return;
    }
    if (caller->ssl != NULL) {
        if (SSL_is_init_finished(caller->ssl)) {
            (void)caller_call(caller, OPERATION_DETACH, VIEW_EMPTY, &reply);
        }
        if (caller->ssl != NULL && SSL_is_init_finished(caller->ssl)) {
            (void)SSL_shutdown(caller->ssl);
        }
        SSL_free(caller->ssl);
        ERR_clear_error();
    }
    if (caller->fd >= 0) {
        close(caller->fd);
    }
    reply_forget(caller);
    free(caller->reply);
    free(caller);
}
