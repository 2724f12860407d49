/* check_value.c - the C side of values: the bytes of the wire, modes, refusals with their place, code by
 * hash. */
#include "value_fixture.h"

#include "value_utf8.h"

static lua_State *L;

static void set_up(void)
{
    L = open_state();
}

static void tear_down(void)
{
    lua_close(L);
}

/* What each chunk's values are on the wire. */
static const struct { const char *chunk, *hex; } wire[] = {
    { "return nil, false, true", "c0c2c3" },
    { "return 0, 1, 127", "00017f" },
    { "return 128, 255", "cc80ccff" },
    { "return 256, 65535", "cd0100cdffff" },
    { "return 65536, 4294967295", "ce00010000ceffffffff" },
    { "return 4294967296", "cf0000000100000000" },
    { "return math.maxinteger", "cf7fffffffffffffff" },
    { "return -1, -32", "ffe0" },
    { "return -33, -128", "d0dfd080" },
    { "return -129, -32768", "d1ff7fd18000" },
    { "return -32769, -2147483648", "d2ffff7fffd280000000" },
    { "return -2147483649", "d3ffffffff7fffffff" },
    { "return math.mininteger", "d38000000000000000" },
    { "return 1.0, -0.0", "cb3ff0000000000000cb8000000000000000" },
    { "return 1/0, -1/0", "cb7ff0000000000000cbfff0000000000000" },
    { "return '', 'abc'", "a0a3616263" },
    { "return 'h\\u{e9}'", "a368c3a9" },
    { "return '\\xff'", "c401ff" },
    { "return ('x'):rep(32)", "d9207878787878787878787878787878787878787878787878787878787878787878" },
    { "return {}, {1, 2}, {x = 1}", "9092010281a17801" },
    { "return {[2] = true}", "8102c3" },
    { "return {1, 2, [4] = 4}", "83010102020404" },
    { "return {[1] = 1, [1.5] = 2}", "820101cb3ff800000000000002" },
    { "local t = {} t[1] = t return t", "c7000191d60200000000" },
    { "local t = {} return t, {t}, t", "c700019091d60200000000d60200000000" },
    { "return math", "c900000004076d617468" },
    { "return math.sin", "c900000008066d6174680073696e" },
    { "return setmetatable({1}, {})", "9101" },
    { "local m = {} require 'values'.class('C', m) return setmetatable({1}, m)", "c90000000408a1439101" },
    { "package.loaded.m = {f = 1} local p = {__troupe_pack = function() return 5, 'm:f' end}"
      " return setmetatable({}, p)", "c90000000509a36d3a6605" },
};

START_TEST(values_have_these_bytes)
{
    struct buffer out;
    char hex[512];

    buffer_init(&out);
    ck_assert_msg(encode_chunk(L, wire[_i].chunk, &local_mode, &out) == 0, "%s", lua_tostring(L, -1));
    to_hex(&out, hex, sizeof hex);
    ck_assert_msg(strcmp(hex, wire[_i].hex) == 0, "%s: got %s, not %s", wire[_i].chunk, hex, wire[_i].hex);
    buffer_release(&out);
}
END_TEST

/* Bytes that we never write, and what they are to us. */
static const struct { const char *hex, *test; } foreign[] = {
    { "ca3fc00000", "return math.type(...) == 'float' and ... == 1.5" },
    { "cfffffffffffffffff", "return math.type(...) == 'float' and ... == 2.0 ^ 64" },
    { "d001 d10001 d200000001 d30000000000000001 cc01 cd0001 ce00000001 cf0000000000000001",
      "for i = 1, 8 do if select(i, ...) ~= 1 then return false end end return select('#', ...) == 8" },
    { "c400 c50001ff c600000001fe d900 da000141 db0000000142",
      "return table.concat({...}, '|') == '|\\xff|\\xfe||A|B'" },
    { "dc0001 01", "return #... == 1" },
    { "dd00000001 01", "return #... == 1" },
    { "de0001 a161 01", "return (...).a == 1" },
    { "df00000001 a161 01", "return (...).a == 1" },
    { "93 01 c0 03", "local t = ... return t[1] == 1 and t[2] == nil and t[3] == 3" },
    { "81 a161 c0", "return next(...) == nil" },
    { "82 a161 01 a161 02", "return (...).a == 2" },
    { "81 c2 c3", "return (...)[false] == true" },
    { "81 90 01", "return type(next(...)) == 'table'" },
    { "c70001 92 90 d40200", "return #... == 2" },
    { "c70001 93 90 d40201 d5020000", "local t = ... return t[2] == t[1] and t[3] == t" },
};

