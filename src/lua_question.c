/* lua_question.c - see lua_question.h.
 *
 * The function may wait, so it is called in a task, at once even where the vm is blocked: perhaps it is this job that the vm
 * is blocked for. The letter itself becomes the answer, so that answering needs no
 * memory; until then it lies in a userdata, which answers no when nobody else has: the task was ended, or raised.
 */
#include "lua_question.h"

#include <lauxlib.h>

#include "lua_job.h"
#include "lua_loop.h"
#include "lua_task.h"
#include "value.h"
#include "vm_task.h"

static const char decider_key;

struct question {
    struct message *letter; /* NULL: answered */
};

int lua_question_set(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &decider_key);
    return 0;
}

static void answer(lua_State *L, struct message **letter, bool again)
{
    struct loop *loop = lua_loop_seat(L)->loop;
    if (!loop) {
        message_destroy(letter); /* the vm closes: the node knows, and asks nobody */
        return;
    }
    struct header *h = message_header(*letter);
    uint32_t pool = h->pool;
    uint64_t id = h->id;
    message_clear_body(*letter);
    *h = (struct header){.magic = h->magic, .kind = MAIL_DECIDE, .pool = pool, .id = id, .u.number = again};
    ear_post(loop_ear(loop), NULL, letter);
}

/* The question is collected or closed. */
static int let_go(lua_State *L)
{
    struct question *q = lua_touserdata(L, 1);
    if (q->letter)
        answer(L, &q->letter, false);
    return 0;
}

static struct question *push_question(lua_State *L)
{
    struct question *q = lua_newuserdatauv(L, sizeof *q, 0);
    q->letter = NULL;
    if (luaL_newmetatable(L, "troupe.retry")) {
        lua_pushcfunction(L, let_go);
        lua_setfield(L, -2, "__gc");
        lua_pushcfunction(L, let_go);
        lua_setfield(L, -2, "__close");
    }
    lua_setmetatable(L, -2);
    return q;
}

/* The decision, and perhaps an error, are on top of the question. */
static int decided(lua_State *L, int status, lua_KContext context)
{
    struct question *q = lua_touserdata(L, 1);
    (void)status;
    (void)context;
    answer(L, &q->letter, lua_toboolean(L, -2));
    return lua_isnil(L, -1) ? 0 : lua_error(L);
}

/* Lua: (question, job, runs, error) */
static int ask(lua_State *L)
{
    lua_settop(L, 4);
    lua_toclose(L, 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &decider_key);
    lua_insert(L, 2);
    lua_callk(L, 3, 2, 0, decided);
    return decided(L, LUA_OK, 0);
}

/* Lua: (question) -> its job, runs, error; nothing when the job is not known here any more */
static int read_letter(lua_State *L)
{
    static const struct value_mode mode;
    const struct question *q = lua_touserdata(L, 1);
    const struct header *h = message_header(q->letter);
    int count;
    lua_job_push_pending(L);
    lua_rawgeti(L, -1, (lua_Integer)h->slot + 1);
    lua_remove(L, -2);
    const struct future *future = lua_touserdata(L, -1);
    if (!future || future->id != h->id)
        return 0;
    lua_pushinteger(L, h->u.number);
    if (value_decode(L, message_body(q->letter), message_body_size(q->letter), &mode, &count))
        return lua_error(L);
    lua_settop(L, 4); /* without the traceback */
    return 3;
}

/* Lua: (letter as pointer to its pointer) */
static int deliver(lua_State *L)
{
    struct message **letter = lua_touserdata(L, 1);
    struct question *q = push_question(L);
    q->letter = *letter;
    *letter = NULL;
    int top = lua_gettop(L);
    lua_toclose(L, top);
    lua_pushcfunction(L, read_letter);
    lua_pushvalue(L, top);
    lua_call(L, 1, LUA_MULTRET);
    if (lua_gettop(L) == top)
        return 0;
    struct question *handed = push_question(L);
    lua_insert(L, top + 1);
    struct vm_task *task = vm_task_new(vm_tasks_of(L), lua_task_ended, NULL);
    if (!task)
        return 0;
    handed->letter = q->letter;
    q->letter = NULL;
    lua_State *co = vm_task_coroutine(task);
    lua_checkstack(co, 8);
    lua_pushcfunction(co, ask);
    lua_xmove(L, co, 4);
    vm_task_start(task, 4);
    return 0;
}

void lua_question_letter(struct message **letter, void *context)
{
    lua_State *L = context;
    int top = lua_gettop(L);
    lua_checkstack(L, 4);
    lua_pushcfunction(L, deliver);
    lua_pushlightuserdata(L, letter);
    lua_pcall(L, 1, 0, 0); /* what is not answered so is answered no */
    if (*letter)
        answer(L, letter, false);
    lua_settop(L, top);
}
