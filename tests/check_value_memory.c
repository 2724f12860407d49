/* check_value_memory.c - memory runs out at every single allocation, Lua's and C's: an error each time,
 * nothing lost.
 *
 * Linked with --wrap for malloc, calloc, realloc and free: only what is called between arm and disarm is
 * counted.
 */
#include "value_fixture.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void __real_free(void *block);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
void __wrap_free(void *block);

static long countdown = -1; /* allocations until one fails; negative: none does */
static bool armed;
static long blocks; /* that C code has taken while armed and not given back */

static bool fails(void)
{
    return countdown >= 0 && countdown-- == 0;
}

void *__wrap_malloc(size_t size)
{
    if (armed && fails())
        return NULL;
    blocks += armed;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    if (armed && fails())
        return NULL;
    blocks += armed;
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *block, size_t size)
{
    if (armed && fails())
        return NULL;
    blocks += armed && !block;
    return __real_realloc(block, size);
}

void __wrap_free(void *block)
{
    blocks -= armed && block;
    __real_free(block);
}

/* Lua's own memory: refuses growth only, as an allocator must. */
static size_t lua_bytes;

static void *allocate(void *context, void *block, size_t old, size_t size)
{
    void *moved;

    (void)context;
    if (!block)
        old = 0;
    if (size == 0) {
        __real_free(block);
        lua_bytes -= old;
        return NULL;
    }
    if (armed && size > old && fails())
        return NULL;
    moved = __real_realloc(block, size); /* Check allocates when it asserts, so no assertion here */
    if (!moved)
        abort();
    lua_bytes += size - old;
    return moved;
}

static lua_State *L;

static void set_up(void)
{
    L = lua_newstate(allocate, NULL);
    luaL_openlibs(L);
    luaL_requiref(L, "values", lua_value_open, 0);
    lua_pop(L, 1);
    eval(L, "K = {} require 'values'.class('K', K)"
            " P = {__troupe_pack = function(t) return {t.v}, 'boxes:open' end}"
            " package.loaded.boxes = {open = function(v) return {opened = v} end}");
}

static void tear_down(void)
{
    lua_close(L);
}

static const char *const chunks[] = {
    "return 1, 'two', 3.5, nil, true",
    "return {x = {1, 2, {y = 'z'}}, s = ('long'):rep(500)}",
    "local t = {} for i = 1, 50 do t[i] = {id = i, name = 'n' .. i} end return t",
    "local t = {} t.me = t return t, {t}",
    "local n = 0 return function() n = n + 1 return n end, function() return n, print end",
    "local f f = function(i) return i > 0 and f(i - 1) end return f, {f}",
    "return math, string.format, print, io.stdout.write",
    "return setmetatable({1}, K), setmetatable({v = 7}, P)",
    "local t = {} for i = 1, 40 do t[i] = setmetatable({v = {i}}, P) end return t",
    "return {1, {2, {coroutine.create(print)}}}",
    "local t = {} local x = t for i = 1, 250 do x[1] = {} x = x[1] end return t",
};

/* Encodes the values of the stack from index 1 with the allocation `at` failing. */
static int encode_failing(long at, int count, struct buffer *out)
{
    int rc;

    blocks = 0;
    countdown = at;
    armed = true;
    rc = value_encode(L, 1, count, "argument", &local_mode, out);
    armed = false;
    ck_assert_int_eq(lua_gettop(L), count + (rc != 0));
    if (rc) {
        ck_assert_int_eq(lua_type(L, -1), LUA_TSTRING);
        ck_assert_uint_eq(out->size, 0);
        lua_pop(L, 1);
    }
    return rc;
}

START_TEST(encoding_survives_every_failure_of_memory)
{
    struct buffer out;
    int count = eval(L, chunks[_i]), expected, rc;
    long at = 0;
    size_t before;

    buffer_init(&out);
    expected = encode_failing(-1, count, &out);
    buffer_release(&out);
    lua_gc(L, LUA_GCCOLLECT);
    before = lua_bytes;
    for (;; at++) {
        rc = encode_failing(at, count, &out);
        if (countdown >= 0)
            break;
        ck_assert_msg(rc == TROUPE_ENOMEM || rc == expected, "allocation %ld: status %d", at, rc);
        armed = true;
        buffer_release(&out);
        armed = false;
        ck_assert_int_eq(blocks, 0);
    }
    ck_assert_int_eq(rc, expected);
    ck_assert_int_gt(at, 0);
    buffer_release(&out);
    lua_gc(L, LUA_GCCOLLECT);
    lua_gc(L, LUA_GCCOLLECT);
    ck_assert_uint_le(lua_bytes, before + 4096);
}
END_TEST

/* Lua: (buffer) -> values... */
static int decode(lua_State *state)
{
    const struct buffer *bytes = lua_touserdata(state, 1);
    int count;

    if (value_decode(state, bytes->data, bytes->size, &local_mode, &count))
        return lua_error(state);
    return count;
}

static int decode_failing(long at, struct buffer *bytes)
{
    int rc;

    lua_pushcfunction(L, decode);
    lua_pushlightuserdata(L, bytes);
    blocks = 0;
    countdown = at;
    armed = true;
    rc = lua_pcall(L, 1, LUA_MULTRET, 0);
    armed = false;
    ck_assert_int_eq(blocks, 0);
    lua_settop(L, 0);
    return rc;
}

START_TEST(decoding_survives_every_failure_of_memory)
{
    struct buffer bytes;
    int count = eval(L, chunks[_i]), rc;
    size_t before;

    buffer_init(&bytes);
    rc = value_encode(L, 1, count, "argument", &local_mode, &bytes);
    lua_settop(L, 0);
    ck_assert_int_eq(decode_failing(-1, &bytes), LUA_OK);
    lua_gc(L, LUA_GCCOLLECT);
    before = lua_bytes;
    for (long at = 0; rc == 0; at++) {
        rc = decode_failing(at, &bytes);
        if (countdown >= 0)
            break;
        ck_assert_msg(rc == LUA_ERRMEM || rc == LUA_OK, "allocation %ld: status %d", at, rc);
        rc = 0;
    }
    lua_gc(L, LUA_GCCOLLECT);
    lua_gc(L, LUA_GCCOLLECT);
    ck_assert_uint_le(lua_bytes, before + 4096);
    ck_assert_int_eq(decode_failing(-1, &bytes), LUA_OK);
    buffer_release(&bytes);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("value_memory");
    TCase *tcase = suite_case(suite, "value_memory");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, encoding_survives_every_failure_of_memory, 0, COUNT_OF(chunks));
    tcase_add_loop_test(tcase, decoding_survives_every_failure_of_memory, 0, COUNT_OF(chunks));
    return suite_run(suite);
}
