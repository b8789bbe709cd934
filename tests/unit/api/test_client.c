/* SPDX-License-Identifier: Apache-2.0
 *
 * The client against a daemon that does what a test tells it: answers in crumbs, with the
 * wrong number, not at all, or dies at each byte of its answer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "api/call.h"
#include "api/connection.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TRIES 4u /* of a request, src/api/client.c */

enum manner {
    MANNER_FAITHFUL,
    MANNER_CRUMBS,          /* a byte at a time */
    MANNER_WRONG_NUMBER,
    MANNER_WRONG_OPERATION,
    MANNER_NO_REPLY_FLAG,
    MANNER_EXTRA_BYTE,
    MANNER_SILENT,
    MANNER_DIES,            /* after sending `at` bytes */
    MANNER_DIES_ONCE,       /* the same, then faithful */
    MANNER_OTHER_VERSION    /* in the answer to HELLO */
};

#define CONNECTIONS_MAX 128

struct fake {
    char folder[64];
    char path[96];
    int listener;
    pthread_t thread;
    int wake[2];
    _Atomic int manner;
    _Atomic size_t at;
    _Atomic uint32_t code;
    _Atomic uint64_t revision;
    _Atomic bool hang_up; /* close all connections at the next wake-up */
    _Atomic unsigned hellos;
    _Atomic unsigned requests; /* beside HELLO, MAILBOX and DETACH */
    _Atomic unsigned mailboxes;
    _Atomic bool mail_hangs; /* whoever asks for a mailbox hears nothing */
    _Atomic unsigned detaches;
    _Atomic uint64_t last_request;
    _Atomic uint64_t last_settled;
    _Atomic uint64_t last_revision;
    uint8_t keys[2][FRAME_CONTEXT_LEN]; /* of the first two HELLOs */
    char ticket[64];                    /* of the last HELLO; read it when the call is over */
};

/* All or false. */
static bool
read_all(int fd, void *out, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t got = recv(fd, (uint8_t *)out + at, len - at, 0);

        if (got <= 0) {
            return false;
        }
        at += (size_t)got;
    }
    return true;
}

static bool
send_all(int fd, const uint8_t *bytes, size_t len, size_t step)
{
    for (size_t at = 0; at < len;) {
        ssize_t sent = send(fd, bytes + at, size_min(step, len - at), MSG_NOSIGNAL);

        if (sent <= 0) {
            return false;
        }
        at += (size_t)sent;
    }
    return true;
}

static void
hello_seen(struct fake *fake, const uint8_t *body, size_t len)
{
    struct hello_request hello;
    unsigned count = atomic_fetch_add(&fake->hellos, 1);

    assert_true(hello_request_read(view_of(body, len), &hello));
    assert_int_equal(hello.key.len, FRAME_CONTEXT_LEN);
    if (count < 2) {
        memcpy(fake->keys[count], hello.key.data, hello.key.len);
    }
    assert_true(hello.ticket.len < sizeof fake->ticket);
    memset(fake->ticket, 0, sizeof fake->ticket);
    if (hello.ticket.len > 0) {
        memcpy(fake->ticket, hello.ticket.data, hello.ticket.len);
    }
}

