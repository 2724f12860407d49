/* node_pools.h - the node's pools: found by id, and turned when something has happened to them or their moment has come, not
 * otherwise: a program may have thousands that have nothing to do. For the node's thread.
 */
#ifndef NODE_POOLS_H
#define NODE_POOLS_H

#include <stddef.h>
#include <stdint.h>

#include "heap.h"
#include "id_map.h"

struct pool;
struct pool_seat;

struct node_pools {
    struct pool_seat **seats; /* in no particular order */
    size_t count, capacity;
    struct id_map by_id;
    struct heap timers;        /* those whose pools have a deadline and are not touched */
    struct pool_seat *touched; /* those that the next turn is for */
};

/* Empty, owning nothing. */
void node_pools_init(struct node_pools *self);

/* Frees its own memory; its pools have ended. */
void node_pools_release(struct node_pools *self);

/* Takes the pool. 0; TROUPE_ENOMEM, TROUPE_EINVAL (its id is taken): the pool stays the caller's. */
int node_pools_add(struct node_pools *self, struct pool *pool);

/* The pool of that id, to which something is about to happen; NULL: there is none. */
struct pool *node_pools_touch(struct node_pools *self, uint32_t id);

/* The pool at a place below `count`, to be looked at. */
struct pool *node_pools_at(const struct node_pools *self, size_t place);

/* Something has happened to it. */
void node_pools_touch_at(struct node_pools *self, size_t place);

/* Ticks the due, turns the touched and the due, and frees those that have ended. */
void node_pools_turn(struct node_pools *self, double now);

/* When a turn is next of use; negative: not before something happens. */
double node_pools_deadline(const struct node_pools *self);

#endif
