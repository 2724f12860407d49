/* vm_run.h - one job that has begun in a vm and not ended: what its own code may ask about it, and what letters about it
 * change.
 *
 * For the thread that owns the vm.
 */
#ifndef VM_RUN_H
#define VM_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "vm_job.h"

struct vm_task;
struct vm_tasks;

struct vm_run {
    struct message *letter; /* MAIL_RUN, the outcome in the end */
    struct vm_task *task;
    struct vm_jobs *jobs;
    struct vm_run *prev, *next; /* of all in the vm */
    bool stopping; /* it was asked to end */
    bool parked;   /* the node was told that it waits */
};

/* The job whose code runs now; NULL outside any. */
struct vm_run *vm_run_current(const struct vm_tasks *tasks);

/* The job of that id; NULL: none. */
struct vm_run *vm_run_find(const struct vm_jobs *jobs, uint64_t id);

/* It shall end; 0: all shall. False when there is none of that id. */
bool vm_jobs_halt(struct vm_jobs *self, uint64_t id);

/* Ends it where it waits, or when it next does; 0: all. False when there is none of that id. */
bool vm_jobs_kill(struct vm_jobs *self, uint64_t id);

#endif
