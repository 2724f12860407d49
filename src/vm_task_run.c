/* vm_task_run.c - tasks run, wait and go on. States and invariants: see vm_task.c. */
#include <stddef.h>
#include <stdlib.h>

#include <lauxlib.h>

#include "meter.h"
#include "run_note.h"
#include "vm.h"
#include "vm_task_inner.h"

enum { TURN = 64 };

static void append_ready(struct vm_task *t)
{
    struct vm_tasks *self = t->tasks;
    t->state = READY;
    t->next = NULL;
    if (self->ready)
        self->last_ready->next = t;
    else
        self->ready = t;
    self->last_ready = t;
    self->ready_count++;
}

static void raised_text(lua_State *co, const char *text)
{
    lua_settop(co, 0);
    lua_pushstring(co, text);
}

/* The task's code is metered instead of the outer one's. */
static void meter_in(struct vm_task *t, struct vm_task *outer)
{
    struct meter *meter = t->tasks->meter;
    if (outer)
        outer->taken = meter_taken(meter);
    meter_switch(meter, run_is_cleanup(t->target) ? 0 : t->target, t->taken);
}

static void meter_out(struct vm_task *t, const struct vm_task *outer)
{
    struct meter *meter = t->tasks->meter;
    t->taken = meter_taken(meter);
    if (t->target && t->tasks->parking == t)
        meter_wait(meter, t->taken);
    meter_switch(meter, outer && !run_is_cleanup(outer->target) ? outer->target : 0, outer ? outer->taken : 0);
}

/* Runs the task until it parks or ends. */
static void run(struct vm_task *t)
{
    struct vm_tasks *self = t->tasks;
    struct vm_task *outer = self->running;
    lua_State *outer_co = self->co;
    int outer_rigid = self->rigid, count = 0, arguments = t->values;
    uint64_t before = self->vm ? vm_target(self->vm) : 0; /* the outer task may be shielded */
    t->state = RUNNING;
    t->values = 0;
    self->running = t;
    self->co = t->co;
    self->rigid = 0;
    self->timed_out = t->timed_out;
    if (self->vm)
        vm_set_target(self->vm, t->target);
    if (self->meter)
        meter_in(t, outer);
    int status = vm_resume(self->vm, t->co, outer_co ? outer_co : self->L, arguments, &count);
    if (self->meter)
        meter_out(t, outer);
    if (self->vm)
        vm_set_target(self->vm, before);
    self->running = outer;
    self->co = outer_co;
    self->rigid = outer_rigid;
    if (status == LUA_YIELD && self->parking == t) {
        self->parking = NULL;
        t->state = PARKED;
        if (t->doomed)
            vm_task_kill(t);
        return;
    }
    if (status == LUA_YIELD) {
        status = LUA_ERRRUN;
        vm_reset(self->vm, t->co);
        raised_text(t->co, "attempt to yield from outside a coroutine");
    }
    vm_task_end(t, t->doomed && status == LUA_OK ? VM_TASK_KILLED : status, count);
}

void vm_task_start(struct vm_task *self, int arguments)
{
    self->values = arguments;
    run(self);
}

bool vm_task_may_park(struct vm_tasks *self, lua_State *L)
{
    return self->running && self->co == L && self->rigid == 0 && lua_isyieldable(L);
}

int vm_task_park(struct vm_tasks *self, lua_State *L, const void *subject, int event, double until, lua_KContext context,
                 lua_KFunction k)
{
    struct vm_task *t = self->running;
    t->waiter = L;
    t->subject = subject;
    t->has_event = event > 0;
    t->timed_out = t->idly = false;
    if (event > 0) {
        t->event = lua_topointer(L, -1);
        t->event_type = lua_type(L, -1);
    }
    if (until >= 0)
        heap_push(&self->timers, &t->timer, until);
    self->parking = t;
    return lua_yieldk(L, event, context, k);
}

int vm_task_park_idly(struct vm_tasks *self, lua_State *L, lua_KContext context, lua_KFunction k)
{
    struct vm_task *t = self->running;
    t->waiter = L;
    t->subject = NULL;
    t->has_event = t->timed_out = false;
    t->idly = true;
    t->next_idler = self->idlers;
    self->idlers = t;
    self->parking = t;
    return lua_yieldk(L, 0, context, k);
}

void vm_tasks_stir(struct vm_tasks *self)
{
    while (self->idlers) {
        struct vm_task *t = self->idlers;
        self->idlers = t->next_idler;
        append_ready(t);
    }
}

bool vm_task_timed_out(const struct vm_tasks *self)
{
    return self->timed_out;
}

