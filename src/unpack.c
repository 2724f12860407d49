/* unpack.c - the forms of MessagePack.
 *
 *  1. `at` never passes `end`, and moves only when a value was read;
 *  2. a length is held against what is left before anything of it is touched.
 */
#include "unpack.h"

#include <string.h>

static uint64_t number(const unsigned char *bytes, int size)
{
    uint64_t n = 0;
    for (int i = 0; i < size; i++)
        n = n << 8 | bytes[i];
    return n;
}

/* So many bytes of a number behind the first byte; false when they are not there. */
static bool take(const struct unpack *self, int size, uint64_t *out)
{
    if (self->end - self->at - 1 < size)
        return false;
    *out = number(self->at + 1, size);
    return true;
}

static bool finish(struct unpack *self, size_t head, size_t payload)
{
    if ((size_t)(self->end - self->at) - head < payload)
        return false;
    self->at += head + payload;
    return true;
}

static bool text(struct unpack *self, struct unpack_value *out, size_t head, size_t size)
{
    const unsigned char *bytes = self->at + head;
    out->kind = UNPACK_TEXT;
    out->u.text = (struct unpack_text){ (const char *)bytes, size };
    return finish(self, head, size);
}

static bool sized_text(struct unpack *self, struct unpack_value *out, int bytes)
{
    uint64_t size;
    return take(self, bytes, &size) && text(self, out, 1 + (size_t)bytes, size);
}

static bool counted(struct unpack *self, struct unpack_value *out, enum unpack_kind kind, int bytes)
{
    uint64_t count;
    if (!take(self, bytes, &count))
        return false;
    out->kind = kind;
    out->u.count = (uint32_t)count;
    return finish(self, 1 + (size_t)bytes, 0);
}

/* A type byte, then `size` bytes, behind a head of so many. */
static bool other(struct unpack *self, struct unpack_value *out, size_t head, size_t size)
{
    if ((size_t)(self->end - self->at) < head + 1)
        return false;
    out->kind = UNPACK_OTHER;
    out->u.count = self->at[head];
    return finish(self, head + 1, size);
}

static bool sized_other(struct unpack *self, struct unpack_value *out, int bytes)
{
    uint64_t size;
    return take(self, bytes, &size) && other(self, out, 1 + (size_t)bytes, size);
}

static bool unsigned_number(struct unpack *self, struct unpack_value *out, int bytes)
{
    out->kind = UNPACK_UNSIGNED;
    return take(self, bytes, &out->u.number) && finish(self, 1 + (size_t)bytes, 0);
}

static bool signed_number(struct unpack *self, struct unpack_value *out, int bytes)
{
    uint64_t bits;
    if (!take(self, bytes, &bits))
        return false;
    int unused = 64 - 8 * bytes;
    int64_t n = (int64_t)(bits << unused) >> unused;
    out->kind = n < 0 ? UNPACK_NEGATIVE : UNPACK_UNSIGNED;
    if (n < 0)
        out->u.negative = n;
    else
        out->u.number = (uint64_t)n;
    return finish(self, 1 + (size_t)bytes, 0);
}

static bool real(struct unpack *self, struct unpack_value *out, int bytes)
{
    uint64_t bits;
    if (!take(self, bytes, &bits))
        return false;
    out->kind = UNPACK_FLOAT;
    if (bytes == 4) {
        uint32_t half = (uint32_t)bits;
        float f;
        memcpy(&f, &half, sizeof f);
        out->u.real = (double)f;
    } else {
        memcpy(&out->u.real, &bits, sizeof out->u.real);
    }
    return finish(self, 1 + (size_t)bytes, 0);
}

static bool constant(struct unpack *self, struct unpack_value *out, struct unpack_value value)
{
    *out = value;
    return finish(self, 1, 0);
}

