/* vm_task.c - tasks and their scheduler.
 *
 *     idle --new, start--> running --park--> parked --wake, its time--> ready --turn--> running
 *     running --returns, raises--> idle         parked, ready --kill--> idle
 *
 * A wait may happen in a coroutine that the task's code made itself. Then each coroutine.resume on the way down to
 * the task's own coroutine yields too (it passes), and resumes again when the task goes on: user code never sees it.
 *
 * Invariants:
 *  1. a live task is in slots[] where the lower bits of its id say, at most half of which are taken; a number whose
 *     place is taken is passed over. It is in `ready` exactly while it is ready;
 *  2. its timer is in `timers` only while it is parked;
 *  3. coroutines are anchored in the registry under `anchor`, as long as the struct exists;
 *  4. `running` is the innermost task on the C stack, `co` the innermost coroutine resumed by us, `rigid` counts the
 *     resumes between the two that cannot yield;
 *  5. due timers are moved to the ready list before any task runs, so a slow task makes no later one early or lost;
 *  6. inner[] of a parked task are the coroutines that passed, innermost first.
 */
#include "vm_task.h"

#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "troupe.h"
#include "vm_state.h"
#include "vm_task_inner.h"

enum { IDLE_MAX = 256, SLOTS_LEAST = 16 };

static const char tasks_key;

struct vm_tasks *vm_tasks_of(lua_State *L)
{
    struct vm *vm = vm_of(L);
    if (vm)
        return vm->tasks;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &tasks_key);
    struct vm_tasks **place = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return place ? *place : NULL;
}

/* In a host's state: where its coroutine functions find the scheduler, as long as there is one. */
static void announce(lua_State *L, struct vm_tasks *self)
{
    self->place = lua_newuserdatauv(L, sizeof *self->place, 0);
    *self->place = self;
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &tasks_key);
    vm_track_coroutines(L);
}

struct vm_tasks *vm_tasks_new(lua_State *L, uint64_t base)
{
    struct vm_tasks *self = calloc(1, sizeof *self);
    if (!self)
        luaL_error(L, "not enough memory");
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    self->L = lua_tothread(L, -1);
    lua_pop(L, 1);
    self->vm = vm_of(L);
    self->base = base;
    heap_init(&self->timers);
    if (self->vm)
        self->vm->tasks = self;
    else
        announce(L, self);
    return self;
}

lua_State *vm_tasks_state(const struct vm_tasks *self)
{
    return self->L;
}

void vm_tasks_set_host(struct vm_tasks *self, void *host)
{
    self->host = host;
}

void *vm_tasks_host(const struct vm_tasks *self)
{
    return self->host;
}

void vm_tasks_set_meter(struct vm_tasks *self, struct meter *meter)
{
    self->meter = meter;
}

void vm_tasks_set_work(struct vm_tasks *self, struct vm_work *work)
{
    self->work = work;
}

struct vm_tasks *vm_task_scheduler(const struct vm_task *self)
{
    return self->tasks;
}

/* Lua: (task as pointer) makes its coroutine and anchors it. */
static int anchor_coroutine(lua_State *L)
{
    struct vm_task *t = lua_touserdata(L, 1);
    lua_State *co = lua_newthread(L);
    t->anchor = luaL_ref(L, LUA_REGISTRYINDEX);
    t->co = co;
    return 0;
}

static void free_task(struct vm_task *t)
{
    struct vm_tasks *self = t->tasks;
    if (t->prev_all)
        t->prev_all->next_all = t->next_all;
    else
        self->all = t->next_all;
    if (t->next_all)
        t->next_all->prev_all = t->prev_all;
    luaL_unref(self->L, LUA_REGISTRYINDEX, t->anchor);
    free(t->inner);
    free(t);
}

static struct vm_task *make_task(struct vm_tasks *self)
{
    struct vm_task *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->tasks = self;
    lua_State *L = self->L;
    if (!lua_checkstack(L, 4) || heap_reserve(&self->timers, self->count + self->idle_count + 2)) {
        free(t);
        return NULL;
    }
    lua_pushcfunction(L, anchor_coroutine);
    lua_pushlightuserdata(L, t);
    if (lua_pcall(L, 1, 0, 0)) {
        lua_pop(L, 1);
        free(t);
        return NULL;
    }
    t->next_all = self->all;
    if (self->all)
        self->all->prev_all = t;
    self->all = t;
    return t;
}

static struct vm_task **slot_of(const struct vm_tasks *self, uint64_t id)
{
    return &self->slots[id & self->slot_mask];
}

/* Twice as many slots. Ids that differ in their lower bits still do so with one bit more. */
static bool more_slots(struct vm_tasks *self)
{
    struct vm_tasks wider = *self;
    size_t count = self->slots ? 2 * ((size_t)self->slot_mask + 1) : SLOTS_LEAST;
    wider.slots = calloc(count, sizeof *wider.slots);
    if (!wider.slots)
        return false;
    wider.slot_mask = (uint32_t)(count - 1);
    for (size_t i = 0; self->slots && i <= self->slot_mask; i++)
        if (self->slots[i])
            *slot_of(&wider, self->slots[i]->id) = self->slots[i];
    free(self->slots);
    *self = wider;
    return true;
}

/* An id that no live task has, with its place free. */
static uint64_t next_id(struct vm_tasks *self)
{
    do {
        self->last_id++;
    } while (self->last_id == 0 || *slot_of(self, self->last_id));
    return self->base | self->last_id;
}

