/* bench_threads.c - llthreads beside their floor: a bare thread that opens, runs and closes a bare state.
 *
 * A ratio is of the medians of ROUNDS, which take turns, so that a machine's moods meet both. Cold starts and memory
 * are measured in processes of their own, forked before this one has started a thread.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lualib.h>

#include "latch.h"
#include "lua_open.h"

enum { ROUNDS = 9, STARTS = 1000, COLD_RUNS = 40, ALIVE = 1000 };

static struct latch gate; /* what threads wait at that shall be alive at once */

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void check(int good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "bench_threads: %s failed\n", what);
    exit(1);
}

static int compare(const void *a, const void *b)
{
    double difference = *(const double *)a - *(const double *)b;
    return (difference > 0) - (difference < 0);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, compare);
    return values[count / 2];
}

/* The floor's thread: the integer goes in and comes out. */
static void *run_bare(void *arg)
{
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    luaL_loadstring(L, "return ...");
    lua_pushinteger(L, (lua_Integer)(size_t)arg);
    lua_call(L, 1, 1);
    size_t result = (size_t)lua_tointeger(L, -1);
    lua_close(L);
    return (void *)result;
}

static void start_bare(int count)
{
    for (int i = 0; i < count; i++) {
        pthread_t id;
        void *result;
        check(pthread_create(&id, NULL, run_bare, (void *)(size_t)i) == 0, "pthread_create");
        pthread_join(id, &result);
        check((size_t)result == (size_t)i, "the bare thread");
    }
}

static void *run_empty(void *arg)
{
    return arg;
}

static void start_empty(int count)
{
    for (int i = 0; i < count; i++) {
        pthread_t id;
        check(pthread_create(&id, NULL, run_empty, NULL) == 0, "pthread_create");
        pthread_join(id, NULL);
    }
}

static lua_State *L;

static void open_lua(void)
{
    L = luaL_newstate();
    luaL_openlibs(L);
    luaL_requiref(L, "llthreads", troupe_open_llthreads, 1);
    lua_pop(L, 1);
    check(luaL_dostring(L, "function start(count) for i = 1, count do "
                           "local ok, result = llthreads.new('return ...', i):start():join() "
                           "assert(ok and result == i) end end") == LUA_OK, "Lua code");
}

static void start_ours(int count)
{
    lua_getglobal(L, "start");
    lua_pushinteger(L, count);
    check(lua_pcall(L, 1, 0, 0) == LUA_OK, "llthreads");
}

static double measure(void (*start)(int count), int count)
{
    double begin = seconds();
    start(count);
    return (seconds() - begin) / count;
}

static long resident_bytes(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    check(file && fscanf(file, "%*d %ld", &pages) == 1, "reading statm");
    fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

static int wait_at_gate(lua_State *child)
{
    (void)child;
    while (latch_wait(&gate, -1) != 0)
        ;
    return 0;
}

static void *live_bare(void *arg)
{
    lua_State *bare = luaL_newstate();
    (void)arg;
    luaL_openlibs(bare);
    luaL_loadstring(bare, "local wait = ... wait()");
    lua_pushcfunction(bare, wait_at_gate);
    lua_call(bare, 1, 0);
    lua_close(bare);
    return NULL;
}

/* All of ALIVE have their states open and wait when memory no longer grows. */
static double settled_bytes(long before)
{
    long last = 0, now;
    while ((now = resident_bytes()) != last) {
        last = now;
        usleep(200 * 1000);
    }
    return (double)(now - before) / ALIVE;
}

static double memory_bare(void)
{
    pthread_t id;
    long before = resident_bytes();
    latch_close(&gate);
    for (int i = 0; i < ALIVE; i++)
        check(pthread_create(&id, NULL, live_bare, NULL) == 0, "pthread_create");
    return settled_bytes(before);
}

static double memory_ours(void)
{
    open_lua();
    long before = resident_bytes();
    latch_close(&gate);
    check(luaL_loadstring(L, "local wait = ... threads = {} for i = 1, 1000 do "
                             "threads[i] = llthreads.new('local wait = ... wait()', wait) "
                             "assert(threads[i]:start()) end") == LUA_OK, "Lua code");
    lua_pushcfunction(L, wait_at_gate);
    check(lua_pcall(L, 1, 0, 0) == LUA_OK, "llthreads");
    return settled_bytes(before);
}

static double cold_bare(void)
{
    return measure(start_bare, 1);
}

static double cold_ours(void)
{
    open_lua();
    return measure(start_ours, 1);
}

/* The figure, measured in a process of its own. */
static double apart(double (*figure)(void))
{
    double value = 0;
    int ends[2];
    check(pipe(ends) == 0, "pipe");
    pid_t pid = fork();
    if (pid == 0) {
        value = figure();
        check(write(ends[1], &value, sizeof value) == sizeof value, "write");
        _exit(0);
    }
    check(read(ends[0], &value, sizeof value) == sizeof value, "a process apart");
    close(ends[0]);
    close(ends[1]);
    waitpid(pid, NULL, 0);
    return value;
}

static void report(const char *what, double ours, double floor, double target, const char *unit, double scale)
{
    printf("%-34s %9.1f %s, floor %9.1f, ratio %.2f, target %.2f  %s\n", what, ours * scale, unit, floor * scale,
           ours / floor, target, ours / floor <= target ? "reached" : "missed");
    fflush(stdout);
}

static void compare_cold(void)
{
    double ours[COLD_RUNS], bare[COLD_RUNS];
    for (int i = 0; i < COLD_RUNS; i++) {
        bare[i] = apart(cold_bare);
        ours[i] = apart(cold_ours);
    }
    report("cold start of the first thread", median(ours, COLD_RUNS), median(bare, COLD_RUNS), 1.0, "us", 1e6);
}

static void compare_warm(void)
{
    double ours[ROUNDS], bare[ROUNDS], empty[ROUNDS];
    open_lua();
    start_ours(STARTS); /* spares and parked threads are made */
    for (int i = 0; i < ROUNDS; i++) {
        bare[i] = measure(start_bare, STARTS);
        ours[i] = measure(start_ours, STARTS);
        empty[i] = measure(start_empty, STARTS);
    }
    printf("%-34s %9.1f us\n", "a bare thread that does nothing", median(empty, ROUNDS) * 1e6);
    report("new + start + join, an integer", median(ours, ROUNDS), median(bare, ROUNDS), 0.6, "us", 1e6);
    lua_close(L);
}

int main(void)
{
    report("memory per thread, 1,000 alive", apart(memory_ours), apart(memory_bare), 1.3, "KB", 1e-3);
    compare_cold();
    compare_warm();
    return 0;
}
