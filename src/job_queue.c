/* job_queue.c - see job_queue.h.
 *
 * 1. A level is in the heap `waiting` exactly while it has jobs; the heap has room for every level there
 *    is.
 * 2. Jobs of a level are linked by growing `order`. No two jobs of a level have the same.
 * 3. A level lives while any admitted job names it, queued or not. LEVELS_KEPT empty ones are kept for
 *    the next job.
 */
#include "job_queue.h"

#include <stddef.h>

#include "troupe.h"

enum { LEVELS_KEPT = 64 };

static uint64_t key_of(int32_t priority)
{
    return (uint64_t)((int64_t)priority - INT32_MIN);
}

static struct job_level *level_of(struct heap_node *node)
{
    return (struct job_level *)((char *)node - offsetof(struct job_level, node));
}

static struct job_level *level_new(struct job_queue *self, uint64_t key)
{
    if (heap_reserve(&self->waiting, self->by_key.count + 1))
        return NULL;
    struct job_level *level = slab_get(&self->levels);
    if (!level)
        return NULL;
    *level = (struct job_level){.key = key};
    if (id_map_insert(&self->by_key, level)) {
        slab_put(&self->levels, level);
        return NULL;
    }
    return level;
}

/* Puts the job where its order says; near the finger, as jobs mostly come back many at a time and in
 * order. */
static void put_in_order(struct job_level *level, struct job *job)
{
    struct job *after = level->finger;
    if (!after || after->order > job->order) {
        if (!level->jobs.head || level->jobs.head->order > job->order)
            after = NULL;
        else if (!after)
            after = level->jobs.head;
    }
    while (after && after->order > job->order)
        after = after->prev;
    while (after && after->next && after->next->order < job->order)
        after = after->next;
    job_list_insert(&level->jobs, after, job);
    level->finger = job;
}

static void mark_queued(struct job_queue *self, struct job *job)
{
    struct job_level *level = job->level;
    job->state = JOB_QUEUED;
    self->count++;
    if (!level->node.index)
        heap_push(&self->waiting, &level->node, -(double)level->key);
}

void job_queue_init(struct job_queue *self)
{
    self->count = 0;
    heap_init(&self->waiting);
    id_map_init(&self->by_key);
    self->recent = NULL;
    slab_init(&self->levels, sizeof(struct job_level));
}

void job_queue_release(struct job_queue *self)
{
    heap_release(&self->waiting);
    id_map_release(&self->by_key);
    slab_release(&self->levels);
}

int job_queue_admit(struct job_queue *self, struct job *job, int32_t priority)
{
    uint64_t key = key_of(priority);
    struct job_level *level = self->recent;
    if (!level || level->key != key) {
        level = id_map_find(&self->by_key, key);
        if (!level)
            level = level_new(self, key);
        if (!level)
            return TROUPE_ENOMEM;
        self->recent = level;
    }
    level->admitted++;
    job->level = level;
    return 0;
}

void job_queue_leave(struct job_queue *self, struct job *job)
{
    struct job_level *level = job->level;
    if (--level->admitted > 0 || self->by_key.count <= LEVELS_KEPT)
        return;
    if (self->recent == level)
        self->recent = NULL;
    id_map_remove(&self->by_key, level->key);
    slab_put(&self->levels, level);
}

void job_queue_give_order(struct job *job)
{
    struct job_level *level = job->level;
    job->order = job->first ? --level->front : level->back++;
}

void job_queue_push(struct job_queue *self, struct job *job)
{
    struct job_level *level = job->level;
    job_queue_give_order(job);
    job_list_insert(&level->jobs, job->first ? NULL : level->jobs.tail, job);
    mark_queued(self, job);
}

void job_queue_restore(struct job_queue *self, struct job *job)
{
    put_in_order(job->level, job);
    mark_queued(self, job);
}

struct job *job_queue_top(const struct job_queue *self)
{
    struct heap_node *top = heap_top(&self->waiting);
    return top ? level_of(top)->jobs.head : NULL;
}

struct job *job_queue_pop(struct job_queue *self)
{
    struct heap_node *top = heap_top(&self->waiting);
    if (!top)
        return NULL;
    struct job *job = level_of(top)->jobs.head;
    job_queue_remove(self, job);
    return job;
}

void job_queue_remove(struct job_queue *self, struct job *job)
{
    struct job_level *level = job->level;
    if (level->finger == job)
        level->finger = job->next ? job->next : job->prev;
    job_list_remove(&level->jobs, job);
    self->count--;
    if (!level->jobs.head)
        heap_remove(&self->waiting, &level->node);
}
