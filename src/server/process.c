/* SPDX-License-Identifier: Apache-2.0
 *
 * Limits and locks of the process.
 */
#include "server/process.h"

#include "base/log.h"
#include "server/notify.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

static void
limit_raise(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
}

/*
 * Only without a limit: with one, locking the future would make a later allocation fail
 * rather than be unlocked. Secrets lock their own pages either way.
 */
static void
memory_lock(void)
{
    struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };

    if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0) {
        log_inf("memory is not locked as a whole: the limit of locked memory is finite; "
                "set LimitMEMLOCK=infinity");
        return;
    }
    if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0) {
        log_inf("memory is not locked as a whole: %s", strerror(errno));
    }
}

static void
memory_hide(void)
{
#ifdef __SANITIZE_ADDRESS__
    const unsigned long others_may = 1; /* its leak detector looks at its own process like that */
#else
    const unsigned long others_may = 0;
#endif

    if (prctl(PR_SET_DUMPABLE, others_may, 0, 0, 0) != 0) {
        log_wrn("other processes may read this one's memory: %s", strerror(errno));
    }
}

void
process_harden(void)
{
    static const struct rlimit none = { 0, 0 };

    umask(077);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a limit on files is an error like a full disk */
    if (setrlimit(RLIMIT_CORE, &none) != 0) {
        log_wrn("core dumps are not switched off: %s", strerror(errno));
    }
    memory_hide();
    limit_raise();
    memory_lock();
}

/* Of the rights of root that are there, those two. */
static bool
rights_keep(void)
{
    struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct rights[_LINUX_CAPABILITY_U32S_3];
    const uint32_t kept = CAP_TO_MASK(CAP_DAC_READ_SEARCH) | CAP_TO_MASK(CAP_IPC_LOCK);

    if (syscall(SYS_capget, &head, rights) != 0) {
        return false;
    }
    rights[0].permitted &= kept;
    rights[0].effective = rights[0].permitted;
    rights[0].inheritable = 0;
    rights[1] = (struct __user_cap_data_struct){ 0 };
    return syscall(SYS_capset, &head, rights) == 0;
}

bool
process_become(uid_t user, gid_t group)
{
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0 || setgroups(0, NULL) != 0 ||
        setresgid(group, group, group) != 0 || setresuid(user, user, user) != 0 ||
        !rights_keep()) {
        log_err("root does not become user %lu: %s; do this as that user", (unsigned long)user,
                strerror(errno));
        return false;
    }
    memory_hide(); /* a change of user has set it anew */
    return true;
}

size_t
process_cores(void)
{
    cpu_set_t cores;
    int count = 0;

    if (sched_getaffinity(0, sizeof cores, &cores) == 0) {
        count = CPU_COUNT(&cores);
    }
    return count > 0 ? (size_t)count : 1;
}

bool
process_pause(unsigned seconds, const char *what)
{
    const struct timespec pause = { (time_t)seconds, 0 };
    char state[128];
    sigset_t ends;

    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    snprintf(state, sizeof state, "EXTEND_TIMEOUT_USEC=30000000\nSTATUS=waiting for %s", what);
    notify_send(state);
    if (sigtimedwait(&ends, NULL, &pause) > 0) {
        log_inf("stopping");
        return true;
    }
    return false;
}
