"""judge_msgpack.py - Python's msgpack reads what we write, and we read what it writes. Prints TAP.

The Lua side is the interpreter in TEST_LUA, with the module troupe on its path.
"""
import math
import os
import random
import subprocess

import msgpack

LUA = os.environ.get("TEST_LUA", "lua5.4")

# Writes each of the chunk's values as a line of hex.
WRITER = """
local troupe = require "troupe"
for _, value in ipairs(table.pack(assert(load(arg[1]))())) do
  print((troupe.encode(value):gsub(".", function(c) return ("%02x"):format(c:byte()) end)))
end
"""

# Reads lines of hex; writes each as it is once decoded and encoded again.
ECHO = """
local troupe = require "troupe"
for line in io.lines() do
  local bytes = line:gsub("%x%x", function(x) return string.char(tonumber(x, 16)) end)
  local value = troupe.decode(bytes, { untrusted = true })
  print((troupe.encode(value):gsub(".", function(c) return ("%02x"):format(c:byte()) end)))
end
"""

# A chunk that returns values, and what Python must read them as.
CASES = [
    ("true and false", "return true, false", [True, False]),
    ("integers of every size", "return 0, 127, 128, 255, 256, 65535, 65536, 1 << 32, math.maxinteger",
     [0, 127, 128, 255, 256, 65535, 65536, 1 << 32, 2 ** 63 - 1]),
    ("negative integers of every size", "return -1, -32, -33, -128, -129, -32769, -(1 << 40), math.mininteger",
     [-1, -32, -33, -128, -129, -32769, -(1 << 40), -2 ** 63]),
    ("floats, which stay floats", "return 1.0, 0.1, -1e300, 1/0, -1/0", [1.0, 0.1, -1e300, math.inf, -math.inf]),
    ("text as str", "return '', 'text', 'h\\u{e9}\\u{20ac}\\u{10ffff}', ('x'):rep(70000)",
     ["", "text", "h\u00e9\u20ac\U0010ffff", "x" * 70000]),
    ("bytes that are no text as bytes", "return '\\xff', '\\xed\\xa0\\x80', 'a\\xc0\\x80', ('\\xfe'):rep(300)",
     [b"\xff", b"\xed\xa0\x80", b"a\xc0\x80", b"\xfe" * 300]),
    ("arrays as lists", "return {1, 2, {3}}, {}", [[1, 2, [3]], []]),
    ("maps as dicts", "return {a = 1, b = {c = 2}}, {[1] = 1, [3] = 3}, {[1.5] = 'f', x = 'y'}",
     [{"a": 1, "b": {"c": 2}}, {1: 1, 3: 3}, {1.5: "f", "x": "y"}]),
    ("records by the hundred", "local t = {} for i = 1, 300 do t[i] = {id = i, name = 'n' .. i} end return t",
     [[{"id": i, "name": "n%d" % i} for i in range(1, 301)]]),
    ("nil inside a value as nothing", "return {1, nil, 3}", [{1: 1, 3: 3}]),
]


def same(a, b):
    """Equal, and of the same types all the way down: 1, 1.0 and True are three values."""
    if type(a) is not type(b):
        return False
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        pairs = {(type(k), k): v for k, v in b.items()}
        return len(a) == len(b) and all((type(k), k) in pairs and same(v, pairs[type(k), k]) for k, v in a.items())
    return a == b or (a != a and b != b)


def lua(script, *arguments, lines=()):
    run = subprocess.run([LUA, "-", *arguments] if not lines else [LUA, "-e", script],
                         input="\n".join(lines) + "\n" if lines else script,
                         stdout=subprocess.PIPE, check=True, timeout=100, text=True)
    return [bytes.fromhex(line) for line in run.stdout.split("\n")[:-1]]


def read(data):
    return msgpack.unpackb(data, strict_map_key=False)


def as_lua_has_it(value):
    """What a Python value is once it has been a Lua value."""
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return value
    if isinstance(value, (list, tuple)):
        return [as_lua_has_it(v) for v in value]
    if isinstance(value, dict):
        fields = {as_lua_has_it(k): as_lua_has_it(v) for k, v in value.items() if v is not None}
        whole = {k: v for k, v in fields.items() if type(k) is int and 1 <= k <= len(fields)}
        return [whole[k] for k in sorted(whole)] if len(whole) == len(fields) else fields
    if type(value) is int and value >= 2 ** 63:
        return float(value)
    return value


def grow(rng, depth):
    kind = rng.randrange(9 if depth else 6)
    if kind == 0:
        return rng.random() < 0.5
    if kind == 1:
        return rng.randrange(-2 ** rng.randrange(1, 63), 2 ** rng.randrange(1, 65))
    if kind == 2:
        return rng.uniform(-1e6, 1e6)
    if kind in (3, 4):
        return "".join(chr(rng.choice([rng.randrange(32, 127), 0xe9, 0x20ac, 0x1f600])) for _ in range(rng.randrange(50)))
    if kind == 5:
        return bytes(rng.randrange(256) for _ in range(rng.randrange(50)))
    if kind == 6:
        return [grow(rng, depth - 1) for _ in range(rng.randrange(20))]
    keys = rng.choice([lambda: grow_key(rng), lambda: "k%d" % rng.randrange(100)])
    return {keys(): grow(rng, depth - 1) for _ in range(rng.randrange(20))}


def grow_key(rng):
    return rng.choice([rng.randrange(-100, 70000), "key %d" % rng.randrange(99), rng.random()])


class Tap:
    def __init__(self):
        self.count = 0
        self.failed = False

    def holds(self, name, wrong):
        self.count += 1
        print("%sok %d - %s" % ("not " if wrong else "", self.count, name))
        for what in wrong[:5]:
            print("# %.300s" % (what,))
        self.failed = self.failed or bool(wrong)


def main():
    tap = Tap()
    for name, chunk, expected in CASES:
        got = [read(data) for data in lua(WRITER, chunk)]
        wrong = [(g, e) for g, e in zip(got, expected) if not same(g, e)] + [len(got)] * (len(got) != len(expected))
        tap.holds("Python reads " + name, wrong)
    rng = random.Random(5)
    values = [grow(rng, 5) for _ in range(1500)]
    values += [2 ** 63, 2 ** 64 - 1, b"", b"text", [None, 1], {}, {"gone": None}, {b"key": 1}, (1, 2)]
    for options in {}, {"use_bin_type": False}:
        wrong = come_back(values, options)
        tap.holds("what Python writes comes back to it %s" % (options or ""), wrong)
    tap.holds("so do short floats", come_back([0.5, -1024.0, math.inf, [2.0 ** 100]], {"use_single_float": True}))
    print("1..%d" % tap.count)
    raise SystemExit(tap.failed)


def come_back(values, options):
    """The values that are not the same any more once Lua has decoded and encoded them, with what they are now."""
    back = [read(data) for data in lua(ECHO, lines=[msgpack.packb(v, **options).hex() for v in values])]
    wrong = [(v, b) for v, b in zip(values, back) if not same(tidy(as_lua_has_it(v)), tidy(b))]
    return wrong + ["%d values of %d" % (len(back), len(values))] * (len(back) != len(values))


def tidy(value):
    """An empty table is an empty list; nothing at the end of a list is not there."""
    if isinstance(value, dict):
        return {k: tidy(v) for k, v in value.items()} or []
    if isinstance(value, list):
        items = [tidy(v) for v in value]
        if None in items:
            return tidy({i: v for i, v in enumerate(items, 1) if v is not None})
        return items
    return value


if __name__ == "__main__":
    main()
