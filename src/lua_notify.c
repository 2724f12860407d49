/* lua_notify.c - see lua_notify.h.
 *
 * An event is a value, and so is what comes with it: for a task of this vm they go from stack to stack, for others by letter
 * from vm to vm. Nothing answers such a letter: whether the task waited is known, and logged, where it lives.
 */
#include "lua_notify.h"

#include <lauxlib.h>

#include "address.h"
#include "ear.h"
#include "loop.h"
#include "lua_log.h"
#include "lua_loop.h"
#include "mailbox.h"
#include "mailbox_route.h"
#include "message.h"
#include "record.h"
#include "value.h"
#include "vm_task.h"

/* Wakes the task if it waits for the event at `event`, with the values behind it. */
static bool notify_here(lua_State *L, struct vm_tasks *tasks, uint64_t id, int event)
{
    struct vm_task *task = vm_task_find(tasks, id);
    return task && vm_task_waits_for_event(task, L, event) && vm_task_wake(task, L, lua_gettop(L) - event);
}

/* What was in vain is logged, as in lua-threadpool. */
static void log_in_vain(lua_State *L, uint64_t id, int event, bool here)
{
    int type = lua_type(L, event);
    if (type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TBOOLEAN || type == LUA_TNIL)
        luaL_tolstring(L, event, NULL);
    else
        lua_pushfstring(L, "a %s", lua_typename(L, type));
    lua_pushfstring(L, "notify: task %I %s event %s", (LUAI_UACINT)id,
                    here ? "does not wait for" : "is gone, with its vm, and nobody waited for", lua_tostring(L, -1));
    lua_log_say(L, RECORD_WARNING);
    lua_pop(L, 2);
}

static bool notify_elsewhere(lua_State *L, struct ear *ear, uint64_t id)
{
    const struct value_mode mode = {.unnumbered = 1, .remote = address_node(id) != mailbox_house()};
    struct message *m = message_new(MAIL_NOTIFY);
    if (!m)
        luaL_error(L, "not enough memory");
    if (value_encode(L, 2, lua_gettop(L), "value", &mode, &m->bytes)) {
        message_destroy(&m);
        lua_error(L);
    }
    message_header(m)->to = id;
    message_header(m)->from = ear_address(ear);
    int rc = mailbox_post(ear_mailbox(ear), &m);
    message_destroy(&m);
    return rc == 0;
}

int lua_notify(lua_State *L, struct loop *loop)
{
    uint64_t id = (uint64_t)luaL_checkinteger(L, 1);
    luaL_checkany(L, 2);
    struct vm_tasks *tasks = loop_tasks(loop);
    bool here = vm_tasks_is_home(tasks, id);
    bool told = here ? notify_here(L, tasks, id, 2) : notify_elsewhere(L, loop_ear(loop), id);
    if (!told)
        log_in_vain(L, id, 2, here);
    if (here && !vm_task_running(tasks))
        loop_rearm(loop);
    lua_pushboolean(L, told);
    return 1;
}

/* Lua: (letter as pointer) */
static int deliver(lua_State *L)
{
    static const struct value_mode mode;
    const struct message *letter = lua_touserdata(L, 1);
    int count;
    if (value_decode(L, message_body(letter), message_body_size(letter), &mode, &count))
        lua_error(L);
    uint64_t id = message_header(letter)->to;
    if (count > 0 && !notify_here(L, loop_tasks(lua_loop(L)), id, 2))
        log_in_vain(L, id, 2, true);
    return 0;
}

void lua_notify_letter(struct message **letter, void *context)
{
    lua_State *L = context;
    if (message_header(*letter)->kind != MAIL_NOTIFY)
        return;
    int top = lua_gettop(L);
    lua_checkstack(L, 4);
    lua_pushcfunction(L, deliver);
    lua_pushlightuserdata(L, *letter);
    lua_pcall(L, 1, 0, 0); /* an event that does not fit into this vm is lost, as if nobody waited */
    lua_settop(L, top);
}
