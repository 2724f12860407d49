/* vm.c - one Lua state: opened, called, closed; and a few opened ahead of time.
 *
 *     closed -> spare   [vm_prepare]     libraries open, no options yet
 *     closed -> opened  [vm_new]         spare -> opened  [vm_new]
 *     opened -> closed  [vm_destroy]
 *
 *  1. a spare differs in nothing from a state opened on the spot: what depends on the moment (Lua's own
 *     search paths, read from the environment) is taken only from a fresh one;
 *  2. there are never more spares than SPARES_MAX, none before a vm_new found it would have liked one, and none
 *     once the program has begun to exit;
 *  3. code runs only under a pcall; the state has no code of its own running while it is opened or closed.
 */
#include "vm.h"

#include <stdio.h>
#include <stdlib.h>

#include <lauxlib.h>
#include <lualib.h>

#include "troupe.h"
#include "vm_state.h"

enum { SPARES_MAX = 3 };

static pthread_mutex_t spares_lock = PTHREAD_MUTEX_INITIALIZER; /* over the four below */
static struct vm *spares[SPARES_MAX];
static int spares_count;
static int spares_wanted;
static bool spares_closed;

static int on_panic(lua_State *L)
{
    const char *message = lua_tostring(L, -1);
    fprintf(stderr, "PANIC: unprotected error in call to Lua API (%s)\n", message ? message : "no message");
    fflush(stderr);
    return 0;
}

static int open_libraries(lua_State *L)
{
    lua_gc(L, LUA_GCSTOP); /* all of it will live */
    luaL_openlibs(L);
    vm_track_libraries(L);
    lua_gc(L, LUA_GCRESTART);
    return 0;
}

static struct vm *vm_open(size_t limit)
{
    struct vm *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    vm_memory_init(&self->memory, limit);
    vm_interrupt_init(self);
    self->L = lua_newstate(vm_memory_resize, &self->memory);
    if (!self->L) {
        vm_destroy(&self);
        return NULL;
    }
    lua_atpanic(self->L, on_panic);
    lua_setwarnf(self->L, vm_warn, self);
    lua_pushcfunction(self->L, open_libraries);
    if (lua_pcall(self->L, 0, 0, 0) != LUA_OK)
        vm_destroy(&self);
    return self;
}

static struct vm *spare_take(void)
{
    struct vm *self = NULL;
    pthread_mutex_lock(&spares_lock);
    if (spares_count > 0)
        self = spares[--spares_count];
    else if (spares_wanted < SPARES_MAX)
        spares_wanted++;
    pthread_mutex_unlock(&spares_lock);
    return self;
}

static bool spare_missing(void)
{
    pthread_mutex_lock(&spares_lock);
    bool missing = !spares_closed && spares_count < spares_wanted;
    pthread_mutex_unlock(&spares_lock);
    return missing;
}

/* At exit: there will be no more, and those there are go. */
static void close_spares(void)
{
    pthread_mutex_lock(&spares_lock);
    int count = spares_count;
    spares_count = 0;
    spares_closed = true;
    pthread_mutex_unlock(&spares_lock);
    while (count > 0)
        vm_destroy(&spares[--count]);
}

static void watch_exit(void)
{
    atexit(close_spares);
}

void vm_prepare(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct vm *self = spare_missing() ? vm_open(0) : NULL;
    if (!self)
        return;
    pthread_once(&once, watch_exit);
    pthread_mutex_lock(&spares_lock);
    if (!spares_closed && spares_count < spares_wanted) {
        spares[spares_count++] = self;
        self = NULL;
    }
    pthread_mutex_unlock(&spares_lock);
    vm_destroy(&self);
}

/* Lua: (options as pointer) sets the search paths and lets the floor above open what it has. */
static int furnish(lua_State *L)
{
    const struct vm_options *options = lua_touserdata(L, 1);
    lua_settop(L, 0);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_getfield(L, 1, LUA_LOADLIBNAME);
    if (options->path) {
        lua_pushstring(L, options->path);
        lua_setfield(L, 2, "path");
    }
    if (options->cpath) {
        lua_pushstring(L, options->cpath);
        lua_setfield(L, 2, "cpath");
    }
    lua_settop(L, 0);
    if (options->preload_bytes)
        vm_preload(L, options->preload, options->preload_bytes);
    if (options->libs)
        vm_close_libraries(L, options->libs);
    lua_settop(L, 0);
    return options->open ? options->open(L) : 0;
}

