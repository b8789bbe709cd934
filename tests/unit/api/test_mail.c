/* SPDX-License-Identifier: Apache-2.0
 *
 * Mailboxes between their two real sides: connections of this process, and links on a loop's thread.
 *
 * Who waits looks every 50 ms, and rings once more for a daemon that has not taken its request. Here
 * that ring is not given (the linker's --wrap) but where a test wants it, so that a bell that is lost
 * is lost for good.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/connection.h"
#include "api/mail.h"
#include "net/link.h"
#include "net/mailroom.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define THREADS 12u
#define EXCHANGES 3000u
#define ALONE 300000u
#define ALONE_MS 5000 /* or so many, where that is much */
#define DELAYS 2000u /* some nanoseconds each */
#define SIZES (MAILBOX_SIZE + 1000u)
#define ROOMS 2u
#define LARGE 100000u
#define PAUSE_MS 80u
#define PEEK_NS 100000000
#define LIMIT_MS 20000
#define SOON_MS 1000 /* and what a busy machine adds */

/* What the first byte of a body asks for; the second is what the reply is made of. */
enum wish {
    WISH_ECHO = 1,
    WISH_LARGE,
    WISH_SILENCE,
    WISH_END,
    WISH_LATER, /* an echo, by a link that is paused meanwhile */
    WISH_LARGE_LATER
};

static _Atomic bool peeks_slowly, rings_again;

void __real_mail_ring(struct mail *mail, uint32_t number);
void __wrap_mail_ring(struct mail *mail, uint32_t number);
void
__wrap_mail_ring(struct mail *mail, uint32_t number)
{
    if (atomic_load(&rings_again)) {
        __real_mail_ring(mail, number);
    }
}

/* The look whether the daemon is there may take as long as anything. */
ssize_t __real_recv(int fd, void *out, size_t size, int flags);
ssize_t __wrap_recv(int fd, void *out, size_t size, int flags);
ssize_t
__wrap_recv(int fd, void *out, size_t size, int flags)
{
    const struct timespec pause = { .tv_nsec = PEEK_NS };

    if ((flags & MSG_PEEK) != 0 && atomic_load(&peeks_slowly)) {
        nanosleep(&pause, NULL);
    }
    return __real_recv(fd, out, size, flags);
}

/* ---- the daemon's side, on the loop's thread ---- */

struct server;

struct peer {
    struct server *server;
    struct link *link;
    struct timer *later;
    struct frame frame;
    size_t len;
    uint8_t fill;
};

struct server {
    struct loop *loop;
    pthread_t thread;
    struct mailroom *rooms[ROOMS];
    struct peer peers[ROOMS][MAILBOXES];
    uint8_t reply[LARGE];
    /* What the test's thread wants done. */
    void (*task)(struct server *server);
    sem_t done;
    unsigned room;
    int fd;
    uint32_t number;
};

static void
peer_end(struct peer *peer)
{
    timer_free(peer->later);
    link_free(peer->link);
    *peer = (struct peer){ .link = NULL };
}

static void
peer_answer(struct peer *peer)
{
    struct server *server = peer->server;

    memset(server->reply, peer->fill, peer->len);
    frame_reply(link_output(peer->link), &peer->frame, 0, 0, view_of(server->reply, peer->len));
    link_flush(peer->link);
}

static void
on_later(void *arg)
{
    struct peer *peer = arg;

    timer_free(peer->later);
    peer->later = NULL;
    link_resume(peer->link);
    peer_answer(peer);
}

