/* buffer.h - bytes that grow at the end. One owner, one thread at a time. */
#ifndef BUFFER_H
#define BUFFER_H

#include <stddef.h>
#include <string.h>

struct buffer {
    unsigned char *data; /* NULL only while capacity is 0 */
    size_t size;
    size_t capacity;
    size_t lent; /* not 0: data is the owner's, this many bytes, never freed or reallocated here */
};

/* Empty, owning nothing. */
void buffer_init(struct buffer *self);

/* Empty, over bytes that stay the caller's; growing past them moves to memory of its own. */
void buffer_init_lent(struct buffer *self, void *bytes, size_t capacity);

/* Frees what it owns; the buffer is empty again. */
void buffer_release(struct buffer *self);

/* Room for `more` bytes behind size. 0 or TROUPE_ENOMEM, then unchanged. */
int buffer_grow(struct buffer *self, size_t more);

static inline int buffer_reserve(struct buffer *self, size_t more)
{
    return self->capacity - self->size >= more ? 0 : buffer_grow(self, more);
}

/* Appends a copy of the bytes. 0 or TROUPE_ENOMEM, then unchanged. */
static inline int buffer_append(struct buffer *self, const void *bytes, size_t size)
{
    int rc = buffer_reserve(self, size);
    if (rc)
        return rc;
    if (size)
        memcpy(self->data + self->size, bytes, size);
    self->size += size;
    return 0;
}

#endif
