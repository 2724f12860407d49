/* heap.h - a stable heap of nodes that live inside the caller's structs: smallest key first, equal keys in the
 * order they were pushed; any node can be removed in logarithmic time. One owner, one thread at a time.
 */
#ifndef HEAP_H
#define HEAP_H

#include <stddef.h>
#include <stdint.h>

struct heap_node {
    double key;     /* set by heap_push; never NaN */
    size_t index;   /* its place, counted from 1; 0: in no heap */
};

struct heap_entry {
    double key;
    uint64_t tie; /* tells equal keys apart */
    struct heap_node *node;
};

struct heap {
    struct heap_entry *entries;
    size_t count;
    size_t capacity;
    uint64_t pushed;
};

/* Empty, owning nothing. */
void heap_init(struct heap *self);

/* Frees its own memory; the nodes are the caller's. */
void heap_release(struct heap *self);

/* Room for `count` nodes in all. 0 or TROUPE_ENOMEM, then unchanged. */
int heap_reserve(struct heap *self, size_t count);

/* Borrows the node until it leaves the heap. Its room was reserved. */
void heap_push(struct heap *self, struct heap_node *node, double key);

/* The first node; NULL when empty. */
static inline struct heap_node *heap_top(const struct heap *self)
{
    return self->count ? self->entries[0].node : NULL;
}

/* Takes out a node that is in the heap. */
void heap_remove(struct heap *self, struct heap_node *node);

#endif
