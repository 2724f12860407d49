/* check_value_bytes.c - the decoder trusts nobody: cut, changed, boastful and contradictory bytes. */
#include "value_fixture.h"

/* Values of every kind that a stranger may send, each chunk one value. */
static const char *const samples[] = {
    "return 'text'", "return '\\xff\\xfe'", "return ('long'):rep(100)", "return -5", "return 300",
    "return 70000",
    "return 1 << 40", "return -(1 << 40)", "return 0.5", "return {1, 2, 3}",
    "return {x = 1, y = {z = 'deep'}}",
    "local t = {} for i = 1, 40 do t[i] = {id = i, name = 'n' .. i, score = i / 2} end return t",
    "local t = {} for i = 1, 20 do t['k' .. i] = i end return t",
    "local t = {} t.me = t t.list = {t, {t}} return t",
    "return {math, string.format, print}",
    "require 'values'.class('K', K) return {setmetatable({1, 2}, K), setmetatable({a = 1}, K)}",
    "return {setmetatable({}, P), setmetatable({}, P)}",
    "local p = setmetatable({}, P) return {p, p, {p}}",
    "return {[{}] = {[1.5] = true}, [false] = 1}",
};

/* These are for threads of the same process: code and addresses. They are cut, never changed. */
static const char *const trusted_samples[] = {
    "return function(a) return a + 1 end",
    "local f f = function(n) return n > 0 and f(n - 1) end return f",
    "local n = 0 return {function() n = n + 1 return n end, function() return n, print end}",
    "return {io.stdout.write, coroutine.running}",
};

static lua_State *L;

static void set_up(void)
{
    L = open_state();
    eval(L, "K = {} P = {__troupe_pack = function() return {'packed'}, 'boxes:open' end}"
            " package.loaded.boxes = {open = function(v) return {opened = v} end}");
}

static void tear_down(void)
{
    lua_close(L);
}

static void sample(const char *chunk, struct buffer *out)
{
    buffer_init(out);
    ck_assert_msg(encode_chunk(L, chunk, &local_mode, out) == 0, "%s", lua_tostring(L, -1));
}

/* Decodes a copy that ends where its memory ends, so that a sanitizer sees a byte read beyond. */
static int decode_copy(const unsigned char *bytes, size_t size, const struct value_mode *mode)
{
    unsigned char *copy = malloc(size ? size : 1);
    int count, rc;

    assert_cheaply(copy);
    memcpy(copy, bytes, size);
    rc = value_decode(L, copy, size, mode, &count);
    free(copy);
    assert_cheaply(lua_gettop(L) == (rc ? 1 : count));
    assert_cheaply(rc == 0 || lua_type(L, 1) == LUA_TSTRING);
    lua_settop(L, 0);
    return rc;
}

static void cut_everywhere(const char *chunk, const struct value_mode *mode)
{
    struct buffer out;

    sample(chunk, &out);
    ck_assert_int_eq(decode_copy(out.data, out.size, mode), 0);
    for (size_t size = 1; size < out.size; size++) {
        bool only_prefix = size == 3 && out.data[0] == 0xc7 && out.data[2] == 1;

        if (decode_copy(out.data, size, mode) == 0 && !only_prefix)
            ck_abort_msg("%s: cut to %zu", chunk, size);
    }
    buffer_release(&out);
}

START_TEST(a_message_cut_anywhere_is_an_error)
{
    cut_everywhere(samples[_i], &untrusted_mode);
}
END_TEST

START_TEST(a_message_with_code_cut_anywhere_is_an_error)
{
    cut_everywhere(trusted_samples[_i], &local_mode);
}
END_TEST

/* A few bytes changed, put in, taken out, or moved about. */
static size_t change(unsigned char *bytes, size_t size, size_t room, uint64_t *seed)
{
    static const unsigned char interesting[] = { 0xc7, 0xc8, 0xc9, 0xd4, 0xd6, 0xdc, 0xdd,
                                                 0xde, 0xdf, 0xff, 0x00, 0x01, 0x90, 0x81 };

    for (uint64_t changes = 1 + next_random(seed) % 4; changes > 0; changes--) {
        size_t at = next_random(seed) % size;

        switch (next_random(seed) % 4) {
        case 0: bytes[at] = (unsigned char)next_random(seed); break;
        case 1: bytes[at] = interesting[next_random(seed) % sizeof interesting]; break;
        case 2:
            if (size < room) {
                memmove(bytes + at + 1, bytes + at, size - at);
                size++;
            }
            break;
        default:
            if (size > 1) {
                memmove(bytes + at, bytes + at + 1, size - at - 1);
                size--;
            }
        }
    }
    return size;
}

