/* value_format.h - MessagePack's marker bytes, the extension types of doc/protocol.md, numbers in network
 * order.
 *
 * The writers store behind a pointer and give back the place after; the caller has made room.
 */
#ifndef VALUE_FORMAT_H
#define VALUE_FORMAT_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum value_marker {
    FORMAT_FIXMAP = 0x80,
    FORMAT_FIXARRAY = 0x90,
    FORMAT_FIXSTR = 0xa0,
    FORMAT_NIL = 0xc0,
    FORMAT_FALSE = 0xc2,
    FORMAT_TRUE = 0xc3,
    FORMAT_BIN8 = 0xc4,
    FORMAT_BIN16 = 0xc5,
    FORMAT_BIN32 = 0xc6,
    FORMAT_EXT8 = 0xc7,
    FORMAT_EXT16 = 0xc8,
    FORMAT_EXT32 = 0xc9,
    FORMAT_FLOAT32 = 0xca,
    FORMAT_FLOAT64 = 0xcb,
    FORMAT_UINT8 = 0xcc,
    FORMAT_UINT16 = 0xcd,
    FORMAT_UINT32 = 0xce,
    FORMAT_UINT64 = 0xcf,
    FORMAT_INT8 = 0xd0,
    FORMAT_INT16 = 0xd1,
    FORMAT_INT32 = 0xd2,
    FORMAT_INT64 = 0xd3,
    FORMAT_FIXEXT1 = 0xd4,
    FORMAT_FIXEXT2 = 0xd5,
    FORMAT_FIXEXT4 = 0xd6,
    FORMAT_FIXEXT8 = 0xd7,
    FORMAT_FIXEXT16 = 0xd8,
    FORMAT_STR8 = 0xd9,
    FORMAT_STR16 = 0xda,
    FORMAT_STR32 = 0xdb,
    FORMAT_ARRAY16 = 0xdc,
    FORMAT_ARRAY32 = 0xdd,
    FORMAT_MAP16 = 0xde,
    FORMAT_MAP32 = 0xdf
};

/* Extension types. 16 to 31 are kept for references to actors and jobs, 32 to 127 are the programs' own. */
enum value_ext {
    EXT_SHARED = 1,    /* before the first value: references and variables follow, so count the objects */
    EXT_REFERENCE = 2, /* an object of this message that came before */
    EXT_FUNCTION = 3,
    EXT_GLOBALS = 4,   /* an upvalue: the receiver's globals */
    EXT_VARIABLE = 5,  /* an upvalue: the same variable as one that came before */
    EXT_C_FUNCTION = 6, /* by module and field */
    EXT_MODULE = 7,
    EXT_INSTANCE = 8,  /* of a registered class */
    EXT_PACKED = 9,
    EXT_POINTER = 10,
    EXT_C_POINTER = 11
};

enum {
    FORMAT_SCALAR = 16,  /* room for any number, and for any header */
    FORMAT_PREFIX = 3,   /* bytes of EXT_SHARED */
    FORMAT_EXT_HEAD = 6  /* bytes of an EXT32 header */
};

static inline unsigned char *format_byte(unsigned char *at, unsigned byte)
{
    *at = (unsigned char)byte;
    return at + 1;
}

/* A marker and, behind it, the number in so many bytes, 1 to 8. */
static inline unsigned char *format_wide(unsigned char *at, unsigned marker, uint64_t number, unsigned bytes)
{
    uint64_t wire = htobe64(number << (64 - 8 * bytes));

    *at = (unsigned char)marker;
    memcpy(at + 1, &wire, bytes);
    return at + 1 + bytes;
}

static inline unsigned char *format_negative(unsigned char *at, int64_t number)
{
    uint64_t bits = (uint64_t)number;

    if (number >= -32)
        return format_byte(at, (unsigned)(bits & 0xff));
    if (number >= INT8_MIN)
        return format_wide(at, FORMAT_INT8, bits, 1);
    if (number >= INT16_MIN)
        return format_wide(at, FORMAT_INT16, bits, 2);
    if (number >= INT32_MIN)
        return format_wide(at, FORMAT_INT32, bits, 4);
    return format_wide(at, FORMAT_INT64, bits, 8);
}

/* The shortest form of an integer. */
static inline unsigned char *format_integer(unsigned char *at, int64_t number)
{
    if (number < 0)
        return format_negative(at, number);
    if (number < 128)
        return format_byte(at, (unsigned)number);
    if (number <= UINT8_MAX)
        return format_wide(at, FORMAT_UINT8, (uint64_t)number, 1);
    if (number <= UINT16_MAX)
        return format_wide(at, FORMAT_UINT16, (uint64_t)number, 2);
    if (number <= UINT32_MAX)
        return format_wide(at, FORMAT_UINT32, (uint64_t)number, 4);
    return format_wide(at, FORMAT_UINT64, (uint64_t)number, 8);
}

static inline unsigned char *format_float(unsigned char *at, double number)
{
    uint64_t bits;

    memcpy(&bits, &number, sizeof bits);
    return format_wide(at, FORMAT_FLOAT64, bits, 8);
}

/* The head of a string of bytes that are UTF-8 (str) or are not (bin). */
static inline unsigned char *format_string(unsigned char *at, uint32_t size, int is_text)
{
    if (is_text && size < 32)
        return format_byte(at, FORMAT_FIXSTR | size);
    if (size <= UINT8_MAX)
        return format_wide(at, is_text ? FORMAT_STR8 : FORMAT_BIN8, size, 1);
    if (size <= UINT16_MAX)
        return format_wide(at, is_text ? FORMAT_STR16 : FORMAT_BIN16, size, 2);
    return format_wide(at, is_text ? FORMAT_STR32 : FORMAT_BIN32, size, 4);
}

static inline unsigned char *format_array(unsigned char *at, uint32_t count)
{
    if (count < 16)
        return format_byte(at, FORMAT_FIXARRAY | count);
    if (count <= UINT16_MAX)
        return format_wide(at, FORMAT_ARRAY16, count, 2);
    return format_wide(at, FORMAT_ARRAY32, count, 4);
}

static inline unsigned char *format_map(unsigned char *at, uint32_t count)
{
    if (count < 16)
        return format_byte(at, FORMAT_FIXMAP | count);
    if (count <= UINT16_MAX)
        return format_wide(at, FORMAT_MAP16, count, 2);
    return format_wide(at, FORMAT_MAP32, count, 4);
}

/* The head of an extension whose payload is filled in later. */
static inline unsigned char *format_ext(unsigned char *at, enum value_ext type, uint32_t size)
{
    at = format_wide(at, FORMAT_EXT32, size, 4);
    return format_byte(at, type);
}

/* An extension that holds a number of 4 or 8 bytes. */
static inline unsigned char *format_ext_number(unsigned char *at, enum value_ext type, uint64_t number,
                                               unsigned bytes)
{
    at = format_byte(at, bytes == 4 ? FORMAT_FIXEXT4 : FORMAT_FIXEXT8);
    return format_wide(at, type, number, bytes);
}

/* An extension without a payload. */
static inline unsigned char *format_ext_empty(unsigned char *at, enum value_ext type)
{
    at = format_wide(at, FORMAT_EXT8, 0, 1);
    return format_byte(at, type);
}

/* The number in so many bytes, 1 to 8. */
static inline uint64_t format_read(const unsigned char *at, unsigned bytes)
{
    uint64_t wire = 0;

    memcpy(&wire, at, bytes);
    return be64toh(wire) >> (64 - 8 * bytes);
}

#endif
