/* registry_table.c - a hash table of things that have their places in it themselves. */
#include "registry_inner.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

void table_init(struct table *self)
{
    self->buckets = &self->single;
    self->single = NULL;
    self->count = self->mask = 0;
}

void table_release(struct table *self)
{
    if (self->buckets != &self->single)
        free(self->buckets);
    table_init(self);
}

static void grow(struct table *self)
{
    size_t old = self->mask + 1, size = old < 8 ? 16 : old * 2;
    struct item **buckets = calloc(size, sizeof(struct item *));
    if (!buckets)
        return;
    for (size_t i = 0; i < old; i++)
        for (struct item *item = self->buckets[i], *next; item; item = next) {
            struct item **bucket = &buckets[item->hash & (size - 1)];
            next = item->next;
            item->next = *bucket;
            *bucket = item;
        }
    if (self->buckets != &self->single)
        free(self->buckets);
    self->buckets = buckets;
    self->mask = size - 1;
}

void table_insert(struct table *self, struct item *item)
{
    if (++self->count > self->mask + 1)
        grow(self);
    struct item **bucket = &self->buckets[item->hash & self->mask];
    item->next = *bucket;
    *bucket = item;
}

void table_remove(struct table *self, struct item *item)
{
    struct item **at = &self->buckets[item->hash & self->mask];
    while (*at != item)
        at = &(*at)->next;
    *at = item->next;
    self->count--;
}

uint64_t registry_hash(const char *text, size_t size, const void *above)
{
    return XXH3_64bits_withSeed(text, size, (uint64_t)(uintptr_t)above);
}
