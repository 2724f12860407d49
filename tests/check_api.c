/* check_api.c - the pool for C programs: tasks in steps, syncing, stopping, groups, Lua, and every way to the end. */
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "suite.h"
#include "troupe.h"

/* What a task of these tests does, and what became of it. */
struct script {
    int steps;          /* to check in before the end */
    int syncs;          /* to sync before that */
    bool stubborn;      /* does not end when asked to */
    int gate;           /* descriptor to read a byte from in the first step; 0: none */
    atomic_int called;
    atomic_bool was_stopping;
    int cleaned;
};

static atomic_int begun;

static int play(void *user, enum troupe_task_status status)
{
    struct script *self = user;
    char byte;
    if (atomic_fetch_add(&self->called, 1) == 0) {
        atomic_fetch_add(&begun, 1);
        while (self->gate && read(self->gate, &byte, 1) < 0)
            ck_assert_int_eq(errno, EINTR);
    }
    if (status == TROUPE_TASK_STOPPING && !self->stubborn) {
        atomic_store(&self->was_stopping, true);
        return TROUPE_STOPPED;
    }
    if (self->syncs > 0) {
        self->syncs--;
        return TROUPE_SYNC;
    }
    return self->steps-- > 0 ? TROUPE_CHECKING_IN : TROUPE_FINISHED;
}

static void clean(void *user)
{
    ((struct script *)user)->cleaned++;
}

static struct troupe_pool *open_pool(int threads, void (*on_change)(struct troupe_task *, void *, enum troupe_task_status))
{
    struct troupe_pool_args args = {.threads = threads, .name = "check", .on_change = on_change};
    struct troupe_pool *pool = troupe_pool_create(&args);
    ck_assert_ptr_nonnull(pool);
    return pool;
}

static struct troupe_task *enqueue(struct troupe_pool *pool, struct script *script, struct troupe_group *group)
{
    struct troupe_task_args args = {.run = play, .cleanup = clean, .user = script, .group = group};
    struct troupe_task *task = troupe_pool_enqueue(pool, &args);
    ck_assert_ptr_nonnull(task);
    return task;
}

/* Turns until the task is at that status. */
static void await_status(struct troupe_pool *pool, const struct troupe_task *task, enum troupe_task_status status)
{
    while (troupe_task_peek(task, NULL) != status)
        troupe_pool_turn(pool, 0.001);
}

static void await_begun(int count)
{
    while (atomic_load(&begun) < count)
        usleep(100);
}

static void reap_ended(struct troupe_task *task, void *user, enum troupe_task_status status)
{
    (void)user;
    if (status >= TROUPE_TASK_FINISHED)
        troupe_task_status(task, NULL);
}

static void let_sync(struct troupe_task *task, void *user, enum troupe_task_status status)
{
    if (status == TROUPE_TASK_SYNCING)
        ck_assert_int_eq(troupe_task_sync(task, false), 0);
    else
        reap_ended(task, user, status);
}

START_TEST(tasks_run_in_steps_and_are_cleaned_up_once)
{
    enum { COUNT = 500 };
    static struct script scripts[COUNT];
    struct troupe_pool *pool = open_pool(2, reap_ended);
    for (int i = 0; i < COUNT; i++) {
        scripts[i] = (struct script){.steps = i % 4};
        enqueue(pool, &scripts[i], NULL);
    }
    for (int told = 0; told < COUNT;)
        told += troupe_pool_turn(pool, -1);
    struct troupe_pool_diagnosis n;
    troupe_pool_diagnose(pool, &n);
    ck_assert_uint_eq(n.finished, COUNT);
    ck_assert_uint_eq(n.begun, COUNT);
    ck_assert_int_eq(n.queued + n.running + n.ended, 0);
    troupe_pool_destroy(&pool);
    ck_assert_ptr_null(pool);
    for (int i = 0; i < COUNT; i++) {
        ck_assert_int_eq(atomic_load(&scripts[i].called), i % 4 + 1);
        ck_assert_int_eq(scripts[i].cleaned, 1);
    }
}
END_TEST