/* Answers one request; false when the connection is to be closed. */
static bool
answer(struct fake *fake, int fd)
{
    uint8_t header[FRAME_HEADER_LEN];
    struct frame frame;
    struct writer reply;
    size_t step = SIZE_MAX;
    int manner = atomic_load(&fake->manner);
    uint8_t *body;
    bool ok;

    if (!read_all(fd, header, sizeof header) || !frame_decode(header, &frame)) {
        return false;
    }
    body = malloc(frame.body_len + 1);
    if (!read_all(fd, body, frame.body_len)) {
        free(body);
        return false;
    }
    writer_init(&reply, FRAME_MAX);
    if (frame.operation == OPERATION_HELLO) {
        const struct hello_reply hello = {
            .version = manner == MANNER_OTHER_VERSION ? 9 : FRAME_VERSION
        };
        size_t start = frame_begin(&reply);
        struct frame turned = { .operation = frame.operation, .flags = FRAME_REPLY,
                                .request = frame.request };

        hello_seen(fake, body, frame.body_len);
        hello_reply_write(&reply, &hello);
        assert_true(frame_end(&reply, start, &turned));
        ok = send_all(fd, reply.data, reply.len, SIZE_MAX);
        goto out;
    }
    if (frame.operation == OPERATION_MAILBOX) {
        frame_reply(&reply, &frame, (uint32_t)CKR_FUNCTION_NOT_SUPPORTED, 0, VIEW_EMPTY);
        atomic_fetch_add(&fake->mailboxes, 1);
        ok = atomic_load(&fake->mail_hangs) || send_all(fd, reply.data, reply.len, SIZE_MAX);
        goto out;
    }
    if (frame.operation == OPERATION_DETACH) {
        atomic_fetch_add(&fake->detaches, 1);
        manner = MANNER_FAITHFUL;
    } else {
        atomic_fetch_add(&fake->requests, 1);
        atomic_store(&fake->last_request, frame.request);
        atomic_store(&fake->last_settled, frame_settled(&frame));
        atomic_store(&fake->last_revision, frame.revision);
    }

    /* An echo: the body of the request is the reply's. */
    uint32_t code = atomic_load(&fake->code);
    struct frame turned = frame;

    turned.request += manner == MANNER_WRONG_NUMBER;
    turned.operation = (uint16_t)(turned.operation + (manner == MANNER_WRONG_OPERATION));
    frame_reply(&reply, &turned, code, atomic_load(&fake->revision),
                code == CKR_OK ? view_of(body, frame.body_len) : VIEW_EMPTY);
    ok = true;
    switch (manner) {
    case MANNER_CRUMBS:
        step = 1;
        break;
    case MANNER_NO_REPLY_FLAG:
        reply.data[6] = 0;
        break;
    case MANNER_EXTRA_BYTE:
        write_u8(&reply, 0);
        break;
    case MANNER_SILENT:
        goto out;
    case MANNER_DIES_ONCE:
        atomic_store(&fake->manner, MANNER_FAITHFUL);
        writer_truncate(&reply, atomic_load(&fake->at));
        ok = false;
        break;
    case MANNER_DIES:
        writer_truncate(&reply, atomic_load(&fake->at));
        ok = false;
        break;
    default:
        break;
    }
    ok = send_all(fd, reply.data, reply.len, step) && ok;
out:
    writer_clear(&reply);
    free(body);
    return ok;
}

static void *
fake_run(void *arg)
{
    struct fake *fake = arg;
    struct pollfd entries[CONNECTIONS_MAX + 2] = { { .fd = fake->wake[0], .events = POLLIN },
                                                   { .fd = fake->listener, .events = POLLIN } };
    nfds_t count = 2;

    for (;;) {
        assert_true(poll(entries, count, -1) >= 0);
        if (entries[0].revents != 0) {
            uint8_t word;

            assert_int_equal(read(fake->wake[0], &word, 1), 1);
            for (nfds_t i = 2; i < count; i++) {
                close(entries[i].fd);
            }
            count = 2;
            if (word == 'q') {
                return NULL;
            }
            atomic_store(&fake->hang_up, false);
            continue;
        }
        for (nfds_t i = 2; i < count; i++) {
            if (entries[i].revents != 0 && !answer(fake, entries[i].fd)) {
                close(entries[i].fd);
                entries[i--] = entries[--count];
            }
        }
        if (entries[1].revents != 0) {
            int fd = accept(fake->listener, NULL, NULL);

            if (fd >= 0) {
                assert_true(count < CONNECTIONS_MAX + 2);
                entries[count] = (struct pollfd){ .fd = fd, .events = POLLIN };
                count++;
            }
        }
    }
}

static void
fake_hang_up(struct fake *fake)
{
    const struct timespec step = { .tv_nsec = 1000000 };

    atomic_store(&fake->hang_up, true);
    assert_int_equal(write(fake->wake[1], "h", 1), 1);
    while (atomic_load(&fake->hang_up)) {
        nanosleep(&step, NULL);
    }
}

static int
fake_start(void **state)
{
    struct fake *fake = calloc(1, sizeof *fake);
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    strcpy(fake->folder, "/tmp/test_client.XXXXXX");
    if (mkdtemp(fake->folder) == NULL) {
        return -1;
    }
    snprintf(fake->path, sizeof fake->path, "%s/socket", fake->folder);
    strcpy(address.sun_path, fake->path);
    fake->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fake->listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fake->listener, 128) != 0 || pipe(fake->wake) != 0 ||
        pthread_create(&fake->thread, NULL, fake_run, fake) != 0) {
        return -1;
    }
    *state = fake;
    return 0;
}

