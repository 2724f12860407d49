/* lua_stream.h - what a job sends its owner while it runs, as the owner holds it. */
#ifndef LUA_STREAM_H
#define LUA_STREAM_H

#include <lua.h>

#include "lua_job_inner.h"

/* A letter that the job on top of the stack has sent; it may be kept. */
void lua_stream_take(lua_State *L, struct lua_job *self, struct message **letter);

/* Pushes what the job at `index` last said of its progress; nil: nothing. */
void lua_stream_push_progress(lua_State *L, const struct lua_job *self, int index);

/* The job on top of the stack has ended: who waits for more of it goes on. */
void lua_stream_end(lua_State *L, const struct lua_job *self);

/* Someone waits for the end of the job at `index`: unless someone takes what it sends, it need not wait for that. */
void lua_stream_lift(lua_State *L, struct lua_job *self, int index);

/* As for each job of the shelf: someone waits for whichever ends first. */
void lua_stream_lift_all(lua_State *L, const struct shelf *shelf);

/* Nobody wants what it sends. */
void lua_stream_forget(struct lua_job *self);

/* Methods of jobs that lua/troupe/pool/stream.lua is built from. */
int lua_stream_open(lua_State *L);
int lua_stream_close(lua_State *L);
int lua_stream_next(lua_State *L);
int lua_stream_resume(lua_State *L);

#endif
