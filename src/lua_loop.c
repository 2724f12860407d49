/* lua_loop.c - one loop a vm, found in its registry; waiting.
 *
 * A client's loop lives in a userdata whose finaliser ends it and leaves the node. It was made before all pools, jobs and
 * tasks of the vm, so it is finalised after them. A worker's loop belongs to the worker.
 */
#include "lua_loop.h"

#include <sys/resource.h>

#include <lauxlib.h>

#include "clock.h"
#include "lua_actor.h"
#include "lua_notify.h"
#include "lua_open.h"
#include "lua_output.h"
#include "lua_question.h"
#include "node.h"
#include "troupe.h"
#include "value.h"
#include "vm.h"
#include "vm_task.h"
#include "worker.h"

struct client {
    struct ear *ear;
    struct loop *loop;
    bool entered; /* the node */
};

/* Registry: the loop's seat, its owner, and who waits for what: context -> a task's id, or a list of them. */
static const char seat_key, client_key, waiters_key;

/* Letters that answer nothing: events for the vm's tasks, questions about its jobs, lines of their processes, all about
 * actors. */
static void other_letter(struct message **letter, void *L)
{
    uint8_t kind = message_header(*letter)->kind;
    if (kind == MAIL_ASK)
        lua_question_letter(letter, L);
    else if (kind == MAIL_OUTPUT)
        lua_output_letter(letter, L);
    else if (kind >= MAIL_TELL)
        lua_actor_letter(letter, L);
    else
        lua_notify_letter(letter, L);
}

const struct worker_hooks lua_loop_hooks = {
    .open = lua_open_preload, .attach = lua_loop_attach, .leave = lua_actor_leave, .detach = lua_loop_detach,
    .other = other_letter};

struct lua_loop_seat *lua_loop_seat(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &seat_key);
    struct lua_loop_seat *seat = lua_touserdata(L, -1);
    lua_pop(L, 1);
    if (!seat) {
        seat = lua_newuserdatauv(L, sizeof *seat, 0);
        *seat = (struct lua_loop_seat){0};
        lua_rawsetp(L, LUA_REGISTRYINDEX, &seat_key);
    }
    return seat;
}

void lua_loop_attach(lua_State *L, struct loop *loop)
{
    lua_loop_seat(L)->loop = loop;
}

void lua_loop_detach(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &seat_key);
    struct lua_loop_seat *seat = lua_touserdata(L, -1);
    lua_pop(L, 1);
    if (seat)
        *seat = (struct lua_loop_seat){.closed = true};
}

static int leave(lua_State *L)
{
    struct client *self = lua_touserdata(L, 1);
    lua_actor_leave(L);
    if (self->loop)
        vm_tasks_kill_all(loop_tasks(self->loop)); /* what they close may still use the loop */
    lua_loop_detach(L);
    loop_destroy(&self->loop);
    if (self->entered)
        node_leave(&self->ear);
    ear_close(&self->ear);
    self->entered = false;
    return 0;
}

static void client_letter(void *owner, struct message **letter, void *context)
{
    (void)owner;
    other_letter(letter, context);
}

static struct client *push_client(lua_State *L)
{
    struct client *self = lua_newuserdatauv(L, sizeof *self, 0);
    *self = (struct client){0};
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, leave);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &client_key);
    return self;
}

static void refuse(lua_State *L, int rc)
{
    struct rlimit files;
    if (rc == TROUPE_ELIMIT && getrlimit(RLIMIT_NOFILE, &files) == 0)
        luaL_error(L, "troupe cannot start: no more descriptors or threads (ulimit -n is %I, and a pool takes about 20; "
                      "see also ulimit -u)", (LUAI_UACINT)files.rlim_cur);
    luaL_error(L, rc == TROUPE_EINVAL ? "troupe cannot be used in a forked child of the program that loaded it%.0s"
                                      : "troupe cannot start: %s", troupe_strerror(rc));
}

static struct loop *open_loop(lua_State *L)
{
    struct client *self = push_client(L);
    int rc = ear_open(&self->ear, client_letter, NULL);
    if (rc)
        refuse(L, rc);
    self->loop = loop_new(L, self->ear);
    if (!self->loop)
        refuse(L, TROUPE_ENOMEM);
    lua_loop_attach(L, self->loop);
    lua_pop(L, 1);
    return self->loop;
}

