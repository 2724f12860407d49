/* vm_interrupt.c - breaking into a vm from another thread.
 *
 * Only the thread that runs a lua_State may touch it. So the asking thread leaves a request and sends the
 * owner a signal; the handler, inside the owner, arms a hook on the state whose code runs, and the hook
 * raises the error.
 *
 *     asking thread                  owner
 *     request = how, target
 *     signal ──▶ on_signal:          lua_sethook(running, hook); a blocked call returns EINTR
 *                hook, very soon:    raises the error; a pcall that caught it, or the state that is
 *                                    published next, finds the hook armed again
 *                end of the target:  nothing more
 *
 *  1. interrupt_aim.arg is the vm exactly while the thread is inside vm_enter..vm_leave of it;
 *  2. `running` is a state that is alive for as long as it is published; NULL while the vm is opened, closed
 *     or idle;
 *  3. whoever publishes a state then looks at the request: a signal before, after or between finds the hook
 *     armed;
 *  4. a hook that finds no request takes itself away: a stale one costs an instruction;
 *  5. a signal that comes between the last look and a blocking call would be lost: while the request is not
 *     answered a timer sends it again;
 *  6. a limit is a request that the owner makes of itself for a moment to come: its timer signals the owner alone, and
 *     the handler looks at the clock, so that a signal that was late or meant something else does nothing;
 *  7. code is stuck that runs on although the hook was armed in its thread; before the handler has been there the thread
 *     may only lack a processor, and is given PATIENCE: it might also block the signal;
 *  8. owned, owner, timer and asked_at change under the lock, and vm_destroy disowns before it closes: nobody signals a
 *     thread that is gone or interrupts a state that is being closed.
 */
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <lauxlib.h>

#include "clock.h"
#include "interrupt.h"
#include "sanitizer.h"
#include "troupe.h"
#include "vm_state.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

const char VM_INTERRUPTED[] = "llthreads: thread was interrupted";

enum { HOW_BITS = 2, REPEAT_MS = 10 };

/* Seconds. */
static const double LIMIT_MOST = 1e8, PATIENCE = 10;

NO_TSAN static inline bool is_wanted(uint64_t request, uint64_t target)
{
    return request && (request >> HOW_BITS == 0 || request >> HOW_BITS == target);
}

NO_TSAN static inline uint64_t target_of(const struct vm *self)
{
    return atomic_load_explicit(&self->target, memory_order_relaxed);
}

NO_TSAN static inline bool is_overdue(struct vm *self)
{
    return atomic_load_explicit(&self->overdue, memory_order_relaxed) && self->limit_target == target_of(self);
}

NO_TSAN static inline bool wanted(struct vm *self)
{
    return is_overdue(self) || is_wanted(atomic_load_explicit(&self->request, memory_order_relaxed), target_of(self));
}

/* Answers the request, if there is one for what runs now; a request for one error is used up. */
static bool answer(struct vm *self)
{
    uint64_t request = atomic_load_explicit(&self->request, memory_order_relaxed);
    if (is_overdue(self))
        return true;
    while (is_wanted(request, target_of(self))) {
        if (request != VM_INTERRUPT_ONCE)
            return true;
        if (atomic_compare_exchange_weak(&self->request, &request, VM_INTERRUPT_OFF))
            return true;
    }
    return false;
}

/* Where the innermost Lua function is, as luaL_where says it of one level. */
static void push_place(lua_State *L)
{
    lua_Debug frame;
    for (int level = 0; lua_getstack(L, level, &frame); level++) {
        lua_getinfo(L, "Sl", &frame);
        if (frame.currentline > 0) {
            lua_pushfstring(L, "%s:%d: ", frame.short_src, frame.currentline);
            return;
        }
    }
    lua_pushliteral(L, "");
}

enum { SPARED_MOST = 4 };

static _Atomic(lua_CFunction) spared[SPARED_MOST];

void vm_interrupt_spare(lua_CFunction closer)
{
    for (int i = 0; i < SPARED_MOST; i++) {
        lua_CFunction none = NULL;
        if (atomic_compare_exchange_strong(&spared[i], &none, closer) || none == closer)
            return;
    }
    assert(!"there are more closers than are spared");
}

