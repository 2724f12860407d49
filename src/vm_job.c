/* vm_job.c - jobs in a vm.
 *
 *     letter --run--> a task of call_body or batch_body --its end--> letter (outcome)
 *
 * The body decodes the letter inside the task: bad bytes and a lack of memory are then the job's own failure.
 *
 * Invariants:
 *  1. a job's run is its task's owner and has its letter, from vm_jobs_run until the outcome is handed on;
 *  2. turning a letter into an outcome cannot fail: an error that has no room becomes one that has;
 *  3. every letter taken is handed on as an outcome once, also when its task is killed.
 */
#include "vm_job.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <stdlib.h>

#include "job.h"
#include "slab.h"
#include "troupe.h"
#include "value.h"
#include "vm_batch.h"
#include "vm_code.h"
#include "vm_extra.h"
#include "vm_run.h"
#include "vm_stream.h"
#include "vm_task.h"

struct vm_jobs {
    struct vm *vm;
    lua_State *L;
    struct vm_tasks *tasks;
    const struct vm_job_hooks *hooks;
    void *owner;
    struct slab slab;
    struct vm_run *runs; /* begun and not ended, the last one first */
    unsigned count;      /* of them */
};

struct vm_jobs *vm_jobs_new(struct vm *vm, struct vm_tasks *tasks, const struct vm_job_hooks *hooks, void *owner)
{
    struct vm_jobs *self = malloc(sizeof *self);
    if (!self)
        return NULL;
    *self = (struct vm_jobs){.vm = vm, .L = vm_state(vm), .tasks = tasks, .hooks = hooks, .owner = owner};
    slab_init(&self->slab, sizeof(struct vm_run));
    vm_tasks_set_host(tasks, self);
    return self;
}

