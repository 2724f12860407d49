/* floor_pool.c - the floor of the job rows: the plainest pool of Lua states behind a mutex and a condition variable.
 *
 * Two queues, of jobs and of results; each job is the number of a function the workers hold, and an integer or a
 * string. The submitter is plain C, so what a Lua program must do for itself is not in the figures.
 *
 *   floor_pool tiny JOBS WINDOW     jobs a second, at most WINDOW of them in flight
 *   floor_pool trip COUNT           seconds of a round trip, one job at a time: p50 and p99
 *   floor_pool busy STEPS JOBS N    seconds that N workers take for JOBS loops of so many STEPS
 *   floor_pool string BYTES COUNT   bytes a second of a string there and back, four in flight
 */
#include <pthread.h>

#include <lauxlib.h>
#include <lualib.h>

#include "floor.h"

enum { MOST_WORKERS = 8, PLACES = 1 << 18, WARM_UP = 2000, IN_FLIGHT = 4 };

enum function { TINY = 1, BUSY, ECHO, END };

struct job {
    enum function function;
    lua_Integer number;
    char *bytes; /* of a string: owned by whoever holds the job */
    size_t size;
};

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    unsigned head, tail;
    int waiting;
    struct job places[PLACES];
};

static struct queue jobs = {.lock = PTHREAD_MUTEX_INITIALIZER, .filled = PTHREAD_COND_INITIALIZER};
static struct queue results = {.lock = PTHREAD_MUTEX_INITIALIZER, .filled = PTHREAD_COND_INITIALIZER};
static pthread_t workers[MOST_WORKERS];

static void put(struct queue *self, const struct job *job)
{
    pthread_mutex_lock(&self->lock);
    check(self->head - self->tail < PLACES, "the queue is full");
    self->places[self->head++ % PLACES] = *job;
    int waiting = self->waiting;
    pthread_mutex_unlock(&self->lock);
    if (waiting)
        pthread_cond_signal(&self->filled);
}

static struct job take(struct queue *self)
{
    pthread_mutex_lock(&self->lock);
    while (self->head == self->tail) {
        self->waiting++;
        pthread_cond_wait(&self->filled, &self->lock);
        self->waiting--;
    }
    struct job job = self->places[self->tail++ % PLACES];
    pthread_mutex_unlock(&self->lock);
    return job;
}

static char *copied(const char *bytes, size_t size)
{
    char *copy = malloc(size);
    check(copy != NULL, "no memory");
    return memcpy(copy, bytes, size);
}

/* A string enters a state: its own copy is made, the job's is freed. */
static void push_string(lua_State *L, struct job *job)
{
    lua_pushlstring(L, job->bytes, job->size);
    free(job->bytes);
    job->bytes = NULL;
}

static void run(lua_State *L, struct job *job)
{
    lua_pushvalue(L, job->function);
    if (job->bytes)
        push_string(L, job);
    else
        lua_pushinteger(L, job->number);
    check(lua_pcall(L, 1, 1, 0) == LUA_OK, "a job failed");
    if (job->function == ECHO)
        job->bytes = copied(lua_tostring(L, -1), job->size);
    else
        job->number = lua_tointeger(L, -1);
    lua_pop(L, 1);
}

static void *work(void *arg)
{
    lua_State *L = luaL_newstate();
    (void)arg;
    luaL_openlibs(L);
    check(luaL_dostring(L, "return function(x) return x + 1 end, "
                           "function(n) local x = 1 for i = 1, n do x = x * 3 % 1000003 end return x end, "
                           "function(s) return s end") == LUA_OK, "Lua code");
    for (;;) {
        struct job job = take(&jobs);
        if (job.function == END)
            break;
        run(L, &job);
        put(&results, &job);
    }
    lua_close(L);
    return NULL;
}

static void start(int count)
{
    for (int i = 0; i < count; i++)
        check(pthread_create(&workers[i], NULL, work, NULL) == 0, "pthread_create");
    for (int i = 0; i < WARM_UP; i++)
        put(&jobs, &(struct job){.function = TINY, .number = i});
    for (int i = 0; i < WARM_UP; i++)
        take(&results);
}

static void stop(int count)
{
    for (int i = 0; i < count; i++)
        put(&jobs, &(struct job){.function = END});
    for (int i = 0; i < count; i++)
        pthread_join(workers[i], NULL);
}

static void measure_tiny(long count, long window)
{
    long taken = 0;
    lua_Integer sum = 0;
    double begin = seconds();
    for (long i = 0; i < count; i++) {
        put(&jobs, &(struct job){.function = TINY, .number = i});
        if (i + 1 - taken >= window) {
            sum += take(&results).number;
            taken++;
        }
    }
    for (; taken < count; taken++)
        sum += take(&results).number;
    double passed = seconds() - begin;
    check(sum == (lua_Integer)count * (count + 1) / 2, "a result is wrong");
    printf("%.0f\n", (double)count / passed);
}

static void measure_trip(long count)
{
    double *trips = new_trips(count);
    for (long i = 0; i < count; i++) {
        double begin = seconds();
        put(&jobs, &(struct job){.function = TINY, .number = i});
        check(take(&results).number == i + 1, "a result is wrong");
        trips[i] = seconds() - begin;
    }
    print_trips(trips, count);
    printf("\n");
}

static void measure_busy(long steps, long count)
{
    double begin = seconds();
    for (long i = 0; i < count; i++)
        put(&jobs, &(struct job){.function = BUSY, .number = steps});
    for (long i = 0; i < count; i++)
        take(&results);
    printf("%.9f\n", seconds() - begin);
}

static void put_string(const char *bytes, size_t size)
{
    put(&jobs, &(struct job){.function = ECHO, .bytes = copied(bytes, size), .size = size});
}

static void measure_string(long size, long count)
{
    lua_State *L = luaL_newstate();
    char *bytes = malloc((size_t)size);
    check(L && bytes, "no memory");
    memset(bytes, 'x', (size_t)size);
    double begin = seconds();
    for (long i = 0; i < IN_FLIGHT; i++)
        put_string(bytes, (size_t)size);
    for (long i = 0; i < count; i++) {
        struct job job = take(&results);
        push_string(L, &job);
        lua_pop(L, 1);
        if (i + IN_FLIGHT < count)
            put_string(bytes, (size_t)size);
    }
    printf("%.0f\n", (double)size * (double)count / (seconds() - begin));
    free(bytes);
    lua_close(L);
}

int main(int argc, char **argv)
{
    check(argc >= 3, "tiny, trip, busy or string expected, and its numbers");
    const char *what = argv[1];
    long first = atol(argv[2]), second = argc > 3 ? atol(argv[3]) : 0;
    int count = argc > 4 ? atoi(argv[4]) : 2;
    check(count >= 1 && count <= MOST_WORKERS, "1 to 8 workers");
    start(count);
    if (strcmp(what, "tiny") == 0)
        measure_tiny(first, second);
    else if (strcmp(what, "trip") == 0)
        measure_trip(first);
    else if (strcmp(what, "busy") == 0)
        measure_busy(first, second);
    else
        measure_string(first, second);
    stop(count);
    return 0;
}
