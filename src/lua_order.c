/* lua_order.c - see lua_order.h. Fields that are absent mean what zero means there. */
#include "lua_order.h"

#include <stdbool.h>
#include <string.h>

#include <lauxlib.h>

#include "record.h"
#include "troupe.h"

static lua_Number number_field(lua_State *L, int index, const char *name)
{
    lua_getfield(L, index, name);
    lua_Number v = luaL_optnumber(L, -1, 0);
    lua_pop(L, 1);
    return v;
}

static uint32_t bit_field(lua_State *L, int index, const char *name, uint32_t bit)
{
    lua_getfield(L, index, name);
    bool v = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return v ? bit : 0;
}

/* The text stays in the table. */
static const char *text_field(lua_State *L, int index, const char *name, size_t *size)
{
    *size = 0;
    lua_getfield(L, index, name);
    const char *text = lua_tolstring(L, -1, size);
    lua_pop(L, 1);
    return text;
}

static uint64_t id_field(lua_State *L, int index, const char *name)
{
    lua_getfield(L, index, name);
    uint64_t id = (uint64_t)lua_tointeger(L, -1);
    lua_pop(L, 1);
    return id;
}

struct job_order lua_order_of_job(lua_State *L, int index)
{
    size_t name_size;
    text_field(L, index, "name", &name_size);
    return (struct job_order){
        .priority = (int32_t)number_field(L, index, "priority"),
        .retries = (int32_t)number_field(L, index, "retries"),
        .delay = number_field(L, index, "delay"),
        .backoff = number_field(L, index, "base"),
        .factor = number_field(L, index, "factor"),
        .max = number_field(L, index, "max"),
        .jitter = number_field(L, index, "jitter"),
        .every = number_field(L, index, "every"),
        .timeout = number_field(L, index, "timeout"),
        .bits = bit_field(L, index, "first", ORDER_FIRST) | bit_field(L, index, "scheduled", ORDER_SCHEDULED) |
                bit_field(L, index, "asks", ORDER_ASKS) | bit_field(L, index, "placed", ORDER_PLACED) |
                bit_field(L, index, "outlive", ORDER_OUTLIVE),
        .name_size = (uint32_t)name_size,
        .gang = id_field(L, index, "gang"),
        .gang_size = (int32_t)number_field(L, index, "gang_size"),
    };
}

int lua_order_append(lua_State *L, int index, const struct job_order *order, struct message *letter)
{
    size_t size = 0;
    const char *name = order->name_size ? text_field(L, index, "name", &size) : NULL;
    message_header(letter)->flags |= FLAG_ORDER;
    if (name && buffer_append(&letter->bytes, name, size))
        return TROUPE_ENOMEM;
    return buffer_append(&letter->bytes, order, sizeof *order);
}

/* With its closing zero. Its size, 0 when memory is out. */
static uint32_t append_text(lua_State *L, int index, const char *field, struct message *letter)
{
    size_t size;
    const char *text = text_field(L, index, field, &size);
    return buffer_append(&letter->bytes, text ? text : "", size + 1) ? 0 : (uint32_t)size + 1;
}

