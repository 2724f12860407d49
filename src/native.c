/* native.c - see native.h.
 *
 *     queued -> running [worker]              running -> syncing [worker] -> running [owner, or worker when asked to end]
 *     queued -> stopped [owner: cancelled]    running -> finished | stopped [worker]
 *
 * Any thread may enter; the table of tasks has a lock.
 *
 * Invariants:
 *  1. a task is in the table while somebody holds it;
 *  2. it leaves the queue once: whoever takes its status away from queued counts it out.
 */
#include "native.h"

#include <pthread.h>
#include <stdlib.h>

#include "id_map.h"

static struct {
    pthread_mutex_t lock;
    struct id_map tasks; /* all zero: empty */
    uint64_t last;
} table = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct native_gauge *native_gauge_new(void)
{
    struct native_gauge *self = calloc(1, sizeof *self);
    if (self)
        atomic_init(&self->holders, 1);
    return self;
}

void native_gauge_drop(struct native_gauge **gauge)
{
    struct native_gauge *self = *gauge;
    *gauge = NULL;
    if (self && atomic_fetch_sub(&self->holders, 1) == 1)
        free(self);
}

struct native *native_new(const struct troupe_task_args *args, uint64_t owner, struct native_gauge *gauge)
{
    struct native *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->run = args->run;
    self->user = args->user;
    self->owner = owner;
    self->gauge = gauge;
    atomic_init(&self->status, TROUPE_TASK_QUEUED);
    atomic_init(&self->outlive, args->outlive);
    atomic_init(&self->holders, 1);
    pthread_mutex_lock(&table.lock);
    self->number = ++table.last;
    int rc = id_map_insert(&table.tasks, self);
    pthread_mutex_unlock(&table.lock);
    if (rc) {
        free(self);
        return NULL;
    }
    atomic_fetch_add(&gauge->holders, 1);
    atomic_fetch_add(&gauge->queued, 1);
    return self;
}

struct native *native_find(uint64_t number)
{
    pthread_mutex_lock(&table.lock);
    struct native *self = id_map_find(&table.tasks, number);
    if (self)
        atomic_fetch_add(&self->holders, 1);
    pthread_mutex_unlock(&table.lock);
    return self;
}

/* Under the lock, so that nobody finds what is about to be freed. */
void native_drop(struct native **native)
{
    struct native *self = *native;
    *native = NULL;
    if (!self)
        return;
    pthread_mutex_lock(&table.lock);
    bool last = atomic_fetch_sub(&self->holders, 1) == 1;
    if (last)
        id_map_remove(&table.tasks, self->number);
    if (last && table.tasks.count == 0) {
        id_map_release(&table.tasks);
        id_map_init(&table.tasks);
    }
    pthread_mutex_unlock(&table.lock);
    if (!last)
        return;
    native_gauge_drop(&self->gauge);
    free(self);
}

bool native_leave_queue(struct native *self, enum troupe_task_status status)
{
    int queued = TROUPE_TASK_QUEUED;
    if (!atomic_compare_exchange_strong(&self->status, &queued, (int)status))
        return false;
    atomic_fetch_sub(&self->gauge->queued, 1);
    return true;
}