START_TEST(bytes_of_others_are_understood)
{
    unsigned char bytes[128];
    size_t size = from_hex(foreign[_i].hex, bytes);
    int count;

    ck_assert_int_eq(luaL_loadstring(L, foreign[_i].test), LUA_OK);
    ck_assert_msg(value_decode(L, bytes, size, &untrusted_mode, &count) == 0, "%s", lua_tostring(L, -1));
    ck_assert_int_eq(lua_gettop(L), 1 + count);
    lua_call(L, count, 1);
    ck_assert_msg(lua_toboolean(L, -1), "%s: not %s", foreign[_i].hex, foreign[_i].test);
}
END_TEST

static const struct { const char *chunk, *reason; int status; } refused[] = {
    { "return 1, {db = {socket = io.stdout}}",
      "argument 2, field \"db.socket\": cannot send a userdata (FILE*)", TROUPE_EREFUSED },
    { "return {1, 2, io.stdout}", "argument 1, field [3]: cannot send a userdata (FILE*)", TROUPE_EREFUSED },
    { "return {{a = {io.stdout}}}",
      "argument 1, field [1].a[1]: cannot send a userdata (FILE*)", TROUPE_EREFUSED },
    { "return {['a b'] = io.stdout}",
      "argument 1, field [\"a b\"]: cannot send a userdata (FILE*)", TROUPE_EREFUSED },
    { "return {x = {['\\n\"\\0'] = io.stdout}}",
      "argument 1, field \"x[\"???\"]\": cannot send a userdata (FILE*)", TROUPE_EREFUSED },
    { "return {[true] = {[1.5] = io.stdout}}",
      "argument 1, field [true][1.5]: cannot send a userdata (FILE*)", TROUPE_EREFUSED },
    { "return {[{}] = io.stdout}",
      "argument 1, field [table]: cannot send a userdata (FILE*)", TROUPE_EREFUSED },
    { "return {a = {[io.stdout] = 1}}",
      "argument 1, field \"a\", a key: cannot send a userdata (FILE*)", TROUPE_EREFUSED },
    { "local f = io.stdout return function() return f end",
      "argument 1, upvalue \"f\": cannot send a userdata (FILE*)", TROUPE_EREFUSED },
    { "local t = {on = {io.stdout}} return {go = function() return t end}",
      "argument 1, field \"go\", upvalue \"t\", field \"on[1]\": cannot send a userdata (FILE*)",
      TROUPE_EREFUSED },
    { "return coroutine.create(print)", "argument 1: cannot send a thread (coroutine)", TROUPE_EREFUSED },
    { "return coroutine.wrap(print)",
      "argument 1, upvalue 1: cannot send a thread (coroutine)", TROUPE_EREFUSED },
    { "local m = {__tostring = function() return 'box: 0x1234' end}"
      " return debug.setuservalue and debug.setmetatable(io.tmpfile(), m)",
      "argument 1: cannot send a userdata (box)", TROUPE_EREFUSED },
    { "local m = {__tostring = function() error 'no' end} return debug.setmetatable(io.tmpfile(), m)",
      "argument 1: cannot send a userdata", TROUPE_EREFUSED },
    { "local t = {} local x = t for i = 1, 200 do x[1] = {} x = x[1] end return t",
      "argument 1, field [1][1][1][1][1][1][1][1]...[1][1][1][1][1][1][1][1]: "
      "cannot send a table, nesting is deeper than 200 levels", TROUPE_ELIMIT },
    { "local f for i = 1, 300 do local g = f f = function() return g end end return f",
      NULL, TROUPE_ELIMIT },
    { "return setmetatable({}, {__troupe_pack = function() error('gone', 0) end})",
      "argument 1: __troupe_pack failed: gone", TROUPE_EREFUSED },
    { "return setmetatable({}, {__troupe_pack = function() return 1 end})",
      "argument 1: __troupe_pack must return a value and \"module:function\"", TROUPE_EREFUSED },
    { "return setmetatable({}, {__troupe_pack = function() return 1, ':f' end})",
      "argument 1: __troupe_pack must return a value and \"module:function\"", TROUPE_EREFUSED },
    { "return {setmetatable({}, {__troupe_pack = function() return {x = io.stdout}, 'm:f' end})}",
      "argument 1, field [1], what __troupe_pack returned, field \"x\": cannot send a userdata (FILE*)",
      TROUPE_EREFUSED },
    { "local t = setmetatable({}, {__troupe_pack = function(t) return {t}, 'm:f' end}) return t",
      "argument 1, what __troupe_pack returned, field [1]: cannot send a value packed into itself",
      TROUPE_EREFUSED },
    { "local t = {} t.x = setmetatable({}, {__troupe_pack = function()"
      " t.x = nil for i = 1, 99 do t[i .. 'k'] = 1 end return 1, 'm:f' end}) return t",
      "invalid key to 'next'", TROUPE_EREFUSED },
};

