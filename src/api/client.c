/* SPDX-License-Identifier: Apache-2.0
 *
 * A context's connections. Idle ones wait on a stack, so the warmest is taken first; all that
 * exist are also on a list of their own, for a child of fork has to close every copy.
 */
#include "api/client.h"

#include "api/appcfg.h"
#include "api/connection.h"
#include "api/local.h"
#include "api/open.h"
#include "api/page.h"
#include "api/series.h"
#include "base/secret.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define IDLE_MAX 64u
/* The daemon itself answers within 5 s, within 15 s what waits for the store, and within 60 s where
 * the work is slow. */
#define TICKET_AGAIN_MS 1000 /* between attempts to renew */
#define LIMIT_MS CONNECTION_LIMIT_MS
#define LIMIT_STORE_MS 16000
#define LIMIT_SLOW_MS 65000
#define LIMIT_CLOSE_MS 1000
#define LIMIT_RENEW_MS 1000
#define LIMIT_REACH_MS 4500
#define REACH_PAUSE_NS 10000000
#define TRIES_MAX 4u
#define TICKET_MAX 256u
#define LINGER_TRUST_MAX 8u
#define LINGER_LOSS 2u /* of trust, for a look in vain */
#define LINGER_TRY 64u /* without trust, one of so many requests lingers all the same */
#define HELLO_MAX (160u + TICKET_MAX + sizeof(struct appcfg_storage))

struct client {
    enum interface interface;
    /* Names the context to the daemon. No struct secret: those share a lock, which another
     * thread may have held when a fork made the child that abandons us. */
    uint8_t key[FRAME_CONTEXT_LEN];
    struct sockaddr_un address;
    struct appcfg_storage storage;
    _Atomic uint64_t requests;
    _Atomic uint64_t revision;
    _Atomic bool local;       /* a node has something of ours in its memory */
    _Atomic bool unreachable; /* the daemon was waited for in vain */
    pthread_mutex_t lock;
    struct open_requests open; /* under lock */
    struct pages pages; /* taken under lock */
    struct connection *idle; /* under lock */
    size_t idle_count;       /* under lock */
    _Atomic size_t taken;    /* connections that threads have; changed under lock */
    _Atomic unsigned linger_trust;
    _Atomic unsigned linger_not; /* requests that did not, for want of trust */
    uint8_t ticket[TICKET_MAX]; /* under lock: of the login, so that it outlives the daemon */
    size_t ticket_len;          /* under lock */
    int64_t ticket_renew_at;    /* under lock: half of its life is over then */
    bool ticket_renewing;       /* under lock: by one thread */
    /* Under lock. Each change is one store of a pointer, so that a child of fork, which may
     * come at any moment, always finds a whole list. */
    struct connection *_Atomic all;
};

/* The page that came with HELLO, if it is one. */
static void
client_take_page(struct client *client, struct connection *connection, bool wanted)
{
    int fd = connection_take_passed(connection);

    if (fd < 0) {
        return;
    }
    if (wanted) {
        pthread_mutex_lock(&client->lock);
        pages_take(&client->pages, fd);
        pthread_mutex_unlock(&client->lock);
    }
    close(fd);
}

/* Tells the daemon on a new connection whose it is. */
static bool
client_hello(struct client *client, struct connection *connection, int64_t deadline)
{
    uint8_t ticket[TICKET_MAX];
    size_t ticket_len;

    pthread_mutex_lock(&client->lock);
    ticket_len = client->ticket_len;
    memcpy(ticket, client->ticket, ticket_len);
    pthread_mutex_unlock(&client->lock);

    const struct hello_request hello = {
        .version = FRAME_VERSION,
        .key = view_of(client->key, sizeof client->key),
        .pid = (uint32_t)getpid(),
        .interface = (uint8_t)client->interface,
        .ticket = view_of(ticket, ticket_len),
        .page = true,
        .storage_url = view_str(client->storage.url),
        .storage_key = view_str(client->storage.key_id),
        .storage_identity = view_str(client->storage.identity),
        .storage_secret = view_str(client->storage.secret),
        .storage_adopt = client->storage.adopt,
    };
    uint8_t buffer[HELLO_MAX];
    struct writer body;
    struct hello_reply answer;
    struct frame reply;
    bool ok = false;

    writer_init_fixed(&body, buffer, sizeof buffer);
    hello_request_write(&body, &hello);
    if (writer_ok(&body)) {
        const struct frame request = {
            .body_len = (uint32_t)body.len,
            .operation = OPERATION_HELLO,
            .request = atomic_fetch_add(&client->requests, 1) + 1,
        };

        ok = connection_exchange(connection, &request, writer_view(&body), deadline, &reply) ==
                 OUTCOME_ANSWERED &&
             reply.code == CKR_OK &&
             hello_reply_read(connection_reply_body(connection), &answer) &&
             frame_version_fits(answer.version);
    }
    client_take_page(client, connection, ok && answer.page);
    connection_forget_reply(connection);
    wipe(buffer, sizeof buffer);
    wipe(ticket, sizeof ticket);
    return ok;
}