START_TEST(a_task_keeps_its_status_until_it_is_reaped)
{
    struct script script = {0};
    struct troupe_pool *pool = open_pool(1, NULL);
    struct troupe_task *task = enqueue(pool, &script, NULL);
    await_status(pool, task, TROUPE_TASK_FINISHED);
    void *user = NULL;
    ck_assert_int_eq(script.cleaned, 0);
    ck_assert_int_eq(troupe_task_status(task, &user), TROUPE_TASK_FINISHED);
    ck_assert_ptr_eq(user, &script);
    ck_assert_int_eq(script.cleaned, 1);
    troupe_pool_destroy(&pool);
}
END_TEST

START_TEST(a_full_queue_takes_no_task_until_one_begins)
{
    int gate[2];
    ck_assert_int_eq(pipe(gate), 0);
    struct script first = {.gate = gate[0]}, more[3] = {{0}};
    struct troupe_pool_args args = {.threads = 1, .max_queue_depth = 2};
    struct troupe_pool *pool = troupe_pool_create(&args);
    atomic_store(&begun, 0);
    enqueue(pool, &first, NULL);
    await_begun(1);
    enqueue(pool, &more[0], NULL);
    struct troupe_task *second = enqueue(pool, &more[1], NULL);
    struct troupe_task_args task = {.run = play, .user = &more[2]};
    ck_assert_ptr_null(troupe_pool_enqueue(pool, &task));
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_int_eq(write(gate[1], "x", 1), 1);
    await_status(pool, second, TROUPE_TASK_FINISHED);
    ck_assert_ptr_nonnull(troupe_pool_enqueue(pool, &task));
    troupe_pool_destroy(&pool);
    close(gate[0]);
    close(gate[1]);
}
END_TEST

START_TEST(a_syncing_task_waits_for_its_owner_and_its_thread_does_not)
{
    struct script syncing = {.syncs = 3}, other = {0};
    struct troupe_pool *pool = open_pool(1, NULL);
    struct troupe_task *task = enqueue(pool, &syncing, NULL);
    ck_assert_int_eq(troupe_task_sync(task, false), TROUPE_EINVAL);
    for (int i = 0; i < 3; i++) {
        await_status(pool, task, TROUPE_TASK_SYNCING);
        ck_assert_int_eq(atomic_load(&syncing.called), i + 1);
        struct troupe_task *meanwhile = enqueue(pool, &other, NULL);
        await_status(pool, meanwhile, TROUPE_TASK_FINISHED);
        ck_assert_int_eq(troupe_task_status(meanwhile, NULL), TROUPE_TASK_FINISHED);
        while (troupe_task_sync(task, false))
            ck_assert_int_eq(troupe_task_peek(task, NULL), TROUPE_TASK_SYNCING);
    }
    await_status(pool, task, TROUPE_TASK_FINISHED);
    ck_assert_int_eq(troupe_task_sync(task, false), TROUPE_EINVAL);
    troupe_pool_destroy(&pool);
    ck_assert_int_eq(syncing.cleaned, 1);
    ck_assert_int_eq(other.cleaned, 3);
}
END_TEST

START_TEST(a_syncing_task_can_be_told_to_stop)
{
    struct script scripts[2] = {{.syncs = 1}, {.syncs = 1}};
    struct troupe_pool *pool = open_pool(1, NULL);
    struct troupe_task *a = enqueue(pool, &scripts[0], NULL), *b = enqueue(pool, &scripts[1], NULL);
    await_status(pool, a, TROUPE_TASK_SYNCING);
    await_status(pool, b, TROUPE_TASK_SYNCING);
    while (troupe_task_sync(a, true))
        ;
    troupe_task_dequeue(b);
    await_status(pool, a, TROUPE_TASK_STOPPED);
    await_status(pool, b, TROUPE_TASK_STOPPED);
    ck_assert(atomic_load(&scripts[0].was_stopping) && atomic_load(&scripts[1].was_stopping));
    troupe_pool_destroy(&pool);
}
END_TEST

START_TEST(dequeued_tasks_never_begin_or_are_asked_to_end)
{
    struct script running = {.steps = 1 << 30}, queued = {0};
    struct troupe_pool *pool = open_pool(1, NULL);
    atomic_store(&begun, 0);
    struct troupe_task *a = enqueue(pool, &running, NULL);
    await_begun(1);
    struct troupe_task *b = enqueue(pool, &queued, NULL);
    ck_assert_int_eq(troupe_task_peek(b, NULL), TROUPE_TASK_QUEUED);
    troupe_task_dequeue(b);
    ck_assert_int_eq(troupe_task_peek(b, NULL), TROUPE_TASK_STOPPED);
    ck_assert_int_eq(troupe_pool_turn(pool, 0), 1);
    troupe_task_dequeue(a);
    await_status(pool, a, TROUPE_TASK_STOPPED);
    ck_assert(atomic_load(&running.was_stopping));
    ck_assert_int_eq(atomic_load(&queued.called), 0);
    troupe_pool_destroy(&pool);
    ck_assert_int_eq(running.cleaned, 1);
    ck_assert_int_eq(queued.cleaned, 1);
}
END_TEST

