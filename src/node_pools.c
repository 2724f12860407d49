/* node_pools.c - see node_pools.h. For the node's thread.
 *
 *     resting --touched, or due--> touched --turned--> resting, in `timers` if it has a deadline
 *                                          --turned, and the pool has ended--> gone
 *
 * Invariants:
 *  1. seats[i]->place is i; by_id has each of them;
 *  2. a seat is in `touched` or, with a deadline, in `timers`, never in both;
 *  3. a pool's deadline changes only while its seat is touched;
 *  4. `timers` has room for every seat.
 */
#include "node_pools.h"

#include <stdbool.h>
#include <stdlib.h>

#include "pool.h"
#include "troupe.h"

struct pool_seat {
    uint64_t id; /* first: by_id goes by it */
    struct pool *pool;
    size_t place;
    struct heap_node timer;
    bool is_touched, is_due;
    struct pool_seat *next; /* touched */
};

static struct pool_seat *seat_of(struct heap_node *timer)
{
    return (struct pool_seat *)((char *)timer - offsetof(struct pool_seat, timer));
}

void node_pools_init(struct node_pools *self)
{
    *self = (struct node_pools){0};
    id_map_init(&self->by_id);
    heap_init(&self->timers);
}

void node_pools_release(struct node_pools *self)
{
    id_map_release(&self->by_id);
    heap_release(&self->timers);
    free(self->seats);
}

static int make_room(struct node_pools *self)
{
    if (self->count < self->capacity)
        return 0;
    size_t capacity = self->capacity ? self->capacity * 2 : 8;
    struct pool_seat **seats = realloc(self->seats, capacity * sizeof *seats);
    if (!seats)
        return TROUPE_ENOMEM;
    self->seats = seats;
    int rc = heap_reserve(&self->timers, capacity);
    if (rc == 0)
        self->capacity = capacity;
    return rc;
}

static void touch(struct node_pools *self, struct pool_seat *seat)
{
    if (seat->is_touched)
        return;
    if (seat->timer.index)
        heap_remove(&self->timers, &seat->timer);
    seat->is_touched = true;
    seat->next = self->touched;
    self->touched = seat;
}

int node_pools_add(struct node_pools *self, struct pool *pool)
{
    int rc = make_room(self);
    struct pool_seat *seat = rc ? NULL : calloc(1, sizeof *seat);
    if (!seat)
        return TROUPE_ENOMEM;
    seat->id = pool_id(pool);
    seat->pool = pool;
    rc = id_map_insert(&self->by_id, seat);
    if (rc) {
        free(seat);
        return rc;
    }
    seat->place = self->count;
    self->seats[self->count++] = seat;
    touch(self, seat);
    return 0;
}

struct pool *node_pools_touch(struct node_pools *self, uint32_t id)
{
    struct pool_seat *seat = id_map_find(&self->by_id, id);
    if (!seat)
        return NULL;
    touch(self, seat);
    return seat->pool;
}

struct pool *node_pools_at(const struct node_pools *self, size_t place)
{
    return self->seats[place]->pool;
}

void node_pools_touch_at(struct node_pools *self, size_t place)
{
    touch(self, self->seats[place]);
}

static void drop(struct node_pools *self, struct pool_seat *seat)
{
    struct pool_seat *last = self->seats[--self->count];
    id_map_remove(&self->by_id, seat->id);
    self->seats[seat->place] = last;
    last->place = seat->place;
    pool_destroy(&seat->pool);
    free(seat);
}

static void touch_due(struct node_pools *self, double now)
{
    struct heap_node *first;
    while ((first = heap_top(&self->timers)) && first->key <= now) {
        struct pool_seat *seat = seat_of(first);
        touch(self, seat);
        seat->is_due = true;
    }
}

static void rest(struct node_pools *self, struct pool_seat *seat)
{
    double at = pool_deadline(seat->pool);
    if (at >= 0)
        heap_push(&self->timers, &seat->timer, at);
}

void node_pools_turn(struct node_pools *self, double now)
{
    touch_due(self, now);
    while (self->touched) {
        struct pool_seat *seat = self->touched;
        double at = pool_deadline(seat->pool); /* what has just happened to it may have moved it */
        self->touched = seat->next;
        seat->is_touched = false;
        if (seat->is_due || (at >= 0 && at <= now))
            pool_tick(seat->pool, now);
        seat->is_due = false;
        pool_turn(seat->pool, now);
        if (pool_ended(seat->pool))
            drop(self, seat);
        else
            rest(self, seat);
    }
}

double node_pools_deadline(const struct node_pools *self)
{
    struct heap_node *first = heap_top(&self->timers);
    return first ? first->key : -1;
}
