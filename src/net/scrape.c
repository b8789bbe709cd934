/* SPDX-License-Identifier: Apache-2.0
 *
 * As much of HTTP as a scraper speaks. A connection reads one request, gets one answer and is
 * closed; a deadline ends it in any case.
 */
#include "net/scrape.h"

#include "base/log.h"
#include "net/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ASKERS_MAX 16u /* a further one takes the place of the oldest */
#define DEADLINE_MS 5000u
#define PAGE_MAX (16u * 1024u * 1024u)

struct asker {
    struct asker *next; /* that came after it */
    struct scrape *scrape;
    int fd;
    struct event *event;
    struct timer *deadline;
    size_t len;
    uint8_t request[SCRAPE_REQUEST_MAX];
    struct writer answer;
    size_t sent;
};

struct scrape {
    struct loop *loop;
    struct listener *listener;
    scrape_page *page;
    void *arg;
    struct asker *first; /* the oldest */
    size_t count;
};

/* ---- reading ---- */

/* The request line without its end; false: it has none yet. */
static bool
request_line(view bytes, view *ret_line)
{
    const uint8_t *end = memchr(bytes.data, '\n', bytes.len);
    size_t len;

    if (end == NULL) {
        return false;
    }
    len = (size_t)(end - bytes.data);
    *ret_line = view_of(bytes.data, len > 0 && end[-1] == '\r' ? len - 1 : len);
    return true;
}

/* Takes the word before the next blank off the line. */
static view
line_word(view *line)
{
    const uint8_t *blank = line->len == 0 ? NULL : memchr(line->data, ' ', line->len);
    const size_t len = blank == NULL ? line->len : (size_t)(blank - line->data);
    const view word = view_slice(*line, 0, len);

    *line = view_slice(*line, len + 1, line->len);
    return word;
}

static unsigned
line_answer(view line)
{
    view method = line_word(&line);
    view target = line_word(&line);
    view version = line_word(&line);

    if (line.len > 0 ||
        !(view_equal(version, VIEW_TEXT("HTTP/1.1")) || view_equal(version, VIEW_TEXT("HTTP/1.0")))) {
        return 400;
    }
    if (!view_equal(method, VIEW_TEXT("GET"))) {
        return 405;
    }
    return view_equal(target, VIEW_TEXT("/metrics")) ? 200 : 404;
}

/* An empty line ends the head. */
static bool
head_is_whole(view bytes)
{
    return bytes.data != NULL && (memmem(bytes.data, bytes.len, "\n\r\n", 3) != NULL ||
                                  memmem(bytes.data, bytes.len, "\n\n", 2) != NULL);
}

unsigned
scrape_request_read(view bytes)
{
    view line;

    if (bytes.len == 0) {
        return 0;
    }
    /* What is no request is refused at its first line. */
    if (request_line(bytes, &line)) {
        unsigned answer = line_answer(line);

        if (answer != 200 || head_is_whole(bytes)) {
            return answer;
        }
    }
    return bytes.len >= SCRAPE_REQUEST_MAX ? 431 : 0;
}

/* ---- connections ---- */

static void
asker_end(struct asker *asker)
{
    struct scrape *scrape = asker->scrape;
    struct asker **at = &scrape->first;

    while (*at != asker) {
        at = &(*at)->next;
    }
    *at = asker->next;
    scrape->count--;
    if (asker->event != NULL) {
        event_free(asker->event);
    }
    timer_free(asker->deadline);
    writer_clear(&asker->answer);
    close(asker->fd);
    free(asker);
}

static void
asker_late(void *arg)
{
    asker_end(arg);
}

static const char *
status_text(unsigned status)
{
    static const struct {
        unsigned status;
        const char *text;
    } texts[] = {
        { 200, "OK" },
        { 400, "Bad Request" },
        { 404, "Not Found" },
        { 405, "Method Not Allowed" },
        { 431, "Request Header Fields Too Large" },
        { 500, "Internal Server Error" },
    };

    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        if (texts[i].status == status) {
            return texts[i].text;
        }
    }
    return "";
}

static void
asker_answer(struct asker *asker, unsigned status)
{
    struct writer page;
    char head[256];

    writer_init(&page, PAGE_MAX);
    writer_init(&asker->answer, PAGE_MAX + sizeof head);
    if (status == 200) {
        asker->scrape->page(asker->scrape->arg, &page);
        status = writer_ok(&page) ? 200 : 500;
    }
    if (status != 200) {
        writer_clear(&page);
        writer_init(&page, PAGE_MAX);
        write_raw(&page, view_str(status_text(status)));
        write_u8(&page, '\n');
    }
    snprintf(head, sizeof head,
             "HTTP/1.1 %u %s\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
             "Content-Length: %zu\r\nConnection: close\r\n%s\r\n",
             status, status_text(status), page.len, status == 405 ? "Allow: GET\r\n" : "");
    write_raw(&asker->answer, view_str(head));
    write_raw(&asker->answer, writer_view(&page));
    writer_clear(&page);
}