START_TEST(a_closed_group_ends_its_tasks_but_those_that_outlive_it)
{
    struct script running = {.steps = 1 << 30}, queued = {0}, outliving = {.syncs = 0, .steps = 3}, stranger = {0};
    struct troupe_pool *pool = open_pool(1, reap_ended);
    struct troupe_group *group = troupe_group_create(pool);
    atomic_store(&begun, 0);
    enqueue(pool, &running, group);
    await_begun(1);
    enqueue(pool, &queued, group);
    struct troupe_task_args args = {.run = play, .cleanup = clean, .user = &outliving, .group = group, .outlive = true};
    ck_assert_ptr_nonnull(troupe_pool_enqueue(pool, &args));
    enqueue(pool, &stranger, NULL);
    troupe_group_close(group);
    ck_assert_int_eq(queued.cleaned, 1);
    while (!running.cleaned || !outliving.cleaned || !stranger.cleaned)
        troupe_pool_turn(pool, 0.01);
    ck_assert(atomic_load(&running.was_stopping));
    ck_assert_int_eq(atomic_load(&outliving.called), 4);
    ck_assert(!atomic_load(&outliving.was_stopping));
    ck_assert_int_eq(atomic_load(&queued.called), 0);
    troupe_pool_destroy(&pool);
}
END_TEST

static int outlive_by_itself(void *user, enum troupe_task_status status)
{
    struct script *self = user;
    atomic_store(&self->was_stopping, status == TROUPE_TASK_STOPPING);
    if (atomic_fetch_add(&self->called, 1) == 0)
        return TROUPE_SYNC | TROUPE_OUTLIVE;
    return TROUPE_FINISHED;
}

START_TEST(a_step_can_say_that_its_task_outlives_its_group)
{
    struct script script = {0};
    struct troupe_pool *pool = open_pool(1, NULL);
    struct troupe_group *group = troupe_group_create(pool);
    struct troupe_task_args args = {.run = outlive_by_itself, .cleanup = clean, .user = &script, .group = group};
    struct troupe_task *task = troupe_pool_enqueue(pool, &args);
    await_status(pool, task, TROUPE_TASK_SYNCING);
    troupe_group_close(group);
    ck_assert_int_eq(script.cleaned, 0);
    while (troupe_task_sync(task, false))
        ;
    while (!script.cleaned)
        troupe_pool_turn(pool, 0.01);
    ck_assert(!atomic_load(&script.was_stopping));
    troupe_pool_destroy(&pool);
}
END_TEST

START_TEST(the_descriptor_is_readable_while_there_is_something_to_tell)
{
    struct script script = {.syncs = 2};
    struct troupe_pool *pool = open_pool(1, let_sync);
    struct pollfd fd = {.fd = troupe_pool_descriptor(pool), .events = POLLIN};
    ck_assert_int_ge(fd.fd, 0);
    ck_assert_int_eq(troupe_pool_descriptor(pool), fd.fd);
    ck_assert_int_eq(poll(&fd, 1, 0), 0);
    enqueue(pool, &script, NULL);
    while (!script.cleaned) {
        ck_assert_int_eq(poll(&fd, 1, 60000), 1);
        troupe_pool_turn(pool, 0);
    }
    ck_assert_int_eq(poll(&fd, 1, 0), 0);
    troupe_pool_destroy(&pool);
}
END_TEST

