/* heap.c - see heap.h.
 *
 * 1. nodes[i] is not after nodes[2i+1] and nodes[2i+2], by key and then by tie.
 * 2. nodes[i]->index is i + 1.
 * 3. Only heap_reserve needs memory: pushing and removing cannot fail.
 */
#include "heap.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

#include "troupe.h"

static bool before(const struct heap_node *a, const struct heap_node *b)
{
    return a->key < b->key || (a->key == b->key && a->tie < b->tie);
}

static void put(struct heap *self, size_t i, struct heap_node *node)
{
    self->nodes[i] = node;
    node->index = i + 1;
}

static void rise(struct heap *self, size_t i, struct heap_node *node)
{
    while (i > 0) {
        size_t parent = (i - 1) / 2;
        if (!before(node, self->nodes[parent]))
            break;
        put(self, i, self->nodes[parent]);
        i = parent;
    }
    put(self, i, node);
}

static void sink(struct heap *self, size_t i, struct heap_node *node)
{
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= self->count)
            break;
        if (child + 1 < self->count && before(self->nodes[child + 1], self->nodes[child]))
            child++;
        if (!before(self->nodes[child], node))
            break;
        put(self, i, self->nodes[child]);
        i = child;
    }
    put(self, i, node);
}

void heap_init(struct heap *self)
{
    *self = (struct heap){0};
}

void heap_release(struct heap *self)
{
    free(self->nodes);
    heap_init(self);
}

int heap_reserve(struct heap *self, size_t count)
{
    if (count <= self->capacity)
        return 0;
    size_t capacity = self->capacity ? 2 * self->capacity : 16;
    if (capacity < count)
        capacity = count;
    if (capacity > SIZE_MAX / sizeof *self->nodes)
        return TROUPE_ENOMEM;
    struct heap_node **nodes = realloc(self->nodes, capacity * sizeof *nodes);
    if (!nodes)
        return TROUPE_ENOMEM;
    self->nodes = nodes;
    self->capacity = capacity;
    return 0;
}

void heap_push(struct heap *self, struct heap_node *node, double key)
{
    assert(self->count < self->capacity);
    node->key = key;
    node->tie = self->pushed++;
    rise(self, self->count++, node);
}

void heap_remove(struct heap *self, struct heap_node *node)
{
    size_t i = node->index - 1;
    assert(i < self->count && self->nodes[i] == node);
    struct heap_node *last = self->nodes[--self->count];
    node->index = 0;
    if (last == node)
        return;
    if (i > 0 && before(last, self->nodes[(i - 1) / 2]))
        rise(self, i, last);
    else
        sink(self, i, last);
}
