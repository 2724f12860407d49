/* thread.h - OS threads: start, name, await with a timeout, signal. pthread_create appears nowhere else.
 *
 * An ended thread may be kept parked and serve the next start. All signals but the interrupt's are blocked in it.
 */
#ifndef THREAD_H
#define THREAD_H

struct thread;

/* Runs fn(arg) on a thread named `name` (cut to 15 bytes). 0, TROUPE_ENOMEM, TROUPE_ELIMIT. */
int thread_start(struct thread **out, const char *name, void (*fn)(void *arg), void *arg);

/* Awaits fn's return, at most so many seconds (negative: for ever), then frees the handle and nulls it.
 * 0; TROUPE_ETIMEDOUT or TROUPE_EINTR, then the handle lives on. */
int thread_join(struct thread **self, double timeout);

/* Lets it end by itself; the handle is gone. */
void thread_detach(struct thread **self);

/* Sends the interrupt signal to the thread while fn runs; nothing once it has returned. */
void thread_signal(struct thread *self);

/* Processors this process may run on. */
int thread_cores(void);

#endif
