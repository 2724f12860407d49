/* lua_program.h - the troupe program as its parts in Lua see it: found, given its arguments, run. */
#ifndef LUA_PROGRAM_H
#define LUA_PROGRAM_H

#include <lua.h>

#include "vm.h"

/* vm_options.open for the program's own vm: the library's modules, and troupe.program. */
int lua_program_preload(lua_State *L);

/* Runs the command line in the vm. `places` are directories to look for the parts in Lua where package.path does not find
 * them, up to a NULL; `modules` directories with modules in C. The exit status; what went wrong was printed. */
int lua_program_run(struct vm *vm, const char *const *places, const char *const *modules, int argc, char **argv);

#endif
