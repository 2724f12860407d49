/* lua_job_hold.c - a job takes in its outcome, as lua_job.c, invariant 2, says. For the vm's own thread. */
#include "lua_job_inner.h"

#include <string.h>

#include "value.h"

static uint64_t big_endian(const unsigned char *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | p[i];
    return v;
}

/* One scalar, the commonest outcome, goes into the job without any table. */
static bool hold_scalar(struct lua_job *self, const unsigned char *p, size_t size)
{
    unsigned char tag = p[0];
    if (size == 1 && (tag <= 0x7f || tag >= 0xe0)) {
        self->held = HELD_INTEGER;
        self->value.integer = (signed char)tag;
    } else if (size == 1 && tag >= 0xc0 && tag <= 0xc3 && tag != 0xc1) {
        self->held = tag == 0xc0 ? HELD_NIL : HELD_BOOLEAN;
        self->value.boolean = tag == 0xc3;
    } else if (tag >= 0xcc && tag <= 0xcf && size == 1 + ((size_t)1 << (tag - 0xcc)) && !(tag == 0xcf && p[1] & 0x80)) {
        self->held = HELD_INTEGER;
        self->value.integer = (lua_Integer)big_endian(p + 1, size - 1);
    } else if (tag == 0xcb && size == 9) {
        uint64_t bits = big_endian(p + 1, 8);
        self->held = HELD_FLOAT;
        memcpy(&self->value.number, &bits, sizeof bits);
    } else {
        return false;
    }
    return true;
}

/* Lua: (job, letter as pointer); the outcome becomes the job's user value. */
static int hold_values(lua_State *L)
{
    static const struct value_mode mode;
    struct lua_job *self = lua_touserdata(L, 1);
    const struct message *letter = lua_touserdata(L, 2);
    int count;
    if (value_decode(L, message_body(letter), message_body_size(letter), &mode, &count))
        lua_error(L);
    bool one = count == 1 && lua_job_has_results(self);
    self->held = one ? HELD_ONE : HELD_MANY;
    if (!one) {
        lua_createtable(L, count, 1);
        lua_insert(L, 3);
        for (int i = count; i >= 1; i--)
            lua_rawseti(L, 3, i);
        lua_pushinteger(L, count);
        lua_setfield(L, 3, "n");
    }
    lua_setiuservalue(L, 1, 1);
    return 0;
}

static uint8_t status_of(unsigned flags)
{
    if (flags & FLAG_CANCELLED)
        return CANCELLED;
    if (flags & FLAG_LOST)
        return LOST;
    if (flags & FLAG_STOPPED)
        return flags & FLAG_ERROR ? KILLED : STOPPED;
    return flags & FLAG_ERROR ? FAILED : FINISHED;
}

void lua_job_hold(lua_State *L, struct lua_job *self, struct message **letter)
{
    const struct header *h = message_header(*letter);
    size_t size = message_body_size(*letter);
    self->status = status_of(h->flags);
    self->seconds = h->u.seconds;
    self->attempt = (uint32_t)h->code;
    self->worker = self->attempt ? (uint16_t)h->worker : 0;
    memcpy(&self->ended, &h->from, sizeof self->ended);
    if (!lua_job_has_results(self) || size == 0 || !hold_scalar(self, message_body(*letter), size)) {
        lua_pushcfunction(L, hold_values);
        lua_pushvalue(L, -2);
        lua_pushlightuserdata(L, *letter);
        if (lua_pcall(L, 2, 0, 0)) {
            self->status = FAILED; /* the outcome does not fit into this vm: its reason is the error */
            self->held = HELD_ONE;
            lua_setiuservalue(L, -2, 1);
        }
    }
}
