/* lua_items.c - a function is called with each item of a block, and what it returns becomes lines of one string.
 *
 *     run_items(fn, block, delimiter, tell, every, seconds) -> lines, done, failed, complaints, rest
 *
 * In `block` each item is followed by the delimiter. A call's results make a line: strings as they are, numbers and
 * booleans as text, nil as nothing, with tabs between them. Whatever else a line must be made of is left to
 *
 *     tell(ok, item, seconds, ...) -> line or nil, complaint or nil
 *
 * which gets the results, or the error value and its traceback: for every call if `every` is true, else for those that
 * failed or returned other values. An error that it raises about results makes the call a failed one. `done` calls were
 * made, `failed` of them failed. They are fewer than the items when the program stops (stop.h), or when so many seconds
 * have passed: then `rest` is where in the block the first item begins that is still to do.
 *
 * The stack while items run: RUN, HANDLER, FN, TELL, BLOCK, then the call under way. A call may yield: everything that
 * goes on afterwards is in the struct at RUN.
 */
#include "lua_items.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <lauxlib.h>

#include "buffer.h"
#include "clock.h"
#include "lua_limit.h"
#include "stop.h"
#include "vm.h"

enum { RUN = 1, HANDLER, FN, TELL, BLOCK };

/* The clock is read once for so many calls. */
enum { CALLS_A_LOOK = 8 };

struct run {
    const char *block, *item, *next, *end; /* the item under way, the one behind it, the end */
    size_t size;                   /* of the item under way */
    char delimiter;
    bool every;
    bool halted;
    int depth; /* frames below the calls: no business of a traceback */
    double began, deadline; /* of the item under way; of all, negative: none */
    lua_Integer done, failed;
    struct buffer lines, complaints;
};

static const char class_name[] = "troupe.run";

static int run_gc(lua_State *L)
{
    struct run *r = luaL_checkudata(L, 1, class_name);
    buffer_release(&r->lines);
    buffer_release(&r->complaints);
    return 0;
}

static void append(lua_State *L, struct buffer *b, const char *bytes, size_t size)
{
    if (buffer_append(b, bytes, size))
        luaL_error(L, "not enough memory");
}

/* ---- errors */

/* Message handler: {error, traceback}. A lack of memory never gets here. */
static int handler(lua_State *L)
{
    const struct run *r = lua_touserdata(L, lua_upvalueindex(1));
    if (lua_limit_is_error(L, 1))
        return 1; /* traced where it was raised */
    lua_limit_trace(L, r->depth);
    return 1;
}

/* What the handler made of an error becomes two values: it and its traceback. Text: a lack of memory, without one. */
static void unpack_error(lua_State *L)
{
    int error = lua_gettop(L);
    if (lua_type(L, error) == LUA_TTABLE) {
        lua_rawgeti(L, error, 2);
        lua_rawgeti(L, error, 1);
        lua_replace(L, error);
    } else {
        lua_pushliteral(L, "");
    }
}

/* A program that stops breaks into calls that take too long: they were not made. */
static bool was_broken_into(lua_State *L)
{
    if (!stop_thrown())
        return false;
    lua_pushvalue(L, -2);
    const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
    bool is = strstr(text, VM_INTERRUPTED) != NULL;
    lua_pop(L, 1);
    return is;
}

/* ---- lines */

static void append_integer(lua_State *L, struct buffer *b, lua_Integer value)
{
    char digits[24], *p = digits + sizeof digits;
    lua_Unsigned rest = value < 0 ? 0 - (lua_Unsigned)value : (lua_Unsigned)value;
    do
        *--p = (char)('0' + rest % 10);
    while (rest /= 10);
    if (value < 0)
        *--p = '-';
    append(L, b, p, (size_t)(digits + sizeof digits - p));
}

static bool append_plain(lua_State *L, struct buffer *b, int index)
{
    size_t size;
    const char *text;
    if (lua_isinteger(L, index)) {
        append_integer(L, b, lua_tointeger(L, index));
        return true;
    }
    switch (lua_type(L, index)) {
    case LUA_TNIL:
        return true;
    case LUA_TBOOLEAN:
        text = lua_toboolean(L, index) ? "true" : "false";
        append(L, b, text, strlen(text));
        return true;
    case LUA_TNUMBER:
    case LUA_TSTRING:
        text = lua_tolstring(L, index, &size);
        append(L, b, text, size);
        return true;
    default:
        return false;
    }
}

/* The results above BLOCK as a line; false, with nothing written, when they are not all plain. */
static bool append_line(lua_State *L, struct run *r)
{
    size_t before = r->lines.size;
    int top = lua_gettop(L);
    for (int i = BLOCK + 1; i <= top; i++) {
        if (i > BLOCK + 1)
            append(L, &r->lines, "\t", 1);
        if (!append_plain(L, &r->lines, i)) {
            r->lines.size = before;
            return false;
        }
    }
    append(L, &r->lines, "\n", 1);
    return true;
}

/* ---- calls */

