/* check_interrupt.c - breaking into a vm: wherever its code is, at any moment of its life. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>

#include "clock.h"
#include "interrupt.h"
#include "latch.h"
#include "sanitizer.h"
#include "suite.h"
#include "thread.h"
#include "vm.h"

/* Runs a chunk in a vm, on a thread of its own. */
struct fixture {
    const char *code;
    uint64_t target;
    struct vm *vm;
    struct latch ready;  /* the code runs: it called ready() */
    struct latch begin;  /* for code that must not begin before */
    struct latch hear, leave; /* deaf() waits for them */
    struct thread *thread;
    int status;
    char text[400];
};

static int ready(lua_State *L)
{
    lua_getfield(L, LUA_REGISTRYINDEX, "fixture");
    latch_open(&((struct fixture *)lua_touserdata(L, -1))->ready);
    return 0;
}

/* A blocking call, as a C library may make it; returns how it ended. */
static int block(lua_State *L)
{
    lua_pushinteger(L, usleep(100 * 1000 * 1000));
    return 1;
}

/* C code that no signal reaches until `hear`, as if its thread had no processor, and that goes on until `leave`. */
static int deaf(lua_State *L)
{
    sigset_t own;
    sigemptyset(&own);
    sigaddset(&own, interrupt_signal());
    pthread_sigmask(SIG_BLOCK, &own, NULL);
    ready(L);
    struct fixture *self = lua_touserdata(L, -1);
    while (latch_wait(&self->hear, -1) != 0)
        ;
    pthread_sigmask(SIG_UNBLOCK, &own, NULL);
    while (latch_wait(&self->leave, -1) != 0)
        ;
    return 0;
}

static void run(void *arg)
{
    struct fixture *self = arg;
    lua_State *L = vm_state(self->vm);
    lua_pushlightuserdata(L, self);
    lua_setfield(L, LUA_REGISTRYINDEX, "fixture");
    lua_register(L, "ready", ready);
    lua_register(L, "block", block);
    lua_register(L, "deaf", deaf);
    latch_wait(&self->begin, -1);
    vm_set_target(self->vm, self->target);
    ck_assert_int_eq(luaL_loadstring(L, self->code), LUA_OK);
    self->status = vm_call(self->vm, 0, 1);
    vm_set_target(self->vm, 0);
    snprintf(self->text, sizeof self->text, "%s", luaL_tolstring(L, -1, NULL));
}

static void start_held(struct fixture *self, const char *code, uint64_t target)
{
    struct vm_options options = { 0 };
    memset(self, 0, sizeof *self);
    self->code = code;
    self->target = target;
    ck_assert_int_eq(vm_new(&self->vm, &options), 0);
    latch_close(&self->ready);
    latch_close(&self->begin);
    latch_close(&self->hear);
    latch_close(&self->leave);
    ck_assert_int_eq(thread_start(&self->thread, "vm", run, self), 0);
}

/* Starts the code and waits until it has called ready(). */
static void start(struct fixture *self, const char *code, uint64_t target)
{
    start_held(self, code, target);
    latch_open(&self->begin);
    ck_assert_int_eq(latch_wait(&self->ready, -1), 0);
}

/* Its thread has ended: the vm is this thread's to close. */
static void end(struct fixture *self)
{
    while (thread_join(&self->thread, -1) != 0)
        ;
    vm_destroy(&self->vm);
}

static void expect_interrupted(struct fixture *self)
{
    ck_assert_int_eq(self->status, LUA_ERRRUN);
    ck_assert_msg(strstr(self->text, VM_INTERRUPTED) != NULL, "%s", self->text);
}

static const char *const loops[] = {
    "ready() while true do end",
    "ready() repeat local x = ('x'):rep(100) until false",
    "ready() while true do pcall(function() while true do end end) end",
    "ready() while true do xpcall(function() while true do end end, debug.traceback) end",
    "local co = coroutine.create(function() ready() while true do end end) assert(coroutine.resume(co))",
    "coroutine.wrap(function() coroutine.wrap(function() ready() while true do end end)() end)()",
    "ready() while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
    "ready() while true do local co = coroutine.wrap(function() while true do coroutine.yield() end end) "
    "for i = 1, 10 do pcall(co) end end",
    "local co = coroutine.create(function() local x <close> = setmetatable({}, { __close = function() ready() "
    "while true do end end }) coroutine.yield() end) coroutine.resume(co) coroutine.close(co) error 'not reached'",
    "local f = coroutine.wrap(function() local x <close> = setmetatable({}, { __close = function() ready() "
    "while true do end end }) error 'oh' end) f()",
    "ready() table.sort({ 3, 2, 1 }, function() while true do end end)",
    "ready() string.gsub(('x'):rep(100), '.', function() while true do end end)",
    "setmetatable(_G, { __index = function() ready() while true do end end }) return nothing",
    "ready() while true do block() end",
    "coroutine.wrap(function() ready() while true do pcall(block) end end)()",
    "ready() while true do local t <close> = setmetatable({}, { __close = function() end }) end",
    "debug.sethook(function() end, 'l') ready() while true do end",
};

