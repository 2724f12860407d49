/* check_vm.c - a vm: opened, called, limited, closed; its allocator; spares. Interrupts are in check_interrupt.c. */
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "sanitizer.h"
#include "suite.h"
#include "troupe.h"
#include "vm.h"
#include "vm_memory.h"

static struct vm *open_vm(size_t limit)
{
    struct vm_options options = { .memory_limit = limit };
    struct vm *vm;
    ck_assert_int_eq(vm_new(&vm, &options), 0);
    return vm;
}

/* Runs the code; its status. One result, or the error value, is on the stack. */
static int run(struct vm *vm, const char *code)
{
    ck_assert_int_eq(luaL_loadstring(vm_state(vm), code), LUA_OK);
    return vm_call(vm, 0, 1);
}

static const char *text(struct vm *vm, const char *code)
{
    run(vm, code);
    return luaL_tolstring(vm_state(vm), -1, NULL);
}

START_TEST(a_vm_has_the_standard_libraries)
{
    struct vm *vm = open_vm(0);
    lua_State *plain = luaL_newstate();
    static const char *list = "local names = {} for name, library in pairs(_G) do names[#names + 1] = name "
                              "if type(library) == 'table' and library ~= _G then for field in pairs(library) do "
                              "names[#names + 1] = name .. '.' .. field end end end "
                              "table.sort(names) return table.concat(names, ' ')";
    luaL_openlibs(plain);
    ck_assert_int_eq(luaL_dostring(plain, list), LUA_OK);
    ck_assert_str_eq(text(vm, list), lua_tostring(plain, -1));
    lua_close(plain);
    vm_destroy(&vm);
    ck_assert_ptr_null(vm);
    vm_destroy(&vm);
}
END_TEST

START_TEST(search_paths_are_those_given_or_luas_own)
{
    struct vm_options options = { .path = "one/?.lua", .cpath = "two/?.so" };
    struct vm *vm;
    lua_State *plain = luaL_newstate();
    luaL_openlibs(plain);
    ck_assert_int_eq(luaL_dostring(plain, "return package.path .. package.cpath"), LUA_OK);
    ck_assert_int_eq(vm_new(&vm, &options), 0);
    ck_assert_str_eq(text(vm, "return package.path .. ' ' .. package.cpath"), "one/?.lua two/?.so");
    vm_destroy(&vm);
    vm = open_vm(0);
    ck_assert_str_eq(text(vm, "return package.path .. package.cpath"), lua_tostring(plain, -1));
    vm_destroy(&vm);
    lua_close(plain);
}
END_TEST

START_TEST(a_spare_reads_the_environment_no_earlier_than_a_fresh_one)
{
    struct vm_options named = { .path = "", .cpath = "" }, unnamed = { 0 };
    struct vm *vm;
    setenv("LUA_PATH", "before", 1);
    ck_assert_int_eq(vm_new(&vm, &named), 0);
    vm_destroy(&vm);
    vm_prepare();
    setenv("LUA_PATH", "after", 1);
    ck_assert_int_eq(vm_new(&vm, &unnamed), 0);
    ck_assert_str_eq(text(vm, "return package.path"), "after");
    vm_destroy(&vm);
    unsetenv("LUA_PATH");
}
END_TEST

static int open_marker(lua_State *L)
{
    lua_pushliteral(L, "opened");
    lua_setglobal(L, "marker");
    return 0;
}

static int open_failing(lua_State *L)
{
    return luaL_error(L, "no");
}

START_TEST(the_floor_above_opens_what_it_has_in_spares_too)
{
    struct vm_options options = { .path = "p", .cpath = "c", .open = open_marker };
    struct vm *vm;
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(vm_new(&vm, &options), 0);
        ck_assert_str_eq(text(vm, "return marker .. package.path"), "openedp");
        vm_destroy(&vm);
        vm_prepare();
    }
    options.open = open_failing;
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(vm_new(&vm, &options), TROUPE_EINVAL);
        ck_assert_ptr_null(vm);
    }
    options.open = NULL;
    ck_assert_int_eq(vm_new(&vm, &options), 0);
    ck_assert_str_eq(text(vm, "return marker"), "nil");
    vm_destroy(&vm);
}
END_TEST

