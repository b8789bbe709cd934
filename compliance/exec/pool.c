/* SPDX-License-Identifier: Apache-2.0
 *
 * Worker processes and their watcher. A worker takes blocks of tests; when it dies or hangs, the
 * test it was at is reported, and a new worker goes on behind it.
 *
 * What may be the machine's fault and not the module's is tried again when all is done, alone and
 * with more patience: a test that hung, and one in which the module spoke of a device or of memory
 * that fails. The second result counts.
 */
#include "exec/pool.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define JOBS_MAX 16
#define BLOCK 32
#define AGAIN_MAX 2000
#define DONE 23             /* exit status of a worker that found nothing more to do */

struct worker {
    _Atomic size_t at, end; /* of its block: the test under way, and the first of others */
    _Atomic long long since; /* when that test began, in ms */
};

struct board {
    _Atomic size_t next[2]; /* first test that nobody took, of each half */
    _Atomic size_t finished, deviations;
    struct worker worker[JOBS_MAX];
};

/* Tests to be run: all of the suite, or those of a list. */
struct pass {
    struct pool *pool;
    struct board *board;
    const size_t *list; /* NULL for all */
    size_t count, jobs;
    size_t half;        /* here the second one begins */
    unsigned patience;
    int pins;           /* locked while a wrong PIN is counted */
};

