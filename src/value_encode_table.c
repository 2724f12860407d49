/* value_encode_table.c - tables to MessagePack arrays and maps, or to instances of a class.
 *
 * Invariants:
 * 1. Contents are read raw: no metamethod runs.
 * 2. A table is an array exactly when its keys are 1..n and nothing else; an empty one is an array.
 * 3. The shape is settled before the first element is written: nothing nested is written twice in one
 *    attempt.
 */
#include "value_encoder.h"

#include "troupe.h"
#include "value_names.h"

/* True when the table has `length` keys, no more and no fewer. */
static bool has_count(lua_State *L, int index, lua_Unsigned length)
{
    lua_Unsigned met = 0;
    int top = lua_gettop(L);

    lua_pushnil(L);
    while (lua_next(L, index)) {
        if (met++ == length)
            break;
        lua_settop(L, top + 1);
    }
    lua_settop(L, top);
    return met == length;
}

/* True when the table has nothing nil among 1..length. */
static bool has_no_hole(lua_State *L, int index, lua_Unsigned length)
{
    int top = lua_gettop(L);

    for (lua_Unsigned i = 1; i <= length; i++) {
        int type = lua_rawgeti(L, index, (lua_Integer)i);

        lua_settop(L, top);
        if (type == LUA_TNIL)
            return false;
    }
    return true;
}

/* Keys are exactly 1..length when there are so many and each of these is one. The plain attempt counts only,
 * and gives up should it come upon a hole: tables with as many other keys as holes are rare. */
static bool is_array(const struct encoder *self, int index, lua_Unsigned length)
{
    return has_count(self->L, index, length) && (!self->careful || has_no_hole(self->L, index, length));
}

static int encode_array(struct encoder *self, int index, lua_Unsigned length)
{
    lua_State *L = self->L;
    struct buffer *out = self->out;
    struct place place = { .up = self->place, .kind = PLACE_ELEMENT };
    int element = lua_gettop(L) + 1;

    if (length > UINT32_MAX)
        return encode_refuse(self, TROUPE_EREFUSED, "cannot send an array of more than 4294967295 elements");
    if (buffer_reserve(out, FORMAT_SCALAR))
        return TROUPE_ENOMEM;
    out->size = (size_t)(format_array(out->data + out->size, (uint32_t)length) - out->data);
    self->place = &place;
    for (place.element = 1; place.element <= length; place.element++) {
        int type = lua_rawgeti(L, index, (lua_Integer)place.element), rc;

        if (type == LUA_TNIL)
            return ENCODE_CARE;
        rc = encode_typed(self, element, type);
        if (rc)
            return rc;
        lua_settop(L, element - 1);
    }
    self->place = place.up;
    return 0;
}

/* Puts the count into the one byte that was left for it, moving the body where that is too little. Of nothing
 * an array. */
static int fill_in_count(struct encoder *self, size_t head, size_t count)
{
    struct buffer *out = self->out;
    size_t more = count < 16 ? 0 : count <= UINT16_MAX ? 2 : 4;
    unsigned char *at;

    if (count == 0) {
        format_array(out->data + self->start + head, 0);
        return 0;
    }
    if (count > UINT32_MAX)
        return encode_refuse(self, TROUPE_EREFUSED, "cannot send a table of more than 4294967295 fields");
    if (more) {
        if (buffer_reserve(out, more))
            return TROUPE_ENOMEM;
        at = out->data + self->start + head + 1;
        memmove(at + more, at, (size_t)(out->data + out->size - at));
        out->size += more;
    }
    format_map(out->data + self->start + head, (uint32_t)count);
    return 0;
}

/* The key and the value just pushed by lua_next. */
static int encode_field(struct encoder *self, struct place *place)
{
    int rc;

    place->kind = PLACE_KEY;
    rc = encode_value(self, place->key);
    if (rc)
        return rc;
    place->kind = PLACE_FIELD;
    rc = encode_value(self, place->key + 1);
    if (rc)
        return rc;
    lua_settop(self->L, place->key);
    return 0;
}

static int encode_map(struct encoder *self, int index)
{
    lua_State *L = self->L;
    struct place place = { .up = self->place, .key = lua_gettop(L) + 1 };
    size_t head = self->out->size - self->start, count = 0;

    if (buffer_reserve(self->out, FORMAT_SCALAR))
        return TROUPE_ENOMEM;
    self->out->size++;
    self->place = &place;
    lua_pushnil(L);
    while (lua_next(L, index)) {
        int rc = encode_field(self, &place);

        if (rc)
            return rc;
        count++;
    }
    self->place = place.up;
    return fill_in_count(self, head, count);
}

static int encode_contents(struct encoder *self, int index)
{
    lua_Unsigned length;
    int rc = encode_deeper(self, index);

    if (rc)
        return rc;
    length = lua_rawlen(self->L, index);
    if (length && is_array(self, index, length))
        rc = encode_array(self, index, length);
    else
        rc = encode_map(self, index);
    self->depth--;
    return rc;
}

/* The name of the class is on top of the stack. */
static int encode_instance(struct encoder *self, int index)
{
    size_t head, size;
    const char *name = lua_tolstring(self->L, -1, &size);
    int rc = encode_ext_begin(self, EXT_INSTANCE, &head);

    if (rc == 0)
        rc = encode_bytes(self, lua_gettop(self->L), name, size);
    if (rc == 0)
        rc = encode_contents(self, index);
    return rc ? rc : encode_ext_end(self, head);
}

/* Pushes the class of the metatable on top of the stack, or nil. */
static int push_class(lua_State *L)
{
    if (!names_push(L, NAMES_CLASSES))
        return ENCODE_CARE;
    lua_pushvalue(L, -2);
    lua_rawget(L, -2);
    lua_remove(L, -2);
    return 0;
}

/* The metatable is on top of the stack. */
static int encode_unless_packed(struct encoder *self, int index)
{
    int rc = 0;

    if (self->careful)
        rc = encode_packed(self, index);
    else if (names_push_pack(self->L))
        rc = ENCODE_CARE;
    if (rc == 0)
        rc = encode_met(self, index);
    return rc ? rc : encode_contents(self, index);
}

/* A table with a metatable, which is on top of the stack: its class, else its packing, else its contents
 * alone. */
static int encode_object(struct encoder *self, int index)
{
    lua_State *L = self->L;
    int rc = push_class(L);

    if (rc)
        return rc;
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return encode_unless_packed(self, index);
    }
    rc = encode_met(self, index);
    return rc ? rc : encode_instance(self, index);
}

int encode_table(struct encoder *self, int index)
{
    lua_State *L = self->L;
    int rc = encode_room(self);

    if (rc == 0 && self->careful)
        rc = encode_module(self, index);
    if (rc)
        return rc == ENCODE_DONE ? 0 : rc;
    if (lua_getmetatable(L, index)) {
        int top = lua_gettop(L);

        rc = encode_object(self, index);
        lua_settop(L, top - 1);
    } else {
        rc = encode_met(self, index);
        if (rc == 0)
            rc = encode_contents(self, index);
    }
    return rc == ENCODE_DONE ? 0 : rc;
}