START_TEST(changed_bytes_are_an_error_or_another_message)
{
    uint64_t seed = (uint64_t)_i + 1;
    struct buffer out;
    unsigned char *bytes;
    int errors = 0;

    sample(samples[_i], &out);
    bytes = malloc(out.size + 16);
    ck_assert_ptr_nonnull(bytes);
    for (int round = 0; round < 3000 / suite_slowdown(); round++) {
        memcpy(bytes, out.data, out.size);
        errors += decode_copy(bytes, change(bytes, out.size, out.size + 16, &seed), &untrusted_mode) != 0;
    }
    ck_assert_int_gt(errors, 0);
    free(bytes);
    buffer_release(&out);
}
END_TEST

START_TEST(noise_is_an_error_or_another_message)
{
    uint64_t seed = 99;
    unsigned char bytes[200];

    for (int round = 0; round < 30000 / suite_slowdown(); round++) {
        size_t size = next_random(&seed) % sizeof bytes;

        for (size_t i = 0; i < size; i++)
            bytes[i] = (unsigned char)next_random(&seed);
        decode_copy(bytes, size, &untrusted_mode);
    }
}
END_TEST

static const char *const broken[] = {
    "c1",                                  /* no marker */
    "81 c0 01",                            /* nil as a key */
    "81 cb7ff8000000000000 01",            /* NaN as a key */
    "81 ca7fc00000 01",
    "dd ffffffff 010203",                  /* more elements than bytes */
    "df 80000000 010203",
    "df ffffffff 010203",
    "db ffffffff 010203",
    "c6 ffffffff 010203",
    "c9 ffffffff 03 0102",
    "d60200000000",                        /* a reference where nothing is kept */
    "c70001 d60200000000",                 /* a reference to nothing */
    "c70001 91 d60200000001",
    "c70001 91 d60500000000",              /* a variable outside a function */
    "c70001 91 c70302000000",              /* a reference of 3 bytes */
    "c70001 91 c70002",
    "90 c70001",                           /* the prefix where it is none */
    "d40400", "c70004",                    /* globals outside a function */
    "d47f00", "d4ff00",                    /* types that are not known */
    "d6ff00000000",
    "c70103 00",                           /* a function without code */
    "c70003",
    "c70203 00 c0",
    "c70303 01 c400",                      /* bytecode, not from a network, and too few upvalues */
    "c70a03 00 cf0000000000000001",        /* a hash that nobody knows */
    "c70006", "c70306 616263",             /* a C function without a field */
    "c70406 6d610061",                     /* in no module */
    "c70508 a161 90 9090",                 /* left over bytes */
    "c70308 a161 c0", "c70208 a161", "c70108 90", /* an instance that is no table, or has no name */
    "c70309 a161 c0", "c70309 a13a 90",    /* packed without a function */
    "c70109 c0",
    "c70b09 aa626f7865733a6e6f7065",       /* boxes:nope */
    "c70001 c71109 aa626f7865733a6f70656e d60200000000", /* packed into itself */
    "d80a 00000000000000000000000000000000",  /* addresses */
    "d70a 0000000000000001", "d70b 0000000000000001", "d40a00",
};

START_TEST(broken_bytes_are_an_error)
{
    unsigned char bytes[64];

    ck_assert_msg(decode_copy(bytes, from_hex(broken[_i], bytes), &untrusted_mode) != 0, "%s", broken[_i]);
}
END_TEST

/* Of code and addresses, what can be told without believing it. */
static const char *const broken_code[] = {
    "c70303 00 c400",                      /* no bytecode */
    "c70703 00 c404 01020304",
    "c70403 c0 c40100",
    "c70403 01 c401 1b",
    "d40a00", "d40b00", "d70b 0000000000000000",
    "c70b03 00 d70b0000000000000000",      /* no address */
    "c70d03 cd0100 d70b0000000000000001",  /* 256 upvalues */
    "c70e03 01 d70b0000000000000001 d40500", /* a variable where nothing is kept */
};

START_TEST(broken_code_is_an_error_even_from_friends)
{
    unsigned char bytes[64];

    size_t size = from_hex(broken_code[_i], bytes);

    ck_assert_msg(decode_copy(bytes, size, &local_mode) != 0, "%s", broken_code[_i]);
}
END_TEST

/* Counts what a state takes; refuses beyond a bound. */
struct meter { size_t now, most; };

static void *metered(void *context, void *block, size_t old, size_t size)
{
    struct meter *meter = context;

    meter->now += size - (block ? old : 0);
    if (meter->now > meter->most)
        meter->most = meter->now;
    if (size == 0) {
        free(block);
        return NULL;
    }
    return realloc(block, size);
}

