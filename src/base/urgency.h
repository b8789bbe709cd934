/* SPDX-License-Identifier: Apache-2.0
 *
 * How urgently a thread wants the processor when it is woken. The usual scheduler lets who is woken
 * drive off who runs, and where many short pieces of work go from thread to thread that is a change
 * of threads for each piece. A thread of low urgency (Linux's SCHED_BATCH, which is nobody's
 * privilege) waits until who runs has to wait himself, and then finds more to do at once.
 *
 * Where somebody computes for long it would wait until his turn is over, some milliseconds. So each
 * thread looks how long it waits, and is urgent as soon as low urgency makes it wait much longer
 * than what is usual; and a process that knows better says so, by urgency_hold().
 */
#ifndef BASE_URGENCY_H
#define BASE_URGENCY_H

#include "base/base.h"

#include <pthread.h>

struct urgency {
    bool fixed;       /* whoever started us has chosen, or the kernel does not count */
    bool computes;    /* its own turns are the long ones: urgency_hold() is not for it */
    bool low;
    uint64_t more;    /* nanoseconds: so much more than twice the usual wait is too long */
    uint64_t look_at; /* milliseconds */
    uint64_t turn_at; /* when the other one is tried */
    uint64_t rest;    /* so long it stays urgent when it next waited too long */
    uint64_t waited;  /* for the processor, nanoseconds, and */
    uint64_t turns;   /* turns it has had, both up to the last look */
    uint64_t usual;   /* nanoseconds that it waited for a turn while it was urgent */
};

/* For the calling thread, urgent until it knows what is usual. */
void urgency_start(struct urgency *urgency, unsigned more_us);
/* Between pieces of work; mostly it does nothing but read a clock. */
void urgency_look(struct urgency *urgency);

/* A thread that is made with these begins as the process was started, also where who makes it is of
 * low urgency at the moment; else it would stay so, for it would be taken for chosen. */
void urgency_attributes(pthread_attr_t *attributes);

/* For the next quarter of a second every thread is urgent that does not
 * compute. From any thread. */
void urgency_hold(void);

/* Is it to be of low urgency from now on? waited and turns have been counted since it was made. */
bool urgency_judge(struct urgency *urgency, uint64_t now, uint64_t waited, uint64_t turns);

#endif
