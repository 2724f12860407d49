/* lua_registry.c - see lua_registry.h.
 *
 * In the program's own process each function is one look or change under the registry's lock, and never waits. In a worker
 * process it is a question to the bridge, and waits as all questions do.
 */
#include "lua_registry.h"

#include <string.h>

#include <lauxlib.h>

#include "buffer.h"
#include "loop.h"
#include "lua_loop.h"
#include "mailbox_route.h"
#include "registry_program.h"
#include "troupe.h"

static int no_memory(lua_State *L)
{
    return luaL_error(L, "not enough memory");
}

static struct registry *enter(lua_State *L)
{
    struct registry *r = registry_enter();
    if (!r)
        no_memory(L);
    return r;
}

/* Asks the bridge about the text at 1 and the address at 2, if there are any. */
static int ask(lua_State *L, enum message_kind kind)
{
    size_t size = 0;
    const char *text = luaL_optlstring(L, 1, "", &size);
    const struct header question = {.kind = (uint8_t)kind, .id = (uint64_t)luaL_optinteger(L, 2, 0)};
    return lua_loop_ask_with(L, &question, text, size, -1);
}

/* (name, address) -> true; false when it is taken; nil when memory is out */
static int do_register(lua_State *L)
{
    size_t size;
    const char *name = luaL_checklstring(L, 1, &size);
    uint64_t address = (uint64_t)luaL_checkinteger(L, 2);
    if (mailbox_house())
        return ask(L, MAIL_REGISTER);
    int rc = registry_register(enter(L), name, size, address);
    registry_exit();
    if (rc == TROUPE_ENOMEM)
        lua_pushnil(L);
    else
        lua_pushboolean(L, rc == 0);
    return 1;
}

/* (name) -> true when it was taken */
static int unregister(lua_State *L)
{
    size_t size;
    const char *name = luaL_checklstring(L, 1, &size);
    if (mailbox_house())
        return ask(L, MAIL_UNREGISTER);
    bool was = registry_unregister(enter(L), name, size);
    registry_exit();
    lua_pushboolean(L, was);
    return 1;
}

static int push_address(lua_State *L, uint64_t address)
{
    if (address)
        lua_pushinteger(L, (lua_Integer)address);
    else
        lua_pushnil(L);
    return 1;
}

/* (name) -> address or nil */
static int whereis(lua_State *L)
{
    size_t size;
    const char *name = luaL_checklstring(L, 1, &size);
    if (mailbox_house())
        return ask(L, MAIL_WHEREIS);
    uint64_t address = registry_whereis(enter(L), name, size);
    registry_exit();
    return push_address(L, address);
}

/* What was found under the lock becomes values outside of it. */
static int push_list(lua_State *L, lua_CFunction push, struct buffer *found, int rc)
{
    if (rc == 0) {
        lua_pushcfunction(L, push);
        lua_pushlightuserdata(L, found);
        rc = lua_pcall(L, 1, 1, 0);
    } else {
        lua_pushliteral(L, "not enough memory");
    }
    buffer_release(found);
    return rc ? lua_error(L) : 1;
}

static int add_name(void *context, const char *name, size_t size)
{
    int rc = buffer_append(context, &size, sizeof size);
    return rc ? rc : buffer_append(context, name, size);
}

/* Lua: (buffer as pointer) */
static int push_names(lua_State *L)
{
    const struct buffer *found = lua_touserdata(L, 1);
    lua_Integer count = 0;
    size_t size;
    lua_newtable(L);
    for (size_t at = 0; at < found->size; at += sizeof size + size) {
        memcpy(&size, found->data + at, sizeof size);
        lua_pushlstring(L, (const char *)found->data + at + sizeof size, size);
        lua_rawseti(L, -2, ++count);
    }
    return 1;
}

/* () -> a list of all names, in no order */
static int registered(lua_State *L)
{
    struct buffer found;
    lua_settop(L, 0);
    if (mailbox_house())
        return ask(L, MAIL_NAMES);
    buffer_init(&found);
    int rc = registry_names(enter(L), add_name, &found);
    registry_exit();
    return push_list(L, push_names, &found, rc);
}

/* (address) -> the first of its names, nil when it has none; in a worker process nil, as only the program knows */
static int name_of(lua_State *L)
{
    char copy[256];
    size_t size = 0;
    uint64_t address = (uint64_t)luaL_checkinteger(L, 1);
    if (mailbox_house()) {
        lua_pushnil(L);
        return 1;
    }
    const char *name = registry_name(enter(L), address, &size);
    if (name)
        memcpy(copy, name, size < sizeof copy ? size : sizeof copy);
    registry_exit();
    if (name)
        lua_pushlstring(L, copy, size < sizeof copy ? size : sizeof copy);
    else
        lua_pushnil(L);
    return 1;
}

