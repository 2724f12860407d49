/* lua_value.c - the window to values, for programs that keep encoded values in files or send them by
 * themselves.
 *
 *     encode(...)                 a string; raises when a value cannot cross
 *     encode_with(options, ...)   options: remote (false), depth (200)
 *     decode(bytes [, options])   the values; raises when the bytes are no message. options: remote (false),
 *                                 untrusted (false): refuse bytecode and addresses, depth (200)
 *     class(name, metatable)      the metatable
 */
#include "lua_value.h"

#include <string.h>

#include <lauxlib.h>

#include "buffer.h"
#include "value.h"

/* Most messages fit in so many bytes, which cost no allocation. */
enum { SMALL = 1024 };

static bool flag(lua_State *L, int options, const char *key)
{
    if (!lua_isboolean(L, -1))
        luaL_argerror(L, options, lua_pushfstring(L, "option \"%s\" must be a boolean", key));
    return lua_toboolean(L, -1);
}

static int depth(lua_State *L, int options)
{
    int exact;
    lua_Integer levels = lua_tointegerx(L, -1, &exact);

    if (!exact || levels < 1 || levels > VALUE_DEPTH)
        luaL_argerror(L, options,
                      lua_pushfstring(L, "option \"depth\" must be an integer from 1 to %d", VALUE_DEPTH));
    return (int)levels;
}

/* Reads an options table; an unknown key is an error that lists the known ones. */
static void read_options(lua_State *L, int options, bool decoding, struct value_mode *mode)
{
    const char *known = decoding ? "depth, remote, untrusted" : "depth, remote";

    luaL_checktype(L, options, LUA_TTABLE);
    lua_pushnil(L);
    while (lua_next(L, options)) {
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";

        if (strcmp(key, "depth") == 0)
            mode->depth = depth(L, options);
        else if (strcmp(key, "remote") == 0)
            mode->remote = flag(L, options, key);
        else if (decoding && strcmp(key, "untrusted") == 0)
            mode->untrusted = flag(L, options, key);
        else
            luaL_argerror(L, options, lua_pushfstring(L, "unknown option \"%s\"; known: %s",
                                                      luaL_tolstring(L, -2, NULL), known));
        lua_pop(L, 1);
    }
}

/* Lua: (buffer) -> its bytes as a string. */
static int push_bytes(lua_State *L)
{
    const struct buffer *buffer = lua_touserdata(L, 1);

    lua_pushlstring(L, (const char *)buffer->data, buffer->size);
    return 1;
}

/* Encodes the values from `first` up. The string is made under pcall: the buffer must not be passed by. */
static int encode(lua_State *L, int first, const struct value_mode *mode)
{
    unsigned char small[SMALL];
    struct buffer buffer;
    int rc;

    luaL_checkstack(L, 4, NULL);
    buffer_init_lent(&buffer, small, sizeof small);
    rc = value_encode(L, first, lua_gettop(L), "argument", mode, &buffer);
    if (rc == 0) {
        lua_pushcfunction(L, push_bytes);
        lua_pushlightuserdata(L, &buffer);
        rc = lua_pcall(L, 1, 1, 0);
    }
    buffer_release(&buffer);
    return rc ? lua_error(L) : 1;
}

static int window_encode(lua_State *L)
{
    static const struct value_mode mode;

    return encode(L, 1, &mode);
}

static int window_encode_with(lua_State *L)
{
    struct value_mode mode = { 0 };

    read_options(L, 1, false, &mode);
    return encode(L, 2, &mode);
}

static int window_decode(lua_State *L)
{
    struct value_mode mode = { 0 };
    size_t size;
    const char *bytes = luaL_checklstring(L, 1, &size);
    int count;

    if (!lua_isnoneornil(L, 2))
        read_options(L, 2, true, &mode);
    if (value_decode(L, bytes, size, &mode, &count))
        return lua_error(L);
    return count;
}

static int window_class(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TSTRING);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    lua_pushvalue(L, 2);
    lua_insert(L, 1);
    value_class(L);
    return 1;
}

int lua_value_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        { "encode", window_encode },
        { "encode_with", window_encode_with },
        { "decode", window_decode },
        { "class", window_class },
        { NULL, NULL }
    };

    luaL_newlib(L, functions);
    return 1;
}
