/* loop.h - one vm's loop: its letters, its tasks and timers, its descriptors, in one wait.
 *
 * For the thread that owns the vm.
 */
#ifndef LOOP_H
#define LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "ear.h"

struct loop;
struct lua_State;
struct vm_tasks;

/* Over an ear, which stays the caller's and lives longer; makes the vm's scheduler. NULL when memory is out. */
struct loop *loop_new(struct lua_State *L, struct ear *ear);

/* Kills the tasks. Nulls; NULL is fine. */
void loop_destroy(struct loop **self);

struct ear *loop_ear(const struct loop *self);
struct vm_tasks *loop_tasks(const struct loop *self);

/* One turn: ready tasks and due timers, letters, ready descriptors; when there was none of these, waits for the next until
 * `deadline` (monotonic; negative: for ever; 0: not at all). `eager`: see mailbox_wait.
 * 0 when anything ran or may now, TROUPE_ETIMEDOUT, TROUPE_EINTR. */
int loop_turn(struct loop *self, double deadline, bool eager);

/* Waits for letters alone, where no task can run: the vm is blocked. Results as above. */
int loop_listen(struct loop *self, double deadline);

/* Handles the letters that are here, as loop_listen does, and does not wait. Costs a look at the bell when there is none. */
void loop_glance(struct loop *self);

/* True inside the two: letters that would run code must wait. */
bool loop_is_blocked(const struct loop *self);

/* Told of a ready descriptor; `events` has POLLIN and POLLOUT bits. */
typedef void loop_ready(void *context, int descriptor, int events);

/* Calls `ready` from a turn when the descriptor is; then not again before loop_watch_again.
 * 0; TROUPE_EINVAL (it cannot be watched, or is), TROUPE_ENOMEM. */
int loop_watch(struct loop *self, int descriptor, int events, loop_ready *ready, void *context);

void loop_watch_again(struct loop *self, int descriptor);

/* No more. Nothing if it is not watched. */
void loop_unwatch(struct loop *self, int descriptor);

/* A descriptor, the loop's own, that is readable whenever a turn would not wait. Negative: none to be had. */
int loop_descriptor(struct loop *self);

/* After turns that somebody else's loop drives: the descriptor is made to tell what is next. */
void loop_rearm(struct loop *self);

#endif
