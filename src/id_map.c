/* id_map.c - open addressing with linear probing over bare object pointers.
 *
 * Eight slots are one cache line, eight lines a block. Ids that differ in their six lowest bits only
 * share a block, in order; which block, a multiplicative hash of the other bits says. So ids in sequence
 * fill whole blocks in turn and touch memory much as a queue would, while any other pattern is spread by
 * the hash.
 *
 * A removed object leaves a mark, so that probes go on past it; marks at the end of a run of slots are
 * cleared at once, which for ids that leave in sequence is all of them. When objects and marks fill a
 * table, or few objects are left, a table of the right size takes its place. The old one is emptied line
 * by line with each later change: no single call pays for the whole.
 *
 * 1. An object is in exactly one of the two tables, reachable by probing from its home without meeting a
 *    NULL.
 * 2. `now` keeps a quarter of its slots NULL, so every probe ends.
 * 3. `old` gives up a line with every insert or remove and is empty before `now` can fill.
 * 4. Removing needs no memory; a table that could not shrink is just large.
 */
#include "id_map.h"

#include <stdbool.h>
#include <stdlib.h>

#include "troupe.h"

enum { LINE = 8, LOG2_BLOCK = 5, BLOCK = 1 << LOG2_BLOCK, LOG2_LEAST = LOG2_BLOCK + 1 };

static char left_behind; /* its address is the mark */
#define MARK ((void *)&left_behind)

static uint64_t id_of(const void *object)
{
    return *(const uint64_t *)object;
}

static size_t size_of(const struct id_table *table)
{
    return (size_t)1 << table->log2;
}

static size_t home(const struct id_table *table, uint64_t id)
{
    uint64_t hash = (id / BLOCK) * UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(hash >> (64 + LOG2_BLOCK - table->log2)) * BLOCK + (size_t)(id % BLOCK);
}

static void **find_slot(const struct id_table *table, uint64_t id)
{
    if (!table->slots)
        return NULL;
    size_t mask = size_of(table) - 1;
    for (size_t i = home(table, id); table->slots[i]; i = (i + 1) & mask) {
        if (table->slots[i] != MARK && id_of(table->slots[i]) == id)
            return &table->slots[i];
    }
    return NULL;
}

/* The id is in neither table and there is room. */
static void put(struct id_table *table, void *object)
{
    size_t mask = size_of(table) - 1;
    size_t i = home(table, id_of(object));
    while (table->slots[i] && table->slots[i] != MARK)
        i = (i + 1) & mask;
    if (!table->slots[i])
        table->used++;
    table->slots[i] = object;
}

static void clear_slot(struct id_table *table, void **slot)
{
    size_t mask = size_of(table) - 1;
    size_t i = (size_t)(slot - table->slots);
    *slot = MARK;
    if (table->slots[(i + 1) & mask])
        return;
    for (; table->slots[i] == MARK; i = (i - 1) & mask) {
        table->slots[i] = NULL;
        table->used--;
    }
}

/* Empties one line of the old table, and frees the table after the last. */
static void move_line(struct id_map *self)
{
    if (!self->old.slots)
        return;
    for (size_t end = self->moved + LINE; self->moved < end; self->moved++) {
        void **slot = &self->old.slots[self->moved];
        if (*slot && *slot != MARK) {
            put(&self->now, *slot);
            *slot = MARK;
        }
    }
    if (self->moved == size_of(&self->old)) {
        free(self->old.slots);
        self->old = (struct id_table){0};
        return;
    }
    /* The next call reads these objects' ids. */
    for (size_t i = self->moved; i < self->moved + LINE; i++)
        __builtin_prefetch(self->old.slots[i]);
}

/* A table takes over that is half empty now and not full before the present one has been emptied into it. */
static int change_table(struct id_map *self)
{
    while (self->old.slots)
        move_line(self);
    size_t changes = self->now.slots ? size_of(&self->now) / LINE : 0;
    struct id_table table = {.log2 = LOG2_LEAST};
    while (size_of(&table) / 2 <= self->count || size_of(&table) / 4 * 3 <= self->count + changes)
        table.log2++;
    table.slots = calloc(size_of(&table), sizeof *table.slots);
    if (!table.slots)
        return TROUPE_ENOMEM;
    self->old = self->now;
    self->now = table;
    self->moved = 0;
    return 0;
}

static bool is_full(const struct id_table *table)
{
    return !table->slots || table->used + 1 > size_of(table) / 4 * 3;
}

static bool is_sparse(const struct id_map *self)
{
    return self->now.log2 > LOG2_LEAST && !self->old.slots && self->count < size_of(&self->now) / 16;
}

void id_map_init(struct id_map *self)
{
    *self = (struct id_map){0};
}

void id_map_release(struct id_map *self)
{
    free(self->now.slots);
    free(self->old.slots);
    id_map_init(self);
}

void *id_map_find(const struct id_map *self, uint64_t id)
{
    void **slot = find_slot(&self->now, id);
    if (!slot)
        slot = find_slot(&self->old, id);
    return slot ? *slot : NULL;
}

int id_map_insert(struct id_map *self, void *object)
{
    if (id_map_find(self, id_of(object)))
        return TROUPE_EINVAL;
    if (is_full(&self->now)) {
        int rc = change_table(self);
        if (rc)
            return rc;
    }
    put(&self->now, object);
    self->count++;
    move_line(self);
    return 0;
}

void *id_map_remove(struct id_map *self, uint64_t id)
{
    struct id_table *table = &self->now;
    void **slot = find_slot(table, id);
    if (!slot) {
        table = &self->old;
        slot = find_slot(table, id);
    }
    if (!slot)
        return NULL;
    void *object = *slot;
    if (table == &self->old)
        *slot = MARK;
    else
        clear_slot(table, slot);
    self->count--;
    move_line(self);
    if (is_sparse(self))
        (void)change_table(self);
    return object;
}

static void see_all(const struct id_table *table, void (*see)(void *object, void *context), void *context)
{
    for (size_t i = 0; table->slots && i < size_of(table); i++)
        if (table->slots[i] && table->slots[i] != MARK)
            see(table->slots[i], context);
}

void id_map_each(const struct id_map *self, void (*see)(void *object, void *context), void *context)
{
    see_all(&self->now, see, context);
    see_all(&self->old, see, context);
}
