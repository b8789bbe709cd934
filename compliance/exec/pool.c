/* SPDX-License-Identifier: Apache-2.0
 *
 * Worker processes and their watcher. A worker takes blocks of tests; when it dies or hangs, the
 * test it was at is reported, and a new worker goes on behind it.
 */
#include "exec/pool.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define JOBS_MAX 16
#define BLOCK 32
#define DONE 23             /* exit status of a worker that found nothing more to do */

struct worker {
    _Atomic size_t at, end; /* of its block: the test under way, and the first of others */
    _Atomic long long since; /* when that test began, in ms */
};

struct board {
    _Atomic size_t next; /* first test that nobody took */
    _Atomic size_t finished;
    struct worker worker[JOBS_MAX];
};

void *
shared_new(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

static long long
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
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

static void
work_on(struct pool *pool, struct board *board, struct worker *worker)
{
    struct module module;
    struct runner runner;
    size_t count = pool->suite->count;

    quiet_signals();
    if (!module_open(&module, pool->target->module) ||
        !runner_init(&runner, &module, &pool->sheet->world, pool->sheet->slot, pool->target->pin,
                     pool->target->so_pin)) {
        _exit(1);
    }
    for (;;) {
        if (worker->at == worker->end) {
            size_t first = atomic_fetch_add(&board->next, BLOCK);

            if (first >= count) {
                break;
            }
            worker->end = first + BLOCK < count ? first + BLOCK : count;
            worker->at = first;
        }
        worker->since = now_ms();
        runner_run(&runner, &pool->suite->test[worker->at], &pool->result[worker->at]);
        board->finished++;
        worker->at++;
    }
    worker->since = now_ms();
    runner_clear(&runner);
    _exit(DONE);
}

static pid_t
start(struct pool *pool, struct board *board, struct worker *worker)
{
    pid_t pid;

    worker->since = now_ms();
    pid = fork();
    if (pid == 0) {
        work_on(pool, board, worker);
    }
    return pid;
}

/* The test at which a worker died, with its worst verdict. */
static void
write_death(struct pool *pool, struct board *board, struct worker *worker, enum verdict verdict)
{
    struct result *result;

    if (worker->at >= worker->end) {
        return;
    }
    result = &pool->result[worker->at];
    if (result->step < pool->suite->test[worker->at].setup) {
        verdict = VERDICT_BLOCKED;
    }
    result->verdict = (uint8_t)verdict;
    result->class = CLASS_ROBUST;
    result->fn = pool->suite->test[worker->at].step[result->step].fn;
    result->cond = COND_NOTHING;
    board->finished++;
    worker->at++;
}

static void
show_progress(const struct pool *pool, const struct board *board, long long began)
{
    size_t finished = board->finished, deviations = 0;
    long long took = now_ms() - began;

    for (size_t i = 0; i < pool->suite->count; i++) {
        deviations += pool->result[i].verdict >= VERDICT_CODE;
    }
    fprintf(stderr, "\r%zu of %zu tests, %zu deviations, %lld s left  ", finished,
            pool->suite->count, deviations,
            finished > 0
                ? took * (long long)(pool->suite->count - finished) / (long long)finished / 1000
                : 0);
}

bool
pool_run(struct pool *pool)
{
    struct board *board = shared_new(sizeof *board);
    size_t jobs = pool->jobs < JOBS_MAX ? pool->jobs : JOBS_MAX, alive = 0;
    pid_t pids[JOBS_MAX] = { 0 };
    long long began = now_ms();
    bool worked = false;

    if (board == NULL) {
        return false;
    }
    fflush(NULL);
    for (size_t i = 0; i < jobs; i++) {
        pids[i] = start(pool, board, &board->worker[i]);
        alive += pids[i] > 0;
    }
    while (alive > 0) {
        struct timespec pause = { 0, 20 * 1000 * 1000 };

        nanosleep(&pause, NULL);
        for (size_t i = 0; i < jobs; i++) {
            struct worker *worker = &board->worker[i];
            bool hangs = pids[i] > 0 && now_ms() - worker->since > 1000LL * pool->patience;
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
                write_death(pool, board, worker, hangs ? VERDICT_HANG : VERDICT_CRASH);
                pids[i] = start(pool, board, worker);
                alive += pids[i] > 0;
            }
        }
        if (pool->progress) {
            show_progress(pool, board, began);
        }
    }
    if (pool->progress) {
        fputs("\r\033[K", stderr);
    }
    munmap(board, sizeof *board);
    return worked;
}
