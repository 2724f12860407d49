/* value_seen.c - open addressing from addresses to numbers; nothing is ever taken out.
 *
 * Invariants:
 * 1. At most half the slots are taken, so a probe ends soon and always.
 * 2. slots is NULL, small, or memory of its own.
 */
#include "value_seen.h"

#include <stdlib.h>
#include <string.h>

#include "troupe.h"

void seen_release(struct seen *self)
{
    if (self->slots != self->small)
        free(self->slots);
    seen_init(self);
}

/* The slot that has the key, or the free one where it belongs. Addresses of objects differ in their middle
 * bits. */
static struct seen_slot *probe(struct seen_slot *slots, size_t mask, const void *key)
{
    uint64_t hash = (uint64_t)(uintptr_t)key * UINT64_C(0x9e3779b97f4a7c15);
    size_t at = (size_t)(hash >> 32) & mask;

    while (slots[at].key && slots[at].key != key)
        at = (at + 1) & mask;
    return &slots[at];
}

static void begin(struct seen *self)
{
    memset(self->small, 0, sizeof self->small);
    self->slots = self->small;
    self->mask = SEEN_SMALL - 1;
}

static int grow(struct seen *self)
{
    size_t size = self->mask + 1;
    struct seen_slot *slots = calloc(size * 2, sizeof *slots);

    if (!slots)
        return TROUPE_ENOMEM;
    for (size_t i = 0; i < size; i++)
        if (self->slots[i].key)
            *probe(slots, size * 2 - 1, self->slots[i].key) = self->slots[i];
    if (self->slots != self->small)
        free(self->slots);
    self->slots = slots;
    self->mask = size * 2 - 1;
    return 0;
}

int seen_add(struct seen *self, const void *key, uint32_t *number)
{
    struct seen_slot *slot;

    if (!self->slots)
        begin(self);
    slot = probe(self->slots, self->mask, key);
    if (slot->key) {
        *number = slot->number;
        return 1;
    }
    if (self->count * 2 > self->mask) {
        if (grow(self))
            return TROUPE_ENOMEM;
        slot = probe(self->slots, self->mask, key);
    }
    slot->key = key;
    slot->number = *number;
    self->count++;
    return 0;
}

uint32_t *seen_find(struct seen *self, const void *key)
{
    struct seen_slot *slot;

    if (!self->slots)
        return NULL;
    slot = probe(self->slots, self->mask, key);
    return slot->key ? &slot->number : NULL;
}
