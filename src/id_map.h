/* id_map.h - finds objects by a 64-bit id. Every object begins with its id, a uint64_t that stays the
 * same while the object is in the map. Made for ids given out in sequence. One owner, one thread at a
 * time.
 */
#ifndef ID_MAP_H
#define ID_MAP_H

#include <stddef.h>
#include <stdint.h>

struct id_table {
    void **slots;   /* NULL: never used; a mark: left behind by what was removed; else an object */
    unsigned log2;  /* of the number of slots */
    size_t used;    /* slots that are not NULL */
};

struct id_map {
    size_t count;
    struct id_table now;
    struct id_table old; /* being emptied into `now`, some slots with every change; no slots: none */
    size_t moved;        /* slots of old already emptied */
};

/* Empty, owning nothing. */
void id_map_init(struct id_map *self);

/* Frees its own memory; the objects are the caller's. */
void id_map_release(struct id_map *self);

/* Borrows the object until it is removed. 0; TROUPE_EINVAL when its id is taken, TROUPE_ENOMEM, then
 * unchanged. */
int id_map_insert(struct id_map *self, void *object);

/* The object of that id; NULL: none. */
void *id_map_find(const struct id_map *self, uint64_t id);

/* Takes the object out and returns it; NULL: none of that id. Needs no memory. */
void *id_map_remove(struct id_map *self, uint64_t id);

/* Calls see for every object, which may change none of the map. */
void id_map_each(const struct id_map *self, void (*see)(void *object, void *context), void *context);

#endif
