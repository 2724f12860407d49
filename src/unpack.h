/* unpack.h - MessagePack for C, the other way: bytes from anywhere, read value by value and never past their end.
 *
 * Nothing is copied: texts point into the bytes.
 */
#ifndef UNPACK_H
#define UNPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { UNPACK_DEPTH = 32 }; /* levels of nesting that unpack_skip takes */

struct unpack {
    const unsigned char *at, *end;
};

struct unpack_text {
    const char *bytes; /* not terminated; NULL only when size is 0 */
    size_t size;
};

enum unpack_kind {
    UNPACK_NIL,
    UNPACK_BOOLEAN,
    UNPACK_UNSIGNED,
    UNPACK_NEGATIVE,
    UNPACK_FLOAT,
    UNPACK_TEXT,  /* str and bin */
    UNPACK_ARRAY, /* its `count` elements follow */
    UNPACK_MAP,   /* `count` keys, each with its value, follow */
    UNPACK_OTHER  /* an extension, of which only the type is told, in `count` */
};

struct unpack_value {
    enum unpack_kind kind;
    union {
        bool boolean;
        uint64_t number;
        int64_t negative;
        double real;
        struct unpack_text text;
        uint32_t count;
    } u;
};

/* Reads the next value, of an array or map its head only. False when there is no whole one: then nothing was read. */
bool unpack_next(struct unpack *self, struct unpack_value *out);

/* Reads over the next value and all in it. False when it is not whole or too deep. */
bool unpack_skip(struct unpack *self);

/* The next value, if it is what the name says. False, and nothing read, when it is not. */
bool unpack_unsigned(struct unpack *self, uint64_t *out);
bool unpack_text(struct unpack *self, struct unpack_text *out);
bool unpack_array(struct unpack *self, uint32_t *count);

#endif
