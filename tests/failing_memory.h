/* failing_memory.h - the allocator of a test program in which memory runs out when it says so.
 *
 * The program is linked with $(failing_memory) of Makefile.am, and says in fails(), which any thread may enter, whether the
 * allocation that is made now, of `wanted_bytes`, finds none.
 */
#ifndef FAILING_MEMORY_H
#define FAILING_MEMORY_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

static _Thread_local size_t wanted_bytes __attribute__((unused));

static bool fails(void);

static bool fails_for(size_t size)
{
    wanted_bytes = size;
    return fails();
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
int __real_posix_memalign(void **out, size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
int __wrap_posix_memalign(void **out, size_t alignment, size_t size);

void *__wrap_malloc(size_t size)
{
    return fails_for(size) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails_for(count * size) ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *block, size_t size)
{
    return fails_for(size) ? NULL : __real_realloc(block, size);
}

int __wrap_posix_memalign(void **out, size_t alignment, size_t size)
{
    return fails_for(size) ? ENOMEM : __real_posix_memalign(out, alignment, size);
}

#endif
