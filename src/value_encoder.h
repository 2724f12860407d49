/* value_encoder.h - one message being encoded: what the parts of the encoder share.
 *
 * A message is tried twice at most. The plain attempt runs unprotected: it calls nothing that may raise or
 * allocate Lua memory. Whatever it cannot settle so (ENCODE_CARE), and every refusal, is left to the careful
 * attempt, which starts again under lua_pcall, may run Lua code, and words the reason. So a message that
 * needs no names and no packing costs no pcall, and one that fails is explained in one place.
 */
#ifndef VALUE_ENCODER_H
#define VALUE_ENCODER_H

#include "value.h"
#include "value_format.h"
#include "value_seen.h"

/* Beside 0 and the negative statuses. */
enum {
    ENCODE_CARE = 1, /* the plain attempt is given up */
    ENCODE_DONE = 2  /* nothing is left to do for this value; ends at the function that took it on */
};

enum place_kind { PLACE_FIELD, PLACE_ELEMENT, PLACE_KEY, PLACE_UPVALUE, PLACE_PACKED };

/* Stack slots that a table, function or handle needs for itself and for the scalars in it. */
enum { ENCODE_SLOTS = 12 };

/* One step from an argument down to the value in hand; lives in the frame that takes it. */
struct place {
    const struct place *up;
    enum place_kind kind;
    int key;              /* PLACE_FIELD: where the key is on the stack */
    lua_Unsigned element; /* element, upvalue: its index; PLACE_PACKED: the packed object's number */
    const char *name;     /* PLACE_UPVALUE: its name, "" in a C function */
};

struct encoder {
    lua_State *L;
    struct buffer *out;
    size_t start; /* where the first value is in out; places in out are kept relative to it */
    const struct value_mode *mode;
    struct seen seen;    /* objects and variables of this message */
    uint32_t objects;    /* numbers given out, to each in order of appearance */
    uint32_t variables;
    int depth;
    int limit;
    int roomy;           /* the stack has slots for the levels below this one */
    bool shared;         /* EXT_SHARED stands before the first value */
    bool careful;
    const struct place *place;
    const char *what;    /* "argument" */
    int argument;        /* the one in hand, from 1; less: it is the function that gets them */
    /* The careful attempt only. */
    bool refreshed;      /* NAMES_MODULES is up to date */
    int anchors;         /* stack index of a table that keeps all objects met alive: addresses stay theirs */
    int status;
    char *reason;        /* text of so many bytes */
    size_t reason_size;
};

/* The values at the stack indices first..last. */
int encode_values(struct encoder *self, int first, int last);

/* The value at an absolute index, whose type is known. */
int encode_typed(struct encoder *self, int index, int type);

static inline int encode_value(struct encoder *self, int index)
{
    return encode_typed(self, index, lua_type(self->L, index));
}

/* A table, as an array, a map, an instance of its class or a module. */
int encode_table(struct encoder *self, int index);

/* Any kind of function. */
int encode_function(struct encoder *self, int index);

/* Bytes as they are, up to 4 GiB. */
int encode_bytes(struct encoder *self, int index, const char *bytes, size_t size);

/* Gives the object a number; or refers to the one it has, then ENCODE_DONE. */
int encode_met(struct encoder *self, int index);

/* Sees to stack slots for what is at this depth. */
int encode_more_room(struct encoder *self);

static inline int encode_room(struct encoder *self)
{
    return self->depth < self->roomy ? 0 : encode_more_room(self);
}

/* One level deeper; the caller takes a level off again when its part is done. */
int encode_deeper(struct encoder *self, int index);

/* Writes the head of an extension whose payload follows; *head is for encode_ext_end. */
int encode_ext_begin(struct encoder *self, enum value_ext type, size_t *head);
int encode_ext_end(struct encoder *self, size_t head);

/* From now on the message refers to what came before. */
int encode_share(struct encoder *self);

/* The careful attempt at the values first..last of the same stack. On failure the reason is pushed. */
int encode_carefully(struct encoder *self, int first, int last);

/* True when nothing in this message is a loaded module, as far as a plain attempt can say. */
bool encode_without_modules(struct encoder *self);

/* Careful only: a loaded module by its name, then ENCODE_DONE. */
int encode_module(struct encoder *self, int index);

/* Careful only: a C function that is a field of a loaded module by its name, then ENCODE_DONE. */
int encode_named_function(struct encoder *self, int index);

/* Careful only: by the metatable's __troupe_pack, then ENCODE_DONE. */
int encode_packed(struct encoder *self, int index);

/* Gives the status and, when careful, words the reason with its place. The plain attempt gets ENCODE_CARE. */
int encode_refuse(struct encoder *self, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for a value of a kind that does not cross. */
int encode_refuse_type(struct encoder *self, int index);

#endif
