/* value_decode_table.c - arrays and maps onto tables of the right size.
 *
 * Invariants:
 * 1. All heads of a message together promise no more elements than it has bytes: room made ahead is bounded
 *    by its size.
 * 2. No key is nil or NaN: setting a field raises nothing but memory errors.
 */
#include "value_decoder.h"

#include "troupe.h"

/* Keys are worth remembering in a message of so many bytes. */
enum { KEYS_WORTHWHILE = 256 };

/* Holds `count` values against what is left of them all; 0, then the table they go into has its level and its
 * slots. */
static int begin_table(struct decoder *self, uint64_t count)
{
    if (count > decode_left(self) || count > self->size - self->claimed || count > INT32_MAX)
        return decode_fail(self, TROUPE_EBADMSG, "a table has more elements than the message has bytes");
    self->claimed += count;
    return decode_deeper(self);
}

int decode_array(struct decoder *self, uint64_t count)
{
    lua_State *L = self->L;
    int rc = begin_table(self, count), table;

    if (rc)
        return rc;
    lua_createtable(L, (int)count, 0);
    decode_keep(self);
    table = lua_gettop(L);
    for (uint64_t i = 1; i <= count; i++) {
        rc = decode_value(self);
        if (rc)
            return rc;
        lua_rawseti(L, table, (lua_Integer)i);
    }
    self->depth--;
    return 0;
}

void decode_make_keys(struct decoder *self)
{
    self->keys = 0;
    if (self->size < KEYS_WORTHWHILE || !lua_checkstack(self->L, DECODE_KEYS + DECODE_ROOM))
        return;
    memset(self->recent, 0, sizeof self->recent);
    self->keys = lua_gettop(self->L) + 1;
    lua_settop(self->L, self->keys + DECODE_KEYS - 1);
}

/* Keys are short: a call of memcmp costs more than the comparison. */
static inline bool same_bytes(const unsigned char *a, const unsigned char *b, size_t size)
{
    uint64_t a8, b8;
    size_t i = 0;

    for (; i + 8 <= size; i += 8) {
        memcpy(&a8, a + i, 8);
        memcpy(&b8, b + i, 8);
        if (a8 != b8)
            return false;
    }
    for (; i < size; i++)
        if (a[i] != b[i])
            return false;
    return true;
}

/* The short string at self->at, which has been held against what is left: records repeat their keys, and a
 * slot of the stack is sooner pushed than a string is hashed and looked up again. */
static void push_key(struct decoder *self, size_t size)
{
    const unsigned char *bytes = self->at;
    unsigned hash = (unsigned)(bytes[0] + bytes[size - 1] * 5u + bytes[size / 2] * 17u + size * 3u);
    unsigned slot = hash % DECODE_KEYS;
    struct decoder_key *recent = &self->recent[slot];

    if (recent->size == size && same_bytes(recent->bytes, bytes, size)) {
        lua_pushvalue(self->L, self->keys + (int)slot);
    } else {
        lua_pushlstring(self->L, (const char *)bytes, size);
        lua_copy(self->L, -1, self->keys + (int)slot);
        recent->bytes = bytes;
        recent->size = size;
    }
    self->at += size;
}

/* Pushes a key: never nil, never NaN. */
static int decode_key(struct decoder *self)
{
    lua_State *L = self->L;
    int rc;

    if (self->keys && decode_left(self) > 0 && (*self->at & 0xe0) == FORMAT_FIXSTR) {
        size_t size = *self->at & 0x1f;

        if (size > 0 && size < decode_left(self)) {
            self->at++;
            push_key(self, size);
            return 0;
        }
    }
    rc = decode_value(self);
    if (rc == 0 && lua_isnil(L, -1))
        return decode_fail(self, TROUPE_EBADMSG, "a table has nil as a key");
    if (rc == 0 && lua_type(L, -1) == LUA_TNUMBER && lua_tonumber(L, -1) != lua_tonumber(L, -1))
        return decode_fail(self, TROUPE_EBADMSG, "a table has NaN as a key");
    return rc;
}

int decode_map(struct decoder *self, uint64_t count)
{
    lua_State *L = self->L;
    int rc = begin_table(self, count * 2), table;

    if (rc)
        return rc;
    lua_createtable(L, 0, (int)count);
    decode_keep(self);
    table = lua_gettop(L);
    for (uint64_t i = 0; i < count; i++) {
        rc = decode_key(self);
        if (rc == 0)
            rc = decode_value(self);
        if (rc)
            return rc;
        lua_rawset(L, table);
    }
    self->depth--;
    return 0;
}
