/* judge_msgpack.c - msgpack-c reads what we write, and we read what it writes: random plain values, fixed
 * seed. */
#include <msgpack.h>

#include "value_fixture.h"

enum { ROUNDS = 1500, DEPTH = 4, MOST = 20 };

static lua_State *L;
static uint64_t seed;

static void set_up(void)
{
    L = open_state();
    seed = 7;
}

static void tear_down(void)
{
    lua_close(L);
}

static uint64_t below(uint64_t n)
{
    return next_random(&seed) % n;
}

static void push_random_string(void)
{
    char bytes[400];
    size_t size = below(below(4) ? 40 : sizeof bytes);
    bool text = below(3);

    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)(text ? 32 + below(95) : below(256));
    lua_pushlstring(L, bytes, size);
}

static void push_random_number(void)
{
    uint64_t bits = next_random(&seed);

    if (below(3))
        lua_pushinteger(L, (lua_Integer)bits >> below(64));
    else
        lua_pushnumber(L, (lua_Number)(int64_t)bits / 1024.0);
}

static void push_random(int depth);

static void push_random_table(int depth)
{
    uint64_t count = below(MOST);
    bool array = below(2);

    lua_newtable(L);
    for (uint64_t i = 1; i <= count; i++) {
        if (array)
            lua_pushinteger(L, (lua_Integer)i);
        else if (below(4))
            push_random_string();
        else
            push_random_number();
        push_random(depth - 1);
        lua_rawset(L, -3);
    }
}

static void push_random(int depth)
{
    luaL_checkstack(L, 5, NULL);
    switch (below(depth > 0 ? 6 : 4)) {
    case 0: lua_pushboolean(L, (int)below(2)); break;
    case 1: case 2: push_random_number(); break;
    case 3: push_random_string(); break;
    default: push_random_table(depth);
    }
}

static bool agrees(int index, const msgpack_object *object);

static bool string_agrees(int index, const char *bytes, size_t size)
{
    size_t own;
    const char *text = lua_tolstring(L, index, &own);

    return own == size && (size == 0 || memcmp(text, bytes, size) == 0);
}

/* The table, which is on top, has each element of the array at its index. */
static bool array_agrees(const msgpack_object_array *array)
{
    int table = lua_gettop(L);

    if (lua_rawlen(L, table) != array->size)
        return false;
    for (uint32_t i = 0; i < array->size; i++) {
        lua_rawgeti(L, table, (lua_Integer)i + 1);
        if (!agrees(table + 1, &array->ptr[i]))
            return false;
        lua_settop(L, table);
    }
    return true;
}

static void push_key(const msgpack_object *key)
{
    switch (key->type) {
    case MSGPACK_OBJECT_STR: lua_pushlstring(L, key->via.str.ptr, key->via.str.size); break;
    case MSGPACK_OBJECT_BIN: lua_pushlstring(L, key->via.bin.ptr, key->via.bin.size); break;
    case MSGPACK_OBJECT_POSITIVE_INTEGER: lua_pushinteger(L, (lua_Integer)key->via.u64); break;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER: lua_pushinteger(L, key->via.i64); break;
    default: lua_pushnumber(L, key->via.f64);
    }
}

/* The table, which is on top, has these fields and no others. */
static bool map_agrees(const msgpack_object_map *map)
{
    int table = lua_gettop(L);
    uint32_t count = 0;

    for (uint32_t i = 0; i < map->size; i++) {
        push_key(&map->ptr[i].key);
        lua_rawget(L, table);
        if (!agrees(table + 1, &map->ptr[i].val))
            return false;
        lua_settop(L, table);
    }
    for (lua_pushnil(L); lua_next(L, table); lua_settop(L, table + 1))
        count++;
    return count == map->size;
}

static bool number_agrees(int index, const msgpack_object *object)
{
    switch (object->type) {
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        return lua_isinteger(L, index) && (uint64_t)lua_tointeger(L, index) == object->via.u64;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        return lua_isinteger(L, index) && lua_tointeger(L, index) == object->via.i64;
    default:
        return object->type == MSGPACK_OBJECT_FLOAT64 && !lua_isinteger(L, index)
               && lua_tonumber(L, index) == object->via.f64;
    }
}