static void
on_frame(void *arg, struct link *link, const struct frame *frame, view body)
{
    struct peer *peer = arg;
    enum wish wish;

    /* cmocka's assertions are for the test's own thread. */
    if (body.len < 2) {
        abort();
    }
    wish = (enum wish)body.data[0];
    peer->frame = *frame;
    peer->fill = body.data[1];
    peer->len = wish == WISH_LARGE || wish == WISH_LARGE_LATER ? LARGE : body.len;
    for (size_t i = 2; i < body.len; i++) {
        if (body.data[i] != peer->fill) {
            abort();
        }
    }
    if (wish == WISH_ECHO || wish == WISH_LARGE) {
        peer_answer(peer);
    } else if (wish == WISH_END) {
        peer_end(peer);
    } else if (wish == WISH_LATER || wish == WISH_LARGE_LATER) {
        link_pause(link);
        peer->later = timer_new(peer->server->loop, PAUSE_MS, false, on_later, peer);
    }
}

static void
on_down(void *arg, struct link *link, const char *reason)
{
    UNUSED(link);
    UNUSED(reason);
    peer_end(arg);
}

static const struct link_events peer_events = { .frame = on_frame, .down = on_down };

static void *
server_run(void *arg)
{
    loop_run(((struct server *)arg)->loop);
    return NULL;
}

static void
on_task(void *arg)
{
    struct server *server = arg;

    server->task(server);
    sem_post(&server->done);
}

static void
server_do(struct server *server, void (*task)(struct server *server))
{
    server->task = task;
    assert_true(loop_post(server->loop, on_task, server));
    assert_int_equal(sem_wait(&server->done), 0);
}

static void
task_nothing(struct server *server)
{
    UNUSED(server);
}

static void
task_peer(struct server *server)
{
    struct peer *peer = server->peers[server->room];

    while (peer->link != NULL) {
        peer++;
    }
    *peer = (struct peer){ .server = server };
    peer->link = link_new(server->loop, server->fd, NULL, true, &peer_events, peer);
    if (peer->link == NULL ||
        !mailroom_give(server->rooms[server->room], peer->link, &server->number)) {
        abort();
    }
}

static void
task_close(struct server *server)
{
    for (unsigned i = 0; i < MAILBOXES; i++) {
        peer_end(&server->peers[server->room][i]);
    }
    mailroom_free(server->rooms[server->room]);
    server->rooms[server->room] = NULL;
}

/* ---- the library's side ---- */

struct fixture {
    struct server server;
    struct mail *mails[ROOMS];
    struct mailroom_memory *memory; /* of the first room, as the process has it */
};

static struct mail *
mail_of(struct mailroom *room, struct mail *known)
{
    int fds[MAILROOM_FDS];

    mailroom_fds(room, fds);
    for (unsigned i = 0; i < MAILROOM_FDS; i++) {
        fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
        assert_true(fds[i] >= 0);
    }
    return mail_open(known, fds);
}

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct server *server = &f->server;
    int fds[MAILROOM_FDS];

    server->loop = loop_new();
    for (unsigned i = 0; i < ROOMS; i++) {
        server->rooms[i] = mailroom_new(server->loop);
        f->mails[i] = mail_of(server->rooms[i], NULL);
        assert_non_null(f->mails[i]);
    }
    mailroom_fds(server->rooms[0], fds);
    f->memory = mmap(NULL, sizeof *f->memory, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);
    assert_true(f->memory != MAP_FAILED);
    sem_init(&server->done, 0, 0);
    assert_int_equal(pthread_create(&server->thread, NULL, server_run, server), 0);
    server_do(server, task_nothing); /* it has begun, which takes a descriptor for a moment */
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    struct server *server = &f->server;

    loop_stop(server->loop);
    pthread_join(server->thread, NULL);
    for (server->room = 0; server->room < ROOMS; server->room++) {
        task_close(server);
        mail_release(f->mails[server->room]);
    }
    munmap(f->memory, sizeof *f->memory);
    loop_free(server->loop);
    sem_destroy(&server->done);
    free(f);
    return 0;
}

