/* SPDX-License-Identifier: Apache-2.0
 *
 * The change page of this host. Applications map it for reading; sealed against new writers, for
 * a descriptor alone could be opened again for writing. One link to one node feeds it. When that
 * is lost, or does not answer in time, the page runs out and libraries ask.
 */
#include "daemon/daemon.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

/* What is remembered is at most so old when it is used, counted from the question to the node. */
#define PAGE_LIFE_MS 1000u
#define FEED_MS 500u /* so long one node may take to tell, where there is another */

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif
#define SEALS (F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

void
page_open(struct daemon *daemon)
{
    struct page *page = MAP_FAILED;
    uint64_t start;
    int fd = memfd_create("azcloudhsm_client changes", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    daemon->page_fd = -1;
    if (fd < 0 || ftruncate(fd, sizeof *page) != 0 ||
        (page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)) ==
            MAP_FAILED ||
        getrandom(&start, sizeof start, 0) != (ssize_t)sizeof start ||
        fcntl(fd, F_ADD_SEALS, SEALS) != 0) {
        log_wrn("no memory to share with applications (%s): they ask the node at each Init",
                strerror(errno));
        if (page != MAP_FAILED) {
            munmap(page, sizeof *page);
        }
        if (fd >= 0) {
            close(fd);
        }
        return;
    }
    page_init(page, start);
    daemon->page = page;
    daemon->page_fd = fd;
}

void
page_close(struct daemon *daemon)
{
    if (daemon->page != NULL) {
        page_extend(daemon->page, 0);
        munmap(daemon->page, sizeof *daemon->page);
        close(daemon->page_fd);
        daemon->page = NULL;
    }
}

/* ---- the feed ---- */

/* Another one than has just failed to answer, where there is one. */
static struct node_link *
feed_choose(struct daemon *daemon, const struct node *failed)
{
    struct node_link *found = NULL;

    for (size_t i = 0; i < daemon->node_count; i++) {
        for (size_t k = 0; k < NODE_LINKS; k++) {
            struct node_link *link = &daemon->nodes[i].links[k];

            if (link->up && (found == NULL || found->node == failed ||
                             (link->node != failed && link->silent < found->silent))) {
                found = link;
            }
        }
    }
    return found;
}

/* It is told nothing new, so the page runs out unless another node tells. */
static void
feed_give_up(struct daemon *daemon)
{
    struct feed *feed = &daemon->feed;

    feed->link = feed_choose(daemon, feed->link->node);
    feed->asked_at = 0;
}

void
feed_ask(struct daemon *daemon)
{
    struct feed *feed = &daemon->feed;
    struct frame frame = { .operation = OPERATION_CHANGES, .session = daemon_number(daemon) };
    struct changes_request request;
    struct writer *out;
    size_t start;

    if (daemon->page == NULL) {
        return;
    }
    if (feed->link != NULL && feed->asked_at != 0 && daemon_now() - feed->asked_at > FEED_MS &&
        node_has_other(daemon, feed->link->node)) {
        feed_give_up(daemon);
    }
    if (feed->asked_at != 0 ||
        (feed->link == NULL && (feed->link = feed_choose(daemon, NULL)) == NULL)) {
        return;
    }
    request = (struct changes_request){ .boot = feed->boot, .since = feed->sequence };
    out = link_output(feed->link->link);
    start = frame_begin(out);
    changes_request_write(out, &request);
    if (frame_end(out, start, &frame)) {
        feed->asked_at = daemon_now();
        feed->number = frame.session;
        link_flush(feed->link->link);
    }
}

void
feed_answer(struct daemon *daemon, struct node_link *link, const struct frame *frame, view body)
{
    struct feed *feed = &daemon->feed;
    struct changes_reply told;
    uint64_t asked_at = feed->asked_at;

    /* An earlier question was asked earlier: its answer must not keep the page valid for longer. */
    if (link != feed->link || asked_at == 0 || frame->session != feed->number) {
        return;
    }
    feed->asked_at = 0;
    if (frame->code != CKR_OK || !changes_reply_read(body, &told)) {
        feed_give_up(daemon);
        return;
    }
    /* What one node told last says nothing about another. */
    if (told.all || told.boot != feed->boot) {
        page_change_all(daemon->page);
    }
    feed->shown = told.boot == feed->boot && feed->shown > frame->revision ? feed->shown
                                                                           : frame->revision;
    for (size_t i = 0; i < number_array_count(told.handles); i++) {
        page_change(daemon->page, number_array_get(told.handles, i));
    }
    feed->boot = told.boot;
    feed->sequence = told.sequence;
    page_extend(daemon->page, asked_at + PAGE_LIFE_MS);
}

void
feed_link_down(struct daemon *daemon, const struct node_link *link)
{
    struct feed *feed = &daemon->feed;

    if (link == feed->link) {
        feed->link = NULL;
        feed->asked_at = 0;
        page_extend(daemon->page, 0);
        feed_ask(daemon);
    }
}

uint64_t
feed_revision(const struct daemon *daemon, const struct frame *frame)
{
    const bool remembered = frame->operation == OPERATION_FIND ||
                            frame->operation == OPERATION_OBJECT_GET;

    return remembered && daemon->feed.shown > frame->revision ? daemon->feed.shown
                                                              : frame->revision;
}

void
feed_request_done(struct daemon *daemon, const struct operation_row *row, view body,
                  uint64_t revision)
{
    struct reader r = reader_of(body);
    uint32_t handle;

    if (row->changes == CHANGES_none || daemon->page == NULL) {
        return;
    }
    if (revision > daemon->feed.shown) {
        daemon->feed.shown = revision;
    }
    if (row->changes == CHANGES_object && read_u32(&r, &handle)) {
        page_change(daemon->page, handle);
    } else {
        page_change_all(daemon->page);
    }
}
