/* lua_actor.h - what the parts of the actors' window share: lua_actor.c the life of actors, lua_actor_spawn.c its start, lua_actor_send.c their mail,
 * lua_actor_run.c who runs handlers, lua_actor_drain.c how, lua_actor_call.c calls and answers; lua_actor_remote.c actors of other vms,
 * lua_actor_post.c letters to them, lua_actor_letter.c letters from them, lua_actor_credit.c how many of these may wait,
 * lua_actor_place.c shared vms.
 * For the vm's own thread.
 *
 * A reference is a full userdata, struct actor, whether the actor lives, is dead, or never was. While it lives the vm's table
 * of anchors keeps it, under `slot`. One of another vm is kept while calls to it are pending, and found again as long as
 * anybody has it. Its values:
 *   ACTOR_QUEUE     its messages, a table; see lua_actor_send.c. nil before the first
 *   ACTOR_SELF      the table its handlers get
 *   ACTOR_HANDLERS  name -> handler; true -> the class
 *   ACTOR_REASON    why it ends or has ended
 *
 *     idle --put--> ready --actor_next--> busy --actor_release--> idle, ready
 *     busy --receive, nothing there--> waiting --put, its time--> busy
 *     any but dead --actor_end--> dead
 *     remote --actor_remote_end: an obituary, or its vm is gone--> dead
 */
#ifndef LUA_ACTOR_H
#define LUA_ACTOR_H

#include <stdbool.h>
#include <stdint.h>

#include <lua.h>

#include "id_map.h"
#include "message.h"
#include "slab.h"
#include "vm_task.h"

enum actor_state { ACTOR_IDLE, ACTOR_READY, ACTOR_BUSY, ACTOR_WAITING, ACTOR_DEAD, ACTOR_REMOTE };
enum actor_value { ACTOR_QUEUE = 1, ACTOR_SELF, ACTOR_HANDLERS, ACTOR_REASON, ACTOR_VALUES = ACTOR_REASON };

enum { NO_SENDER = -1 };

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
    int at;               /* where the message at hand stood; 0: not known */
    uint64_t last_sender; /* whose the last message in the queue is; 0: no actor's; NO_SENDER: none has been put there */
    int length, limit;    /* messages waiting, counted only under a limit; 0: none. Remote: sent from here and not taken yet */
    struct peer *peers;   /* vms that await credit for messages they counted; see lua_actor_credit.c */
    uint32_t maker;       /* the vm, upper half of its address, that spawned it and hears of its end; 0: this one */
    unsigned char state;
    bool queued;          /* in the ready list */
    bool stopping;        /* it ends when next taken from the ready list */
    bool starting;        /* its init has not returned */
    bool terminates;      /* its behaviour has a say at its end */
    bool doomed;          /* it ends when its holder's task does */
    bool brutal;          /* killed: its behaviour has no say */
    bool concurrent;
    bool shrinks;         /* its queue is thrown away when it is empty */
    bool changed;         /* it has other handlers than when its holder took it */
    bool receives;        /* it has taken messages by itself: place 1 of its queue is kept */
    bool strayed;         /* self.sender is not the one in the queue's place 1 */
    bool placed;          /* counted in its vm, see lua_actor_place.c */
    bool reported;        /* the node is told of its end */
    bool noted;           /* hook `ended` is to be told of its end */
    bool remote;          /* of another vm: of the above, only what says so is used */
};

/* A task that handles messages, of whichever actors are ready. */
struct drainer {
    struct actors *house;
    struct vm_task *task;
    struct actor *actor; /* whose message it handles; NULL: none */
    uint64_t call;       /* which that message is, or the last one received; 0: none */
    uint64_t asked;      /* which its results answer; 0: none */
    int left;            /* places of the queue it may have yet */
    bool terminating;
    bool parked;         /* it has waited: it takes no further actor */
    struct drainer *prev, *next;
};

