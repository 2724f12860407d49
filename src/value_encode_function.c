/* value_encode_function.c - functions: their bytecode or its hash, and their upvalues by value.
 *
 * Invariants:
 * 1. An upvalue is written where it is met first; a function that shares the variable refers to it.
 * 2. _ENV is never written: it becomes the receiver's globals.
 * 3. Bytecode keeps its debug lines.
 */
#include "value_encoder.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "troupe.h"

static int write_code(lua_State *L, const void *bytes, size_t size, void *out)
{
    (void)L;
    return buffer_append(out, bytes, size);
}

int value_dump(lua_State *L, int index, struct buffer *out)
{
    size_t before = out->size;
    int rc;

    if (!lua_checkstack(L, 1))
        return TROUPE_ENOMEM;
    lua_pushvalue(L, index);
    rc = lua_dump(L, write_code, out, 0);
    lua_pop(L, 1);
    if (rc)
        out->size = before;
    return rc ? TROUPE_ENOMEM : 0;
}

uint64_t value_code_hash(const void *code, size_t size)
{
    uint64_t hash = XXH3_64bits(code, size);

    return hash ? hash : 1;
}

/* Stripped code has no names: there the globals are known by what they are. The value is on top of the
 * stack. */
static bool is_globals(lua_State *L, const char *name)
{
    bool same;

    if (strcmp(name, "_ENV") == 0)
        return true;
    if (strcmp(name, "(no name)") != 0)
        return false;
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    same = lua_rawequal(L, -1, -2);
    lua_pop(L, 1);
    return same;
}

bool value_is_plain_code(lua_State *L, int index)
{
    if (!lua_isfunction(L, index) || lua_iscfunction(L, index) || !lua_checkstack(L, 2))
        return false;
    index = lua_absindex(L, index);
    for (int i = 1;; i++) {
        const char *name = lua_getupvalue(L, index, i);
        bool plain;

        if (!name)
            return true;
        plain = is_globals(L, name);
        lua_pop(L, 1);
        if (!plain)
            return false;
    }
}

/* The bytecode, or its hash when the receiver knows it: decided once it has been written. */
static int encode_code(struct encoder *self, int index)
{
    struct buffer *out = self->out;
    size_t head = out->size, size;
    unsigned char *at;
    uint64_t hash;
    int rc = buffer_reserve(out, FORMAT_SCALAR);

    if (rc)
        return rc;
    out->size += 5;
    rc = value_dump(self->L, index, out);
    if (rc)
        return rc;
    at = out->data + head;
    size = out->size - head - 5;
    if (size > UINT32_MAX)
        return encode_refuse(self, TROUPE_EREFUSED, "cannot send a function of more than 4 GiB");
    if (self->mode->code_known && self->mode->code_known(self->mode->context, at + 5, size, &hash))
        out->size = (size_t)(format_wide(at, FORMAT_UINT64, hash, 8) - out->data);
    else
        format_wide(at, FORMAT_BIN32, size, 4);
    return 0;
}

static int encode_address(struct encoder *self, int index)
{
    struct buffer *out = self->out;
    lua_CFunction function = lua_tocfunction(self->L, index);
    uint64_t address = (uint64_t)(uintptr_t)function;

    if (self->mode->remote)
        return encode_refuse(self, TROUPE_EREFUSED,
                             "cannot send a C function that is a field of no loaded module");
    if (buffer_reserve(out, FORMAT_SCALAR))
        return TROUPE_ENOMEM;
    out->size = (size_t)(format_ext_number(out->data + out->size, EXT_C_POINTER, address, 8) - out->data);
    return 0;
}

/* A variable that an earlier function of the message has too. */
static int encode_variable(struct encoder *self, uint32_t number)
{
    struct buffer *out = self->out;

    if (encode_share(self) || buffer_reserve(out, FORMAT_SCALAR))
        return TROUPE_ENOMEM;
    out->size = (size_t)(format_ext_number(out->data + out->size, EXT_VARIABLE, number, 4) - out->data);
    return 0;
}

/* The value of the upvalue is at `value`. Numbered before it is written: what it holds may share it. */
static int encode_upvalue(struct encoder *self, int index, int upvalue, const char *name, int value)
{
    struct buffer *out = self->out;
    uint32_t number = self->variables;
    int rc;

    if (is_globals(self->L, name)) {
        if (buffer_reserve(out, FORMAT_SCALAR))
            return TROUPE_ENOMEM;
        out->size = (size_t)(format_ext_empty(out->data + out->size, EXT_GLOBALS) - out->data);
        return 0;
    }
    rc = seen_add(&self->seen, lua_upvalueid(self->L, index, upvalue), &number);
    if (rc)
        return rc < 0 ? rc : encode_variable(self, number);
    self->variables++;
    return encode_value(self, value);
}

static int encode_count(struct encoder *self, int count)
{
    struct buffer *out = self->out;

    if (buffer_reserve(out, FORMAT_SCALAR))
        return TROUPE_ENOMEM;
    out->size = (size_t)(format_integer(out->data + out->size, count) - out->data);
    return 0;
}

static int encode_upvalues(struct encoder *self, int index, int count)
{
    lua_State *L = self->L;
    struct place place = { .up = self->place, .kind = PLACE_UPVALUE };
    int value = lua_gettop(L) + 1;

    self->place = &place;
    for (int i = 1; i <= count; i++) {
        int rc;

        place.element = (lua_Unsigned)i;
        place.name = lua_getupvalue(L, index, i);
        rc = encode_upvalue(self, index, i, place.name, value);
        if (rc)
            return rc;
        lua_settop(L, value - 1);
    }
    self->place = place.up;
    return 0;
}

static int count_upvalues(lua_State *L, int index)
{
    lua_Debug about;

    lua_pushvalue(L, index);
    lua_getinfo(L, ">u", &about);
    return about.nups;
}

/* A function with its upvalues, met for the first time. */
static int encode_closure(struct encoder *self, int index)
{
    int count = count_upvalues(self->L, index);
    size_t head;
    int rc = encode_deeper(self, index);

    if (rc == 0)
        rc = encode_ext_begin(self, EXT_FUNCTION, &head);
    if (rc == 0)
        rc = encode_count(self, count);
    if (rc == 0)
        rc = lua_iscfunction(self->L, index) ? encode_address(self, index) : encode_code(self, index);
    if (rc == 0)
        rc = encode_upvalues(self, index, count);
    if (rc)
        return rc;
    self->depth--;
    return encode_ext_end(self, head);
}

/* By name; else by address, with its upvalues where it has any. */
static int encode_c_function(struct encoder *self, int index)
{
    int rc = self->careful ? encode_named_function(self, index) : ENCODE_CARE;

    if (rc)
        return rc;
    if (!lua_getupvalue(self->L, index, 1))
        return encode_address(self, index);
    lua_pop(self->L, 1);
    rc = encode_met(self, index);
    return rc ? rc : encode_closure(self, index);
}

int encode_function(struct encoder *self, int index)
{
    int rc = encode_room(self);

    if (rc == 0 && self->careful)
        rc = encode_module(self, index);
    if (rc == 0 && lua_iscfunction(self->L, index)) {
        rc = encode_c_function(self, index);
    } else if (rc == 0) {
        rc = encode_met(self, index);
        if (rc == 0)
            rc = encode_closure(self, index);
    }
    return rc == ENCODE_DONE ? 0 : rc;
}
