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

static inline int pack_negative(struct buffer *out, int64_t v)
{
    unsigned char b[9] = {0xd3};
    for (int i = 1; i <= 8; i++)
        b[i] = (unsigned char)((uint64_t)v >> (64 - 8 * i));
    return buffer_append(out, b, 9);
}

static inline int pack_float(struct buffer *out, double v)
{
    unsigned char b[9] = {0xcb};
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    for (int i = 1; i <= 8; i++)
        b[i] = (unsigned char)(bits >> (64 - 8 * i));
    return buffer_append(out, b, 9);
}

/* Text of any length below 4 GiB, as str, or as bin when it is no UTF-8. */
static inline int pack_text(struct buffer *out, const void *bytes, size_t size, bool is_utf8)
{
    unsigned char b[5];
    size_t head = size < 32 && is_utf8 ? 1 : size < 256 ? 2 : size < 65536 ? 3 : 5;
    b[0] = head == 1 ? (unsigned char)(0xa0 | size) : (unsigned char)((is_utf8 ? 0xd9 : 0xc4) + (head == 2 ? 0 : head == 3 ? 1 : 2));
    for (size_t i = 1; i < head; i++)
        b[i] = (unsigned char)(size >> (8 * (head - 1 - i)));
    int rc = buffer_append(out, b, head);
    return rc ? rc : buffer_append(out, bytes, size);
}

/* An array of at most 15 elements, which follow. */
static inline int pack_array(struct buffer *out, int count)
{
    unsigned char head = (unsigned char)(0x90 | count);
    return buffer_append(out, &head, 1);
}

/* A map of at most 15 pairs, which follow. */
static inline int pack_map(struct buffer *out, int pairs)
{
    unsigned char head = (unsigned char)(0x80 | pairs);
    return buffer_append(out, &head, 1);
}

#endif
