/* vm_memory.h - memory of one vm: a small region with free lists for what every state has, malloc for the
 * rest. */
#ifndef VM_MEMORY_H
#define VM_MEMORY_H

#include <stddef.h>

enum { MEMORY_CLASSES = 32 };

struct vm_memory {
    size_t used;  /* bytes its owner holds */
    size_t limit; /* 0: none */
    char *region; /* NULL: everything comes from malloc */
    size_t taken; /* of the region, from its start */
    void *free[MEMORY_CLASSES]; /* returned blocks by size, linked through their first word */
};

/* Never fails: without a region it lives on malloc, as it does with TROUPE_MALLOC set and under
 * sanitizers. */
void vm_memory_init(struct vm_memory *self, size_t limit);

/* The region goes back; blocks from malloc must have been freed by their owner. */
void vm_memory_release(struct vm_memory *self);

/* A lua_Alloc; ud is a struct vm_memory. Refuses growth past the limit, never shrinking. */
void *vm_memory_resize(void *ud, void *block, size_t old, size_t size);

#endif