/* False with errno, which is 0 when a daemon is there but does not speak with us. */
static bool
client_reach(struct client *client, struct connection *connection, int64_t deadline)
{
    if (!connection_open(connection, &client->address, deadline)) {
        return false;
    }
    if (!client_hello(client, connection, deadline)) {
        connection_close(connection);
        errno = 0;
        return false;
    }
    return true;
}

/* under client->lock */
static void
client_link(struct client *client, struct connection *connection)
{
    connection->next = atomic_load(&client->all);
    atomic_store(&client->all, connection);
}

/* under client->lock */
static void
client_unlink(struct client *client, struct connection *connection)
{
    struct connection *at = atomic_load(&client->all);

    if (at == connection) {
        atomic_store(&client->all, connection->next);
        return;
    }
    while (at != NULL && at->next != connection) {
        at = at->next;
    }
    if (at != NULL) {
        at->next = connection->next;
    }
}

static struct connection *
client_take(struct client *client)
{
    struct connection *connection;

    pthread_mutex_lock(&client->lock);
    connection = client->idle;
    if (connection != NULL) {
        client->idle = connection->next_idle;
        client->idle_count--;
        client->taken++;
    }
    pthread_mutex_unlock(&client->lock);
    return connection;
}

/* Gives a connection back; a dead one, or one too many, ends here. */
static void
client_give(struct client *client, struct connection *connection)
{
    bool keep = false;

    pthread_mutex_lock(&client->lock);
    client->taken--;
    if (connection->fd >= 0 && client->idle_count < IDLE_MAX) {
        connection->next_idle = client->idle;
        client->idle = connection;
        client->idle_count++;
        keep = true;
    } else {
        client_unlink(client, connection);
    }
    pthread_mutex_unlock(&client->lock);
    if (!keep) {
        connection_free(connection);
    }
}

/* A daemon that left one connection has left them all. */
static void
client_drop_idle(struct client *client)
{
    struct connection *connection;

    while ((connection = client_take(client)) != NULL) {
        connection_close(connection);
        client_give(client, connection);
    }
}

/* A connection of ours, not open yet. */
static struct connection *
client_add(struct client *client)
{
    struct connection *connection = connection_new();

    if (connection != NULL) {
        pthread_mutex_lock(&client->lock);
        client_link(client, connection);
        client->taken++;
        pthread_mutex_unlock(&client->lock);
    }
    return connection;
}

static CK_RV
client_connect(struct client *client, struct connection **ret_connection)
{
    struct connection *connection = client_add(client);

    if (connection == NULL) {
        return CKR_HOST_MEMORY;
    }
    if (!client_reach(client, connection, connection_clock() + LIMIT_MS)) {
        int error = errno;

        client_give(client, connection);
        errno = error;
        return CKR_GENERAL_ERROR;
    }
    *ret_connection = connection;
    return CKR_OK;
}

/* A daemon that is being restarted is waited for; once it was waited for in vain, the next
 * calls only look whether it is back. */
static bool
client_reach_again(struct client *client, struct connection *connection, int64_t until)
{
    const struct timespec pause = { .tv_nsec = REACH_PAUSE_NS };

    for (;;) {
        if (client_reach(client, connection, until)) {
            atomic_store(&client->unreachable, false);
            return true;
        }
        if (atomic_load(&client->unreachable) || connection_clock() >= until) {
            atomic_store(&client->unreachable, true);
            return false;
        }
        nanosleep(&pause, NULL);
    }
}