void *
shared_new(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

static long long
now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static long long
now_ms(void)
{
    return now_us() / 1000;
}

static void
quiet_signals(void)
{
    static const int fatal[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };

    for (size_t i = 0; i < COUNT(fatal); i++) {
        signal(fatal[i], SIG_DFL);
    }
}

bool
apart(void (*function)(void *), void *context, unsigned seconds)
{
    int status;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        quiet_signals();
        alarm(seconds);
        function(context);
        fflush(NULL);
        _exit(DONE);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
           WEXITSTATUS(status) == DONE;
}

static size_t
pass_test(const struct pass *pass, size_t at)
{
    return pass->list != NULL ? pass->list[at] : at;
}

/*
 * A block of tests. Logins of one user take turns in most tokens, and after a wrong PIN slowly: so one
 * worker begins with the area that is full of them, the others behind it, and who is done with his
 * half helps with the other one.
 */
static bool
take_block(const struct pass *pass, size_t number, struct worker *worker)
{
    const size_t own = number > 0 && pass->jobs > 1;

    for (size_t i = 0; i < 2; i++) {
        const size_t which = own ^ i;
        const size_t end = which == 0 ? pass->half : pass->count;
        const size_t first = atomic_fetch_add(&pass->board->next[which], BLOCK);

        if (first < end) {
            worker->end = first + BLOCK < end ? first + BLOCK : end;
            worker->at = first;
            return true;
        }
    }
    return false;
}

static void
work_on(const struct pass *pass, size_t number)
{
    struct pool *pool = pass->pool;
    struct worker *worker = &pass->board->worker[number];
    const struct target *target = pool->target;
    struct module module;
    struct runner runner;

    quiet_signals();
    if (!module_open(&module, target->module) ||
        !runner_init(&runner, &module, &pool->sheet->world, pool->sheet->slot,
                     target->pin_count > 0 ? target->pins[number % target->pin_count]
                                           : target->pin,
                     target->so_pin)) {
        _exit(1);
    }
    runner.pins = pass->pins;
    for (;;) {
        if (worker->at == worker->end && !take_block(pass, number, worker)) {
            break;
        }
        size_t test = pass_test(pass, worker->at);
        long long began = now_us();

        worker->since = began / 1000;
        runner_run(&runner, &pool->suite->test[test], &pool->result[test]);
        pool->result[test].took_us = (uint32_t)(now_us() - began);
        pass->board->finished++;
        pass->board->deviations += pool->result[test].verdict >= VERDICT_CODE ||
                                   pool->result[test].verdict == VERDICT_BLOCKED;
        worker->at++;
        if (pool->enough != 0 && pass->board->deviations >= pool->enough) {
            pass->board->next[0] = pass->board->next[1] = pass->count;
            worker->end = worker->at;
        }
    }
    worker->since = now_ms();
    runner_clear(&runner);
    _exit(DONE);
}

static pid_t
start(const struct pass *pass, size_t number)
{
    pid_t pid;

    pass->board->worker[number].since = now_ms();
    pid = fork();
    if (pid == 0) {
        work_on(pass, number);
    }
    return pid;
}

/* The test at which a worker died, with its worst verdict. */
static void
write_death(const struct pass *pass, struct worker *worker, enum verdict verdict)
{
    const struct test *test;
    struct result *result;

    if (worker->at >= worker->end) {
        return;
    }
    test = &pass->pool->suite->test[pass_test(pass, worker->at)];
    result = &pass->pool->result[pass_test(pass, worker->at)];
    pass->board->deviations++;
    result->trouble |= verdict == VERDICT_HANG;
    if (result->step < test->setup) {
        verdict = VERDICT_BLOCKED;
    }
    result->verdict = (uint8_t)verdict;
    result->class = CLASS_ROBUST;
    result->fn = test->step[result->step].fn;
    result->cond = COND_NOTHING;
    pass->board->finished++;
    worker->at++;
}

static void
show_progress(const struct pass *pass, long long began)
{
    const struct pool *pool = pass->pool;
    size_t finished = pass->board->finished, deviations = 0, at = pass->board->worker[0].at;
    long long took = now_ms() - began;

    for (size_t i = 0; i < pool->suite->count; i++) {
        deviations += pool->result[i].verdict >= VERDICT_CODE;
    }
    at = pass_test(pass, at < pass->count ? at : pass->count - 1);
    fprintf(stderr, "\r%s: %zu of %zu tests, %zu deviations, %lld s left  ",
            areas[pool->suite->test[at].area].tag, finished, pass->count, deviations,
            finished > 0 ? took * (long long)(pass->count - finished) / (long long)finished / 1000
                         : 0);
}

static bool
pass_run(struct pass *pass)
{
    pid_t pids[JOBS_MAX] = { 0 };
    long long began = now_ms();
    bool worked = false;
    size_t alive = 0;

    pass->board = shared_new(sizeof *pass->board);
    if (pass->board == NULL) {
        return false;
    }
    pass->half = 0;
    while (pass->half < pass->count &&
           pass->pool->suite->test[pass_test(pass, pass->half)].area == AREA_SESS) {
        pass->half++;
    }
    pass->board->next[1] = pass->half;
    fflush(NULL);
    for (size_t i = 0; i < pass->jobs; i++) {
        pids[i] = start(pass, i);
        alive += pids[i] > 0;
    }
    while (alive > 0) {
        struct timespec pause = { 0, 20 * 1000 * 1000 };

        nanosleep(&pause, NULL);
        for (size_t i = 0; i < pass->jobs; i++) {
            struct worker *worker = &pass->board->worker[i];
            bool hangs = pids[i] > 0 && now_ms() - worker->since > 1000LL * pass->patience;
            int status = 0;

            if (hangs) {
                kill(pids[i], SIGKILL);
            }
            if (pids[i] <= 0 || waitpid(pids[i], &status, hangs ? 0 : WNOHANG) != pids[i]) {
                continue;
            }
            pids[i] = 0;
            alive--;
            if (WIFEXITED(status) && WEXITSTATUS(status) == DONE && worker->at == worker->end) {
                worked = true;
            } else if (worker->at < worker->end) {
                write_death(pass, worker, hangs ? VERDICT_HANG : VERDICT_CRASH);
                pids[i] = start(pass, i);
                alive += pids[i] > 0;
            }
        }
        if (pass->pool->progress && pass->count > 0) {
            show_progress(pass, began);
        }
    }
    if (pass->pool->progress) {
        fputs("\r\033[K", stderr);
    }
    munmap(pass->board, sizeof *pass->board);
    return worked;
}

static bool
is_hang(const struct result *result)
{
    return result->verdict == VERDICT_HANG || (result->verdict == VERDICT_BLOCKED && result->trouble);
}

/* Tests whose result may be the machine's. */
static size_t
find_troubled(const struct pool *pool, bool hangs, size_t *ret_list)
{
    size_t count = 0;

    for (size_t i = 0; i < pool->suite->count; i++) {
        const struct result *result = &pool->result[i];

        if (result->trouble && result->verdict != VERDICT_PASS && is_hang(result) == hangs &&
            count < AGAIN_MAX) {
            ret_list[count++] = i;
        }
    }
    return count;
}

static void
run_again(struct pass *pass, size_t *list)
{
    struct pool *pool = pass->pool;
    size_t hangs = find_troubled(pool, true, list);
    struct timespec pause = { 1, 0 };

    pass->list = list;
    pass->jobs = 1;
    pass->patience = 3 * pool->patience;
    /* One by one: when one hangs again the others are believed. */
    for (size_t i = 0; i < hangs; i++) {
        pass->list = &list[i];
        pass->count = 1;
        pool->again++;
        if (!pass_run(pass) || is_hang(&pool->result[list[i]])) {
            break;
        }
    }
    pass->list = list;
    pass->count = find_troubled(pool, false, list);
    if (pass->count > 0) {
        pool->again += pass->count;
        nanosleep(&pause, NULL);
        (void)pass_run(pass);
    }
}

bool
pool_run(struct pool *pool)
{
    struct pass pass = {
        .pool = pool,
        .count = pool->suite->count,
        .jobs = pool->jobs < JOBS_MAX ? pool->jobs : JOBS_MAX,
        .patience = pool->patience,
        .pins = memfd_create("pins", MFD_CLOEXEC),
    };
    size_t *list = calloc(AGAIN_MAX, sizeof *list);
    bool worked = list != NULL && pass_run(&pass);

    if (worked) {
        run_again(&pass, list);
    }
    if (pass.pins >= 0) {
        close(pass.pins);
    }
    free(list);
    return worked;
}