START_TEST(a_refusal_names_the_place_and_sends_nothing)
{
    struct buffer out;
    const char *reason;

    buffer_init(&out);
    ck_assert_int_eq(buffer_append(&out, "before", 6), 0);
    ck_assert_int_eq(encode_chunk(L, refused[_i].chunk, &local_mode, &out), refused[_i].status);
    ck_assert_uint_eq(out.size, 6);
    reason = lua_tostring(L, -1);
    if (refused[_i].reason)
        ck_assert_str_eq(reason, refused[_i].reason);
    buffer_release(&out);
}
END_TEST

START_TEST(values_in_front_may_go_without_a_number)
{
    static const struct value_mode mode = { .unnumbered = 1 };
    struct buffer out;

    buffer_init(&out);
    ck_assert_int_eq(encode_chunk(L, "return 1, io.stdout", &mode, &out), TROUPE_EREFUSED);
    ck_assert_str_eq(lua_tostring(L, -1), "argument 1: cannot send a userdata (FILE*)");
    ck_assert_int_eq(encode_chunk(L, "local f = io.stdout return function() return f end, 1", &mode, &out),
                     TROUPE_EREFUSED);
    ck_assert_str_eq(lua_tostring(L, -1), "function, upvalue \"f\": cannot send a userdata (FILE*)");
    buffer_release(&out);
}
END_TEST

START_TEST(a_smaller_depth_is_kept_by_both_sides)
{
    static const struct value_mode two = { .depth = 2 };
    struct buffer out;
    int count;

    buffer_init(&out);
    ck_assert_int_eq(encode_chunk(L, "return {{}}", &two, &out), 0);
    ck_assert_int_eq(value_decode(L, out.data, out.size, &two, &count), 0);
    ck_assert_int_eq(encode_chunk(L, "return {{{}}}", &two, &out), TROUPE_ELIMIT);
    ck_assert_ptr_nonnull(strstr(lua_tostring(L, -1), "nesting is deeper than 2 levels"));
    out.size = 0;
    ck_assert_int_eq(encode_chunk(L, "return {{{}}}", &local_mode, &out), 0);
    ck_assert_int_eq(value_decode(L, out.data, out.size, &two, &count), TROUPE_EBADMSG);
    ck_assert_ptr_nonnull(strstr(lua_tostring(L, -1), "nesting is deeper than 2 levels"));
    buffer_release(&out);
}
END_TEST