START_TEST(code_is_broken_into_wherever_it_is)
{
    struct fixture self;
    start(&self, loops[_i], 0);
    vm_interrupt(self.vm, VM_INTERRUPT_ALWAYS, 0);
    end(&self);
    expect_interrupted(&self);
}
END_TEST

START_TEST(a_job_is_broken_into_until_it_has_ended)
{
    struct fixture self;
    start(&self, loops[_i], 77);
    vm_interrupt(self.vm, VM_INTERRUPT_ONCE, 77);
    end(&self);
    expect_interrupted(&self);
}
END_TEST

START_TEST(one_interrupt_is_one_error)
{
    struct fixture self;
    start(&self, "local ok, e = pcall(function() ready() while true do end end) "
                 "for i = 1, 1e5 do pcall(error) end return e", 0);
    vm_interrupt(self.vm, VM_INTERRUPT_ONCE, 0);
    end(&self);
    ck_assert_int_eq(self.status, LUA_OK);
    ck_assert_msg(strstr(self.text, VM_INTERRUPTED) != NULL, "%s", self.text);
}
END_TEST

START_TEST(the_error_names_the_place)
{
    struct fixture self;
    start(&self, "ready()\nwhile true do\nend", 0);
    vm_interrupt(self.vm, VM_INTERRUPT_ONCE, 0);
    end(&self);
    ck_assert_msg(strncmp(self.text, "[string \"ready()...\"]:2: llthreads: ", 36) == 0
                      || strncmp(self.text, "[string \"ready()...\"]:1: llthreads: ", 36) == 0,
                  "%s", self.text);
}
END_TEST

START_TEST(an_interrupt_before_the_code_runs_meets_it)
{
    struct fixture self;
    start_held(&self, "return 'ran'", 0);
    vm_interrupt(self.vm, VM_INTERRUPT_ONCE, 0);
    latch_open(&self.begin);
    end(&self);
    expect_interrupted(&self);
}
END_TEST

START_TEST(an_interrupt_taken_back_does_nothing)
{
    struct fixture self;
    start_held(&self, "return 'ran'", 0);
    vm_interrupt(self.vm, VM_INTERRUPT_ALWAYS, 0);
    vm_interrupt(self.vm, VM_INTERRUPT_OFF, 0);
    latch_open(&self.begin);
    end(&self);
    ck_assert_str_eq(self.text, "ran");
}
END_TEST

static int call(struct vm *vm, const char *code)
{
    ck_assert_int_eq(luaL_loadstring(vm_state(vm), code), LUA_OK);
    return vm_call(vm, 0, 0);
}

START_TEST(a_permanent_interrupt_lasts_until_off)
{
    struct vm_options options = { 0 };
    struct vm *vm;
    ck_assert_int_eq(vm_new(&vm, &options), 0);
    ck_assert_int_eq(call(vm, "co = coroutine.wrap(function() while true do coroutine.yield() end end) co()"), LUA_OK);
    vm_interrupt(vm, VM_INTERRUPT_ALWAYS, 0);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(call(vm, "pcall(error) return 1"), LUA_ERRRUN);
    vm_interrupt(vm, VM_INTERRUPT_OFF, 0);
    ck_assert_int_eq(call(vm, "co() pcall(error) return 1"), LUA_OK);
    vm_destroy(&vm);
}
END_TEST

START_TEST(an_interrupt_for_another_job_does_nothing)
{
    struct fixture self;
    start_held(&self, "local t = 0 for i = 1, 1e6 do t = t + i end return 'ran'", 5);
    latch_open(&self.begin);
    for (int i = 0; i < 100; i++) {
        vm_interrupt(self.vm, VM_INTERRUPT_ALWAYS, 4);
        vm_interrupt(self.vm, VM_INTERRUPT_ONCE, 6);
    }
    end(&self);
    ck_assert_str_eq(self.text, "ran");
}
END_TEST

START_TEST(the_hook_leaves_with_the_request)
{
    struct fixture self;
    start(&self, "pcall(function() ready() while true do end end) for i = 1, 100 do end return debug.gethook()", 0);
    vm_interrupt(self.vm, VM_INTERRUPT_ONCE, 0);
    end(&self);
    ck_assert_int_eq(self.status, LUA_OK);
    ck_assert_str_eq(self.text, "nil");
}
END_TEST