void vm_jobs_destroy(struct vm_jobs **jobs)
{
    if (*jobs)
        slab_release(&(*jobs)->slab);
    free(*jobs);
    *jobs = NULL;
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

/* For what leaves the vm. Written before there are workers. */
static struct value_mode outgoing;

void vm_jobs_leave_process(void)
{
    outgoing.remote = true;
}

const struct value_mode *vm_job_mode(void)
{
    return &outgoing;
}

/* Encodes error value and traceback, on top of the stack, as the outcome; pops them. */
static void fail_with(struct vm_jobs *self, struct message *letter)
{
    lua_State *L = self->L;
    int at = lua_gettop(L) - 1;
    message_clear_body(letter);
    message_header(letter)->flags |= FLAG_ERROR;
    if (value_encode(L, at, at + 1, "error", &outgoing, &letter->bytes)) {
        lua_settop(L, at + 1); /* drop the reason: the error matters more */
        lua_pushcfunction(L, stringify);
        lua_pushvalue(L, at);
        int failed = lua_pcall(L, 1, 1, 0) || lua_type(L, -1) != LUA_TSTRING;
        if (!failed)
            lua_replace(L, at);
        if (failed || value_encode(L, at, at + 1, "error", &outgoing, &letter->bytes))
            vm_job_fail_plainly(letter, "an error that cannot be sent");
    }
    lua_settop(L, at - 1);
}

/* The coroutine raised: error value and traceback become the outcome. */
static void outcome_raised(struct vm_jobs *self, struct message *letter, lua_State *co)
{
    int top = lua_gettop(self->L);
    lua_pushcfunction(self->L, describe);
    lua_pushlightuserdata(self->L, co);
    if (lua_pcall(self->L, 1, 2, 0) == LUA_OK)
        fail_with(self, letter);
    else
        vm_job_fail_plainly(letter, "not enough memory");
    lua_settop(self->L, top);
}

static void outcome_returned(struct vm_jobs *self, struct message *letter, lua_State *co, int count)
{
    int last = lua_gettop(co), first = last - count + 1;
    message_clear_body(letter);
    if (!lua_checkstack(co, 8)) { /* results came without the room to look at them */
        vm_job_fail_plainly(letter, "not enough memory");
        return;
    }
    if (value_encode(co, first, last, "result", &outgoing, &letter->bytes) == 0)
        return;
    if (message_header(letter)->flags & FLAG_BATCH) {
        lua_pop(co, 1);
        vm_batch_sift(co, first);
        if (value_encode(co, first, lua_gettop(co), "result", &outgoing, &letter->bytes) == 0)
            return;
    }
    lua_xmove(co, self->L, 1);
    lua_pushnil(self->L);
    fail_with(self, letter);
}

int vm_job_push_arguments(lua_State *L, const struct message *letter)
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
    vm_job_push_arguments(L, letter);
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

/* Lua: (letter as pointer) -> the results of its call */
static int call_body(lua_State *L)
{
    const struct message *letter = lua_touserdata(L, 1);
    lua_settop(L, 0);
    int count = vm_job_push_call(L, letter);
    lua_callk(L, count, LUA_MULTRET, 0, call_returned);
    return lua_gettop(L);
}

static void outcome_killed(struct message *letter)
{
    vm_job_fail_plainly(letter, "killed");
    message_header(letter)->flags |= FLAG_KILLED;
}

/* Begins the list of runs, or leaves it. */
static void link_run(struct vm_jobs *self, struct vm_run *run)
{
    run->next = self->runs;
    if (run->next)
        run->next->prev = run;
    self->runs = run;
    self->count++;
}

static void drop_run(struct vm_jobs *self, struct vm_run *run)
{
    if (run->prev)
        run->prev->next = run->next;
    else
        self->runs = run->next;
    if (run->next)
        run->next->prev = run->prev;
    vm_extra_drop(run);
    free(run->name);
    message_destroy(&run->progress);
    slab_put(&self->slab, run);
    self->count--;
}

/* The run is over, with its cleanup if it has one. */
static void hand_on(struct vm_run *run)
{
    struct vm_jobs *self = run->jobs;
    struct message *letter = run->letter;
    vm_stream_tell_progress(run);
    drop_run(self, run);
    self->hooks->outcome(self->owner, &letter);
}

static void job_ended(struct vm_task *task, int status, int count)
{
    struct vm_run *run = vm_task_owner(task);
    struct vm_jobs *self = run->jobs;
    struct message *letter = run->letter;
    const char *word = run->stopping ? "stopped" : "finished";
    if (status == LUA_OK) {
        outcome_returned(self, letter, vm_task_coroutine(task), count);
    } else if (status == VM_TASK_KILLED || vm_is_interrupted(self->vm, vm_task_target(task))) {
        outcome_killed(letter);
        word = "stopped";
    } else {
        outcome_raised(self, letter, vm_task_coroutine(task));
        word = "failed";
    }
    if (message_header(letter)->flags & FLAG_ERROR && status == LUA_OK)
        word = "failed";
    if (message_header(letter)->flags & FLAG_CLEANUP && status != LUA_OK)
        vm_extra_complain(run, status, vm_task_coroutine(task));
    if (!vm_extra_clean(run, word, hand_on))
        hand_on(run);
}

struct vm_run *vm_run_first(const struct vm_jobs *self)
{
    return self->runs;
}

void vm_run_say(const struct vm_run *run, struct message **letter, enum message_kind kind)
{
    run->jobs->hooks->say(run->jobs->owner, run->letter, letter, kind);
}

bool vm_run_claim(const struct vm_run *run)
{
    const struct header *h = message_header(run->letter);
    return run->jobs->hooks->claim(run->jobs->owner, h->id, run_attempt(h->from));
}

const char *vm_run_word(const struct vm_run *run)
{
    static const char *const words[JOB_ENDS] = {
        [JOB_FINISHED] = "finished", [JOB_FAILED] = "failed", [JOB_CANCELLED] = "cancelled", [JOB_LOST] = "failed",
        [JOB_STOPPED] = "stopped", [JOB_KILLED] = "stopped", [JOB_EXPIRED] = "stopped",
        [JOB_SPENT] = "stopped"};
    return words[run_attempt(message_header(run->letter)->from) % JOB_ENDS];
}

void vm_run_parked(struct vm_run *run)
{
    if (run->parked)
        return;
    run->parked = true;
    run->jobs->hooks->parked(run->jobs->owner, run->letter);
}

struct vm_run *vm_run_current(const struct vm_tasks *tasks)
{
    struct vm_task *task = tasks ? vm_task_running(tasks) : NULL;
    return task && vm_task_tells(task, job_ended) ? vm_task_owner(task) : NULL;
}

struct vm_run *vm_run_find(const struct vm_jobs *self, uint64_t id)
{
    struct vm_run *run = self->runs;
    while (run && message_header(run->letter)->id != id)
        run = run->next;
    return run;
}

bool vm_jobs_halt(struct vm_jobs *self, uint64_t id)
{
    struct vm_run *run = id ? vm_run_find(self, id) : self->runs;
    bool found = run || !id;
    for (; run; run = id ? NULL : run->next) {
        run->stopping = true;
        vm_stream_wake(run);
    }
    return found;
}

/* Ends every job that waits, but no cleanup. What a killed one's closers and cleanup do may end or begin others. */
static void kill_waiting(struct vm_jobs *self)
{
    struct vm_run *run = self->runs;
    while (run) {
        struct vm_task *task = run->task;
        bool ends = !run->cleaning && !run->killed;
        run->killed = true;
        if (ends)
            vm_task_kill(task);
        run = ends ? self->runs : run->next;
    }
}

bool vm_jobs_kill(struct vm_jobs *self, uint64_t id)
{
    struct vm_run *run = id ? vm_run_find(self, id) : NULL;
    if (!id)
        kill_waiting(self);
    else if (run && !run->cleaning)
        vm_task_kill(run->task);
    return !id || run;
}

unsigned vm_jobs_count(const struct vm_jobs *self)
{
    return self->count;
}

void vm_jobs_run(struct vm_jobs *self, struct message **letter)
{
    struct message *m = *letter;
    struct vm_run *run = slab_get(&self->slab);
    struct vm_task *task = run ? vm_task_new(self->tasks, job_ended, run) : NULL;
    *letter = NULL;
    if (!task) {
        if (run)
            slab_put(&self->slab, run);
        vm_job_fail_plainly(m, "not enough memory");
        self->hooks->outcome(self->owner, &m);
        return;
    }
    *run = (struct vm_run){.letter = m, .task = task, .jobs = self};
    run->cleaning = message_header(m)->flags & FLAG_CLEANUP;
    vm_stream_init(run);
    link_run(self, run);
    lua_State *co = vm_task_coroutine(task);
    uint64_t id = vm_task_id(task);
    uint16_t flags = message_header(m)->flags;
    uint64_t job = message_header(m)->id;
    vm_task_set_target(task, flags & FLAG_CLEANUP ? run_cleanup_target(job) : job);
    lua_pushcfunction(co, flags & FLAG_BATCH ? vm_batch_body : flags & FLAG_EXTRA ? vm_extra_body : call_body);
    lua_pushlightuserdata(co, flags & FLAG_EXTRA ? (void *)run : (void *)m);
    vm_task_start(task, 1);
    if (vm_task_find(self->tasks, id) != task)
        return;
    vm_run_parked(run);
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