START_TEST(the_deepest_message_goes_there_and_back)
{
    struct buffer out;
    int count;

    buffer_init(&out);
    ck_assert_int_eq(encode_chunk(L, "local t = {} for i = 1, 199 do t = {t} end return t", &local_mode,
                                  &out), 0);
    ck_assert_int_eq(value_decode(L, out.data, out.size, &untrusted_mode, &count), 0);
    ck_assert_int_eq(count, 1);
    buffer_release(&out);
}
END_TEST

static int plain_c_function(lua_State *state)
{
    lua_pushliteral(state, "called");
    return 1;
}

static int with_upvalue(lua_State *state)
{
    lua_pushvalue(state, lua_upvalueindex(1));
    return 1;
}

START_TEST(addresses_cross_within_the_process_only)
{
    struct buffer out;
    int count;

    buffer_init(&out);
    lua_pushcfunction(L, plain_c_function);
    lua_pushlightuserdata(L, &out);
    ck_assert_int_eq(value_encode(L, 1, 2, "argument", &local_mode, &out), 0);
    ck_assert_int_eq(value_decode(L, out.data, out.size, &local_mode, &count), 0);
    ck_assert_ptr_eq(lua_tocfunction(L, 3), plain_c_function);
    ck_assert_ptr_eq(lua_touserdata(L, 4), &out);
    lua_settop(L, 2);
    ck_assert_int_eq(value_decode(L, out.data, out.size, &remote_mode, &count), TROUPE_EREFUSED);
    ck_assert_int_eq(value_decode(L, out.data, out.size, &untrusted_mode, &count), TROUPE_EREFUSED);
    lua_settop(L, 2);
    out.size = 0;
    ck_assert_int_eq(value_encode(L, 1, 1, "argument", &remote_mode, &out), TROUPE_EREFUSED);
    ck_assert_str_eq(lua_tostring(L, -1),
                     "argument 1: cannot send a C function that is a field of no loaded module");
    ck_assert_int_eq(value_encode(L, 2, 2, "result", &remote_mode, &out), TROUPE_EREFUSED);
    ck_assert_str_eq(lua_tostring(L, -1), "result 1: cannot send a light userdata to another process");
    buffer_release(&out);
}
END_TEST

START_TEST(a_c_function_takes_its_upvalues_along)
{
    struct buffer out;
    int count;

    buffer_init(&out);
    eval(L, "return {42}");
    lua_pushcclosure(L, with_upvalue, 1);
    ck_assert_int_eq(value_encode(L, 1, 1, "argument", &local_mode, &out), 0);
    ck_assert_int_eq(value_decode(L, out.data, out.size, &local_mode, &count), 0);
    lua_call(L, 0, 1);
    lua_rawgeti(L, -1, 1);
    ck_assert_int_eq(lua_tointeger(L, -1), 42);
    buffer_release(&out);
}
END_TEST

START_TEST(bytecode_is_not_taken_from_a_network)
{
    struct buffer out;
    int count;

    buffer_init(&out);
    ck_assert_int_eq(encode_chunk(L, "return function() end", &local_mode, &out), 0);
    ck_assert_int_eq(value_decode(L, out.data, out.size, &untrusted_mode, &count), TROUPE_EREFUSED);
    ck_assert_ptr_nonnull(strstr(lua_tostring(L, -1), "bytecode is not accepted from a network"));
    buffer_release(&out);
}
END_TEST

