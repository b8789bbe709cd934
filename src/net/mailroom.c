/* SPDX-License-Identifier: Apache-2.0
 *
 * While requests come, the loop looks into the room in each of its rounds and nobody needs to
 * ring. Before the loop sleeps the room goes to rest: it is said first that nobody looks, and then
 * looked once more, so a request that comes in between is either seen or rings.
 */
#include "net/mailroom.h"

#include "net/link_private.h"
#include "wire/mailbox.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

struct mailroom {
    struct loop *loop;
    struct mailroom_memory *memory;
    int memory_fd;
    int bell_fd;
    struct event *bell;
    struct looker looker;
    struct link *links[MAILBOXES]; /* NULL: that mailbox is free */
};

/* Hands out the requests that are there. False: there were none; a bit without a mailbox is none,
 * or who sets it again and again would keep us awake. */
static bool
room_serve(struct mailroom *room)
{
    uint64_t asked = atomic_load(&room->memory->asked);
    bool found = false;

    if (asked == 0) {
        return false;
    }
    asked = atomic_exchange(&room->memory->asked, 0);
    for (uint32_t i = 0; i < MAILBOXES; i++) {
        if ((asked & UINT64_C(1) << i) != 0 && room->links[i] != NULL) {
            found = true;
            link_boxed(room->links[i]);
        }
    }
    return found;
}

/* From the loop, in each round while the room is awake. */
static bool
on_look(void *arg, bool last)
{
    struct mailroom *room = arg;

    if (room_serve(room)) {
        return true;
    }
    if (!last) {
        return false;
    }
    atomic_store(&room->memory->awake, 0);
    if (!room_serve(room)) {
        loop_look_not(room->loop, &room->looker);
        return false;
    }
    atomic_store(&room->memory->awake, 1);
    return true;
}

static void
on_bell(evutil_socket_t fd, short what, void *arg)
{
    struct mailroom *room = arg;

    UNUSED(fd);
    UNUSED(what);
    atomic_store(&room->memory->awake, 1);
    loop_look(room->loop, &room->looker);
    (void)room_serve(room);
}

struct mailroom *
mailroom_new(struct loop *loop)
{
    struct mailroom *room = calloc(1, sizeof *room);

    if (room == NULL) {
        return NULL;
    }
    room->loop = loop;
    room->looker = (struct looker){ .call = on_look, .arg = room };
    room->memory = MAP_FAILED;
    room->bell_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    room->memory_fd = memfd_create("azcloudhsm_client mail", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (room->bell_fd < 0 || room->memory_fd < 0 ||
        ftruncate(room->memory_fd, sizeof *room->memory) != 0 ||
        fcntl(room->memory_fd, F_ADD_SEALS, SEALS) != 0) {
        goto fail;
    }
    room->memory = mmap(NULL, sizeof *room->memory, PROT_READ | PROT_WRITE, MAP_SHARED,
                        room->memory_fd, 0);
    /* Each ring is an edge, so the counter is not read: it does not come to its end. */
    room->bell = event_new(loop_base(loop), room->bell_fd, EV_READ | EV_PERSIST | EV_ET, on_bell,
                           room);
    if (room->memory == MAP_FAILED || room->bell == NULL || event_add(room->bell, NULL) != 0) {
        goto fail;
    }
    return room;
fail:
    mailroom_free(room);
    return NULL;
}

void
mailroom_free(struct mailroom *room)
{
    if (room == NULL) {
        return;
    }
    loop_look_not(room->loop, &room->looker);
    if (room->bell != NULL) {
        event_free(room->bell);
    }
    if (room->memory != MAP_FAILED) {
        munmap(room->memory, sizeof *room->memory);
    }
    if (room->memory_fd >= 0) {
        close(room->memory_fd);
    }
    if (room->bell_fd >= 0) {
        close(room->bell_fd);
    }
    free(room);
}

void
mailroom_fds(const struct mailroom *room, int ret_fds[MAILROOM_FDS])
{
    ret_fds[0] = room->memory_fd;
    ret_fds[1] = room->bell_fd;
}

bool
mailroom_give(struct mailroom *room, struct link *link, uint32_t *ret_number)
{
    for (uint32_t i = 0; i < MAILBOXES; i++) {
        if (room->links[i] == link) {
            return false;
        }
    }
    for (uint32_t i = 0; i < MAILBOXES; i++) {
        if (room->links[i] == NULL) {
            room->links[i] = link;
            atomic_fetch_and(&room->memory->asked, ~(UINT64_C(1) << i));
            atomic_store(&room->memory->boxes[i].state, MAILBOX_EMPTY);
            link_box(link, room, i, &room->memory->boxes[i]);
            *ret_number = i;
            return true;
        }
    }
    return false;
}

void
mailroom_take_back(struct mailroom *room, uint32_t number)
{
    room->links[number] = NULL;
}
