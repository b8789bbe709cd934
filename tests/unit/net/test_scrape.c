/* SPDX-License-Identifier: Apache-2.0
 *
 * The responder for scrapers over real sockets: what it answers, and what hostile askers cost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/scrape.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAGE_LEN 3000000u /* more than a socket takes at once */

struct fixture {
    struct loop *loop;
    struct scrape *scrape;
    pthread_t thread;
    size_t page_len;
};

static void
page(void *arg, struct writer *w)
{
    const struct fixture *f = arg;
    uint8_t *space = write_space(w, f->page_len);

    if (space != NULL) {
        memset(space, 'x', f->page_len);
    }
}

static void *
run(void *arg)
{
    loop_run(((struct fixture *)arg)->loop);
    return NULL;
}

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    f->page_len = 10;
    f->loop = loop_new();
    assert_non_null(f->loop);
    f->scrape = scrape_new(f->loop, "127.0.0.1:0", page, f);
    assert_non_null(f->scrape);
    assert_int_equal(pthread_create(&f->thread, NULL, run, f), 0);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;

    loop_stop(f->loop);
    pthread_join(f->thread, NULL);
    scrape_free(f->scrape);
    loop_free(f->loop);
    free(f);
    return 0;
}

static int
dial(const struct fixture *f)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)scrape_port(f->scrape)) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void
say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* All that comes until the other end closes, and its length; "" when it was cut off. */
static size_t
hear(int fd, char *out, size_t size)
{
    size_t all = 0;
    char more[65536];

    for (;;) {
        struct pollfd ready = { .fd = fd, .events = POLLIN };

        assert_int_equal(poll(&ready, 1, 20000), 1);

        ssize_t len = recv(fd, more, sizeof more, 0);

        if (len <= 0) {
            break;
        }
        for (ssize_t i = 0; i < len; i++, all++) {
            if (all + 1 < size) {
                out[all] = more[i];
            }
        }
    }
    out[size_min(all, size - 1)] = '\0';
    close(fd);
    return all;
}

static void
page_is_given_to_who_asks_for_it(void **state)
{
    char answer[1024];
    int fd = dial(*state);

    say(fd, "GET /metr");
    usleep(20000);
    say(fd, "ics HTTP/1.1\r\nHost: x\r\n");
    usleep(20000);
    say(fd, "\r\n");
    hear(fd, answer, sizeof answer);

    assert_non_null(strstr(answer, "HTTP/1.1 200 OK\r\n"));
    assert_non_null(strstr(answer, "Content-Length: 10\r\n"));
    assert_non_null(strstr(answer, "\r\n\r\nxxxxxxxxxx"));
}

static void
large_page_is_whole(void **state)
{
    struct fixture *f = *state;
    char answer[1024];
    int fd = dial(f);

    f->page_len = PAGE_LEN;
    say(fd, "GET /metrics HTTP/1.0\r\n\r\n");
    usleep(100000);

    assert_true(hear(fd, answer, sizeof answer) > PAGE_LEN);
}

static void
other_requests_are_refused(void **state)
{
    static const struct {
        const char *request;
        const char *status;
    } cases[] = {
        { "GET / HTTP/1.1\r\n\r\n", "404" },
        { "GET /metrics/x HTTP/1.1\r\n\r\n", "404" },
        { "POST /metrics HTTP/1.1\r\nContent-Length: 1\r\n\r\n", "405" },
        { "GET /metrics HTTP/2.0\r\n\r\n", "400" },
        { "GET  /metrics HTTP/1.1\r\n\r\n", "400" },
        { "GET /metrics HTTP/1.1 x\r\n\r\n", "400" },
        { "\r\n", "400" },
        { "\x16\x03\x01 hello\n", "400" },
    };

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        char answer[1024];
        int fd = dial(*state);

        say(fd, cases[i].request);
        hear(fd, answer, sizeof answer);

        assert_int_equal(strncmp(answer, "HTTP/1.1 ", 9), 0);
        assert_int_equal(strncmp(answer + 9, cases[i].status, 3), 0);
    }
}

static void
endless_head_is_refused(void **state)
{
    char answer[1024];
    char head[SCRAPE_REQUEST_MAX + 1];
    int fd = dial(*state);

    memset(head, 'a', sizeof head);
    memcpy(head, "GET /metrics HTTP/1.1\r\n", 23);
    head[SCRAPE_REQUEST_MAX] = '\0';
    say(fd, head);
    hear(fd, answer, sizeof answer);

    assert_non_null(strstr(answer, " 431 "));
}

static void
silent_askers_do_not_keep_others_out(void **state)
{
    int silent[64];
    char answer[1024];

    for (size_t i = 0; i < ARRAY_COUNT(silent); i++) {
        silent[i] = dial(*state);
        say(silent[i], "GET");
    }

    int fd = dial(*state);

    say(fd, "GET /metrics HTTP/1.1\r\n\r\n");
    hear(fd, answer, sizeof answer);
    assert_non_null(strstr(answer, " 200 "));
    /* And their own end comes, by others' coming or by the deadline. */
    for (size_t i = 0; i < ARRAY_COUNT(silent); i++) {
        assert_int_equal(hear(silent[i], answer, sizeof answer), 0);
    }
}

static void
loopback_is_known(void **state)
{
    UNUSED(state);
    assert_true(scrape_is_loopback("127.0.0.1:9224"));
    assert_true(scrape_is_loopback("127.8.8.8:0"));
    assert_true(scrape_is_loopback("[::1]:9224"));
    assert_true(scrape_is_loopback("localhost:9224"));
    assert_false(scrape_is_loopback("127.0.0.1"));
    assert_false(scrape_is_loopback("0.0.0.0:9224"));
    assert_false(scrape_is_loopback("10.0.0.1:9224"));
    assert_false(scrape_is_loopback("[::]:9224"));
    assert_false(scrape_is_loopback("127.0.0.1.example.com:9224"));
    assert_false(scrape_is_loopback(":9224"));
    assert_false(scrape_is_loopback(""));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(page_is_given_to_who_asks_for_it, setup, teardown),
        cmocka_unit_test_setup_teardown(large_page_is_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(other_requests_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(endless_head_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(silent_askers_do_not_keep_others_out, setup, teardown),
        cmocka_unit_test(loopback_is_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
