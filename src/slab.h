/* slab.h - many objects of one size: made and freed in tens of nanoseconds, packed without a header each.
 *
 * One owner, one thread at a time. All objects go at once with slab_release.
 */
#ifndef SLAB_H
#define SLAB_H

#include <stddef.h>

struct slab_chunk;

struct slab {
    size_t object_bytes;
    unsigned empty;             /* chunks kept without any object in them: 0 or 1 */
    struct slab_chunk *partial; /* have room; the one last used first */
    struct slab_chunk *full;
    struct slab_chunk *first;   /* the small one */
};

/* For objects of so many bytes, at most 4096. Owns nothing yet. */
void slab_init(struct slab *self, size_t object_bytes);

/* Frees every object. */
void slab_release(struct slab *self);

/* An object with undefined content, aligned for any use; NULL when memory ran out. */
void *slab_get(struct slab *self);

/* Takes the object back. */
void slab_put(struct slab *self, void *object);

#endif
