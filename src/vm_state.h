/* vm_state.h - what a vm is made of, for the vm's own rooms only. */
#ifndef VM_STATE_H
#define VM_STATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "vm.h"
#include "vm_memory.h"

enum vm_warning { WARNINGS_OFF, WARNINGS_ON, WARNING_CONTINUES };

struct vm {
    lua_State *L;
    struct vm_memory memory;
    struct vm_tasks *tasks; /* its scheduler, NULL: none yet */
    enum vm_warning warning;

    _Atomic(lua_State *) running; /* whose code runs: there a signal arms the hook. NULL: none. The owner's */
    _Atomic uint64_t request;     /* an interrupt asked for: target << 2 | enum vm_interrupt */
    _Atomic uint64_t target;      /* the owner's; others only look */
    _Atomic uint64_t reached;     /* the request for which the handler armed the hook last. The handler's */

    double limit_at;         /* when the limit is reached; 0: there is none. The owner's, its handler's too */
    uint64_t limit_target;   /* what it is meant for */
    _Atomic bool overdue;    /* it was reached */
    bool limit_made;
    timer_t limit;           /* sends the signal then, and again until vm_limit_end */

    pthread_mutex_t lock; /* over what follows */
    bool owned;
    pthread_t owner;
    long owner_tid;
    double asked_at; /* when the request came that is asked for now */
    atomic_bool timer_made;
    timer_t timer; /* sends the signal again while a request is not answered */
};

/* Interrupts: the part of the life that belongs to vm_interrupt.c. */
void vm_interrupt_init(struct vm *self);
void vm_interrupt_release(struct vm *self);

/* What a tracked call must put back. */
struct vm_track {
    void *outer;        /* the thread's aim before */
    lua_State *running; /* the vm's running state before */
};

/* From here to vm_leave, L's code is what an interrupt of the vm finds. */
struct vm_track vm_enter(struct vm *self, lua_State *L);
void vm_leave(struct vm *self, struct vm_track track);

/* Replaces coroutine.resume, wrap and close by tracked ones, and os.exit by one that ends the program
 * once. Raises memory errors. */
void vm_track_libraries(lua_State *L);

/* Takes the standard libraries away that are not in the comma-separated list; without `package`, require too. */
void vm_close_libraries(lua_State *L, const char *libs);

/* Fills package.preload as vm_options says. */
void vm_preload(lua_State *L, const unsigned char *preload, size_t size);

/* The part of it that a host's state gets too, once it has tasks: coroutine.resume, wrap and close. Takes the value on top,
 * which holds the address of the host's scheduler, or nil in a vm. */
void vm_track_coroutines(lua_State *L);

/* lua_WarnFunction; ud is the vm. Lua's own behaviour: off, until "@on". */
void vm_warn(void *ud, const char *message, int continues);

#endif
