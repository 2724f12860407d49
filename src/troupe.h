/* troupe.h - troupe for C programs: statuses, versions, the pool.
 *
 * Every function that can fail returns 0 or one of the negative statuses below; troupe_strerror names it.
 * This header is also the vocabulary of the library's own floors: it includes nothing of theirs.
 */
#ifndef TROUPE_H
#define TROUPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TROUPE_VERSION_MAJOR 0
#define TROUPE_VERSION_MINOR 1
#define TROUPE_VERSION_PATCH 0

#if defined(__GNUC__)
#define TROUPE_API __attribute__((visibility("default")))
#else
#define TROUPE_API
#endif

enum troupe_status {
    TROUPE_OK = 0,
    TROUPE_ENOMEM = -1,    /* memory ran out; nothing changed */
    TROUPE_ETIMEDOUT = -2, /* the time given has passed */
    TROUPE_EDEAD = -3,     /* the other side is gone for good */
    TROUPE_EINVAL = -4,    /* an argument is outside what the function takes */
    TROUPE_EBADMSG = -5,   /* bytes that are no valid encoding */
    TROUPE_ELIMIT = -6,    /* a limit of the system: descriptors, threads, boxes */
    TROUPE_EFULL = -7,     /* a bounded queue is full */
    TROUPE_EINTR = -8,     /* a signal or interrupt came first */
    TROUPE_EREFUSED = -9   /* the value may not cross between vms */
};

/* One English line for a status; never NULL, never to be freed. */
TROUPE_API const char *troupe_strerror(int status);

/* "0.1.0"; never to be freed. */
TROUPE_API const char *troupe_version(void);

/* ---- the pool ----
 *
 * Tasks are C functions that run on a pool's threads, in steps; the loop of the program, its owner, hears of what they do by
 * a descriptor. In the shape of libwebsockets' lws_threadpool.
 *
 *     queued -> running <-> syncing -> finished | stopped
 *        |         `-> stopping -> stopped | finished
 *        `-> stopped
 *
 * A pool, its tasks and groups are for one thread at a time, the one that made it. Only `run` is called elsewhere.
 */
struct troupe_pool;
struct troupe_task;
struct troupe_group;

enum troupe_task_status {
    TROUPE_TASK_QUEUED,
    TROUPE_TASK_RUNNING,
    TROUPE_TASK_SYNCING,  /* it waits for troupe_task_sync */
    TROUPE_TASK_STOPPING, /* it runs, and was asked to end */
    TROUPE_TASK_FINISHED,
    TROUPE_TASK_STOPPED,  /* it ended because it was asked to, or never began */
    TROUPE_TASK_FAILED    /* Lua: it raised an error */
};

/* What a step of a task says. */
enum troupe_task_return {
    TROUPE_CHECKING_IN, /* call me again, at once */
    TROUPE_SYNC,        /* call me again when the owner has called troupe_task_sync; the thread does other work meanwhile */
    TROUPE_FINISHED,
    TROUPE_STOPPED,
    TROUPE_OUTLIVE = 64 /* or'ed with one of these: from now on it goes on when its group is closed */
};

/* A step, on a thread of the pool. The status is TROUPE_TASK_RUNNING or TROUPE_TASK_STOPPING: then it should end soon. */
typedef int troupe_run(void *user, enum troupe_task_status status);

struct troupe_pool_args {
    int threads;         /* most threads; 0 or less: the processors plus this number. They start on demand */
    int max_queue_depth; /* most tasks that have not begun; 0: no limit */
    const char *name;    /* of its threads; NULL: "pool". Copied */
    /* Called from troupe_pool_turn for each task that syncs or has ended; NULL: nothing is. May reap the task. */
    void (*on_change)(struct troupe_task *task, void *user, enum troupe_task_status status);
};

struct troupe_task_args {
    troupe_run *run;
    void (*cleanup)(void *user); /* called once, in the owner's thread, when the ended task is reaped; NULL: nothing is */
    void *user;
    struct troupe_group *group;  /* NULL: none */
    const char *name;            /* for troupe_pool_dump; NULL: none. Copied */
    bool outlive;                /* goes on when its group is closed */
};

