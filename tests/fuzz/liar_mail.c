/* SPDX-License-Identifier: Apache-2.0
 *
 * The memory is the process's own: who lies and who is lied to take turns, when the library sleeps.
 */
#include "fuzz/liar_mail.h"

#include "fuzz/fuzz.h"
#include "fuzz/liar.h"

#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#define FDS_MAX 2u /* what the library has room for; the kernel drops the others */

static struct mailroom_memory *memory;
static int memory_fd = -1, bell_fd = -1, loose_fd = -1, blocking_fd = -1;

static int
memory_make(int seals)
{
    int fd = memfd_create("mail", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    HOLDS(fd >= 0 && ftruncate(fd, sizeof *memory) == 0 && fcntl(fd, F_ADD_SEALS, seals) == 0);
    return fd;
}

static void
mail_open_once(void)
{
    if (memory != NULL) {
        return;
    }
    memory_fd = memory_make(F_SEAL_SHRINK | F_SEAL_GROW);
    loose_fd = memory_make(F_SEAL_GROW);
    bell_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    blocking_fd = eventfd(0, EFD_CLOEXEC);
    memory = mmap(NULL, sizeof *memory, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
    HOLDS(memory != MAP_FAILED && bell_fd >= 0 && blocking_fd >= 0);
}

void
mail_forget(void)
{
    uint64_t count;

    if (memory == NULL) {
        return;
    }
    atomic_store(&memory->asked, 0);
    atomic_store(&memory->awake, 0);
    for (uint32_t i = 0; i < 8; i++) {
        memset(&memory->boxes[i], 0, sizeof memory->boxes[i]);
    }
    (void)!read(bell_fd, &count, sizeof count);
}

static int
some_descriptor(void)
{
    const int fds[] = { memory_fd, bell_fd, loose_fd, blocking_fd };
    int fd = dup(fds[liar_u8() % ARRAY_COUNT(fds)]);

    HOLDS(fd >= 0);
    return fd;
}

void
mail_pass(struct msghdr *message)
{
    struct cmsghdr *head = message->msg_control;
    const uint8_t b = liar_u8();
    const size_t count = b < 0xc0 ? FDS_MAX : b % (FDS_MAX + 1);
    int fds[FDS_MAX] = { -1, -1 };

    mail_open_once();
    HOLDS(message->msg_controllen >= CMSG_LEN(sizeof fds));
    if (count == 0) {
        message->msg_controllen = 0;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        fds[i] = b < 0xa0 ? dup(i == 0 ? memory_fd : bell_fd) : some_descriptor();
        HOLDS(fds[i] >= 0);
    }
    message->msg_flags = b == 0xff ? MSG_CTRUNC : 0;
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(count * sizeof fds[0]);
    memcpy(CMSG_DATA(head), fds, count * sizeof fds[0]);
    message->msg_controllen = head->cmsg_len;
}

uint64_t
mail_asked(void)
{
    HOLDS(memory != NULL);
    return atomic_exchange(&memory->asked, 0);
}

view
mail_request(uint32_t number)
{
    const struct mailbox *box = &memory->boxes[number];

    HOLDS(box->len <= sizeof box->frame);
    return view_of(box->frame, box->len);
}

bool
mail_answer(uint32_t number, view reply)
{
    struct mailbox *box = &memory->boxes[number];
    const uint8_t b = liar_u8();

    if (b >= 0xf0) {
        box->len = b < 0xf8 ? liar_u32() : (uint32_t)liar_len(reply.len);
        atomic_store(&box->state, liar_u8() & 7);
        return (b & 1) != 0;
    }
    if (reply.len == 0) {
        return false;
    }
    if (b >= 0xc0 || reply.len > sizeof box->frame) {
        atomic_store(&box->state, MAILBOX_ELSEWHERE);
        return false;
    }
    memcpy(box->frame, reply.data, reply.len);
    box->len = (uint32_t)reply.len;
    atomic_store(&box->state, MAILBOX_ANSWERED);
    return true;
}
