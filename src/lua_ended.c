/* lua_ended.c - what ended tasks left behind.
 *
 * A ring of the KEPT latest, which grows to that as it is needed. For the thread that owns the vm.
 *
 * Invariants:
 *  1. ring[i] has the cells CELLS * i + 1 and on of the table `values`; cells beyond its own values are nil. More values
 *     than cells are packed into a table, which is in the first;
 *  2. each used entry is in the chain of its bucket once, later ones first;
 *  3. the table's cells are all in its array, made with it: filling them needs no memory.
 */
#include "lua_ended.h"

#include <lauxlib.h>

enum { KEPT = 65536, LEAST = 64, CELLS = 2, NONE = -1 };

struct ended {
    uint64_t id;
    uint32_t next; /* in its bucket's chain */
    unsigned char kind;
    unsigned char cells; /* that are not nil */
    bool packed;
};

void lua_ended_init(struct lua_ended *self, lua_State *L)
{
    *self = (struct lua_ended){0};
    lua_pushboolean(L, 0);
    self->block = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushboolean(L, 0);
    self->values = luaL_ref(L, LUA_REGISTRYINDEX);
}

static uint32_t *bucket_of(const struct lua_ended *self, uint64_t id)
{
    return &self->buckets[id & (self->capacity - 1)];
}

static void chain(struct lua_ended *self, uint32_t i)
{
    uint32_t *bucket = bucket_of(self, self->ring[i].id);
    self->ring[i].next = *bucket;
    *bucket = i;
}

static void unchain(struct lua_ended *self, uint32_t i)
{
    uint32_t *link = bucket_of(self, self->ring[i].id);
    while (*link != i)
        link = &self->ring[*link].next;
    *link = self->ring[i].next;
}

/* The entry and its cells, from the old ring and the table at `values` to the one on top. */
static void move(struct lua_ended *self, lua_State *L, const struct ended *from, uint32_t from_place, uint32_t to)
{
    self->ring[to] = *from;
    chain(self, to);
    for (int i = 1; i <= from->cells; i++) {
        lua_rawgeti(L, -2, (lua_Integer)from_place * CELLS + i);
        lua_rawseti(L, -2, (lua_Integer)to * CELLS + i);
    }
}

/* All are used: twice as many, the oldest first. */
static void grow(struct lua_ended *self, lua_State *L)
{
    struct lua_ended wider = *self;
    wider.capacity = self->capacity ? 2 * self->capacity : LEAST;
    luaL_checkstack(L, 5, NULL);
    wider.ring = lua_newuserdatauv(L, wider.capacity * (sizeof *wider.ring + sizeof *wider.buckets), 0);
    wider.buckets = (uint32_t *)(wider.ring + wider.capacity);
    lua_rawgeti(L, LUA_REGISTRYINDEX, self->values);
    lua_createtable(L, (int)wider.capacity * CELLS, 0);
    for (uint32_t i = 0; i < wider.capacity; i++)
        wider.buckets[i] = (uint32_t)NONE;
    for (uint32_t i = 0; i < self->used; i++) {
        uint32_t place = (self->next + i) & (self->capacity - 1);
        move(&wider, L, &self->ring[place], place, i);
    }
    wider.next = self->used;
    lua_rawseti(L, LUA_REGISTRYINDEX, wider.values);
    lua_pop(L, 1);
    lua_rawseti(L, LUA_REGISTRYINDEX, wider.block);
    *self = wider;
}

static bool is_full(const struct lua_ended *self)
{
    return self->used == self->capacity && self->capacity < KEPT;
}

bool lua_ended_is_ready(const struct lua_ended *self, lua_State *L, int count)
{
    return !is_full(self) && count <= CELLS && lua_checkstack(L, 2);
}

/* The values on top become one table of them. */
static void pack(lua_State *L, int count)
{
    luaL_checkstack(L, 3, NULL);
    lua_createtable(L, count, 1);
    lua_insert(L, -count - 1);
    lua_pushinteger(L, count);
    lua_setfield(L, -count - 2, "n");
    for (int i = count; i > 0; i--)
        lua_rawseti(L, -i - 1, i);
}

/* An entry for the next outcome; the oldest makes room. The cells of that one are still filled. */
static struct ended *next_entry(struct lua_ended *self, uint64_t id)
{
    struct ended *entry = &self->ring[self->next];
    if (self->used == self->capacity) {
        unchain(self, self->next);
    } else {
        self->used++;
        entry->cells = 0;
    }
    entry->id = id;
    chain(self, self->next);
    self->next = (self->next + 1) & (self->capacity - 1);
    return entry;
}

void lua_ended_keep(struct lua_ended *self, lua_State *L, uint64_t id, enum ended_kind kind, int count)
{
    bool packed = count > CELLS;
    luaL_checkstack(L, 2, NULL);
    if (packed)
        pack(L, count);
    int cells = packed ? 1 : count;
    if (is_full(self))
        grow(self, L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, self->values);
    lua_insert(L, -cells - 1);
    lua_Integer first = (lua_Integer)self->next * CELLS;
    struct ended *entry = next_entry(self, id);
    for (int i = cells + 1; i <= entry->cells; i++) {
        lua_pushnil(L);
        lua_rawseti(L, -cells - 2, first + i);
    }
    for (int i = cells; i > 0; i--)
        lua_rawseti(L, -i - 1, first + i);
    lua_pop(L, 1);
    entry->kind = (unsigned char)kind;
    entry->cells = (unsigned char)cells;
    entry->packed = packed;
}

static const struct ended *find(const struct lua_ended *self, uint64_t id)
{
    if (!self->ring)
        return NULL;
    uint32_t i = *bucket_of(self, id);
    while (i != (uint32_t)NONE && self->ring[i].id != id)
        i = self->ring[i].next;
    return i == (uint32_t)NONE ? NULL : &self->ring[i];
}

static int push_packed(lua_State *L)
{
    lua_getfield(L, -1, "n");
    int count = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
    luaL_checkstack(L, count, "too many results");
    int table = lua_gettop(L);
    for (int i = 1; i <= count; i++)
        lua_rawgeti(L, table, i);
    lua_remove(L, table);
    return count;
}

int lua_ended_push(const struct lua_ended *self, lua_State *L, uint64_t id)
{
    const struct ended *entry = find(self, id);
    luaL_checkstack(L, CELLS + 2, NULL);
    lua_pushboolean(L, !entry || entry->kind == ENDED_RETURNED);
    if (!entry)
        return 1;
    if (entry->kind == ENDED_KILLED) {
        lua_pushliteral(L, "killed");
        return 2;
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, self->values);
    int values = lua_gettop(L);
    for (int i = 1; i <= entry->cells; i++)
        lua_rawgeti(L, values, (entry - self->ring) * CELLS + i);
    lua_remove(L, values);
    return 1 + (entry->packed ? push_packed(L) : entry->cells);
}
