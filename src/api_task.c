/* api_task.c - tasks of the pool for C programs, and groups of them. See troupe.h for a task's states.
 *
 * A task is a job that calls troupe.native with the task's number (lua_native.c). Its status is what the worker last wrote
 * into `native`, until its outcome is here: then it has ended.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "api_inner.h"
#include "clock.h"
#include "lua_native.h"
#include "mailbox.h"
#include "pack.h"

void api_task_note(struct troupe_task *task)
{
    struct troupe_pool *pool = task->pool;
    if (task->changed)
        return;
    task->changed = true;
    task->next_changed = NULL;
    *pool->changed_end = task;
    pool->changed_end = &task->next_changed;
}

static void forget_change(struct troupe_task *task)
{
    struct troupe_pool *pool = task->pool;
    struct troupe_task **link = &pool->changed;
    if (!task->changed)
        return;
    while (*link != task)
        link = &(*link)->next_changed;
    *link = task->next_changed;
    if (pool->changed_end == &task->next_changed)
        pool->changed_end = link;
    task->changed = false;
}

void api_task_syncs(struct troupe_pool *pool, uint64_t number)
{
    struct native *native = native_find(number);
    if (native && native->task && native->task->pool == pool)
        api_task_note(native->task);
    native_drop(&native);
}

static void end(struct troupe_task *task, enum troupe_task_status how)
{
    struct troupe_pool_diagnosis *counts = &task->pool->counts;
    task->ended = true;
    task->end = how;
    if (how == TROUPE_TASK_FINISHED)
        counts->finished++;
    else if (how == TROUPE_TASK_FAILED)
        counts->failed++;
    else
        counts->stopped++;
    if (atomic_load(&task->native->began) > 0)
        counts->begun++;
    if (task->detached)
        api_task_reap(task);
    else
        api_task_note(task);
}

/* How the job of a task ended, as its outcome says. */
static enum troupe_task_status read_end(const struct troupe_task *task, const struct message *letter)
{
    static const unsigned char yes = 0xc3;
    bool error = message_header(letter)->flags & FLAG_ERROR;
    if (!task->native->run)
        return !error ? TROUPE_TASK_FINISHED : atomic_load(&task->native->stop) ? TROUPE_TASK_STOPPED : TROUPE_TASK_FAILED;
    bool finished = !error && message_body_size(letter) == 1 && message_body(letter)[0] == yes;
    return finished ? TROUPE_TASK_FINISHED : TROUPE_TASK_STOPPED;
}

static bool resolve(struct future *future, struct message **letter, void *context)
{
    struct troupe_task *task = (struct troupe_task *)future;
    enum troupe_task_status how = read_end(task, *letter);
    (void)context;
    native_leave_queue(task->native, how);
    if (!task->native->run) {
        task->outcome = *letter;
        *letter = NULL;
    }
    end(task, how);
    return false;
}

static void ring_add(struct troupe_pool *pool, struct troupe_task *task)
{
    struct troupe_task *head = &pool->tasks;
    task->prev = head->prev;
    task->next = head;
    head->prev->next = task;
    head->prev = task;
}

void api_task_reap(struct troupe_task *task)
{
    void (*cleanup)(void *) = task->cleanup;
    void *user = task->native ? task->native->user : NULL;
    forget_change(task);
    task->prev->next = task->next;
    task->next->prev = task->prev;
    if (task->native)
        task->native->task = NULL;
    native_drop(&task->native);
    message_destroy(&task->outcome);
    free(task->name);
    free(task);
    if (cleanup)
        cleanup(user);
}

void api_task_give_up(struct troupe_task *task)
{
    ear_forget(task->pool->ear, &task->future);
    atomic_store(&task->native->stop, true);
    native_leave_queue(task->native, TROUPE_TASK_STOPPED);
    end(task, TROUPE_TASK_STOPPED);
}

/* What keeps a pool from taking a task now, as an errno; 0: nothing. */
static int refusal(const struct troupe_pool *pool, const struct troupe_task_args *args)
{
    if (args->group && args->group->pool != pool)
        return EINVAL;
    if (pool->finishing)
        return ESHUTDOWN;
    int most = pool->args.max_queue_depth;
    return most > 0 && atomic_load(&pool->gauge->queued) >= most ? EAGAIN : 0;
}

static struct troupe_task *new_task(struct troupe_pool *pool, const struct troupe_task_args *args)
{
    struct troupe_task *task = calloc(1, sizeof *task);
    if (!task)
        return NULL;
    task->future.resolve = resolve;
    task->pool = pool;
    task->group = args->group;
    task->cleanup = args->cleanup;
    task->queued_at = clock_now();
    task->name = args->name ? strdup(args->name) : NULL;
    task->native = native_new(args, ear_address(pool->ear), pool->gauge);
    if (task->native)
        task->native->task = task;
    ring_add(pool, task);
    return task;
}

static int post(struct troupe_task *task, struct message **letter)
{
    struct ear *ear = task->pool->ear;
    message_header(*letter)->pool = task->pool->id;
    if (ear_expect(ear, &task->future)) {
        message_destroy(letter);
        return TROUPE_ENOMEM;
    }
    int rc = ear_post(ear, &task->future, letter);
    if (rc)
        ear_forget(ear, &task->future);
    return rc;
}

/* The call, with the task's number as its first argument. */
static struct message *write_call(const struct troupe_task *task, const char *function)
{
    struct message *m = message_new(MAIL_SUBMIT);
    if (m && (pack_string(&m->bytes, function) || pack_unsigned(&m->bytes, task->native->number)))
        message_destroy(&m);
    return m;
}

