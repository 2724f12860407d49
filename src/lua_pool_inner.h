/* lua_pool_inner.h - a pool's handle, for lua_pool.c, which makes it and submits, and lua_pool_ask.c, which asks the node. */
#ifndef LUA_POOL_INNER_H
#define LUA_POOL_INNER_H

#include <stdbool.h>
#include <stdint.h>

#include <lua.h>

#include "lua_shelf.h"

struct ear;
struct gate;

/* Upvalues of every function of a pool. */
enum { UP_CLASS = 1, UP_JOB, UP_BATCH, UP_PENDING, UP_KNOWN, UP_COUNT = UP_KNOWN };

struct lua_pool {
    struct ear *ear;
    uint32_t id;
    int workers;
    bool closed;
    bool guest; /* found by its name: closing the handle does not close the pool */
    struct gate *gate; /* NULL: any number of jobs may wait */
    bool remote; /* its workers, or the node, are in another process */
    bool particular; /* its jobs have options of the pool's: submitting is Lua's matter */
    struct shelf shelf;
};

/* The pool that is argument 1; raises when there is none, or it is closed. */
struct lua_pool *lua_pool_check(lua_State *L);
struct lua_pool *lua_pool_check_open(lua_State *L);

/* Adds its functions to the table below the upvalues on top of the stack. */
void lua_pool_add_questions(lua_State *L);

#endif
