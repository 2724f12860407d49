/* module_certificates.c - require "troupe_certificates": CURVE certificates, and who is let in, by czmq's zcert and zauth.
 *
 *     make(path)          makes PATH, public, and PATH_secret; true; nil, message
 *     load([path])        {public =, secret =}, each 40 characters, secret only where it is known; without a path a new pair;
 *                         nil, message
 *     guard(directory)    lets in those whose certificates are in the directory, from now on; nil, message
 *     guard:context()     the ZeroMQ context whose servers it guards, as pointer
 *     guard:close()       those servers must be closed by then; a second time nothing
 *
 * This is the only room that knows czmq, and a module of its own: who does not ask for certificates does not load it.
 * czmq's own context serves for the guarded sockets, since that is where zauth listens. czmq is kept from taking signals, and
 * is shut down with the last guard, so that at exit it finds nothing of ours to close.
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <czmq.h>
#include <lauxlib.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* over the two below */
static int guards;
static zactor_t *auth; /* one for all: a context has one place to ask */

static const char class_name[] = "troupe.certificates.guard";

struct guard {
    bool open;
};

int luaopen_troupe_certificates(lua_State *L);

static int fail(lua_State *L, const char *what, const char *why)
{
    lua_pushnil(L);
    lua_pushfstring(L, "%s: %s", what, why);
    return 2;
}

static bool exists(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0;
}

static int make(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1), *secret = lua_pushfstring(L, "%s_secret", path);
    if (exists(path) || exists(secret))
        return fail(L, path, "there is a certificate already");
    zcert_t *cert = zcert_new();
    if (!cert)
        return fail(L, path, "this libzmq has no CURVE");
    errno = 0;
    int rc = zcert_save(cert, path);
    zcert_destroy(&cert);
    if (rc || !exists(secret))
        return fail(L, path, errno ? strerror(errno) : "it cannot be written");
    lua_pushboolean(L, 1);
    return 1;
}

static void set_key(lua_State *L, const char *name, const char *key)
{
    lua_pushstring(L, key);
    lua_setfield(L, -2, name);
}

static bool has_secret(zcert_t *cert)
{
    static const byte none[32];
    return memcmp(zcert_secret_key(cert), none, sizeof none) != 0;
}

static int load(lua_State *L)
{
    const char *path = luaL_optstring(L, 1, NULL);
    errno = 0;
    zcert_t *cert = path ? zcert_load(path) : zcert_new();
    if (!cert)
        return fail(L, path ? path : "a new certificate", path && !exists(path) ? strerror(ENOENT) : "this is no certificate");
    lua_createtable(L, 0, 2);
    set_key(L, "public", zcert_public_txt(cert));
    if (has_secret(cert))
        set_key(L, "secret", zcert_secret_txt(cert));
    zcert_destroy(&cert);
    return 1;
}

/* Under the lock: one guard less. */
static void leave(void)
{
    if (--guards > 0)
        return;
    zactor_destroy(&auth);
    zsys_shutdown();
}

/* Before czmq's own, which was registered earlier. */
static void at_exit(void)
{
    pthread_mutex_lock(&lock);
    if (guards > 0) {
        guards = 1;
        leave();
    }
    pthread_mutex_unlock(&lock);
}

/* Under the lock. */
static bool enter(const char *directory)
{
    if (guards++ == 0) {
        zsys_handler_set(NULL);
        zsys_init();
        atexit(at_exit);
        auth = zactor_new(zauth, NULL);
    }
    if (auth && zstr_sendx(auth, "CURVE", directory, NULL) == 0 && zsock_wait(auth) == 0)
        return true;
    leave();
    return false;
}

static int guard_new(lua_State *L)
{
    const char *directory = luaL_checkstring(L, 1);
    struct stat s;
    if (stat(directory, &s) || !S_ISDIR(s.st_mode))
        return fail(L, directory, "this is no directory");
    struct guard *self = lua_newuserdatauv(L, sizeof *self, 0);
    self->open = false;
    luaL_setmetatable(L, class_name);
    pthread_mutex_lock(&lock);
    self->open = enter(directory);
    pthread_mutex_unlock(&lock);
    return self->open ? 1 : fail(L, directory, "nobody can be had to authenticate");
}

static int guard_context(lua_State *L)
{
    struct guard *self = luaL_checkudata(L, 1, class_name);
    luaL_argcheck(L, self->open, 1, "the guard is closed");
    lua_pushlightuserdata(L, zsys_init());
    return 1;
}

static int guard_close(lua_State *L)
{
    struct guard *self = luaL_checkudata(L, 1, class_name);
    if (self->open) {
        pthread_mutex_lock(&lock);
        if (guards > 0)
            leave();
        pthread_mutex_unlock(&lock);
    }
    self->open = false;
    return 0;
}

__attribute__((visibility("default"))) int luaopen_troupe_certificates(lua_State *L)
{
    static const luaL_Reg functions[] = { { "make", make }, { "load", load }, { "guard", guard_new }, { NULL, NULL } };
    static const luaL_Reg methods[] = { { "context", guard_context }, { "close", guard_close }, { "__close", guard_close },
                                        { "__gc", guard_close }, { NULL, NULL } };
    luaL_newmetatable(L, class_name);
    luaL_setfuncs(L, methods, 0);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    luaL_newlib(L, functions);
    return 1;
}
