/* value_names.h - what crosses by name: loaded modules, their C functions, classes. One register per Lua
 * state.
 *
 * Functions that may raise say so; the others neither raise nor allocate. Indices are absolute.
 */
#ifndef VALUE_NAMES_H
#define VALUE_NAMES_H

#include <stdbool.h>

#include <lua.h>

/* The parts of the register, each pushed by names_push. */
enum names_part {
    NAMES_LOADED = 1,  /* package.loaded: name -> module */
    NAMES_MODULES,     /* module -> name, weak; as of the last names_refresh */
    NAMES_FUNCTIONS,   /* C function -> "module\0field", weak; a cache, checked at each use */
    NAMES_CLASSES,     /* metatable -> class name */
    NAMES_METATABLES,  /* class name -> metatable */
    NAMES_PACK         /* the string "__troupe_pack" */
};

/* Makes the register unless the state has one. Raises memory errors. */
void names_open(lua_State *L);

/* Pushes a part; or nothing, and false, when the register was never made. */
bool names_push(lua_State *L, enum names_part part);

/* Brings NAMES_MODULES up to date with package.loaded. Raises memory errors. */
void names_refresh(lua_State *L);

/* Is the value at an absolute index a loaded module? Without the register it is not. */
bool names_is_loaded(lua_State *L, int index);

/* Pushes the name under which the table, function or userdata is a loaded module, as of names_refresh; or
 * nothing, and false. */
bool names_push_module(lua_State *L, int index);

/* Pushes "module\0field" of a C function that is a field of a loaded module; or nothing, and false. Raises
 * memory errors. */
bool names_push_function(lua_State *L, int index);

/* Pushes the metatable's __troupe_pack; or nothing, and false. The metatable is on top and is popped. */
bool names_push_pack(lua_State *L);

#endif
