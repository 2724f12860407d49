/* value_decode.c - bytes to Lua values: the way in, scalars, strings, arrays, maps.
 *
 * Entered by the thread that owns the lua_State. The bytes may come from anybody. Invariants:
 * 1. Nothing is read at or behind `end`; every length is held against what is left before it is used.
 * 2. All heads together promise no more elements than the message has bytes, so room made ahead is bounded by its size.
 * 3. Recursion is bounded by `limit`, and each level asks for its stack slots.
 * 4. Raises memory errors only, and then owns nothing.
 */
#include "value_decoder.h"

#include <stdarg.h>

#include <lauxlib.h>

#include "troupe.h"

/* Keys are worth remembering in a message of so many bytes. */
enum { KEYS_WORTHWHILE = 256 };

int decode_fail(struct decoder *self, int status, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    lua_pushvfstring(self->L, format, arguments);
    va_end(arguments);
    lua_pushfstring(self->L, "byte %I: ", (LUAI_UACINT)(self->at - self->start));
    lua_insert(self->L, -2);
    lua_concat(self->L, 2);
    return status;
}

static int truncated(struct decoder *self)
{
    return decode_fail(self, TROUPE_EBADMSG, "the message ends inside a value");
}

static size_t left(const struct decoder *self)
{
    return (size_t)(self->end - self->at);
}

int decode_deeper(struct decoder *self)
{
    if (self->depth >= self->limit)
        return decode_fail(self, TROUPE_EBADMSG, "nesting is deeper than %d levels", self->limit);
    if (!lua_checkstack(self->L, DECODE_ROOM))
        return decode_fail(self, TROUPE_EBADMSG, "too many values for the stack");
    self->depth++;
    return 0;
}

void decode_keep(struct decoder *self)
{
    if (self->shared) {
        lua_pushvalue(self->L, -1);
        lua_rawseti(self->L, self->kept, self->objects);
    }
    self->objects++;
}

/* Reads a number of so many bytes. */
static inline bool read_number(struct decoder *self, unsigned bytes, uint64_t *number)
{
    if (left(self) < bytes)
        return false;
    *number = format_read(self->at, bytes);
    self->at += bytes;
    return true;
}

static int decode_unsigned(struct decoder *self, unsigned bytes)
{
    uint64_t number;

    if (!read_number(self, bytes, &number))
        return truncated(self);
    if (number > INT64_MAX)
        lua_pushnumber(self->L, (lua_Number)number);
    else
        lua_pushinteger(self->L, (lua_Integer)number);
    return 0;
}

static int decode_signed(struct decoder *self, unsigned bytes)
{
    uint64_t number;

    if (!read_number(self, bytes, &number))
        return truncated(self);
    if (bytes == 1)
        lua_pushinteger(self->L, (int8_t)number);
    else if (bytes == 2)
        lua_pushinteger(self->L, (int16_t)number);
    else if (bytes == 4)
        lua_pushinteger(self->L, (int32_t)number);
    else
        lua_pushinteger(self->L, (lua_Integer)number);
    return 0;
}

static int decode_float(struct decoder *self, unsigned bytes)
{
    uint64_t number;
    uint32_t bits;
    float narrow;
    double wide;

    if (!read_number(self, bytes, &number))
        return truncated(self);
    if (bytes == 4) {
        bits = (uint32_t)number;
        memcpy(&narrow, &bits, sizeof narrow);
        wide = narrow;
    } else {
        memcpy(&wide, &number, sizeof wide);
    }
    lua_pushnumber(self->L, wide);
    return 0;
}

static int decode_string(struct decoder *self, uint64_t size)
{
    if (size > left(self))
        return truncated(self);
    lua_pushlstring(self->L, (const char *)self->at, (size_t)size);
    self->at += size;
    return 0;
}

/* The size of what follows stands in so many bytes. */
static int decode_sized_string(struct decoder *self, unsigned bytes)
{
    uint64_t size;

    return read_number(self, bytes, &size) ? decode_string(self, size) : truncated(self);
}

/* Holds `count` values against what is left of them all; 0, then the table they go into has its level and its slots. */
static int begin_table(struct decoder *self, uint64_t count)
{
    if (count > left(self) || count > self->size - self->claimed || count > INT32_MAX)
        return decode_fail(self, TROUPE_EBADMSG, "a table has more elements than the message has bytes");
    self->claimed += count;
    return decode_deeper(self);
}

static int decode_array(struct decoder *self, uint64_t count)
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

