/* value_fixture.h - what the tests of values share: a state, chunks of Lua that make values, hex. */
#ifndef VALUE_FIXTURE_H
#define VALUE_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "buffer.h"
#include "lua_value.h"
#include "suite.h"
#include "troupe.h"
#include "value.h"

#define COUNT_OF(array) (int)(sizeof(array) / sizeof *(array))

static const struct value_mode local_mode;
static const struct value_mode remote_mode = { .remote = true };
static const struct value_mode untrusted_mode = { .untrusted = true };

/* A state with the standard libraries and the window to values as the module "values". */
static inline lua_State *open_state(void)
{
    lua_State *L = luaL_newstate();

    ck_assert_ptr_nonnull(L);
    luaL_openlibs(L);
    luaL_requiref(L, "values", lua_value_open, 0);
    lua_pop(L, 1);
    return L;
}

/* Runs the chunk; its results are what is on the stack then. Their number. */
static inline int eval(lua_State *L, const char *chunk)
{
    int top = lua_gettop(L);

    if (luaL_dostring(L, chunk))
        ck_abort_msg("%s: %s", chunk, lua_tostring(L, -1));
    return lua_gettop(L) - top;
}

/* Encodes what the chunk returns. The status; the reason, if any, stays pushed. */
static inline int encode_chunk(lua_State *L, const char *chunk, const struct value_mode *mode,
                               struct buffer *out)
{
    int top = lua_gettop(L), count = eval(L, chunk), rc;

    rc = value_encode(L, top + 1, top + count, "argument", mode, out);
    ck_assert_int_eq(lua_gettop(L), top + count + (rc != 0));
    if (rc) {
        ck_assert_int_eq(lua_type(L, -1), LUA_TSTRING);
        lua_replace(L, top + 1);
        lua_settop(L, top + 1);
    } else {
        lua_settop(L, top);
    }
    return rc;
}

/* Two hex digits for each byte, nothing between. */
static inline void to_hex(const struct buffer *bytes, char *hex, size_t room)
{
    ck_assert_uint_lt(bytes->size * 2, room);
    for (size_t i = 0; i < bytes->size; i++)
        snprintf(hex + 2 * i, 3, "%02x", bytes->data[i]);
    hex[bytes->size * 2] = '\0';
}

static inline size_t from_hex(const char *hex, unsigned char *bytes)
{
    size_t size = 0;
    unsigned byte;

    for (; *hex; hex += 2) {
        while (*hex == ' ')
            hex++;
        assert_cheaply(sscanf(hex, "%2x", &byte) == 1);
        bytes[size++] = (unsigned char)byte;
    }
    return size;
}

/* splitmix64: the same numbers on every machine. */
static inline uint64_t next_random(uint64_t *seed)
{
    uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

#endif
