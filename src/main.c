/* main.c - the troupe program: a vm for its parts in Lua, and the signals that a program may take and a library may not.
 *
 *  1. standard input, output and error are open before anything else is: no socket ever takes their numbers;
 *  2. the vm is closed, and with it every pool, before the program returns; a second signal does not wait for that.
 *  3. with one hidden argument it is a worker process, and all else is uplink.c's matter.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lua_loop.h"
#include "lua_program.h"
#include "process.h"
#include "signals.h"
#include "troupe.h"
#include "uplink.h"
#include "vm.h"

/* What was closed stays of no use: to read from it, or to write to it, fails, and is told. But for errors, which would have
 * nowhere to be told. */
static bool open_standard_descriptors(void)
{
    static const int modes[] = {O_WRONLY, O_RDONLY, O_RDWR};
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", modes[fd]) != fd)
            return false;
    }
    return true;
}

/* The directory of this program, without a slash at the end; empty when the system does not tell. */
static void find_own_directory(char *out, size_t size)
{
    ssize_t length = readlink("/proc/self/exe", out, size - 1);
    out[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(out, '/');
    if (slash)
        *slash = '\0';
}

static int run(struct vm *vm, int argc, char **argv)
{
    char own[PATH_MAX], installed[PATH_MAX + 32], built[PATH_MAX + 32], beside[PATH_MAX + 32];
    char modules_installed[PATH_MAX + 32], modules_beside[PATH_MAX + 32];
    find_own_directory(own, sizeof own);
    snprintf(installed, sizeof installed, "%s/../share/lua/5.4", own);
    snprintf(built, sizeof built, "%s/../lua", own);
    snprintf(beside, sizeof beside, "%s/lua", own);
    const char *const places[] = {TROUPE_LUADIR, installed, built, beside, NULL};
    snprintf(modules_installed, sizeof modules_installed, "%s/../lib/lua/5.4", own);
    snprintf(modules_beside, sizeof modules_beside, "%s/.libs", own);
    const char *const modules[] = {TROUPE_LUAEXECDIR, modules_installed, modules_beside, NULL};
    return lua_program_run(vm, places, modules, argc, argv);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], PROCESS_ARGUMENT) == 0)
        return uplink_run(&lua_loop_hooks);
    process_is_troupe();
    const struct vm_options options = {.open = lua_program_preload};
    struct vm *vm = NULL;
    int status = EXIT_FAILURE, rc = open_standard_descriptors() ? 0 : TROUPE_ELIMIT;
    if (rc == 0)
        rc = vm_new(&vm, &options);
    if (rc == 0)
        rc = signals_take(vm);
    if (rc) {
        fprintf(stderr, "troupe: cannot start: %s\n", troupe_strerror(rc));
        return EXIT_FAILURE;
    }
    status = run(vm, argc, argv);
    signals_release();
    vm_destroy(&vm);
    return status;
}