START_TEST(a_vm_is_known_by_its_states_and_coroutines_only)
{
    struct vm *vm = open_vm(0);
    lua_State *plain = luaL_newstate();
    ck_assert_ptr_eq(vm_of(vm_state(vm)), vm);
    ck_assert_ptr_eq(vm_of(lua_newthread(vm_state(vm))), vm);
    ck_assert_ptr_null(vm_of(plain));
    lua_close(plain);
    vm_destroy(&vm);
}
END_TEST

START_TEST(a_call_returns_all_results_and_leaves_the_rest_of_the_stack)
{
    struct vm *vm = open_vm(0);
    lua_State *L = vm_state(vm);
    lua_pushinteger(L, 7);
    luaL_loadstring(L, "return ...");
    for (int i = 1; i <= 300; i++) {
        luaL_checkstack(L, 2, NULL);
        lua_pushinteger(L, i);
    }
    ck_assert_int_eq(vm_call(vm, 300, LUA_MULTRET), LUA_OK);
    ck_assert_int_eq(lua_gettop(L), 301);
    ck_assert_int_eq(lua_tointeger(L, 1), 7);
    ck_assert_int_eq(lua_tointeger(L, 301), 300);
    vm_destroy(&vm);
}
END_TEST

START_TEST(an_error_arrives_as_text_with_a_traceback)
{
    struct vm *vm = open_vm(0);
    ck_assert_int_eq(run(vm, "local function f() error 'oh' end f()"), LUA_ERRRUN);
    const char *message = lua_tostring(vm_state(vm), -1);
    ck_assert_ptr_nonnull(strstr(message, ":1: oh\nstack traceback:"));
    ck_assert_ptr_nonnull(strstr(message, "in local 'f'"));
    ck_assert_int_eq(lua_gettop(vm_state(vm)), 1);
    vm_destroy(&vm);
}
END_TEST

START_TEST(an_error_object_arrives_as_its_tostring_or_its_type)
{
    struct vm *vm = open_vm(0);
    ck_assert_str_eq(text(vm, "error(setmetatable({}, { __tostring = function() return 'told' end }))"), "told");
    ck_assert_ptr_nonnull(strstr(text(vm, "error {}"), "(error object is a table value)"));
    ck_assert_ptr_nonnull(strstr(text(vm, "error()"), "(error object is a nil value)"));
    ck_assert_ptr_nonnull(strstr(text(vm, "error(setmetatable({}, { __tostring = function() return 1 end }))"),
                                 "(error object is a table value)"));
    ck_assert_ptr_nonnull(strstr(text(vm, "error(42)"), "42"));
    vm_destroy(&vm);
}
END_TEST

START_TEST(a_limit_refuses_growth_and_the_vm_goes_on)
{
    struct vm *vm = open_vm(1 << 20);
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(run(vm, "local t = {} for i = 1, 1e9 do t[i] = 'x' .. i end"), LUA_ERRMEM);
        ck_assert_str_eq(lua_tostring(vm_state(vm), -1), "not enough memory");
        lua_settop(vm_state(vm), 0);
        lua_gc(vm_state(vm), LUA_GCCOLLECT);
        ck_assert_str_eq(text(vm, "return #string.rep('x', 1e5)"), "100000");
        ck_assert_str_eq(text(vm, "return select(2, pcall(string.rep, 'x', 2^21))"), "not enough memory");
        ck_assert_uint_le(vm_memory(vm), 1 << 20);
        lua_settop(vm_state(vm), 0);
    }
    vm_destroy(&vm);
}
END_TEST

START_TEST(the_memory_counted_goes_back_when_it_is_freed)
{
    struct vm *vm = open_vm(0);
    lua_State *L = vm_state(vm);
    lua_gc(L, LUA_GCCOLLECT);
    size_t before = vm_memory(vm);
    ck_assert_uint_gt(before, 15000);
    run(vm, "big = string.rep('x', 1 << 20)");
    ck_assert_uint_ge(vm_memory(vm), before + (1 << 20));
    run(vm, "big = nil");
    lua_settop(L, 0);
    lua_gc(L, LUA_GCCOLLECT);
    ck_assert_uint_le(vm_memory(vm), before + 2000);
    ck_assert_uint_eq(vm_memory(vm), (size_t)lua_gc(L, LUA_GCCOUNT) * 1024 + (size_t)lua_gc(L, LUA_GCCOUNTB));
    vm_destroy(&vm);
}
END_TEST

