/* child.c - an llthreads child.
 *
 *     planned -> started  [child_start]       on a thread, with a vm of its own
 *     started -> ended    [run]               vm closed, outcome there, then thread.c lets the joiner go
 *     planned, started, ended -> gone         with the last of its two holders: who made it, and its thread
 *
 *  1. the maker never touches the child's state: code, arguments and outcome cross as bytes;
 *  2. plan is read and outcome written by the child's thread only, until child_join has returned 0;
 *  3. `vm` is set under the lock exactly while the code may be interrupted: from its first instruction to the
 *     end of what it left to do, never while the vm is opened or closed;
 *  4. the vm is closed before anyone is told: files it left open are complete when join returns.
 */
#include "child.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "child_results.h"
#include "log.h"
#include "thread.h"
#include "troupe.h"
#include "value.h"

struct child {
    struct child_plan plan;
    struct thread *thread; /* the maker's; NULL before the start and after the join */
    bool keep;
    bool joined;
    atomic_int holders;
    pthread_mutex_t lock; /* over the two below */
    struct vm *vm;
    enum vm_interrupt request; /* asked before there was a vm */
    bool failed;
    struct buffer outcome; /* encoded results, or the text of the error */
};

static const char logger_key, failure_head[] = "Error from thread: ";

void child_plan_release(struct child_plan *plan)
{
    buffer_release(&plan->code);
    buffer_release(&plan->arguments);
    buffer_release(&plan->path);
    buffer_release(&plan->cpath);
}

int child_new(struct child **out, struct child_plan *plan)
{
    struct child *self = calloc(1, sizeof *self);
    *out = self;
    if (!self)
        return TROUPE_ENOMEM;
    self->plan = *plan;
    memset(plan, 0, sizeof *plan);
    atomic_init(&self->holders, 1);
    pthread_mutex_init(&self->lock, NULL);
    buffer_init(&self->outcome);
    return 0;
}

static void let_go(struct child *self)
{
    if (atomic_fetch_sub_explicit(&self->holders, 1, memory_order_acq_rel) > 1)
        return;
    child_plan_release(&self->plan);
    buffer_release(&self->outcome);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

void child_release(struct child **child)
{
    struct child *self = *child;
    *child = NULL;
    if (!self)
        return;
    if (self->thread)
        thread_detach(&self->thread);
    let_go(self);
}

void child_set_name(struct child *self, const char *name)
{
    snprintf(self->plan.name, sizeof self->plan.name, "%s", name);
}

/* Makes the vm open to interrupts, the one asked for before included; or closes it to them. */
static void expose(struct child *self, struct vm *vm)
{
    pthread_mutex_lock(&self->lock);
    self->vm = vm;
    if (vm && self->request)
        vm_interrupt(vm, self->request, 0);
    pthread_mutex_unlock(&self->lock);
}

/* The outcome is an error with this text; without memory for it the text is empty. */
static void fail(struct child *self, const char *text, size_t size)
{
    self->failed = true;
    self->outcome.size = 0;
    buffer_append(&self->outcome, text, size);
}

/* Lua: (child as pointer) -> its function and the arguments. */
static int prepare(lua_State *L)
{
    struct child *self = lua_touserdata(L, 1);
    static const struct value_mode mode;
    const struct buffer *code = &self->plan.code, *arguments = &self->plan.arguments;
    int count;
    lua_settop(L, 0);
    if (luaL_loadbufferx(L, (const char *)code->data, code->size, "=?", "b") != LUA_OK)
        return lua_error(L);
    if (value_decode(L, arguments->data, arguments->size, &mode, &count))
        return lua_error(L);
    buffer_release(&self->plan.code);
    buffer_release(&self->plan.arguments);
    return lua_gettop(L);
}

/* Runs prepare: 0, or a status of Lua's with the error value on the stack. */
static int load(struct child *self, lua_State *L)
{
    lua_pushcfunction(L, prepare);
    lua_pushlightuserdata(L, self);
    return lua_pcall(L, 1, LUA_MULTRET, 0);
}

/* Lua: (text) hands it to the vm's logger; raises when there is none. */
static int call_logger(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &logger_key);
    lua_insert(L, 1);
    lua_pushstring(L, failure_head);
    lua_insert(L, 2);
    lua_concat(L, 2);
    lua_call(L, 1, 0);
    return 0;
}