struct loop *lua_loop(lua_State *L)
{
    struct lua_loop_seat *seat = lua_loop_seat(L);
    if (seat->closed)
        luaL_error(L, "troupe cannot be used any more: this Lua state is closing");
    return seat->loop ? seat->loop : open_loop(L);
}

struct loop *lua_loop_with_node(lua_State *L)
{
    struct loop *loop = lua_loop(L);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &client_key);
    struct client *self = lua_touserdata(L, -1);
    lua_pop(L, 1);
    if (self && !self->entered) {
        int rc = node_enter(&lua_loop_hooks, self->ear);
        if (rc)
            refuse(L, rc);
        self->entered = true;
    }
    return loop;
}

static int nothing(lua_State *L)
{
    (void)L;
    return 0;
}

void lua_loop_let_hooks_run(lua_State *L)
{
    lua_pushcfunction(L, nothing);
    lua_call(L, 0, 0);
}

static void push_waiters(lua_State *L)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &waiters_key) == LUA_TTABLE)
        return;
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &waiters_key);
}

/* One more task waits for the context: waiters, its entry so far on top. */
static void add_waiter(lua_State *L, lua_Integer id)
{
    if (lua_isnil(L, -1)) {
        lua_pushinteger(L, id);
        lua_replace(L, -2);
    } else if (lua_isinteger(L, -1) && lua_tointeger(L, -1) != id) {
        lua_createtable(L, 2, 0);
        lua_insert(L, -2);
        lua_rawseti(L, -2, 1);
    }
    if (!lua_istable(L, -1))
        return;
    lua_Integer count = (lua_Integer)lua_rawlen(L, -1);
    bool last = lua_rawgeti(L, -1, count) == LUA_TNUMBER && lua_tointeger(L, -1) == id;
    lua_pop(L, 1);
    if (last)
        return; /* its last wait ended at its deadline */
    lua_pushinteger(L, id);
    lua_rawseti(L, -2, count + 1);
}

static void note_waiter(lua_State *L, const void *context, const struct vm_task *task)
{
    luaL_checkstack(L, 6, NULL);
    push_waiters(L);
    lua_rawgetp(L, -1, context);
    add_waiter(L, (lua_Integer)vm_task_id(task));
    lua_rawsetp(L, -2, context);
    lua_pop(L, 1);
}

static void wake(lua_State *L, struct vm_tasks *tasks, const void *context, int index)
{
    struct vm_task *t = vm_task_find(tasks, (uint64_t)lua_tointeger(L, index));
    if (t && vm_task_waits_for(t, context))
        vm_task_wake(t, L, 0);
}

void lua_loop_wake(lua_State *L, const void *context)
{
    lua_checkstack(L, 6);
    int top = lua_gettop(L);
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &waiters_key) != LUA_TTABLE || lua_rawgetp(L, -1, context) == LUA_TNIL) {
        lua_settop(L, top);
        return;
    }
    struct vm_tasks *tasks = vm_tasks_of(L);
    if (lua_istable(L, -1)) {
        lua_Integer count = (lua_Integer)lua_rawlen(L, -1);
        for (lua_Integer i = 1; i <= count; i++) {
            lua_rawgeti(L, -1, i);
            wake(L, tasks, context, -1);
            lua_pop(L, 1);
        }
    } else {
        wake(L, tasks, context, -1);
    }
    lua_pop(L, 1);
    lua_pushnil(L);
    lua_rawsetp(L, -2, context);
    lua_settop(L, top);
}

bool lua_loop_wait(lua_State *L, bool (*done)(const void *context), const void *context, double deadline,
                   lua_KContext kcontext, lua_KFunction k)
{
    struct loop *loop = lua_loop(L);
    struct vm_tasks *tasks = loop_tasks(loop);
    if (done(context))
        return true;
    if (deadline != 0 && vm_task_may_park(tasks, L)) {
        note_waiter(L, context, vm_task_running(tasks));
        return vm_task_park(tasks, L, context, 0, deadline, kcontext, k);
    }
    bool blocked = vm_task_running(tasks);
    luaL_checkstack(L, 8, NULL);
    while (!done(context)) {
        int rc = blocked ? loop_listen(loop, deadline) : loop_turn(loop, deadline, true);
        if (rc == TROUPE_EINTR)
            lua_loop_let_hooks_run(L);
        else if (rc == TROUPE_ETIMEDOUT)
            return done(context);
        else if (rc)
            luaL_error(L, "waiting: %s", troupe_strerror(rc));
    }
    return true;
}