/* A list of strings, each with its closing zero. Its size; -1: memory is out. */
static int64_t append_list(lua_State *L, int index, const char *field, struct message *letter)
{
    size_t before = letter->bytes.size, size;
    int rc = 0;
    lua_getfield(L, index, field);
    for (lua_Integer i = 1, n = lua_istable(L, -1) ? (lua_Integer)lua_rawlen(L, -1) : 0; i <= n && rc == 0; i++) {
        lua_rawgeti(L, -1, i);
        const char *text = lua_tolstring(L, -1, &size);
        rc = buffer_append(&letter->bytes, text ? text : "", text ? size + 1 : 1);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return rc ? -1 : (int64_t)(letter->bytes.size - before);
}

/* What processes may take. */
static int append_process(lua_State *L, int index, struct message *letter)
{
    struct process_order order = {
        .address_space = (uint64_t)number_field(L, index, "address_space"),
        .cpu_limit = number_field(L, index, "cpu_limit"),
        .uid = (int64_t)number_field(L, index, "uid"),
        .gid = (int64_t)number_field(L, index, "gid"),
        .nice = (int32_t)number_field(L, index, "nice"),
        .listens = bit_field(L, index, "listens", 1),
    };
    size_t at = letter->bytes.size;
    if (buffer_append(&letter->bytes, &order, sizeof order))
        return TROUPE_ENOMEM;
    order.cwd_size = append_text(L, index, "cwd", letter);
    int64_t env_size = append_list(L, index, "env", letter);
    if (!order.cwd_size || env_size < 0)
        return TROUPE_ENOMEM;
    order.env_size = (uint32_t)env_size;
    memcpy(letter->bytes.data + at, &order, sizeof order);
    return 0;
}

/* What the field `preload` says: C functions by name; *size: the bytes appended. 0 or TROUPE_ENOMEM. */
static int append_preload(lua_State *L, int index, struct message *letter, uint32_t *size)
{
    int rc = 0, top = lua_gettop(L);
    size_t before = letter->bytes.size;
    if (lua_getfield(L, index, "preload") == LUA_TTABLE) {
        lua_pushnil(L);
        while (rc == 0 && lua_next(L, top + 1)) {
            lua_CFunction function = lua_tocfunction(L, -1);
            size_t length;
            const char *name = lua_tolstring(L, -2, &length);
            rc = buffer_append(&letter->bytes, &function, sizeof function);
            rc = rc ? rc : buffer_append(&letter->bytes, name, length + 1);
            lua_pop(L, 1);
        }
    }
    lua_settop(L, top);
    *size = (uint32_t)(letter->bytes.size - before);
    return rc;
}

static int level_field(lua_State *L, int index)
{
    size_t size;
    const char *name = text_field(L, index, "log_level", &size);
    int level = name ? record_level_of(name, size) : 0;
    return level > 0 ? level : 0;
}

int lua_order_of_pool(lua_State *L, int index, bool init, const struct gate *gate, struct message *letter)
{
    struct pool_order order = {
        .workers = (int32_t)number_field(L, index, "workers"),
        .init = init,
        .memory_limit = (uint64_t)number_field(L, index, "memory_limit"),
        .idle_timeout = number_field(L, index, "idle_timeout"),
        .max_jobs = (int32_t)number_field(L, index, "max_jobs"),
        .concurrency = (int32_t)number_field(L, index, "concurrency"),
        .rate_jobs = (int32_t)number_field(L, index, "rate_jobs"),
        .rate_per = number_field(L, index, "rate_per"),
        .gate = (uint64_t)(uintptr_t)gate,
        .places = gate ? 0 : (uint64_t)number_field(L, index, "queue_limit"),
        .log_level = level_field(L, index),
        .process = bit_field(L, index, "process", 1),
        .hosts = bit_field(L, index, "hosts", 1),
        .shared = bit_field(L, index, "shared", 1),
    };
    size_t at = letter->bytes.size;
    if (buffer_append(&letter->bytes, &order, sizeof order))
        return TROUPE_ENOMEM;
    order.name_size = append_text(L, index, "name", letter);
    order.path_size = append_text(L, index, "path", letter);
    order.cpath_size = append_text(L, index, "cpath", letter);
    lua_getfield(L, index, "libs");
    bool chosen = !lua_isnil(L, -1);
    lua_pop(L, 1);
    order.libs_size = chosen ? append_text(L, index, "libs", letter) : 0;
    bool short_of = !order.name_size || !order.path_size || !order.cpath_size || (chosen && !order.libs_size);
    if (short_of || append_preload(L, index, letter, &order.preload_size))
        return TROUPE_ENOMEM;
    memcpy(letter->bytes.data + at, &order, sizeof order);
    return order.process ? append_process(L, index, letter) : 0;
}
