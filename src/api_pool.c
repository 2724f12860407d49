/* api_pool.c - the pool for C programs: a client of the node, as a vm is, but without a vm.
 *
 *     open --troupe_pool_finish--> finishing --troupe_pool_destroy--> (gone)
 *
 * Entered by the owner's thread alone.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "address.h"
#include "api_inner.h"
#include "clock.h"
#include "lua_loop.h"
#include "mailbox.h"
#include "node.h"
#include "order.h"
#include "thread.h"

/* How long the node's word that a pool has ended may take: its own graces, and then some. */
static const double end_within = 10;

/* Letters that answer nothing: a task syncs. */
static void other_letter(void *owner, struct message **letter, void *context)
{
    (void)context;
    if (message_header(*letter)->kind == MAIL_NOTIFY)
        api_task_syncs(owner, message_header(*letter)->id);
}

static int error_of(int rc)
{
    return rc == TROUPE_ENOMEM ? ENOMEM : rc == TROUPE_ELIMIT ? EMFILE : EINVAL;
}

/* The order for the node: name, and Lua's own search paths. */
static int post_open(struct troupe_pool *self)
{
    const char *name = self->args.name;
    struct pool_order order = {.workers = self->threads, .path_size = 1, .cpath_size = 1};
    struct message *m = message_new(MAIL_OPEN);
    if (!m)
        return TROUPE_ENOMEM;
    order.name_size = (uint32_t)strlen(name) + 1;
    message_header(m)->pool = self->id;
    if (buffer_append(&m->bytes, &order, sizeof order) || buffer_append(&m->bytes, name, order.name_size) ||
        buffer_append(&m->bytes, "\0", 2)) {
        message_destroy(&m);
        return TROUPE_ENOMEM;
    }
    return ear_post(self->ear, NULL, &m);
}

static int enter(struct troupe_pool *self)
{
    int rc = ear_open(&self->ear, other_letter, self);
    if (rc)
        return rc;
    rc = node_enter(&lua_loop_hooks, self->ear);
    if (rc)
        return rc;
    self->entered = true;
    self->id = node_new_pool_id();
    return post_open(self);
}

static void leave(struct troupe_pool *self)
{
    if (self->descriptor >= 0) {
        mailbox_set_eventfd(ear_mailbox(self->ear), -1);
        close(self->descriptor);
    }
    if (self->entered)
        node_leave(&self->ear);
    ear_close(&self->ear);
    native_gauge_drop(&self->gauge);
    free((char *)self->args.name);
    free(self);
}

struct troupe_pool *troupe_pool_create(const struct troupe_pool_args *args)
{
    struct troupe_pool *self = calloc(1, sizeof *self);
    if (!self)
        return NULL; /* errno is calloc's */
    self->args = *args;
    self->args.name = strdup(args->name ? args->name : "pool");
    self->threads = args->threads > 0 ? args->threads : thread_cores() + args->threads;
    if (self->threads < 1)
        self->threads = 1;
    self->descriptor = -1;
    self->tasks.next = self->tasks.prev = &self->tasks;
    self->groups.next = self->groups.prev = &self->groups;
    self->changed_end = &self->changed;
    self->gauge = native_gauge_new();
    int rc = self->args.name && self->gauge ? enter(self) : TROUPE_ENOMEM;
    if (rc == 0)
        return self;
    leave(self);
    errno = error_of(rc);
    return NULL;
}

/* The descriptor is readable exactly while letters are here or changes are to be told. */
static void rearm(struct troupe_pool *self)
{
    eventfd_t count;
    if (self->descriptor < 0)
        return;
    eventfd_read(self->descriptor, &count);
    if (self->changed || mailbox_has_letters(ear_mailbox(self->ear)))
        eventfd_write(self->descriptor, 1);
}

int troupe_pool_descriptor(struct troupe_pool *self)
{
    if (self->descriptor >= 0)
        return self->descriptor;
    self->descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (self->descriptor < 0)
        return -1;
    mailbox_set_eventfd(ear_mailbox(self->ear), self->descriptor);
    rearm(self);
    return self->descriptor;
}

static void take_letters(struct troupe_pool *self)
{
    while (ear_turn(self->ear, NULL))
        ;
}

