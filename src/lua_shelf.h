/* lua_shelf.h - the jobs of one pool's handle: in flight, or ended and not asked about yet. For the vm's own thread. */
#ifndef LUA_SHELF_H
#define LUA_SHELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lua.h>

struct ear;

/* A job's place, inside it; zeroed: in no shelf. */
struct shelf_place {
    struct shelf *shelf;
    struct shelf_place *next, *prev;
    uint32_t slot; /* of its future */
    bool ended;
};

struct shelf {
    struct ear *ear;
    struct shelf_place flying, ended; /* rings */
    size_t ended_count;
    bool watched; /* somebody waits for lua_loop_wake(L, shelf) */
};

void shelf_init(struct shelf *self, struct ear *ear);

/* A job in flight, whose future has this slot. */
void shelf_add(struct shelf *self, struct shelf_place *place, uint32_t slot);

/* It has ended. True when it stays: then its slot and its anchor do too, until it is taken out. False when it is in no
 * shelf. */
bool shelf_end(lua_State *L, struct shelf_place *place);

/* Out of its shelf, if it is in one; an ended one is no longer kept from the collector. */
void shelf_leave(lua_State *L, struct shelf_place *place);

/* Pushes the job that ended first, and takes it out; false, nothing pushed: there is none. */
bool shelf_take(lua_State *L, struct shelf *self);

/* Pushes a job in flight; false, nothing pushed: there is none. */
bool shelf_push_flying(lua_State *L, struct shelf *self);

/* All jobs leave: the shelf is about to go. */
void shelf_clear(lua_State *L, struct shelf *self);

/* Lua, as the last thing of a C function: the number of results. Waits, until the deadline, for a job that ended, and takes
 * it out; no result: none is in flight, or the time was up. The shelf must be anchored below the top. */
int shelf_await(lua_State *L, struct shelf *self, double deadline);

#endif