static void
say_unreachable(const struct client_options *options, const char *path, int error)
{
    if (error == EACCES || error == EPERM) {
        fprintf(stderr,
                "Failed to connect socket: permission denied on %s; "
                "be in group azurecloudhsm or run as root\n",
                path);
    } else if (options->unreachable_text != NULL) {
        fprintf(stderr, "%s\n", options->unreachable_text);
    } else {
        fputs("Failed to connect socket\n", stderr);
    }
}

static void
client_free(struct client *client)
{
    struct connection *connection = atomic_load(&client->all);

    while (connection != NULL) {
        struct connection *next = connection->next;

        connection_free(connection);
        connection = next;
    }
    pages_clear(&client->pages);
    pthread_mutex_destroy(&client->lock);
    wipe(client, sizeof *client);
    free(client);
}

/* The socket's path in room, and where certificates are kept. */
static bool
client_config(char *room, size_t size, struct appcfg_storage *ret_storage)
{
    struct appcfg config;
    bool good;

    if (!appcfg_read(true, &config)) {
        return false;
    }
    good = !config.tcp;
    if (good) {
        snprintf(room, size, "%s", config.socket_path);
        *ret_storage = config.storage;
    } else {
        fprintf(stderr, "%s: SOCKET_TYPE=TCP is not offered here; use UNIXSOCKET\n",
                config.file);
    }
    wipe(&config, sizeof config);
    return good;
}

static CK_RV
client_address(const struct client_options *options, struct sockaddr_un *ret_address,
               struct appcfg_storage *ret_storage)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    char configured[sizeof((struct appcfg *)0)->socket_path];
    const char *path = options->socket_path;

    if (path == NULL) {
        if (!client_config(configured, sizeof configured, ret_storage)) {
            return CKR_GENERAL_ERROR;
        }
        path = configured;
    } else if (options->storage != NULL) {
        *ret_storage = *options->storage;
    }
    if (strlen(path) >= sizeof address.sun_path) {
        fprintf(stderr, "Failed to connect socket: %s is longer than %zu characters\n", path,
                sizeof address.sun_path - 1);
        return CKR_GENERAL_ERROR;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    *ret_address = address;
    return CKR_OK;
}

CK_RV
client_open(const struct client_options *options, struct client **ret_client)
{
    struct client *client = calloc(1, sizeof *client);
    struct connection *connection;
    CK_RV rv;

    if (client == NULL) {
        return CKR_HOST_MEMORY;
    }
    pthread_mutex_init(&client->lock, NULL);
    client->linger_trust = LINGER_TRUST_MAX;
    client->interface = options->interface;
    pages_init(&client->pages);
    if ((rv = client_address(options, &client->address, &client->storage)) != CKR_OK) {
        goto out;
    }
    if (getrandom(client->key, sizeof client->key, 0) != (ssize_t)sizeof client->key) {
        rv = CKR_GENERAL_ERROR;
        goto out;
    }
    if ((rv = client_connect(client, &connection)) != CKR_OK) {
        say_unreachable(options, client->address.sun_path, errno);
        goto out;
    }
    client_give(client, connection);
    *ret_client = client;
    client = NULL;
out:
    if (client != NULL) {
        client_free(client);
    }
    return rv;
}

const struct page *
client_page(const struct client *client)
{
    return atomic_load(&client->pages.current);
}

uint64_t
client_clock(void)
{
    return (uint64_t)connection_clock();
}

void
client_close(struct client *client)
{
    if (client == NULL) {
        return;
    }

    struct connection *connection = client_take(client);

    /* The daemon notices the end by itself; asked, it has finished when we return. */
    if (connection != NULL) {
        const struct frame request = {
            .operation = OPERATION_DETACH,
            .request = atomic_fetch_add(&client->requests, 1) + 1,
            .revision = client_revision(client),
        };
        struct frame reply;

        connection_hurry(connection, LIMIT_CLOSE_MS);
        (void)connection_exchange(connection, &request, VIEW_EMPTY,
                                  connection_clock() + LIMIT_CLOSE_MS, &reply);
    }
    client_free(client);
}

void
client_abandon(struct client *client)
{
    if (client != NULL) {
        client_free(client);
    }
}

