/* lua_log_to.c - the log's destination, and the function that gets its records.
 *
 *     to(options)            kind: "stderr", "file" or "endpoint"; place, json, rotate, keep, publish, bind, queue,
 *                            public_key, secret_key, server_key. true; nil, message
 *     to_function(f, queue)  an eventfd that is readable when drain() has something to do
 *     drain()                calls the function with what has come
 *
 * The function's vm has a receiver, a userdata in its registry with the function as user value. When it is collected, with
 * its state, what has come is handed to the function, and what comes goes to standard error.
 */
#include "lua_log_to.h"

#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <lauxlib.h>

#include "log.h"
#include "lua_fields.h"
#include "lua_log_fields.h"
#include "troupe.h"

struct receiver {
    int bell;
    bool draining;
    struct buffer taken;
};

static const char receiver_key;

static void set_text(lua_State *L, const char *name, const struct unpack_text *text)
{
    if (!text->size)
        return;
    lua_pushlstring(L, text->bytes, text->size);
    lua_setfield(L, -2, name);
}

static void set_id(lua_State *L, const char *name, uint64_t id)
{
    if (!id)
        return;
    lua_pushinteger(L, (lua_Integer)id);
    lua_setfield(L, -2, name);
}

static void push_record(lua_State *L, const struct record *r)
{
    char name[LOG_PROCESS_BYTES];
    struct unpack_text process = log_process_of(r, name);
    lua_createtable(L, 0, 9);
    lua_pushstring(L, record_level_name(r->level));
    lua_setfield(L, -2, "level");
    lua_pushnumber(L, (lua_Number)r->time_us * 1e-6);
    lua_setfield(L, -2, "time");
    lua_pushlstring(L, process.bytes, process.size);
    lua_setfield(L, -2, "process");
    set_id(L, "vm", r->vm);
    set_id(L, "job", r->job);
    set_id(L, "actor", r->actor);
    set_id(L, "task", r->task);
    set_text(L, "source", &r->source);
    lua_pushlstring(L, r->message.bytes, r->message.size);
    lua_setfield(L, -2, "message");
    if (r->fields.size) {
        struct unpack bytes = { (const unsigned char *)r->fields.bytes, (const unsigned char *)r->fields.bytes + r->fields.size };
        lua_log_push(L, &bytes);
        lua_setfield(L, -2, "fields");
    }
}

/* Lua: (function, record as pointer) */
static int call_with_record(lua_State *L)
{
    const struct record *r = lua_touserdata(L, 2);
    lua_settop(L, 1);
    push_record(L, r);
    lua_call(L, 1, 0);
    return 0;
}

/* What the function could not take is said where it always can be. */
static void hand_over(lua_State *L, const struct record *r)
{
    lua_pushcfunction(L, call_with_record);
    lua_pushvalue(L, -2);
    lua_pushlightuserdata(L, (void *)r);
    if (lua_pcall(L, 2, 0, 0) == LUA_OK)
        return;
    struct record failure = { .level = RECORD_ERROR, .time_us = log_now_us() };
    const char *text = lua_tostring(L, -1);
    lua_pushfstring(L, "the log's function failed: %s", text ? text : luaL_typename(L, -1));
    failure.message.bytes = lua_tolstring(L, -1, &failure.message.size);
    log_stderr(r);
    log_stderr(&failure);
    lua_pop(L, 2);
}

static void tell_dropped(lua_State *L, uint64_t dropped)
{
    struct record r = { .level = RECORD_WARNING, .time_us = log_now_us() };
    lua_pushfstring(L, "%I records were dropped: the log's queue was full", (LUAI_UACINT)dropped);
    r.message.bytes = lua_tolstring(L, -1, &r.message.size);
    lua_insert(L, -2);
    hand_over(L, &r);
    lua_remove(L, -2);
}

static void drain(lua_State *L, struct receiver *self)
{
    struct record r;
    uint64_t dropped;
    size_t at = 0;
    eventfd_t rings;
    self->draining = true;
    eventfd_read(self->bell, &rings);
    if (log_take(self->bell, &self->taken, &dropped)) {
        while (log_next(&self->taken, &at, &r))
            hand_over(L, &r);
        if (dropped)
            tell_dropped(L, dropped);
    }
    self->draining = false;
}