static int
fake_stop(void **state)
{
    struct fake *fake = *state;

    if (write(fake->wake[1], "q", 1) != 1) {
        return -1;
    }
    pthread_join(fake->thread, NULL);
    close(fake->listener);
    close(fake->wake[0]);
    close(fake->wake[1]);
    unlink(fake->path);
    rmdir(fake->folder);
    free(fake);
    return 0;
}

static struct client *
open_client(const struct fake *fake)
{
    const struct client_options options = { .interface = INTERFACE_P11,
                                            .socket_path = fake->path };
    struct client *client = NULL;

    assert_int_equal(client_open(&options, &client), CKR_OK);
    return client;
}

/* An echo of len bytes through the given operation. */
static CK_RV
echo(struct client *client, enum operation operation, size_t len)
{
    uint8_t *bytes = malloc(len + 1);
    struct call call;
    CK_RV rv;

    memset(bytes, 0x5a, len);
    rv = call_begin(client, &call);
    if (rv == CKR_OK) {
        write_raw(call.body, view_of(bytes, len));
        rv = call_send(&call, operation, 0, 0);
    }
    if (rv == CKR_OK) {
        assert_true(view_equal(call.reply, view_of(bytes, len)));
    }
    call_end(&call);
    free(bytes);
    return rv;
}

static void
a_call_returns_the_reply(void **state)
{
    struct fake *fake = *state;
    struct client *client = open_client(fake);

    assert_int_equal(echo(client, OPERATION_RANDOM, 10), CKR_OK);
    assert_int_equal(echo(client, OPERATION_RANDOM, 0), CKR_OK);
    assert_int_equal(echo(client, OPERATION_RANDOM, FRAME_BODY_MAX), CKR_OK);

    assert_int_equal(fake->hellos, 1);
    assert_int_equal(fake->requests, 3);
    client_close(client);
    assert_int_equal(fake->detaches, 1);
}

static void
a_body_that_is_too_long_is_not_sent(void **state)
{
    struct fake *fake = *state;
    struct client *client = open_client(fake);

    assert_int_equal(echo(client, OPERATION_RANDOM, FRAME_BODY_MAX + 1), CKR_HOST_MEMORY);

    assert_int_equal(fake->requests, 0);
    assert_int_equal(echo(client, OPERATION_RANDOM, 1), CKR_OK);
    client_close(client);
}

static void
a_refusal_comes_as_it_is_without_a_body(void **state)
{
    struct fake *fake = *state;
    struct client *client = open_client(fake);

    atomic_store(&fake->code, CKR_USER_NOT_LOGGED_IN);
    assert_int_equal(echo(client, OPERATION_RANDOM, 10), CKR_USER_NOT_LOGGED_IN);
    atomic_store(&fake->code, CODE_UNKNOWN_CONTEXT);
    assert_int_equal(echo(client, OPERATION_RANDOM, 10), CKR_DEVICE_ERROR);

    assert_int_equal(fake->hellos, 1); /* the connection is still good */
    client_close(client);
}

static void
an_answer_in_crumbs_is_put_together(void **state)
{
    struct fake *fake = *state;
    struct client *client = open_client(fake);

    atomic_store(&fake->manner, MANNER_CRUMBS);
    assert_int_equal(echo(client, OPERATION_LOGIN, 300), CKR_OK);

    client_close(client);
}

static void
an_answer_to_something_else_breaks_the_connection(void **state)
{
    static const enum manner manners[] = { MANNER_WRONG_NUMBER, MANNER_WRONG_OPERATION,
                                           MANNER_NO_REPLY_FLAG, MANNER_EXTRA_BYTE };
    struct fake *fake = *state;
    struct client *client = open_client(fake);

    for (unsigned i = 0; i < ARRAY_COUNT(manners); i++) {
        atomic_store(&fake->manner, (int)manners[i]);
        assert_int_equal(echo(client, OPERATION_RANDOM, 4), CKR_DEVICE_ERROR);
        atomic_store(&fake->manner, MANNER_FAITHFUL);
        assert_int_equal(echo(client, OPERATION_RANDOM, 4), CKR_OK);
        assert_int_equal(fake->hellos, 1 + TRIES * (i + 1));
    }
    client_close(client);
}

