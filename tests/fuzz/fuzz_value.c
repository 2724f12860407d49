/* fuzz_value.c - the decoder under libFuzzer: any bytes are an error or values, and values go on to be a
 * message.
 *
 * What was decoded is encoded, decoded and encoded again: the second message is as long as the first.
 */
#include <stdint.h>
#include <stdlib.h>

#include <lauxlib.h>
#include <lualib.h>

#include "buffer.h"
#include "fuzz.h"
#include "lua_value.h"
#include "value.h"

/* What a stranger's bytes can reach: one class, one function that unpacks, no files. */
static const char world[] =
    "package.path, package.cpath = '', ''\n"
    "local values = ...\n"
    "values.class('K', {})\n"
    "package.loaded.boxes = { open = function(v) return { opened = v } end }\n";

static void check(int holds)
{
    if (!holds)
        abort();
}

static lua_State *open_world(void)
{
    lua_State *L = luaL_newstate();

    check(L != NULL);
    luaL_openlibs(L);
    check(luaL_loadstring(L, world) == LUA_OK);
    lua_value_open(L);
    check(lua_pcall(L, 1, 0, 0) == LUA_OK);
    return L;
}

/* Encodes the values of the stack; the message's length. */
static size_t encode(lua_State *L, struct buffer *out)
{
    static const struct value_mode mode = { .remote = true };

    check(value_encode(L, 1, lua_gettop(L), "argument", &mode, out) == 0);
    lua_settop(L, 0);
    return out->size;
}

struct input {
    const uint8_t *bytes;
    size_t size;
};

/* Lua: (input) -> values. Memory errors may be raised here. */
static int decode(lua_State *L)
{
    static const struct value_mode mode = { .untrusted = true };
    const struct input *input = lua_touserdata(L, 1);
    int count;

    if (value_decode(L, input->bytes, input->size, &mode, &count))
        return lua_error(L);
    check(lua_gettop(L) == 1 + count);
    return count;
}

static int decode_protected(lua_State *L, const uint8_t *bytes, size_t size)
{
    struct input input = { bytes, size };

    lua_pushcfunction(L, decode);
    lua_pushlightuserdata(L, &input);
    return lua_pcall(L, 1, LUA_MULTRET, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    lua_State *L = open_world();
    struct buffer first, second;

    buffer_init(&first);
    buffer_init(&second);
    if (decode_protected(L, bytes, size) == LUA_OK) {
        encode(L, &first);
        check(decode_protected(L, first.data, first.size) == LUA_OK);
        check(encode(L, &second) == first.size);
    }
    buffer_release(&first);
    buffer_release(&second);
    lua_close(L);
    return 0;
}
