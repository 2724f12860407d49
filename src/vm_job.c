/* vm_job.c - jobs in a vm.
 *
 *     letter --run--> running --returned or raised--> letter (outcome)
 *                     running --park--> parked --wake--> woken --resume--> running
 *
 * A job's coroutine starts in call_body or batch_body (vm_batch.c), which decode the letter inside the coroutine: bad
 * bytes and a lack of memory are then the job's own failure. A coroutine whose job returned serves the next one;
 * after an error it is closed, and a new one made when needed.
 *
 * Invariants:
 *  1. a vm_job is idle (it has a finished coroutine and no letter) or live (it has begun and owns its letter);
 *  2. its coroutine is anchored in the registry under the vm_job's address, for as long as the vm_job exists;
 *  3. `woken` lists parked jobs whose wait is over, each once; `parked` lists all parked ones;
 *  4. turning a letter into an outcome cannot fail: an error that has no room becomes one that has.
 */
#include "vm_job.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <stdlib.h>

#include "troupe.h"
#include "value.h"
#include "vm_batch.h"
#include "vm_code.h"

struct vm_job {
    struct vm_jobs *jobs;
    struct message *letter;
    lua_State *co;
    struct vm_job *next; /* idle, or woken */
    struct vm_job *above, *below; /* all live and idle ones of the vm */
    struct vm_job *outer; /* the one that runs it while it waits on the C stack */
    bool parked;
};

struct vm_jobs {
    struct vm *vm;
    lua_State *L;
    struct vm_job *all;
    struct vm_job *idle;
    struct vm_job *woken, *last_woken;
    struct vm_job *current; /* innermost running */
};

/* Registry: the struct vm_jobs of the state. */
static const char jobs_key;

int vm_jobs_new(struct vm_jobs **out, struct vm *vm)
{
    struct vm_jobs *self = calloc(1, sizeof *self);
    if (!self)
        return TROUPE_ENOMEM;
    self->vm = vm;
    self->L = vm_state(vm);
    *out = self;
    return 0;
}

static void job_free(struct vm_job *job)
{
    struct vm_jobs *jobs = job->jobs;
    if (job->below)
        job->below->above = job->above;
    if (job->above)
        job->above->below = job->below;
    else
        jobs->all = job->below;
    lua_pushnil(jobs->L);
    lua_rawsetp(jobs->L, LUA_REGISTRYINDEX, job);
    message_destroy(&job->letter);
    free(job);
}

void vm_jobs_destroy(struct vm_jobs **jobs)
{
    struct vm_jobs *self = *jobs;
    *jobs = NULL;
    if (!self)
        return;
    while (self->all) {
        vm_reset(self->vm, self->all->co);
        job_free(self->all);
    }
    free(self);
}

/* Lua: anchors a new coroutine under the job. */
static int anchor_coroutine(lua_State *L)
{
    struct vm_job *job = lua_touserdata(L, 1);
    lua_State *co = lua_newthread(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, job);
    job->co = co;
    return 0;
}

static struct vm_job *job_new(struct vm_jobs *self)
{
    struct vm_job *job = calloc(1, sizeof *job);
    if (!job)
        return NULL;
    job->jobs = self;
    lua_pushcfunction(self->L, anchor_coroutine);
    lua_pushlightuserdata(self->L, job);
    if (lua_pcall(self->L, 1, 0, 0)) {
        lua_pop(self->L, 1);
        free(job);
        return NULL;
    }
    job->below = self->all;
    if (self->all)
        self->all->above = job;
    self->all = job;
    return job;
}

static struct vm_job *job_take(struct vm_jobs *self)
{
    struct vm_job *job = self->idle;
    if (!job)
        return job_new(self);
    self->idle = job->next;
    return job;
}

void vm_job_fail_plainly(struct message *letter, const char *text)
{
    size_t size = strlen(text);
    unsigned char head[2] = {0xd9, (unsigned char)size}; /* MessagePack: str 8 */
    unsigned char nil = 0xc0;
    message_clear_body(letter);
    buffer_append(&letter->bytes, head, sizeof head);
    buffer_append(&letter->bytes, text, size);
    buffer_append(&letter->bytes, &nil, 1);
    message_header(letter)->flags |= FLAG_ERROR;
}

/* Lua: (coroutine as pointer) -> its error value, traceback */
static int describe(lua_State *L)
{
    lua_State *co = lua_touserdata(L, 1);
    lua_settop(L, 0);
    luaL_checkstack(L, 3, NULL);
    lua_xmove(co, L, 1);
    luaL_traceback(L, co, NULL, 0);
    return 2;
}