/* Puts tell and what it gets first below the values above BLOCK. Returns the number of arguments. */
static int push_tell(lua_State *L, const struct run *r, bool ok)
{
    int values = lua_gettop(L) - BLOCK;
    luaL_checkstack(L, 8, "too many results");
    lua_pushvalue(L, TELL);
    lua_pushboolean(L, ok);
    lua_pushlstring(L, r->item, r->size);
    lua_pushnumber(L, r->every ? clock_now() - r->began : 0);
    lua_rotate(L, BLOCK + 1, 4);
    return values + 3;
}

/* What tell returned. */
static void take_told(lua_State *L, struct run *r)
{
    size_t size;
    const char *line = lua_tolstring(L, BLOCK + 1, &size);
    if (line) {
        append(L, &r->lines, line, size);
        append(L, &r->lines, "\n", 1);
    }
    const char *complaint = lua_tolstring(L, BLOCK + 2, &size);
    if (complaint) {
        append(L, &r->complaints, complaint, size);
        append(L, &r->complaints, "\n", 1);
    }
    r->done++;
}

/* The call failed, or its results cannot be told; error and traceback are on top. */
static void fail(lua_State *L, struct run *r)
{
    if (was_broken_into(L)) {
        r->halted = true;
        return;
    }
    r->failed++;
    int arguments = push_tell(L, r, false);
    if (lua_pcall(L, arguments, 2, 0)) {
        lua_settop(L, BLOCK);
        lua_pushnil(L);
        lua_pushliteral(L, "an item failed, and so did telling of it");
    }
    take_told(L, r);
}

/* The call has ended; its results or its error are above BLOCK. */
static void end_call(lua_State *L, struct run *r, int status)
{
    if (status != LUA_OK && status != LUA_YIELD) {
        unpack_error(L);
        fail(L, r);
    } else if (!r->every && append_line(L, r)) {
        r->done++;
    } else {
        int arguments = push_tell(L, r, true);
        if (lua_pcall(L, arguments, 2, 0)) {
            lua_pushliteral(L, ""); /* where in the teller is nobody's business */
            fail(L, r);
        } else {
            take_told(L, r);
        }
    }
}

static void next_item(struct run *r)
{
    const char *stop = memchr(r->next, r->delimiter, (size_t)(r->end - r->next));
    r->item = r->next;
    r->size = (size_t)((stop ? stop : r->end) - r->item);
    r->next = stop ? stop + 1 : r->end;
    if (r->every)
        r->began = clock_now();
}

static void push_buffer(lua_State *L, struct buffer *b)
{
    lua_pushlstring(L, b->size ? (const char *)b->data : "", b->size);
    buffer_release(b);
}

static bool is_late(const struct run *r)
{
    return r->deadline >= 0 && r->done > 0 && r->done % CALLS_A_LOOK == 0 && clock_now() >= r->deadline;
}

static int go_on(lua_State *L, int status, lua_KContext context);

static int run_rest(lua_State *L, struct run *r)
{
    while (r->next < r->end && !r->halted && !stop_thrown() && !is_late(r)) {
        lua_settop(L, BLOCK);
        next_item(r);
        lua_pushvalue(L, FN);
        lua_pushlstring(L, r->item, r->size);
        end_call(L, r, lua_pcallk(L, 1, LUA_MULTRET, HANDLER, (lua_KContext)r, go_on));
    }
    lua_settop(L, BLOCK);
    push_buffer(L, &r->lines);
    lua_pushinteger(L, r->done);
    lua_pushinteger(L, r->failed);
    if (r->complaints.size)
        push_buffer(L, &r->complaints);
    else
        lua_pushnil(L);
    if (r->next == r->end || r->halted || stop_thrown())
        return 4;
    lua_pushinteger(L, r->next - r->block + 1);
    return 5;
}

static int go_on(lua_State *L, int status, lua_KContext context)
{
    struct run *r = (struct run *)context;
    end_call(L, r, status);
    return run_rest(L, r);
}

static int run_items(lua_State *L)
{
    size_t size, one;
    luaL_checkany(L, 1);
    const char *block = luaL_checklstring(L, 2, &size), *delimiter = luaL_checklstring(L, 3, &one);
    luaL_argcheck(L, one == 1, 3, "one byte expected");
    luaL_checktype(L, 4, LUA_TFUNCTION);
    lua_Number seconds = luaL_optnumber(L, 6, -1);
    lua_settop(L, 5);
    struct run *r = lua_newuserdatauv(L, sizeof *r, 0);
    *r = (struct run){.block = block, .next = block, .end = block + size, .delimiter = *delimiter, .every = lua_toboolean(L, 5)};
    r->deadline = seconds >= 0 ? clock_now() + seconds : -1;
    r->depth = lua_limit_depth(L);
    luaL_setmetatable(L, class_name);
    lua_pushvalue(L, -1);
    lua_pushcclosure(L, handler, 1);
    lua_rotate(L, 1, 2); /* run, handler, fn, block, delimiter, tell, every */
    lua_pushvalue(L, 4);
    lua_copy(L, 6, TELL);
    lua_replace(L, BLOCK);
    return run_rest(L, r);
}

void lua_items_open(lua_State *L)
{
    if (luaL_newmetatable(L, class_name)) {
        lua_pushcfunction(L, run_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_pop(L, 1);
    lua_pushcfunction(L, run_items);
    lua_setfield(L, -2, "run_items");
}
