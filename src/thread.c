/* thread.c - OS threads that are parked and used again.
 *
 * A thread is what the caller sees: one run of fn. A carrier is the OS thread that carries it, and later
 * others.
 *
 *     carrier:  running -> parked    [park]          at most IDLE_MAX are, the others end
 *               parked  -> running   [thread_start]  by opening its latch
 *
 *  1. a thread is freed by the last of its two holders, the carrier and the handle;
 *  2. thread.running is true only while its carrier is inside fn: under the lock a signal finds a living
 *     thread;
 *  3. a parked carrier is in `parked` exactly while nothing was handed to it;
 *  4. in a forked child there are no carriers but the forking one, and `birth` tells the handles of the
 *     parent apart.
 */
#include "thread.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "interrupt.h"
#include "latch.h"
#include "sanitizer.h"
#include "troupe.h"

enum { NAME_SIZE = 16, IDLE_MAX = 8 };

#if WITH_ASAN || WITH_TSAN
static const size_t STACK_BYTES = 8 << 20; /* instrumented frames are several times larger */
#else
static const size_t STACK_BYTES = 1 << 20; /* what hostile Lua code was seen to need, doubled */
#endif

struct thread {
    void (*fn)(void *arg);
    void *arg;
    struct latch ended;
    atomic_int holders;
    unsigned birth;       /* forks before it was started */
    pthread_mutex_t lock; /* over the three below */
    bool running;
    pthread_t id;
    int told; /* an eventfd to write to at the end; negative: none */
    char name[NAME_SIZE];
};

