/* lua_ear.h - the ear of the vm that a Lua function runs in. */
#ifndef LUA_EAR_H
#define LUA_EAR_H

#include <lua.h>

#include "ear.h"

/* This vm's ear; the first call of a vm that is no worker opens it and enters the node. Raises when it cannot. */
struct ear *lua_ear(lua_State *L);

/* A worker's vm is told of its ear. */
void lua_ear_attach(lua_State *L, struct ear *ear);

/* Turns the ear until the future is resolved, on behalf of a C function that Lua called. False at the deadline
 * (monotonic seconds, negative: none). A signal's hook, an interrupt's too, may raise from here. */
bool lua_ear_await(lua_State *L, struct ear *ear, const struct future *future, double deadline);

/* The deadline that is so many seconds from now, for an optional argument; nil or none: none. */
double lua_ear_deadline(lua_State *L, int index);

/* Asks the node: posts a letter with this header and waits for the answer, which it pushes (one value). False at the
 * deadline, then nothing is pushed. Raises when the node is out of reach. */
bool lua_ear_ask(lua_State *L, struct ear *ear, const struct header *question, double deadline);

#endif
