/* vm_batch.h - many calls of one function in one job: what map sends.
 *
 * The letter's body is a function (or, with FLAG_CODE, none) and one argument for each call. The outcome is, for each
 * call in order, the count of its results and these; or -1, the error value and its traceback.
 */
#ifndef VM_BATCH_H
#define VM_BATCH_H

#include <lua.h>

struct message;

/* Lua: (letter as pointer) -> counts and results. A call that raises does not end the others, unless FLAG_STRICT. */
int vm_batch_body(lua_State *L);

/* The outcome at the stack slots from `first` up was refused: calls whose results cannot cross get an error instead. */
void vm_batch_sift(lua_State *L, int first);

/* Pushes the function that a letter calls and its arguments; the number of arguments. Raises what is wrong with it. */
int vm_job_push_call(lua_State *L, const struct message *letter);

#endif