static void
a_daemon_that_dies_in_its_answer_is_a_device_error(void **state)
{
    struct fake *fake = *state;
    struct client *client = open_client(fake);

    for (size_t at = 1; at < FRAME_HEADER_LEN + 4; at++) {
        atomic_store(&fake->at, at);
        atomic_store(&fake->manner, MANNER_DIES);
        assert_int_equal(echo(client, OPERATION_RANDOM, 4), CKR_DEVICE_ERROR);
        atomic_store(&fake->manner, MANNER_FAITHFUL);
        assert_int_equal(echo(client, OPERATION_LOGIN, 4), CKR_OK);
    }
    client_close(client);
}

static void
what_a_node_knows_by_its_number_is_sent_again(void **state)
{
    struct fake *fake = *state;
    struct client *client = open_client(fake);

    atomic_store(&fake->manner, MANNER_DIES_ONCE);
    assert_int_equal(echo(client, OPERATION_RANDOM, 4), CKR_OK);
    assert_int_equal(fake->requests, 2);
    assert_int_equal(fake->hellos, 2);

    atomic_store(&fake->manner, MANNER_DIES_ONCE);
    assert_int_equal(echo(client, OPERATION_LOGIN, 4), CKR_OK);
    assert_int_equal(fake->requests, 4);

    /* A few times, and no oftener. */
    atomic_store(&fake->manner, MANNER_DIES);
    assert_int_equal(echo(client, OPERATION_RANDOM, 4), CKR_DEVICE_ERROR);
    assert_int_equal(fake->requests, 4 + TRIES);
    atomic_store(&fake->manner, MANNER_FAITHFUL);
    client_close(client);
}

static void
a_repeat_has_the_same_number_and_the_same_context(void **state)
{
    struct fake *fake = *state;
    struct client *client = open_client(fake);

    assert_int_equal(echo(client, OPERATION_RANDOM, 4), CKR_OK);

    uint64_t before = fake->last_request;

    atomic_store(&fake->manner, MANNER_DIES_ONCE);
    assert_int_equal(echo(client, OPERATION_RANDOM, 4), CKR_OK);

    assert_int_equal(fake->last_request, before + 1); /* the HELLO between took the next one */
    assert_memory_equal(fake->keys[0], fake->keys[1], FRAME_CONTEXT_LEN);
    client_close(client);
}

static void
a_request_tells_that_those_before_it_are_over(void **state)
{
    struct fake *fake = *state;
    struct client *client = open_client(fake);

    assert_int_equal(echo(client, OPERATION_RANDOM, 4), CKR_OK);
    assert_int_equal(fake->last_settled, 0); /* it has no effect to settle */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(echo(client, OPERATION_OBJECT_DESTROY, 4), CKR_OK);
        assert_int_equal(fake->last_settled, fake->last_request);
    }
    /* One that was given up is over, too. */
    atomic_store(&fake->manner, MANNER_DIES);
    assert_int_equal(echo(client, OPERATION_OBJECT_DESTROY, 4), CKR_DEVICE_ERROR);
    atomic_store(&fake->manner, MANNER_FAITHFUL);
    assert_int_equal(echo(client, OPERATION_OBJECT_DESTROY, 4), CKR_OK);
    assert_int_equal(fake->last_settled, fake->last_request);
    client_close(client);
}

static void
a_step_of_a_bound_operation_is_sent_once(void **state)
{
    struct fake *fake = *state;
    struct client *client = open_client(fake);

    atomic_store(&fake->manner, MANNER_DIES_ONCE);
    assert_int_equal(echo(client, OPERATION_UPDATE, 4), CKR_DEVICE_ERROR);
    assert_int_equal(fake->requests, 1);

    assert_int_equal(echo(client, OPERATION_UPDATE, 4), CKR_OK);
    client_close(client);
}

static void
a_restarted_daemon_is_found_before_anything_is_sent(void **state)
{
    static const enum operation operations[] = { OPERATION_LOGIN, OPERATION_UPDATE,
                                                 OPERATION_RANDOM };
    struct fake *fake = *state;
    struct client *client = open_client(fake);

    for (unsigned i = 0; i < ARRAY_COUNT(operations); i++) {
        fake_hang_up(fake);
        assert_int_equal(echo(client, operations[i], 4), CKR_OK);
        assert_int_equal(fake->requests, i + 1);
        assert_int_equal(fake->hellos, i + 2);
    }
    client_close(client);
}