/* A task that is on its way, with what follows its number in the call; NULL with errno. */
static struct troupe_task *launch(struct troupe_pool *pool, const struct troupe_task_args *args, const char *function,
                                  const struct buffer *more)
{
    int rc = refusal(pool, args);
    struct troupe_task *task = rc ? NULL : new_task(pool, args);
    if (!task) {
        errno = rc ? rc : ENOMEM;
        return NULL;
    }
    struct message *m = task->native ? write_call(task, function) : NULL;
    if (m && more && buffer_append(&m->bytes, more->data, more->size))
        message_destroy(&m);
    rc = m ? post(task, &m) : TROUPE_ENOMEM;
    if (rc == 0)
        return task;
    task->cleanup = NULL; /* it never was the pool's */
    if (task->native)
        native_leave_queue(task->native, TROUPE_TASK_STOPPED);
    api_task_reap(task);
    errno = rc == TROUPE_ELIMIT ? EMFILE : ENOMEM;
    return NULL;
}

struct troupe_task *troupe_pool_enqueue(struct troupe_pool *pool, const struct troupe_task_args *args)
{
    if (!args->run) {
        errno = EINVAL;
        return NULL;
    }
    return launch(pool, args, LUA_NATIVE_RUN, NULL);
}

struct troupe_task *troupe_pool_submit_lua(struct troupe_pool *pool, const char *source, const void *msgpack, size_t size)
{
    static const struct troupe_task_args plain;
    struct buffer more;
    struct troupe_task *task = NULL;
    buffer_init(&more);
    if (pack_text(&more, source, strlen(source), true) || buffer_append(&more, msgpack, size))
        errno = ENOMEM;
    else
        task = launch(pool, &plain, LUA_NATIVE_CALL, &more);
    buffer_release(&more);
    return task;
}

enum troupe_task_status troupe_task_peek(const struct troupe_task *task, void **user)
{
    if (user)
        *user = task->native->user;
    if (task->ended)
        return task->end;
    enum troupe_task_status status = (enum troupe_task_status)atomic_load(&task->native->status);
    bool stopping = (status == TROUPE_TASK_RUNNING || status == TROUPE_TASK_SYNCING) && atomic_load(&task->native->stop);
    return stopping ? TROUPE_TASK_STOPPING : status;
}

enum troupe_task_status troupe_task_status(struct troupe_task *task, void **user)
{
    enum troupe_task_status status = troupe_task_peek(task, user);
    if (task->ended)
        api_task_reap(task);
    return status;
}

const void *troupe_task_result(const struct troupe_task *task, size_t *size)
{
    *size = task->outcome ? message_body_size(task->outcome) : 0;
    return task->outcome ? message_body(task->outcome) : NULL;
}

/* Wakes a task that syncs. False: it does not. */
static bool wake(struct troupe_task *task)
{
    struct native *native = task->native;
    uint64_t waiting = native_take_waiting(native);
    if (waiting == 0)
        return false;
    atomic_store(&native->status, TROUPE_TASK_RUNNING); /* the worker does not touch it before it reads the letter */
    struct message *m = message_new(MAIL_NOTIFY);
    if (m && pack_unsigned(&m->bytes, native->number) == 0) {
        message_header(m)->to = waiting;
        message_header(m)->from = ear_address(task->pool->ear);
        mailbox_deliver(ear_mailbox(task->pool->ear), &m);
    }
    message_destroy(&m);
    return true;
}

int troupe_task_sync(struct troupe_task *task, bool stop)
{
    if (task->ended)
        return TROUPE_EINVAL;
    if (stop)
        atomic_store(&task->native->stop, true);
    return wake(task) ? 0 : TROUPE_EINVAL;
}

/* Its job need not be handed to any worker. */
static void cancel(struct troupe_task *task)
{
    struct message *m = message_new(MAIL_CANCEL);
    uint64_t id = task->future.id;
    ear_forget(task->pool->ear, &task->future);
    if (!m)
        return; /* a worker finds that there is nothing to do */
    message_header(m)->pool = task->pool->id;
    message_header(m)->id = id;
    ear_post(task->pool->ear, NULL, &m);
}

void troupe_task_dequeue(struct troupe_task *task)
{
    if (task->ended)
        return;
    atomic_store(&task->native->stop, true);
    if (native_leave_queue(task->native, TROUPE_TASK_STOPPED)) {
        cancel(task);
        end(task, TROUPE_TASK_STOPPED);
    } else {
        wake(task);
    }
}

struct troupe_group *troupe_group_create(struct troupe_pool *pool)
{
    struct troupe_group *self = calloc(1, sizeof *self);
    if (!self) {
        errno = ENOMEM;
        return NULL;
    }
    self->pool = pool;
    self->prev = pool->groups.prev;
    self->next = &pool->groups;
    self->prev->next = self;
    pool->groups.prev = self;
    return self;
}

void troupe_group_close(struct troupe_group *group)
{
    if (!group)
        return;
    struct troupe_pool *pool = group->pool;
    for (struct troupe_task *t = pool->tasks.next, *next; t != &pool->tasks; t = next) {
        next = t->next;
        if (t->group != group)
            continue;
        t->group = NULL;
        t->detached = true;
        if (t->ended)
            api_task_reap(t);
        else if (!atomic_load(&t->native->outlive))
            troupe_task_dequeue(t);
    }
    group->prev->next = group->next;
    group->next->prev = group->prev;
    free(group);
}
