/* interrupt.h - the one real-time signal with which a thread is broken into: chosen, taken, sent.
 *
 * TROUPE_SIGNAL names it: a number, SIGRTMIN+n or SIGRTMAX-n. Else, or when the program handles that one, it
 * is the first real-time signal nobody handles, from SIGRTMAX down. It is taken with the first thread or
 * interrupt, and without SA_RESTART, so that blocked calls return EINTR. Any thread may enter.
 */
#ifndef INTERRUPT_H
#define INTERRUPT_H

#include <pthread.h>

/* What the signal does in a thread: fn(arg), in the handler, so only what is async-signal-safe. */
struct interrupt_aim {
    void (*fn)(void *arg);
    void *arg; /* NULL: nothing is done */
};

/* The calling thread's; initial-exec, for a handler must not allocate TLS. */
extern _Thread_local struct interrupt_aim interrupt_aim __attribute__((tls_model("initial-exec")));

/* Takes the signal; once is enough. 0, or TROUPE_ELIMIT when every real-time signal is handled by the
 * program. */
int interrupt_take(void);

/* What TROUPE_SIGNAL says, once the signal was taken, if it names no real-time signal; told once. NULL: nothing of the kind. */
const char *interrupt_misnomer(void);

/* The signal's number; 0 before it is taken. */
int interrupt_signal(void);

/* Sends it to a thread that the caller knows to exist. */
void interrupt_send(pthread_t thread);

#endif