/* As the original writes it to standard error, in one piece; but where the log goes elsewhere, it goes there. */
static void write_failure(const char *text)
{
    if (log_is_plain()) {
        fprintf(stderr, "%s%s\n", failure_head, text);
        fflush(stderr);
        return;
    }
    struct buffer line;
    buffer_init(&line);
    struct record r = { .level = RECORD_ERROR, .time_us = log_now_us() };
    if (buffer_append(&line, failure_head, sizeof failure_head - 1) == 0 && buffer_append(&line, text, strlen(text)) == 0) {
        r.message = (struct unpack_text){ (const char *)line.data, line.size };
        log_put(&r);
    }
    buffer_release(&line);
}

/* The error text on top of the stack goes to the logger, or where that fails to stderr. */
static void report(struct vm *vm)
{
    lua_State *L = vm_state(vm);
    const char *text = lua_tostring(L, -1);
    lua_pushcfunction(L, call_logger);
    lua_pushvalue(L, -2);
    if (vm_call(vm, 1, 0) != LUA_OK) {
        write_failure(text);
        lua_pop(L, 1);
    }
}

/* The error text on top of the stack is the outcome. */
static void take_error(struct child *self, struct vm *vm)
{
    size_t size;
    lua_State *L = vm_state(vm);
    const char *text = lua_tolstring(L, -1, &size);
    if (!text) { /* no handler turned it into text: Lua's own for lack of memory did not run */
        lua_pushliteral(L, "(no error message)");
        text = lua_tolstring(L, -1, &size);
    }
    fail(self, text, size);
    vm_interrupt(vm, VM_INTERRUPT_OFF, 0); /* it has done its work; the logger may speak */
    report(vm);
}

static void take_results(struct child *self, lua_State *L)
{
    if (self->keep && child_results_encode(L, &self->outcome))
        fail(self, lua_tostring(L, -1), lua_rawlen(L, -1));
}

static void execute(struct child *self, struct vm *vm)
{
    lua_State *L = vm_state(vm);
    int status = load(self, L);
    expose(self, vm);
    if (status == LUA_OK)
        status = vm_call(vm, lua_gettop(L) - 1, LUA_MULTRET);
    if (status != LUA_OK)
        take_error(self, vm);
    else
        take_results(self, L);
    expose(self, NULL);
}

static void run(void *arg)
{
    struct child *self = arg;
    struct child_plan *plan = &self->plan;
    struct vm_options options = { .open = plan->open,
                                  .path = (const char *)plan->path.data,
                                  .cpath = (const char *)plan->cpath.data };
    struct vm *vm;
    int rc = vm_new(&vm, &options);
    if (rc) {
        const char *text = troupe_strerror(rc);
        fail(self, text, strlen(text));
        write_failure(text);
    } else {
        execute(self, vm);
        vm_destroy(&vm);
    }
    let_go(self);
}

int child_start(struct child *self, bool keep)
{
    thread_set_idle_work(vm_prepare);
    self->keep = keep;
    atomic_store(&self->holders, 2);
    int rc = thread_start(&self->thread, self->plan.name, run, self);
    if (rc)
        atomic_store(&self->holders, 1);
    log_say_misnomer();
    return rc;
}

int child_join(struct child *self, double timeout)
{
    if (self->joined)
        return 0;
    int rc = thread_join(&self->thread, timeout);
    self->joined = rc == 0;
    return rc;
}

void child_tell_end(struct child *self, int eventfd)
{
    if (self->thread)
        thread_tell_end(self->thread, eventfd);
}

bool child_ended(struct child *self)
{
    return self->joined || (self->thread && thread_ended(self->thread));
}

void child_interrupt(struct child *self, enum vm_interrupt how)
{
    pthread_mutex_lock(&self->lock);
    self->request = how;
    if (self->vm)
        vm_interrupt(self->vm, how, 0);
    pthread_mutex_unlock(&self->lock);
}

bool child_outcome(struct child *self, const struct buffer **out)
{
    *out = &self->outcome;
    return self->failed;
}

void child_set_logger(lua_State *L)
{
    lua_rawsetp(L, LUA_REGISTRYINDEX, &logger_key);
}