void
client_disown(struct client *client)
{
    if (client == NULL) {
        return;
    }
    for (struct connection *connection = atomic_load(&client->all); connection != NULL;
         connection = connection->next) {
        connection_close(connection);
    }
    wipe(client->key, sizeof client->key);
}

uint64_t
client_revision(const struct client *client)
{
    return atomic_load(&client->revision);
}

static void
client_saw(struct client *client, uint64_t revision)
{
    uint64_t seen = atomic_load(&client->revision);

    while (seen < revision &&
           !atomic_compare_exchange_weak(&client->revision, &seen, revision)) {
    }
}

CK_RV
call_begin(struct client *client, struct call *call)
{
    *call = (struct call){ .client = client };

    struct connection *connection = client_take(client);

    if (connection == NULL) {
        connection = client_add(client);
        if (connection == NULL) {
            return CKR_HOST_MEMORY;
        }
    }
    call->connection = connection;
    call->body = &connection->body;
    return CKR_OK;
}

/* In place of the one there was; empty for none. life is in milliseconds. */
static void
client_keep_ticket(struct client *client, view ticket, uint32_t life)
{
    pthread_mutex_lock(&client->lock);
    wipe(client->ticket, client->ticket_len);
    client->ticket_len = 0;
    if (ticket.len > 0 && ticket.len <= TICKET_MAX) {
        memcpy(client->ticket, ticket.data, ticket.len);
        client->ticket_len = ticket.len;
        client->ticket_renew_at = connection_clock() + life / 2;
    }
    pthread_mutex_unlock(&client->lock);
}

/* Is it time to renew the ticket, and for this thread to do it? *ret_old is the ticket. */
static bool
client_renews(struct client *client, uint8_t old[TICKET_MAX], size_t *ret_old_len)
{
    bool renews;

    pthread_mutex_lock(&client->lock);
    renews = client->ticket_len > 0 && !client->ticket_renewing &&
             connection_clock() >= client->ticket_renew_at;
    if (renews) {
        client->ticket_renewing = true;
        memcpy(old, client->ticket, client->ticket_len);
        *ret_old_len = client->ticket_len;
    }
    pthread_mutex_unlock(&client->lock);
    return renews;
}

/* After a logout, or another login, the new one is of no use. Without a new one: soon again. */
static void
client_renewed(struct client *client, view old, view ticket, uint32_t life)
{
    bool same;

    pthread_mutex_lock(&client->lock);
    client->ticket_renewing = false;
    client->ticket_renew_at = connection_clock() + TICKET_AGAIN_MS;
    same = view_equal(view_of(client->ticket, client->ticket_len), old);
    pthread_mutex_unlock(&client->lock);
    if (same && ticket.len > 0) {
        client_keep_ticket(client, ticket, life);
    }
}

/* A request that comes when half of the ticket's life is over brings a new one first. */
static void
client_renew(struct client *client)
{
    struct renew_reply answer = { .ticket = VIEW_EMPTY };
    uint8_t old[TICKET_MAX];
    size_t old_len;
    struct call call;

    if (!client_renews(client, old, &old_len)) {
        return;
    }
    if (call_begin(client, &call) == CKR_OK) {
        if (call_send(&call, OPERATION_RENEW, 0, 0) != CKR_OK ||
            !renew_reply_read(call.reply, &answer)) {
            answer = (struct renew_reply){ .ticket = VIEW_EMPTY };
        }
        client_renewed(client, view_of(old, old_len), answer.ticket, answer.life);
        call_end(&call);
    } else {
        client_renewed(client, view_of(old, old_len), VIEW_EMPTY, 0);
    }
    wipe(old, sizeof old);
}

/* Certificates that are kept elsewhere take as long as networks do. */
static bool
is_slow(const struct client *client, const struct operation_row *row)
{
    return row->work == OPERATION_WORK_slow ||
           (client->storage.url[0] != '\0' &&
            (row->operation == OPERATION_FIND || row->operation == OPERATION_OBJECT_CREATE ||
             row->operation == OPERATION_OBJECT_COPY || row->operation == OPERATION_OBJECT_GET ||
             row->operation == OPERATION_OBJECT_SET || row->operation == OPERATION_OBJECT_SIZE ||
             row->operation == OPERATION_OBJECT_DESTROY));
}

/* ---- lingering ---- */