/* On its own stack. */
struct carrier {
    struct carrier *next; /* parked */
    struct thread *thread;
    struct latch wake;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* over parked and parked_count */
static struct carrier *parked;
static int parked_count;
static atomic_uint forks;
static _Atomic(void (*)(void)) idle_work;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static sigset_t programs_mask;
static _Thread_local bool is_carrier;

static void before_fork(void)
{
    pthread_mutex_lock(&lock);
}

static void after_fork_in_parent(void)
{
    pthread_mutex_unlock(&lock);
}

static void after_fork_in_child(void)
{
    parked = NULL;
    parked_count = 0;
    atomic_fetch_add(&forks, 1);
    pthread_mutex_unlock(&lock);
}

/* In the first thread that ever starts one: it is not ours. */
static void set_up(void)
{
    pthread_sigmask(SIG_SETMASK, NULL, &programs_mask);
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

static void release(struct thread *self)
{
    if (atomic_fetch_sub_explicit(&self->holders, 1, memory_order_acq_rel) > 1)
        return;
    pthread_mutex_destroy(&self->lock);
    free(self);
}

static void set_running(struct thread *self, bool running)
{
    pthread_mutex_lock(&self->lock);
    self->id = pthread_self();
    self->running = running;
    pthread_mutex_unlock(&self->lock);
}

static void carry(struct thread *self)
{
    pthread_setname_np(pthread_self(), self->name);
    set_running(self, true);
    self->fn(self->arg);
    set_running(self, false);
    latch_open(&self->ended);
    pthread_mutex_lock(&self->lock);
    if (self->told >= 0)
        eventfd_write(self->told, 1);
    pthread_mutex_unlock(&self->lock);
    release(self);
}

/* Parks until there is something to carry; false when enough others are parked. */
static bool park(struct carrier *self)
{
    latch_close(&self->wake);
    pthread_mutex_lock(&lock);
    bool wanted = parked_count < IDLE_MAX;
    if (wanted) {
        self->next = parked;
        parked = self;
        parked_count++;
    }
    pthread_mutex_unlock(&lock);
    while (wanted && latch_wait(&self->wake, -1) == TROUPE_EINTR)
        ;
    return wanted;
}

static struct carrier *unpark(void)
{
    pthread_mutex_lock(&lock);
    struct carrier *self = parked;
    if (self) {
        parked = self->next;
        parked_count--;
    }
    pthread_mutex_unlock(&lock);
    return self;
}

static void *live(void *arg)
{
    struct carrier self = { .thread = arg };
    is_carrier = true;
    do {
        carry(self.thread);
        void (*work)(void) = atomic_load_explicit(&idle_work, memory_order_acquire);
        if (work)
            work();
    } while (park(&self));
    return NULL;
}

/* Signals that tell of a fault in the thread itself: blocked, they would end the program without a word. */
static void unblock_faults(sigset_t *set)
{
    static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        sigdelset(set, faults[i]);
}

/* The mask our threads have. */
static void fill_mask(sigset_t *ours)
{
    sigfillset(ours);
    sigdelset(ours, interrupt_signal());
    unblock_faults(ours);
}

/* A new carrier, which inherits the mask. 0 or an errno. */
static int create(struct thread *thread)
{
    pthread_attr_t attr;
    pthread_t id;
    sigset_t ours, callers;
    int rc = pthread_attr_init(&attr);
    if (rc)
        return rc;
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    fill_mask(&ours);
    pthread_sigmask(SIG_SETMASK, &ours, &callers);
    rc = pthread_create(&id, &attr, live, thread);
    pthread_sigmask(SIG_SETMASK, &callers, NULL);
    pthread_attr_destroy(&attr);
    return rc;
}

/* Hands the thread to a carrier, a parked one if there is one. 0, TROUPE_ENOMEM, TROUPE_ELIMIT. */
static int hand_over(struct thread *thread)
{
    struct carrier *carrier = unpark();
    if (carrier) {
        carrier->thread = thread;
        latch_open(&carrier->wake);
        return 0;
    }
    int rc = create(thread);
    if (rc == 0)
        return 0;
    return rc == ENOMEM ? TROUPE_ENOMEM : TROUPE_ELIMIT;
}

int thread_start(struct thread **out, const char *name, void (*fn)(void *arg), void *arg)
{
    *out = NULL;
    pthread_once(&once, set_up);
    int rc = interrupt_take();
    if (rc)
        return rc;
    struct thread *self = calloc(1, sizeof *self);
    if (!self)
        return TROUPE_ENOMEM;
    self->fn = fn;
    self->arg = arg;
    self->told = -1;
    self->birth = atomic_load(&forks);
    atomic_init(&self->holders, 2);
    latch_close(&self->ended);
    pthread_mutex_init(&self->lock, NULL);
    strncpy(self->name, name, NAME_SIZE - 1);
    rc = hand_over(self);
    if (rc) {
        atomic_store(&self->holders, 1);
        release(self);
        return rc;
    }
    *out = self;
    return 0;
}

int thread_join(struct thread **self, double timeout)
{
    if ((*self)->birth != atomic_load(&forks) && !latch_is_open(&(*self)->ended))
        return TROUPE_EDEAD;
    int rc = latch_wait(&(*self)->ended, timeout);
    if (rc == 0)
        thread_detach(self);
    return rc;
}

void thread_tell_end(struct thread *self, int eventfd)
{
    pthread_mutex_lock(&self->lock);
    self->told = eventfd;
    if (eventfd >= 0 && latch_is_open(&self->ended))
        eventfd_write(eventfd, 1);
    pthread_mutex_unlock(&self->lock);
}

bool thread_ended(struct thread *self)
{
    return latch_is_open(&self->ended);
}

void thread_detach(struct thread **self)
{
    thread_tell_end(*self, -1); /* who is told may close the eventfd from here on */
    release(*self);
    *self = NULL;
}

void thread_signal(struct thread *self)
{
    pthread_mutex_lock(&self->lock);
    if (self->running)
        interrupt_send(self->id);
    pthread_mutex_unlock(&self->lock);
}

void thread_set_name(const char *name)
{
    char cut[NAME_SIZE] = { 0 };
    strncpy(cut, name, NAME_SIZE - 1);
    pthread_setname_np(pthread_self(), cut);
}

void thread_set_idle_work(void (*work)(void))
{
    atomic_store_explicit(&idle_work, work, memory_order_release);
}

void thread_lift_mask(void)
{
    if (is_carrier)
        pthread_sigmask(SIG_SETMASK, &programs_mask, NULL);
}

void thread_restore_mask(void)
{
    sigset_t ours;
    if (!is_carrier)
        return;
    fill_mask(&ours);
    pthread_sigmask(SIG_SETMASK, &ours, NULL);
}

int thread_cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set))
        return 1;
    int count = CPU_COUNT(&set);
    return count > 0 ? count : 1;
}