START_TEST(from_a_network_no_standard_function_unpacks_and_no_name_leaves_the_path)
{
    static const char *const hostile[] = {
        "c90000000c09 aa6f733a65786563757465 01",          /* os:execute */
        "c90000000a09 a85f473a7072696e74 01",              /* _G:print */
        "c90000000807 2e2e2f6576696c2f",                   /* ../evil/ */
        "c90000000807 2e2e6576696c2e61",                   /* ..evil.a */
        "c90000000506 2f61006262",                         /* /a, bb */
    };
    unsigned char bytes[64];
    int count;

    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        size_t size = from_hex(hostile[i], bytes);

        ck_assert_int_eq(value_decode(L, bytes, size, &untrusted_mode, &count), TROUPE_EBADMSG);
        ck_assert_int_eq(lua_gettop(L), 1);
        lua_settop(L, 0);
    }
}
END_TEST

/* The one piece of code that the receiver is said to know. */
static struct known { unsigned char bytes[4096]; size_t size; int asked; } known;

static bool code_known(void *context, const void *code, size_t size, uint64_t *hash)
{
    struct known *self = context;

    self->asked++;
    *hash = value_code_hash(code, size);
    return size == self->size && memcmp(code, self->bytes, size) == 0;
}

static const void *code_find(void *context, uint64_t hash, size_t *size)
{
    struct known *self = context;

    *size = self->size;
    return hash == value_code_hash(self->bytes, self->size) ? self->bytes : NULL;
}

START_TEST(known_code_travels_by_its_hash)
{
    static const struct value_mode sends = { .code_known = code_known, .context = &known };
    static const struct value_mode finds = { .code_find = code_find, .context = &known, .untrusted = true };
    struct buffer code, out;
    int count;

    buffer_init(&code);
    buffer_init(&out);
    eval(L, "local n = 20 return function() return n + 1 end");
    ck_assert_int_eq(value_dump(L, 1, &code), 0);
    ck_assert_uint_le(code.size, sizeof known.bytes);
    memcpy(known.bytes, code.data, code.size);
    known.size = code.size;
    known.asked = 0;
    ck_assert_int_eq(value_encode(L, 1, 1, "argument", &sends, &out), 0);
    ck_assert_int_gt(known.asked, 0);
    ck_assert_uint_lt(out.size, 32);
    ck_assert_int_eq(value_decode(L, out.data, out.size, &finds, &count), 0);
    lua_call(L, 0, 1);
    ck_assert_int_eq(lua_tointeger(L, -1), 21);
    known.bytes[0] ^= 1;
    ck_assert_int_eq(value_decode(L, out.data, out.size, &finds, &count), TROUPE_EREFUSED);
    ck_assert_int_eq(value_decode(L, out.data, out.size, &local_mode, &count), TROUPE_EREFUSED);
    known.bytes[0] ^= 1;
    out.size = 0;
    ck_assert_int_eq(encode_chunk(L, "return function() return 'another' end", &sends, &out), 0);
    ck_assert_int_eq(value_decode(L, out.data, out.size, &local_mode, &count), 0);
    buffer_release(&code);
    buffer_release(&out);
}
END_TEST

START_TEST(a_hash_is_of_the_content_and_never_0)
{
    ck_assert_uint_eq(value_code_hash("abc", 3), value_code_hash("abc", 3));
    ck_assert_uint_ne(value_code_hash("abc", 3), value_code_hash("abd", 3));
    ck_assert_uint_ne(value_code_hash("abc", 3), value_code_hash("abc", 2));
    ck_assert_uint_ne(value_code_hash("", 0), 0);
}
END_TEST

static const struct { const char *chunk; bool plain; } codes[] = {
    { "return function() return 1 end", true },
    { "return function() return print end", true },
    { "return load(string.dump(function() return print end, true))", true },
    { "local n = 1 return function() return n end", false },
    { "local n = 1 return function() return print, n end", false },
    { "local n, m = 1 return load(string.dump(function() return n, m end, true))", false },
    { "return print", false },
    { "return 1", false },
};

START_TEST(plain_code_is_code_that_has_nothing_but_globals)
{
    eval(L, codes[_i].chunk);
    ck_assert_int_eq(value_is_plain_code(L, 1), codes[_i].plain);
    ck_assert_int_eq(value_is_plain_code(L, -1), codes[_i].plain);
    ck_assert_int_eq(lua_gettop(L), 1);
}
END_TEST

