/* buffer.c - bytes that grow at the end.
 *
 * Entered by the buffer's owner only. Invariants:
 * 1. size <= capacity <= PTRDIFF_MAX; data is NULL only while capacity is 0.
 * 2. lent is 0, or data belongs to somebody else and lent == capacity.
 * 3. A growth that fails changes nothing.
 */
#include "buffer.h"

#include <stdint.h>
#include <stdlib.h>

#include "troupe.h"

/* Below this a first growth is rounded up, so that small messages allocate once. */
enum { SMALLEST = 256 };

void buffer_init(struct buffer *self)
{
    memset(self, 0, sizeof *self);
}

void buffer_init_lent(struct buffer *self, void *bytes, size_t capacity)
{
    self->data = bytes;
    self->size = 0;
    self->capacity = capacity;
    self->lent = capacity;
}

void buffer_release(struct buffer *self)
{
    if (!self->lent)
        free(self->data);
    buffer_init(self);
}

/* Doubles, so that appending stays linear; one large append gets just what it needs, for it is often the
 * last. */
static size_t next_capacity(const struct buffer *self, size_t needed)
{
    size_t doubled = self->capacity * 2;

    if (doubled < SMALLEST)
        doubled = SMALLEST;
    return needed > doubled || doubled > PTRDIFF_MAX ? needed : doubled;
}

int buffer_grow(struct buffer *self, size_t more)
{
    size_t capacity;
    unsigned char *data;

    if (more <= self->capacity - self->size)
        return 0;
    if (more > PTRDIFF_MAX - self->size)
        return TROUPE_ENOMEM;
    capacity = next_capacity(self, self->size + more);
    data = realloc(self->lent ? NULL : self->data, capacity);
    if (!data)
        return TROUPE_ENOMEM;
    if (self->lent && self->size)
        memcpy(data, self->data, self->size);
    self->data = data;
    self->capacity = capacity;
    self->lent = 0;
    return 0;
}
