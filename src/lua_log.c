/* lua_log.c - records from Lua: what a vm says, at which level, with its place.
 *
 *     emerg(...) ... trace(...)   says something: (format, ...), (text) or (table)
 *     say(level, ...)             the same
 *     level([name])               this vm's level; sets it
 *     set_level_all(name)         every vm's
 *     count()                     said, dropped, waiting
 *     flush([seconds])            true; nil, "timeout"
 *     to, to_function             lua_log_to.c
 *
 * A vm has one speaker, a userdata in its registry. It is a client of the log until it is collected.
 */
#include "lua_log.h"

#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "log.h"
#include "lua_actor.h"
#include "lua_log_fields.h"
#include "lua_log_to.h"
#include "run_note.h"
#include "troupe.h"
#include "vm.h"
#include "vm_task.h"

struct speaker {
    int level;
    unsigned seen; /* of log_level_of_all, when level was last taken from there */
    uint64_t vm;
};

static const char speaker_key;

static int leave(lua_State *L)
{
    struct speaker *self = lua_touserdata(L, 1);
    if (self->vm)
        log_leave();
    self->vm = 0;
    return 0;
}

static struct speaker *speaker_of(lua_State *L)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &speaker_key) == LUA_TUSERDATA) {
        struct speaker *known = lua_touserdata(L, -1);
        lua_pop(L, 1);
        return known;
    }
    lua_pop(L, 1);
    struct speaker *self = lua_newuserdatauv(L, sizeof *self, 0);
    unsigned all = atomic_load(&log_level_of_all);
    *self = (struct speaker){ .level = (int)(all & 255), .seen = all };
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, leave);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &speaker_key);
    self->vm = log_enter();
    return self;
}

/* The level of the vm, unless all vms' was set since. */
static inline int level_of(struct speaker *self)
{
    unsigned all = atomic_load_explicit(&log_level_of_all, memory_order_relaxed);
    if (all != self->seen) {
        self->seen = all;
        self->level = (int)(all & 255);
    }
    return self->level;
}

static void put_place(lua_State *L, struct record *r, char *source, size_t size)
{
    lua_Debug ar;
    if (lua_getstack(L, 1, &ar) && lua_getinfo(L, "Sl", &ar) && ar.currentline > 0) {
        lua_Integer line = ar.currentline;
        size_t length = strlen(ar.short_src);
        char digits[24];
        int n = 0;
        for (; line > 0; line /= 10)
            digits[n++] = (char)('0' + line % 10);
        if (length + 1 + (size_t)n > size)
            return;
        memcpy(source, ar.short_src, length);
        source[length++] = ':';
        while (n > 0)
            source[length++] = digits[--n];
        r->source = (struct unpack_text){ source, length };
    }
}

/* Which job, actor or task speaks. */
static void put_speaker(lua_State *L, const struct speaker *self, struct record *r)
{
    struct vm *vm = vm_of(L);
    struct vm_tasks *tasks = vm_tasks_of(L);
    struct vm_task *task = tasks ? vm_task_running(tasks) : NULL;
    r->vm = self->vm;
    r->job = vm && !run_is_actor(vm_target(vm)) ? vm_target(vm) : 0;
    r->actor = task ? actor_of_task(task) : 0;
    r->task = task && !r->job && !r->actor ? vm_task_id(task) : 0;
}

/* The text of the arguments from `first` on, on top of the stack. */
static void format(lua_State *L, int first)
{
    int top = lua_gettop(L);
    if (top <= first) {
        luaL_tolstring(L, first, NULL);
        return;
    }
    lua_pushvalue(L, lua_upvalueindex(2)); /* string.format */
    lua_insert(L, first);
    lua_call(L, top - first + 1, 1);
}

static void put_record(lua_State *L, struct speaker *self, int level, int first)
{
    char source[LUA_IDSIZE + 24];
    struct record r = { .level = level };
    struct buffer *fields = NULL;
    bool alone = lua_gettop(L) == first;
    if (alone && lua_istable(L, first) && luaL_getmetafield(L, first, "__tostring") == LUA_TNIL) {
        fields = lua_log_fields(L, first);
    } else {
        lua_settop(L, alone ? first : lua_gettop(L));
        format(L, first);
    }
    r.message.bytes = lua_tolstring(L, -1, &r.message.size);
    if (fields)
        r.fields = (struct unpack_text){ (const char *)fields->data, fields->size };
    r.time_us = log_now_us();
    put_place(L, &r, source, sizeof source);
    put_speaker(L, self, &r);
    log_put(&r);
    lua_log_drain(L);
}

