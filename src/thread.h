/* thread.h - OS threads: start, name, await with a timeout, signal. pthread_create appears nowhere else.
 *
 * An ended thread may be kept parked and serve the next start. All signals but the interrupt's, and those
 * that report a fault of the thread itself, are blocked in it. A handle is for one thread at a time;
 * thread_signal is for any that knows the handle still exists.
 */
#ifndef THREAD_H
#define THREAD_H

#include <stdbool.h>

struct thread;

/* Runs fn(arg) on a thread named `name` (cut to 15 bytes). 0, TROUPE_ENOMEM, TROUPE_ELIMIT. */
int thread_start(struct thread **out, const char *name, void (*fn)(void *arg), void *arg);

/* Awaits fn's return, at most so many seconds (negative: for ever), then frees the handle and nulls it.
 * 0; TROUPE_ETIMEDOUT or TROUPE_EINTR, or TROUPE_EDEAD (the thread stayed behind in the process this one
 * was forked from): then the handle lives on. */
int thread_join(struct thread **self, double timeout);

/* True once fn has returned. */
bool thread_ended(struct thread *self);

/* Makes the eventfd readable once fn has returned; negative: no more. */
void thread_tell_end(struct thread *self, int eventfd);

/* Lets it end by itself; the handle is gone. */
void thread_detach(struct thread **self);

/* Sends the interrupt signal to the thread while fn runs; nothing before, nothing once it has returned. */
void thread_signal(struct thread *self);

/* The name that the running thread has from now on, until it ends. */
void thread_set_name(const char *name);

/* What an ended thread does, unseen, before it parks. One for the program; the last one set counts. */
void thread_set_idle_work(void (*work)(void));

/* Between the two, a thread of ours has the signal mask of the program that loaded us: for processes it
 * starts, which inherit it. In other threads they do nothing. */
void thread_lift_mask(void);
void thread_restore_mask(void);

/* Processors this process may run on. */
int thread_cores(void);

#endif