/* Sends what is left. False: it is over. */
static bool
asker_send(struct asker *asker)
{
    while (asker->sent < asker->answer.len) {
        ssize_t len = send(asker->fd, asker->answer.data + asker->sent,
                           asker->answer.len - asker->sent, MSG_NOSIGNAL);

        if (len < 0) {
            return errno == EAGAIN || errno == EINTR;
        }
        asker->sent += (size_t)len;
    }
    (void)shutdown(asker->fd, SHUT_WR);
    return false;
}

/* Reads what came. False: it is over. */
static bool
asker_read(struct asker *asker)
{
    ssize_t len = recv(asker->fd, asker->request + asker->len,
                       sizeof asker->request - asker->len, 0);
    unsigned answer;

    if (len <= 0) {
        return len < 0 && (errno == EAGAIN || errno == EINTR);
    }
    asker->len += (size_t)len;
    answer = scrape_request_read(view_of(asker->request, asker->len));
    if (answer == 0) {
        return true;
    }
    asker_answer(asker, answer);
    return writer_ok(&asker->answer) && asker_send(asker);
}

static void asker_ready(evutil_socket_t fd, short what, void *arg);

/* Waits until it can be read or written, whichever is its turn. */
static bool
asker_wait(struct asker *asker)
{
    const short what = asker->answer.len > 0 ? EV_WRITE : EV_READ;

    if (asker->event != NULL) {
        event_free(asker->event);
    }
    asker->event = event_new(loop_base(asker->scrape->loop), asker->fd, what, asker_ready, asker);
    return asker->event != NULL && event_add(asker->event, NULL) == 0;
}

static void
asker_ready(evutil_socket_t fd, short what, void *arg)
{
    struct asker *asker = arg;
    bool goes_on = asker->answer.len > 0 ? asker_send(asker) : asker_read(asker);

    UNUSED(fd);
    UNUSED(what);
    if (!goes_on || !asker_wait(asker)) {
        asker_end(asker);
    }
}

static void
scrape_accepted(void *arg, int fd)
{
    struct scrape *scrape = arg;
    struct asker *asker = calloc(1, sizeof *asker);
    struct asker **at = &scrape->first;

    if (asker == NULL) {
        close(fd);
        return;
    }
    if (scrape->count == ASKERS_MAX) {
        asker_end(scrape->first);
    }
    while (*at != NULL) {
        at = &(*at)->next;
    }
    *at = asker;
    scrape->count++;
    asker->scrape = scrape;
    asker->fd = fd;
    asker->deadline = timer_new(scrape->loop, DEADLINE_MS, false, asker_late, asker);
    if (asker->deadline == NULL || !asker_wait(asker)) {
        asker_end(asker);
    }
}

/* ---- the port ---- */

bool
scrape_is_loopback(const char *address)
{
    const char *colon = strrchr(address, ':');
    struct in_addr v4;
    char host[64];
    int len;

    if (colon == NULL || (size_t)(colon - address) >= sizeof host) {
        return false;
    }
    len = snprintf(host, sizeof host, "%.*s", (int)(colon - address), address);
    if (len < 0) {
        return false;
    }
    return strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
           (inet_pton(AF_INET, host, &v4) == 1 && (ntohl(v4.s_addr) >> 24) == 127);
}

struct scrape *
scrape_new(struct loop *loop, const char *address, scrape_page *page, void *arg)
{
    struct scrape *scrape = calloc(1, sizeof *scrape);

    if (scrape == NULL) {
        log_err("no memory for metrics");
        return NULL;
    }
    scrape->loop = loop;
    scrape->page = page;
    scrape->arg = arg;
    scrape->listener = listener_new(loop, address, scrape_accepted, scrape);
    if (scrape->listener == NULL) {
        scrape_free(scrape);
        return NULL;
    }
    return scrape;
}

void
scrape_free(struct scrape *scrape)
{
    if (scrape == NULL) {
        return;
    }
    listener_free(scrape->listener);
    while (scrape->first != NULL) {
        asker_end(scrape->first);
    }
    free(scrape);
}

unsigned
scrape_port(const struct scrape *scrape)
{
    return listener_port(scrape->listener);
}
