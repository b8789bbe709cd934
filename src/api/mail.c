/* SPDX-License-Identifier: Apache-2.0
 *
 * The order matters on both sides: here the request is there before its bit, and the bit before
 * the look whether the daemon is awake; there the daemon first says that it is not, and then looks
 * at the bits once more.
 */
#include "api/mail.h"

#include "base/secret.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct mail {
    _Atomic unsigned refs;
    struct mailroom_memory *memory;
    int bell;
    dev_t device;
    ino_t inode;
    uint32_t used[MAILBOXES]; /* bytes to wipe, each by the thread that has the mailbox */
};

/* An application that closed its standard streams must not find us in their place. */
static int
fd_above_streams(int fd)
{
    int moved = fd;

    if (fd <= STDERR_FILENO) {
        moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        close(fd);
    }
    return moved;
}

/* Memory that shrinks would kill the application that looks at it. */
static bool
is_mailroom(int fd, struct stat *ret_status)
{
    int seals = fcntl(fd, F_GET_SEALS);

    return seals >= 0 && (seals & F_SEAL_SHRINK) != 0 && fstat(fd, ret_status) == 0 &&
           ret_status->st_size == (off_t)sizeof(struct mailroom_memory);
}

/* Is it an eventfd, or the like, which alone are of no type? A write comes back, and with no signal. */
static bool
is_bell(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    struct stat status;

    return flags >= 0 && (flags & O_NONBLOCK) != 0 && fstat(fd, &status) == 0 &&
           (status.st_mode & S_IFMT) == 0;
}

static struct mail *
mail_map(int memory, int *bell, const struct stat *status)
{
    struct mail *mail = calloc(1, sizeof *mail);

    if (mail == NULL) {
        return NULL;
    }
    mail->memory = mmap(NULL, sizeof *mail->memory, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    mail->bell = fd_above_streams(*bell);
    *bell = -1;
    if (mail->memory == MAP_FAILED || mail->bell < 0) {
        mail_release(mail);
        return NULL;
    }
    mail->device = status->st_dev;
    mail->inode = status->st_ino;
    return mail_ref(mail);
}

struct mail *
mail_open(struct mail *known, const int fds[MAIL_FDS])
{
    struct mail *mail = NULL;
    int bell = fds[1];
    struct stat status;

    if (is_mailroom(fds[0], &status) && is_bell(fds[1])) {
        mail = known != NULL && known->device == status.st_dev && known->inode == status.st_ino
                   ? mail_ref(known)
                   : mail_map(fds[0], &bell, &status);
    }
    close(fds[0]);
    if (bell >= 0) {
        close(bell);
    }
    return mail;
}

struct mail *
mail_ref(struct mail *mail)
{
    atomic_fetch_add(&mail->refs, 1);
    return mail;
}

void
mail_release(struct mail *mail)
{
    if (mail == NULL || (atomic_load(&mail->refs) > 0 && atomic_fetch_sub(&mail->refs, 1) > 1)) {
        return;
    }
    if (mail->memory != MAP_FAILED) {
        munmap(mail->memory, sizeof *mail->memory);
    }
    if (mail->bell >= 0) {
        close(mail->bell);
    }
    free(mail);
}

static void
bell_ring(struct mail *mail)
{
    const uint64_t one = 1;

    /* An application that closed all its descriptors may have a file of its own there by now. */
    if (is_bell(mail->bell) && write(mail->bell, &one, sizeof one) < 0) {
        return; /* the counter is full: it has been rung */
    }
}

void
mail_put(struct mail *mail, uint32_t number, view header, view body)
{
    struct mailbox *box = &mail->memory->boxes[number];

    memcpy(box->frame, header.data, header.len);
    if (body.len > 0) {
        memcpy(box->frame + header.len, body.data, body.len);
    }
    mail->used[number] = (uint32_t)(header.len + body.len);
    box->len = mail->used[number];
    atomic_store(&box->state, MAILBOX_ASKED);
    atomic_fetch_or(&mail->memory->asked, UINT64_C(1) << number);
    /* Of those who come now one is enough. */
    if (atomic_load(&mail->memory->awake) == 0 && atomic_exchange(&mail->memory->awake, 1) == 0) {
        bell_ring(mail);
    }
}

/* Who said that it wakes the daemon may have been stopped before it did; so that is not asked. */
void
mail_ring(struct mail *mail, uint32_t number)
{
    if ((atomic_load(&mail->memory->asked) & UINT64_C(1) << number) != 0) {
        bell_ring(mail);
    }
}

enum mailbox_state
mail_state(struct mail *mail, uint32_t number)
{
    const uint32_t state = atomic_load(&mail->memory->boxes[number].state);

    return state == MAILBOX_ANSWERED || state == MAILBOX_ELSEWHERE ? (enum mailbox_state)state
                                                                   : MAILBOX_ASKED;
}

void
mail_sleep(struct mail *mail, uint32_t number, long nanoseconds)
{
    struct mailbox *box = &mail->memory->boxes[number];
    const struct timespec limit = { .tv_nsec = nanoseconds };
    uint32_t state = MAILBOX_ASKED;

    if (atomic_compare_exchange_strong(&box->state, &state, MAILBOX_AWAITED)) {
        state = MAILBOX_AWAITED;
    }
    /* A daemon that leaves there what is no state is not waited for awake. */
    if (state != MAILBOX_ANSWERED && state != MAILBOX_ELSEWHERE) {
        (void)syscall(SYS_futex, &box->state, FUTEX_WAIT, state, &limit, NULL, 0);
    }
}

size_t
mail_len(const struct mail *mail, uint32_t number)
{
    const uint32_t len = *(const volatile uint32_t *)&mail->memory->boxes[number].len;

    return size_min(len, MAILBOX_ROOM);
}

size_t
mail_get(struct mail *mail, uint32_t number, uint8_t *room, size_t size)
{
    struct mailbox *box = &mail->memory->boxes[number];
    const uint32_t len = *(const volatile uint32_t *)&box->len;

    if (len > sizeof box->frame || len > size) {
        return 0;
    }
    if (len > mail->used[number]) {
        mail->used[number] = len;
    }
    memcpy(room, box->frame, len);
    return len;
}

void
mail_clear(struct mail *mail, uint32_t number)
{
    struct mailbox *box = &mail->memory->boxes[number];

    wipe(box->frame, mail->used[number]);
    mail->used[number] = 0;
    atomic_store(&box->state, MAILBOX_EMPTY);
}