/* Each limit makes another allocation the first that fails; blocks are of 16 bytes and more. */
START_TEST(opening_survives_the_failure_of_every_allocation)
{
    struct vm_options options = { .open = open_marker };
    struct vm *vm;
    int failures = 0;
    for (options.memory_limit = 16;; options.memory_limit += 16) {
        int rc = vm_new(&vm, &options);
        if (rc == 0)
            break;
        ck_assert_int_eq(rc, TROUPE_ENOMEM);
        ck_assert_ptr_null(vm);
        failures++;
    }
    ck_assert_int_gt(failures, 500);
    lua_getglobal(vm_state(vm), "marker");
    ck_assert_str_eq(lua_tostring(vm_state(vm), -1), "opened");
    vm_destroy(&vm);
}
END_TEST

START_TEST(a_spare_obeys_a_limit_that_it_already_passed)
{
    struct vm_options options = { .path = "", .cpath = "" };
    struct vm *vm;
    for (int i = 0; i < 4; i++) {
        options.memory_limit = 0;
        ck_assert_int_eq(vm_new(&vm, &options), 0);
        vm_destroy(&vm);
        vm_prepare();
        options.memory_limit = 4096;
        ck_assert_int_eq(vm_new(&vm, &options), TROUPE_ENOMEM);
    }
}
END_TEST

struct block {
    unsigned char *data;
    size_t size;
};

static void fill(struct block *block, size_t from, unsigned char with)
{
    if (block->size > from)
        memset(block->data + from, with, block->size - from);
}

/* Check's assertions cost a write each: none in the loops. */
static bool is_filled(const struct block *block, unsigned char with)
{
    for (size_t i = 0; i < block->size; i++)
        if (block->data[i] != with)
            return false;
    return true;
}

/* Sizes as Lua asks for them: mostly small, now and then large. */
static size_t random_size(unsigned *seed)
{
    int kind = rand_r(seed) % 10;
    return kind == 0 ? 0 : (size_t)rand_r(seed) % (kind < 7 ? 100 : kind < 9 ? 700 : 20000);
}

START_TEST(blocks_of_the_allocator_keep_their_bytes)
{
    enum { BLOCKS = 200 };
    struct vm_memory memory;
    struct block blocks[BLOCKS] = { { NULL, 0 } };
    size_t used = 0;
    unsigned seed = (unsigned)_i + 1;
    vm_memory_init(&memory, 0);
    for (int step = 0; step < 50000 / suite_slowdown(); step++) {
        int at = rand_r(&seed) % BLOCKS;
        struct block *block = &blocks[at];
        size_t old = block->size, size = random_size(&seed);
        bool good = is_filled(block, (unsigned char)at);
        block->data = vm_memory_resize(&memory, block->data, block->data ? old : 5 /* a tag of Lua's */, size);
        block->size = size;
        used = used - old + size;
        struct block kept = { block->data, old < size ? old : size };
        good = good && (block->data != NULL) == (size != 0) && (uintptr_t)block->data % sizeof(double) == 0
               && memory.used == used && is_filled(&kept, (unsigned char)at);
        if (!good)
            ck_abort_msg("step %d: from %zu to %zu bytes, %zu used, %zu counted", step, old, size, used, memory.used);
        fill(block, kept.size, (unsigned char)at);
    }
    for (int at = 0; at < BLOCKS; at++)
        vm_memory_resize(&memory, blocks[at].data, blocks[at].size, 0);
    ck_assert_uint_eq(memory.used, 0);
    vm_memory_release(&memory);
}
END_TEST

