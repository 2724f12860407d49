/* signals.c - from a signal handler, where nearly nothing may be done, to a thread that may do everything.
 *
 *     handler (any thread)          watcher (its own thread)
 *     seen = number; ring bell ───▶ direct:   vm_interrupt
 *     second: _exit                 deferred: stop_throw, a letter that wakes the vm
 *
 * Invariants:
 *  1. `seen` goes from 0 to a number once;
 *  2. the watcher uses `vm` only between signals_take and signals_release, which awaits its end.
 */
#include "signals.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mailbox.h"
#include "message.h"
#include "sanitizer.h"
#include "stop.h"
#include "thread.h"
#include "troupe.h"

static int bell = -1;    /* an eventfd */
static int hangups = -1; /* another */
static atomic_int seen;
static atomic_bool ending;
static _Atomic uint64_t told; /* the address that gets a letter; 0: signals break in */
static struct vm *target;
static struct thread *watcher;

enum { STATUS_OF_SIGNAL = 128 };

#if WITH_TSAN
/* ThreadSanitizer's sigaction puts signals off until the thread calls into libc, which a Lua loop never does. */
extern int __sigaction(int number, const struct sigaction *action, struct sigaction *old);
#define set_action __sigaction
#else
#define set_action sigaction
#endif

/* Without libc between, which a sanitizer may have taken over: it is called from the handler too. */
NO_TSAN static void ring(void)
{
    const uint64_t one = 1;
    syscall(SYS_write, bell, &one, sizeof one);
}

NO_TSAN static void on_signal(int number)
{
    int saved = errno, none = 0;
    if (!atomic_compare_exchange_strong(&seen, &none, number))
        _exit(STATUS_OF_SIGNAL + none);
    ring();
    errno = saved;
}

/* A letter that says nothing: whoever waits for mail wakes up. */
static void wake(uint64_t address)
{
    struct mailbox *box;
    if (mailbox_open(&box, MAILBOX_ANY))
        return;
    struct message *letter = message_new(MAIL_NONE);
    if (letter) {
        message_header(letter)->to = address;
        mailbox_post(box, &letter);
        message_destroy(&letter);
    }
    mailbox_close(&box);
}

static void act(void)
{
    uint64_t address = atomic_load(&told);
    if (address) {
        stop_throw();
        wake(address);
    } else {
        vm_interrupt(target, VM_INTERRUPT_ONCE, 0);
    }
}

static void watch(void *arg)
{
    uint64_t rings;
    (void)arg;
    while (!atomic_load(&ending)) {
        if (read(bell, &rings, sizeof rings) > 0 && !atomic_load(&ending))
            act();
    }
    message_release_cache();
}

static int handle(int number)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGINT);
    sigaddset(&action.sa_mask, SIGTERM);
    return set_action(number, &action, NULL) ? TROUPE_EINVAL : 0;
}

int signals_take(struct vm *vm)
{
    target = vm;
    bell = eventfd(0, EFD_CLOEXEC);
    if (bell < 0)
        return TROUPE_ELIMIT;
    int rc = thread_start(&watcher, "troupe signals", watch, NULL);
    if (rc == 0)
        rc = handle(SIGINT);
    if (rc == 0)
        rc = handle(SIGTERM);
    return rc;
}

void signals_defer(uint64_t address)
{
    atomic_store(&told, address);
}

int signals_seen(void)
{
    return atomic_load(&seen);
}

NO_TSAN static void on_hangup(int number)
{
    int saved = errno;
    const uint64_t one = 1;
    (void)number;
    syscall(SYS_write, hangups, &one, sizeof one);
    errno = saved;
}

int signals_hangups(void)
{
    struct sigaction action = {.sa_handler = on_hangup, .sa_flags = SA_RESTART};
    if (hangups >= 0)
        return hangups;
    hangups = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    sigemptyset(&action.sa_mask);
    if (hangups >= 0)
        set_action(SIGHUP, &action, NULL);
    return hangups;
}

void signals_release(void)
{
    atomic_store(&ending, true);
    ring();
    thread_join(&watcher, -1);
}