static struct vm_task *take_idle(struct vm_tasks *self)
{
    struct vm_task *t = self->idle;
    if (!t)
        return make_task(self);
    self->idle = t->next;
    self->idle_count--;
    return t;
}

struct vm_task *vm_task_new(struct vm_tasks *self, vm_task_ended *ended, void *owner)
{
    if (!self->slots || self->count > self->slot_mask / 2) {
        if (!more_slots(self))
            return NULL;
    }
    struct vm_task *t = take_idle(self);
    if (!t)
        return NULL;
    t->id = next_id(self);
    *slot_of(self, t->id) = t;
    t->ended = ended;
    t->owner = owner;
    t->target = 0;
    t->taken = 0;
    t->values = 0;
    t->doomed = t->timed_out = t->has_event = t->idly = false;
    t->state = RUNNING;
    self->count++;
    return t;
}

lua_State *vm_task_coroutine(const struct vm_task *self)
{
    return self->co;
}

bool vm_task_tells(const struct vm_task *self, vm_task_ended *ended)
{
    return self->ended == ended;
}

void *vm_task_owner(const struct vm_task *self)
{
    return self->owner;
}

void *vm_tasks_running_owner(const struct vm_tasks *self, vm_task_ended *ended)
{
    return self->running && self->running->ended == ended ? self->running->owner : NULL;
}

void vm_task_set_owner(struct vm_task *self, void *owner)
{
    self->owner = owner;
}

uint64_t vm_task_id(const struct vm_task *self)
{
    return self->id;
}

uint64_t vm_task_target(const struct vm_task *self)
{
    return self->target;
}

void vm_task_set_target(struct vm_task *self, uint64_t target)
{
    self->target = target;
}

void vm_task_aim(struct vm_task *self, uint64_t target)
{
    self->target = target;
    if (self->tasks->vm)
        vm_set_target(self->tasks->vm, target);
}

struct vm_task *vm_task_running(const struct vm_tasks *self)
{
    return self->running;
}

struct vm_task *vm_task_find(const struct vm_tasks *self, uint64_t id)
{
    struct vm_task *t = self->slots ? *slot_of(self, id) : NULL;
    return t && t->id == id ? t : NULL;
}

bool vm_tasks_is_home(const struct vm_tasks *self, uint64_t id)
{
    return (id ^ self->base) >> 32 == 0;
}

void vm_task_end(struct vm_task *t, int status, int count)
{
    struct vm_tasks *self = t->tasks;
    *slot_of(self, t->id) = NULL;
    self->count--;
    t->state = IDLE;
    t->ended(t, status, count);
    bool raised = status != LUA_OK && status != VM_TASK_KILLED;
    if (raised)
        vm_reset(self->vm, t->co);
    lua_settop(t->co, 0);
    /* Lua runs no hook ever again in a coroutine that a hook's error has ended: it could not be broken into. */
    if (raised || self->idle_count >= IDLE_MAX) {
        free_task(t);
        return;
    }
    t->next = self->idle;
    self->idle = t;
    self->idle_count++;
}

/* Closes what a task that waits has open, from the innermost coroutine outwards. The closers are the task's own code. */
static void close_task(struct vm_task *t)
{
    struct vm_tasks *self = t->tasks;
    uint64_t before = self->vm ? vm_target(self->vm) : 0;
    if (self->vm)
        vm_set_target(self->vm, t->target);
    for (int i = 0; i < t->inner_count; i++)
        vm_reset(self->vm, t->inner[i]);
    t->inner_count = 0;
    vm_reset(self->vm, t->co);
    lua_settop(t->co, 0);
    if (self->vm)
        vm_set_target(self->vm, before);
}

static void remove_ready(struct vm_task *t)
{
    struct vm_tasks *self = t->tasks;
    struct vm_task **link = &self->ready, *before = NULL;
    while (*link != t) {
        before = *link;
        link = &before->next;
    }
    *link = t->next;
    self->ready_count--;
    if (self->last_ready == t)
        self->last_ready = before;
}

void vm_task_stop_waiting(struct vm_task *t)
{
    if (t->idly && t->state == PARKED) {
        struct vm_task **link = &t->tasks->idlers;
        while (*link != t)
            link = &(*link)->next_idler;
        *link = t->next_idler;
    }
    if (t->timer.index)
        heap_remove(&t->tasks->timers, &t->timer);
}

void vm_task_kill(struct vm_task *t)
{
    if (t->state == RUNNING) {
        t->doomed = true;
        return;
    }
    if (t->state == IDLE)
        return;
    vm_task_stop_waiting(t);
    if (t->state == READY)
        remove_ready(t);
    t->state = RUNNING; /* its closers run */
    close_task(t);
    vm_task_end(t, VM_TASK_KILLED, 0);
}

static struct vm_task *first_waiting(struct vm_tasks *self)
{
    struct vm_task *t = self->all;
    while (t && t->state != PARKED && t->state != READY)
        t = t->next_all;
    return t;
}

void vm_tasks_kill_all(struct vm_tasks *self)
{
    struct vm_task *t;
    while ((t = first_waiting(self)))
        vm_task_kill(t);
}

void vm_tasks_destroy(struct vm_tasks **tasks)
{
    struct vm_tasks *self = *tasks;
    if (!self)
        return;
    vm_tasks_kill_all(self);
    *tasks = NULL;
    while (self->all)
        free_task(self->all);
    if (self->vm)
        self->vm->tasks = NULL;
    else
        *self->place = NULL;
    free(self->slots);
    heap_release(&self->timers);
    free(self);
}
