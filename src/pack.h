/* pack.h - MessagePack for C: the few forms that the library's own letters need (doc/protocol.md). */
#ifndef PACK_H
#define PACK_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "buffer.h"

/* Each appends one value. 0 or TROUPE_ENOMEM. */
static inline int pack_nil(struct buffer *out)
{
    return buffer_append(out, "\xc0", 1);
}

static inline int pack_boolean(struct buffer *out, bool v)
{
    return buffer_append(out, v ? "\xc3" : "\xc2", 1);
}

static inline int pack_unsigned(struct buffer *out, uint64_t v)
{
    unsigned char b[9] = {(unsigned char)v};
    if (v < 128)
        return buffer_append(out, b, 1);
    b[0] = 0xcf;
    for (int i = 1; i <= 8; i++)
        b[i] = (unsigned char)(v >> (64 - 8 * i));
    return buffer_append(out, b, 9);
}

/* At most 255 bytes. */
static inline int pack_string(struct buffer *out, const char *text)
{
    size_t size = strlen(text) & 0xff;
    unsigned char head[2] = {0xd9, (unsigned char)size};
    int rc = buffer_append(out, head, 2);
    return rc ? rc : buffer_append(out, text, size);
}

/* A map of at most 15 pairs, which follow. */
static inline int pack_map(struct buffer *out, int pairs)
{
    unsigned char head = (unsigned char)(0x80 | pairs);
    return buffer_append(out, &head, 1);
}

#endif