/* As many as there are now: on_change may make others change, for ever. It may reap those that follow, too. */
static int tell_changes(struct troupe_pool *self)
{
    int count = 0, most = 0;
    for (const struct troupe_task *t = self->changed; t; t = t->next_changed)
        most++;
    for (; count < most && self->changed; count++) {
        struct troupe_task *task = self->changed;
        self->changed = task->next_changed;
        if (!self->changed)
            self->changed_end = &self->changed;
        task->changed = false;
        void *user;
        enum troupe_task_status status = troupe_task_peek(task, &user);
        if (self->args.on_change)
            self->args.on_change(task, user, status);
    }
    return count;
}

int troupe_pool_turn(struct troupe_pool *self, double timeout)
{
    double deadline = timeout > 0 ? clock_now() + timeout : 0;
    take_letters(self);
    while (!self->changed && timeout != 0) {
        double left = timeout < 0 ? -1 : deadline - clock_now();
        if (timeout > 0 && left <= 0)
            break;
        if (ear_wait(self->ear, left, true, -1) == TROUPE_EINTR)
            break;
        take_letters(self);
    }
    int count = tell_changes(self);
    rearm(self);
    return count;
}

void troupe_pool_diagnose(const struct troupe_pool *self, struct troupe_pool_diagnosis *out)
{
    *out = self->counts;
    out->threads = self->threads;
    for (const struct troupe_task *t = self->tasks.next; t != &self->tasks; t = t->next) {
        enum troupe_task_status status = troupe_task_peek(t, NULL);
        out->queued += status == TROUPE_TASK_QUEUED;
        out->running += status == TROUPE_TASK_RUNNING;
        out->syncing += status == TROUPE_TASK_SYNCING;
        out->stopping += status == TROUPE_TASK_STOPPING;
        out->ended += t->ended;
        out->begun += !t->ended && atomic_load(&t->native->began) > 0;
    }
}

void troupe_pool_dump(const struct troupe_pool *self, FILE *file)
{
    static const char *const words[] = {"queued", "running", "syncing", "stopping", "finished", "stopped", "failed"};
    double now = clock_now();
    struct troupe_pool_diagnosis n;
    troupe_pool_diagnose(self, &n);
    fprintf(file, "pool %s: %d threads at most, %d queued, %d running, %d syncing, %d stopping, %d ended and not reaped\n",
            self->args.name, n.threads, n.queued, n.running, n.syncing, n.stopping, n.ended);
    for (const struct troupe_task *t = self->tasks.next; t != &self->tasks; t = t->next) {
        double began = atomic_load(&t->native->began);
        fprintf(file, "  %s: %s, queued %.3f s ago", t->name ? t->name : "(no name)", words[troupe_task_peek(t, NULL)],
                now - t->queued_at);
        if (began > 0)
            fprintf(file, ", began %.3f s ago", now - began);
        fputs("\n", file);
    }
}

void troupe_pool_finish(struct troupe_pool *self)
{
    self->finishing = true;
    for (struct troupe_task *t = self->tasks.next, *next; t != &self->tasks; t = next) {
        next = t->next;
        troupe_task_dequeue(t); /* may reap it */
    }
}

/* The node's word that the pool has ended. */
struct closing {
    struct future future; /* first */
    bool ended;
};

static bool closed(struct future *future, struct message **letter, void *context)
{
    (void)letter;
    (void)context;
    ((struct closing *)future)->ended = true;
    return false;
}

static void await_end(struct troupe_pool *self)
{
    struct closing closing = {.future = {.resolve = closed}};
    double deadline = clock_now() + end_within;
    struct message *m = message_new(MAIL_CLOSE);
    if (!m || ear_expect(self->ear, &closing.future)) {
        message_destroy(&m);
        return; /* it ends when its owner leaves */
    }
    message_header(m)->pool = self->id;
    message_header(m)->flags = FLAG_SOON;
    if (ear_post(self->ear, &closing.future, &m) == 0)
        while (take_letters(self), !closing.ended && clock_now() < deadline)
            ear_wait(self->ear, deadline - clock_now(), true, -1);
    ear_forget(self->ear, &closing.future);
}

void troupe_pool_destroy(struct troupe_pool **pool)
{
    struct troupe_pool *self = *pool;
    *pool = NULL;
    if (!self)
        return;
    troupe_pool_finish(self);
    await_end(self);
    while (self->groups.next != &self->groups)
        troupe_group_close(self->groups.next);
    while (self->tasks.next != &self->tasks) {
        struct troupe_task *task = self->tasks.next;
        task->detached = true;
        if (task->ended)
            api_task_reap(task);
        else
            api_task_give_up(task);
    }
    leave(self);
}