/* Looks at the event where it lies, on top of the waiting coroutine. */
static bool is_event(const struct vm_task *self, lua_State *L, int index)
{
    if (!lua_checkstack(self->waiter, 1) || !lua_checkstack(L, 1))
        return false;
    lua_pushvalue(self->waiter, -1);
    lua_xmove(self->waiter, L, 1);
    bool same = lua_rawequal(L, index, -1);
    lua_pop(L, 1);
    return same;
}

bool vm_task_waits_for_event(const struct vm_task *self, lua_State *L, int index)
{
    if (self->state != PARKED || !self->has_event || lua_type(L, index) != self->event_type)
        return false;
    const void *identity = lua_topointer(L, index);
    return (identity && identity == self->event) || is_event(self, L, index);
}

bool vm_task_waits_for(const struct vm_task *self, const void *subject)
{
    return self->state == PARKED && self->subject == subject;
}

bool vm_task_wake(struct vm_task *self, lua_State *L, int count)
{
    if (self->state != PARKED || self->idly || !lua_checkstack(self->co, count + 1)) {
        lua_pop(L, count);
        return false;
    }
    vm_task_stop_waiting(self);
    if (L != self->co)
        lua_xmove(L, self->co, count);
    self->values = count;
    append_ready(self);
    return true;
}

static void move_due(struct vm_tasks *self, double now)
{
    struct heap_node *node;
    while ((node = heap_top(&self->timers)) && node->key <= now) {
        struct vm_task *t = (struct vm_task *)((char *)node - offsetof(struct vm_task, timer));
        heap_remove(&self->timers, node);
        t->timed_out = true;
        append_ready(t);
    }
}

/* How many tasks one turn runs at least, if so many get ready: between two turns lie the clock and the letters. Tasks
 * that parked idly want to be stirred after what runs now. */
static uint32_t at_most(const struct vm_tasks *self)
{
    return self->ready_count < TURN && !self->idlers ? TURN : self->ready_count;
}

static bool run_work(struct vm_work *work, double now)
{
    bool due = work && (work->ready || (work->deadline >= 0 && work->deadline <= now));
    if (due)
        work->run(work, now);
    return due;
}

bool vm_tasks_turn(struct vm_tasks *self, double now, bool *stirring)
{
    move_due(self, now);
    bool ran = run_work(self->work, now);
    *stirring = ran;
    for (uint32_t left = at_most(self); left > 0; left--) {
        struct vm_task *t = self->ready;
        if (!t && !(self->work && self->work->ready))
            break;
        ran = true;
        if (!t) {
            *stirring |= run_work(self->work, now);
            continue;
        }
        self->ready = t->next;
        self->ready_count--;
        *stirring |= !t->idly;
        run(t);
    }
    return ran;
}

bool vm_tasks_ready(const struct vm_tasks *self)
{
    return self->ready || (self->work && self->work->ready);
}

double vm_tasks_deadline(const struct vm_tasks *self)
{
    const struct heap_node *node = heap_top(&self->timers);
    double task = node ? node->key : -1, work = self->work ? self->work->deadline : -1;
    return task < 0 || (work >= 0 && work < task) ? work : task;
}

uint32_t vm_tasks_count(const struct vm_tasks *self)
{
    return self->count;
}

static bool note_inner(struct vm_task *t, lua_State *co)
{
    if (t->inner_count == t->inner_capacity) {
        int capacity = t->inner_capacity ? t->inner_capacity * 2 : 4;
        lua_State **inner = realloc(t->inner, (size_t)capacity * sizeof *inner);
        if (!inner)
            return false;
        t->inner = inner;
        t->inner_capacity = capacity;
    }
    t->inner[t->inner_count++] = co;
    return true;
}

static void forget_inner(struct vm_task *t, lua_State *co)
{
    if (t->inner_count > 0 && t->inner[t->inner_count - 1] == co)
        t->inner_count--;
}

int vm_task_resume_inner(struct vm_tasks *self, lua_State *L, lua_State *co, int count, int *results)
{
    struct vm_task *t = self->running;
    lua_State *outer_co = self->co;
    bool tracked = t && outer_co == L, rigid = !tracked || !lua_isyieldable(L);
    if (t)
        forget_inner(t, co);
    self->rigid += rigid;
    self->co = co;
    int status = vm_resume(self->vm, co, L, count, results);
    self->co = outer_co;
    self->rigid -= rigid;
    if (status != LUA_YIELD || !t || self->parking != t)
        return status;
    note_inner(t, co); /* without the note, only a kill would not close it */
    return VM_TASK_PASS;
}
