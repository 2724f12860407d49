/* signals.c - from a signal handler, where nearly nothing may be done, to a thread that may do everything.
 *
 *     handler (any thread)          watcher (its own thread)
 *     seen = number; post bell ───▶ direct:   vm_interrupt
 *     second: _exit                 deferred: stop_throw, a letter that wakes the vm
 *
 * Invariants:
 *  1. `seen` goes from 0 to a number once;
 *  2. the watcher uses `vm` only between signals_take and signals_release, which awaits its end.
 */
#include "signals.h"

#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "mailbox.h"
#include "message.h"
#include "stop.h"
#include "thread.h"
#include "troupe.h"

static sem_t bell;
static atomic_int seen;
static atomic_bool ending;
static _Atomic uint64_t told; /* the address that gets a letter; 0: signals break in */
static struct vm *target;
static struct thread *watcher;

enum { STATUS_OF_SIGNAL = 128 };

static void on_signal(int number)
{
    int saved = errno, none = 0;
    if (!atomic_compare_exchange_strong(&seen, &none, number))
        _exit(STATUS_OF_SIGNAL + none);
    sem_post(&bell);
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
    (void)arg;
    while (!atomic_load(&ending)) {
        if (sem_wait(&bell) == 0 && !atomic_load(&ending) && atomic_load(&seen))
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
    return sigaction(number, &action, NULL) ? TROUPE_EINVAL : 0;
}

int signals_take(struct vm *vm)
{
    target = vm;
    if (sem_init(&bell, 0, 0))
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

void signals_release(void)
{
    atomic_store(&ending, true);
    sem_post(&bell);
    thread_join(&watcher, -1);
}
