/* lua_question.h - the node asks whether a job that failed shall run again. For the vm's own thread. */
#ifndef LUA_QUESTION_H
#define LUA_QUESTION_H

#include <lua.h>

#include "message.h"

/* Lua: (function) it is called with a job, the number of its runs and its error, in a task of its own, and returns whether
 * the job shall run again; behind that, an error of whoever was to decide, which is raised when the node was told. */
int lua_question_set(lua_State *L);

/* A MAIL_ASK letter; its job may be unknown here by now: then it runs no more. */
void lua_question_letter(struct message **letter, void *L);

#endif
