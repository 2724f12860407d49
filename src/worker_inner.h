/* worker_inner.h - what the rooms of a worker share: worker.c and worker_break.c. */
#ifndef WORKER_INNER_H
#define WORKER_INNER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "meter.h"
#include "worker.h"

struct worker {
    struct bridge *bridge; /* not NULL: a process, and nothing below is used but `holders` */
    struct worker_options options;
    struct message *init;
    struct message *words[2]; /* MAIL_UP and MAIL_DOWN, kept ready: to be told must not need memory */
    struct ear *ear;
    uint16_t box;
    struct thread *thread;
    struct loop *loop;
    struct vm_jobs *jobs;
    struct message *put_off;
    bool stopping;
    char name[16];
    atomic_int holders;
    atomic_bool left; /* to itself: it begins nothing any more, and ends when it can */

    pthread_mutex_t lock;
    struct vm *vm; /* under lock, when not the worker's own thread */
    bool up;       /* under lock: its init has ended */
    struct meter meter; /* with a cpu_limit */
    _Atomic size_t memory; /* bytes the vm's values took when it last reported */
};

#endif
