/* SPDX-License-Identifier: Apache-2.0
 *
 * Limits and locks of the process.
 */
#include "server/process.h"

#include "base/log.h"
#include "server/notify.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

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
#ifndef __SANITIZE_ADDRESS__
    /* The leak detector looks at its own process the way that this forbids. */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
        log_wrn("other processes may read this one's memory: %s", strerror(errno));
    }
#endif
    limit_raise();
    memory_lock();
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
