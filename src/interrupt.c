/* interrupt.c - the one real-time signal.
 *
 *  1. the number, once taken, never changes: threads have every other signal blocked, by that number;
 *  2. a signal the program handles is never taken from it;
 *  3. the handler touches nothing but the calling thread's interrupt_aim and errno.
 */
#include "interrupt.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "sanitizer.h"
#include "troupe.h"

_Thread_local struct interrupt_aim interrupt_aim __attribute__((tls_model("initial-exec")));

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_int taken; /* the number; written under the lock */
static _Atomic(const char *) misnomer;

#if WITH_TSAN
/* ThreadSanitizer's sigaction puts signals off until the thread calls into libc, which a Lua loop never
 * does. */
extern int __sigaction(int number, const struct sigaction *action, struct sigaction *old);
#define set_action __sigaction
#else
#define set_action sigaction
#endif

NO_TSAN static void on_signal(int number)
{
    int saved = errno;
    void *arg = interrupt_aim.arg;
    (void)number;
    if (arg)
        interrupt_aim.fn(arg);
    errno = saved;
}

static bool is_free(int number)
{
    struct sigaction action;
    if (sigaction(number, NULL, &action))
        return false;
    return !(action.sa_flags & SA_SIGINFO) && action.sa_handler == SIG_DFL;
}

static bool seize(int number)
{
    struct sigaction action;
    if (!is_free(number))
        return false;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    action.sa_flags = SA_ONSTACK;
    sigfillset(&action.sa_mask);
    return set_action(number, &action, NULL) == 0;
}

/* The number that TROUPE_SIGNAL names; 0 when it names none of the real-time ones. */
static int chosen(void)
{
    const char *value = getenv("TROUPE_SIGNAL"), *text = value;
    char *end;
    long base = 0;
    if (!text)
        return 0;
    if (strncmp(text, "SIGRTMIN", 8) == 0)
        base = SIGRTMIN;
    else if (strncmp(text, "SIGRTMAX", 8) == 0)
        base = SIGRTMAX;
    if (base)
        text += 8;
    long number = base + strtol(text, &end, 10);
    if (*end == '\0' && number >= SIGRTMIN && number <= SIGRTMAX)
        return (int)number;
    if (*value)
        atomic_store(&misnomer, value);
    return 0;
}

const char *interrupt_misnomer(void)
{
    return atomic_exchange(&misnomer, NULL);
}

static int take(void)
{
    int number = chosen();
    if (number && seize(number))
        return number;
    for (number = SIGRTMAX; number >= SIGRTMIN; number--)
        if (seize(number))
            return number;
    return 0;
}

int interrupt_take(void)
{
    if (atomic_load_explicit(&taken, memory_order_acquire))
        return 0;
    pthread_mutex_lock(&lock);
    if (!atomic_load_explicit(&taken, memory_order_relaxed))
        atomic_store_explicit(&taken, take(), memory_order_release);
    pthread_mutex_unlock(&lock);
    return interrupt_signal() ? 0 : TROUPE_ELIMIT;
}

int interrupt_signal(void)
{
    return atomic_load_explicit(&taken, memory_order_acquire);
}

void interrupt_send(pthread_t thread)
{
    int number = interrupt_signal();
    if (number)
        pthread_kill(thread, number);
}
