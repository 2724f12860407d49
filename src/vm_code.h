/* vm_code.h - from what a job names to the function that runs: bytecode by hash, "module:function", "@file", source.
 *
 * For the thread that owns the state. Functions that raise do so inside a job's own coroutine.
 */
#ifndef VM_CODE_H
#define VM_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lua.h>

/* Keeps bytecode under its hash. Raises what load says, and memory errors. */
void vm_code_learn(lua_State *L, uint64_t hash, const void *code, size_t size);

/* Pushes the function known by the hash; raises when none is. */
void vm_code_push(lua_State *L, uint64_t hash);

/* Makes the value at the absolute index a function: a function stays, a string is looked up or compiled. Raises what is wrong. */
void vm_code_resolve(lua_State *L, int index);

#endif