/* NULL with errno: ENOMEM, EMFILE (descriptors, threads), EINVAL (a forked child). */
TROUPE_API struct troupe_pool *troupe_pool_create(const struct troupe_pool_args *args);

/* A descriptor, the pool's own, that is readable while troupe_pool_turn has something to tell. Negative: none to be had. */
TROUPE_API int troupe_pool_descriptor(struct troupe_pool *pool);

/* Takes in what tasks did, and calls on_change. Waits for the first at most so many seconds, negative: for ever; 0: not at
 * all. How many tasks changed. */
TROUPE_API int troupe_pool_turn(struct troupe_pool *pool, double timeout);

/* Puts a task into the queue. It is the owner's until it is reaped, or detached by the closing of its group.
 * NULL with errno: EAGAIN (max_queue_depth), ESHUTDOWN (after troupe_pool_finish), ENOMEM, EINVAL (no run; a group of
 * another pool). */
TROUPE_API struct troupe_task *troupe_pool_enqueue(struct troupe_pool *pool, const struct troupe_task_args *args);

/* Puts Lua into the queue: source, "module:function" or "@file.lua", called with `size` bytes of MessagePack, one value after
 * the other, as arguments. Its results: troupe_task_result. Errors as above. */
TROUPE_API struct troupe_task *troupe_pool_submit_lua(struct troupe_pool *pool, const char *source, const void *msgpack,
                                                      size_t size);

/* What a task is at; *user (NULL is fine) becomes its user pointer. One that has ended is reaped: cleanup is called, and the
 * task is gone. */
TROUPE_API enum troupe_task_status troupe_task_status(struct troupe_task *task, void **user);

/* The same without reaping. */
TROUPE_API enum troupe_task_status troupe_task_peek(const struct troupe_task *task, void **user);

/* What Lua returned, as MessagePack, one value after the other; of one that failed the error and its traceback. The task's,
 * until it is reaped. NULL before it has ended, and for tasks in C. */
TROUPE_API const void *troupe_task_result(const struct troupe_task *task, size_t *size);

/* Lets a syncing task go on, with `stop` to its end. TROUPE_EINVAL: it is not syncing. */
TROUPE_API int troupe_task_sync(struct troupe_task *task, bool stop);

/* Asks a task to end: one in the queue never begins, one that runs or syncs is called with TROUPE_TASK_STOPPING. Its end is
 * told as any other. */
TROUPE_API void troupe_task_dequeue(struct troupe_task *task);

/* What a client's tasks have in common. NULL with errno ENOMEM. */
TROUPE_API struct troupe_group *troupe_group_create(struct troupe_pool *pool);

/* The client is gone: its tasks are dequeued, but for those that outlive it, and all of them are the pool's from now on: it
 * reaps them when they end. The group is freed; NULL is fine. */
TROUPE_API void troupe_group_close(struct troupe_group *group);

struct troupe_pool_diagnosis {
    int threads;   /* most */
    int queued, running, syncing, stopping;
    int ended;     /* and not reaped */
    unsigned long long begun, finished, stopped, failed; /* since the pool was made */
};

TROUPE_API void troupe_pool_diagnose(const struct troupe_pool *pool, struct troupe_pool_diagnosis *out);

/* A line for the pool and one for each task: name, status, seconds since it was queued and since it began. */
TROUPE_API void troupe_pool_dump(const struct troupe_pool *pool, FILE *file);

/* No task is taken any more; queued ones never begin, others are asked to end. Does not wait. */
TROUPE_API void troupe_pool_finish(struct troupe_pool *pool);

/* Finishes, waits for the tasks, reaps them, and frees the pool with its groups. A thread stuck in a step for two seconds is
 * left to itself; its task is reaped as stopped. Nulls the pointer; NULL is fine. */
TROUPE_API void troupe_pool_destroy(struct troupe_pool **pool);

#ifdef __cplusplus
}
#endif

#endif
