/* value_encode.c - Lua values to bytes: the way in, scalars, strings, and the order of the two attempts.
 *
 * Entered by the thread that owns the lua_State. Invariants:
 * 1. No frame below value_encode owns anything: whatever is raised under the careful attempt may pass through
 *    them.
 * 2. The plain attempt leaves the state as it was and neither raises nor allocates Lua memory.
 * 3. Objects and variables are numbered in order of appearance, by two counts; the decoder counts along.
 */
#include "value_encoder.h"

#include <string.h>

#include "troupe.h"
#include "value_names.h"
#include "value_utf8.h"

/* A message is known to hold references only when the first one comes: the prefix is then put in front of
 * it. */
int encode_share(struct encoder *self)
{
    struct buffer *out = self->out;
    unsigned char *first;

    if (self->shared)
        return 0;
    if (buffer_reserve(out, FORMAT_PREFIX + FORMAT_SCALAR))
        return TROUPE_ENOMEM;
    first = out->data + self->start;
    memmove(first + FORMAT_PREFIX, first, out->size - self->start);
    format_ext_empty(first, EXT_SHARED);
    out->size += FORMAT_PREFIX;
    self->start += FORMAT_PREFIX;
    self->shared = true;
    return 0;
}

int encode_ext_begin(struct encoder *self, enum value_ext type, size_t *head)
{
    struct buffer *out = self->out;

    if (buffer_reserve(out, FORMAT_SCALAR))
        return TROUPE_ENOMEM;
    *head = out->size - self->start;
    format_ext(out->data + out->size, type, 0);
    out->size += FORMAT_EXT_HEAD;
    return 0;
}

int encode_ext_end(struct encoder *self, size_t head)
{
    unsigned char *at = self->out->data + self->start + head;
    size_t size = self->out->size - self->start - head - FORMAT_EXT_HEAD;

    if (size > UINT32_MAX)
        return encode_refuse(self, TROUPE_EREFUSED, "cannot send more than 4 GiB in one value");
    format_wide(at, FORMAT_EXT32, size, 4);
    return 0;
}

/* An object inside what its own __troupe_pack returned could never be put together again. */
static bool is_being_packed(const struct encoder *self, uint32_t number)
{
    for (const struct place *step = self->place; step; step = step->up)
        if (step->kind == PLACE_PACKED && step->element == number)
            return true;
    return false;
}

int encode_met(struct encoder *self, int index)
{
    struct buffer *out = self->out;
    uint32_t number = self->objects;
    int rc = seen_add(&self->seen, lua_topointer(self->L, index), &number);

    if (rc == 0) {
        self->objects++;
        if (self->careful) {
            lua_pushvalue(self->L, index);
            lua_rawseti(self->L, self->anchors, (lua_Integer)self->objects);
        }
        return 0;
    }
    if (self->careful && rc == 1 && is_being_packed(self, number))
        return encode_refuse(self, TROUPE_EREFUSED, "cannot send a value packed into itself");
    if (rc < 0 || encode_share(self) || buffer_reserve(out, FORMAT_SCALAR))
        return TROUPE_ENOMEM;
    out->size = (size_t)(format_ext_number(out->data + out->size, EXT_REFERENCE, number, 4) - out->data);
    return ENCODE_DONE;
}

int encode_more_room(struct encoder *self)
{
    enum { LEVELS = 8 };

    if (!lua_checkstack(self->L, LEVELS * ENCODE_SLOTS))
        return TROUPE_ENOMEM;
    self->roomy = self->depth + LEVELS;
    return 0;
}

int encode_deeper(struct encoder *self, int index)
{
    if (self->depth >= self->limit)
        return encode_refuse(self, TROUPE_ELIMIT, "cannot send a %s, nesting is deeper than %d levels",
                             lua_typename(self->L, lua_type(self->L, index)), self->limit);
    self->depth++;
    return 0;
}

int encode_bytes(struct encoder *self, int index, const char *bytes, size_t size)
{
    struct buffer *out = self->out;
    unsigned char *at;

    if (size > UINT32_MAX)
        return encode_refuse(self, TROUPE_EREFUSED, "cannot send a %s of more than 4 GiB",
                             lua_typename(self->L, lua_type(self->L, index)));
    if (buffer_reserve(out, size + FORMAT_SCALAR))
        return TROUPE_ENOMEM;
    at = format_string(out->data + out->size, (uint32_t)size, utf8_valid((const unsigned char *)bytes, size));
    memcpy(at, bytes, size);
    out->size = (size_t)(at - out->data) + size;
    return 0;
}

