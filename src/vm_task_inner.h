/* vm_task_inner.h - what vm_task.c (the life of tasks) and vm_task_run.c (their running and waiting) share. */
#ifndef VM_TASK_INNER_H
#define VM_TASK_INNER_H

#include "heap.h"
#include "vm_task.h"

enum task_state { IDLE, RUNNING, PARKED, READY };

struct vm_task {
    uint64_t id;
    struct heap_node timer;
    struct vm_tasks *tasks;
    lua_State *co;
    int anchor; /* its place in the registry */
    vm_task_ended *ended;
    void *owner;
    uint64_t target;
    double taken; /* with a meter: seconds of processor time so far */
    struct vm_task *next; /* idle or ready */
    struct vm_task *next_idler;
    struct vm_task *prev_all, *next_all;
    lua_State *waiter;     /* the coroutine it waits in */
    const void *subject;   /* what it waits for; NULL: nothing that others need to know */
    const void *event;     /* what tells its event, when values of event_type have an identity */
    int event_type;
    lua_State **inner;
    int inner_count, inner_capacity;
    int values; /* on top of co, to go on with */
    unsigned char state;
    bool has_event, timed_out, doomed;
    bool idly; /* parked, and since it was stirred */
};

struct vm_tasks {
    lua_State *L;
    struct vm *vm; /* NULL: a host's state; then the scheduler's place, which the state owns */
    struct vm_tasks **place;
    uint64_t base;
    uint32_t last_id;
    uint32_t count;
    struct vm_task **slots; /* the live ones, by the lower bits of their ids */
    uint32_t slot_mask;
    struct heap timers;
    struct vm_task *ready, *last_ready;
    uint32_t ready_count;
    struct vm_task *idlers; /* parked idly */
    struct vm_task *idle;
    int idle_count;
    struct vm_task *all;
    struct vm_task *running;
    struct vm_task *parking; /* on its way down to its own coroutine */
    lua_State *co;
    int rigid;
    bool timed_out;
    void *host; /* the jobs room's */
    struct vm_work *work; /* NULL: none */
    struct meter *meter;  /* NULL: none */
};

/* The coroutine is finished or reset: its owner is told, and it may serve the next task. */
void vm_task_end(struct vm_task *self, int status, int count);

/* A parked task waits no more: neither for a time nor idly. */
void vm_task_stop_waiting(struct vm_task *self);

#endif