static bool is_spared(lua_State *L, lua_Debug *call)
{
    lua_getinfo(L, "f", call);
    lua_CFunction called = lua_tocfunction(L, -1);
    lua_pop(L, 1);
    for (int i = 0; called && i < SPARED_MOST; i++) {
        if (atomic_load_explicit(&spared[i], memory_order_relaxed) == called)
            return true;
    }
    return false;
}

static void hook(lua_State *L, lua_Debug *event)
{
    struct vm *self = vm_of(L);
    if (event->event == LUA_HOOKCALL && is_spared(L, event))
        return; /* the next hook finds what it did, if only that it returns */
    if (!self || !answer(self)) {
        lua_sethook(L, NULL, 0, 0);
        return;
    }
    if (!wanted(self))
        lua_sethook(L, NULL, 0, 0);
    luaL_checkstack(L, 3, NULL);
    push_place(L);
    lua_pushstring(L, VM_INTERRUPTED);
    lua_concat(L, 2);
    lua_error(L);
}

NO_TSAN static inline void arm(lua_State *L)
{
    lua_sethook(L, hook, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 1);
}

NO_TSAN static void set_timer(timer_t timer)
{
    struct itimerspec soon = { .it_value = { .tv_nsec = REPEAT_MS * 1000000L } };
    timer_settime(timer, 0, &soon, NULL);
}

/* In the handler, in the owner, inside vm_enter..vm_leave. */
NO_TSAN static void on_signal(void *arg)
{
    struct vm *self = arg;
    lua_State *L = atomic_load_explicit(&self->running, memory_order_relaxed);
    if (self->limit_at > 0 && clock_now() >= self->limit_at)
        atomic_store_explicit(&self->overdue, true, memory_order_relaxed);
    if (!L || !wanted(self))
        return;
    arm(L);
    atomic_store_explicit(&self->reached, atomic_load_explicit(&self->request, memory_order_relaxed), memory_order_relaxed);
    if (atomic_load_explicit(&self->timer_made, memory_order_acquire))
        set_timer(self->timer);
}

