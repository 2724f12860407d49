/* placement.c - see placement.h.
 *
 *     none --chosen--> starting --placement_up--> up --placement_closed--> none
 *     starting --placement_failed, or nothing was heard for long--> none
 *
 * Invariants:
 *  1. a place has waiters only while it is starting;
 *  2. an actor is counted in one place, from when that was chosen for it until it is dead;
 *  3. of places that have equally many, one that is up is chosen.
 */
#include "placement.h"

#include <stdlib.h>

/* Seconds after which a start that nothing was heard of is tried again: who began it may have been killed. */
static const double patience = 10;

/* Twice as many, and so many more, may live where their maker does: messages within a vm are cheap, and so are spawns. */
enum { BESIDE = 64 };

struct placement placement_program = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct placement_place *find(struct placement *self, uint64_t vm)
{
    for (int i = 0; vm && i < PLACEMENT_MOST; i++)
        if (self->places[i].vm == vm)
            return &self->places[i];
    return NULL;
}

static struct placement_place *least(struct placement *self, int places)
{
    struct placement_place *best = &self->places[0];
    for (int i = 1; i < places; i++) {
        struct placement_place *p = &self->places[i];
        if (p->count < best->count || (p->count == best->count && p->vm && !best->vm))
            best = p;
    }
    return best;
}

static enum placement_answer wait_for(struct placement_place *p, const struct placement_ask *ask)
{
    if (ask->number == 0)
        return PLACEMENT_UNKNOWN;
    struct placement_waiter *w = malloc(sizeof *w);
    if (!w)
        return PLACEMENT_FULL;
    *w = (struct placement_waiter){ask->own, ask->number, p->waiters};
    p->waiters = w;
    p->count++;
    return PLACEMENT_WAIT;
}

enum placement_answer placement_choose(struct placement *self, const struct placement_ask *ask, uint64_t *vm, int *place)
{
    enum placement_answer answer = PLACEMENT_THERE;
    pthread_mutex_lock(&self->lock);
    struct placement_place *best = least(self, ask->places), *own = find(self, ask->own);
    if (own && own->count <= 2 * best->count + BESIDE)
        best = own;
    *vm = best->vm;
    *place = (int)(best - self->places);
    if (best->vm) {
        best->count++;
    } else if (best->starting > 0 && ask->now - best->starting < patience) {
        answer = wait_for(best, ask);
    } else {
        best->starting = ask->now;
        best->count++;
        answer = PLACEMENT_START;
    }
    pthread_mutex_unlock(&self->lock);
    return answer;
}

/* The place may have been emptied since it was counted there. */
static void uncount(struct placement_place *p)
{
    if (p->count > 0)
        p->count--;
}

static void take_waiters(struct placement_place *p, struct placement_waiter **waiters)
{
    *waiters = p->waiters;
    p->waiters = NULL;
    p->starting = 0;
}

bool placement_up(struct placement *self, int place, uint64_t vm, struct placement_waiter **waiters)
{
    struct placement_place *p = &self->places[place];
    *waiters = NULL;
    pthread_mutex_lock(&self->lock);
    bool first = p->vm == 0;
    if (first) {
        p->vm = vm;
        take_waiters(p, waiters);
    }
    pthread_mutex_unlock(&self->lock);
    return first;
}

void placement_failed(struct placement *self, int place, struct placement_waiter **waiters)
{
    struct placement_place *p = &self->places[place];
    *waiters = NULL;
    pthread_mutex_lock(&self->lock);
    if (p->vm == 0)
        take_waiters(p, waiters);
    for (struct placement_waiter *w = *waiters; w; w = w->next)
        uncount(p);
    uncount(p);
    pthread_mutex_unlock(&self->lock);
}

static bool take_waiter(struct placement_place *p, uint64_t vm, uint64_t number)
{
    for (struct placement_waiter **at = &p->waiters; *at; at = &(*at)->next) {
        struct placement_waiter *w = *at;
        if (w->vm != vm || w->number != number)
            continue;
        *at = w->next;
        free(w);
        return true;
    }
    return false;
}

bool placement_withdraw(struct placement *self, int place, uint64_t vm, uint64_t number)
{
    struct placement_place *p = &self->places[place];
    pthread_mutex_lock(&self->lock);
    bool counted = number == 0 || take_waiter(p, vm, number);
    if (counted)
        uncount(p);
    pthread_mutex_unlock(&self->lock);
    return counted;
}

void placement_joined(struct placement *self, uint64_t vm)
{
    pthread_mutex_lock(&self->lock);
    struct placement_place *p = find(self, vm);
    if (p)
        p->count++;
    pthread_mutex_unlock(&self->lock);
}

void placement_left(struct placement *self, uint64_t vm)
{
    pthread_mutex_lock(&self->lock);
    struct placement_place *p = find(self, vm);
    if (p)
        uncount(p);
    pthread_mutex_unlock(&self->lock);
}

void placement_closed(struct placement *self, uint64_t vm)
{
    pthread_mutex_lock(&self->lock);
    struct placement_place *p = find(self, vm);
    if (p)
        *p = (struct placement_place){0};
    pthread_mutex_unlock(&self->lock);
}

void placement_free_waiters(struct placement_waiter **waiters)
{
    while (*waiters) {
        struct placement_waiter *w = *waiters;
        *waiters = w->next;
        free(w);
    }
}