START_TEST(a_class_and_its_metatable_belong_to_each_other)
{
    static const char *const taken[] = {
        "local v = require 'values' v.class('A', {}) v.class('A', {})",
        "local v, m = require 'values', {} v.class('B', m) v.class('C', m)",
    };

    for (size_t i = 0; i < 2; i++) {
        ck_assert(luaL_dostring(L, taken[i]));
        ck_assert_ptr_nonnull(strstr(lua_tostring(L, -1), i ? "class \"B\"" : "class name \"A\" is taken"));
        lua_pop(L, 1);
    }
    eval(L, "local v, m = require 'values', {} v.class('D', m) assert(v.class('D', m) == m)");
}
END_TEST

START_TEST(a_state_without_libraries_can_send_and_receive)
{
    lua_State *bare = luaL_newstate();
    struct buffer out;
    int count;

    buffer_init(&out);
    lua_createtable(bare, 0, 0);
    lua_pushinteger(bare, 5);
    lua_setfield(bare, -2, "five");
    ck_assert_int_eq(value_encode(bare, 1, 1, "argument", &local_mode, &out), 0);
    ck_assert_int_eq(value_decode(bare, out.data, out.size, &local_mode, &count), 0);
    ck_assert_int_eq(lua_getfield(bare, -1, "five"), LUA_TNUMBER);
    buffer_release(&out);
    lua_close(bare);
}
END_TEST

START_TEST(nothing_is_a_message_too)
{
    struct buffer out;
    int count = 7;

    buffer_init(&out);
    ck_assert_int_eq(value_encode(L, 1, 0, "argument", &local_mode, &out), 0);
    ck_assert_uint_eq(out.size, 0);
    ck_assert_int_eq(value_decode(L, "", 0, &local_mode, &count), 0);
    ck_assert_int_eq(count, 0);
    buffer_release(&out);
}
END_TEST

START_TEST(thousands_of_arguments_keep_their_order)
{
    enum { COUNT = 5000 };
    struct buffer out;
    int count;

    buffer_init(&out);
    ck_assert(lua_checkstack(L, COUNT));
    for (int i = 1; i <= COUNT; i++)
        if (i % 3)
            lua_pushinteger(L, i);
        else
            lua_pushnil(L);
    ck_assert_int_eq(value_encode(L, 1, COUNT, "argument", &local_mode, &out), 0);
    lua_settop(L, 0);
    ck_assert_int_eq(value_decode(L, out.data, out.size, &local_mode, &count), 0);
    ck_assert_int_eq(count, COUNT);
    ck_assert_int_eq(lua_gettop(L), COUNT);
    for (int i = 1; i <= COUNT; i++)
        assert_cheaply(lua_tointeger(L, i) == (i % 3 ? i : 0));
    buffer_release(&out);
}
END_TEST

START_TEST(decoding_leaves_what_was_on_the_stack)
{
    struct buffer out;
    int count;

    buffer_init(&out);
    ck_assert_int_eq(encode_chunk(L, "local t = {} for i = 1, 99 do t[i] = {id = i} end return t, t, 300",
                                  &local_mode, &out), 0);
    lua_pushliteral(L, "below");
    ck_assert_int_eq(value_decode(L, out.data, out.size, &local_mode, &count), 0);
    ck_assert_int_eq(count, 3);
    ck_assert_int_eq(lua_gettop(L), 4);
    ck_assert_str_eq(lua_tostring(L, 1), "below");
    ck_assert(lua_rawequal(L, 2, 3));
    ck_assert_int_eq(lua_tointeger(L, 4), 300);
    ck_assert_int_eq(value_decode(L, out.data, out.size - 1, &local_mode, &count), TROUPE_EBADMSG);
    ck_assert_int_eq(lua_gettop(L), 5);
    ck_assert_int_eq(lua_type(L, 5), LUA_TSTRING);
    buffer_release(&out);
}
END_TEST