/* The short string at self->at, which has been held against what is left: records repeat their keys, and a slot of
 * the stack is sooner pushed than a string is hashed and looked up again. */
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

    if (self->keys && left(self) > 0 && (*self->at & 0xe0) == FORMAT_FIXSTR) {
        size_t size = *self->at & 0x1f;

        if (size > 0 && size < left(self)) {
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

static int decode_map(struct decoder *self, uint64_t count)
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

static int decode_sized_table(struct decoder *self, unsigned bytes, bool map)
{
    uint64_t count;

    if (!read_number(self, bytes, &count))
        return truncated(self);
    return map ? decode_map(self, count) : decode_array(self, count);
}

bool decode_ext_head(struct decoder *self, int *type, size_t *size)
{
    const unsigned char *before = self->at;
    unsigned marker = left(self) ? *self->at : 0;
    uint64_t number;

    self->at += left(self) > 0;
    if (marker >= FORMAT_FIXEXT1 && marker <= FORMAT_FIXEXT16)
        number = UINT64_C(1) << (marker - FORMAT_FIXEXT1);
    else if (marker < FORMAT_EXT8 || marker > FORMAT_EXT32 || !read_number(self, 1u << (marker - FORMAT_EXT8), &number))
        goto none;
    if (left(self) == 0 || number > left(self) - 1)
        goto none;
    *type = (int8_t)*self->at++;
    *size = (size_t)number;
    return true;
none:
    self->at = before;
    return false;
}

static int decode_any_ext(struct decoder *self)
{
    int type;
    size_t size;

    self->at--;
    return decode_ext_head(self, &type, &size) ? decode_ext(self, type, size) : truncated(self);
}

/* The markers from 0xc0 on, their byte already read. */
static int decode_marked(struct decoder *self, unsigned marker)
{
    lua_State *L = self->L;

    switch (marker) {
    case FORMAT_NIL: lua_pushnil(L); return 0;
    case FORMAT_FALSE: lua_pushboolean(L, 0); return 0;
    case FORMAT_TRUE: lua_pushboolean(L, 1); return 0;
    case FORMAT_BIN8: case FORMAT_STR8: return decode_sized_string(self, 1);
    case FORMAT_BIN16: case FORMAT_STR16: return decode_sized_string(self, 2);
    case FORMAT_BIN32: case FORMAT_STR32: return decode_sized_string(self, 4);
    case FORMAT_EXT8: case FORMAT_EXT16: case FORMAT_EXT32: return decode_any_ext(self);
    case FORMAT_FLOAT32: return decode_float(self, 4);
    case FORMAT_FLOAT64: return decode_float(self, 8);
    case FORMAT_UINT8: return decode_unsigned(self, 1);
    case FORMAT_UINT16: return decode_unsigned(self, 2);
    case FORMAT_UINT32: return decode_unsigned(self, 4);
    case FORMAT_UINT64: return decode_unsigned(self, 8);
    case FORMAT_INT8: return decode_signed(self, 1);
    case FORMAT_INT16: return decode_signed(self, 2);
    case FORMAT_INT32: return decode_signed(self, 4);
    case FORMAT_INT64: return decode_signed(self, 8);
    case FORMAT_FIXEXT1: case FORMAT_FIXEXT2: case FORMAT_FIXEXT4: case FORMAT_FIXEXT8: case FORMAT_FIXEXT16:
        return decode_any_ext(self);
    case FORMAT_ARRAY16: return decode_sized_table(self, 2, false);
    case FORMAT_ARRAY32: return decode_sized_table(self, 4, false);
    case FORMAT_MAP16: return decode_sized_table(self, 2, true);
    case FORMAT_MAP32: return decode_sized_table(self, 4, true);
    default:
        self->at--;
        return decode_fail(self, TROUPE_EBADMSG, "no value begins with this byte");
    }
}

int decode_value(struct decoder *self)
{
    unsigned marker;

    if (self->at == self->end)
        return truncated(self);
    marker = *self->at++;
    if (marker < FORMAT_FIXMAP || marker >= 0xe0) {
        lua_pushinteger(self->L, (int8_t)marker);
        return 0;
    }
    if (marker >= FORMAT_NIL)
        return decode_marked(self, marker);
    if (marker >= FORMAT_FIXSTR)
        return decode_string(self, marker & 0x1f);
    if (marker >= FORMAT_FIXARRAY)
        return decode_array(self, marker & 0x0f);
    return decode_map(self, marker & 0x0f);
}

/* Objects are kept only for a message that says that it refers to them. */
static void read_prefix(struct decoder *self)
{
    static const unsigned char prefix[FORMAT_PREFIX] = { FORMAT_EXT8, 0, EXT_SHARED };

    if (left(self) < FORMAT_PREFIX || memcmp(self->at, prefix, FORMAT_PREFIX) != 0)
        return;
    self->at += FORMAT_PREFIX;
    self->shared = true;
    lua_newtable(self->L);
    self->kept = lua_gettop(self->L);
}

/* Slots for recent keys, when the message is long enough to repeat some. */
static void make_keys(struct decoder *self)
{
    self->keys = 0;
    if (self->size < KEYS_WORTHWHILE || !lua_checkstack(self->L, DECODE_KEYS + DECODE_ROOM))
        return;
    memset(self->recent, 0, sizeof self->recent);
    self->keys = lua_gettop(self->L) + 1;
    lua_settop(self->L, self->keys + DECODE_KEYS - 1);
}

static int decode_all(struct decoder *self, int *count)
{
    for (*count = 0; self->at < self->end; ++*count) {
        int rc;

        if (*count % DECODE_ROOM == 0 && !lua_checkstack(self->L, 2 * DECODE_ROOM))
            return decode_fail(self, TROUPE_EBADMSG, "too many values for the stack");
        rc = decode_value(self);
        if (rc)
            return rc;
    }
    return 0;
}

int value_decode(lua_State *L, const void *bytes, size_t size, const struct value_mode *mode, int *count)
{
    struct decoder self; /* filled by hand: recent is big and seldom used */
    int base = lua_gettop(L), scratch, rc;

    self.L = L;
    self.start = self.at = bytes;
    self.end = self.start + size;
    self.size = size;
    self.claimed = 0;
    self.mode = mode;
    self.depth = 0;
    self.limit = mode->depth > 0 && mode->depth < VALUE_DEPTH ? mode->depth : VALUE_DEPTH;
    self.shared = false;
    self.objects = self.variables = 0;
    luaL_checkstack(L, DECODE_ROOM, NULL);
    make_keys(&self);
    read_prefix(&self);
    scratch = lua_gettop(L) - base;
    rc = decode_all(&self, count);
    if (rc) {
        lua_insert(L, base + 1);
        lua_settop(L, base + 1);
    } else if (scratch) {
        lua_rotate(L, base + 1, *count);
        lua_settop(L, base + *count);
    }
    return rc;
}
