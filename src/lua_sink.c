/* lua_sink.c - sinks from Lua.
 *
 *     open(options)       a sink that serves; nil, message. options: file, directory or descriptor; rotate, keep, json,
 *                         colours, level, grep; listen: a sequence of {kind, bind, endpoint, mark, public_key, secret_key,
 *                         server_key, context}
 *     sink:endpoints()    a sequence of strings
 *     sink:reopen()
 *     sink:counts()       frames, records, filtered, lost
 *     sink:ended()        a descriptor, the sink's, that is readable once it has ended; nil when there is none to be had
 *     sink:stop()         asks it to end
 *     sink:finish()       awaits its end, blocking the vm; a second time nothing
 */
#include "lua_sink.h"

#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <lauxlib.h>

#include "lua_fields.h"
#include "record.h"
#include "sink.h"
#include "troupe.h"

static const char class_name[] = "troupe.sink";

struct handle {
    struct sink *sink; /* NULL: ended */
    struct sink_counts counts;
    int ended; /* an eventfd; negative: none */
};

static struct handle *check(lua_State *L)
{
    return luaL_checkudata(L, 1, class_name);
}

static struct handle *check_open(lua_State *L)
{
    struct handle *self = check(L);
    luaL_argcheck(L, self->sink, 1, "the sink is closed");
    return self;
}

static int fail(lua_State *L, const char *why)
{
    lua_pushnil(L);
    lua_pushstring(L, why);
    return 2;
}

/* The options' socket on top of the stack. */
static int listen_to(lua_State *L, struct sink *sink, char *why, size_t why_size)
{
    static const char *const kinds[] = { "pull", "sub", NULL };
    static const enum wire_kind values[] = { WIRE_PULL, WIRE_SUB };
    int table = lua_gettop(L);
    luaL_checktype(L, table, LUA_TTABLE);
    lua_getfield(L, table, "kind");
    struct wire_options o = { .kind = values[luaL_checkoption(L, -1, NULL, kinds)] };
    o.bind = lua_fields_flag(L, table, "bind");
    o.endpoint = lua_fields_text(L, table, "endpoint");
    luaL_argcheck(L, o.endpoint, 1, "an endpoint is missing");
    o.mark = (int)lua_fields_integer(L, table, "mark", 1000);
    o.public_key = lua_fields_text(L, table, "public_key");
    o.secret_key = lua_fields_text(L, table, "secret_key");
    o.server_key = lua_fields_text(L, table, "server_key");
    lua_getfield(L, table, "context");
    o.context = lua_touserdata(L, -1);
    int rc = sink_listen(sink, &o, why, why_size);
    lua_settop(L, table);
    return rc;
}

static void read_options(lua_State *L, struct sink_options *o)
{
    const char *file = lua_fields_text(L, 1, "file"), *directory = lua_fields_text(L, 1, "directory");
    o->outlet.path = file ? file : directory;
    o->outlet.is_directory = !file && directory;
    o->outlet.descriptor = (int)lua_fields_integer(L, 1, "descriptor", -1);
    o->outlet.rotate_bytes = (uint64_t)lua_fields_integer(L, 1, "rotate", 0);
    o->outlet.keep = (int)lua_fields_integer(L, 1, "keep", 5);
    o->json = lua_fields_flag(L, 1, "json");
    o->colours = lua_fields_flag(L, 1, "colours");
    o->grep = lua_fields_text(L, 1, "grep");
    const char *level = lua_fields_text(L, 1, "level");
    o->level = level ? record_level_of(level, strlen(level)) : RECORD_TRACE;
    luaL_argcheck(L, o->level >= 0, 1, "no such level");
    luaL_argcheck(L, o->outlet.path || o->outlet.descriptor >= 0, 1, "a file, directory or descriptor is missing");
}

/* The handle is at index 2. Before the start: afterwards the wires are the thread's. */
static void keep_endpoints(lua_State *L, struct sink *sink)
{
    const char *endpoint;
    lua_newtable(L);
    for (int i = 0; (endpoint = sink_endpoint(sink, i)); i++) {
        lua_pushstring(L, endpoint);
        lua_rawseti(L, -2, i + 1);
    }
    lua_setiuservalue(L, 2, 1);
}

static int open(lua_State *L)
{
    char why[1024];
    struct sink_options o = { 0 };
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    struct handle *self = lua_newuserdatauv(L, sizeof *self, 1);
    *self = (struct handle){ .ended = -1 };
    luaL_setmetatable(L, class_name);
    read_options(L, &o);
    lua_getfield(L, 1, "listen");
    int list = lua_gettop(L), rc = sink_new(&self->sink, &o, why, sizeof why);
    luaL_checktype(L, list, LUA_TTABLE);
    for (lua_Integer i = 1; rc == 0 && lua_rawgeti(L, list, i) != LUA_TNIL; i++) {
        rc = listen_to(L, self->sink, why, sizeof why);
        lua_settop(L, list);
    }
    if (rc)
        return fail(L, why);
    keep_endpoints(L, self->sink);
    rc = sink_start(self->sink);
    if (rc)
        return fail(L, troupe_strerror(rc));
    lua_pushvalue(L, 2);
    return 1;
}

static int endpoints(lua_State *L)
{
    check(L);
    lua_getiuservalue(L, 1, 1);
    return 1;
}

static int reopen(lua_State *L)
{
    sink_reopen(check_open(L)->sink);
    return 0;
}

static int counts(lua_State *L)
{
    struct handle *self = check(L);
    if (self->sink)
        sink_count(self->sink, &self->counts);
    lua_pushinteger(L, (lua_Integer)self->counts.frames);
    lua_pushinteger(L, (lua_Integer)self->counts.records);
    lua_pushinteger(L, (lua_Integer)self->counts.filtered);
    lua_pushinteger(L, (lua_Integer)self->counts.lost);
    return 4;
}

static int stop(lua_State *L)
{
    sink_stop(check_open(L)->sink);
    return 0;
}

static int ended(lua_State *L)
{
    struct handle *self = check_open(L);
    if (self->ended < 0) {
        self->ended = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        sink_tell_end(self->sink, self->ended);
    }
    if (self->ended < 0)
        lua_pushnil(L);
    else
        lua_pushinteger(L, self->ended);
    return 1;
}

static int finish(lua_State *L)
{
    struct handle *self = check(L);
    sink_end(&self->sink, &self->counts);
    if (self->ended >= 0)
        close(self->ended);
    self->ended = -1;
    return 0;
}

static int is_open(lua_State *L)
{
    lua_pushboolean(L, check(L)->sink != NULL);
    return 1;
}

static int describe(lua_State *L)
{
    struct handle *self = check(L);
    lua_pushfstring(L, "%s (%s)", class_name, self->sink ? "open" : "closed");
    return 1;
}

int lua_sink_open(lua_State *L)
{
    static const luaL_Reg methods[] = { { "endpoints", endpoints }, { "reopen", reopen }, { "counts", counts }, { "ended", ended }, { "stop", stop },
                                        { "finish", finish }, { "is_open", is_open }, { "__gc", finish }, { "__close", finish },
                                        { "__tostring", describe }, { NULL, NULL } };
    luaL_newmetatable(L, class_name);
    luaL_setfuncs(L, methods, 0);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushcfunction(L, open);
    lua_setfield(L, -2, "open");
    return 1;
}
