/* lua_registry.h - the window to names and topics, by address. For the vm's own thread. */
#ifndef LUA_REGISTRY_H
#define LUA_REGISTRY_H

#include <stdint.h>

#include <lua.h>

/* The actor of that address, one of this vm, is dead: its names are free before anybody hears of it. Raises nothing. */
void lua_registry_ended(lua_State *L, uint64_t address);

/* The vm of that address is about to tell that its actors are gone. Raises nothing. */
void lua_registry_left(lua_State *L, uint64_t address);

/* Lua: pushes the table of functions that lua/troupe/registry.lua and lua/troupe/topic.lua are built from. */
int lua_registry_open(lua_State *L);

#endif