START_TEST(a_vm_that_runs_nothing_is_not_harmed)
{
    struct vm_options options = { 0 };
    struct vm *vm;
    for (int i = 0; i < 50; i++) {
        ck_assert_int_eq(vm_new(&vm, &options), 0);
        vm_interrupt(vm, VM_INTERRUPT_ALWAYS, 0);
        luaL_loadstring(vm_state(vm), "return 1");
        ck_assert_int_eq(vm_call(vm, 0, 1), LUA_ERRRUN);
        vm_interrupt(vm, VM_INTERRUPT_ONCE, 0);
        vm_interrupt(vm, VM_INTERRUPT_ONCE, 3);
        vm_destroy(&vm);
    }
}
END_TEST

/* What a permanent interrupt that nobody answers costs must end with the code: no signals to an idle thread. */
START_TEST(an_interrupt_left_behind_uses_no_processor)
{
    struct vm_options options = { 0 };
    struct vm *vm;
    ck_assert_int_eq(vm_new(&vm, &options), 0);
    luaL_loadstring(vm_state(vm), "return 1");
    ck_assert_int_eq(vm_call(vm, 0, 0), LUA_OK);
    vm_interrupt(vm, VM_INTERRUPT_ALWAYS, 0);
    usleep(100 * 1000); /* the repeated signal, if any, has come */
    ck_assert_int_eq(usleep(100 * 1000), 0);
    vm_destroy(&vm);
}
END_TEST

START_TEST(a_vm_within_a_vm_is_broken_into_alone)
{
    struct vm_options options = { 0 };
    struct vm *outer, *inner;
    ck_assert_int_eq(vm_new(&outer, &options), 0);
    ck_assert_int_eq(vm_new(&inner, &options), 0);
    vm_interrupt(inner, VM_INTERRUPT_ALWAYS, 0);
    for (int i = 0; i < 3; i++) {
        luaL_loadstring(vm_state(outer), "return 1");
        ck_assert_int_eq(vm_call(outer, 0, 0), LUA_OK);
        luaL_loadstring(vm_state(inner), "return 1");
        ck_assert_int_eq(vm_call(inner, 0, 0), LUA_ERRRUN);
    }
    vm_destroy(&inner);
    vm_destroy(&outer);
}
END_TEST

/* A worker that runs job after job, each of which must fail exactly when it was meant to. */
struct workshop {
    struct vm *vm;
    pthread_mutex_t lock; /* over what tells whether the vm is there, as a caller of vm_interrupt must have */
    bool open;
    atomic_ulong job; /* running */
    atomic_ulong aimed[64]; /* jobs that were aimed at, by number modulo 64 */
    atomic_bool stop;
    unsigned long killed, spared, wrong;
    char why[200];
};

static const char *const chores[] = {
    "for i = 1, 300 do end return 1",
    "local co = coroutine.wrap(function() for i = 1, 30 do coroutine.yield(i) end end) "
    "for i = 1, 30 do co() end return 1",
    "for i = 1, 30 do pcall(error, i) end return 1",
    "local t = {} for i = 1, 50 do t[i] = ('x'):rep(i) end table.sort(t, function(a, b) return a > b end) return 1",
    "for i = 1, 5 do coroutine.resume(coroutine.create(function() pcall(function() for k = 1, 50 do end end) "
    "end)) end return 1",
};

static void do_job(struct workshop *self, unsigned long job)
{
    lua_State *L = vm_state(self->vm);
    luaL_loadstring(L, chores[job % 5]);
    vm_set_target(self->vm, job);
    atomic_store(&self->job, job);
    int status = vm_call(self->vm, 0, 1);
    vm_set_target(self->vm, 0);
    if (status == LUA_OK)
        self->spared++;
    else if (atomic_load(&self->aimed[job % 64]) == job && strstr(lua_tostring(L, -1), VM_INTERRUPTED))
        self->killed++;
    else if (self->wrong++ == 0)
        snprintf(self->why, sizeof self->why, "job %lu: %s", job, lua_tostring(L, -1));
    lua_settop(L, 0);
}

static void set_open(struct workshop *self, bool open)
{
    pthread_mutex_lock(&self->lock);
    self->open = open;
    pthread_mutex_unlock(&self->lock);
}

