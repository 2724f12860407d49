/* check_limit.c - a vm's limit to what runs in it: it breaks into that, and into nothing else. */
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>

#include "suite.h"
#include "vm.h"

/* A blocking call, as a C library may make it. */
static int block(lua_State *L)
{
    lua_pushinteger(L, usleep(100 * 1000 * 1000));
    return 1;
}

/* Runs code without a limit: what a limit left behind would break into it with its first instructions, or with what its
 * timer sends 10 ms later. */
static void run_unlimited(struct vm *vm, const char *code)
{
    lua_State *L = vm_state(vm);
    ck_assert_int_eq(luaL_loadstring(L, code), LUA_OK);
    ck_assert_int_eq(vm_call(vm, 0, 1), LUA_OK);
    ck_assert_str_eq(lua_tostring(L, -1), "unharmed");
    lua_pop(L, 1);
}

/* Runs code within a limit, then other code without. */
static void run_limited(struct vm *vm, const char *code, double seconds, int *status, bool *late)
{
    lua_State *L = vm_state(vm);
    ck_assert_int_eq(luaL_loadstring(L, code), LUA_OK);
    ck_assert_int_eq(vm_limit(vm, seconds), 0);
    *status = vm_call(vm, 0, 1);
    *late = vm_limit_end(vm);
    run_unlimited(vm, "for i = 1, 1000 do pcall(tostring, i) end return 'unharmed'");
}

START_TEST(a_limit_breaks_into_what_runs_too_long_and_nothing_else)
{
    static const char *const endless[] = {"while true do end", "while true do pcall(function() while true do end end) end",
                                          "coroutine.wrap(function() while true do end end)()", "block() while true do end"};
    struct vm_options options = {0};
    struct vm *vm;
    int status;
    bool late;
    ck_assert_int_eq(vm_new(&vm, &options), 0);
    lua_register(vm_state(vm), "block", block);
    for (size_t i = 0; i < sizeof endless / sizeof *endless; i++) {
        run_limited(vm, endless[i], 0.02, &status, &late);
        ck_assert(status != LUA_OK && late);
        ck_assert_ptr_nonnull(strstr(lua_tostring(vm_state(vm), -1), VM_INTERRUPTED));
        run_limited(vm, "return 1", 1e300, &status, &late);
        ck_assert(status == LUA_OK && !late);
        lua_settop(vm_state(vm), 0);
    }
    ck_assert(!vm_limit_end(vm));
    run_unlimited(vm, "local t = os.clock() while os.clock() - t < 0.03 do pcall(tostring, t) end return 'unharmed'");
    vm_destroy(&vm);
}
END_TEST

START_TEST(limits_that_end_at_the_same_moment_as_the_code_are_used_up)
{
    struct vm_options options = {0};
    struct vm *vm;
    ck_assert_int_eq(vm_new(&vm, &options), 0);
    for (int i = 0; i < 60; i++) {
        int status;
        bool late;
        run_limited(vm, "for i = 1, 3000 do end", i * 1e-6, &status, &late);
        ck_assert(late || status == LUA_OK);
        lua_settop(vm_state(vm), 0);
    }
    run_unlimited(vm, "local t = os.clock() while os.clock() - t < 0.03 do pcall(tostring, t) end return 'unharmed'");
    vm_destroy(&vm);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("limit");
    TCase *tcase = suite_case(suite, "limit");
    tcase_add_test(tcase, a_limit_breaks_into_what_runs_too_long_and_nothing_else);
    tcase_add_test(tcase, limits_that_end_at_the_same_moment_as_the_code_are_used_up);
    return suite_run(suite);
}