int vm_new(struct vm **out, const struct vm_options *options)
{
    struct vm *self = options->path && options->cpath ? spare_take() : NULL;
    *out = NULL;
    if (!self)
        self = vm_open(options->memory_limit);
    if (!self)
        return TROUPE_ENOMEM;
    self->memory.limit = options->memory_limit;
    lua_pushcfunction(self->L, furnish);
    lua_pushlightuserdata(self->L, (void *)options);
    int status = lua_pcall(self->L, 1, 0, 0);
    bool fits = !self->memory.limit || self->memory.used <= self->memory.limit;
    if (status != LUA_OK || !fits) {
        vm_destroy(&self);
        return status == LUA_ERRMEM || !fits ? TROUPE_ENOMEM : TROUPE_EINVAL;
    }
    *out = self;
    return 0;
}

void vm_destroy(struct vm **vm)
{
    struct vm *self = *vm;
    if (!self)
        return;
    *vm = NULL;
    vm_interrupt_release(self);
    if (self->L)
        lua_close(self->L);
    vm_memory_release(&self->memory);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

lua_State *vm_state(struct vm *self)
{
    return self->L;
}

struct vm *vm_of(lua_State *L)
{
    void *memory;
    if (lua_getallocf(L, &memory) != vm_memory_resize)
        return NULL;
    return (struct vm *)((char *)memory - offsetof(struct vm, memory));
}

size_t vm_memory(const struct vm *self)
{
    return self->memory.used;
}

/* Message handler: text, with where it was raised. Zero bytes in it survive. */
static int add_traceback(lua_State *L)
{
    lua_settop(L, 1);
    if (!lua_tostring(L, 1)) {
        if (luaL_callmeta(L, 1, "__tostring") && lua_type(L, -1) == LUA_TSTRING)
            return 1;
        lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
        lua_replace(L, 1);
        lua_settop(L, 1);
    }
    lua_pushliteral(L, "\n");
    luaL_traceback(L, L, NULL, 1);
    lua_concat(L, 3);
    return 1;
}

int vm_call(struct vm *self, int nargs, int nresults)
{
    lua_State *L = self->L;
    int base = lua_gettop(L) - nargs;
    if (!lua_checkstack(L, 1)) {
        lua_settop(L, base - 1);
        lua_pushliteral(L, "stack overflow");
        return LUA_ERRRUN;
    }
    lua_pushcfunction(L, add_traceback);
    lua_insert(L, base);
    struct vm_track track = vm_enter(self, L);
    int status = lua_pcall(L, nargs, nresults, base);
    vm_leave(self, track);
    lua_remove(L, base);
    return status;
}

struct protected {
    int (*f)(lua_State *L, void *context);
    void *context;
    int status;
};

/* Lua: (protected as pointer) */
static int call_protected(lua_State *L)
{
    struct protected *p = lua_touserdata(L, 1);
    p->status = p->f(L, p->context);
    return 0;
}

int vm_protect(struct vm *self, int (*f)(lua_State *L, void *context), void *context)
{
    struct protected p = { f, context, TROUPE_ENOMEM };
    lua_pushcfunction(self->L, call_protected);
    lua_pushlightuserdata(self->L, &p);
    if (lua_pcall(self->L, 1, 0, 0) == LUA_OK)
        return p.status;
    lua_pop(self->L, 1);
    return TROUPE_ENOMEM;
}

int vm_resume(struct vm *self, lua_State *co, lua_State *from, int nargs, int *nresults)
{
    if (!self)
        return lua_resume(co, from, nargs, nresults);
    struct vm_track track = vm_enter(self, co);
    int status = lua_resume(co, from, nargs, nresults);
    vm_leave(self, track);
    return status;
}

int vm_reset(struct vm *self, lua_State *co)
{
    if (!self)
        return lua_resetthread(co);
    struct vm_track track = vm_enter(self, co);
    int status = lua_resetthread(co);
    vm_leave(self, track);
    return status;
}