static struct connection *
connect_to(struct fixture *f, unsigned room)
{
    struct connection *connection = connection_new();
    int fds[2];

    assert_non_null(connection);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    connection->fd = fds[0];
    f->server.fd = fds[1];
    f->server.room = room;
    server_do(&f->server, task_peer);
    connection_mail(connection, mail_ref(f->mails[room]), f->server.number);
    return connection;
}

/* The second byte makes the rest of it. */
static enum outcome
exchange(struct connection *connection, enum wish wish, uint8_t fill, size_t len, int64_t limit_ms)
{
    static _Atomic uint64_t requests;
    uint8_t body[2 * MAILBOX_SIZE];
    const struct frame request = { .operation = 3,
                                   .request = atomic_fetch_add(&requests, 1) + 1,
                                   .body_len = (uint32_t)len };
    struct frame reply;

    memset(body, fill, len);
    body[0] = (uint8_t)wish;
    return connection_exchange(connection, &request, view_of(body, len),
                               connection_clock() + limit_ms, &reply);
}

static bool
reply_is(const struct connection *connection, uint8_t fill, size_t len)
{
    const view reply = connection_reply_body(connection);
    bool same = reply.len == len;

    for (size_t i = 0; same && i < len; i++) {
        same = reply.data[i] == fill;
    }
    return same;
}

static void
is_echoed(struct connection *connection, size_t len)
{
    assert_int_equal(exchange(connection, WISH_ECHO, 7, len, LIMIT_MS), OUTCOME_ANSWERED);
    assert_true(reply_is(connection, 7, len));
}

static const struct mailbox *
box_of(struct fixture *f, const struct connection *connection)
{
    return &f->memory->boxes[connection->box];
}

/* ---- exchanges ---- */

struct worker {
    pthread_t thread;
    struct connection *connection;
    unsigned seed;
    unsigned failed;
    bool lingers;
};

/* Sometimes for so long that the loop goes to sleep, or is about to. */
static void
pause_some(unsigned *seed)
{
    const struct timespec pause = { .tv_nsec = rand_r(seed) % 150000 };

    if (rand_r(seed) % 4 == 0) {
        nanosleep(&pause, NULL);
    }
}

static void *
work(void *arg)
{
    struct worker *w = arg;

    for (unsigned i = 0; i < EXCHANGES && w->failed == 0; i++) {
        const bool is_large = rand_r(&w->seed) % 64 == 0;
        const size_t len = rand_r(&w->seed) % 8 == 0 ? 2 + (size_t)rand_r(&w->seed) % SIZES : 40;
        const uint8_t fill = (uint8_t)rand_r(&w->seed);

        connection_linger(w->connection, w->lingers && i % 2 == 0 ? 150 : 0);
        if (exchange(w->connection, is_large ? WISH_LARGE : WISH_ECHO, fill, len, LIMIT_MS) !=
                OUTCOME_ANSWERED ||
            !reply_is(w->connection, fill, is_large ? LARGE : len)) {
            w->failed++;
        }
        pause_some(&w->seed);
    }
    return NULL;
}

static void
workers_start(struct fixture *f, struct worker *workers)
{
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){ .connection = connect_to(f, 0),
                                      .seed = i + 1,
                                      .lingers = i % 4 == 0 };
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
}

static void
workers_end(struct worker *workers)
{
    unsigned failed = 0;

    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        failed += workers[i].failed;
        connection_free(workers[i].connection);
    }
    assert_int_equal(failed, 0);
}

static void
no_bell_is_lost_among_many_threads(void **state)
{
    struct worker workers[THREADS];

    workers_start(*state, workers);
    workers_end(workers);
}

/* Who is alone and does not sleep asks again while the loop makes up its mind to; a little later
 * each time, so that each moment of that is met. */