/* Lua: (error value) -> it as a string */
static int stringify(lua_State *L)
{
    luaL_tolstring(L, 1, NULL);
    return 1;
}

/* Encodes error value and traceback, on top of the stack, as the outcome; pops them. */
static void fail_with(struct vm_jobs *self, struct message *letter)
{
    static const struct value_mode mode;
    lua_State *L = self->L;
    int at = lua_gettop(L) - 1;
    message_clear_body(letter);
    message_header(letter)->flags |= FLAG_ERROR;
    if (value_encode(L, at, at + 1, "error", &mode, &letter->bytes)) {
        lua_settop(L, at + 1); /* drop the reason: the error matters more */
        lua_pushcfunction(L, stringify);
        lua_pushvalue(L, at);
        int failed = lua_pcall(L, 1, 1, 0) || lua_type(L, -1) != LUA_TSTRING;
        if (!failed)
            lua_replace(L, at);
        if (failed || value_encode(L, at, at + 1, "error", &mode, &letter->bytes))
            vm_job_fail_plainly(letter, "an error that cannot be sent");
    }
    lua_settop(L, at - 1);
}

/* The coroutine raised: error value and traceback become the outcome. */
static void outcome_raised(struct vm_job *job)
{
    struct vm_jobs *self = job->jobs;
    int top = lua_gettop(self->L);
    lua_pushcfunction(self->L, describe);
    lua_pushlightuserdata(self->L, job->co);
    if (lua_pcall(self->L, 1, 2, 0) == LUA_OK)
        fail_with(self, job->letter);
    else
        vm_job_fail_plainly(job->letter, "not enough memory");
    lua_settop(self->L, top);
}

static void outcome_returned(struct vm_job *job, int count)
{
    static const struct value_mode mode;
    lua_State *co = job->co;
    int last = lua_gettop(co), first = last - count + 1;
    message_clear_body(job->letter);
    if (!lua_checkstack(co, 8)) { /* results came without the room to look at them */
        vm_job_fail_plainly(job->letter, "not enough memory");
        return;
    }
    if (value_encode(co, first, last, "result", &mode, &job->letter->bytes) == 0)
        return;
    if (message_header(job->letter)->flags & FLAG_BATCH) {
        lua_pop(co, 1);
        vm_batch_sift(co, first);
        if (value_encode(co, first, lua_gettop(co), "result", &mode, &job->letter->bytes) == 0)
            return;
    }
    lua_xmove(co, job->jobs->L, 1);
    lua_pushnil(job->jobs->L);
    fail_with(job->jobs, job->letter);
}

static int push_arguments(lua_State *L, const struct message *letter)
{
    static const struct value_mode mode;
    int count;
    if (value_decode(L, message_body(letter), message_body_size(letter), &mode, &count))
        lua_error(L);
    return count;
}

int vm_job_push_call(lua_State *L, const struct message *letter)
{
    const struct header *h = message_header(letter);
    int function = lua_gettop(L) + 1;
    if (h->flags & FLAG_CODE)
        vm_code_push(L, h->code);
    push_arguments(L, letter);
    if (lua_gettop(L) < function)
        luaL_error(L, "a job without a function");
    vm_code_resolve(L, function);
    return lua_gettop(L) - function;
}

static int call_returned(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    return lua_gettop(L);
}

/* Lua: (job as pointer) -> the results of its call */
static int call_body(lua_State *L)
{
    struct vm_job *job = lua_touserdata(L, 1);
    lua_settop(L, 0);
    int count = vm_job_push_call(L, job->letter);
    lua_callk(L, count, LUA_MULTRET, 0, call_returned);
    return lua_gettop(L);
}

/* Runs the job until it ends or parks. The letter comes back with the end. */
static void go_on(struct vm_job *job, int arguments, struct message **letter)
{
    struct vm_jobs *self = job->jobs;
    int count = 0;
    job->outer = self->current;
    self->current = job;
    vm_set_target(self->vm, message_header(job->letter)->id);
    lua_State *from = job->outer ? job->outer->co : self->L;
    int status = vm_resume(self->vm, job->co, from, arguments, &count);
    self->current = job->outer;
    vm_set_target(self->vm, job->outer ? message_header(job->outer->letter)->id : 0);
    if (status == LUA_YIELD && job->parked)
        return;
    if (status == LUA_YIELD)
        vm_job_fail_plainly(job->letter, "attempt to yield from outside a coroutine");
    else if (status == LUA_OK)
        outcome_returned(job, count);
    else
        outcome_raised(job);
    *letter = job->letter;
    job->letter = NULL;
    if (status == LUA_OK) {
        lua_settop(job->co, 0);
        job->next = self->idle;
        self->idle = job;
    } else {
        vm_reset(self->vm, job->co);
        job_free(job);
    }
}

