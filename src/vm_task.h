/* vm_task.h - tasks: the coroutines that share a vm, and their scheduler.
 *
 * For the thread that owns the vm; a host's lua_State may have a scheduler too. Whoever waits parks its task: the one
 * way in which anything here blocks without blocking the vm.
 */
#ifndef VM_TASK_H
#define VM_TASK_H

#include <stdbool.h>
#include <stdint.h>

#include <lua.h>

#include "vm.h"

struct vm_tasks; /* the scheduler of one vm */
struct meter;
struct vm_task;  /* one coroutine, from its start to its end */

/* Told of a task's end, before its coroutine is used again. status is LUA_OK, then `count` results are on top of co; or an
 * error, then its value is on top; VM_TASK_KILLED: neither. May start, wake and kill tasks. */
typedef void vm_task_ended(struct vm_task *task, int status, int count);

enum { VM_TASK_KILLED = 100 };

/* A scheduler for L's vm; tasks get ids in `base` (an address with task 0). Raises memory errors. */
struct vm_tasks *vm_tasks_new(lua_State *L, uint64_t base);

/* The scheduler of L's vm, NULL when it has none. */
struct vm_tasks *vm_tasks_of(lua_State *L);

/* The main state of its vm. */
lua_State *vm_tasks_state(const struct vm_tasks *self);

/* A pointer kept for whoever made the scheduler. */
void vm_tasks_set_host(struct vm_tasks *self, void *host);
void *vm_tasks_host(const struct vm_tasks *self);

/* Kills all tasks, running their to-be-closed variables. The vm's state lives on. Nulls; NULL is fine. */
void vm_tasks_destroy(struct vm_tasks **self);

/* A new task with an empty coroutine, on which the caller puts a function and its arguments. NULL when memory is out. */
struct vm_task *vm_task_new(struct vm_tasks *self, vm_task_ended *ended, void *owner);

/* True when it was made to tell `ended`: then its owner is of that function's kind. */
bool vm_task_tells(const struct vm_task *self, vm_task_ended *ended);

struct vm_tasks *vm_task_scheduler(const struct vm_task *self);
lua_State *vm_task_coroutine(const struct vm_task *self);
void *vm_task_owner(const struct vm_task *self);
void vm_task_set_owner(struct vm_task *self, void *owner);
uint64_t vm_task_id(const struct vm_task *self);

/* What an interrupt must be meant for while the task runs (vm.h). */
void vm_task_set_target(struct vm_task *self, uint64_t target);
uint64_t vm_task_target(const struct vm_task *self);

/* The same for the running task, from now on. */
void vm_task_aim(struct vm_task *self, uint64_t target);

/* Runs it now, with so many arguments, to its first wait or its end; the running task, if any, goes on then. */
void vm_task_start(struct vm_task *self, int arguments);

/* The running task of the vm; NULL outside any. */
struct vm_task *vm_task_running(const struct vm_tasks *self);

/* The owner of the running task, if that was made to tell `ended`; else NULL. */
void *vm_tasks_running_owner(const struct vm_tasks *self, vm_task_ended *ended);

/* The live task of that id; NULL: none. */
struct vm_task *vm_task_find(const struct vm_tasks *self, uint64_t id);

/* True when a task of that id would be, or has been, one of these. */
bool vm_tasks_is_home(const struct vm_tasks *self, uint64_t id);

/* True when code in L may park: it runs in a task, and from here to the task's own coroutine all can yield. */
bool vm_task_may_park(struct vm_tasks *self, lua_State *L);

/* Parks the running task for the sake of `subject`: `return vm_task_park(...)`. The `event` values on top of L (0 or 1) say what it waits for.
 * k continues with the values it is woken with on top of those. until: monotonic seconds, negative: no end. */
int vm_task_park(struct vm_tasks *self, lua_State *L, const void *subject, int event, double until, lua_KContext context,
                 lua_KFunction k);

/* Parks the running task until the vm has run something else: `return vm_task_park_idly(...)`. */
int vm_task_park_idly(struct vm_tasks *self, lua_State *L, lua_KContext context, lua_KFunction k);

/* The vm has run something: who parked idly gets ready. */
void vm_tasks_stir(struct vm_tasks *self);

/* Why the task that continues in k was woken: true when its time was up. */
bool vm_task_timed_out(const struct vm_tasks *self);

/* True when it is parked for the sake of this. */
bool vm_task_waits_for(const struct vm_task *self, const void *subject);

/* True when it is parked with an event that is the value at `index`, as lua_rawequal tells. */
bool vm_task_waits_for_event(const struct vm_task *self, lua_State *L, int index);

/* A parked task goes on with the `count` values on top of L, which it takes. False when memory is out, or it is not parked: then
 * the values are only popped. */
bool vm_task_wake(struct vm_task *self, lua_State *L, int count);

/* A parked task is closed, with its to-be-closed variables; a running one when it next waits. */
void vm_task_kill(struct vm_task *self);

/* Kills all tasks but the running ones. */
void vm_tasks_kill_all(struct vm_tasks *self);

/* Runs what is ready, and what is due at `now`; of what gets ready meanwhile a little, the rest is for the next turn. True
 * when anything ran; *stirring when it was not only tasks that had parked idly. */
bool vm_tasks_turn(struct vm_tasks *self, double now, bool *stirring);

/* What a vm has to do besides its tasks: `run` is called in each turn that finds `ready` set or the deadline passed. */
struct vm_work {
    bool ready;
    double deadline; /* monotonic; negative: none */
    void (*run)(struct vm_work *self, double now);
};

/* From now on what jobs take of the processor is metered: tasks with a target that is no cleanup's. The meter is the caller's. */
void vm_tasks_set_meter(struct vm_tasks *self, struct meter *meter);

/* One for a vm; it stays the caller's. NULL: none any more. */
void vm_tasks_set_work(struct vm_tasks *self, struct vm_work *work);

/* True when a task is ready, or other work. */
bool vm_tasks_ready(const struct vm_tasks *self);

/* When the first timer is due, or other work; negative: none. */
double vm_tasks_deadline(const struct vm_tasks *self);

/* Tasks alive, the running ones included. */
uint32_t vm_tasks_count(const struct vm_tasks *self);

/* For coroutine.resume and wrap (vm_libraries.c): resumes co from L on behalf of user code. VM_TASK_PASS when the task parks:
 * the caller must yield nothing, and resume again with the values that it is continued with. */
enum { VM_TASK_PASS = -2 };
int vm_task_resume_inner(struct vm_tasks *self, lua_State *L, lua_State *co, int count, int *results);

#endif