START_TEST(lua_runs_with_packed_arguments_and_answers_packed)
{
    static const unsigned char arguments[] = {0x14, 0x16}; /* 20, 22 */
    struct troupe_pool *pool = open_pool(1, NULL);
    struct troupe_task *sum = troupe_pool_submit_lua(pool, "local a, b = ... return a + b, a", arguments, 2);
    struct troupe_task *named = troupe_pool_submit_lua(pool, "string:rep", "\xa2ha\x03", 4);
    size_t size;
    ck_assert_ptr_null(troupe_task_result(sum, &size));
    await_status(pool, sum, TROUPE_TASK_FINISHED);
    await_status(pool, named, TROUPE_TASK_FINISHED);
    ck_assert_mem_eq(troupe_task_result(sum, &size), "\x2a\x14", 2);
    ck_assert_uint_eq(size, 2);
    ck_assert_mem_eq(troupe_task_result(named, &size), "\xa6hahaha", 7);
    ck_assert_int_eq(troupe_task_status(sum, NULL), TROUPE_TASK_FINISHED);
    troupe_pool_destroy(&pool);
}
END_TEST

START_TEST(lua_that_fails_says_why)
{
    struct troupe_pool *pool = open_pool(1, NULL);
    struct troupe_task *raising = troupe_pool_submit_lua(pool, "error 'no such luck'", "", 0);
    struct troupe_task *broken = troupe_pool_submit_lua(pool, "return (", "", 0);
    struct troupe_task *garbled = troupe_pool_submit_lua(pool, "return ...", "\xc1", 1);
    size_t size;
    await_status(pool, raising, TROUPE_TASK_FAILED);
    await_status(pool, broken, TROUPE_TASK_FAILED);
    await_status(pool, garbled, TROUPE_TASK_FAILED);
    ck_assert_ptr_nonnull(memmem(troupe_task_result(raising, &size), 40, "no such luck", 12));
    ck_assert_ptr_nonnull(troupe_task_result(broken, &size));
    ck_assert_uint_gt(size, 10);
    troupe_pool_destroy(&pool);
}
END_TEST

START_TEST(a_pool_that_finishes_takes_nothing_and_ends_everything)
{
    struct script running = {.steps = 1 << 30}, syncing = {.syncs = 1}, queued = {0};
    struct troupe_pool *pool = open_pool(1, NULL);
    struct troupe_task *s = enqueue(pool, &syncing, NULL);
    await_status(pool, s, TROUPE_TASK_SYNCING);
    atomic_store(&begun, 0);
    struct troupe_task *r = enqueue(pool, &running, NULL);
    await_begun(1);
    struct troupe_task *q = enqueue(pool, &queued, NULL);
    troupe_pool_finish(pool);
    struct troupe_task_args args = {.run = play, .user = &queued};
    ck_assert_ptr_null(troupe_pool_enqueue(pool, &args));
    ck_assert_int_eq(errno, ESHUTDOWN);
    await_status(pool, s, TROUPE_TASK_STOPPED);
    await_status(pool, r, TROUPE_TASK_STOPPED);
    ck_assert_int_eq(troupe_task_peek(q, NULL), TROUPE_TASK_STOPPED);
    troupe_pool_destroy(&pool);
    ck_assert_int_eq(running.cleaned + syncing.cleaned + queued.cleaned, 3);
}
END_TEST

START_TEST(a_step_that_never_returns_is_left_to_itself)
{
    int gate[2];
    ck_assert_int_eq(pipe(gate), 0);
    static struct script stuck;
    stuck = (struct script){.gate = gate[0]};
    struct troupe_pool *pool = open_pool(1, NULL);
    atomic_store(&begun, 0);
    enqueue(pool, &stuck, NULL);
    await_begun(1);
    troupe_pool_destroy(&pool);
    ck_assert_int_eq(stuck.cleaned, 1);
    ck_assert_int_eq(atomic_load(&stuck.called), 1);
    ck_assert_int_eq(write(gate[1], "x", 1), 1);
}
END_TEST

