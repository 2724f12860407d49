/* vm_run.h - one job that has begun in a vm and not ended: what its own code may ask about it, and what letters about it
 * change.
 *
 * For the thread that owns the vm.
 */
#ifndef VM_RUN_H
#define VM_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "message.h"
#include "run_note.h"
#include "vm_job.h"

struct vm_task;
struct vm_tasks;

struct vm_run {
    struct message *letter; /* MAIL_RUN, the outcome in the end */
    struct vm_task *task;
    struct vm_jobs *jobs;
    struct vm_run *prev, *next; /* of all in the vm */
    bool stopping; /* it was asked to end */
    bool killed;   /* with all others */
    bool parked;   /* the node was told that it waits */
    char *name;    /* NULL: none */
    struct message *progress; /* what the node was not told of yet; NULL: nothing */
    double progress_at;       /* when it may be */
    bool unwanted;         /* vm_stream.c: nobody takes what it sends */
    uint64_t sent, taken;  /* letters it sent, those of them that its owner has taken */
    uint64_t window;       /* most between the two */
    uint64_t synced;       /* the letter it waits to be resumed for; 0: none */
    bool has_cleanup; /* vm_extra.c */
    bool cleaning;    /* the call has ended, its cleanup has not */
    bool refused;     /* the node sees to it */
    const char *word; /* for how the call has ended */
    void (*done)(struct vm_run *self);
};

/* The one that began last; the others by `next`. */
struct vm_run *vm_run_first(const struct vm_jobs *jobs);

/* Sends the node a letter about the job, which it takes. */
void vm_run_say(const struct vm_run *self, struct message **letter, enum message_kind kind);

/* The word that a cleanup sent by the node is told. */
const char *vm_run_word(const struct vm_run *self);

/* Is the run's cleanup this worker's to run? */
bool vm_run_claim(const struct vm_run *self);

/* It waits: the node is told, once. */
void vm_run_parked(struct vm_run *self);

/* The job whose code runs now; NULL outside any. */
struct vm_run *vm_run_current(const struct vm_tasks *tasks);

/* The job of that id; NULL: none. */
struct vm_run *vm_run_find(const struct vm_jobs *jobs, uint64_t id);

/* It shall end; 0: all shall. False when there is none of that id. */
bool vm_jobs_halt(struct vm_jobs *self, uint64_t id);

/* Ends it where it waits, or when it next does; 0: all. False when there is none of that id. */
bool vm_jobs_kill(struct vm_jobs *self, uint64_t id);

#endif
