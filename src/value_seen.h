/* value_seen.h - which objects a message has met, by address, and the number each was given.
 *
 * One thread, one message. The first few cost no allocation.
 */
#ifndef VALUE_SEEN_H
#define VALUE_SEEN_H

#include <stddef.h>
#include <stdint.h>

struct seen_slot {
    const void *key; /* NULL: free */
    uint32_t number;
};

enum { SEEN_SMALL = 32 };

struct seen {
    struct seen_slot *slots; /* NULL until the first is added */
    size_t mask;             /* slots - 1, a power of two less one */
    size_t count;            /* at most half the slots */
    struct seen_slot small[SEEN_SMALL];
};

static inline void seen_init(struct seen *self)
{
    self->slots = NULL;
    self->count = 0;
}

/* Frees what it owns; empty again. */
void seen_release(struct seen *self);

/* Looks the key up, and adds it with this number when it is new. 0: added, TROUPE_ENOMEM: nothing changed,
 * 1: it was there, and *number is now the number it has. */
int seen_add(struct seen *self, const void *key, uint32_t *number);

/* The number of a key; NULL: it was never added. Good until the next seen_add. */
uint32_t *seen_find(struct seen *self, const void *key);

#endif
