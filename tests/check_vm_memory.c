/* check_vm_memory.c - memory runs out at every single allocation of a vm and of an llthreads child, in each of their threads:
 * an error each time, nothing lost, and then it works.
 *
 * States take every block from malloc here. Where a sanitizer or valgrind slows each round, some of the allocations fail.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "child.h"
#include "failing_memory.h"
#include "suite.h"
#include "troupe.h"
#include "value.h"
#include "vm.h"

/* Allocations of all threads until they fail; negative: none does. */
static atomic_long allowed = -1;
static bool once; /* only that one fails, and those after it succeed */
static atomic_bool failed;

static bool fails(void)
{
    long left = atomic_load(&allowed);
    do {
        if (left < 0)
            return false;
    } while (!atomic_compare_exchange_weak(&allowed, &left, left > 0 ? left - 1 : once ? -1 : 0));
    if (left == 0)
        atomic_store(&failed, true);
    return left == 0;
}

static void allow(long n)
{
    atomic_store(&failed, false);
    atomic_store(&allowed, n);
}

/* True when an allocation failed since the last `allow`. */
static bool allow_all(void)
{
    atomic_store(&allowed, -1);
    return atomic_load(&failed);
}

/* The next allocation that shall fail: each of the first few, then some. */
static long next(long n)
{
    return n < 50 ? n + 1 : n + suite_slowdown();
}

static void set_up(void)
{
    setenv("TROUPE_MALLOC", "1", 1);
    ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr)); /* children say there why they fail */
}

static int open_marker(lua_State *L)
{
    lua_pushliteral(L, "opened");
    lua_setglobal(L, "marker");
    return 0;
}

static const struct vm_options options = { .open = open_marker, .path = "?.lua", .cpath = "?.so" };

START_TEST(a_vm_opens_or_says_that_memory_is_out)
{
    struct vm *vm;
    long n = 0;
    once = _i;
    for (bool whole = false; !whole; n = next(n)) {
        allow(n);
        int rc = vm_new(&vm, &options);
        whole = !allow_all();
        ck_assert(rc == (vm ? 0 : TROUPE_ENOMEM));
        ck_assert(vm || !whole);
        vm_destroy(&vm);
    }
    ck_assert_int_gt(n, 100);
}
END_TEST

START_TEST(a_spare_without_memory_is_none)
{
    struct vm *vm;
    long n = 0;
    once = _i;
    for (bool whole = false; !whole; n = next(n)) {
        ck_assert_int_eq(vm_new(&vm, &options), 0); /* takes the spare, or wants one from now on */
        vm_destroy(&vm);
        allow(n);
        vm_prepare();
        whole = !allow_all();
    }
    ck_assert_int_gt(n, 100);
    ck_assert_int_eq(vm_new(&vm, &options), 0);
    lua_getglobal(vm_state(vm), "marker");
    ck_assert_str_eq(lua_tostring(vm_state(vm), -1), "opened");
    vm_destroy(&vm);
}
END_TEST

static const char work[] =
    "local t = {} for i = 1, 200 do t[i] = { i = tostring(i) .. 'x' } end "
    "local wrapped = coroutine.wrap(function(...) local held <close> = setmetatable({}, { __close = function() end }) "
    "  coroutine.yield(select('#', ...)) return string.rep('y', 10000) end) "
    "assert(wrapped(table.unpack(t)) == 200) "
    "return #wrapped(), pcall(error, t)";

START_TEST(code_fails_and_the_vm_goes_on)
{
    struct vm *vm;
    long n = 0;
    once = _i;
    ck_assert_int_eq(vm_new(&vm, &options), 0);
    lua_State *L = vm_state(vm);
    /* Lua's own buffers are broken for good when they first find no memory halfway through their metatable. */
    ck_assert_int_eq(luaL_dostring(L, "return ('x'):rep(5000)"), LUA_OK);
    lua_settop(L, 0);
    for (bool whole = false; !whole; n = next(n)) {
        ck_assert_int_eq(luaL_loadstring(L, work), LUA_OK);
        allow(n);
        int status = vm_call(vm, 0, LUA_MULTRET);
        whole = !allow_all();
        if (status == LUA_OK)
            ck_assert_int_eq(lua_tointeger(L, 1), 10000);
        else
            ck_assert_msg(!whole && lua_gettop(L) == 1, "status %d, %d on the stack, %s", status, lua_gettop(L),
                          whole ? lua_tostring(L, -1) : "for want of memory");
        lua_settop(L, 0);
        lua_gc(L, LUA_GCCOLLECT);
    }
    ck_assert_int_gt(n, 50);
    vm_destroy(&vm);
}
END_TEST

static const char code[] = "local pair, word = ... local t = {} for i = 1, 20 do t[i] = word .. i end return t[20], pair[2]";

static lua_State *L;

static void fill_plan(struct child_plan *plan)
{
    static const struct value_mode mode;
    *plan = (struct child_plan){ .name = "child" };
    ck_assert_int_eq(luaL_loadstring(L, code), LUA_OK);
    ck_assert_int_eq(value_dump(L, 1, &plan->code), 0);
    ck_assert_int_eq(luaL_dostring(L, "return { 1, 'two' }, 'word'"), LUA_OK);
    ck_assert_int_eq(value_encode(L, 2, 3, "argument", &mode, &plan->arguments), 0);
    lua_settop(L, 0);
}

static void check_outcome(struct child *child, bool whole)
{
    static const struct value_mode mode;
    const struct buffer *out;
    int count;
    if (child_outcome(child, &out)) {
        ck_assert_msg(!whole, "%.*s", (int)out->size, (const char *)out->data);
        return;
    }
    ck_assert_int_eq(value_decode(L, out->data, out->size, &mode, &count), 0);
    ck_assert_int_eq(count, 2);
    ck_assert_str_eq(lua_tostring(L, 1), "word20");
    ck_assert_str_eq(lua_tostring(L, 2), "two");
    lua_settop(L, 0);
}

/* True when it went its whole way, from its making to its results, and nothing failed. */
static bool raise_child(long n)
{
    struct child_plan plan;
    struct child *child;
    fill_plan(&plan);
    allow(n);
    int rc = child_new(&child, &plan), joined = 0;
    if (rc == 0)
        rc = child_start(child, true);
    if (rc == 0)
        joined = child_join(child, -1);
    bool whole = !allow_all();
    ck_assert_int_eq(joined, 0);
    ck_assert(rc == 0 || (!whole && (rc == TROUPE_ENOMEM || rc == TROUPE_ELIMIT)));
    if (rc == 0)
        check_outcome(child, whole);
    child_release(&child);
    child_plan_release(&plan);
    return whole;
}

START_TEST(a_child_fails_with_an_outcome_and_the_next_one_works)
{
    long n = 0;
    once = _i;
    L = luaL_newstate();
    luaL_openlibs(L);
    while (!raise_child(n))
        n = next(n);
    ck_assert_int_gt(n, 100);
    ck_assert(raise_child(-1));
    lua_close(L);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vm_memory");
    TCase *tcase = suite_case(suite, "every allocation");
    tcase_add_checked_fixture(tcase, set_up, NULL);
    tcase_add_loop_test(tcase, a_vm_opens_or_says_that_memory_is_out, 0, 2);
    tcase_add_loop_test(tcase, a_spare_without_memory_is_none, 0, 2);
    tcase_add_loop_test(tcase, code_fails_and_the_vm_goes_on, 0, 2);
    tcase_add_loop_test(tcase, a_child_fails_with_an_outcome_and_the_next_one_works, 0, 2);
    return suite_run(suite);
}