static void
silence_ends_after_six_seconds(void **state)
{
    struct fake *fake = *state;
    struct client *client = open_client(fake);
    struct timespec start;
    struct timespec end;

    atomic_store(&fake->manner, MANNER_SILENT);
    clock_gettime(CLOCK_MONOTONIC, &start);
    assert_int_equal(echo(client, OPERATION_RANDOM, 4), CKR_DEVICE_ERROR);
    clock_gettime(CLOCK_MONOTONIC, &end);
    atomic_store(&fake->manner, MANNER_FAITHFUL);

    assert_in_range(end.tv_sec - start.tv_sec, 5, 20);
    assert_int_equal(fake->requests, 1); /* it may still be under way: no repeat */
    client_close(client);
}

static void
revisions_only_rise(void **state)
{
    struct fake *fake = *state;
    struct client *client = open_client(fake);

    atomic_store(&fake->revision, 70);
    assert_int_equal(echo(client, OPERATION_RANDOM, 4), CKR_OK);
    atomic_store(&fake->revision, 60);
    assert_int_equal(echo(client, OPERATION_RANDOM, 4), CKR_OK);

    assert_int_equal(client_revision(client), 70);
    assert_int_equal(fake->last_revision, 70);
    client_close(client);
}

/* The daemon's answer is what we send: a login with this ticket. */
static void
login_with(struct client *client, const char *ticket)
{
    const struct login_reply login = { .user = 3, .role = ROLE_CU, .ticket = view_str(ticket) };
    struct call call;

    assert_int_equal(call_begin(client, &call), CKR_OK);
    login_reply_write(call.body, &login);
    assert_int_equal(call_send(&call, OPERATION_LOGIN, 0, 0), CKR_OK);
    call_end(&call);
}

static void
a_login_is_shown_to_a_restarted_daemon(void **state)
{
    struct fake *fake = *state;
    struct client *client = open_client(fake);

    assert_string_equal(fake->ticket, "");
    login_with(client, "first ticket");
    fake_hang_up(fake);
    assert_int_equal(echo(client, OPERATION_RANDOM, 4), CKR_OK);

    assert_string_equal(fake->ticket, "first ticket");
    client_close(client);
}

static void
a_logout_takes_the_ticket_away(void **state)
{
    struct fake *fake = *state;
    struct client *client = open_client(fake);

    login_with(client, "a ticket");
    assert_int_equal(echo(client, OPERATION_LOGOUT, 0), CKR_OK);
    fake_hang_up(fake);
    assert_int_equal(echo(client, OPERATION_RANDOM, 4), CKR_OK);
    assert_string_equal(fake->ticket, "");

    /* Also a logout whose answer was lost. */
    login_with(client, "another ticket");
    atomic_store(&fake->manner, MANNER_DIES);
    assert_int_equal(echo(client, OPERATION_LOGOUT, 0), CKR_DEVICE_ERROR);
    atomic_store(&fake->manner, MANNER_FAITHFUL);
    assert_int_equal(echo(client, OPERATION_RANDOM, 4), CKR_OK);
    assert_string_equal(fake->ticket, "");
    client_close(client);
}

static void
without_a_daemon_open_is_a_general_error(void **state)
{
    const struct client_options options = { .interface = INTERFACE_API,
                                            .socket_path = "/tmp/there/is/no/such.sock" };
    struct client *client = NULL;

    (void)state;
    assert_int_equal(client_open(&options, &client), CKR_GENERAL_ERROR);
    assert_null(client);
}

static void
a_daemon_of_another_version_is_refused(void **state)
{
    struct fake *fake = *state;
    const struct client_options options = { .interface = INTERFACE_API,
                                            .socket_path = fake->path };
    struct client *client = NULL;

    atomic_store(&fake->manner, MANNER_OTHER_VERSION);
    assert_int_equal(client_open(&options, &client), CKR_GENERAL_ERROR);
    assert_null(client);
}

static void *
caller_run(void *arg)
{
    for (unsigned i = 0; i < 200; i++) {
        if (echo(arg, i % 2 == 0 ? OPERATION_RANDOM : OPERATION_LOGIN, i) != CKR_OK) {
            return arg;
        }
    }
    return NULL;
}