/* A question to an actor, from this vm or of this vm, or both. */
struct call {
    uint64_t id; /* first: id_map */
    struct actor *callee; /* NULL: it is answered by the vm itself */
    struct call *prev, *next; /* of the callee, or of the house's own */
    uint64_t task;  /* who waits; 0: a future */
    uint64_t asker; /* the address of the vm that asked, where it is `number`; 0: this one */
    uint64_t number;
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
    struct call *own_calls; /* without a callee */
    bool programs;          /* the vm is a program's own, closed by who made it */
    bool closed;            /* the vm ends: its actors are dead, and there will be no more */
    uint64_t target;        /* what breaks into handlers: the job whose only matter they are; 0: nothing */
    bool shared;            /* its actors are targets of their own instead */
    uint32_t pool;          /* whose letters told it to end some */
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

/* The end of a drainer's task; that it is told so tells such tasks from others. */
void actor_drainer_ended(struct vm_task *task, int status, int count);

/* Whose handler runs; NULL: no actor's. */
static inline struct drainer *actor_current(const struct actors *house)
{
    struct drainer *d = vm_tasks_running_owner(house->tasks, actor_drainer_ended);
    return d && d->actor ? d : NULL;
}

/* The address of the actor whose message the task handles; 0: it handles none. */
uint64_t actor_of_task(struct vm_task *task);

/* Calls the hook of that name with the `count` values on top, which it pops. Raises nothing. */
void actor_hook(lua_State *L, const char *name, int count);

/* It ends for its own reason: its behaviour has had its say. The reference is at `ref`. */
void actor_finish(lua_State *L, struct actor *a, int ref);
/* The actor is dead; on top of L: the reason, then the error that its calls fail with. Pops both. */
void actor_end(lua_State *L, struct actors *house, struct actor *a);
/* The handlers that a concurrent actor still has in flight end. */
void actor_kill_handlers(struct actors *house, const struct actor *a);

uint64_t actor_new_id(struct actors *house);

/* lua_actor_spawn.c */
void actor_open_spawn(lua_State *L);

/* lua_actor_send.c */

/* Raises, as what the user called, unless a message's name is at 2. */
void actor_check_name(lua_State *L, const char *what);
/* Adds a message: its reference at 1, its name at 2, arguments from `first` to the top, which are its own. It is from the actor of
 * that drainer; NULL: from the value at the index `sender`, 0: from no actor. `call` 0: nobody waits. */
void actor_put(lua_State *L, struct actors *house, struct actor *a, int first, const struct drainer *d, int sender, uint64_t call);
/* Counts a message that is lost, as hook `undelivered`: reference, name, arguments from 1 to the top, which it pops. */
int actor_refuse_dead(lua_State *L);
bool actor_is_full(const struct actor *a);
/* A message of an actor with a limit has left the queue. */
void actor_took(lua_State *L, struct actor *a);
/* The values from `first` to the top need not be copied to be another actor's. */
bool actor_may_pass(lua_State *L, int first);
/* Values from `first` to the top become copies, as if they had come from another vm. */
void actor_copy(lua_State *L, int first);
/* Stands in the ready list. */
void actor_make_ready(struct actors *house, struct actor *a);
void actor_open_send(lua_State *L);

/* lua_actor_run.c */
void actor_work(struct vm_work *work, double now);
/* Ends it: at once, or when its handler next waits or returns. On top of L the reference and the reason; pops both. */
void actor_kill(lua_State *L, struct actors *house, struct actor *a);
/* The vm is here for its actors, and what has that target is being broken into. */
bool actor_is_broken(const struct actors *house, uint64_t target);
void actor_open_run(lua_State *L);

/* lua_actor_drain.c */

/* The drainer has nothing to do with its actor any more. */
void actor_release(lua_State *L, struct drainer *d);
/* Registers what a drainer's task runs. */
void actor_open_drain(lua_State *L);

/* lua_actor_call.c */
/* Fails all calls of the actor with the error on top of L, which stays. */
void actor_fail_calls(lua_State *L, struct actors *house, struct actor *a);
void actor_open_call(lua_State *L);
/* A question of this vm's, or one that another vm asks. The callee's reference is at 1; none: the vm itself is asked, or its
 * answer comes from elsewhere. Raises memory errors. */
struct call *actor_call_new(lua_State *L, struct actors *house, struct actor *callee, uint64_t task);
/* It was never asked. */
void actor_call_drop(lua_State *L, struct actors *house, struct call *c);
/* The values from `first` to the top are what a handler returned: the answer, unless there is one or it comes later. */
void actor_reply(lua_State *L, struct actors *house, uint64_t call, int first);
/* The call fails, with the error on top. */
void actor_fail(lua_State *L, struct actors *house, uint64_t call);
/* On top of L: true and the results, or false and the error, `count` values in all. Pops them. */
void actor_answer(lua_State *L, struct actors *house, struct call *c, int count);

/* lua_actor_remote.c */

/* The state's actors; NULL: it has none. */
struct actors *actor_house(lua_State *L);
bool actor_is_at_home(const struct actors *house, uint64_t address);
/* Pushes the reference of an actor of another vm. Raises memory errors, and when the node cannot be started. */
struct actor *actor_push_remote(lua_State *L, uint64_t address);
/* The one that there is; NULL: there is none, and nil is pushed. */
struct actor *actor_push_known(lua_State *L, uint64_t address);
/* The table of all: address -> reference. */
void actor_push_remotes(lua_State *L);
/* It is known to be dead; on top of L: why. Pops that. The reference is at `ref`. */
void actor_remote_end(lua_State *L, struct actors *house, struct actor *a, int ref);
/* A letter found its vm gone: it is lost, or killed if somebody wanted that. The reference is at `ref`. */
void actor_remote_lost(lua_State *L, struct actors *house, struct actor *a, int ref);
/* Pushes an actor's reference with these fields. */
struct actor *actor_push_new(lua_State *L, uint64_t id);
void actor_open_remote(lua_State *L);

/* lua_actor_post.c */

struct letter {
    enum message_kind kind;
    uint16_t flags;
    uint64_t to, from, id;
    int64_t number;
};
/* A letter whose body is the values from `first` to the top, of which so many in front are no arguments. NULL: they cannot
 * be encoded, then why is pushed; or memory is out. Raises nothing. */
struct message *actor_write(lua_State *L, const struct letter *what, int first, const char *word, int unnumbered);
/* Posts it, whatever comes of it; NULL: none for want of memory. 0, or as mailbox_post. */
int actor_post(lua_State *L, struct message *letter);
/* The message (reference at 1, name, arguments) goes to an actor of another vm. 0; TROUPE_EREFUSED: it cannot be
 * encoded, why is pushed; or as mailbox_post. */
int actor_post_message(lua_State *L, struct actors *house, const struct actor *a, uint64_t call, uint16_t flags);
/* Sends the answer of a call from another vm: on top true and results, or false and an error, `count` in all, which it
 * pops. What cannot be encoded becomes the error, or, unless it is `late`, is raised and nothing was sent. True when that
 * vm lives. */
bool actor_post_reply(lua_State *L, const struct call *c, int count, bool late);
void actor_open_post(lua_State *L);

/* lua_actor_letter.c */
void actor_open_letter(lua_State *L);

/* lua_actor_credit.c */

/* A message of a vm was put into the actor's queue; `counted`: it awaits credit for it. */
void actor_note_sender(lua_State *L, struct actor *a, uint64_t vm, bool counted);
/* The actor has room: who awaits credit gets it. */
void actor_give_credit(lua_State *L, struct actor *a);
void actor_forget_peers(struct actor *a);

/* lua_actor_place.c */

/* What an interrupt must be meant for while its handlers run; NULL: nobody's. */
uint64_t actor_target(const struct actors *house, const struct actor *a);
/* In between no handler is broken into, so that what the vm's actors share is changed whole. */
void actor_shield(lua_State *L, const struct actors *house);
void actor_unshield(lua_State *L, const struct actors *house);
/* It is dead. */
void actor_leave_place(lua_State *L, const struct actors *house, const struct actor *a);
/* The node has an actor killed, and is told when it is dead. */
void actor_doom(lua_State *L, struct actors *house, const struct header *h);
void actor_open_place(lua_State *L);

/* A letter that has to do with actors (message.h), for the vm with this state. */
void lua_actor_letter(struct message **letter, void *L);

/* The vm ends: so do its actors, and whoever waits for them elsewhere is told. Again: nothing. */
void lua_actor_leave(lua_State *L);

/* Lua: pushes the table of C functions that lua/troupe/actor.lua is built from. */
int lua_actor_open(lua_State *L);

#endif