/* How long the sequence is that this byte leads; 0: it leads none. */
static size_t length_by(unsigned char lead)
{
    if (lead < 0x80)
        return 1;
    return lead < 0xc0 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf8 ? 4 : 0;
}

/* The slow way to the same answer: decode the sequence and see whether this is how its scalar is written. */
static bool plainly_valid(const unsigned char *at, size_t size)
{
    while (size) {
        uint32_t scalar = at[0];
        size_t length = length_by(at[0]);

        if (length == 0 || length > size)
            return false;
        if (length > 1)
            scalar &= 0x7fu >> length;
        for (size_t i = 1; i < length; i++) {
            if ((at[i] & 0xc0) != 0x80)
                return false;
            scalar = scalar << 6 | (at[i] & 0x3f);
        }
        if (scalar > 0x10ffff || (scalar >= 0xd800 && scalar < 0xe000)
            || scalar < (const uint32_t[]){ 0, 0, 0x80, 0x800, 0x10000 }[length])
            return false;
        at += length;
        size -= length;
    }
    return true;
}

START_TEST(text_is_told_from_bytes_wherever_it_changes)
{
    static const unsigned char pieces[] = { 'a',  0x80, 0xbf, 0xc1, 0xc2, 0xe0, 0xa0,
                                            0x9f, 0xed, 0xf0, 0x90, 0x8f, 0xf4, 0xf5 };
    uint64_t seed = 11;
    int valid = 0, rounds = 300000 / suite_slowdown();

    for (int round = 0; round < rounds; round++) {
        unsigned char bytes[80];
        size_t lead = next_random(&seed) % 60, size = lead + 1 + next_random(&seed) % 6;

        memset(bytes, 'x', sizeof bytes);
        for (size_t i = lead; i < size; i++)
            bytes[i] = pieces[next_random(&seed) % sizeof pieces];
        assert_cheaply(utf8_valid(bytes, size + 4) == plainly_valid(bytes, size + 4));
        assert_cheaply(utf8_valid(bytes, size) == plainly_valid(bytes, size));
        valid += plainly_valid(bytes, size);
    }
    ck_assert_int_gt(valid, rounds / 300);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("value");
    TCase *tcase = suite_case(suite, "value");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, values_have_these_bytes, 0, COUNT_OF(wire));
    tcase_add_loop_test(tcase, bytes_of_others_are_understood, 0, COUNT_OF(foreign));
    tcase_add_loop_test(tcase, a_refusal_names_the_place_and_sends_nothing, 0, COUNT_OF(refused));
    tcase_add_test(tcase, values_in_front_may_go_without_a_number);
    tcase_add_test(tcase, a_smaller_depth_is_kept_by_both_sides);
    tcase_add_test(tcase, the_deepest_message_goes_there_and_back);
    tcase_add_test(tcase, addresses_cross_within_the_process_only);
    tcase_add_test(tcase, a_c_function_takes_its_upvalues_along);
    tcase_add_test(tcase, bytecode_is_not_taken_from_a_network);
    tcase_add_test(tcase, from_a_network_no_standard_function_unpacks_and_no_name_leaves_the_path);
    tcase_add_test(tcase, known_code_travels_by_its_hash);
    tcase_add_test(tcase, a_hash_is_of_the_content_and_never_0);
    tcase_add_loop_test(tcase, plain_code_is_code_that_has_nothing_but_globals, 0, COUNT_OF(codes));
    tcase_add_test(tcase, a_class_and_its_metatable_belong_to_each_other);
    tcase_add_test(tcase, a_state_without_libraries_can_send_and_receive);
    tcase_add_test(tcase, nothing_is_a_message_too);
    tcase_add_test(tcase, thousands_of_arguments_keep_their_order);
    tcase_add_test(tcase, decoding_leaves_what_was_on_the_stack);
    tcase_add_test(tcase, text_is_told_from_bytes_wherever_it_changes);
    return suite_run(suite);
}