static inline void publish(struct vm *self, lua_State *L)
{
    atomic_store_explicit(&self->running, L, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
    if (L && wanted(self))
        arm(L);
}

static void own(struct vm *self)
{
    pthread_mutex_lock(&self->lock);
    self->owned = true;
    self->owner = pthread_self();
    self->owner_tid = syscall(SYS_gettid);
    pthread_mutex_unlock(&self->lock);
}

struct vm_track vm_enter(struct vm *self, lua_State *L)
{
    struct vm_track track = { .outer = interrupt_aim.arg,
                              .running = atomic_load_explicit(&self->running, memory_order_relaxed) };
    if (track.outer != self) {
        if (!self->owned)
            own(self);
        interrupt_aim.fn = on_signal;
        atomic_signal_fence(memory_order_seq_cst);
        interrupt_aim.arg = self;
    }
    publish(self, L);
    return track;
}

void vm_leave(struct vm *self, struct vm_track track)
{
    publish(self, track.running);
    interrupt_aim.arg = track.outer;
}

uint64_t vm_target(const struct vm *self)
{
    return target_of(self);
}

void vm_set_target(struct vm *self, uint64_t target)
{
    atomic_store_explicit(&self->target, target, memory_order_relaxed);
    lua_State *L = atomic_load_explicit(&self->running, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
    if (L && wanted(self))
        arm(L);
}

bool vm_runs(struct vm *self, uint64_t target)
{
    return target_of(self) == target && atomic_load_explicit(&self->running, memory_order_relaxed);
}

bool vm_is_stuck(struct vm *self, uint64_t target)
{
    pthread_mutex_lock(&self->lock);
    uint64_t request = atomic_load(&self->request);
    bool reached = atomic_load(&self->reached) == request || clock_now() - self->asked_at > PATIENCE;
    pthread_mutex_unlock(&self->lock);
    return request && request >> HOW_BITS == target && vm_runs(self, target) && reached;
}

bool vm_is_interrupted(const struct vm *self, uint64_t target)
{
    return is_wanted(atomic_load_explicit(&self->request, memory_order_relaxed), target);
}

/* A timer that sends the signal to the owner; whether it could be had. */
static bool make_timer(struct vm *self, timer_t *timer)
{
    struct sigevent event;
    memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = interrupt_signal();
    event.sigev_notify_thread_id = (pid_t)self->owner_tid;
    return timer_create(CLOCK_MONOTONIC, &event, timer) == 0;
}

/* Under the lock. Without a timer, for want of one, the signal comes once. */
static void repeat(struct vm *self)
{
    if (!atomic_load_explicit(&self->timer_made, memory_order_relaxed)) {
        if (!make_timer(self, &self->timer))
            return;
        atomic_store_explicit(&self->timer_made, true, memory_order_release);
    }
    set_timer(self->timer);
}

void vm_interrupt(struct vm *self, enum vm_interrupt how, uint64_t target)
{
    uint64_t request = how == VM_INTERRUPT_OFF ? 0 : target << HOW_BITS | how;
    pthread_mutex_lock(&self->lock);
    if (atomic_exchange(&self->request, request) != request) {
        atomic_store(&self->reached, 0);
        self->asked_at = clock_now();
    }
    if (request && self->owned && interrupt_take() == 0) {
        repeat(self);
        interrupt_send(self->owner);
    }
    pthread_mutex_unlock(&self->lock);
}

void vm_calm(struct vm *self, uint64_t target)
{
    pthread_mutex_lock(&self->lock);
    if (atomic_load(&self->request) >> HOW_BITS == target)
        atomic_store(&self->request, 0);
    pthread_mutex_unlock(&self->lock);
}

int vm_limit(struct vm *self, double seconds)
{
    if (!self->owned)
        own(self);
    if (interrupt_take() || (!self->limit_made && !make_timer(self, &self->limit)))
        return TROUPE_ELIMIT;
    self->limit_made = true;
    if (seconds > LIMIT_MOST)
        seconds = LIMIT_MOST;
    struct itimerspec at = { .it_interval = { .tv_nsec = REPEAT_MS * 1000000L } };
    at.it_value.tv_sec = (time_t)seconds;
    at.it_value.tv_nsec = (long)((seconds - (double)at.it_value.tv_sec) * 1e9) + 1; /* never 0, which would disarm */
    if (at.it_value.tv_nsec > 999999999L)
        at.it_value.tv_nsec = 999999999L;
    self->limit_target = target_of(self);
    atomic_signal_fence(memory_order_seq_cst);
    self->limit_at = clock_now() + seconds;
    atomic_signal_fence(memory_order_seq_cst);
    timer_settime(self->limit, 0, &at, NULL);
    return 0;
}

bool vm_limit_end(struct vm *self)
{
    static const struct itimerspec never;
    if (!self->limit_made)
        return false;
    self->limit_at = 0;
    atomic_signal_fence(memory_order_seq_cst);
    timer_settime(self->limit, 0, &never, NULL);
    return atomic_exchange_explicit(&self->overdue, false, memory_order_relaxed);
}

void vm_interrupt_init(struct vm *self)
{
    pthread_mutex_init(&self->lock, NULL);
    atomic_init(&self->running, NULL);
    atomic_init(&self->request, 0);
    atomic_init(&self->reached, 0);
    atomic_init(&self->target, 0);
    atomic_init(&self->timer_made, false);
    atomic_init(&self->overdue, false);
    self->asked_at = 0;
    self->limit_at = 0;
    self->limit_made = false;
}

void vm_interrupt_release(struct vm *self)
{
    pthread_mutex_lock(&self->lock);
    self->owned = false;
    atomic_store(&self->request, 0);
    if (atomic_exchange(&self->timer_made, false))
        timer_delete(self->timer);
    if (self->limit_made)
        timer_delete(self->limit);
    self->limit_made = false;
    pthread_mutex_unlock(&self->lock);
}
