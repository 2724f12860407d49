/* loop.c - one vm's loop.
 *
 * A turn: tasks that are ready or due; then letters, at most LETTERS of them; then descriptors. Only when all three
 * gave nothing does it sleep, until the next of any. So neither a storm of letters nor tasks that keep each other
 * ready starve the rest.
 *
 * Invariants:
 *  1. `epoll` exists once something is watched, and holds exactly the watched descriptors;
 *  2. `outer`, once asked for, holds epoll, `letters` (an eventfd that senders write to) and `timer`, which is set to the
 *     scheduler's next deadline whenever a turn of a foreign loop ends;
 *  3. a watch that is removed while its events are being told is only marked, and freed after.
 */
#include "loop.h"

#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "clock.h"
#include "mailbox.h"
#include "troupe.h"
#include "vm_task.h"

enum { LETTERS = 64, EVENTS = 32 };

struct watch {
    int descriptor;
    uint32_t events; /* epoll's */
    bool removed;
    loop_ready *ready;
    void *context;
    struct watch *next;
};

struct loop {
    struct lua_State *L;
    struct ear *ear;
    struct vm_tasks *tasks;
    int epoll;
    struct watch *watches;
    bool telling; /* inside tell_ready */
    bool blocked; /* inside loop_listen or loop_glance */
    int outer, letters, timer;
};

struct loop *loop_new(struct lua_State *L, struct ear *ear)
{
    struct loop *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->L = L;
    self->ear = ear;
    self->epoll = self->outer = self->letters = self->timer = -1;
    self->tasks = vm_tasks_new(L, ear_address(ear));
    if (!self->tasks) {
        free(self);
        return NULL;
    }
    return self;
}

static void close_if_open(int *descriptor)
{
    if (*descriptor >= 0)
        close(*descriptor);
    *descriptor = -1;
}

static void close_descriptors(struct loop *self)
{
    if (self->letters >= 0)
        mailbox_set_eventfd(ear_mailbox(self->ear), -1);
    close_if_open(&self->letters);
    close_if_open(&self->timer);
    close_if_open(&self->outer);
}

void loop_destroy(struct loop **loop)
{
    struct loop *self = *loop;
    if (!self)
        return;
    vm_tasks_destroy(&self->tasks);
    *loop = NULL;
    while (self->watches) {
        struct watch *w = self->watches;
        self->watches = w->next;
        free(w);
    }
    close_descriptors(self);
    close_if_open(&self->epoll);
    free(self);
}

struct ear *loop_ear(const struct loop *self)
{
    return self->ear;
}

struct vm_tasks *loop_tasks(const struct loop *self)
{
    return self->tasks;
}

static void free_removed(struct loop *self)
{
    for (struct watch **link = &self->watches; *link;) {
        struct watch *w = *link;
        if (w->removed) {
            *link = w->next;
            free(w);
        } else {
            link = &w->next;
        }
    }
}

/* Tells the owners of ready descriptors, without waiting. */
static bool tell_ready(struct loop *self)
{
    struct epoll_event events[EVENTS];
    int count = self->epoll >= 0 && !self->telling ? epoll_wait(self->epoll, events, EVENTS, 0) : 0;
    if (count <= 0)
        return false;
    self->telling = true;
    for (int i = 0; i < count; i++) {
        struct watch *w = events[i].data.ptr;
        int what = (events[i].events & EPOLLIN ? POLLIN : 0) | (events[i].events & EPOLLOUT ? POLLOUT : 0);
        if (events[i].events & (EPOLLERR | EPOLLHUP))
            what |= POLLIN | POLLOUT;
        if (!w->removed)
            w->ready(w->context, w->descriptor, what);
    }
    self->telling = false;
    free_removed(self);
    return true;
}

static bool take_letters(struct loop *self)
{
    int taken = 0;
    while (taken < LETTERS && ear_turn(self->ear, self->L))
        taken++;
    return taken > 0;
}

/* Seconds from now until the earlier of two moments; negative: none. */
static double until(double a, double b)
{
    double first = a < 0 || (b >= 0 && b < a) ? b : a;
    if (first <= 0)
        return first;
    double left = first - clock_now();
    return left > 0 ? left : 0;
}

static bool run_tasks(struct loop *self, bool *stirring)
{
    bool due = vm_tasks_ready(self->tasks) || vm_tasks_deadline(self->tasks) >= 0;
    return due && vm_tasks_turn(self->tasks, clock_now(), stirring);
}

