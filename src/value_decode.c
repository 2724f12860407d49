/* value_decode.c - bytes to Lua values: the way in, scalars, strings, and what the markers mean.
 *
 * Entered by the thread that owns the lua_State. The bytes may come from anybody. Invariants:
 * 1. Nothing is read at or behind `end`; every length is held against what is left before it is used.
 * 2. Recursion is bounded by `limit`, and each level asks for its stack slots.
 * 3. Raises memory errors only, and then owns nothing.
 */
#include "value_decoder.h"

#include <stdarg.h>

#include <lauxlib.h>

#include "troupe.h"

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

int decode_truncated(struct decoder *self)
{
    return decode_fail(self, TROUPE_EBADMSG, "the message ends inside a value");
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
    if (decode_left(self) < bytes)
        return false;
    *number = format_read(self->at, bytes);
    self->at += bytes;
    return true;
}

static int decode_unsigned(struct decoder *self, unsigned bytes)
{
    uint64_t number;

    if (!read_number(self, bytes, &number))
        return decode_truncated(self);
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
        return decode_truncated(self);
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
        return decode_truncated(self);
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
    if (size > decode_left(self))
        return decode_truncated(self);
    lua_pushlstring(self->L, (const char *)self->at, (size_t)size);
    self->at += size;
    return 0;
}

/* The size of what follows stands in so many bytes. */
static int decode_sized_string(struct decoder *self, unsigned bytes)
{
    uint64_t size;

    return read_number(self, bytes, &size) ? decode_string(self, size) : decode_truncated(self);
}

static int decode_sized_table(struct decoder *self, unsigned bytes, bool map)
{
    uint64_t count;

    if (!read_number(self, bytes, &count))
        return decode_truncated(self);
    return map ? decode_map(self, count) : decode_array(self, count);
}

bool decode_ext_head(struct decoder *self, int *type, size_t *size)
{
    const unsigned char *before = self->at;
    unsigned marker = decode_left(self) ? *self->at : 0;
    uint64_t number;

    self->at += decode_left(self) > 0;
    if (marker >= FORMAT_FIXEXT1 && marker <= FORMAT_FIXEXT16)
        number = UINT64_C(1) << (marker - FORMAT_FIXEXT1);
    else if (marker < FORMAT_EXT8 || marker > FORMAT_EXT32
             || !read_number(self, 1u << (marker - FORMAT_EXT8), &number))
        goto none;
    if (decode_left(self) == 0 || number > decode_left(self) - 1)
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
    return decode_ext_head(self, &type, &size) ? decode_ext(self, type, size) : decode_truncated(self);
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
        return decode_truncated(self);
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

    if (decode_left(self) < FORMAT_PREFIX || memcmp(self->at, prefix, FORMAT_PREFIX) != 0)
        return;
    self->at += FORMAT_PREFIX;
    self->shared = true;
    lua_newtable(self->L);
    self->kept = lua_gettop(self->L);
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
    self.start = self.at = size ? bytes : (const void *)""; /* no bytes may come as NULL, which has no offsets */
    self.end = self.start + size;
    self.size = size;
    self.claimed = 0;
    self.mode = mode;
    self.depth = 0;
    self.limit = mode->depth > 0 && mode->depth < VALUE_DEPTH ? mode->depth : VALUE_DEPTH;
    self.shared = false;
    self.objects = self.variables = 0;
    luaL_checkstack(L, DECODE_ROOM, NULL);
    decode_make_keys(&self);
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
