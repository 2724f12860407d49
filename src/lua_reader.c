/* lua_reader.c - whole items from a descriptor, in blocks as they come.
 *
 *     core.reader(fd, delimiter)     a reader; the descriptor stays the caller's
 *     reader:read(items, bytes)      block, count: what is there, at least one item, each followed by the delimiter, also the
 *                                    last one when the input lacks it there; at most so many items, and none is begun
 *                                    beyond so many bytes. nil at the end or when the program stops; nil, message
 *
 * A reader waits only when it has no whole item. data[start..end) was read and not handed out; data[start..cut) are
 * `count` whole items; there is no delimiter in data[cut..seen).
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>

#include "lua_stdio.h"
#include "stop.h"

enum { READ_SIZE = 64 * 1024 };

static const char class_name[] = "troupe.reader";

struct reader {
    int fd;
    char delimiter;
    bool ended;
    char *data;
    size_t start, cut, seen, end, room;
    lua_Integer count;
};

/* Cuts off whole items, as many as are wanted. True when that is enough. */
static bool cut_items(struct reader *r, lua_Integer items, size_t bytes)
{
    while (r->count < items && r->cut - r->start < bytes) {
        char *found = r->end > r->seen ? memchr(r->data + r->seen, r->delimiter, r->end - r->seen) : NULL;
        if (!found) {
            r->seen = r->end;
            return false;
        }
        r->cut = r->seen = (size_t)(found - r->data) + 1;
        r->count++;
    }
    return true;
}

/* Room for one more read. What was handed out is dropped when it is at least as long as what has to move. */
static bool make_room(struct reader *r)
{
    if (r->room - r->end >= READ_SIZE)
        return true;
    if (r->start >= r->end - r->start) {
        if (r->end > r->start)
            memcpy(r->data, r->data + r->start, r->end - r->start);
        r->cut -= r->start;
        r->seen -= r->start;
        r->end -= r->start;
        r->start = 0;
    }
    if (r->room - r->end >= READ_SIZE)
        return true;
    size_t room = r->room * 2 > r->end + READ_SIZE ? r->room * 2 : r->end + READ_SIZE;
    char *data = realloc(r->data, room);
    if (!data)
        return false;
    r->data = data;
    r->room = room;
    return true;
}

static bool has_more_now(int fd)
{
    struct pollfd item = {.fd = fd, .events = POLLIN};
    return poll(&item, 1, 0) > 0;
}

/* Waits for input or the stop. 1: input, 0: stop, -1: errno. */
static int wait_for_input(int fd)
{
    struct pollfd items[] = {{.fd = fd, .events = POLLIN}, {.fd = stop_descriptor(), .events = POLLIN}};
    if (stop_thrown())
        return 0;
    if (poll(items, 2, -1) < 0)
        return -1;
    return items[1].revents ? 0 : 1;
}

/* Reads once, waiting if it must. 0, ECANCELED for a stop, EINTR, or another errno. */
static int fill(struct reader *r)
{
    if (!make_room(r))
        return ENOMEM;
    int ready = wait_for_input(r->fd);
    if (ready <= 0)
        return ready < 0 ? errno : ECANCELED;
    ssize_t size = read(r->fd, r->data + r->end, r->room - r->end);
    if (size < 0)
        return errno == EAGAIN ? 0 : errno;
    r->end += (size_t)size;
    r->ended = size == 0;
    return 0;
}

static int nothing(lua_State *L)
{
    (void)L;
    return 0;
}

static int push_block(lua_State *L, struct reader *r)
{
    lua_pushlstring(L, r->data + r->start, r->cut - r->start);
    lua_pushinteger(L, r->count);
    r->start = r->cut;
    r->count = 0;
    return 2;
}

/* The rest of the input, which no delimiter ended. */
static int push_rest(lua_State *L, struct reader *r)
{
    if (r->end == r->start) {
        lua_pushnil(L);
        return 1;
    }
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    luaL_addlstring(&b, r->data + r->start, r->end - r->start);
    luaL_addchar(&b, r->delimiter);
    luaL_pushresult(&b);
    r->start = r->cut = r->seen = r->end;
    lua_pushinteger(L, 1);
    return 2;
}

/* Reads until a block can be handed out, or there is a reason not to. */
static int reader_read(lua_State *L)
{
    struct reader *r = luaL_checkudata(L, 1, class_name);
    lua_Integer items = luaL_checkinteger(L, 2);
    size_t bytes = (size_t)luaL_checkinteger(L, 3);
    while (!cut_items(r, items, bytes) && !r->ended && (r->count == 0 || has_more_now(r->fd))) {
        int error = fill(r);
        if (error == EINTR) {
            lua_pushcfunction(L, nothing); /* a pending hook runs now, and may raise */
            lua_call(L, 0, 0);
        } else if (error && r->count == 0) {
            lua_pushnil(L);
            if (error == ECANCELED)
                return 1;
            lua_pushstring(L, strerror(error));
            return 2;
        } else if (error) {
            break;
        }
    }
    return r->count > 0 ? push_block(L, r) : push_rest(L, r);
}

static int reader_gc(lua_State *L)
{
    struct reader *r = luaL_checkudata(L, 1, class_name);
    free(r->data);
    *r = (struct reader){.fd = r->fd, .ended = true};
    return 0;
}

static int reader_new(lua_State *L)
{
    int fd = (int)luaL_checkinteger(L, 1);
    size_t size;
    const char *delimiter = luaL_checklstring(L, 2, &size);
    luaL_argcheck(L, size == 1, 2, "one byte expected");
    struct reader *r = lua_newuserdatauv(L, sizeof *r, 0);
    *r = (struct reader){.fd = fd, .delimiter = *delimiter};
    luaL_setmetatable(L, class_name);
    return 1;
}

void lua_reader_open(lua_State *L)
{
    static const luaL_Reg methods[] = {{"read", reader_read}, {"__gc", reader_gc}, {"__close", reader_gc}, {NULL, NULL}};
    if (luaL_newmetatable(L, class_name)) {
        luaL_setfuncs(L, methods, 0);
        lua_pushvalue(L, -1);
        lua_setfield(L, -2, "__index");
    }
    lua_pop(L, 1);
    lua_pushcfunction(L, reader_new);
    lua_setfield(L, -2, "reader");
}
