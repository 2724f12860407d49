/* lua_actor.h - what the parts of the actors' window share: lua_actor.c the life of actors, lua_actor_send.c their mail,
 * lua_actor_run.c the running of handlers, lua_actor_call.c calls and answers. For the vm's own thread.
 *
 * A reference is a full userdata, struct actor, whether the actor lives, is dead, or never was. While it lives the vm's table
 * of anchors keeps it, under `slot`. Its values:
 *   ACTOR_QUEUE     its messages, a table; see lua_actor_send.c. nil before the first
 *   ACTOR_SELF      the table its handlers get
 *   ACTOR_HANDLERS  name -> handler, for lua/troupe/actor.lua's drain
 *   ACTOR_REASON    why it ends or has ended
 *
 *     idle --put--> ready --actor_next--> busy --actor_release--> idle, ready
 *     busy --receive, nothing there--> waiting --put, its time--> busy
 *     any but dead --actor_end--> dead
 */
#ifndef LUA_ACTOR_H
#define LUA_ACTOR_H

#include <stdbool.h>
#include <stdint.h>

#include <lua.h>

#include "id_map.h"
#include "slab.h"
#include "vm_task.h"

enum actor_state { ACTOR_IDLE, ACTOR_READY, ACTOR_BUSY, ACTOR_WAITING, ACTOR_DEAD };
enum actor_value { ACTOR_QUEUE = 1, ACTOR_SELF, ACTOR_HANDLERS, ACTOR_REASON, ACTOR_VALUES = ACTOR_REASON };

struct call;
struct drainer;

struct actor {
    uint64_t id;          /* its address; first: id_map */
    const void *mark;     /* tells references from other userdata */
    struct actor *next;   /* in the ready list */
    struct call *calls;   /* taken and not answered */
    struct drainer *holder; /* whose task handles its messages; NULL: none */
    double born, since;   /* since: when the holder took it */
    int slot;
    int head, tail;       /* its next message and the end of the last, in the queue; nothing there: tail < head */
    int at;               /* the message at hand, while its drainer is disturbed; 0: not known */
    int length, limit;    /* messages waiting, counted only under a limit; 0: none */
    unsigned char state;
    bool queued;          /* in the ready list */
    bool stopping;        /* it ends when next taken from the ready list */
    bool starting;        /* its init has not returned */
    bool terminates;      /* its behaviour has a say at its end */
    bool doomed;          /* it ends when its holder's task does */
    bool brutal;          /* killed: its behaviour has no say */
    bool concurrent;
    bool noted;           /* hook `ended` is to be told of its end */
};

/* A task that handles messages, of whichever actors are ready. */
struct drainer {
    struct actors *house;
    struct vm_task *task;
    struct actor *actor; /* whose message it handles; NULL: none */
    uint64_t call;       /* which that message is; 0: none */
    bool disturbed;      /* the position in the queue is in actor->head, no longer in the queue */
    bool parked;         /* it has waited: it takes no further actor */
    bool detached;       /* the actor, a concurrent one, has gone on without it */
    struct drainer *prev, *next;
};

/* A question to an actor of this vm. */
struct call {
    uint64_t id; /* first: id_map */
    struct actor *callee;
    struct call *prev, *next; /* of the callee */
    uint64_t task; /* who waits; 0: a future */
    bool deferred;
};

/* The actors of one vm. */
struct actors {
    struct vm_work work; /* first */
    lua_State *L;
    struct vm_tasks *tasks;
    uint64_t base;
    uint32_t last_number;
    struct id_map live, calls;
    uint64_t last_call;
    struct slab call_slab;
    struct actor *ready, *last_ready;
    struct drainer *drainers;
    struct drainer *starting; /* just started, and not ended yet */
    double now;  /* of the turn */
    int budget;  /* of the turn, in places of queues */
};

/* Functions are closures over the anchors and the house. */
enum { ACTOR_ANCHORS = 1, ACTOR_HOUSE = 2 };
static inline struct actors *actors_of(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(ACTOR_HOUSE));
}

/* What actor.lua registers, in the registry: see lua_actor.c. */
extern const char actor_anchors_key, actor_drain_key, actor_hooks_key;

/* The reference at the index; NULL: something else. actor_check raises. */
struct actor *actor_at(lua_State *L, int index);
struct actor *actor_check(lua_State *L, int index);

/* Pushes the reference of a live actor; anchors is the index of the table. */
static inline void actor_push(lua_State *L, const struct actor *a, int anchors)
{
    lua_rawgeti(L, anchors, a->slot);
}

/* Whose handler runs; NULL: no actor's. */
struct drainer *actor_current(const struct actors *house);

/* The address of the actor whose message the task handles; 0: it handles none. */
uint64_t actor_of_task(struct vm_task *task);

/* Calls the hook of that name with the `count` values on top, which it pops. Raises nothing. */
void actor_hook(lua_State *L, const char *name, int count);

/* The actor is dead; on top of L: the reason, then the error that its calls fail with. Pops both. */
void actor_end(lua_State *L, struct actors *house, struct actor *a);
/* The handlers that a concurrent actor still has in flight end. */
void actor_kill_handlers(struct actors *house, const struct actor *a);

/* lua_actor_send.c */

/* Adds a message: name at 2, arguments from `first` to the top, which are its own. `call` 0: nobody waits. */
void actor_put(lua_State *L, struct actors *house, struct actor *a, int first, uint64_t call);
/* Values from `first` to the top become copies, as if they had come from another vm. */
void actor_copy(lua_State *L, int first);
/* The drainer of a busy actor is told to look again: the position moves from the queue to actor->head. */
void actor_disturb(lua_State *L, struct actor *a);
/* Stands in the ready list. */
void actor_make_ready(struct actors *house, struct actor *a);
int actor_message_size(lua_State *L, int queue, int at);
void actor_open_send(lua_State *L);

/* lua_actor_run.c */
void actor_work(struct vm_work *work, double now);
/* Ends it: at once, or when its handler next waits or returns. On top of L the reference and the reason; pops both. */
void actor_kill(lua_State *L, struct actors *house, struct actor *a);
void actor_open_run(lua_State *L);

/* lua_actor_call.c */
/* Fails all calls of the actor with the error on top of L, which stays. */
void actor_fail_calls(lua_State *L, struct actors *house, struct actor *a);
void actor_open_call(lua_State *L);

/* Lua: pushes the table of C functions that lua/troupe/actor.lua is built from. */
int lua_actor_open(lua_State *L);

#endif
