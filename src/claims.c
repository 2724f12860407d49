/* claims.c - see claims.h.
 *
 *     (none) -> worker's [claims_take] -> (none) [claims_settle; claims_give_back]
 *     (none) -> node's [claims_settle, of a run that was given up]
 *
 * What is the node's stays until the pool is gone: nobody learns whether the worker ever comes back to it. It is rare.
 */
#include "claims.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct claim {
    uint64_t job;
    uint32_t run;
    bool node;
};

struct claims {
    pthread_mutex_t lock;
    struct claim *list;
    size_t count, capacity;
    atomic_int holders;
};

struct claims *claims_new(void)
{
    struct claims *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    pthread_mutex_init(&self->lock, NULL);
    atomic_init(&self->holders, 1);
    return self;
}

struct claims *claims_hold(struct claims *self)
{
    atomic_fetch_add(&self->holders, 1);
    return self;
}

void claims_release(struct claims **claims)
{
    struct claims *self = *claims;
    *claims = NULL;
    if (!self || atomic_fetch_sub(&self->holders, 1) != 1)
        return;
    pthread_mutex_destroy(&self->lock);
    free(self->list);
    free(self);
}

static struct claim *find(const struct claims *self, uint64_t job, uint32_t run)
{
    for (size_t i = 0; i < self->count; i++)
        if (self->list[i].job == job && self->list[i].run == run)
            return &self->list[i];
    return NULL;
}

static bool add(struct claims *self, uint64_t job, uint32_t run, bool node)
{
    if (self->count == self->capacity) {
        size_t capacity = self->capacity ? self->capacity * 2 : 8;
        struct claim *list = realloc(self->list, capacity * sizeof *list);
        if (!list)
            return false;
        self->list = list;
        self->capacity = capacity;
    }
    self->list[self->count++] = (struct claim){job, run, node};
    return true;
}

bool claims_take(struct claims *self, uint64_t job, uint32_t run)
{
    pthread_mutex_lock(&self->lock);
    bool taken = !find(self, job, run) && add(self, job, run, false);
    pthread_mutex_unlock(&self->lock);
    return taken;
}

void claims_give_back(struct claims *self, uint64_t job, uint32_t run)
{
    pthread_mutex_lock(&self->lock);
    struct claim *claim = find(self, job, run);
    if (claim && !claim->node)
        *claim = self->list[--self->count];
    pthread_mutex_unlock(&self->lock);
}

bool claims_settle(struct claims *self, uint64_t job, uint32_t run, bool given_up)
{
    pthread_mutex_lock(&self->lock);
    struct claim *claim = find(self, job, run);
    bool workers = claim && !claim->node;
    if (workers)
        *claim = self->list[--self->count];
    if (given_up && !claim)
        add(self, job, run, true); /* for want of memory twice is better than never */
    pthread_mutex_unlock(&self->lock);
    return workers;
}
