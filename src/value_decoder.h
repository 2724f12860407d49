/* value_decoder.h - one message being decoded: what the parts of the decoder share.
 *
 * Everything it holds is Lua's or on the C stack: a memory error may be raised from anywhere and leaks
 * nothing.
 */
#ifndef VALUE_DECODER_H
#define VALUE_DECODER_H

#include "value.h"
#include "value_format.h"

enum {
    DECODE_KEYS = 32, /* recent keys: a power of two */
    DECODE_ROOM = 12  /* stack slots that one level takes at most, scalars in it included */
};

struct decoder {
    lua_State *L;
    const unsigned char *start;
    const unsigned char *at;
    const unsigned char *end; /* of the message, or of the extension being read */
    size_t size;              /* of the message */
    size_t claimed;           /* elements that all heads so far have promised: never more than bytes */
    const struct value_mode *mode;
    int depth;
    int limit;
    bool shared;              /* objects are kept, since references follow */
    int kept;                 /* stack index of the table of objects; variables under negative keys */
    lua_Integer objects;
    lua_Integer variables;
    int keys;                 /* stack index of the first of DECODE_KEYS recent keys; 0: not used */
    struct decoder_key {
        const unsigned char *bytes;
        size_t size;
    } recent[DECODE_KEYS];
};

/* Pushes the next value. 0 or a status; then the reason has been pushed last. */
int decode_value(struct decoder *self);

/* Push a table of so many elements or fields, which follow. */
int decode_array(struct decoder *self, uint64_t count);
int decode_map(struct decoder *self, uint64_t count);

/* Slots for recent keys, when the message is long enough to repeat some. */
void decode_make_keys(struct decoder *self);

/* Pushes the value of an extension whose payload is at self->at, so many bytes. */
int decode_ext(struct decoder *self, int type, size_t size);

/* Reads a whole extension's head, that of EXT_GLOBALS and EXT_VARIABLE included. False: it is no extension,
 * or cut off. */
bool decode_ext_head(struct decoder *self, int *type, size_t *size);

/* A function, whose payload reaches to self->end. */
int decode_function(struct decoder *self);

/* Reads a string that stands at self->at; borrowed from the message. False: there is none, or it is cut
 * off. */
bool decode_borrowed_string(struct decoder *self, const char **bytes, size_t *size);

/* Reads a payload that is one number of 1, 2, 4 or 8 bytes, held against the end already. */
bool decode_payload(struct decoder *self, size_t size, uint64_t *number);

/* Reads an address, where it may be one of this process. */
int decode_address(struct decoder *self, size_t size, uint64_t *address);

/* One level deeper, with stack room for it. The caller takes the level off. */
int decode_deeper(struct decoder *self);

/* The object on top of the stack has the next number. */
void decode_keep(struct decoder *self);

/* Pushes the reason, with the place in the bytes, and gives back the status. */
int decode_fail(struct decoder *self, int status, const char *format, ...);

/* The same for a message that ends too soon. */
int decode_truncated(struct decoder *self);

static inline size_t decode_left(const struct decoder *self)
{
    return (size_t)(self->end - self->at);
}

/* As decode_fail, after lua_pcall or lua_load, whose error is on top; raises it on when memory ran out. The
 * format takes a name and the error. */
int decode_fail_with_error(struct decoder *self, int status, const char *format, const char *name);

#endif