/* The receiver, its function pushed; NULL, and nothing pushed, when there is none or it is busy. */
static struct receiver *push_function(lua_State *L)
{
    struct receiver *self = NULL;
    luaL_checkstack(L, 8, NULL);
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &receiver_key) == LUA_TUSERDATA)
        self = lua_touserdata(L, -1);
    if (!self || self->bell < 0 || self->draining) {
        lua_pop(L, 1);
        return NULL;
    }
    lua_getiuservalue(L, -1, 1);
    lua_remove(L, -2);
    return self;
}

void lua_log_drain(lua_State *L)
{
    struct receiver *self = push_function(L);
    if (!self)
        return;
    drain(L, self);
    lua_pop(L, 1);
}

static int drain_now(lua_State *L)
{
    lua_log_drain(L);
    return 0;
}

static int release(lua_State *L)
{
    struct receiver *self = lua_touserdata(L, 1);
    if (self->bell < 0)
        return 0;
    if (!self->draining && lua_getiuservalue(L, 1, 1) == LUA_TFUNCTION)
        drain(L, self);
    log_function_gone(self->bell);
    close(self->bell);
    self->bell = -1;
    buffer_release(&self->taken);
    return 0;
}

static struct receiver *push_receiver(lua_State *L)
{
    struct receiver *self = lua_newuserdatauv(L, sizeof *self, 1);
    *self = (struct receiver){ .bell = -1 };
    buffer_init(&self->taken);
    if (luaL_newmetatable(L, "troupe.log.receiver")) {
        lua_pushcfunction(L, release);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &receiver_key);
    return self;
}

static int finish(lua_State *L, int rc, const char *why)
{
    if (rc) {
        lua_pushnil(L);
        lua_pushstring(L, why);
        return 2;
    }
    lua_pushboolean(L, 1);
    return 1;
}

/* (function, queue) -> eventfd; nil, message */
static int to_function(lua_State *L)
{
    char why[200];
    luaL_checktype(L, 1, LUA_TFUNCTION);
    struct log_destination d = { .kind = LOG_FUNCTION, .queue_bytes = (size_t)luaL_optinteger(L, 2, 0) };
    struct receiver *self = NULL;
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &receiver_key) == LUA_TUSERDATA)
        self = lua_touserdata(L, -1);
    else
        self = push_receiver(L);
    if (self->bell < 0)
        self->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (self->bell < 0)
        return finish(L, TROUPE_ELIMIT, troupe_strerror(TROUPE_ELIMIT));
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    d.bell = self->bell;
    int rc = log_to(&d, why, sizeof why);
    if (rc)
        return finish(L, rc, why);
    lua_pushinteger(L, self->bell);
    return 1;
}

static int to(lua_State *L)
{
    static const char *const kinds[] = { "stderr", "file", "endpoint", NULL };
    char why[1024] = "";
    struct log_destination d = { .bell = -1 };
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_getfield(L, 1, "kind");
    d.kind = (enum log_kind)luaL_checkoption(L, -1, NULL, kinds);
    d.place = lua_fields_text(L, 1, "place");
    luaL_argcheck(L, d.place || d.kind == LOG_STDERR, 1, "a place is missing");
    d.json = lua_fields_flag(L, 1, "json");
    d.rotate_bytes = (uint64_t)lua_fields_integer(L, 1, "rotate", 0);
    d.keep = (int)lua_fields_integer(L, 1, "keep", 0);
    d.publish = lua_fields_flag(L, 1, "publish");
    d.bind = lua_fields_flag(L, 1, "bind");
    d.public_key = lua_fields_text(L, 1, "public_key");
    d.secret_key = lua_fields_text(L, 1, "secret_key");
    d.server_key = lua_fields_text(L, 1, "server_key");
    d.queue_bytes = (size_t)lua_fields_integer(L, 1, "queue", 0);
    lua_log_drain(L); /* what was said before goes where it went before */
    return finish(L, log_to(&d, why, sizeof why), why);
}

void lua_log_to_open(lua_State *L)
{
    static const luaL_Reg functions[] = { { "to", to }, { "to_function", to_function }, { "drain", drain_now }, { NULL, NULL } };
    luaL_setfuncs(L, functions, 0);
}
