/* value_decode_ext.c - what extensions stand for: references, functions, modules, instances, what was packed,
 * addresses.
 *
 * Invariants:
 * 1. An extension is read to its last byte and not beyond: while it is, `end` is its end.
 * 2. Objects are numbered when they begin, as the encoder numbers them; one that is not there yet cannot be
 *    referred to.
 * 3. From a network no bytecode is loaded, no address believed, and of the functions that unpack none of the
 *    standard libraries' is called: "os:execute" unpacks nothing.
 */
#include "value_decoder.h"

#include <lauxlib.h>
#include <lualib.h>

#include "troupe.h"
#include "value_names.h"

bool decode_borrowed_string(struct decoder *self, const char **bytes, size_t *size)
{
    size_t head = 0, left = (size_t)(self->end - self->at);
    unsigned marker = left ? *self->at : 0;

    if ((marker & 0xe0) == FORMAT_FIXSTR) {
        *size = marker & 0x1f;
    } else {
        if (marker == FORMAT_STR8 || marker == FORMAT_BIN8)
            head = 1;
        else if (marker == FORMAT_STR16 || marker == FORMAT_BIN16)
            head = 2;
        else if (marker == FORMAT_STR32 || marker == FORMAT_BIN32)
            head = 4;
        if (head == 0 || left < 1 + head)
            return false;
        *size = (size_t)format_read(self->at + 1, (unsigned)head);
    }
    if (*size > left - 1 - head)
        return false;
    *bytes = (const char *)self->at + 1 + head;
    self->at += 1 + head + *size;
    return true;
}

static int bad(struct decoder *self, const char *what)
{
    return decode_fail(self, TROUPE_EBADMSG, "bad %s", what);
}

bool decode_payload(struct decoder *self, size_t size, uint64_t *number)
{
    if (size != 1 && size != 2 && size != 4 && size != 8)
        return false;
    *number = format_read(self->at, (unsigned)size);
    self->at += size;
    return true;
}

static int decode_reference(struct decoder *self, size_t size)
{
    uint64_t number;

    if (!decode_payload(self, size, &number) || !self->shared || number >= (uint64_t)self->objects)
        return bad(self, "reference");
    if (lua_rawgeti(self->L, self->kept, (lua_Integer)number) == LUA_TNIL)
        return bad(self, "reference: what it refers to is not there yet");
    return 0;
}

/* Lua: (module name, field or nil) -> the module, or its field. */
static int require_named(lua_State *L)
{
    lua_getglobal(L, "require");
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    if (lua_isnil(L, 2))
        return 1;
    lua_pushvalue(L, 2);
    lua_gettable(L, -2);
    return 1;
}

/* Pushes a loaded module, or its field, without running anything; false: nothing pushed, it must be
 * required. */
static bool push_loaded(lua_State *L, const char *name, size_t size, const char *field, size_t field_size)
{
    names_open(L);
    names_push(L, NAMES_LOADED);
    lua_pushlstring(L, name, size);
    lua_rawget(L, -2);
    lua_remove(L, -2);
    if (field && lua_istable(L, -1)) {
        lua_pushlstring(L, field, field_size);
        lua_rawget(L, -2);
        lua_remove(L, -2);
    } else if (field) {
        lua_pushnil(L);
        lua_replace(L, -2);
    }
    if (!lua_isnil(L, -1))
        return true;
    lua_pop(L, 1);
    return false;
}

int decode_fail_with_error(struct decoder *self, int status, const char *format, const char *name)
{
    lua_State *L = self->L;

    if (status == LUA_ERRMEM)
        lua_error(L);
    return decode_fail(self, TROUPE_EREFUSED, format, name,
                       lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "an error object");
}

/* Names that go into a search path must not lead out of its directories. */
static bool is_plain_name(const char *name, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        char c = name[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'
                     || c == '-' || (c == '.' && i > 0 && name[i - 1] != '.');

        if (!plain)
            return false;
    }
    return size > 0;
}

/* Pushes a module, or its field, requiring it where it is not loaded. */
static int push_named(struct decoder *self, const char *name, size_t size, const char *field,
                      size_t field_size)
{
    lua_State *L = self->L;
    int status;

    if (push_loaded(L, name, size, field, field_size))
        return 0;
    if (self->mode->untrusted && !is_plain_name(name, size))
        return bad(self, "module name");
    lua_pushlstring(L, name, size);
    lua_pushcfunction(L, require_named);
    lua_pushvalue(L, -2);
    if (field)
        lua_pushlstring(L, field, field_size);
    else
        lua_pushnil(L);
    status = lua_pcall(L, 2, 1, 0);
    if (status != LUA_OK)
        return decode_fail_with_error(self, status, "module \"%s\": %s", lua_tostring(L, -2));
    lua_remove(L, -2);
    return 0;
}

static int decode_module(struct decoder *self, size_t size)
{
    int rc = push_named(self, (const char *)self->at, size, NULL, 0);

    self->at += size;
    return rc;
}

/* Pushes the function that is a field of a module. */
static int push_function(struct decoder *self, const char *name, size_t size, const char *field,
                         size_t field_size)
{
    lua_State *L = self->L;
    int rc = push_named(self, name, size, field, field_size);

    if (rc || lua_isfunction(L, -1))
        return rc;
    lua_pushlstring(L, name, size);
    lua_pushlstring(L, field, field_size);
    return decode_fail(self, TROUPE_EREFUSED, "module \"%s\" has no function \"%s\"", lua_tostring(L, -2),
                       lua_tostring(L, -1));
}

