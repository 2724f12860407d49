/* value_utf8.c - well-formed UTF-8, by Unicode's table of well-formed byte sequences.
 *
 * ASCII, which most text is, is passed over 32 bytes at a time.
 */
#include "value_utf8.h"

#include <stdint.h>
#include <string.h>

static uint64_t load(const unsigned char *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof word);
    return word;
}

/* The first byte that is not ASCII, or near before it, or end. */
static const unsigned char *skip_ascii(const unsigned char *at, const unsigned char *end)
{
    const uint64_t high = UINT64_C(0x8080808080808080);

    while (end - at >= 32 && !((load(at) | load(at + 8) | load(at + 16) | load(at + 24)) & high))
        at += 32;
    while (end - at >= 8 && !(load(at) & high))
        at += 8;
    while (at < end && *at < 0x80)
        at++;
    return at;
}

static bool is_trail(unsigned char byte)
{
    return (byte & 0xc0) == 0x80;
}

/* The length of the well-formed sequence of two or more bytes at `at`; 0: there is none. */
static size_t sequence(const unsigned char *at, size_t left)
{
    unsigned char lead = at[0];

    if (lead < 0xc2 || left < 2 || !is_trail(at[1]))
        return 0;
    if (lead < 0xe0)
        return 2;
    if (left < 3 || !is_trail(at[2]))
        return 0;
    if (lead < 0xf0) {
        if ((lead == 0xe0 && at[1] < 0xa0) || (lead == 0xed && at[1] > 0x9f))
            return 0;
        return 3;
    }
    if (lead > 0xf4 || left < 4 || !is_trail(at[3]))
        return 0;
    if ((lead == 0xf0 && at[1] < 0x90) || (lead == 0xf4 && at[1] > 0x8f))
        return 0;
    return 4;
}

bool utf8_valid(const unsigned char *bytes, size_t size)
{
    const unsigned char *end = bytes + size;

    for (const unsigned char *at = skip_ascii(bytes, end); at < end;) {
        size_t length = sequence(at, (size_t)(end - at));

        if (!length)
            return false;
        at += length;
        if (at < end && *at < 0x80)
            at = skip_ascii(at, end);
    }
    return true;
}
