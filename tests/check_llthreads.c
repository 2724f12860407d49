/* check_llthreads.c - what the drop-in does when the process may have no more threads. The rest is tests/lua/llthreads_*. */
#include <pwd.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lualib.h>

#include "lua_open.h"
#include "suite.h"

static struct rlimit allowed;

/* Lua: (boolean) lets the process have threads, or no more. */
static int set_limit(lua_State *L)
{
    struct rlimit limit = { .rlim_cur = lua_toboolean(L, 1) ? allowed.rlim_cur : 0, .rlim_max = allowed.rlim_max };
    ck_assert_int_eq(setrlimit(RLIMIT_NPROC, &limit), 0);
    return 0;
}

/* As another user, one that the limit is for: root may have threads always. */
static void become_limitable(void)
{
    if (getuid() == 0) {
        struct passwd *nobody = getpwnam("nobody");
        ck_assert_int_eq(setuid(nobody ? nobody->pw_uid : 65534), 0);
    }
    ck_assert_int_eq(getrlimit(RLIMIT_NPROC, &allowed), 0);
}

START_TEST(a_start_without_a_thread_says_so_and_works_again_later)
{
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    become_limitable();
    lua_register(L, "set_limit", set_limit);
    luaL_requiref(L, "llthreads", troupe_open_llthreads, 0);
    int status = luaL_dostring(L,
        "local llthreads = require 'llthreads'\n"
        "local thread = llthreads.new('return 5')\n"
        "set_limit(false)\n"
        "for _, mode in ipairs { {}, { true }, { true, true }, { false, false } } do\n"
        "  local started, message = thread:start(table.unpack(mode))\n"
        "  assert(started == nil and message == 'Resource temporarily unavailable', message)\n"
        "  assert(not thread:started())\n"
        "end\n"
        "set_limit(true)\n"
        "local ok, five = thread:start():join()\n"
        "assert(ok and five == 5)\n");
    ck_assert_msg(status == LUA_OK, "%s", lua_tostring(L, -1));
    lua_close(L);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("llthreads");
    TCase *tcase = suite_case(suite, "limits");
    tcase_add_test(tcase, a_start_without_a_thread_says_so_and_works_again_later);
    return suite_run(suite);
}