/* Upvalues: the speaker, string.format, the level. */
static int say_at(lua_State *L)
{
    struct speaker *self = lua_touserdata(L, lua_upvalueindex(1));
    int level = (int)lua_tointeger(L, lua_upvalueindex(3));
    if (level <= level_of(self)) {
        luaL_checkany(L, 1);
        put_record(L, self, level, 1);
    }
    return 0;
}

static int check_level(lua_State *L, int index)
{
    size_t size;
    const char *name = luaL_checklstring(L, index, &size);
    int level = record_level_of(name, size);
    if (level < 0)
        luaL_argerror(L, index, lua_pushfstring(L, "no level '%s' (known: off, emerg, alert, fatal, error, warning, notice, "
                                                   "info, debug, trace)", name));
    return level;
}

/* (level, ...); upvalues: the speaker, string.format */
static int say(lua_State *L)
{
    struct speaker *self = lua_touserdata(L, lua_upvalueindex(1));
    int level = check_level(L, 1);
    luaL_argcheck(L, level != RECORD_OFF, 1, "a record has a level");
    luaL_checkany(L, 2);
    if (level <= level_of(self))
        put_record(L, self, level, 2);
    return 0;
}

static int own_level(lua_State *L)
{
    struct speaker *self = speaker_of(L);
    int level = level_of(self);
    if (!lua_isnoneornil(L, 1))
        self->level = check_level(L, 1);
    lua_pushstring(L, record_level_name(level));
    return 1;
}

static int set_level_all(lua_State *L)
{
    log_set_level_of_all(check_level(L, 1));
    return 0;
}

static int count(lua_State *L)
{
    struct log_counts c;
    log_count(&c);
    lua_pushinteger(L, (lua_Integer)c.said);
    lua_pushinteger(L, (lua_Integer)c.dropped);
    lua_pushinteger(L, (lua_Integer)c.waiting);
    return 3;
}

/* ([seconds]) */
static int flush(lua_State *L)
{
    lua_Number seconds = luaL_optnumber(L, 1, -1);
    luaL_argcheck(L, lua_isnoneornil(L, 1) || seconds >= 0, 1, "a timeout is not negative");
    lua_log_drain(L);
    if (log_flush(seconds) == 0) {
        lua_pushboolean(L, 1);
        return 1;
    }
    lua_pushnil(L);
    lua_pushliteral(L, "timeout");
    return 2;
}

void lua_log_say(lua_State *L, int level)
{
    struct record r = { .level = level, .time_us = log_now_us() };
    struct speaker *self = speaker_of(L);
    if (level > level_of(self))
        return;
    r.message.bytes = lua_tolstring(L, -1, &r.message.size);
    put_speaker(L, self, &r);
    log_put(&r);
}

static void push_format(lua_State *L)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_getfield(L, -1, LUA_STRLIBNAME);
    lua_getfield(L, -1, "format");
    lua_replace(L, -3);
    lua_pop(L, 1);
}

int lua_log_open(lua_State *L)
{
    static const luaL_Reg functions[] = { { "level", own_level }, { "set_level_all", set_level_all }, { "count", count },
                                          { "flush", flush }, { NULL, NULL } };
    luaL_newlib(L, functions);
    speaker_of(L);
    for (int level = RECORD_EMERG; level <= RECORD_TRACE; level++) {
        lua_rawgetp(L, LUA_REGISTRYINDEX, &speaker_key);
        push_format(L);
        lua_pushinteger(L, level);
        lua_pushcclosure(L, say_at, 3);
        lua_setfield(L, -2, record_level_name(level));
    }
    lua_rawgetp(L, LUA_REGISTRYINDEX, &speaker_key);
    push_format(L);
    lua_pushcclosure(L, say, 2);
    lua_setfield(L, -2, "say");
    lua_log_to_open(L);
    return 1;
}