static int encode_string(struct encoder *self, int index)
{
    size_t size;
    const char *bytes = lua_tolstring(self->L, index, &size);

    return encode_bytes(self, index, bytes, size);
}

static int encode_pointer(struct encoder *self, int index)
{
    struct buffer *out = self->out;
    uint64_t address = (uint64_t)(uintptr_t)lua_touserdata(self->L, index);

    if (self->mode->remote)
        return encode_refuse(self, TROUPE_EREFUSED, "cannot send a light userdata to another process");
    out->size = (size_t)(format_ext_number(out->data + out->size, EXT_POINTER, address, 8) - out->data);
    return 0;
}

/* A userdata or coroutine crosses only packed. */
static int encode_handle(struct encoder *self, int index)
{
    int rc;

    if (!self->careful)
        return ENCODE_CARE;
    rc = encode_room(self);
    if (rc)
        return rc;
    if (self->refreshed || names_is_loaded(self->L, index)) /* most are references: to know all names would be dear */
        rc = encode_module(self, index);
    if (rc == 0)
        rc = encode_packed(self, index);
    if (rc == 0)
        rc = encode_refuse_type(self, index);
    return rc == ENCODE_DONE ? 0 : rc;
}

static int encode_other(struct encoder *self, int index, int type)
{
    switch (type) {
    case LUA_TTABLE:
        return encode_table(self, index);
    case LUA_TFUNCTION:
        return encode_function(self, index);
    case LUA_TLIGHTUSERDATA:
        return encode_pointer(self, index);
    default:
        return encode_handle(self, index);
    }
}

static inline unsigned char *write_number(lua_State *L, int index, unsigned char *at)
{
    return lua_isinteger(L, index) ? format_integer(at, lua_tointegerx(L, index, NULL))
                                   : format_float(at, lua_tonumberx(L, index, NULL));
}

int encode_typed(struct encoder *self, int index, int type)
{
    struct buffer *out = self->out;
    unsigned char *at;

    if (type == LUA_TSTRING)
        return encode_string(self, index);
    if (buffer_reserve(out, FORMAT_SCALAR))
        return TROUPE_ENOMEM;
    at = out->data + out->size;
    if (type == LUA_TNUMBER)
        at = write_number(self->L, index, at);
    else if (type == LUA_TBOOLEAN)
        at = format_byte(at, lua_toboolean(self->L, index) ? FORMAT_TRUE : FORMAT_FALSE);
    else if (type == LUA_TNIL)
        at = format_byte(at, FORMAT_NIL);
    else
        return encode_other(self, index, type);
    out->size = (size_t)(at - out->data);
    return 0;
}

int encode_values(struct encoder *self, int first, int last)
{
    for (int index = first; index <= last; index++) {
        int rc;

        self->argument = index - first + 1 - self->mode->unnumbered;
        rc = encode_value(self, index);
        if (rc)
            return rc;
    }
    return 0;
}

/* Ready for an attempt at a message that begins at the end of out. */
static void begin(struct encoder *self, bool careful)
{
    self->careful = careful;
    self->start = self->out->size;
    seen_init(&self->seen);
    self->objects = self->variables = 0;
    self->depth = self->roomy = 0;
    self->shared = false;
    self->place = NULL;
}

static int attempt(struct encoder *self, int first, int last)
{
    lua_State *L = self->L;
    int top = lua_gettop(L);
    int rc = encode_values(self, first, last);

    if (rc == 0 && self->objects == 0)
        return 0;
    if (rc == 0 && !encode_without_modules(self))
        rc = ENCODE_CARE;
    lua_settop(L, top);
    seen_release(&self->seen);
    return rc;
}

int value_encode(lua_State *L, int first, int last, const char *what, const struct value_mode *mode,
                 struct buffer *out)
{
    size_t before = out->size;
    struct encoder self; /* filled by hand: seen has room that a small message never touches */
    int rc;

    self.L = L;
    self.out = out;
    self.mode = mode;
    self.what = what;
    self.limit = mode->depth > 0 && mode->depth < VALUE_DEPTH ? mode->depth : VALUE_DEPTH;
    begin(&self, false);
    rc = attempt(&self, first, last);
    if (rc == 0)
        return 0;
    out->size = before;
    begin(&self, true);
    rc = encode_carefully(&self, first, last);
    seen_release(&self.seen);
    if (rc)
        out->size = before;
    return rc;
}