static void
no_bell_is_lost_by_a_loop_that_goes_to_sleep(void **state)
{
    struct connection *connection = connect_to(*state, 0);
    const int64_t end = connection_clock() + ALONE_MS;

    for (unsigned i = 0; i < ALONE && connection_clock() < end; i++) {
        for (volatile unsigned k = 0; k < i % DELAYS; k++) {
        }
        connection_linger(connection, 150);
        if (exchange(connection, WISH_ECHO, 7, 2, LIMIT_MS) != OUTCOME_ANSWERED) {
            fail_msg("exchange %u", i);
        }
    }
    connection_free(connection);
}

/* A thread that is stopped, or ended, between its word that it wakes the daemon and the bell. */
static void
a_bell_that_was_promised_and_not_rung_is_rung_by_who_waits(void **state)
{
    struct fixture *f = *state;
    struct connection *connection = connect_to(f, 0);
    const int64_t start = connection_clock();

    atomic_store(&f->memory->awake, 1);
    atomic_store(&rings_again, true);
    is_echoed(connection, 10);
    atomic_store(&rings_again, false);

    assert_in_range(connection_clock() - start, 0, SOON_MS);
    connection_free(connection);
}

static void
what_is_too_large_goes_by_the_socket(void **state)
{
    struct connection *connection = connect_to(*state, 0);
    const size_t most = MAILBOX_ROOM - FRAME_HEADER_LEN;

    is_echoed(connection, 2);
    is_echoed(connection, most);
    is_echoed(connection, most + 1);
    is_echoed(connection, 2 * MAILBOX_SIZE);
    assert_int_equal(exchange(connection, WISH_LARGE, 9, 10, LIMIT_MS), OUTCOME_ANSWERED);
    assert_true(reply_is(connection, 9, LARGE));
    assert_int_equal(exchange(connection, WISH_LARGE_LATER, 9, 10, LIMIT_MS), OUTCOME_ANSWERED);
    assert_true(reply_is(connection, 9, LARGE));
    is_echoed(connection, 2);
    connection_free(connection);
}

static void
nothing_of_an_exchange_stays_in_its_mailbox(void **state)
{
    static const uint8_t nothing[MAILBOX_ROOM];
    static const enum wish wishes[] = { WISH_ECHO, WISH_LARGE, WISH_LATER, WISH_SILENCE, WISH_END };

    for (size_t i = 0; i < ARRAY_COUNT(wishes); i++) {
        struct connection *connection = connect_to(*state, 0);
        const struct mailbox *box = box_of(*state, connection);

        (void)exchange(connection, wishes[i], 7, 2000, wishes[i] == WISH_SILENCE ? 100 : LIMIT_MS);

        assert_int_equal(atomic_load(&box->state), MAILBOX_EMPTY);
        assert_memory_equal(box->frame, nothing, sizeof nothing);
        connection_free(connection);
    }
}

static void
a_paused_link_answers_later(void **state)
{
    struct connection *connection = connect_to(*state, 0);

    assert_int_equal(exchange(connection, WISH_LATER, 5, 100, LIMIT_MS), OUTCOME_ANSWERED);
    assert_true(reply_is(connection, 5, 100));
    is_echoed(connection, 100);
    connection_free(connection);
}

/* ---- ends ---- */

static void
a_daemon_that_leaves_is_noticed_soon(void **state)
{
    struct connection *connection = connect_to(*state, 0);
    const int64_t start = connection_clock();

    assert_int_equal(exchange(connection, WISH_END, 5, 100, LIMIT_MS), OUTCOME_DIED);
    assert_in_range(connection_clock() - start, 0, SOON_MS);
    assert_int_equal(connection->fd, -1);
    assert_null(connection->mail);
    connection_free(connection);
}

static void
silence_ends_with_the_deadline(void **state)
{
    struct connection *connection = connect_to(*state, 0);
    const int64_t start = connection_clock();

    assert_int_equal(exchange(connection, WISH_SILENCE, 5, 100, 120), OUTCOME_BROKEN);
    assert_in_range(connection_clock() - start, 120, 120 + SOON_MS);
    assert_int_equal(connection->fd, -1);
    connection_free(connection);
}

