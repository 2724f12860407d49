/* heap.c - see heap.h.
 *
 * Each entry has four below it, and its key beside it: to find the least of four touches one or two cache lines, and
 * none of the nodes. A node is written to when its place changes, and read never.
 *
 * 1. entries[i] is not after entries[4i+1] to entries[4i+4], by key and then by tie.
 * 2. entries[i].node->index is i + 1.
 * 3. Only heap_reserve needs memory: pushing and removing cannot fail.
 */
#include "heap.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

#include "troupe.h"

enum { BRANCHES = 4 };

static bool before(const struct heap_entry *a, const struct heap_entry *b)
{
    return a->key < b->key || (a->key == b->key && a->tie < b->tie);
}

static void put(struct heap *self, size_t i, const struct heap_entry *entry)
{
    self->entries[i] = *entry;
    entry->node->index = i + 1;
}

static size_t above(size_t i)
{
    return (i - 1) / BRANCHES;
}

static void rise(struct heap *self, size_t i, const struct heap_entry *entry)
{
    while (i > 0 && before(entry, &self->entries[above(i)])) {
        put(self, i, &self->entries[above(i)]);
        i = above(i);
    }
    put(self, i, entry);
}

/* The first of those below i; i itself when there are none. */
static size_t first_below(const struct heap *self, size_t i)
{
    size_t child = BRANCHES * i + 1, end = child + BRANCHES;
    if (child >= self->count)
        return i;
    if (end > self->count)
        end = self->count;
    size_t first = child;
    while (++child < end)
        if (before(&self->entries[child], &self->entries[first]))
            first = child;
    return first;
}

static void sink(struct heap *self, size_t i, const struct heap_entry *entry)
{
    size_t child;
    while ((child = first_below(self, i)) != i && before(&self->entries[child], entry)) {
        put(self, i, &self->entries[child]);
        i = child;
    }
    put(self, i, entry);
}

void heap_init(struct heap *self)
{
    *self = (struct heap){0};
}

void heap_release(struct heap *self)
{
    free(self->entries);
    heap_init(self);
}

int heap_reserve(struct heap *self, size_t count)
{
    if (count <= self->capacity)
        return 0;
    size_t capacity = self->capacity ? 2 * self->capacity : 16;
    if (capacity < count)
        capacity = count;
    if (capacity > SIZE_MAX / sizeof *self->entries)
        return TROUPE_ENOMEM;
    struct heap_entry *entries = realloc(self->entries, capacity * sizeof *entries);
    if (!entries)
        return TROUPE_ENOMEM;
    self->entries = entries;
    self->capacity = capacity;
    return 0;
}

void heap_push(struct heap *self, struct heap_node *node, double key)
{
    assert(self->count < self->capacity);
    node->key = key;
    struct heap_entry entry = {key, self->pushed++, node};
    rise(self, self->count++, &entry);
}

void heap_remove(struct heap *self, struct heap_node *node)
{
    size_t i = node->index - 1;
    assert(i < self->count && self->entries[i].node == node);
    struct heap_entry last = self->entries[--self->count];
    node->index = 0;
    if (last.node == node)
        return;
    if (i > 0 && before(&last, &self->entries[above(i)]))
        rise(self, i, &last);
    else
        sink(self, i, &last);
}
