/* slab.c - see slab.h.
 *
 * Objects live in chunks aligned to their own size, so an object's address tells its chunk. A chunk first
 * hands out its objects in order, untouched memory last; what comes back is linked through its first word
 * and handed out first.
 *
 * The first chunk is a small one, as most slabs never need a second: its place says so.
 *
 * 1. A chunk is in `full` exactly while it has no room, otherwise in `partial`.
 * 2. At most one chunk without objects is kept; memory follows the number of objects down again.
 * 3. `first` is the small chunk while there is one, and it is made only when there is no chunk at all.
 * 4. Under AddressSanitizer a returned object is poisoned behind its link.
 */
#include "slab.h"

#include <assert.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#if defined(__has_feature)
#define SLAB_POISONS __has_feature(address_sanitizer)
#elif defined(__SANITIZE_ADDRESS__)
#define SLAB_POISONS 1
#else
#define SLAB_POISONS 0
#endif

#if SLAB_POISONS
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

enum {
    CHUNK_ALIGN = 32 * 1024,
    CHUNK_BYTES = CHUNK_ALIGN - 64, /* malloc's own header fits before the next aligned chunk */
    CHUNK_HEAD = 64,                /* objects of 64 bytes are one cache line each */
    FIRST_OBJECTS = 4
};

struct vacant {
    struct vacant *next;
};

struct slab_chunk {
    struct slab_chunk *next;
    struct slab_chunk *prev;
    struct vacant *vacant; /* came back */
    unsigned capacity;     /* objects */
    unsigned fresh;        /* objects from this one on were never handed out */
    unsigned used;         /* objects out */
};

static void chunk_link(struct slab_chunk **list, struct slab_chunk *chunk)
{
    chunk->prev = NULL;
    chunk->next = *list;
    if (*list)
        (*list)->prev = chunk;
    *list = chunk;
}

static void chunk_unlink(struct slab_chunk **list, struct slab_chunk *chunk)
{
    if (chunk->prev)
        chunk->prev->next = chunk->next;
    else
        *list = chunk->next;
    if (chunk->next)
        chunk->next->prev = chunk->prev;
}

static size_t first_bytes(const struct slab *self)
{
    return CHUNK_HEAD + FIRST_OBJECTS * self->object_bytes;
}

static struct slab_chunk *chunk_new(struct slab *self)
{
    void *memory;
    bool first = !self->full;
    if (posix_memalign(&memory, first ? CHUNK_HEAD : CHUNK_ALIGN, first ? first_bytes(self) : CHUNK_BYTES))
        return NULL;
    struct slab_chunk *chunk = memory;
    if (first)
        self->first = chunk;
    chunk->capacity = first ? FIRST_OBJECTS : (unsigned)((CHUNK_BYTES - CHUNK_HEAD) / self->object_bytes);
    chunk->vacant = NULL;
    chunk->fresh = 0;
    chunk->used = 0;
    chunk_link(&self->partial, chunk);
    self->empty++;
    return chunk;
}

static void chunks_free(struct slab *self, struct slab_chunk *chunk)
{
    while (chunk) {
        struct slab_chunk *next = chunk->next;
        ASAN_UNPOISON_MEMORY_REGION(chunk, CHUNK_HEAD + chunk->capacity * self->object_bytes);
        if (chunk == self->first)
            self->first = NULL;
        free(chunk);
        chunk = next;
    }
}

void slab_init(struct slab *self, size_t object_bytes)
{
    size_t unit = alignof(max_align_t);
    self->object_bytes = (object_bytes + unit - 1) / unit * unit;
    assert(object_bytes > 0 && self->object_bytes <= 4096);
    self->empty = 0;
    self->first = NULL;
    self->partial = NULL;
    self->full = NULL;
}

void slab_release(struct slab *self)
{
    chunks_free(self, self->partial);
    chunks_free(self, self->full);
    self->partial = NULL;
    self->full = NULL;
    self->empty = 0;
}

void *slab_get(struct slab *self)
{
    struct slab_chunk *chunk = self->partial ? self->partial : chunk_new(self);
    if (!chunk)
        return NULL;
    void *object;
    if (chunk->vacant) {
        object = chunk->vacant;
        chunk->vacant = chunk->vacant->next;
        ASAN_UNPOISON_MEMORY_REGION(object, self->object_bytes);
    } else {
        object = (char *)chunk + CHUNK_HEAD + chunk->fresh++ * self->object_bytes;
    }
    if (chunk->used++ == 0)
        self->empty--;
    if (chunk->used == chunk->capacity) {
        chunk_unlink(&self->partial, chunk);
        chunk_link(&self->full, chunk);
    }
    return object;
}

static struct slab_chunk *chunk_of(const struct slab *self, void *object)
{
    if (self->first && (uintptr_t)object - (uintptr_t)self->first < first_bytes(self))
        return self->first;
    return (struct slab_chunk *)((uintptr_t)object & ~(uintptr_t)(CHUNK_ALIGN - 1));
}

void slab_put(struct slab *self, void *object)
{
    struct slab_chunk *chunk = chunk_of(self, object);
    struct vacant *vacant = object;
    vacant->next = chunk->vacant;
    chunk->vacant = vacant;
    ASAN_POISON_MEMORY_REGION((char *)object + sizeof *vacant, self->object_bytes - sizeof *vacant);
    if (chunk->used == chunk->capacity) {
        chunk_unlink(&self->full, chunk);
        chunk_link(&self->partial, chunk);
    }
    if (--chunk->used > 0)
        return;
    if (self->empty == 0) {
        self->empty++;
        return;
    }
    chunk_unlink(&self->partial, chunk);
    chunk->next = NULL;
    chunks_free(self, chunk);
}
