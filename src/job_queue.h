/* job_queue.h - jobs that wait: by priority, and within one in order. One owner, one thread at a time.
 *
 * A job is admitted before its first push and leaves after the last removal; in between it may be pushed
 * and popped any number of times, and none of that needs memory.
 */
#ifndef JOB_QUEUE_H
#define JOB_QUEUE_H

#include "heap.h"
#include "id_map.h"
#include "job_record.h"
#include "slab.h"

/* The jobs of one priority. */
struct job_level {
    uint64_t key;          /* first: an id_map looks for it here */
    struct heap_node node; /* among the levels with jobs in them */
    struct job_list jobs;  /* by order */
    struct job *finger;    /* in jobs: where one was last put back; may be NULL */
    int64_t front;         /* the smallest order given out */
    int64_t back;          /* the next order at the end */
    size_t admitted;
};

struct job_queue {
    size_t count;             /* jobs queued */
    struct heap waiting;      /* levels with jobs in them, the highest priority on top */
    struct id_map by_key;     /* all levels */
    struct job_level *recent; /* the last one admitted to; may be NULL */
    struct slab levels;
};

void job_queue_init(struct job_queue *self);
void job_queue_release(struct job_queue *self);

/* Gives the job a level. 0 or TROUPE_ENOMEM, then unchanged. */
int job_queue_admit(struct job_queue *self, struct job *job, int32_t priority);

/* The job, not queued, will not come again. */
void job_queue_leave(struct job_queue *self, struct job *job);

/* Behind all jobs of its priority, or in front of them when it is a first one. */
void job_queue_push(struct job_queue *self, struct job *job);

/* Back to where it was among those of its priority. */
void job_queue_restore(struct job_queue *self, struct job *job);

/* The job, not queued, gets an order behind, or in front of, those of its priority, for job_queue_restore. */
void job_queue_give_order(struct job *job);

/* The next job, left where it is; NULL when empty. */
struct job *job_queue_top(const struct job_queue *self);

/* The next job, taken out; NULL when empty. */
struct job *job_queue_pop(struct job_queue *self);

/* Takes out one that is queued. */
void job_queue_remove(struct job_queue *self, struct job *job);

#endif