static int decode_c_function(struct decoder *self, size_t size)
{
    const char *name = (const char *)self->at;
    size_t head = strnlen(name, size);
    int rc;

    if (head == size)
        return bad(self, "name of a C function");
    rc = push_function(self, name, head, name + head + 1, size - head - 1);
    self->at += size;
    return rc;
}

/* The standard libraries: none of their functions was made to unpack anything. */
static bool is_standard(const char *name, size_t size)
{
    static const char *const standard[] = {
        LUA_GNAME, LUA_LOADLIBNAME, LUA_COLIBNAME, LUA_TABLIBNAME, LUA_IOLIBNAME,
        LUA_OSLIBNAME, LUA_STRLIBNAME, LUA_MATHLIBNAME, LUA_UTF8LIBNAME, LUA_DBLIBNAME
    };

    for (size_t i = 0; i < sizeof standard / sizeof *standard; i++)
        if (strlen(standard[i]) == size && memcmp(standard[i], name, size) == 0)
            return true;
    return false;
}

/* Pushes the unpack function that "module:function" names. */
static int push_unpack(struct decoder *self, const char *name, size_t size)
{
    const char *colon = memrchr(name, ':', size);
    size_t head;

    if (!colon)
        return bad(self, "name of an unpack function");
    head = (size_t)(colon - name);
    if (self->mode->untrusted && is_standard(name, head))
        return bad(self, "name of an unpack function");
    return push_function(self, name, head, colon + 1, size - head - 1);
}

/* The unpack function and the value it is for are on top of the stack: replaced by what it makes of it. */
static int call_unpack(struct decoder *self, const char *name, size_t size)
{
    lua_State *L = self->L;
    int status = lua_pcall(L, 1, 1, 0);

    if (status != LUA_OK || lua_isnil(L, -1)) {
        if (status == LUA_OK)
            lua_pushliteral(L, "it returned nothing");
        lua_pushlstring(L, name, size);
        lua_insert(L, -2);
        return decode_fail_with_error(self, status, "\"%s\" cannot unpack: %s", lua_tostring(L, -2));
    }
    return 0;
}

static int decode_packed(struct decoder *self)
{
    lua_State *L = self->L;
    lua_Integer number = self->objects++;
    const char *name;
    size_t size;
    int rc = decode_deeper(self);

    if (rc)
        return rc;
    if (!decode_borrowed_string(self, &name, &size))
        return bad(self, "name of an unpack function");
    rc = push_unpack(self, name, size);
    if (rc == 0)
        rc = decode_value(self);
    if (rc == 0)
        rc = call_unpack(self, name, size);
    if (rc)
        return rc;
    if (self->shared) {
        lua_pushvalue(L, -1);
        lua_rawseti(L, self->kept, number);
    }
    self->depth--;
    return 0;
}

/* The contents are a table; where the class is not registered here, it stays a plain one. */
static int decode_instance(struct decoder *self)
{
    lua_State *L = self->L;
    const char *name;
    size_t size;
    unsigned marker;
    int rc;

    if (!decode_borrowed_string(self, &name, &size) || self->at == self->end)
        return bad(self, "instance of a class");
    marker = *self->at;
    if ((marker & 0xe0) != FORMAT_FIXMAP && (marker < FORMAT_ARRAY16 || marker > FORMAT_MAP32))
        return bad(self, "instance of a class");
    rc = decode_value(self);
    if (rc)
        return rc;
    if (names_push(L, NAMES_METATABLES)) {
        lua_pushlstring(L, name, size);
        lua_rawget(L, -2);
        lua_remove(L, -2);
        lua_setmetatable(L, -2);
    }
    return 0;
}

static int decode_pointer(struct decoder *self, size_t size)
{
    uint64_t address = 0;
    int rc = decode_address(self, size, &address);

    if (rc == 0)
        lua_pushlightuserdata(self->L, (void *)(uintptr_t)address);
    return rc;
}

static int decode_c_pointer(struct decoder *self, size_t size)
{
    uint64_t address = 0;
    int rc = decode_address(self, size, &address);

    if (rc)
        return rc;
    if (!address)
        return bad(self, "address");
    lua_pushcfunction(self->L, (lua_CFunction)(uintptr_t)address);
    return 0;
}

int decode_address(struct decoder *self, size_t size, uint64_t *address)
{
    if (self->mode->untrusted || self->mode->remote)
        return decode_fail(self, TROUPE_EREFUSED, "an address means nothing in another process");
    return size == 8 && decode_payload(self, size, address) ? 0 : bad(self, "address");
}

static int decode_known_ext(struct decoder *self, int type, size_t size)
{
    switch (type) {
    case EXT_REFERENCE: return decode_reference(self, size);
    case EXT_FUNCTION: return decode_function(self);
    case EXT_C_FUNCTION: return decode_c_function(self, size);
    case EXT_MODULE: return decode_module(self, size);
    case EXT_INSTANCE: return decode_instance(self);
    case EXT_PACKED: return decode_packed(self);
    case EXT_POINTER: return decode_pointer(self, size);
    case EXT_C_POINTER: return decode_c_pointer(self, size);
    default: return decode_fail(self, TROUPE_EBADMSG, "extension type %d is not known", type);
    }
}

int decode_ext(struct decoder *self, int type, size_t size)
{
    const unsigned char *outer = self->end;
    int rc;

    self->end = self->at + size;
    rc = decode_known_ext(self, type, size);
    if (rc == 0 && self->at != self->end)
        rc = bad(self, "extension: bytes are left over");
    self->end = outer;
    return rc;
}