START_TEST(the_allocator_refuses_growth_past_the_limit_and_never_shrinking)
{
    struct vm_memory memory;
    vm_memory_init(&memory, 1000);
    char *block = vm_memory_resize(&memory, NULL, 0, 1000);
    ck_assert_ptr_nonnull(block);
    ck_assert_ptr_null(vm_memory_resize(&memory, NULL, 0, 1));
    ck_assert_ptr_null(vm_memory_resize(&memory, block, 1000, 1001));
    ck_assert_ptr_null(vm_memory_resize(&memory, NULL, 0, (size_t)-1));
    memory.limit = 10;
    block = vm_memory_resize(&memory, block, 1000, 900);
    ck_assert_ptr_nonnull(block);
    ck_assert_ptr_null(vm_memory_resize(&memory, block, 900, 901));
    ck_assert_ptr_null(vm_memory_resize(&memory, block, 900, 0));
    ck_assert_uint_eq(memory.used, 0);
    vm_memory_release(&memory);
}
END_TEST

START_TEST(the_region_is_used_where_nothing_watches_malloc)
{
    struct vm_memory memory;
    unsetenv("TROUPE_MALLOC");
    vm_memory_init(&memory, 0);
    ck_assert_int_eq(memory.region != NULL, !WITH_ASAN && !WITH_TSAN);
    vm_memory_release(&memory);
    setenv("TROUPE_MALLOC", "1", 1);
    vm_memory_init(&memory, 0);
    ck_assert_ptr_null(memory.region);
    vm_memory_release(&memory);
}
END_TEST

START_TEST(a_state_fits_its_region_and_many_come_and_go)
{
    struct vm *vms[40];
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 40; i++) {
            vms[i] = open_vm(0);
            lua_pushinteger(vm_state(vms[i]), i);
            lua_setglobal(vm_state(vms[i]), "number");
        }
        for (int i = 0; i < 40; i++) {
            lua_getglobal(vm_state(vms[i]), "number");
            ck_assert_int_eq(lua_tointeger(vm_state(vms[i]), -1), i);
            vm_destroy(&vms[i]);
        }
    }
}
END_TEST

START_TEST(a_reset_coroutine_has_closed_what_it_left_open)
{
    struct vm *vm = open_vm(0);
    lua_State *L = vm_state(vm), *co = lua_newthread(L);
    int count;
    luaL_loadstring(co, "local x <close> = setmetatable({}, { __close = function() closed = true end }) "
                        "coroutine.yield(1, 2)");
    ck_assert_int_eq(vm_resume(vm, co, L, 0, &count), LUA_YIELD);
    ck_assert_int_eq(count, 2);
    ck_assert_int_eq(vm_reset(vm, co), LUA_OK);
    ck_assert_str_eq(text(vm, "return closed"), "true");
    vm_destroy(&vm);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vm");
    TCase *tcase = suite_case(suite, "life");
    tcase_add_test(tcase, a_vm_has_the_standard_libraries);
    tcase_add_test(tcase, search_paths_are_those_given_or_luas_own);
    tcase_add_test(tcase, a_spare_reads_the_environment_no_earlier_than_a_fresh_one);
    tcase_add_test(tcase, the_floor_above_opens_what_it_has_in_spares_too);
    tcase_add_test(tcase, a_vm_is_known_by_its_states_and_coroutines_only);
    tcase_add_test(tcase, a_call_returns_all_results_and_leaves_the_rest_of_the_stack);
    tcase_add_test(tcase, an_error_arrives_as_text_with_a_traceback);
    tcase_add_test(tcase, an_error_object_arrives_as_its_tostring_or_its_type);
    tcase_add_test(tcase, a_limit_refuses_growth_and_the_vm_goes_on);
    tcase_add_test(tcase, the_memory_counted_goes_back_when_it_is_freed);
    tcase_add_test(tcase, opening_survives_the_failure_of_every_allocation);
    tcase_add_test(tcase, a_spare_obeys_a_limit_that_it_already_passed);
    tcase_add_loop_test(tcase, blocks_of_the_allocator_keep_their_bytes, 0, 3);
    tcase_add_test(tcase, the_allocator_refuses_growth_past_the_limit_and_never_shrinking);
    tcase_add_test(tcase, the_region_is_used_where_nothing_watches_malloc);
    tcase_add_test(tcase, a_state_fits_its_region_and_many_come_and_go);
    tcase_add_test(tcase, a_reset_coroutine_has_closed_what_it_left_open);
    return suite_run(suite);
}