/* The reply is told of, and on the socket, while its sleeper looks whether the daemon is there. */
static void
a_reply_on_the_socket_is_no_end_of_it(void **state)
{
    struct connection *connection = connect_to(*state, 0);
    enum outcome outcome;

    atomic_store(&peeks_slowly, true);
    outcome = exchange(connection, WISH_LARGE_LATER, 9, 10, LIMIT_MS);
    atomic_store(&peeks_slowly, false);

    assert_int_equal(outcome, OUTCOME_ANSWERED);
    assert_true(reply_is(connection, 9, LARGE));
    connection_free(connection);
}

static void *
wait_in_vain(void *arg)
{
    struct worker *w = arg;

    w->failed = exchange(w->connection, WISH_SILENCE, 1, 2, LIMIT_MS) != OUTCOME_DIED;
    return NULL;
}

static void
a_context_ends_while_others_go_on(void **state)
{
    struct fixture *f = *state;
    struct worker workers[THREADS], waiting = { .connection = connect_to(f, 1) };

    workers_start(f, workers);
    is_echoed(waiting.connection, 10);
    assert_int_equal(pthread_create(&waiting.thread, NULL, wait_in_vain, &waiting), 0);
    nanosleep(&(struct timespec){ .tv_nsec = 30000000 }, NULL);
    f->server.room = 1;
    server_do(&f->server, task_close);
    pthread_join(waiting.thread, NULL);
    connection_free(waiting.connection);

    assert_int_equal(waiting.failed, 0);
    workers_end(workers);
}

static void
many_come_and_go(void **state)
{
    for (unsigned i = 0; i < 500; i++) {
        struct connection *connection = connect_to(*state, 0);

        if (i % 3 == 0) {
            assert_int_equal(exchange(connection, WISH_SILENCE, 1, 50, 2), OUTCOME_BROKEN);
        } else {
            is_echoed(connection, 50);
        }
        connection_free(connection);
    }
}

/* ---- what comes as a mailbox ---- */

static unsigned
descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned count = 0;

    assert_non_null(dir);
    while (readdir(dir) != NULL) {
        count++;
    }
    closedir(dir);
    return count;
}

static int
memory_of(off_t size, int seals)
{
    int fd = memfd_create("mail", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, size), 0);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