/* (topic, address) -> true; nil when memory is out */
static int subscribe(lua_State *L)
{
    size_t size;
    const char *topic = luaL_checklstring(L, 1, &size);
    uint64_t address = (uint64_t)luaL_checkinteger(L, 2);
    if (mailbox_house())
        return ask(L, MAIL_SUBSCRIBE);
    int rc = registry_subscribe(enter(L), topic, size, address);
    registry_exit();
    if (rc)
        lua_pushnil(L);
    else
        lua_pushboolean(L, true);
    return 1;
}

/* (topic, address) -> true when it had subscribed */
static int unsubscribe(lua_State *L)
{
    size_t size;
    const char *topic = luaL_checklstring(L, 1, &size);
    uint64_t address = (uint64_t)luaL_checkinteger(L, 2);
    if (mailbox_house())
        return ask(L, MAIL_UNSUBSCRIBE);
    bool was = registry_unsubscribe(enter(L), topic, size, address);
    registry_exit();
    lua_pushboolean(L, was);
    return 1;
}

/* Lua: (buffer as pointer) */
static int push_addresses(lua_State *L)
{
    const struct buffer *found = lua_touserdata(L, 1);
    size_t count = found->size / sizeof(uint64_t);
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        uint64_t address;
        memcpy(&address, found->data + i * sizeof address, sizeof address);
        lua_pushinteger(L, (lua_Integer)address);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* (topic) -> a list of the addresses of all whose subscriptions it fits, each once */
static int subscribers(lua_State *L)
{
    unsigned char small[512];
    struct buffer found;
    size_t size;
    const char *topic = luaL_checklstring(L, 1, &size);
    if (mailbox_house())
        return ask(L, MAIL_SUBSCRIBERS);
    buffer_init_lent(&found, small, sizeof small);
    int rc = registry_subscribers(enter(L), topic, size, &found);
    registry_exit();
    return push_list(L, push_addresses, &found, rc);
}

static void post(lua_State *L, enum message_kind kind, uint64_t id, int64_t number, const char *body)
{
    struct loop *loop = lua_loop_seat(L)->loop;
    struct message *letter = loop ? message_new(kind) : NULL;
    if (!letter)
        return; /* the vm closes, and loses all it had; or memory is out, and what this was about stays until it does */
    message_header(letter)->id = id;
    message_header(letter)->u.number = number;
    buffer_append(&letter->bytes, body, strlen(body)); /* a short one: a letter has room for it */
    ear_post(loop_ear(loop), NULL, &letter);
}

/* (count) so many more messages have reached nobody */
static int count_dead(lua_State *L)
{
    lua_Integer more = luaL_checkinteger(L, 1);
    if (mailbox_house())
        post(L, MAIL_UNREAD, 0, more, "");
    else
        registry_count_dead((uint64_t)more);
    return 0;
}

/* () -> how many messages have reached nobody, in the whole program */
static int dead_letters(lua_State *L)
{
    lua_settop(L, 0);
    if (mailbox_house())
        return ask(L, MAIL_UNREAD);
    lua_pushinteger(L, (lua_Integer)registry_count_dead(0));
    return 1;
}

/* (address of this vm) it has actors, from now on until it closes */
static int settle(lua_State *L)
{
    uint64_t vm = (uint64_t)luaL_checkinteger(L, 1);
    if (mailbox_house()) {
        lua_loop_with_node(L);
        post(L, MAIL_SUBSCRIBE, vm, 0, REGISTRY_VMS);
        return 0;
    }
    int rc = registry_subscribe(enter(L), REGISTRY_VMS, strlen(REGISTRY_VMS), vm);
    registry_exit();
    return rc ? no_memory(L) : 0;
}

/* () -> a list of the addresses of the vms that have actors, in the order in which they had some first. Among them are
 * subscribers to all that there is: addresses of actors. */
static int vms(lua_State *L)
{
    lua_settop(L, 0);
    lua_pushliteral(L, REGISTRY_VMS);
    return subscribers(L);
}

/* (address) the actor is dead, as its vm has told */
static int ended(lua_State *L)
{
    lua_registry_ended(L, (uint64_t)luaL_checkinteger(L, 1));
    return 0;
}

/* () -> true in a worker process, where questions wait */
static int is_away(lua_State *L)
{
    lua_pushboolean(L, mailbox_house() != 0);
    return 1;
}

void lua_registry_ended(lua_State *L, uint64_t address)
{
    if (mailbox_house())
        post(L, MAIL_GONE, address, 0, "");
    else
        registry_ended(address);
}

void lua_registry_left(lua_State *L, uint64_t address)
{
    if (mailbox_house())
        post(L, MAIL_GONE, address, 0, "");
    else
        registry_closed(address);
}

int lua_registry_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"register", do_register}, {"unregister", unregister}, {"whereis", whereis}, {"registered", registered},
        {"name_of", name_of}, {"subscribe", subscribe}, {"unsubscribe", unsubscribe}, {"subscribers", subscribers},
        {"count_dead", count_dead}, {"dead_letters", dead_letters}, {"ended", ended},
        {"settle", settle}, {"vms", vms}, {"is_away", is_away}, {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}
