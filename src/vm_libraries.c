/* vm_libraries.c - the standard functions that a vm has of its own.
 *
 * coroutine.resume, wrap and close publish which coroutine runs (vm_state.h); os.exit ends the program once,
 * however many threads call it; os.execute and io.popen do not hand down our threads' signal mask, in which
 * the process could not be ended by Ctrl-C or kill. All are otherwise Lua 5.4's, to the letter of their
 * errors.
 *
 * As C functions they may be called in a state that is no vm's, by one who was handed their pointer: then
 * they track tasks only, where there are any.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lualib.h>

#include "thread.h"
#include "vm_state.h"
#include "vm_task.h"

/* The scheduler of the running function's state. In a host's state an upvalue tells where it is, unless the function came
 * there as a pointer. */
static struct vm_tasks *tasks_of(lua_State *L, struct vm *vm, int upvalue)
{
    if (vm)
        return vm->tasks;
    struct vm_tasks *const *place = lua_touserdata(L, lua_upvalueindex(upvalue));
    return place ? *place : vm_tasks_of(L);
}

/* Moves `count` values to co and runs it on. The number of results, on L; -1, with the error value on L; or
 * VM_TASK_PASS: a task parks in there, its resume passes. */
static int resume(lua_State *L, lua_State *co, int count, int upvalue)
{
    struct vm *vm = vm_of(L);
    struct vm_tasks *tasks = tasks_of(L, vm, upvalue);
    int results;
    if (!lua_checkstack(co, count)) {
        lua_pushliteral(L, "too many arguments to resume");
        return -1;
    }
    lua_xmove(L, co, count);
    int status = tasks ? vm_task_resume_inner(tasks, L, co, count, &results)
                       : vm_resume(vm, co, L, count, &results);
    if (status == VM_TASK_PASS)
        return status;
    if (status != LUA_OK && status != LUA_YIELD) {
        lua_xmove(co, L, 1);
        return -1;
    }
    if (!lua_checkstack(L, results + 1)) {
        lua_pop(co, results);
        lua_pushliteral(L, "too many results to resume");
        return -1;
    }
    lua_xmove(co, L, results);
    return results;
}

static lua_State *check_coroutine(lua_State *L)
{
    lua_State *co = lua_tothread(L, 1);
    luaL_argexpected(L, co, 1, "thread");
    return co;
}

static int coroutine_resume(lua_State *L);

static int resume_on(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    return coroutine_resume(L);
}

static int coroutine_resume(lua_State *L)
{
    lua_State *co = check_coroutine(L);
    int results = resume(L, co, lua_gettop(L) - 1, 1);
    if (results == VM_TASK_PASS)
        return lua_yieldk(L, 0, 0, resume_on);
    int values = results < 0 ? 1 : results;
    lua_pushboolean(L, results >= 0);
    lua_insert(L, -(values + 1));
    return values + 1;
}

/* Raises the error value on top, as wrap does: strings with the place of the call in front. */
static int raise_wrapped(lua_State *L, lua_State *co)
{
    int status = lua_status(co);
    if (status != LUA_OK && status != LUA_YIELD) {
        status = vm_reset(vm_of(L), co); /* its to-be-closed variables may change the error */
        lua_xmove(co, L, 1);
    }
    if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
        luaL_where(L, 1);
        lua_insert(L, -2);
        lua_concat(L, 2);
    }
    return lua_error(L);
}

static int run_wrapped(lua_State *L);

static int run_wrapped_on(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    return run_wrapped(L);
}

static int run_wrapped(lua_State *L)
{
    lua_State *co = lua_tothread(L, lua_upvalueindex(1));
    int results = resume(L, co, lua_gettop(L), 2);
    if (results == VM_TASK_PASS)
        return lua_yieldk(L, 0, 0, run_wrapped_on);
    return results < 0 ? raise_wrapped(L, co) : results;
}

