/* api_inner.h - what the parts of the pool for C programs share: api_pool.c its life, api_task.c its tasks.
 *
 * For the owner's thread alone; of a task only `native` is shared with a worker.
 *
 * Invariants:
 *  1. a task is in its pool's ring from its making until it is reaped;
 *  2. it stands in `changed`, once, while on_change has something to be told;
 *  3. a detached task has no group, and is reaped by the pool when it has ended.
 */
#ifndef API_INNER_H
#define API_INNER_H

#include "ear.h"
#include "native.h"

struct troupe_task {
    struct future future; /* first; pending until the outcome is there */
    struct troupe_pool *pool;
    struct troupe_group *group;
    struct native *native;
    struct message *outcome; /* Lua's */
    void (*cleanup)(void *user);
    char *name;
    double queued_at;
    enum troupe_task_status end; /* once it has ended */
    bool ended, changed, detached;
    struct troupe_task *next, *prev;   /* in the pool's ring */
    struct troupe_task *next_changed;
};

struct troupe_group {
    struct troupe_pool *pool;
    struct troupe_group *next, *prev; /* in the pool's ring */
};

struct troupe_pool {
    struct troupe_pool_args args;
    struct ear *ear;
    uint32_t id;
    int threads;
    int descriptor; /* an eventfd; -1: not asked for yet */
    bool entered, finishing;
    struct native_gauge *gauge;
    struct troupe_task tasks;   /* the ring's head */
    struct troupe_group groups;
    struct troupe_task *changed, **changed_end;
    struct troupe_pool_diagnosis counts; /* of what has ended */
};

/* on_change will be told of it. */
void api_task_note(struct troupe_task *task);

/* The task of that number syncs. */
void api_task_syncs(struct troupe_pool *pool, uint64_t number);

/* Cleans up and frees a task that has ended. */
void api_task_reap(struct troupe_task *task);

/* Its worker is gone, with the pool. */
void api_task_give_up(struct troupe_task *task);

#endif
