/* value_decode_function.c - functions from bytecode, a hash or an address, and their upvalues.
 *
 * The payload: the count of upvalues, the code, each upvalue. Invariants:
 * 1. A function has its number before its upvalues are read: they may refer to it.
 * 2. A variable has its number before its value is read. Its home, the function and the upvalue that had it
 *    first, is kept under the key -(number + 1) as object << 8 | upvalue.
 * 3. The first upvalue of loaded code is the globals, as load gives it: each is set, _ENV to the globals.
 */
#include "value_decoder.h"

#include "troupe.h"

/* Lua's own bound. */
enum { MOST_UPVALUES = 255 };

static int bad(struct decoder *self, const char *what)
{
    return decode_fail(self, TROUPE_EBADMSG, "bad %s", what);
}

/* Hands the whole of the bytecode to lua_load at once. */
struct code {
    const void *bytes;
    size_t size;
};

static const char *read_code(lua_State *L, void *data, size_t *size)
{
    struct code *code = data;

    (void)L;
    *size = code->size;
    code->size = 0;
    return *size ? code->bytes : NULL;
}

static int load_code(struct decoder *self, const void *bytes, size_t size)
{
    struct code code = { bytes, size };
    int status = lua_load(self->L, read_code, &code, "=message", "b");

    return status == LUA_OK ? 0 : decode_fail_with_error(self, status, "%s: %s", "bytecode");
}

static int load_known_code(struct decoder *self)
{
    const struct value_mode *mode = self->mode;
    uint64_t hash = format_read(self->at + 1, 8);
    const void *code;
    size_t size;

    self->at += 9;
    code = mode->code_find ? mode->code_find(mode->context, hash, &size) : NULL;
    if (!code)
        return decode_fail(self, TROUPE_EREFUSED, "a function is sent by a hash that is not known here");
    return load_code(self, code, size);
}

/* A C function by its address, with so many upvalues, nil so far. */
static int push_c_closure(struct decoder *self, int upvalues)
{
    uint64_t address = 0;
    size_t size;
    int type, rc;

    if (!decode_ext_head(self, &type, &size) || type != EXT_C_POINTER)
        return bad(self, "function");
    rc = decode_address(self, size, &address);
    if (rc)
        return rc;
    if (!address || !lua_checkstack(self->L, upvalues + 8))
        return bad(self, "address");
    for (int i = 0; i < upvalues; i++)
        lua_pushnil(self->L);
    lua_pushcclosure(self->L, (lua_CFunction)(uintptr_t)address, upvalues);
    return 0;
}

/* Pushes the function; what its upvalues hold comes after. */
static int push_function(struct decoder *self, int upvalues)
{
    const char *bytes;
    size_t size;

    if (self->end - self->at >= 9 && *self->at == FORMAT_UINT64)
        return load_known_code(self);
    if (self->at < self->end && *self->at == FORMAT_FIXEXT8)
        return push_c_closure(self, upvalues);
    if (!decode_borrowed_string(self, &bytes, &size))
        return bad(self, "function");
    if (self->mode->untrusted)
        return decode_fail(self, TROUPE_EREFUSED, "bytecode is not accepted from a network");
    return load_code(self, bytes, size);
}

static int read_count(struct decoder *self, int *count)
{
    lua_Integer number;
    int rc = decode_value(self);

    if (rc)
        return rc;
    number = lua_isinteger(self->L, -1) ? lua_tointeger(self->L, -1) : -1;
    if (number < 0 || number > MOST_UPVALUES)
        return bad(self, "count of upvalues");
    *count = (int)number;
    lua_pop(self->L, 1);
    return 0;
}

/* Makes the upvalue the variable that an earlier function has. */
static int join(struct decoder *self, int function, int upvalue, size_t size)
{
    lua_State *L = self->L;
    uint64_t number;
    lua_Integer home;

    if (!decode_payload(self, size, &number) || !self->shared || number >= (uint64_t)self->variables)
        return bad(self, "variable");
    lua_rawgeti(L, self->kept, -(lua_Integer)number - 1);
    home = lua_tointeger(L, -1);
    lua_rawgeti(L, self->kept, home >> 8);
    if (lua_iscfunction(L, function) || lua_iscfunction(L, -1))
        return bad(self, "variable");
    lua_upvaluejoin(L, function, upvalue, -1, (int)(home & 0xff));
    lua_pop(L, 2);
    return 0;
}

/* An upvalue that holds a value; a new variable. */
static int set_value(struct decoder *self, int function, int upvalue, lua_Integer object)
{
    lua_State *L = self->L;
    int rc;

    if (self->shared) {
        lua_pushinteger(L, object << 8 | upvalue);
        lua_rawseti(L, self->kept, -self->variables - 1);
    }
    self->variables++;
    rc = decode_value(self);
    if (rc == 0)
        lua_setupvalue(L, function, upvalue);
    return rc;
}

static int decode_upvalue(struct decoder *self, int function, int upvalue, lua_Integer object)
{
    const unsigned char *before = self->at;
    size_t size;
    int type;

    if (decode_ext_head(self, &type, &size)) {
        if (type == EXT_VARIABLE)
            return join(self, function, upvalue, size);
        if (type == EXT_GLOBALS && size == 0) {
            lua_rawgeti(self->L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
            lua_setupvalue(self->L, function, upvalue);
            return 0;
        }
    }
    self->at = before;
    return set_value(self, function, upvalue, object);
}

static int count_upvalues(lua_State *L)
{
    lua_Debug about;

    lua_pushvalue(L, -1);
    lua_getinfo(L, ">u", &about);
    return about.nups;
}

int decode_function(struct decoder *self)
{
    lua_State *L = self->L;
    lua_Integer object = self->objects;
    int count = 0, rc = decode_deeper(self), function;

    if (rc == 0)
        rc = read_count(self, &count);
    if (rc == 0)
        rc = push_function(self, count);
    if (rc)
        return rc;
    if (count_upvalues(L) != count)
        return bad(self, "count of upvalues");
    decode_keep(self);
    function = lua_gettop(L);
    for (int i = 1; i <= count; i++) {
        rc = decode_upvalue(self, function, i, object);
        if (rc)
            return rc;
    }
    self->depth--;
    return 0;
}