static int
good_bell(void)
{
    return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

static int
some_pipe(void)
{
    int fds[2];

    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    close(fds[0]);
    return fds[1];
}

static int
some_socket(void)
{
    return socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static int
some_file(off_t size)
{
    FILE *file = tmpfile();
    int fd;

    assert_non_null(file);
    fd = fcntl(fileno(file), F_DUPFD_CLOEXEC, 0);
    fclose(file);
    assert_int_equal(ftruncate(fd, size), 0);
    return fd;
}

static void
is_refused(int memory, int bell)
{
    const int fds[MAIL_FDS] = { memory, bell };

    assert_true(memory >= 0 && bell >= 0);
    assert_null(mail_open(NULL, fds));
}

static void
what_is_no_mailroom_is_refused(void **state)
{
    const off_t size = sizeof(struct mailroom_memory);
    const unsigned before = descriptors();
    const int good = F_SEAL_SHRINK | F_SEAL_GROW;

    UNUSED(state);
    is_refused(memory_of(size, 0), good_bell());
    is_refused(memory_of(size, F_SEAL_GROW), good_bell());
    is_refused(memory_of(size, good | F_SEAL_WRITE), good_bell());
    is_refused(memory_of(size - 1, good), good_bell());
    is_refused(memory_of(size + 4096, good), good_bell());
    is_refused(memory_of(0, good), good_bell());
    is_refused(some_file(size), good_bell());
    is_refused(some_pipe(), good_bell());
    is_refused(open("/dev/zero", O_RDWR | O_CLOEXEC), good_bell());
    is_refused(memory_of(size, good), some_pipe());
    is_refused(memory_of(size, good), some_socket());
    is_refused(memory_of(size, good), eventfd(0, EFD_CLOEXEC));
    assert_int_equal(descriptors(), before);
}

static void
a_mailroom_is_mapped_once(void **state)
{
    struct fixture *f = *state;
    const unsigned before = descriptors();
    struct mail *again = mail_of(f->server.rooms[0], f->mails[0]);
    struct mail *other = mail_of(f->server.rooms[1], f->mails[0]);

    assert_ptr_equal(again, f->mails[0]);
    assert_int_equal(descriptors(), before + 1); /* the other's bell */
    assert_ptr_not_equal(other, f->mails[0]);
    mail_release(again);
    mail_release(other);
    assert_int_equal(descriptors(), before);
    assert_int_equal(mail_state(f->mails[0], 0), MAILBOX_ASKED); /* it is still there */
}

/* As an application has it that closed all descriptors without looking. */
static void
a_file_in_the_bells_place_is_not_written(void **state)
{
    struct fixture *f = *state;
    const uint8_t header[FRAME_HEADER_LEN] = { 0 };
    int file = some_file(0);
    int fds[MAILROOM_FDS], bell;
    struct mail *mail;

    mailroom_fds(f->server.rooms[0], fds);
    fds[0] = fcntl(fds[0], F_DUPFD_CLOEXEC, 3);
    fds[1] = bell = fcntl(fds[1], F_DUPFD_CLOEXEC, 3);
    mail = mail_open(NULL, fds);
    assert_non_null(mail);
    assert_int_equal(dup2(file, bell), bell);
    atomic_store(&f->memory->awake, 0);
    mail_put(mail, MAILBOXES - 1, view_of(header, sizeof header), VIEW_EMPTY);
    assert_int_equal(lseek(file, 0, SEEK_END), 0);
    mail_clear(mail, MAILBOXES - 1);
    mail_release(mail);
    close(file);
}

/* An application may have closed them, and opens files of its own in their place. */
static void
no_descriptor_is_a_standard_stream(void **state)
{
    struct fixture *f = *state;
    int input = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 100);
    int fds[MAILROOM_FDS], bell;
    struct mail *mail;

    close(STDIN_FILENO);
    mailroom_fds(f->server.rooms[0], fds);
    bell = fcntl(fds[1], F_DUPFD_CLOEXEC, 0);
    fds[0] = fcntl(fds[0], F_DUPFD_CLOEXEC, 3);
    fds[1] = bell;
    mail = mail_open(NULL, fds);
    const bool is_free = fcntl(STDIN_FILENO, F_GETFD) < 0;

    if (input >= 0) {
        dup2(input, STDIN_FILENO);
        close(input);
    }
    assert_int_equal(bell, STDIN_FILENO);
    assert_non_null(mail);
    assert_true(is_free);
    mail_release(mail);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(no_bell_is_lost_among_many_threads),
        TEST(no_bell_is_lost_by_a_loop_that_goes_to_sleep),
        TEST(a_bell_that_was_promised_and_not_rung_is_rung_by_who_waits),
        TEST(what_is_too_large_goes_by_the_socket),
        TEST(nothing_of_an_exchange_stays_in_its_mailbox),
        TEST(a_paused_link_answers_later),
        TEST(a_daemon_that_leaves_is_noticed_soon),
        TEST(silence_ends_with_the_deadline),
        TEST(a_reply_on_the_socket_is_no_end_of_it),
        TEST(a_context_ends_while_others_go_on),
        TEST(many_come_and_go),
        TEST(what_is_no_mailroom_is_refused),
        TEST(a_mailroom_is_mapped_once),
        TEST(a_file_in_the_bells_place_is_not_written),
        TEST(no_descriptor_is_a_standard_stream),
    };

    return cmocka_run_group_tests_name("api/mail", tests, NULL, NULL);
}
