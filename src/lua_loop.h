/* lua_loop.h - the loop of the vm that a Lua function runs in, and the one way to wait in it.
 *
 * The rule: inside a task, waiting parks the task. Outside any, it runs the vm's tasks until the answer is there. Where
 * the task cannot yield (a C function such as table.sort called back), it blocks the vm: letters are read, no task runs.
 */
#ifndef LUA_LOOP_H
#define LUA_LOOP_H

#include <lua.h>

#include "loop.h"
#include "worker.h"

/* This vm's loop; the first call of a vm that is no worker makes it. Raises when it cannot. */
struct loop *lua_loop(lua_State *L);

/* The same, with the program's node running: before letters go to it. */
struct loop *lua_loop_with_node(lua_State *L);

/* Where this vm's loop is found; anchored as long as the vm lives, for those who ask often. */
struct lua_loop_seat {
    struct loop *loop; /* NULL: lua_loop knows more */
    bool closed;       /* for good: nothing made now would be finalised */
};

struct lua_loop_seat *lua_loop_seat(lua_State *L);

/* What the node puts into the vms of its workers. */
extern const struct worker_hooks lua_loop_hooks;

/* A worker's vm is told of its loop, and that it ends. */
void lua_loop_attach(lua_State *L, struct loop *loop);
void lua_loop_detach(lua_State *L);

/* Waits until done(context) is true, or the deadline (monotonic seconds, negative: none) has passed: then false. When the
 * task parks, it does not return: k goes on after lua_loop_wake(L, context), or at the deadline. */
bool lua_loop_wait(lua_State *L, bool (*done)(const void *context), const void *context, double deadline,
                   lua_KContext kcontext, lua_KFunction k);

/* One turn of waiting, whatever it brings; a task parks until lua_loop_wake(L, context). */
void lua_loop_once(lua_State *L, const void *context, lua_KFunction k);

/* The tasks that wait for this context go on. */
void lua_loop_wake(lua_State *L, const void *context);

/* Waiting for a future: whoever resolves it wakes with its address. */
bool lua_loop_await(lua_State *L, const struct future *future, double deadline, lua_KContext kcontext, lua_KFunction k);

/* After TROUPE_EINTR: a pending hook runs now, and may raise: a signal handler's, an interrupt's. */
void lua_loop_let_hooks_run(lua_State *L);

/* The deadline that is so many seconds from now, for an optional argument; nil or none: none. */
double lua_loop_deadline(lua_State *L, int index);

/* Asks the node: posts a letter with this header. Waits for the answer and returns it (one value) from the C function that
 * calls; at the deadline, nil. Use as `return lua_loop_ask(...)`. Raises when the node is out of reach. */
int lua_loop_ask(lua_State *L, const struct header *question, double deadline);

/* The same with a body, copied. */
int lua_loop_ask_with(lua_State *L, const struct header *question, const void *body, size_t size, double deadline);

#endif