static void work(void *arg)
{
    struct workshop *self = arg;
    struct vm_options options = { .path = "", .cpath = "" };
    for (unsigned long job = 1; !atomic_load(&self->stop); job++) {
        if (job % 50 == 1) {
            if (job > 1) {
                set_open(self, false);
                vm_destroy(&self->vm);
            }
            if (vm_new(&self->vm, &options))
                abort();
            set_open(self, true);
        }
        do_job(self, job);
    }
    set_open(self, false);
    vm_destroy(&self->vm);
}

START_TEST(thousands_of_kills_hit_their_jobs_and_no_others)
{
    struct workshop self = { .lock = PTHREAD_MUTEX_INITIALIZER };
    struct thread *thread;
    unsigned seed = 1;
    enum { LEAST = 200, MOST = 10000 };
    double enough = clock_now() + 3; /* on a busy machine each yield takes long */
    ck_assert_int_eq(thread_start(&thread, "workshop", work, &self), 0);
    while (atomic_load(&self.job) == 0)
        sched_yield();
    for (int i = 0; i < LEAST || (i < MOST && clock_now() < enough); i++) {
        unsigned long job = atomic_load(&self.job) + (unsigned)rand_r(&seed) % 3;
        pthread_mutex_lock(&self.lock);
        atomic_store(&self.aimed[job % 64], job);
        if (self.open)
            vm_interrupt(self.vm, rand_r(&seed) % 2 ? VM_INTERRUPT_ONCE : VM_INTERRUPT_ALWAYS, job);
        pthread_mutex_unlock(&self.lock);
        for (unsigned wait = (unsigned)rand_r(&seed) % 4; atomic_load(&self.job) < job + wait;)
            sched_yield();
    }
    atomic_store(&self.stop, true);
    while (thread_join(&thread, -1) != 0)
        ;
    ck_assert_msg(self.wrong == 0, "%s", self.why);
    ck_assert_uint_gt(self.killed, 10);
    ck_assert_uint_gt(self.spared, 10);
}
END_TEST

START_TEST(blocked_calls_are_broken_into_at_any_moment)
{
    struct fixture self;
    for (int i = 0; i < (WITH_TSAN ? 60 : 300); i++) {
        start_held(&self, "ready() block() return 'woken'", 0);
        latch_open(&self.begin);
        latch_wait(&self.ready, -1);
        for (int pause = i * 20; pause > 0; pause--)
            latch_is_open(&self.ready);
        vm_interrupt(self.vm, VM_INTERRUPT_ONCE, 0);
        end(&self);
        expect_interrupted(&self);
    }
}
END_TEST

START_TEST(code_is_stuck_only_once_the_signal_has_reached_it)
{
    struct fixture f;
    start(&f, "deaf() return 'out'", 7);
    ck_assert(!vm_is_stuck(f.vm, 7)); /* nobody breaks into it */
    vm_interrupt(f.vm, VM_INTERRUPT_ALWAYS, 7);
    ck_assert(vm_runs(f.vm, 7) && !vm_is_stuck(f.vm, 7));
    latch_open(&f.hear);
    while (!vm_is_stuck(f.vm, 7))
        sched_yield();
    ck_assert(!vm_is_stuck(f.vm, 8));
    latch_open(&f.leave);
    end(&f);
    expect_interrupted(&f);
}
END_TEST

int main(void)
{
    enum { LOOPS = sizeof loops / sizeof *loops };
    Suite *suite = suite_create("interrupt");
    TCase *tcase = suite_case(suite, "interrupt");
    tcase_add_loop_test(tcase, code_is_broken_into_wherever_it_is, 0, LOOPS);
    tcase_add_loop_test(tcase, a_job_is_broken_into_until_it_has_ended, 0, LOOPS);
    tcase_add_test(tcase, one_interrupt_is_one_error);
    tcase_add_test(tcase, the_error_names_the_place);
    tcase_add_test(tcase, an_interrupt_before_the_code_runs_meets_it);
    tcase_add_test(tcase, an_interrupt_taken_back_does_nothing);
    tcase_add_test(tcase, a_permanent_interrupt_lasts_until_off);
    tcase_add_test(tcase, an_interrupt_for_another_job_does_nothing);
    tcase_add_test(tcase, the_hook_leaves_with_the_request);
    tcase_add_test(tcase, a_vm_that_runs_nothing_is_not_harmed);
    tcase_add_test(tcase, an_interrupt_left_behind_uses_no_processor);
    tcase_add_test(tcase, a_vm_within_a_vm_is_broken_into_alone);
    tcase_add_test(tcase, thousands_of_kills_hit_their_jobs_and_no_others);
    tcase_add_test(tcase, blocked_calls_are_broken_into_at_any_moment);
    tcase_add_test(tcase, code_is_stuck_only_once_the_signal_has_reached_it);
    return suite_run(suite);
}