/*
 * On a host that has a processor to spare, a thread that is alone looks for the reply for a moment
 * before it sleeps: to be woken takes longer than most replies. Where they take longer, as the node is
 * far or busy, that is tried seldom.
 */
static bool
client_lingers(struct client *client, const struct operation_row *row)
{
    if (row->work == OPERATION_WORK_slow || row->work == OPERATION_WORK_store ||
        atomic_load_explicit(&client->taken, memory_order_relaxed) != 1 ||
        !page_is_calm(client_page(client), client_clock())) {
        return false;
    }
    return atomic_load_explicit(&client->linger_trust, memory_order_relaxed) > 0 ||
           atomic_fetch_add_explicit(&client->linger_not, 1, memory_order_relaxed) % LINGER_TRY ==
               0;
}

static void
client_lingered(struct client *client, bool was_quick)
{
    unsigned trust = atomic_load_explicit(&client->linger_trust, memory_order_relaxed);

    trust = was_quick ? trust + (trust < LINGER_TRUST_MAX)
                      : trust - (unsigned)size_min(trust, LINGER_LOSS);
    atomic_store_explicit(&client->linger_trust, trust, memory_order_relaxed);
}

/*
 * A request may be sent again under its number: a node runs what is harmless once more, and
 * answers what wrote the store as it did the first time. Only a step of an operation that is
 * bound to a node's memory is not; it is not sent into a dead connection either. A new ticket is
 * asked for once and not waited for long: another request is waiting for it to be over.
 */
static bool
call_exchange(struct call *call, const struct operation_row *row, const struct frame *request,
              struct frame *ret_reply)
{
    struct client *client = call->client;
    struct connection *connection = call->connection;
    const bool renews = row->operation == OPERATION_RENEW;
    const bool again = row->repeat != REPEAT_bound && !renews;
    const int64_t start = connection_clock();
    const int64_t deadline = start + (renews                               ? LIMIT_RENEW_MS
                                      : is_slow(client, row)               ? LIMIT_SLOW_MS
                                      : row->work == OPERATION_WORK_store ? LIMIT_STORE_MS
                                                                           : LIMIT_MS);

    if (!again && connection->fd >= 0 && connection_is_stale(connection)) {
        client_drop_idle(client);
        connection_close(connection);
    }
    for (unsigned tries = 1;; tries++) {
        if (connection->fd < 0 &&
            !(renews ? client_reach(client, connection, deadline)
                     : client_reach_again(client, connection, start + LIMIT_REACH_MS))) {
            return false;
        }
        connection_watch(connection, row->work == OPERATION_WORK_slow ||
                                             row->work == OPERATION_WORK_store
                                         ? atomic_load(&client->pages.current)
                                         : NULL);

        const bool lingers = client_lingers(client, row);

        connection_linger(connection, lingers);
        if (connection_exchange(connection, request, writer_view(call->body), deadline,
                                ret_reply) == OUTCOME_ANSWERED) {
            if (lingers) {
                client_lingered(client, connection->was_quick);
            }
            return true;
        }
        client_drop_idle(client);
        if (!again || tries == TRIES_MAX || connection_clock() >= deadline) {
            return false;
        }
    }
}

/* The next number, and what is told of those before it. */
static uint64_t
client_number(struct client *client, bool once, struct open_request *open, uint32_t *ret_back)
{
    uint64_t number;

    *ret_back = 0;
    if (!once) {
        return atomic_fetch_add(&client->requests, 1) + 1;
    }
    pthread_mutex_lock(&client->lock);
    number = atomic_fetch_add(&client->requests, 1) + 1;
    *ret_back = open_add(&client->open, open, number);
    pthread_mutex_unlock(&client->lock);
    return number;
}

static void
client_settle(struct client *client, struct open_request *open)
{
    pthread_mutex_lock(&client->lock);
    open_remove(&client->open, open);
    pthread_mutex_unlock(&client->lock);
}

