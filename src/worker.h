/* worker.h - a thread that owns one vm and runs jobs in it; or, with the same face, a process that has such a thread.
 *
 * Made, interrupted and joined by the node's thread; everything else happens on its own.
 */
#ifndef WORKER_H
#define WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "vm.h"

struct bridge_options;
struct claims;
struct loop;
struct mailbox;
struct message;
struct meter;
struct worker;

/* What the floor above puts into a worker's vm. */
struct worker_hooks {
    int (*open)(lua_State *L);                            /* vm_options.open */
    void (*attach)(lua_State *L, struct loop *loop);      /* tells the vm of its loop; run under a pcall */
    void (*leave)(lua_State *L);                          /* the vm ends; letters can still be posted */
    void (*detach)(lua_State *L);                         /* the loop is gone; finalisers may still ask for it */
    void (*other)(struct message **letter, void *L);      /* letters that are no worker's matter */
};

struct worker_options {
    const char *name; /* of the thread */
    uint32_t pool;
    uint32_t number;            /* the dispatcher's */
    uint32_t tag;               /* travels in MAIL_UP and MAIL_DOWN, as in the jobs' letters */
    const struct message *init; /* its body is a call to make before the first job; NULL: none. Copied */
    struct vm_options vm;       /* its strings stay the caller's and live as long as the worker */
    const struct worker_hooks *hooks;
    double cpu_limit;           /* seconds of processor time each job may take, see worker_meter; 0: any number */
    struct claims *claims;      /* its pool's; held by the worker as long as it needs them. NULL in a worker process: there */
    bool (*granted)(void *uplink); /* waits for the answer to the worker's MAIL_CLAIM */
    void *uplink;
    const struct bridge_options *process; /* the worker is a process: what of it there is beside the above; NULL: a thread */
};

/* Opens the worker's box, and the ways between it and the node's, and starts its thread, which posts MAIL_UP or MAIL_DOWN
 * to the node. 0 or a status. */
int worker_start(struct worker **out, const struct worker_options *options, struct mailbox *node);

/* Bytes that its vm's values took when it last reported a job done. */
size_t worker_memory(const struct worker *self);

uint16_t worker_box(const struct worker *self);

/* Breaks into the job, if that is what the worker runs (0: into whatever it runs), until it has ended. Of several such
 * requests the last one counts. */
void worker_interrupt(struct worker *self, uint64_t job);

/* Breaks into the job that runs there now, or the init; into no cleanup. */
void worker_interrupt_job(struct worker *self);

/* What runs there now: a job, or the target of its cleanup; 0: nothing. Of a process, as far as it has told. */
uint64_t worker_target(struct worker *self);

/* What its jobs take of the processor; of use with a cpu_limit. */
struct meter *worker_meter(struct worker *self);

/* Breaks into the job if it runs. A process that is stuck in it even so is killed after a few such requests. */
void worker_break(struct worker *self, uint64_t job);

/* Takes letters that were posted to the worker from here and have not begun back, where that can be asked only of its
 * process (bridge.h): they come as MAIL_RETURN. False for a thread: what mailbox_recall has not found has begun. */
bool worker_recall(struct worker *self, struct mailbox *node, uint64_t job);

/* Asks whether the job has begun, where only its process can tell: MAIL_LOOK comes back. False when it is not asked. */
bool worker_ask(struct worker *self, struct mailbox *node, uint64_t job);

/* The job will run again here, and shall not be broken into for what it did before. */
void worker_calm(struct worker *self, uint64_t job);

/* True while the job's own code runs, or what it called; of a process, as far as it has told. */
bool worker_runs(struct worker *self, uint64_t job);

/* True while the job's own code runs on although it was broken into; of a process, while it runs. */
bool worker_is_stuck(struct worker *self, uint64_t job);

/* After MAIL_DOWN, or to wait for it: 0 and the pointer nulled, or TROUPE_ETIMEDOUT. */
int worker_join(struct worker **self, double timeout);

/* A worker that does not end: what runs there is broken into; it is left to itself and frees what it has when it ends.
 * Nulls. */
void worker_abandon(struct worker **self);

#endif
