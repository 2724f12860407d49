/* lua_shelf.c - see lua_shelf.h. Lets as_completed find jobs whose handles the program threw away.
 *
 *     (submit) -> flying [shelf_add]    flying -> ended [shelf_end]    flying, ended -> (out) [shelf_leave, shelf_take]
 *
 * Invariants:
 *  1. a place with a shelf is in one of its rings;
 *  2. a job in either ring is anchored in the pending table under its slot + 1, and the slot is its own: so nothing has
 *     to be allocated when it ends;
 *  3. whoever waits for news is woken whenever a job leaves the ring of those in flight.
 */
#include "lua_shelf.h"

#include "ear.h"
#include "lua_job.h"
#include "lua_loop.h"
#include "lua_stream.h"
#include "vm_task.h"

/* Ended jobs that are kept. Beyond it the eldest are forgotten: a program that asks about none must not grow for ever. */
enum { KEPT_MOST = 1 << 20 };

static void ring_init(struct shelf_place *ring)
{
    ring->next = ring->prev = ring;
}

static void ring_add(struct shelf_place *ring, struct shelf_place *place)
{
    place->prev = ring->prev;
    place->next = ring;
    ring->prev->next = place;
    ring->prev = place;
}

static void ring_remove(struct shelf_place *place)
{
    place->prev->next = place->next;
    place->next->prev = place->prev;
}

void shelf_init(struct shelf *self, struct ear *ear)
{
    *self = (struct shelf){.ear = ear};
    ring_init(&self->flying);
    ring_init(&self->ended);
}

void shelf_add(struct shelf *self, struct shelf_place *place, uint32_t slot)
{
    place->shelf = self;
    place->slot = slot;
    place->ended = false;
    ring_add(&self->flying, place);
}

static void tell_watcher(lua_State *L, struct shelf *self)
{
    if (!self->watched)
        return;
    self->watched = false;
    lua_loop_wake(L, self);
}

bool shelf_end(lua_State *L, struct shelf_place *place)
{
    struct shelf *self = place->shelf;
    if (!self)
        return false;
    ring_remove(place);
    ring_add(&self->ended, place);
    place->ended = true;
    if (++self->ended_count > KEPT_MOST)
        shelf_leave(L, self->ended.next);
    tell_watcher(L, self);
    return true;
}

void shelf_leave(lua_State *L, struct shelf_place *place)
{
    struct shelf *self = place->shelf;
    if (!self)
        return;
    ring_remove(place);
    place->shelf = NULL;
    if (!place->ended) {
        tell_watcher(L, self);
        return;
    }
    self->ended_count--;
    ear_give_slot(self->ear, place->slot);
    lua_job_push_pending(L);
    lua_pushnil(L);
    lua_rawseti(L, -2, (lua_Integer)place->slot + 1);
    lua_pop(L, 1);
}

static bool push_first(lua_State *L, const struct shelf_place *ring)
{
    if (ring->next == ring)
        return false;
    lua_job_push_pending(L);
    lua_rawgeti(L, -1, (lua_Integer)ring->next->slot + 1);
    lua_remove(L, -2);
    return true;
}

bool shelf_take(lua_State *L, struct shelf *self)
{
    bool any = push_first(L, &self->ended);
    if (any)
        shelf_leave(L, self->ended.next);
    return any;
}

bool shelf_push_flying(lua_State *L, struct shelf *self)
{
    return push_first(L, &self->flying);
}

void shelf_clear(lua_State *L, struct shelf *self)
{
    while (self->ended.next != &self->ended)
        shelf_leave(L, self->ended.next);
    while (self->flying.next != &self->flying)
        shelf_leave(L, self->flying.next);
}

/* There is nothing to wait for: one has ended, or none is in flight. */
static bool has_news(const void *shelf)
{
    const struct shelf *self = shelf;
    return self->ended.next != &self->ended || self->flying.next == &self->flying;
}

/* No job in flight is to wait for somebody who takes what it sends. */
static void watch(lua_State *L, struct shelf *self)
{
    self->watched = true;
    lua_stream_lift_all(L, self);
}

/* Another task may have taken what this one was woken for. The deadline is on top. */
static int look_again(lua_State *L, int status, lua_KContext shelf)
{
    struct shelf *self = (struct shelf *)shelf;
    (void)status;
    if (!has_news(self) && !vm_task_timed_out(vm_tasks_of(L))) {
        watch(L, self);
        lua_loop_wait(L, has_news, self, lua_tonumber(L, -1), shelf, look_again);
    }
    return shelf_take(L, self);
}

int shelf_await(lua_State *L, struct shelf *self, double deadline)
{
    lua_pushnumber(L, deadline);
    if (deadline != 0 && !has_news(self))
        watch(L, self);
    lua_loop_wait(L, has_news, self, deadline, (lua_KContext)self, look_again);
    return shelf_take(L, self);
}
