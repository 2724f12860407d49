/* vm_extra.c - functions that travel with a job.
 *
 * The body of its letter: an integer that says which there are; cleanup; on_done; the job's name; then the call, as in any letter.
 *
 * Cleanup is a task of its own, under a target of its own: what breaks into the job does not break into what it has to
 * put in order. It runs here when nothing that the node may yet decide can make the job run again, and when the node has
 * not given the run up meanwhile (claims.h); otherwise the node sends a run of cleanup alone, once the job has ended.
 *
 * Invariants:
 *  1. the cleanup of a run is in the registry under the run's address exactly while run->has_cleanup;
 *  2. a run has one task at a time: its call's, then its cleanup's.
 */
#include "vm_extra.h"

#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "log.h"
#include "order.h"
#include "record.h"
#include "vm_code.h"
#include "vm_task.h"

static int returned(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    return lua_gettop(L);
}

static void keep_cleanup(lua_State *L, struct vm_run *run)
{
    vm_code_resolve(L, 1);
    lua_pushvalue(L, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, run);
    run->has_cleanup = true;
    lua_remove(L, 1);
}

/* Without memory for it, the job has no name. */
static void keep_name(lua_State *L, int index, struct vm_run *run)
{
    const char *name = lua_tostring(L, index);
    run->name = name ? strdup(name) : NULL;
    lua_remove(L, index);
}

/* Calls the kept cleanup with the word. */
static int call_cleanup(lua_State *L, struct vm_run *run, const char *word)
{
    lua_settop(L, 0);
    lua_rawgetp(L, LUA_REGISTRYINDEX, run);
    vm_extra_drop(run);
    lua_pushstring(L, word);
    lua_callk(L, 1, 0, 0, returned);
    return 0;
}

/* on_done, then the results of the call. */
static int pass_on(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    lua_callk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, returned);
    return lua_gettop(L);
}

int vm_extra_body(lua_State *L)
{
    struct vm_run *run = lua_touserdata(L, 1);
    const struct header *h = message_header(run->letter);
    int function = 1;
    lua_settop(L, 0);
    vm_job_push_arguments(L, run->letter);
    lua_Integer which = lua_tointeger(L, 1);
    lua_remove(L, 1);
    if (which & EXTRA_CLEANUP)
        keep_cleanup(L, run);
    if (h->flags & FLAG_CLEANUP)
        return vm_run_claim(run) ? call_cleanup(L, run, vm_run_word(run)) : 0;
    if (which & EXTRA_ON_DONE)
        vm_code_resolve(L, function++);
    if (which & EXTRA_NAME)
        keep_name(L, function, run);
    if (h->flags & FLAG_CODE) {
        vm_code_push(L, h->code);
        lua_insert(L, function);
    }
    if (lua_gettop(L) < function)
        luaL_error(L, "a job without a function");
    vm_code_resolve(L, function);
    bool passes = function > 1;
    lua_callk(L, lua_gettop(L) - function, LUA_MULTRET, 0, passes ? pass_on : returned);
    return passes ? pass_on(L, LUA_OK, 0) : lua_gettop(L);
}

/* Lua: (run as pointer) */
static int cleanup_body(lua_State *L)
{
    struct vm_run *run = lua_touserdata(L, 1);
    return call_cleanup(L, run, run->word);
}

static int nothing(lua_State *L)
{
    (void)L;
    return 0;
}

void vm_extra_complain(const struct vm_run *run, int status, lua_State *co)
{
    const char *why = "killed";
    if (status != VM_TASK_KILLED)
        why = lua_type(co, -1) == LUA_TSTRING ? lua_tostring(co, -1) : "an error that is no string";
    log_say(RECORD_ERROR, "the cleanup of job %llu failed: %s", (unsigned long long)message_header(run->letter)->id, why);
}

static void cleaned(struct vm_task *task, int status, int count)
{
    struct vm_run *run = vm_task_owner(task);
    (void)count;
    if (status != LUA_OK && !run->refused)
        vm_extra_complain(run, status, vm_task_coroutine(task));
    run->done(run);
}

/* Can the job run again whatever this run has come to? */
static bool is_last(const struct vm_run *run, const char *word)
{
    uint64_t note = message_header(run->letter)->from;
    bool fine = word[0] == 'f' && word[1] == 'i'; /* finished */
    return run_last(note) == RUN_LAST || (run_last(note) == RUN_LAST_IF_FINE && fine);
}

bool vm_extra_clean(struct vm_run *run, const char *word, void (*done)(struct vm_run *run))
{
    struct vm_tasks *tasks = vm_task_scheduler(run->task);
    if (!run->has_cleanup || !is_last(run, word))
        return false;
    struct vm_task *task = vm_task_new(tasks, cleaned, run);
    if (!task)
        return false;
    run->word = word;
    run->done = done;
    run->cleaning = true;
    lua_State *co = vm_task_coroutine(task);
    uint64_t id = vm_task_id(task);
    run->task = task;
    vm_task_set_target(task, run_cleanup_target(message_header(run->letter)->id));
    run->refused = !vm_run_claim(run);
    lua_pushcfunction(co, run->refused ? nothing : cleanup_body);
    lua_pushlightuserdata(co, run);
    vm_task_start(task, 1);
    if (vm_task_find(tasks, id) == task)
        vm_run_parked(run);
    return true;
}

void vm_extra_drop(struct vm_run *run)
{
    lua_State *L = vm_tasks_state(vm_task_scheduler(run->task));
    if (!run->has_cleanup || !lua_checkstack(L, 1))
        return;
    run->has_cleanup = false;
    lua_pushnil(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, run);
}