int loop_turn(struct loop *self, double deadline, bool eager)
{
    bool stirring = false, ran = run_tasks(self, &stirring);
    stirring |= take_letters(self);
    stirring |= tell_ready(self);
    if (stirring)
        vm_tasks_stir(self->tasks);
    if (ran || stirring || vm_tasks_ready(self->tasks))
        return 0;
    double timeout = until(deadline, vm_tasks_deadline(self->tasks));
    if (timeout == 0)
        return deadline >= 0 && until(deadline, -1) == 0 ? TROUPE_ETIMEDOUT : 0;
    int rc = ear_wait(self->ear, timeout, eager, self->epoll);
    if (rc != TROUPE_ETIMEDOUT)
        return rc;
    return deadline >= 0 && until(deadline, -1) == 0 ? TROUPE_ETIMEDOUT : 0;
}

bool loop_is_blocked(const struct loop *self)
{
    return self->blocked;
}

int loop_listen(struct loop *self, double deadline)
{
    bool outer = self->blocked;
    self->blocked = true;
    bool taken = take_letters(self);
    self->blocked = outer;
    if (taken)
        return 0;
    double timeout = until(deadline, -1);
    return timeout == 0 ? TROUPE_ETIMEDOUT : ear_wait(self->ear, timeout, true, -1);
}

void loop_glance(struct loop *self)
{
    if (!mailbox_has_letters(ear_mailbox(self->ear)))
        return;
    bool outer = self->blocked;
    self->blocked = true;
    take_letters(self);
    self->blocked = outer;
}

static struct watch *find_watch(const struct loop *self, int descriptor)
{
    for (struct watch *w = self->watches; w; w = w->next)
        if (w->descriptor == descriptor && !w->removed)
            return w;
    return NULL;
}

static bool add_to_outer(struct loop *self, int descriptor)
{
    struct epoll_event event = {.events = EPOLLIN};
    return descriptor >= 0 && epoll_ctl(self->outer, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

static bool open_epoll(struct loop *self)
{
    if (self->epoll >= 0)
        return true;
    self->epoll = epoll_create1(EPOLL_CLOEXEC);
    return self->epoll >= 0 && (self->outer < 0 || add_to_outer(self, self->epoll));
}

static int control(struct loop *self, int operation, struct watch *w)
{
    struct epoll_event event = {.events = w->events, .data.ptr = w};
    return epoll_ctl(self->epoll, operation, w->descriptor, &event);
}

int loop_watch(struct loop *self, int descriptor, int events, loop_ready *ready, void *context)
{
    if (find_watch(self, descriptor))
        return TROUPE_EINVAL;
    struct watch *w = malloc(sizeof *w);
    if (!w || !open_epoll(self)) {
        free(w);
        return TROUPE_ENOMEM;
    }
    *w = (struct watch){.descriptor = descriptor, .ready = ready, .context = context, .next = self->watches};
    w->events = EPOLLONESHOT | (events & POLLIN ? EPOLLIN : 0u) | (events & POLLOUT ? EPOLLOUT : 0u);
    if (control(self, EPOLL_CTL_ADD, w)) {
        free(w);
        return TROUPE_EINVAL;
    }
    self->watches = w;
    return 0;
}

void loop_watch_again(struct loop *self, int descriptor)
{
    struct watch *w = find_watch(self, descriptor);
    if (w)
        control(self, EPOLL_CTL_MOD, w);
}

void loop_unwatch(struct loop *self, int descriptor)
{
    struct watch *w = find_watch(self, descriptor);
    if (!w)
        return;
    epoll_ctl(self->epoll, EPOLL_CTL_DEL, descriptor, NULL);
    w->removed = true;
    if (!self->telling)
        free_removed(self);
}

void loop_rearm(struct loop *self)
{
    if (self->outer < 0)
        return;
    double at = vm_tasks_deadline(self->tasks);
    struct itimerspec timer = {0};
    if (at >= 0) {
        timer.it_value.tv_sec = (time_t)floor(at);
        timer.it_value.tv_nsec = (long)((at - floor(at)) * 1e9) + 1; /* zero would be no timer */
        if (timer.it_value.tv_nsec > 999999999)
            timer.it_value.tv_nsec = 999999999;
    }
    timerfd_settime(self->timer, TFD_TIMER_ABSTIME, &timer, NULL);
    eventfd_t count;
    eventfd_read(self->letters, &count);
    if (vm_tasks_ready(self->tasks) || mailbox_has_letters(ear_mailbox(self->ear)))
        eventfd_write(self->letters, 1);
}

int loop_descriptor(struct loop *self)
{
    if (self->outer >= 0)
        return self->outer;
    self->outer = epoll_create1(EPOLL_CLOEXEC);
    self->letters = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    self->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    bool open = self->outer >= 0 && add_to_outer(self, self->letters) && add_to_outer(self, self->timer) &&
                (self->epoll < 0 || add_to_outer(self, self->epoll));
    if (!open) {
        close_descriptors(self);
        return -1;
    }
    mailbox_set_eventfd(ear_mailbox(self->ear), self->letters);
    loop_rearm(self);
    return self->outer;
}
