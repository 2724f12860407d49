/* bench_value.c - encoding and decoding beside their floors: the bare walk over the same values, and their
 * bare making.
 *
 * A figure is the median of ROUNDS. Two workers that answer a payload in kind do both twice, each half of it,
 * so what is encoded and decoded in a second is also the most that can go there and back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <lauxlib.h>
#include <lualib.h>

#include "buffer.h"
#include "value.h"

enum { ROUNDS = 7, RECORDS = 1000, MEGABYTE = 1 << 20 };

static const struct value_mode mode;

struct bench {
    lua_State *L;
    struct buffer bytes;
    int values; /* on the stack, from 1 */
};

typedef void step(struct bench *self);

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int compare(const void *a, const void *b)
{
    double difference = *(const double *)a - *(const double *)b;

    return (difference > 0) - (difference < 0);
}

/* The seconds that one step takes. */
static double measure(struct bench *self, step *run, int times)
{
    double taken[ROUNDS];

    for (int round = 0; round < ROUNDS; round++) {
        double begin = seconds();

        for (int i = 0; i < times; i++)
            run(self);
        taken[round] = (seconds() - begin) / times;
    }
    qsort(taken, ROUNDS, sizeof *taken, compare);
    return taken[ROUNDS / 2];
}

static void encode(struct bench *self)
{
    self->bytes.size = 0;
    if (value_encode(self->L, 1, self->values, "argument", &mode, &self->bytes))
        abort();
}

static void decode(struct bench *self)
{
    int count;

    if (value_decode(self->L, self->bytes.data, self->bytes.size, &mode, &count) || count != self->values)
        abort();
    lua_settop(self->L, self->values);
}

/* Into a new buffer each time, as a message has it. */
static void encode_afresh(struct bench *self)
{
    buffer_release(&self->bytes);
    encode(self);
}

/* The floor of encoding records: each key and value is looked at. */
static void walk(struct bench *self)
{
    lua_State *L = self->L;
    size_t size, sum = 0;

    for (int i = 1; i <= RECORDS; i++) {
        lua_rawgeti(L, 1, i);
        lua_pushnil(L);
        while (lua_next(L, 2)) {
            sum += (size_t)lua_tolstring(L, 3, &size)[0];
            if (lua_type(L, 4) == LUA_TSTRING)
                sum += (size_t)lua_tolstring(L, 4, &size)[0];
            else
                sum += (size_t)lua_tonumber(L, 4);
            lua_settop(L, 3);
        }
        lua_settop(L, 1);
    }
    if (sum == 0)
        abort();
}

/* The floor of decoding records: tables of the right size are made and filled. */
static void make(struct bench *self)
{
    lua_State *L = self->L;
    char name[16];

    lua_createtable(L, RECORDS, 0);
    lua_pushliteral(L, "id");
    lua_pushliteral(L, "name");
    lua_pushliteral(L, "score");
    for (int i = 1; i <= RECORDS; i++) {
        int size = snprintf(name, sizeof name, "name%d", i);

        lua_createtable(L, 0, 3);
        lua_pushvalue(L, 3);
        lua_pushinteger(L, i);
        lua_rawset(L, 6);
        lua_pushvalue(L, 4);
        lua_pushlstring(L, name, (size_t)size);
        lua_rawset(L, 6);
        lua_pushvalue(L, 5);
        lua_pushnumber(L, i * 1.5);
        lua_rawset(L, 6);
        lua_rawseti(L, 2, i);
    }
    lua_settop(L, 1);
}

static void copy_bytes(struct bench *self)
{
    size_t size;
    const char *bytes = lua_tolstring(self->L, 1, &size);
    char *copy = malloc(size);

    if (!copy)
        abort();
    memcpy(copy, bytes, size);
    lua_pushlstring(self->L, copy, size);
    lua_settop(self->L, 1);
    free(copy);
}

static void start(struct bench *self, const char *chunk)
{
    self->L = luaL_newstate();
    buffer_init(&self->bytes);
    if (!self->L || (luaL_openlibs(self->L), luaL_dostring(self->L, chunk)))
        abort();
    self->values = lua_gettop(self->L);
    encode(self);
}

static void stop(struct bench *self)
{
    buffer_release(&self->bytes);
    lua_close(self->L);
}

static void report(const char *what, double figure, const char *unit, double target, bool most)
{
    bool reached = most ? figure <= target : figure >= target;

    printf("%-52s %10.1f %-6s %s %.1f  %s\n", what, figure, unit, most ? "at most" : "at least", target,
           reached ? "reached" : "missed");
}

static void bench_records(void)
{
    struct bench self;
    double encoded, decoded, walked, made;

    start(&self, "local t = {} for i = 1, 1000 do t[i] = {id = i, name = 'name' .. i, score = i * 1.5} end"
                 " return t");
    encoded = measure(&self, encode, 100);
    decoded = measure(&self, decode, 100);
    printf("1,000 records: encoded in %.0f us, decoded in %.0f us\n", encoded * 1e6, decoded * 1e6);
    walked = measure(&self, walk, 100);
    made = measure(&self, make, 100);
    report("1,000 records encoded, against a bare walk", encoded / walked, "times", 2.5, true);
    report("1,000 records decoded, against their bare making", decoded / made, "times", 1.1, true);
    report("1,000 records encoded and decoded", 1 / (encoded + decoded), "/s", 1500, false);
    stop(&self);
}

static void bench_megabyte(void)
{
    struct bench self;
    double copied, both;

    start(&self, "return ('x'):rep(1 << 20)");
    both = measure(&self, encode_afresh, 50) + measure(&self, decode, 50);
    copied = measure(&self, copy_bytes, 50);
    report("a string of 1 MiB encoded and decoded", MEGABYTE / both / 1e6, "MB/s", 3000, false);
    report("a string of 1 MiB, against the two copies it needs", both / copied, "times", 2.0, true);
    stop(&self);
}

static void bench_arguments(const char *name, const char *chunk, double target)
{
    struct bench self;
    char what[80];

    start(&self, chunk);
    snprintf(what, sizeof what, "%s encoded", name);
    report(what, measure(&self, encode, 100000) * 1e9, "ns", target, true);
    snprintf(what, sizeof what, "%s decoded", name);
    report(what, measure(&self, decode, 100000) * 1e9, "ns", target, true);
    stop(&self);
}

int main(void)
{
    bench_records();
    bench_megabyte();
    bench_arguments("two integers", "return 1, 2", 100);
    bench_arguments("a name and an integer", "return 'name', 7", 100);
    bench_arguments("a table of two fields", "return {x = 1, y = 2}", 600);
    return 0;
}
