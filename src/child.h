/* child.h - an llthreads child: code that runs once, on a thread and in a vm of its own, and what came of it.
 *
 * For the one who holds it; child_interrupt is for any thread that knows the child still exists.
 */
#ifndef CHILD_H
#define CHILD_H

#include <stdbool.h>

#include <lua.h>

#include "buffer.h"
#include "vm.h"

struct child;

/* What shall run. */
struct child_plan {
    struct buffer code;        /* bytecode */
    struct buffer arguments;   /* values for it, encoded */
    struct buffer path, cpath; /* search paths, with their closing zero; empty: Lua's default */
    int (*open)(lua_State *L); /* for vm_options */
    char name[16];             /* of the thread */
};

void child_plan_release(struct child_plan *plan);

/* Takes the plan's buffers, leaving them empty. TROUPE_ENOMEM: then they stay. */
int child_new(struct child **out, struct child_plan *plan);

/* Lets go of the child; nulls. A running one ends by itself, then frees itself. NULL is fine. */
void child_release(struct child **self);

/* The name that its thread will have; for a child not yet started. */
void child_set_name(struct child *self, const char *name);

/* Starts it, once. Without `keep` its results are dropped. 0, TROUPE_ENOMEM or TROUPE_ELIMIT: it may be
 * tried again. */
int child_start(struct child *self, bool keep);

/* As thread_join, but the child stays. */
int child_join(struct child *self, double timeout);

/* Makes the eventfd readable when it ends; negative: no more. For a child that was started and not joined. */
void child_tell_end(struct child *self, int eventfd);

/* True when it was started and has ended, its vm closed. */
bool child_ended(struct child *self);

/* Also before it starts: then its code begins interrupted. */
void child_interrupt(struct child *self, enum vm_interrupt how);

/* Of a joined child: false and its encoded results, or true and the text of its error. */
bool child_outcome(struct child *self, const struct buffer **out);

/* Pops a function: it is called with the text that else went to stderr when a child that runs in L's vm
 * fails. */
void child_set_logger(lua_State *L);

#endif