/* The value at the index, the last on the stack, is what msgpack-c says it is. */
static bool agrees(int index, const msgpack_object *object)
{
    luaL_checkstack(L, 5, NULL);
    switch (lua_type(L, index)) {
    case LUA_TBOOLEAN:
        return object->type == MSGPACK_OBJECT_BOOLEAN && object->via.boolean == (bool)lua_toboolean(L, index);
    case LUA_TNUMBER:
        return number_agrees(index, object);
    case LUA_TSTRING:
        if (object->type == MSGPACK_OBJECT_STR)
            return string_agrees(index, object->via.str.ptr, object->via.str.size);
        return object->type == MSGPACK_OBJECT_BIN
               && string_agrees(index, object->via.bin.ptr, object->via.bin.size);
    case LUA_TTABLE:
        if (object->type == MSGPACK_OBJECT_ARRAY)
            return array_agrees(&object->via.array);
        return object->type == MSGPACK_OBJECT_MAP && map_agrees(&object->via.map);
    default:
        return false;
    }
}

/* Holds the value on top of the stack against what msgpack-c reads in the bytes. */
static void judge(const void *bytes, size_t size)
{
    msgpack_unpacked result;
    size_t offset = 0;

    msgpack_unpacked_init(&result);
    ck_assert_int_eq(msgpack_unpack_next(&result, bytes, size, &offset), MSGPACK_UNPACK_SUCCESS);
    ck_assert_uint_eq(offset, size);
    ck_assert(agrees(lua_gettop(L), &result.data));
    msgpack_unpacked_destroy(&result);
}

START_TEST(msgpack_c_reads_what_we_write)
{
    for (int round = 0; round < ROUNDS / suite_slowdown(); round++) {
        struct buffer out;

        buffer_init(&out);
        push_random(DEPTH);
        ck_assert_int_eq(value_encode(L, 1, 1, "argument", &local_mode, &out), 0);
        judge(out.data, out.size);
        buffer_release(&out);
        lua_settop(L, 0);
    }
}
END_TEST

static void pack(msgpack_packer *packer, int index);

static void pack_number(msgpack_packer *packer, int index)
{
    if (lua_isinteger(L, index))
        msgpack_pack_int64(packer, lua_tointeger(L, index));
    else
        msgpack_pack_double(packer, lua_tonumber(L, index));
}

static void pack_string(msgpack_packer *packer, int index)
{
    size_t size;
    const char *bytes = lua_tolstring(L, index, &size);

    if (below(2)) {
        msgpack_pack_str(packer, size);
        msgpack_pack_str_body(packer, bytes, size);
    } else {
        msgpack_pack_bin(packer, size);
        msgpack_pack_bin_body(packer, bytes, size);
    }
}

/* As a map, even where the keys are 1..n: a writer may do so. */
static void pack_table(msgpack_packer *packer, int index)
{
    int key = lua_gettop(L) + 1;
    size_t count = 0;

    for (lua_pushnil(L); lua_next(L, index); lua_settop(L, key))
        count++;
    msgpack_pack_map(packer, count);
    for (lua_pushnil(L); lua_next(L, index); lua_settop(L, key)) {
        pack(packer, key);
        pack(packer, key + 1);
    }
}

static void pack(msgpack_packer *packer, int index)
{
    luaL_checkstack(L, 5, NULL);
    switch (lua_type(L, index)) {
    case LUA_TBOOLEAN:
        if (lua_toboolean(L, index))
            msgpack_pack_true(packer);
        else
            msgpack_pack_false(packer);
        break;
    case LUA_TNUMBER: pack_number(packer, index); break;
    case LUA_TSTRING: pack_string(packer, index); break;
    default: pack_table(packer, index);
    }
}

START_TEST(we_read_what_msgpack_c_writes)
{
    for (int round = 0; round < ROUNDS / suite_slowdown(); round++) {
        msgpack_sbuffer bytes;
        msgpack_packer packer;
        int count;

        msgpack_sbuffer_init(&bytes);
        msgpack_packer_init(&packer, &bytes, msgpack_sbuffer_write);
        push_random(DEPTH);
        pack(&packer, 1);
        ck_assert_int_eq(value_decode(L, bytes.data, bytes.size, &untrusted_mode, &count), 0);
        ck_assert_int_eq(count, 1);
        judge(bytes.data, bytes.size);
        msgpack_sbuffer_destroy(&bytes);
        lua_settop(L, 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("judge_msgpack");
    TCase *tcase = suite_case(suite, "judge_msgpack");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, msgpack_c_reads_what_we_write);
    tcase_add_test(tcase, we_read_what_msgpack_c_writes);
    return suite_run(suite);
}