START_TEST(boasting_heads_take_no_memory)
{
    enum { SIZE = 100000, LEVELS = 190 };
    struct meter meter = { 0, 0 };
    lua_State *small = lua_newstate(metered, &meter);
    unsigned char *bytes = malloc(SIZE);
    size_t before;
    int count;

    ck_assert_ptr_nonnull(small);
    ck_assert_ptr_nonnull(bytes);
    memset(bytes, 0xc0, SIZE);
    for (int level = 0; level < LEVELS; level++) {
        unsigned char *at = bytes + 5 * level;
        uint32_t claim = (uint32_t)(SIZE - 5 * (level + 1));

        at[0] = 0xdd;
        for (int i = 0; i < 4; i++)
            at[1 + i] = (unsigned char)(claim >> (24 - 8 * i));
    }
    before = meter.now;
    meter.most = before;
    ck_assert_int_eq(value_decode(small, bytes, SIZE, &untrusted_mode, &count), TROUPE_EBADMSG);
    ck_assert_uint_lt(meter.most - before, 64 * SIZE);
    free(bytes);
    lua_close(small);
}
END_TEST

START_TEST(nesting_of_any_kind_ends_at_the_limit)
{
    /* An array, a map's value, a map's key, a function's upvalue, an instance, what was packed. */
    static const struct { const char *step, *inside; } kinds[] = {
        { "91", "c0" }, { "8101", "c0" }, { "81", "01" },
        { "c9ffffff08 a161 91", "c0" }, { "c9ffffff09 aa626f7865733a6f70656e", "c0" },
    };

    for (size_t kind = 0; kind < (size_t)COUNT_OF(kinds); kind++) {
        enum { LEVELS = 100000 };
        unsigned char step[64], *bytes;
        size_t size = from_hex(kinds[kind].step, step);
        bool ext = step[0] == 0xc9;

        bytes = malloc(size * LEVELS);
        ck_assert_ptr_nonnull(bytes);
        for (size_t i = 0; i < LEVELS; i++) {
            memcpy(bytes + i * size, step, size);
            if (ext) {
                uint32_t rest = (uint32_t)(size * (LEVELS - i) - 6);

                for (int b = 0; b < 4; b++)
                    bytes[i * size + 1 + (size_t)b] = (unsigned char)(rest >> (24 - 8 * b));
            }
        }
        ck_assert_int_eq(decode_copy(bytes, size * LEVELS, &untrusted_mode), TROUPE_EBADMSG);
        free(bytes);
    }
}
END_TEST

START_TEST(an_unknown_class_stays_a_plain_table)
{
    unsigned char bytes[64];
    size_t size = from_hex("c70708 a45a5a5a5a 91 05", bytes);
    int count;

    ck_assert_int_eq(value_decode(L, bytes, size, &untrusted_mode, &count), 0);
    ck_assert_int_eq(lua_getmetatable(L, 1), 0);
    ck_assert_uint_eq(lua_rawlen(L, 1), 1);
}
END_TEST

START_TEST(an_unpack_function_that_fails_is_an_error)
{
    static const char *const functions[] = { "error('no', 0)", "error({})", "return", "return nil",
                                             "coroutine.yield()" };
    unsigned char bytes[64];
    size_t size = from_hex("c70c09 aa626f7865733a6f70656e 05", bytes);

    for (size_t i = 0; i < (size_t)COUNT_OF(functions); i++) {
        char chunk[128];

        snprintf(chunk, sizeof chunk, "package.loaded.boxes.open = function() %s end", functions[i]);
        eval(L, chunk);
        ck_assert_int_eq(decode_copy(bytes, size, &untrusted_mode), TROUPE_EREFUSED);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("value_bytes");
    TCase *tcase = suite_case(suite, "value_bytes");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, a_message_cut_anywhere_is_an_error, 0, COUNT_OF(samples));
    tcase_add_loop_test(tcase, a_message_with_code_cut_anywhere_is_an_error, 0, COUNT_OF(trusted_samples));
    tcase_add_loop_test(tcase, changed_bytes_are_an_error_or_another_message, 0, COUNT_OF(samples));
    tcase_add_test(tcase, noise_is_an_error_or_another_message);
    tcase_add_loop_test(tcase, broken_bytes_are_an_error, 0, COUNT_OF(broken));
    tcase_add_loop_test(tcase, broken_code_is_an_error_even_from_friends, 0, COUNT_OF(broken_code));
    tcase_add_test(tcase, boasting_heads_take_no_memory);
    tcase_add_test(tcase, nesting_of_any_kind_ends_at_the_limit);
    tcase_add_test(tcase, an_unknown_class_stays_a_plain_table);
    tcase_add_test(tcase, an_unpack_function_that_fails_is_an_error);
    return suite_run(suite);
}
