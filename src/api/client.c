/* SPDX-License-Identifier: Apache-2.0
 *
 * A context's connections. Idle ones wait on a stack, so the warmest is taken first; all that
 * exist are also on a list of their own, for a child of fork has to close every copy.
 */
#include "api/client_private.h"

#include "api/connection.h"
#include "base/secret.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define IDLE_MAX 64u
#define LIMIT_CLOSE_MS 1000
#define LIMIT_MAIL_MS 1000 /* the call that asks has its answer already */
#define REACH_PAUSE_NS 10000000
#define MAIL_AFTER 64u /* exchanges: a connection is busy then */
#define HELLO_MAX (160u + CLIENT_TICKET_MAX + sizeof(struct appcfg_storage))

static void
fds_close(const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        close(fds[i]);
    }
}

/* The page that came with HELLO, if it is one. */
static void
client_take_page(struct client *client, struct connection *connection, bool wanted)
{
    int fds[MAIL_FDS];
    size_t count = connection_take_passed(connection, fds);

    if (wanted && count > 0) {
        pthread_mutex_lock(&client->lock);
        pages_take(&client->pages, fds[0]);
        pthread_mutex_unlock(&client->lock);
    }
    fds_close(fds, count);
}

/* Tells the daemon on a new connection whose it is. */
static bool
client_hello(struct client *client, struct connection *connection, int64_t deadline)
{
    uint8_t ticket[CLIENT_TICKET_MAX];
    size_t ticket_len;

    pthread_mutex_lock(&client->lock);
    ticket_len = client->ticket_len;
    memcpy(ticket, client->ticket, ticket_len);
    pthread_mutex_unlock(&client->lock);

    const struct hello_request hello = {
        .version = frame_version,
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

bool
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

struct connection *
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

/* A busy connection gets a mailbox. One that gets none works as before, and is not asked for it
 * again. */
static void
client_mail(struct client *client, struct connection *connection)
{
    const struct frame request = {
        .operation = OPERATION_MAILBOX,
        .request = atomic_fetch_add(&client->requests, 1) + 1,
    };
    struct mailbox_reply answer;
    struct frame reply;
    struct mail *mail, *before;
    int fds[MAIL_FDS];
    size_t count;
    bool given;

    connection->asked_mail = true;
    connection_expect(connection);
    given = connection_exchange(connection, &request, VIEW_EMPTY,
                                connection_clock() + LIMIT_MAIL_MS, &reply) == OUTCOME_ANSWERED &&
            reply.code == CKR_OK &&
            mailbox_reply_read(connection_reply_body(connection), &answer) &&
            answer.number < MAILBOXES;
    count = connection_take_passed(connection, fds);
    connection_forget_reply(connection);
    if (!given || count != MAIL_FDS) {
        fds_close(fds, count); /* one alone, where this process may have no more */
        return;
    }
    pthread_mutex_lock(&client->lock);
    before = client->mail;
    mail = mail_open(before, fds);
    if (mail != NULL && mail != before) {
        client->mail = mail_ref(mail);
        mail_release(before);
    }
    pthread_mutex_unlock(&client->lock);
    connection_mail(connection, mail, answer.number);
}

void
client_give(struct client *client, struct connection *connection)
{
    bool keep = false;

    if (connection->fd >= 0 && connection->exchanges >= MAIL_AFTER && !connection->asked_mail) {
        client_mail(client, connection);
    }
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

void
client_drop_idle(struct client *client)
{
    struct connection *connection;

    while ((connection = client_take(client)) != NULL) {
        connection_close(connection);
        client_give(client, connection);
    }
}

struct connection *
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
    if (!client_reach(client, connection, connection_clock() + CONNECTION_LIMIT_MS)) {
        int error = errno;

        client_give(client, connection);
        errno = error;
        return CKR_GENERAL_ERROR;
    }
    *ret_connection = connection;
    return CKR_OK;
}

bool
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
    mail_release(client->mail);
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
    for (size_t i = 0; i < LINGER_KINDS; i++) {
        client->lingering[i].trust = CLIENT_TRUST_MAX;
    }
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
    struct mail *mail;

    if (client == NULL) {
        return;
    }
    mail = client->mail;
    for (struct connection *connection = atomic_load(&client->all); connection != NULL;
         connection = connection->next) {
        connection_close(connection);
    }
    client->mail = NULL;
    mail_release(mail);
    wipe(client->key, sizeof client->key);
}

uint64_t
client_revision(const struct client *client)
{
    return atomic_load(&client->revision);
}