void vm_jobs_run(struct vm_jobs *self, struct message **letter)
{
    struct vm_job *job = job_take(self);
    if (!job) {
        vm_job_fail_plainly(*letter, "not enough memory");
        return;
    }
    job->letter = *letter;
    *letter = NULL;
    bool batch = message_header(job->letter)->flags & FLAG_BATCH;
    lua_pushcfunction(job->co, batch ? vm_batch_body : call_body);
    lua_pushlightuserdata(job->co, batch ? (void *)job->letter : (void *)job);
    go_on(job, 1, letter);
}

void vm_jobs_resume(struct vm_jobs *self, struct vm_job *job, struct message **letter)
{
    (void)self;
    job->parked = false;
    *letter = NULL;
    go_on(job, 0, letter);
}

struct vm_job *vm_job_running(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &jobs_key);
    const struct vm_jobs *self = lua_touserdata(L, -1);
    lua_pop(L, 1);
    struct vm_job *job = self ? self->current : NULL;
    return job && job->co == L && lua_isyieldable(L) ? job : NULL;
}

int vm_job_park(struct vm_job *job, lua_State *L, lua_KContext context, lua_KFunction k)
{
    job->parked = true;
    return lua_yieldk(L, 0, context, k);
}

void vm_job_wake(struct vm_job *job)
{
    struct vm_jobs *self = job->jobs;
    job->next = NULL;
    if (self->woken)
        self->last_woken->next = job;
    else
        self->woken = job;
    self->last_woken = job;
}

struct vm_job *vm_jobs_next_woken(struct vm_jobs *self)
{
    struct vm_job *job = self->woken;
    if (job)
        self->woken = job->next;
    return job;
}

/* Lua: (hash as pointer to it, code, size) */
static int learn(lua_State *L)
{
    const uint64_t *hash = lua_touserdata(L, 1);
    vm_code_learn(L, *hash, lua_touserdata(L, 2), (size_t)lua_tointeger(L, 3));
    return 0;
}

int vm_jobs_learn(struct vm_jobs *self, uint64_t hash, const void *code, size_t size)
{
    lua_pushcfunction(self->L, learn);
    lua_pushlightuserdata(self->L, &hash);
    lua_pushlightuserdata(self->L, (void *)code);
    lua_pushinteger(self->L, (lua_Integer)size);
    int rc = lua_pcall(self->L, 3, 0, 0);
    if (rc)
        lua_pop(self->L, 1);
    return rc ? TROUPE_ENOMEM : 0;
}

struct attachment {
    struct vm_jobs *jobs;
    void (*hook)(lua_State *L, struct ear *ear);
    struct ear *ear;
};

/* Lua: (attachment as pointer) */
static int attach(lua_State *L)
{
    const struct attachment *a = lua_touserdata(L, 1);
    lua_pushlightuserdata(L, a->jobs);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &jobs_key);
    a->hook(L, a->ear);
    return 0;
}

int vm_jobs_attach(struct vm_jobs *self, void (*hook)(lua_State *L, struct ear *ear), struct ear *ear)
{
    struct attachment a = {self, hook, ear};
    lua_pushcfunction(self->L, attach);
    lua_pushlightuserdata(self->L, &a);
    int rc = lua_pcall(self->L, 1, 0, 0);
    if (rc)
        lua_pop(self->L, 1);
    return rc ? TROUPE_ENOMEM : 0;
}

/* Lua: (letter as pointer, first) */
static int init_body(lua_State *L)
{
    const struct message *letter = lua_touserdata(L, 1);
    int count = vm_job_push_call(L, letter);
    lua_pushvalue(L, 2);
    lua_insert(L, -count - 1);
    lua_call(L, count + 1, 0);
    return 0;
}

int vm_jobs_call(struct vm_jobs *self, struct message *letter, lua_Integer first)
{
    lua_State *L = self->L;
    lua_pushcfunction(L, init_body);
    lua_pushlightuserdata(L, letter);
    lua_pushinteger(L, first);
    if (vm_call(self->vm, 2, 0) == LUA_OK)
        return 0;
    lua_pushnil(L);
    fail_with(self, letter);
    return TROUPE_EINVAL;
}
