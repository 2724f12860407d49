/* value.h - Lua values to bytes and back (doc/protocol.md).
 *
 * Entered by the thread that owns the lua_State. Neither function keeps anything between calls.
 */
#ifndef VALUE_H
#define VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lua.h>

#include "buffer.h"

enum { VALUE_DEPTH = 200 }; /* levels of nesting a message may have */

/* Where the values go, or come from. Zeroed: within this process, VALUE_DEPTH levels. */
struct value_mode {
    int depth;      /* 0: VALUE_DEPTH */
    bool remote;    /* another process: light userdata and bare C function pointers are refused */
    bool untrusted; /* decoding, from a network: bytecode, addresses, unpacking by a standard library: no */
    int unnumbered; /* encoding: so many values in front are no arguments: the function that gets them */
    /* Encoding: true when the receiver knows this bytecode as *hash, which then travels in its place. May be
     * NULL. */
    bool (*code_known)(void *context, const void *code, size_t size, uint64_t *hash);
    /* Decoding: the bytecode that a hash names, borrowed, or NULL. May be NULL. */
    const void *(*code_find)(void *context, uint64_t hash, size_t *size);
    void *context;
};

/* Appends the values at the positive indices first..last of L's stack, one encoding after the other.
 * Never raises. 0; or TROUPE_EREFUSED, TROUPE_ELIMIT (nesting is too deep) or TROUPE_ENOMEM, then `out` is as
 * before and the reason, with its place ("argument 2, field \"db.socket\": cannot send a userdata
 * (tcp{client})"), is pushed as a string. "argument N" counts from first = 1; `what` is the word to use
 * ("argument", "result"). */
int value_encode(lua_State *L, int first, int last, const char *what, const struct value_mode *mode,
                 struct buffer *out);

/* Pushes the values encoded in the bytes; the number of them in *count. Raises nothing but memory errors
 * (that the Lua stack cannot grow is one), and leaks nothing then. 0; or TROUPE_EBADMSG or TROUPE_EREFUSED,
 * then one string with the reason is pushed. */
int value_decode(lua_State *L, const void *bytes, size_t size, const struct value_mode *mode, int *count);

/* True for a Lua function whose upvalues, if any, are nothing but _ENV: its code alone is the whole of it. */
bool value_is_plain_code(lua_State *L, int index);

/* Appends a Lua function's bytecode with its debug lines. 0 or TROUPE_ENOMEM. Never raises. */
int value_dump(lua_State *L, int index, struct buffer *out);

/* The name under which bytecode is known everywhere: a hash of its content. Never 0. */
uint64_t value_code_hash(const void *code, size_t size);

/* troupe.class(name, metatable): in L, tables with this metatable cross as `name` and are given it back on
 * arrival. Expects both on the stack, pops them. Raises when the name or the metatable is taken by
 * another. */
void value_class(lua_State *L);

#endif
