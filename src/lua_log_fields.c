/* lua_log_fields.c - Lua values to MessagePack that anybody reads, and back.
 *
 * Unlike what value.h makes, this never refuses: what is no plain value goes as its text. It is for eyes, not for programs.
 * Tables inside go DEEPEST levels deep, and then as text, so that one that contains itself has an end.
 */
#include "lua_log_fields.h"

#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "pack.h"
#include "troupe.h"
#include "value_utf8.h"

enum { DEEPEST = 6, LARGEST = 1 << 20 };

static int release(lua_State *L)
{
    buffer_release(lua_touserdata(L, 1));
    return 0;
}

static struct buffer *push_buffer(lua_State *L)
{
    struct buffer *b = lua_newuserdatauv(L, sizeof *b, 0);
    buffer_init(b);
    if (luaL_newmetatable(L, "troupe.log.fields")) {
        lua_pushcfunction(L, release);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    return b;
}

static void check(lua_State *L, int rc)
{
    if (rc)
        luaL_error(L, "not enough memory");
}

static void put_text(lua_State *L, struct buffer *b, int index)
{
    size_t size;
    const char *text = luaL_tolstring(L, index, &size);
    check(L, pack_text(b, text, size, utf8_valid((const unsigned char *)text, size)));
    lua_pop(L, 1);
}

/* A map's head, with a count that is not known yet: fixed at once, so that it can be set later. */
static size_t begin_map(lua_State *L, struct buffer *b)
{
    check(L, buffer_append(b, "\xdf\0\0\0\0", 5));
    return b->size - 4;
}

static void end_map(struct buffer *b, size_t at, uint32_t count)
{
    for (int i = 0; i < 4; i++)
        b->data[at + (size_t)i] = (unsigned char)(count >> (24 - 8 * i));
}

static void put_value(lua_State *L, struct buffer *b, int index, int depth);

static void put_table(lua_State *L, struct buffer *b, int index, int depth)
{
    uint32_t count = 0;
    size_t at = begin_map(L, b);
    luaL_checkstack(L, 8, NULL);
    lua_pushnil(L);
    while (lua_next(L, index)) {
        int top = lua_gettop(L);
        put_value(L, b, top - 1, 0);
        put_value(L, b, top, depth - 1);
        lua_pop(L, 1);
        count++;
    }
    end_map(b, at, count);
}

/* A table that is a sequence and nothing else. */
static bool is_sequence(lua_State *L, int index, lua_Integer *count)
{
    lua_Integer n = 0;
    *count = (lua_Integer)lua_rawlen(L, index);
    lua_pushnil(L);
    while (lua_next(L, index)) {
        lua_pop(L, 1);
        n++;
    }
    return n > 0 && n == *count;
}

static void put_sequence(lua_State *L, struct buffer *b, int index, lua_Integer count, int depth)
{
    unsigned char head[5] = { 0xdd };
    for (int i = 0; i < 4; i++)
        head[i + 1] = (unsigned char)((uint32_t)count >> (24 - 8 * i));
    check(L, buffer_append(b, head, sizeof head));
    for (lua_Integer i = 1; i <= count; i++) {
        lua_rawgeti(L, index, i);
        put_value(L, b, lua_gettop(L), depth - 1);
        lua_pop(L, 1);
    }
}

static void put_number(lua_State *L, struct buffer *b, int index)
{
    lua_Integer n = lua_tointeger(L, index);
    if (!lua_isinteger(L, index))
        check(L, pack_float(b, lua_tonumber(L, index)));
    else if (n < 0)
        check(L, pack_negative(b, n));
    else
        check(L, pack_unsigned(b, (uint64_t)n));
}

static void put_value(lua_State *L, struct buffer *b, int index, int depth)
{
    lua_Integer count;
    luaL_checkstack(L, 8, NULL);
    switch (lua_type(L, index)) {
    case LUA_TNIL: check(L, pack_nil(b)); return;
    case LUA_TBOOLEAN: check(L, pack_boolean(b, lua_toboolean(L, index))); return;
    case LUA_TNUMBER: put_number(L, b, index); return;
    case LUA_TTABLE:
        if (depth <= 0 || b->size > LARGEST || luaL_getmetafield(L, index, "__tostring") != LUA_TNIL)
            break;
        if (is_sequence(L, index, &count))
            put_sequence(L, b, index, count, depth);
        else
            put_table(L, b, index, depth);
        return;
    default: break;
    }
    int top = lua_gettop(L);
    put_text(L, b, index);
    lua_settop(L, top);
}

/* Pushes a sequence of the table's names, sorted, and a table from name to key; the element 1 is no field. */
static lua_Integer push_names(lua_State *L, int table)
{
    lua_Integer count = 0;
    lua_newtable(L);
    lua_newtable(L);
    int names = lua_gettop(L) - 1;
    lua_pushnil(L);
    while (lua_next(L, table)) {
        lua_pop(L, 1);
        if (lua_isinteger(L, -1) && lua_tointeger(L, -1) == 1)
            continue;
        luaL_tolstring(L, -1, NULL);
        lua_pushvalue(L, -1);
        lua_rawseti(L, names, ++count);
        lua_pushvalue(L, -2);
        lua_rawset(L, names + 1);
    }
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_getfield(L, -1, LUA_TABLIBNAME);
    lua_getfield(L, -1, "sort");
    lua_pushvalue(L, names);
    lua_call(L, 1, 0);
    lua_settop(L, names + 1);
    return count;
}

struct buffer *lua_log_fields(lua_State *L, int table)
{
    luaL_checkstack(L, 16, NULL);
    struct buffer *b = push_buffer(L);
    lua_Integer count = push_names(L, table);
    int names = lua_gettop(L) - 1;
    if (count > 0)
        end_map(b, begin_map(L, b), (uint32_t)count);
    for (lua_Integer i = 1; i <= count; i++) {
        lua_rawgeti(L, names, i);
        put_text(L, b, names + 2);
        lua_rawget(L, names + 1);
        lua_rawget(L, table);
        put_value(L, b, names + 2, DEEPEST);
        lua_settop(L, names + 1);
    }
    lua_settop(L, names - 1);
    if (lua_rawgeti(L, table, 1) == LUA_TNIL)
        lua_pushliteral(L, "");
    luaL_tolstring(L, -1, NULL);
    lua_insert(L, names);
    lua_settop(L, names);
    return b;
}

static void push_members(lua_State *L, struct unpack *bytes, uint32_t count, bool is_map)
{
    lua_createtable(L, 0, 0);
    for (uint32_t i = 0; i < count && bytes->at < bytes->end; i++) {
        if (is_map)
            lua_log_push(L, bytes);
        lua_log_push(L, bytes);
        if (!is_map)
            lua_rawseti(L, -2, (lua_Integer)i + 1);
        else if (lua_isnil(L, -2) || (lua_type(L, -2) == LUA_TNUMBER && lua_tonumber(L, -2) != lua_tonumber(L, -2)))
            lua_pop(L, 2);
        else
            lua_rawset(L, -3);
    }
}

void lua_log_push(lua_State *L, struct unpack *bytes)
{
    struct unpack_value v = { .kind = UNPACK_NIL };
    luaL_checkstack(L, 8, NULL);
    if (!unpack_next(bytes, &v))
        bytes->at = bytes->end;
    switch (v.kind) {
    case UNPACK_NIL:
    case UNPACK_OTHER: lua_pushnil(L); break;
    case UNPACK_BOOLEAN: lua_pushboolean(L, v.u.boolean); break;
    case UNPACK_UNSIGNED: lua_pushinteger(L, (lua_Integer)v.u.number); break;
    case UNPACK_NEGATIVE: lua_pushinteger(L, (lua_Integer)v.u.negative); break;
    case UNPACK_FLOAT: lua_pushnumber(L, v.u.real); break;
    case UNPACK_TEXT: lua_pushlstring(L, v.u.text.bytes, v.u.text.size); break;
    case UNPACK_ARRAY: push_members(L, bytes, v.u.count, false); break;
    case UNPACK_MAP: push_members(L, bytes, v.u.count, true); break;
    }
}
