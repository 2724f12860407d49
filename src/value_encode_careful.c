/* value_encode_careful.c - the careful attempt: what crosses by name, and what is packed by its metatable's
 * __troupe_pack.
 *
 * Runs under lua_pcall; anything here may raise, in memory's name or because a program changed a table while
 * it was being sent. Invariants:
 * 1. Whatever it allocates is Lua's, or belongs to value_encode, which a raised error passes by.
 * 2. Every object met is anchored until the message is done, so that no address is used twice in it.
 */
#include "value_encoder.h"

#include <string.h>

#include <lauxlib.h>

#include "troupe.h"
#include "value_names.h"

enum { REASON_SIZE = 768 };

bool encode_without_modules(struct encoder *self)
{
    lua_State *L = self->L;
    int loaded = lua_gettop(L) + 1;

    if (!names_push(L, NAMES_LOADED))
        return false;
    lua_pushnil(L);
    while (lua_next(L, loaded)) {
        const void *module = lua_topointer(L, loaded + 2);

        if (module && seen_find(&self->seen, module))
            return false;
        lua_settop(L, loaded + 1);
    }
    return true;
}

/* An extension that holds the bytes of the string on top of the stack. */
static int encode_name(struct encoder *self, enum value_ext type)
{
    size_t head, size;
    const char *name = lua_tolstring(self->L, -1, &size);
    int rc = encode_ext_begin(self, type, &head);

    if (rc == 0)
        rc = buffer_append(self->out, name, size);
    return rc ? rc : encode_ext_end(self, head);
}

int encode_module(struct encoder *self, int index)
{
    int rc;

    if (!self->refreshed)
        names_refresh(self->L);
    self->refreshed = true;
    if (!names_push_module(self->L, index))
        return 0;
    rc = encode_name(self, EXT_MODULE);
    lua_pop(self->L, 1);
    return rc ? rc : ENCODE_DONE;
}

int encode_named_function(struct encoder *self, int index)
{
    int rc;

    if (!names_push_function(self->L, index))
        return 0;
    if (!self->mode->remote && strncmp(lua_tostring(self->L, -1), "_G:", 3) == 0) {
        lua_pop(self->L, 1); /* a global may be the host's own, which no other vm has: its pointer serves here */
        return 0;
    }
    rc = encode_name(self, EXT_C_FUNCTION);
    lua_pop(self->L, 1);
    return rc ? rc : ENCODE_DONE;
}

/* "module:function", neither part empty. */
static bool is_unpack_name(lua_State *L, int index)
{
    size_t size;
    const char *name = lua_type(L, index) == LUA_TSTRING ? lua_tolstring(L, index, &size) : NULL;
    const char *colon = name ? strrchr(name, ':') : NULL;

    return colon && colon > name && colon[1] && strlen(name) == size;
}

/* Calls the __troupe_pack on top of the stack: leaves the value it gives and the name of the unpack
 * function. */
static int call_pack(struct encoder *self, int index)
{
    lua_State *L = self->L;

    lua_pushvalue(L, index);
    switch (lua_pcall(L, 1, 2, 0)) {
    case LUA_OK:
        break;
    case LUA_ERRMEM:
        return lua_error(L);
    default:
        return encode_refuse(self, TROUPE_EREFUSED, "__troupe_pack failed: %s", luaL_tolstring(L, -1, NULL));
    }
    if (!is_unpack_name(L, lua_gettop(L)))
        return encode_refuse(self, TROUPE_EREFUSED,
                             "__troupe_pack must return a value and \"module:function\"");
    return 0;
}

/* The value and the name are on top of the stack; the object they stand for has this number. */
static int encode_pack(struct encoder *self, uint32_t number)
{
    lua_State *L = self->L;
    struct place place = { .up = self->place, .kind = PLACE_PACKED, .element = number };
    int value = lua_gettop(L) - 1, rc;
    size_t head, size;
    const char *name = lua_tolstring(L, value + 1, &size);

    rc = encode_ext_begin(self, EXT_PACKED, &head);
    if (rc == 0)
        rc = encode_bytes(self, value + 1, name, size);
    if (rc)
        return rc;
    self->place = &place;
    rc = encode_value(self, value);
    if (rc)
        return rc;
    self->place = place.up;
    return encode_ext_end(self, head);
}

int encode_packed(struct encoder *self, int index)
{
    lua_State *L = self->L;
    uint32_t number = self->objects;
    int top = lua_gettop(L), rc;

    if (!lua_getmetatable(L, index) || !names_push_pack(L))
        return 0;
    rc = encode_met(self, index);
    if (rc == 0)
        rc = encode_deeper(self, index);
    if (rc == 0)
        rc = call_pack(self, index);
    if (rc == 0)
        rc = encode_pack(self, number);
    if (rc == 0)
        self->depth--;
    lua_settop(L, top);
    return rc ? rc : ENCODE_DONE;
}

/* Lua: (encoder, values...) -> the reason of a refusal, or nil. */
static int run(lua_State *L)
{
    struct encoder *self = lua_touserdata(L, 1);
    int last = lua_gettop(L);

    luaL_checkstack(L, ENCODE_SLOTS, NULL);
    names_open(L);
    lua_newtable(L);
    self->anchors = last + 1;
    self->status = encode_values(self, 2, last);
    if (self->status)
        lua_pushstring(L, self->status == TROUPE_ENOMEM ? "not enough memory" : self->reason);
    else
        lua_pushnil(L);
    return 1;
}

static int push_text(lua_State *L)
{
    lua_pushstring(L, lua_touserdata(L, 1));
    return 1;
}

/* Without raising: where there is no memory for the text, Lua's own "not enough memory" is pushed. */
static void push_reason(lua_State *L, const char *text)
{
    lua_pushcfunction(L, push_text);
    lua_pushlightuserdata(L, (void *)text);
    lua_pcall(L, 1, 1, 0);
}

int encode_carefully(struct encoder *self, int first, int last)
{
    lua_State *L = self->L;
    char reason[REASON_SIZE];
    int count = last >= first ? last - first + 1 : 0;

    self->reason = reason;
    self->reason_size = sizeof reason;
    self->refreshed = false;
    if (!lua_checkstack(L, count + 10)) {
        push_reason(L, "too many values for the stack");
        return TROUPE_ENOMEM;
    }
    lua_pushcfunction(L, run);
    lua_pushlightuserdata(L, self);
    for (int index = first; index <= last; index++)
        lua_pushvalue(L, index);
    switch (lua_pcall(L, count + 1, 1, 0)) {
    case LUA_OK:
        break;
    case LUA_ERRMEM:
        return TROUPE_ENOMEM;
    default:
        return TROUPE_EREFUSED;
    }
    if (self->status == 0)
        lua_pop(L, 1);
    return self->status;
}
