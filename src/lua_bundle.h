/* lua_bundle.h - the library's modules in Lua as bytecode, kept once for the process: vms load them from there, without a
 * look at a file. Any thread.
 */
#ifndef LUA_BUNDLE_H
#define LUA_BUNDLE_H

#include <lua.h>

/* Lua: (name -> bytecode) from now on this vm, and those that load the library later, find these modules here, save for names
 * that are kept already. */
int lua_bundle_keep(lua_State *L);

/* Lua: () -> name -> bytecode: what is kept. */
int lua_bundle_kept(lua_State *L);

/* From now on the vm's `require` looks here too, before it looks at files. Raises memory errors. */
void lua_bundle_search(lua_State *L);

#endif