static int coroutine_wrap(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_State *co = lua_newthread(L);
    lua_pushvalue(L, 1);
    lua_xmove(L, co, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushcclosure(L, run_wrapped, 2);
    return 1;
}

/* Why co cannot be closed; NULL when it can. */
static const char *busy(lua_State *L, lua_State *co)
{
    lua_Debug frame;
    if (co == L)
        return "running";
    if (lua_status(co) == LUA_OK && lua_getstack(co, 0, &frame))
        return "normal";
    return NULL;
}

static int coroutine_close(lua_State *L)
{
    lua_State *co = check_coroutine(L);
    const char *state = busy(L, co);
    if (state)
        return luaL_error(L, "cannot close a %s coroutine", state);
    if (vm_reset(vm_of(L), co) == LUA_OK) {
        lua_pushboolean(L, 1);
        return 1;
    }
    lua_pushboolean(L, 0);
    lua_xmove(co, L, 1);
    return 2;
}

static atomic_flag exiting = ATOMIC_FLAG_INIT;

/* At exit, whoever began it: from here on os.exit in other threads only waits. */
static void mark_exit(void)
{
    atomic_flag_test_and_set(&exiting);
}

/* The first caller passes; the others wait for the end, which is near. */
static void exit_once(int status)
{
    while (atomic_flag_test_and_set(&exiting))
        pause();
    exit(status);
}

static void watch_exit(void)
{
    atexit(mark_exit);
}

static int os_exit(lua_State *L)
{
    int status;
    if (lua_isboolean(L, 1))
        status = lua_toboolean(L, 1) ? EXIT_SUCCESS : EXIT_FAILURE;
    else
        status = (int)luaL_optinteger(L, 1, EXIT_SUCCESS);
    if (lua_toboolean(L, 2)) {
        struct vm *self = vm_of(L);
        if (self) {
            vm_interrupt_release(self);
            atomic_store(&self->running, NULL);
        }
        lua_close(L);
    }
    exit_once(status);
    return 0;
}

/* Calls the original, which is the running closure's upvalue, with the arguments. */
static int call_original(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    thread_lift_mask();
    int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
    thread_restore_mask();
    return status == LUA_OK ? lua_gettop(L) : lua_error(L);
}

static int os_execute(lua_State *L)
{
    luaL_optstring(L, 1, NULL); /* here, so that the message names this function */
    return call_original(L);
}

static int io_popen(lua_State *L)
{
    luaL_checkstring(L, 1);
    const char *mode = luaL_optstring(L, 2, "r");
    luaL_argcheck(L, (mode[0] == 'r' || mode[0] == 'w') && !mode[1], 2, "invalid mode");
    return call_original(L);
}

/* library[name] = function, with what was there as its upvalue. */
static void wrap(lua_State *L, const char *library, const char *name, lua_CFunction function)
{
    lua_getglobal(L, library);
    lua_getfield(L, -1, name);
    lua_pushcclosure(L, function, 1);
    lua_setfield(L, -2, name);
    lua_pop(L, 1);
}

static void replace(lua_State *L, const char *library, const luaL_Reg *functions)
{
    lua_getglobal(L, library);
    luaL_setfuncs(L, functions, 0);
    lua_pop(L, 1);
}

void vm_track_coroutines(lua_State *L)
{
    static const luaL_Reg coroutine[] = {
        { "close", coroutine_close },
        { "resume", coroutine_resume },
        { "wrap", coroutine_wrap },
        { NULL, NULL },
    };
    lua_getglobal(L, LUA_COLIBNAME);
    lua_insert(L, -2);
    luaL_setfuncs(L, coroutine, 1);
    lua_pop(L, 1);
}

void vm_track_libraries(lua_State *L)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    static const luaL_Reg os[] = { { "exit", os_exit }, { NULL, NULL } };
    pthread_once(&once, watch_exit);
    lua_pushnil(L);
    vm_track_coroutines(L);
    replace(L, LUA_OSLIBNAME, os);
    wrap(L, LUA_OSLIBNAME, "execute", os_execute);
    wrap(L, LUA_IOLIBNAME, "popen", io_popen);
}
