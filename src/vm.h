/* vm.h - one lua_State and what belongs to it: its memory, which coroutine runs, how to break into it.
 *
 * All functions but vm_interrupt are for the thread that owns the vm: the first that calls into it, until
 * vm_destroy, which comes before that thread ends. vm_interrupt may come from any thread that knows the vm
 * still exists.
 */
#ifndef VM_H
#define VM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lua.h>

struct vm;

struct vm_options {
    size_t memory_limit; /* bytes its Lua objects may take; 0: no limit */
    const char *path;    /* package.path; NULL: Lua's default */
    const char *cpath;
    const char *libs;    /* standard libraries there shall be besides the basic functions, comma-separated; NULL: all */
    const unsigned char *preload; /* for package.preload: addresses of C functions, each with its name behind it and a zero */
    size_t preload_bytes;
    int (*open)(lua_State *L); /* the floor above: fills package.preload; run under a pcall. May be NULL */
};

/* A state with all standard libraries, coroutine.resume, wrap and close tracked. May hand out one that was
 * made ahead of time. 0, TROUPE_ENOMEM, or TROUPE_EINVAL when `open` failed. */
int vm_new(struct vm **out, const struct vm_options *options);

/* Closes the state (its finalisers run here) and nulls the pointer; NULL is fine. */
void vm_destroy(struct vm **self);

/* Makes a vm ahead of time if recent vm_new calls want one. For idle threads, whichever. */
void vm_prepare(void);

lua_State *vm_state(struct vm *self);

/* The vm a state or coroutine belongs to; NULL for a state that a host made. */
struct vm *vm_of(lua_State *L);

size_t vm_memory(const struct vm *self);

/* lua_pcall with a traceback as message handler, tracked so that an interrupt finds the running state.
 * Error values that are neither strings nor have __tostring become "(error object is a TYPE value)". */
int vm_call(struct vm *self, int nargs, int nresults);

/* f(L, context) under a pcall; its status, or TROUPE_ENOMEM when it raised. */
int vm_protect(struct vm *self, int (*f)(lua_State *L, void *context), void *context);

/* lua_resume, tracked. `self` may be NULL: a host's state, plainly resumed. */
int vm_resume(struct vm *self, lua_State *co, lua_State *from, int nargs, int *nresults);

/* lua_resetthread, tracked, `self` as above: closes what co left open; its status. */
int vm_reset(struct vm *self, lua_State *co);

/* What an interrupt must be meant for: the number of the job that now runs, below 2^62; 0: none in
 * particular. */
void vm_set_target(struct vm *self, uint64_t target);
uint64_t vm_target(const struct vm *self);

enum vm_interrupt {
    VM_INTERRUPT_OFF,
    VM_INTERRUPT_ONCE,  /* with a target: until it has ended; without: raised once, when code next runs */
    VM_INTERRUPT_ALWAYS /* until OFF */
};

/* Makes the running Lua code raise VM_INTERRUPTED, in whatever coroutine, again and again as said above,
 * and blocked system calls return EINTR. A target that is not running: nothing happens. Error handlers
 * (xpcall's) and finalisers run without hooks in Lua: those alone finish first. */
void vm_interrupt(struct vm *self, enum vm_interrupt how, uint64_t target);

/* A C function that closes what must be closed whatever is broken into: called, it runs, and what comes then is broken into. It
 * is short, and runs no Lua. Any thread, once for all vms. */
void vm_interrupt_spare(lua_CFunction closer);

/* Takes a request for that target back. From any thread that knows the vm still exists. */
void vm_calm(struct vm *self, uint64_t target);

/* True while what runs has that target. From any thread that knows the vm still exists. */
bool vm_runs(struct vm *self, uint64_t target);

/* True while what has that target runs on although it was broken into: it is in C. A thread without a processor is not taken
 * for stuck, for a few seconds. From any thread that knows the vm still exists. */
bool vm_is_stuck(struct vm *self, uint64_t target);

/* True when what has that target is being broken into. */
bool vm_is_interrupted(const struct vm *self, uint64_t target);

/* The owner's own limit to what runs now, under the target of now: once so many seconds have passed it is broken into as by
 * VM_INTERRUPT_ALWAYS, until vm_limit_end. One at a time. 0, or TROUPE_ELIMIT: no signal or no timer can be had. */
int vm_limit(struct vm *self, double seconds);

/* Nothing is broken into any more. True when the limit was reached. */
bool vm_limit_end(struct vm *self);

/* The text that interrupted code fails with. */
extern const char VM_INTERRUPTED[];

#endif
