/* vm_memory.c - the allocator of a vm.
 *
 * A fresh state with its libraries is some 400 blocks in 22 KB, one with an actor in it 2,000 in 100 KB. They come from one
 * region, which is opened, filled and given back without malloc; a state that grows past it lives on malloc like any other.
 * What of a region was never taken is not there.
 *
 *  1. a block lies in the region or is malloc's; the address tells which;
 *  2. a block of the region goes back to the free list of the size Lua names, never to the untouched end;
 *  3. `used` counts what Lua asked for, whatever it came from; shrinking never fails, as Lua demands.
 *
 * Kept regions are shared by all threads; everything else belongs to the vm's owner.
 */
#include "vm_memory.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "sanitizer.h"

enum { REGION_BYTES = 256 * 1024, KEPT_BYTES = 64 * 1024, GRAIN = 16, CLASS_MAX = GRAIN * MEMORY_CLASSES, KEPT_MAX = 16 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void *kept[KEPT_MAX]; /* regions for the next vm: their first pages, KEPT_BYTES, are already there */
static int kept_count;

/* A region hides its blocks from whoever watches malloc. */
static bool wants_region(void)
{
    return !WITH_ASAN && !WITH_TSAN && !getenv("TROUPE_MALLOC");
}

static void *region_open(void)
{
    void *region = NULL;
    pthread_mutex_lock(&lock);
    if (kept_count)
        region = kept[--kept_count];
    pthread_mutex_unlock(&lock);
    if (region)
        return region;
    region = mmap(NULL, REGION_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return region == MAP_FAILED ? NULL : region;
}

/* `taken`: of its bytes. */
static void region_close(char *region, size_t taken)
{
    if (taken > KEPT_BYTES)
        madvise(region + KEPT_BYTES, REGION_BYTES - KEPT_BYTES, MADV_DONTNEED);
    pthread_mutex_lock(&lock);
    bool keep = kept_count < KEPT_MAX;
    if (keep)
        kept[kept_count++] = region;
    pthread_mutex_unlock(&lock);
    if (!keep)
        munmap(region, REGION_BYTES);
}

void vm_memory_init(struct vm_memory *self, size_t limit)
{
    memset(self, 0, sizeof *self);
    self->limit = limit;
    self->region = wants_region() ? region_open() : NULL;
}

void vm_memory_release(struct vm_memory *self)
{
    if (self->region)
        region_close(self->region, self->taken);
    self->region = NULL;
}

static inline bool is_regions(const struct vm_memory *self, const void *block)
{
    return (size_t)((const char *)block - self->region) < REGION_BYTES && self->region;
}

static inline size_t class_of(size_t size)
{
    return (size - 1) / GRAIN;
}

/* A block of the region, or NULL when it has none for this size. */
static void *region_take(struct vm_memory *self, size_t size)
{
    if (size > CLASS_MAX || !self->region)
        return NULL;
    size_t class = class_of(size), bytes = (class + 1) * GRAIN;
    void *block = self->free[class];
    if (block) {
        memcpy(&self->free[class], block, sizeof block);
        return block;
    }
    if (REGION_BYTES - self->taken < bytes)
        return NULL;
    block = self->region + self->taken;
    self->taken += bytes;
    return block;
}

static inline void region_give(struct vm_memory *self, void *block, size_t size)
{
    size_t class = class_of(size);
    memcpy(block, &self->free[class], sizeof block);
    self->free[class] = block;
}

static void *take(struct vm_memory *self, size_t size)
{
    void *block = region_take(self, size);
    return block ? block : malloc(size);
}

static void give(struct vm_memory *self, void *block, size_t size)
{
    if (is_regions(self, block))
        region_give(self, block, size);
    else
        free(block);
}

static void *change(struct vm_memory *self, void *block, size_t old, size_t size)
{
    if (!is_regions(self, block))
        return realloc(block, size);
    if (size <= CLASS_MAX && class_of(old) == class_of(size))
        return block;
    void *moved = take(self, size);
    if (!moved)
        return size < old ? block : NULL;
    memcpy(moved, block, old < size ? old : size);
    region_give(self, block, old);
    return moved;
}

void *vm_memory_resize(void *ud, void *block, size_t old, size_t size)
{
    struct vm_memory *self = ud;
    if (!block)
        old = 0; /* Lua says there what it is for */
    if (size > old && self->limit && (size - old > self->limit || self->used > self->limit - (size - old)))
        return NULL;
    if (size == 0) {
        if (block)
            give(self, block, old);
        self->used -= old;
        return NULL;
    }
    block = block ? change(self, block, old, size) : take(self, size);
    if (block)
        self->used += size - old;
    return block;
}
