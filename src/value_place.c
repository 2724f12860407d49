/* value_place.c - words a refusal: where the value is in its message, and what is wrong with it.
 *
 * "argument 2, field "db.socket": cannot send a userdata (tcp{client})". Only the careful attempt words
 * anything; the text goes to the room that value_encode lent, cut where that is too small.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <lauxlib.h>

#include "troupe.h"
#include "value_encoder.h"
#include "value_names.h"

/* Of a longer way only the first and last steps are told. */
enum { STEPS_TOLD = 8, NAME_TOLD = 40 };

struct text {
    char *at;
    size_t left; /* 1 at least: the closing zero */
};

static void __attribute__((format(printf, 2, 3))) add(struct text *self, const char *format, ...)
{
    va_list arguments;
    int size;

    va_start(arguments, format);
    size = vsnprintf(self->at, self->left, format, arguments);
    va_end(arguments);
    if (size > 0) {
        size_t taken = (size_t)size < self->left ? (size_t)size : self->left - 1;

        self->at += taken;
        self->left -= taken;
    }
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_identifier(const char *name, size_t size)
{
    if (size == 0 || size > NAME_TOLD || !is_letter(name[0]))
        return false;
    for (size_t i = 1; i < size; i++)
        if (!is_letter(name[i]) && !(name[i] >= '0' && name[i] <= '9'))
            return false;
    return true;
}

/* A string that is no identifier: its printable beginning. */
static void add_quoted(struct text *text, const char *name, size_t size)
{
    size_t told = size < NAME_TOLD ? size : NAME_TOLD;

    add(text, "[\"");
    for (size_t i = 0; i < told; i++) {
        unsigned char c = (unsigned char)name[i];

        add(text, "%c", c < ' ' || c == 0x7f || c == '"' ? '?' : c);
    }
    add(text, told < size ? "...\"]" : "\"]");
}

static void add_key(struct text *text, lua_State *L, int key, bool first)
{
    size_t size;
    const char *name;

    switch (lua_type(L, key)) {
    case LUA_TSTRING:
        name = lua_tolstring(L, key, &size);
        if (is_identifier(name, size))
            add(text, "%s%s", first ? "" : ".", name);
        else
            add_quoted(text, name, size);
        break;
    case LUA_TNUMBER:
        if (lua_isinteger(L, key))
            add(text, "[" LUA_INTEGER_FMT "]", lua_tointegerx(L, key, NULL));
        else
            add(text, "[" LUA_NUMBER_FMT "]", lua_tonumberx(L, key, NULL));
        break;
    case LUA_TBOOLEAN:
        add(text, "[%s]", lua_toboolean(L, key) ? "true" : "false");
        break;
    default:
        add(text, "[%s]", lua_typename(L, lua_type(L, key)));
    }
}

static bool is_step_into_table(const struct place *place)
{
    return place->kind == PLACE_FIELD || place->kind == PLACE_ELEMENT;
}

/* Begins with a name, which is told in quotation marks. */
static bool is_named(lua_State *L, const struct place *place)
{
    size_t size;
    const char *name;

    if (place->kind != PLACE_FIELD || lua_type(L, place->key) != LUA_TSTRING)
        return false;
    name = lua_tolstring(L, place->key, &size);
    return is_identifier(name, size);
}

/* A run of steps into tables is one field: "db.socket", [3].name. The number of steps in it. */
static int add_field(struct text *text, lua_State *L, const struct place **steps, int count)
{
    const char *quote = is_named(L, steps[0]) ? "\"" : "";
    int told;

    add(text, ", field %s", quote);
    for (told = 0; told < count && (!steps[told] || is_step_into_table(steps[told])); told++) {
        if (!steps[told])
            add(text, "...");
        else if (steps[told]->kind == PLACE_FIELD)
            add_key(text, L, steps[told]->key, told == 0);
        else
            add(text, "[%llu]", (unsigned long long)steps[told]->element);
    }
    add(text, "%s", quote);
    return told;
}

/* The way from the argument down, at most 2 * STEPS_TOLD + 1 steps, a NULL for those left out. */
static int collect_steps(const struct place *place, const struct place **steps)
{
    int depth = 0, at, told;

    for (const struct place *step = place; step; step = step->up)
        depth++;
    told = depth <= 2 * STEPS_TOLD ? depth : 2 * STEPS_TOLD + 1;
    at = depth;
    for (; place; place = place->up) {
        at--;
        if (depth == told || at < STEPS_TOLD)
            steps[at] = place;
        else if (at >= depth - STEPS_TOLD)
            steps[told - (depth - at)] = place;
    }
    if (depth != told)
        steps[STEPS_TOLD] = NULL;
    return told;
}

static void add_place(struct text *text, const struct encoder *encoder)
{
    const struct place *steps[2 * STEPS_TOLD + 1];
    int count = collect_steps(encoder->place, steps), at = 0;

    if (encoder->argument > 0)
        add(text, "%s %d", encoder->what, encoder->argument);
    else
        add(text, "function");
    while (at < count) {
        const struct place *step = steps[at];

        if (step && is_step_into_table(step)) {
            at += add_field(text, encoder->L, steps + at, count - at);
            continue;
        }
        if (!step)
            add(text, ", ...");
        else if (step->kind == PLACE_KEY)
            add(text, ", a key");
        else if (step->kind == PLACE_UPVALUE && step->name[0])
            add(text, ", upvalue \"%s\"", step->name);
        else if (step->kind == PLACE_UPVALUE)
            add(text, ", upvalue %d", (int)step->element);
        else
            add(text, ", what __troupe_pack returned");
        at++;
    }
    add(text, ": ");
}

int encode_refuse(struct encoder *self, int status, const char *format, ...)
{
    struct text text = { self->reason, self->reason_size };
    va_list arguments;

    if (!self->careful)
        return ENCODE_CARE;
    add_place(&text, self);
    va_start(arguments, format);
    vsnprintf(text.at, text.left, format, arguments);
    va_end(arguments);
    return status;
}

static int push_text(lua_State *L)
{
    luaL_tolstring(L, 1, NULL);
    return 1;
}

/* Cuts ": 0x55d0c0ffee" and " (0x...)" off: what a message says must not depend on addresses. */
static void cut_address(char *text)
{
    char *at = strstr(text, "0x");

    if (!at)
        return;
    while (at > text && strchr(": (", at[-1]))
        at--;
    *at = '\0';
}

/* What the value calls itself: its metatable's __name, else what its __tostring says; "" when it says
 * nothing. */
static void describe(lua_State *L, int index, char *text, size_t size)
{
    int top = lua_gettop(L);

    text[0] = '\0';
    if (luaL_getmetafield(L, index, "__name") == LUA_TSTRING) {
        snprintf(text, size, "%s", lua_tostring(L, -1));
    } else if (luaL_getmetafield(L, index, "__tostring") != LUA_TNIL) {
        lua_pushcfunction(L, push_text);
        lua_pushvalue(L, index);
        if (lua_pcall(L, 1, 1, 0) == LUA_OK) {
            snprintf(text, size, "%s", lua_tostring(L, -1));
            cut_address(text);
        }
    }
    lua_settop(L, top);
}

int encode_refuse_type(struct encoder *self, int index)
{
    lua_State *L = self->L;
    char name[NAME_TOLD * 2];

    if (!self->careful)
        return ENCODE_CARE;
    if (lua_type(L, index) == LUA_TTHREAD)
        return encode_refuse(self, TROUPE_EREFUSED, "cannot send a thread (coroutine)");
    describe(L, index, name, sizeof name);
    return encode_refuse(self, TROUPE_EREFUSED, name[0] ? "cannot send a %s (%s)" : "cannot send a %s",
                         lua_typename(L, lua_type(L, index)), name);
}