void lua_loop_once(lua_State *L, const void *context, lua_KFunction k)
{
    struct loop *loop = lua_loop(L);
    struct vm_tasks *tasks = loop_tasks(loop);
    if (vm_task_may_park(tasks, L)) {
        note_waiter(L, context, vm_task_running(tasks));
        vm_task_park(tasks, L, context, 0, -1, 0, k);
    }
    luaL_checkstack(L, 8, NULL);
    if ((vm_task_running(tasks) ? loop_listen(loop, -1) : loop_turn(loop, -1, true)) == TROUPE_EINTR)
        lua_loop_let_hooks_run(L);
}

static bool is_resolved(const void *context)
{
    return !((const struct future *)context)->pending;
}

bool lua_loop_await(lua_State *L, const struct future *future, double deadline, lua_KContext kcontext, lua_KFunction k)
{
    return lua_loop_wait(L, is_resolved, future, deadline, kcontext, k);
}

double lua_loop_deadline(lua_State *L, int index)
{
    if (lua_isnoneornil(L, index))
        return -1;
    lua_Number seconds = luaL_checknumber(L, index);
    luaL_argcheck(L, seconds >= 0, index, "a timeout is not negative");
    return seconds > 1e9 ? -1 : seconds == 0 ? 0 : clock_now() + seconds;
}

struct question {
    struct future future; /* first */
    struct message *answer;
};

static bool keep_answer(struct future *future, struct message **letter, void *context)
{
    struct question *q = (struct question *)future;
    q->answer = *letter;
    *letter = NULL;
    lua_loop_wake(context, future);
    return false;
}

/* A question lives in a userdata, so that an error raised while it waits leaves nothing behind. */
static int forget_question(lua_State *L)
{
    struct question *q = lua_touserdata(L, 1);
    if (q->future.pending)
        ear_forget(loop_ear(lua_loop(L)), &q->future);
    message_destroy(&q->answer);
    return 0;
}

static struct question *push_question(lua_State *L)
{
    struct question *q = lua_newuserdatauv(L, sizeof *q, 0);
    *q = (struct question){.future = {.resolve = keep_answer}};
    if (luaL_newmetatable(L, "troupe.question")) {
        vm_interrupt_spare(forget_question);
        lua_pushcfunction(L, forget_question);
        lua_setfield(L, -2, "__gc");
        lua_pushcfunction(L, forget_question);
        lua_setfield(L, -2, "__close");
    }
    lua_setmetatable(L, -2);
    return q;
}

static int post_question(struct ear *ear, struct question *q, const struct header *header, const void *body, size_t size)
{
    int rc = ear_expect(ear, &q->future);
    if (rc)
        return rc;
    struct message *letter = message_new(MAIL_NONE);
    if (!letter)
        return TROUPE_ENOMEM;
    struct header *h = message_header(letter);
    h->kind = header->kind;
    h->flags = header->flags;
    h->pool = header->pool;
    h->id = header->id;
    h->u = header->u;
    rc = buffer_append(&letter->bytes, body, size);
    if (rc) {
        message_destroy(&letter);
        return rc;
    }
    return ear_post(ear, &q->future, &letter);
}

/* The question is on top of the stack, to be closed. */
static int finish_ask(lua_State *L, int status, lua_KContext slot)
{
    static const struct value_mode mode;
    struct question *q = lua_touserdata(L, (int)slot);
    int count;
    (void)status;
    lua_settop(L, (int)slot);
    if (!q->answer)
        lua_pushnil(L);
    else if (value_decode(L, message_body(q->answer), message_body_size(q->answer), &mode, &count))
        lua_error(L);
    lua_closeslot(L, (int)slot);
    return 1;
}

int lua_loop_ask_with(lua_State *L, const struct header *question, const void *body, size_t size, double deadline)
{
    struct loop *loop = lua_loop_with_node(L);
    struct question *q = push_question(L);
    int slot = lua_gettop(L);
    lua_toclose(L, slot);
    int rc = post_question(loop_ear(loop), q, question, body, size);
    if (rc)
        luaL_error(L, "asking the node: %s", troupe_strerror(rc));
    lua_loop_await(L, &q->future, deadline, slot, finish_ask);
    return finish_ask(L, LUA_OK, slot);
}

int lua_loop_ask(lua_State *L, const struct header *question, double deadline)
{
    return lua_loop_ask_with(L, question, NULL, 0, deadline);
}