/* Every mixture of endings: each task is cleaned up once, whatever happened. */
START_TEST(every_task_is_cleaned_up_once_whatever_happens)
{
    enum { COUNT = 300, ROUNDS = 10 };
    static struct script scripts[COUNT];
    unsigned seed = (unsigned)_i + 1;
    for (int round = 0; round < (suite_slowdown() > 4 ? 3 : ROUNDS); round++) {
        struct troupe_pool *pool = open_pool(2, let_sync);
        struct troupe_group *groups[3] = {troupe_group_create(pool), troupe_group_create(pool), NULL};
        for (int i = 0; i < COUNT; i++) {
            scripts[i] = (struct script){.steps = (int)(rand_r(&seed) % 3), .syncs = (int)(rand_r(&seed) % 3)};
            int group = (int)(rand_r(&seed) % 3);
            struct troupe_task *task = enqueue(pool, &scripts[i], groups[group]);
            if (rand_r(&seed) % 5 == 0)
                troupe_task_dequeue(task);
            if (rand_r(&seed) % 8 == 0)
                troupe_pool_turn(pool, 0);
            if (rand_r(&seed) % 100 == 0 && group < 2 && groups[group]) {
                troupe_group_close(groups[group]);
                groups[group] = troupe_group_create(pool);
            }
        }
        for (int turns = (int)(rand_r(&seed) % 50); turns > 0; turns--)
            troupe_pool_turn(pool, 0.0001);
        troupe_pool_destroy(&pool);
        for (int i = 0; i < COUNT; i++)
            ck_assert_int_eq(scripts[i].cleaned, 1);
    }
}
END_TEST

START_TEST(the_dump_has_a_line_for_each_task)
{
    char text[4096] = "";
    struct script script = {.syncs = 1};
    struct troupe_pool *pool = open_pool(1, NULL);
    struct troupe_task_args args = {.run = play, .user = &script, .name = "frame 7"};
    struct troupe_task *task = troupe_pool_enqueue(pool, &args);
    await_status(pool, task, TROUPE_TASK_SYNCING);
    FILE *file = fmemopen(text, sizeof text - 1, "w");
    troupe_pool_dump(pool, file);
    fclose(file);
    ck_assert_ptr_nonnull(strstr(text, "pool check: 1 threads at most, 0 queued, 0 running, 1 syncing"));
    ck_assert_ptr_nonnull(strstr(text, "frame 7: syncing, queued "));
    troupe_pool_destroy(&pool);
}
END_TEST

START_TEST(misuse_and_missing_descriptors_are_told)
{
    struct rlimit limit, few;
    struct troupe_pool *pool = open_pool(1, NULL), *other = open_pool(1, NULL);
    struct troupe_group *group = troupe_group_create(other);
    struct troupe_task_args no_run = {0}, foreign = {.run = play, .group = group};
    ck_assert_ptr_null(troupe_pool_enqueue(pool, &no_run));
    ck_assert_int_eq(errno, EINVAL);
    ck_assert_ptr_null(troupe_pool_enqueue(pool, &foreign));
    ck_assert_int_eq(errno, EINVAL);
    troupe_group_close(NULL);
    troupe_pool_destroy(&other);
    troupe_pool_destroy(&pool);
    troupe_pool_destroy(&pool);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    few = (struct rlimit){4, limit.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    struct troupe_pool_args args = {.threads = 1};
    ck_assert_ptr_null(troupe_pool_create(&args));
    ck_assert_int_eq(errno, EMFILE);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    pool = open_pool(1, NULL);
    troupe_pool_destroy(&pool);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api");
    TCase *tcase = suite_case(suite, "pool");
    tcase_add_test(tcase, tasks_run_in_steps_and_are_cleaned_up_once);
    tcase_add_test(tcase, a_task_keeps_its_status_until_it_is_reaped);
    tcase_add_test(tcase, a_full_queue_takes_no_task_until_one_begins);
    tcase_add_test(tcase, a_syncing_task_waits_for_its_owner_and_its_thread_does_not);
    tcase_add_test(tcase, a_syncing_task_can_be_told_to_stop);
    tcase_add_test(tcase, dequeued_tasks_never_begin_or_are_asked_to_end);
    tcase_add_test(tcase, a_closed_group_ends_its_tasks_but_those_that_outlive_it);
    tcase_add_test(tcase, a_step_can_say_that_its_task_outlives_its_group);
    tcase_add_test(tcase, the_descriptor_is_readable_while_there_is_something_to_tell);
    tcase_add_test(tcase, lua_runs_with_packed_arguments_and_answers_packed);
    tcase_add_test(tcase, lua_that_fails_says_why);
    tcase_add_test(tcase, a_pool_that_finishes_takes_nothing_and_ends_everything);
    tcase_add_test(tcase, a_step_that_never_returns_is_left_to_itself);
    tcase_add_loop_test(tcase, every_task_is_cleaned_up_once_whatever_happens, 0, 3);
    tcase_add_test(tcase, the_dump_has_a_line_for_each_task);
    tcase_add_test(tcase, misuse_and_missing_descriptors_are_told);
    return suite_run(suite);
}
