/* lua_stdio.c - what Lua's own io cannot say of descriptors: terminals, their width, why a write failed.
 *
 *     now()                     monotonic seconds
 *     isatty(fd)                boolean
 *     columns(fd)               the terminal's width; nil when it is none or does not say
 *     write(fd, bytes)          true; nil, message, broken: true when nobody reads any more
 *     stop()  is_stopped()      the program's switch (stop.h)
 *     reader(fd, delimiter)     lua_reader.c
 */
#include "lua_stdio.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <lauxlib.h>

#include "clock.h"
#include "stop.h"

int lua_stdio_now(lua_State *L)
{
    lua_pushnumber(L, clock_now());
    return 1;
}

static int is_terminal(lua_State *L)
{
    lua_pushboolean(L, isatty((int)luaL_checkinteger(L, 1)));
    return 1;
}

static int columns(lua_State *L)
{
    struct winsize size;
    if (ioctl((int)luaL_checkinteger(L, 1), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        lua_pushinteger(L, size.ws_col);
    else
        lua_pushnil(L);
    return 1;
}

/* Somebody made the descriptor non-blocking: it belongs to the terminal or the pipe, and so to others too. */
static void await_room(int fd)
{
    struct pollfd item = {.fd = fd, .events = POLLOUT};
    poll(&item, 1, -1);
}

static int write_all(lua_State *L)
{
    int fd = (int)luaL_checkinteger(L, 1);
    size_t size;
    const char *bytes = luaL_checklstring(L, 2, &size);
    while (size > 0) {
        ssize_t written = write(fd, bytes, size);
        if (written >= 0) {
            bytes += written;
            size -= (size_t)written;
        } else if (errno == EAGAIN) {
            await_room(fd);
        } else if (errno != EINTR) {
            lua_pushnil(L);
            lua_pushstring(L, strerror(errno));
            lua_pushboolean(L, errno == EPIPE);
            return 3;
        }
    }
    lua_pushboolean(L, 1);
    return 1;
}

static int stop(lua_State *L)
{
    (void)L;
    stop_throw();
    return 0;
}

static int is_stopped(lua_State *L)
{
    lua_pushboolean(L, stop_thrown());
    return 1;
}

void lua_stdio_open(lua_State *L)
{
    static const luaL_Reg functions[] = {{"now", lua_stdio_now}, {"isatty", is_terminal}, {"columns", columns}, {"write", write_all},
                                         {"stop", stop}, {"is_stopped", is_stopped}, {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
    lua_reader_open(L);
}