static void
many_threads_call_at_once(void **state)
{
    struct fake *fake = *state;
    struct client *client = open_client(fake);
    pthread_t threads[8];

    for (size_t i = 0; i < ARRAY_COUNT(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, caller_run, client), 0);
    }
    for (size_t i = 0; i < ARRAY_COUNT(threads); i++) {
        void *failed;

        pthread_join(threads[i], &failed);
        assert_null(failed);
    }

    assert_int_equal(fake->requests, 1600);
    assert_in_range(fake->hellos, 1, ARRAY_COUNT(threads));
    /* This daemon gives none, and each busy connection has asked for one once. */
    assert_in_range(fake->mailboxes, 1, fake->hellos);
    client_close(client);
}

/* With two exchanges each, calls pass by the 64th. */
static void
a_busy_connection_asks_for_its_mailbox_once(void **state)
{
    struct fake *fake = *state;
    struct client *client = open_client(fake);
    struct call call;

    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(call_begin(client, &call), CKR_OK);
        assert_int_equal(call_send(&call, OPERATION_TOKEN, 0, 0), CKR_OK);
        assert_int_equal(call_send(&call, OPERATION_TOKEN, 0, 0), CKR_OK);
        call_end(&call);
        assert_int_equal(fake->mailboxes, i >= 31);
    }
    assert_int_equal(fake->hellos, 1);
    client_close(client);
}

static void
who_waits_for_a_mailbox_in_vain_goes_on(void **state)
{
    struct fake *fake = *state;
    struct client *client = open_client(fake);
    const uint64_t start = client_clock();

    atomic_store(&fake->mail_hangs, true);
    for (unsigned i = 0; i < 70; i++) {
        assert_int_equal(echo(client, OPERATION_TOKEN, 4), CKR_OK);
    }

    assert_in_range(client_clock() - start, 900, 4000);
    assert_int_equal(fake->mailboxes, 1);
    assert_int_equal(fake->hellos, 2);
    client_close(client);
}

static void
a_child_of_fork_leaves_the_parents_context_alone(void **state)
{
    struct fake *fake = *state;
    struct client *client = open_client(fake);
    struct call call;
    int status, fd;
    pid_t child;

    assert_int_equal(call_begin(client, &call), CKR_OK);
    fd = call.connection->fd;
    child = fork();
    if (child == 0) {
        /* As if the fork had come while another thread made room for a longer reply. */
        free(call.connection->reply);
        client_disown(client);
        client_disown(client);
        _exit(fcntl(fd, F_GETFD) >= 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    call_end(&call);

    assert_int_equal(status, 0);
    assert_int_equal(echo(client, OPERATION_LOGIN, 4), CKR_OK);
    assert_int_equal(fake->hellos, 1);
    assert_int_equal(fake->detaches, 0);
    client_close(client);
}

#define WITH_FAKE(test) cmocka_unit_test_setup_teardown(test, fake_start, fake_stop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FAKE(a_call_returns_the_reply),
        WITH_FAKE(a_body_that_is_too_long_is_not_sent),
        WITH_FAKE(a_refusal_comes_as_it_is_without_a_body),
        WITH_FAKE(an_answer_in_crumbs_is_put_together),
        WITH_FAKE(an_answer_to_something_else_breaks_the_connection),
        WITH_FAKE(a_daemon_that_dies_in_its_answer_is_a_device_error),
        WITH_FAKE(what_a_node_knows_by_its_number_is_sent_again),
        WITH_FAKE(a_repeat_has_the_same_number_and_the_same_context),
        WITH_FAKE(a_request_tells_that_those_before_it_are_over),
        WITH_FAKE(a_step_of_a_bound_operation_is_sent_once),
        WITH_FAKE(a_restarted_daemon_is_found_before_anything_is_sent),
        WITH_FAKE(silence_ends_after_six_seconds),
        WITH_FAKE(revisions_only_rise),
        WITH_FAKE(a_login_is_shown_to_a_restarted_daemon),
        WITH_FAKE(a_logout_takes_the_ticket_away),
        cmocka_unit_test(without_a_daemon_open_is_a_general_error),
        WITH_FAKE(a_daemon_of_another_version_is_refused),
        WITH_FAKE(many_threads_call_at_once),
        WITH_FAKE(a_busy_connection_asks_for_its_mailbox_once),
        WITH_FAKE(who_waits_for_a_mailbox_in_vain_goes_on),
        WITH_FAKE(a_child_of_fork_leaves_the_parents_context_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
