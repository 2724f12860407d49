/* floor_vms.c - the floor of the rows about actors with vms of their own: a bare thread that opens a bare Lua state with its
 * libraries, and one word there and back by a mutex and condition variables.
 *
 *   floor_vms spawn COUNT    one after the other, each ready before the next is made: how many a second, resident bytes of
 *                            each, bytes of its Lua values
 *   floor_vms call COUNT     seconds of a round trip to one of them, which runs a Lua function: p50 and p99
 */
#include <pthread.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lualib.h>

#include "floor.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t told = PTHREAD_COND_INITIALIZER, answered = PTHREAD_COND_INITIALIZER;
static long asked, replies; /* under lock, as what follows */
static lua_Integer number;
static int lua_bytes;

static long resident_bytes(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    check(file && fscanf(file, "%*d %ld", &pages) == 1, "reading statm");
    fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

static lua_State *open_state(void)
{
    lua_State *L = luaL_newstate();
    check(L != NULL, "no memory");
    luaL_openlibs(L);
    check(luaL_dostring(L, "return function(x) return x + 1 end") == LUA_OK, "Lua code");
    return L;
}

static void reply(lua_Integer value)
{
    pthread_mutex_lock(&lock);
    number = value;
    replies++;
    pthread_cond_signal(&answered);
    pthread_mutex_unlock(&lock);
}

static lua_Integer await_reply(long count)
{
    pthread_mutex_lock(&lock);
    while (replies < count)
        pthread_cond_wait(&answered, &lock);
    lua_Integer value = number;
    pthread_mutex_unlock(&lock);
    return value;
}

/* Ready, and idle for good. */
static void *live(void *arg)
{
    lua_State *L = open_state();
    (void)arg;
    lua_bytes = lua_gc(L, LUA_GCCOUNT) * 1024 + lua_gc(L, LUA_GCCOUNTB);
    reply(0);
    for (;;)
        pause();
    return NULL;
}

static void measure_spawn(long count)
{
    long before = resident_bytes();
    double begin = seconds();
    for (long i = 1; i <= count; i++) {
        pthread_t id;
        check(pthread_create(&id, NULL, live, NULL) == 0, "no thread");
        await_reply(i);
    }
    double passed = seconds() - begin;
    printf("%.0f %.0f %d\n", (double)count / passed, (double)(resident_bytes() - before) / (double)count, lua_bytes);
}

static void *serve(void *arg)
{
    lua_State *L = open_state();
    (void)arg;
    for (long done = 0;; done++) {
        pthread_mutex_lock(&lock);
        while (asked == done)
            pthread_cond_wait(&told, &lock);
        lua_Integer value = number;
        pthread_mutex_unlock(&lock);
        lua_pushvalue(L, 1);
        lua_pushinteger(L, value);
        check(lua_pcall(L, 1, 1, 0) == LUA_OK, "a call failed");
        reply(lua_tointeger(L, -1));
        lua_pop(L, 1);
    }
    return NULL;
}

static void ask(lua_Integer value)
{
    pthread_mutex_lock(&lock);
    number = value;
    asked++;
    pthread_cond_signal(&told);
    pthread_mutex_unlock(&lock);
}

static void measure_call(long count)
{
    pthread_t id;
    double *trips = new_trips(count);
    check(pthread_create(&id, NULL, serve, NULL) == 0, "no thread");
    for (long i = 0; i < count; i++) {
        double begin = seconds();
        ask(i);
        check(await_reply(i + 1) == i + 1, "a result is wrong");
        trips[i] = seconds() - begin;
    }
    print_trips(trips, count);
    printf("\n");
}

int main(int argc, char **argv)
{
    long count = argc == 3 ? atol(argv[2]) : 0;
    check(count > 0, "spawn or call expected, and how many");
    if (strcmp(argv[1], "spawn") == 0)
        measure_spawn(count);
    else
        measure_call(count);
    fflush(stdout);
    _Exit(0); /* its threads never end */
}