/* The forms with a byte of their own, from c0 to df. */
static bool long_form(struct unpack *self, struct unpack_value *out)
{
    unsigned char c = *self->at;
    switch (c) {
    case 0xc0: return constant(self, out, (struct unpack_value){ .kind = UNPACK_NIL });
    case 0xc2:
    case 0xc3: return constant(self, out, (struct unpack_value){ .kind = UNPACK_BOOLEAN, .u.boolean = c == 0xc3 });
    case 0xc4:
    case 0xc5:
    case 0xc6: return sized_text(self, out, 1 << (c - 0xc4));
    case 0xc7:
    case 0xc8:
    case 0xc9: return sized_other(self, out, 1 << (c - 0xc7));
    case 0xca: return real(self, out, 4);
    case 0xcb: return real(self, out, 8);
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xcf: return unsigned_number(self, out, 1 << (c - 0xcc));
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3: return signed_number(self, out, 1 << (c - 0xd0));
    case 0xd4:
    case 0xd5:
    case 0xd6:
    case 0xd7:
    case 0xd8: return other(self, out, 1, (size_t)1 << (c - 0xd4));
    case 0xd9:
    case 0xda:
    case 0xdb: return sized_text(self, out, 1 << (c - 0xd9));
    case 0xdc:
    case 0xdd: return counted(self, out, UNPACK_ARRAY, 2 << (c - 0xdc));
    case 0xde:
    case 0xdf: return counted(self, out, UNPACK_MAP, 2 << (c - 0xde));
    default: return false; /* c1 means nothing */
    }
}

bool unpack_next(struct unpack *self, struct unpack_value *out)
{
    if (self->at == self->end)
        return false;
    unsigned char c = *self->at;
    if (c < 0x80)
        return constant(self, out, (struct unpack_value){ .kind = UNPACK_UNSIGNED, .u.number = c });
    if (c < 0x90)
        return constant(self, out, (struct unpack_value){ .kind = UNPACK_MAP, .u.count = c & 15 });
    if (c < 0xa0)
        return constant(self, out, (struct unpack_value){ .kind = UNPACK_ARRAY, .u.count = c & 15 });
    if (c < 0xc0)
        return text(self, out, 1, c & 31);
    if (c < 0xe0)
        return long_form(self, out);
    return constant(self, out, (struct unpack_value){ .kind = UNPACK_NEGATIVE, .u.negative = (int64_t)c - 256 });
}

static bool skip(struct unpack *self, int depth)
{
    struct unpack_value v;
    if (depth == 0 || !unpack_next(self, &v))
        return false;
    if (v.kind != UNPACK_ARRAY && v.kind != UNPACK_MAP)
        return true;
    uint64_t count = v.kind == UNPACK_MAP ? 2 * (uint64_t)v.u.count : v.u.count;
    while (count-- > 0)
        if (!skip(self, depth - 1))
            return false;
    return true;
}

bool unpack_skip(struct unpack *self)
{
    struct unpack copy = *self;
    if (!skip(&copy, UNPACK_DEPTH))
        return false;
    *self = copy;
    return true;
}

/* The next value if it is of the kind. */
static bool expect(struct unpack *self, enum unpack_kind kind, struct unpack_value *out)
{
    struct unpack copy = *self;
    if (!unpack_next(&copy, out) || out->kind != kind)
        return false;
    *self = copy;
    return true;
}

bool unpack_unsigned(struct unpack *self, uint64_t *out)
{
    struct unpack_value v;
    if (!expect(self, UNPACK_UNSIGNED, &v))
        return false;
    *out = v.u.number;
    return true;
}

bool unpack_text(struct unpack *self, struct unpack_text *out)
{
    struct unpack_value v;
    if (!expect(self, UNPACK_TEXT, &v))
        return false;
    *out = v.u.text;
    return true;
}

bool unpack_array(struct unpack *self, uint32_t *count)
{
    struct unpack_value v;
    if (!expect(self, UNPACK_ARRAY, &v))
        return false;
    *count = v.u.count;
    return true;
}