CK_RV
call_send(struct call *call, enum operation operation, uint32_t session, uint16_t flags)
{
    struct client *client = call->client;
    const struct operation_row *row = operation_row((uint16_t)operation);
    const bool once = row != NULL && row->repeat == REPEAT_once;
    struct login_reply login;
    struct open_request open;
    struct frame reply;
    uint64_t number;
    uint32_t back;

    call->reply = VIEW_EMPTY;
    if (call->connection == NULL || row == NULL) {
        return CKR_GENERAL_ERROR;
    }
    if (!writer_ok(call->body)) {
        return CKR_HOST_MEMORY;
    }
    if (row->access != ACCESS_any && operation != OPERATION_RENEW &&
        operation != OPERATION_LOGOUT) {
        client_renew(client);
    }
    if (request_is_local(client->interface, operation, writer_view(call->body), &client->local)) {
        flags |= FRAME_LOCAL;
    }
    number = client_number(client, once, &open, &back);

    const struct frame request = {
        .body_len = (uint32_t)call->body->len,
        .operation = (uint16_t)operation,
        .flags = flags,
        .request = number,
        .session = session,
        .code = back,
        .revision = client_revision(client),
    };
    const bool answered = call_exchange(call, row, &request, &reply);

    if (once) {
        client_settle(client, &open);
    }

    if (operation == OPERATION_LOGOUT) {
        /* Also when the answer was lost: no new connection may bring this login back. */
        client_keep_ticket(client, VIEW_EMPTY, 0);
    }
    if (!answered) {
        return CKR_DEVICE_ERROR;
    }
    client_saw(client, reply.revision);
    if (reply.code == CODE_UNKNOWN_CONTEXT || reply.code == CODE_BAD_FRAME) {
        return CKR_DEVICE_ERROR;
    }
    if (reply.code == CKR_OK || reply.code == CKR_BUFFER_TOO_SMALL) {
        call->reply = connection_reply_body(call->connection);
    }
    if (reply.code == CKR_OK && operation == OPERATION_LOGIN &&
        login_reply_read(call->reply, &login)) {
        client_keep_ticket(client, login.ticket, login.life);
    }
    return reply.code;
}

/* Steps that are under way. */
struct stepping {
    struct client *client;
    const struct steps *steps;
    struct frame frame; /* of all of them, but for its number */
    CK_RV rv;
};

static view
stepping_ask(void *arg, size_t at, struct frame *ret_frame, struct writer *head)
{
    struct stepping *stepping = arg;

    *ret_frame = stepping->frame;
    ret_frame->request = client_number(stepping->client, false, NULL, &ret_frame->code);
    return stepping->steps->ask(stepping->steps->arg, at, head);
}

static bool
stepping_hear(void *arg, size_t at, const struct frame *reply, view body)
{
    struct stepping *stepping = arg;

    client_saw(stepping->client, reply->revision);
    if (stepping->rv == CKR_OK) {
        stepping->rv = reply->code == CODE_UNKNOWN_CONTEXT || reply->code == CODE_BAD_FRAME
                           ? CKR_DEVICE_ERROR
                           : reply->code;
        if (stepping->rv == CKR_OK) {
            stepping->rv = stepping->steps->hear(stepping->steps->arg, at, body);
        }
    }
    return stepping->rv == CKR_OK;
}

CK_RV
call_steps(struct call *call, const struct steps *steps, uint32_t session, uint16_t flags)
{
    struct client *client = call->client;
    struct connection *connection = call->connection;
    struct stepping stepping = {
        .client = client,
        .steps = steps,
        .frame = { .operation = (uint16_t)steps->operation,
                   .flags = flags,
                   .session = session,
                   .revision = client_revision(client) },
    };
    const struct series series = { steps->count, stepping_ask, stepping_hear, &stepping };

    if (connection->fd >= 0 && connection_is_stale(connection)) {
        /* What the steps belong to has gone with it. */
        client_drop_idle(client);
        connection_close(connection);
        return CKR_DEVICE_ERROR;
    }
    /* Other threads have all there are. */
    if (connection->fd < 0 && !client_reach(client, connection, connection_clock() + LIMIT_MS)) {
        return CKR_DEVICE_ERROR;
    }
    if (connection_series(connection, &series, LIMIT_MS) != OUTCOME_ANSWERED) {
        client_drop_idle(client);
        return CKR_DEVICE_ERROR;
    }
    return stepping.rv;
}

void
call_end(struct call *call)
{
    struct connection *connection = call->connection;

    if (connection != NULL) {
        writer_reset(&connection->body);
        connection_forget_reply(connection);
        client_give(call->client, connection);
    }
    *call = (struct call){ 0 };
}
